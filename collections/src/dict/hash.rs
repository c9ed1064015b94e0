//! What a dict takes from an element's hash.
//!
//! ```text
//!   63          52 51     48 47                                        0
//!  +--------------+---------+-------------------------------------------+
//!  |   tag (12)   | unused  |              directory (48)               |
//!  +--------------+---------+-------------------------------------------+
//! ```
//!
//! The low directory bits choose the bucket. The *position* is the directory part with its bits
//! reversed, so each bucket holds one contiguous range of positions and no split or merge changes
//! anybody's: SCAN walks positions, and its cursors stay below 2^48.
//!
//! Tag and directory are disjoint: all elements of one bucket agree in directory bits.

/// Bits that choose the bucket and give SCAN's order.
pub(super) const DIRECTORY_BITS: u32 = 48;
/// Bits that a slot keeps.
pub(super) const TAG_BITS: u32 = 12;
/// One past the last position, and so past the last cursor.
pub(super) const POSITIONS: u64 = 1 << DIRECTORY_BITS;

const _: () = assert!(DIRECTORY_BITS + TAG_BITS <= 64);

/// How a dict's elements are hashed: splits and SCAN need the hash of an element again.
#[derive(Clone, Copy, Debug)]
pub struct Hashing {
    /// Handed to `hash` each time; chosen by the caller, unknown to clients.
    pub seed: u64,
    /// A good hash of the bytes: all 64 bits well mixed.
    pub hash: fn(&[u8], u64) -> u64,
}

impl Hashing {
    /// The hash of `key`.
    #[inline]
    pub fn of(&self, key: &[u8]) -> u64 {
        (self.hash)(key, self.seed)
    }
}

#[inline]
pub(super) const fn tag(hash: u64) -> u32 {
    (hash >> (64 - TAG_BITS)) as u32
}

#[inline]
pub(super) const fn directory(hash: u64) -> u64 {
    hash & (POSITIONS - 1)
}

/// Where SCAN meets this hash.
#[inline]
pub(super) const fn position(hash: u64) -> u64 {
    reverse(directory(hash))
}

/// Reverses the order of the directory's bits; its own inverse.
#[inline]
pub(super) const fn reverse(directory: u64) -> u64 {
    directory.reverse_bits() >> (64 - DIRECTORY_BITS)
}

/// The bucket of a hash among `buckets` (at least one): the low bits of its directory part, one
/// fewer where the bucket that they name does not exist yet.
#[inline]
pub(super) fn index(hash: u64, buckets: usize) -> usize {
    let half = 1_u64 << buckets.ilog2();
    let long = directory(hash) & (2 * half - 1);
    // usize is at least 32 bits, and there are never 2^31 buckets in such a space.
    let index = if long < buckets as u64 {
        long
    } else {
        long & (half - 1)
    };
    index as usize
}

const _: () = assert!(reverse(reverse(0x12_3456_789a)) == 0x12_3456_789a);
const _: () = assert!(tag(u64::MAX) == (1 << TAG_BITS) - 1 && position(u64::MAX) == POSITIONS - 1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hash_has_a_bucket_and_splits_move_half() {
        for buckets in 1..70_usize {
            for d in 0..200_u64 {
                let (now, next) = (index(d, buckets), index(d, buckets + 1));
                assert!(now < buckets);
                assert!(
                    next == now || (next == buckets && now == buckets - (1 << buckets.ilog2()))
                );
            }
        }
    }
}
