//! One key's place in the table: found with one probe, then read, changed, replaced or removed.
//!
//! Finding copies nothing. What is shared with a snapshot is copied by the first method that
//! changes something, so a command that only looks (SET NX on a key that is there) leaves the
//! snapshot's segments alone.
//!
//! An element that a snapshot may be reading cannot be changed in place: `get_mut` and `modify`
//! return nothing then, and the caller makes a new element and calls `replace`.

use super::path::Path;
use super::{Element, Hash, Table};

/// A key's place: with an entry or without.
pub enum Slot<'a, E: Element> {
    /// The key has an entry.
    Occupied(Occupied<'a, E>),
    /// The key has none.
    Vacant(Vacant<'a, E>),
}

/// The place of a key that has an entry.
pub struct Occupied<'a, E: Element> {
    table: &'a mut Table<E>,
    index: usize,
    /// Copying a segment keeps its slots in order, so this stays right.
    slot: usize,
}

/// The place of a key that has no entry.
pub struct Vacant<'a, E: Element> {
    table: &'a mut Table<E>,
    hash: Hash,
}

impl<E: Element> Table<E> {
    /// The place of `key`, whose hash is `hash`.
    #[inline]
    pub fn entry(&mut self, hash: Hash, key: &E::Key) -> Slot<'_, E> {
        if self.segments > 0 {
            let index = self.index(hash);
            if let Some(slot) = self.segment_at(index).find(hash.tag(), key) {
                return Slot::Occupied(Occupied {
                    table: self,
                    index,
                    slot,
                });
            }
        }
        Slot::Vacant(Vacant { table: self, hash })
    }
}

impl<'a, E: Element> Occupied<'a, E> {
    /// The entry.
    #[inline]
    pub fn get(&self) -> E::Ref<'_> {
        // SAFETY: the slot is in use, and the table is borrowed for the view's life.
        unsafe { self.table.segment_at(self.index).element(self.slot) }
    }

    /// The entry, for as long as the table is borrowed.
    #[inline]
    pub fn into_ref(self) -> E::Ref<'a> {
        // SAFETY: as in `get`; `self`, which could give out an exclusive view, is used up.
        unsafe { self.table.segment_at(self.index).element(self.slot) }
    }

    /// The path to the entry; copies what is shared.
    #[inline]
    fn path(&mut self) -> Path<'_, E> {
        self.table.path(self.index)
    }

    /// Whether a snapshot may hold the entry, so that it cannot be changed in place.
    pub fn is_shared(&mut self) -> bool {
        !self.table.is_path_unique(self.index) || {
            let slot = self.slot;
            self.path().segment().word(slot).is_shared()
        }
    }

    /// The entry to be changed in place, unless it is shared. If the change concerns the deadline,
    /// call `deadline_changed` afterwards.
    #[inline]
    pub fn get_mut(&mut self) -> Option<E::Mut<'_>> {
        // A copy would have all its slots marked: it can wait until there is a replacement.
        if !self.table.is_path_unique(self.index) {
            return None;
        }
        let slot = self.slot;
        self.path().element_mut(slot)
    }

    /// Whether `get_mut` gives the entry for certain; where not, it may do so all the same.
    #[inline]
    pub fn is_own(&self) -> bool {
        self.table.is_path_unique(self.index)
            && !self
                .table
                .segment_at(self.index)
                .word(self.slot)
                .is_shared()
    }

    /// Like `get_mut`, for as long as the table is borrowed.
    pub fn into_mut(self) -> Option<E::Mut<'a>> {
        if !self.table.is_path_unique(self.index) {
            return None;
        }
        self.table.path(self.index).element_mut(self.slot)
    }

    /// Brings counts and bounds of deadlines up to date after a change through `get_mut`.
    pub fn deadline_changed(&mut self) {
        let slot = self.slot;
        self.path().refresh_deadline(slot);
    }

    /// Lets `change` have the element itself, which it may move to another address, as growing does,
    /// but must leave with the same key. Deadlines are seen to. `None`, and `change` not called, if
    /// the entry is shared.
    pub fn modify<R>(&mut self, change: impl FnOnce(&mut E) -> R) -> Option<R> {
        if !self.table.is_path_unique(self.index) {
            return None;
        }
        let slot = self.slot;
        self.path().modify(slot, change)
    }

    /// Puts `element`, which has the same key, in the entry's place. Returns the old one, unless
    /// a snapshot holds it: then the snapshot frees it when it lets go.
    pub fn replace(&mut self, element: E) -> Option<E> {
        let slot = self.slot;
        self.path().replace(slot, element)
    }

    /// Takes the entry out. Returns it, unless a snapshot holds it: then the snapshot frees it when
    /// it lets go. What is to be known about it must be asked before.
    pub fn remove(mut self) -> Option<E> {
        let slot = self.slot;
        let element = self.path().remove(slot);
        self.table.shrink();
        element
    }

    /// As `remove`, and the key's place, vacant now, for whoever wants to fill it again. `hash` is
    /// the key's.
    pub fn vacate(mut self, hash: Hash) -> (Option<E>, Vacant<'a, E>) {
        let slot = self.slot;
        let element = self.path().remove(slot);
        self.table.shrink();
        (
            element,
            Vacant {
                table: self.table,
                hash,
            },
        )
    }

    /// Notes the number of a write to this entry's segment.
    pub fn note_write(&mut self, number: u64) {
        self.path().note_write(number);
    }
}

impl<'a, E: Element> Vacant<'a, E> {
    /// Adds an entry, whose key must be the one that was looked for.
    pub fn insert(self, element: E) -> E::Ref<'a> {
        self.table.insert_new(self.hash, element)
    }

    /// Adds an entry, whose key must be the one that was looked for, to be changed in place.
    pub fn insert_mut(self, element: E) -> E::Mut<'a> {
        let raw = self.table.insert_raw(self.hash, element);
        // SAFETY: the element was just put in, so no snapshot holds it, and the table is borrowed
        // exclusively for 'a; growing has moved slots, not the element.
        unsafe { E::borrow_mut(raw) }
    }

    /// Notes the number of a write to the segment that the key is or would be in.
    pub fn note_write(&mut self, number: u64) {
        self.table.note_write(self.hash, number);
    }
}
