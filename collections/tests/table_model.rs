//! The table against std maps: random operations of every kind, with snapshots that are cut, read,
//! partly released and dropped in between, scans that run across splits and merges, and the books
//! of deadlines and write numbers. At the end no element may be left over.

#![cfg(not(feature = "model"))]

mod support;

use collections::table::{FrozenChunk, Slot, Snapshot, Table};
use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, Ordering};
use support::{Counter, Item, Mix, hash, split_mix};

type Map = HashMap<u64, (u64, Option<i64>)>;

struct Scan {
    position: u64,
    /// There since the beginning, and not removed: each must be met.
    staying: HashSet<u64>,
    met: HashMap<u64, u32>,
    /// Removed or put in meanwhile: may be met more than once.
    touched: HashSet<u64>,
}

struct World {
    random: u64,
    counter: Counter,
    mix: Mix,
    table: Table<Item>,
    map: Map,
    snapshots: Vec<(Snapshot<Item>, Map)>,
    chunks: Vec<(FrozenChunk<Item>, Map)>,
    taken: Vec<(Table<Item>, Map)>,
    scan: Option<Scan>,
    writes: HashMap<u64, u64>,
    write: u64,
    keys: u64,
    scans_done: usize,
    expired_visited: usize,
}

fn equal<'a>(entries: impl Iterator<Item = &'a support::Body>, map: &Map, what: &str) {
    let mut seen = HashSet::new();
    for body in entries {
        assert!(seen.insert(body.key), "{what}: {} twice", body.key);
        assert_eq!(
            Some(&body.get()),
            map.get(&body.key),
            "{what}: key {}",
            body.key
        );
    }
    assert_eq!(seen.len(), map.len(), "{what}: count");
}

impl World {
    fn new(seed: u64, mix: Mix, keys: u64) -> Self {
        Self {
            random: seed,
            counter: Arc::new(AtomicIsize::new(0)),
            mix,
            table: Table::new(mix),
            map: Map::new(),
            snapshots: Vec::new(),
            chunks: Vec::new(),
            taken: Vec::new(),
            scan: None,
            writes: HashMap::new(),
            write: 0,
            keys,
            scans_done: 0,
            expired_visited: 0,
        }
    }

    fn below(&mut self, n: u64) -> u64 {
        split_mix(&mut self.random) % n
    }

    fn deadline(&mut self) -> Option<i64> {
        (self.below(4) == 0).then(|| i64::try_from(self.below(1000)).expect("small"))
    }

    fn wrote(&mut self, key: u64) {
        self.write += 1;
        self.table.note_write(hash(key, self.mix), self.write);
        self.writes.insert(key, self.write);
    }

    fn put(&mut self, key: u64) {
        let value = split_mix(&mut self.random);
        let deadline = self.deadline();
        let how = self.below(4);
        let old = self.map.get(&key).copied();
        match self.table.entry(hash(key, self.mix), &key) {
            Slot::Vacant(slot) => {
                assert_eq!(old, None);
                let body = slot.insert(Item::new(&self.counter, key, value, deadline));
                assert_eq!(body.get(), (value, deadline));
                if let Some(scan) = &mut self.scan {
                    scan.touched.insert(key);
                }
            }
            Slot::Occupied(mut slot) => {
                assert_eq!(Some(slot.get().get()), old);
                let shared = slot.is_shared();
                // In place where the table allows it; its refusal is exactly `is_shared`.
                let done = match how {
                    0 => slot
                        .get_mut()
                        .map(|b| (b.value, b.deadline) = (value, deadline))
                        .is_some(),
                    1 => slot
                        .modify(|item| {
                            item.relocate();
                            let b = item.body_mut();
                            (b.value, b.deadline) = (value, deadline);
                        })
                        .is_some(),
                    _ => false,
                };
                assert_eq!(done, how < 2 && !shared);
                if done && how == 0 {
                    slot.deadline_changed();
                }
                if !done {
                    let given = slot.replace(Item::new(&self.counter, key, value, deadline));
                    assert!(given.is_some() || shared, "what nobody shares comes back");
                    assert!(given.is_none_or(|item| Some(item.body().get()) == old));
                }
                assert_eq!(slot.get().get(), (value, deadline));
            }
        }
        self.map.insert(key, (value, deadline));
        self.wrote(key);
    }

