//! Lists, sets, hashes, sorted sets and streams beside the peers: CPU time of a request that adds to
//! one large value, and resident bytes of an element.
//!
//! Each round begins with an empty server, because a value that has grown for five rounds is another
//! one than in the first. Emptying happens between the measurements, and with a pause: what a free
//! thread still does would be counted as the next test's.

use super::measure::{self, Load};
use super::{Contestant, KEY_RANGE, Spread};
use crate::Res;
use crate::server::Server;
use crate::wire::{Client, Reply, encode};
use std::time::Duration;

const DATA: &str = "0123456789abcdef0123456789abcdef";
const PIPELINE: u64 = 16;

/// A request that adds one element, and the goal for its ratio to the best peer.
struct Adding {
    words: &'static [&'static str],
    goal: f64,
}

const ADDING: &[Adding] = &[
    Adding {
        words: &["LPUSH", "list", DATA],
        goal: 0.75,
    },
    Adding {
        words: &["RPUSH", "list", DATA],
        goal: 0.75,
    },
    Adding {
        words: &["SADD", "set", "element:__rand_int__"],
        goal: 0.75,
    },
    Adding {
        words: &["HSET", "hash", "element:__rand_int__", DATA],
        goal: 0.75,
    },
    Adding {
        words: &["ZADD", "zset", "__rand_int__", "element:__rand_int__"],
        goal: 0.5,
    },
    Adding {
        words: &["XADD", "stream", "*", "field", DATA],
        goal: 0.75,
    },
];

/// CPU time of an addition, each with its ratio to each peer and to the round's best.
pub(super) fn speed(contestants: &[Contestant], rounds: usize, requests: u64) -> Res<()> {
    let servers: Vec<Server> = contestants
        .iter()
        .map(Contestant::start)
        .collect::<Res<_>>()?;
    println!(
        "| adding to one value, pipeline {PIPELINE} | server | CPU µs/op (min–max) | redstart's CPU / its (min–max) | goal |"
    );
    println!("|---|---|---|---|---|");
    for adding in ADDING {
        let mut cpu_us: Vec<Vec<f64>> = contestants.iter().map(|_| Vec::new()).collect();
        for _ in 0..rounds {
            for (server, samples) in servers.iter().zip(&mut cpu_us) {
                empty(server)?;
                let load = Load::Request(adding.words);
                let sample = measure::redis_benchmark(server, load, PIPELINE, requests, KEY_RANGE)?;
                samples.push(sample.cpu_us);
            }
        }
        for (contestant, mine) in contestants.iter().zip(&cpu_us) {
            let spread = Spread::of(mine.iter().copied());
            let ratio = Spread::of(cpu_us[0].iter().zip(mine).map(|(a, b)| a / b));
            println!(
                "| {} | {} | {:.3} ({:.3}–{:.3}) | {:.2} ({:.2}–{:.2}) | {} |",
                adding.words[0],
                contestant.name,
                spread.median,
                spread.min,
                spread.max,
                ratio.median,
                ratio.min,
                ratio.max,
                adding.goal
            );
        }
    }
    println!();
    Ok(())
}

fn empty(server: &Server) -> Res<()> {
    let mut client = server.client(Duration::from_secs(60))?;
    client.ask(&["FLUSHALL"])?;
    std::thread::sleep(Duration::from_millis(300));
    Ok(())
}

/// A value of many elements, and the goal for an element's bytes.
struct Holding {
    what: &'static str,
    element: fn(u64) -> Vec<String>,
    goal_bytes: u32,
}

const HOLDING: &[Holding] = &[
    Holding {
        what: "sorted set, members of 16",
        element: |n| vec!["ZADD".into(), "v".into(), n.to_string(), member(n)],
        goal_bytes: 56,
    },
    Holding {
        what: "hash, fields of 16, values of 32",
        element: |n| vec!["HSET".into(), "v".into(), member(n), DATA.into()],
        goal_bytes: 66,
    },
    Holding {
        what: "set, members of 16",
        element: |n| vec!["SADD".into(), "v".into(), member(n)],
        goal_bytes: 34,
    },
    Holding {
        what: "list, elements of 32",
        element: |_| vec!["RPUSH".into(), "v".into(), DATA.into()],
        goal_bytes: 35,
    },
];

/// Elements of a value that is weighed.
const ELEMENTS: u64 = 1_000_000;

/// Elements come in no order: 387,911 shares no factor with a million.
fn member(n: u64) -> String {
    format!("member:{:09}", n * 387_911 % ELEMENTS)
}

/// Resident bytes of an element, servers in rows.
pub(super) fn memory(contestants: &[Contestant]) -> Res<()> {
    println!("| bytes an element, {ELEMENTS} in one value | server | resident | goal |");
    println!("|---|---|---|---|");
    for holding in HOLDING {
        for contestant in contestants {
            let server = contestant.start()?;
            std::thread::sleep(Duration::from_millis(500));
            let before = measure::resident_bytes(server.pid())?;
            fill(&server, holding.element)?;
            let grown = measure::resident_bytes(server.pid())?.saturating_sub(before);
            println!(
                "| {} | {} | {:.1} | {} |",
                holding.what,
                contestant.name,
                grown as f64 / ELEMENTS as f64,
                holding.goal_bytes
            );
        }
    }
    println!();
    Ok(())
}

fn fill(server: &Server, element: fn(u64) -> Vec<String>) -> Res<()> {
    const BATCH: u64 = 500;
    let mut client: Client = server.client(Duration::from_secs(60))?;
    let mut batch = Vec::new();
    for first in (0..ELEMENTS).step_by(BATCH as usize) {
        batch.clear();
        for n in first..first + BATCH {
            encode(&mut batch, &element(n));
        }
        client.send_raw(&batch)?;
        for _ in 0..BATCH {
            match client.read() {
                Ok(Reply::Integer(_)) => {}
                other => return Err(format!("an element was answered with {other:?}")),
            }
        }
    }
    Ok(())
}
