//! Data files as the server sees them: which save runs, what the last one gave, how far a loading is.
//!
//! | file | what |
//! |---|---|
//! | `mod.rs` | the figures, and units of threads that are no workers |
//! | `save.rs` | begins saves, ends them, save points, what FLUSHALL means for the file |
//! | `load.rs` | loading at the start and by DEBUG RELOAD |
//! | `replay.rs` | the append-only file's commands run |
//! | `refuse.rs` | commands that are refused: LOADING, MISCONF |
//!
//! ```text
//!   BGSAVE, SAVE, save points ─▶ cut ─▶ a thread "save" (persist::save) ─▶ figures, gate ─▶ place is free
//! ```
//!
//! Threads that are no workers (a job's end, the stop, loading) take the locks through lanes of their
//! own in the store, `LANES` of them behind the workers'. The first is for one thread after another:
//! [`Persistence::with_all`].
//!
//! **Invariant:** the gate MISCONF is closed exactly while the last save, or the log, has failed; what
//! that means for a command is decided when it comes (`refuse.rs`), because parameters have a say.
//!
//! Checked by: server/tests/persistence.rs, the foreign suite's `integration/rdb` and `unit/shutdown`.

mod load;
mod refuse;
mod replay;
mod save;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64};
use std::time::Duration;

use os::disk::Disk;
use parking_lot::Mutex;
use persist::Jobs;
use persist::load::Progress;
use store::{Busy, Plan, Scratch, Store, Turn, Unit};

use crate::stats::Changes;

pub use load::NotLoaded;
pub(crate) use refuse::{REFUSING, Refusal};
pub use replay::Replayed;
pub use save::SavePoint;
pub(crate) use save::{FLUSH_BYTES, NotBegun, note_latency};

/// Lanes in the store behind the workers': the first for [`Persistence::with_all`], all of them for
/// the threads of a loading.
pub(crate) const LANES: usize = 4;

/// How long a thread that found a shard held waits before it tries again.
const BUSY_PAUSE: Duration = Duration::from_micros(200);

/// See the page.
#[derive(Debug)]
pub struct Persistence {
    /// Where data files lie.
    pub disk: Disk,
    /// The one job.
    pub jobs: Jobs,
    /// The first of our lanes in the store.
    lane: usize,
    /// What threads that are no workers begin units with, one at a time.
    service: Mutex<Scratch>,
    /// The loading that runs.
    loading: Mutex<Option<Arc<Progress>>>,
    /// What the loading of the append-only file found, until the log goes on from there.
    pub replayed: Mutex<Option<Replayed>>,
    /// BGSAVE SCHEDULE, and what could not begin at once: the timers begin it.
    pub(crate) scheduled: AtomicBool,
    /// INFO's figures. Relaxed, all of them: each stands for itself.
    pub(crate) figures: Figures,
}

/// What the last save and the last loading gave.
#[derive(Debug)]
pub(crate) struct Figures {
    /// When the file was last good, seconds since 1970.
    pub(crate) last_save_unix_s: AtomicI64,
    /// When a save was last begun in the background, likewise.
    pub(crate) last_try_unix_s: AtomicI64,
    /// Whether the last save succeeded.
    pub(crate) last_ok: AtomicBool,
    /// How long the last background save took, seconds; -1: there was none.
    pub(crate) last_took_s: AtomicI64,
    /// Saves that succeeded.
    pub(crate) saves: AtomicU64,
    /// Bytes copied because of the last background save.
    pub(crate) last_copied: AtomicU64,
    /// Changes that are in the file: what is above is dirty.
    saved_changes: AtomicU64,
    /// Cuts for jobs: what forks are elsewhere.
    pub(crate) cuts: AtomicU64,
    /// How long the latest took, µs.
    pub(crate) cut_us: AtomicU64,
    /// Keys that the last loading brought.
    pub(crate) keys_loaded: AtomicU64,
    /// Keys that it left out because their time was over.
    pub(crate) keys_expired: AtomicU64,
}

impl Persistence {
    /// Nothing has been saved yet.
    pub(crate) fn new(disk: Disk, lane: usize, unix_ms: i64) -> Persistence {
        Persistence {
            disk,
            jobs: Jobs::default(),
            lane,
            service: Mutex::new(Scratch::new()),
            loading: Mutex::new(None),
            replayed: Mutex::new(None),
            scheduled: AtomicBool::new(false),
            figures: Figures {
                last_save_unix_s: AtomicI64::new(unix_ms.div_euclid(1_000)),
                last_try_unix_s: AtomicI64::new(0),
                last_ok: AtomicBool::new(true),
                last_took_s: AtomicI64::new(-1),
                saves: AtomicU64::new(0),
                last_copied: AtomicU64::new(0),
                saved_changes: AtomicU64::new(0),
                cuts: AtomicU64::new(0),
                cut_us: AtomicU64::new(0),
                keys_loaded: AtomicU64::new(0),
                keys_expired: AtomicU64::new(0),
            },
        }
    }

    /// Changes that are not in the file: `rdb_changes_since_last_save`.
    pub(crate) fn dirty(&self, changes: &Changes) -> u64 {
        // Saturating: the two are not read at one moment.
        changes
            .total()
            .saturating_sub(self.figures.saved_changes.load(Relaxed))
    }

    /// The loading that runs.
    pub(crate) fn loading(&self) -> Option<Arc<Progress>> {
        self.loading.lock().clone()
    }

    /// CONFIG RESETSTAT.
    pub(crate) fn reset_statistics(&self) {
        self.figures.cuts.store(0, Relaxed);
        self.figures.saves.store(0, Relaxed);
    }

    /// Runs `f` with every shard held. For threads that may wait: never from a worker.
    pub(crate) fn with_all<R>(&self, store: &Store, f: impl FnOnce(&mut Unit<'_>) -> R) -> R {
        let mut scratch = self.service.lock();
        let mut tries = 0;
        loop {
            let clock_ms = os::clock::wall_ms();
            let turn = Turn {
                tries,
                ..Turn::new(self.lane, 0, clock_ms, &mut scratch)
            };
            match store.begin(Plan::Wide, turn) {
                Ok(mut unit) => return f(&mut unit),
                Err(Busy) => std::thread::sleep(BUSY_PAUSE),
            }
            tries += 1;
        }
    }
}