    fn remove(&mut self, key: u64) {
        let old = self.map.remove(&key);
        match self.table.entry(hash(key, self.mix), &key) {
            Slot::Vacant(_) => assert_eq!(old, None),
            Slot::Occupied(slot) => {
                assert_eq!(Some(slot.get().get()), old);
                if let Some(item) = slot.remove() {
                    assert_eq!(Some(item.body().get()), old);
                }
                self.wrote(key);
                if let Some(scan) = &mut self.scan {
                    scan.staying.remove(&key);
                    scan.touched.insert(key);
                }
            }
        }
    }

    fn scan_step(&mut self) {
        let mut scan = self.scan.take().unwrap_or_else(|| Scan {
            position: 0,
            staying: self.map.keys().copied().collect(),
            met: HashMap::new(),
            touched: HashSet::new(),
        });
        let count = 1 + self.below(400);
        let mut seen = 0;
        let mut last = None;
        let next = self.table.scan(scan.position, |body| {
            let at = hash(body.key, self.mix).position();
            assert!(
                at >= scan.position && last.is_none_or(|l| l <= at),
                "in order"
            );
            assert!(
                seen < count || last == Some(at),
                "no more than equal positions after a stop"
            );
            last = Some(at);
            seen += 1;
            *scan.met.entry(body.key).or_default() += 1;
            assert!(self.map.contains_key(&body.key));
            if seen >= count {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        if let Some(next) = next {
            assert!(next > scan.position);
            scan.position = next;
            self.scan = Some(scan);
            return;
        }
        self.scans_done += 1;
        for key in &scan.staying {
            let times = scan.met.get(key).copied().unwrap_or(0);
            assert!(times >= 1, "{key} was there all the time and was not met");
            assert!(
                times == 1 || scan.touched.contains(key),
                "{key} was met {times} times"
            );
        }
    }

    fn expire(&mut self) {
        let now = i64::try_from(self.below(1000)).expect("small");
        let expected: HashSet<u64> = self
            .map
            .iter()
            .filter(|(_, v)| v.1.is_some_and(|d| d <= now))
            .map(|e| *e.0)
            .collect();
        let limit = 1 + usize::try_from(self.below(300)).expect("small");
        let mut cursor = 0;
        let mut seen = HashSet::new();
        loop {
            let visit = self.table.visit_expired(now, limit, &mut cursor, |body| {
                assert!(seen.insert(body.key));
            });
            if visit.finished {
                assert_eq!(cursor, 0);
                break;
            }
        }
        assert_eq!(seen, expected);
        self.expired_visited += seen.len();
        if self.below(2) == 0 {
            for key in seen {
                self.remove(key);
            }
        }
    }

    fn snapshots(&mut self) {
        match self.below(8) {
            0 | 1 if self.snapshots.len() < 4 => {
                self.snapshots
                    .push((self.table.snapshot(), self.map.clone()));
            }
            2 | 3 if !self.snapshots.is_empty() => {
                let i = self.pick(self.snapshots.len());
                let (snapshot, map) = &mut self.snapshots[i];
                equal(snapshot.iter(), map, "snapshot");
                let Some(chunk) = snapshot.take_next_chunk() else {
                    return;
                };
                let mut part = Map::new();
                for body in chunk.iter() {
                    let value = map.remove(&body.key).expect("only what is left");
                    part.insert(body.key, value);
                }
                equal(chunk.iter(), &part, "chunk");
                assert_eq!((chunk.len(), snapshot.len()), (part.len(), map.len()));
                equal(snapshot.iter(), map, "rest of a snapshot");
                self.chunks.push((chunk, part));
            }
            4 if !self.chunks.is_empty() => {
                let i = self.pick(self.chunks.len());
                let (chunk, map) = self.chunks.swap_remove(i);
                equal(chunk.iter(), &map, "chunk at its end");
            }
            5 if !self.snapshots.is_empty() => {
                let i = self.pick(self.snapshots.len());
                let (snapshot, map) = self.snapshots.swap_remove(i);
                equal(snapshot.iter(), &map, "snapshot at its end");
            }
            6 if !self.taken.is_empty() => {
                let i = self.pick(self.taken.len());
                let (table, map) = self.taken.swap_remove(i);
                table.check();
                equal(table.iter(), &map, "taken table");
            }
            7 if self.below(12) == 0 => {
                let table = self.table.take();
                assert!(self.table.is_empty() && self.table.heap_bytes() == 0);
                self.taken.push((table, std::mem::take(&mut self.map)));
                self.write += 1;
                self.table.note_write_everywhere(self.write);
                self.scan = None;
            }
            _ => {}
        }
    }

    fn pick(&mut self, n: usize) -> usize {
        usize::try_from(self.below(n as u64)).expect("below a usize")
    }

    fn check(&mut self) {
        self.table.check();
        equal(self.table.iter(), &self.map, "table");
        assert_eq!(self.table.len(), self.map.len());
        let deadlines: Vec<i64> = self.map.values().filter_map(|v| v.1).collect();
        assert_eq!(self.table.ttl_len(), deadlines.len());
        let bound = self.table.earliest_deadline();
        assert_eq!(bound.is_some(), !deadlines.is_empty());
        assert!(
            deadlines
                .iter()
                .all(|d| bound.expect("there are some") <= *d)
        );
        for (key, number) in &self.writes {
            assert!(
                self.table.last_write(hash(*key, self.mix)) >= *number,
                "write of {key}"
            );
        }
        let random = split_mix(&mut self.random);
        let any = self.table.random(random).map(|b| b.key);
        assert!(any.map_or(self.map.is_empty(), |key| self.map.contains_key(&key)));
        let ttl = self.table.random_with_ttl(random);
        assert!(ttl.map_or(deadlines.is_empty(), |body| body.deadline.is_some()));
        for with_ttl in [false, true] {
            let there = if with_ttl {
                deadlines.len()
            } else {
                self.map.len()
            };
            let seen = self.table.sample(random, 5, with_ttl, |body| {
                assert!(!with_ttl || body.deadline.is_some());
            });
            assert!((seen == 0) == (there == 0) && seen <= 5);
        }
        for key in 0..self.keys.min(200) {
            let found = self
                .table
                .find(hash(key, self.mix), &key)
                .map(support::Body::get);
            assert_eq!(found, self.map.get(&key).copied());
        }
    }

    fn run(mut self, steps: u64) {
        for step in 0..steps {
            // Tides: growing, churning, shrinking.
            let puts = [9, 5, 2][usize::try_from(step * 9 / steps % 3).expect("small")];
            let key = self.below(self.keys);
            if self.below(10) < puts {
                self.put(key);
            } else {
                self.remove(key);
            }
            match self.below(64) {
                0..3 => self.scan_step(),
                3 if self.below(8) == 0 => self.expire(),
                4..7 if self.below(4) == 0 => self.snapshots(),
                7 if self.below(16) == 0 => self.check(),
                _ => {}
            }
        }
        self.check();
        assert!(
            self.scans_done > 0 && self.expired_visited > 0,
            "the test did its work"
        );
        // All lets go, in random order.
        let Self {
            table,
            snapshots,
            chunks,
            taken,
            counter,
            mut random,
            ..
        } = self;
        let mut rest: Vec<Box<dyn std::any::Any>> = vec![Box::new(table)];
        rest.extend(
            snapshots
                .into_iter()
                .map(|s| Box::new(s.0) as Box<dyn std::any::Any>),
        );
        rest.extend(
            chunks
                .into_iter()
                .map(|s| Box::new(s.0) as Box<dyn std::any::Any>),
        );
        rest.extend(
            taken
                .into_iter()
                .map(|s| Box::new(s.0) as Box<dyn std::any::Any>),
        );
        while !rest.is_empty() {
            let i = usize::try_from(split_mix(&mut random) % rest.len() as u64).expect("small");
            rest.swap_remove(i);
        }
        assert_eq!(counter.load(Ordering::Relaxed), 0, "elements left over");
    }
}

#[test]
fn small_tables() {
    for seed in 0..60 {
        World::new(seed, Mix::Good(seed), 40 + seed * 10).run(8_000);
    }
}

#[test]
fn colliding_hashes() {
    for seed in 100..120 {
        World::new(seed, Mix::Poor(seed), 700).run(8_000);
    }
}

#[test]
fn several_chunks() {
    World::new(200, Mix::Good(200), 60_000).run(150_000);
}
