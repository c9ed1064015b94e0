//! A chunk: up to 256 segments of the directory, with a count, and sums over them.
//!
//! ```text
//!   0      4    6    8        12     16         24
//!  +-------+----+----+--------+------+----------+----------------------+
//!  | count |len |cap |entries | ttl  | earliest | segment pointer * cap|
//!  +-------+----+----+--------+------+----------+----------------------+
//! ```
//!
//! The directory of a table is a vector of chunks, and a snapshot is a copy of that vector: one
//! count for each 256 segments, some 12,000 entries, which makes the cut short. The first write
//! under a shared chunk copies its array of pointers and adds a count to each segment in it.
//!
//! C1  Each handle in the array below `len` owns one count of its segment, and stands in one place
//!     of one array only, but for the copies of that array in snapshots.
//! C2  The chunk changes only while its count is one, by the live writer. Only tables and snapshots
//!     own chunks, and a snapshot never changes one: a count of one seen by a table stays one.
//! C3  `entries` and `ttl` are the sums over the segments; `earliest` is at or below theirs.

use super::Element;
use super::classes::class_size;
use super::segment::{NEVER, Seg};
use crate::sync::{AtomicU32, Ordering};
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::marker::PhantomData;
use std::ptr::NonNull;

/// log2 of the most segments in a chunk.
pub(super) const CHUNK_BITS: u32 = 8;
/// The most segments in a chunk.
pub(super) const CHUNK_SEGMENTS: usize = 1 << CHUNK_BITS;

/// Sums over a chunk's segments (C3).
#[derive(Clone, Copy)]
pub(super) struct Totals {
    pub(super) entries: u32,
    pub(super) ttl: u32,
    pub(super) earliest: i64,
}

#[repr(C)]
struct Header {
    count: AtomicU32,
    len: u16,
    cap: u16,
    totals: Totals,
}

/// One count of a chunk.
pub(super) struct Chunk<E: Element> {
    header: NonNull<Header>,
    segments: PhantomData<Seg<E>>,
}

// SAFETY: what is shared is only read (C2, S1), counts are atomic, and elements are Send and Sync.
unsafe impl<E: Element> Send for Chunk<E> {}
// SAFETY: as above.
unsafe impl<E: Element> Sync for Chunk<E> {}

const ARRAY_AT: usize = size_of::<Header>();
// The picture above; shuttle's atomics are larger.
#[cfg(not(feature = "model"))]
const _: () = assert!(ARRAY_AT == 24);
const _: () = assert!(ARRAY_AT.is_multiple_of(align_of::<usize>()));

const fn size(cap: usize) -> usize {
    ARRAY_AT + size_of::<usize>() * cap
}

fn layout(cap: usize) -> Layout {
    Layout::from_size_align(size(cap), align_of::<Header>()).expect("256 pointers are not much")
}

/// The capacity that fills the size class in which `len` pointers find room.
fn capacity_for(len: usize) -> usize {
    ((class_size(size(len)) - ARRAY_AT) / size_of::<usize>()).min(CHUNK_SEGMENTS)
}

impl<E: Element> Chunk<E> {
    fn with_capacity(cap: usize) -> Self {
        let layout = layout(cap);
        // SAFETY: the layout is not empty.
        let raw = unsafe { alloc(layout) };
        let Some(header) = NonNull::new(raw.cast::<Header>()) else {
            handle_alloc_error(layout)
        };
        let fresh = Header {
            count: AtomicU32::new(1),
            len: 0,
            cap: u16::try_from(cap).expect("at most 256"),
            totals: Totals {
                entries: 0,
                ttl: 0,
                earliest: NEVER,
            },
        };
        // SAFETY: fresh memory of this layout.
        unsafe { header.write(fresh) };
        Self {
            header,
            segments: PhantomData,
        }
    }

    /// A chunk that holds `segment`, whose count it takes over.
    pub(super) fn of(segment: Seg<E>) -> Self {
        let mut chunk = Self::with_capacity(capacity_for(1));
        chunk.push(segment);
        chunk
    }

    fn array(&self) -> *mut Seg<E> {
        // SAFETY: inside the allocation.
        unsafe { self.header.byte_add(ARRAY_AT).cast::<Seg<E>>().as_ptr() }
    }

    fn capacity(&self) -> usize {
        // SAFETY: we hold a count, and the field is never written once others have one.
        usize::from(unsafe { (*self.header.as_ptr()).cap })
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        // SAFETY: as in `capacity` (C2).
        usize::from(unsafe { (*self.header.as_ptr()).len })
    }

    /// The segments. The handles own no count of their own.
    #[inline]
    pub(super) fn segments(&self) -> &[Seg<E>] {
        // SAFETY: C1; the array changes only through `&mut self` of a unique chunk (C2).
        unsafe { std::slice::from_raw_parts(self.array(), self.len()) }
    }

    pub(super) fn totals(&self) -> Totals {
        // SAFETY: as in `capacity` (C2).
        unsafe { (*self.header.as_ptr()).totals }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        class_size(size(self.capacity()))
    }

    /// Whether this count is the only one.
    #[inline]
    pub(super) fn is_unique(&self) -> bool {
        // Acquire: pairs with the release in `drop`: other holders' reads come before our writes.
        // SAFETY: we hold a count.
        unsafe { (*self.header.as_ptr()).count.load(Ordering::Acquire) == 1 }
    }

