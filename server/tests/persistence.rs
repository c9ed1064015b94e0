//! Saves, loading and the way out, as clients see them. Files lie on a disk in memory, so that it can be
//! full, and so that a second server finds what the first one left.

mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{Client, TestServer, config, field, on, until};
use os::disk::{Disk, Failure, Fault, Simulated};
use server::shutdown::ShutdownOptions;

/// A delay that no test lives to see the end of.
const FOR_EVER: &str = "CONFIG SET rdb-key-save-delay 100000000";

fn number(client: &mut Client, name: &str) -> u64 {
    field(client, name).parse().expect("a number")
}

fn until_saved(client: &mut Client) {
    until("the save ends", || {
        field(client, "rdb_bgsave_in_progress") == "0"
    });
}

fn file(disk: &Arc<Simulated>) -> Vec<u8> {
    let disk = Disk::Simulated(Arc::clone(disk));
    disk.read(Path::new("dump.rdb")).expect("there is a file")
}

fn names(disk: &Arc<Simulated>) -> Vec<String> {
    let disk = Disk::Simulated(Arc::clone(disk));
    let names = disk.list(Path::new("")).expect("the folder");
    names
        .iter()
        .map(|name| name.display().to_string())
        .collect()
}

/// A key of every kind, in two databases.
fn fill(client: &mut Client) {
    for line in [
        "SET string some-text",
        "SET number 12345",
        "SETRANGE long 300000 x",
        "SET with-ttl v EX 1000",
        "RPUSH list a 1 b",
        "SADD numbers 1 2 3",
        "SADD words a b c",
        "HSET hash f v g 7",
        "HPEXPIRE hash 1000000 FIELDS 1 f",
        "ZADD sorted 1.5 a 2 b",
        "XADD stream 1-1 f v",
        "XGROUP CREATE stream group 0",
        "SELECT 9",
        "SET elsewhere v",
        "SELECT 0",
    ] {
        let reply = client.line(line);
        assert!(!reply.starts_with('-'), "{line}: {reply}");
    }
    for n in 0..3_000 {
        client.send(format!(
            "SET key:{n} value:{n}\r\nRPUSH many {n}\r\nHSET wide {n} {n}\r\n"
        ));
    }
    for _ in 0..9_000 {
        client.reply();
    }
}

#[test]
fn what_is_saved_comes_back() {
    let disk = Simulated::new();
    let server = on(&disk, "");
    let mut client = server.connect();
    fill(&mut client);
    let digest = client.line("DEBUG DIGEST");
    let size = client.line("DBSIZE");
    assert!(number(&mut client, "rdb_changes_since_last_save") > 9_000);
    assert_eq!(client.line("SAVE"), "+OK");
    assert_eq!(number(&mut client, "rdb_changes_since_last_save"), 0);
    assert_eq!(names(&disk), ["dump.rdb"]);
    assert_eq!(client.line("DEBUG RELOAD"), "+OK");
    assert_eq!(client.line("DEBUG DIGEST"), digest);
    drop(server);

    let server = on(&disk, "");
    let mut client = server.connect();
    assert_eq!(client.line("DEBUG DIGEST"), digest);
    assert_eq!(client.line("DBSIZE"), size);
    assert_eq!(number(&mut client, "loading"), 0);
    assert_eq!(number(&mut client, "rdb_last_load_keys_expired"), 0);
    let keys = number(&mut client, "rdb_last_load_keys_loaded");
    assert_eq!(format!(":{}", keys - 1), size, "one is in another database");
}

