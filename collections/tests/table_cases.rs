//! Single cases of the table that the random model does not pin down: what is *not* done (copying,
//! looking), what survives merges, and whether chance is fair.

#![cfg(not(feature = "model"))]

mod support;

use collections::table::{Occupied, Slot, Table};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicIsize;
use support::{Counter, Item, Mix, hash};

const MIX: Mix = Mix::Good(21);

fn filled(keys: u64, deadline: impl Fn(u64) -> Option<i64>) -> (Table<Item>, Counter) {
    let counter: Counter = Arc::new(AtomicIsize::new(0));
    let mut table = Table::new(MIX);
    for key in 0..keys {
        table.insert_new(hash(key, MIX), Item::new(&counter, key, 0, deadline(key)));
    }
    (table, counter)
}

fn occupied(table: &mut Table<Item>, key: u64) -> Occupied<'_, Item> {
    match table.entry(hash(key, MIX), &key) {
        Slot::Occupied(slot) => slot,
        Slot::Vacant(_) => panic!("key {key} is there"),
    }
}

#[test]
fn looking_copies_nothing_and_a_write_copies_one_segment() {
    let (mut table, counter) = filled(10_000, |_| None);
    let snapshot = table.snapshot();
    for key in 0..10_000 {
        assert!(table.find(hash(key, MIX), &key).is_some());
        let mut slot = occupied(&mut table, key);
        assert!(slot.is_shared() && slot.get_mut().is_none());
        assert!(slot.modify(|_| ()).is_none());
    }
    assert_eq!(table.copied_bytes(), 0);
    let given = occupied(&mut table, 5).replace(Item::new(&counter, 5, 1, None));
    assert!(given.is_none(), "handed over");
    // The chunk's 180 pointers and one segment.
    assert!(
        (1000..4000).contains(&table.copied_bytes()),
        "{}",
        table.copied_bytes()
    );
    assert!(
        occupied(&mut table, 5).get_mut().is_some(),
        "the new one is the table's own"
    );
    drop(snapshot);
}

#[test]
fn in_place_again_once_the_snapshot_is_gone() {
    let (mut table, counter) = filled(3_000, |_| None);
    let (older, newer) = (table.snapshot(), table.snapshot());
    drop(occupied(&mut table, 1).replace(Item::new(&counter, 1, 1, None)));
    let newest = table.snapshot();
    drop(occupied(&mut table, 2).replace(Item::new(&counter, 2, 1, None)));
    drop(newest);
    drop(older);
    assert!(occupied(&mut table, 3).is_shared(), "one snapshot is left");
    drop(newer);
    let copied = table.copied_bytes();
    for key in 0..3_000 {
        assert!(occupied(&mut table, key).get_mut().is_some(), "{key}");
        assert!(!occupied(&mut table, key).is_shared());
    }
    assert_eq!(table.copied_bytes(), copied);
}

#[test]
fn a_chunk_that_was_let_go_is_not_copied() {
    let (mut table, counter) = filled(40_000, |_| None);
    let mut snapshot = table.snapshot();
    let first = snapshot
        .take_next_chunk()
        .expect("40,000 entries are several chunks");
    let keys: Vec<u64> = first.iter().map(|body| body.key).collect();
    assert!(keys.len() > 5_000 && snapshot.len() == 40_000 - keys.len());
    drop(first);
    for key in keys {
        let old = occupied(&mut table, key).replace(Item::new(&counter, key, 1, None));
        assert!(old.is_some(), "nobody else has it");
    }
    assert_eq!(table.copied_bytes(), 0);
}

#[test]
fn write_numbers_survive_splits_and_merges() {
    let (mut table, counter) = filled(0, |_| None);
    let mut number = 0;
    let mut last = HashMap::new();
    let mut note = |table: &mut Table<Item>, key: u64| {
        number += 1;
        table.note_write(hash(key, MIX), number);
        last.insert(key, number);
        number
    };
    for key in 0..5_000 {
        table.insert_new(hash(key, MIX), Item::new(&counter, key, 0, None));
        note(&mut table, key);
    }
    // From the newest to the oldest, so that a segment merged away may have the larger number.
    for key in (0..5_000).rev() {
        note(&mut table, key);
    }
    for key in 0..5_000 {
        drop(occupied(&mut table, key).remove());
    }
    assert!(
        table.is_empty() && table.heap_bytes() < 400,
        "{}",
        table.heap_bytes()
    );
    for (key, number) in last {
        assert!(table.last_write(hash(key, MIX)) >= number, "key {key}");
    }
    table.note_write_everywhere(1 << 40);
    assert_eq!(table.last_write(hash(77, MIX)), 1 << 40);
    drop(table.take());
    assert_eq!(table.last_write(hash(78, MIX)), 1 << 40);
}

