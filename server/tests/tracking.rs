//! Client-side caching between clients of several workers. What one connection can see by itself is in
//! tests/transcripts/connection/client.txt.

mod common;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{Client, TestServer, until};
use server::Live;

const WORKERS: usize = 4;

fn client(server: &TestServer, proto: u8) -> Client {
    let mut client = server.connect();
    assert!(
        client
            .line(&format!("HELLO {proto}"))
            .starts_with("[$server")
    );
    client
}

fn id(client: &mut Client) -> String {
    client.line("CLIENT ID").trim_start_matches(':').to_owned()
}

/// A client with a cache, as a library keeps one.
struct Cache {
    client: Client,
    known: HashMap<String, String>,
    told: usize,
}

impl Cache {
    /// The reply to what was asked last; invalidations before it are obeyed.
    fn reply(&mut self) -> String {
        loop {
            let said = self.client.reply();
            if said == "[$invalidate nil]" {
                self.known.clear();
            } else if let Some(keys) = said.strip_prefix("[$invalidate [") {
                for key in keys.trim_end_matches(']').split(' ') {
                    self.known.remove(key.trim_start_matches('$'));
                }
            } else {
                return said;
            }
            self.told += 1;
        }
    }

    fn read(&mut self, key: &str) {
        let value = self.client_line(&format!("GET {key}"));
        self.known.insert(key.to_owned(), value);
    }

    fn client_line(&mut self, line: &str) -> String {
        self.client.send(format!("{line}\r\n"));
        self.reply()
    }
}