/// `rdb-key-save-delay` holds a save up; what is written after the answer is not in the file.
#[test]
fn a_background_save_is_a_point_in_time() {
    let disk = Simulated::new();
    let server = on(&disk, "save ''");
    let (mut client, mut other) = (server.connect(), server.connect());
    for n in 0..200 {
        client.line(&format!("SET k{n} old"));
    }
    client.line("CONFIG SET rdb-key-save-delay 1000");
    assert_eq!(client.line("BGSAVE"), "+Background saving started");
    for n in 0..200 {
        assert_eq!(other.line(&format!("SET k{n} new")), "+OK");
    }
    assert_eq!(field(&mut client, "rdb_bgsave_in_progress"), "1");
    assert_eq!(
        client.line("BGSAVE"),
        "-ERR Background save already in progress"
    );
    assert_eq!(number(&mut client, "current_save_keys_total"), 200);
    until_saved(&mut client);
    assert_eq!(number(&mut client, "rdb_changes_since_last_save"), 200);
    assert_eq!(number(&mut client, "rdb_saves"), 1);
    assert_eq!(number(&mut client, "total_forks"), 1);
    assert!(number(&mut client, "rdb_last_cow_size") > 0);
    assert_eq!(client.line("CONFIG SET rdb-key-save-delay 0"), "+OK");
    drop(server);

    let server = on(&disk, "save ''");
    let mut client = server.connect();
    for n in 0..200 {
        assert_eq!(client.line(&format!("GET k{n}")), "$old");
    }
}

