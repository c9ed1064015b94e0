//! The append-only file, as clients see it. Files lie on a disk in memory, so that its power can go, it can
//! be full, and a second server finds what the first one left.

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use common::{Client, TestServer, config, field, on, until};
use os::disk::{Disk, Failure, Fault, Simulated};

const ALWAYS: &str = "appendonly yes\nappendfsync always\nsave ''\n";

/// What the disk holds when the process is killed now.
fn killed(disk: &Arc<Simulated>) -> Arc<Simulated> {
    disk.kill(disk.operations())
}

fn until_rewritten(client: &mut Client) {
    until("the rewrite ends", || {
        field(client, "aof_rewrite_in_progress") == "0"
            && field(client, "aof_rewrite_scheduled") == "0"
    });
}

fn rewrite(client: &mut Client) {
    let reply = client.line("BGREWRITEAOF");
    assert_eq!(reply, "+Background append only file rewriting started");
    until_rewritten(client);
}

fn names(disk: &Arc<Simulated>, folder: &str) -> Vec<String> {
    let names = Disk::Simulated(Arc::clone(disk)).list(Path::new(folder));
    let names = names.expect("the folder").into_iter();
    names.map(|name| name.display().to_string()).collect()
}

fn bytes(disk: &Arc<Simulated>, name: &str) -> Vec<u8> {
    let path: PathBuf = Path::new("appendonlydir").join(name);
    Disk::Simulated(Arc::clone(disk))
        .read(&path)
        .expect("there is a file")
}

fn text(disk: &Arc<Simulated>, name: &str) -> String {
    String::from_utf8_lossy(&bytes(disk, name)).into_owned()
}

/// Everything that has a form of its own in the log, in two databases.
fn fill(client: &mut Client) {
    for line in [
        "DEL stream",
        "SET string some-text",
        "INCRBYFLOAT float 1.5",
        "SETRANGE long 30000 x",
        "SET with-ttl v EX 1000",
        "EXPIRE string 500",
        "RPUSH list a 1 b",
        "SADD words a b c d e f g",
        "SPOP words 3",
        "HSET hash f v g 7",
        "HPEXPIRE hash 1000000 FIELDS 1 f",
        "ZADD sorted 1.5 a 2 b",
        "XADD stream * f v",
        "XGROUP CREATE stream group 0",
        "XREADGROUP GROUP group me COUNT 1 STREAMS stream >",
        "SELECT 9",
        "SET elsewhere v",
        "SELECT 0",
        "SET short v PX 1",
        "MULTI",
        "SET a 1",
        "SELECT 3",
        "SET b 2",
        "SELECT 0",
        "EXEC",
        "COPY list other DB 4",
        "SWAPDB 4 5",
    ] {
        let reply = client.line(line);
        assert!(!reply.starts_with('-'), "{line}: {reply}");
    }
}

fn digest(server: &TestServer) -> String {
    let mut client = server.connect();
    // What has expired by now is not part of it.
    client.line("GET short");
    client.line("DEBUG DIGEST")
}

/// `appendonly`, `aof-use-rdb-preamble`: whatever was acknowledged is there again, from a log, from a base of
/// either form with a log behind it.
#[test]
fn a_killed_server_comes_back_as_it_was() {
    for preamble in ["yes", "no"] {
        let disk = Simulated::new();
        let settings = format!("{ALWAYS}aof-use-rdb-preamble {preamble}\n");
        let server = on(&disk, &settings);
        let mut client = server.connect();
        fill(&mut client);
        std::thread::sleep(Duration::from_millis(3));
        let again = on(&killed(&disk), &settings);
        assert_eq!(digest(&again), digest(&server), "from the log");
        rewrite(&mut client);
        let base = match preamble {
            "yes" => "appendonly.aof.2.base.rdb",
            _ => "appendonly.aof.2.base.aof",
        };
        let first: &[u8] = if preamble == "yes" {
            b"REDIS"
        } else {
            b"*2\r\n"
        };
        assert!(bytes(&disk, base).starts_with(first));
        let again = on(&killed(&disk), &settings);
        assert_eq!(digest(&again), digest(&server), "from a base");
        fill(&mut client);
        std::thread::sleep(Duration::from_millis(3));
        let again = on(&killed(&disk), &settings);
        assert_eq!(digest(&again), digest(&server), "from both");
        let mut client = again.connect();
        let before = client.line("DEBUG DIGEST");
        assert_eq!(client.line("DEBUG LOADAOF"), "+OK");
        assert_eq!(client.line("DEBUG DIGEST"), before, "DEBUG LOADAOF");
        assert_eq!(client.line("DEBUG RELOAD"), "+OK");
        let third = on(&killed(&disk), &settings);
        assert_eq!(
            digest(&third),
            digest(&server),
            "DEBUG RELOAD is not logged"
        );
    }
}

