//! The plain way through a unit: one worker, a hand-driven clock.
#![cfg(not(feature = "model"))]

use store::{Deadline, Look, NewStr, Options, Plan, Scratch, Slot, Store, Turn};

fn store() -> Store {
    Store::new(Options {
        databases: 16,
        workers: 1,
        seed: 7,
    })
}

fn narrow<'s>(
    store: &'s Store,
    key: &[u8],
    now_ms: i64,
    scratch: &'s mut Scratch,
) -> store::Unit<'s> {
    let shard = store.key(key).shard();
    store
        .begin(Plan::Narrow(shard), Turn::new(0, 0, now_ms, scratch))
        .expect("nobody else is here")
}

#[test]
fn a_string_is_set_read_expired_and_gone() {
    let store = store();
    let mut scratch = Scratch::new();
    let mut unit = narrow(&store, b"k", 1_000, &mut scratch);
    let key = unit.key(b"k");
    let Slot::Vacant(at) = unit.slot(key) else {
        panic!("nothing is there")
    };
    at.insert_string(NewStr::of(b"value"), Some(2_000))
        .expect("memory");
    let entry = unit.read(key).expect("it is there");
    assert_eq!(entry.deadline(), Some(2_000));
    assert_eq!(
        entry.string().expect("a string").bytes(&mut [0; 20]),
        b"value"
    );
    let Slot::Occupied(mut at) = unit.slot(key) else {
        panic!("it is there")
    };
    at.set_string(NewStr::of(b"12"), Deadline::Keep)
        .expect("memory");
    assert_eq!(
        unit.look_up(key, Look::Peek)
            .expect("it is there")
            .encoding()
            .name(),
        "int"
    );
    assert!(unit.finish().changed);
    assert_eq!(
        (store.keys(0), store.db_size(0, 1_000).average_ttl_ms),
        (1, 1_000)
    );

    let mut unit = narrow(&store, b"k", 2_001, &mut scratch);
    assert!(unit.read(key).is_none());
    unit.finish();
    let mut unit = narrow(&store, b"k", 1_500, &mut scratch);
    assert_eq!(
        unit.now_ms(),
        2_001,
        "a shard's time does not run backwards"
    );
    assert!(unit.read(key).is_none());
    unit.finish();
    assert_eq!(store.keys(0), 0);
    assert_eq!(store.stats().expired_keys, 1);
    assert_eq!(
        (store.stats().keyspace_hits, store.stats().keyspace_misses),
        (1, 2)
    );
}
