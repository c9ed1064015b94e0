//! What a second worker brings: throughput of two over that of one, without a kernel between.
//!
//!   thread 0: worker 0 + its clients          thread 1: worker 1 + its clients
//!             └───────────── one store, 1,024 shards ─────────────┘
//!
//! The network is the simulation in real time (`io::sim::Net::threaded`). A worker's clients run on the
//! worker's own thread, between its turns: a request never crosses to another core on its way in, so
//! what the workers share is the store, its locks, and what else the server keeps for all. The clients'
//! part is a copy into and out of the wire, the same for one worker and for two.
//!
//! Two figures, because a machine with other things to do gives two threads less than two cores: the
//! ratio of requests a second, and of requests a second of processor time, times two. The second is
//! blind to waiting, of which there is none: a worker that finds a shard held spins, or serves others.
//!
//! `cargo run --release -p server --example workers [rounds [load]]`

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use io::sim::{Net, Peer};
use server::listen::{Listening, Wanted};
use server::worker::Worker;
use server::{Live, Server, Start};

#[global_allocator]
static ALLOCATOR: os::alloc::Counting = os::alloc::Counting;

/// Clients of each worker.
const CLIENTS: usize = 25;
/// Requests that a client sends together.
const PIPELINE: usize = 16;
const KEYS: u64 = 200_000;
/// Digits of a key that differ; all others are zeros.
const KEY_DIGITS: usize = 6;
/// How long one measurement lasts.
const LENGTH: Duration = Duration::from_secs(1);

/// What the clients ask for.
#[derive(Clone, Copy)]
struct Load {
    name: &'static str,
    /// Words of one request; each key is a random one whenever the request is sent.
    request: fn() -> Vec<String>,
    reply_bytes: usize,
}

const VALUE: &str = "0123456789abcdef0123456789abcdef";

const LOADS: [Load; 3] = [
    Load {
        name: "SET",
        request: || vec!["SET".into(), key(0), VALUE.into()],
        reply_bytes: 5,
    },
    Load {
        name: "GET",
        request: || vec!["GET".into(), key(0)],
        reply_bytes: 39,
    },
    Load {
        name: "MSET of 10",
        request: || {
            let pairs = (0..10).flat_map(|_| [key(0), VALUE.into()]);
            std::iter::once("MSET".into()).chain(pairs).collect()
        },
        reply_bytes: 5,
    },
];

fn key(n: u64) -> String {
    format!("key:{:012}", n % KEYS)
}

/// What came of one measurement.
#[derive(Clone, Copy, Default)]
struct Speed {
    per_second: f64,
    per_cpu_second: f64,
}

fn main() {
    let rounds = std::env::args().nth(1).and_then(|n| n.parse().ok());
    os::clock::calibrate();
    println!(
        "| load, pipeline {PIPELINE} | one worker, requests/s | two | ratio (min–max) | by processor time |"
    );
    println!("|---|---|---|---|---|");
    let only = std::env::args().nth(2);
    for load in LOADS {
        if only
            .as_ref()
            .is_some_and(|only| !load.name.starts_with(only.as_str()))
        {
            continue;
        }
        let pairs: Vec<[Speed; 2]> = (0..rounds.unwrap_or(5))
            .map(|_| [1, 2].map(|workers| measure(workers, load)))
            .collect();
        let of = |get: &dyn Fn(&[Speed; 2]) -> f64| {
            let mut all: Vec<f64> = pairs.iter().map(get).collect();
            all.sort_by(f64::total_cmp);
            (all[0], all[all.len() / 2], all[all.len() - 1])
        };
        let ratio = of(&|[one, two]| two.per_second / one.per_second);
        let by_cpu = of(&|[one, two]| 2.0 * two.per_cpu_second / one.per_cpu_second);
        println!(
            "| {} | {:.0} | {:.0} | {:.2} ({:.2}–{:.2}) | {:.2} ({:.2}–{:.2}) |",
            load.name,
            of(&|[one, _]| one.per_second).1,
            of(&|[_, two]| two.per_second).1,
            ratio.1,
            ratio.0,
            ratio.2,
            by_cpu.1,
            by_cpu.0,
            by_cpu.2
        );
    }
}

/// Loads a server of so many workers for `LENGTH`.
fn measure(workers: usize, load: Load) -> Speed {
    let net = Net::threaded();
    let server = serve(workers);
    let (go, stop) = (AtomicBool::new(false), AtomicBool::new(false));
    let ready = Barrier::new(workers + 1);
    let (requests, cpu_ns) = (AtomicU64::new(0), AtomicU64::new(0));
    let mut elapsed = Duration::ZERO;
    std::thread::scope(|scope| {
        let mut doors = Vec::new();
        for index in 0..workers {
            let (door, newcomers) = channel();
            doors.push(door);
            let (server, net, go, stop, ready) = (&server, &net, &go, &stop, &ready);
            let (requests, cpu_ns) = (&requests, &cpu_ns);
            scope.spawn(move || {
                let mut worker = Worker::new(index, server, net.driver());
                if index == 0 {
                    worker.listen().expect("nobody else listens");
                }
                ready.wait();
                let mut clients = arrive(&mut worker, &newcomers, go);
                if index == 0 {
                    fill(&mut worker, &mut clients[0]);
                }
                let mut batch = Batch::new(load, index as u64 + 1);
                ready.wait();
                let (before, mut done) = (cpu_now_ns(), 0);
                while !stop.load(Relaxed) {
                    done += round(&mut worker, &mut clients, &mut batch, load.reply_bytes);
                }
                cpu_ns.fetch_add(cpu_now_ns() - before, Relaxed);
                requests.fetch_add(done as u64, Relaxed);
                // Nobody closes while the other still measures.
                ready.wait();
            });
        }
        ready.wait();
        connect(&net, &server, &doors);
        go.store(true, Relaxed);
        ready.wait();
        let began = Instant::now();
        std::thread::sleep(LENGTH);
        stop.store(true, Relaxed);
        elapsed = began.elapsed();
        ready.wait();
    });
    let requests = requests.into_inner() as f64;
    Speed {
        per_second: requests / elapsed.as_secs_f64(),
        per_cpu_second: requests / (cpu_ns.into_inner() as f64 / 1e9),
    }
}