/// Keys that a power cut now leaves, in any of so many ways.
fn survivors(disk: &Arc<Simulated>, settings: &str, seeds: u64) -> Vec<u64> {
    let now = disk.operations();
    let count = |seed| {
        let server = on(&disk.crash(now, seed), settings);
        let reply = server.connect().line("DBSIZE");
        reply[1..].parse().expect("a number")
    };
    (0..seeds).map(count).collect()
}

/// `appendfsync`: under `always` a reply is a promise, under `no` it is none; and it is changed while we run.
#[test]
fn the_policy_says_what_a_reply_promises() {
    let disk = Simulated::new();
    let server = on(&disk, ALWAYS);
    let mut client = server.connect();
    for n in 0..3 {
        assert_eq!(client.line(&format!("SET k{n} v")), "+OK");
    }
    assert_eq!(survivors(&disk, ALWAYS, 10), [3; 10]);
    assert_eq!(client.line("CONFIG SET appendfsync no"), "+OK");
    assert_eq!(client.line("SET k3 v"), "+OK");
    until("it is written", || {
        text(&disk, "appendonly.aof.1.incr.aof").contains("k3")
    });
    let left = survivors(&disk, ALWAYS, 20);
    assert!(
        left.contains(&3) && left.iter().all(|keys| *keys >= 3),
        "{left:?}"
    );
    assert_eq!(client.line("CONFIG SET appendfsync everysec"), "+OK");
    assert_eq!(client.line("WAITAOF 1 0 0"), "[:1 :0]");
    assert_eq!(survivors(&disk, ALWAYS, 10), [4; 10]);
}

/// A flush that takes its time holds the replies of who wrote and of who read what was written; not others'.
#[test]
fn who_has_seen_a_write_waits_for_it() {
    let disk = Simulated::new();
    let server = on(&disk, ALWAYS);
    let (mut writer, mut reader) = (server.connect(), server.connect());
    writer.line("SET k 0");
    // The disk is full: nothing can be written, so nothing can be promised.
    let now = disk.operations();
    disk.plan(&[Fault {
        from: now,
        to: u64::MAX,
        how: Failure::NoSpace,
    }]);
    writer.send("SET k 1\r\n");
    until("it is seen that writing fails", || {
        reader
            .line("PING")
            .starts_with("-MISCONF Errors writing to the AOF file: No space left on device")
    });
    reader.send("GET k\r\n");
    for client in [&mut writer, &mut reader] {
        let patience = Duration::from_millis(100);
        assert!(
            client.hears_nothing(patience),
            "nothing is known to be safe"
        );
    }
    let mut third = server.connect();
    assert_eq!(third.line("ECHO other"), "$other");
    assert!(third.line("SET other 1").starts_with("-MISCONF"));
    disk.plan(&[]);
    assert_eq!(
        (writer.reply(), reader.reply()),
        ("+OK".to_owned(), "$1".to_owned())
    );
    until("writes are let in again", || {
        third.line("SET other 1") == "+OK"
    });
    assert_eq!(survivors(&disk, ALWAYS, 5), [2; 5]);
}

/// `appendonly` while we run: on, off and on again.
#[test]
fn a_log_begins_and_ends_while_we_serve() {
    let disk = Simulated::new();
    let server = on(&disk, "save ''");
    let mut client = server.connect();
    client.line("SET before 1");
    assert!(
        client
            .line("WAITAOF 1 0 0")
            .starts_with("-ERR WAITAOF cannot be used")
    );
    assert_eq!(client.line("CONFIG SET appendonly yes"), "+OK");
    assert_eq!(field(&mut client, "aof_enabled"), "1");
    until_rewritten(&mut client);
    client.line("SET after 1");
    assert_eq!(client.line("WAITAOF 1 0 0"), "[:1 :0]");
    assert_eq!(survivors(&disk, ALWAYS, 5), [2; 5]);
    assert_eq!(client.line("CONFIG SET appendonly no"), "+OK");
    assert_eq!(field(&mut client, "aof_enabled"), "0");
    until("it has ended", || {
        !client.line("INFO persistence").contains("aof_current_size")
    });
    client.line("SET unlogged 1");
    assert_eq!(client.line("CONFIG SET appendonly yes"), "+OK");
    until_rewritten(&mut client);
    assert_eq!(client.line("WAITAOF 1 0 0"), "[:1 :0]");
    assert_eq!(survivors(&disk, ALWAYS, 5), [3; 5]);
    assert_eq!(names(&disk, "appendonlydir").len(), 3);
}

