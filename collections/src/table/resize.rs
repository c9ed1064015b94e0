//! Growing and shrinking by one segment at a time.
//!
//! A split hashes the entries of one segment again, because all that the table keeps of a hash is
//! the tag. It asks for all of them first, so the misses overlap: some 5 µs for a segment of a
//! hundred, once in `TARGET` insertions, and never more than one for an insertion.
//!
//! A merge is put off while one of the two segments is shared or has a living origin: joining them
//! would need two origins. Each later removal tries again, twice, so the table catches up.

use super::chunk::{CHUNK_SEGMENTS, Chunk};
use super::segment::Seg;
use super::{Element, TARGET, Table};

/// Below `TARGET / SPARSE` entries a segment the table shrinks. Far enough from `TARGET` that
/// a split is never undone at once.
const SPARSE: usize = 4;

impl<E: Element> Table<E> {
    /// Splits the next segment in line if the table has become too full.
    #[inline]
    pub(super) fn grow(&mut self) {
        if self.counters.len > self.segments * TARGET {
            self.split_next();
        }
    }

    #[cold]
    fn split_next(&mut self) {
        let level = self.segments.ilog2();
        let index = self.segments - (1 << level);
        let seed = self.seed;
        let mut path = self.path(index);
        let segment = path.segment();
        segment.prefetch_elements();
        let goes: Vec<bool> = (0..segment.len())
            .map(|slot| {
                // SAFETY: in use, and the path has the table exclusively.
                let element = unsafe { segment.element(slot) };
                E::hash(element, seed).directory() >> level & 1 == 1
            })
            .collect();
        let other = path.split_off(&goes);
        self.push_segment(other);
    }

    /// Appends a segment to the directory, which takes over its count. Its entries are in the
    /// table's counters already.
    pub(super) fn push_segment(&mut self, segment: Seg<E>) {
        let counters = &mut self.counters;
        counters.heap += segment.heap_bytes();
        match self.chunks.last_mut() {
            Some(last) if last.len() < CHUNK_SEGMENTS => {
                counters.copied += last.make_unique() as u64;
                counters.heap -= last.heap_bytes();
                last.push(segment);
                counters.heap += last.heap_bytes();
            }
            _ => {
                let chunk = Chunk::of(segment);
                counters.heap += chunk.heap_bytes();
                if self.chunks.is_empty() {
                    // A vector would begin with room for four; most tables never have two.
                    self.chunks.reserve_exact(1);
                }
                self.chunks.push(chunk);
            }
        }
        self.segments += 1;
        self.set_mask();
    }

    /// Merges the last segment into the one that it was split from if the table has become sparse.
    #[inline]
    pub(super) fn shrink(&mut self) {
        for _ in 0..2 {
            let sparse = self.counters.len < self.segments * (TARGET / SPARSE);
            if !sparse || self.segments < 2 || !self.merge_last() {
                return;
            }
        }
    }

    #[cold]
    fn merge_last(&mut self) -> bool {
        let last = self.segments - 1;
        let buddy = last - (1 << last.ilog2());
        if !self.can_merge(last) || !self.can_merge(buddy) {
            return false;
        }
        let chunk = self.chunks.last_mut().expect("D1: there is a last segment");
        self.counters.heap -= chunk.heap_bytes();
        let segment = chunk.pop().expect("D1: no chunk is empty");
        if chunk.len() == 0 {
            self.chunks.pop();
        } else {
            self.counters.heap += chunk.heap_bytes();
        }
        self.segments -= 1;
        self.set_mask();
        segment.prefetch_elements();
        self.counters.heap -= segment.heap_bytes();
        self.path(buddy).absorb(segment);
        true
    }

    /// Whether nobody else has a part of segment `index`.
    fn can_merge(&mut self, index: usize) -> bool {
        self.is_path_unique(index) && !self.path(index).has_origin()
    }

    fn set_mask(&mut self) {
        let level = self.segments.ilog2();
        self.mask = (1 << (level + 1)) - 1;
    }
}
