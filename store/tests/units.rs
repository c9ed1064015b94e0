//! What a unit promises beside its data: time, panics, gates, events, watches, the change log.
#![cfg(not(feature = "model"))]

use std::panic::{AssertUnwindSafe, catch_unwind};

use store::{
    CycleLimits, Deadline, EventClass, Freeing, Gates, Look, NewStr, Options, Plan, Scratch, Slot,
    Store, Turn, Unit, Watcher,
};

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

fn wide<'s>(store: &'s Store, now_ms: i64, scratch: &'s mut Scratch) -> Unit<'s> {
    store
        .begin(Plan::Wide, Turn::new(0, 0, now_ms, scratch))
        .expect("nobody else is here")
}

fn set(unit: &mut Unit<'_>, key: &[u8], at_ms: Option<i64>) {
    match unit.slot(unit.key(key)) {
        Slot::Vacant(at) => at.insert_string(NewStr::Bytes(b"v"), at_ms),
        Slot::Occupied(mut at) => at.set_string(
            NewStr::Bytes(b"w"),
            at_ms.map_or(Deadline::Clear, Deadline::At),
        ),
    }
    .expect("memory");
}

#[test]
fn a_panic_before_the_first_change_lets_the_shard_go_and_one_after_it_never() {
    let store = store();
    let mut scratch = Scratch::new();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let mut unit = narrow(&store, b"k", 0, &mut scratch);
        assert!(unit.read(unit.key(b"k")).is_none());
        panic!("planted");
    }));
    assert!(panicked.is_err() && !store.is_half_changed());
    set(&mut narrow(&store, b"k", 0, &mut scratch), b"k", None);

    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let mut unit = narrow(&store, b"k", 0, &mut scratch);
        set(&mut unit, b"k", None);
        panic!("planted");
    }));
    assert!(panicked.is_err() && store.is_half_changed());
    let shard = store.key(b"k").shard();
    assert!(
        store
            .begin(Plan::Narrow(shard), Turn::new(0, 0, 0, &mut scratch))
            .is_err()
    );
}

#[test]
fn a_key_that_is_not_the_units_is_not_reached() {
    let store = store();
    let mut scratch = Scratch::new();
    let other = (0..)
        .map(|n| format!("k{n}"))
        .find(|k| store.key(k.as_bytes()).shard() != store.key(b"k").shard());
    let other = other.expect("there are many keys");
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        narrow(&store, b"k", 0, &mut scratch).remove(store.key(other.as_bytes()))
    }));
    assert!(panicked.is_err(), "the shard is not held");
    #[cfg(debug_assertions)]
    {
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let mut unit = wide(&store, 0, &mut scratch);
            unit.declare([&b"k"[..]].into_iter());
            unit.remove(unit.key(b"k"));
            unit.remove(unit.key(other.as_bytes()))
        }));
        assert!(panicked.is_err(), "the key is not declared");
    }
}

#[test]
fn while_writes_are_paused_expired_keys_are_not_seen_and_not_removed() {
    let store = store();
    let mut scratch = Scratch::new();
    set(&mut narrow(&store, b"k", 0, &mut scratch), b"k", Some(10));
    wide(&store, 0, &mut scratch).set_pause(Gates::PAUSE_WRITES, 1_000);
    let mut unit = narrow(&store, b"k", 500, &mut scratch);
    assert!(unit.gates().closed(Gates::PAUSES));
    assert!(unit.read(store.key(b"k")).is_none());
    unit.finish();
    let limits = CycleLimits {
        per_hold: 10,
        total: 10,
    };
    store.expire_cycle(Turn::new(0, 0, 500, &mut scratch), limits, || true);
    assert_eq!(store.keys(0), 1);
    store.set_active_expire(false);
    store.expire_cycle(Turn::new(0, 0, 1_000, &mut scratch), limits, || true);
    assert_eq!(store.keys(0), 1);
    store.set_active_expire(true);
    let cycle = store.expire_cycle(Turn::new(0, 0, 1_000, &mut scratch), limits, || true);
    assert_eq!((cycle.expired, store.keys(0)), (1, 0));
}

#[test]
fn the_cycle_keeps_its_limits_and_sees_all_databases() {
    let store = store();
    let mut scratch = Scratch::new();
    let mut unit = wide(&store, 0, &mut scratch);
    for n in 0..3_000_u32 {
        unit.select(n % 3);
        set(&mut unit, &n.to_le_bytes(), (n % 2 == 0).then_some(5));
    }
    unit.finish();
    assert_eq!(store.db_size(1, 0).deadlines, 500);
    let mut run = |total: usize| {
        let limits = CycleLimits { per_hold: 1, total };
        store.expire_cycle(Turn::new(0, 0, 5, &mut scratch), limits, || true);
        let early = store.stats().expired_keys;
        let cycle = store.expire_cycle(Turn::new(0, 0, 6, &mut scratch), limits, || true);
        (early, cycle)
    };
    let (early, first) = run(100);
    assert_eq!(early, 0, "a key lives through its last millisecond");
    assert!(
        first.unfinished && (100..200).contains(&first.expired),
        "{first:?}"
    );
    let (_, rest) = run(usize::MAX);
    assert_eq!(store.stats().expired_keys, 1_500);
    assert!(!rest.unfinished);
    assert!(store.stats().expired_stale_perc > 0.0);
    assert_eq!((0..3).map(|db| store.keys(db)).sum::<u64>(), 1_500);
    let mut calls = 0;
    let limits = CycleLimits {
        per_hold: 1,
        total: 10,
    };
    store.expire_cycle(Turn::new(0, 0, 7, &mut scratch), limits, || {
        calls += 1;
        true
    });
    assert_eq!(calls, 0, "nothing is due, so no shard is entered");
}

