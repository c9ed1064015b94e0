//! A copy-on-write map of byte strings: the elements of large hashes and sets.
//!
//! ```text
//!   Dict ─ Vec ─▶ Arc<Chunk> Arc<Chunk> ..       128 buckets each, sums     chunk.rs
//!                   └─▶ Bucket Bucket ..         counts, earliest deadline  bucket.rs
//!                         ├─▶ Shared             slots .. records           page.rs, record.rs
//!                         └─▶ Arc<Longs> ─▶ Arc<Vec<u8>>   what is too long for a page
//! ```
//!
//! Linear hashing: the bucket of a hash is named by the low bits of its directory part
//! (`hash.rs`), and one bucket at a time splits or merges (`resize.rs`). An element is found by one
//! step each to chunk, bucket and page, a comparison of the page's tags, and one of the key.
//!
//! **Copy on write.** `clone` adds a count to each chunk and gives a second, fully live map; either
//! may be changed, kept, sent to another thread or dropped. A change copies the bucket and the chunk
//! that it touches if somebody else has them too, and nothing else. An [`Item`] borrows the map;
//! a reply that outlives the lock keeps a clone, or [`Item::pin`]s a long value alone.
//!
//! D1  `chunks` hold exactly `buckets` buckets, all chunks but the last are full, and none is empty.
//! D2  Each element is in the bucket that `hash::index` names for its hash, and keys are distinct.
//! D3  `sums` are the sums over all buckets; `longest` is at or above each bucket's count.
//! D4  A page, a list of long parts or a chunk changes only while its count and that of all above
//!     is one. Safe code has no other way: `make_mut` down one descent (`change`).
//!
//! Why it is built so, and what was measured: `docs/design/dict.md`.
//! Checked by: `check` under `tests/dict_model.rs`; `tests/dict_cases.rs`, `tests/dict_memory.rs`.

#![forbid(unsafe_code)]

mod bucket;
mod chunk;
mod hash;
mod page;
mod record;
mod resize;
mod sample;
mod scan;
mod ttl;

use crate::Refused;
use bucket::{Bucket, Sums};
use chunk::Chunk;
use std::sync::Arc;

pub use chunk::Piece;
pub use hash::Hashing;
pub use scan::Iter;
pub use ttl::Expired;

/// What a write does with the deadline of an element that is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Deadline {
    /// Stays as it is; a new element has none.
    Keep,
    /// Is taken away.
    Clear,
    /// Becomes this, in the caller's milliseconds.
    At(i64),
}

impl Deadline {
    fn of_new(self) -> Option<i64> {
        match self {
            Self::Keep | Self::Clear => None,
            Self::At(ms) => Some(ms),
        }
    }
}

/// What an insertion found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Inserted {
    /// The key was not there.
    New,
    /// The key was there, and its value has been replaced.
    Replaced,
}

/// An element, borrowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Item<'a> {
    /// The key.
    pub key: &'a [u8],
    /// The value; empty in a set.
    pub value: &'a [u8],
    /// The moment from which the element is no longer there, in the caller's milliseconds. The
    /// dict itself reads no clock: an expired element stays until somebody removes it.
    pub deadline: Option<i64>,
    long: Option<&'a Arc<Vec<u8>>>,
}

impl Item<'_> {
    /// The value as a count of its own, if it does not lie in a page (key and value above 512
    /// bytes): for a
    /// reply that is sent after the lock is released.
    pub fn pin(&self) -> Option<Arc<Vec<u8>>> {
        self.long.cloned()
    }
}

/// A copy-on-write hash map of byte strings. See the module.
///
/// Each `hash` that is handed in must be `hashing().of(key)`.
#[derive(Clone)]
pub struct Dict {
    chunks: Vec<Arc<Chunk>>,
    buckets: usize,
    sums: Sums,
    longest: usize,
    hashing: Hashing,
    copied: u64,
}

impl Dict {
    /// An empty map, without memory.
    pub fn new(hashing: Hashing) -> Self {
        Self {
            chunks: Vec::new(),
            buckets: 0,
            sums: Sums::default(),
            longest: 0,
            hashing,
            copied: 0,
        }
    }

    /// How elements are hashed.
    pub fn hashing(&self) -> Hashing {
        self.hashing
    }

    /// The number of elements, expired ones included.
    pub fn len(&self) -> usize {
        self.sums.entries
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.sums.entries == 0
    }

    /// Bytes that the allocator gave for everything below the `Dict` value itself, if it has the
    /// size classes of mimalloc. What is shared with clones counts in each.
    pub fn memory_bytes(&self) -> usize {
        self.directory_bytes() + self.sums.page_bytes + self.sums.long_bytes
    }

    /// Bytes of chunks and pages copied so far because a clone had them too.
    pub fn copied_bytes(&self) -> u64 {
        self.copied
    }

