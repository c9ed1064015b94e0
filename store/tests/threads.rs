//! Four workers on real threads move money between accounts in all shards while cuts are taken,
//! keys expire and the change log is read: every cut's sum is exact, the log has no gap, and its
//! replay ends in the same balances. Also the program for ThreadSanitizer.
#![cfg(not(feature = "model"))]

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use store::{
    Busy, Cut, CycleLimits, Deadline, NewStr, Options, Plan, Scratch, Slot, Store, Turn, Unit,
};

const WORKERS: usize = 4;
const ACCOUNTS: u64 = 500;
const START: i64 = 1_000;

/// Small under a sanitizer: `STORE_TRANSFERS` sets it.
fn transfers() -> u64 {
    std::env::var("STORE_TRANSFERS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(20_000)
}

fn account(n: u64) -> Vec<u8> {
    format!("account:{n}").into_bytes()
}

/// Begins a unit as a parked connection does: again and again.
fn run<R>(
    store: &Store,
    plan: Plan<'_>,
    worker: usize,
    scratch: &mut Scratch,
    f: impl FnOnce(&mut Unit<'_>) -> R,
) -> R {
    let mut tries = 0;
    loop {
        let turn = Turn {
            tries,
            ..Turn::new(worker, 0, 1_000, scratch)
        };
        if let Ok(mut unit) = store.begin(plan, turn) {
            let result = f(&mut unit);
            unit.finish();
            return result;
        }
        tries += 1;
        std::thread::yield_now();
    }
}

fn add(unit: &mut Unit<'_>, key: &[u8], n: i64) {
    let k = unit.key(key);
    let value = unit
        .read_string(k)
        .expect("a string")
        .map_or(0, |s| s.as_int().expect("an int"));
    let value = value + n;
    match unit.slot(k) {
        Slot::Occupied(mut at) => at.set_string(NewStr::Int(value), Deadline::Clear),
        Slot::Vacant(at) => at.insert_string(NewStr::Int(value), None),
    }
    .expect("memory");
    unit.log(&[b"SET", key, value.to_string().as_bytes()]);
}

fn sum(cut: &Cut) -> i64 {
    let accounts = cut.iter(0).filter(|e| e.key().starts_with(b"account:"));
    accounts
        .map(|e| e.string().expect("a string").as_int().expect("an int"))
        .sum()
}

/// SET commands of a stream of RESP arrays.
fn replay(mut resp: &[u8], into: &mut HashMap<Vec<u8>, i64>) {
    let line = |resp: &mut &[u8]| -> Vec<u8> {
        let end = resp
            .windows(2)
            .position(|w| w == b"\r\n")
            .expect("a whole line");
        let line = resp[..end].to_vec();
        *resp = &resp[end + 2..];
        line
    };
    while !resp.is_empty() {
        let count = line(&mut resp);
        let count: usize = String::from_utf8_lossy(&count[1..])
            .parse()
            .expect("a count");
        let words: Vec<Vec<u8>> = (0..count)
            .map(|_| {
                line(&mut resp);
                line(&mut resp)
            })
            .collect();
        if words[0] == b"SET" {
            let value = String::from_utf8_lossy(&words[2]).parse().expect("an int");
            into.insert(words[1].clone(), value);
        }
    }
}

/// One worker's transfers, and short-lived keys between them.
fn work(store: &Store, worker: usize) {
    let mut scratch = Scratch::new();
    let mut x = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(worker as u64 + 1);
    let mut next = |n: u64| {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x % n
    };
    for round in 0..transfers() {
        let (from, to) = (account(next(ACCOUNTS)), account(next(ACCOUNTS)));
        let shards = [store.key(&from).shard(), store.key(&to).shard()];
        let amount = next(10).cast_signed();
        run(
            store,
            Plan::Several(&shards),
            worker,
            &mut scratch,
            |unit| {
                add(unit, &from, -amount);
                add(unit, &to, amount);
            },
        );
        if round % 16 == 0 {
            let key = format!("brief:{worker}:{round}").into_bytes();
            let shard = store.key(&key).shard();
            run(store, Plan::Narrow(shard), worker, &mut scratch, |unit| {
                if let Slot::Vacant(at) = unit.slot(unit.key(&key)) {
                    at.insert_string(NewStr::Bytes(&[7; 600]), Some(999))
                        .expect("memory");
                }
            });
        }
        if round % 256 == 0 {
            let turn = Turn::new(worker, 0, 1_000, &mut scratch);
            let limits = CycleLimits {
                per_hold: 10,
                total: 1_000,
            };
            store.expire_cycle(turn, limits, || true);
        }
    }
}

#[test]
fn money_is_neither_made_nor_lost() {
    let store = Store::new(Options {
        databases: 2,
        workers: WORKERS + 1,
        seed: 3,
    });
    let mut scratch = Scratch::new();
    let mut merge = run(&store, Plan::Wide, WORKERS, &mut scratch, |unit| {
        for n in 0..ACCOUNTS {
            add(unit, &account(n), START);
        }
        unit.attach_log()
    });
    let mut replayed: HashMap<_, _> = (0..ACCOUNTS).map(|n| (account(n), START)).collect();
    let working = AtomicBool::new(true);
    let total = START * ACCOUNTS.cast_signed();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS)
            .map(|w| {
                scope.spawn({
                    let store = &store;
                    move || work(store, w)
                })
            })
            .collect();
        let cutter = scope.spawn(|| {
            let mut cuts = 0;
            let mut old: Option<Cut> = None;
            while working.load(Relaxed) {
                match run(&store, Plan::OneByOne, WORKERS, &mut scratch, |unit| {
                    unit.cut()
                }) {
                    Ok(cut) => {
                        assert_eq!(sum(&cut), total, "a cut is one moment");
                        // The one before is still what it was, whatever was written since.
                        assert!(old.is_none_or(|old| sum(&old) == total));
                        old = Some(cut);
                        cuts += 1;
                    }
                    Err(Busy) => std::thread::yield_now(),
                }
            }
            cuts
        });
        let mut last = merge.drain(&mut |_: u64, _: &[u8]| {});
        while working.load(Relaxed) {
            merge.drain(&mut |number: u64, commands: &[u8]| {
                assert_eq!(number, last + 1);
                last = number;
                replay(commands, &mut replayed);
            });
            if workers.iter().all(|worker| worker.is_finished()) {
                working.store(false, Relaxed);
            }
            std::thread::yield_now();
        }
        assert!(
            cutter.join().expect("the cutter does not panic") > 0,
            "no cut came through"
        );
        workers
            .into_iter()
            .for_each(|w| w.join().expect("no worker panics"));
        merge.drain(&mut |_: u64, commands: &[u8]| replay(commands, &mut replayed));
    });
    let cut = run(&store, Plan::OneByOne, 0, &mut Scratch::new(), |unit| {
        unit.cut()
    })
    .expect("alone");
    let balances: HashMap<Vec<u8>, i64> = cut
        .iter(0)
        .map(|e| {
            (
                e.key().to_vec(),
                e.string().expect("a string").as_int().expect("an int"),
            )
        })
        .collect();
    assert_eq!(balances, replayed, "the log's replay is the data");
}
