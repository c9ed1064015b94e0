//! A part of a chunked list: a counted listpack, or one element that is too long for one.
//!
//! Parts are handles: what a snapshot holds as well is copied when it is changed.

use std::sync::Arc;

use collections::Listpack;
use collections::chunk_list::Chunk;
use collections::listpack::Element;

use super::{ListEnd, ListPart};
use crate::error::Refused;

/// What a listpack is not let grow beyond when the limit counts elements: Redis's number.
const SAFE_BYTES: usize = 8_192;

/// What an entry of a listpack may cost beside its bytes, estimated above as Redis does.
const OVERHEAD_BYTES: usize = 8;

/// `list-max-listpack-size`: how large a listpack may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListLimits {
    bytes: usize,
    count: usize,
    /// DEBUG QUICKLIST-PACKED-THRESHOLD: from here on an element stands by itself; 0: where a
    /// listpack would not take it.
    plain_bytes: usize,
}

impl ListLimits {
    /// From the parameter: a count, or -1 to -5 for 4 to 64 KiB.
    #[must_use]
    pub fn of(size: i32, plain_bytes: usize) -> ListLimits {
        let (bytes, count) = match size {
            ..0 => (4_096 << (size.unsigned_abs().min(5) - 1), usize::MAX),
            _ => (usize::MAX, size.unsigned_abs().max(1) as usize),
        };
        ListLimits {
            bytes,
            count,
            plain_bytes,
        }
    }

    /// Whether a listpack of `bytes` bytes and `count` elements is within the limits.
    #[inline]
    pub(super) fn allow(self, bytes: usize, count: usize) -> bool {
        match self.bytes {
            usize::MAX => bytes <= SAFE_BYTES && count <= self.count,
            limit => bytes <= limit,
        }
    }

    /// The same without the bound that a limit by count has on bytes.
    pub(super) fn allow_strictly(self, bytes: usize, count: usize) -> bool {
        bytes <= self.bytes && count <= self.count
    }

    /// Half of it: where a chunked list becomes packed again.
    pub(super) fn half(self) -> ListLimits {
        ListLimits {
            bytes: self.bytes / 2,
            count: self.count / 2,
            ..self
        }
    }

    /// Whether an element of so many bytes stands by itself.
    #[inline]
    fn is_plain(self, bytes: usize) -> bool {
        match (self.plain_bytes, self.bytes) {
            (0, usize::MAX) => bytes > SAFE_BYTES,
            (0, limit) => bytes > limit,
            (threshold, _) => bytes >= threshold,
        }
    }
}

/// A handle to some elements in a row.
#[derive(Clone, Debug)]
pub(super) enum Part {
    Pack(Arc<Listpack>),
    Plain(Arc<Vec<u8>>),
}

/// The two counts of an `Arc`, which stand in front of what it holds.
const COUNTS_BYTES: usize = 2 * size_of::<usize>();

impl Chunk for Part {
    fn count(&self) -> usize {
        match self {
            Part::Pack(pack) => pack.len(),
            Part::Plain(_) => 1,
        }
    }

    fn heap_bytes(&self) -> usize {
        COUNTS_BYTES
            + match self {
                Part::Pack(pack) => size_of::<Listpack>() + pack.heap_bytes(),
                Part::Plain(bytes) => size_of::<Vec<u8>>() + bytes.capacity(),
            }
    }
}

impl Part {
    pub(super) fn of_pack(pack: Listpack) -> Part {
        Part::Pack(Arc::new(pack))
    }

    pub(super) fn of_plain(bytes: Vec<u8>) -> Part {
        Part::Plain(Arc::new(bytes))
    }

    /// A part of one element, with room for `bytes` bytes of further ones.
    pub(super) fn of_value(
        value: &[u8],
        bytes: usize,
        limits: ListLimits,
    ) -> Result<Part, Refused> {
        if limits.is_plain(value.len()) {
            let mut bytes = Vec::new();
            bytes.try_reserve_exact(value.len()).map_err(|_| Refused)?;
            bytes.extend_from_slice(value);
            return Ok(Part::of_plain(bytes));
        }
        let mut pack = match bytes {
            0 => Listpack::new(),
            bytes => Listpack::with_capacity(bytes)?,
        };
        pack.append(value)?;
        Ok(Part::of_pack(pack))
    }

