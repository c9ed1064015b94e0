//! Going through a listpack: positions, seeking from the nearer end, iterators.

use super::encoding::{back_size, body_before, decode, entry_size};
use super::{Element, HEADER, Listpack};

/// Where an entry begins. Stays right while nothing before it changes; using one that is not right
/// gives nonsense or panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct At(u32);

impl At {
    #[inline]
    pub(super) fn new(offset: usize) -> Self {
        // `total` is a u32, so every offset is one.
        Self(offset as u32)
    }

    #[inline]
    pub(super) fn offset(self) -> usize {
        self.0 as usize
    }
}

impl Listpack {
    /// The first entry.
    #[inline]
    #[must_use]
    pub fn first(&self) -> Option<At> {
        self.at(HEADER)
    }

    /// The last entry.
    #[inline]
    #[must_use]
    pub fn last(&self) -> Option<At> {
        self.before(self.end())
    }

    /// The entry behind this one.
    #[inline]
    #[must_use]
    pub fn next(&self, at: At) -> Option<At> {
        self.at(self.after(at))
    }

    /// The entry before this one.
    #[inline]
    #[must_use]
    pub fn prev(&self, at: At) -> Option<At> {
        self.before(at.offset())
    }

    /// The entry with this index; walks from the nearer end, if the count is known.
    #[must_use]
    pub fn seek(&self, index: usize) -> Option<At> {
        match self.known_len() {
            Some(len) if index >= len => None,
            Some(len) if index > len / 2 => self.seek_back(len - 1 - index),
            _ => {
                let mut offset = HEADER;
                for _ in 0..index {
                    if offset == self.end() {
                        return None;
                    }
                    offset += entry_size(&self.bytes[offset..]);
                }
                self.at(offset)
            }
        }
    }

    /// The entry with this index counted from the end: 0 is the last. Walks from there.
    #[must_use]
    pub fn seek_back(&self, index: usize) -> Option<At> {
        let mut at = self.last()?;
        for _ in 0..index {
            at = self.prev(at)?;
        }
        Some(at)
    }

    /// What stands there.
    #[inline]
    #[must_use]
    pub fn value(&self, at: At) -> Element<'_> {
        decode(&self.bytes[at.offset()..self.end()]).0
    }

    /// What stands there, and where the next entry is.
    #[inline]
    #[must_use]
    pub fn value_and_next(&self, at: At) -> (Element<'_>, Option<At>) {
        let (element, body) = decode(&self.bytes[at.offset()..self.end()]);
        (element, self.at(at.offset() + body + back_size(body)))
    }

    /// The element with this index.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Element<'_>> {
        self.seek(index).map(|at| self.value(at))
    }

    /// All elements, from either end.
    #[inline]
    #[must_use]
    pub fn iter(&self) -> Iter<'_> {
        self.range(HEADER, self.end())
    }

    /// The elements from `at` to the end, from either side.
    #[inline]
    #[must_use]
    pub fn iter_from(&self, at: At) -> Iter<'_> {
        self.range(at.offset(), self.end())
    }

    /// The elements before `at`, from either side; `.rev()` begins beside it.
    #[inline]
    #[must_use]
    pub fn iter_before(&self, at: At) -> Iter<'_> {
        self.range(HEADER, at.offset())
    }

    /// The elements `N` at a time; a rest of fewer is left out.
    #[inline]
    #[must_use]
    pub fn chunks<const N: usize>(&self) -> Chunks<'_, N> {
        Chunks { iter: self.iter() }
    }

    /// The elements two at a time: fields and values, members and scores.
    #[inline]
    #[must_use]
    pub fn pairs(&self) -> Chunks<'_, 2> {
        self.chunks()
    }

    /// The pairs of `count` elements from `index` on, both even.
    #[must_use]
    pub fn pairs_of(&self, index: usize, count: usize) -> Chunks<'_, 2> {
        let offset = |index| self.seek(index).map_or(self.end(), At::offset);
        let iter = self.range(offset(index), offset(index.saturating_add(count)));
        Chunks { iter }
    }

    /// The position of what stands at an offset where an entry or the end mark is.
    #[inline]
    pub(super) fn at(&self, offset: usize) -> Option<At> {
        (offset < self.end()).then(|| At::new(offset))
    }

    /// The offset behind an entry.
    #[inline]
    pub(super) fn after(&self, at: At) -> usize {
        at.offset() + entry_size(&self.bytes[at.offset()..])
    }

    /// The entry that ends at an offset.
    #[inline]
    fn before(&self, offset: usize) -> Option<At> {
        (offset > HEADER).then(|| At::new(start_before(&self.bytes, offset)))
    }

    #[inline]
    fn range(&self, front: usize, back: usize) -> Iter<'_> {
        Iter {
            bytes: &self.bytes,
            front,
            back,
        }
    }
}

impl<'p> IntoIterator for &'p Listpack {
    type Item = Element<'p>;
    type IntoIter = Iter<'p>;

    fn into_iter(self) -> Iter<'p> {
        self.iter()
    }
}

/// Where the entry that ends before `end` begins.
#[inline]
fn start_before(bytes: &[u8], end: usize) -> usize {
    let body = body_before(bytes, end);
    end - body - back_size(body)
}

