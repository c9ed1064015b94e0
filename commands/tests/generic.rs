//! The generic and expire families on a real store: what a client cannot see yet, that is events,
//! dirty counts and the change log. Replies are the transcripts' business
//! (`tests/transcripts/generic`).

mod world;

use world::{BEGIN_MS, World};

/// Runs a line and compares reply, events, dirty count and log.
fn check(world: &mut World, line: &str, reply: &str, events: &[&str], dirty: u64, log: &[&str]) {
    let _ = (world.events(), world.logged());
    assert_eq!(world.say(line), reply, "{line}");
    assert_eq!(world.events(), events, "{line}");
    assert_eq!(world.dirty, dirty, "{line}");
    let mut logged = world.logged_lines();
    logged.retain(|line| !line.starts_with("SELECT"));
    assert_eq!(logged, log, "{line}");
}

fn world(lines: &[&str]) -> World {
    let mut world = World::new(1);
    for line in lines {
        let reply = world.say(line);
        assert!(!reply.starts_with('-'), "{line}: {reply}");
    }
    world
}

#[test]
fn removing() {
    let w = &mut world(&["MSET a 1 b 2 c 3", "SET short v PX 10"]);
    check(
        w,
        "DEL a x b",
        ":2",
        &["0 del a", "0 del b"],
        2,
        &["DEL a x b"],
    );
    check(w, "DEL a", ":0", &[], 0, &[]);
    check(w, "UNLINK c c", ":1", &["0 del c"], 1, &["UNLINK c c"]);
    w.now_ms += 11;
    check(
        w,
        "DEL short",
        ":0",
        &["0 expired short"],
        0,
        &["DEL short"],
    );
}

#[test]
fn renaming() {
    let w = &mut world(&["SET a 1", "SET b 2 EX 100"]);
    let events = ["0 new a", "0 rename_from b", "0 rename_to a"];
    check(w, "RENAME b a", "+OK", &events, 1, &["RENAME b a"]);
    check(w, "PTTL a", ":100000", &[], 0, &[]);
    check(w, "RENAME a a", "+OK", &[], 0, &[]);
    check(w, "RENAME x a", "-ERR no such key", &[], 0, &[]);
    let events = ["0 new c", "0 rename_from a", "0 rename_to c"];
    check(w, "RENAMENX a c", ":1", &events, 1, &["RENAMENX a c"]);
    check(
        w,
        "SET a 3",
        "+OK",
        &["0 new a", "0 set a"],
        1,
        &["SET a 3"],
    );
    check(w, "RENAMENX a c", ":0", &[], 0, &[]);
    w.now_ms += 100_001;
    let events = ["0 expired c", "0 new c", "0 rename_from a", "0 rename_to c"];
    check(
        w,
        "RENAMENX a c",
        ":1",
        &events,
        1,
        &["MULTI", "DEL c", "RENAMENX a c", "EXEC"],
    );
}

#[test]
fn copying_and_moving() {
    let w = &mut world(&["SET a 1 EX 100"]);
    check(
        w,
        "COPY a b",
        ":1",
        &["0 new b", "0 copy_to b"],
        1,
        &["COPY a b"],
    );
    check(w, "COPY a b", ":0", &[], 0, &[]);
    let events = ["0 new b", "0 copy_to b"];
    check(
        w,
        "COPY a b REPLACE",
        ":1",
        &events,
        1,
        &["COPY a b REPLACE"],
    );
    check(
        w,
        "COPY a a DB 2",
        ":1",
        &["2 new a", "2 copy_to a"],
        1,
        &["COPY a a DB 2"],
    );
    check(w, "COPY x y", ":0", &[], 0, &[]);
    let events = ["1 new a", "0 move_from a", "1 move_to a"];
    check(w, "MOVE a 1", ":1", &events, 1, &["MOVE a 1"]);
    check(
        w,
        "MOVE b 1",
        ":1",
        &["1 new b", "0 move_from b", "1 move_to b"],
        1,
        &["MOVE b 1"],
    );
    check(w, "MOVE b 1", ":0", &[], 0, &[]);
    assert_eq!(w.digest(w.now_ms).len(), 3);
    assert!(
        w.digest(w.now_ms)
            .iter()
            .all(|row| row.3 == Some(BEGIN_MS + 100_000))
    );
    assert_eq!(
        (w.store.keys(0), w.store.keys(1), w.store.keys(2)),
        (0, 2, 1)
    );
}

