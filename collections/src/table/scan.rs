//! SCAN: walking the positions of hashes, whatever the table does between two calls.
//!
//! ```text
//!   positions   0 ........................................ 2^38
//!   4 segments  |    0    |    2    |    1    |    3    |        index = low bits of directory
//!   5 segments  | 0  | 4  |    2    |    1    |    3    |        = high bits of position, reversed
//! ```
//!
//! A segment holds one contiguous range of positions; splits cut ranges, merges join them, and
//! nobody's position changes. A cursor is the first position not yet visited. So an entry that is
//! there during the whole walk is met exactly once, when the range with its position is, and one
//! that comes or goes meanwhile at most once for each time that it was put in. Entries of equal
//! position are visited together, or a cursor could not tell them apart.
//!
//! A segment's entries are hashed again to find their positions, all of them even if COUNT is
//! small: a microsecond or two, with their lines asked for first.

use super::hash::{POSITIONS, reverse};
use super::{Element, Hash, Table};
use std::ops::ControlFlow;

impl<E: Element> Table<E> {
    /// Visits entries in the order of their positions, from position `from` on, until `visit` says
    /// `Break` and the entries that share the last one's position are done too.
    ///
    /// Returns the position to go on from, or `None` at the end. Begin with 0.
    pub fn scan(
        &self,
        from: u64,
        mut visit: impl FnMut(E::Ref<'_>) -> ControlFlow<()>,
    ) -> Option<u64> {
        if self.segments == 0 {
            return None;
        }
        let mut position = from;
        let mut found: Vec<(u64, usize)> = Vec::new();
        while position < POSITIONS {
            let index = self.index_of(reverse(position));
            let segment = self.segment_at(index);
            segment.prefetch_elements();
            found.clear();
            for slot in 0..segment.len() {
                // SAFETY: in use, and the table is borrowed.
                let at = E::hash(unsafe { segment.element(slot) }, self.seed).position();
                if at >= position {
                    found.push((at, slot));
                }
            }
            found.sort_unstable();
            let mut stop = false;
            for (i, (at, slot)) in found.iter().enumerate() {
                // SAFETY: in use, and the table is borrowed.
                stop |= visit(unsafe { segment.element(*slot) }).is_break();
                let last_of_position = found.get(i + 1).is_none_or(|(next, _)| next != at);
                if stop && last_of_position {
                    let next = at + 1;
                    return (next < POSITIONS).then_some(next);
                }
            }
            position = self.range_end(position, index);
        }
        None
    }

    /// One past the last position of segment `index`, which contains `position`.
    fn range_end(&self, position: u64, index: usize) -> u64 {
        let level = self.segments.ilog2();
        let half = 1 << level;
        // The segments that have been split at this level, and those that came of it, have one bit
        // more than the others.
        let split = index < self.segments - half || index >= half;
        let width = Hash::DIRECTORY_BITS - level - u32::from(split);
        ((position >> width) + 1) << width
    }
}
