//! Search: the first entry that spells given bytes.
//!
//! The hot path of small hashes, sets and sorted sets. The needle is read once: whether it spells a
//! number decides what a number can equal, and no entry is ever formatted. Bytes are compared only
//! when the lengths agree, and their last eight first: fields are wont to begin alike.

use super::encoding::{back_size, decode, entry_size};
use super::{At, Element, HEADER, Listpack};
use crate::integer;

impl Listpack {
    /// The first entry that spells `needle`, looking at one and passing over `skip`, again and
    /// again: 0 for a list or set, 1 for the fields of a hash or the members of a sorted set.
    #[must_use]
    pub fn find(&self, needle: &[u8], skip: usize) -> Option<At> {
        self.find_from_offset(HEADER, needle, skip)
    }

    /// The same from `at` on, which is the first entry that is looked at.
    #[must_use]
    pub fn find_from(&self, at: At, needle: &[u8], skip: usize) -> Option<At> {
        self.find_from_offset(at.offset(), needle, skip)
    }

    fn find_from_offset(&self, from: usize, needle: &[u8], skip: usize) -> Option<At> {
        let number = integer::parse(needle);
        let last = needle.last_chunk::<8>();
        let entries = &self.bytes[..self.end()];
        let mut at = from;
        while at < entries.len() {
            let (element, body) = decode(&entries[at..]);
            let equal = match element {
                Element::Int(value) => number == Some(value),
                Element::Bytes(bytes) => {
                    bytes.len() == needle.len()
                        && bytes.last_chunk::<8>() == last
                        && bytes == needle
                }
            };
            if equal {
                return Some(At::new(at));
            }
            at += body + back_size(body);
            for _ in 0..skip {
                if at >= entries.len() {
                    return None;
                }
                at += entry_size(&entries[at..]);
            }
        }
        None
    }
}
