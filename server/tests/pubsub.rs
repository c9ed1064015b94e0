//! Pub/Sub and keyspace events between clients of several workers: order, own pushes, late letters, slow
//! subscribers. What one connection can see by itself is in tests/transcripts/pubsub.

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::{Client, TestServer, request, until};
use server::Live;
use server::live::{EventsWanted, OutputLimit};
use server::pubsub::Kind;

const WORKERS: usize = 4;

/// Clients on all workers.
fn clients(server: &TestServer, count: usize) -> Vec<Client> {
    let mut clients: Vec<Client> = (0..count).map(|_| server.connect()).collect();
    for client in &mut clients {
        assert_eq!(client.line("PING"), "+PONG");
    }
    clients
}

#[test]
fn all_subscribers_hear_a_channel_in_the_same_order() {
    const EACH: usize = 300;
    let server = TestServer::with(WORKERS, Live::default());
    let mut ears = clients(&server, 9);
    for (n, ear) in ears.iter_mut().enumerate() {
        if n % 2 == 0 {
            assert!(ear.line("HELLO 3").starts_with("[$server"));
        }
        let subscribe = if n % 3 == 0 {
            "PSUBSCRIBE c*"
        } else {
            "SUBSCRIBE chan"
        };
        assert!(ear.line(subscribe).ends_with(":1]"));
    }
    std::thread::scope(|scope| {
        for speaker in 0..4 {
            let mut client = server.connect();
            scope.spawn(move || {
                for n in 0..EACH {
                    client.send(request(&["PUBLISH", "chan", &format!("{speaker}:{n}")]));
                }
                for _ in 0..EACH {
                    assert_eq!(client.reply(), ":9");
                }
            });
        }
    });
    let heard: Vec<Vec<String>> = ears
        .iter_mut()
        .map(|ear| {
            let message = |_| {
                let push = ear.reply();
                let payload = push.rsplit('$').next().expect("a payload");
                payload.trim_end_matches(']').to_owned()
            };
            (0..4 * EACH).map(message).collect()
        })
        .collect();
    for one in &heard {
        assert!(*one == heard[0], "somebody hears another order");
    }
    // And each speaker's in the order in which it spoke.
    for speaker in 0..4 {
        let prefix = format!("{speaker}:");
        let own: Vec<&String> = heard[0].iter().filter(|m| m.starts_with(&prefix)).collect();
        let expected: Vec<String> = (0..EACH).map(|n| format!("{speaker}:{n}")).collect();
        assert_eq!(own, expected.iter().collect::<Vec<_>>());
    }
}

#[test]
fn own_pushes_stand_between_the_reply_and_the_next() {
    let live = Live {
        events: EventsWanted::of(b"E$"),
        ..Live::default()
    };
    let server = TestServer::with(2, live);
    for mut client in clients(&server, 4) {
        client.line("HELLO 3");
        client.send("SUBSCRIBE c __keyevent@0__:set\r\n");
        assert_eq!(client.reply(), "[$subscribe $c :1]");
        assert_eq!(client.reply(), "[$subscribe $__keyevent@0__:set :2]");
        client.send("PUBLISH c 1\r\nPING\r\nSET k v\r\nPING\r\nMULTI\r\nPUBLISH c 2\r\nPING\r\nEXEC\r\nPING\r\n");
        for expected in [
            ":1",
            "[$message $c $1]",
            "+PONG",
            "+OK",
            "[$message $__keyevent@0__:set $k]",
            "+PONG",
            "+OK",
            "+QUEUED",
            "+QUEUED",
            "[:1 +PONG]",
            "[$message $c $2]",
            "+PONG",
        ] {
            assert_eq!(client.reply(), expected);
        }
        assert_eq!(client.line("RESET"), "+RESET");
    }
}

