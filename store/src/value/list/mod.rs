//! What a list is in memory. The page is `docs/design/types.md`.
//!
//! ```text
//!   packed    [listpack]                        up to list-max-listpack-size
//!   chunked   tree ─> part part part ..         a part: a listpack of that size, or one long element
//! ```
//!
//! A list begins packed. What would make it pass the limit makes it chunked first; a chunked one of
//! which a removal leaves one part at most half the limit becomes packed again. The bounds are where
//! Redis has them, because OBJECT ENCODING shows them.
//!
//! L1  No part is empty, and a part that stands in a tree has the count that it has.
//! L2  An edit that fails has changed no element; it may have changed the form.
//! L3  A listpack that a snapshot still holds is copied before it is changed (`part::Part::pack_mut`),
//!     so a fork shares all parts.
//!
//! Redis keeps long inner nodes compressed if it is told to; `docs/compat.md` says why we do not.
//!
//! | looking for | file |
//! |---|---|
//! | a part, the limits | `part.rs` |
//! | LSET, LINSERT, LREM, LTRIM | `edit.rs` |
//! | walking from any place in both directions | `walk.rs` |
//!
//! Checked by: `tests/lists.rs` (random edits against a `VecDeque`, snapshots in between).

mod edit;
mod part;
mod walk;

use collections::Listpack;
use collections::chunk_list::{Chunk, ChunkList, End};
use collections::listpack::Element;

pub use part::ListLimits;
pub use walk::Elements;

use super::object::{Container, Object};
use super::{Encoding, Kind};
use crate::error::Refused;
use part::Part;

/// One of a list's ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListEnd {
    /// The head: index 0.
    Left,
    /// The tail: index -1.
    Right,
}

impl ListEnd {
    #[inline]
    fn of_chunks(self) -> End {
        match self {
            ListEnd::Left => End::First,
            ListEnd::Right => End::Last,
        }
    }
}

/// A list.
#[derive(Debug)]
pub struct List {
    form: Form,
}

#[derive(Debug)]
enum Form {
    Packed(Listpack),
    /// Boxed: the small form is common and pays for the room of the larger.
    Chunked(Box<ChunkList<Part>>),
}

impl List {
    /// An empty one.
    #[must_use]
    pub fn new() -> List {
        List {
            form: Form::Packed(Listpack::new()),
        }
    }

    /// Elements of `bytes` bytes in all are about to come: the list becomes chunked at once if they
    /// will not fit.
    ///
    /// # Errors
    /// `Refused`, and nothing has changed.
    pub fn expect_more(
        &mut self,
        count: usize,
        bytes: usize,
        limits: ListLimits,
    ) -> Result<(), Refused> {
        let Form::Packed(pack) = &self.form else {
            return Ok(());
        };
        let bytes = pack.byte_len().saturating_add(bytes);
        if limits.allow(bytes, pack.len().saturating_add(count)) {
            return Ok(());
        }
        self.become_chunked();
        Ok(())
    }

    fn become_chunked(&mut self) -> &mut ChunkList<Part> {
        if let Form::Packed(pack) = &mut self.form {
            let mut list = ChunkList::new();
            if !pack.is_empty() {
                list.push_back(Part::of_pack(std::mem::take(pack)));
            }
            self.form = Form::Chunked(Box::new(list));
        }
        match &mut self.form {
            Form::Chunked(list) => list,
            Form::Packed(_) => unreachable!("it has just been made chunked"),
        }
    }

    /// Adds an element at an end. Who adds several has said so (`expect_more`).
    ///
    /// # Errors
    /// `Refused`, and the elements are as they were.
    #[inline]
    pub fn push(&mut self, end: ListEnd, value: &[u8], limits: ListLimits) -> Result<(), Refused> {
        let list = match &mut self.form {
            Form::Packed(pack) if pack.has_room_for(value.len()) => {
                match end {
                    ListEnd::Left => pack.prepend(value)?,
                    ListEnd::Right => pack.append(value)?,
                };
                return Ok(());
            }
            Form::Packed(_) => self.become_chunked(),
            Form::Chunked(list) => list,
        };
        let into = |part: &mut Part| match end {
            ListEnd::Left => part.prepend(value, limits),
            ListEnd::Right => part.append(value, limits),
        };
        if list
            .change_end(end.of_chunks(), into)
            .unwrap_or(Ok(false))?
        {
            return Ok(());
        }
        push_part(list, end, value, limits)
    }

