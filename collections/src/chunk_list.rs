//! A list's frame: a sequence of chunks, each with a count of elements.
//!
//! A chunk is opaque: a handle behind a count, such as an `Arc` of a listpack, which clones at the
//! price of a count. The list is a counted tree of chunks weighed by their elements, so an index is
//! found in one short descent from either end (a million elements in listpacks of 8 KiB are some
//! four thousand chunks, three levels), and the ends are reached in the same few steps.
//!
//! What happens inside a chunk is the caller's: a closure gets the chunk to change, made reachable
//! for this list alone (its handle may still be shared: `Arc::make_mut`), and may hand back further
//! chunks that belong behind it. A chunk that is left empty leaves the list. Copy on write and
//! invariants are the tree's (`tree/mod.rs`): a clone is a snapshot.
//!
//! Checked by: `tests/chunk_list_model.rs`.

use crate::tree::{Copies, Cursor, Leaf, Parts, Record, Tree, first, last};
use std::ops::Range;

pub use crate::tree::End;

/// A handle to some elements in a row.
pub trait Chunk: Clone + Send + Sync + 'static {
    /// The number of elements.
    fn count(&self) -> usize;
    /// Bytes on the heap that the handle leads to.
    fn heap_bytes(&self) -> usize;
}

/// A chunk with its count beside it: looking for an index touches no chunk.
#[derive(Clone, Debug)]
pub struct Piece<C: Chunk> {
    count: u64,
    chunk: C,
}

impl<C: Chunk> Piece<C> {
    fn new(chunk: C) -> Self {
        let count = chunk.count() as u64;
        Self { count, chunk }
    }

    /// The chunk.
    pub fn chunk(&self) -> &C {
        &self.chunk
    }
}

impl<C: Chunk> Record for Piece<C> {
    type Sep = ();
    /// A copied leaf adds one to as many counts, each in a cache line of its own.
    const FULL: usize = 32;

    fn sep(&self) {}

    fn weight(&self) -> u64 {
        self.count
    }

    fn heap_bytes(&self) -> usize {
        self.chunk.heap_bytes()
    }
}

/// A sequence of chunks, counted by elements. See the file's essay.
#[derive(Clone, Debug)]
pub struct ChunkList<C: Chunk> {
    tree: Tree<Piece<C>>,
}

impl<C: Chunk> ChunkList<C> {
    /// An empty list, which has allocated nothing.
    pub const fn new() -> Self {
        Self { tree: Tree::new() }
    }

    /// The number of elements.
    pub fn len(&self) -> u64 {
        self.tree.weight()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tree.is_empty()
    }

    /// The number of chunks; visits the leaves, one for some dozens of chunks.
    pub fn chunk_count(&self) -> usize {
        self.tree.record_count()
    }

    /// Bytes on the heap, chunks included.
    pub fn heap_bytes(&self) -> usize {
        self.tree.heap_bytes()
    }

    /// What copy on write has cost, copies of chunks not included.
    pub fn copies(&self) -> Copies {
        self.tree.copies()
    }

    /// The first chunk.
    pub fn front(&self) -> Option<&C> {
        let piece = self.tree.leaf(first)?.records().first()?;
        Some(&piece.chunk)
    }

    /// The last chunk.
    pub fn back(&self) -> Option<&C> {
        let piece = self.tree.leaf(last)?.records().last()?;
        Some(&piece.chunk)
    }

    /// The chunk in which the element `index` is, and its place there.
    pub fn get(&self, index: u64) -> Option<(&C, usize)> {
        let (piece, within) = self.tree.get(index)?;
        Some((&piece.chunk, place(within)))
    }

    /// Puts a chunk, which is not empty, before all others.
    pub fn push_front(&mut self, chunk: C) {
        debug_assert!(chunk.count() > 0);
        self.tree
            .edit(first, |leaf| leaf.insert(0, Piece::new(chunk)));
    }

