//! The descent: the only way to a segment that may be changed.
//!
//! `Table::path` walks from the directory to one segment, copies what is shared on the way, and
//! settles the segment's marks with its origin. What it returns borrows the table exclusively, so
//! it cannot outlive the lock hold, and owns the three places where figures are kept: the table's
//! counters, the chunk's sums, the segment's header. Every change of a slot goes through here,
//! which is what keeps them equal (S3, C3).

use super::chunk::Totals;
use super::frozen;
use super::handover::{Handover, Link, Linked};
use super::segment::{Header, NEVER, Seg, Word};
use super::{Counters, Element, Table};
use std::ptr::NonNull;

/// A segment that is ours to change, with its sums on the way up.
pub(super) struct Path<'a, E: Element> {
    counters: &'a mut Counters,
    totals: &'a mut Totals,
    /// The handle in the chunk's array: growing replaces it.
    place: &'a mut Seg<E>,
}

impl<E: Element> Table<E> {
    /// Descends to segment `index`, copying chunk and segment if a snapshot holds them.
    #[inline]
    pub(super) fn path(&mut self, index: usize) -> Path<'_, E> {
        let (chunk, slot) = Self::locate(index);
        let chunk = &mut self.chunks[chunk];
        self.counters.copied += chunk.make_unique() as u64;
        let (totals, segments) = chunk.parts_mut();
        let mut path = Path {
            counters: &mut self.counters,
            totals,
            place: &mut segments[slot],
        };
        if path.place.is_unique() {
            path.settle();
        } else {
            path.copy();
        }
        path
    }

    /// Whether segment `index` can be changed without copying anything.
    #[inline]
    pub(super) fn is_path_unique(&self, index: usize) -> bool {
        let (chunk, slot) = Self::locate(index);
        let chunk = &self.chunks[chunk];
        // In this order: under a shared chunk a segment's count of one says nothing.
        chunk.is_unique() && chunk.segments()[slot].is_unique()
    }
}

impl<'a, E: Element> Path<'a, E> {
    #[inline]
    fn header(&mut self) -> &mut Header<E> {
        // SAFETY: S1: the descent made the segment ours alone, and `self` is borrowed exclusively.
        unsafe { &mut *self.place.header() }
    }

    /// The segment, for reading.
    #[inline]
    pub(super) fn segment(&self) -> Seg<E> {
        *self.place
    }

    /// Moves the place's count from a frozen segment to a live copy.
    #[cold]
    fn copy(&mut self) {
        let original = *self.place;
        let copy = original.copy_frozen();
        self.counters.heap += copy.heap_bytes();
        self.counters.heap -= original.heap_bytes();
        self.counters.copied += copy.heap_bytes() as u64;
        // F1: before our count goes, with which the segment may end.
        frozen::add(original.heap_bytes());
        *self.place = copy;
        // SAFETY: C1: the place owned that count, and now points elsewhere.
        unsafe { original.release() };
    }

    /// Finds out whether the origin lives, and clears the marks that have lost their meaning.
    #[inline]
    fn settle(&mut self) {
        if !self.header().link.is_none() {
            self.settle_linked();
        }
    }

    #[cold]
    fn settle_linked(&mut self) {
        let Linked::Origin(origin) = self.header().link.take() else {
            unreachable!("a segment with its own handover was copied, so the table let go of it")
        };
        let segment = *self.place;
        // SAFETY: S1, S3; H6: we are the writer and hold the only count.
        let words = unsafe { std::slice::from_raw_parts_mut(segment.words_ptr(), segment.len()) };
        if let Some(origin) = Handover::settle(origin, words) {
            self.header().link = Link::origin(origin);
        }
    }

    /// Whether some slots may be marked, and the segment must not be merged.
    pub(super) fn has_origin(&mut self) -> bool {
        !self.header().link.is_none()
    }

    /// Adds an entry.
    pub(super) fn push(&mut self, tag: u16, element: E) -> NonNull<u8> {
        let raw = element.into_raw();
        let deadline = Self::deadline_of(raw);
        let len = self.place.len();
        if len == self.place.capacity() {
            self.resize(Seg::<E>::capacity_for(len + 1));
        }
        // SAFETY: S1, and there is room for one more slot.
        unsafe {
            self.place.tags().add(len).write(tag);
            self.place
                .words_ptr()
                .add(len)
                .write(Word::new(raw, deadline.is_some()));
        }
        self.header().len += 1;
        self.totals.entries += 1;
        self.counters.len += 1;
        self.counters.longest = self.counters.longest.max(len + 1);
        if let Some(deadline) = deadline {
            self.count_deadline(deadline);
        }
        raw
    }

    /// Puts `element` into `slot`. Returns the old element unless a frozen segment still holds it
    /// and will free it.
    pub(super) fn replace(&mut self, slot: usize, element: E) -> Option<E> {
        let raw = element.into_raw();
        let deadline = Self::deadline_of(raw);
        let old = self.place.word(slot);
        self.set_word(slot, Word::new(raw, deadline.is_some()));
        self.forget_deadline(old);
        if let Some(deadline) = deadline {
            self.count_deadline(deadline);
        }
        self.disown(old, Some(raw))
    }

