//! Growing and shrinking: one bucket splits, or the last one merges back.
//!
//! ```text
//!   buckets, half = 2^⌊log2 buckets⌋
//!   split   bucket `buckets - half` gives half of its elements to a new one at the end
//!   merge   the last bucket goes back to where it once came from
//! ```
//!
//! A split hashes the keys of one bucket again and copies its records into two new pages: two
//! microseconds, once for every thirty or so insertions. There is no other work, ever.
//!
//! R1  After an insertion there are at most `TARGET_BYTES` in use and `TARGET_ENTRIES` elements
//!     a bucket on average; after a removal at least a third of one of them, or one bucket.
//!     So a merge and a split do not take turns.

use super::Dict;
use super::bucket::Bucket;
use super::hash;

/// Bytes of slots and records a bucket, on average, above which one splits. See the figures in `dict.md`.
const TARGET_BYTES: usize = 1280;
/// Elements a bucket, on average, above which one splits: tags to compare.
const TARGET_ENTRIES: usize = 64;

impl Dict {
    fn is_over(&self) -> bool {
        self.sums.used_bytes > self.buckets * TARGET_BYTES
            || self.sums.entries > self.buckets * TARGET_ENTRIES
    }

    fn is_under(&self) -> bool {
        self.sums.used_bytes < self.buckets * (TARGET_BYTES / 3)
            && self.sums.entries < self.buckets * (TARGET_ENTRIES / 3)
    }

    /// Splits a bucket if that is due (R1). One is enough: no element takes more of a page than a
    /// bucket may have.
    #[inline]
    pub(super) fn grow(&mut self) {
        if self.is_over() {
            self.split();
        }
    }

    #[cold]
    fn split(&mut self) {
        let new = self.buckets;
        let source = new - (1 << new.ilog2());
        let goes = |hash| hash::index(hash, new + 1) == new;
        let (stay, go) = self.bucket(source).split(self.hashing, goes);
        self.change(source, |bucket| *bucket = stay);
        self.push_bucket(go);
    }

    /// Merges buckets if that is due (R1) after `changes` elements have gone or become shorter: two
    /// for each, so that no single change has to make up for many.
    #[inline]
    pub(super) fn shrink(&mut self, changes: usize) {
        if self.is_empty() {
            self.clear();
        }
        for _ in 0..changes.saturating_mul(2) {
            if self.buckets <= 1 || !self.is_under() || !self.merge() {
                break;
            }
        }
    }

    /// Merges the last bucket back; not if that would make too long a page.
    #[cold]
    fn merge(&mut self) -> bool {
        let last = self.buckets - 1;
        let target = last - (1 << last.ilog2());
        if !self.bucket(target).can_merge(self.bucket(last)) {
            return false;
        }
        let bucket: Bucket = self.pop_bucket();
        self.change(target, |into| into.merge(&bucket));
        true
    }
}
