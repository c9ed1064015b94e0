//! A record: one element's bytes in a page.
//!
//! ```text
//!   [head u8] [deadline i64]? [key length u8]? [key, or its number u32] [value, or its number u32]
//!
//!   head   7         6           5 .. 0
//!        deadline  value is    0..=61  length of the key
//!        follows   a long part 62      the key's length is a byte of its own
//!                              63      the key is a long part
//! ```
//!
//! A long part lies outside the page, and the record has its number in the bucket's `Longs`.
//! The record's own length is the page's knowledge, so the value is what is left.
//! Integers are little-endian.

use std::ops::Range;

const DEADLINE: u8 = 0x80;
const VALUE_LONG: u8 = 0x40;
const KEY_LENGTH: u8 = 0x3f;
const KEY_BYTE: u8 = 62;
const KEY_LONG: u8 = 63;
/// Bytes of a long part's number.
const NUMBER: usize = 4;

/// The longest key that lies in a page.
pub(super) const KEY_MAX: usize = u8::MAX as usize;
/// The longest key and value, together, that lie in a page.
pub(super) const INLINE_MAX: usize = 512;

/// A key or value as a record holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    Here(&'a [u8]),
    Long(u32),
}

impl Part<'_> {
    pub(super) fn len(self) -> usize {
        match self {
            Self::Here(bytes) => bytes.len(),
            Self::Long(_) => NUMBER,
        }
    }

    pub(super) fn write(self, to: &mut [u8]) {
        match self {
            Self::Here(bytes) => to.copy_from_slice(bytes),
            Self::Long(number) => to.copy_from_slice(&number.to_le_bytes()),
        }
    }
}

/// Whether a key of this length lies outside the page.
pub(super) fn key_is_long(key: usize) -> bool {
    key > KEY_MAX
}

/// Whether a value of this length lies outside the page.
pub(super) fn value_is_long(key: usize, value: usize) -> bool {
    let key = if key_is_long(key) { NUMBER } else { key };
    value > INLINE_MAX - key
}

/// A record, read or to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record<'a> {
    pub(super) key: Part<'a>,
    pub(super) value: Part<'a>,
    pub(super) deadline: Option<i64>,
}

impl<'a> Record<'a> {
    pub(super) fn len(&self) -> usize {
        let length = usize::from(self.head() & KEY_LENGTH == KEY_BYTE);
        let deadline = if self.deadline.is_some() { 8 } else { 0 };
        1 + deadline + length + self.key.len() + self.value.len()
    }

    /// Whether this record, with the same key, can be written over the other one's bytes.
    pub(super) fn is_shaped_as(&self, other: &Self) -> bool {
        self.head() == other.head() && self.len() == other.len()
    }

    fn head(&self) -> u8 {
        let key = match self.key {
            // The cast is of a number below 62.
            Part::Here(key) if key.len() < usize::from(KEY_BYTE) => key.len() as u8,
            Part::Here(_) => KEY_BYTE,
            Part::Long(_) => KEY_LONG,
        };
        let value = match self.value {
            Part::Here(_) => 0,
            Part::Long(_) => VALUE_LONG,
        };
        key | value | if self.deadline.is_some() { DEADLINE } else { 0 }
    }

    /// Writes the record to `to`, which is `len` bytes long.
    pub(super) fn write(&self, to: &mut [u8]) {
        to[0] = self.head();
        let mut at = 1;
        if let Some(deadline) = self.deadline {
            to[at..at + 8].copy_from_slice(&deadline.to_le_bytes());
            at += 8;
        }
        if to[0] & KEY_LENGTH == KEY_BYTE {
            to[at] = u8::try_from(self.key.len()).expect("a longer key is a long part");
            at += 1;
        }
        let key_end = at + self.key.len();
        self.key.write(&mut to[at..key_end]);
        self.value.write(&mut to[key_end..]);
    }

