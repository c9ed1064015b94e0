//! The layout of an entry: where its parts stand, and how they are written. The picture and the
//! invariants E1 to E4 are in `mod.rs`.
#![allow(
    unsafe_code,
    reason = "the parts of one allocation; the invariants are in `mod.rs`"
)]

use std::alloc::{Layout, alloc, dealloc};
use std::ptr::NonNull;
use std::sync::Arc;
// Not from `sync`: access clocks are no part of any protocol that a model explores.
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::{IN_PLACE_BYTES_MAX, copy_of};
use crate::access::CLOCK_MASK;
use crate::error::Refused;
use crate::value::string::EMBSTR_BYTES_MAX;
use crate::value::{Kind, NewStr, Object};

pub(super) const DEADLINE: u8 = 1;
pub(super) const LONG_KEY: u8 = 2;
pub(super) const WORD: u8 = 4;
pub(super) const FORM_SHIFT: u8 = 3;
pub(super) const KIND_SHIFT: u8 = 5;
/// Everything in `meta` that speaks of the value and not of the layout around it.
pub(super) const VALUE_BITS: u8 = !(DEADLINE | LONG_KEY);

pub(super) const INT: u8 = ((Kind::String as u8) << KIND_SHIFT) | WORD;
/// The word owns an `Arc` (E2).
pub(super) const OWNED: u8 = WORD | (1 << FORM_SHIFT);
pub(super) const BLOB: u8 = ((Kind::String as u8) << KIND_SHIFT) | OWNED;
pub(super) const EMBSTR: u8 = (Kind::String as u8) << KIND_SHIFT;
pub(super) const RAW: u8 = EMBSTR | (1 << FORM_SHIFT);

pub(super) const HEADER: usize = 8;
pub(super) const ALIGN: usize = 8;

const _: () = assert!(size_of::<Arc<Vec<u8>>>() == 8 && align_of::<Arc<Vec<u8>>>() <= ALIGN);
const _: () = assert!(size_of::<Arc<Object>>() == 8 && align_of::<Arc<Object>>() <= ALIGN);
const _: () =
    assert!(IN_PLACE_BYTES_MAX <= u16::MAX as usize && IN_PLACE_BYTES_MAX >= EMBSTR_BYTES_MAX);
// The row of DESIGN section 10 that the layout exists for.
const _: () = assert!(size_class(HEADER + 16 + 32) == 56 && size_class(HEADER + 8 + 16 + 32) == 64);

