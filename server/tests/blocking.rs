//! Clients that wait for a key: who is served, in what order, what they are told, and that no element is
//! lost or given twice. With one worker and with several. What two connections can see of it is in
//! tests/transcripts/list/; the simulated world is in sim_blocking.rs.

mod common;

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use common::{Client, TestServer, until};
use server::Live;

/// Runs a test with one worker and with several.
fn with_workers(test: impl Fn(&TestServer)) {
    for workers in [1, 2, 4] {
        test(&TestServer::with(workers, Live::default()));
    }
}

/// Waits until so many clients are blocked.
fn until_blocked(server: &TestServer, count: u32) {
    until(&format!("{count} clients are blocked"), || {
        server.server.blocked_clients.load(Ordering::Relaxed) == count
    });
}

/// A client that has been blocked by `line`, the `count`th one.
fn blocked(server: &TestServer, line: &str, count: u32) -> Client {
    let mut client = server.connect();
    client.send(format!("{line}\r\n"));
    until_blocked(server, count);
    client
}

fn id(client: &mut Client) -> String {
    client.line("CLIENT ID").trim_start_matches(':').to_owned()
}

#[test]
fn first_come_first_served_in_the_pushers_turn() {
    with_workers(|server| {
        let mut waiting: Vec<Client> = (1..=5).map(|n| blocked(server, "BLPOP k 0", n)).collect();
        let mut pusher = server.connect();
        // One pipeline: the push is counted whole, and nothing is left behind it.
        pusher.send("RPUSH k a b c\r\nLLEN k\r\nEXISTS k\r\nRPUSH k d e f\r\nLRANGE k 0 -1\r\n");
        for expected in [":3", ":0", ":0", ":3", "[$f]"] {
            assert_eq!(pusher.reply(), expected);
        }
        for (client, value) in waiting.iter_mut().zip(["a", "b", "c", "d", "e"]) {
            assert_eq!(client.reply(), format!("[$k ${value}]"));
        }
        until_blocked(server, 0);
    });
}

#[test]
fn one_who_waits_for_several_keys_is_served_once() {
    with_workers(|server| {
        let mut first = blocked(server, "BLPOP a b c a 0", 1);
        let mut second = blocked(server, "BRPOP c b a 0", 2);
        let mut pusher = server.connect();
        pusher.send("MULTI\r\nRPUSH c 1 2\r\nRPUSH a 3 4\r\nRPUSH b 5\r\nEXEC\r\n");
        for expected in ["+OK", "+QUEUED", "+QUEUED", "+QUEUED", "[:2 :2 :1]"] {
            assert_eq!(pusher.reply(), expected);
        }
        // After EXEC: the key that became ready first is served first, but the command runs whole.
        assert_eq!(first.reply(), "[$a $3]");
        assert_eq!(second.reply(), "[$c $2]");
        pusher.send("LRANGE a 0 -1\r\nLRANGE b 0 -1\r\nLRANGE c 0 -1\r\n");
        let left = [pusher.reply(), pusher.reply(), pusher.reply()];
        assert_eq!(left, ["[$4]", "[$5]", "[$1]"]);
        assert_eq!(first.line("PING"), "+PONG");
    });
}

#[test]
fn time_is_over_and_the_client_goes_on() {
    with_workers(|server| {
        let began = Instant::now();
        let mut client = server.connect();
        client.send("BLPOP k 0.1\r\nPING\r\nBLMOVE k l LEFT LEFT 0.05\r\nPING\r\n");
        for expected in ["nil", "+PONG", "nil", "+PONG"] {
            assert_eq!(client.reply(), expected);
        }
        assert!(began.elapsed() >= Duration::from_millis(150));
        // Those who give up first came last.
        let mut patient = blocked(server, "BLPOP k 30", 1);
        let mut hasty = blocked(server, "BLPOP k 0.05", 2);
        assert_eq!(hasty.reply(), "nil");
        until_blocked(server, 1);
        assert_eq!(client.line("RPUSH k 1 2"), ":2");
        assert_eq!(patient.reply(), "[$k $1]");
        assert_eq!(client.line("LRANGE k 0 -1"), "[$2]");
    });
}

