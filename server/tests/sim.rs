//! The whole server in a simulated world: one seed, two workers in turns, a dozen clients whose bytes
//! come late, in pieces, or not at all.
//!
//! Each client has keys of its own, so it knows every reply beforehand, byte for byte; what the world
//! does must not be seen in any of them. A client whose connection breaks begins anew with other keys.
//!
//! A failure names its seed; `SIM_SEED=n` runs that one alone.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use io::sim::{Net, Peer, SimLoop, Weather};
use server::listen::{Listening, Wanted};
use server::worker::Worker;
use server::{Live, Server, Start};

const CLIENTS: usize = 12;
const ROUNDS: usize = 120;
/// Turns of both workers after which a run counts as hanging.
const TURNS_MAX: usize = 200_000;

/// A step of xorshift.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below as u64) as usize
    }
}

/// A client that knows what it will be told.
struct Actor {
    name: String,
    peer: Peer,
    data: HashMap<String, Vec<u8>>,
    to_send: Vec<u8>,
    expected: Vec<u8>,
    got: Vec<u8>,
    rounds: usize,
    lives: usize,
}

fn request(words: &[&[u8]], into: &mut Vec<u8>) {
    into.extend(format!("*{}\r\n", words.len()).bytes());
    for word in words {
        into.extend(format!("${}\r\n", word.len()).bytes());
        into.extend_from_slice(word);
        into.extend_from_slice(b"\r\n");
    }
}

fn bulk(value: Option<&Vec<u8>>, into: &mut Vec<u8>) {
    match value {
        Some(value) => {
            into.extend(format!("${}\r\n", value.len()).bytes());
            into.extend_from_slice(value);
            into.extend_from_slice(b"\r\n");
        }
        None => into.extend_from_slice(b"$-1\r\n"),
    }
}

impl Actor {
    fn new(name: String, peer: Peer) -> Actor {
        Actor {
            name,
            peer,
            data: HashMap::new(),
            to_send: Vec::new(),
            expected: Vec::new(),
            got: Vec::new(),
            rounds: 0,
            lives: 0,
        }
    }

    /// One more command, with its reply.
    fn think(&mut self, dice: &mut Dice) {
        let key = format!("{}:{}:{}", self.name, self.lives, dice.roll(6));
        let other = format!("{}:{}:{}", self.name, self.lives, dice.roll(6));
        // Now and then one that is received apart.
        let size = if dice.roll(30) == 0 {
            40_000 + dice.roll(60_000)
        } else {
            dice.roll(60)
        };
        let value: Vec<u8> = (0..size).map(|n| b'a' + ((n + size) % 26) as u8).collect();
        let (send, expect) = (&mut self.to_send, &mut self.expected);
        match dice.roll(8) {
            0 | 1 => {
                request(&[b"SET", key.as_bytes(), &value], send);
                expect.extend_from_slice(b"+OK\r\n");
                self.data.insert(key, value);
            }
            2 => {
                request(&[b"get", key.as_bytes()], send);
                bulk(self.data.get(&key), expect);
            }
            3 => {
                request(&[b"append", key.as_bytes(), &value], send);
                let all = self.data.entry(key).or_default();
                all.extend_from_slice(&value);
                expect.extend(format!(":{}\r\n", all.len()).bytes());
            }
            4 => {
                request(&[b"del", key.as_bytes()], send);
                let was = usize::from(self.data.remove(&key).is_some());
                expect.extend(format!(":{was}\r\n").bytes());
            }
            5 => {
                send.extend(format!("mget {key} nosuch {other}\r\n").bytes());
                expect.extend_from_slice(b"*3\r\n");
                bulk(self.data.get(&key), expect);
                bulk(None, expect);
                bulk(self.data.get(&other), expect);
            }
            6 => {
                send.extend_from_slice(b"MULTI\r\n");
                request(&[b"set", key.as_bytes(), &value], send);
                request(
                    &[b"mset", other.as_bytes(), &value, key.as_bytes(), b"last"],
                    send,
                );
                request(&[b"get", key.as_bytes()], send);
                send.extend_from_slice(b"dbsize x\r\nping\r\n");
                let exec = if dice.roll(2) == 0 { "discard" } else { "exec" };
                send.extend(format!("{exec}\r\n").bytes());
                expect.extend_from_slice(b"+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n");
                expect.extend_from_slice(
                    b"-ERR wrong number of arguments for 'dbsize' command\r\n+QUEUED\r\n",
                );
                expect.extend_from_slice(if exec == "exec" {
                    b"-EXECABORT Transaction discarded because of previous errors.\r\n".as_slice()
                } else {
                    b"+OK\r\n"
                });
            }
            _ => {
                send.extend_from_slice(b"multi\r\n");
                request(
                    &[b"mset", other.as_bytes(), &value, key.as_bytes(), b"last"],
                    send,
                );
                request(&[b"strlen", key.as_bytes()], send);
                send.extend_from_slice(b"exec\r\n");
                expect.extend_from_slice(b"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n:4\r\n");
                self.data.insert(other, value);
                self.data.insert(key, b"last".to_vec());
            }
        }
        self.rounds += 1;
    }

