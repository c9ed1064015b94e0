//! Going from shard to shard: SCAN, RANDOMKEY, the cut of a snapshot. Such a unit holds one shard
//! at a time (or, inside an EXEC, all of them anyway).
//!
//! A SCAN cursor is `[shard: 10 bits][position: 38 bits]`, below 2^53 because clients parse it as
//! a double; 0 begins and ends. A shard without keys is passed over without a lock.

use std::ops::ControlFlow;

use collections::table::{self, Hash};

use super::Unit;
use crate::entry::EntryRef;
use crate::error::Busy;
use crate::gate::Gates;
use crate::shard::{SHARDS, Which};
use crate::snapshot::Cut;

/// How often RANDOMKEY draws again because what it drew had expired or its shard had been
/// emptied.
const DRAWS: usize = 100;

impl Unit<'_> {
    /// Whether everything is held already, so that nothing has to be taken.
    fn holds_all(&self) -> bool {
        matches!(self.held.which(), Which::All)
    }

    /// Runs `f` with `shard` held. Time, gates and the change log's record belong to the hold.
    pub(crate) fn with_shard<R>(
        &mut self,
        shard: usize,
        f: impl FnOnce(&mut Self) -> R,
    ) -> Result<R, Busy> {
        if self.holds_all() {
            return Ok(f(self));
        }
        if !self.held.take_one(shard) {
            return Err(Busy);
        }
        self.settle_time();
        self.scratch.state.recording = self.store.log.is_recording();
        self.scratch.state.tracking = self.store.is_tracking();
        let result = f(self);
        self.end_hold();
        Ok(result)
    }

    /// Takes up a SCAN at `cursor` and shows entries until about `count` have been shown. Returns
    /// the next cursor, 0 at the end.
    ///
    /// # Errors
    /// `Busy` if nothing was shown yet; later the walk ends early instead.
    pub fn scan(
        &mut self,
        cursor: u64,
        count: usize,
        mut show: impl FnMut(EntryRef<'_>),
    ) -> Result<u64, Busy> {
        let mut shard = (cursor >> Hash::DIRECTORY_BITS) as usize;
        let mut position = cursor & ((1 << Hash::DIRECTORY_BITS) - 1);
        let mut left = count.max(1);
        while shard < SHARDS {
            let db = self.db();
            let counted = self.store.counts.of(&self.store.shards, shard, db);
            if counted.keys() > 0 {
                let walked = self.with_shard(shard, |unit| {
                    unit.scan_shard(shard, position, &mut left, &mut show)
                });
                match walked {
                    Ok(Some(next)) => return Ok(cursor_of(shard, next)),
                    Ok(None) => {}
                    Err(Busy) if left == count.max(1) => return Err(Busy),
                    Err(Busy) => return Ok(cursor_of(shard, position)),
                }
            }
            shard += 1;
            position = 0;
            if left == 0 && shard < SHARDS {
                return Ok(cursor_of(shard, 0));
            }
        }
        Ok(0)
    }

    /// The shard's part of a SCAN: where to go on, or `None` at its end. What has expired is
    /// removed once the walk no longer looks at the table.
    fn scan_shard(
        &mut self,
        shard: usize,
        position: u64,
        left: &mut usize,
        show: &mut impl FnMut(EntryRef<'_>),
    ) -> Option<u64> {
        let (db, now_ms) = (self.db(), self.expiry_ms());
        self.scratch.doomed.clear();
        let doomed = &mut self.scratch.doomed;
        let (_, data) = self.held.get(shard);
        let next = data.tables.get(db)?.scan(position, |entry| {
            if entry.deadline().is_some_and(|at| now_ms > at) {
                doomed.push(entry.key());
            } else {
                show(entry);
            }
            *left = left.saturating_sub(1);
            if *left == 0 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        self.remove_doomed();
        next
    }

    /// Expires the keys that a walk has gathered, unless expired keys are to be kept.
    pub(crate) fn remove_doomed(&mut self) {
        if self
            .scratch
            .state
            .gates
            .closed(Gates::STILL | Gates::READ_ONLY)
        {
            return;
        }
        let doomed = std::mem::take(&mut self.scratch.doomed);
        // Nobody declares the keys that a walk meets.
        #[cfg(debug_assertions)]
        let is_declared = std::mem::take(&mut self.scratch.is_declared);
        for index in 0..doomed.len() {
            let key = self.store.key(doomed.get(index));
            let (table, mut books) = self.open(key, false);
            let slot = table.map(|table| table.entry(key.hash(), key.bytes()));
            if let Some(table::Slot::Occupied(at)) = slot {
                books.expire(at, key);
            }
        }
        #[cfg(debug_assertions)]
        {
            self.scratch.is_declared = is_declared;
        }
        self.scratch.doomed = doomed;
    }

    /// Gives the structure of a table back from which this unit has removed the last key. The shard is
    /// held. A small limit is otherwise eaten up by empty tables: there are a thousand.
    pub(crate) fn give_back(&mut self, shard: usize, db: u32) {
        let number = self.scratch.state.number;
        let (_, data) = self.held.get_mut(shard);
        if let Some(table) = data.tables.get_mut(db)
            && table.is_empty()
        {
            drop(table.take());
            // What the segments knew of earlier writes is below this unit's number.
            table.note_write_everywhere(number);
        }
    }

    /// Shows one key of the database, all with the same chance. Whether there is one.
    ///
    /// # Errors
    /// `Busy` if the shard that was drawn is held by another worker.
    pub fn random_key(&mut self, mut show: impl FnMut(EntryRef<'_>)) -> Result<bool, Busy> {
        for _ in 0..DRAWS {
            let Some(shard) = self.draw_shard() else {
                return Ok(false);
            };
            if self.with_shard(shard, |unit| unit.random_key_of(shard, &mut show))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A shard, with a chance in proportion to its keys.
    fn draw_shard(&mut self) -> Option<usize> {
        let (store, db) = (self.store, self.db());
        let total = store.keys(db);
        if total == 0 {
            return None;
        }
        let mut k = self.random() % total;
        for shard in 0..SHARDS {
            let keys = u64::from(store.counts.of(&store.shards, shard, db).keys());
            if k < keys {
                return Some(shard);
            }
            k -= keys;
        }
        // Keys have gone since they were added up: any shard does, the caller draws again.
        Some(0)
    }

    fn random_key_of(&mut self, shard: usize, show: &mut impl FnMut(EntryRef<'_>)) -> bool {
        let (random, db, now_ms) = (self.random(), self.db(), self.expiry_ms());
        let (_, data) = self.held.get(shard);
        let Some(entry) = data.tables.get(db).and_then(|table| table.random(random)) else {
            return false;
        };
        if entry.deadline().is_some_and(|at| now_ms > at) {
            self.scratch.doomed.clear();
            self.scratch.doomed.push(entry.key());
            self.remove_doomed();
            return false;
        }
        show(entry);
        true
    }

    /// All databases as they are at this moment: an immutable value that any thread reads without
    /// locks.
    ///
    /// # Errors
    /// `Busy` if another worker holds a shard for longer than one waits.
    pub fn cut(&mut self) -> Result<Cut, Busy> {
        let held_before = self.holds_all();
        if !held_before {
            assert!(
                matches!(self.held.which(), Which::None),
                "the command's row must say OneByOne"
            );
            self.held = self.store.shards.wide()?;
            self.settle_time();
        }
        let now_ms = self.now_ms();
        let cut = Cut::take(self.store, &mut self.held, now_ms);
        if !held_before {
            self.held.release();
        }
        Ok(cut.sorted())
    }
}

fn cursor_of(shard: usize, position: u64) -> u64 {
    ((shard as u64) << Hash::DIRECTORY_BITS) | position
}