#[test]
fn events_come_in_order_and_only_those_that_are_wanted() {
    let store = store();
    let mut scratch = Scratch::new();
    let names = |scratch: &mut Scratch| {
        let names: Vec<_> = scratch
            .events_mut()
            .iter()
            .map(|e| (e.name, e.db))
            .collect();
        scratch.events_mut().clear();
        names
    };
    set(&mut narrow(&store, b"k", 0, &mut scratch), b"k", Some(10));
    assert_eq!(names(&mut scratch), []);
    store.set_event_classes(EventClass::ALL);
    let mut unit = narrow(&store, b"k", 11, &mut scratch);
    assert!(unit.read(store.key(b"k")).is_none());
    assert!(unit.look_up(store.key(b"k"), Look::NoNotify).is_none());
    set(&mut unit, b"k", None);
    unit.notify(EventClass::STRING, "set", b"k");
    unit.finish();
    assert_eq!(
        names(&mut scratch),
        [("expired", 0), ("keymiss", 0), ("new", 0), ("set", 0)]
    );
}

#[test]
fn exec_fails_for_what_expires_after_watch_and_not_for_what_had_expired_before() {
    let check = |watched_at: i64, exec_at: i64, expected: bool| {
        let store = store();
        let mut scratch = Scratch::new();
        set(&mut narrow(&store, b"k", 0, &mut scratch), b"k", Some(10));
        let watcher = Watcher::new();
        narrow(&store, b"k", watched_at, &mut scratch)
            .watch(&watcher, store.key(b"k"))
            .expect("memory");
        let mut unit = narrow(&store, b"k", exec_at, &mut scratch);
        assert_eq!(unit.watch_failed(&watcher), expected);
        // And the same once somebody has met the expired key.
        let _ = unit.read(store.key(b"k"));
        assert_eq!(unit.watch_failed(&watcher), expected);
        unit.unwatch(&watcher);
        unit.finish();
        assert!(watcher.is_empty());
    };
    check(5, 10, false);
    check(5, 11, true);
    check(11, 12, false);
}

#[test]
fn flushing_marks_watchers_and_frees_in_the_background() {
    let store = store();
    let mut scratch = Scratch::new();
    let mut unit = wide(&store, 0, &mut scratch);
    for n in 0..5_000_u32 {
        set(&mut unit, &n.to_le_bytes(), None);
    }
    let (there, missing) = (Watcher::new(), Watcher::new());
    unit.watch(&there, store.key(&7_u32.to_le_bytes()))
        .expect("memory");
    unit.watch(&missing, store.key(b"missing")).expect("memory");
    unit.flush_all(Freeing::Later);
    assert!(there.is_dirty() && !missing.is_dirty());
    unit.finish();
    assert_eq!(store.keys(0), 0);
    store.unwatch(&there);
    store.unwatch(&missing);
    // Ending the store joins the free thread; until then the figures only move one way.
    while store.stats().lazyfree_pending > 0 {
        std::thread::yield_now();
    }
    assert_eq!(store.stats().lazyfreed_objects, 5_000);
}

#[test]
fn replies_depend_on_the_newest_write_that_they_saw() {
    let store = store();
    let mut scratch = Scratch::new();
    let mut unit = wide(&store, 0, &mut scratch);
    set(&mut unit, b"old", None);
    let mut merge = unit.attach_log();
    assert_eq!(
        unit.finish().depends_on,
        0,
        "what was before the reader is nobody's business"
    );
    let mut unit = narrow(&store, b"k", 0, &mut scratch);
    set(&mut unit, b"k", None);
    unit.log(&[b"SET", b"k", b"v"]);
    let written = unit.finish().depends_on;
    assert_eq!((written, store.newest_write()), (1, 1));
    let mut unit = narrow(&store, b"k", 0, &mut scratch);
    assert!(unit.read(store.key(b"k")).is_some());
    assert_eq!(unit.finish().depends_on, written);
    let mut unit = narrow(&store, b"k", 0, &mut scratch);
    assert!(unit.remove(store.key(b"k")));
    let removed = unit.finish().depends_on;
    let mut unit = narrow(&store, b"k", 0, &mut scratch);
    assert!(unit.read(store.key(b"k")).is_none());
    assert_eq!(
        unit.finish().depends_on,
        removed,
        "a missing key's reply depends on its removal"
    );
    let mut units = 0;
    assert_eq!(merge.drain(&mut |_: u64, _: &[u8]| units += 1), removed);
    assert_eq!(units, 2);
    wide(&store, 0, &mut scratch).detach_log();
    assert_eq!(store.newest_write(), 0);
}

#[test]
fn a_prefetch_changes_nothing() {
    let store = store();
    let mut scratch = Scratch::new();
    set(&mut narrow(&store, b"k", 0, &mut scratch), b"k", None);
    let spots = [&b"k"[..], b"missing"].map(|key| store.key(key).spot());
    let keys: Vec<_> = (0..60).map(|n| (n % 3, spots[n as usize % 2])).collect();
    store.touch_ahead(&keys);
    assert_eq!((store.keys(0), store.keys(1)), (1, 0));
}