#[test]
fn expiring() {
    let at = |ms: i64| format!("PEXPIREAT a {}", BEGIN_MS + ms);
    let w = &mut world(&["SET a 1"]);
    check(w, "EXPIRE a 100", ":1", &["0 expire a"], 1, &[&at(100_000)]);
    check(w, "EXPIRE a 200 NX", ":0", &[], 0, &[]);
    check(w, "PEXPIRE a 200", ":1", &["0 expire a"], 1, &[&at(200)]);
    check(
        w,
        "EXPIREAT a 1700000100",
        ":1",
        &["0 expire a"],
        1,
        &[&at(100_000)],
    );
    check(
        w,
        "PEXPIREAT a 1700000000001 LT",
        ":1",
        &["0 expire a"],
        1,
        &[&at(1)],
    );
    check(w, "TTL a", ":0", &[], 0, &[]);
    check(w, "PTTL a", ":1", &[], 0, &[]);
    check(w, "EXPIRETIME a", ":1700000000", &[], 0, &[]);
    check(w, "PEXPIRETIME a", ":1700000000001", &[], 0, &[]);
    check(w, "PERSIST a", ":1", &["0 persist a"], 1, &["PERSIST a"]);
    check(w, "PERSIST a", ":0", &[], 0, &[]);
    check(w, "EXPIRE a 0", ":1", &["0 del a"], 1, &["DEL a"]);
    check(w, "EXPIRE a 10", ":0", &[], 0, &[]);
    w.say("SET a 1");
    w.settings.lazy_expire = true;
    check(
        w,
        "PEXPIREAT a 1700000000000",
        ":1",
        &["0 del a"],
        1,
        &["UNLINK a"],
    );
    w.say("SET a 1 PX 10");
    w.now_ms += 10;
    check(w, "PTTL a", ":0", &[], 0, &[]);
    w.now_ms += 1;
    check(w, "PTTL a", ":-2", &["0 expired a"], 0, &["DEL a"]);
}

#[test]
fn whole_databases() {
    let w = &mut world(&["MSET a 1 b 2", "SELECT 1", "SET c 3"]);
    check(w, "SWAPDB 0 1", "+OK", &[], 1, &["SWAPDB 0 1"]);
    check(w, "DBSIZE", ":2", &[], 0, &[]);
    check(w, "FLUSHDB", "+OK", &[], 2, &["FLUSHDB"]);
    check(w, "FLUSHDB ASYNC", "+OK", &[], 0, &["FLUSHDB ASYNC"]);
    check(w, "FLUSHALL sync", "+OK", &[], 1, &["FLUSHALL sync"]);
    assert!(w.digest(w.now_ms).is_empty());
}

/// A long value is dumped after unlocking: the payload is the same.
#[test]
fn dumping_what_is_long() {
    let w = &mut World::new(1);
    let value: Vec<u8> = (0..200_000_u32).map(|n| (n / 7) as u8).collect();
    w.call(&[b"SET", b"k".as_slice(), &value]);
    let dumped = w.call(&[b"DUMP".as_slice(), b"k"]);
    let mut payload = Vec::new();
    let mut compressor = rdb::Compressor::new();
    rdb::dump(
        store::ValueRef::String(store::Str::Bytes(&value)),
        Some(&mut compressor),
        &mut payload,
    );
    let head = format!("${}\r\n", payload.len());
    assert_eq!(dumped, [head.as_bytes(), &payload, b"\r\n"].concat());
}

