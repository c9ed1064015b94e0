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
