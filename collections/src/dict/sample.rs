//! An element chosen at random, each with the same chance: SRANDMEMBER, SPOP, HRANDFIELD.
//!
//! A choice draws a bucket and a slot below the fullest bucket's count, and tries again when there is
//! no such slot. What comes out is uniform. After `DRAWS` failures the k-th element is found by
//! counting through chunks and buckets, k drawn uniformly: also without bias. What bias there is
//! comes from mapping 64 random bits to a range of n: at most n / 2^64.

use super::bucket::Bucket;
use super::{Dict, Item};

/// Draws before counting. An average dict accepts one draw in three.
const DRAWS: usize = 32;

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

impl Dict {
    /// An element chosen uniformly by the random number `random`.
    pub fn random(&self, random: u64) -> Option<Item<'_>> {
        let (index, slot) = self.choose(random)?;
        Some(self.bucket(index).item(slot))
    }

    /// Shows `look` an element chosen uniformly by the random number `random`, and removes it.
    pub fn pop_random<R>(&mut self, random: u64, look: impl FnOnce(Item<'_>) -> R) -> Option<R> {
        let (index, slot) = self.choose(random)?;
        Some(self.take_at(index, slot, look))
    }

    fn choose(&self, random: u64) -> Option<(usize, usize)> {
        if self.is_empty() {
            return None;
        }
        let mut draws = Draws(random);
        for _ in 0..DRAWS {
            let index = draws.below(self.buckets);
            // Below the fullest, not below this one's count: or elements of buckets with few would
            // come more often.
            let slot = draws.below(self.longest);
            if slot < self.bucket(index).len() {
                return Some((index, slot));
            }
        }
        let mut k = draws.below(self.len());
        let mut first = 0;
        for chunk in &self.chunks {
            if k >= chunk.entries {
                k -= chunk.entries;
                first += chunk.buckets.len();
                continue;
            }
            for (i, count) in chunk.buckets.iter().map(Bucket::len).enumerate() {
                if k < count {
                    return Some((first + i, k));
                }
                k -= count;
            }
        }
        unreachable!("C1, D3: the sums are exact")
    }
}
