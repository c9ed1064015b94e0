//! A table as it was at one moment: an ordinary immutable value.
//!
//! The cut adds one count to each chunk. From then on the live table copies what it changes, and
//! the snapshot stays as it was, to be read on any thread without a lock and dropped on any thread.
//! A reader that goes through it once takes it chunk by chunk: what it has let go of is no longer
//! copied by the live table, and what the table gave up meanwhile is freed.
//!
//! The order is that of the directory, not that of SCAN: low directory bits choose the segment, so
//! chunks of neighbouring segments lie scattered over the positions, and nobody who writes out a
//! whole snapshot needs an order.

use super::chunk::Chunk;
use super::iter::{Iter, Walk};
use super::{Element, Table};
use std::collections::VecDeque;

/// What a table held at the moment of the cut.
pub struct Snapshot<E: Element> {
    chunks: VecDeque<Chunk<E>>,
    len: usize,
}

/// Some thousand entries of a snapshot.
pub struct FrozenChunk<E: Element>(Chunk<E>);

impl<E: Element> Table<E> {
    /// The table as it is now. Costs one count for each 256 segments.
    pub fn snapshot(&self) -> Snapshot<E> {
        Snapshot {
            chunks: self.chunks.iter().cloned().collect(),
            len: self.counters.len,
        }
    }
}

impl<E: Element> Snapshot<E> {
    /// The number of entries that have not been taken yet.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none are left.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many of its segments the live table has copied: a hint, for who wants to let go first of what
    /// is being written to.
    pub fn copied_segments(&self) -> usize {
        // The first write under a chunk copies the chunk; then the counts of its segments tell.
        let copied = |chunk: &&Chunk<E>| chunk.is_unique();
        let segments = self.chunks.iter().filter(copied).flat_map(Chunk::segments);
        segments.filter(|segment| segment.is_unique()).count()
    }

    /// The entries that have not been taken yet.
    pub fn iter(&self) -> Iter<'_, E> {
        let (front, back) = self.chunks.as_slices();
        debug_assert!(back.is_empty(), "taking from the front never wraps round");
        Iter::new(front.iter())
    }

    /// Takes the next part out of the snapshot. Dropping it lets go of it.
    pub fn take_next_chunk(&mut self) -> Option<FrozenChunk<E>> {
        let chunk = FrozenChunk(self.chunks.pop_front()?);
        self.len -= chunk.len();
        Some(chunk)
    }
}

impl<E: Element> FrozenChunk<E> {
    /// The number of entries.
    pub fn len(&self) -> usize {
        self.0.totals().entries as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entries.
    pub fn iter(&self) -> impl Iterator<Item = E::Ref<'_>> {
        Walk::new(&self.0)
    }
}

impl<'a, E: Element> IntoIterator for &'a Snapshot<E> {
    type Item = E::Ref<'a>;
    type IntoIter = Iter<'a, E>;

    fn into_iter(self) -> Iter<'a, E> {
        self.iter()
    }
}

impl<E: Element> std::fmt::Debug for Snapshot<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot")
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}