#[test]
fn expiry_looks_only_where_something_is_due() {
    // One key in a thousand has a deadline.
    let (mut table, _counter) = filled(30_000, |key| {
        (key % 1000 == 0).then(|| i64::try_from(key).expect("small"))
    });
    assert_eq!((table.ttl_len(), table.earliest_deadline()), (30, Some(0)));
    let mut cursor = 0;
    let visit = table.visit_expired(-1, 1000, &mut cursor, |_| panic!("nothing is due"));
    assert_eq!((visit.looked_at, visit.finished), (0, true));
    let mut keys = Vec::new();
    let visit = table.visit_expired(9_000, 1000, &mut cursor, |body| keys.push(body.key));
    assert_eq!((visit.found, keys.len()), (10, 10));
    assert!(
        visit.looked_at < 20,
        "segments without anything due are passed over"
    );
    for key in keys {
        drop(occupied(&mut table, key).remove());
    }
    // The bounds of those ten segments are out of date once; then they are right.
    let _ = table.visit_expired(9_000, 1000, &mut cursor, |_| panic!("they are gone"));
    let visit = table.visit_expired(9_000, 1000, &mut cursor, |_| panic!("they are gone"));
    assert_eq!(visit.looked_at, 0);
    assert_eq!(table.earliest_deadline(), Some(10_000));
    // A small limit comes to the end in several calls.
    let (mut calls, mut found) = (0, 0);
    while {
        let visit = table.visit_expired(1 << 40, 5, &mut cursor, |_| ());
        (calls, found) = (calls + 1, found + visit.found);
        !visit.finished
    } {}
    assert!(found == 20 && calls >= 4, "{found} in {calls} calls");
}

#[test]
fn chance_is_fair() {
    const KEYS: u64 = 500;
    const DRAWS: u64 = 200_000;
    let (mut table, _counter) = filled(KEYS, |key| (key < 20).then_some(1));
    let check = |table: &Table<Item>, with_ttl: bool, keys: u64| {
        let mut times = HashMap::<u64, u64>::new();
        for draw in 0..DRAWS {
            let random = support::mix(draw);
            let body = if with_ttl {
                table.random_with_ttl(random)
            } else {
                table.random(random)
            };
            *times.entry(body.expect("not empty").key).or_default() += 1;
        }
        assert_eq!(times.len() as u64, keys, "all keys come");
        let mean = DRAWS as f64 / keys as f64;
        // Chi-square; its standard deviation is sqrt(2 keys), five of them is one in millions.
        let chi: f64 = times
            .values()
            .map(|t| (*t as f64 - mean).powi(2) / mean)
            .sum();
        let limit = keys as f64 + 5.0 * (2.0 * keys as f64).sqrt();
        assert!(chi < limit, "chi-square {chi:.0} for {keys} keys");
    };
    check(&table, false, KEYS);
    check(&table, true, 20);
    // Sparse: most draws miss, and the counting has its turn.
    let snapshot = table.snapshot();
    for key in 15..KEYS {
        drop(occupied(&mut table, key).remove());
    }
    drop(snapshot);
    check(&table, false, 15);
    check(&table, true, 15);
}

#[test]
fn an_empty_table_owns_nothing() {
    let (mut table, _counter) = filled(0, |_| None);
    assert_eq!((table.heap_bytes(), table.len()), (0, 0));
    assert!(table.find(hash(1, MIX), &1).is_none() && table.random(1).is_none());
    assert!(table.scan(0, |_| panic!("nothing to see")).is_none());
    assert!(table.snapshot().take_next_chunk().is_none() && table.iter().next().is_none());
    assert_eq!(table.sample(3, 5, false, |_| ()), 0);
    assert!(table.visit_expired(0, 10, &mut 0, |_| ()).finished);
    assert!(table.ahead(hash(1, MIX)).is_none());
    table.note_write(hash(1, MIX), 9);
    assert_eq!((table.last_write(hash(5, MIX)), table.heap_bytes()), (9, 0));
}
