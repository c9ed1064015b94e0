//! An ordered map from 128-bit ids: a stream's nodes by their first id, and pending entries.
//!
//! An id is two words, as in a stream: milliseconds, and a sequence number below them. Values are
//! small and clone cheaply: a handle behind a count, or a few plain words. The map is the counted
//! tree with a key, so appending at the end leaves full leaves behind, looking for the neighbour of
//! an id is one descent, and a clone is a snapshot (`tree/mod.rs` has the invariants).
//!
//! Checked by: `tests/id_map_model.rs`.

use crate::tree::{Child, Copies, Cursor, Leaf, Parts, Record, Tree, first, last, not_above};
use std::ops::Range;

/// A value of the map.
pub trait Value: Clone + Send + Sync + 'static {
    /// Bytes on the heap that the value leads to.
    fn heap_bytes(&self) -> usize {
        0
    }
}

/// An id in two halves, the high one first: sixteen bytes that need no alignment of sixteen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id(u64, u64);

impl From<u128> for Id {
    fn from(id: u128) -> Self {
        // The halves of a number, neither loses anything.
        Self((id >> 64) as u64, id as u64)
    }
}

impl From<Id> for u128 {
    fn from(id: Id) -> Self {
        (Self::from(id.0) << 64) | Self::from(id.1)
    }
}

/// An id with its value.
#[derive(Clone, Debug)]
pub struct Entry<V: Value> {
    id: Id,
    value: V,
}

impl<V: Value> Entry<V> {
    /// The id.
    pub fn id(&self) -> u128 {
        self.id.into()
    }

    /// The value.
    pub fn value(&self) -> &V {
        &self.value
    }
}

impl<V: Value> Record for Entry<V> {
    type Sep = Id;
    /// With a value of one word, a leaf of 1 KiB.
    const FULL: usize = 42;

    fn sep(&self) -> Id {
        self.id
    }

    fn weight(&self) -> u64 {
        1
    }

    fn heap_bytes(&self) -> usize {
        self.value.heap_bytes()
    }
}

/// An ordered map from 128-bit ids. See the file's essay.
#[derive(Clone, Debug)]
pub struct IdMap<V: Value> {
    tree: Tree<Entry<V>>,
}

/// To the leaf in which `id` is or would be.
fn to<V: Value>(id: Id) -> impl FnMut(&[Child<Entry<V>>]) -> usize {
    not_above(move |child: &Child<Entry<V>>| *child.sep() > id)
}

/// Where `id` is in a leaf, or before which entry it would be.
fn find<V: Value>(leaf: &Leaf<Entry<V>>, id: Id) -> Result<usize, usize> {
    leaf.records().binary_search_by(|entry| entry.id.cmp(&id))
}

impl<V: Value> IdMap<V> {
    /// An empty map, which has allocated nothing.
    pub const fn new() -> Self {
        Self { tree: Tree::new() }
    }

    /// The number of entries.
    pub fn len(&self) -> u64 {
        self.tree.weight()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tree.is_empty()
    }

    /// Bytes on the heap, values included.
    pub fn heap_bytes(&self) -> usize {
        self.tree.heap_bytes()
    }

    /// What copy on write has cost, copies of what values lead to not included.
    pub fn copies(&self) -> Copies {
        self.tree.copies()
    }

    /// The value of `id`.
    pub fn get(&self, id: u128) -> Option<&V> {
        let leaf = self.tree.leaf(to(id.into()))?;
        let at = find(leaf, id.into()).ok()?;
        Some(&leaf.records()[at].value)
    }

    /// Gives `id` a value and returns the one it had.
    pub fn insert(&mut self, id: u128, value: V) -> Option<V> {
        let id = Id::from(id);
        self.tree.edit(to(id), |leaf| match find(leaf, id) {
            Ok(at) => Some(leaf.change(at, |entry| std::mem::replace(&mut entry.value, value))),
            Err(at) => {
                leaf.insert(at, Entry { id, value });
                None
            }
        })
    }

    /// Lets `change` have the value of `id`. `None`, and nothing copied, if there is none.
    pub fn change<T>(&mut self, id: u128, change: impl FnOnce(&mut V) -> T) -> Option<T> {
        // Looking first: a shared path is copied only for an id that is there.
        self.get(id)?;
        let id = Id::from(id);
        self.tree.edit(to(id), |leaf| {
            let at = find(leaf, id).ok()?;
            Some(leaf.change(at, |entry| change(&mut entry.value)))
        })
    }

