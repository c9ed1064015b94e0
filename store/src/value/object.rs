//! Everything that is not a string: one counted allocation that the entry's word points to.
//!
//! ```text
//!   entry ── word ──> Arc [ counts | Object ] ── the container's own allocations
//!                      ▲
//!                      └── also held by: a snapshot's entry, a copy under another key (COPY),
//!                          a reply that is built after unlocking (`pinned.rs`)
//! ```
//!
//! O1  An object is changed only while its count is one and its entry is in an unshared slot;
//!     otherwise the entry gets a second object first, made by [`Container::fork`], and that shares
//!     the parts of the first that are counted themselves. So a cut, COPY and a pinned reply cost
//!     one count, and the first write after it what `fork` costs: a small container is copied, a
//!     large one clones its root.
//! O2  No key holds an empty container for longer than the unit that emptied it (a stream may be
//!     empty).
//!
//! Checked by: `tests/objects.rs`; the model tests of `collections`.

use super::{Encoding, Hash, Kind, List, Set, SortedSet, Stream};
use crate::error::Refused;

/// A value that is not a string.
#[derive(Debug)]
pub enum Object {
    /// A list.
    List(List),
    /// A set.
    Set(Set),
    /// A sorted set.
    SortedSet(SortedSet),
    /// A hash.
    Hash(Hash),
    /// A stream.
    Stream(Stream),
}

// A small container's price beside its entry and its one allocation.
const _: () = assert!(size_of::<Object>() <= 40);

/// What all containers can say of themselves. The five kinds implement it, nothing else.
pub trait Container: Sized {
    /// The kind whose container it is.
    const KIND: Kind;

    /// The container in `object`, if it is of this kind.
    fn of(object: &Object) -> Option<&Self>;

    /// As `of`, to be changed.
    fn of_mut(object: &mut Object) -> Option<&mut Self>;

    /// The container as an object.
    fn into_object(self) -> Object;

    /// A second container of the same content, sharing what is counted (O1).
    ///
    /// # Errors
    /// `Refused` if there is no memory for what is copied.
    fn fork(&self) -> Result<Self, Refused>;

    /// How it is held.
    fn encoding(&self) -> Encoding;

    /// Elements (members, fields, entries of a stream).
    fn len(&self) -> u64;

    /// Whether it has no element.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of the container's own allocations, those that it shares included.
    fn memory_bytes(&self) -> usize;

    /// How many allocations freeing it touches, about: what `lazyfree-*` weighs.
    fn free_effort(&self) -> u64;

    /// Empties it piece by piece, calling `pause` between pieces of some hundred allocations: how the
    /// free thread frees what is large.
    fn free_in_steps(&mut self, pause: &mut dyn FnMut());

    /// The earliest time at which a part of it expires, in milliseconds since 1970.
    fn part_deadline(&self) -> Option<i64> {
        None
    }
}

/// Calls the same method of whichever container it is.
macro_rules! of_container {
    ($object:expr, $container:ident => $body:expr) => {
        match $object {
            Object::List($container) => $body,
            Object::Set($container) => $body,
            Object::SortedSet($container) => $body,
            Object::Hash($container) => $body,
            Object::Stream($container) => $body,
        }
    };
}

/// Whoever lets go last, on whatever thread: what is long to free is freed by the free thread.
impl Drop for Object {
    fn drop(&mut self) {
        crate::lazy::drop_object(self);
    }
}

impl Object {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Object::List(_) => Kind::List,
            Object::Set(_) => Kind::Set,
            Object::SortedSet(_) => Kind::SortedSet,
            Object::Hash(_) => Kind::Hash,
            Object::Stream(_) => Kind::Stream,
        }
    }

    /// See [`Container::fork`].
    ///
    /// # Errors
    /// `Refused` if there is no memory for what is copied.
    pub fn fork(&self) -> Result<Object, Refused> {
        of_container!(self, container => Ok(container.fork()?.into_object()))
    }

    /// See [`Container::encoding`].
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        of_container!(self, container => container.encoding())
    }

    /// See [`Container::len`].
    #[must_use]
    pub fn len(&self) -> u64 {
        of_container!(self, container => container.len())
    }

    /// Whether it has no element.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of the whole, its counted head included.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        // The two counts of an `Arc` stand in front of the object.
        const HEAD: usize = 2 * size_of::<usize>() + size_of::<Object>();
        HEAD + of_container!(self, container => container.memory_bytes())
    }

    /// See [`Container::free_effort`].
    #[must_use]
    pub fn free_effort(&self) -> u64 {
        of_container!(self, container => container.free_effort())
    }

    /// See [`Container::free_in_steps`].
    pub(crate) fn free_in_steps(&mut self, pause: &mut dyn FnMut()) {
        of_container!(self, container => container.free_in_steps(pause));
    }

    /// Takes what is in it, and leaves an empty container.
    pub(crate) fn take(&mut self) -> Object {
        std::mem::replace(self, Object::Set(Set::of_ints(collections::Intset::new())))
    }

    /// See [`Container::part_deadline`].
    #[must_use]
    pub fn part_deadline(&self) -> Option<i64> {
        of_container!(self, container => container.part_deadline())
    }
}
