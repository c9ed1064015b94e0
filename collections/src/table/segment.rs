//! A segment: a few dozen entries in one allocation, searched by their tags.
//!
//! ```text
//!   0      4    6    8      16         24            32   34           T              end
//!  +-------+----+----+------+----------+------------+----+------------+--------------+
//!  | count |len |ttl | link | earliest | last write |cap | tag u16 .. | word 6 bytes |
//!  +-------+----+----+------+----------+------------+----+------------+--------------+
//!                                                          cap tags     cap words
//!   T = 34 + 2 cap;   slots 0 .. len are in use, in no order
//!
//!   word = address of the element, 48 bits | SHARED (2) | HAS_TTL (1)
//! ```
//!
//! Any slot may hold any entry, so a segment is as dense as its capacity allows, and capacity grows
//! in steps of eight slots, one unit of the arena in which segments live (`arena.rs`). The two marks
//! of a slot live in the low bits of its pointer rather than in bitmaps: they cost nothing, and they
//! cannot come apart from the slot when it moves, is split off, or copied. The sixteen high bits of a
//! pointer are zero on every 64-bit system that gives processes 48 bits of addresses or fewer, which
//! is all of them unless a program asks for more; `Word::new` refuses others.
//!
//! A `Seg` is a bare handle: it is copied freely, and owns a count only by convention. The
//! convention is kept in three places: a chunk's array owns one count for each handle in it
//! (`chunk.rs`), `copy_frozen` and `split_off` return a handle with one count, `release` gives one
//! back. Methods that change a segment live in `path.rs`, behind the descent.
//!
//! S1  A segment changes only while its count and that of its chunk are one, by the live writer.
//!     Exceptions: the count itself; `link`, see H6 in `handover.rs`.
//! S2  A count of one, seen by the writer under a chunk of its own, stays one: counts rise only
//!     from a chunk's array, when the writer copies the chunk.
//! S3  All bytes from `cap` to the end are initialised; slots below `len` hold elements that are
//!     alive (H2); `ttl` counts the HAS_TTL marks; `earliest` is at or below every deadline.
//! S4  `cap` is at least `CAP_MIN`, which gives the tag search its padding (P1 in `probe.rs`).

use super::Element;
use super::arena;
use super::frozen;
use super::handover::{Handover, Link, Linked};
use super::probe::{self, LINE, PAD};
use crate::sync::{Arc, AtomicU32, Ordering};
use std::alloc::{Layout, handle_alloc_error};
use std::marker::PhantomData;
use std::ptr::NonNull;

/// No entry of the segment has a deadline.
pub(super) const NEVER: i64 = i64::MAX;

const HAS_TTL: usize = 1;
const SHARED: usize = 2;
const MARKS: usize = HAS_TTL | SHARED;

/// An element's address with the two marks of its slot, in six bytes.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Word {
    parts: [u16; 3],
}

const _: () = assert!(size_of::<Word>() == 6 && align_of::<Word>() == 2);

impl Word {
    /// An unshared element.
    #[inline]
    pub(super) fn new(element: NonNull<u8>, has_ttl: bool) -> Self {
        let address = element.as_ptr().expose_provenance() as u64;
        debug_assert!(
            address as usize & MARKS == 0,
            "Element promises a multiple of four"
        );
        assert!(address >> 48 == 0, "an address of more than 48 bits");
        Self::pack(address | u64::from(has_ttl))
    }

    #[inline]
    fn pack(bits: u64) -> Self {
        Self {
            parts: [bits as u16, (bits >> 16) as u16, (bits >> 32) as u16],
        }
    }

    #[inline]
    pub(super) fn element(self) -> NonNull<u8> {
        let [low, middle, high] = self.parts.map(usize::from);
        let address = (low & !MARKS) | middle << 16 | high << 32;
        debug_assert!(address != 0, "S3: only slots in use are read");
        // SAFETY: S3: the word was made from a non-null element whose low bits were clear.
        unsafe { NonNull::new_unchecked(std::ptr::with_exposed_provenance_mut(address)) }
    }

    #[inline]
    pub(super) fn has_ttl(self) -> bool {
        usize::from(self.parts[0]) & HAS_TTL != 0
    }

