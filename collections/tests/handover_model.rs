//! The copy-on-write protocol under shuttle: a writer that replaces, removes and empties, while
//! other threads read and drop snapshots that overlap. Every interleaving must read what was there
//! at the cut, leave nothing over and free nothing twice.
//!
//! `cargo nextest run -p collections --features model`
//!
//! The tables are tiny (one segment of a few entries), because the protocol is about one segment and
//! its copies; what splits do to marks and links is in `split_while_shared`.

#![cfg(feature = "model")]

mod support;

use collections::table::{Slot, Snapshot, Table};
use shuttle::thread;
use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, Ordering};
use support::{Counter, Item, Mix, hash};

const MIX: Mix = Mix::Good(3);
const ITERATIONS: usize = 20_000;

fn put(table: &mut Table<Item>, counter: &Counter, key: u64, value: u64) {
    match table.entry(hash(key, MIX), &key) {
        Slot::Vacant(slot) => {
            slot.insert(Item::new(counter, key, value, None));
        }
        Slot::Occupied(mut slot) => {
            if let Some(body) = slot.get_mut() {
                body.value = value;
            } else {
                drop(slot.replace(Item::new(counter, key, value, None)));
            }
        }
    }
}

fn remove(table: &mut Table<Item>, key: u64) {
    if let Slot::Occupied(slot) = table.entry(hash(key, MIX), &key) {
        drop(slot.remove());
    }
}

/// The content as sorted pairs.
fn content<'a>(entries: impl Iterator<Item = &'a support::Body>) -> Vec<(u64, u64)> {
    let mut all: Vec<_> = entries.map(|b| (b.key, b.get().0)).collect();
    all.sort_unstable();
    all
}

/// A cut together with what it must hold.
struct Cut {
    snapshot: Snapshot<Item>,
    expected: Vec<(u64, u64)>,
}

fn cut(table: &Table<Item>) -> Cut {
    Cut {
        snapshot: table.snapshot(),
        expected: content(table.iter()),
    }
}

impl Cut {
    fn read_and_drop(self) {
        assert_eq!(content(self.snapshot.iter()), self.expected);
        thread::yield_now();
        drop(self.snapshot);
    }
}

fn check(scenario: impl Fn(&Counter) + Send + Sync + 'static) {
    let run = move || {
        let counter: Counter = Arc::new(AtomicIsize::new(0));
        scenario(&counter);
        assert_eq!(counter.load(Ordering::Relaxed), 0, "elements left over");
    };
    let run = Arc::new(run);
    let (random, pct) = (Arc::clone(&run), run);
    shuttle::check_random(move || random(), ITERATIONS);
    shuttle::check_pct(move || pct(), ITERATIONS, 3);
}

fn filled(counter: &Counter, keys: u64) -> Table<Item> {
    let mut table = Table::new(MIX);
    for key in 0..keys {
        put(&mut table, counter, key, 0);
    }
    table
}

#[test]
fn a_reader_lets_go_while_the_writer_replaces() {
    check(|counter| {
        let mut table = filled(counter, 3);
        let first = cut(&table);
        let reader = thread::spawn(move || first.read_and_drop());
        for value in 1..3 {
            put(&mut table, counter, 0, value);
            put(&mut table, counter, 1, value);
            remove(&mut table, 2);
        }
        table.check();
        assert_eq!(content(table.iter()), [(0, 2), (1, 2)]);
        drop(table);
        reader.join().expect("the reader's assertions hold");
    });
}

#[test]
fn live_side_goes_first() {
    check(|counter| {
        let mut table = filled(counter, 3);
        let first = cut(&table);
        put(&mut table, counter, 0, 1);
        let second = cut(&table);
        put(&mut table, counter, 1, 1);
        let readers = [first, second].map(|c| thread::spawn(move || c.read_and_drop()));
        // As FLUSHALL does it.
        drop(table.take());
        put(&mut table, counter, 7, 7);
        for reader in readers {
            reader.join().expect("the reader's assertions hold");
        }
        assert_eq!(content(table.iter()), [(7, 7)]);
        drop(table);
    });
}

#[test]
fn three_overlapping_snapshots() {
    check(|counter| {
        let mut table = filled(counter, 4);
        let mut readers = Vec::new();
        for round in 1..4 {
            let cut = cut(&table);
            readers.push(thread::spawn(move || cut.read_and_drop()));
            // Each round replaces another entry, so marks differ along the chain.
            put(&mut table, counter, round, round);
            remove(&mut table, round - 1);
        }
        put(&mut table, counter, 3, 9);
        table.check();
        assert_eq!(content(table.iter()), [(3, 9)]);
        for reader in readers {
            reader.join().expect("the reader's assertions hold");
        }
        // Whatever order they went in: now the table owns all it has and changes it in place.
        put(&mut table, counter, 3, 10);
        assert_eq!(content(table.iter()), [(3, 10)]);
        drop(table);
    });
}

#[test]
fn middle_of_the_chain_goes_while_both_ends_live() {
    check(|counter| {
        let mut table = filled(counter, 3);
        let oldest = cut(&table);
        put(&mut table, counter, 0, 1);
        let middle = cut(&table);
        put(&mut table, counter, 1, 2);
        let dropper = thread::spawn(move || middle.read_and_drop());
        put(&mut table, counter, 2, 3);
        put(&mut table, counter, 0, 3);
        assert_eq!(content(oldest.snapshot.iter()), oldest.expected);
        dropper.join().expect("the reader's assertions hold");
        // Key 2 may still be held by the oldest; nothing may be freed under it.
        remove(&mut table, 1);
        remove(&mut table, 2);
        oldest.read_and_drop();
        assert_eq!(content(table.iter()), [(0, 3)]);
        drop(table);
    });
}

#[test]
fn the_same_cut_twice() {
    check(|counter| {
        let mut table = filled(counter, 2);
        let readers = [cut(&table), cut(&table)].map(|c| thread::spawn(move || c.read_and_drop()));
        put(&mut table, counter, 0, 1);
        let third = cut(&table);
        put(&mut table, counter, 0, 2);
        put(&mut table, counter, 1, 2);
        third.read_and_drop();
        for reader in readers {
            reader.join().expect("the reader's assertions hold");
        }
        drop(table);
    });
}

#[test]
fn split_while_shared() {
    let run = || {
        let counter: Counter = Arc::new(AtomicIsize::new(0));
        // One entry short of a split.
        let mut table = filled(&counter, 56);
        let first = cut(&table);
        let reader = thread::spawn(move || first.read_and_drop());
        put(&mut table, &counter, 100, 1);
        let second = cut(&table);
        let other = thread::spawn(move || second.read_and_drop());
        for key in 0..8 {
            put(&mut table, &counter, key, 2);
            remove(&mut table, key + 10);
        }
        table.check();
        drop(table);
        reader.join().expect("the reader's assertions hold");
        other.join().expect("the reader's assertions hold");
        assert_eq!(counter.load(Ordering::Relaxed), 0, "elements left over");
    };
    shuttle::check_random(run, 2_000);
}
