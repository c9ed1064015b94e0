//! Listpack: many short strings in one allocation, byte for byte as RDB stores it.
//!
//! ```text
//!   [total u32][count u16] entry* [0xFF]        integers little-endian
//!   entry = body + back length                  `encoding.rs` has the picture of both
//! ```
//!
//! Small lists, sets, hashes and sorted sets and the nodes of streams live in it: no pointers, some
//! two bytes of overhead an entry, and whoever reads it reads one or two cache lines. It is walked
//! from either end; there is no index, so everything but the ends costs the way there, and every
//! change in the middle moves what stands behind it. That is right up to a few kilobytes, and those
//! who own a listpack convert it to another container there.
//!
//! I1  `total` equals the byte length.
//! I2  The last byte is the end mark, and entries fill exactly what is between it and the header.
//! I3  `count` is the number of entries, or 0xFFFF for "walk and see". More than 65,534 entries
//!     always say 0xFFFF; fewer may, after deletions.
//! I4  Each back length is the canonical one of its body's size.
//! I5  What we write is canonical (`Element::canonical`, narrowest form). Foreign bytes may not be,
//!     so nothing relies on it: comparison goes by the spelling.
//!
//! `validate.rs` checks I1 to I4 on foreign bytes; all else relies on them and panics, never worse,
//! if they are broken. Checked by: `tests/listpack_model.rs` against a vector, golden bytes from a
//! Redis server in `tests/packed_golden.rs`, `fuzz/listpack`.
//!
//! | file | what |
//! |---|---|
//! | `element.rs` | a number or bytes |
//! | `encoding.rs` | one entry's bytes |
//! | `validate.rs` | foreign bytes |
//! | `walk.rs` | positions, seeking, iterators |
//! | `edit.rs` | everything that changes one |
//! | `find.rs` | search |
//! | `ziplist.rs`, `zipmap.rs` | its predecessors, read only |
//!
//! Source: the listpack specification (github.com/antirez/listpack); the widths of back lengths and
//! the choice of forms as Redis 7 has them.
#![forbid(unsafe_code)]

mod edit;
mod element;
mod encoding;
mod find;
mod validate;
mod walk;
pub mod ziplist;
pub mod zipmap;

pub use element::Element;
pub use walk::{At, Chunks, Iter};
pub use ziplist::Ziplist;
pub use zipmap::Zipmap;

use std::fmt;

use crate::packed::{BYTES_MAX, Packed};
use crate::{Invalid, Refused};

/// Bytes before the first entry.
const HEADER: usize = 6;

/// A count that says nothing (I3).
const COUNT_UNKNOWN: u16 = u16::MAX;

/// A listpack without entries.
const EMPTY: [u8; HEADER + 1] = [HEADER as u8 + 1, 0, 0, 0, 0, 0, encoding::END];

/// Many short strings in one allocation. See the module's essay.
#[derive(Clone)]
pub struct Listpack {
    bytes: Packed,
}

impl Listpack {
    /// An empty one: eight bytes. Ends the process when there is no memory, as a small box would;
    /// all that a client sizes comes through calls that can fail.
    #[must_use]
    pub fn new() -> Self {
        let bytes = Packed::adopted(EMPTY.to_vec());
        Self { bytes }
    }

    /// An empty one with room for `bytes` bytes of entries.
    pub fn with_capacity(bytes: usize) -> Result<Self, Refused> {
        let mut new = Packed::copied(&[])?;
        new.reserve(EMPTY.len().saturating_add(bytes))?;
        new.splice(0, 0, EMPTY.len())?;
        new.copy_from_slice(&EMPTY);
        Ok(Self { bytes: new })
    }

    /// A listpack of these elements, in an allocation that fits them.
    pub fn from_elements<'e, I>(elements: I) -> Result<Self, Refused>
    where
        I: Iterator<Item = Element<'e>> + Clone,
    {
        let mut new = Self::with_capacity(edit::size_of_all(elements.clone())?)?;
        new.append_all(elements)?;
        Ok(new)
    }

    /// Takes foreign bytes over after checking all of them (I1 to I4).
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, Invalid> {
        let count = validate::count(&bytes)?;
        let mut new = Self {
            bytes: Packed::adopted(bytes),
        };
        // The writer did not know, or had known too many once.
        new.set_count(count);
        Ok(new)
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

    /// The number of entries. Walks only when there are or were 65,535 or more.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.known_len().unwrap_or_else(|| self.iter().count())
    }

    /// Whether there are no entries.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.byte_len() == EMPTY.len()
    }

    /// Whether this many bytes more would stay within the bound on a listpack's size; count a
    /// dozen bytes for an entry's own.
    #[must_use]
    pub fn has_room_for(&self, bytes: usize) -> bool {
        self.byte_len().saturating_add(bytes) <= BYTES_MAX
    }

    /// The count if the header tells it.
    #[inline]
    fn known_len(&self) -> Option<usize> {
        let count = u16::from_le_bytes([self.bytes[4], self.bytes[5]]);
        (count != COUNT_UNKNOWN).then_some(usize::from(count))
    }

    /// Where the end mark stands.
    #[inline]
    fn end(&self) -> usize {
        self.byte_len() - 1
    }

    #[inline]
    fn set_count(&mut self, count: usize) {
        let count = u16::try_from(count).unwrap_or(COUNT_UNKNOWN);
        self.bytes[4..HEADER].copy_from_slice(&count.to_le_bytes());
    }
}

impl Default for Listpack {
    fn default() -> Self {
        Self::new()
    }
}

/// Equal entries in equal order; how they are stored does not matter.
impl PartialEq for Listpack {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes() || self.iter().eq(other.iter())
    }
}

impl Eq for Listpack {}

impl fmt::Debug for Listpack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
