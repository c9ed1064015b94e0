//! Clients that wait for lists, in the simulated world: two workers in turns, bytes that come late, in
//! pieces or not at all. What is pushed is told at most once, in order; without resets exactly once;
//! and of those who have gone nothing is left waiting.
//!
//! A failure names its seed; `SIM_SEED=n` runs that one alone.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use io::sim::{Net, Peer, SimLoop, Weather};
use server::listen::{Listening, Wanted};
use server::worker::Worker;
use server::{Live, Server, Start};

/// Elements that each pusher pushes.
const EACH: usize = 150;
/// Turns after which a run counts as hanging.
const TURNS_MAX: usize = 400_000;

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

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Pushes(usize),
    Pops(&'static str),
}

const ROLES: [Role; 8] = [
    Role::Pushes(0),
    Role::Pushes(1),
    Role::Pushes(2),
    Role::Pops("BLPOP q0 q1 q2 0"),
    Role::Pops("BLPOP q2 q0 0.05"),
    Role::Pops("BLMPOP 0 2 q1 q2 LEFT COUNT 2"),
    Role::Pops("BLMOVE q1 q3 LEFT RIGHT 0.02"),
    Role::Pops("BLPOP q3 0"),
];

struct Actor {
    role: Role,
    peer: Peer,
    to_send: Vec<u8>,
    got: Vec<u8>,
    /// Requests without their reply.
    open: usize,
    pushed: usize,
}

/// What all of them know.
#[derive(Default)]
struct Told {
    elements: BTreeSet<String>,
    /// The last element of a pusher that a consumer has had from a list.
    last: BTreeMap<(usize, String, usize), usize>,
    resets: usize,
}

impl Actor {
    fn act(&mut self, number: usize, dice: &mut Dice, told: &mut Told, seed: u64) -> bool {
        match self.role {
            Role::Pushes(n) => {
                while self.pushed < EACH && self.open < 4 && dice.roll(4) == 0 {
                    let key = dice.roll(3);
                    let line = format!("RPUSH q{key} {n}:{}\r\n", self.pushed);
                    self.to_send.extend_from_slice(line.as_bytes());
                    (self.pushed, self.open) = (self.pushed + 1, self.open + 1);
                }
            }
            Role::Pops(line) if self.open == 0 => {
                self.to_send.extend_from_slice(line.as_bytes());
                self.to_send.extend_from_slice(b"\r\n");
                self.open = 1;
            }
            Role::Pops(_) => {}
        }
        if !self.to_send.is_empty() {
            let piece = 1 + dice.roll(self.to_send.len());
            match self.peer.send(&self.to_send[..piece]) {
                Ok(sent) => drop(self.to_send.drain(..sent)),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => return false,
            }
        }
        match self.peer.receive(&mut self.got, 1 + dice.roll(200)) {
            Ok(0) => return false,
            Ok(_) => self.read(number, told, seed),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return false,
        }
        true
    }

    /// Takes whole replies off what has come.
    fn read(&mut self, number: usize, told: &mut Told, seed: u64) {
        while let Some((words, used)) = reply(&self.got) {
            self.got.drain(..used);
            assert!(
                self.open > 0,
                "seed {seed}: a reply that nobody asked for: {words:?}"
            );
            self.open -= 1;
            assert!(
                !words.iter().any(|word| word.starts_with('-')),
                "seed {seed}: {words:?}"
            );
            let Role::Pops(line) = self.role else {
                continue;
            };
            if line.starts_with("BLMOVE") {
                continue;
            }
            let list = words.first().cloned().unwrap_or_default();
            for word in words.iter().filter(|word| word.contains(':')) {
                assert!(
                    told.elements.insert(word.clone()),
                    "seed {seed}: {word} was told twice"
                );
                let (pusher, n) = word.split_once(':').expect("it has been looked at");
                let pusher = pusher.parse().expect("a number");
                let n = n.parse().expect("a number");
                // What has been moved on may have been overtaken.
                if list != "q3" {
                    let last = told.last.insert((number, list.clone(), pusher), n);
                    assert!(
                        last.is_none_or(|last| last < n),
                        "seed {seed}: {word} came late"
                    );
                }
            }
        }
    }
}

/// One whole reply: its bulk strings, or an error's line.
fn reply(bytes: &[u8]) -> Option<(Vec<String>, usize)> {
    let end = bytes.windows(2).position(|two| two == b"\r\n")?;
    let line = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut used = end + 2;
    let count = usize::try_from(line[1..].parse::<i64>().unwrap_or(0)).ok();
    match (bytes[0], count) {
        (b'-', _) => Some((vec![line], used)),
        (b'*', Some(count)) => {
            let mut words = Vec::new();
            for _ in 0..count {
                let (some, more) = reply(&bytes[used..])?;
                words.extend(some);
                used += more;
            }
            Some((words, used))
        }
        (b'$', Some(count)) => {
            let word = bytes.get(used..used + count)?;
            bytes.get(used + count..used + count + 2)?;
            let word = String::from_utf8_lossy(word).into_owned();
            Some((vec![word], used + count + 2))
        }
        _ => Some((Vec::new(), used)),
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
    let actor = |role, pushed| Actor {
        role,
        peer: net.connect(&address).expect("it listens"),
        to_send: Vec::new(),
        got: Vec::new(),
        open: 0,
        pushed,
    };
    let mut actors: Vec<Actor> = ROLES.iter().map(|role| actor(*role, 0)).collect();
    let mut told = Told::default();
    let mut turns = 0;
    let mut quiet = 0;
    // With resets some are lost: then it is over when nothing more is told for long.
    while told.elements.len() < 3 * EACH && (!resets || quiet < 8_000) {
        turns += 1;
        let so_far = told.elements.len();
        assert!(turns < TURNS_MAX, "seed {seed}: it hangs, {so_far} told");
        for (number, actor_of) in actors.iter_mut().enumerate() {
            let breaks = resets && dice.roll(4_000) == 0;
            if !breaks && actor_of.act(number, &mut dice, &mut told, seed) {
                continue;
            }
            assert!(resets, "seed {seed}: nobody breaks connections");
            told.resets += 1;
            told.last.retain(|(of, _, _), _| *of != number);
            let broken = std::mem::replace(actor_of, actor(actor_of.role, actor_of.pushed));
            broken.peer.reset();
        }
        workers[dice.roll(2)].turn();
        quiet = if told.elements.len() == so_far {
            quiet + 1
        } else {
            0
        };
    }
    // A broken connection costs a pusher what was under way, a consumer what was popped for it.
    let lost = 3 * EACH - told.elements.len();
    assert!(
        lost <= 5 * told.resets,
        "seed {seed}: {lost} lost in {} resets",
        told.resets
    );
    drop(actors);
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
        server.blocked.keys(),
        (0, 0),
        "seed {seed}: nobody waits any more"
    );
}

fn seeds(count: u64) -> Vec<u64> {
    let one = std::env::var("SIM_SEED").ok();
    match one.and_then(|text| text.parse().ok()) {
        Some(seed) => vec![seed],
        None => (1..=count).collect(),
    }
}

#[test]
fn nothing_is_lost_when_bytes_are_late_and_in_pieces() {
    for seed in seeds(5) {
        run(seed, Weather::stormy());
    }
}

#[test]
fn broken_connections_take_little_with_them() {
    for seed in seeds(5) {
        run(
            seed,
            Weather {
                resets_per_million: 300,
                ..Weather::stormy()
            },
        );
    }
}
