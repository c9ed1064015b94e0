//! Intset: a sorted set of integers in one allocation, byte for byte as RDB stores it.
//!
//! ```text
//!   [width u32][count u32] value*        width 2, 4 or 8; values of that many bytes
//! ```
//!
//! Everything is little-endian, whatever the machine. Small sets of integers live in it: two to
//! eight bytes a member, membership by halving. A change in the middle moves what stands behind it,
//! and the first value that needs more width rewrites all, so it is right up to some thousands.
//!
//! N1  The byte length is 8 + width × count.
//! N2  The values ascend strictly.
//! N3  The width only grows: taking the widest value out does not narrow the others, as in Redis.
//!
//! `from_bytes` checks N1 and N2 on foreign bytes. An empty set is a valid one here; that a key must
//! not hold one is its owner's affair. Checked by: `tests/intset_model.rs` against a `BTreeSet`,
//! golden bytes from a Redis server in `tests/packed_golden.rs`, `fuzz/intset`.
//!
//! Source: the format as Redis has had it since 2.4.
#![forbid(unsafe_code)]

use std::fmt;
use std::ops::Range;

use crate::packed::Packed;
use crate::{Invalid, Refused};

/// Bytes before the first value.
const HEADER: usize = 8;

/// A set of integers in one allocation. See the module's essay.
#[derive(Clone)]
pub struct Intset {
    bytes: Packed,
}

/// Bytes that a value takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Width {
    Two = 2,
    Four = 4,
    Eight = 8,
}

impl Width {
    /// The narrowest that holds the value.
    #[inline]
    fn of(value: i64) -> Self {
        if i16::try_from(value).is_ok() {
            Self::Two
        } else if i32::try_from(value).is_ok() {
            Self::Four
        } else {
            Self::Eight
        }
    }

    #[inline]
    const fn bytes(self) -> usize {
        self as usize
    }
}

impl Intset {
    /// An empty one: eight bytes. Ends the process when there is no memory, as a small box would.
    #[must_use]
    pub fn new() -> Self {
        let bytes = Packed::adopted(vec![Width::Two as u8, 0, 0, 0, 0, 0, 0, 0]);
        Self { bytes }
    }

    /// Takes foreign bytes over after checking all of them (N1, N2).
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, Invalid> {
        let [a, b, c, d, e, f, g, h, ref values @ ..] = bytes[..] else {
            return Err(Invalid::new("an intset shorter than its header"));
        };
        let width = u32::from_le_bytes([a, b, c, d]);
        if !matches!(width, 2 | 4 | 8) {
            return Err(Invalid::new("an intset of an unknown width"));
        }
        if u32::try_from(bytes.len()).is_err() {
            return Err(Invalid::new("an intset of more than 4 GiB"));
        }
        // Both fit 32 bits, so the product fits 64.
        if u64::from(width) * u64::from(u32::from_le_bytes([e, f, g, h])) != values.len() as u64 {
            return Err(Invalid::new(
                "an intset of another length than its header says",
            ));
        }
        let new = Self {
            bytes: Packed::adopted(bytes),
        };
        if new.iter().is_sorted_by(|a, b| a < b) {
            Ok(new)
        } else {
            Err(Invalid::new("an intset whose values do not ascend"))
        }
    }

    /// A copy, or the reason why there is none. `clone` ends the process in that case.
    pub fn try_clone(&self) -> Result<Self, Refused> {
        let bytes = Packed::copied(&self.bytes)?;
        Ok(Self { bytes })
    }

