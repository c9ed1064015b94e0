//! Looks at an entry: shared, and exclusive where its slot is the writer's alone. The invariants E1 to
//! E4 are in `mod.rs`.
#![allow(
    unsafe_code,
    reason = "views of one allocation's parts; the invariants are in `mod.rs`"
)]

use std::marker::PhantomData;
use std::sync::Arc;

use super::Entry;
use super::raw::{BLOB, EMBSTR, INT, RAW, Raw, VALUE_BITS};
use collections::table::allocated_bytes;

use crate::access::Access;
use crate::error::{Refused, WrongType};
use crate::value::object::Container;
use crate::value::{Encoding, Kind, Object, Str, ValueRef};

/// A look at an entry: its key, value, deadline and access clock.
#[derive(Clone, Copy)]
pub struct EntryRef<'a> {
    pub(super) raw: Raw,
    pub(super) life: PhantomData<&'a Entry>,
}

// SAFETY: as `&Entry` (E3).
unsafe impl Send for EntryRef<'_> {}
// SAFETY: as above.
unsafe impl Sync for EntryRef<'_> {}

impl<'a> EntryRef<'a> {
    /// The key.
    #[inline]
    #[must_use]
    pub fn key(self) -> &'a [u8] {
        let meta = self.raw.meta();
        // SAFETY: E1, E3: `key_len` initialised bytes, alive and unchanged for 'a.
        unsafe { std::slice::from_raw_parts(self.raw.key_start(meta), self.raw.key_len(meta)) }
    }

    /// The kind of the value.
    #[must_use]
    pub fn kind(self) -> Kind {
        self.raw.kind(self.raw.meta())
    }

    /// When the key expires, in milliseconds since 1970.
    #[inline]
    #[must_use]
    pub fn deadline(self) -> Option<i64> {
        self.raw.deadline(self.raw.meta())
    }

    /// The value.
    #[must_use]
    pub fn value(self) -> ValueRef<'a> {
        match self.string() {
            Ok(string) => ValueRef::String(string),
            Err(WrongType) => ValueRef::Object(self.object().expect("it is no string")),
        }
    }

    /// The value, if it is not a string.
    #[inline]
    #[must_use]
    pub fn object(self) -> Option<&'a Arc<Object>> {
        let meta = self.raw.meta();
        if self.raw.kind(meta) == Kind::String {
            return None;
        }
        // SAFETY: E2, E3: every kind but strings has an object, unchanged for 'a.
        Some(unsafe { &*self.raw.word(meta).cast::<Arc<Object>>() })
    }

    /// The value as a container of one kind.
    ///
    /// # Errors
    /// `WrongType` if it is something else.
    #[inline]
    pub fn container<C: Container>(self) -> Result<&'a C, WrongType> {
        self.object()
            .and_then(|object| C::of(object))
            .ok_or(WrongType)
    }

    /// The value, if it is a string.
    ///
    /// # Errors
    /// `WrongType` if it is not.
    #[inline]
    pub fn string(self) -> Result<Str<'a>, WrongType> {
        let meta = self.raw.meta();
        // SAFETY: E1, E2, E3: the meta says what is there; it stays unchanged for 'a.
        unsafe {
            Ok(match meta & VALUE_BITS {
                EMBSTR | RAW => Str::Bytes(std::slice::from_raw_parts(
                    self.raw.value_start(meta),
                    self.raw.short_len(1),
                )),
                INT => Str::Int(self.raw.word(meta).read().cast_signed()),
                BLOB => Str::Blob(&*self.raw.word(meta).cast::<Arc<Vec<u8>>>()),
                _ => return Err(WrongType),
            })
        }
    }

    /// How the value is held, as OBJECT ENCODING names it.
    #[must_use]
    pub fn encoding(self) -> Encoding {
        match self.raw.meta() & VALUE_BITS {
            INT => Encoding::Int,
            EMBSTR => Encoding::EmbStr,
            RAW | BLOB => Encoding::Raw,
            _ => self.object().expect("it is no string").encoding(),
        }
    }

    /// The access clock.
    #[must_use]
    pub fn access(self) -> Access {
        Access(self.raw.clock())
    }

    /// Bytes that the entry holds, its value's own allocations included.
    #[must_use]
    pub fn memory_bytes(self) -> usize {
        // The counts of an `Arc` stand in front of the vector's three words.
        const BLOB_HEAD: usize = 2 * size_of::<usize>() + size_of::<Vec<u8>>();
        let own = self.raw.size(self.raw.meta());
        match self.value() {
            ValueRef::String(Str::Blob(blob)) => own + BLOB_HEAD + allocated_bytes(blob.capacity()),
            ValueRef::String(_) => own,
            ValueRef::Object(object) => own + object.memory_bytes(),
        }
    }

    /// Bytes that the keyspace no longer holds, though a snapshot does, when `successor` takes this
    /// entry's place or nothing does (`mem_snapshot`).
    ///
    /// A value that both hold does not count. A large container that was forked shares its nodes with
    /// the fork, and only those count that are copied later, which nobody does: so it is little too low
    /// while large containers are written to beside a snapshot.
    pub(crate) fn left_bytes(self, successor: Option<EntryRef<'_>>) -> usize {
        let own = self.raw.size(self.raw.meta());
        let Some(new) = successor else {
            return self.memory_bytes();
        };
        let shares = match (self.value(), new.value()) {
            (ValueRef::Object(old), ValueRef::Object(new)) => {
                let is_fork = old.kind() == new.kind()
                    && old.len() == new.len()
                    && crate::lazy::is_long_to_free(old);
                Arc::ptr_eq(old, new) || is_fork
            }
            (ValueRef::String(Str::Blob(old)), ValueRef::String(Str::Blob(new))) => {
                Arc::ptr_eq(old, new)
            }
            _ => false,
        };
        if shares { own } else { self.memory_bytes() }
    }

    /// Sets the access clock; the caller holds the shard's lock.
    #[inline]
    pub(crate) fn set_access(self, clock: u32) {
        self.raw.set_clock(clock);
    }
}

