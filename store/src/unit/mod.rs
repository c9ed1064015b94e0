//! A unit: one command, one EXEC or one script, from its locks to its record in the change log.
//!
//! ```text
//!   begin ── locks, then time and gates ──> handlers ──> finish ── witness, record ──> unlock ──> drop
//!                                            │ each change: WATCH marks, events, books          trash
//!                                            └ a panic: before the first change unlock,
//!                                              after it never (`Store::is_half_changed`)
//! ```
//!
//! Looking is in `read.rs`, changing one key in `slot.rs` and `keys.rs`, changing databases whole
//! in `wide.rs`, walking from shard to shard in `walk.rs`, fields whose time is over in `fields.rs`;
//! `books.rs` is what every change must tell.
//!
//! U1  Time and gates are read after locking: the later of the turn's clock and the shards' last
//!     time, so a key that was seen expired never comes back, and no gate closes under a unit.
//! U2  Locks are held until the change log has the record: the order of numbers is the order of
//!     locks. A unit that goes from shard to shard writes a record for each hold.
//! U3  What a unit has freed is dropped after unlocking, if it can be long.

mod books;
mod fields;
mod keys;
mod read;
mod slot;
mod wait;
mod walk;
mod wide;

pub use keys::Detached;
pub use read::Look;
pub use slot::{Deadline, Occupied, Slot, Vacant};
pub use wait::Ready;

use crate::access::{Access, idle_seconds};
use crate::error::Busy;
use crate::event::EventClass;
use crate::gate::Gates;
use crate::key::Key;
use crate::plan::{Done, Plan, Turn};
use crate::scratch::{Scratch, State};
use crate::shard::{Held, Which};
use crate::store::Store;
use crate::witness::Witness;

/// One command, one EXEC or one script at work on the store. Dropping it finishes it.
#[derive(Debug)]
pub struct Unit<'s> {
    store: &'s Store,
    pub(crate) held: Held<'s>,
    pub(crate) scratch: &'s mut Scratch,
    witness: Option<&'s dyn Witness>,
}

impl<'s> Unit<'s> {
    #[inline]
    pub(crate) fn begin(store: &'s Store, plan: Plan<'_>, turn: Turn<'s>) -> Result<Self, Busy> {
        let Turn {
            worker,
            db,
            clock_ms,
            tries,
            no_touch,
            witness,
            scratch,
        } = turn;
        debug_assert!(db < store.databases(), "the connection's database exists");
        let held = match plan {
            Plan::Narrow(shard) => store.shards.narrow(shard)?,
            Plan::Nothing | Plan::OneByOne => store.shards.nothing(),
            Plan::Several(shards) => several(store, shards, tries, scratch)?,
            Plan::Wide => store.shards.wide()?,
        };
        if scratch.random == 0 {
            scratch.random = seed_of(store.seed, worker);
        }
        scratch.state = State {
            worker,
            db,
            now_ms: clock_ms,
            gates: Gates::OPEN,
            policy: store.policy.get(),
            event_classes: store.event_classes(),
            no_touch,
            tracking: store.is_tracking(),
            recording: store.log.is_recording(),
            number: 0,
            seen: 0,
            dirty: 0,
            changed: false,
        };
        #[cfg(debug_assertions)]
        {
            scratch.is_declared = false;
        }
        let mut unit = Unit {
            store,
            held,
            scratch,
            witness,
        };
        unit.settle_time();
        Ok(unit)
    }

    /// Reads time and gates under the locks that are held now (U1).
    #[inline]
    fn settle_time(&mut self) {
        let mut now_ms = self.scratch.state.now_ms;
        if let Which::One(shard) = *self.held.which() {
            let (_, data) = self.held.get_mut(shard);
            now_ms = now_ms.max(data.last_ms);
            data.last_ms = now_ms;
        } else {
            self.held
                .for_each(|_, _, data| now_ms = now_ms.max(data.last_ms));
            self.held.for_each(|_, _, data| data.last_ms = now_ms);
        }
        self.scratch.state.now_ms = now_ms;
        self.scratch.state.gates = self.store.gates.read(now_ms);
    }