/// The elements between two offsets.
#[derive(Clone)]
pub struct Iter<'p> {
    bytes: &'p [u8],
    front: usize,
    back: usize,
}

impl<'p> Iter<'p> {
    /// The position of the entry that `next` will give.
    #[inline]
    #[must_use]
    pub fn at(&self) -> Option<At> {
        (self.front < self.back).then(|| At::new(self.front))
    }

    /// The next entry's position and element.
    #[inline]
    pub fn next_at(&mut self) -> Option<(At, Element<'p>)> {
        let at = self.at()?;
        self.next().map(|element| (at, element))
    }

    /// The last entry's position and element.
    #[inline]
    pub fn next_back_at(&mut self) -> Option<(At, Element<'p>)> {
        self.next_back()
            .map(|element| (At::new(self.back), element))
    }
}

impl<'p> Iterator for Iter<'p> {
    type Item = Element<'p>;

    #[inline]
    fn next(&mut self) -> Option<Element<'p>> {
        if self.front >= self.back {
            return None;
        }
        let (element, body) = decode(&self.bytes[self.front..self.back]);
        self.front += body + back_size(body);
        Some(element)
    }

    fn nth(&mut self, n: usize) -> Option<Element<'p>> {
        for _ in 0..n {
            if self.front >= self.back {
                return None;
            }
            self.front += entry_size(&self.bytes[self.front..]);
        }
        self.next()
    }

    fn count(mut self) -> usize {
        let mut count = 0;
        while self.front < self.back {
            self.front += entry_size(&self.bytes[self.front..]);
            count += 1;
        }
        count
    }
}

impl<'p> DoubleEndedIterator for Iter<'p> {
    #[inline]
    fn next_back(&mut self) -> Option<Element<'p>> {
        if self.front >= self.back {
            return None;
        }
        self.back = start_before(self.bytes, self.back);
        Some(decode(&self.bytes[self.back..]).0)
    }
}

impl std::iter::FusedIterator for Iter<'_> {}

/// Elements `N` at a time.
#[derive(Clone)]
pub struct Chunks<'p, const N: usize> {
    iter: Iter<'p>,
}

impl<'p, const N: usize> Chunks<'p, N> {
    /// The next chunk and the position of its first entry.
    #[inline]
    pub fn next_at(&mut self) -> Option<(At, [Element<'p>; N])> {
        let at = self.iter.at()?;
        self.next().map(|chunk| (at, chunk))
    }
}

impl<'p, const N: usize> Iterator for Chunks<'p, N> {
    type Item = [Element<'p>; N];

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let mut chunk = [Element::Int(0); N];
        for place in &mut chunk {
            *place = self.iter.next()?;
        }
        Some(chunk)
    }
}

/// From the end; right only when the entries come out even.
impl<const N: usize> DoubleEndedIterator for Chunks<'_, N> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        let mut chunk = [Element::Int(0); N];
        for place in chunk.iter_mut().rev() {
            *place = self.iter.next_back()?;
        }
        Some(chunk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BYTES_MAX, Refused};

    fn pack(count: i64) -> Listpack {
        Listpack::from_elements((0..count).map(Element::Int)).expect("small")
    }

    #[test]
    fn chunks_from_both_sides() {
        let six = pack(6);
        let expected = [[0, 1, 2], [3, 4, 5]].map(|chunk| chunk.map(Element::Int));
        assert!(six.chunks::<3>().eq(expected));
        assert!(six.chunks::<3>().rev().eq(expected.into_iter().rev()));
        let mut both = six.pairs();
        assert_eq!(both.next(), Some([0, 1].map(Element::Int)));
        assert_eq!(both.next_back(), Some([4, 5].map(Element::Int)));
        let at = six.seek(2).expect("within");
        assert_eq!(both.next_at(), Some((at, [2, 3].map(Element::Int))));
        assert_eq!((both.next(), both.next_back()), (None, None));
        assert_eq!(pack(7).pairs().count(), 3, "a rest is left out");
        let inner = six.pairs_of(2, 2).map(|pair| pair.map(|e| e.int()));
        assert!(inner.eq([[Some(2), Some(3)]]));
        assert_eq!(six.pairs_of(4, 8).rev().count(), 1);
        assert_eq!(six.pairs_of(6, 2).count(), 0);
    }

    #[test]
    fn positions_come_with_elements() {
        let five = pack(5);
        let mut iter = five.iter();
        assert_eq!(iter.next_at(), five.first().map(|at| (at, Element::Int(0))));
        let last = five.last().map(|at| (at, Element::Int(4)));
        assert_eq!(iter.next_back_at(), last);
        assert_eq!(iter.at(), five.seek(1));
        assert_eq!(iter.count(), 3);
        assert_eq!(pack(0).iter().next_back_at(), None);
    }

    #[test]
    fn room_is_told_and_refused() {
        let mut five = pack(5);
        assert!(five.has_room_for(BYTES_MAX - five.byte_len()));
        assert!(!five.has_room_for(BYTES_MAX - five.byte_len() + 1));
        assert_eq!(five.reserve(BYTES_MAX), Err(Refused::Size));
        assert_eq!(five.reserve(1000), Ok(()));
        assert!(five.heap_bytes() > 1000);
        assert_eq!(five, pack(5));
    }
}