/// The bytes that an entry of `total` bytes occupies: a whole class of the allocator, so that a
/// value that stays within it can be overwritten in place.
pub(super) const fn size_class(total: usize) -> usize {
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
pub(super) enum NewValue<'a> {
    Int(i64),
    InPlace { bytes: &'a [u8], raw: bool },
    Blob(Arc<Vec<u8>>),
    Object(Arc<Object>),
}

impl<'a> NewValue<'a> {
    /// Chooses the form that SET gives a string.
    pub(super) fn of(value: NewStr<'a>) -> Result<Self, Refused> {
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

    pub(super) fn meta(&self) -> u8 {
        match self {
            NewValue::Int(_) => INT,
            NewValue::Blob(_) => BLOB,
            NewValue::Object(object) => ((object.kind() as u8) << KIND_SHIFT) | OWNED,
            NewValue::InPlace { raw: true, .. } => RAW,
            NewValue::InPlace { raw: false, .. } => EMBSTR,
        }
    }

    pub(super) fn in_place(&self) -> usize {
        match self {
            NewValue::InPlace { bytes, .. } => bytes.len(),
            _ => 0,
        }
    }
}

/// The size of an entry with these parts.
pub(super) fn total_bytes(meta: u8, key: usize, in_place: usize) -> usize {
    head_bytes(meta)
        .saturating_add(key)
        .saturating_add(in_place)
}

/// Header and optional words: where the key begins.
#[inline]
pub(super) fn head_bytes(meta: u8) -> usize {
    HEADER + 8 * (meta & (DEADLINE | LONG_KEY | WORD)).count_ones() as usize
}

/// A pointer to a live entry (E1). Whether it may be written is said by the type around it.
#[derive(Clone, Copy)]
pub(super) struct Raw(pub(super) NonNull<u8>);

impl Raw {
    /// The u32 that meta and access clock share.
    #[inline]
    pub(super) fn first(&self) -> &AtomicU32 {
        // SAFETY: E1: the first four bytes, aligned; after construction they are only accessed
        // through this atomic.
        unsafe { AtomicU32::from_ptr(self.0.as_ptr().cast()) }
    }

    #[inline]
    pub(super) fn meta(self) -> u8 {
        // Relaxed: meta changes only while nobody else can reach the entry (E3).
        self.first().load(Relaxed) as u8
    }

    #[inline]
    pub(super) fn clock(self) -> u32 {
        // Relaxed: the clock stands for itself.
        self.first().load(Relaxed) >> 8
    }

    #[inline]
    pub(super) fn set_clock(self, clock: u32) {
        // Relaxed, and no read-modify-write: the holder of the shard's lock is the only writer.
        let first = self.first();
        first.store((first.load(Relaxed) & 0xff) | (clock << 8), Relaxed);
    }

    /// The `index`-th eight bytes.
    #[inline]
    pub(super) fn eight(self, index: usize) -> *mut u64 {
        // SAFETY: E1: callers ask only for words that the meta says are there.
        unsafe { self.0.as_ptr().cast::<u64>().add(index) }
    }

    #[inline]
    pub(super) fn short_len(self, index: usize) -> usize {
        // SAFETY: E1: the two lengths stand at bytes 4 and 6.
        usize::from(unsafe { self.0.as_ptr().cast::<u16>().add(2 + index).read() })
    }

    #[inline]
    pub(super) fn key_len(self, meta: u8) -> usize {
        if meta & LONG_KEY == 0 {
            return self.short_len(0);
        }
        let at = 1 + usize::from(meta & DEADLINE);
        // SAFETY: E1: LONG_KEY says that the word is there.
        usize::try_from(unsafe { self.eight(at).read() }).expect("it was a usize")
    }

    #[inline]
    pub(super) fn deadline(self, meta: u8) -> Option<i64> {
        // SAFETY: E1: DEADLINE says that the word is there.
        (meta & DEADLINE != 0).then(|| unsafe { self.eight(1).read() }.cast_signed())
    }

    /// The value's word, for entries with WORD.
    #[inline]
    pub(super) fn word(self, meta: u8) -> *mut u64 {
        debug_assert!(meta & WORD != 0);
        self.eight(1 + (meta & (DEADLINE | LONG_KEY)).count_ones() as usize)
    }

    #[inline]
    pub(super) fn key_start(self, meta: u8) -> *mut u8 {
        // SAFETY: E1: the head lies within the allocation.
        unsafe { self.0.as_ptr().add(head_bytes(meta)) }
    }

    #[inline]
    pub(super) fn value_start(self, meta: u8) -> *mut u8 {
        // SAFETY: E1: the key lies within the allocation.
        unsafe { self.key_start(meta).add(self.key_len(meta)) }
    }

    pub(super) fn size(self, meta: u8) -> usize {
        size_class(total_bytes(meta, self.key_len(meta), self.short_len(1)))
    }

    /// Allocates an entry and writes all but the value; the caller writes the word or the bytes.
    pub(super) fn allocate(
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
    pub(super) fn write_head(
        self,
        meta: u8,
        key: usize,
        in_place: usize,
        deadline: Option<i64>,
        clock: u32,
    ) {
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
    pub(super) fn write_value(self, value: NewValue<'_>) {
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
    pub(super) fn kind(self, meta: u8) -> Kind {
        // Whoever makes an entry takes the bits from a `Kind`.
        Kind::ALL[usize::from(meta >> KIND_SHIFT)]
    }

    /// Drops what the word owns; callers overwrite the value or free the entry next.
    #[inline]
    pub(super) fn drop_word(self) {
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
    pub(super) fn free(self) {
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