    /// Puts a chunk, which is not empty, behind all others.
    pub fn push_back(&mut self, chunk: C) {
        debug_assert!(chunk.count() > 0);
        self.tree
            .edit(last, |leaf| leaf.insert(leaf.len(), Piece::new(chunk)));
    }

    /// Puts a chunk, which is not empty, before the element `index`, which must be the first of its
    /// chunk, or behind all others if `index` is the length.
    pub fn insert(&mut self, index: u64, chunk: C) {
        debug_assert!(chunk.count() > 0);
        self.tree.edit_at(index, |leaf, at, inside| {
            assert_eq!(inside, 0, "chunks are put between chunks");
            leaf.insert(at, Piece::new(chunk));
        });
    }

    /// Lets `change` have the chunk in which the element `index` is, and its place there. Chunks
    /// that it puts into the vector, at most `MORE_MAX`, none empty, go behind the chunk; a chunk
    /// that it leaves empty goes. `None` if there is no such element.
    pub fn change<T>(
        &mut self,
        index: u64,
        change: impl FnOnce(&mut C, usize, &mut Vec<C>) -> T,
    ) -> Option<T> {
        if index >= self.len() {
            return None;
        }
        Some(self.tree.edit_at(index, |leaf, at, inside| {
            change_piece(leaf, at, |chunk, more| change(chunk, place(inside), more))
        }))
    }

    /// As `change`, with the first chunk.
    pub fn change_front<T>(&mut self, change: impl FnOnce(&mut C, &mut Vec<C>) -> T) -> Option<T> {
        if self.is_empty() {
            return None;
        }
        Some(self.tree.edit(first, |leaf| change_piece(leaf, 0, change)))
    }

    /// As `change`, with the last chunk.
    pub fn change_back<T>(&mut self, change: impl FnOnce(&mut C, &mut Vec<C>) -> T) -> Option<T> {
        if self.is_empty() {
            return None;
        }
        Some(
            self.tree
                .edit(last, |leaf| change_piece(leaf, leaf.len() - 1, change)),
        )
    }

    /// As `change_front` or `change_back`, for a change that leaves the chunk with elements and has no
    /// further chunks: every push, and most pops, on the shortest way.
    #[inline]
    pub fn change_end<T>(&mut self, end: End, change: impl FnOnce(&mut C) -> T) -> Option<T> {
        self.tree.change_end(end, |piece| {
            let result = change(&mut piece.chunk);
            piece.count = piece.chunk.count() as u64;
            debug_assert!(piece.count > 0, "it was to keep elements");
            result
        })
    }

    /// The number of elements in the chunk at an end; 0 without chunks.
    #[inline]
    pub fn end_count(&self, end: End) -> u64 {
        let piece = match end {
            End::First => self
                .tree
                .leaf(first)
                .and_then(|leaf| leaf.records().first()),
            End::Last => self.tree.leaf(last).and_then(|leaf| leaf.records().last()),
        };
        piece.map_or(0, |piece| piece.count)
    }

    /// Makes sure that a chunk begins with the element `index`: `split` keeps the elements before
    /// the given place in the chunk and returns the others. Nothing happens at the ends.
    pub fn part_at(&mut self, index: u64, split: impl FnOnce(&mut C, usize) -> C) {
        let inside = self.get(index).map_or(0, |(_, inside)| inside);
        if inside > 0 {
            self.change(index, |chunk, inside, more| more.push(split(chunk, inside)));
        }
    }

    /// Offers the chunks before and behind a boundary to `join`, which says whether it has taken
    /// all of the second into the first.
    pub fn join_at(&mut self, index: u64, join: impl FnOnce(&mut C, &C) -> bool) {
        if index == 0 || index >= self.len() {
            return;
        }
        let Some((right, 0)) = self.get(index) else {
            return;
        };
        let right = right.clone();
        if self.change(index - 1, |left, _, _| join(left, &right)) == Some(true) {
            // The first chunk has grown by the elements of the second, which still follows.
            let count = right.count() as u64;
            let twice = self.remove_range(index + count..index + 2 * count);
            debug_assert_eq!(twice.len(), count);
        }
    }

