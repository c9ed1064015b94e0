//! Looking at keys. What has expired is removed on the way, unless writes are paused or belong to
//! somebody else: then it is only not seen.

use std::sync::Arc;

use collections::table;

use super::Unit;
use crate::access::Seen;
use crate::entry::EntryRef;
use crate::error::WrongType;
use crate::event::EventClass;
use crate::gate::Gates;
use crate::key::Key;
use crate::stats::Figure;
use crate::value::{Container, PinnedAs, Str};

/// What a look-up leaves behind beside its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Counts a hit or a miss, reports `keymiss`, moves the access clock: GET and most others.
    Read,
    /// As `Read`, but the clock stands still: TTL, TYPE, EXISTS.
    NoTouch,
    /// As `NoTouch`, and a miss is not reported: OBJECT.
    NoNotify,
    /// Nothing at all: DEBUG, SCAN's TYPE.
    Peek,
    /// As `Read`, and the clock moves even for a client with NO-TOUCH: TOUCH.
    Touch,
}

/// Gates behind which expired keys are not removed.
pub(super) const KEEPS_EXPIRED: u64 = Gates::STILL | Gates::READ_ONLY;

impl Unit<'_> {
    /// Looks a key up. An expired one is removed (event, DEL in the log, counter).
    #[inline]
    pub fn look_up(&mut self, key: Key<'_>, look: Look) -> Option<EntryRef<'_>> {
        let (table, mut books) = self.open(key, false);
        let found = table.and_then(|table| {
            if books.scratch.state.recording {
                let seen = &mut books.scratch.state.seen;
                *seen = (*seen).max(table.last_write(key.hash()));
            }
            match table.entry(key.hash(), key.bytes()) {
                table::Slot::Occupied(at) => Some(at),
                table::Slot::Vacant(_) => None,
            }
        });
        let live = match found {
            Some(at) if !books.has_expired(at.get()) => Some(at.into_ref()),
            Some(at) => {
                if !books.scratch.state.gates.closed(KEEPS_EXPIRED) {
                    books.expire(at, key);
                }
                None
            }
            None => None,
        };
        if look != Look::Peek {
            let figure = if live.is_some() {
                Figure::Hits
            } else {
                Figure::Misses
            };
            books.store.stats.add(books.scratch.state.worker, figure, 1);
        }
        match live {
            Some(entry) => {
                let touches = match look {
                    Look::Read => !books.scratch.state.no_touch,
                    Look::Touch => true,
                    Look::NoTouch | Look::NoNotify | Look::Peek => false,
                };
                if touches {
                    books.touch(entry);
                }
            }
            None if !matches!(look, Look::Peek | Look::NoNotify) => {
                books
                    .scratch
                    .notify(EventClass::KEY_MISS, "keymiss", key.bytes());
            }
            None => {}
        }
        live
    }

    /// Looks a key up as GET does.
    #[inline]
    pub fn read(&mut self, key: Key<'_>) -> Option<EntryRef<'_>> {
        self.look_up(key, Look::Read)
    }

    /// Looks a key up and leaves nothing behind but the removal of what has expired.
    #[inline]
    pub fn peek(&mut self, key: Key<'_>) -> Option<EntryRef<'_>> {
        self.look_up(key, Look::Peek)
    }

    /// Looks without leaving anything behind and without exclusive access, so that several entries
    /// can be seen side by side (BITOP, LCS) once `read` has been called for each.
    #[inline]
    #[must_use]
    pub fn look(&self, key: Key<'_>) -> Option<EntryRef<'_>> {
        self.scratch.check_declared(key.bytes());
        let (_, data) = self.held.get(key.shard());
        let entry = data.tables.get(self.db())?.find(key.hash(), key.bytes())?;
        entry
            .deadline()
            .is_none_or(|at| self.expiry_ms() <= at)
            .then_some(entry)
    }

    /// TOUCH: moves the access clock; whether the key exists.
    pub fn touch(&mut self, key: Key<'_>) -> bool {
        self.look_up(key, Look::Touch).is_some()
    }

    /// Gives a key the past that it had elsewhere (RESTORE). What the clock that runs now cannot
    /// say is left out.
    pub fn set_seen(&mut self, key: Key<'_>, seen: Seen) {
        let (policy, now_ms) = (self.scratch.state.policy, self.now_ms());
        if let (Some(clock), Some(entry)) = (policy.seen(seen, now_ms), self.peek(key)) {
            entry.set_access(clock);
        }
    }

    /// Looks a string up as GET does.
    ///
    /// # Errors
    /// `WrongType` if the key holds something else.
    #[inline]
    pub fn read_string(&mut self, key: Key<'_>) -> Result<Option<Str<'_>>, WrongType> {
        self.read(key).map(EntryRef::string).transpose()
    }

    /// Looks a container up as GET does a string.
    ///
    /// # Errors
    /// `WrongType` if the key holds something else.
    #[inline]
    pub fn read_as<C: Container>(&mut self, key: Key<'_>) -> Result<Option<&C>, WrongType> {
        self.read(key).map(EntryRef::container).transpose()
    }

    /// As [`Unit::look`], for a container.
    ///
    /// # Errors
    /// `WrongType` if the key holds something else.
    pub fn look_as<C: Container>(&self, key: Key<'_>) -> Result<Option<&C>, WrongType> {
        self.look(key).map(EntryRef::container).transpose()
    }

    /// A container that outlives the unit, looked up as `read_as` does: for a reply that is built
    /// after unlocking.
    ///
    /// # Errors
    /// `WrongType` if the key holds something else.
    pub fn pin<C: Container>(&mut self, key: Key<'_>) -> Result<Option<PinnedAs<C>>, WrongType> {
        self.read(key).map(pinned).transpose()
    }

    /// As `pin`, for a key that has been read: leaves nothing behind.
    ///
    /// # Errors
    /// `WrongType` if the key holds something else.
    pub fn look_pinned<C: Container>(
        &self,
        key: Key<'_>,
    ) -> Result<Option<PinnedAs<C>>, WrongType> {
        self.look(key).map(pinned).transpose()
    }

    /// As [`Unit::look`], for a string.
    ///
    /// # Errors
    /// `WrongType` if the key holds something else.
    pub fn look_string(&self, key: Key<'_>) -> Result<Option<Str<'_>>, WrongType> {
        self.look(key).map(EntryRef::string).transpose()
    }
}

fn pinned<C: Container>(entry: EntryRef<'_>) -> Result<PinnedAs<C>, WrongType> {
    entry.container::<C>()?;
    let object = entry.object().expect("a container is an object");
    Ok(PinnedAs::new(Arc::clone(object)))
}