/// XREADGROUP CLAIM: nobody does anything, and the wait ends all the same; one of several who wait gets it.
#[test]
fn a_delivery_that_is_kept_too_long_ends_one_wait() {
    with_workers(|server| {
        let mut client = server.connect();
        for line in ["XADD s 1-1 f v", "XGROUP CREATE s g 0"] {
            assert!(!client.line(line).starts_with('-'), "{line}");
        }
        let got = client.line("XREADGROUP GROUP g slow STREAMS s >");
        assert_eq!(got, "[[$s [[$1-1 [$f $v]]]]]");
        let line =
            |name: &str| format!("XREADGROUP GROUP g {name} BLOCK 400 CLAIM 100 STREAMS s >");
        let began = Instant::now();
        let mut waiting: Vec<Client> = (1..=3)
            .map(|n| blocked(server, &line(&format!("c{n}")), n))
            .collect();
        let replies: Vec<String> = waiting.iter_mut().map(Client::reply).collect();
        let claimed = |reply: &&String| reply.starts_with("[[$s [[$1-1 [$f $v] :");
        // After the first has claimed it, it may be idle for long enough once or twice more.
        let times = replies.iter().filter(claimed).count();
        assert!((1..=3).contains(&times), "{replies:?}");
        assert!(began.elapsed() >= Duration::from_millis(90));
        let pending = client.line("XPENDING s g - + 10");
        assert!(pending.ends_with(&format!(":{}]]", times + 1)), "{pending}");
        assert_eq!(client.line("XACK s g 1-1"), ":1");
        let mut patient = blocked(server, &line("patient"), 1);
        assert_eq!(patient.reply(), "nil");
    });
}

#[test]
fn unblock_and_kill_end_a_wait_and_nothing_is_popped_for_them() {
    with_workers(|server| {
        let mut admin = server.connect();
        let mut client = server.connect();
        let number = id(&mut client);
        let ask = |client: &mut Client, line: &str| {
            client.send(format!("{line}\r\n"));
            until_blocked(server, 1);
        };
        ask(&mut client, "BLPOP k 0");
        assert_eq!(admin.line(&format!("CLIENT UNBLOCK {number}")), ":1");
        assert_eq!(admin.line(&format!("CLIENT UNBLOCK {number}")), ":0");
        assert_eq!(client.reply(), "nil");
        ask(&mut client, "BLMOVE k l LEFT LEFT 0");
        assert_eq!(
            admin.line(&format!("CLIENT UNBLOCK {number} TIMEOUT")),
            ":1"
        );
        assert_eq!(client.reply(), "nil");
        ask(&mut client, "BLPOP k 0");
        assert_eq!(admin.line(&format!("CLIENT UNBLOCK {number} ERROR")), ":1");
        let told = "-UNBLOCKED client unblocked via CLIENT UNBLOCK";
        assert_eq!(client.reply(), told);
        assert_eq!(admin.line("RPUSH k 1"), ":1");
        assert_eq!(client.line("LLEN k"), ":1");
        assert_eq!(admin.line("DEL k"), ":1");
        // Killed.
        ask(&mut client, "BLPOP k 0");
        let list = admin.line("CLIENT LIST");
        let line = list
            .lines()
            .find(|line| line.contains(&format!("id={number} ")));
        assert!(line.expect("it is listed").contains(" flags=b "), "{list}");
        assert_eq!(admin.line(&format!("CLIENT KILL ID {number}")), ":1");
        assert_eq!(client.try_reply(), None);
        until_blocked(server, 0);
        assert_eq!(admin.line("RPUSH k 1"), ":1");
        assert_eq!(admin.line("LLEN k"), ":1");
        assert_eq!(admin.line("DEL k"), ":1");
        // Gone by itself.
        drop(blocked(server, "BLPOP k 0", 1));
        until_blocked(server, 0);
        assert_eq!(admin.line("RPUSH k 1"), ":1");
        assert_eq!(admin.line("LLEN k"), ":1");
    });
}

#[test]
fn whatever_brings_a_list_wakes() {
    with_workers(|server| {
        let mut other = server.connect();
        assert_eq!(other.line("RPUSH model a b"), ":2");
        for (lines, expected) in [
            (&["RPUSH x a b", "RENAME x k"][..], "[$k $a]"),
            (&["COPY model k"], "[$k $a]"),
            (&["SELECT 1", "RPUSH k a b", "MOVE k 0"], "[$k $a]"),
            (&["SELECT 1", "RPUSH k a b", "SWAPDB 0 1"], "[$k $a]"),
            (&["SORT model ALPHA DESC STORE k"], "[$k $b]"),
            (&["SET k v", "DEL k", "RPUSH k a b"], "[$k $a]"),
            (&["LMOVE model k LEFT RIGHT"], "[$k $a]"),
            (
                &["MULTI", "RPUSH k a", "DEL k", "RPUSH k c", "EXEC"],
                "[$k $c]",
            ),
        ] {
            let mut client = blocked(server, "BLPOP k 0", 1);
            let mut maker = server.connect();
            for line in lines {
                let said = maker.line(line);
                assert!(!said.starts_with('-'), "{line}: {said}");
            }
            assert_eq!(client.reply(), expected, "{lines:?}");
            other.send("DEL k\r\nDEL model\r\nRPUSH model a b\r\n");
            (0..3).for_each(|_| drop(other.reply()));
        }
        // What does not bring a list to stay wakes nobody.
        let mut client = blocked(server, "BLPOP k 0", 1);
        for line in [
            "SET k v",
            "DEL k",
            "MULTI",
            "RPUSH k a",
            "DEL k",
            "EXEC",
            "MULTI",
            "RPUSH k a",
            "RENAME k elsewhere",
            "EXEC",
            "MULTI",
            "RPUSH k a",
            "PEXPIREAT k 1",
            "EXEC",
            "SADD k a",
            "FLUSHALL",
        ] {
            let said = other.line(line);
            assert!(!said.starts_with('-'), "{line}: {said}");
        }
        until_blocked(server, 1);
        assert_eq!(other.line("RPUSH k z"), ":1");
        assert_eq!(client.reply(), "[$k $z]");
    });
}

