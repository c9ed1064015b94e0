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

use std::alloc::{Layout, alloc, alloc_zeroed, dealloc};
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::Arc;
// Not from `sync`: access clocks are no part of any protocol that a model explores.
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use collections::table::{Element, Hash};

use crate::access::{Access, CLOCK_MASK};
use crate::error::{Refused, WrongType};
use crate::key::HashSeed;
use crate::value::object::Container;
use crate::value::string::EMBSTR_BYTES_MAX;
use crate::value::{Encoding, Kind, NewStr, Object, Str, ValueRef};

/// The longest string that is kept behind its key; longer ones have an allocation of their own.
/// Measured in `docs/design/store.md`.
pub const IN_PLACE_BYTES_MAX: usize = 512;

const DEADLINE: u8 = 1;
const LONG_KEY: u8 = 2;
const WORD: u8 = 4;
const FORM_SHIFT: u8 = 3;
const KIND_SHIFT: u8 = 5;
/// Everything in `meta` that speaks of the value and not of the layout around it.
const VALUE_BITS: u8 = !(DEADLINE | LONG_KEY);

const INT: u8 = ((Kind::String as u8) << KIND_SHIFT) | WORD;
/// The word owns an `Arc` (E2).
const OWNED: u8 = WORD | (1 << FORM_SHIFT);
const BLOB: u8 = ((Kind::String as u8) << KIND_SHIFT) | OWNED;
const EMBSTR: u8 = (Kind::String as u8) << KIND_SHIFT;
const RAW: u8 = EMBSTR | (1 << FORM_SHIFT);

const HEADER: usize = 8;
const ALIGN: usize = 8;

const _: () = assert!(size_of::<Arc<Vec<u8>>>() == 8 && align_of::<Arc<Vec<u8>>>() <= ALIGN);
const _: () = assert!(size_of::<Arc<Object>>() == 8 && align_of::<Arc<Object>>() <= ALIGN);
const _: () =
    assert!(IN_PLACE_BYTES_MAX <= u16::MAX as usize && IN_PLACE_BYTES_MAX >= EMBSTR_BYTES_MAX);
// The row of DESIGN section 10 that the layout exists for.
const _: () = assert!(size_class(HEADER + 16 + 32) == 56 && size_class(HEADER + 8 + 16 + 32) == 64);

/// The bytes that an entry of `total` bytes occupies: a whole class of the allocator, so that a
/// value that stays within it can be overwritten in place.
const fn size_class(total: usize) -> usize {
    let step = match total {
        0..=64 => 8,
        65..=128 => 16,
        // Four steps between one power of two and the next.
        _ => 1 << ((total - 1).ilog2() - 2),
    };
    match total.checked_add(step - 1) {
        Some(padded) => padded & !(step - 1),
        None => usize::MAX,
    }
}

/// The value part of an entry that is being made or rewritten.
enum NewValue<'a> {
    Int(i64),
    InPlace { bytes: &'a [u8], raw: bool },
    Blob(Arc<Vec<u8>>),
    Object(Arc<Object>),
}

impl<'a> NewValue<'a> {
    /// Chooses the form that SET gives a string.
    fn of(value: NewStr<'a>) -> Result<Self, Refused> {
        Ok(match value {
            NewStr::Int(n) => NewValue::Int(n),
            NewStr::Bytes(bytes) if bytes.len() <= IN_PLACE_BYTES_MAX => NewValue::InPlace {
                bytes,
                raw: bytes.len() > EMBSTR_BYTES_MAX,
            },
            NewStr::Bytes(bytes) => NewValue::Blob(Arc::new(copy_of(bytes, bytes.len())?)),
            NewStr::Blob(blob) => NewValue::Blob(blob),
        })
    }

    fn meta(&self) -> u8 {
        match self {
            NewValue::Int(_) => INT,
            NewValue::Blob(_) => BLOB,
            NewValue::Object(object) => ((object.kind() as u8) << KIND_SHIFT) | OWNED,
            NewValue::InPlace { raw: true, .. } => RAW,
            NewValue::InPlace { raw: false, .. } => EMBSTR,
        }
    }

