//! The directory: chunks of 128 buckets, and the one way to a changeable bucket.
//!
//! ```text
//!   chunks   [0]          [1]          [2]
//!             │            │            └─▶ buckets 256 ..        the last may be short
//!             │            └─▶ buckets 128 ..= 255
//!             └─▶ buckets 0 ..= 127 | entries | deadlines | earliest
//! ```
//!
//! C1  `entries` and `deadlines` are the sums over the buckets; `earliest` is at or below theirs.
//! C2  A chunk's buckets are changed by `Dict::change`, `push_bucket` and `pop_bucket` alone, which
//!     keep C1 and D3.
//!
//! The first change under a shared chunk copies its array and adds a count to each page: 4 KiB and
//! some microseconds. Larger chunks would make that longer, smaller ones a clone: 200 counts for
//! a million elements.

use super::bucket::{Bucket, NEVER, Sums};
use super::{Dict, Item};
use crate::table::classes::class_size;
use std::sync::Arc;

/// The most buckets in a chunk.
pub(super) const CHUNK_BUCKETS: usize = 128;

/// See the essay.
#[derive(Clone)]
pub(super) struct Chunk {
    pub(super) buckets: Vec<Bucket>,
    pub(super) entries: usize,
    pub(super) deadlines: usize,
    pub(super) earliest: i64,
}

impl Sums {
    /// Replaces one part of the sums by another.
    pub(super) fn move_on(&mut self, before: Self, after: Self) {
        self.entries = self.entries - before.entries + after.entries;
        self.deadlines = self.deadlines - before.deadlines + after.deadlines;
        self.used_bytes = self.used_bytes - before.used_bytes + after.used_bytes;
        self.page_bytes = self.page_bytes - before.page_bytes + after.page_bytes;
        self.long_bytes = self.long_bytes - before.long_bytes + after.long_bytes;
    }
}

impl Chunk {
    fn new() -> Self {
        Self {
            buckets: Vec::new(),
            entries: 0,
            deadlines: 0,
            earliest: NEVER,
        }
    }

    /// Makes room for one more bucket, in steps: a small dict should not pay for 128.
    fn reserve_one(&mut self) {
        let len = self.buckets.len();
        if len == self.buckets.capacity() {
            let more = (len / 4 + 1).min(CHUNK_BUCKETS - len);
            self.buckets.reserve_exact(more);
        }
    }

    /// Makes the bound exact over the buckets'.
    pub(super) fn refresh_earliest(&mut self) {
        let earliest = self.buckets.iter().map(Bucket::earliest).min();
        self.earliest = earliest.unwrap_or(NEVER);
    }
}

/// A part of a dict that was taken apart, to be dropped when there is time: at most 128 buckets.
pub struct Piece(Arc<Chunk>);

impl Piece {
    /// The number of elements in it.
    pub fn len(&self) -> usize {
        self.0.entries
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements.
    pub fn iter(&self) -> impl Iterator<Item = Item<'_>> {
        let items = |b| (0..Bucket::len(b)).map(move |slot| b.item(slot));
        self.0.buckets.iter().flat_map(items)
    }
}

impl std::fmt::Debug for Piece {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Piece").field("len", &self.len()).finish()
    }
}

impl Dict {
    /// Takes the map apart: dropping it piece by piece frees it in steps of a few microseconds, and
    /// reading it so lets a snapshot go of what has been read.
    pub fn into_pieces(self) -> impl ExactSizeIterator<Item = Piece> {
        self.chunks.into_iter().map(Piece)
    }

    #[inline]
    pub(super) fn bucket(&self, index: usize) -> &Bucket {
        &self.chunks[index / CHUNK_BUCKETS].buckets[index % CHUNK_BUCKETS]
    }

    /// Lets `f` change a bucket, copied first if others have it too, and brings all sums up to date.
    #[inline]
    pub(super) fn change<R>(&mut self, index: usize, f: impl FnOnce(&mut Bucket) -> R) -> R {
        let chunk = &mut self.chunks[index / CHUNK_BUCKETS];
        if Arc::strong_count(chunk) > 1 {
            self.copied += (chunk.buckets.len() * size_of::<Bucket>()) as u64;
        }
        let chunk = Arc::make_mut(chunk);
        let bucket = &mut chunk.buckets[index % CHUNK_BUCKETS];
        self.copied += bucket.shared_bytes() as u64;
        let before = bucket.sums();
        let result = f(bucket);
        let after = bucket.sums();
        chunk.entries = chunk.entries - before.entries + after.entries;
        chunk.deadlines = chunk.deadlines - before.deadlines + after.deadlines;
        chunk.earliest = chunk.earliest.min(bucket.earliest());
        self.sums.move_on(before, after);
        self.longest = self.longest.max(after.entries);
        result
    }

    /// Adds a bucket at the directory's end.
    pub(super) fn push_bucket(&mut self, bucket: Bucket) {
        if self.buckets.is_multiple_of(CHUNK_BUCKETS) {
            self.chunks.push(Arc::new(Chunk::new()));
        }
        let chunk = self.chunks.last_mut().expect("pushed, or D1");
        if Arc::strong_count(chunk) > 1 {
            self.copied += (chunk.buckets.len() * size_of::<Bucket>()) as u64;
        }
        let chunk = Arc::make_mut(chunk);
        chunk.reserve_one();
        let sums = bucket.sums();
        chunk.entries += sums.entries;
        chunk.deadlines += sums.deadlines;
        chunk.earliest = chunk.earliest.min(bucket.earliest());
        chunk.buckets.push(bucket);
        self.buckets += 1;
        self.sums.move_on(Sums::default(), sums);
        self.longest = self.longest.max(sums.entries);
    }

    /// Takes the directory's last bucket away.
    pub(super) fn pop_bucket(&mut self) -> Bucket {
        let chunk = Arc::make_mut(self.chunks.last_mut().expect("D1"));
        let bucket = chunk.buckets.pop().expect("D1");
        let sums = bucket.sums();
        chunk.entries -= sums.entries;
        chunk.deadlines -= sums.deadlines;
        if chunk.buckets.is_empty() {
            self.chunks.pop();
        }
        self.buckets -= 1;
        self.sums.move_on(sums, Sums::default());
        bucket
    }

    pub(super) fn directory_bytes(&self) -> usize {
        let array = |capacity: usize| class_size(capacity * size_of::<Bucket>());
        let header = class_size(2 * size_of::<usize>() + size_of::<Chunk>());
        let Some((last, full)) = self.chunks.split_last() else {
            return 0;
        };
        class_size(self.chunks.capacity() * size_of::<Arc<Chunk>>())
            + self.chunks.len() * header
            + full.len() * array(CHUNK_BUCKETS)
            + array(last.buckets.capacity())
    }

    /// Asserts D1 and C1; for tests.
    pub(super) fn check_chunks(&self) {
        assert_eq!(
            self.chunks.len(),
            self.buckets.div_ceil(CHUNK_BUCKETS),
            "D1"
        );
        for (c, chunk) in self.chunks.iter().enumerate() {
            let len = (self.buckets - c * CHUNK_BUCKETS).min(CHUNK_BUCKETS);
            assert_eq!(chunk.buckets.len(), len, "D1");
            let sum = |of: fn(&Bucket) -> usize| chunk.buckets.iter().map(of).sum::<usize>();
            assert_eq!(chunk.entries, sum(Bucket::len), "C1");
            assert_eq!(chunk.deadlines, sum(Bucket::deadlines), "C1");
            assert!(
                chunk.buckets.iter().all(|b| b.earliest() >= chunk.earliest),
                "C1"
            );
        }
    }
}
