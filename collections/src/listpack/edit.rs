//! Everything that changes a listpack. One primitive, `open`, puts a gap of the right size where
//! entries stood and keeps I1; its callers write entries into it and keep I3.
//!
//! A change that fails has changed nothing: sizes are known before the gap is opened, and opening
//! is the only step that can fail.

use super::encoding::{END, Encoded};
use super::{At, COUNT_UNKNOWN, EMPTY, Element, HEADER, Listpack};
use crate::Refused;

impl Listpack {
    /// Puts an element at the end and gives its position.
    pub fn append<'e>(&mut self, element: impl Into<Element<'e>>) -> Result<At, Refused> {
        self.put(self.end(), self.end(), 0, element.into())
    }

    /// Puts an element at the front and gives its position.
    pub fn prepend<'e>(&mut self, element: impl Into<Element<'e>>) -> Result<At, Refused> {
        self.put(HEADER, HEADER, 0, element.into())
    }

    /// Puts an element before the one at `at`. The new one stands at `at`.
    pub fn insert_before<'e>(
        &mut self,
        at: At,
        element: impl Into<Element<'e>>,
    ) -> Result<At, Refused> {
        self.put(at.offset(), at.offset(), 0, element.into())
    }

    /// Puts an element behind the one at `at` and gives its position.
    pub fn insert_after<'e>(
        &mut self,
        at: At,
        element: impl Into<Element<'e>>,
    ) -> Result<At, Refused> {
        let offset = self.after(at);
        self.put(offset, offset, 0, element.into())
    }

    /// Puts an element in the place of the one at `at`. Of equal size, nothing moves.
    pub fn replace<'e>(&mut self, at: At, element: impl Into<Element<'e>>) -> Result<At, Refused> {
        self.put(at.offset(), self.after(at), 1, element.into())
    }

    /// Puts these elements at the end, making room once.
    pub fn append_all<'e, I>(&mut self, elements: I) -> Result<(), Refused>
    where
        I: Iterator<Item = Element<'e>> + Clone,
    {
        self.put_all(self.end(), elements)
    }

    /// Puts these elements at the front, in this order, making room once.
    pub fn prepend_all<'e, I>(&mut self, elements: I) -> Result<(), Refused>
    where
        I: Iterator<Item = Element<'e>> + Clone,
    {
        self.put_all(HEADER, elements)
    }

    /// Puts these elements before the one at `at`, making room once.
    pub fn insert_all_before<'e, I>(&mut self, at: At, elements: I) -> Result<(), Refused>
    where
        I: Iterator<Item = Element<'e>> + Clone,
    {
        self.put_all(at.offset(), elements)
    }

    /// Puts another listpack's entries at the end, as they are.
    pub fn append_pack(&mut self, other: &Self) -> Result<(), Refused> {
        self.put_pack(self.end(), other)
    }

    /// Puts another listpack's entries at the front, as they are.
    pub fn prepend_pack(&mut self, other: &Self) -> Result<(), Refused> {
        self.put_pack(HEADER, other)
    }

    /// Takes the entry at `at` out; what stood behind it stands at the position given back.
    pub fn delete(&mut self, at: At) -> Option<At> {
        self.close(at.offset(), self.after(at), 1);
        self.at(at.offset())
    }

    /// Takes up to `count` entries from `at` on out; what stood behind them stands at the position
    /// given back.
    pub fn delete_from(&mut self, at: At, count: usize) -> Option<At> {
        let (to, removed) = self.skip(at.offset(), count);
        self.close(at.offset(), to, removed);
        self.at(at.offset())
    }

    /// Takes up to `count` entries from `index` on out; gives how many there were.
    pub fn delete_range(&mut self, index: usize, count: usize) -> usize {
        let Some(at) = self.seek(index) else {
            return 0;
        };
        // To the very end, nobody has to be walked past.
        let (to, removed) = match self.known_len() {
            Some(len) if count >= len - index => (self.end(), len - index),
            _ => self.skip(at.offset(), count),
        };
        self.close(at.offset(), to, removed);
        removed
    }

    /// Keeps the first `len` entries.
    pub fn truncate(&mut self, len: usize) {
        self.delete_range(len, usize::MAX);
    }

    /// Takes all entries out.
    pub fn clear(&mut self) {
        self.close(HEADER, self.end(), 0);
        self.set_count(0);
    }

    /// Keeps the first `index` entries and gives the others as a listpack of their own.
    pub fn split_off(&mut self, index: usize) -> Result<Self, Refused> {
        let Some(at) = self.seek(index) else {
            return Ok(Self::new());
        };
        let from = at.offset();
        let moved = self.iter_from(at).count();
        let mut other = Self::with_capacity(self.end() - from)?;
        other.open(HEADER, HEADER, self.end() - from)?;
        other.bytes[HEADER..].copy_from_slice(&self.bytes[from..]);
        other.set_count(moved);
        self.close(from, self.end(), moved);
        // The walk to `index` has told what the header may not have known.
        self.set_count(index);
        Ok(other)
    }

    /// Makes room for this many bytes of entries more.
    pub fn reserve(&mut self, bytes: usize) -> Result<(), Refused> {
        if !self.has_room_for(bytes) {
            return Err(Refused::Size);
        }
        self.bytes.reserve(self.byte_len() + bytes)
    }

    /// Puts one element where bytes `from` up to `to`, `removed` entries, stood.
    #[inline]
    fn put(
        &mut self,
        from: usize,
        to: usize,
        removed: usize,
        element: Element<'_>,
    ) -> Result<At, Refused> {
        let encoded = Encoded::of(element)?;
        let size = encoded.size();
        self.open(from, to, size)?;
        encoded.write(&mut self.bytes[from..from + size]);
        if removed != 1 {
            self.count_changed(1, removed);
        }
        Ok(At::new(from))
    }

    fn put_all<'e, I>(&mut self, from: usize, elements: I) -> Result<(), Refused>
    where
        I: Iterator<Item = Element<'e>> + Clone,
    {
        let size = size_of_all(elements.clone())?;
        self.open(from, from, size)?;
        let mut added = 0;
        let mut rest = &mut self.bytes[from..from + size];
        for element in elements {
            rest = Encoded::of(element)?.write(rest);
            added += 1;
        }
        assert!(rest.is_empty(), "the iterator's clone gave other elements");
        self.count_changed(added, 0);
        Ok(())
    }

    fn put_pack(&mut self, from: usize, other: &Self) -> Result<(), Refused> {
        let entries = &other.bytes[HEADER..other.end()];
        self.open(from, from, entries.len())?;
        self.bytes[from..from + entries.len()].copy_from_slice(entries);
        match other.known_len() {
            Some(added) => self.count_changed(added, 0),
            None => self.set_count(usize::MAX),
        }
        Ok(())
    }

    /// Puts `size` bytes in the place of those from `from` up to `to` and keeps I1 and I2. The
    /// caller writes entries into them.
    #[inline]
    fn open(&mut self, from: usize, to: usize, size: usize) -> Result<(), Refused> {
        self.bytes.splice(from, to, size)?;
        let total = self.byte_len() as u32;
        self.bytes[..4].copy_from_slice(&total.to_le_bytes());
        debug_assert_eq!(self.bytes.last(), Some(&END));
        Ok(())
    }

    /// Takes the bytes from `from` up to `to`, `removed` entries, out.
    fn close(&mut self, from: usize, to: usize, removed: usize) {
        self.open(from, to, 0)
            .expect("taking bytes out asks for no memory");
        self.count_changed(0, removed);
    }

    /// How far `count` entries reach from an offset, and how many there are.
    fn skip(&self, from: usize, count: usize) -> (usize, usize) {
        let mut offset = from;
        let mut skipped = 0;
        while skipped < count && offset < self.end() {
            offset = self.after(At::new(offset));
            skipped += 1;
        }
        (offset, skipped)
    }

    #[inline]
    fn count_changed(&mut self, added: usize, removed: usize) {
        match self.known_len() {
            Some(len) => self.set_count(len + added - removed),
            // Unknown stays unknown until so few bytes are left that the count must fit: then one
            // walk settles it.
            None if removed > 0
                && self.byte_len() - EMPTY.len() < 2 * usize::from(COUNT_UNKNOWN) =>
            {
                self.set_count(self.iter().count());
            }
            None => {}
        }
    }
}

/// The bytes that these elements take as entries.
pub(super) fn size_of_all<'e>(
    elements: impl Iterator<Item = Element<'e>>,
) -> Result<usize, Refused> {
    let mut size = 0_usize;
    for element in elements {
        size = size
            .checked_add(Encoded::of(element)?.size())
            .ok_or(Refused::Size)?;
    }
    Ok(size)
}