/// `appenddirname`, `appendfilename`, `aof-timestamp-enabled`, `aof-checksum`, `aof-disable-auto-gc`.
#[test]
fn files_are_as_the_configuration_wants_them() {
    let disk = Simulated::new();
    let settings = format!(
        "{ALWAYS}appenddirname folder\nappendfilename \"a b\"\naof-timestamp-enabled yes\n\
         aof-checksum no\naof-disable-auto-gc yes"
    );
    let server = on(&disk, &settings);
    let mut client = server.connect();
    client.line("SET k v");
    assert_eq!(
        names(&disk, "folder"),
        ["a b.1.base.rdb", "a b.1.incr.aof", "a b.manifest"]
    );
    let path = Path::new("folder/a b.1.incr.aof");
    let log = Disk::Simulated(disk.clone())
        .read(path)
        .expect("it is there");
    assert!(log.starts_with(b"#TS:1"), "{}", log.escape_ascii());
    client.line("CONFIG SET aof-use-rdb-preamble no");
    rewrite(&mut client);
    let base = Disk::Simulated(disk.clone()).read(Path::new("folder/a b.2.base.aof"));
    let base = base.expect("it is there");
    assert!(base.starts_with(b"#TS:1"), "{}", base.escape_ascii());
    assert_eq!(names(&disk, "folder").len(), 5, "what was replaced is kept");
    let again = on(&killed(&disk), &settings);
    assert_eq!(again.connect().line("GET k"), "$v");
    drop(again);
    client.line("CONFIG SET aof-disable-auto-gc no");
    rewrite(&mut client);
    assert_eq!(
        names(&disk, "folder").len(),
        3,
        "{:?}",
        names(&disk, "folder")
    );

    let disk = Simulated::new();
    let server = on(&disk, ALWAYS);
    server.connect().line("SET k v");
    assert!(text(&disk, "appendonly.aof.1.incr.aof").starts_with("#SEAL:"));
}

/// `auto-aof-rewrite-percentage`, `auto-aof-rewrite-min-size`, `aof-rewrite-incremental-fsync`.
#[test]
fn growth_begins_a_rewrite() {
    let disk = Simulated::new();
    let server = on(
        &disk,
        &format!("{ALWAYS}auto-aof-rewrite-min-size 100kb\nrdbcompression no\n"),
    );
    let mut client = server.connect();
    let large = "x".repeat(60_000);
    client.ask(&["SET", "k", &large]);
    assert_eq!(client.reply(), "+OK");
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(field(&mut client, "aof_rewrites"), "0", "too small");
    client.ask(&["SET", "l", &large]);
    assert_eq!(client.reply(), "+OK");
    until("it has grown", || field(&mut client, "aof_rewrites") == "1");
    until_rewritten(&mut client);
    client.line("CONFIG SET auto-aof-rewrite-percentage 0");
    client.line("SETRANGE m 20000000 x");
    client.line("SET n 1");
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(field(&mut client, "aof_rewrites"), "1", "not asked for");
    let flushes = |client: &mut Client| {
        let before = disk.operations();
        rewrite(client);
        let done = (before..disk.operations()).map(|n| disk.describe(n));
        done.filter(|what| what.to_lowercase().starts_with("flush"))
            .count()
    };
    let many = flushes(&mut client);
    client.line("CONFIG SET aof-rewrite-incremental-fsync no");
    assert!(many >= flushes(&mut client) + 4, "{many} flushes");
}

