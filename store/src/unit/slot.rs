//! One key's place: found with one probe, then changed, replaced, removed or filled.

use std::sync::Arc;

use collections::table;

use super::Unit;
use super::books::{Books, part_deadline};
use crate::entry::{Entry, EntryMut, EntryRef};
use crate::error::{Refused, WrongType};
use crate::key::Key;
use crate::value::{Container, Kind, NewStr, Object};

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
        let (old, new, clock) = self.replaced(deadline);
        self.books.begin();
        let mut value = Some(value);
        let mut once = || value.take().expect("one of the two uses it");
        let in_place = if self.at.get().kind() != Kind::String {
            None
        } else {
            self.at.modify(|entry| entry.set_string(once(), new, clock))
        };
        match in_place {
            Some(done) => done?,
            None => {
                let entry = Entry::string(self.key.bytes(), once(), new, clock)?;
                self.swap(entry);
            }
        }
        self.changed(old, new);
        Ok(())
    }

    /// Replaces the value, whatever it was, by a container.
    ///
    /// # Errors
    /// `Refused` if there is no memory for it; nothing has changed then.
    pub fn set<C: Container>(&mut self, value: C, deadline: Deadline) -> Result<(), Refused> {
        self.set_object(value.into_object(), deadline)
    }

    /// As `set`, for a container of any kind.
    ///
    /// # Errors
    /// `Refused` if there is no memory for it; nothing has changed then.
    pub fn set_object(&mut self, object: Object, deadline: Deadline) -> Result<(), Refused> {
        let (old, new, clock) = self.replaced(deadline);
        let object = Arc::new(object);
        self.books.begin();
        let entry = Entry::object(self.key.bytes(), object, new, clock)?;
        self.swap(entry);
        self.changed(old, new);
        Ok(())
    }

    /// Changes the container in place. What a snapshot, a reply or another key still holds is
    /// forked first. The closure returns its result and whether it has changed anything; if it
    /// fails it must have changed nothing. Who empties a container removes the key afterwards.
    ///
    /// # Errors
    /// `WrongType` if the key holds something else, `Refused` if there is no memory for the fork,
    /// or the closure's own.
    pub fn edit<C: Container, R, E: From<WrongType> + From<Refused>>(
        &mut self,
        change: impl FnOnce(&mut C) -> Result<(R, bool), E>,
    ) -> Result<R, E> {
        let container = self.own::<C, E>()?;
        let old = container.part_deadline();
        let (result, changed) = change(container)?;
        let new = container.part_deadline();
        if changed {
            let deadline = self.at.get().deadline();
            self.changed(deadline, deadline);
            match C::KIND {
                Kind::Hash if old != new => {
                    self.at.deadline_changed();
                    self.books.parts_changed(old, new);
                }
                // The kinds of which more can be waited for while they are there: XREAD, BLMOVEM.
                Kind::Stream | Kind::List => self.books.came(self.key.bytes(), C::KIND),
                _ => {}
            }
        }
        Ok(result)
    }

    /// As `edit`, for a change that is nobody's business but the change log's: neither WATCH nor those
    /// who wait for the key hear of what happens within a stream's groups.
    ///
    /// # Errors
    /// As `edit`.
    pub fn edit_aside<C: Container, R, E: From<WrongType> + From<Refused>>(
        &mut self,
        change: impl FnOnce(&mut C) -> Result<(R, bool), E>,
    ) -> Result<R, E> {
        let (result, changed) = change(self.own::<C, E>()?)?;
        if changed && let Some(number) = self.books.logged() {
            self.at.note_write(number);
        }
        Ok(result)
    }

    /// Tells those who wait for the key that there may be something to do, though the value is as it
    /// was for everybody else: a group of a stream has gone, a delivery is free again.
    pub fn wake(&mut self) {
        self.books.came(self.key.bytes(), self.at.get().kind());
    }

    /// The container, to be changed; forked first if it is shared.
    fn own<C: Container, E: From<WrongType> + From<Refused>>(&mut self) -> Result<&mut C, E> {
        self.at.get().container::<C>()?;
        self.books.begin();
        // The cheap look first: the other one descends, and would do so a second time below.
        if !self.at.is_own() && self.at.get_mut().is_none() {
            let entry = self.at.get();
            let object = entry.object().expect("it is a container");
            let object = Arc::new(object.fork()?);
            let (deadline, clock) = (entry.deadline(), entry.access().0);
            let entry = Entry::object(self.key.bytes(), object, deadline, clock)?;
            let gone = self.at.replace(entry);
            self.books.discard(gone, |_| false);
        }
        let entry = self.at.get_mut().expect("it has just been made ours alone");
        let object = entry.into_object()?.expect("it is a container");
        Ok(C::of_mut(object).expect("the kind has been looked at"))
    }

    /// The old deadline, the new one and the new access clock of a value that is being replaced.
    #[inline]
    fn replaced(&self, deadline: Deadline) -> (Option<i64>, Option<i64>, u32) {
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
        (old, new, clock)
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
        let gone = books.remove(at, key).0;
        books.discard(gone, |lazy| lazy.server_del);
    }

    /// Overwrites the entry with one of the same key.
    pub(super) fn replace(&mut self, entry: Entry) {
        let (old, new) = (self.at.get().deadline(), entry.view().deadline());
        self.books.begin();
        self.swap(entry);
        self.changed(old, new);
    }

    /// Puts another entry in the place of this one, and tells those who wait for the key.
    fn swap(&mut self, entry: Entry) {
        let (old, new) = (self.at.get().kind(), entry.view().kind());
        let parts = (part_deadline(self.at.get()), part_deadline(entry.view()));
        self.books.parts_changed(parts.0, parts.1);
        let gone = self.at.replace(entry);
        self.books.discard(gone, |lazy| lazy.server_del);
        if old != new {
            self.books.left(self.key.bytes(), old);
        }
        self.books.came(self.key.bytes(), new);
    }

    /// A second entry of the same value.
    fn copy(&self, deadline: Option<i64>) -> Result<Entry, Refused> {
        Entry::copy_of(self.at.get(), self.key.bytes(), deadline)
    }

    #[inline]
    fn changed(&mut self, old: Option<i64>, new: Option<i64>) {
        let state = &self.books.scratch.state;
        if let Some(clock) = state.policy.modified(state.now_ms) {
            self.at.get().set_access(clock);
        }
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

    /// Makes the key, holding a container.
    ///
    /// # Errors
    /// `Refused` if there is no memory for it; nothing has changed then.
    pub fn insert<C: Container>(self, value: C, deadline: Option<i64>) -> Result<(), Refused> {
        self.insert_object(value.into_object(), deadline)
    }

    /// As `insert`, for a container of any kind.
    ///
    /// # Errors
    /// `Refused` if there is no memory for it; nothing has changed then.
    pub fn insert_object(self, object: Object, deadline: Option<i64>) -> Result<(), Refused> {
        let clock = self.books.fresh_clock();
        let object = Arc::new(object);
        let entry = Entry::object(self.key.bytes(), object, deadline, clock)?;
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
        books.key_came(key.bytes(), entry.view());
        books.came(key.bytes(), entry.view().kind());
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
