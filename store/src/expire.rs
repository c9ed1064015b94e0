//! The active expire cycle: removing what has expired and nobody looks at.
//!
//! A worker calls it from its timer. It goes round the shards and enters only those whose bound
//! says that something may be due; inside, the table visits only the chunks and segments that say
//! the same. So ten million keys of which ten thousand have a deadline cost a thousand words to
//! read, and a hold removes a bounded number of keys before it lets the shard go. A shard that is
//! held by somebody else is left for the next run.
//!
//! A key that was removed leaves what any expired key leaves: an event, a DEL in the change log, a
//! count (`unit/books.rs`). A hash of which only fields are due stands in the same books of the table
//! and loses those (`unit/fields.rs`), each counted like a key against the limits.

use crate::gate::Gates;
use crate::plan::{Plan, Turn};
use crate::shard::SHARDS;
use crate::stats::Figure;
use crate::store::Store;
use crate::sync::Relaxed;
use crate::unit::Unit;

/// How much one run of the cycle may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CycleLimits {
    /// Entries with a deadline looked at in one hold of a shard, about.
    pub per_hold: usize,
    /// Keys and fields removed in all, about.
    pub total: usize,
}

/// What a run came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cycle {
    /// Keys and fields removed.
    pub expired: u64,
    /// Whether there is more to do at once.
    pub unfinished: bool,
}

impl Store {
    /// Runs the cycle once. `more` is asked between holds whether there is time left. Does nothing
    /// while writes are paused, and when DEBUG SET-ACTIVE-EXPIRE has switched it off.
    pub fn expire_cycle(
        &self,
        turn: Turn<'_>,
        limits: CycleLimits,
        mut more: impl FnMut() -> bool,
    ) -> Cycle {
        let mut cycle = Cycle::default();
        let worker = turn.worker;
        // Relaxed: a switch; a cycle more or less is no matter.
        if !self.active_expire.load(Relaxed)
            || self
                .gates
                .read(turn.clock_ms)
                .closed(Gates::STILL | Gates::READ_ONLY)
        {
            return cycle;
        }
        let Ok(mut unit) = self.begin(Plan::OneByOne, turn) else {
            return cycle;
        };
        let mut looked_at = 0;
        for _ in 0..SHARDS {
            // Relaxed: wherever it begins, the round is complete; two workers at once share it.
            let shard = self.expire_shard.fetch_add(1, Relaxed) as usize % SHARDS;
            while self.shards.outside(shard).due_ms() < unit.now_ms() {
                if cycle.expired >= limits.total as u64 {
                    cycle.unfinished = true;
                    break;
                }
                let Ok(hold) = unit.with_shard(shard, |unit| unit.expire_shard(shard, limits))
                else {
                    // Somebody works here: the next run comes by again.
                    cycle.unfinished = true;
                    break;
                };
                cycle.expired += hold.expired as u64;
                looked_at += hold.looked_at;
                if !more() {
                    cycle.unfinished = true;
                    self.stats.add(worker, Figure::TimeCap, 1);
                    self.stats.note_stale(looked_at, cycle.expired as usize);
                    return cycle;
                }
                if hold.finished {
                    break;
                }
            }
        }
        self.stats.note_stale(looked_at, cycle.expired as usize);
        cycle
    }
}

/// What one hold of a shard came to.
#[derive(Clone, Copy, Debug)]
struct Hold {
    expired: usize,
    looked_at: usize,
    /// The whole shard has been seen to.
    finished: bool,
}

impl Unit<'_> {
    /// Removes what is due in a held shard, within the limit of a hold.
    fn expire_shard(&mut self, shard: usize, limits: CycleLimits) -> Hold {
        let now_ms = self.now_ms();
        let mut hold = Hold {
            expired: 0,
            looked_at: 0,
            finished: true,
        };
        let mut from = 0;
        while let Some(db) = self.held.get(shard).1.tables.next_due(from, now_ms) {
            // The events and the log want the number of the database.
            self.select(db);
            from = db + 1;
            let left = limits.per_hold.saturating_sub(hold.looked_at).max(1);
            let (doomed, lapsing) = (&mut self.scratch.doomed, &mut self.scratch.lapsing);
            doomed.clear();
            lapsing.clear();
            let (_, data) = self.held.get_mut(shard);
            let table = data.tables.get_mut(db).expect("something is due in it");
            // The table's bound is inclusive, and a key lives through its last millisecond.
            let visit = table.visit_expired(now_ms - 1, left, &mut data.expire_cursor, |entry| {
                if entry.deadline().is_some_and(|at| now_ms > at) {
                    doomed.push(entry.key());
                } else {
                    lapsing.push(entry.key());
                }
            });
            hold.looked_at += visit.looked_at;
            hold.expired += doomed.len();
            self.remove_doomed();
            let fields = self.expire_lapsing(left);
            hold.expired += fields.expired;
            self.give_back(shard, db);
            if !visit.finished || !fields.finished {
                hold.finished = false;
                break;
            }
        }
        if hold.finished {
            let (outside, data) = self.held.get(shard);
            outside.set_due(data.tables.earliest_deadline());
        }
        hold
    }
}