/// `no-appendfsync-on-rewrite`: while a job writes, a reply promises nothing.
#[test]
fn a_running_job_may_keep_the_disk_to_itself() {
    let disk = Simulated::new();
    let server = on(&disk, &format!("{ALWAYS}no-appendfsync-on-rewrite yes"));
    let mut client = server.connect();
    client.line("SET k v");
    client.line("CONFIG SET rdb-key-save-delay 100000000");
    assert_eq!(client.line("BGSAVE"), "+Background saving started");
    // The timers see it within a tenth of a second.
    std::thread::sleep(Duration::from_millis(400));
    let before = disk.operations();
    client.line("SET l v");
    let done: Vec<String> = (before..disk.operations())
        .map(|n| disk.describe(n))
        .collect();
    assert!(
        done.iter().all(|what| what.starts_with("write")),
        "{done:?}"
    );
    client.line("CONFIG SET no-appendfsync-on-rewrite no");
    until("it flushes again", || survivors(&disk, ALWAYS, 4) == [2; 4]);
    client.line("CONFIG SET rdb-key-save-delay 0");
    client.line("BGSAVE CANCEL");
}

/// `aof-load-truncated`: half a command at the end, of a file without seals; and damage, which is never cut off.
#[test]
fn a_torn_end_is_cut_off_and_damage_is_refused() {
    let disk = Simulated::new();
    let plain = format!("{ALWAYS}aof-checksum no\n");
    let server = on(&disk, &plain);
    server.connect().line("SET k v");
    drop(server);
    let path = Path::new("appendonlydir/appendonly.aof.1.incr.aof");
    let torn = killed(&disk);
    let append = |disk: &Arc<Simulated>, bytes: &[u8]| {
        let file = Disk::Simulated(disk.clone()).append(path);
        file.and_then(|mut file| file.write(bytes)).expect("room");
    };
    append(&torn, b"*3\r\n$3\r\nSET\r\n$1\r\nl");
    let load = |disk: &Arc<Simulated>, text: &str| {
        let start = server::Start {
            workers: 1,
            renames: Vec::new(),
            seed: 1,
            run_id: "0".repeat(40),
            port: 0,
        };
        let disk = Disk::Simulated(disk.clone());
        let server = server::Server::with_config_on(start, config(text), disk);
        let server = server.expect("nothing is renamed");
        server.close_for_loading();
        server.load().map(|_| server.store.keys(0))
    };
    let len = || {
        Disk::Simulated(torn.clone())
            .len(path)
            .expect("it is there")
    };
    let before = len();
    assert!(load(&torn, &format!("{plain}aof-load-truncated no")).is_err());
    assert_eq!(len(), before, "nothing is changed");
    assert_eq!(load(&torn, &plain), Ok(1));
    assert!(len() < before, "cut off");

    let damaged = killed(&disk);
    append(&damaged, b"!!!");
    assert!(load(&damaged, &plain).is_err());
    let nonsense = killed(&disk);
    append(&nonsense, b"*1\r\n$8\r\nNONSENSE\r\n");
    assert!(load(&nonsense, &plain).is_err());
}

/// A rewrite that fails leaves everything as it was, and the next one succeeds.
#[test]
fn a_failed_rewrite_changes_nothing() {
    let disk = Simulated::new();
    let server = on(&disk, ALWAYS);
    let mut client = server.connect();
    fill(&mut client);
    // The next incremental file and its manifest take some operations; the base comes behind.
    let now = disk.operations();
    disk.plan(&[Fault {
        from: now + 8,
        to: now + 12,
        how: Failure::NoSpace,
    }]);
    rewrite(&mut client);
    disk.plan(&[]);
    assert_eq!(field(&mut client, "aof_last_bgrewrite_status"), "err");
    std::thread::sleep(Duration::from_millis(3));
    let again = on(&killed(&disk), ALWAYS);
    assert_eq!(digest(&again), digest(&server));
    rewrite(&mut client);
    assert_eq!(field(&mut client, "aof_last_bgrewrite_status"), "ok");
    let again = on(&killed(&disk), ALWAYS);
    assert_eq!(digest(&again), digest(&server));
    assert_eq!(names(&disk, "appendonlydir").len(), 3);
}

/// An orderly stop flushes whatever the policy.
#[test]
fn an_orderly_stop_leaves_a_whole_log() {
    let disk = Simulated::new();
    let settings = "appendonly yes\nappendfsync no\nsave ''";
    let server = on(&disk, settings);
    let mut client = server.connect();
    for n in 0..100 {
        client.line(&format!("SET k{n} v"));
    }
    assert_eq!(server.stop(), 0);
    assert_eq!(survivors(&disk, settings, 5), [100; 5]);
}
