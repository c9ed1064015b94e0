//! Fields whose time is over: who removes them, and what that leaves behind.
#![cfg(not(feature = "model"))]

use store::{
    Container, CycleLimits, EventClass, FieldDeadline, Gates, Hash, Limits, Options, Plan, Refused,
    Scratch, Slot, Store, Turn, Unit, WrongType,
};

fn store() -> Store {
    Store::new(Options {
        databases: 16,
        workers: 1,
        seed: 7,
    })
}

fn wide<'s>(store: &'s Store, now_ms: i64, scratch: &'s mut Scratch) -> Unit<'s> {
    store
        .begin(Plan::Wide, Turn::new(0, 0, now_ms, scratch))
        .expect("nobody else is here")
}

fn put(unit: &mut Unit<'_>, key: &[u8], fields: &[(&str, Option<i64>)]) {
    let limits = Limits::default();
    let set = |hash: &mut Hash| {
        for (name, deadline) in fields {
            let deadline = deadline.map_or(FieldDeadline::Clear, FieldDeadline::At);
            hash.set(name.as_bytes(), b"v", deadline, &limits)?;
        }
        Ok::<_, Refused>(())
    };
    let key = unit.key(key);
    match unit.slot(key) {
        Slot::Vacant(at) => {
            let mut hash = Hash::new();
            set(&mut hash).expect("memory");
            at.insert(hash, None).expect("memory");
        }
        Slot::Occupied(mut at) => at
            .edit(|hash: &mut Hash| Ok::<_, Whatever>((set(hash)?, true)))
            .expect("a hash and memory"),
    }
}

#[derive(Debug)]
struct Whatever;

impl From<WrongType> for Whatever {
    fn from(_: WrongType) -> Self {
        Whatever
    }
}

impl From<Refused> for Whatever {
    fn from(_: Refused) -> Self {
        Whatever
    }
}

fn len(unit: &mut Unit<'_>, key: &[u8]) -> u64 {
    let key = unit.key(key);
    unit.read_as::<Hash>(key)
        .expect("a hash")
        .map_or(0, Hash::len)
}

fn events(scratch: &mut Scratch) -> Vec<&'static str> {
    let names = scratch.events_mut().iter().map(|e| e.name).collect();
    scratch.events_mut().clear();
    names
}

const ALL: CycleLimits = CycleLimits {
    per_hold: 1_000,
    total: usize::MAX,
};

#[test]
fn the_cycle_removes_fields_and_the_emptied_key() {
    let store = store();
    store.set_event_classes(EventClass::ALL);
    let mut scratch = Scratch::new();
    let mut unit = wide(&store, 0, &mut scratch);
    let merge = unit.attach_log();
    put(
        &mut unit,
        b"h",
        &[("a", Some(5)), ("b", Some(9)), ("c", None)],
    );
    put(&mut unit, b"gone", &[("a", Some(5))]);
    unit.finish();
    assert_eq!(store.db_size(0, 0).part_deadlines, 2);
    assert_eq!(store.db_size(0, 0).deadlines, 0, "no key is volatile");
    events(&mut scratch);

    let cycle = store.expire_cycle(Turn::new(0, 0, 5, &mut scratch), ALL, || true);
    assert_eq!(
        cycle.expired, 0,
        "a field lives through its last millisecond"
    );
    let cycle = store.expire_cycle(Turn::new(0, 0, 6, &mut scratch), ALL, || true);
    assert_eq!(cycle.expired, 2);
    let mut told = events(&mut scratch);
    told.sort_unstable();
    assert_eq!(told, ["del", "hexpired", "hexpired"]);
    assert_eq!(store.stats().expired_fields, 2);
    assert_eq!(store.stats().expired_keys, 0);
    assert_eq!(store.keys(0), 1);
    assert_eq!(len(&mut wide(&store, 6, &mut scratch), b"h"), 2);

    store.expire_cycle(Turn::new(0, 0, 10, &mut scratch), ALL, || true);
    assert_eq!(len(&mut wide(&store, 10, &mut scratch), b"h"), 1);
    assert_eq!(store.db_size(0, 10).part_deadlines, 0);
    drop(merge);
}