#[test]
fn nothing_arrives_behind_the_end_of_a_subscription() {
    let server = TestServer::with(WORKERS, Live::default());
    let done = AtomicBool::new(false);
    let (mut ears, speakers) = (clients(&server, 4), clients(&server, 3));
    std::thread::scope(|scope| {
        for mut speaker in speakers {
            let done = &done;
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    speaker.send("PUBLISH c m\r\n".repeat(20));
                    for _ in 0..20 {
                        assert!(speaker.reply().starts_with(':'));
                    }
                }
            });
        }
        for round in 0..300 {
            for ear in &mut ears {
                let end = if round % 2 == 0 {
                    "UNSUBSCRIBE c"
                } else {
                    "UNSUBSCRIBE"
                };
                ear.send(format!(
                    "SUBSCRIBE c\r\n{end}\r\nSUBSCRIBE c\r\n{end}\r\nGET k\r\n"
                ));
            }
            for ear in &mut ears {
                for expected in ["sub", "unsub", "sub", "unsub"] {
                    loop {
                        let said = ear.reply();
                        if said.starts_with(&format!("[${expected}scribe $c")) {
                            break;
                        }
                        assert_eq!(said, "[$message $c $m]");
                        assert_eq!(expected, "unsub", "a message outside a subscription");
                    }
                }
                assert_eq!(ear.reply(), "nil");
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(server.server.pubsub.count(Kind::Channel), 0);
    assert_eq!(server.server.pubsub.clients(), 0);
}

#[test]
fn a_slow_subscriber_is_cut_off_by_its_own_limit() {
    let mut live = Live::default();
    live.output_limits[2] = OutputLimit {
        hard_bytes: 8 << 20,
        ..OutputLimit::default()
    };
    let server = TestServer::with(2, live);
    let mut all = clients(&server, 4);
    let mut speaker = all.pop().expect("four");
    for ear in &mut all {
        assert_eq!(ear.line("SUBSCRIBE c"), "[$subscribe $c :1]");
    }
    let payload = "x".repeat(100_000);
    let mut heard = String::new();
    for _ in 0..2_000 {
        speaker.ask(&["PUBLISH", "c", &payload]);
        heard = speaker.reply();
        // The first never reads.
        for ear in &mut all[1..] {
            assert_eq!(ear.reply(), format!("[$message $c ${payload}]"));
        }
        if heard == ":2" {
            break;
        }
    }
    assert_eq!(heard, ":2");
    assert_eq!(server.figures().output_buffer_disconnections, 1);
    assert_eq!(server.server.pubsub.clients(), 2);
}

#[test]
fn a_subscriber_that_ends_or_is_killed_is_not_counted_any_more() {
    let server = TestServer::with(WORKERS, Live::default());
    let mut ears = clients(&server, 8);
    let mut boss = server.connect();
    for ear in &mut ears {
        ear.send("SUBSCRIBE c\r\nPSUBSCRIBE *\r\nSSUBSCRIBE s\r\n");
        for expected in [
            "[$subscribe $c :1]",
            "[$psubscribe $* :2]",
            "[$ssubscribe $s :1]",
        ] {
            assert_eq!(ear.reply(), expected);
        }
    }
    assert_eq!(boss.line("PUBLISH c x"), ":16");
    let info = boss.line("INFO clients");
    assert!(info.contains("pubsub_clients:8\r\n"), "{info}");
    // At once, though its worker may still have to close it.
    for left in (4..8).rev() {
        let list = boss.line("CLIENT LIST TYPE pubsub");
        let id = list.split(['=', ' ']).nth(1).expect("id=1").to_owned();
        assert_eq!(boss.line(&format!("CLIENT KILL ID {id}")), ":1");
        assert_eq!(boss.line("PUBLISH c x"), format!(":{}", left * 2));
        assert_eq!(boss.line("SPUBLISH s x"), format!(":{left}"));
    }
    drop(ears);
    until("nobody is left", || server.server.pubsub.clients() == 0);
    for kind in Kind::ALL {
        assert_eq!(server.server.pubsub.count(kind), 0);
    }
}

#[test]
fn silence_does_not_end_a_subscriber() {
    let live = Live {
        timeout: Some(Duration::from_millis(100)),
        hz: 100,
        ..Live::default()
    };
    let server = TestServer::with(1, live);
    let (mut ear, mut other) = (server.connect(), server.connect());
    assert_eq!(ear.line("SUBSCRIBE c"), "[$subscribe $c :1]");
    assert_eq!(other.line("PING"), "+PONG");
    assert_eq!(other.until_end(), "");
    assert_eq!(server.connect().line("PUBLISH c x"), ":1");
    assert_eq!(ear.reply(), "[$message $c $x]");
}

#[test]
fn events_of_a_key_come_in_the_order_of_its_changes() {
    const EACH: usize = 400;
    let live = Live {
        events: EventsWanted::of(b"KA"),
        ..Live::default()
    };
    let server = TestServer::with(WORKERS, live);
    let mut ears = clients(&server, 4);
    for ear in &mut ears {
        assert!(ear.line("SUBSCRIBE __keyspace@0__:k end").ends_with(":1]"));
        assert!(ear.reply().ends_with(":2]"));
    }
    std::thread::scope(|scope| {
        for command in ["SET k v\r\n", "DEL k\r\n", "SET k v NX\r\n", "DEL k\r\n"] {
            let mut client = server.connect();
            scope.spawn(move || {
                for _ in 0..EACH {
                    client.send(command);
                    client.reply();
                }
            });
        }
    });
    assert_eq!(server.connect().line("PUBLISH end x"), ":4");
    let mut heard: Vec<Vec<String>> = Vec::new();
    for ear in &mut ears {
        let mut events = Vec::new();
        loop {
            let push = ear.reply();
            if push.contains("$end") {
                break;
            }
            events.push(push);
        }
        heard.push(events);
    }
    for one in &heard {
        assert!(*one == heard[0], "somebody hears another order");
    }
    // A key that is gone cannot be removed once more.
    let is_removal = |push: &String| push.ends_with("$del]");
    assert!(heard[0].iter().filter(|push| is_removal(push)).count() > 0);
    for two in heard[0].windows(2) {
        assert!(!two.iter().all(is_removal), "removed twice");
    }
}
