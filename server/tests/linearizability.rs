//! RELIABILITY C1: one node is linearizable by key, and strictly serializable over MULTI and commands
//! on several keys, with all workers busy.
//!
//! Clients on several workers do random operations over eight keys, some pipelined, and write down when
//! they asked, when they were answered, and what. `linear/search.rs` looks for an order that explains
//! all of it. Once on threads and sockets, once in the simulated world, where bytes come late and in
//! pieces and a seed tells everything.
//!
//! DBSIZE outside of a transaction sums counters while others write, and promises nothing: such a one
//! is asked as a transaction of its own. A failure names its seed; `LINEAR_SEED=n` runs that one alone,
//! `LINEAR_HISTORIES=n` so many (the campaign).

mod common;
mod linear;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use common::TestServer;
use io::sim::{Net, Peer, SimLoop, Weather};
use linear::model::Op;
use linear::search::{Event, check};
use linear::{Dice, bytes, operations, replies_before};
use server::listen::{Listening, Wanted};
use server::worker::Worker;
use server::{Live, Server, Start};

const CLIENTS: usize = 5;
const OPERATIONS: usize = 2_000;
const WORKERS: usize = 4;
/// Histories on threads, and in the simulation.
const HISTORIES: (u64, u64) = (170, 30);
/// Requests that a client sends before it reads.
const PIPELINE: usize = 4;

fn seeds(count: u64) -> Vec<u64> {
    let number = |name| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse::<u64>().ok())
    };
    match number("LINEAR_SEED") {
        Some(seed) => vec![seed],
        None => (1..=number("LINEAR_HISTORIES").unwrap_or(count)).collect(),
    }
}

/// What client `client` of history `seed` does.
fn plan(seed: u64, client: usize) -> (Vec<Op>, Dice) {
    let mut dice = Dice::new(seed * 1_000 + client as u64 + 1);
    let ops = operations(client, OPERATIONS / CLIENTS, &mut dice);
    let ops = ops
        .into_iter()
        .map(|op| match op {
            Op::Size => Op::Exec(vec![Op::Size]),
            op => op,
        })
        .collect();
    (ops, dice)
}

fn judge(seed: u64, history: &[Vec<Event>]) {
    if let Err(text) = check(history) {
        panic!("history {seed}: {text}");
    }
}

#[test]
fn on_threads_there_is_always_an_order() {
    let server = TestServer::with(WORKERS, Live::default());
    for seed in seeds(HISTORIES.0) {
        assert_eq!(server.connect().line("FLUSHALL"), "+OK");
        let began = Instant::now();
        let now = || u64::try_from(began.elapsed().as_nanos()).expect("no test takes 500 years");
        let one = |client: usize| {
            let (ops, mut dice) = plan(seed, client);
            let mut connection = server.connect();
            let mut events = Vec::new();
            let mut rest = &ops[..];
            while !rest.is_empty() {
                let (batch, behind) = rest.split_at((1 + dice.roll(PIPELINE)).min(rest.len()));
                rest = behind;
                let asked = now();
                connection.send(batch.iter().flat_map(bytes).collect::<Vec<u8>>());
                for op in batch {
                    (0..replies_before(op)).for_each(|_| drop(connection.reply()));
                    let reply = connection.reply();
                    let (op, answered) = (op.clone(), now());
                    events.push(Event {
                        op,
                        asked,
                        answered,
                        reply,
                    });
                }
            }
            events
        };
        let history: Vec<Vec<Event>> = std::thread::scope(|scope| {
            let one = &one;
            let clients: Vec<_> = (0..CLIENTS).map(|c| scope.spawn(move || one(c))).collect();
            let ended = clients.into_iter().map(|c| c.join().expect("no panic"));
            ended.collect()
        });
        judge(seed, &history);
    }
}

/// A client of the simulated world.
struct Actor {
    peer: Peer,
    ops: Vec<Op>,
    /// Operations that have been sent, and when.
    asked: Vec<u64>,
    /// Replies that come before that of the operation at hand.
    before: usize,
    to_send: Vec<u8>,
    got: Vec<u8>,
    events: Vec<Event>,
}

impl Actor {
    fn act(&mut self, now: u64, dice: &mut Dice) {
        let open = self.asked.len() - self.events.len();
        if open < PIPELINE && self.asked.len() < self.ops.len() && dice.roll(2) == 0 {
            self.to_send.extend(bytes(&self.ops[self.asked.len()]));
            self.asked.push(now);
        }
        if !self.to_send.is_empty() {
            let piece = 1 + dice.roll(self.to_send.len());
            // Where there is no room, it is for another turn.
            if let Ok(sent) = self.peer.send(&self.to_send[..piece]) {
                self.to_send.drain(..sent);
            }
        }
        match self.peer.receive(&mut self.got, 1 + dice.roll(2_000)) {
            Ok(0) => panic!("nobody breaks connections"),
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
        }
        while let Some((reply, used)) = common::parse(&self.got) {
            self.got.drain(..used);
            let at = self.events.len();
            if self.before < replies_before(&self.ops[at]) {
                self.before += 1;
                continue;
            }
            self.before = 0;
            self.events.push(Event {
                op: self.ops[at].clone(),
                asked: self.asked[at],
                answered: now,
                reply,
            });
        }
    }
}

#[test]
fn in_the_simulated_world_there_is_always_an_order() {
    for seed in seeds(HISTORIES.1) {
        simulate(seed);
    }
}

fn simulate(seed: u64) {
    let net = Net::new(seed, Weather::stormy());
    let start = Start {
        workers: WORKERS,
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
    let mut workers: [Worker<'_, SimLoop>; WORKERS] =
        std::array::from_fn(|index| Worker::new(index, &server, net.driver()));
    workers[0].listen().expect("nobody else listens");
    let address = server.addresses.lock()[0].clone();
    let mut dice = Dice::new(seed);
    let mut actors: Vec<Actor> = (0..CLIENTS)
        .map(|client| Actor {
            peer: net.connect(&address).expect("it listens"),
            ops: plan(seed, client).0,
            asked: Vec::new(),
            before: 0,
            to_send: Vec::new(),
            got: Vec::new(),
            events: Vec::new(),
        })
        .collect();
    let mut now = 0;
    while actors
        .iter()
        .any(|actor| actor.events.len() < actor.ops.len())
    {
        now += 1;
        assert!(now < 1_000_000, "history {seed}: it hangs");
        for actor in &mut actors {
            actor.act(now, &mut dice);
        }
        workers[dice.roll(WORKERS)].turn();
    }
    let history: Vec<Vec<Event>> = actors.into_iter().map(|actor| actor.events).collect();
    judge(seed, &history);
}
