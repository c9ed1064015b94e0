//! What every change of a key must tell: the WATCHers, the counts, the expiry's bound, the change
//! log. A slot carries these along; no other code changes a table.

use collections::table::{self, Table};

use super::Unit;
use crate::counts::Count;
use crate::entry::{Entry, EntryRef};
use crate::event::EventClass;
use crate::key::Key;
use crate::lazy::{Lazy, Trash, freeing, is_long_to_free};
use crate::scratch::Scratch;
use crate::shard::Shard;
use crate::stats::Figure;
use crate::store::Store;
use crate::value::Container;
use crate::wait::Waiting;
use crate::watch::Registry;

/// When the first part of a value expires.
#[inline]
pub(super) fn part_deadline(entry: EntryRef<'_>) -> Option<i64> {
    entry.object().and_then(|object| object.part_deadline())
}

/// The books of the shard that a key is in.
#[derive(Debug)]
pub(crate) struct Books<'u> {
    pub(super) store: &'u Store,
    pub(super) scratch: &'u mut Scratch,
    outside: &'u Shard,
    shard: usize,
    watch: &'u mut Option<Box<Registry>>,
    pub(super) waiting: &'u Option<Box<Waiting>>,
}

impl Unit<'_> {
    /// The table that `key` is or would be in, and the books of its shard. With `make` the table
    /// comes into being.
    #[inline]
    pub(crate) fn open(
        &mut self,
        key: Key<'_>,
        make: bool,
    ) -> (Option<&mut Table<Entry>>, Books<'_>) {
        self.scratch.check_declared(key.bytes());
        let shard = key.shard();
        let (outside, data) = self.held.get_mut(shard);
        let db = self.scratch.state.db;
        let table = if make {
            Some(data.tables.make(db))
        } else {
            data.tables.get_mut(db)
        };
        let books = Books {
            store: self.store,
            scratch: &mut *self.scratch,
            outside,
            shard,
            watch: &mut data.watch,
            waiting: &data.waiting,
        };
        (table, books)
    }
}

impl Unit<'_> {
    /// Lets a container go that has left its key, or a part of one: what is long to free goes to the
    /// free thread.
    pub fn discard<C: Container>(&mut self, container: C) {
        let object = container.into_object();
        if is_long_to_free(&object) {
            let how = freeing(self.store.lazy().server_del);
            self.scratch.trash.push((Trash::Object(object), how));
        }
    }
}

