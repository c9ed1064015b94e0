//! Blocking commands: who is registered, what a unit makes ready, and who then has a claim to it.
//! The page is `docs/design/blocking.md`.

use std::sync::Arc;

use super::Unit;
use super::books::Books;
use crate::value::Kind;
use crate::wait::Waiter;

/// A key that has changed so that somebody who waits for it may have something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// Its database.
    pub db: u32,
    /// The key.
    pub key: Box<[u8]>,
}

impl Unit<'_> {
    /// Registers a command that has found nothing. Its awaited keys are among the plan's.
    pub fn wait(&mut self, waiter: &Arc<Waiter>) {
        for key in waiter.awaited() {
            let (_, data) = self.held.get_mut(key.shard());
            data.waiting.get_or_insert_default().add(key, waiter);
        }
    }

    /// Whether the unit has made a key ready.
    #[inline]
    #[must_use]
    pub fn has_ready(&self) -> bool {
        !self.scratch.ready.is_empty()
    }

    /// The next key that the unit has made ready, in the order in which it did.
    pub fn take_ready(&mut self) -> Option<Ready> {
        if self.scratch.ready.is_empty() {
            return None;
        }
        Some(self.scratch.ready.remove(0))
    }

    /// Who waits for a key, in order of arrival.
    #[must_use]
    pub fn waiters(&self, ready: &Ready) -> Vec<Arc<Waiter>> {
        let key = self.key(&ready.key);
        let (_, data) = self.held.get(key.shard());
        data.waiting.as_ref().map_or_else(Vec::new, |waiting| {
            let waiters = waiting.of(ready.db, &ready.key).iter();
            waiters.filter(|w| !w.has_ended()).cloned().collect()
        })
    }

    /// Whether running `waiter`'s command again can come to anything.
    #[must_use]
    pub fn may_serve(&self, waiter: &Waiter, ready: &Ready) -> bool {
        let key = self.key(&ready.key);
        let (_, data) = self.held.get(key.shard());
        let table = data.tables.get(ready.db);
        let entry = table.and_then(|table| table.find(key.hash(), key.bytes()));
        let kind = entry.map(|entry| entry.kind());
        kind == Some(waiter.kind) || waiter.hears_loss
    }

    /// Whether all shards that `waiter`'s command needs are held.
    #[must_use]
    pub fn holds_shards_of(&self, waiter: &Waiter) -> bool {
        let mut named = waiter.awaited().chain(waiter.others());
        named.all(|key| self.held.has(key.shard()))
    }

    /// Takes a waiter that has been served out of the registries.
    pub fn unwait(&mut self, waiter: &Arc<Waiter>) {
        waiter.end();
        for key in waiter.awaited() {
            if !self.held.has(key.shard()) {
                continue;
            }
            let (_, data) = self.held.get_mut(key.shard());
            if let Some(waiting) = &mut data.waiting {
                waiting.remove(key, waiter);
                if waiting.len() == 0 {
                    data.waiting = None;
                }
            }
        }
    }

    /// Makes every key of a database ready that somebody waits for: SWAPDB, FLUSHALL.
    pub(super) fn ready_all(&mut self, db: u32) {
        let ready = &mut self.scratch.ready;
        self.held.for_each(|_, _, data| {
            if let Some(waiting) = &data.waiting {
                ready.extend(waiting.keys(db).map(|key| Ready {
                    db,
                    key: key.into(),
                }));
            }
        });
    }
}

impl Books<'_> {
    /// A value of `kind` has come into being under the key, or has grown.
    #[inline]
    pub(super) fn came(&mut self, key: &[u8], kind: Kind) {
        if self.waiting.is_some() && kind != Kind::String {
            self.make_ready(key, |waiter| waiter.kind == kind);
        }
    }

    /// A value of `kind` has left the key.
    #[inline]
    pub(super) fn left(&mut self, key: &[u8], kind: Kind) {
        if self.waiting.is_some() {
            self.make_ready(key, |waiter| waiter.hears_loss && waiter.kind == kind);
        }
    }

    #[cold]
    fn make_ready(&mut self, key: &[u8], concerns: impl Fn(&Waiter) -> bool) {
        let db = self.scratch.state.db;
        let Some(waiting) = self.waiting else { return };
        if !waiting.of(db, key).iter().any(|waiter| concerns(waiter)) {
            return;
        }
        let ready = &mut self.scratch.ready;
        if !ready
            .iter()
            .any(|known| known.db == db && *known.key == *key)
        {
            ready.push(Ready {
                db,
                key: key.into(),
            });
        }
    }
}
