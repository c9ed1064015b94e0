//! Walking over a list from any element, in both directions: part by part, each by its own iterator.

use collections::chunk_list::{Chunk, Chunks};
use collections::listpack::{self, Element};

use super::part::Part;
use super::{Form, List, ListEnd};

/// A walk over a list's elements.
pub struct Elements<'l> {
    within: Within<'l>,
    /// The part that `within` is of; `None` for a packed list.
    parts: Option<Chunks<'l, Part>>,
    /// The end that it walks away from.
    from: ListEnd,
}

enum Within<'l> {
    Pack(listpack::Iter<'l>),
    Plain(Option<&'l [u8]>),
}

impl<'l> Within<'l> {
    /// The elements of a part from `index` on (going right), or from `index` back (going left).
    fn of(part: &'l Part, index: usize, from: ListEnd) -> Within<'l> {
        match part {
            Part::Pack(pack) => Within::of_pack(pack, index, from),
            Part::Plain(bytes) => Within::Plain(Some(bytes)),
        }
    }

    fn of_pack(pack: &'l collections::Listpack, index: usize, from: ListEnd) -> Within<'l> {
        let past = match from {
            ListEnd::Left => index,
            ListEnd::Right => index.saturating_add(1),
        };
        Within::Pack(match (pack.seek(past), from) {
            (Some(at), ListEnd::Left) => pack.iter_from(at),
            (Some(at), ListEnd::Right) => pack.iter_before(at),
            (None, ListEnd::Right) => pack.iter(),
            (None, ListEnd::Left) => {
                let mut nothing = pack.iter();
                nothing.by_ref().for_each(drop);
                nothing
            }
        })
    }

    /// All elements of a part.
    fn whole(part: &'l Part) -> Within<'l> {
        match part {
            Part::Pack(pack) => Within::Pack(pack.iter()),
            Part::Plain(bytes) => Within::Plain(Some(bytes)),
        }
    }
}

impl List {
    /// The elements from the left to the right.
    #[must_use]
    pub fn iter(&self) -> Elements<'_> {
        self.walk(0, ListEnd::Left)
    }

    /// The elements from index `from` on, walking away from an end: from the left one with rising
    /// indices, from the right one with falling ones.
    #[must_use]
    pub fn walk(&self, index: u64, from: ListEnd) -> Elements<'_> {
        match &self.form {
            Form::Packed(pack) => {
                let index = usize::try_from(index).unwrap_or(usize::MAX - 1);
                Elements {
                    within: Within::of_pack(pack, index, from),
                    parts: None,
                    from,
                }
            }
            Form::Chunked(list) => {
                let (parts, index) = list.seek(index);
                let within = match parts.get() {
                    Some(part) => Within::of(part, index, from),
                    None => Within::Plain(None),
                };
                Elements {
                    within,
                    parts: Some(parts),
                    from,
                }
            }
        }
    }

    /// Whether the elements from `index` on, `count` of them, are worth at least `bytes` bytes,
    /// judged by the parts in which they are.
    #[must_use]
    pub fn is_long(&self, index: u64, count: u64, bytes: usize) -> bool {
        let list = match &self.form {
            Form::Packed(pack) => return pack.byte_len() >= bytes,
            Form::Chunked(list) => list,
        };
        let (mut parts, within) = list.seek(index);
        let mut left = count.saturating_add(within as u64);
        let mut sum = 0;
        while left > 0
            && let Some(part) = parts.get()
        {
            sum += part.byte_len();
            if sum >= bytes {
                return true;
            }
            left = left.saturating_sub(part.count() as u64);
            parts.forward();
        }
        false
    }
}

impl<'l> Iterator for Elements<'l> {
    type Item = Element<'l>;

    #[inline]
    fn next(&mut self) -> Option<Element<'l>> {
        loop {
            let next = match (&mut self.within, self.from) {
                (Within::Pack(iter), ListEnd::Left) => iter.next(),
                (Within::Pack(iter), ListEnd::Right) => iter.next_back(),
                (Within::Plain(bytes), _) => bytes.take().map(Element::Bytes),
            };
            if next.is_some() {
                return next;
            }
            let parts = self.parts.as_mut()?;
            match self.from {
                ListEnd::Left => parts.forward(),
                ListEnd::Right => parts.back(),
            }
            self.within = Within::whole(parts.get()?);
        }
    }
}