impl Books<'_> {
    /// Whether an entry's time is over.
    #[inline]
    pub(crate) fn has_expired(&self, entry: EntryRef<'_>) -> bool {
        entry
            .deadline()
            .is_some_and(|at| self.scratch.state.expiry_ms() > at)
    }

    #[inline]
    fn count(&self) -> &Count {
        match self.scratch.state.db {
            0 => &self.outside.count,
            db => self.store.counts.of(&self.store.shards, self.shard, db),
        }
    }

    /// A change begins: from here on a panic is fatal.
    #[inline]
    pub(super) fn begin(&mut self) {
        self.scratch.state.changed = true;
    }

    /// A change of `key` is being made, its removal if it is `gone`: marks the watchers. Returns
    /// the number to note in the key's segment, if somebody reads the log.
    #[inline]
    pub(super) fn changed(&mut self, key: &[u8], gone: bool) -> Option<u64> {
        if let Some(registry) = self.watch {
            registry.touch(self.scratch.state.db, key, gone);
        }
        if self.scratch.state.tracking {
            self.scratch.changed.push(key);
        }
        self.logged()
    }

    /// The number of a change that is being made, if somebody reads the log.
    #[inline]
    pub(super) fn logged(&mut self) -> Option<u64> {
        self.scratch.state.recording.then(|| self.number())
    }

    /// The unit's number, taken at its first change (N1 of the log).
    #[cold]
    fn number(&mut self) -> u64 {
        let state = &mut self.scratch.state;
        if state.number == 0 {
            state.number = self.store.log.take_number();
        }
        state.number
    }

    #[inline]
    pub(super) fn key_came(&mut self, key: &[u8], entry: EntryRef<'_>) {
        self.count().key_came();
        self.deadline_changed(None, entry.deadline());
        self.parts_changed(None, part_deadline(entry));
        self.scratch.notify(EventClass::NEW, "new", key);
    }

    #[inline]
    fn key_went(&mut self, deadline: Option<i64>, parts: Option<i64>) {
        self.count().key_went();
        self.deadline_changed(deadline, None);
        self.parts_changed(parts, None);
    }

    /// The earliest deadline of a part came, went or changed.
    #[inline]
    pub(super) fn parts_changed(&mut self, old: Option<i64>, new: Option<i64>) {
        if old != new {
            self.count().parts_changed(old.is_some(), new.is_some());
            if let Some(at) = new {
                self.outside.note_deadline(at);
            }
        }
    }

    /// Whether no key of this shard and database has parts with deadlines.
    #[inline]
    pub(super) fn has_no_parts(&self) -> bool {
        self.count().part_deadlines() == 0
    }

    #[inline]
    pub(super) fn deadline_changed(&mut self, old: Option<i64>, new: Option<i64>) {
        if old != new {
            self.count().deadline_changed(old, new);
            if let Some(at) = new {
                self.outside.note_deadline(at);
            }
        }
    }

    /// Lets an entry go that has left its table. What is long to free goes to the free thread,
    /// after unlocking (U3); `lazy` says whether it is counted there.
    #[inline]
    pub(super) fn discard(&mut self, entry: Option<Entry>, lazy: impl FnOnce(Lazy) -> bool) {
        let Some(entry) = entry else { return };
        let object = entry.view().object();
        if object.is_some_and(|object| is_long_to_free(object)) {
            let how = freeing(lazy(self.store.lazy()));
            self.scratch.trash.push((Trash::Entry(entry), how));
        }
    }

    /// Takes an entry out of its table, with everything that a removal must tell. The entry is
    /// `None` if a snapshot holds it.
    pub(super) fn remove<'t>(
        &mut self,
        mut at: table::Occupied<'t, Entry>,
        key: Key<'_>,
    ) -> (Option<Entry>, table::Vacant<'t, Entry>) {
        self.begin();
        let (deadline, parts) = (at.get().deadline(), part_deadline(at.get()));
        if let Some(number) = self.changed(key.bytes(), true) {
            at.note_write(number);
        }
        self.key_went(deadline, parts);
        self.left(key.bytes(), at.get().kind());
        at.vacate(key.hash())
    }

    /// Removes a key whose time is over: it leaves an event, a DEL in the log, a count.
    #[cold]
    pub(crate) fn expire<'t>(
        &mut self,
        at: table::Occupied<'t, Entry>,
        key: Key<'_>,
    ) -> table::Vacant<'t, Entry> {
        let (entry, place) = self.remove(at, key);
        self.discard(entry, |lazy| lazy.expire);
        let scratch = &mut *self.scratch;
        scratch.changed.last_expired();
        scratch.notify(EventClass::EXPIRED, "expired", key.bytes());
        if scratch.state.recording {
            let word: &[u8] = if self.store.lazy().expire {
                b"UNLINK"
            } else {
                b"DEL"
            };
            let words = [word, key.bytes()];
            scratch.effects.push(scratch.state.db, words.into_iter());
        }
        self.store
            .stats
            .add(self.scratch.state.worker, Figure::Expired, 1);
        place
    }

    /// Removes a key to make room: it leaves an event, a removal in the log, a count.
    #[cold]
    pub(crate) fn evict(&mut self, at: table::Occupied<'_, Entry>, key: Key<'_>) {
        let entry = self.remove(at, key).0;
        self.discard(entry, |lazy| lazy.eviction);
        let scratch = &mut *self.scratch;
        scratch.notify(EventClass::EVICTED, "evicted", key.bytes());
        if scratch.state.recording {
            let word: &[u8] = if self.store.lazy().eviction {
                b"UNLINK"
            } else {
                b"DEL"
            };
            let words = [word, key.bytes()];
            scratch.effects.push(scratch.state.db, words.into_iter());
        }
        self.store
            .stats
            .add(self.scratch.state.worker, Figure::Evicted, 1);
    }

    /// Moves an entry's access clock on.
    #[inline]
    pub(super) fn touch(&mut self, entry: EntryRef<'_>) {
        let scratch = &mut *self.scratch;
        let (policy, now_ms) = (scratch.state.policy, scratch.state.now_ms);
        let old = entry.access().0;
        let new = policy.touched(old, now_ms, || scratch.next_random());
        // A clock that stands still is not written: the entry's line stays clean.
        if new != old {
            entry.set_access(new);
        }
    }

    /// The clock of a key that comes into being.
    #[inline]
    pub(super) fn fresh_clock(&self) -> u32 {
        self.scratch.state.policy.fresh(self.scratch.state.now_ms)
    }
}