fn serve(workers: usize) -> Arc<Server> {
    let start = Start {
        workers,
        renames: Vec::new(),
        seed: 1,
        run_id: "0".repeat(40),
        port: 0,
    };
    let server = Server::new(start, Live::default()).expect("no renames");
    let at = io::ListenAt::Tcp(SocketAddr::from(([127, 0, 0, 1], 0)));
    *server.listening.lock() = Listening {
        wanted: vec![Wanted {
            at,
            optional: false,
        }],
        ..Listening::default()
    };
    server
}

/// Connects the clients one by one, and hands each to the thread of the worker that has got it.
fn connect(net: &Net, server: &Server, doors: &[std::sync::mpsc::Sender<Peer>]) {
    let address = server.addresses.lock()[0].clone();
    for count in 1..=CLIENTS * doors.len() {
        let peer = net.connect(&address).expect("it listens");
        while server.clients.len() < count as u64 {
            std::thread::yield_now();
        }
        let client = server.clients.list().pop().expect("it has come");
        doors[client.worker].send(peer).expect("its thread waits");
    }
}

/// Turns until everybody is there.
fn arrive(
    worker: &mut Worker<'_, io::sim::SimLoop>,
    newcomers: &Receiver<Peer>,
    go: &AtomicBool,
) -> Vec<Peer> {
    let mut clients = Vec::new();
    while !go.load(Relaxed) || clients.len() < CLIENTS {
        worker.turn();
        clients.extend(newcomers.try_iter());
    }
    clients
}

/// Sends `bytes` and turns the worker until `wanted` bytes have come back.
fn ask(worker: &mut Worker<'_, io::sim::SimLoop>, client: &mut Peer, bytes: &[u8], wanted: usize) {
    let (mut rest, mut got) = (bytes, Vec::new());
    while !rest.is_empty() || got.len() < wanted {
        if !rest.is_empty() {
            let sent = client.send(rest).unwrap_or(0);
            rest = &rest[sent..];
        }
        worker.turn();
        // Nothing has come yet: it is asked again.
        let _ = client.receive(&mut got, 1 << 20);
    }
}

/// Sets every key.
fn fill(worker: &mut Worker<'_, io::sim::SimLoop>, client: &mut Peer) {
    for first in (0..KEYS).step_by(1_000) {
        let bytes: Vec<u8> = (first..first + 1_000)
            .flat_map(|n| encode(&["SET".into(), key(n), VALUE.into()]))
            .collect();
        ask(worker, client, &bytes, 5 * 1_000);
    }
}

fn encode(words: &[String]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend(format!("${}\r\n{word}\r\n", word.len()).bytes());
    }
    bytes
}

/// What a client sends at once. Its keys are written anew each time, so that every key of all is as
/// likely as any other, and the clients take no more of the cache than one batch.
struct Batch {
    bytes: Vec<u8>,
    /// Where the keys' numbers end.
    ends: Vec<usize>,
    state: u64,
}

impl Batch {
    fn new(load: Load, seed: u64) -> Batch {
        let one = encode(&(load.request)());
        let bytes = one.repeat(PIPELINE);
        let name = key(0).into_bytes();
        let ends = (0..bytes.len() - name.len())
            .filter(|&at| bytes[at..].starts_with(&name))
            .map(|at| at + name.len())
            .collect();
        Batch {
            bytes,
            ends,
            state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
        }
    }

    /// The bytes, with other keys.
    fn next(&mut self) -> &[u8] {
        for &end in &self.ends {
            self.state ^= self.state << 13;
            self.state ^= self.state >> 7;
            self.state ^= self.state << 17;
            let mut n = (self.state >> 16) % KEYS;
            for digit in self.bytes[end - KEY_DIGITS..end].iter_mut().rev() {
                *digit = b'0' + (n % 10) as u8;
                n /= 10;
            }
        }
        &self.bytes
    }
}

/// Every client sends a batch, the worker serves, every client reads its replies; how many there were.
fn round(
    worker: &mut Worker<'_, io::sim::SimLoop>,
    clients: &mut [Peer],
    batch: &mut Batch,
    reply_bytes: usize,
) -> usize {
    for client in &mut *clients {
        let bytes = batch.next();
        let sent = client.send(bytes).expect("the connection stands");
        assert_eq!(sent, bytes.len(), "a calm wire takes a batch whole");
    }
    let mut replies = Vec::with_capacity(PIPELINE * reply_bytes);
    for client in &mut *clients {
        replies.clear();
        while replies.len() < PIPELINE * reply_bytes {
            if client.receive(&mut replies, 1 << 16).is_err() {
                worker.turn();
            }
        }
    }
    clients.len() * PIPELINE
}

/// Processor time of this thread; where the system does not tell, the clock's.
fn cpu_now_ns() -> u64 {
    std::fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|text| text.split_whitespace().next()?.parse().ok())
        .unwrap_or_else(|| os::clock::monotonic_us() * 1_000)
}
