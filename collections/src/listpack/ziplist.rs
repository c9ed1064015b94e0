//! Ziplist: what listpacks replaced in Redis 7; read from old files and payloads, never written.
//!
//! ```text
//!   [total u32][tail u32][count u16] entry* [0xFF]      little-endian
//!   entry = [size of the entry before] head [data]
//!
//!   size before   one byte up to 253, else FE and a u32 (also for small sizes: it is never narrowed)
//!   head          holds
//!   00llllll                  up to 63 bytes
//!   01llllll llllllll         up to 16,383 bytes, high byte first
//!   10...... length u32       more bytes, high byte first
//!   C0 i16   D0 i32   E0 i64   F0 i24   FE i8           numbers, little-endian
//!   F1 to FD                  0 to 12
//! ```
//!
//! Each entry carries the size of its neighbour, so one insertion could rewrite all that followed;
//! that is why listpacks came.
//!
//! Z1  `total` is the byte length, the last byte is the end mark, entries fill what lies between.
//! Z2  Each size before is the size of the entry before, 0 for the first.
//! Z3  `tail` is where the last entry begins, if there is one.
//! Z4  `count` is the number of entries, or 0xFFFF for "walk and see".
//!
//! `Ziplist::read` checks all four. Checked by: tests below, payloads that a Redis 7 server accepted
//! and turned into listpacks (`tests/packed_golden.rs`), `fuzz/ziplist`.
//!
//! Source: the essay in Redis's `ziplist.c`.

use super::{Element, Listpack};
use crate::{Invalid, Refused};

const HEADER: usize = 10;
const END: u8 = 0xff;
const COUNT_UNKNOWN: u16 = u16::MAX;
/// Announces a size before of four bytes.
const WIDE: u8 = 0xfe;

/// Validated bytes of a ziplist.
#[derive(Clone, Copy)]
pub struct Ziplist<'b> {
    /// The entries without header and end mark.
    entries: &'b [u8],
    len: usize,
}

impl<'b> Ziplist<'b> {
    /// Looks at foreign bytes, all of them (Z1 to Z4).
    pub fn read(bytes: &'b [u8]) -> Result<Self, Invalid> {
        let invalid = |what| Err(Invalid::new(what));
        let [a, b, c, d, e, f, g, h, count_low, count_high, ref rest @ ..] = *bytes else {
            return invalid("a ziplist shorter than its header");
        };
        if u64::from(u32::from_le_bytes([a, b, c, d])) != bytes.len() as u64 {
            return invalid("a ziplist of another length than its header says");
        }
        let Some((&END, entries)) = rest.split_last() else {
            return invalid("a ziplist without its end mark");
        };
        let mut at = 0;
        let mut last = None;
        let mut size_before = 0;
        let mut len = 0;
        while at < entries.len() {
            let Some(entry) = entry(&entries[at..]) else {
                return invalid("a ziplist entry with a bad head or beyond the end");
            };
            if entry.size_before != size_before {
                return invalid("a ziplist entry that gives its neighbour another size");
            }
            last = Some(at);
            at += entry.size;
            size_before = entry.size;
            len += 1;
        }
        let tail = u64::from(u32::from_le_bytes([e, f, g, h]));
        if last.is_some_and(|last| (HEADER + last) as u64 != tail) {
            return invalid("a ziplist whose last entry is elsewhere");
        }
        let told = u16::from_le_bytes([count_low, count_high]);
        if told != COUNT_UNKNOWN && usize::from(told) != len {
            return invalid("a ziplist with another count than its header says");
        }
        Ok(Self { entries, len })
    }

    /// The number of entries.
    #[must_use]
    pub const fn len(self) -> usize {
        self.len
    }

    /// Whether there are no entries.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.len == 0
    }

    /// All elements from the front.
    #[must_use]
    pub const fn iter(self) -> Iter<'b> {
        Iter { rest: self.entries }
    }

    /// The same elements in the form that is kept in memory.
    pub fn to_listpack(self) -> Result<Listpack, Refused> {
        Listpack::from_elements(self.iter())
    }
}

/// The elements of a ziplist.
#[derive(Clone)]
pub struct Iter<'b> {
    rest: &'b [u8],
}

impl<'b> Iterator for Iter<'b> {
    type Item = Element<'b>;

    fn next(&mut self) -> Option<Element<'b>> {
        // `read` has seen every entry, so `None` is the end.
        let entry = entry(self.rest)?;
        self.rest = &self.rest[entry.size..];
        Some(entry.element)
    }
}