    /// Lets `change` have the last entry's value.
    pub fn change_last<T>(&mut self, change: impl FnOnce(u128, &mut V) -> T) -> Option<T> {
        if self.is_empty() {
            return None;
        }
        Some(self.tree.edit(last, |leaf| {
            let at = leaf.len() - 1;
            leaf.change(at, |entry| change(entry.id.into(), &mut entry.value))
        }))
    }

    /// Takes `id` out and returns its value. Copies nothing if there is none.
    pub fn remove(&mut self, id: u128) -> Option<V> {
        self.get(id)?;
        let id = Id::from(id);
        self.tree.edit(to(id), |leaf| {
            let at = find(leaf, id).ok()?;
            Some(leaf.remove(at).value)
        })
    }

    /// Takes the first entry out.
    pub fn pop_first(&mut self) -> Option<(u128, V)> {
        if self.is_empty() {
            return None;
        }
        let entry = self.tree.edit(first, |leaf| leaf.remove(0));
        Some((entry.id.into(), entry.value))
    }

    /// The first entry.
    pub fn first(&self) -> Option<(u128, &V)> {
        show(self.tree.leaf(first)?.records().first()?)
    }

    /// The last entry.
    pub fn last(&self) -> Option<(u128, &V)> {
        show(self.tree.leaf(last)?.records().last()?)
    }

    /// The number of entries with an id below `id`.
    pub fn rank(&self, id: u128) -> u64 {
        let id = Id::from(id);
        self.tree.leaf_and_rank(to(id)).map_or(0, |(leaf, before)| {
            let (Ok(at) | Err(at)) = find(leaf, id);
            before + at as u64
        })
    }

    /// Takes the entries of a range of ranks out and returns them: to be dropped where there is
    /// time for it.
    #[must_use = "dropping a large map takes its time"]
    pub fn remove_ranks(&mut self, ranks: Range<u64>) -> Self {
        Self {
            tree: self.tree.remove_ranks(ranks),
        }
    }

    /// A walk from the first entry whose id is not below `id`.
    pub fn at_or_after(&self, id: u128) -> Entries<'_, V> {
        let id = Id::from(id);
        let cursor = self.tree.seek_by(to(id), |leaf| {
            let (Ok(at) | Err(at)) = find(leaf, id);
            at
        });
        Entries { cursor }
    }

    /// A walk from the last entry whose id is not above `id`.
    pub fn at_or_before(&self, id: u128) -> Entries<'_, V> {
        let mut entries = self.at_or_after(id);
        match entries.get() {
            Some((found, _)) if found == id => {}
            Some(_) => entries.back(),
            None => {
                entries.cursor = self.tree.seek_last();
            }
        }
        entries
    }

    /// The entry of rank `rank`, to walk from.
    pub fn at_rank(&self, rank: u64) -> Entries<'_, V> {
        Entries {
            cursor: self.tree.seek(rank).0,
        }
    }

    /// The entries in order.
    pub fn iter(&self) -> impl Iterator<Item = (u128, &V)> {
        let mut entries = self.at_rank(0);
        std::iter::from_fn(move || {
            let entry = entries.get();
            entries.forward();
            entry
        })
    }

    /// The map, to be taken apart leaf by leaf.
    pub fn into_parts(self) -> Parts<Entry<V>> {
        self.tree.into_parts()
    }

    /// Panics if an invariant does not hold. For tests.
    pub fn check(&self) {
        self.tree.check(|leaf, low, high| {
            let ids = leaf.records();
            assert!(ids.is_sorted_by(|a, b| a.id < b.id), "in order");
            assert!(low.is_none_or(|low| *low <= ids[0].id), "T3");
            assert!(high.is_none_or(|high| ids[ids.len() - 1].id < *high), "T3");
        });
    }
}

fn show<V: Value>(entry: &Entry<V>) -> Option<(u128, &V)> {
    Some((entry.id.into(), &entry.value))
}

impl<V: Value> Default for IdMap<V> {
    fn default() -> Self {
        Self::new()
    }
}

/// A walk over a map's entries, in both directions.
#[derive(Debug)]
pub struct Entries<'a, V: Value> {
    cursor: Cursor<'a, Entry<V>>,
}

impl<'a, V: Value> Entries<'a, V> {
    /// The entry; `None` behind either end.
    #[inline]
    pub fn get(&self) -> Option<(u128, &'a V)> {
        show(self.cursor.get()?)
    }

    /// To the next entry.
    #[inline]
    pub fn forward(&mut self) {
        self.cursor.forward();
    }

    /// To the entry before.
    #[inline]
    pub fn back(&mut self) {
        self.cursor.back();
    }
}

// Not derived: a walk is copied whatever it walks over.
impl<V: Value> Clone for Entries<'_, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V: Value> Copy for Entries<'_, V> {}
