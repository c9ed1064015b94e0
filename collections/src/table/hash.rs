//! A key's hash and how its 64 bits are divided.
//!
//! ```text
//!   63        54 53                                16 15          0
//!  +------------+------------------------------------+-------------+
//!  | shard (10) |           directory (38)           |  tag (16)   |
//!  +------------+------------------------------------+-------------+
//! ```
//!
//! The three parts are disjoint on purpose: all keys of one shard agree in the shard bits, so a
//! table must not look at them, and all entries of one segment agree in some directory bits, so a
//! tag made of those would tell nothing.
//!
//! The *position* of a hash is its directory part with the bits reversed. Segments are chosen by
//! the low directory bits, so each segment holds one contiguous range of positions, and a split
//! or a merge cuts or joins ranges without changing anybody's position: SCAN walks positions.

/// A 64-bit hash of a key, cut into shard, directory and tag.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Hash(u64);

impl Hash {
    /// Bits that choose the store's shard. Tables do not look at them.
    pub const SHARD_BITS: u32 = 10;
    /// Bits that choose the segment and give the order of SCAN.
    pub const DIRECTORY_BITS: u32 = 38;
    /// Bits kept beside each pointer, compared before the key is.
    pub const TAG_BITS: u32 = 16;

    /// Takes the 64 bits of a good hash function; all of them must be well mixed.
    #[inline]
    pub const fn new(bits: u64) -> Self {
        Self(bits)
    }

    /// The whole hash again.
    #[inline]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The shard, below `1 << SHARD_BITS`.
    #[inline]
    pub const fn shard(self) -> usize {
        (self.0 >> (Self::DIRECTORY_BITS + Self::TAG_BITS)) as usize
    }

    /// The directory part, below `1 << DIRECTORY_BITS`.
    #[inline]
    pub const fn directory(self) -> u64 {
        (self.0 >> Self::TAG_BITS) & ((1 << Self::DIRECTORY_BITS) - 1)
    }

    /// The tag.
    #[inline]
    pub const fn tag(self) -> u16 {
        self.0 as u16
    }

    /// Where SCAN meets this hash: the directory part with its bits reversed, below
    /// `1 << DIRECTORY_BITS`.
    #[inline]
    pub const fn position(self) -> u64 {
        reverse(self.directory())
    }
}

/// Reverses the order of the directory's bits; its own inverse.
#[inline]
pub(super) const fn reverse(directory: u64) -> u64 {
    directory.reverse_bits() >> (64 - Hash::DIRECTORY_BITS)
}

/// One past the last position.
pub(super) const POSITIONS: u64 = 1 << Hash::DIRECTORY_BITS;

const _: () = assert!(Hash::SHARD_BITS + Hash::DIRECTORY_BITS + Hash::TAG_BITS == 64);
const _: () = assert!(Hash::TAG_BITS == u16::BITS);
const _: () = assert!(reverse(reverse(0x12_3456_789a)) == 0x12_3456_789a);
const _: () = assert!(Hash::new(u64::MAX).shard() == 1023);
// A cursor is shard and position, and stays below 2^53 because clients parse it as a double.
const _: () = assert!(Hash::SHARD_BITS + Hash::DIRECTORY_BITS <= 53);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_are_disjoint_and_complete() {
        for bit in 0..64 {
            let h = Hash::new(1 << bit);
            let parts = h.shard().count_ones() + h.directory().count_ones() + h.tag().count_ones();
            assert_eq!(parts, 1, "bit {bit} belongs to exactly one part");
        }
        let h = Hash::new(0x0123_4567_89ab_cdef);
        let again = (h.shard() as u64) << 54 | h.directory() << 16 | u64::from(h.tag());
        assert_eq!(again, h.bits());
        assert_eq!(reverse(h.position()), h.directory());
    }
}