#[test]
fn chains_and_circles_between_shards() {
    with_workers(|server| {
        const LENGTH: u32 = 12;
        // Longer than the chain that is looked at before locking: the ticket with all shards.
        let mut links: Vec<Client> = (0..LENGTH)
            .map(|n| {
                blocked(
                    server,
                    &format!("BLMOVE l{n} l{} LEFT RIGHT 0", n + 1),
                    n + 1,
                )
            })
            .collect();
        let mut pusher = server.connect();
        pusher.send(format!(
            "RPUSH l0 x\r\nEXISTS l0\r\nLRANGE l{LENGTH} 0 -1\r\n"
        ));
        for expected in [":1", ":0", "[$x]"] {
            assert_eq!(pusher.reply(), expected);
        }
        for link in &mut links {
            assert_eq!(link.reply(), "$x");
        }
        // A circle of three ends where it began.
        let mut ring: Vec<Client> = [("a", "b"), ("b", "c"), ("c", "a")]
            .iter()
            .zip(1..)
            .map(|((from, to), n)| blocked(server, &format!("BRPOPLPUSH {from} {to} 0"), n))
            .collect();
        pusher.send("LPUSH b 1\r\nLRANGE b 0 -1\r\nEXISTS a c\r\n");
        for expected in [":1", "[$1]", ":0"] {
            assert_eq!(pusher.reply(), expected);
        }
        for client in &mut ring {
            assert_eq!(client.reply(), "$1");
        }
        // The destination is of another kind: an error is an answer, the element goes to the next.
        assert_eq!(pusher.line("SET s v"), "+OK");
        let mut wrong = blocked(server, "BLMOVE q s LEFT LEFT 0", 1);
        let mut next = blocked(server, "BLPOP q 0", 2);
        assert_eq!(pusher.line("RPUSH q 1"), ":1");
        assert!(wrong.reply().starts_with("-WRONGTYPE"));
        assert_eq!(next.reply(), "[$q $1]");
    });
}

#[test]
fn what_stands_behind_waits_and_silence_is_kept() {
    with_workers(|server| {
        let mut pusher = server.connect();
        let mut client = blocked(
            server,
            "BLPOP k 0\r\nSET x 1\r\nGET x\r\nBLPOP k 0\r\nPING",
            1,
        );
        assert_eq!(pusher.line("GET x"), "nil");
        assert_eq!(pusher.line("RPUSH k 1"), ":1");
        for expected in ["[$k $1]", "+OK", "$1"] {
            assert_eq!(client.reply(), expected);
        }
        until_blocked(server, 1);
        assert_eq!(pusher.line("RPUSH k 2"), ":1");
        for expected in ["[$k $2]", "+PONG"] {
            assert_eq!(client.reply(), expected);
        }
        // CLIENT REPLY SKIP is for the one that waits; OFF for all.
        client.send("CLIENT REPLY SKIP\r\nBLPOP k 0\r\nPING\r\n");
        until_blocked(server, 1);
        assert_eq!(pusher.line("RPUSH k 3"), ":1");
        assert_eq!(client.reply(), "+PONG");
        client.send("CLIENT REPLY OFF\r\nBLPOP k 0\r\nPING\r\nBLPOP k 0.01\r\nCLIENT REPLY ON\r\n");
        until_blocked(server, 1);
        assert_eq!(pusher.line("RPUSH k 4"), ":1");
        assert_eq!(client.reply(), "+OK");
        assert_eq!(pusher.line("LLEN k"), ":0");
        // RESP3.
        assert!(client.line("HELLO 3").starts_with('['));
        assert_eq!(client.line("BLPOP k 0.01"), "nil");
    });
}