impl std::fmt::Debug for EntryRef<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let key = String::from_utf8_lossy(self.key());
        f.debug_struct("Entry")
            .field("key", &key)
            .field("value", &self.value())
            .field("deadline", &self.deadline())
            .finish()
    }
}

/// An exclusive view of an entry in an unshared slot: its value may be written in place.
pub(crate) struct EntryMut<'a> {
    pub(super) raw: Raw,
    pub(super) life: PhantomData<&'a mut Entry>,
}

impl<'a> EntryMut<'a> {
    /// The bytes of a string that `resize_string` has just made writable.
    pub(crate) fn into_bytes(self) -> &'a mut [u8] {
        let meta = self.raw.meta();
        if meta & VALUE_BITS == BLOB {
            // SAFETY: E2, E4: the view is exclusive for 'a.
            let blob = unsafe { &mut *self.raw.word(meta).cast::<Arc<Vec<u8>>>() };
            return Arc::get_mut(blob).expect("resize_string has made it ours alone");
        }
        assert_eq!(meta & VALUE_BITS, RAW, "resize_string makes a string raw");
        // SAFETY: E1, E4: the value's bytes, exclusive for 'a.
        unsafe { std::slice::from_raw_parts_mut(self.raw.value_start(meta), self.raw.short_len(1)) }
    }
}

impl<'a> EntryMut<'a> {
    /// The object, to be changed: if somebody else holds it, it is forked first (O1). `None` for a
    /// string.
    pub(crate) fn into_object(self) -> Result<Option<&'a mut Object>, Refused> {
        let meta = self.raw.meta();
        if self.raw.kind(meta) == Kind::String {
            return Ok(None);
        }
        // SAFETY: E2, E4: the view is exclusive for 'a.
        let object = unsafe { &mut *self.raw.word(meta).cast::<Arc<Object>>() };
        // There are no weak counts, and `get_mut` asks in a locked way: not twice.
        if Arc::strong_count(object) != 1 {
            *object = Arc::new(object.fork()?);
        }
        Ok(Some(
            Arc::get_mut(object).expect("it has just been made ours alone"),
        ))
    }
}
