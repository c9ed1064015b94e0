//! What concerns databases as a whole: FLUSHALL, SWAPDB, gates, the change log's reader. All of it
//! under the ticket with all shards. And WATCH, which reaches into the shards' registries.

use std::sync::Arc;

use super::Unit;
use crate::Refused;
use crate::gate::Gates;
use crate::key::Key;
use crate::lazy::Trash;
use crate::log::Merge;
use crate::plan::Freeing;
use crate::shard::Which;
use crate::watch::{Fate, Registry, Watcher, let_go};

impl Unit<'_> {
    fn assert_wide(&self) {
        assert!(
            matches!(self.held.which(), Which::All),
            "the command's row must say Locks::Wide"
        );
    }

    /// The unit's number, if somebody reads the change log.
    fn number(&mut self) -> Option<u64> {
        let state = &mut self.scratch.state;
        state.changed = true;
        if state.recording && state.number == 0 {
            state.number = self.store.log.take_number();
        }
        state.recording.then_some(state.number)
    }

    /// Empties a database. `Plan::Wide`. What was in it is dropped after unlocking.
    pub fn flush_db(&mut self, db: u32, how: Freeing) {
        self.assert_wide();
        let number = self.number();
        if self.scratch.state.tracking {
            self.scratch.changed.flush();
        }
        let (store, trash) = (self.store, &mut self.scratch.trash);
        self.held.for_each(|shard, _, data| {
            let Some(table) = data.tables.get_mut(db) else {
                return;
            };
            if let Some(registry) = &mut data.watch {
                registry.touch_all(db, |key| Fate {
                    is_there: table.find(store.key(key).hash(), key).is_some(),
                    will_be_there: false,
                    will_be_expired: false,
                });
            }
            if !table.is_empty() {
                trash.push((Trash::Table(table.take()), how));
                store.counts.of(&store.shards, shard, db).clear();
            }
            if let Some(number) = number {
                table.note_write_everywhere(number);
            }
        });
        self.ready_all(db);
    }

    /// Empties all databases. `Plan::Wide`.
    pub fn flush_all(&mut self, how: Freeing) {
        for db in 0..self.store.databases() {
            self.flush_db(db, how);
        }
    }

    /// Exchanges two databases. `Plan::Wide`.
    pub fn swap_db(&mut self, a: u32, b: u32) {
        self.assert_wide();
        if a == b {
            return;
        }
        let number = self.number();
        let (store, now_ms) = (self.store, self.scratch.state.now_ms);
        self.held.for_each(|shard, _, data| {
            if let Some(registry) = &mut data.watch {
                let tables = &data.tables;
                let find = |db: u32, key: &[u8]| tables.get(db)?.find(store.key(key).hash(), key);
                let touch = |registry: &mut Registry, from: u32, to: u32| {
                    registry.touch_all(from, |key| {
                        let coming = find(to, key);
                        Fate {
                            is_there: find(from, key).is_some(),
                            will_be_there: coming.is_some(),
                            will_be_expired: coming
                                .and_then(|entry| entry.deadline())
                                .is_some_and(|at| now_ms > at),
                        }
                    });
                };
                touch(registry, a, b);
                touch(registry, b, a);
            }
            data.tables.swap(a, b);
            if [a, b]
                .iter()
                .any(|db| data.tables.get(*db).is_some_and(|table| !table.is_empty()))
            {
                let count = |db| store.counts.of(&store.shards, shard, db);
                count(a).swap(count(b));
            }
            for db in [a, b] {
                if let (Some(number), Some(table)) = (number, data.tables.get_mut(db)) {
                    table.note_write_everywhere(number);
                }
            }
        });
        self.ready_all(a);
        self.ready_all(b);
    }

    /// Closes or opens gates, members of [`Gates`]. `Plan::Wide`.
    pub fn set_gates(&mut self, gates: u64, closed: bool) {
        self.assert_wide();
        self.store.gates.set(gates, closed);
        self.scratch.state.gates = self.store.gates.read(self.scratch.state.now_ms);
    }

    /// Closes one of the pauses until a time; it opens by itself. `Plan::Wide`.
    pub fn set_pause(&mut self, gates: u64, until_ms: i64) {
        self.assert_wide();
        debug_assert!(gates & !Gates::PAUSES == 0, "only pauses end by themselves");
        self.store.gates.pause(gates, until_ms);
        self.scratch.state.gates = self.store.gates.read(self.scratch.state.now_ms);
    }

    /// Begins to record changes, from after this unit on. `Plan::Wide`, and nobody else reads.
    pub fn attach_log(&mut self) -> Merge {
        self.assert_wide();
        let first = self.store.log.attach();
        Merge::new(Arc::clone(&self.store.log), first)
    }

    /// Ends recording. `Plan::Wide`. What this unit has said is still delivered.
    pub fn detach_log(&mut self) {
        self.assert_wide();
        self.store.log.detach();
    }

    /// WATCH: the session is marked when the key changes. The key is one of the plan's. Gives whether
    /// it was not watched yet.
    ///
    /// # Errors
    /// When there is no memory for its copies; then the key is not watched.
    pub fn watch(&mut self, watcher: &Arc<Watcher>, key: Key<'_>) -> Result<bool, Refused> {
        let (db, now_ms) = (self.db(), self.now_ms());
        let (_, data) = self.held.get_mut(key.shard());
        let entry = data
            .tables
            .get(db)
            .and_then(|table| table.find(key.hash(), key.bytes()));
        let deadline = entry.and_then(|entry| entry.deadline());
        let expired = deadline.is_some_and(|at| now_ms > at);
        data.watch
            .get_or_insert_default()
            .add(watcher, db, key, expired)
    }

    /// EXEC's test, under the locks of [`Watcher::shards`]: whether a watched key has changed or
    /// expired since it was watched.
    #[must_use]
    pub fn watch_failed(&self, watcher: &Watcher) -> bool {
        watcher.is_dirty()
            || watcher.any(|watched| {
                let key = watched.key();
                let (_, data) = self.held.get(key.shard());
                let table = data.tables.get(watched.db);
                let entry = table.and_then(|table| table.find(key.hash(), key.bytes()));
                let deadline = entry.and_then(|entry| entry.deadline());
                let known = data
                    .watch
                    .as_ref()
                    .is_some_and(|registry| registry.was_expired(watcher, watched.db, key.bytes()));
                !known && deadline.is_some_and(|at| self.now_ms() > at)
            })
    }

    /// Ends a WATCH session under the locks of [`Watcher::shards`]. A new session needs a new
    /// watcher.
    pub fn unwatch(&mut self, watcher: &Arc<Watcher>) {
        for watched in watcher.end() {
            let (_, data) = self.held.get_mut(watched.key().shard());
            let_go(&mut data.watch, watcher, &watched);
        }
    }
}
