//! Picking entries at random: RANDOMKEY, and the candidates of eviction.
//!
//! A uniform choice draws a segment and a slot below the longest segment's length, and tries again
//! when the slot is not in use. Each entry has the same chance in each draw, so what comes out is
//! uniform. After `DRAWS` failures the k-th entry is found by counting through the sums of chunks
//! and the lengths of segments, k drawn uniformly: also without bias. What bias there is comes from
//! mapping 64 random bits to a range of n: at most n / 2^64.

use super::chunk::Chunk;
use super::segment::Seg;
use super::{Element, Table};

/// Draws before counting. An average table accepts one draw in three.
const DRAWS: usize = 32;
/// The largest sample: `maxmemory-samples` at its most.
const SAMPLE_MAX: usize = 64;

/// A stream of numbers out of one random number (SplitMix64, Steele and others, 2014).
struct Draws(u64);

impl Draws {
    /// A number below `n`.
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^= x >> 31;
        // The high half of the product is below n.
        ((u128::from(x) * n as u128) >> 64) as usize
    }
}

impl<E: Element> Table<E> {
    /// An entry chosen uniformly by the random number `random`.
    pub fn random(&self, random: u64) -> Option<E::Ref<'_>> {
        let count = |chunk: &Chunk<E>| chunk.totals().entries as usize;
        self.choose(random, self.counters.len, count, Seg::len, |_, _| true)
    }

    /// An entry with a deadline, chosen uniformly by the random number `random`.
    pub fn random_with_ttl(&self, random: u64) -> Option<E::Ref<'_>> {
        let count = |chunk: &Chunk<E>| chunk.totals().ttl as usize;
        self.choose(random, self.counters.ttl, count, Seg::ttl, |s, slot| {
            s.word(slot).has_ttl()
        })
    }

    /// Shows `visit` up to `most` entries (64 at the outside) of one segment that is drawn at random,
    /// only those with a deadline if `with_ttl`: each subset of that size has the same chance. Hash
    /// decides what lies in a segment, so for choosing a victim they are as good as entries drawn one
    /// by one, at the price of one search.
    ///
    /// A run of neighbouring slots would not do: slots are filled in the order in which entries come.
    pub fn sample(
        &self,
        random: u64,
        most: usize,
        with_ttl: bool,
        mut visit: impl FnMut(E::Ref<'_>),
    ) -> usize {
        if self.is_empty() || with_ttl && self.counters.ttl == 0 {
            return 0;
        }
        let mut draws = Draws(random);
        let segment = self.fitting_segment(draws.below(self.segments), with_ttl);
        // Selection sampling (Knuth, volume 2, 3.4.2 S): each slot that fits is taken with the chance
        // of those still wanted among those still to come.
        let mut to_come = if with_ttl {
            segment.ttl()
        } else {
            segment.len()
        };
        let mut chosen = [0_u16; SAMPLE_MAX];
        let wanted = most.min(SAMPLE_MAX).min(to_come);
        let mut seen = 0;
        for slot in 0..segment.len() {
            if seen == wanted {
                break;
            }
            if with_ttl && !segment.word(slot).has_ttl() {
                continue;
            }
            if draws.below(to_come) < wanted - seen {
                super::probe::prefetch(segment.word(slot).element().as_ptr());
                chosen[seen] = slot as u16;
                seen += 1;
            }
            to_come -= 1;
        }
        for slot in &chosen[..seen] {
            // SAFETY: in use, and the table is borrowed.
            visit(unsafe { segment.element(usize::from(*slot)) });
        }
        seen
    }

    /// The first segment from `start` on, round the end, that holds something to be sampled; there
    /// is one. Chunks without are passed over as a whole.
    fn fitting_segment(&self, start: usize, with_ttl: bool) -> Seg<E> {
        let mut index = start;
        loop {
            let (c, slot) = Self::locate(index);
            let (chunk, totals) = (&self.chunks[c], self.chunks[c].totals());
            let rest = &chunk.segments()[slot..];
            if (if with_ttl { totals.ttl } else { totals.entries }) > 0 {
                let fits = |s: &&Seg<E>| if with_ttl { s.ttl() > 0 } else { s.len() > 0 };
                if let Some(segment) = rest.iter().find(fits) {
                    return *segment;
                }
            }
            index += rest.len();
            if index == self.segments {
                index = 0;
            }
        }
    }

    /// One of `total` slots that `fits`, of which there are `in_chunk` and `in_segment`.
    fn choose(
        &self,
        random: u64,
        total: usize,
        in_chunk: impl Fn(&Chunk<E>) -> usize,
        in_segment: impl Fn(Seg<E>) -> usize,
        fits: impl Fn(Seg<E>, usize) -> bool,
    ) -> Option<E::Ref<'_>> {
        if total == 0 {
            return None;
        }
        let mut draws = Draws(random);
        for _ in 0..DRAWS {
            let segment = self.segment_at(draws.below(self.segments));
            // Below the longest, not below this one's length: or entries of short segments would
            // come more often.
            let slot = draws.below(self.counters.longest);
            if slot < segment.len() && fits(segment, slot) {
                // SAFETY: in use, and the table is borrowed.
                return Some(unsafe { segment.element(slot) });
            }
        }
        let mut k = draws.below(total);
        for chunk in &self.chunks {
            if k >= in_chunk(chunk) {
                k -= in_chunk(chunk);
                continue;
            }
            for segment in chunk.segments() {
                if k >= in_segment(*segment) {
                    k -= in_segment(*segment);
                    continue;
                }
                let slot = (0..segment.len())
                    .filter(|slot| fits(*segment, *slot))
                    .nth(k)?;
                // SAFETY: in use, and the table is borrowed.
                return Some(unsafe { segment.element(slot) });
            }
        }
        unreachable!("C3, D3: the sums are exact")
    }
}
