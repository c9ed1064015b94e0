//! Long work does not run under locks: what one worker's long command does to another's commands on the
//! same keys. (That its reply stands in its place is shown in `server/src/dispatch.rs`.)

mod common;

use std::io::ErrorKind;
use std::time::Instant;

use common::{Client, DEADLINE, TestServer};
use server::Live;

/// Runs `long` on one worker while another worker changes the key `a`; how many changes were answered
/// before the long command was.
fn changes_meanwhile(server: &TestServer, long: &str) -> usize {
    let mut slow: Client = server.connect();
    let mut quick: Client = server.connect();
    slow.send(format!("{long}\r\n"));
    slow.stream.set_nonblocking(true).expect("a TCP socket");
    let began = Instant::now();
    let mut changes = 0;
    loop {
        assert!(began.elapsed() < DEADLINE, "{long} does not end");
        match slow.stream.peek(&mut [0; 1]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Ok(1) => return changes,
            other => panic!("the connection broke: {other:?}"),
        }
        assert_eq!(quick.line("setrange a 0 y"), ":3000");
        changes += 1;
    }
}

#[test]
fn long_commands_do_not_hold_their_keys() {
    let server = TestServer::with(2, Live::default());
    let mut client = server.connect();
    for key in ["a", "b"] {
        let value = "xyzzy".repeat(600);
        client.ask(&["set", key, &value]);
        assert_eq!(client.reply(), "+OK");
    }
    // Longer than a hundred round trips by far. (Run under the locks, each lets 1 to 3 changes through.).
    for long in ["lcs a b len", "lcs a b idx"] {
        // On a busy machine the other worker may not get its turn every time.
        let overtaken = (0..10).any(|_| changes_meanwhile(&server, long) >= 20);
        assert!(overtaken, "{long}: the key is held");
    }
    // A value that is pinned is the one that the command saw.
    assert_eq!(client.line("lcs a b len"), ":2999");
    assert_eq!(client.line("getrange a 0 3"), "$yyzz");
}