    #[inline]
    pub(super) fn is_shared(self) -> bool {
        usize::from(self.parts[0]) & SHARED != 0
    }

    #[inline]
    pub(super) fn without_shared(mut self) -> Self {
        self.parts[0] &= !(SHARED as u16);
        self
    }

    pub(super) fn with_shared(mut self) -> Self {
        self.parts[0] |= SHARED as u16;
        self
    }
}

/// The head of the allocation; tags follow right behind `cap`, in what would be padding.
#[repr(C)]
pub(super) struct Header<E: Element> {
    count: AtomicU32,
    pub(super) len: u16,
    pub(super) ttl: u16,
    pub(super) link: Link<E>,
    pub(super) earliest: i64,
    pub(super) last_write: u64,
    cap: u16,
}

/// A handle to a segment. Copying it copies no count.
pub(super) struct Seg<E: Element> {
    header: NonNull<Header<E>>,
    elements: PhantomData<E>,
}

impl<E: Element> Clone for Seg<E> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<E: Element> Copy for Seg<E> {}

/// The fewest slots that a segment is made with.
const CAP_MIN: usize = 5;
/// The most slots that it may have; far beyond what a good hash can bring about.
const CAP_MAX: usize = u16::MAX as usize;

impl<E: Element> Seg<E> {
    const TAGS_AT: usize = std::mem::offset_of!(Header<E>, cap) + size_of::<u16>();

    const fn words_at(cap: usize) -> usize {
        Self::TAGS_AT + size_of::<u16>() * cap
    }

    const fn size(cap: usize) -> usize {
        Self::words_at(cap) + size_of::<Word>() * cap
    }

    fn layout(cap: usize) -> Layout {
        Layout::from_size_align(Self::size(cap), align_of::<Header<E>>())
            .expect("65,535 slots are far from isize::MAX")
    }

    /// The capacity that fills the block in which `len` slots find room.
    pub(super) fn capacity_for(len: usize) -> usize {
        let room = arena::payload_bytes(Self::size(len.max(CAP_MIN)));
        let cap = (room - Self::TAGS_AT) / (size_of::<u16>() + size_of::<Word>());
        cap.min(CAP_MAX)
    }

    /// An empty segment with one count, which the caller owns.
    pub(super) fn with_capacity(cap: usize, link: Link<E>, last_write: u64) -> Self {
        // The picture above; shuttle's atomics are larger.
        #[cfg(not(feature = "model"))]
        const {
            assert!(size_of::<Link<E>>() == 8 && Self::TAGS_AT == 34);
            assert!(Self::words_at(47) == 128 && Self::size(CAP_MIN) == 74);
            assert!(
                align_of::<Word>() == align_of::<u16>(),
                "words follow the tags"
            );
        }
        let cap = cap.max(CAP_MIN);
        assert!(
            cap <= CAP_MAX,
            "a segment of {cap} entries: the hash is broken"
        );
        let layout = Self::layout(cap);
        let Some(raw) = arena::allocate(layout) else {
            handle_alloc_error(layout)
        };
        let header = raw.cast::<Header<E>>();
        let cap = u16::try_from(cap).expect("asserted above");
        let fresh = Header {
            count: AtomicU32::new(1),
            len: 0,
            ttl: 0,
            link,
            earliest: NEVER,
            last_write,
            cap,
        };
        // SAFETY: fresh memory of the header's alignment, at least as large as a header because of
        // CAP_MIN.
        unsafe { header.write(fresh) };
        // Zeroed, because the tag search compares whole blocks, also behind the last slot (S3). After
        // the header, which may leave its padding, where the first tags live, uninitialised.
        // SAFETY: inside the allocation.
        unsafe {
            raw.byte_add(Self::TAGS_AT)
                .write_bytes(0, layout.size() - Self::TAGS_AT)
        };
        Self {
            header,
            elements: PhantomData,
        }
    }

    #[inline]
    pub(super) fn len(self) -> usize {
        // SAFETY: whoever has a handle holds a count; S1 keeps writers away from readers. The
        // same holds for the following readers.
        usize::from(unsafe { (*self.header.as_ptr()).len })
    }

    pub(super) fn ttl(self) -> usize {
        // SAFETY: as in `len`.
        usize::from(unsafe { (*self.header.as_ptr()).ttl })
    }