    /// Replaces a shared chunk by a copy of our own. Returns the bytes copied.
    #[inline]
    pub(super) fn make_unique(&mut self) -> usize {
        if self.is_unique() { 0 } else { self.copy() }
    }

    #[cold]
    fn copy(&mut self) -> usize {
        let segments = self.segments();
        for segment in segments {
            segment.prefetch();
        }
        for segment in segments {
            segment.retain();
        }
        let mut copy = Self::with_capacity(self.capacity());
        copy.fill(segments, self.totals());
        *self = copy;
        size(self.len())
    }

    /// Fills an empty chunk of our own with handles whose counts it takes over.
    fn fill(&mut self, segments: &[Seg<E>], totals: Totals) {
        debug_assert!(self.len() == 0 && self.capacity() >= segments.len());
        // SAFETY: ours alone, with room for all of them.
        unsafe {
            std::ptr::copy_nonoverlapping(segments.as_ptr(), self.array(), segments.len());
            (*self.header.as_ptr()).len = u16::try_from(segments.len()).expect("at most 256");
            (*self.header.as_ptr()).totals = totals;
        }
    }

    /// Sums and segments of a chunk that is ours alone, to be changed together.
    #[inline]
    pub(super) fn parts_mut(&mut self) -> (&mut Totals, &mut [Seg<E>]) {
        debug_assert!(self.is_unique(), "C2");
        let len = self.len();
        // SAFETY: C2: nobody else has the chunk; sums and array do not overlap.
        unsafe {
            let totals = &mut (*self.header.as_ptr()).totals;
            (totals, std::slice::from_raw_parts_mut(self.array(), len))
        }
    }

    /// Appends a segment to a chunk of our own that is not full, taking over its count.
    pub(super) fn push(&mut self, segment: Seg<E>) {
        let len = self.len();
        assert!(len < CHUNK_SEGMENTS, "the directory begins a new chunk");
        if len == self.capacity() {
            self.resize(capacity_for(len + 1));
        }
        // SAFETY: C2 (a resized chunk is ours, else the caller's word), and there is room.
        unsafe {
            self.array().add(len).write(segment);
            let header = self.header.as_ptr();
            (*header).len += 1;
            let totals = &mut (*header).totals;
            totals.entries += u32::try_from(segment.len()).expect("a u16");
            totals.ttl += u32::try_from(segment.ttl()).expect("a u16");
            totals.earliest = totals.earliest.min(segment.earliest());
        }
    }

    /// Takes the last segment out of a chunk of our own, with its count.
    pub(super) fn pop(&mut self) -> Option<Seg<E>> {
        debug_assert!(self.is_unique(), "C2");
        let segment = *self.segments().last()?;
        // SAFETY: C2; the sums contain the segment (C3).
        unsafe {
            let header = self.header.as_ptr();
            (*header).len -= 1;
            (*header).totals.entries -= u32::try_from(segment.len()).expect("a u16");
            (*header).totals.ttl -= u32::try_from(segment.ttl()).expect("a u16");
        }
        if self.len() > 0 && self.len() * 3 < self.capacity() * 2 {
            self.resize(capacity_for(self.len()));
        }
        Some(segment)
    }

    /// Moves a chunk of our own into an allocation of another capacity.
    fn resize(&mut self, cap: usize) {
        debug_assert!(self.is_unique(), "C2");
        let mut other = Self::with_capacity(cap);
        other.fill(self.segments(), self.totals());
        // The handles have moved: the old array must not give their counts back.
        // SAFETY: C2.
        unsafe { (*self.header.as_ptr()).len = 0 };
        *self = other;
    }
}

impl<E: Element> Clone for Chunk<E> {
    fn clone(&self) -> Self {
        // Relaxed: we hold a count already, so nothing is published by another one.
        // SAFETY: we hold a count.
        let before = unsafe {
            (*self.header.as_ptr())
                .count
                .fetch_add(1, Ordering::Relaxed)
        };
        assert!(before < u32::MAX / 2, "a count ran away");
        Self {
            header: self.header,
            segments: PhantomData,
        }
    }
}

impl<E: Element> Drop for Chunk<E> {
    fn drop(&mut self) {
        // Release: our reads come before the next owner's writes.
        // SAFETY: we hold a count, and give it back once.
        if unsafe {
            (*self.header.as_ptr())
                .count
                .fetch_sub(1, Ordering::Release)
        } != 1
        {
            return;
        }
        // Acquire: all others' reads come before the end. A load rather than a fence, which
        // ThreadSanitizer does not understand.
        // SAFETY: the memory goes with the last count, which was ours.
        let left = unsafe { (*self.header.as_ptr()).count.load(Ordering::Acquire) };
        debug_assert_eq!(left, 0);
        let layout = layout(self.capacity());
        for segment in self.segments() {
            // SAFETY: C1: each handle owns a count, and the array goes with us.
            unsafe { segment.release() };
        }
        // SAFETY: nobody else has the chunk; it came from `with_capacity` with this layout.
        unsafe {
            self.header.drop_in_place();
            dealloc(self.header.as_ptr().cast(), layout);
        }
    }
}
