//! MULTI, EXEC, DISCARD, WATCH across connections and workers.

mod common;

use common::TestServer;
use server::Live;

fn check(client: &mut common::Client, lines: &[(&str, &str)]) {
    for (line, expected) in lines {
        assert_eq!(client.line(line), *expected, "{line}");
    }
}

#[test]
fn commands_are_queued_and_run_together() {
    let server = TestServer::start();
    let mut client = server.connect();
    check(
        &mut client,
        &[
            ("exec", "-ERR EXEC without MULTI"),
            ("discard", "-ERR DISCARD without MULTI"),
            ("multi", "+OK"),
            ("set a 1", "+QUEUED"),
            ("incr a", "+QUEUED"),
            ("ping", "+QUEUED"),
            ("select 1", "+QUEUED"),
            ("get a", "+QUEUED"),
            (
                "nosuch",
                "-ERR unknown command 'nosuch', with args beginning with: ",
            ),
            (
                "exec",
                "-EXECABORT Transaction discarded because of previous errors.",
            ),
            ("get a", "nil"),
            ("multi", "+OK"),
            ("set a 1", "+QUEUED"),
            ("incr a", "+QUEUED"),
            ("select 1", "+QUEUED"),
            ("get a", "+QUEUED"),
            ("set a other", "+QUEUED"),
            ("incr a", "+QUEUED"),
            ("ping", "+QUEUED"),
            (
                "exec",
                "[+OK :2 +OK nil +OK -ERR value is not an integer or out of range +PONG]",
            ),
            ("get a", "$other"),
            ("select 0", "+OK"),
            ("get a", "$2"),
            ("multi", "+OK"),
            ("multi", "-ERR MULTI calls can not be nested"),
            ("watch a", "-ERR WATCH inside MULTI is not allowed"),
            ("exec", "[]"),
            ("multi", "+OK"),
            ("set a 5", "+QUEUED"),
            ("discard", "+OK"),
            ("get a", "$2"),
            ("multi", "+OK"),
            ("set a", "-ERR wrong number of arguments for 'set' command"),
            ("set a 9", "+QUEUED"),
            (
                "exec",
                "-EXECABORT Transaction discarded because of previous errors.",
            ),
            ("multi", "+OK"),
            ("dbsize", "+QUEUED"),
            ("randomkey", "+QUEUED"),
            ("keys *", "+QUEUED"),
            ("flushall", "+QUEUED"),
            ("dbsize", "+QUEUED"),
            ("exec", "[:1 $a [$a] +OK :0]"),
        ],
    );
}

#[test]
fn watched_keys_decide() {
    let server = TestServer::with(2, Live::default());
    // Two connections, on different workers.
    let (mut one, mut other) = (server.connect(), server.connect());
    check(
        &mut one,
        &[
            ("set k 1", "+OK"),
            ("watch k x", "+OK"),
            ("multi", "+OK"),
            ("incr k", "+QUEUED"),
        ],
    );
    check(&mut other, &[("set y 1", "+OK")]);
    check(&mut one, &[("exec", "[:2]"), ("watch k x", "+OK")]);
    check(&mut other, &[("set x 1", "+OK")]);
    check(
        &mut one,
        &[
            ("multi", "+OK"),
            ("incr k", "+QUEUED"),
            ("exec", "nil"),
            ("get k", "$2"),
        ],
    );
    // What EXEC, DISCARD and UNWATCH have ended does not count any more.
    check(&mut one, &[("watch k", "+OK"), ("unwatch", "+OK")]);
    check(&mut other, &[("incr k", ":3")]);
    check(
        &mut one,
        &[("multi", "+OK"), ("get k", "+QUEUED"), ("exec", "[$3]")],
    );
    check(
        &mut one,
        &[("watch k", "+OK"), ("multi", "+OK"), ("discard", "+OK")],
    );
    check(&mut other, &[("incr k", ":4")]);
    check(
        &mut one,
        &[("multi", "+OK"), ("get k", "+QUEUED"), ("exec", "[$4]")],
    );
    // One's own change counts, the database counts, a key that expires counts.
    check(
        &mut one,
        &[
            ("watch k", "+OK"),
            ("incr k", ":5"),
            ("multi", "+OK"),
            ("exec", "nil"),
        ],
    );
    check(&mut one, &[("watch k", "+OK")]);
    check(
        &mut other,
        &[("select 1", "+OK"), ("set k 1", "+OK"), ("select 0", "+OK")],
    );
    check(&mut one, &[("multi", "+OK"), ("exec", "[]")]);
    check(&mut one, &[("watch k", "+OK")]);
    check(&mut other, &[("flushall", "+OK")]);
    check(&mut one, &[("multi", "+OK"), ("exec", "nil")]);
    assert_eq!(server.server.watching(), 0);
    check(&mut one, &[("watch k", "+OK"), ("watch k", "+OK")]);
    assert_eq!(server.server.watching(), 1);
    check(&mut one, &[("reset", "+RESET")]);
    assert_eq!(server.server.watching(), 0);
    check(&mut one, &[("watch k", "+OK")]);
    drop(one);
    common::until("a client that leaves watches nothing", || {
        server.server.watching() == 0
    });
}

#[test]
fn money_is_neither_made_nor_lost() {
    // Transfers between accounts on all workers: the sum that an EXEC sees is always the same.
    let server = TestServer::with(3, Live::default());
    const ACCOUNTS: usize = 8;
    let mut client = server.connect();
    for account in 0..ACCOUNTS {
        client.line(&format!("set account:{account} 100"));
    }
    std::thread::scope(|scope| {
        for giver in 0..4_usize {
            let mut client = server.connect();
            scope.spawn(move || {
                for round in 0..300_usize {
                    let (from, to) = (
                        (giver + round) % ACCOUNTS,
                        (giver * 3 + round * 5 + 1) % ACCOUNTS,
                    );
                    client.send(format!(
                        "multi\r\ndecrby account:{from} 7\r\nincrby account:{to} 7\r\nexec\r\n"
                    ));
                    let replies = [(); 4].map(|()| client.reply());
                    assert!(replies[3].starts_with('['), "{replies:?}");
                }
            });
        }
        let mut auditor = server.connect();
        scope.spawn(move || {
            let keys: Vec<_> = (0..ACCOUNTS).map(|n| format!("account:{n}")).collect();
            let mget = format!("mget {}", keys.join(" "));
            for _ in 0..300 {
                let reply = auditor.line(&mget);
                let sum: i64 = reply
                    .trim_matches(['[', ']'])
                    .split(' ')
                    .map(|amount| amount[1..].parse::<i64>().expect("an amount"))
                    .sum();
                assert_eq!(sum, 100 * ACCOUNTS as i64, "{reply}");
            }
        });
    });
}