/// D6: money moves between accounts while saves run; every file has all of it.
#[test]
fn no_save_sees_half_of_a_transaction() {
    const ACCOUNTS: u64 = 500;
    const TOTAL: i64 = ACCOUNTS as i64 * 100;
    let disk = Simulated::new();
    let server = on(&disk, "save ''");
    let mut client = server.connect();
    for account in 0..ACCOUNTS {
        client.line(&format!("SET account:{account} 100"));
    }
    let stop = std::sync::atomic::AtomicBool::new(false);
    let mut files = Vec::new();
    std::thread::scope(|scope| {
        for mover in 0..3 {
            let (mut client, stop) = (server.connect(), &stop);
            scope.spawn(move || {
                let mut seed = mover + 1;
                let mut next = || {
                    // A generator of full period, good enough to choose accounts.
                    seed = (seed * 6_364_136_223_846_793_005_u64.wrapping_rem(1 << 31) + 1)
                        % (1 << 31);
                    seed % ACCOUNTS
                };
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    let (from, to) = (next(), next());
                    client.send(format!(
                        "MULTI\r\nDECRBY account:{from} 7\r\nINCRBY account:{to} 7\r\nEXEC\r\n"
                    ));
                    for _ in 0..4 {
                        client.reply();
                    }
                }
            });
        }
        for _ in 0..20 {
            assert_eq!(client.line("BGSAVE"), "+Background saving started");
            until_saved(&mut client);
            files.push(file(&disk));
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    drop(server);
    let mut seen = std::collections::BTreeSet::new();
    for bytes in files {
        let disk = Simulated::new();
        let written = Disk::Simulated(Arc::clone(&disk)).create(Path::new("dump.rdb"));
        written
            .and_then(|mut file| file.write(&bytes))
            .expect("a disk without faults");
        let server = on(&disk, "save ''");
        let mut client = server.connect();
        let mut sum = 0;
        for account in 0..ACCOUNTS {
            let balance = client.line(&format!("GET account:{account}"));
            sum += balance[1..].parse::<i64>().expect("a number");
        }
        assert_eq!(sum, TOTAL);
        seen.insert(client.line("DEBUG DIGEST"));
    }
    assert!(seen.len() > 5, "money moved between the saves");
}

/// Only who asked waits for SAVE.
#[test]
fn others_are_served_while_one_saves() {
    let server = on(&Simulated::new(), "save ''");
    let (mut saver, mut other) = (server.connect(), server.connect());
    saver.line("SET k v");
    saver.line("CONFIG SET rdb-key-save-delay 1000000");
    let began = Instant::now();
    saver.send("SAVE\r\nECHO after\r\n");
    until("it saves", || {
        field(&mut other, "rdb_bgsave_in_progress") == "1"
    });
    assert_eq!(other.line("SET k w"), "+OK");
    assert_eq!(
        field(&mut other, "rdb_bgsave_in_progress"),
        "1",
        "it was held up"
    );
    assert_eq!(
        (saver.reply(), saver.reply()),
        ("+OK".into(), "$after".into())
    );
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert_eq!(number(&mut other, "rdb_changes_since_last_save"), 1);
}

/// `save`: as many changes in so many seconds; and what BGSAVE CANCEL leaves.
#[test]
fn save_points_and_cancelling() {
    let disk = Simulated::new();
    let server = on(&disk, "save 1 3");
    let mut client = server.connect();
    client.line("SET a 1");
    client.line("SET b 1");
    std::thread::sleep(Duration::from_millis(1_300));
    assert_eq!(
        number(&mut client, "rdb_saves"),
        0,
        "two changes are not three"
    );
    client.line("SET c 1");
    until("the point is met", || number(&mut client, "rdb_saves") == 1);
    assert_eq!(number(&mut client, "rdb_changes_since_last_save"), 0);

    let before = file(&disk);
    client.line(FOR_EVER);
    assert_eq!(client.line("BGSAVE"), "+Background saving started");
    until("it is begun", || names(&disk).len() == 2);
    assert_eq!(client.line("BGSAVE CANCEL"), "+Background saving cancelled");
    until_saved(&mut client);
    assert_eq!(names(&disk), ["dump.rdb"]);
    assert_eq!(file(&disk), before);
    assert_eq!(field(&mut client, "rdb_last_bgsave_status"), "ok");
    client.line("CONFIG SET rdb-key-save-delay 0");
}

/// A failed save leaves the old file, stops writes as long as the configuration wants that, and the next
/// success lets them go on.
#[test]
fn a_failed_save_stops_writes() {
    let disk = Simulated::new();
    let server = on(&disk, "save 3600 1");
    let mut client = server.connect();
    client.line("SET k v");
    assert_eq!(client.line("SAVE"), "+OK");
    let before = file(&disk);
    disk.plan(&[Fault {
        from: 0,
        to: u64::MAX,
        how: Failure::NoSpace,
    }]);
    assert_eq!(client.line("SAVE"), "-ERR");
    assert_eq!(client.line("SET k w"), "+OK", "SAVE's caller has been told");
    assert_eq!(client.line("BGSAVE"), "+Background saving started");
    until_saved(&mut client);
    assert_eq!(field(&mut client, "rdb_last_bgsave_status"), "err");
    assert_eq!(
        (file(&disk), names(&disk)),
        (before, vec!["dump.rdb".into()])
    );

    let refused = |reply: String| reply.starts_with("-MISCONF Redis is configured to save RDB");
    assert!(refused(client.line("SET k x")));
    assert!(refused(client.line("PING")));
    assert_eq!(client.line("GET k"), "$w");
    assert_eq!(client.line("MULTI"), "+OK");
    assert!(refused(client.line("SET k x")));
    assert!(client.line("EXEC").starts_with("-EXECABORT"));
    for (parameter, off, on) in [
        ("stop-writes-on-bgsave-error", "no", "yes"),
        ("save", "\"\"", "\"3600 1\""),
    ] {
        assert_eq!(client.line(&format!("CONFIG SET {parameter} {off}")), "+OK");
        assert_eq!(client.line("SET k x"), "+OK");
        assert_eq!(client.line("PING"), "+PONG");
        assert_eq!(client.line(&format!("CONFIG SET {parameter} {on}")), "+OK");
        assert!(refused(client.line("SET k y")));
    }
    disk.plan(&[]);
    assert_eq!(client.line("BGSAVE"), "+Background saving started");
    until_saved(&mut client);
    assert_eq!(client.line("SET k y"), "+OK");
}

/// FLUSHALL: a save of what was there is cancelled, and with save points the file is empty when it
/// answers.
#[test]
fn flushall_empties_the_file() {
    let disk = Simulated::new();
    let server = on(&disk, "save 3600 1");
    let mut client = server.connect();
    client.line("SET k v");
    assert_eq!(client.line("SAVE"), "+OK");
    let full = file(&disk).len();
    client.line("SET k w");
    assert_eq!(client.line("FLUSHALL"), "+OK");
    assert_eq!(number(&mut client, "rdb_changes_since_last_save"), 0);
    assert!(file(&disk).len() < full);

    client.line("CONFIG SET save \"\"");
    client.line(FOR_EVER);
    client.line("SET k v");
    assert_eq!(client.line("BGSAVE"), "+Background saving started");
    assert_eq!(client.line("FLUSHALL"), "+OK");
    until_saved(&mut client);
    assert_eq!(number(&mut client, "rdb_changes_since_last_save"), 2);
    client.line("CONFIG SET rdb-key-save-delay 0");

    client.line("CONFIG SET save \"3600 1\"");
    for line in ["MULTI", "SET k v", "FLUSHALL"] {
        client.line(line);
    }
    assert_eq!(client.line("EXEC"), "[+OK +OK]");
    until("the timers save", || {
        number(&mut client, "rdb_changes_since_last_save") == 0
    });
}

fn stop(server: TestServer, save: Option<bool>) {
    server.server.stop.request(ShutdownOptions {
        save,
        ..Default::default()
    });
    assert_eq!(server.stop(), 0);
}

/// SHUTDOWN's words and the save points decide; nothing else does.
#[test]
fn the_last_save() {
    for (points, save, saves) in [
        ("save 3600 1", None, true),
        ("save ''", None, false),
        ("save ''", Some(true), true),
        ("save 3600 1", Some(false), false),
    ] {
        let disk = Simulated::new();
        let server = on(&disk, points);
        server.connect().line("SET k v");
        stop(server, save);
        assert_eq!(names(&disk).len(), usize::from(saves), "{points} {save:?}");
    }
}

/// A save that fails takes the way out back; who wants no save goes.
#[test]
fn a_failed_last_save_takes_the_end_back() {
    let disk = Simulated::new();
    let server = on(&disk, "save 3600 1");
    let (mut client, mut other) = (server.connect(), server.connect());
    client.line("SET k v");
    disk.plan(&[Fault {
        from: 0,
        to: u64::MAX,
        how: Failure::Eio,
    }]);
    assert_eq!(
        client.line("SHUTDOWN"),
        "-ERR Errors trying to SHUTDOWN. Check logs."
    );
    assert_eq!(other.line("SET k w"), "+OK", "the gate is open again");
    assert_eq!(
        client.line("SHUTDOWN SAVE"),
        "-ERR Errors trying to SHUTDOWN. Check logs."
    );
    client.send("SHUTDOWN SAVE FORCE\r\n");
    assert_eq!(client.try_reply(), None);
    assert_eq!(names(&disk).len(), 0);
    drop(server);
}

/// SHUTDOWN ABORT works while it saves; writers wait for that long, readers do not.
#[test]
fn the_end_can_be_aborted_while_it_saves() {
    let disk = Simulated::new();
    let server = on(&disk, "save 3600 1");
    let (mut client, mut other, mut writer) =
        (server.connect(), server.connect(), server.connect());
    client.line("SET k v");
    client.line(FOR_EVER);
    client.send("SHUTDOWN\r\n");
    until("it saves", || names(&disk).len() == 1);
    writer.send("SET k w\r\n");
    assert_eq!(other.line("GET k"), "$v");
    assert_eq!(other.line("SHUTDOWN ABORT"), "+OK");
    assert_eq!(
        client.reply(),
        "-ERR Errors trying to SHUTDOWN. Check logs."
    );
    assert_eq!(writer.reply(), "+OK");
    until("it is cleared away", || names(&disk).is_empty());
    assert_eq!(
        other.line("SHUTDOWN ABORT"),
        "-ERR No shutdown in progress."
    );
    client.line("CONFIG SET rdb-key-save-delay 0");
}

/// `rdb-write-version`, `rdb-dialect`, `dbfilename`, `rdb-save-incremental-fsync`.
#[test]
fn files_are_as_the_configuration_wants_them() {
    let disk = Simulated::new();
    let server = on(&disk, "save ''\nenable-protected-configs yes");
    let mut client = server.connect();
    let head = |client: &mut Client| {
        assert_eq!(client.line("SAVE"), "+OK");
        String::from_utf8_lossy(&file(&disk)[..9]).into_owned()
    };
    client.line("SET k v");
    assert_eq!(head(&mut client), "REDIS0011");
    client.line("CONFIG SET rdb-write-version 10");
    assert_eq!(head(&mut client), "REDIS0010");
    client.line("HSET h f v");
    client.line("HPEXPIRE h 1000000 FIELDS 1 f");
    assert_eq!(head(&mut client), "REDIS0012");
    client.line("CONFIG SET rdb-dialect valkey");
    assert_eq!(head(&mut client), "VALKEY080");

    let flushes = |client: &mut Client| {
        let before = disk.operations();
        assert_eq!(client.line("SAVE"), "+OK");
        let done = (before..disk.operations()).map(|n| disk.describe(n));
        done.filter(|what| what.to_lowercase().starts_with("flush"))
            .count()
    };
    client.line("CONFIG SET rdbcompression no");
    client.line("SETRANGE large 20000000 x");
    let many = flushes(&mut client);
    client.line("CONFIG SET rdb-save-incremental-fsync no");
    assert!(many >= flushes(&mut client) + 4, "{many} flushes");

    assert_eq!(client.line("CONFIG SET dbfilename other.rdb"), "+OK");
    assert_eq!(client.line("SAVE"), "+OK");
    assert_eq!(names(&disk), ["dump.rdb", "other.rdb"]);
}

#[test]
fn clients_may_not_move_the_file() {
    let server = TestServer::from_text("save ''");
    let mut client = server.connect();
    for parameter in ["dbfilename", "dir"] {
        let reply = client.line(&format!("CONFIG SET {parameter} x"));
        assert!(reply.ends_with("can't set protected config"), "{reply}");
    }
}

/// A disk with a file of these bytes.
fn disk_with(bytes: &[u8]) -> Arc<Simulated> {
    let disk = Simulated::new();
    let created = Disk::Simulated(Arc::clone(&disk)).create(Path::new("dump.rdb"));
    created
        .and_then(|mut file| file.write(bytes))
        .expect("a disk without faults");
    disk
}

/// The bytes of a file with one key.
fn small_file() -> Vec<u8> {
    let disk = Simulated::new();
    let server = on(&disk, "save ''");
    let mut client = server.connect();
    client.line("SET k v");
    assert_eq!(client.line("SAVE"), "+OK");
    file(&disk)
}

/// A server that has not loaded yet.
fn unloaded(disk: &Arc<Simulated>, text: &str) -> Arc<server::Server> {
    let start = server::Start {
        workers: 1,
        renames: Vec::new(),
        seed: 1,
        run_id: "0".repeat(40),
        port: 0,
    };
    let disk = Disk::Simulated(Arc::clone(disk));
    let server = server::Server::with_config_on(start, config(text), disk);
    let server = server.expect("nothing is renamed");
    server.close_for_loading();
    server
}

/// `rdbchecksum`; and every other way in which a file can be broken is said with its place.
#[test]
fn a_broken_file_is_refused_and_says_where() {
    let good = small_file();
    let check = |bytes: &[u8], text: &str, expected: &str| {
        let server = unloaded(&disk_with(bytes), text);
        match server.load() {
            Ok(_) => assert_eq!(expected, "fine", "{text}"),
            Err(failure) => {
                let said = failure.to_string();
                assert!(said.starts_with("dump.rdb: "), "{said}");
                assert!(said.contains(expected), "{said}, not {expected}");
            }
        }
    };
    check(&good, "", "fine");
    let mut bad = good.clone();
    let last = bad.len() - 1;
    bad[last] ^= 1;
    check(&bad, "", "RDB CRC error");
    check(&bad, "rdbchecksum no", "fine");
    check(&good[..good.len() - 12], "", "offset");
    check(b"REDIS0999", "", "999");
    let newer = [b"REDIS0021", &good[9..]].concat();
    check(&newer, "rdbchecksum no", "version 21");
    check(&newer, "rdbchecksum no\nrdb-version-check relaxed", "fine");
    check(b"not a file at all", "", "Wrong signature");
    check(b"", "", "EOF");
    let mut twice = good[..good.len() - 9].to_vec();
    let entry = twice.len() - 5;
    twice.extend_from_within(entry..);
    twice.extend_from_slice(&[0xFF, 0, 0, 0, 0, 0, 0, 0, 0]);
    check(&twice, "", "duplicated key 'k' in DB 0");
    check(&good, "databases 1", "fine");
    let mut far = good;
    let select = far
        .windows(2)
        .position(|w| w == [0xFE, 0])
        .expect("its database");
    far[select + 1] = 5;
    check(&far, "databases 2\nrdbchecksum no", "more than 2 databases");
}

/// `key-load-delay` makes a loading long: clients hear -LOADING, INFO says how far it is, and the end can
/// be asked for.
#[test]
fn a_server_answers_while_it_loads() {
    let disk = Simulated::new();
    let server = on(&disk, "save ''");
    let mut client = server.connect();
    client.line("DEBUG POPULATE 2000 key 2000");
    client.line("CONFIG SET rdbcompression no");
    assert_eq!(client.line("SAVE"), "+OK");
    drop(server);

    let server = TestServer::loading(
        config("key-load-delay 20000"),
        Disk::Simulated(disk.clone()),
    );
    let mut client = server.connect();
    for line in ["GET k", "SET k v", "DBSIZE", "SAVE", "BGSAVE"] {
        assert_eq!(
            client.line(line),
            "-LOADING Redis is loading the dataset in memory",
            "{line}"
        );
    }
    assert_eq!(field(&mut client, "loading"), "1");
    assert!(number(&mut client, "loading_total_bytes") > 4_000_000);
    assert!(number(&mut client, "loading_eta_seconds") < 1_000_000);
    assert!(client.line("CONFIG GET maxmemory").contains("maxmemory"));
    assert_eq!(
        client.line("CONFIG SET appendonly yes"),
        "-LOADING Redis is loading the dataset in memory"
    );
    assert_eq!(client.line("CONFIG SET key-load-delay 0"), "+OK");
    until("it is loaded", || client.line("DBSIZE") == ":2000");
    drop(server);
    let before = file(&disk);

    let server = TestServer::loading(
        config("key-load-delay 20000"),
        Disk::Simulated(disk.clone()),
    );
    let began = Instant::now();
    assert_eq!(server.stop(), 0);
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(file(&disk) == before, "half a data set is never saved");
}

/// What had expired is left out and counted; DEBUG RELOAD's words.
#[test]
fn what_has_expired_does_not_come_back() {
    let disk = Simulated::new();
    let server = on(&disk, "save ''");
    let mut client = server.connect();
    client.line("SET k v PX 100");
    client.line("SET l v");
    assert_eq!(client.line("SAVE"), "+OK");
    std::thread::sleep(Duration::from_millis(150));
    assert_eq!(client.line("DEBUG RELOAD NOSAVE"), "+OK");
    assert_eq!(number(&mut client, "rdb_last_load_keys_expired"), 1);
    assert_eq!(number(&mut client, "rdb_last_load_keys_loaded"), 1);
    client.line("SET l w");
    client.line("SET m w");
    assert_eq!(
        client.line("DEBUG RELOAD NOSAVE NOFLUSH"),
        "-ERR Error trying to load the RDB dump"
    );
    assert_eq!(client.line("DEBUG RELOAD NOSAVE NOFLUSH MERGE"), "+OK");
    assert_eq!(client.line("MGET l m"), "[$v $w]");
    assert_eq!(
        client.line("DEBUG RELOAD TWICE"),
        "-ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options."
    );
}

fn put(disk: &Arc<Simulated>, name: &str, bytes: &[u8]) {
    let disk = Disk::Simulated(Arc::clone(disk));
    let created = disk.create(Path::new(name));
    created
        .and_then(|mut file| file.write(bytes))
        .expect("a disk without faults");
}

/// A disk with an append-only file of these commands behind an RDB base.
fn logged(base: &[u8], lines: &[&str]) -> Arc<Simulated> {
    let disk = Simulated::new();
    let folder = Disk::Simulated(Arc::clone(&disk)).make_folder(Path::new("appendonlydir"));
    folder.expect("a disk without faults");
    let commands: Vec<u8> = lines
        .iter()
        .flat_map(|line| common::request(&line.split(' ').collect::<Vec<_>>()))
        .collect();
    put(&disk, "appendonlydir/appendonly.aof.1.base.rdb", base);
    put(&disk, "appendonlydir/appendonly.aof.1.incr.aof", &commands);
    let manifest = "file appendonly.aof.1.base.rdb seq 1 type b\n\
                    file appendonly.aof.1.incr.aof seq 1 type i\n";
    put(
        &disk,
        "appendonlydir/appendonly.aof.manifest",
        manifest.as_bytes(),
    );
    disk
}

/// The log says what happened when it happened: a deadline that is over by now was not over then.
#[test]
fn an_append_only_file_is_replayed() {
    let disk = logged(
        &small_file(),
        &[
            "SELECT 2",
            "SET counter 1 PXAT 1000",
            "INCR counter",
            "PERSIST counter",
            "SET gone v PXAT 1000",
            "HSET hash f v g w",
            "HPEXPIREAT hash 1000 FIELDS 1 f",
            "HPERSIST hash FIELDS 1 f",
            "RPUSH list a b c",
            "PEXPIREAT list 1000",
            "LPOP list",
            "PERSIST list",
            "XGROUP CREATE stream group 0 MKSTREAM",
            "XGROUP CREATECONSUMER stream group me",
            "MULTI",
            "SELECT 3",
            "SADD set a",
            "SREM set b",
            "EXEC",
            "SELECT 0",
            "SET k w",
        ],
    );
    let server = unloaded(&disk, "appendonly yes");
    assert_eq!(server.load(), Ok(true));
    let server = TestServer::loading(
        config("appendonly yes\nsave ''"),
        Disk::Simulated(Arc::clone(&disk)),
    );
    let mut client = server.connect();
    until("it is loaded", || field(&mut client, "loading") == "0");
    for value in ["$w", "$logged"] {
        assert_eq!(client.line("GET k"), value);
        client.line("SELECT 2");
        assert_eq!(client.line("GET counter"), "$2");
        assert_eq!(client.line("TTL counter"), ":-1");
        assert_eq!(client.line("EXISTS gone"), ":0");
        assert_eq!(client.line("HMGET hash f g"), "[$v $w]");
        assert_eq!(client.line("LRANGE list 0 -1"), "[$b $c]");
        let consumers = client.line("XINFO CONSUMERS stream group");
        assert!(consumers.contains("$me"), "{consumers}");
        client.line("SELECT 3");
        assert_eq!(client.line("SMEMBERS set"), "[$a]");
        client.line("SELECT 0");
        client.line("SET k logged");
        assert_eq!(client.line("DEBUG LOADAOF"), "+OK");
    }
}

#[test]
fn what_no_log_should_hold_is_refused() {
    let check = |base: &[u8], lines: &[&str], expected: &str| {
        let server = unloaded(&logged(base, lines), "appendonly yes");
        let why = server.load().expect_err("it cannot be loaded").to_string();
        assert!(why.contains(expected), "{why}, not {expected}");
    };
    let good = small_file();
    check(&good, &["NOTHING x"], "Unknown command 'NOTHING'");
    let mut bad = good.clone();
    let last = bad.len() - 1;
    bad[last] ^= 1;
    check(&bad, &["SET a 1"], "RDB CRC error");
}
