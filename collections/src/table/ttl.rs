//! Entries with a deadline: how many, how soon, and which have expired.
//!
//! Slots with a deadline carry a mark, segments count the marks and keep a lower bound of their
//! deadlines, chunks sum both up. Looking for what has expired goes only where count and bound say
//! that there may be something, so it costs nothing while nothing is due, however rare or frequent
//! deadlines are. A bound may be too low, because the entry that it was taken from has gone or was
//! given more time; the visit that is misled by it puts it right.

use super::segment::{NEVER, Seg};
use super::{Element, Table};

/// What a visit of expired entries came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ExpiredVisit {
    /// Expired entries seen.
    pub found: usize,
    /// Entries with a deadline looked at.
    pub looked_at: usize,
    /// Whether the end of the table was reached; the cursor is back at the beginning then.
    pub finished: bool,
}

impl<E: Element> Table<E> {
    /// The number of entries with a deadline.
    pub fn ttl_len(&self) -> usize {
        self.counters.ttl
    }

    /// A moment before which no entry expires; `None` if none has a deadline. It may be too early.
    pub fn earliest_deadline(&self) -> Option<i64> {
        if self.counters.ttl == 0 {
            return None;
        }
        self.chunks.iter().map(|c| c.totals().earliest).min()
    }

    /// Shows `visit` the entries whose deadline is at or before `now_ms`, going on at `*cursor`
    /// (begin with 0), until about `limit` entries with a deadline have been looked at or the end of
    /// the table is reached. Whole segments are done, so the last one may exceed the limit.
    ///
    /// The entries stay: the caller removes what it was shown.
    pub fn visit_expired(
        &mut self,
        now_ms: i64,
        limit: usize,
        cursor: &mut usize,
        mut visit: impl FnMut(E::Ref<'_>),
    ) -> ExpiredVisit {
        let mut sum = ExpiredVisit {
            found: 0,
            looked_at: 0,
            finished: false,
        };
        let mut index = *cursor;
        while index < self.segments {
            let (c, first) = Self::locate(index);
            let chunk = &self.chunks[c];
            let totals = chunk.totals();
            let rest = &chunk.segments()[first..];
            if totals.ttl == 0 || totals.earliest > now_ms {
                index += rest.len();
                continue;
            }
            for segment in rest {
                if sum.looked_at >= limit {
                    *cursor = index;
                    return sum;
                }
                index += 1;
                if segment.ttl() == 0 || segment.earliest() > now_ms {
                    continue;
                }
                sum.looked_at += segment.ttl();
                let earliest = Self::visit_segment(*segment, now_ms, &mut sum.found, &mut visit);
                // A bound that is too low in a shared segment is not worth a copy.
                if segment.earliest() < earliest && self.is_path_unique(index - 1) {
                    self.path(index - 1).set_earliest(earliest);
                    break;
                }
            }
            self.refresh_chunk_bound(c, index);
        }
        *cursor = 0;
        sum.finished = true;
        sum
    }

    /// Shows what has expired in one segment; returns its earliest deadline.
    fn visit_segment(
        segment: Seg<E>,
        now_ms: i64,
        found: &mut usize,
        visit: &mut impl FnMut(E::Ref<'_>),
    ) -> i64 {
        let mut earliest = NEVER;
        let marked = || (0..segment.len()).filter(|slot| segment.word(*slot).has_ttl());
        for slot in marked() {
            super::probe::prefetch(segment.word(slot).element().as_ptr());
        }
        for slot in marked() {
            // SAFETY: in use; the table is borrowed by the caller.
            let element = unsafe { segment.element(slot) };
            let deadline = E::deadline(element).unwrap_or(NEVER);
            earliest = earliest.min(deadline);
            if deadline <= now_ms {
                *found += 1;
                visit(element);
            }
        }
        earliest
    }

    /// Makes a chunk's bound exact over its segments' when the visit has come to its end.
    fn refresh_chunk_bound(&mut self, chunk: usize, index: usize) {
        let chunk = &mut self.chunks[chunk];
        let at_end = index == self.segments || Self::locate(index).1 == 0;
        if at_end && chunk.is_unique() {
            let earliest = chunk.segments().iter().map(|s| s.earliest()).min();
            chunk.parts_mut().0.earliest = earliest.unwrap_or(NEVER);
        }
    }
}
