//! Containers behind entries: random edits of sets against std's, while cuts, copies and pinned values
//! are held. Whoever holds one sees it as it was (O1 of `value/object.rs`).

#![cfg(not(feature = "model"))]

use std::collections::BTreeSet;

use store::{
    Container, Cut, Detached, Encoding, Limits, Options, PinnedAs, Plan, Scratch, Set, Slot, Store,
    Turn, Unit,
};

const KEY: &[u8] = b"k";
const COPY: &[u8] = b"copy";

/// A number below `n` from a generator that needs no crate (xorshift64).
fn below(state: &mut u64, n: u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state % n
}

fn members(set: &Set) -> BTreeSet<Vec<u8>> {
    let members: Vec<_> = set.iter().map(|member| member.to_vec()).collect();
    let sorted: BTreeSet<_> = members.iter().cloned().collect();
    assert_eq!(members.len(), sorted.len(), "no member twice");
    assert_eq!(set.len(), sorted.len() as u64);
    sorted
}

fn set_of(unit: &mut Unit<'_>, key: &[u8]) -> BTreeSet<Vec<u8>> {
    let key = unit.key(key);
    unit.read_as::<Set>(key)
        .expect("it is a set")
        .map(members)
        .unwrap_or_default()
}

fn change(unit: &mut Unit<'_>, key: &[u8], member: &[u8], add: bool, limits: &Limits) -> bool {
    let key = unit.key(key);
    let (changed, is_empty) = match unit.slot(key) {
        Slot::Vacant(at) => {
            if add {
                let mut set = Set::for_members(member, 1, limits);
                assert!(set.add(member, limits).expect("there is memory"));
                at.insert(set, None).expect("there is memory");
            }
            return add;
        }
        Slot::Occupied(mut at) => at
            .edit(|set: &mut Set| {
                let changed = if add {
                    set.add(member, limits).expect("there is memory")
                } else {
                    set.remove(member)
                };
                Ok::<_, Failed>(((changed, set.is_empty()), changed))
            })
            .expect("it is a set"),
    };
    if is_empty {
        assert!(unit.remove(key));
    }
    changed
}

#[derive(Debug)]
struct Failed;

impl From<store::WrongType> for Failed {
    fn from(_: store::WrongType) -> Self {
        Failed
    }
}

impl From<store::Refused> for Failed {
    fn from(_: store::Refused) -> Self {
        Failed
    }
}

/// What is held beside the live set, each with what it must still show.
#[derive(Default)]
struct Holders {
    pinned: Vec<(PinnedAs<Set>, BTreeSet<Vec<u8>>)>,
    cuts: Vec<(Cut, BTreeSet<Vec<u8>>)>,
}

impl Holders {
    fn check(&self) {
        for (pinned, expected) in &self.pinned {
            assert_eq!(members(pinned), *expected);
        }
        for (cut, expected) in &self.cuts {
            let mut entries = cut.iter(0).filter(|entry| entry.key() == KEY);
            let held = entries.next();
            let held = held.map(|entry| members(entry.container::<Set>().expect("it is a set")));
            assert_eq!(held.unwrap_or_default(), *expected);
        }
    }
}

#[test]
fn sets_behave_like_sets_whoever_holds_them() {
    let limits = Limits {
        set_max_intset_entries: 8,
        set_max_listpack_entries: 12,
        set_max_listpack_value: 20,
        ..Limits::default()
    };
    let mut seen = BTreeSet::new();
    for seed in 1..=60u64 {
        let store = Store::new(Options {
            databases: 1,
            workers: 1,
            seed,
        });
        let mut scratch = Scratch::new();
        let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let (mut model, mut copied) = (BTreeSet::new(), BTreeSet::new());
        let mut holders = Holders::default();
        let universe = [6, 30, 400][(seed % 3) as usize];
        for _ in 0..600 {
            let turn = Turn::new(0, 0, 1, &mut scratch);
            let mut unit = store.begin(Plan::Wide, turn).expect("nobody else is there");
            let number = below(&mut random, universe);
            let member = match below(&mut random, 40) {
                0 => format!("word-{number}"),
                1 => format!("a word that is longer than the limit {number}"),
                _ => number.to_string(),
            }
            .into_bytes();
            match below(&mut random, 20) {
                0 => {
                    let key = unit.key(KEY);
                    let pinned = unit.pin::<Set>(key).expect("it is a set");
                    holders.pinned.extend(pinned.map(|p| (p, model.clone())));
                }
                1 => {
                    let cut = unit.cut().expect("all is held");
                    holders.cuts.push((cut, model.clone()));
                }
                2 => {
                    let from = unit.key(KEY);
                    let copy: Option<Detached> = unit.duplicate(from).expect("there is memory");
                    if let Some(copy) = copy {
                        let to = unit.key(COPY);
                        unit.place(to, copy).expect("there is memory");
                        copied = model.clone();
                    }
                }
                3 => holders = Holders::default(),
                4 => {
                    let add = below(&mut random, 2) == 0;
                    let changed = change(&mut unit, COPY, &member, add, &limits);
                    let expected = if add {
                        copied.insert(member)
                    } else {
                        copied.remove(&member)
                    };
                    assert_eq!(changed, expected);
                }
                n => {
                    let add = n < 14;
                    let changed = change(&mut unit, KEY, &member, add, &limits);
                    let expected = if add {
                        model.insert(member)
                    } else {
                        model.remove(&member)
                    };
                    assert_eq!(changed, expected);
                }
            }
            assert_eq!(set_of(&mut unit, KEY), model);
            assert_eq!(set_of(&mut unit, COPY), copied);
            let key = unit.key(KEY);
            if let Some(entry) = unit.peek(key) {
                seen.insert(entry.encoding().name());
                assert!(entry.encoding() != Encoding::Intset || model.len() <= 8);
            }
            unit.finish();
            holders.check();
        }
    }
    let all: Vec<_> = seen.into_iter().collect();
    assert_eq!(all, ["hashtable", "intset", "listpack"]);
}