    /// The element with this key.
    #[inline]
    pub fn get(&self, hash: u64, key: &[u8]) -> Option<Item<'_>> {
        let (index, slot) = self.find(hash, key)?;
        Some(self.bucket(index).item(slot))
    }

    /// Asks for the memory where an element with this hash would be looked for: for commands with
    /// many members, a few of them ahead. Alone it gains nothing.
    #[inline]
    pub fn prefetch(&self, hash: u64) {
        if self.buckets > 0 {
            self.bucket(hash::index(hash, self.buckets)).prefetch();
        }
    }

    /// Whether there is an element with this key.
    #[inline]
    pub fn contains(&self, hash: u64, key: &[u8]) -> bool {
        self.find(hash, key).is_some()
    }

    /// Bucket and slot of a key.
    #[inline]
    fn find(&self, hash: u64, key: &[u8]) -> Option<(usize, usize)> {
        debug_assert_eq!(hash, self.hashing.of(key), "the caller's hash");
        if self.buckets == 0 {
            return None;
        }
        let index = hash::index(hash, self.buckets);
        let slot = self.bucket(index).find(hash::tag(hash), key)?;
        Some((index, slot))
    }

    /// Puts an element in, or gives the one with this key a new value. A value of the old one's
    /// length is written in place.
    ///
    /// # Errors
    /// [`Refused`], and then nothing has changed: `Memory`, or `Size` for a bucket of a megabyte,
    /// a thousand times what an honest hash makes.
    pub fn insert(
        &mut self,
        hash: u64,
        key: &[u8],
        value: &[u8],
        deadline: Deadline,
    ) -> Result<Inserted, Refused> {
        if let Some((index, slot)) = self.find(hash, key) {
            self.change(index, |bucket| bucket.replace(slot, value, deadline))?;
            self.grow();
            self.shrink(1);
            return Ok(Inserted::Replaced);
        }
        self.insert_new(hash, key, value, deadline.of_new())?;
        Ok(Inserted::New)
    }

    /// Puts an element in unless its key is there; says whether it did. Copies nothing if not.
    ///
    /// # Errors
    /// [`Refused`], and then nothing has changed.
    pub fn insert_absent(
        &mut self,
        hash: u64,
        key: &[u8],
        value: &[u8],
        deadline: Option<i64>,
    ) -> Result<bool, Refused> {
        if self.contains(hash, key) {
            return Ok(false);
        }
        self.insert_new(hash, key, value, deadline)?;
        Ok(true)
    }

    fn insert_new(
        &mut self,
        hash: u64,
        key: &[u8],
        value: &[u8],
        deadline: Option<i64>,
    ) -> Result<(), Refused> {
        if self.buckets == 0 {
            self.push_bucket(Bucket::new());
        }
        let index = hash::index(hash, self.buckets);
        let tag = hash::tag(hash);
        let added = self.change(index, |bucket| bucket.add(tag, key, value, deadline));
        if added.is_err() {
            self.shrink(1);
            return added;
        }
        self.grow();
        Ok(())
    }

    /// Sets or clears the deadline of an element; says whether there is one with this key.
    ///
    /// # Errors
    /// [`Refused`], and then nothing has changed.
    pub fn set_deadline(
        &mut self,
        hash: u64,
        key: &[u8],
        deadline: Option<i64>,
    ) -> Result<bool, Refused> {
        let Some((index, slot)) = self.find(hash, key) else {
            return Ok(false);
        };
        if self.bucket(index).item(slot).deadline != deadline {
            self.change(index, |bucket| bucket.set_deadline(slot, deadline))?;
            self.grow();
        }
        Ok(true)
    }

    /// Removes an element; says whether there was one with this key.
    pub fn remove(&mut self, hash: u64, key: &[u8]) -> bool {
        self.take(hash, key, |_| ()).is_some()
    }

    /// Shows `look` an element and removes it.
    pub fn take<R>(
        &mut self,
        hash: u64,
        key: &[u8],
        look: impl FnOnce(Item<'_>) -> R,
    ) -> Option<R> {
        let (index, slot) = self.find(hash, key)?;
        Some(self.take_at(index, slot, look))
    }

    fn take_at<R>(&mut self, index: usize, slot: usize, look: impl FnOnce(Item<'_>) -> R) -> R {
        let seen = look(self.bucket(index).item(slot));
        self.change(index, |bucket| bucket.remove(slot));
        self.shrink(1);
        seen
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        *self = Self {
            copied: self.copied,
            ..Self::new(self.hashing)
        };
    }

    /// Asserts every invariant, in time proportional to the elements; for tests.
    pub fn check(&self) {
        self.check_chunks();
        let mut sums = Sums::default();
        for index in 0..self.buckets {
            let bucket = self.bucket(index);
            bucket.check(self.hashing, |hash| {
                hash::index(hash, self.buckets) == index
            });
            assert!(bucket.len() <= self.longest, "D3");
            sums.move_on(Sums::default(), bucket.sums());
        }
        assert_eq!(sums, self.sums, "D3");
        for item in self.iter() {
            let found = self.get(self.hashing.of(item.key), item.key);
            assert!(found.is_some_and(|f| std::ptr::eq(f.key, item.key)), "D2");
        }
    }
}

impl std::fmt::Debug for Dict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dict")
            .field("len", &self.len())
            .field("buckets", &self.buckets)
            .finish_non_exhaustive()
    }
}