#[test]
fn figures_and_a_stop_while_somebody_waits() {
    let server = TestServer::with(2, Live::default());
    let mut first = blocked(&server, "BLPOP a b 0", 1);
    let mut second = blocked(&server, "BLPOP b c 0", 2);
    let mut admin = server.connect();
    let info = admin.line("INFO clients");
    assert!(info.contains("blocked_clients:2\r\n"), "{info}");
    assert!(info.contains("total_blocking_keys:3\r\n"), "{info}");
    let stats = admin.line("INFO commandstats");
    assert!(
        !stats.contains("cmdstat_blpop:calls=1"),
        "it has not run yet: {stats}"
    );
    assert_eq!(admin.line("RPUSH b 1"), ":1");
    assert_eq!(first.reply(), "[$b $1]");
    let stats = admin.line("INFO commandstats");
    assert!(stats.contains("cmdstat_blpop:calls=1"), "{stats}");
    assert_eq!(server.stop(), 0);
    assert_eq!(second.try_reply(), None);
}

/// Producers, consumers of every kind and those who move things on, all at once: what was pushed is
/// told exactly once, in order from one producer, and nothing is left over that nobody was told.
#[test]
fn nothing_is_lost_and_nothing_given_twice() {
    const PUSHERS: usize = 4;
    const EACH: usize = 600;
    for workers in [1, 2, 4] {
        let server = TestServer::with(workers, Live::default());
        let told: Mutex<HashMap<String, u32>> = Mutex::new(HashMap::new());
        let is_over = AtomicBool::new(false);
        let empty_handed = AtomicU32::new(0);
        std::thread::scope(|scope| {
            let (server, told) = (&server, &told);
            let (is_over, empty_handed) = (&is_over, &empty_handed);
            for (n, line) in [
                "BLPOP q0 q1 q2 0.02",
                "BRPOP q2 q0 0.01",
                "BLMPOP 0.02 3 q1 q2 q0 LEFT COUNT 3",
                "BLPOP q1 0.005",
                "BLPOP end 0.02",
                "BLPOP end q2 q1 q0 0.02",
            ]
            .iter()
            .enumerate()
            {
                scope.spawn(move || {
                    let mut client = server.connect();
                    while !is_over.load(Ordering::Relaxed) {
                        let said = client.line(line);
                        if said == "nil" {
                            empty_handed.fetch_add(1, Ordering::Relaxed);
                        }
                        assert!(!said.starts_with('-'), "{n}: {said}");
                        let mut told = told.lock().expect("nobody panics");
                        for word in said.split(['[', ']', ' ', '$']) {
                            if word.starts_with('v') {
                                *told.entry(word.to_owned()).or_default() += 1;
                            }
                        }
                    }
                });
            }
            for line in [
                "BLMOVE q0 end LEFT RIGHT 0.01",
                "BLMOVEM q2 q1 LEFT RIGHT 0.01 COUNT 2 OBO",
            ] {
                scope.spawn(move || {
                    let mut client = server.connect();
                    while !is_over.load(Ordering::Relaxed) {
                        let said = client.line(line);
                        assert!(!said.starts_with('-'), "{said}");
                    }
                });
            }
            let pushers: Vec<_> = (0..PUSHERS)
                .map(|p| {
                    scope.spawn(move || {
                        let mut client = server.connect();
                        for n in 0..EACH {
                            let key = (n + p) % 3;
                            match n % 4 {
                                0 => drop(client.line(&format!("RPUSH q{key} v{p}.{n}"))),
                                1 => drop(client.line(&format!("LPUSH q{key} v{p}.{n}"))),
                                2 => {
                                    client.send(format!(
                                        "MULTI\r\nRPUSH q{key} v{p}.{n}\r\nLLEN q1\r\nEXEC\r\n"
                                    ));
                                    (0..4).for_each(|_| drop(client.reply()));
                                }
                                _ => {
                                    client.send(format!(
                                        "RPUSH t{p} v{p}.{n}\r\nLMOVE t{p} q{key} LEFT RIGHT\r\n"
                                    ));
                                    (0..2).for_each(|_| drop(client.reply()));
                                }
                            }
                        }
                    })
                })
                .collect();
            pushers
                .into_iter()
                .for_each(|p| p.join().expect("no panic"));
            let began = Instant::now();
            while told.lock().expect("nobody panics").len() < PUSHERS * EACH {
                let so_far = told.lock().expect("nobody panics").len();
                assert!(
                    began.elapsed() < common::DEADLINE,
                    "{workers} workers: {so_far} told"
                );
                std::thread::sleep(Duration::from_millis(5));
            }
            // Somebody may be given one twice a little later.
            std::thread::sleep(Duration::from_millis(50));
            is_over.store(true, Ordering::Relaxed);
        });
        let told = told.into_inner().expect("nobody panics");
        let twice: Vec<_> = told.iter().filter(|(_, times)| **times != 1).collect();
        assert_eq!(
            (twice, told.len()),
            (vec![], PUSHERS * EACH),
            "{workers} workers"
        );
        assert!(empty_handed.into_inner() > 0, "somebody has waited in vain");
        until_blocked(&server, 0);
        let mut client = server.connect();
        assert_eq!(client.line("DBSIZE"), ":0");
    }
}
