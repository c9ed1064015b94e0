//! The protocols under shuttle, which runs the threads of each model in many interleavings:
//! locks, change log, gates, watch marks, cuts, waiters, eviction. Run with `--features model`; the store then has
//! four shards and shuttle's atomics.
//!
//! What each model can see: a lock that two hold at once loses an increment or tears a sum; a
//! deadlock or a lost retry leaves a thread that never ends, which shuttle reports; a wait while
//! holding without the ticket is such a deadlock in some interleaving.
#![cfg(feature = "model")]

use std::sync::Arc;

use shuttle::thread;
use store::{
    Container, Deadline, EvictionEnd, EvictionLimits, EvictionOrder, EvictionPolicy, EvictionPool,
    Gates, Kind, Limits, NewStr, Options, Plan, Refused, SHARDS, Scratch, Set, Slot, Store, Turn,
    Unit, Waiter, Watcher, WrongType,
};

/// Schedules for each model in CI; `SHUTTLE_ITERATIONS` raises it for a campaign.
fn check(model: impl Fn() + Send + Sync + 'static) {
    let iterations = std::env::var("SHUTTLE_ITERATIONS")
        .ok()
        .and_then(|n| n.parse().ok());
    let iterations = iterations.unwrap_or(2_000);
    let model = Arc::new(model);
    let (random, pct) = (Arc::clone(&model), model);
    shuttle::check_random(move || random(), iterations);
    shuttle::check_pct(move || pct(), iterations, 3);
}

fn store(workers: usize) -> Arc<Store> {
    Arc::new(Store::new(Options {
        databases: 2,
        workers,
        seed: 1,
    }))
}

/// One key in each shard.
fn keys(store: &Store) -> Vec<String> {
    let mut keys = vec![String::new(); SHARDS];
    for n in 0.. {
        let key = format!("k{n}");
        let shard = store.key(key.as_bytes()).shard();
        keys[shard] = key;
        if keys.iter().all(|key| !key.is_empty()) {
            return keys;
        }
    }
    unreachable!("the hash reaches every shard")
}

/// One worker of a model.
struct Worker {
    store: Arc<Store>,
    index: usize,
    scratch: Scratch,
}

impl Worker {
    fn new(store: &Arc<Store>, index: usize) -> Self {
        Worker {
            store: Arc::clone(store),
            index,
            scratch: Scratch::new(),
        }
    }