    /// What RDB stores.
    #[inline]
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What RDB stores, without a copy.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes.into_vec()
    }

    /// How many bytes that is.
    #[inline]
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes that the allocator gave for them.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.bytes.heap_bytes()
    }

    /// The number of members.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        (self.bytes.len() - HEADER) / self.width().bytes()
    }

    /// Whether there are no members.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.len() == HEADER
    }

    /// The member with this index in ascending order; a random index gives a random member.
    #[inline]
    #[must_use]
    pub fn get(&self, index: usize) -> Option<i64> {
        (index < self.len()).then(|| self.at(index, self.width()))
    }

    /// The smallest member.
    #[must_use]
    pub fn min(&self) -> Option<i64> {
        self.get(0)
    }

    /// The largest member.
    #[must_use]
    pub fn max(&self) -> Option<i64> {
        self.get(self.len().wrapping_sub(1))
    }

    /// Whether `value` is a member.
    #[inline]
    #[must_use]
    pub fn contains(&self, value: i64) -> bool {
        Width::of(value) <= self.width() && self.search(value).is_ok()
    }

    /// Where `value` stands, or where it would.
    pub fn position(&self, value: i64) -> Result<usize, usize> {
        self.search(value)
    }

    /// Puts `value` in; tells whether it was not there yet.
    pub fn insert(&mut self, value: i64) -> Result<bool, Refused> {
        let needed = Width::of(value);
        if needed > self.width() {
            self.widen(needed, value)?;
            return Ok(true);
        }
        let Err(index) = self.search(value) else {
            return Ok(false);
        };
        let place = self.place(index, self.width()).start;
        self.bytes.splice(place, place, self.width().bytes())?;
        self.write(index, value);
        self.write_count();
        Ok(true)
    }

    /// Takes `value` out; tells whether it was there.
    pub fn remove(&mut self, value: i64) -> bool {
        if Width::of(value) > self.width() {
            return false;
        }
        let Ok(index) = self.search(value) else {
            return false;
        };
        let place = self.place(index, self.width());
        self.bytes
            .splice(place.start, place.end, 0)
            .expect("taking bytes out asks for no memory");
        self.write_count();
        true
    }

    /// All members, ascending, from either end.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = i64> + ExactSizeIterator + Clone + '_ {
        let width = self.width();
        self.bytes[HEADER..]
            .chunks_exact(width.bytes())
            .map(move |bytes| load(bytes, width))
    }

    #[inline]
    fn width(&self) -> Width {
        match self.bytes[0] {
            2 => Width::Two,
            4 => Width::Four,
            _ => Width::Eight,
        }
    }

    /// The bytes of the value with this index.
    #[inline]
    fn place(&self, index: usize, width: Width) -> Range<usize> {
        let start = HEADER + index * width.bytes();
        start..start + width.bytes()
    }

    #[inline]
    fn at(&self, index: usize, width: Width) -> i64 {
        load(&self.bytes[self.place(index, width)], width)
    }

    fn write(&mut self, index: usize, value: i64) {
        let width = self.width();
        let place = self.place(index, width);
        self.bytes[place].copy_from_slice(&value.to_le_bytes()[..width.bytes()]);
    }

    fn write_count(&mut self) {
        let count = self.len() as u32;
        self.bytes[4..HEADER].copy_from_slice(&count.to_le_bytes());
    }

    /// Halves what is left until the value is found or its place is. The end is looked at first: sets
    /// of running numbers are filled there.
    fn search(&self, value: i64) -> Result<usize, usize> {
        let width = self.width();
        let mut left = 0;
        let mut right = self.len();
        match self.max() {
            Some(max) if value > max => return Err(right),
            None => return Err(0),
            _ => {}
        }
        while left < right {
            let middle = left.midpoint(right);
            match self.at(middle, width).cmp(&value) {
                std::cmp::Ordering::Less => left = middle + 1,
                std::cmp::Ordering::Greater => right = middle,
                std::cmp::Ordering::Equal => return Ok(middle),
            }
        }
        Err(left)
    }

    /// Rewrites all values wider and puts in the one that asked for it. No narrower value can lie
    /// beyond it, so it goes to one of the ends.
    fn widen(&mut self, width: Width, value: i64) -> Result<(), Refused> {
        let old = self.width();
        let len = self.len();
        let shift = usize::from(value < 0);
        let end = self.bytes.len();
        let more = width.bytes() * (len + 1) - old.bytes() * len;
        self.bytes.splice(end, end, more)?;
        self.bytes[0] = width as u8;
        // From the last on: a value's new place lies behind its old one and those before it.
        for index in (0..len).rev() {
            let moved = self.at(index, old);
            self.write(index + shift, moved);
        }
        self.write(if value < 0 { 0 } else { len }, value);
        self.write_count();
        Ok(())
    }
}

#[inline]
fn load(bytes: &[u8], width: Width) -> i64 {
    match (width, bytes) {
        (Width::Two, &[a, b]) => i64::from(i16::from_le_bytes([a, b])),
        (Width::Four, &[a, b, c, d]) => i64::from(i32::from_le_bytes([a, b, c, d])),
        (Width::Eight, &[a, b, c, d, e, f, g, h]) => i64::from_le_bytes([a, b, c, d, e, f, g, h]),
        _ => unreachable!("a value has its set's width"),
    }
}

impl Default for Intset {
    fn default() -> Self {
        Self::new()
    }
}

/// Equal members; the width does not matter.
impl PartialEq for Intset {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Intset {}

impl fmt::Debug for Intset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(values: &[i64]) -> Intset {
        let mut set = Intset::new();
        for &value in values {
            set.insert(value).expect("small");
        }
        set
    }

    #[test]
    fn width_grows_at_its_edges_and_stays() {
        let mut set = set(&[5, -3, 32767, -32768]);
        assert_eq!(set.byte_len(), HEADER + 4 * 2);
        assert_eq!(set.insert(32768), Ok(true));
        assert_eq!(set.byte_len(), HEADER + 5 * 4);
        assert_eq!(set.insert(-2_147_483_649), Ok(true));
        assert_eq!(set.byte_len(), HEADER + 6 * 8);
        assert!(set.remove(-2_147_483_649) && !set.remove(-2_147_483_649));
        assert_eq!(set.byte_len(), HEADER + 5 * 8);
        assert_eq!(
            set.iter().collect::<Vec<_>>(),
            [-32768, -3, 5, 32767, 32768]
        );
        assert_eq!((set.min(), set.max()), (Some(-32768), Some(32768)));
        assert!(set.contains(5) && !set.contains(6) && !set.contains(i64::MAX));
    }

    fn check(bytes: &[u8], expected: &str) {
        match Intset::from_bytes(bytes.to_vec()) {
            Ok(set) => assert_eq!((set.as_bytes(), expected), (bytes, "")),
            Err(invalid) => assert_eq!(invalid.what(), expected),
        }
    }

    #[test]
    fn each_part_of_foreign_bytes_is_looked_at() {
        check(&[2, 0, 0, 0, 0, 0, 0, 0], "");
        check(&[2, 0, 0, 0, 2, 0, 0, 0, 1, 0, 2, 0], "");
        check(&[2, 0, 0, 0, 0, 0, 0], "an intset shorter than its header");
        check(&[3, 0, 0, 0, 0, 0, 0, 0], "an intset of an unknown width");
        check(&[2, 1, 0, 0, 0, 0, 0, 0], "an intset of an unknown width");
        let length = "an intset of another length than its header says";
        check(&[2, 0, 0, 0, 2, 0, 0, 0, 1, 0], length);
        check(&[8, 0, 0, 0, 0xff, 0xff, 0xff, 0xff], length);
        let order = "an intset whose values do not ascend";
        check(&[2, 0, 0, 0, 2, 0, 0, 0, 1, 0, 1, 0], order);
        check(&[2, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0xff, 0xff], order);
    }
}