/// Caches on all workers read while others write; in the end nobody has anything stale.
fn caches_stay_right(tracking: &str) {
    const KEYS: usize = 12;
    let server = TestServer::with(WORKERS, Live::default());
    let done = AtomicBool::new(false);
    let mut caches: Vec<Cache> = (0..6)
        .map(|_| Cache {
            client: client(&server, 3),
            known: HashMap::new(),
            told: 0,
        })
        .collect();
    for cache in &mut caches {
        assert_eq!(cache.client_line(tracking), "+OK");
    }
    std::thread::scope(|scope| {
        for (n, cache) in caches.iter_mut().enumerate() {
            let done = &done;
            scope.spawn(move || {
                let mut at = n;
                while !done.load(Ordering::Relaxed) {
                    at = (at * 7 + 5) % 1_009;
                    let key = format!("key:{}", at % KEYS);
                    if at % 50 == 0 {
                        // Its own changes are told to it as well.
                        cache.client_line(&format!("APPEND {key} x"));
                    } else if !cache.known.contains_key(&key) {
                        cache.read(&key);
                    } else {
                        cache.client_line("PING");
                    }
                }
            });
        }
        let writers: Vec<_> = (0..3_usize)
            .map(|n| {
                let mut writer = server.connect();
                scope.spawn(move || {
                    for round in 0..500 {
                        let key = (round * 5 + n) % KEYS;
                        let other = (key + 1) % KEYS;
                        writer.send(match round % 9 {
                            0 => format!("DEL key:{key} key:{other}\r\n"),
                            1 => format!("MSET key:{key} {round} key:{other} {round}\r\n"),
                            2 => format!("SET key:{key} {round} PX 2\r\n"),
                            3 => format!("RENAME key:{key} key:{other}\r\n"),
                            4 if round % 100 == 4 => "FLUSHDB\r\n".to_owned(),
                            _ => format!("APPEND key:{key} {round}\r\n"),
                        });
                        writer.reply();
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.join().expect("it has written");
        }
        done.store(true, Ordering::Relaxed);
    });
    // What is still due to expire has its time.
    let mut judge = server.connect();
    until("all that expires has gone", || {
        server.server.store.stats().expired_keys > 0
            && server.server.store.db_size(0, 0).deadlines == 0
    });
    for cache in &mut caches {
        assert_eq!(cache.client_line("PING"), "+PONG");
        assert!(cache.told > 10, "told {} times", cache.told);
        for (key, value) in &cache.known {
            assert_eq!(judge.line(&format!("GET {key}")), *value, "{key}");
        }
    }
}

#[test]
fn nobody_keeps_what_has_changed() {
    caches_stay_right("CLIENT TRACKING ON");
}

#[test]
fn nobody_keeps_what_has_changed_by_prefix() {
    caches_stay_right("CLIENT TRACKING ON BCAST PREFIX key:");
}

#[test]
fn own_invalidations_stand_between_the_reply_and_the_next() {
    let server = TestServer::with(2, Live::default());
    for _ in 0..4 {
        let mut client = client(&server, 3);
        assert_eq!(client.line("CLIENT TRACKING ON"), "+OK");
        client.send("GET a\r\nMSET a 1 b 2\r\nMGET a b\r\nDEL b a\r\nPING\r\n");
        for expected in [
            "nil",
            "+OK",
            "[$invalidate [$a]]",
            "[$1 $2]",
            ":2",
            "[$invalidate [$b]]",
            "[$invalidate [$a]]",
            "+PONG",
        ] {
            assert_eq!(client.reply(), expected);
        }
    }
}

#[test]
fn redirection_reaches_other_workers_until_its_target_goes() {
    let server = TestServer::with(WORKERS, Live::default());
    let mut ears = [client(&server, 2), client(&server, 3)];
    let ids = [id(&mut ears[0]), id(&mut ears[1])];
    assert!(
        ears[0]
            .line("SUBSCRIBE __redis__:invalidate")
            .ends_with(":1]")
    );
    let mut writer = client(&server, 2);
    let mut readers = [client(&server, 3), client(&server, 2), client(&server, 3)];
    for (n, reader) in readers.iter_mut().enumerate() {
        let to = &ids[n % 2];
        assert_eq!(
            reader.line(&format!("CLIENT TRACKING ON REDIRECT {to}")),
            "+OK"
        );
        assert_eq!(reader.line(&format!("GET k{n}")), "nil");
    }
    assert_eq!(writer.line("MSET k0 0 k1 1 k2 2"), "+OK");
    assert_eq!(ears[0].reply(), "[$message $__redis__:invalidate [$k0]]");
    assert_eq!(ears[0].reply(), "[$message $__redis__:invalidate [$k2]]");
    assert_eq!(ears[1].reply(), "[$invalidate [$k1]]");
    // Gone when KILL has replied, whether its worker has closed it or not.
    assert_eq!(readers[0].line("GET k0"), "$0");
    assert_eq!(writer.line(&format!("CLIENT KILL ID {}", ids[0])), ":1");
    assert_eq!(writer.line("SET k0 1"), "+OK");
    let broken = format!("[$tracking-redir-broken :{}]", ids[0]);
    assert_eq!(readers[0].reply(), broken);
    assert!(
        readers[0]
            .line("CLIENT TRACKINGINFO")
            .contains("$broken_redirect")
    );
    let list = writer.line("CLIENT LIST FLAGS R");
    assert!(list.contains(&format!("redir={} ", ids[0])), "{list}");
}

#[test]
fn a_resp2_client_without_redirection_hears_nothing() {
    let server = TestServer::with(2, Live::default());
    let (mut reader, mut writer) = (client(&server, 2), client(&server, 2));
    assert_eq!(reader.line("CLIENT TRACKING ON"), "+OK");
    assert_eq!(reader.line("GET k"), "nil");
    assert_eq!(writer.line("SET k 1"), "+OK");
    assert_eq!(reader.line("SUBSCRIBE c"), "[$subscribe $c :1]");
    assert_eq!(reader.line("UNSUBSCRIBE"), "[$unsubscribe $c :0]");
    assert_eq!(reader.line("GET k"), "$1");
    assert_eq!(reader.line("CLIENT REPLY SKIP\r\nGET k\r\nGET k"), "$1");
}

#[test]
fn the_table_stays_below_its_limit_and_says_what_it_lets_go() {
    let server = TestServer::with(WORKERS, Live::default());
    server.configure(|live| live.tracking_keys_max = 100);
    let mut reader = client(&server, 3);
    assert_eq!(reader.line("CLIENT TRACKING ON"), "+OK");
    let mut told = 0;
    for n in 0..300 {
        reader.send(format!("GET k{n}\r\n"));
        while reader.reply() != "nil" {
            told += 1;
        }
    }
    reader.send("ECHO end\r\n");
    while reader.reply() != "$end" {
        told += 1;
    }
    assert_eq!(server.server.tracking.figures(), (100, 100, 0));
    assert_eq!(told, 200);
    // A lower limit holds at once.
    server.configure(|live| live.tracking_keys_max = 1);
    assert_eq!(server.server.tracking.figures(), (1, 1, 0));
    for _ in 0..99 {
        assert!(reader.reply().starts_with("[$invalidate [$k"));
    }
    assert_eq!(reader.line("PING"), "+PONG");
}

#[test]
fn figures_rise_and_all_is_forgotten_when_nobody_tracks() {
    let server = TestServer::with(WORKERS, Live::default());
    let mut readers: Vec<Client> = (0..4).map(|_| client(&server, 3)).collect();
    for (n, reader) in readers.iter_mut().enumerate() {
        let mode = if n == 3 {
            "BCAST PREFIX a PREFIX b"
        } else {
            ""
        };
        assert_eq!(reader.line(&format!("CLIENT TRACKING ON {mode}")), "+OK");
        assert_eq!(reader.line("MGET x y"), "[nil nil]");
    }
    let info = server.connect().line("INFO everything");
    for field in [
        "tracking_clients:4",
        "tracking_total_keys:2",
        "tracking_total_items:6",
        "tracking_total_prefixes:2",
    ] {
        assert!(info.contains(&format!("{field}\r\n")), "{field}");
    }
    assert_eq!(readers[0].line("RESET"), "+RESET");
    assert_eq!(readers[1].line("CLIENT TRACKING OFF"), "+OK");
    assert_eq!(server.server.tracking.clients(), 2);
    drop(readers);
    until("nobody tracks", || server.server.tracking.clients() == 0);
    assert_eq!(server.server.tracking.figures(), (0, 0, 0));
}
