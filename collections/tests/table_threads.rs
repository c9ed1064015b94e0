//! Snapshots read and dropped on other threads while the writer goes on; made for ThreadSanitizer
//! and AddressSanitizer as much as for its assertions.

#![cfg(not(feature = "model"))]

mod support;

use collections::table::{Slot, Snapshot, Table};
use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, Ordering};
use std::sync::mpsc;
use support::{Counter, Item, Mix, hash, split_mix};

const KEYS: u64 = 20_000;
const MIX: Mix = Mix::Good(11);

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

/// Reads a snapshot chunk by chunk, letting go of each; all its values belong to one `round`.
fn read(mut snapshot: Snapshot<Item>, expected_len: usize, expected_sum: u64) {
    let (mut len, mut sum) = (0, 0_u64);
    while let Some(chunk) = snapshot.take_next_chunk() {
        for body in chunk.iter() {
            len += 1;
            sum = sum.wrapping_add(body.get().0 ^ body.key);
        }
    }
    assert_eq!(
        (len, sum),
        (expected_len, expected_sum),
        "as it was at the cut"
    );
}

#[test]
fn readers_see_the_cut_while_the_writer_goes_on() {
    let counter: Counter = Arc::new(AtomicIsize::new(0));
    let mut table = Table::<Item>::new(MIX);
    let mut random = 5;
    for key in 0..KEYS {
        put(&mut table, &counter, key, key);
    }
    std::thread::scope(|scope| {
        let mut readers = Vec::new();
        for _ in 0..3 {
            let (to, from) = mpsc::sync_channel::<(Snapshot<Item>, usize, u64)>(1);
            scope.spawn(move || {
                for (snapshot, len, sum) in from {
                    read(snapshot, len, sum);
                }
            });
            readers.push(to);
        }
        for round in 0..60_u64 {
            for _ in 0..4_000 {
                let key = split_mix(&mut random) % KEYS;
                if !split_mix(&mut random).is_multiple_of(4) {
                    put(&mut table, &counter, key, split_mix(&mut random));
                } else if let Slot::Occupied(slot) = table.entry(hash(key, MIX), &key) {
                    drop(slot.remove());
                }
            }
            let sum = table
                .iter()
                .fold(0, |sum: u64, b| sum.wrapping_add(b.get().0 ^ b.key));
            let cut = (table.snapshot(), table.len(), sum);
            // Whoever is free gets it; if nobody is, it is dropped here, beside the others' drops.
            if let Err(mpsc::TrySendError::Disconnected(_)) =
                readers[usize::try_from(round % 3).expect("small")].try_send(cut)
            {
                unreachable!("readers live until their sender is dropped");
            }
        }
        // As FLUSHALL: the live side goes first, while readers are still at it.
        drop(table.take());
    });
    assert_eq!(counter.load(Ordering::Relaxed), 0, "elements left over");
}