#[test]
fn a_huge_hash_is_gone_through_within_the_limits() {
    const FIELDS: usize = 20_000;
    let store = store();
    let mut scratch = Scratch::new();
    let names: Vec<String> = (0..FIELDS).map(|n| n.to_string()).collect();
    let mut fields: Vec<_> = names.iter().map(|n| (n.as_str(), Some(5))).collect();
    fields.push(("stays", None));
    put(&mut wide(&store, 0, &mut scratch), b"h", &fields);
    let limits = CycleLimits {
        per_hold: 100,
        total: 1_000,
    };
    let mut left = FIELDS as u64 + 1;
    let mut runs = 0;
    while left > 1 {
        let cycle = store.expire_cycle(Turn::new(0, 0, 100, &mut scratch), limits, || true);
        // A hold goes on to the end of a bucket.
        assert!((1..1_200).contains(&cycle.expired), "{cycle:?}");
        left -= cycle.expired;
        assert_eq!(len(&mut wide(&store, 100, &mut scratch), b"h"), left);
        runs += 1;
    }
    assert!(runs > 15, "{runs}");
    assert_eq!(store.stats().expired_fields, FIELDS as u64);
    let cycle = store.expire_cycle(Turn::new(0, 0, 100, &mut scratch), limits, || true);
    assert_eq!((cycle.expired, cycle.unfinished), (0, false));
}

#[test]
fn who_names_an_expired_field_removes_it() {
    let store = store();
    store.set_event_classes(EventClass::ALL);
    let mut scratch = Scratch::new();
    put(
        &mut wide(&store, 0, &mut scratch),
        b"h",
        &[("a", Some(5)), ("b", Some(5)), ("c", Some(5))],
    );
    events(&mut scratch);
    let mut unit = wide(&store, 6, &mut scratch);
    let key = unit.key(b"h");
    unit.expire_fields(key, [&b"a"[..], b"zz"].into_iter());
    assert_eq!(len(&mut unit, b"h"), 2);
    unit.expire_all_fields(key);
    assert!(unit.peek(key).is_none());
    unit.finish();
    assert_eq!(events(&mut scratch), ["hexpired", "hexpired", "del"]);
}

#[test]
fn a_pause_keeps_them() {
    let store = store();
    let mut scratch = Scratch::new();
    put(&mut wide(&store, 0, &mut scratch), b"h", &[("a", Some(5))]);
    wide(&store, 0, &mut scratch).set_pause(Gates::PAUSE_WRITES, 1_000);
    let mut unit = wide(&store, 500, &mut scratch);
    let key = unit.key(b"h");
    unit.expire_fields(key, std::iter::once(&b"a"[..]));
    unit.expire_all_fields(key);
    assert_eq!(len(&mut unit, b"h"), 1);
    let hash = unit.look_as::<Hash>(key).expect("a hash").expect("there");
    assert!(hash.get(b"a", 500).is_none(), "not seen");
    unit.finish();
    store.set_active_expire(false);
    store.expire_cycle(Turn::new(0, 0, 2_000, &mut scratch), ALL, || true);
    assert_eq!(store.keys(0), 1, "nor by a cycle that is switched off");
    store.set_active_expire(true);
    store.expire_cycle(Turn::new(0, 0, 2_000, &mut scratch), ALL, || true);
    assert_eq!(store.keys(0), 0);
}

/// A cut sees the hash as it was, whatever the cycle removes.
#[test]
fn a_cut_keeps_what_expires_afterwards() {
    let store = store();
    let mut scratch = Scratch::new();
    let mut unit = wide(&store, 0, &mut scratch);
    put(&mut unit, b"h", &[("a", Some(5)), ("b", None)]);
    let cut = unit.cut().expect("all is held");
    unit.finish();
    store.expire_cycle(Turn::new(0, 0, 6, &mut scratch), ALL, || true);
    assert_eq!(len(&mut wide(&store, 6, &mut scratch), b"h"), 1);
    let lens: Vec<u64> = cut
        .iter(0)
        .filter_map(|entry| entry.container::<Hash>().ok().map(Hash::len))
        .collect();
    assert_eq!(lens, [2]);
}

/// The key moves, is copied, overwritten and flushed: the count of such keys follows.
#[test]
fn keys_with_such_fields_are_counted() {
    let store = store();
    let mut scratch = Scratch::new();
    let mut unit = wide(&store, 0, &mut scratch);
    put(&mut unit, b"h", &[("a", Some(500))]);
    let (from, to) = (unit.key(b"h"), unit.key(b"copy"));
    let copy = unit.duplicate(from).expect("memory").expect("it is there");
    unit.place(to, copy).expect("memory");
    assert_eq!(store.db_size(0, 0).part_deadlines, 2);
    let moved = unit.take(from).expect("memory").expect("it is there");
    unit.select(1);
    unit.place(from, moved).expect("memory");
    assert_eq!(store.db_size(0, 0).part_deadlines, 1);
    assert_eq!(store.db_size(1, 0).part_deadlines, 1);
    let Slot::Occupied(mut at) = unit.slot(from) else {
        panic!("it has been placed")
    };
    at.set_string(store::NewStr::of(b"x"), store::Deadline::Clear)
        .expect("memory");
    assert_eq!(store.db_size(1, 0).part_deadlines, 0);
    unit.flush_db(0, store::Freeing::Now);
    assert_eq!(store.db_size(0, 0).part_deadlines, 0);
    unit.finish();
}