struct Entry<'b> {
    size_before: usize,
    /// Of the whole entry.
    size: usize,
    element: Element<'b>,
}

/// The entry at the front; `None` when its head is none or it reaches beyond the end.
fn entry(bytes: &[u8]) -> Option<Entry<'_>> {
    let (size_before, rest) = match *bytes {
        [WIDE, a, b, c, d, ref rest @ ..] => {
            let size = usize::try_from(u32::from_le_bytes([a, b, c, d])).ok()?;
            (size, rest)
        }
        [size, ref rest @ ..] if size < WIDE => (usize::from(size), rest),
        _ => return None,
    };
    let (element, after) = element(rest)?;
    Some(Entry {
        size_before,
        size: bytes.len() - after.len(),
        element,
    })
}

/// The element that a head announces, and the bytes behind it.
fn element(bytes: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let int = |value: i64, rest| Some((Element::Int(value), rest));
    match *bytes {
        [tag @ 0..=0x3f, ref rest @ ..] => cut(rest, usize::from(tag)),
        [tag @ 0x40..=0x7f, low, ref rest @ ..] => {
            cut(rest, usize::from(u16::from_be_bytes([tag & 0x3f, low])))
        }
        [0x80..=0xbf, a, b, c, d, ref rest @ ..] => {
            let len = usize::try_from(u32::from_be_bytes([a, b, c, d])).ok()?;
            cut(rest, len)
        }
        [0xc0, a, b, ref rest @ ..] => int(i16::from_le_bytes([a, b]).into(), rest),
        [0xd0, a, b, c, d, ref rest @ ..] => int(i32::from_le_bytes([a, b, c, d]).into(), rest),
        [0xe0, a, b, c, d, e, f, g, h, ref rest @ ..] => {
            int(i64::from_le_bytes([a, b, c, d, e, f, g, h]), rest)
        }
        [0xf0, a, b, c, ref rest @ ..] => int((i32::from_le_bytes([0, a, b, c]) >> 8).into(), rest),
        [0xfe, a, ref rest @ ..] => int(i8::from_le_bytes([a]).into(), rest),
        [tag @ 0xf1..=0xfd, ref rest @ ..] => int(i64::from(tag - 0xf1), rest),
        _ => None,
    }
}

fn cut(bytes: &[u8], len: usize) -> Option<(Element<'_>, &[u8])> {
    let (data, rest) = bytes.split_at_checked(len)?;
    Some((Element::Bytes(data), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "2" and "5", the example of the format's own description, and "hello".
    const GOOD: [u8; 22] = [
        22, 0, 0, 0, 14, 0, 0, 0, 3, 0, 0, 0xf3, 2, 0xf6, 2, 5, b'h', b'e', b'l', b'l', b'o', 0xff,
    ];

    fn check(change: impl Fn(&mut Vec<u8>), expected: &str) {
        let mut bytes = GOOD.to_vec();
        change(&mut bytes);
        match Ziplist::read(&bytes) {
            Ok(list) => assert_eq!((list.iter().count(), expected), (3, "")),
            Err(invalid) => assert_eq!(invalid.what(), expected),
        }
    }

    #[test]
    fn each_part_is_looked_at() {
        check(|_| (), "");
        check(|b| b[8..10].fill(0xff), "");
        check(|b| b.truncate(9), "a ziplist shorter than its header");
        check(
            |b| b[0] += 1,
            "a ziplist of another length than its header says",
        );
        check(|b| b[21] = 0, "a ziplist without its end mark");
        check(|b| b[4] = 12, "a ziplist whose last entry is elsewhere");
        check(
            |b| b[8] = 2,
            "a ziplist with another count than its header says",
        );
        check(
            |b| b[12] = 3,
            "a ziplist entry that gives its neighbour another size",
        );
        let head = "a ziplist entry with a bad head or beyond the end";
        check(|b| b[11] = 0xff, head);
        check(|b| b[11] = 0xd1, head);
        check(|b| b[15] = 6, head);
        check(|b| b[10] = 0xff, head);
    }

    #[test]
    fn becomes_a_listpack() {
        let list = Ziplist::read(&GOOD).expect("valid");
        let pack = list.to_listpack().expect("small");
        let expected: [Element<'_>; 3] = [2.into(), 5.into(), b"hello".into()];
        assert!(pack.iter().eq(expected.into_iter()));
        assert_eq!(list.len(), 3);
    }
}