    /// The unit's time, in milliseconds since 1970.
    #[inline]
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.scratch.state.now_ms
    }

    /// The time by which deadlines are judged: the unit's, or before all of them while data is being
    /// loaded. What expired then was removed by what follows in the log, not by the clock of today.
    #[inline]
    #[must_use]
    pub fn expiry_ms(&self) -> i64 {
        self.scratch.state.expiry_ms()
    }

    /// The database that keys are looked up in.
    #[inline]
    #[must_use]
    pub fn db(&self) -> u32 {
        self.scratch.state.db
    }

    /// Goes to another database: MOVE, COPY, EXEC with SELECT.
    ///
    /// # Panics
    /// If there is no such database.
    pub fn select(&mut self, db: u32) {
        assert!(
            db < self.store.databases(),
            "the caller has checked the index"
        );
        self.scratch.state.db = db;
    }

    /// The worker that runs the unit.
    #[must_use]
    pub fn worker(&self) -> usize {
        self.scratch.state.worker
    }

    /// A key with its hash.
    #[inline]
    #[must_use]
    pub fn key<'k>(&self, bytes: &'k [u8]) -> Key<'k> {
        self.store.key(bytes)
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &'s Store {
        self.store
    }

    /// A random number from the worker's generator.
    pub fn random(&mut self) -> u64 {
        self.scratch.next_random()
    }

    /// The gates under the unit's locks.
    #[inline]
    #[must_use]
    pub fn gates(&self) -> Gates {
        self.scratch.state.gates
    }

    /// Seconds since the last access (OBJECT IDLETIME).
    #[must_use]
    pub fn idle_seconds(&self, access: Access) -> u64 {
        idle_seconds(access.0, self.now_ms())
    }

    /// The access counter as it stands now (OBJECT FREQ).
    #[must_use]
    pub fn frequency(&self, access: Access) -> u8 {
        self.scratch.state.policy.frequency(access.0, self.now_ms())
    }

    /// Reports a keyspace event.
    #[inline]
    pub fn notify(&mut self, class: EventClass, event: &'static str, key: &[u8]) {
        self.scratch.notify(class, event, key);
    }

    /// Counts `n` changes.
    #[inline]
    pub fn dirty(&mut self, n: u64) {
        self.scratch.state.dirty += n;
    }

    /// The changes counted so far. A dispatcher that finds the number raised by a command whose
    /// row says `Verbatim` calls [`Unit::log_verbatim`].
    #[inline]
    #[must_use]
    pub fn dirty_count(&self) -> u64 {
        self.scratch.state.dirty
    }

    /// Whether the unit has changed the store: from then on a panic is fatal (DESIGN section 6).
    #[must_use]
    pub fn changed(&self) -> bool {
        self.scratch.state.changed
    }

    /// Whether somebody reads the change log: effects need not be built otherwise.
    #[inline]
    #[must_use]
    pub fn logging(&self) -> bool {
        self.scratch.state.recording
    }

    /// Ends or goes on with recording, within a unit that holds everything: what comes from the log is not
    /// written into it. Gives what it was.
    pub fn record(&mut self, on: bool) -> bool {
        debug_assert!(matches!(self.held.which(), Which::All), "it holds all");
        std::mem::replace(&mut self.scratch.state.recording, on)
    }

    /// Adds an effect to the unit's record.
    #[inline]
    pub fn log(&mut self, words: &[&[u8]]) {
        self.log_verbatim(words.iter().copied());
    }

    /// Adds a command as it came to the unit's record.
    #[inline]
    pub fn log_verbatim<'w>(&mut self, words: impl ExactSizeIterator<Item = &'w [u8]>) {
        if self.scratch.state.recording {
            self.scratch.effects.push(self.scratch.state.db, words);
        }
    }

    /// Says which keys the next command has declared. Debug builds assert that it touches no
    /// other; until this is called, after `undeclare`, and in release builds, nothing is checked.
    pub fn declare<'k>(&mut self, keys: impl Iterator<Item = &'k [u8]>) {
        #[cfg(debug_assertions)]
        {
            self.scratch.declared.clear();
            keys.for_each(|key| self.scratch.declared.push(key));
            let count = self.scratch.declared.len();
            self.scratch.touched.clear();
            self.scratch
                .touched
                .resize(count, std::cell::Cell::new(false));
            self.scratch.is_declared = true;
        }
        #[cfg(not(debug_assertions))]
        let _ = keys;
    }

    /// Whether the command has touched every key that it has declared, for tests: always so in release
    /// builds.
    #[must_use]
    pub fn has_touched_all(&self) -> bool {
        #[cfg(debug_assertions)]
        return self.scratch.touched.iter().all(std::cell::Cell::get);
        #[cfg(not(debug_assertions))]
        true
    }

    /// The command that has declared its keys is over; what follows may touch others.
    pub fn undeclare(&mut self) {
        #[cfg(debug_assertions)]
        {
            self.scratch.is_declared = false;
        }
    }

    /// Ends the unit: record in the change log, unlock, drop what is to be freed.
    #[inline]
    pub fn finish(self) -> Done {
        // Dropping would end it once more. Nothing is lost: what a unit holds is let go by `end`.
        let mut unit = std::mem::ManuallyDrop::new(self);
        unit.end()
    }

    #[inline]
    fn end(&mut self) -> Done {
        self.end_hold();
        if !self.scratch.trash.is_empty() {
            self.empty_trash();
        }
        let state = &self.scratch.state;
        Done {
            dirty: state.dirty,
            changed: state.changed,
            depends_on: state.seen.max(state.number),
        }
    }

    /// Tells the witness what has happened so far. The end of a hold does it; whoever says something
    /// of its own in between that must come after it (PUBLISH in an EXEC) calls it before.
    #[inline]
    pub fn tell(&mut self) {
        if !self.scratch.events.is_empty() || !self.scratch.changed.is_empty() {
            self.tell_witness();
        }
    }

    #[cold]
    fn tell_witness(&mut self) {
        if let Some(witness) = self.witness {
            witness.tell(&self.scratch.events, &self.scratch.changed);
            self.scratch.events.clear();
        }
        self.scratch.changed.clear();
    }

    /// Tells what has happened under the locks that are held, writes its record, and lets them go
    /// (U2).
    #[inline]
    fn end_hold(&mut self) {
        self.tell();
        if self.scratch.state.recording {
            self.publish();
        }
        if let Some(list) = self.held.release() {
            self.scratch.shards = list;
        }
    }

    #[cold]
    fn publish(&mut self) {
        let scratch = &mut *self.scratch;
        let state = &mut scratch.state;
        if state.number == 0 && !scratch.effects.is_empty() {
            state.number = self.store.log.take_number();
        }
        if state.number != 0 {
            self.store
                .log
                .publish(state.worker, state.number, &scratch.effects);
            scratch.effects.clear();
            state.seen = state.seen.max(state.number);
            state.number = 0;
        }
    }

    /// Drops what has been freed; no lock is held.
    #[cold]
    pub(crate) fn empty_trash(&mut self) {
        for (trash, how) in self.scratch.trash.drain(..) {
            self.store.free.free(trash, how);
        }
    }
}

impl Drop for Unit<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            if self.scratch.state.changed {
                self.store.set_half_changed();
                self.held.abandon();
            }
            // What the unit had to say is not said: it has changed nothing, or we are about to exit.
            self.scratch.effects.clear();
            self.scratch.events.clear();
            self.scratch.changed.clear();
            self.scratch.trash.clear();
        } else {
            self.end();
        }
    }
}

/// Takes several shards, with the scratch's vector for their list.
fn several<'s>(
    store: &'s Store,
    shards: &[usize],
    tries: u32,
    scratch: &mut Scratch,
) -> Result<Held<'s>, Busy> {
    let mut list = std::mem::take(&mut scratch.shards);
    list.clear();
    list.extend(
        shards
            .iter()
            .map(|&shard| u16::try_from(shard).expect("shards are few")),
    );
    store.shards.several(list, tries).map_err(|list| {
        scratch.shards = list;
        Busy
    })
}

/// A worker's seed: never 0, and different from the others' in half its bits (a step of
/// SplitMix64).
fn seed_of(seed: u64, worker: usize) -> u64 {
    let mut x = seed.wrapping_add((worker as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (x ^ (x >> 31)) | 1
}
