//! The store against a std map: random operations in several databases under a hand-driven clock,
//! with cuts taken and dropped in between and compared with the state at their moment.
#![cfg(not(feature = "model"))]

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use store::{
    Cut, CycleLimits, Deadline, Freeing, NewStr, Options, Plan, Scratch, Slot, Store, Turn, Unit,
};

const DBS: u32 = 3;
/// In two of three operations one of these keys, so that they meet; else one of many, so that
/// tables split.
const FEW: u16 = 12;

#[derive(Clone, Debug)]
enum Op {
    Set {
        db: u32,
        key: u16,
        len: usize,
        ttl: Option<i64>,
        keep: bool,
        blob: bool,
    },
    SetInt {
        db: u32,
        key: u16,
        n: i64,
    },
    Resize {
        db: u32,
        key: u16,
        len: usize,
    },
    Deadline {
        db: u32,
        key: u16,
        ttl: Option<i64>,
    },
    Remove {
        db: u32,
        key: u16,
        unlink: bool,
    },
    Rename {
        db: u32,
        from: u16,
        to: u16,
    },
    Copy {
        db: u32,
        from: u16,
        to: u16,
    },
    Move {
        from: u32,
        to: u32,
        key: u16,
    },
    Fill {
        db: u32,
        from: u16,
        count: u16,
    },
    Swap {
        a: u32,
        b: u32,
    },
    Flush {
        db: Option<u32>,
        later: bool,
    },
    Tick(i64),
    Cycle {
        per_hold: usize,
    },
    Cut,
    DropCut,
    TakePart,
}

fn op() -> impl Strategy<Value = Op> {
    let key = || prop_oneof![2 => 0..FEW, 1 => 0..3000_u16];
    let db = || 0..DBS;
    let len = || prop_oneof![0..60_usize, 480..530_usize, 0..5000_usize];
    let ttl = || prop_oneof![2 => Just(None), 1 => (1..400_i64).prop_map(Some)];
    prop_oneof![
        8 => (db(), key(), len(), ttl(), any::<bool>(), any::<bool>())
            .prop_map(|(db, key, len, ttl, keep, blob)| Op::Set { db, key, len, ttl, keep, blob }),
        3 => (db(), key(), any::<i64>()).prop_map(|(db, key, n)| Op::SetInt { db, key, n }),
        4 => (db(), key(), len()).prop_map(|(db, key, len)| Op::Resize { db, key, len }),
        4 => (db(), key(), ttl()).prop_map(|(db, key, ttl)| Op::Deadline { db, key, ttl }),
        3 => (db(), key(), any::<bool>())
            .prop_map(|(db, key, unlink)| Op::Remove { db, key, unlink }),
        3 => (db(), key(), key()).prop_map(|(db, from, to)| Op::Rename { db, from, to }),
        3 => (db(), key(), key()).prop_map(|(db, from, to)| Op::Copy { db, from, to }),
        2 => (db(), db(), key()).prop_map(|(from, to, key)| Op::Move { from, to, key }),
        1 => (db(), 0..2000_u16, 1..600_u16)
            .prop_map(|(db, from, count)| Op::Fill { db, from, count }),
        1 => (db(), db()).prop_map(|(a, b)| Op::Swap { a, b }),
        1 => (prop_oneof![2 => db().prop_map(Some), 1 => Just(None)], any::<bool>())
            .prop_map(|(db, later)| Op::Flush { db, later }),
        3 => (1..150_i64).prop_map(Op::Tick),
        2 => (1..50_usize).prop_map(|per_hold| Op::Cycle { per_hold }),
        2 => Just(Op::Cut),
        1 => Just(Op::DropCut),
        1 => Just(Op::TakePart),
    ]
}

type State = BTreeMap<(u32, Vec<u8>), (Vec<u8>, Option<i64>)>;

struct World {
    store: Store,
    scratch: Scratch,
    now_ms: i64,
    /// What should be there, expired keys left out as soon as the clock says so.
    model: State,
    cuts: Vec<(Cut, State)>,
    counter: u8,
}

