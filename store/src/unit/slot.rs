//! One key's place: found with one probe, then changed, replaced, removed or filled.

use collections::table;

use super::Unit;
use super::books::Books;
use crate::entry::{Entry, EntryMut, EntryRef};
use crate::error::Refused;
use crate::key::Key;
use crate::value::NewStr;

/// A key's place.
pub enum Slot<'u> {
    /// The key exists.
    Occupied(Occupied<'u>),
    /// It does not.
    Vacant(Vacant<'u>),
}

/// The place of a key that exists.
pub struct Occupied<'u> {
    at: table::Occupied<'u, Entry>,
    key: Key<'u>,
    books: Books<'u>,
}

/// The place of a key that does not exist.
pub struct Vacant<'u> {
    at: table::Vacant<'u, Entry>,
    key: Key<'u>,
    books: Books<'u>,
}

/// What becomes of a key's deadline when its value is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deadline {
    /// It stays as it is (KEEPTTL, APPEND, INCR).
    Keep,
    /// It is taken away (SET).
    Clear,
    /// It becomes this, in milliseconds since 1970.
    At(i64),
}

impl Unit<'_> {
    /// The place of a key, for writing. An expired one is removed first; the access clock moves.
    #[inline]
    pub fn slot<'u>(&'u mut self, key: Key<'u>) -> Slot<'u> {
        let (table, mut books) = self.open(key, true);
        match table.expect("it was made").entry(key.hash(), key.bytes()) {
            table::Slot::Occupied(at) if books.has_expired(at.get()) => {
                let at = books.expire(at, key);
                Slot::Vacant(Vacant { at, key, books })
            }
            table::Slot::Occupied(at) => {
                if !books.scratch.state.no_touch {
                    books.touch(at.get());
                }
                Slot::Occupied(Occupied { at, key, books })
            }
            table::Slot::Vacant(at) => Slot::Vacant(Vacant { at, key, books }),
        }
    }
}

impl<'u> Occupied<'u> {
    /// The entry.
    #[inline]
    #[must_use]
    pub fn entry(&self) -> EntryRef<'_> {
        self.at.get()
    }

    /// Replaces the value, whatever it was, by a string.
    ///
    /// # Errors
    /// `Refused` if there is no memory for it; nothing has changed then.
    #[inline]
    pub fn set_string(&mut self, value: NewStr<'_>, deadline: Deadline) -> Result<(), Refused> {
        let old = self.at.get().deadline();
        let new = match deadline {
            Deadline::Keep => old,
            Deadline::Clear => None,
            Deadline::At(at) => Some(at),
        };
        let state = &self.books.scratch.state;
        let clock = state
            .policy
            .replaced(self.at.get().access().0, state.now_ms);
        self.books.begin();
        let mut value = Some(value);
        let mut once = || value.take().expect("one of the two uses it");
        match self.at.modify(|entry| entry.set_string(once(), new, clock)) {
            Some(done) => done?,
            None => {
                let entry = Entry::string(self.key.bytes(), once(), new, clock)?;
                drop(self.at.replace(entry));
            }
        }
        self.changed(old, new);
        Ok(())
    }

    /// Makes the string `len` bytes long, zeros where it grows, and raw, and hands its bytes out to
    /// be written. A string that a reply or a snapshot still holds is copied first.
    ///
    /// # Errors
    /// `Refused` if there is no memory for it; nothing has changed then.
    pub fn resize_string(&mut self, len: usize) -> Result<&mut [u8], Refused> {
        self.books.begin();
        match self.at.modify(|entry| entry.resize_string(len)) {
            Some(done) => done?,
            None => {
                let mut entry = self.copy(self.at.get().deadline())?;
                entry.resize_string(len)?;
                drop(self.at.replace(entry));
            }
        }
        let deadline = self.at.get().deadline();
        self.changed(deadline, deadline);
        Ok(self
            .at
            .get_mut()
            .expect("it has just been made ours alone")
            .into_bytes())
    }

    /// Gives the key a deadline, in milliseconds since 1970, or takes it away.
    ///
    /// # Errors
    /// `Refused` if there is no memory for the longer entry; nothing has changed then.
    pub fn set_deadline(&mut self, at_ms: Option<i64>) -> Result<(), Refused> {
        let old = self.at.get().deadline();
        self.books.begin();
        match self.at.modify(|entry| entry.set_deadline(at_ms)) {
            Some(done) => done?,
            None => {
                let entry = self.copy(at_ms)?;
                drop(self.at.replace(entry));
            }
        }
        self.changed(old, at_ms);
        Ok(())
    }

    /// Removes the key.
    pub fn remove(self) {
        let Occupied { at, key, mut books } = self;
        drop(books.remove(at, key).0);
    }

    /// Overwrites the entry with one of the same key.
    pub(super) fn replace(&mut self, entry: Entry) {
        let (old, new) = (self.at.get().deadline(), entry.view().deadline());
        self.books.begin();
        drop(self.at.replace(entry));
        self.changed(old, new);
    }

    /// A second entry of the same value.
    fn copy(&self, deadline: Option<i64>) -> Result<Entry, Refused> {
        Entry::copy_of(self.at.get(), self.key.bytes(), deadline)
    }

    #[inline]
    fn changed(&mut self, old: Option<i64>, new: Option<i64>) {
        if let Some(number) = self.books.changed(self.key.bytes(), false) {
            self.at.note_write(number);
        }
        self.books.deadline_changed(old, new);
    }
}

impl<'u> Vacant<'u> {
    /// Makes the key, holding a string.
    ///
    /// # Errors
    /// `Refused` if there is no memory for it; nothing has changed then.
    #[inline]
    pub fn insert_string(self, value: NewStr<'_>, deadline: Option<i64>) -> Result<(), Refused> {
        let clock = self.books.fresh_clock();
        let entry = Entry::string(self.key.bytes(), value, deadline, clock)?;
        self.fill(entry);
        Ok(())
    }

    /// Makes the key, holding a raw string of `len` zeros, and hands its bytes out to be written:
    /// SETRANGE, SETBIT, BITFIELD.
    ///
    /// # Errors
    /// `Refused` if there is no memory for it; nothing has changed then.
    pub fn insert_zeroed(self, len: usize) -> Result<&'u mut [u8], Refused> {
        let clock = self.books.fresh_clock();
        let entry = Entry::zeros(self.key.bytes(), len, clock)?;
        Ok(self.fill(entry).into_bytes())
    }

    #[inline]
    pub(super) fn fill(self, entry: Entry) -> EntryMut<'u> {
        let Vacant {
            mut at,
            key,
            mut books,
        } = self;
        books.begin();
        if let Some(number) = books.changed(key.bytes(), false) {
            at.note_write(number);
        }
        books.key_came(key.bytes(), entry.view().deadline());
        at.insert_mut(entry)
    }
}

impl std::fmt::Debug for Slot<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Slot::Occupied(at) => at.fmt(f),
            Slot::Vacant(at) => at.fmt(f),
        }
    }
}

impl std::fmt::Debug for Occupied<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Occupied").field(&self.at.get()).finish()
    }
}

impl std::fmt::Debug for Vacant<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Vacant").field(&self.key).finish()
    }
}