    pub(super) fn earliest(self) -> i64 {
        // SAFETY: as in `len`.
        unsafe { (*self.header.as_ptr()).earliest }
    }

    pub(super) fn last_write(self) -> u64 {
        // SAFETY: as in `len`.
        unsafe { (*self.header.as_ptr()).last_write }
    }

    pub(super) fn capacity(self) -> usize {
        // SAFETY: as in `len`.
        usize::from(unsafe { (*self.header.as_ptr()).cap })
    }

    /// Bytes of the block that the segment occupies.
    pub(super) fn heap_bytes(self) -> usize {
        arena::block_bytes(Self::size(self.capacity()))
    }

    pub(super) fn header(self) -> *mut Header<E> {
        self.header.as_ptr()
    }

    #[inline]
    pub(super) fn tags(self) -> *mut u16 {
        // SAFETY: inside the allocation.
        unsafe { self.header.byte_add(Self::TAGS_AT).cast::<u16>().as_ptr() }
    }

    #[inline]
    pub(super) fn words_ptr(self) -> *mut Word {
        // SAFETY: inside the allocation.
        unsafe {
            self.header
                .byte_add(Self::words_at(self.capacity()))
                .cast::<Word>()
                .as_ptr()
        }
    }

    /// The word of slot `slot`, which is below `len`.
    #[inline]
    pub(super) fn word(self, slot: usize) -> Word {
        debug_assert!(slot < self.len());
        // SAFETY: S3, and the slot is in use.
        unsafe { self.words_ptr().add(slot).read() }
    }

    /// The slot of `key`.
    #[inline]
    pub(super) fn find(self, tag: u16, key: &E::Key) -> Option<usize> {
        const { assert!(size_of::<Word>() * CAP_MIN >= PAD) };
        let words = self.words_ptr();
        let hit = |slot: usize| {
            // SAFETY: S3: the search names slots in use only, whose elements are alive, and no
            // exclusive view exists while the table is borrowed.
            let element = unsafe { E::borrow(words.add(slot).read().element()) };
            E::matches(element, key)
        };
        // SAFETY: S4 and S3 are P1: behind the last tag lie at least CAP_MIN words.
        unsafe { probe::find_tag(self.tags(), self.len(), tag, hit) }
    }

    /// A view of the element in `slot`.
    ///
    /// # Safety
    /// The slot is in use, and for `'a` the caller holds a count of the segment or the table, so
    /// that the element stays and nobody has an exclusive view of it.
    #[inline]
    pub(super) unsafe fn element<'a>(self, slot: usize) -> E::Ref<'a> {
        // SAFETY: the caller's promise and S3.
        unsafe { E::borrow(self.word(slot).element()) }
    }

    /// Asks for the lines that hold header and tags.
    #[inline]
    pub(super) fn prefetch(self) {
        let start = self.header.as_ptr().cast::<u8>();
        for line in 0..3 {
            probe::prefetch(start.wrapping_add(line * LINE));
        }
    }

    /// The first slot with this tag, which is nearly always that of the key that it was made from.
    #[inline]
    pub(super) fn slot_of_tag(self, tag: u16) -> Option<u16> {
        // SAFETY: as in `find`.
        let slot = unsafe { probe::find_tag(self.tags(), self.len(), tag, |_| true) };
        // CAP_MAX: it fits.
        slot.map(|slot| slot as u16)
    }

    /// Asks for the first line of every element, before all of them are looked at.
    pub(super) fn prefetch_elements(self) {
        for slot in 0..self.len() {
            probe::prefetch(self.word(slot).element().as_ptr());
        }
    }

    /// Whether the caller, who holds a count, holds the only one.
    #[inline]
    pub(super) fn is_unique(self) -> bool {
        // Acquire: pairs with the release of whoever let go last, so that its reads of the segment
        // come before our writes.
        // SAFETY: the caller holds a count.
        unsafe { (*self.header.as_ptr()).count.load(Ordering::Acquire) == 1 }
    }

    /// Adds a count.
    pub(super) fn retain(self) {
        // Relaxed: the caller holds a count already, so nothing is published by another one.
        // SAFETY: the caller holds a count.
        let before = unsafe {
            (*self.header.as_ptr())
                .count
                .fetch_add(1, Ordering::Relaxed)
        };
        assert!(before < u32::MAX / 2, "a count ran away");
    }

