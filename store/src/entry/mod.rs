//! An entry: a key and its value in one allocation.
//!
//! ```text
//!   0         1            4          6          8
//!  +---------+------------+----------+----------+ +----------+ +----------+ +-------+ +-----+ +-------+
//!  | meta u8 | access u24 | key u16  | in place | | deadline | | key u64  | | word  | | key | | value |
//!  |         |            | length   | u16      | | i64      | | length   | | 8 B   | |     | | bytes |
//!  +---------+------------+----------+----------+ +----------+ +----------+ +-------+ +-----+ +-------+
//!   one atomic u32                                 if DEADLINE  if LONG_KEY  if WORD
//!
//!   meta   7 6 5     4 3     2      1          0
//!          kind      form    WORD   LONG_KEY   DEADLINE
//! ```
//!
//! A string is `WORD` form 0 (an integer in the word), `WORD` form 1 (an `Arc<Vec<u8>>` in the
//! word), or has its bytes in place: form 0 says `embstr`, form 1 `raw`. Every other kind is `WORD`
//! form 1 with an `Arc<Object>` in the word. A 16-byte key with a 32-byte string is 56 bytes, 64
//! with a deadline. There is no reference count: who frees an entry
//! that a snapshot also sees is the table's business (`docs/design/table.md`).
//!
//! E1  A `Raw` points to a live allocation of the size that its own header tells (`size_class` of
//!     the sum of the parts), aligned to 8, with every part initialised.
//! E2  With `WORD` and form 1 the word holds an `Arc` that the entry owns: of `Vec<u8>` if the kind
//!     is a string, else of an `Object` of that kind.
//! E3  While an entry is reachable by more than its writer nothing but the access clock is
//!     written, and that through the atomic.
//! E4  Of the two mutable faces, `&mut Entry` is had only by the owner of the handle and
//!     `EntryMut` only from the table, which gives it only for an unshared slot.
//!
//! Checked by: `tests/model.rs` (random edits against a map), AddressSanitizer.
#![allow(
    unsafe_code,
    reason = "one allocation of several parts; the invariants are above"
)]

mod raw;
mod view;

use std::alloc::{Layout, alloc_zeroed};
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::Arc;

use collections::table::{Element, Hash};

use crate::error::Refused;
use crate::key::HashSeed;
use crate::value::{NewStr, Object, Str, ValueRef};
use raw::{
    BLOB, DEADLINE, LONG_KEY, NewValue, RAW, Raw, VALUE_BITS, WORD, head_bytes, size_class,
    total_bytes,
};

pub(crate) use view::EntryMut;
pub use view::EntryRef;

/// The longest string that is kept behind its key; longer ones have an allocation of their own.
/// Measured in `docs/design/store.md`.
pub const IN_PLACE_BYTES_MAX: usize = 512;

/// `bytes` in a vector with zeros up to `len`, or the news that there is no memory.
fn copy_of(bytes: &[u8], len: usize) -> Result<Vec<u8>, Refused> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(len).map_err(|_| Refused)?;
    copy.extend_from_slice(bytes);
    copy.resize(len, 0);
    Ok(copy)
}

/// A vector of zeros whose pages the system need not touch yet: SETBIT far out costs no memset.
fn zeroed(len: usize) -> Result<Vec<u8>, Refused> {
    let layout = Layout::array::<u8>(len).map_err(|_| Refused)?;
    if layout.size() == 0 {
        return Ok(Vec::new());
    }
    // SAFETY: the layout's size is not zero.
    let start = unsafe { alloc_zeroed(layout) };
    if start.is_null() {
        return Err(Refused);
    }
    // SAFETY: allocated by the global allocator for `len` bytes of alignment 1, all initialised.
    Ok(unsafe { Vec::from_raw_parts(start, len, len) })
}

/// An owning handle to an entry.
pub(crate) struct Entry(Raw);

// SAFETY: an entry owns what it points to, and what may change under a shared view is atomic (E3).
unsafe impl Send for Entry {}
// SAFETY: as above.
unsafe impl Sync for Entry {}

impl Drop for Entry {
    fn drop(&mut self) {
        self.0.drop_word();
        self.0.free();
    }
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.view().fmt(f)
    }
}

impl Entry {
    fn build(
        key: &[u8],
        value: NewValue<'_>,
        deadline: Option<i64>,
        clock: u32,
    ) -> Result<Self, Refused> {
        let raw = Raw::allocate(value.meta(), key, value.in_place(), deadline, clock)?;
        raw.write_value(value);
        Ok(Entry(raw))
    }

    /// A new string.
    pub(crate) fn string(
        key: &[u8],
        value: NewStr<'_>,
        deadline: Option<i64>,
        clock: u32,
    ) -> Result<Self, Refused> {
        Entry::build(key, NewValue::of(value)?, deadline, clock)
    }