fn name(key: u16) -> Vec<u8> {
    // Some keys are long, one is too long for its 16-bit length.
    match key % 7 {
        0 => format!("{key}-{}", "long".repeat(40)).into_bytes(),
        1 if key < 7 => format!("{key}{}", "x".repeat(70_000)).into_bytes(),
        _ => format!("key:{key}").into_bytes(),
    }
}

impl World {
    fn new(seed: u64) -> Self {
        World {
            store: Store::new(Options {
                databases: DBS,
                workers: 1,
                seed,
            }),
            scratch: Scratch::new(),
            now_ms: 1_000_000,
            model: State::new(),
            cuts: Vec::new(),
            counter: 0,
        }
    }

    fn unit(&mut self, db: u32, keys: &[&[u8]]) -> Unit<'_> {
        let shards: Vec<usize> = keys.iter().map(|key| self.store.key(key).shard()).collect();
        let turn = Turn::new(0, db, self.now_ms, &mut self.scratch);
        self.store
            .begin(Plan::Several(&shards), turn)
            .expect("nobody else is here")
    }

    fn wide(&mut self) -> Unit<'_> {
        let turn = Turn::new(0, 0, self.now_ms, &mut self.scratch);
        self.store
            .begin(Plan::Wide, turn)
            .expect("nobody else is here")
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        self.counter = self.counter.wrapping_add(1);
        (0..len)
            .map(|i| (i as u8).wrapping_mul(31).wrapping_add(self.counter) | 0x80)
            .collect()
    }

    fn run(&mut self, op: &Op) {
        match *op {
            Op::Set {
                db,
                key,
                len,
                ttl,
                keep,
                blob,
            } => {
                let (key, bytes) = (name(key), self.bytes(len));
                let value = || match blob {
                    true => NewStr::Blob(Arc::new(bytes.clone())),
                    false => NewStr::of(&bytes),
                };
                let at = ttl.map(|ttl| self.now_ms + ttl);
                self.set(db, &key, value(), at, keep);
                let kept = self.model.get(&(db, key.clone())).and_then(|(_, at)| *at);
                self.model
                    .insert((db, key), (bytes, if keep { kept.or(at) } else { at }));
            }
            Op::SetInt { db, key, n } => {
                let key = name(key);
                self.set(db, &key, NewStr::Int(n), None, false);
                self.model
                    .insert((db, key), (n.to_string().into_bytes(), None));
            }
            Op::Resize { db, key, len } => self.resize(db, &name(key), len),
            Op::Deadline { db, key, ttl } => {
                let (key, at) = (name(key), ttl.map(|ttl| self.now_ms + ttl));
                let mut unit = self.unit(db, &[&key]);
                let found = match unit.slot(unit.key(&key)) {
                    Slot::Occupied(mut slot) => {
                        slot.set_deadline(at).expect("memory");
                        true
                    }
                    Slot::Vacant(_) => false,
                };
                unit.finish();
                let known = self.model.get_mut(&(db, key));
                assert_eq!(known.is_some(), found);
                if let Some((_, deadline)) = known {
                    *deadline = at;
                }
            }
            Op::Remove { db, key, unlink } => {
                let key = name(key);
                let mut unit = self.unit(db, &[&key]);
                let k = unit.key(&key);
                let removed = if unlink {
                    unit.unlink(k)
                } else {
                    unit.remove(k)
                };
                unit.finish();
                assert_eq!(self.model.remove(&(db, key)).is_some(), removed);
            }
            Op::Rename { db, from, to } => {
                let (from, to) = (name(from), name(to));
                let mut unit = self.unit(db, &[&from, &to]);
                if let Some(what) = unit.take(unit.key(&from)).expect("memory") {
                    unit.place(unit.key(&to), what).expect("memory");
                }
                unit.finish();
                if let Some(value) = self.model.remove(&(db, from)) {
                    self.model.insert((db, to), value);
                }
            }
            Op::Copy { db, from, to } => {
                let (from, to) = (name(from), name(to));
                let mut unit = self.unit(db, &[&from, &to]);
                if let Some(what) = unit.duplicate(unit.key(&from)).expect("memory") {
                    unit.place(unit.key(&to), what).expect("memory");
                }
                unit.finish();
                if let Some(value) = self.model.get(&(db, from)).cloned() {
                    self.model.insert((db, to), value);
                }
            }
            Op::Move { from, to, key } => {
                let key = name(key);
                let mut unit = self.unit(from, &[&key]);
                let k = unit.key(&key);
                if let Some(what) = unit.take(k).expect("memory") {
                    unit.select(to);
                    unit.place(k, what).expect("memory");
                }
                unit.finish();
                if let Some(value) = self.model.remove(&(from, key.clone())) {
                    self.model.insert((to, key), value);
                }
            }
            Op::Fill { db, from, count } => {
                for key in from..from + count {
                    self.run(&Op::SetInt {
                        db,
                        key,
                        n: i64::from(key),
                    });
                }
            }
            Op::Swap { a, b } => {
                self.wide().swap_db(a, b);
                let swap = |db| match db {
                    db if db == a => b,
                    db if db == b => a,
                    db => db,
                };
                let old = std::mem::take(&mut self.model);
                self.model = old
                    .into_iter()
                    .map(|((db, key), v)| ((swap(db), key), v))
                    .collect();
            }
            Op::Flush { db, later } => {
                let how = if later { Freeing::Later } else { Freeing::Now };
                let mut unit = self.wide();
                match db {
                    Some(db) => unit.flush_db(db, how),
                    None => unit.flush_all(how),
                }
                unit.finish();
                self.model
                    .retain(|(of, _), _| db.is_some_and(|db| *of != db));
            }
            Op::Tick(ms) => {
                self.now_ms += ms;
                let now_ms = self.now_ms;
                self.model
                    .retain(|_, (_, at)| at.is_none_or(|at| now_ms <= at));
            }
            Op::Cycle { per_hold } => {
                let turn = Turn::new(0, 0, self.now_ms, &mut self.scratch);
                let limits = CycleLimits {
                    per_hold,
                    total: usize::MAX,
                };
                self.store.expire_cycle(turn, limits, || true);
                let keys: u64 = (0..DBS).map(|db| self.store.keys(db)).sum();
                assert_eq!(
                    keys,
                    self.model.len() as u64,
                    "a whole cycle leaves nothing expired"
                );
            }
            Op::Cut => {
                let turn = Turn::new(0, 0, self.now_ms, &mut self.scratch);
                let mut unit = self
                    .store
                    .begin(Plan::OneByOne, turn)
                    .expect("takes nothing");
                let cut = unit.cut().expect("nobody else is here");
                unit.finish();
                self.cuts.push((cut, self.model.clone()));
            }
            Op::DropCut => {
                if !self.cuts.is_empty() {
                    self.cuts.remove(0);
                }
            }
            Op::TakePart => {
                if let Some((cut, expected)) = self.cuts.first_mut()
                    && let Some(part) = cut.take_part()
                {
                    for entry in part.iter() {
                        let known = expected.remove(&(part.db(), entry.key().to_vec()));
                        assert_eq!(known, Some(contents(entry)));
                    }
                }
            }
        }
    }

    fn set(&mut self, db: u32, key: &[u8], value: NewStr<'_>, at: Option<i64>, keep: bool) {
        let mut unit = self.unit(db, &[key]);
        match unit.slot(unit.key(key)) {
            Slot::Vacant(slot) => slot.insert_string(value, at).expect("memory"),
            Slot::Occupied(mut slot) => {
                let deadline = match at {
                    _ if keep && slot.entry().deadline().is_some() => Deadline::Keep,
                    Some(at) => Deadline::At(at),
                    None => Deadline::Clear,
                };
                slot.set_string(value, deadline).expect("memory");
            }
        }
        assert!(unit.changed());
        unit.finish();
    }

    fn resize(&mut self, db: u32, key: &[u8], len: usize) {
        let fresh = self.bytes(len);
        let known = self.model.entry((db, key.to_vec())).or_default();
        known.0.resize(len, 0);
        let expected = known.0.clone();
        if let Some(last) = known.0.last_mut() {
            *last = fresh[len - 1];
        }
        let mut unit = self.unit(db, &[key]);
        match unit.slot(unit.key(key)) {
            Slot::Vacant(slot) => {
                let bytes = slot.insert_zeroed(len).expect("memory");
                assert_eq!(bytes, expected);
                bytes
                    .last_mut()
                    .into_iter()
                    .for_each(|last| *last = fresh[len - 1]);
            }
            Slot::Occupied(mut slot) => {
                let bytes = slot.resize_string(len).expect("memory");
                assert_eq!(bytes, expected);
                bytes
                    .last_mut()
                    .into_iter()
                    .for_each(|last| *last = fresh[len - 1]);
            }
        }
        unit.finish();
    }

    fn check(&mut self) {
        for db in 0..DBS {
            let deadlines = self
                .model
                .iter()
                .filter(|((of, _), (_, at))| *of == db && at.is_some());
            let size = self.store.db_size(db, self.now_ms);
            assert!(size.deadlines >= deadlines.count() as u64);
        }
        for (cut, expected) in &self.cuts {
            assert_eq!(&everything(cut), expected);
        }
        let turn = Turn::new(0, 0, self.now_ms, &mut self.scratch);
        let mut unit = self
            .store
            .begin(Plan::OneByOne, turn)
            .expect("takes nothing");
        let now = unit.cut().expect("nobody else is here");
        unit.finish();
        assert_eq!(everything(&now), self.model);
        for db in 0..DBS {
            self.check_scan(db);
        }
    }

    fn check_scan(&mut self, db: u32) {
        let mut keys = Vec::new();
        let mut cursor = 0;
        loop {
            let turn = Turn::new(0, db, self.now_ms, &mut self.scratch);
            let mut unit = self
                .store
                .begin(Plan::OneByOne, turn)
                .expect("takes nothing");
            cursor = unit
                .scan(cursor, 100, |e| keys.push(e.key().to_vec()))
                .expect("nobody else");
            if cursor == 0 {
                break;
            }
        }
        keys.sort();
        let of_db = self.model.keys().filter(|(of, _)| *of == db);
        assert!(
            of_db.map(|(_, key)| key).eq(&keys),
            "SCAN shows each key once"
        );
        // The scan has removed what had expired: now the counters are exact.
        assert_eq!(self.store.keys(db), keys.len() as u64);

        let turn = Turn::new(0, db, self.now_ms, &mut self.scratch);
        let mut unit = self
            .store
            .begin(Plan::OneByOne, turn)
            .expect("takes nothing");
        let mut drawn = None;
        let found = unit
            .random_key(|e| drawn = Some(e.key().to_vec()))
            .expect("nobody else");
        unit.finish();
        assert_eq!(found, !keys.is_empty());
        assert!(drawn.is_none_or(|key| keys.contains(&key)));
    }
}

fn contents(entry: store::EntryRef<'_>) -> (Vec<u8>, Option<i64>) {
    let value = entry
        .string()
        .expect("a string")
        .bytes(&mut [0; 20])
        .to_vec();
    (value, entry.deadline())
}

fn everything(cut: &Cut) -> State {
    (0..DBS)
        .flat_map(|db| {
            cut.iter(db)
                .map(move |e| ((db, e.key().to_vec()), contents(e)))
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 2000, ..ProptestConfig::default() })]
    #[test]
    fn behaves_like_a_map(seed in any::<u64>(), ops in prop::collection::vec(op(), 1..150)) {
        let mut world = World::new(seed);
        for (index, op) in ops.iter().enumerate() {
            world.run(op);
            if index % 16 == 15 {
                world.check();
            }
        }
        world.check();
    }
}
