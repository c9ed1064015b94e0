//! Who waits for a key: the blocking commands' registry of one shard. The page is
//! `docs/design/blocking.md`.
//!
//! ```text
//!   shard ── Waiting: (db, key) ─> [ Waiter, Waiter, .. ]     under the shard's lock, in order of arrival
//!                                      │
//!                                      └── id: whom the server answers; shards: what its command needs
//! ```
//!
//! A waiter that waits for several keys stands in several registries. Ending it takes it out where
//! the shards can be had at once; what is left is recognised by `ended` and swept by whoever adds
//! the next, as with WATCH.
//!
//! Checked by: `server/tests/blocking.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use collections::table::Hash;

use crate::key::Key;
use crate::sync::{AtomicBool, Relaxed};
use crate::value::Kind;

/// One blocked command.
#[derive(Debug)]
pub struct Waiter {
    /// The server's name for it.
    pub id: u64,
    /// The kind of value that it waits for.
    pub kind: Kind,
    /// Whether it is also to hear that the key has gone or become something else (XREADGROUP).
    pub hears_loss: bool,
    /// The database of its keys.
    pub db: u32,
    awaited: Box<[(Hash, Box<[u8]>)]>,
    /// The keys that its command names and that it does not wait for (BLMOVE's destination).
    others: Box<[(Hash, Box<[u8]>)]>,
    ended: AtomicBool,
}

impl Waiter {
    /// A command of database `db` that waits for `awaited` and names `others` as well.
    #[must_use]
    pub fn new(
        id: u64,
        kind: Kind,
        hears_loss: bool,
        db: u32,
        awaited: &[Key<'_>],
        others: &[Key<'_>],
    ) -> Arc<Waiter> {
        let own = |keys: &[Key<'_>]| -> Box<[(Hash, Box<[u8]>)]> {
            keys.iter()
                .map(|key| (key.hash(), key.bytes().into()))
                .collect()
        };
        Arc::new(Waiter {
            id,
            kind,
            hears_loss,
            db,
            awaited: own(awaited),
            others: own(others),
            ended: AtomicBool::new(false),
        })
    }

    /// The keys that it waits for.
    pub fn awaited(&self) -> impl Iterator<Item = Key<'_>> {
        self.awaited
            .iter()
            .map(|(hash, bytes)| Key::new(bytes, *hash))
    }

    /// The other keys of its command.
    pub fn others(&self) -> impl Iterator<Item = Key<'_>> {
        self.others
            .iter()
            .map(|(hash, bytes)| Key::new(bytes, *hash))
    }

    /// Says that nobody waits any more.
    pub(crate) fn end(&self) {
        // Relaxed: a hint for sweeping; the server's state word decides who is served.
        self.ended.store(true, Relaxed);
    }

    /// Whether it is over.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        // Relaxed: see `end`.
        self.ended.load(Relaxed)
    }
}

/// A key with its database.
type Place = (u32, Box<[u8]>);

/// The waiters of one shard, under its lock.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    /// Ordered rather than hashed: the standard hash map would draw its own randomness.
    keys: BTreeMap<Place, Vec<Arc<Waiter>>>,
    /// Waiters added since the last sweep.
    added: usize,
    /// Keys that the last sweep left.
    kept: usize,
}

impl Waiting {
    /// Adds a waiter behind those that are there, once a key.
    pub(crate) fn add(&mut self, key: Key<'_>, waiter: &Arc<Waiter>) {
        self.added += 1;
        if self.added > self.kept + 16 {
            self.sweep();
        }
        let waiters = self
            .keys
            .entry((waiter.db, key.bytes().into()))
            .or_default();
        // The same key named twice.
        if !waiters.last().is_some_and(|last| Arc::ptr_eq(last, waiter)) {
            waiters.push(Arc::clone(waiter));
        }
    }

    /// Takes a waiter of a key out.
    pub(crate) fn remove(&mut self, key: Key<'_>, waiter: &Arc<Waiter>) {
        let place = (waiter.db, Box::from(key.bytes()));
        if let Some(waiters) = self.keys.get_mut(&place) {
            waiters.retain(|other| !Arc::ptr_eq(other, waiter));
            if waiters.is_empty() {
                self.keys.remove(&place);
            }
        }
    }

    /// The waiters of a key, in order of arrival.
    pub(crate) fn of(&self, db: u32, key: &[u8]) -> &[Arc<Waiter>] {
        self.keys
            .get(&(db, Box::from(key)) as &Place)
            .map_or(&[], Vec::as_slice)
    }

    /// The keys of a database that are waited for.
    pub(crate) fn keys(&self, db: u32) -> impl Iterator<Item = &[u8]> {
        let from = (db, Box::default());
        let in_db = move |place: &&Place| place.0 == db;
        self.keys
            .range(from..)
            .map(|(place, _)| place)
            .take_while(in_db)
            .map(|place| &*place.1)
    }

    /// How many keys are waited for.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    fn sweep(&mut self) {
        self.added = 0;
        self.keys.retain(|_, waiters| {
            waiters.retain(|waiter| !waiter.has_ended());
            !waiters.is_empty()
        });
        self.kept = self.keys.len();
    }
}