    /// Takes the elements of a range out, both ends of which are boundaries of chunks, and returns
    /// them: to be dropped where there is time for it.
    #[must_use = "dropping a long list takes its time"]
    pub fn remove_range(&mut self, range: Range<u64>) -> Self {
        Self {
            tree: self.tree.remove_ranks(range),
        }
    }

    /// Adds the chunks of `other` behind all others.
    pub fn append(&mut self, other: Self) {
        self.tree.append(other.tree);
    }

    /// A walk from the chunk in which the element `index` is, and the element's place there.
    pub fn seek(&self, index: u64) -> (Chunks<'_, C>, usize) {
        let (cursor, within) = self.tree.seek(index);
        (Chunks { cursor }, place(within))
    }

    /// A walk from the last chunk.
    pub fn seek_last(&self) -> Chunks<'_, C> {
        Chunks {
            cursor: self.tree.seek_last(),
        }
    }

    /// The chunks from the first to the last.
    pub fn iter(&self) -> impl Iterator<Item = &C> {
        let (mut chunks, _) = self.seek(0);
        std::iter::from_fn(move || {
            let chunk = chunks.get();
            chunks.forward();
            chunk
        })
    }

    /// The list, to be taken apart leaf by leaf.
    pub fn into_parts(self) -> Parts<Piece<C>> {
        self.tree.into_parts()
    }

    /// Panics if an invariant does not hold. For tests.
    pub fn check(&self) {
        self.tree.check(|leaf, _, _| {
            for piece in leaf.records() {
                assert_eq!(piece.count, piece.chunk.count() as u64, "counts are right");
            }
        });
    }
}

/// The most chunks that a change may put behind the one that it changes.
pub const MORE_MAX: usize = 8;

fn change_piece<C: Chunk, T>(
    leaf: &mut Leaf<Piece<C>>,
    at: usize,
    change: impl FnOnce(&mut C, &mut Vec<C>) -> T,
) -> T {
    let mut more = Vec::new();
    let result = leaf.change(at, |piece| {
        let result = change(&mut piece.chunk, &mut more);
        piece.count = piece.chunk.count() as u64;
        result
    });
    assert!(more.len() <= MORE_MAX, "a leaf grows by a few at a time");
    let behind = if leaf.records()[at].count == 0 {
        leaf.remove(at);
        at
    } else {
        at + 1
    };
    for (i, chunk) in more.into_iter().enumerate() {
        debug_assert!(chunk.count() > 0);
        leaf.insert(behind + i, Piece::new(chunk));
    }
    result
}

/// A place inside a chunk.
fn place(within: u64) -> usize {
    usize::try_from(within).expect("a chunk is in memory")
}

impl<C: Chunk> Default for ChunkList<C> {
    fn default() -> Self {
        Self::new()
    }
}

/// A walk over a list's chunks, in both directions.
#[derive(Debug)]
pub struct Chunks<'a, C: Chunk> {
    cursor: Cursor<'a, Piece<C>>,
}

impl<'a, C: Chunk> Chunks<'a, C> {
    /// The chunk; `None` behind either end.
    #[inline]
    pub fn get(&self) -> Option<&'a C> {
        Some(&self.cursor.get()?.chunk)
    }

    /// To the next chunk.
    #[inline]
    pub fn forward(&mut self) {
        self.cursor.forward();
    }

    /// To the chunk before.
    #[inline]
    pub fn back(&mut self) {
        self.cursor.back();
    }
}

// Not derived: a walk is copied whatever it walks over.
impl<C: Chunk> Clone for Chunks<'_, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C: Chunk> Copy for Chunks<'_, C> {}