    /// Reads a record that `write` wrote.
    #[inline]
    pub(super) fn read(bytes: &'a [u8]) -> Self {
        let places = Places::of(bytes);
        let part = |range: Range<usize>, long: bool| {
            if long {
                Part::Long(number(&bytes[range]))
            } else {
                Part::Here(&bytes[range])
            }
        };
        Self {
            key: part(places.key.clone(), places.key_long),
            value: part(places.key.end..bytes.len(), places.value_long),
            deadline: deadline(bytes),
        }
    }
}

/// Whether the record's key is this one; `None` if it is a long part, to be looked at by the caller.
#[inline]
pub(super) fn has_key(bytes: &[u8], key: &[u8]) -> Option<bool> {
    let short = bytes[0] & KEY_LENGTH;
    if short < KEY_BYTE {
        // Nearly all: no length to be read, and the comparison's is the caller's.
        let at = if bytes[0] & DEADLINE == 0 { 1 } else { 9 };
        return Some(usize::from(short) == key.len() && &bytes[at..at + key.len()] == key);
    }
    let places = Places::of(bytes);
    (!places.key_long).then(|| &bytes[places.key] == key)
}

#[inline]
fn number(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(bytes.try_into().expect("a number is four bytes"))
}

/// The deadline alone.
#[inline]
pub(super) fn deadline(bytes: &[u8]) -> Option<i64> {
    (bytes[0] & DEADLINE != 0)
        .then(|| i64::from_le_bytes(bytes[1..9].try_into().expect("eight bytes")))
}

/// Overwrites the deadline of a record that has one.
pub(super) fn put_deadline(bytes: &mut [u8], deadline: i64) {
    debug_assert!(bytes[0] & DEADLINE != 0);
    bytes[1..9].copy_from_slice(&deadline.to_le_bytes());
}

/// Where a record's key lies, and what is a long part.
struct Places {
    key: Range<usize>,
    key_long: bool,
    value_long: bool,
}

impl Places {
    #[inline]
    fn of(bytes: &[u8]) -> Self {
        let head = bytes[0];
        let at = if head & DEADLINE == 0 { 1 } else { 9 };
        let key = match head & KEY_LENGTH {
            KEY_LONG => at..at + NUMBER,
            KEY_BYTE => at + 1..at + 1 + usize::from(bytes[at]),
            len => at..at + usize::from(len),
        };
        Self {
            key,
            key_long: head & KEY_LENGTH == KEY_LONG,
            value_long: head & VALUE_LONG != 0,
        }
    }
}

/// Shows `renumber` the number of each long part of a record and writes down its answer.
pub(super) fn renumber(bytes: &mut [u8], mut renumber: impl FnMut(u32) -> u32) {
    let places = Places::of(bytes);
    let value = places.key.end..bytes.len();
    for (range, long) in [(places.key, places.key_long), (value, places.value_long)] {
        if long {
            let new = renumber(number(&bytes[range.clone()]));
            bytes[range].copy_from_slice(&new.to_le_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let bytes = [7_u8; 300];
        let parts = [0, 1, 16, 61, 62, 63, 64, 255].map(|n| Part::Here(&bytes[..n]));
        for key in parts.into_iter().chain([Part::Long(9)]) {
            for value in [
                Part::Here(&bytes[..0]),
                Part::Here(&bytes),
                Part::Long(70_000),
            ] {
                for deadline in [None, Some(0), Some(-5), Some(i64::MAX)] {
                    let record = Record {
                        key,
                        value,
                        deadline,
                    };
                    let mut to = vec![0; record.len()];
                    record.write(&mut to);
                    assert_eq!(Record::read(&to), record);
                    let mut seen = Vec::new();
                    renumber(&mut to, |n| {
                        seen.push(n);
                        n + 1
                    });
                    for part in [key, value] {
                        if let Part::Long(n) = part {
                            assert!(seen.contains(&n));
                        }
                    }
                    renumber(&mut to, |n| n - 1);
                    assert_eq!(Record::read(&to), record);
                }
            }
        }
    }
}
