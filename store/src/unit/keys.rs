//! Changing a key whole: removing it, taking its value elsewhere, putting one in its place.

use collections::table;

use super::Unit;
use super::slot::Slot;
use crate::entry::{Entry, EntryRef};
use crate::error::Refused;
use crate::event::EventClass;
use crate::key::Key;
use crate::lazy::Trash;
use crate::plan::Freeing;
use crate::value::{Encoding, Kind};

/// What is at least this large is freed by the free thread: giving it back to the system takes
/// longer than handing it over (some microseconds).
const LATER_BYTES_MIN: usize = 64 << 10;

fn is_long_string(entry: &Entry) -> bool {
    entry.view().kind() == Kind::String && entry.view().memory_bytes() >= LATER_BYTES_MIN
}

/// A value that has left its key, or a copy of one, on its way to another key. It brings its
/// deadline and its access clock along.
#[derive(Debug)]
pub struct Detached(Entry);

impl Detached {
    /// The kind of the value.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.view().kind()
    }

    /// How the value is held.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        self.0.view().encoding()
    }

    /// The entry as it was, under its old key.
    #[must_use]
    pub fn entry(&self) -> EntryRef<'_> {
        self.0.view()
    }

    /// Its deadline, in milliseconds since 1970.
    #[must_use]
    pub fn deadline(&self) -> Option<i64> {
        self.0.view().deadline()
    }
}

impl Unit<'_> {
    /// Removes a key; whether it was there.
    pub fn remove(&mut self, key: Key<'_>) -> bool {
        self.remove_as(key, Freeing::Now)
    }

    /// Removes a key; what is large is freed by the free thread (UNLINK).
    pub fn unlink(&mut self, key: Key<'_>) -> bool {
        self.remove_as(key, Freeing::Later)
    }

    fn remove_as(&mut self, key: Key<'_>, how: Freeing) -> bool {
        let (table, mut books) = self.open(key, false);
        let Some(table) = table else { return false };
        let table::Slot::Occupied(at) = table.entry(key.hash(), key.bytes()) else {
            return false;
        };
        if books.has_expired(at.get()) {
            books.expire(at, key);
            return false;
        }
        match books.remove(at, key).0 {
            // Not under the locks, in either case (U3).
            Some(entry) if is_long_string(&entry) => {
                books.scratch.trash.push((Trash::Entry(entry), how));
            }
            gone => books.discard(gone, |_| how == Freeing::Later),
        }
        true
    }

    /// Takes a key's value away with it (RENAME, MOVE).
    ///
    /// # Errors
    /// `Refused` if a snapshot holds the entry and there is no memory for a second one; the key
    /// stays then.
    pub fn take(&mut self, key: Key<'_>) -> Result<Option<Detached>, Refused> {
        let (table, mut books) = self.open(key, false);
        let Some(table) = table else { return Ok(None) };
        let table::Slot::Occupied(mut at) = table.entry(key.hash(), key.bytes()) else {
            return Ok(None);
        };
        if books.has_expired(at.get()) {
            books.expire(at, key);
            return Ok(None);
        }
        // An access, as any look that is to change something.
        if !books.scratch.state.no_touch {
            books.touch(at.get());
        }
        let copy = if at.is_shared() {
            Some(copy_of(at.get(), key)?)
        } else {
            None
        };
        let taken = books.remove(at, key).0;
        Ok(Some(Detached(
            copy.or(taken)
                .expect("an entry that nobody shares comes out"),
        )))
    }

    /// A copy of a key's value: long strings are shared, not copied (COPY).
    ///
    /// # Errors
    /// `Refused` if there is no memory for it.
    pub fn duplicate(&mut self, key: Key<'_>) -> Result<Option<Detached>, Refused> {
        self.look_up(key, super::Look::Read)
            .map(|entry| copy_of(entry, key).map(Detached))
            .transpose()
    }

    /// Makes the key, or overwrites it, with what has left another one.
    ///
    /// # Errors
    /// Gives it back if there is no memory for it under this key; nothing has changed then. To put
    /// it back where it came from needs none.
    pub fn place(&mut self, key: Key<'_>, mut what: Detached) -> Result<(), Detached> {
        if what.0.rename(key.bytes()).is_err() {
            return Err(what);
        }
        match self.slot(key) {
            Slot::Vacant(at) => {
                at.fill(what.0);
            }
            Slot::Occupied(mut at) => {
                at.replace(what.0);
                // For Redis the old key goes and a new one comes.
                self.notify(EventClass::NEW, "new", key.bytes());
            }
        }
        Ok(())
    }
}

fn copy_of(entry: EntryRef<'_>, key: Key<'_>) -> Result<Entry, Refused> {
    Entry::copy_of(entry, key.bytes(), entry.deadline())
}