    /// Sends and receives a piece; `false` when the connection is broken.
    fn act(&mut self, dice: &mut Dice, seed: u64) -> bool {
        if self.rounds < ROUNDS && self.to_send.len() < 4_000 && dice.roll(3) == 0 {
            for _ in 0..=dice.roll(20) {
                self.think(dice);
            }
        }
        if !self.to_send.is_empty() {
            let piece = 1 + dice.roll(self.to_send.len());
            match self.peer.send(&self.to_send[..piece]) {
                Ok(sent) => drop(self.to_send.drain(..sent)),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => return false,
            }
        }
        match self.peer.receive(&mut self.got, 1 + dice.roll(5_000)) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return false,
        }
        let same = self.got.len().min(self.expected.len());
        assert!(
            self.got[..same] == self.expected[..same] && self.got.len() <= self.expected.len(),
            "seed {seed}: {} was told something else",
            self.name
        );
        self.got.drain(..same);
        self.expected.drain(..same);
        true
    }

    fn is_done(&self) -> bool {
        self.rounds >= ROUNDS && self.to_send.is_empty() && self.expected.is_empty()
    }
}

fn run(seed: u64, weather: Weather) {
    let resets = weather.resets_per_million > 0;
    let net = Net::new(seed, weather);
    let start = Start {
        workers: 2,
        renames: Vec::new(),
        seed,
        run_id: "0".repeat(40),
        port: 0,
    };
    let server: Arc<Server> = Server::new(start, Live::default()).expect("no renames");
    let at = io::ListenAt::Tcp(SocketAddr::from(([127, 0, 0, 1], 0)));
    *server.listening.lock() = Listening {
        wanted: vec![Wanted {
            at,
            optional: false,
        }],
        ..Listening::default()
    };
    let mut workers: [Worker<'_, SimLoop>; 2] =
        [0, 1].map(|index| Worker::new(index, &server, net.driver()));
    workers[0].listen().expect("nobody else listens");
    let address = server.addresses.lock()[0].clone();
    let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let mut actors: Vec<Actor> = (0..CLIENTS)
        .map(|n| Actor::new(format!("c{n}"), net.connect(&address).expect("it listens")))
        .collect();
    let mut turns = 0;
    while !actors.iter().all(Actor::is_done) {
        turns += 1;
        assert!(turns < TURNS_MAX, "seed {seed}: it hangs");
        for actor in &mut actors {
            let breaks = resets && dice.roll(2_000) == 0;
            if !breaks && actor.act(&mut dice, seed) {
                continue;
            }
            assert!(
                resets,
                "seed {seed}: nobody breaks connections, but {} has ended",
                actor.name
            );
            let (name, rounds, lives) = (actor.name.clone(), actor.rounds, actor.lives + 1);
            let peer = net.connect(&address).expect("it listens");
            let broken = std::mem::replace(actor, Actor::new(name, peer));
            (actor.rounds, actor.lives) = (rounds, lives);
            broken.peer.reset();
        }
        workers[dice.roll(2)].turn();
    }
    drop(actors);
    // When all have gone, nothing is left of them.
    for _ in 0..TURNS_MAX {
        if server.clients.is_empty() {
            break;
        }
        for worker in &mut workers {
            worker.turn();
        }
    }
    assert_eq!(server.clients.len(), 0, "seed {seed}");
    assert_eq!(
        (server.watching(), server.clients.list().len()),
        (0, 0),
        "seed {seed}"
    );
}

fn seeds(count: u64) -> Vec<u64> {
    match std::env::var("SIM_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
    {
        Some(seed) => vec![seed],
        None => (1..=count).collect(),
    }
}

#[test]
fn every_reply_is_right_when_bytes_are_late_and_in_pieces() {
    for seed in seeds(12) {
        run(seed, Weather::stormy());
    }
}

#[test]
fn broken_connections_leave_nothing_and_disturb_nobody() {
    for seed in seeds(12) {
        run(
            seed,
            Weather {
                resets_per_million: 300,
                ..Weather::stormy()
            },
        );
    }
}
