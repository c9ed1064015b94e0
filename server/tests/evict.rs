//! `maxmemory` and `maxmemory-clients` over TCP.

mod common;

use common::{Client, TestServer, until};

/// The limits are judged by what this counts.
#[global_allocator]
static ALLOCATOR: os::alloc::Counting = os::alloc::Counting;

/// A field of INFO.
fn field(client: &mut Client, section: &str, name: &str) -> u64 {
    let text = client.line(&format!("INFO {section}"));
    let at = text.find(&format!("{name}:")).expect("the field is there") + name.len() + 1;
    let value = text[at..].split('\r').next().expect("a value");
    value.parse().expect("a number")
}

/// However much is written, memory stays at the limit, and writes go on.
#[test]
fn memory_stays_at_the_limit() {
    let server = TestServer::with(2, server::Live::default());
    let mut client = server.connect();
    let limit = field(&mut client, "memory", "used_memory") + (4 << 20);
    let set = format!("CONFIG SET maxmemory-policy allkeys-lru maxmemory {limit}");
    assert_eq!(client.line(&set), "+OK");
    for i in 0..12_000 {
        let line = format!("SETRANGE key:{i} 1000 x");
        assert_eq!(client.line(&line), ":1001");
    }
    assert!(field(&mut client, "stats", "evicted_keys") > 5_000);
    let used = field(&mut client, "memory", "used_memory");
    assert!(used < limit + (64 << 10), "{used} of {limit}");
    let mut other = server.connect();
    assert_eq!(other.line("SET k v"), "+OK");
}

/// The largest client goes, one that may not be evicted stays.
#[test]
fn the_largest_client_is_evicted() {
    let server = TestServer::start();
    let mut small = server.connect();
    let mut safe = server.connect();
    let mut large = server.connect();
    assert_eq!(small.line("CONFIG SET maxmemory-clients 1mb"), "+OK");
    assert_eq!(safe.line("CLIENT NO-EVICT ON"), "+OK");
    let queue = |client: &mut Client, bytes: usize| {
        assert_eq!(client.line("MULTI"), "+OK");
        let word = "x".repeat(bytes);
        client.ask(&["SET", "k", &word]);
    };
    queue(&mut safe, 600_000);
    assert_eq!(safe.reply(), "+QUEUED");
    assert_eq!(field(&mut small, "stats", "evicted_clients"), 0);
    queue(&mut large, 500_000);
    until("the largest that may go has gone", || {
        field(&mut small, "stats", "evicted_clients") == 1
    });
    assert_eq!(safe.line("EXEC"), "[+OK]");
    // A share of a limit that is not set is none.
    assert_eq!(small.line("CONFIG SET maxmemory-clients 1%"), "+OK");
    assert_eq!(small.line("PING"), "+PONG");
    assert_eq!(field(&mut small, "stats", "evicted_clients"), 1);
}

/// A cut of the server's data, as a saver takes it.
fn cut(server: &TestServer) -> store::Cut {
    let mut scratch = store::Scratch::new();
    let turn = store::Turn::new(0, 0, 1, &mut scratch);
    let mut unit = server
        .server
        .store
        .begin(store::Plan::Wide, turn)
        .expect("nobody else works");
    let cut = unit.cut().expect("all is held");
    unit.finish();
    cut
}

fn overwrite(client: &mut Client, keys: std::ops::Range<u32>) {
    for i in keys {
        let line = format!("SETRANGE key:{i} 1000 x");
        assert_eq!(client.line(&line), ":1001");
    }
}

/// Every key is written beside a snapshot: memory doubles, and nothing is evicted for it.
#[test]
fn what_a_snapshot_holds_evicts_nothing() {
    let server = TestServer::start();
    let mut client = server.connect();
    overwrite(&mut client, 0..5_000);
    let used = field(&mut client, "memory", "used_memory");
    let limit = used + (1 << 20);
    let set = format!("CONFIG SET maxmemory-policy allkeys-lru maxmemory {limit}");
    assert_eq!(client.line(&set), "+OK");
    let cut = cut(&server);
    overwrite(&mut client, 0..5_000);
    let held = field(&mut client, "memory", "mem_snapshot");
    assert!(held > 5_000_000, "{held}");
    assert_eq!(
        field(&mut client, "memory", "mem_not_counted_for_evict"),
        held
    );
    assert!(field(&mut client, "memory", "used_memory") > limit + (3 << 20));
    assert_eq!(field(&mut client, "stats", "evicted_keys"), 0);
    // What comes anew does count.
    overwrite(&mut client, 5_000..8_000);
    assert!(field(&mut client, "stats", "evicted_keys") > 1_000);
    drop(cut);
    assert_eq!(field(&mut client, "memory", "mem_snapshot"), 0);
    let used = field(&mut client, "memory", "used_memory");
    assert!(used < limit + (64 << 10), "{used} of {limit}");
}

/// Past the bound a worker runs one write in a millisecond; reads go on.
#[test]
fn writers_are_slowed_past_the_bound() {
    let server = TestServer::start();
    let mut client = server.connect();
    // The timer would set the bound anew.
    let relaxed = std::sync::atomic::Ordering::Relaxed;
    server.server.cron_paused.store(true, relaxed);
    overwrite(&mut client, 0..2_000);
    let mut timed = |words: &str| {
        let began = std::time::Instant::now();
        for _ in 0..200 {
            let reply = client.line(words);
            assert!(!reply.starts_with('-'), "{reply}");
        }
        began.elapsed()
    };
    let millis = std::time::Duration::from_millis;
    let cut = cut(&server);
    server.server.store.set_snapshot_bound(100);
    timed("SET key:1 v");
    assert!(timed("SET key:2 v") > millis(150));
    let reads = timed("GET key:3");
    assert!(reads < millis(150), "{reads:?}");
    drop(cut);
    let after = timed("SET key:4 v");
    assert!(after < millis(150), "{after:?}");
}

/// Ten thousand keys that expire at one moment among many that do not: all are gone within two seconds,
/// though nobody looks at them.
#[test]
fn what_has_expired_is_gone_in_time() {
    let server = TestServer::with(4, server::Live::default());
    let mut client = server.connect();
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("it is past 1970")
        .as_millis() as u64;
    let due = now + 8_000;
    for first in (0..50_000).step_by(500) {
        let mut pipeline = String::new();
        for i in first..first + 500 {
            let deadline = if i % 5 == 0 {
                format!(" PXAT {due}")
            } else {
                String::new()
            };
            pipeline.push_str(&format!("SET key:{i} v{deadline}\r\n"));
        }
        client.send(pipeline);
        for _ in 0..500 {
            assert_eq!(client.reply(), "+OK");
        }
    }
    assert_eq!(client.line("DBSIZE"), ":50000", "written before their time");
    until("all have gone", || {
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .expect("it is past 1970");
        let left = client.line("DBSIZE");
        assert!(now.as_millis() as u64 <= due + 2_000, "{left} are left");
        left == ":40000"
    });
    assert_eq!(field(&mut client, "stats", "expired_keys"), 10_000);
}
