//! Every parameter that is not in docs/compat.md has an effect, and here it is seen.
//!
//! [`EFFECTS`] says for each parameter where: `Here` is a test below, `Process` one in
//! `redstart-server/tests`, `Time` one of `config_time.rs`, `Unit` one beside the code (its name follows). A parameter without a row,
//! or a row without a parameter, fails `every_parameter_has_its_test`.

mod common;

use common::{Client, TestServer, until};
use server::config::table::ROWS;
use server::config::{Config, Waits};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// `maxmemory` is judged by what this counts.
#[global_allocator]
static ALLOCATOR: os::alloc::Counting = os::alloc::Counting;

/// Where an effect is seen.
enum Seen {
    Here,
    Process,
    Time,
    Unit(&'static str),
}
use Seen::{Here, Process, Time, Unit};

const EFFECTS: &[(&str, Seen)] = &[
    ("bind", Here),
    ("port", Here),
    ("unixsocket", Process),
    ("unixsocketperm", Process),
    ("unixsocketgroup", Process),
    ("protected-mode", Unit("server/tests/strangers.rs")),
    ("tcp-backlog", Process),
    ("tcp-keepalive", Process),
    ("timeout", Here),
    ("maxclients", Here),
    ("socket-mark-id", Process),
    ("client-query-buffer-limit", Here),
    ("client-output-buffer-limit", Here),
    ("proto-max-bulk-len", Here),
    ("requirepass", Here),
    ("availability-zone", Unit("INFO's field")),
    ("daemonize", Process),
    ("supervised", Process),
    ("pidfile", Process),
    ("dir", Process),
    ("set-proc-title", Process),
    ("proc-title-template", Process),
    ("oom-score-adj", Process),
    ("oom-score-adj-values", Process),
    ("disable-thp", Process),
    ("server-cpulist", Process),
    ("bio-cpulist", Process),
    ("locale-collate", Here),
    ("ignore-warnings", Process),
    ("shutdown-timeout", Process),
    ("shutdown-on-sigint", Process),
    ("shutdown-on-sigterm", Process),
    ("hz", Time),
    (
        "dynamic-hz",
        Unit("live::many_connections_make_timers_run_more_often"),
    ),
    ("io-threads", Process),
    ("prefetch-batch-max-size", Here),
    ("max-new-connections-per-cycle", Here),
    ("enable-protected-configs", Process),
    ("enable-debug-command", Unit("dispatch; DEBUG's own tests")),
    (
        "enable-module-command",
        Unit("dispatch; MODULE's own tests"),
    ),
    ("jemalloc-bg-thread", Process),
    ("logfile", Process),
    ("loglevel", Process),
    ("log-format", Process),
    ("log-timestamp-format", Process),
    ("hide-user-data-from-log", Process),
    ("syslog-enabled", Process),
    ("syslog-ident", Process),
    ("syslog-facility", Process),
    ("always-show-logo", Process),
    ("crash-log-enabled", Process),
    ("crash-memcheck-enabled", Process),
    ("use-exit-on-panic", Unit("DEBUG PANIC's own tests")),
    (
        "watchdog-period",
        Unit("os::watchdog::notices_a_stuck_worker_once_a_stay"),
    ),
    ("slowlog-log-slower-than", Here),
    ("slowlog-max-len", Here),
    ("latency-monitor-threshold", Here),
    ("latency-tracking", Here),
    (
        "latency-tracking-info-percentiles",
        Unit("below: it reaches INFO"),
    ),
    ("databases", Here),
    ("hash-seed", Process),
    ("active-expire-effort", Time),
    ("tracking-table-max-keys", Unit("server/tests/tracking.rs")),
    (
        "notify-keyspace-events",
        Unit("tests/transcripts/pubsub/notifications.txt"),
    ),
    ("maxmemory", Here),
    ("maxmemory-policy", Here),
    ("maxmemory-clients", Unit("server/tests/evict.rs")),
    ("commandlog-request-larger-than", Unit("tests/transcripts")),
    ("commandlog-reply-larger-than", Unit("tests/transcripts")),
    ("commandlog-large-request-max-len", Here),
    ("commandlog-large-reply-max-len", Here),
    ("maxmemory-samples", Unit("store/tests/evict.rs")),
    ("maxmemory-eviction-tenacity", Unit("server/src/evict.rs")),
    ("lazyfree-lazy-eviction", Here),
    ("lazyfree-lazy-expire", Here),
    ("lazyfree-lazy-server-del", Here),
    ("lazyfree-lazy-user-del", Here),
    ("lazyfree-lazy-user-flush", Here),
    ("lfu-decay-time", Time),
    ("lfu-log-factor", Here),
    ("rdbcompression", Here),
    ("save", Unit("server/tests/persistence.rs")),
    ("dbfilename", Unit("server/tests/persistence.rs")),
    ("rdbchecksum", Unit("server/tests/persistence.rs")),
    (
        "rdb-save-incremental-fsync",
        Unit("server/tests/persistence.rs"),
    ),
    ("rdb-version-check", Unit("server/tests/persistence.rs")),
    ("bgsave-cpulist", Process),
    ("rdb-write-version", Unit("server/tests/persistence.rs")),
    ("rdb-dialect", Unit("server/tests/persistence.rs")),
    ("rdb-key-save-delay", Unit("server/tests/persistence.rs")),
    ("key-load-delay", Unit("server/tests/persistence.rs")),
    (
        "stop-writes-on-bgsave-error",
        Unit("server/tests/persistence.rs"),
    ),
    ("appendonly", Unit("server/tests/aof.rs")),
    ("appendfilename", Unit("server/tests/aof.rs")),
    ("appenddirname", Unit("server/tests/aof.rs")),
    ("appendfsync", Unit("server/tests/aof.rs")),
    ("no-appendfsync-on-rewrite", Unit("server/tests/aof.rs")),
    ("auto-aof-rewrite-percentage", Unit("server/tests/aof.rs")),
    ("auto-aof-rewrite-min-size", Unit("server/tests/aof.rs")),
    ("aof-checksum", Unit("server/tests/aof.rs")),
    ("aof-load-truncated", Unit("server/tests/aof.rs")),
    ("aof-use-rdb-preamble", Unit("server/tests/aof.rs")),
    ("aof-timestamp-enabled", Unit("server/tests/aof.rs")),
    ("aof-rewrite-incremental-fsync", Unit("server/tests/aof.rs")),
    ("aof-disable-auto-gc", Unit("server/tests/aof.rs")),
    ("hash-max-listpack-entries", Here),
    ("hash-max-listpack-value", Here),
    ("hll-sparse-max-bytes", Here),
    ("set-max-intset-entries", Here),
    ("set-max-listpack-entries", Here),
    ("set-max-listpack-value", Here),
    ("list-max-listpack-size", Here),
    ("zset-max-listpack-entries", Here),
    ("zset-max-listpack-value", Here),
    ("stream-node-max-bytes", Here),
    ("stream-node-max-entries", Here),
    ("stream-idmp-duration", Here),
    ("stream-idmp-maxsize", Here),
];

#[test]
fn every_parameter_has_its_test() {
    for row in ROWS {
        let listed = EFFECTS.iter().filter(|(name, _)| *name == row.name).count();
        let wanted = usize::from(row.waits == Waits::Nothing);
        assert_eq!(listed, wanted, "{}", row.name);
    }
    let said = EFFECTS
        .iter()
        .filter(|(_, seen)| matches!(seen, Unit(place) if place.is_empty()))
        .count();
    assert_eq!(said, 0, "a place has a name");
    for (name, _) in EFFECTS {
        assert!(ROWS.iter().any(|row| row.name == *name), "{name}");
    }
}

/// What is only handed on: the code that gets it has tests of its own.
#[test]
fn values_reach_those_who_use_them() {
    let config = Config::from_text(
        b"latency-tracking-info-percentiles 1 99.99\navailability-zone here",
        &|_| false,
    )
    .expect("valid");
    let live = config.live();
    assert_eq!(*live.latency_percentiles, [1.0, 99.99]);
    assert_eq!(config.string("availability-zone"), "here");
}

/// A pipeline's keys are touched ahead together, unless the batch is too small to be one.
#[test]
fn prefetch_batch_max_size() {
    let server = TestServer::start();
    let mut client = server.connect();
    let mut touched_by = |size: usize| {
        server.configure(|live| live.prefetch_batch_max = size);
        assert_eq!(client.line("PING"), "+PONG");
        let before = server.figures();
        client.send(b"GET a\r\n".repeat(8));
        for _ in 0..8 {
            assert_eq!(client.reply(), "nil");
        }
        let after = server.figures();
        (
            after.prefetch_batches - before.prefetch_batches,
            after.prefetch_entries - before.prefetch_entries,
        )
    };
    for size in [0, 1] {
        assert_eq!(touched_by(size), (0, 0), "{size}");
    }
    let (batches, keys) = touched_by(4);
    assert!(batches >= 2 && keys == 8, "{batches} batches, {keys} keys");
}

/// A burst comes in at so many a turn.
#[test]
fn max_new_connections_per_cycle() {
    const BURST: u64 = 40;
    let server = TestServer::start();
    let mut sleeper = server.connect();
    let mut turns_for = |at_once: usize| {
        server.configure(|live| {
            live.new_connections_per_turn = at_once;
            live.enable_debug_command = server::live::Protected::Yes;
        });
        assert_eq!(sleeper.line("PING"), "+PONG");
        let before = server.figures();
        sleeper.send(b"DEBUG SLEEP 0.3\r\n");
        let burst: Vec<Client> = (0..BURST).map(|_| server.connect()).collect();
        until("all are let in", || {
            server.figures().connections_received == before.connections_received + BURST
        });
        assert_eq!(sleeper.reply(), "+OK");
        let turns = server.figures().turns - before.turns;
        drop(burst);
        turns
    };
    let (one_by_one, together) = (turns_for(1), turns_for(1_000));
    assert!(one_by_one >= BURST, "{one_by_one} turns");
    assert!(
        together < one_by_one,
        "{together} turns, {one_by_one} one by one"
    );
}

/// Sends lines and compares the replies.
fn check(client: &mut Client, lines: &[(&str, &str)]) {
    for (line, expected) in lines {
        assert_eq!(client.line(line), *expected, "{line}");
    }
}

fn start(text: &str) -> TestServer {
    TestServer::from_text(text)
}

#[test]
fn a_password_is_wanted_at_once() {
    let server = start("");
    let mut client = server.connect();
    check(
        &mut client,
        &[("CONFIG SET requirepass secret", "+OK"), ("PING", "+PONG")],
    );
    let mut other = server.connect();
    check(
        &mut other,
        &[
            ("PING", "-NOAUTH Authentication required."),
            ("AUTH secret", "+OK"),
            ("PING", "+PONG"),
        ],
    );
    check(&mut client, &[("CONFIG SET requirepass ''", "+OK")]);
    check(&mut server.connect(), &[("PING", "+PONG")]);
}

#[test]
fn idle_clients_go() {
    let server = start("");
    let mut client = server.connect();
    check(&mut client, &[("CONFIG SET timeout 1 hz 100", "+OK")]);
    let began = Instant::now();
    assert_eq!(client.try_reply(), None);
    let waited = began.elapsed();
    assert!(
        (Duration::from_millis(900)..Duration::from_secs(8)).contains(&waited),
        "{waited:?}"
    );
}

#[test]
fn clients_are_limited_in_number() {
    let server = start("");
    let mut first = server.connect();
    check(
        &mut first,
        &[("PING", "+PONG"), ("CONFIG SET maxclients 1", "+OK")],
    );
    let mut second = server.connect();
    assert_eq!(
        second.try_reply().as_deref(),
        Some("-ERR max number of clients reached")
    );
    check(&mut first, &[("CONFIG SET maxclients 2", "+OK")]);
    check(&mut server.connect(), &[("PING", "+PONG")]);
}

#[test]
fn requests_are_limited_in_size() {
    let server = start("");
    let mut client = server.connect();
    check(&mut client, &[("CONFIG SET proto-max-bulk-len 1mb", "+OK")]);
    client.send("*2\r\n$4\r\nECHO\r\n$1048577\r\n");
    assert_eq!(client.reply(), "-ERR Protocol error: invalid bulk length");
    let mut client = server.connect();
    check(
        &mut client,
        &[(
            "CONFIG SET proto-max-bulk-len 512mb client-query-buffer-limit 1mb",
            "+OK",
        )],
    );
    let mut big = b"*2\r\n$4\r\nECHO\r\n$4000000\r\n".to_vec();
    big.resize(3_000_000, b'x');
    // The server may close while we are still writing.
    let _ = std::io::Write::write_all(&mut client.stream, &big);
    assert_eq!(client.until_end(), "");
    check(
        &mut server.connect(),
        &[("CONFIG SET client-query-buffer-limit 1gb", "+OK")],
    );
}

#[test]
fn replies_are_limited_in_size() {
    let server = start("");
    let mut client = server.connect();
    check(&mut client, &[("SETRANGE k 1000000 x", ":1000001")]);
    check(
        &mut client,
        &[(
            "CONFIG SET client-output-buffer-limit 'normal 2mb 0 0'",
            "+OK",
        )],
    );
    let mut greedy = server.connect();
    greedy.send("GET k\r\n".repeat(200));
    let got = greedy.until_end();
    assert!(
        got.len() < 190_000_000,
        "{} bytes came, so nothing was limited",
        got.len()
    );
    check(&mut client, &[("PING", "+PONG")]);
}

#[test]
fn databases_are_counted() {
    let server = start("databases 3");
    check(
        &mut server.connect(),
        &[
            ("SELECT 2", "+OK"),
            ("SELECT 3", "-ERR DB index is out of range"),
        ],
    );
}

#[test]
fn the_slow_log_has_a_threshold_and_a_length() {
    let server = start("slowlog-log-slower-than -1");
    let mut client = server.connect();
    check(&mut client, &[("PING", "+PONG")]);
    assert_eq!(server.server.slowlog.len(), 0);
    check(
        &mut client,
        &[(
            "CONFIG SET slowlog-log-slower-than 0 slowlog-max-len 3",
            "+OK",
        )],
    );
    for _ in 0..9 {
        check(&mut client, &[("PING", "+PONG")]);
    }
    assert_eq!(server.server.slowlog.len(), 3);
}

#[test]
fn latency_is_watched_and_tracked() {
    let server = start("latency-tracking no");
    let mut client = server.connect();
    let ping = server.server.commands.find(b"ping").expect("a command").id;
    let tracked = || {
        server
            .server
            .statistics()
            .durations(ping)
            .map_or(0, |d| d.count())
    };
    check(&mut client, &[("PING", "+PONG")]);
    assert_eq!(tracked(), 0);
    check(
        &mut client,
        &[
            ("CONFIG SET latency-tracking yes", "+OK"),
            ("PING", "+PONG"),
            ("ECHO x", "$x"),
        ],
    );
    assert!(tracked() > 0);
    assert!(server.server.latency.all().is_empty());
    check(
        &mut client,
        &[("CONFIG SET latency-monitor-threshold 1", "+OK")],
    );
    // Filling 50 MB with zeroes takes longer than a millisecond on any machine.
    until("a spike", || {
        let mut client = server.connect();
        check(
            &mut client,
            &[
                ("DEL big", ":0"),
                ("SETRANGE big 50000000 x", ":50000001"),
                ("DEL big", ":1"),
            ],
        );
        !server.server.latency.all().is_empty()
    });
}

#[test]
fn writes_are_refused_over_the_memory_limit() {
    let server = start("");
    let mut client = server.connect();
    let full = "-OOM command not allowed when used memory > 'maxmemory'.";
    check(
        &mut client,
        &[
            ("SET k v", "+OK"),
            ("CONFIG SET maxmemory 1", "+OK"),
            ("SET k v", full),
            ("GET k", "$v"),
        ],
    );
    check(
        &mut client,
        &[("CONFIG SET maxmemory 0", "+OK"), ("SET k v", "+OK")],
    );
}

#[test]
fn logs_of_large_commands_are_as_long_as_configured() {
    let server = start("");
    let mut client = server.connect();
    for (log, long, longer_than) in [
        (
            "large-request",
            "commandlog-large-request-max-len",
            "commandlog-request-larger-than",
        ),
        (
            "large-reply",
            "commandlog-large-reply-max-len",
            "commandlog-reply-larger-than",
        ),
    ] {
        let set = format!("CONFIG SET {longer_than} 0 {long} 3");
        check(&mut client, &[(set.as_str(), "+OK")]);
        for _ in 0..5 {
            check(&mut client, &[("PING", "+PONG")]);
        }
        let len = format!("COMMANDLOG LEN {log}");
        check(&mut client, &[(len.as_str(), ":3")]);
        let set = format!("CONFIG SET {longer_than} -1 {long} 1");
        check(&mut client, &[(set.as_str(), "+OK"), (len.as_str(), ":1")]);
    }
}

/// Who frees is the same whatever the switches say; what is counted is not.
#[test]
fn what_goes_lazily_is_counted() {
    let server = start("");
    let mut client = server.connect();
    let freed = |client: &mut Client| -> u64 {
        until("the free thread comes to its end", || {
            field(client, "memory", "lazyfree_pending_objects") == "0"
        });
        field(client, "memory", "lazyfreed_objects")
            .parse()
            .expect("a number")
    };
    let members: Vec<String> = (0..200).map(|i| format!("member:{i}")).collect();
    let fill = format!("SADD big {}", members.join(" "));
    let ways: [(&str, &[&str]); 5] = [
        ("lazyfree-lazy-user-del", &["DEL big"]),
        ("lazyfree-lazy-server-del", &["SET big v", "DEL big"]),
        ("lazyfree-lazy-expire", &["PEXPIRE big 1", "TYPE big"]),
        ("lazyfree-lazy-user-flush", &["FLUSHALL"]),
        (
            "lazyfree-lazy-eviction",
            &[
                "CONFIG SET maxmemory-policy allkeys-random maxmemory 1",
                "PING",
                "CONFIG SET maxmemory 0",
            ],
        ),
    ];
    for (switch, commands) in ways {
        let mut counted = Vec::new();
        for on in ["no", "yes"] {
            check(&mut client, &[("CONFIG RESETSTAT", "+OK")]);
            check(
                &mut client,
                &[(format!("CONFIG SET {switch} {on}").as_str(), "+OK")],
            );
            assert_eq!(client.line(&fill), ":200", "{switch}");
            for command in commands {
                client.line(command);
                // A deadline of a millisecond has passed.
                std::thread::sleep(Duration::from_millis(3));
            }
            until("the key is gone", || client.line("EXISTS big") == ":0");
            counted.push(freed(&mut client));
        }
        check(
            &mut client,
            &[(format!("CONFIG SET {switch} no").as_str(), "+OK")],
        );
        assert_eq!(counted, [0, 1], "{switch}");
    }
}

/// A field of INFO.
fn field(client: &mut Client, section: &str, name: &str) -> String {
    let text = client.line(&format!("INFO {section}"));
    let at = text.find(&format!("{name}:")).expect("the field is there") + name.len() + 1;
    text[at..].split('\r').next().expect("a value").to_owned()
}

#[test]
fn the_frequency_of_use_is_kept_under_an_lfu_policy() {
    let server = start("");
    let mut client = server.connect();
    check(&mut client, &[("SET k v", "+OK")]);
    assert!(
        client
            .line("OBJECT FREQ k")
            .starts_with("-ERR An LFU maxmemory policy is not selected")
    );
    check(
        &mut client,
        &[
            (
                "CONFIG SET maxmemory-policy allkeys-lfu lfu-log-factor 0",
                "+OK",
            ),
            ("SET k v", "+OK"),
        ],
    );
    for _ in 0..50 {
        check(&mut client, &[("GET k", "$v")]);
    }
    // Without a logarithm every use counts; with a steep one hardly any does.
    let all: u32 = client.line("OBJECT FREQ k")[1..].parse().expect("a number");
    assert!(all >= 50, "{all}");
    check(
        &mut client,
        &[
            ("CONFIG SET lfu-log-factor 100000", "+OK"),
            ("SET k2 v", "+OK"),
        ],
    );
    for _ in 0..50 {
        check(&mut client, &[("GET k2", "$v")]);
    }
    let few: u32 = client.line("OBJECT FREQ k2")[1..]
        .parse()
        .expect("a number");
    assert!(few < 20, "{few}");
}

#[test]
fn dumps_are_compressed_where_that_is_wanted() {
    let server = start("");
    let mut client = server.connect();
    check(&mut client, &[("SETRANGE k 1000 x", ":1001")]);
    let short = client.line("DUMP k").len();
    check(&mut client, &[("CONFIG SET rdbcompression no", "+OK")]);
    let long = client.line("DUMP k").len();
    assert!(short < 200 && long > 1000, "{short} {long}");
}

#[test]
fn small_hashes_have_limits() {
    let server = start("");
    let mut client = server.connect();
    check(
        &mut client,
        &[
            ("CONFIG SET hash-max-listpack-entries 1", "+OK"),
            ("HSET one f v", ":1"),
            ("OBJECT ENCODING one", "$listpack"),
            ("HSET one g v", ":1"),
            ("OBJECT ENCODING one", "$hashtable"),
            ("CONFIG SET hash-max-listpack-value 3", "+OK"),
            ("HSET short f 123", ":1"),
            ("OBJECT ENCODING short", "$listpack"),
            ("HSET short f 1234", ":0"),
            ("OBJECT ENCODING short", "$hashtable"),
        ],
    );
}

#[test]
fn nodes_of_streams_have_limits() {
    let server = start("");
    let mut client = server.connect();
    let nodes = |client: &mut common::Client, key: &str| {
        let info = client.line(&format!("XINFO STREAM {key}"));
        let keys = info.split("radix-tree-keys :").nth(1).expect("it is told");
        keys.split(' ').next().expect("a number").to_owned()
    };
    check(
        &mut client,
        &[("CONFIG SET stream-node-max-entries 2", "+OK")],
    );
    for at in 1..=5 {
        client.line(&format!("XADD few {at}-1 f v"));
    }
    assert_eq!(nodes(&mut client, "few"), "3");
    check(
        &mut client,
        &[(
            "CONFIG SET stream-node-max-entries 100 stream-node-max-bytes 40",
            "+OK",
        )],
    );
    for at in 1..=3 {
        client.line(&format!("XADD small {at}-1 field 0123456789012345678"));
    }
    assert_eq!(nodes(&mut client, "small"), "3");
}

#[test]
fn streams_remember_their_producers_as_told() {
    let server = start("");
    let mut client = server.connect();
    check(
        &mut client,
        &[(
            "CONFIG SET stream-idmp-duration 1 stream-idmp-maxsize 2",
            "+OK",
        )],
    );
    for own_id in ["a", "b", "c"] {
        client.line(&format!("XADD s IDMP p {own_id} * f v"));
    }
    let info = client.line("XINFO STREAM s");
    let told = "$idmp-duration :1 $idmp-maxsize :2 $pids-tracked :1 $iids-tracked :2";
    assert!(info.contains(told), "{info}");
    client.line("XADD s IDMP p c * f v");
    assert_eq!(client.line("XLEN s"), ":3");
    common::until("a second is over", || {
        client.line("XADD s IDMP p c * f v");
        client.line("XLEN s") == ":4"
    });
}

#[test]
fn small_sets_have_limits() {
    let server = start("");
    let mut client = server.connect();
    check(
        &mut client,
        &[
            ("CONFIG SET set-max-intset-entries 2", "+OK"),
            ("SADD ints 1 2", ":2"),
            ("OBJECT ENCODING ints", "$intset"),
            // Numbers that are too many go past the listpack.
            ("SADD ints 3", ":1"),
            ("OBJECT ENCODING ints", "$hashtable"),
            ("CONFIG SET set-max-listpack-entries 1", "+OK"),
            ("SADD words a", ":1"),
            ("OBJECT ENCODING words", "$listpack"),
            ("SADD words b", ":1"),
            ("OBJECT ENCODING words", "$hashtable"),
            ("CONFIG SET set-max-listpack-value 3", "+OK"),
            ("SADD short 12a", ":1"),
            ("OBJECT ENCODING short", "$listpack"),
            ("SADD long 123a", ":1"),
            ("OBJECT ENCODING long", "$hashtable"),
        ],
    );
}

#[test]
fn sparse_sketches_have_a_limit() {
    let server = start("");
    let mut client = server.connect();
    check(
        &mut client,
        &[
            // 16 bytes of head, then up to two for each run.
            ("CONFIG SET hll-sparse-max-bytes 20", "+OK"),
            ("PFADD h", ":1"),
            ("PFDEBUG ENCODING h", "+sparse"),
            ("PFADD h a", ":1"),
            ("PFDEBUG ENCODING h", "+dense"),
        ],
    );
}

#[test]
fn an_unknown_collation_is_refused() {
    let server = start("");
    let mut client = server.connect();
    let refused = client.line("CONFIG SET locale-collate xx_no_such");
    assert!(
        refused
            .starts_with("-ERR CONFIG SET failed (possibly related to argument 'locale-collate')"),
        "{refused}"
    );
    check(
        &mut client,
        &[
            ("CONFIG GET locale-collate", "[$locale-collate $]"),
            ("CONFIG SET locale-collate C", "+OK"),
        ],
    );
}

#[test]
fn the_server_moves_to_another_port_and_address() {
    let server = start("");
    let mut client = server.connect();
    let port = common::free_port();
    let at = |ip: [u8; 4]| SocketAddr::from((ip, port));
    check(
        &mut client,
        &[(
            &format!("CONFIG SET port {port} bind '127.0.0.1 127.0.0.2'"),
            "+OK",
        )],
    );
    until("the new addresses", || {
        [at([127, 0, 0, 1]), at([127, 0, 0, 2])]
            .iter()
            .all(|a| TcpStream::connect(a).is_ok())
    });
    until("the old one is closed", || {
        TcpStream::connect(server.address).is_err()
    });
    check(&mut client, &[("CONFIG SET bind 127.0.0.2", "+OK")]);
    until("one is closed", || {
        TcpStream::connect(at([127, 0, 0, 1])).is_err()
    });
    assert!(TcpStream::connect(at([127, 0, 0, 2])).is_ok());
    let held = std::net::TcpListener::bind("127.0.0.2:0").expect("a free port");
    let taken = held.local_addr().expect("it is bound").port();
    let refused = client.line(&format!("CONFIG SET port {taken}"));
    assert!(
        refused.contains("Unable to listen on this port. Check server logs."),
        "{refused}"
    );
    check(
        &mut client,
        &[("CONFIG GET port", &format!("[$port ${port}]"))],
    );
    drop(held);
}

#[test]
fn sorted_sets_turn_large_where_that_is_wanted() {
    let server = start("");
    let mut client = server.connect();
    check(
        &mut client,
        &[
            ("CONFIG SET zset-max-listpack-entries 2", "+OK"),
            ("CONFIG SET zset-max-listpack-value 3", "+OK"),
            ("ZADD few 1 abc 2 d", ":2"),
            ("OBJECT ENCODING few", "$listpack"),
            ("ZADD few 3 e", ":1"),
            ("OBJECT ENCODING few", "$skiplist"),
            ("ZREM few d e", ":2"),
            ("OBJECT ENCODING few", "$skiplist"),
            ("ZADD long 1 abcd", ":1"),
            ("OBJECT ENCODING long", "$skiplist"),
            ("ZUNIONSTORE few 1 few", ":1"),
            ("OBJECT ENCODING few", "$listpack"),
        ],
    );
}

#[test]
fn small_lists_turn_large_at_their_limit() {
    let server = start("");
    let mut client = server.connect();
    let long = format!("LPUSH long {}", "x".repeat(4_090));
    check(
        &mut client,
        &[
            ("CONFIG SET list-max-listpack-size 2", "+OK"),
            ("RPUSH few a b", ":2"),
            ("OBJECT ENCODING few", "$listpack"),
            ("RPUSH few c", ":3"),
            ("OBJECT ENCODING few", "$quicklist"),
            ("LTRIM few 0 0", "+OK"),
            ("OBJECT ENCODING few", "$listpack"),
            (&long, ":1"),
            ("OBJECT ENCODING long", "$listpack"),
            ("CONFIG SET list-max-listpack-size -1", "+OK"),
            ("RPUSH long a", ":2"),
            ("OBJECT ENCODING long", "$quicklist"),
        ],
    );
}
