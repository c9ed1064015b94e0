//! Deadlines: how many there are, the earliest, and removing what has expired.
//!
//! ```text
//!   chunk.earliest > now?  pass over 128 buckets
//!     bucket.earliest > now?  pass over it, its page untouched
//!       records with the deadline flag
//! ```
//!
//! A bucket's bound is exact (B3), a chunk's may be too early (C1) until a visit has gone through it.
//! So removing costs a look at each chunk, and beyond that only where something has expired.

use super::chunk::CHUNK_BUCKETS;
use super::{Dict, Item};
use std::sync::Arc;

/// What a call of [`Dict::remove_expired`] did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Expired {
    /// Elements removed.
    pub removed: usize,
    /// Whether nothing that has expired is left.
    pub finished: bool,
}

impl Dict {
    /// The number of elements with a deadline.
    pub fn deadlines(&self) -> usize {
        self.sums.deadlines
    }

    /// A moment before which no element expires; `None` if none has a deadline. It may be too early,
    /// until [`remove_expired`](Self::remove_expired) has looked at it.
    pub fn earliest_deadline(&self) -> Option<i64> {
        if self.sums.deadlines == 0 {
            return None;
        }
        self.chunks.iter().map(|chunk| chunk.earliest).min()
    }

    /// Shows `visit` what has expired at `now_ms`, without removing it.
    pub fn visit_expired(&self, now_ms: i64, mut visit: impl FnMut(Item<'_>)) {
        for chunk in &self.chunks {
            if chunk.deadlines == 0 || chunk.earliest > now_ms {
                continue;
            }
            for bucket in chunk.buckets.iter().filter(|b| b.earliest() <= now_ms) {
                for (slot, deadline) in bucket.deadlines_with_slots() {
                    if deadline <= now_ms {
                        visit(bucket.item(slot));
                    }
                }
            }
        }
    }

    /// Shows `visit` elements that have expired at `now_ms` and removes them, until `limit` are
    /// removed or none is left. Whole buckets are done, so the last may exceed the limit.
    pub fn remove_expired(
        &mut self,
        now_ms: i64,
        limit: usize,
        mut visit: impl FnMut(Item<'_>),
    ) -> Expired {
        let mut removed = 0;
        let mut finished = true;
        for c in 0..self.chunks.len() {
            let chunk = &self.chunks[c];
            if chunk.deadlines == 0 || chunk.earliest > now_ms {
                continue;
            }
            for i in 0..chunk.buckets.len() {
                let bucket = &self.chunks[c].buckets[i];
                if bucket.deadlines() == 0 || bucket.earliest() > now_ms {
                    continue;
                }
                if removed >= limit {
                    finished = false;
                    break;
                }
                removed += self.change(c * CHUNK_BUCKETS + i, |bucket| {
                    bucket.remove_expired(now_ms, &mut visit)
                });
            }
            if !finished {
                break;
            }
            // A bound that is too early in a shared chunk is not worth a copy.
            if let Some(chunk) = Arc::get_mut(&mut self.chunks[c]) {
                chunk.refresh_earliest();
            }
        }
        if removed > 0 {
            self.shrink(removed);
        }
        Expired { removed, finished }
    }
}