    fn in_place(&self) -> usize {
        match self {
            NewValue::InPlace { bytes, .. } => bytes.len(),
            _ => 0,
        }
    }
}

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

/// The size of an entry with these parts.
fn total_bytes(meta: u8, key: usize, in_place: usize) -> usize {
    head_bytes(meta)
        .saturating_add(key)
        .saturating_add(in_place)
}

/// Header and optional words: where the key begins.
#[inline]
fn head_bytes(meta: u8) -> usize {
    HEADER + 8 * (meta & (DEADLINE | LONG_KEY | WORD)).count_ones() as usize
}

/// A pointer to a live entry (E1). Whether it may be written is said by the type around it.
#[derive(Clone, Copy)]
struct Raw(NonNull<u8>);

impl Raw {
    /// The u32 that meta and access clock share.
    #[inline]
    fn first(&self) -> &AtomicU32 {
        // SAFETY: E1: the first four bytes, aligned; after construction they are only accessed
        // through this atomic.
        unsafe { AtomicU32::from_ptr(self.0.as_ptr().cast()) }
    }

    #[inline]
    fn meta(self) -> u8 {
        // Relaxed: meta changes only while nobody else can reach the entry (E3).
        self.first().load(Relaxed) as u8
    }

    #[inline]
    fn clock(self) -> u32 {
        // Relaxed: the clock stands for itself.
        self.first().load(Relaxed) >> 8
    }

    #[inline]
    fn set_clock(self, clock: u32) {
        // Relaxed, and no read-modify-write: the holder of the shard's lock is the only writer.
        let first = self.first();
        first.store((first.load(Relaxed) & 0xff) | (clock << 8), Relaxed);
    }

    /// The `index`-th eight bytes.
    #[inline]
    fn eight(self, index: usize) -> *mut u64 {
        // SAFETY: E1: callers ask only for words that the meta says are there.
        unsafe { self.0.as_ptr().cast::<u64>().add(index) }
    }

    #[inline]
    fn short_len(self, index: usize) -> usize {
        // SAFETY: E1: the two lengths stand at bytes 4 and 6.
        usize::from(unsafe { self.0.as_ptr().cast::<u16>().add(2 + index).read() })
    }

    #[inline]
    fn key_len(self, meta: u8) -> usize {
        if meta & LONG_KEY == 0 {
            return self.short_len(0);
        }
        let at = 1 + usize::from(meta & DEADLINE);
        // SAFETY: E1: LONG_KEY says that the word is there.
        usize::try_from(unsafe { self.eight(at).read() }).expect("it was a usize")
    }

    #[inline]
    fn deadline(self, meta: u8) -> Option<i64> {
        // SAFETY: E1: DEADLINE says that the word is there.
        (meta & DEADLINE != 0).then(|| unsafe { self.eight(1).read() }.cast_signed())
    }

    /// The value's word, for entries with WORD.
    #[inline]
    fn word(self, meta: u8) -> *mut u64 {
        debug_assert!(meta & WORD != 0);
        self.eight(1 + (meta & (DEADLINE | LONG_KEY)).count_ones() as usize)
    }

    #[inline]
    fn key_start(self, meta: u8) -> *mut u8 {
        // SAFETY: E1: the head lies within the allocation.
        unsafe { self.0.as_ptr().add(head_bytes(meta)) }
    }

    #[inline]
    fn value_start(self, meta: u8) -> *mut u8 {
        // SAFETY: E1: the key lies within the allocation.
        unsafe { self.key_start(meta).add(self.key_len(meta)) }
    }

    fn size(self, meta: u8) -> usize {
        size_class(total_bytes(meta, self.key_len(meta), self.short_len(1)))
    }

