//! The bytes that only snapshots hold: they come with the first writes behind a cut and go with the cut.
//!
//! One test, because the figure is the process's.

#![cfg(not(feature = "model"))]

mod support;

use collections::table::{Slot, Table, frozen_bytes};
use std::sync::Arc;
use std::sync::atomic::AtomicIsize;
use support::{Counter, Item, LEFT_BYTES, Mix, hash};

const MIX: Mix = Mix::Good(21);
const KEYS: u64 = 20_000;

fn replace(table: &mut Table<Item>, counter: &Counter, key: u64) {
    match table.entry(hash(key, MIX), &key) {
        Slot::Occupied(mut at) => drop(at.replace(Item::new(counter, key, 1, None))),
        Slot::Vacant(at) => drop(at.insert(Item::new(counter, key, 1, None))),
    }
}

fn remove(table: &mut Table<Item>, key: u64) {
    if let Slot::Occupied(at) = table.entry(hash(key, MIX), &key) {
        drop(at.remove());
    }
}

#[test]
fn what_only_snapshots_hold() {
    let counter: Counter = Arc::new(AtomicIsize::new(0));
    let mut table = Table::new(MIX);
    for key in 0..KEYS {
        table.insert_new(hash(key, MIX), Item::new(&counter, key, 0, None));
    }
    assert_eq!(frozen_bytes(), 0);

    // Each segment and each element counts once, however many cuts hold it.
    let structure = table.heap_bytes();
    let cuts = [table.snapshot(), table.snapshot()];
    assert_eq!(frozen_bytes(), 0);
    (0..KEYS).for_each(|key| replace(&mut table, &counter, key));
    let elements = KEYS as usize * LEFT_BYTES / 2;
    let held = frozen_bytes() - elements;
    assert!(
        held > structure * 9 / 10 && held <= structure,
        "{held} of {structure}"
    );
    (0..KEYS).for_each(|key| replace(&mut table, &counter, key));
    assert_eq!(frozen_bytes(), elements + held, "these nobody else has");
    let [first, mut second] = cuts;
    drop(first);
    assert_eq!(frozen_bytes(), elements + held);
    // What a reader lets go of counts no more.
    drop(second.take_next_chunk());
    assert!(frozen_bytes() < elements + held);
    drop(second);
    assert_eq!(frozen_bytes(), 0);

    // A cut of what was written behind another cut: the elements go on to the older one.
    let older = table.snapshot();
    (0..KEYS / 2).for_each(|key| remove(&mut table, key));
    let removed = frozen_bytes();
    assert!(removed >= KEYS as usize / 2 * LEFT_BYTES);
    let newer = table.snapshot();
    (0..KEYS).for_each(|key| remove(&mut table, key));
    drop(newer);
    let both = frozen_bytes();
    assert!(both >= KEYS as usize * LEFT_BYTES && both < KEYS as usize * LEFT_BYTES * 11 / 10);
    drop(older);
    assert_eq!(frozen_bytes(), 0);
    drop(table);
    assert_eq!(frozen_bytes(), 0);
    // Relaxed: nobody else counts any more.
    assert_eq!(counter.load(std::sync::atomic::Ordering::Relaxed), 0);
}