    /// Makes a live copy of a segment that others hold too: same slots, each marked shared, linked
    /// to this one by a new handover. The caller owns the copy's count, and still its own here.
    pub(super) fn copy_frozen(self) -> Self {
        // SAFETY: H6: we are the live writer, we hold a count of a segment that nobody changes, and
        // readers do not look at the link.
        let handover: Arc<Handover<E>> = unsafe { (*self.header.as_ptr()).link.freeze() };
        let cap = Self::capacity_for(self.len());
        let copy = Self::with_capacity(cap, Link::origin(handover), self.last_write());
        let len = self.len();
        // SAFETY: the copy is ours alone (S1), has room for `len` slots and does not overlap; the
        // fields are plain.
        unsafe {
            let (from, to) = (self.header.as_ptr(), copy.header.as_ptr());
            (*to).len = (*from).len;
            (*to).ttl = (*from).ttl;
            (*to).earliest = (*from).earliest;
            std::ptr::copy_nonoverlapping(self.tags(), copy.tags(), len);
            let (from, to) = (self.words_ptr(), copy.words_ptr());
            for slot in 0..len {
                to.add(slot).write(from.add(slot).read().with_shared());
            }
        }
        copy
    }

    /// Gives a count back; the last one ends the segment.
    ///
    /// # Safety
    /// The caller owned that count and uses the handle no more.
    pub(super) unsafe fn release(self) {
        // Release: our reads come before the next owner's writes.
        // SAFETY: the caller owns a count.
        if unsafe {
            (*self.header.as_ptr())
                .count
                .fetch_sub(1, Ordering::Release)
        } == 1
        {
            // Acquire: and all others' reads come before the end. A load rather than a fence, which
            // ThreadSanitizer does not understand.
            // SAFETY: the memory goes with the last count, which was ours.
            let left = unsafe { (*self.header.as_ptr()).count.load(Ordering::Acquire) };
            debug_assert_eq!(left, 0);
            // SAFETY: no count is left, so nobody else has a handle.
            unsafe { self.end() };
        }
    }

    /// Frees the elements that are the segment's to free, and the segment (H5).
    ///
    /// # Safety
    /// No count is left.
    unsafe fn end(self) {
        // SAFETY: the memory is ours alone now.
        let (mut link, words) = unsafe {
            let link = std::mem::replace(&mut (*self.header.as_ptr()).link, Link::none());
            (
                link,
                std::slice::from_raw_parts_mut(self.words_ptr(), self.len()),
            )
        };
        match link.take() {
            // It was copied from: what it was not handed, the copy inherits.
            Linked::Own(own) => {
                frozen::sub(self.heap_bytes());
                own.close(words);
            }
            // It was live last: what it has not borrowed is its own.
            Linked::Origin(origin) => {
                let origin = Handover::settle(origin, words);
                for word in words {
                    let ours = match &origin {
                        Some(origin) if word.is_shared() => {
                            // SAFETY: S3: the slot's element, which somebody older holds.
                            let element = unsafe { E::borrow(word.element()) };
                            let bytes = E::left_bytes(element, None);
                            Handover::give(origin, word.element(), bytes)
                        }
                        _ => Some(word.element()),
                    };
                    if let Some(element) = ours {
                        // SAFETY: H2: the newest holder is gone and no older one lives.
                        drop(unsafe { E::from_raw(element) });
                    }
                }
            }
            Linked::None => {
                for word in words {
                    // SAFETY: H2: the only holder.
                    drop(unsafe { E::from_raw(word.element()) });
                }
            }
        }
        // SAFETY: nothing in it is used any more.
        unsafe { self.free() };
    }

    /// Frees the allocation and the link, not the elements.
    ///
    /// # Safety
    /// No handle is used again, and the elements have found another owner.
    pub(super) unsafe fn free(self) {
        let layout = Self::layout(self.capacity());
        // SAFETY: the allocation came from `with_capacity` with this layout; the header is whole.
        unsafe {
            self.header.drop_in_place();
            arena::free(self.header.cast(), layout);
        }
    }
}
