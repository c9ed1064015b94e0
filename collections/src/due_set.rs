//! An ordered set of moments with an id each: which pending entry of a stream has waited longest.
//!
//! The counted tree with moment and id as its key: both ends in one descent, a change in one descent,
//! a clone is a snapshot (`tree/mod.rs` has the invariants). A pair stands in it once.
//!
//! Checked by: the test below, against a `BTreeSet`.

use crate::id_map::Id;
use crate::tree::{Child, Cursor, Leaf, Parts, Record, Tree, first, not_above};

/// A moment and an id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    when: i64,
    id: Id,
}

impl Due {
    fn new(when: i64, id: u128) -> Self {
        let id = id.into();
        Self { when, id }
    }

    fn show(self) -> (i64, u128) {
        (self.when, self.id.into())
    }
}

impl Record for Due {
    type Sep = Due;
    /// A leaf of 1 KiB.
    const FULL: usize = 42;

    fn sep(&self) -> Due {
        *self
    }

    fn weight(&self) -> u64 {
        1
    }

    fn heap_bytes(&self) -> usize {
        0
    }
}

/// An ordered set of moments with ids. See the file's essay.
#[derive(Clone, Debug, Default)]
pub struct DueSet {
    tree: Tree<Due>,
}

/// To the leaf in which `due` is or would be.
fn to(due: Due) -> impl FnMut(&[Child<Due>]) -> usize {
    not_above(move |child: &Child<Due>| *child.sep() > due)
}

fn find(leaf: &Leaf<Due>, due: Due) -> Result<usize, usize> {
    leaf.records().binary_search(&due)
}

impl DueSet {
    /// An empty set, which has allocated nothing.
    pub const fn new() -> Self {
        Self { tree: Tree::new() }
    }

    /// The number of pairs.
    pub fn len(&self) -> u64 {
        self.tree.weight()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tree.is_empty()
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.tree.heap_bytes()
    }

    /// Puts a pair in; whether it is new.
    pub fn insert(&mut self, when: i64, id: u128) -> bool {
        let due = Due::new(when, id);
        self.tree.edit(to(due), |leaf| match find(leaf, due) {
            Ok(_) => false,
            Err(at) => {
                leaf.insert(at, due);
                true
            }
        })
    }

    /// Takes a pair out; whether it was there. Copies nothing if not.
    pub fn remove(&mut self, when: i64, id: u128) -> bool {
        let due = Due::new(when, id);
        let is_there = |leaf: &Leaf<Due>| find(leaf, due).is_ok();
        if !self.tree.leaf(to(due)).is_some_and(is_there) {
            return false;
        }
        self.tree.edit(to(due), |leaf| {
            let at = find(leaf, due).expect("it has just been seen");
            leaf.remove(at);
        });
        true
    }

    /// The earliest pair.
    pub fn first(&self) -> Option<(i64, u128)> {
        let due = self.tree.leaf(first)?.records().first()?;
        Some(due.show())
    }

    /// The pairs, the earliest first.
    pub fn iter(&self) -> impl Iterator<Item = (i64, u128)> {
        let mut cursor: Cursor<'_, Due> = self.tree.seek(0).0;
        std::iter::from_fn(move || {
            let due = cursor.get()?;
            cursor.forward();
            Some(due.show())
        })
    }

    /// The set, to be taken apart leaf by leaf.
    pub fn into_parts(self) -> Parts<Due> {
        self.tree.into_parts()
    }

    /// Panics if an invariant does not hold. For tests.
    pub fn check(&self) {
        self.tree.check(|leaf, low, high| {
            let dues = leaf.records();
            assert!(dues.is_sorted_by(|a, b| a < b), "in order");
            assert!(low.is_none_or(|low| *low <= dues[0]), "T3");
            assert!(high.is_none_or(|high| dues[dues.len() - 1] < *high), "T3");
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn agrees_with_a_btree_set() {
        let (mut set, mut model) = (DueSet::new(), BTreeSet::new());
        let mut snapshots = Vec::new();
        let mut random = 12_345_u64;
        for step in 0..20_000_u64 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let pair = (
                (random >> 60) as i64 - 8,
                u128::from(random >> 40 & 0xFFF) << 60,
            );
            let (is_new, was_there) = match random >> 33 & 3 {
                0 => (set.remove(pair.0, pair.1), model.remove(&pair)),
                _ => (set.insert(pair.0, pair.1), model.insert(pair)),
            };
            assert_eq!(is_new, was_there, "{step}");
            if step % 4_000 == 0 {
                set.check();
                snapshots.push((set.clone(), model.clone()));
            }
        }
        snapshots.push((set, model));
        for (set, model) in snapshots {
            set.check();
            assert_eq!(set.len(), model.len() as u64);
            assert_eq!(set.first(), model.first().copied());
            assert!(set.iter().eq(model.iter().copied()));
        }
    }
}