    /// Runs `f` in a unit, parking and trying again as a connection does.
    fn run<R>(&mut self, plan: Plan<'_>, f: impl FnOnce(&mut Unit<'_>) -> R) -> R {
        let mut tries = 0;
        loop {
            let turn = Turn {
                tries,
                ..Turn::new(self.index, 0, 0, &mut self.scratch)
            };
            if let Ok(mut unit) = self.store.begin(plan, turn) {
                let result = f(&mut unit);
                unit.finish();
                return result;
            }
            tries += 1;
            thread::yield_now();
        }
    }

    fn narrow<R>(&mut self, key: &str, f: impl FnOnce(&mut Unit<'_>) -> R) -> R {
        let shard = self.store.key(key.as_bytes()).shard();
        self.run(Plan::Narrow(shard), f)
    }

    fn several<R>(&mut self, keys: &[&str], f: impl FnOnce(&mut Unit<'_>) -> R) -> R {
        let shards: Vec<_> = keys
            .iter()
            .map(|k| self.store.key(k.as_bytes()).shard())
            .collect();
        self.run(Plan::Several(&shards), f)
    }
}

fn get(unit: &mut Unit<'_>, key: &str) -> i64 {
    let key = unit.key(key.as_bytes());
    unit.read_string(key)
        .expect("a string")
        .map_or(0, |s| s.as_int().expect("an integer"))
}

/// Reads, lets others run, writes: who is not alone loses.
fn add(unit: &mut Unit<'_>, key: &str, n: i64) {
    let value = get(unit, key) + n;
    thread::yield_now();
    let word = value.to_string();
    match unit.slot(unit.key(key.as_bytes())) {
        Slot::Occupied(mut at) => at.set_string(NewStr::Int(value), Deadline::Clear),
        Slot::Vacant(at) => at.insert_string(NewStr::Int(value), None),
    }
    .expect("memory");
    unit.log(&[b"SET", key.as_bytes(), word.as_bytes()]);
}

#[test]
fn narrow_several_and_wide_exclude_each_other_and_all_end() {
    check(|| {
        let store = store(4);
        let k = Arc::new(keys(&store));
        let spawn = |index: usize, f: fn(&mut Worker, &[String])| {
            let (mut worker, k) = (Worker::new(&store, index), Arc::clone(&k));
            thread::spawn(move || f(&mut worker, &k))
        };
        let threads = [
            spawn(0, |w, k| {
                for key in [&k[0], &k[2]] {
                    w.narrow(key, |unit| add(unit, key, 1));
                }
            }),
            // In opposite orders, as two clients would name them.
            spawn(1, |w, k| {
                w.several(&[&k[0], &k[1], &k[2]], |unit| {
                    add(unit, &k[0], 10);
                    add(unit, &k[2], -10);
                });
            }),
            spawn(2, |w, k| {
                w.several(&[&k[2], &k[0]], |unit| {
                    add(unit, &k[2], 100);
                    add(unit, &k[0], -100);
                });
            }),
            spawn(3, |w, k| {
                w.run(Plan::Wide, |unit| {
                    let before = get(unit, &k[0]) + get(unit, &k[2]);
                    assert!((0..=2).contains(&before), "half a transfer was seen");
                    thread::yield_now();
                    assert_eq!(get(unit, &k[0]) + get(unit, &k[2]), before);
                    add(unit, &k[3], 1);
                });
            }),
        ];
        threads
            .into_iter()
            .for_each(|t| t.join().expect("no model thread panics"));
        let mut worker = Worker::new(&store, 0);
        let total = worker.run(Plan::Wide, |unit| get(unit, &k[0]) + get(unit, &k[2]));
        assert_eq!(total, 2);
        assert_eq!(worker.narrow(&k[3], |unit| get(unit, &k[3])), 1);
    });
}

#[test]
fn the_merge_has_no_gap_and_keeps_each_keys_order() {
    check(|| {
        let store = store(3);
        let k = Arc::new(keys(&store));
        let mut merge = Worker::new(&store, 0).run(Plan::Wide, |unit| unit.attach_log());
        let writers: Vec<_> = (0..2)
            .map(|index| {
                let (mut worker, k) = (Worker::new(&store, index), Arc::clone(&k));
                thread::spawn(move || {
                    worker.narrow(&k[0], |unit| add(unit, &k[0], 1));
                    worker.several(&[&k[1], &k[0]], |unit| {
                        add(unit, &k[1], 1);
                        add(unit, &k[0], 1);
                    });
                    // A unit that only reads takes no number.
                    worker.narrow(&k[1], |unit| get(unit, &k[1]));
                })
            })
            .collect();
        let mut last = 0;
        let mut text = Vec::new();
        let mut reader = |number: u64, commands: &[u8]| {
            assert_eq!(number, last + 1, "a gap");
            last = number;
            text.extend_from_slice(commands);
        };
        for _ in 0..3 {
            merge.drain(&mut reader);
            thread::yield_now();
        }
        writers
            .into_iter()
            .for_each(|t| t.join().expect("no model thread panics"));
        merge.drain(&mut reader);
        assert_eq!(last, 4, "every unit that wrote is there");
        // What was written last in the log is what is there: 1, 2, 3, 4 in this order.
        let text = String::from_utf8(text).expect("test text");
        let needle = format!("{}\r\n$1\r\n", k[0]);
        let values: Vec<&str> = text.split(&needle).skip(1).map(|rest| &rest[..1]).collect();
        assert_eq!(values, ["1", "2", "3", "4"]);
    });
}

#[test]
fn a_gate_closes_between_units_not_under_one() {
    check(|| {
        let store = store(3);
        let k = Arc::new(keys(&store));
        let writers: Vec<_> = (0..2)
            .map(|index| {
                let (mut worker, k) = (Worker::new(&store, index), Arc::clone(&k));
                thread::spawn(move || {
                    for _ in 0..2 {
                        worker.narrow(&k[0], |unit| {
                            if !unit.gates().closed(Gates::READ_ONLY) {
                                add(unit, &k[0], 1);
                            }
                        });
                    }
                })
            })
            .collect();
        let mut worker = Worker::new(&store, 2);
        worker.run(Plan::Wide, |unit| unit.set_gates(Gates::READ_ONLY, true));
        let at_closing = worker.narrow(&k[0], |unit| get(unit, &k[0]));
        writers
            .into_iter()
            .for_each(|t| t.join().expect("no model thread panics"));
        assert_eq!(worker.narrow(&k[0], |unit| get(unit, &k[0])), at_closing);
    });
}

#[test]
fn exec_sees_every_write_since_watch() {
    check(|| {
        let store = store(3);
        let k = Arc::new(keys(&store));
        let writers: Vec<_> = (0..2)
            .map(|index| {
                let (mut worker, k) = (Worker::new(&store, index), Arc::clone(&k));
                thread::spawn(move || {
                    // One writes the watched key alone, one together with another.
                    let keys = [&*k[0], &*k[1]];
                    worker.several(&keys[..=index], |unit| add(unit, &k[0], 1));
                })
            })
            .collect();
        let mut worker = Worker::new(&store, 2);
        let mut transactions = 0;
        // Optimistic increments until two have come through.
        while transactions < 2 {
            let watcher = Watcher::new();
            let seen = worker.narrow(&k[0], |unit| {
                unit.watch(&watcher, unit.key(k[0].as_bytes()))
                    .expect("memory");
                get(unit, &k[0])
            });
            let mut shards = vec![store.key(k[3].as_bytes()).shard()];
            watcher.shards(&mut shards);
            worker.run(Plan::Several(&shards), |unit| {
                let failed = unit.watch_failed(&watcher);
                if transactions == 0 {
                    unit.unwatch(&watcher);
                }
                if !failed {
                    assert_eq!(
                        get(unit, &k[0]),
                        seen,
                        "a write came between WATCH and EXEC"
                    );
                    add(unit, &k[0], 100);
                    transactions += 1;
                }
            });
            store.unwatch(&watcher);
        }
        writers
            .into_iter()
            .for_each(|t| t.join().expect("no model thread panics"));
        assert_eq!(worker.narrow(&k[0], |unit| get(unit, &k[0])), 202);
    });
}

#[test]
fn a_cut_is_one_moment_and_stays_it() {
    check(|| {
        let store = store(3);
        let k = Arc::new(keys(&store));
        let writers: Vec<_> = (0..2)
            .map(|index| {
                let (mut worker, k) = (Worker::new(&store, index), Arc::clone(&k));
                thread::spawn(move || {
                    for (from, to) in [(0, 1), (1, 2)] {
                        worker.several(&[&k[from], &k[to]], |unit| {
                            add(unit, &k[from], -1);
                            add(unit, &k[to], 1);
                        });
                    }
                })
            })
            .collect();
        let mut worker = Worker::new(&store, 2);
        for _ in 0..2 {
            let cut = loop {
                match worker.run(Plan::OneByOne, |unit| unit.cut()) {
                    Ok(cut) => break cut,
                    Err(store::Busy) => thread::yield_now(),
                }
            };
            let sum = || -> i64 {
                let int = |e: store::EntryRef<'_>| e.string().expect("a string").as_int();
                cut.iter(0).map(|e| int(e).expect("an integer")).sum()
            };
            assert_eq!(sum(), 0, "half a transfer is in the cut");
            thread::yield_now();
            assert_eq!(sum(), 0, "a later write is in the cut");
        }
        writers
            .into_iter()
            .for_each(|t| t.join().expect("no model thread panics"));
    });
}

/// What `edit` may fail with.
#[derive(Debug)]
struct Failed;

impl From<WrongType> for Failed {
    fn from(_: WrongType) -> Self {
        Failed
    }
}

impl From<Refused> for Failed {
    fn from(_: Refused) -> Self {
        Failed
    }
}

/// Takes one member out of the set under `key`, if there is one.
fn pop(unit: &mut Unit<'_>, key: &str) -> bool {
    let key = unit.key(key.as_bytes());
    let Slot::Occupied(mut at) = unit.slot(key) else {
        return false;
    };
    let is_empty = at.edit(|set: &mut Set| {
        let member = set
            .iter()
            .next()
            .expect("no key holds an empty set")
            .to_vec();
        assert!(set.remove(&member));
        Ok::<_, Failed>((set.is_empty(), true))
    });
    if is_empty.expect("it is a set") {
        assert!(unit.remove(key));
    }
    true
}

/// Adds a member, then serves those who wait for the key, first come first served.
fn push(unit: &mut Unit<'_>, key: &str, member: &str, served: &std::sync::Mutex<Vec<u64>>) {
    let limits = Limits::default();
    let at = unit.key(key.as_bytes());
    match unit.slot(at) {
        Slot::Vacant(at) => {
            let mut set = Set::for_members(member.as_bytes(), 1, &limits);
            set.add(member.as_bytes(), &limits).expect("memory");
            at.insert(set, None).expect("memory");
        }
        Slot::Occupied(mut at) => at
            .edit(|set: &mut Set| Ok::<_, Failed>(((), set.add(member.as_bytes(), &limits)?)))
            .expect("it is a set"),
    }
    while let Some(ready) = unit.take_ready() {
        for waiter in unit.waiters(&ready) {
            thread::yield_now();
            if unit.may_serve(&waiter, &ready) && pop(unit, key) {
                unit.unwait(&waiter);
                served.lock().expect("no panic").push(waiter.id);
            }
        }
    }
}

/// Nobody who waits is forgotten, and nothing is popped twice: two pop or wait, two push.
#[test]
fn whoever_waits_is_served_once() {
    check(|| {
        let store = store(4);
        let key = keys(&store)[1].clone();
        let served = Arc::new(std::sync::Mutex::new(Vec::new()));
        let poppers = [0, 1].map(|index| {
            let (store, key, served) = (Arc::clone(&store), key.clone(), Arc::clone(&served));
            thread::spawn(move || {
                let mut worker = Worker::new(&store, index);
                worker.narrow(&key, |unit| {
                    if pop(unit, &key) {
                        served.lock().expect("no panic").push(index as u64);
                    } else {
                        let at = unit.key(key.as_bytes());
                        let waiter = Waiter::new(index as u64, Kind::Set, false, 0, &[at], &[]);
                        unit.wait(&waiter);
                    }
                });
            })
        });
        let pushers = [2, 3].map(|index| {
            let (store, key, served) = (Arc::clone(&store), key.clone(), Arc::clone(&served));
            thread::spawn(move || {
                let mut worker = Worker::new(&store, index);
                worker.narrow(&key, |unit| push(unit, &key, &index.to_string(), &served));
            })
        });
        for thread in poppers.into_iter().chain(pushers) {
            thread.join().expect("no panic");
        }
        let mut served = served.lock().expect("no panic").clone();
        served.sort_unstable();
        assert_eq!(served, [0, 1], "each once");
        let mut worker = Worker::new(&store, 0);
        worker.narrow(&key, |unit| assert!(!pop(unit, &key), "nothing is left"));
    });
}

/// Two workers evict by deadline while a third takes the deadline of one key away, and a fourth cuts.
/// What was persisted stays; each removal is told once; the cut loses nothing.
#[test]
fn eviction_takes_each_key_once_and_none_that_may_stay() {
    check(|| {
        let store = store(4);
        let keys = Arc::new(keys(&store));
        let mut first = Worker::new(&store, 0);
        for (n, key) in keys.iter().enumerate() {
            first.narrow(key, |unit| {
                let Slot::Vacant(place) = unit.slot(unit.key(key.as_bytes())) else {
                    unreachable!("the store is empty")
                };
                place
                    .insert_string(NewStr::Int(1), Some(1_000 + n as i64))
                    .expect("memory");
            });
        }
        let evictors: Vec<_> = [1, 2]
            .map(|index| {
                let store = Arc::clone(&store);
                thread::spawn(move || {
                    let (mut scratch, mut pool) = (Scratch::new(), EvictionPool::default());
                    let limits = EvictionLimits {
                        policy: EvictionPolicy {
                            volatile: true,
                            order: EvictionOrder::Ttl,
                        },
                        samples: 2,
                    };
                    let mut removed = 0;
                    // As a worker does: a slice, then others' turn.
                    for _ in 0..3 {
                        let turn = Turn::new(index, 0, 0, &mut scratch);
                        let mut left = 2;
                        let done = store.evict(turn, limits, &mut pool, |_| {
                            left -= 1;
                            left >= 0
                        });
                        removed += done.removed;
                        if done.end == EvictionEnd::NothingLeft {
                            break;
                        }
                        thread::yield_now();
                    }
                    removed
                })
            })
            .into();
        // The key whose deadline is first: the one that both want.
        let persister = {
            let (mut worker, keys) = (Worker::new(&store, 3), Arc::clone(&keys));
            thread::spawn(move || {
                worker.narrow(&keys[0], |unit| {
                    match unit.slot(unit.key(keys[0].as_bytes())) {
                        Slot::Occupied(mut place) => {
                            place.set_deadline(None).expect("memory");
                            true
                        }
                        Slot::Vacant(_) => false,
                    }
                })
            })
        };
        let cut = first.run(Plan::OneByOne, |unit| unit.cut());
        let in_cut = cut.map(|cut| cut.iter(0).count());
        let removed: u64 = evictors
            .into_iter()
            .map(|evictor| evictor.join().expect("it ends"))
            .sum();
        let persisted = persister.join().expect("it ends");
        let there = first.narrow(&keys[0], |unit| get(unit, &keys[0]) == 1);
        assert!(there || !persisted, "what was persisted has been evicted");
        let left = store.keys(0);
        assert_eq!(left + removed, SHARDS as u64, "each key goes once");
        assert_eq!(store.stats().evicted_keys, removed);
        if let Ok(in_cut) = in_cut {
            assert!(in_cut as u64 >= left, "a cut has what was there");
        }
        assert_eq!(store.snapshot_bytes(), 0, "no cut lives");
    });
}
