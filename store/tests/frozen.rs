//! What a snapshot costs is counted, bounded and given back.
//!
//! One process each (nextest), because what copy on write leaves is one figure for the process.
#![cfg(not(feature = "model"))]

use store::{
    Cut, Deadline, FieldDeadline, Freeing, Hash, Limits, NewStr, Options, Plan, Scratch, Slot,
    Store, Turn, Unit,
};

const KEYS: usize = 20_000;
const VALUE: usize = 400;

struct Bench {
    store: Store,
    scratch: Scratch,
}

impl Bench {
    fn new() -> Bench {
        let options = Options {
            databases: 2,
            workers: 1,
            seed: 5,
        };
        Bench {
            store: Store::new(options),
            scratch: Scratch::new(),
        }
    }

    fn in_unit<R>(&mut self, work: impl FnOnce(&mut Unit<'_>) -> R) -> R {
        let turn = Turn::new(0, 0, 1_000, &mut self.scratch);
        let mut unit = self
            .store
            .begin(Plan::Wide, turn)
            .expect("nobody else is here");
        let result = work(&mut unit);
        unit.finish();
        result
    }

    fn cut(&mut self) -> Cut {
        self.in_unit(|unit| unit.cut().expect("all is held"))
    }

    fn set(&mut self, key: usize, byte: u8) {
        let word = format!("key:{key}");
        self.in_unit(|unit| {
            let value = [byte; VALUE];
            match unit.slot(unit.key(word.as_bytes())) {
                Slot::Occupied(mut at) => at.set_string(NewStr::of(&value), Deadline::Clear),
                Slot::Vacant(at) => at.insert_string(NewStr::of(&value), None),
            }
            .expect("memory");
        });
    }

    fn filled() -> Bench {
        let mut bench = Bench::new();
        (0..KEYS).for_each(|key| bench.set(key, b'a'));
        bench
    }
}

/// A tenth more or less.
fn about(bytes: u64, expected: usize) {
    let expected = expected as u64;
    assert!(
        bytes.abs_diff(expected) <= expected / 10,
        "{bytes}, not {expected}"
    );
}

#[test]
fn writes_beside_a_cut_are_counted_until_it_has_gone() {
    let mut bench = Bench::filled();
    (0..KEYS).for_each(|key| bench.set(key, b'b'));
    assert_eq!(bench.store.snapshot_bytes(), 0, "nobody has a snapshot");
    let mut cut = bench.cut();
    (0..KEYS / 2).for_each(|key| bench.set(key, b'c'));
    // Entries of some 424 bytes, and all segments: few have no key that was written to.
    about(bench.store.snapshot_bytes(), KEYS / 2 * 424 + KEYS * 10);
    (0..KEYS / 2).for_each(|key| bench.set(key, b'd'));
    about(bench.store.snapshot_bytes(), KEYS / 2 * 424 + KEYS * 10);
    let mut left = bench.store.snapshot_bytes();
    let mut parts = 0;
    while let Some(part) = cut.take_part() {
        drop(part);
        parts += 1;
        assert!(bench.store.snapshot_bytes() <= left);
        left = bench.store.snapshot_bytes();
    }
    assert!(parts > 500 && left == 0, "{parts} parts, {left} bytes left");
}

#[test]
fn what_is_shared_does_not_count() {
    let mut bench = Bench::new();
    let hash = |fields: usize| {
        let mut hash = Hash::new();
        for field in 0..fields {
            let name = field.to_string();
            let deadline = FieldDeadline::Clear;
            hash.set(name.as_bytes(), &[b'v'; 100], deadline, &Limits::default())
                .expect("memory");
        }
        hash
    };
    let key = bench.store.key(b"h").bytes().to_vec();
    bench.in_unit(|unit| match unit.slot(unit.key(&key)) {
        Slot::Vacant(at) => at.insert(hash(50_000), None).expect("memory"),
        Slot::Occupied(_) => unreachable!("the store is empty"),
    });
    let cut = bench.cut();
    // A deadline: the value stays the same one.
    bench.in_unit(|unit| match unit.slot(unit.key(&key)) {
        Slot::Occupied(mut at) => at.set_deadline(Some(5_000)).expect("memory"),
        Slot::Vacant(_) => unreachable!("it was put there"),
    });
    assert!(bench.store.snapshot_bytes() < 10_000);
    drop(cut);
    let cut = bench.cut();
    let size = bench.in_unit(|unit| {
        let entry = unit.peek(unit.key(&key)).expect("it is there");
        entry.memory_bytes()
    });
    assert!(bench.in_unit(|unit| unit.remove(unit.key(&key))));
    about(bench.store.snapshot_bytes(), size);
    drop(cut);
    assert_eq!(bench.store.snapshot_bytes(), 0);
}

#[test]
fn a_flushed_database_counts_while_a_cut_has_it() {
    for how in [Freeing::Now, Freeing::Later] {
        let mut bench = Bench::filled();
        let cut = bench.cut();
        bench.in_unit(|unit| unit.flush_all(how));
        let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while bench.store.bytes_to_free() > 0 {
            assert!(
                std::time::Instant::now() < until,
                "the free thread does not come to its end"
            );
            std::thread::yield_now();
        }
        about(bench.store.snapshot_bytes(), KEYS * 434);
        drop(cut);
        assert_eq!(bench.store.snapshot_bytes(), 0);
    }
}

#[test]
fn past_the_bound_what_is_written_to_goes_first() {
    let mut bench = Bench::filled();
    bench.store.set_snapshot_bound(1);
    assert!(!bench.store.is_snapshot_over());
    let mut cut = bench.cut();
    // All keys of three shards.
    let hot = [7, 300, 1_000];
    for key in 0..KEYS {
        let word = format!("key:{key}");
        if hot.contains(&bench.store.key(word.as_bytes()).shard()) {
            bench.set(key, b'h');
        }
    }
    assert!(bench.store.is_snapshot_over());
    for _ in hot {
        let part = cut.take_part().expect("there are a thousand");
        let key = part.iter().next().expect("a part has keys").key().to_vec();
        assert!(hot.contains(&bench.store.key(&key).shard()));
    }
    assert!(!bench.store.is_snapshot_over());
    bench.store.set_snapshot_bound(0);
    bench.set(1, b'x');
    assert!(!bench.store.is_snapshot_over(), "there is none");
}
