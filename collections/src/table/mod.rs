//! The table: a segmented, copy-on-write hash table over owning pointers.
//!
//! It holds the keyspace, and later the elements of large sets and hashes. What it is good at:
//! no stall while it grows (one segment splits at a time), less than 10 bytes of overhead an entry at
//! any size, a cut in microseconds that any thread can iterate, SCAN with guarantees, expiry and
//! sampling without a second dictionary, and look-ups in stages so that a batch hides the latency
//! of memory. `docs/design/table.md` tells the whole story with its reasons and figures.
//!
//! ```text
//!  Table ─ chunks ─> [Chunk][Chunk]..      one for 256 segments, counted
//!                      └> [Seg][Seg]..     some 50 entries each, counted
//!                           └> tags, words ─> element
//! ```
//!
//! **Linear hashing.** With N segments and 2^L <= N < 2^(L+1), directory bits `d` belong to segment
//! `d mod 2^(L+1)`, or to `d mod 2^L` if there is no such segment yet. When the table holds more
//! than `TARGET` entries a segment, segment N - 2^L splits and segment N comes into being: those are
//! the two whose indices differ in bit L, and no other segment is touched. Merging is the reverse.
//! Against extendible hashing: the directory never doubles, no two directory slots share a segment
//! (so "its count is one" means "nobody else has it"), and there is no bookkeeping of depths; the
//! price is that segments not yet split are up to twice as full as the others.
//!
//! D1  Segment i of the directory is `chunks[i / 256].segments()[i % 256]`; all chunks but the last
//!     are full; none is empty.
//! D2  Each entry is in the segment that the rule above names for its hash.
//! D3  `counters` are the sums over all segments; `longest` is at or above every `len`.
//!
//! The invariants of sharing are S1 to S4 (`segment.rs`), C1 to C3 (`chunk.rs`), H1 to H7
//! (`handover.rs`). Checked by: `tests/table_model.rs` against std maps, `tests/handover_model.rs`
//! under shuttle, `tests/table_threads.rs`, `Table::check`, AddressSanitizer.

mod ahead;
pub(crate) mod arena;
mod chunk;
pub(crate) mod classes;
mod element;
mod entry;
mod frozen;
mod handover;
mod hash;
mod iter;
mod path;
pub(crate) mod probe;
mod resize;
mod sample;
mod scan;
mod segment;
mod snapshot;
mod ttl;

pub use ahead::Ahead;
pub use arena::idle_bytes;
pub use classes::allocated_bytes;
pub use element::Element;
pub use entry::{Occupied, Slot, Vacant};
pub use frozen::frozen_bytes;
pub use hash::Hash;
pub use iter::Iter;
pub use snapshot::{FrozenChunk, Snapshot};
pub use ttl::ExpiredVisit;

use std::ptr::NonNull;

use chunk::{CHUNK_BITS, CHUNK_SEGMENTS, Chunk};
use segment::{NEVER, Seg};

/// Entries a segment on average. Larger ones cost less header an entry and more tag lines a
/// look-up; measured in `docs/design/table.md`.
const TARGET: usize = 56;

/// A segmented, copy-on-write hash table. See the module's essay.
pub struct Table<E: Element> {
    chunks: Vec<Chunk<E>>,
    /// N, the number of segments.
    segments: usize,
    /// 2^(L+1) - 1.
    mask: u64,
    counters: Counters,
    /// The number of the last write that concerned the table as a whole.
    floor: u64,
    seed: E::Seed,
}

/// What the table knows about itself without looking (D3).
#[derive(Clone, Copy)]
struct Counters {
    len: usize,
    ttl: usize,
    /// Bytes of all chunks and segments that the directory leads to.
    heap: usize,
    /// Bytes copied so far because a snapshot held the original.
    copied: u64,
    longest: usize,
}

impl Counters {
    const EMPTY: Self = Self {
        len: 0,
        ttl: 0,
        heap: 0,
        copied: 0,
        longest: 0,
    };
}

impl<E: Element> Table<E> {
    /// An empty table, which has allocated nothing. `seed` goes to `Element::hash`.
    pub const fn new(seed: E::Seed) -> Self {
        Self {
            chunks: Vec::new(),
            segments: 0,
            mask: 0,
            counters: Counters::EMPTY,
            floor: 0,
            seed,
        }
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.counters.len
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.counters.len == 0
    }

    /// The seed that the table was made with.
    pub fn seed(&self) -> E::Seed {
        self.seed
    }

    /// Bytes that the table's structure occupies on the heap, elements not included: what its own
    /// directory leads to, shared with a snapshot or not. Kept up to date by every change, exact
    /// if the allocator has the size classes of mimalloc.
    pub fn heap_bytes(&self) -> usize {
        let directory = self.chunks.capacity() * size_of::<Chunk<E>>();
        self.counters.heap + classes::class_size(directory)
    }

    /// Bytes of structure copied since the table was made because a snapshot held the original.
    pub fn copied_bytes(&self) -> u64 {
        self.counters.copied
    }