    /// Takes the entry of `slot` out; the last slot moves into the hole. Returns the element unless
    /// a frozen segment still holds it and will free it.
    pub(super) fn remove(&mut self, slot: usize) -> Option<E> {
        let old = self.place.word(slot);
        let last = self.place.len() - 1;
        // SAFETY: S1; both slots are in use.
        unsafe {
            let tags = self.place.tags();
            tags.add(slot).write(tags.add(last).read());
        }
        let moved = self.place.word(last);
        self.set_word(slot, moved);
        self.header().len -= 1;
        self.totals.entries -= 1;
        self.counters.len -= 1;
        self.forget_deadline(old);
        // Two size classes of slack, so that a few insertions and removals do not move the segment
        // to and fro.
        if last * 3 < self.place.capacity() * 2 {
            let cap = Seg::<E>::capacity_for(last);
            if cap < self.place.capacity() {
                self.resize(cap);
            }
        }
        self.disown(old, None)
    }

    /// An exclusive view of the element in `slot`, unless somebody else may be reading it.
    #[inline]
    pub(super) fn element_mut(self, slot: usize) -> Option<E::Mut<'a>> {
        let word = self.place.word(slot);
        if word.is_shared() {
            return None;
        }
        // SAFETY: H1: without the mark no frozen segment holds the element; the path, which is used
        // up, had the table exclusively for 'a.
        Some(unsafe { E::borrow_mut(word.element()) })
    }

    /// Lets `change` do what it likes with the handle in `slot`, unless the slot is shared.
    pub(super) fn modify<R>(&mut self, slot: usize, change: impl FnOnce(&mut E) -> R) -> Option<R> {
        /// Writes the handle back, also when `change` panics.
        struct Back<'p, 'a, E: Element> {
            path: &'p mut Path<'a, E>,
            slot: usize,
            element: std::mem::ManuallyDrop<E>,
        }
        impl<E: Element> Drop for Back<'_, '_, E> {
            fn drop(&mut self) {
                // SAFETY: taken once, here.
                let raw = unsafe { std::mem::ManuallyDrop::take(&mut self.element) }.into_raw();
                let old = self.path.place.word(self.slot);
                let word = Word::new(raw, old.has_ttl());
                self.path.set_word(self.slot, word);
                self.path.refresh_deadline(self.slot);
            }
        }
        let word = self.place.word(slot);
        if word.is_shared() {
            return None;
        }
        // SAFETY: H1: nobody else holds the element; `Back` puts the handle back in any case.
        let element = std::mem::ManuallyDrop::new(unsafe { E::from_raw(word.element()) });
        let mut back = Back {
            path: self,
            slot,
            element,
        };
        Some(change(&mut back.element))
    }

    /// Brings the books of `slot` into line with its element's deadline.
    pub(super) fn refresh_deadline(&mut self, slot: usize) {
        let old = self.place.word(slot);
        self.forget_deadline(old);
        let deadline = Self::deadline_of(old.element());
        let mut word = Word::new(old.element(), deadline.is_some());
        if old.is_shared() {
            word = word.with_shared();
        }
        self.set_word(slot, word);
        if let Some(deadline) = deadline {
            self.count_deadline(deadline);
        }
    }

    /// Notes the number of the last write.
    pub(super) fn note_write(&mut self, number: u64) {
        let header = self.header();
        header.last_write = header.last_write.max(number);
    }

    /// Replaces the lower bound of the deadlines by a better one.
    pub(super) fn set_earliest(&mut self, earliest: i64) {
        self.header().earliest = earliest;
    }

    /// Moves the slots for which `goes` says so into a new segment with one count, which the caller
    /// owns and has to put into the directory. The sums no longer contain it.
    pub(super) fn split_off(&mut self, goes: &[bool]) -> Seg<E> {
        let old = *self.place;
        debug_assert_eq!(goes.len(), old.len());
        let going = goes.iter().filter(|g| **g).count();
        let link = self.header().link.clone_origin();
        let other = Seg::with_capacity(Seg::<E>::capacity_for(going), link, old.last_write());
        let staying = Seg::<E>::capacity_for(goes.len() - going);
        let link = std::mem::replace(&mut self.header().link, Link::none());
        let here = Seg::with_capacity(staying, link, old.last_write());
        for (slot, goes) in goes.iter().enumerate() {
            // SAFETY: S1: all three are ours; both new ones have room for what they get; the slot
            // is in use.
            unsafe { append(if *goes { other } else { here }, old, slot) };
        }
        self.counters.heap += here.heap_bytes();
        self.counters.heap -= old.heap_bytes();
        self.totals.entries -= u32::try_from(other.len()).expect("a u16");
        self.totals.ttl -= u32::try_from(other.ttl()).expect("a u16");
        if self.totals.ttl == 0 {
            self.totals.earliest = NEVER;
        }
        *self.place = here;
        // SAFETY: the elements have moved, and the only handle was the place's.
        unsafe { old.free() };
        other
    }

    /// Takes over all slots of a segment that is in no directory, and its count.
    pub(super) fn absorb(&mut self, other: Seg<E>) {
        let here = *self.place;
        let cap = Seg::<E>::capacity_for(here.len() + other.len());
        if cap > here.capacity() {
            self.resize(cap);
        }
        let here = *self.place;
        for slot in 0..other.len() {
            // SAFETY: S1: both are ours, there is room, the slot is in use.
            unsafe { append(here, other, slot) };
        }
        self.note_write(other.last_write());
        self.counters.longest = self.counters.longest.max(here.len());
        self.totals.entries += u32::try_from(other.len()).expect("a u16");
        self.totals.ttl += u32::try_from(other.ttl()).expect("a u16");
        self.totals.earliest = self.totals.earliest.min(here.earliest());
        // SAFETY: the elements have moved, and the caller gave us the only handle.
        unsafe { other.free() };
    }

    /// Moves the segment into an allocation of another capacity.
    fn resize(&mut self, cap: usize) {
        let old = *self.place;
        let link = std::mem::replace(&mut self.header().link, Link::none());
        let new = Seg::with_capacity(cap, link, old.last_write());
        // SAFETY: S1: both are ours; the new one has room; they do not overlap.
        unsafe {
            let (from, to) = (old.header(), new.header());
            (*to).len = (*from).len;
            (*to).ttl = (*from).ttl;
            (*to).earliest = (*from).earliest;
            std::ptr::copy_nonoverlapping(old.tags(), new.tags(), old.len());
            std::ptr::copy_nonoverlapping(old.words_ptr(), new.words_ptr(), old.len());
        }
        self.counters.heap += new.heap_bytes();
        self.counters.heap -= old.heap_bytes();
        *self.place = new;
        // SAFETY: the elements have moved, and the only handle was the place's.
        unsafe { old.free() };
    }

    fn set_word(&mut self, slot: usize, word: Word) {
        debug_assert!(slot < self.place.len());
        // SAFETY: S1, and the slot is in use.
        unsafe { self.place.words_ptr().add(slot).write(word) };
    }

    fn deadline_of(element: NonNull<u8>) -> Option<i64> {
        // SAFETY: the element is alive, and the caller has it or its slot to itself for reading.
        E::deadline(unsafe { E::borrow(element) })
    }

    fn count_deadline(&mut self, deadline: i64) {
        let header = self.header();
        header.ttl += 1;
        header.earliest = header.earliest.min(deadline);
        self.totals.ttl += 1;
        self.totals.earliest = self.totals.earliest.min(deadline);
        self.counters.ttl += 1;
    }

    /// Takes a word that leaves out of the counts. The mark counts, not the element: the books stay
    /// consistent even if somebody changed a deadline and did not say so.
    fn forget_deadline(&mut self, old: Word) {
        if !old.has_ttl() {
            return;
        }
        let header = self.header();
        header.ttl -= 1;
        if header.ttl == 0 {
            header.earliest = NEVER;
        }
        self.totals.ttl -= 1;
        if self.totals.ttl == 0 {
            self.totals.earliest = NEVER;
        }
        self.counters.ttl -= 1;
    }

    /// The element of a word that has left its slot, if it is ours; else it has been handed over.
    fn disown(&mut self, old: Word, successor: Option<NonNull<u8>>) -> Option<E> {
        let element = old.element();
        let ours = if old.is_shared() {
            // SAFETY: the element has not been freed yet, the successor is in its slot.
            let bytes = unsafe {
                let successor = successor.map(|raw| E::borrow(raw));
                E::left_bytes(E::borrow(element), successor)
            };
            self.header().link.give(element, bytes)
        } else {
            Some(element)
        };
        // SAFETY: H2: unmarked, or nobody older lives; the slot is no longer there.
        ours.map(|element| unsafe { E::from_raw(element) })
    }
}

/// Copies a slot with all its marks behind the last one of another segment, and counts it there.
///
/// # Safety
/// `to` is the caller's alone and has room; `slot` is in use in `from`, and only one of the two
/// counts as holder afterwards.
unsafe fn append<E: Element>(to: Seg<E>, from: Seg<E>, slot: usize) {
    let word = from.word(slot);
    let header = to.header();
    // SAFETY: the caller's promise.
    unsafe {
        let len = usize::from((*header).len);
        to.tags().add(len).write(from.tags().add(slot).read());
        to.words_ptr().add(len).write(word);
        (*header).len += 1;
        if word.has_ttl() {
            (*header).ttl += 1;
            // The element is being moved because it was looked at, so its line is at hand.
            let deadline = E::deadline(E::borrow(word.element())).unwrap_or(NEVER);
            (*header).earliest = (*header).earliest.min(deadline);
        }
    }
}