    /// A new raw string of `len` zeros.
    pub(crate) fn zeros(key: &[u8], len: usize, clock: u32) -> Result<Self, Refused> {
        let value = if len <= IN_PLACE_BYTES_MAX {
            NewValue::InPlace {
                bytes: &[0; IN_PLACE_BYTES_MAX][..len],
                raw: true,
            }
        } else {
            NewValue::Blob(Arc::new(zeroed(len)?))
        };
        Entry::build(key, value, None, clock)
    }

    /// A new entry of any other kind.
    pub(crate) fn object(
        key: &[u8],
        object: Arc<Object>,
        deadline: Option<i64>,
        clock: u32,
    ) -> Result<Self, Refused> {
        Entry::build(key, NewValue::Object(object), deadline, clock)
    }

    pub(crate) fn view(&self) -> EntryRef<'_> {
        EntryRef {
            raw: self.0,
            life: PhantomData,
        }
    }

    /// A second entry of the same value under `key`: a blob or an object is shared, not copied.
    pub(crate) fn copy_of(
        from: EntryRef<'_>,
        key: &[u8],
        deadline: Option<i64>,
    ) -> Result<Self, Refused> {
        let value = match from.value() {
            ValueRef::String(Str::Int(n)) => NewValue::Int(n),
            ValueRef::String(Str::Bytes(bytes)) => NewValue::InPlace {
                bytes,
                raw: from.raw.meta() & VALUE_BITS == RAW,
            },
            ValueRef::String(Str::Blob(blob)) => NewValue::Blob(Arc::clone(blob)),
            ValueRef::Object(object) => NewValue::Object(Arc::clone(object)),
        };
        Entry::build(key, value, deadline, from.raw.clock())
    }

    /// The same value under another key or with another layout: what the word owns moves over.
    /// On refusal the entry is as it was.
    fn rebuild(&mut self, key: Option<&[u8]>, deadline: Option<i64>) -> Result<(), Refused> {
        let old = self.0;
        let meta = old.meta();
        let in_place = old.short_len(1);
        let key = key.unwrap_or_else(|| self.view().key());
        let new = Raw::allocate(meta, key, in_place, deadline, old.clock())?;
        let new_meta = new.meta();
        // SAFETY: E1: both have the parts that their metas tell, the new one is fresh; the word is
        // moved, because the old allocation is freed without looking at it.
        unsafe {
            if meta & WORD != 0 {
                new.word(new_meta).write(old.word(meta).read());
            }
            new.value_start(new_meta)
                .copy_from_nonoverlapping(old.value_start(meta), in_place);
        }
        self.0 = new;
        old.free();
        Ok(())
    }

    /// Moves the value under another key. On refusal the entry is as it was.
    pub(crate) fn rename(&mut self, key: &[u8]) -> Result<(), Refused> {
        if self.view().key() == key {
            return Ok(());
        }
        self.rebuild(Some(key), self.view().deadline())
    }

    /// Gives the entry a deadline or takes it away. On refusal it is as it was.
    pub(crate) fn set_deadline(&mut self, deadline: Option<i64>) -> Result<(), Refused> {
        let had = self.0.meta() & DEADLINE != 0;
        match deadline {
            // SAFETY: E1: DEADLINE says that the word is there; E4: it is ours to write.
            Some(at) if had => unsafe { self.0.eight(1).write(at.cast_unsigned()) },
            None if !had => {}
            _ => return self.rebuild(None, deadline),
        }
        Ok(())
    }

    /// Replaces value, deadline and access clock; in place where the size class allows it.
    pub(crate) fn set_string(
        &mut self,
        value: NewStr<'_>,
        deadline: Option<i64>,
        clock: u32,
    ) -> Result<(), Refused> {
        let value = NewValue::of(value)?;
        let raw = self.0;
        let old_meta = raw.meta();
        let key_len = raw.key_len(old_meta);
        let mut meta = value.meta() | (old_meta & LONG_KEY);
        if deadline.is_some() {
            meta |= DEADLINE;
        }
        if size_class(total_bytes(meta, key_len, value.in_place())) != raw.size(old_meta) {
            *self = Entry::build(self.view().key(), value, deadline, clock)?;
            return Ok(());
        }
        raw.drop_word();
        if head_bytes(meta) != head_bytes(old_meta) {
            // SAFETY: E1: the key fits at either place within the one allocation.
            unsafe {
                raw.key_start(meta)
                    .copy_from(raw.key_start(old_meta), key_len)
            };
        }
        raw.write_head(meta, key_len, value.in_place(), deadline, clock);
        raw.write_value(value);
        Ok(())
    }

    /// Makes the string raw and `len` bytes long, zeros where it grows, and its bytes writable:
    /// a blob that somebody else holds is copied. On refusal the entry is as it was.
    pub(crate) fn resize_string(&mut self, len: usize) -> Result<(), Refused> {
        let raw = self.0;
        let meta = raw.meta();
        if meta & VALUE_BITS == BLOB {
            // SAFETY: E2, E4.
            let blob = unsafe { &mut *raw.word(meta).cast::<Arc<Vec<u8>>>() };
            return resize_blob(blob, len);
        }
        let mut buffer = [0; crate::value::string::INT_CHARS_MAX];
        let string = self
            .view()
            .string()
            .expect("callers have looked at the kind");
        let is_in_place = matches!(string, Str::Bytes(_));
        let bytes = string.bytes(&mut buffer);
        let kept = bytes.len().min(len);
        if len > IN_PLACE_BYTES_MAX {
            let blob = if len - kept > 1 << 16 {
                let mut blob = zeroed(len)?;
                blob[..kept].copy_from_slice(&bytes[..kept]);
                blob
            } else {
                copy_of(&bytes[..kept], len)?
            };
            let blob = NewValue::Blob(Arc::new(blob));
            *self = Entry::build(self.view().key(), blob, self.view().deadline(), raw.clock())?;
            return Ok(());
        }
        let key_len = raw.key_len(meta);
        let new_meta = RAW | (meta & !VALUE_BITS);
        if is_in_place && size_class(total_bytes(new_meta, key_len, len)) == raw.size(meta) {
            // The layout in front of the value is the same: only its length and form change.
            let deadline = raw.deadline(meta);
            raw.write_head(new_meta, key_len, len, deadline, raw.clock());
            // SAFETY: E1: up to `len` bytes lie within the class; E4.
            unsafe {
                raw.value_start(new_meta)
                    .add(kept)
                    .write_bytes(0, len - kept)
            };
            return Ok(());
        }
        let mut padded = [0; IN_PLACE_BYTES_MAX];
        padded[..kept].copy_from_slice(&bytes[..kept]);
        let value = NewValue::InPlace {
            bytes: &padded[..len],
            raw: true,
        };
        *self = Entry::build(
            self.view().key(),
            value,
            self.view().deadline(),
            raw.clock(),
        )?;
        Ok(())
    }
}

