//! A value that stays as it is beyond the unit: what a handler takes along when the rest of its work
//! is too long for the locks.
//!
//! ```text
//!   under the locks   EntryRef ── pin ──▶ Pinned      a count raised, or at most 512 bytes copied
//!   afterwards        Pinned ── value ──▶ ValueRef    nobody writes where the count is above one
//! ```
//!
//! P1  Pinning is short whatever the value's size: a new kind of value pins its root (listpack,
//!     table, tree), never its elements.
//! P2  What is pinned is the value as the unit saw it. A writer that comes later finds the count above
//!     one and copies what it changes (DESIGN section 4).
//!
//! Checked by: tests below; server/tests/later.rs (under load, over TCP).

use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use super::object::{Container, Object};
use super::{Str, ValueRef};

/// A string of which the holder keeps its own hold.
#[derive(Clone, Debug)]
pub enum PinnedStr {
    /// An integer that stands for its decimal spelling.
    Int(i64),
    /// A short string, copied.
    Bytes(Box<[u8]>),
    /// A long string, shared.
    Blob(Arc<Vec<u8>>),
}

impl PinnedStr {
    /// A look at it.
    #[must_use]
    pub fn as_str(&self) -> Str<'_> {
        match self {
            PinnedStr::Int(n) => Str::Int(*n),
            PinnedStr::Bytes(bytes) => Str::Bytes(bytes),
            PinnedStr::Blob(blob) => Str::Blob(blob),
        }
    }
}

impl Str<'_> {
    /// Keeps the string beyond the unit.
    #[must_use]
    pub fn pin(self) -> PinnedStr {
        match self {
            Str::Int(n) => PinnedStr::Int(n),
            Str::Bytes(bytes) => PinnedStr::Bytes(bytes.into()),
            Str::Blob(blob) => PinnedStr::Blob(Arc::clone(blob)),
        }
    }
}

/// A value of any kind of which the holder keeps its own hold.
#[derive(Clone, Debug)]
pub enum Pinned {
    /// A string.
    String(PinnedStr),
    /// Anything else, shared.
    Object(Arc<Object>),
}

impl Pinned {
    /// A look at it.
    #[must_use]
    pub fn value(&self) -> ValueRef<'_> {
        match self {
            Pinned::String(string) => ValueRef::String(string.as_str()),
            Pinned::Object(object) => ValueRef::Object(object),
        }
    }
}

impl ValueRef<'_> {
    /// Keeps the value beyond the unit.
    #[must_use]
    pub fn pin(self) -> Pinned {
        match self {
            ValueRef::String(string) => Pinned::String(string.pin()),
            ValueRef::Object(object) => Pinned::Object(Arc::clone(object)),
        }
    }
}

/// A container that outlives its unit: a reply is built from it after unlocking.
#[derive(Debug)]
pub struct PinnedAs<C> {
    object: Arc<Object>,
    kind: PhantomData<C>,
}

impl<C: Container> PinnedAs<C> {
    /// A container that belongs to no key: what was taken out of one.
    #[must_use]
    pub fn of(container: C) -> Self {
        PinnedAs::new(Arc::new(container.into_object()))
    }

    /// Pins `object`, which is a `C`.
    ///
    /// # Panics
    /// If it is not.
    pub(crate) fn new(object: Arc<Object>) -> Self {
        assert!(C::of(&object).is_some(), "callers have looked at the kind");
        PinnedAs {
            object,
            kind: PhantomData,
        }
    }
}

impl<C: Container> Deref for PinnedAs<C> {
    type Target = C;

    fn deref(&self) -> &C {
        C::of(&self.object).expect("`new` has looked")
    }
}

#[cfg(all(test, not(feature = "model")))]
mod tests {
    use super::*;
    use crate::{Deadline, NewStr, Options, Plan, Scratch, Slot, Store, Turn};

    /// Whatever a later unit does to the key, what was pinned stays as it was.
    #[test]
    fn writers_do_not_reach_what_is_pinned() {
        let store = Store::new(Options {
            databases: 1,
            workers: 1,
            seed: 3,
        });
        let mut scratch = Scratch::new();
        let key = store.key(b"k");
        let long = vec![b'x'; 100_000];
        let mut in_unit = |work: &mut dyn FnMut(&mut crate::Unit<'_>)| {
            let turn = Turn::new(0, 0, 1, &mut scratch);
            let mut unit = store.begin(Plan::Wide, turn).expect("nobody else is there");
            work(&mut unit);
            unit.finish();
        };
        for value in [b"12".as_slice(), b"short", &long] {
            let mut pinned = None;
            in_unit(&mut |unit| {
                match unit.slot(key) {
                    Slot::Occupied(mut at) => at.set_string(NewStr::of(value), Deadline::Clear),
                    Slot::Vacant(at) => at.insert_string(NewStr::of(value), None),
                }
                .expect("there is memory");
                pinned = unit.read(key).map(|entry| entry.value().pin());
            });
            let pinned = pinned.expect("just set");
            in_unit(&mut |unit| {
                let Slot::Occupied(mut at) = unit.slot(key) else {
                    panic!("it is there")
                };
                let bytes = at.resize_string(value.len() + 1).expect("there is memory");
                bytes.fill(b'?');
            });
            in_unit(&mut |unit| assert!(unit.remove(key)));
            let ValueRef::String(string) = pinned.value() else {
                panic!("it is a string")
            };
            assert_eq!(string.bytes(&mut [0; 20]), value);
        }
    }
}