    /// The entry of `key`, whose hash is `hash`.
    #[inline]
    pub fn find(&self, hash: Hash, key: &E::Key) -> Option<E::Ref<'_>> {
        let segment = self.segment(hash)?;
        let slot = segment.find(hash.tag(), key)?;
        // SAFETY: the slot was found in use; the table is borrowed for the view's life.
        Some(unsafe { segment.element(slot) })
    }

    /// Adds an entry whose key is known not to be there, as loading does. `hash` must be the hash
    /// of its key.
    pub fn insert_new(&mut self, hash: Hash, element: E) -> E::Ref<'_> {
        let raw = self.insert_raw(hash, element);
        // SAFETY: the element was just put in and stays where it is, whatever segment it is in.
        unsafe { E::borrow(raw) }
    }

    fn insert_raw(&mut self, hash: Hash, element: E) -> NonNull<u8> {
        if self.segments == 0 {
            self.push_segment(Seg::with_capacity(0, handover::Link::none(), self.floor));
        }
        let raw = self.path(self.index(hash)).push(hash.tag(), element);
        self.grow();
        raw
    }

    /// Empties the table and returns what was in it as a table of its own, to be dropped where
    /// there is time for it. What the table was told by `note_write` leaves with it: note the
    /// emptying write with `note_write_everywhere`.
    #[must_use = "dropping the old table here takes as long as it is large"]
    pub fn take(&mut self) -> Self {
        let mut empty = Self::new(self.seed);
        empty.floor = self.floor;
        empty.counters.copied = self.counters.copied;
        std::mem::replace(self, empty)
    }

    /// Notes the number of a write to the segment of `hash`; a missing key's segment counts too.
    pub fn note_write(&mut self, hash: Hash, number: u64) {
        if self.segments == 0 {
            self.note_write_everywhere(number);
        } else {
            self.path(self.index(hash)).note_write(number);
        }
    }

    /// Notes the number of a write that concerned the whole table, such as emptying it.
    pub fn note_write_everywhere(&mut self, number: u64) {
        self.floor = self.floor.max(number);
    }

    /// The largest number noted for the segment of `hash`: at least that of the last write to the
    /// key, or of its removal.
    pub fn last_write(&self, hash: Hash) -> u64 {
        self.segment(hash)
            .map_or(0, Seg::last_write)
            .max(self.floor)
    }

    /// The segment index of a hash (D2). There is at least one segment.
    #[inline]
    fn index(&self, hash: Hash) -> usize {
        self.index_of(hash.directory())
    }

    #[inline]
    fn index_of(&self, directory: u64) -> usize {
        let long = (directory & self.mask) as usize;
        if long < self.segments {
            long
        } else {
            long & (self.mask >> 1) as usize
        }
    }

    /// Chunk, and place in the chunk, of a segment index (D1).
    #[inline]
    fn locate(index: usize) -> (usize, usize) {
        (index >> CHUNK_BITS, index & (CHUNK_SEGMENTS - 1))
    }

    #[inline]
    fn segment_at(&self, index: usize) -> Seg<E> {
        let (chunk, slot) = Self::locate(index);
        self.chunks[chunk].segments()[slot]
    }

    #[inline]
    fn segment(&self, hash: Hash) -> Option<Seg<E>> {
        if self.segments == 0 {
            None
        } else {
            Some(self.segment_at(self.index(hash)))
        }
    }

    /// Walks the whole table and panics if an invariant does not hold. For tests.
    pub fn check(&self) {
        let mut sums = Counters::EMPTY;
        let mut index = 0;
        for (c, chunk) in self.chunks.iter().enumerate() {
            let last = c + 1 == self.chunks.len();
            assert!(
                chunk.len() == CHUNK_SEGMENTS || last && chunk.len() > 0,
                "D1"
            );
            sums.heap += chunk.heap_bytes();
            let (mut entries, mut ttl, mut earliest) = (0, 0, NEVER);
            for segment in chunk.segments() {
                entries += segment.len();
                ttl += segment.ttl();
                earliest = earliest.min(segment.earliest());
                sums.heap += segment.heap_bytes();
                sums.longest = sums.longest.max(segment.len());
                self.check_segment(index, *segment);
                index += 1;
            }
            let totals = chunk.totals();
            assert_eq!(
                (totals.entries as usize, totals.ttl as usize),
                (entries, ttl),
                "C3"
            );
            assert!(totals.earliest <= earliest, "C3");
            sums.len += entries;
            sums.ttl += ttl;
        }
        assert_eq!(index, self.segments, "D1");
        assert_eq!(
            (sums.len, sums.ttl),
            (self.counters.len, self.counters.ttl),
            "D3"
        );
        assert_eq!(sums.heap, self.counters.heap, "D3");
        assert!(sums.longest <= self.counters.longest, "D3");
    }

    fn check_segment(&self, index: usize, segment: Seg<E>) {
        let mut ttl = 0;
        for slot in 0..segment.len() {
            // SAFETY: in use, and the table is borrowed.
            let element = unsafe { segment.element(slot) };
            let hash = E::hash(element, self.seed);
            assert_eq!(self.index(hash), index, "D2");
            // SAFETY: S3: the slot's tag.
            assert_eq!(unsafe { segment.tags().add(slot).read() }, hash.tag(), "D2");
            let deadline = E::deadline(element);
            assert_eq!(deadline.is_some(), segment.word(slot).has_ttl(), "S3");
            assert!(segment.earliest() <= deadline.unwrap_or(NEVER), "S3");
            ttl += usize::from(deadline.is_some());
        }
        assert_eq!(ttl, segment.ttl(), "S3");
        assert!(segment.len() <= segment.capacity(), "S3");
    }
}

impl<E: Element> std::fmt::Debug for Table<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table")
            .field("len", &self.counters.len)
            .field("segments", &self.segments)
            .finish_non_exhaustive()
    }
}