#[test]
fn restoring() {
    let mut payload = Vec::new();
    rdb::dump(
        store::ValueRef::String(store::Str::Bytes(b"v")),
        None,
        &mut payload,
    );
    let payload = &payload[..];
    let w = &mut World::new(1);
    let restore = |w: &mut World, words: &[&[u8]], events: &[&str], dirty, log: &[&[&[u8]]]| {
        let _ = (w.events(), w.logged());
        assert_eq!(w.call(words), b"+OK\r\n");
        assert_eq!(
            (w.events(), w.dirty),
            (events.iter().map(ToString::to_string).collect(), dirty)
        );
        let mut logged = w.logged();
        logged.retain(|words| words[0] != b"SELECT");
        assert_eq!(logged, log, "{:?}", String::from_utf8_lossy(words[2]));
    };
    let new: &[&str] = &["0 new k", "0 restore k"];
    let plain: &[&[u8]] = &[b"RESTORE", b"k", b"0", payload];
    restore(w, plain, new, 1, &[plain]);
    let moment = b"1700000000100";
    let spoken: &[&[u8]] = &[b"RESTORE", b"k", b"100", payload, b"REPLACE"];
    let meant: &[&[u8]] = &[b"RESTORE", b"k", moment, payload, b"REPLACE", b"ABSTTL"];
    restore(w, spoken, new, 1, &[meant]);
    restore(w, meant, new, 1, &[meant]);
    assert_eq!(w.say("PTTL k"), ":100");
    let past: &[&[u8]] = &[b"RESTORE", b"k", b"1", payload, b"REPLACE", b"ABSTTL"];
    restore(w, past, &["0 del k"], 1, &[&[b"DEL", b"k"]]);
    restore(w, past, &[], 0, &[]);
}

/// A walk shows every key that was there all the time, whatever is done to others meanwhile.
#[test]
fn a_scan_misses_no_key_that_stays() {
    for count in [1, 3, 10, 1000] {
        let w = &mut World::new(count);
        for i in 0..500 {
            w.say(&format!("SET stay:{i} v"));
            w.say(&format!("SET go:{i} v PX 5"));
        }
        let mut seen = std::collections::BTreeSet::new();
        let (mut cursor, mut turns) = (String::from("0"), 0);
        loop {
            let reply = w.say(&format!(
                "SCAN {cursor} COUNT {count} MATCH stay:* TYPE string"
            ));
            let words: Vec<&str> = reply.split(' ').collect();
            cursor = words[2].to_owned();
            assert!(cursor.parse::<u64>().expect("a number") < 1 << 53);
            seen.extend(
                words
                    .iter()
                    .filter(|word| word.starts_with("stay:"))
                    .map(ToString::to_string),
            );
            if cursor == "0" {
                break;
            }
            turns += 1;
            w.now_ms += 1;
            w.say(&format!("SET come:{turns} v"));
            w.say(&format!("DEL go:{turns} come:{}", turns / 2));
        }
        assert_eq!(seen.len(), 500, "COUNT {count}");
    }
}

#[test]
fn walks_end_whatever_the_cursor_is() {
    let w = &mut world(&["MSET a 1 b 2"]);
    for cursor in [
        "18446744073709551615",
        "9007199254740991",
        "281474976710656",
    ] {
        assert_eq!(w.say(&format!("SCAN {cursor}")), "*2 $1 0 *0", "{cursor}");
    }
}

#[test]
fn a_random_key_is_found_among_expired_ones() {
    let w = &mut World::new(3);
    for i in 0..2000 {
        w.say(&format!("SET go:{i} v PX 5"));
    }
    w.say("SET stay v");
    w.now_ms += 6;
    assert_eq!(w.say("RANDOMKEY"), "$4 stay");
    w.say("DEL stay");
    assert_eq!(w.say("RANDOMKEY"), "$-1");
}
