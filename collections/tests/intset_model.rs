//! The intset against a `BTreeSet`: random operations with values around each width's edges; after
//! every one the bytes must validate and everything that can be asked is asked.

#![cfg(not(feature = "model"))]

mod support;

use collections::Intset;
use std::collections::BTreeSet;
use support::split_mix;

const EDGES: &[i64] = &[
    0,
    i16::MAX as i64,
    i16::MIN as i64,
    i32::MAX as i64,
    i32::MIN as i64,
    i64::MAX,
    i64::MIN,
];

struct World {
    random: u64,
    /// How many of the edges values are drawn from: few of them keep a set narrow.
    edges: usize,
    set: Intset,
    model: BTreeSet<i64>,
    /// Bytes a value, as the widest value ever put in asked for.
    width: usize,
}

impl World {
    fn below(&mut self, n: usize) -> usize {
        (split_mix(&mut self.random) % n as u64) as usize
    }

    fn value(&mut self) -> i64 {
        let edge = EDGES[self.below(self.edges)];
        edge.wrapping_add(self.below(60) as i64 - 30)
    }

    fn step(&mut self) {
        let value = self.value();
        if self.below(5) < 3 {
            assert_eq!(self.set.insert(value), Ok(self.model.insert(value)));
            let needed = match value {
                -0x8000..=0x7fff => 2,
                -0x8000_0000..=0x7fff_ffff => 4,
                _ => 8,
            };
            self.width = self.width.max(needed);
        } else {
            assert_eq!(self.set.remove(value), self.model.remove(&value));
        }
    }

    fn check(&mut self) {
        let bytes = self.set.as_bytes();
        let again = Intset::from_bytes(bytes.to_vec()).expect("what we wrote is valid");
        assert_eq!(again, self.set);
        assert_eq!(self.set.byte_len(), 8 + self.width * self.model.len());
        assert_eq!(self.set.len(), self.model.len());
        assert_eq!(self.set.is_empty(), self.model.is_empty());
        assert!(self.set.iter().eq(self.model.iter().copied()));
        assert!(self.set.iter().rev().eq(self.model.iter().rev().copied()));
        assert_eq!(self.set.min(), self.model.first().copied());
        assert_eq!(self.set.max(), self.model.last().copied());
        assert!(
            self.set.heap_bytes() <= (self.set.byte_len() + 8) * 2,
            "memory is given back"
        );
        let value = self.value();
        assert_eq!(self.set.contains(value), self.model.contains(&value));
        let index = self.model.range(..value).count();
        assert_eq!(
            self.set.position(value).unwrap_or_else(|place| place),
            index
        );
        assert_eq!(self.set.get(index), self.model.iter().nth(index).copied());
    }
}

#[test]
fn random_operations() {
    for seed in 0..28 {
        let edges = 1 + seed as usize % EDGES.len();
        let mut world = World {
            random: seed,
            edges,
            set: Intset::new(),
            model: BTreeSet::new(),
            width: 2,
        };
        for _ in 0..500 {
            world.step();
            world.check();
        }
        assert!(!world.model.is_empty(), "the mix leaves members");
    }
}

/// Each value that widens a set, before and behind what is there, at every size up to some dozens.
#[test]
fn widening_at_both_ends() {
    for len in 0..40_i64 {
        for value in [40_000, -40_000, 1 << 40, -(1 << 40), i64::MIN, i64::MAX] {
            let mut set = Intset::new();
            let mut model = BTreeSet::new();
            for member in -len..len {
                set.insert(member).expect("there is memory");
                model.insert(member);
            }
            assert_eq!(set.insert(value), Ok(true));
            model.insert(value);
            assert!(set.iter().eq(model.iter().copied()));
            assert!(Intset::from_bytes(set.into_bytes()).is_ok());
        }
    }
}
