//! Zipmap: the small hashes of Redis before 2.6; read from old files, never written.
//!
//! ```text
//!   [count u8] pair* [0xFF]
//!   pair   = length field  length [unused u8] value  <unused bytes>
//!   length = one byte up to 253, else FE and a u32, little-endian
//! ```
//!
//! M1  The last byte is the end mark, and pairs fill what lies between it and the count.
//! M2  A length below 254 takes one byte.
//! M3  `count` is the number of pairs, or 254 for "walk and see".
//!
//! `Zipmap::read` checks all three. Checked by: tests below, a payload that a Redis 7 server accepted
//! (`tests/packed_golden.rs`), `fuzz/ziplist`.
//!
//! Source: the description in Redis's `zipmap.c`.

use super::{Element, Listpack};
use crate::{Invalid, Refused};

const END: u8 = 0xff;
/// Announces a length of four bytes; as a count, says nothing.
const WIDE: u8 = 0xfe;

/// Validated bytes of a zipmap.
#[derive(Clone, Copy)]
pub struct Zipmap<'b> {
    /// The pairs without count and end mark.
    pairs: &'b [u8],
    len: usize,
}

impl<'b> Zipmap<'b> {
    /// Looks at foreign bytes, all of them (M1 to M3).
    pub fn read(bytes: &'b [u8]) -> Result<Self, Invalid> {
        let [told, ref pairs @ .., END] = *bytes else {
            return Err(Invalid::new("a zipmap without count or end mark"));
        };
        let mut rest = pairs;
        let mut len = 0;
        while !rest.is_empty() {
            (_, rest) = pair(rest).ok_or(Invalid::new("a zipmap pair that is cut or odd"))?;
            len += 1;
        }
        if told != WIDE && usize::from(told) != len {
            return Err(Invalid::new("a zipmap with another count than it says"));
        }
        Ok(Self { pairs, len })
    }

    /// The number of pairs.
    #[must_use]
    pub const fn len(self) -> usize {
        self.len
    }

    /// Whether there are no pairs.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.len == 0
    }

    /// All fields and values.
    #[must_use]
    pub const fn iter(self) -> Iter<'b> {
        Iter { rest: self.pairs }
    }

    /// The same pairs, one behind the other, in the form that is kept in memory.
    pub fn to_listpack(self) -> Result<Listpack, Refused> {
        let elements = self.iter().flat_map(|(field, value)| [field, value]);
        Listpack::from_elements(elements.map(Element::Bytes))
    }
}

/// The pairs of a zipmap.
#[derive(Clone)]
pub struct Iter<'b> {
    rest: &'b [u8],
}

impl<'b> Iterator for Iter<'b> {
    type Item = (&'b [u8], &'b [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        // `read` has seen every pair, so `None` is the end.
        let (pair, rest) = pair(self.rest)?;
        self.rest = rest;
        Some(pair)
    }
}

/// A field and its value.
type Pair<'b> = (&'b [u8], &'b [u8]);

/// The pair at the front and what follows it.
fn pair(bytes: &[u8]) -> Option<(Pair<'_>, &[u8])> {
    let (len, rest) = length(bytes)?;
    let (field, rest) = rest.split_at_checked(len)?;
    let (len, rest) = length(rest)?;
    let (&unused, rest) = rest.split_first()?;
    let (value, rest) = rest.split_at_checked(len)?;
    let (_, rest) = rest.split_at_checked(usize::from(unused))?;
    Some(((field, value), rest))
}

fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match *bytes {
        [WIDE, a, b, c, d, ref rest @ ..] => {
            let len = usize::try_from(u32::from_le_bytes([a, b, c, d])).ok()?;
            (len >= usize::from(WIDE)).then_some((len, rest))
        }
        [len, ref rest @ ..] if len < WIDE => Some((usize::from(len), rest)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &[u8] = b"\x02\x03foo\x02\x01hi?\x05hello\x01\x007\xff";

    fn check(change: impl Fn(&mut Vec<u8>), expected: &str) {
        let mut bytes = GOOD.to_vec();
        change(&mut bytes);
        match Zipmap::read(&bytes) {
            Ok(map) => assert_eq!((map.iter().count(), expected), (2, "")),
            Err(invalid) => assert_eq!(invalid.what(), expected),
        }
    }

    #[test]
    fn each_part_is_looked_at() {
        check(|_| (), "");
        check(|b| b[0] = 254, "");
        check(|b| b[0] = 3, "a zipmap with another count than it says");
        check(|b| b.truncate(1), "a zipmap without count or end mark");
        check(
            |b| b.truncate(b.len() - 1),
            "a zipmap without count or end mark",
        );
        let pair = "a zipmap pair that is cut or odd";
        check(|b| b[1] = 200, pair);
        check(|b| b[6] = 200, pair);
        check(|b| b[1] = 254, pair);
        // A short length in the long form.
        check(|b| drop(b.splice(1..2, [254, 3, 0, 0, 0])), pair);
    }

    #[test]
    fn becomes_a_listpack() {
        let map = Zipmap::read(GOOD).expect("valid");
        let pack = map.to_listpack().expect("small");
        let expected: [Element<'_>; 4] = [b"foo".into(), b"hi".into(), b"hello".into(), 7.into()];
        assert!(pack.iter().eq(expected.into_iter()));
        assert_eq!(map.len(), 2);
    }
}