    /// Allocates an entry and writes all but the value; the caller writes the word or the bytes.
    fn allocate(
        value_meta: u8,
        key: &[u8],
        in_place: usize,
        deadline: Option<i64>,
        clock: u32,
    ) -> Result<Raw, Refused> {
        let mut meta = value_meta & VALUE_BITS;
        if deadline.is_some() {
            meta |= DEADLINE;
        }
        if key.len() > usize::from(u16::MAX) {
            meta |= LONG_KEY;
        }
        let size = size_class(total_bytes(meta, key.len(), in_place));
        let layout = Layout::from_size_align(size, ALIGN).map_err(|_| Refused)?;
        // SAFETY: the size is at least HEADER.
        let raw = Raw(NonNull::new(unsafe { alloc(layout) }).ok_or(Refused)?);
        raw.write_head(meta, key.len(), in_place, deadline, clock);
        // SAFETY: E1: the allocation has room for head and key, and is fresh.
        unsafe {
            raw.key_start(meta)
                .copy_from_nonoverlapping(key.as_ptr(), key.len())
        };
        Ok(raw)
    }

    /// Writes header, deadline and long length of an entry that the caller has to itself.
    fn write_head(self, meta: u8, key: usize, in_place: usize, deadline: Option<i64>, clock: u32) {
        let short_key = if meta & LONG_KEY == 0 { key } else { 0 };
        let lens = [short_key, in_place].map(|n| u16::try_from(n).expect("long ones have words"));
        // SAFETY: E1, E3: within the allocation, and the caller has it to itself.
        unsafe {
            self.0
                .as_ptr()
                .cast::<u32>()
                .write(u32::from(meta) | (clock & CLOCK_MASK) << 8);
            self.0.as_ptr().cast::<u16>().add(2).write(lens[0]);
            self.0.as_ptr().cast::<u16>().add(3).write(lens[1]);
            if let Some(deadline) = deadline {
                self.eight(1).write(deadline.cast_unsigned());
            }
            if meta & LONG_KEY != 0 {
                self.eight(1 + usize::from(meta & DEADLINE))
                    .write(key as u64);
            }
        }
    }

    /// Writes the value behind a head that announces it.
    fn write_value(self, value: NewValue<'_>) {
        let meta = self.meta();
        // SAFETY: E1, E3: the head was written for this value, and the caller has the entry to
        // itself; an `Arc` fits the word (E2).
        unsafe {
            match value {
                NewValue::Int(n) => self.word(meta).write(n.cast_unsigned()),
                NewValue::Blob(blob) => self.word(meta).cast::<Arc<Vec<u8>>>().write(blob),
                NewValue::Object(object) => self.word(meta).cast::<Arc<Object>>().write(object),
                NewValue::InPlace { bytes, .. } => {
                    self.value_start(meta)
                        .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
                }
            }
        }
    }

    /// The kind of the value.
    #[inline]
    fn kind(self, meta: u8) -> Kind {
        // Whoever makes an entry takes the bits from a `Kind`.
        Kind::ALL[usize::from(meta >> KIND_SHIFT)]
    }

    /// Drops what the word owns; callers overwrite the value or free the entry next.
    #[inline]
    fn drop_word(self) {
        let meta = self.meta();
        if meta & OWNED != OWNED {
            return;
        }
        // SAFETY: E2: the kind tells what the `Arc` is of, and it is not looked at again.
        unsafe {
            match self.kind(meta) {
                Kind::String => self.word(meta).cast::<Arc<Vec<u8>>>().drop_in_place(),
                _ => self.word(meta).cast::<Arc<Object>>().drop_in_place(),
            }
        }
    }

    /// Frees the allocation and nothing that its word owns.
    fn free(self) {
        let size = self.size(self.meta());
        // SAFETY: E1: allocated with this size and alignment; the caller gives the entry up.
        unsafe {
            dealloc(
                self.0.as_ptr(),
                Layout::from_size_align_unchecked(size, ALIGN),
            )
        };
    }
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

/// A look at an entry: its key, value, deadline and access clock.
#[derive(Clone, Copy)]
pub struct EntryRef<'a> {
    raw: Raw,
    life: PhantomData<&'a Entry>,
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
            ValueRef::String(Str::Blob(blob)) => own + BLOB_HEAD + blob.capacity(),
            ValueRef::String(_) => own,
            ValueRef::Object(object) => own + object.memory_bytes(),
        }
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
    raw: Raw,
    life: PhantomData<&'a mut Entry>,
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
        if Arc::get_mut(object).is_none() {
            *object = Arc::new(object.fork()?);
        }
        Ok(Some(
            Arc::get_mut(object).expect("it has just been made ours alone"),
        ))
    }
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
}
