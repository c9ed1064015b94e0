//! Walks: all elements of a map that stands still, and SCAN over one that changes between calls.
//!
//! ```text
//!   positions   0 ........................................ 2^48
//!   4 buckets   |    0    |    2    |    1    |    3    |        index = low bits of directory
//!   5 buckets   | 0  | 4  |    2    |    1    |    3    |        = high bits of position, reversed
//! ```
//!
//! A bucket holds one contiguous range of positions; splits cut ranges, merges join them, and
//! nobody's position changes. A cursor is the first position not visited yet. So an element that is
//! there during the whole walk is met exactly once, and one that comes or goes meanwhile at most
//! once for each time that it was put in. Elements of equal position are visited together, or
//! a cursor could not tell them apart.

use super::hash::{self, DIRECTORY_BITS, POSITIONS, reverse};
use super::{Dict, Item};
use std::iter::FusedIterator;

impl Dict {
    /// All elements, in the directory's order.
    pub fn iter(&self) -> Iter<'_> {
        Iter {
            dict: self,
            index: 0,
            slot: 0,
            left: self.len(),
        }
    }

    /// Visits about `count` elements from `cursor` on and returns the cursor to go on from, below
    /// 2^48. Begin with 0; 0 comes back at the end. Any number is a legal cursor.
    pub fn scan(&self, cursor: u64, count: usize, mut visit: impl FnMut(Item<'_>)) -> u64 {
        if self.is_empty() {
            return 0;
        }
        let mut position = cursor;
        let mut visited = 0;
        let mut found: Vec<(u64, usize)> = Vec::new();
        while position < POSITIONS {
            let index = hash::index(reverse(position), self.buckets);
            let bucket = self.bucket(index);
            found.clear();
            let positions = (0..bucket.len()).map(|slot| {
                let hash = self.hashing.of(bucket.key(slot));
                (hash::position(hash), slot)
            });
            found.extend(positions.filter(|(at, _)| *at >= position));
            found.sort_unstable();
            for (i, (at, slot)) in found.iter().enumerate() {
                visit(bucket.item(*slot));
                visited += 1;
                let last_of_position = found.get(i + 1).is_none_or(|(next, _)| next != at);
                if visited >= count && last_of_position {
                    return (at + 1) % POSITIONS;
                }
            }
            position = self.range_end(position, index);
        }
        0
    }

    /// One past the last position of bucket `index`, which contains `position`.
    fn range_end(&self, position: u64, index: usize) -> u64 {
        let level = self.buckets.ilog2();
        let half = 1 << level;
        // Buckets that have been split at this level, and those that came of it, have one bit more
        // than the others.
        let split = index < self.buckets - half || index >= half;
        let width = DIRECTORY_BITS - level - u32::from(split);
        ((position >> width) + 1) << width
    }
}

/// The elements of a [`Dict`].
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    dict: &'a Dict,
    index: usize,
    slot: usize,
    left: usize,
}

impl<'a> Iterator for Iter<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        while self.index < self.dict.buckets {
            let bucket = self.dict.bucket(self.index);
            if self.slot < bucket.len() {
                self.slot += 1;
                self.left -= 1;
                return Some(bucket.item(self.slot - 1));
            }
            (self.index, self.slot) = (self.index + 1, 0);
        }
        None
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Iter<'_> {}
impl FusedIterator for Iter<'_> {}

impl<'a> IntoIterator for &'a Dict {
    type Item = Item<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}