    /// Adds elements at an end one after another.
    ///
    /// # Errors
    /// `Refused`, and the elements are as they were.
    pub fn push_all<'v>(
        &mut self,
        end: ListEnd,
        values: impl Iterator<Item = &'v [u8]> + Clone,
        limits: ListLimits,
    ) -> Result<(), Refused> {
        let (count, bytes) = values.clone().fold((0, 0), |(count, bytes), value| {
            (count + 1, bytes + value.len())
        });
        self.expect_more(count, bytes, limits)?;
        for (pushed, value) in values.enumerate() {
            if let Err(refused) = self.push(end, value, limits) {
                for _ in 0..pushed {
                    // What was pushed is in parts that are ours alone: nothing is asked for.
                    self.pop(end, limits, |_| ())?;
                }
                return Err(refused);
            }
        }
        Ok(())
    }

    /// Takes the element at an end out and shows it; `None` if there is none.
    ///
    /// # Errors
    /// `Refused`, and nothing has changed or been shown.
    #[inline]
    pub fn pop<R>(
        &mut self,
        end: ListEnd,
        limits: ListLimits,
        show: impl FnOnce(Element<'_>) -> R,
    ) -> Result<Option<R>, Refused> {
        match &mut self.form {
            Form::Packed(pack) => Ok(part::pop(pack, end, show)),
            Form::Chunked(list) => {
                let chunk = end.of_chunks();
                let shown = match (list.end_count(chunk), end) {
                    (2.., _) => list.change_end(chunk, |part| part.pop(end, show)),
                    (_, ListEnd::Left) => list.change_front(|part, _| part.pop(end, show)),
                    (_, ListEnd::Right) => list.change_back(|part, _| part.pop(end, show)),
                };
                let shown = shown.transpose()?.flatten();
                self.settle_shrunk(limits);
                Ok(shown)
            }
        }
    }

    /// Takes elements from an end, as many as there are up to `count`, in the order in which they
    /// would be popped, and shows each.
    ///
    /// # Errors
    /// `Refused`; those shown are out.
    pub fn pop_some(
        &mut self,
        end: ListEnd,
        count: u64,
        limits: ListLimits,
        mut show: impl FnMut(Element<'_>),
    ) -> Result<(), Refused> {
        for _ in 0..count {
            if self.pop(end, limits, &mut show)?.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// The element with this index from the left.
    #[must_use]
    pub fn get(&self, index: u64) -> Option<Element<'_>> {
        match &self.form {
            Form::Packed(pack) => pack.get(usize::try_from(index).ok()?),
            Form::Chunked(list) => {
                let (part, within) = list.get(index)?;
                part.get(within)
            }
        }
    }

    /// After a removal: a chunked list that has become small is packed again.
    fn settle_shrunk(&mut self, limits: ListLimits) {
        self.pack_within(limits.half());
    }

    /// A list that was built from parts takes the form that its size asks for.
    pub fn settle(&mut self, limits: ListLimits) {
        match &self.form {
            Form::Packed(pack) if !limits.allow(pack.byte_len(), pack.len()) => {
                self.become_chunked();
            }
            Form::Packed(_) => {}
            Form::Chunked(_) => self.pack_within(limits),
        }
    }

    /// Packs a list of one packed part, if that is within the limits and there is memory.
    fn pack_within(&mut self, limits: ListLimits) {
        let Form::Chunked(list) = &mut self.form else {
            return;
        };
        let Some(part) = list.front() else {
            self.form = Form::Packed(Listpack::new());
            return;
        };
        if part.count() as u64 != list.len() {
            return;
        }
        let fits = |pack: &Listpack| limits.allow_strictly(pack.byte_len(), pack.len());
        if !part.pack().is_some_and(fits) {
            return;
        }
        let pack = list.change_front(|part, _| part.take_pack());
        if let Some(Some(pack)) = pack {
            self.form = Form::Packed(pack);
        }
    }

    /// Adds a listpack's elements behind all others as a part of their own: what a file or another
    /// server holds. `settle` comes after the last.
    pub fn push_pack(&mut self, pack: Listpack) {
        if pack.is_empty() {
            return;
        }
        match &mut self.form {
            Form::Packed(own) if own.is_empty() => *own = pack,
            _ => self.become_chunked().push_back(Part::of_pack(pack)),
        }
    }

    /// Adds one element as a part of its own, as `push_pack`.
    pub fn push_plain(&mut self, value: Vec<u8>) {
        self.become_chunked().push_back(Part::of_plain(value));
    }

    /// Shows the parts from left to right: a listpack, or one element by itself.
    pub fn parts(&self) -> impl Iterator<Item = ListPart<'_>> {
        let (packed, chunked) = match &self.form {
            Form::Packed(pack) => (Some(ListPart::Pack(pack)), None),
            Form::Chunked(list) => (None, Some(list.iter().map(Part::show))),
        };
        packed.into_iter().chain(chunked.into_iter().flatten())
    }

    /// How many parts there are.
    #[must_use]
    pub fn part_count(&self) -> usize {
        match &self.form {
            Form::Packed(_) => 1,
            Form::Chunked(list) => list.chunk_count(),
        }
    }
}

/// Adds an element at an end as a new part, which is as large as its neighbour has become: grown from
/// one element it would go through some thirty sizes, and leave a page of the allocator's in each.
/// Only from four parts on, so that what is not used yet stays a small share of the list.
#[inline(never)]
fn push_part(
    list: &mut ChunkList<Part>,
    end: ListEnd,
    value: &[u8],
    limits: ListLimits,
) -> Result<(), Refused> {
    let neighbour = match end {
        ListEnd::Left => list.front(),
        ListEnd::Right => list.back(),
    };
    let room = neighbour
        .filter(|part| list.len() >= 4 * part.count() as u64)
        .and_then(Part::pack)
        .map_or(0, Listpack::byte_len);
    let part = Part::of_value(value, room, limits)?;
    match end {
        ListEnd::Left => list.push_front(part),
        ListEnd::Right => list.push_back(part),
    }
    Ok(())
}

/// A part of a list.
#[derive(Clone, Copy, Debug)]
pub enum ListPart<'l> {
    /// Some elements in a row.
    Pack(&'l Listpack),
    /// One long element.
    Plain(&'l [u8]),
}

impl Default for List {
    fn default() -> Self {
        Self::new()
    }
}

impl Container for List {
    const KIND: Kind = Kind::List;

    fn of(object: &Object) -> Option<&Self> {
        match object {
            Object::List(container) => Some(container),
            _ => None,
        }
    }

    fn of_mut(object: &mut Object) -> Option<&mut Self> {
        match object {
            Object::List(container) => Some(container),
            _ => None,
        }
    }

    fn into_object(self) -> Object {
        Object::List(self)
    }

    fn fork(&self) -> Result<Self, Refused> {
        let form = match &self.form {
            Form::Packed(pack) => Form::Packed(pack.try_clone()?),
            Form::Chunked(list) => Form::Chunked(list.clone()),
        };
        Ok(List { form })
    }

    fn encoding(&self) -> Encoding {
        match &self.form {
            Form::Packed(_) => Encoding::Listpack,
            Form::Chunked(_) => Encoding::Quicklist,
        }
    }

    fn len(&self) -> u64 {
        match &self.form {
            Form::Packed(pack) => pack.len() as u64,
            Form::Chunked(list) => list.len(),
        }
    }

    fn memory_bytes(&self) -> usize {
        match &self.form {
            Form::Packed(pack) => pack.heap_bytes(),
            Form::Chunked(list) => size_of::<ChunkList<Part>>() + list.heap_bytes(),
        }
    }

    fn free_effort(&self) -> u64 {
        /// A longer list's parts are not counted: however they are, there are many.
        const COUNTED_LEN_MAX: u64 = 16_384;
        match &self.form {
            Form::Packed(_) => 1,
            Form::Chunked(list) if list.len() > COUNTED_LEN_MAX => list.len() / 64,
            Form::Chunked(list) => list.chunk_count() as u64,
        }
    }

    fn free_in_steps(&mut self, pause: &mut dyn FnMut()) {
        /// Leaves between pauses: of some dozens of parts each.
        const LEAVES: usize = 8;
        let form = std::mem::replace(&mut self.form, Form::Packed(Listpack::new()));
        if let Form::Chunked(list) = form {
            let mut parts = list.into_parts();
            while parts.free_some(LEAVES) {
                pause();
            }
        }
    }
}