/// Grows or cuts a blob, copying it first if somebody else holds it. Up to a mebibyte capacity
/// doubles, beyond it grows by a mebibyte, so that a growing string wastes a bounded amount.
fn resize_blob(blob: &mut Arc<Vec<u8>>, len: usize) -> Result<(), Refused> {
    const STEP: usize = 1 << 20;
    let Some(bytes) = Arc::get_mut(blob) else {
        let kept = blob.len().min(len);
        *blob = Arc::new(copy_of(&blob[..kept], len)?);
        return Ok(());
    };
    let more = len.saturating_sub(bytes.len());
    if more > bytes.capacity() - bytes.len() {
        if len < STEP {
            bytes.try_reserve(more).map_err(|_| Refused)?;
        } else {
            let wanted = more.checked_add(STEP).ok_or(Refused)?;
            bytes.try_reserve_exact(wanted).map_err(|_| Refused)?;
        }
    }
    bytes.resize(len, 0);
    Ok(())
}

// SAFETY: `into_raw` and `from_raw` are inverse and the address is a multiple of 8; shared views
// write nothing but the atomic clock (E3); entries are Send.
unsafe impl Element for Entry {
    type Key = [u8];
    type Seed = HashSeed;
    type Ref<'a> = EntryRef<'a>;
    type Mut<'a> = EntryMut<'a>;

    fn into_raw(self) -> NonNull<u8> {
        let raw = self.0.0;
        std::mem::forget(self);
        raw
    }

    unsafe fn from_raw(element: NonNull<u8>) -> Self {
        Entry(Raw(element))
    }

    #[inline]
    unsafe fn borrow<'a>(element: NonNull<u8>) -> EntryRef<'a> {
        EntryRef {
            raw: Raw(element),
            life: PhantomData,
        }
    }

    #[inline]
    unsafe fn borrow_mut<'a>(element: NonNull<u8>) -> EntryMut<'a> {
        EntryMut {
            raw: Raw(element),
            life: PhantomData,
        }
    }

    #[inline]
    fn matches(element: EntryRef<'_>, key: &[u8]) -> bool {
        element.key() == key
    }

    #[inline]
    fn hash(element: EntryRef<'_>, seed: HashSeed) -> Hash {
        seed.hash(element.key())
    }

    /// The earliest time at which the key or a part of it expires: what the expire cycle visits.
    #[inline]
    fn deadline(element: EntryRef<'_>) -> Option<i64> {
        let own = element.deadline();
        match element.object() {
            None => own,
            Some(object) => own.into_iter().chain(object.part_deadline()).min(),
        }
    }

    fn left_bytes(element: EntryRef<'_>, successor: Option<EntryRef<'_>>) -> usize {
        element.left_bytes(successor)
    }
}