    /// What it is, for looking.
    pub(super) fn show(&self) -> ListPart<'_> {
        match self {
            Part::Pack(pack) => ListPart::Pack(pack),
            Part::Plain(bytes) => ListPart::Plain(bytes),
        }
    }

    /// Its listpack, if it has one.
    pub(super) fn pack(&self) -> Option<&Listpack> {
        match self {
            Part::Pack(pack) => Some(pack),
            Part::Plain(_) => None,
        }
    }

    /// Bytes that are walked over when it is shown.
    pub(super) fn byte_len(&self) -> usize {
        match self {
            Part::Pack(pack) => pack.byte_len(),
            Part::Plain(bytes) => bytes.len(),
        }
    }

    /// The element with this index.
    pub(super) fn get(&self, index: usize) -> Option<Element<'_>> {
        match self {
            Part::Pack(pack) => pack.get(index),
            Part::Plain(bytes) => (index == 0).then_some(Element::Bytes(bytes)),
        }
    }

    /// Its listpack, to be changed: a copy if somebody else holds it (L3).
    pub(super) fn pack_mut(&mut self) -> Result<Option<&mut Listpack>, Refused> {
        let Part::Pack(pack) = self else {
            return Ok(None);
        };
        // One is the answer of `get_mut` as well: there are no weak counts. It asks in a locked way, so
        // not twice; a count that has just fallen to one costs a copy in vain.
        if Arc::strong_count(pack) != 1 {
            *pack = Arc::new(pack.try_clone()?);
        }
        Ok(Arc::get_mut(pack))
    }

    /// Takes the listpack out and leaves an empty one; `None` if there is no memory for a copy.
    pub(super) fn take_pack(&mut self) -> Option<Listpack> {
        self.pack_mut().ok().flatten().map(std::mem::take)
    }

    /// Whether an element of so many bytes may join it.
    #[inline]
    pub(super) fn has_room(&self, value_bytes: usize, limits: ListLimits) -> bool {
        let Part::Pack(pack) = self else {
            return false;
        };
        let bytes = pack.byte_len() + value_bytes + OVERHEAD_BYTES;
        !limits.is_plain(value_bytes) && limits.allow(bytes, pack.len() + 1)
    }

    /// Whether an element of so many bytes may take the place of another.
    pub(super) fn has_room_instead(
        &self,
        old_bytes: usize,
        value_bytes: usize,
        limits: ListLimits,
    ) -> bool {
        let Part::Pack(pack) = self else {
            return false;
        };
        let bytes = (pack.byte_len() + value_bytes + OVERHEAD_BYTES).saturating_sub(old_bytes);
        // What does not grow stays, whatever the limits have become since.
        !limits.is_plain(value_bytes)
            && (value_bytes <= old_bytes || limits.allow(bytes, pack.len()))
    }

    /// Adds an element in front, if there is room.
    #[inline]
    pub(super) fn prepend(&mut self, value: &[u8], limits: ListLimits) -> Result<bool, Refused> {
        self.insert(0, value, limits)
    }

    /// Adds an element behind, if there is room.
    #[inline]
    pub(super) fn append(&mut self, value: &[u8], limits: ListLimits) -> Result<bool, Refused> {
        self.insert(usize::MAX, value, limits)
    }

    /// Adds an element before the one with this index, or behind all, if there is room.
    #[inline]
    pub(super) fn insert(
        &mut self,
        index: usize,
        value: &[u8],
        limits: ListLimits,
    ) -> Result<bool, Refused> {
        if !self.has_room(value.len(), limits) {
            return Ok(false);
        }
        let Some(pack) = self.pack_mut()? else {
            return Ok(false);
        };
        insert(pack, index, value)?;
        Ok(true)
    }

    /// Takes the element at an end out and shows it. A part that is empty then leaves its list.
    pub(super) fn pop<R>(
        &mut self,
        end: ListEnd,
        show: impl FnOnce(Element<'_>) -> R,
    ) -> Result<Option<R>, Refused> {
        if let Part::Plain(bytes) = self {
            let shown = show(Element::Bytes(bytes));
            *self = Part::of_pack(Listpack::new());
            return Ok(Some(shown));
        }
        let pack = self.pack_mut()?.expect("it is not plain");
        Ok(pop(pack, end, show))
    }
}

/// Adds an element before the one with this index, or behind all.
#[inline]
pub(super) fn insert(pack: &mut Listpack, index: usize, value: &[u8]) -> Result<(), Refused> {
    match index {
        0 => pack.prepend(value)?,
        usize::MAX => pack.append(value)?,
        _ => match pack.seek(index) {
            Some(at) => pack.insert_before(at, value)?,
            None => pack.append(value)?,
        },
    };
    Ok(())
}

/// Takes the element at an end of a listpack out and shows it.
#[inline]
pub(super) fn pop<R>(
    pack: &mut Listpack,
    end: ListEnd,
    show: impl FnOnce(Element<'_>) -> R,
) -> Option<R> {
    let at = match end {
        ListEnd::Left => pack.first(),
        ListEnd::Right => pack.last(),
    }?;
    let shown = show(pack.value(at));
    pack.delete(at);
    Some(shown)
}
