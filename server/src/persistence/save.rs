//! Saves: how one begins, what its end means, and who asks for one.
//!
//! ```text
//!   begin: the place (Jobs) ─▶ changes so far ─▶ cut ─▶ thread ─▶ persist::save ─▶ settle ─▶ place free
//!             │ taken              read before the cut: what comes      │ figures, gate MISCONF, log,
//!             └ told so            in between is counted as dirty       └ waiting connections
//! ```
//!
//! The cut is taken by the unit of the worker that was asked, before it answers: what a client writes
//! after the reply of BGSAVE is not in the file. It is part of nobody's wait afterwards: the caller of
//! SAVE alone waits, with its connection (`connection::Wait::Job`), everybody else is served.
//!
//! V1  Success takes the changes off the dirty count that had been counted before the cut.
//! V2  What the end means is settled before the place is free: who sees no save running sees its outcome.
//! V3  A save point tries again five seconds after a failure at the earliest, a person at once.
//!
//! Checked by: server/tests/persistence.rs.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use persist::save::{Failure, Order};
use persist::{Job, Kind};
use store::{Busy, EvictionOrder, Gates, Unit};

use crate::latency::LatencyMonitor;
use crate::log;
use crate::mailbox::Letter;
use crate::server::Server;
use crate::shutdown::ShutdownOptions;

/// After a failure a save point waits this long.
const RETRY_S: i64 = 5;

/// `save`: one pair of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavePoint {
    /// So long ago the last save must be.
    pub seconds: i64,
    /// So many changes there must be since.
    pub changes: u64,
}

/// Why a save did not begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotBegun {
    /// A job of this kind runs.
    Running(Kind),
    /// A shard is held: come again.
    Busy,
    /// The system gives no thread. It has been logged.
    Refused,
}

impl Server {
    /// Begins to save what `unit` sees: it holds everything, or nothing yet.
    pub(crate) fn begin_save(
        self: &Arc<Server>,
        unit: &mut Unit<'_>,
        kind: Kind,
    ) -> Result<Arc<Job>, NotBegun> {
        let persistence = &self.persistence;
        let unix_s = os::clock::wall_ms().div_euclid(1_000);
        let job = persistence
            .jobs
            .begin(kind, unix_s)
            .map_err(NotBegun::Running)?;
        // V1.
        let changes = self.changes.total();
        let began = Instant::now();
        let cut = match unit.cut() {
            Ok(cut) => cut,
            Err(Busy) => {
                persistence.jobs.end(&job, false);
                return Err(NotBegun::Busy);
            }
        };
        let cut_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.note_cut(cut_us);
        let progress = &job.progress;
        progress.keys_total.store(cut.total().keys, Relaxed);
        progress.changes.store(changes, Relaxed);
        progress.cut_us.store(cut_us, Relaxed);
        if kind == Kind::Background {
            persistence.figures.last_try_unix_s.store(unix_s, Relaxed);
        }
        let (server, ours) = (Arc::clone(self), Arc::clone(&job));
        let order = self.save_order();
        let thread = std::thread::Builder::new().name("save".into());
        let spawned = thread.spawn(move || {
            if !order.cpus.is_empty()
                && let Err(why) = os::affinity::bind_thread(&order.cpus)
            {
                log::warning(format_args!("bgsave-cpulist has no effect: {why}"));
            }
            let outcome = persist::save::save(cut, &order, &ours);
            server.settle_save(&ours, outcome);
        });
        match spawned {
            Ok(_) if kind == Kind::Background => {
                let pid = std::process::id();
                log::notice(format_args!("Background saving started by pid {pid}"));
            }
            Ok(_) => {}
            Err(error) => {
                let why = os::files::error_text(&error);
                log::warning(format_args!("Can't save in background: fork: {why}"));
                self.save_failed(kind);
                persistence.jobs.end(&job, false);
                return Err(NotBegun::Refused);
            }
        }
        Ok(job)
    }

    /// A cut for a job counts as Redis's fork does.
    pub(crate) fn note_cut(&self, cut_us: u64) {
        let figures = &self.persistence.figures;
        figures.cuts.fetch_add(1, Relaxed);
        figures.cut_us.store(cut_us, Relaxed);
        note_latency(
            &self.latency,
            "fork",
            cut_us / 1_000,
            self.live().latency_monitor_threshold_ms,
        );
    }

    /// What the configuration says about files now.
    pub(crate) fn save_order(&self) -> Order {
        let config = &self.config;
        let target = os::files::path(&config.text_of("dbfilename"));
        let live = self.live();
        Order {
            disk: self.persistence.disk.clone(),
            temporary: temporary_file(),
            target,
            compress: live.settings.rdb_compression,
            checksum: config.flag("rdbchecksum"),
            cpus: config.string("bgsave-cpulist"),
            flush_each: config
                .flag("rdb-save-incremental-fsync")
                .then_some(FLUSH_BYTES),
            delay_us: config.number("rdb-key-save-delay"),
            version: u16::try_from(config.number("rdb-write-version"))
                .expect("within its row's range"),
            dialect: live.settings.rdb_dialect,
            access: match live.maxmemory_policy.map(|policy| policy.order) {
                Some(EvictionOrder::Lru | EvictionOrder::Lfu) => Some(live.access_policy()),
                _ => None,
            },
            is_aof_base: false,
            redis_version: crate::REDIS_VERSION,
            used_bytes: os::alloc::used_bytes(),
        }
    }

    /// V2. Called by the job's own thread.
    fn settle_save(self: &Arc<Server>, job: &Arc<Job>, outcome: Result<(), Failure>) {
        let figures = &self.persistence.figures;
        let in_background = job.kind() == Kind::Background;
        let succeeded = outcome.is_ok();
        if in_background {
            let took_s = i64::try_from(job.progress.began.elapsed().as_secs());
            figures
                .last_took_s
                .store(took_s.unwrap_or(i64::MAX), Relaxed);
            figures.last_copied.store(self.copied_for(job), Relaxed);
        }
        match outcome {
            Ok(()) => {
                log::notice("DB saved on disk");
                if in_background {
                    log::notice("Background saving terminated with success");
                }
                self.save_succeeded(job.progress.changes.load(Relaxed));
            }
            Err(Failure::Cancelled) => log::warning(Failure::Cancelled),
            Err(failure) => {
                log::warning(format_args!("{failure}"));
                if in_background {
                    log::warning("Background saving error");
                }
                self.save_failed(job.kind());
            }
        }
        self.persistence.jobs.end(job, succeeded);
        self.post_all(|| Letter::Retry);
    }

    /// Bytes copied on account of a job so far.
    pub(crate) fn copied_for(&self, job: &Job) -> u64 {
        let now = self.store.snapshot_bytes();
        job.progress.copied.fetch_max(now, Relaxed).max(now)
    }

    /// The file is good again, and holds what had been counted when it was cut. Not from a worker.
    fn save_succeeded(&self, changes: u64) {
        self.note_saved(changes);
        self.refresh_misconf();
    }

    /// The figures' part of that. The gate, if it is closed, opens with the next save.
    pub(crate) fn note_saved(&self, changes: u64) {
        let figures = &self.persistence.figures;
        let unix_s = os::clock::wall_ms().div_euclid(1_000);
        figures.saved_changes.store(changes, Relaxed);
        figures.last_save_unix_s.store(unix_s, Relaxed);
        figures.saves.fetch_add(1, Relaxed);
        figures.last_ok.store(true, Relaxed);
    }

    /// Only who did not see a save fail has to be stopped by it: SAVE's caller is told.
    fn save_failed(&self, kind: Kind) {
        if kind == Kind::Background {
            self.persistence.figures.last_ok.store(false, Relaxed);
            self.refresh_misconf();
        }
    }

    /// Closes or opens the gate MISCONF as the last outcomes want it. Not from a worker.
    pub(crate) fn refresh_misconf(&self) {
        let wants =
            !self.persistence.figures.last_ok.load(Relaxed) || self.aof.write_error().is_some();
        let gates = self.store.gates(os::clock::wall_ms());
        if gates.closed(Gates::MISCONF) != wants {
            self.persistence.with_all(&self.store, |unit| {
                unit.set_gates(Gates::MISCONF, wants);
            });
        }
    }

    /// The timers' part, ten times a second on worker 0: begins what is scheduled, or what a save point
    /// asks for. `unit` is not asked for unless something is to begin.
    pub(crate) fn wants_save(&self, points: &[SavePoint]) -> bool {
        let persistence = &self.persistence;
        if persistence.jobs.running().is_some() || self.stop.is_requested() {
            return false;
        }
        if persistence.scheduled.load(Relaxed) {
            return true;
        }
        let figures = &persistence.figures;
        let unix_s = os::clock::wall_ms().div_euclid(1_000);
        let dirty = persistence.dirty(&self.changes);
        let may_try = figures.last_ok.load(Relaxed)
            || unix_s - figures.last_try_unix_s.load(Relaxed) > RETRY_S;
        let since_s = unix_s - figures.last_save_unix_s.load(Relaxed);
        let due = points
            .iter()
            .find(|point| dirty >= point.changes && since_s > point.seconds);
        match due {
            Some(point) if may_try => {
                log::notice(format_args!(
                    "{} changes in {} seconds. Saving...",
                    point.changes, point.seconds
                ));
                true
            }
            _ => false,
        }
    }

    /// FLUSHALL has emptied everything: a save of what was there is of no use any more, and with save
    /// points the file is to be empty, too. Gives the job that makes it so, if it could begin at once.
    pub(crate) fn save_after_flush(
        self: &Arc<Server>,
        unit: &mut Unit<'_>,
        points: &[SavePoint],
    ) -> Option<Arc<Job>> {
        if !self.schedule_after_flush(points) {
            return None;
        }
        let job = self.begin_save(unit, Kind::Save).ok()?;
        self.persistence.scheduled.store(false, Relaxed);
        Some(job)
    }

    /// The same where the answer cannot wait (EXEC): the timers begin it. Whether there is something to
    /// begin.
    pub(crate) fn schedule_after_flush(&self, points: &[SavePoint]) -> bool {
        let persistence = &self.persistence;
        if let Some(job) = persistence.jobs.current()
            && job.kind() == Kind::Background
        {
            job.cancel();
        }
        if !points.is_empty() {
            persistence.scheduled.store(true, Relaxed);
        }
        !points.is_empty()
    }

    /// The last save, on the way out; whether the server may go. Jobs that run are of no use any more,
    /// and a loading is given up: what it has brought is in its file.
    pub(crate) fn save_at_end(self: &Arc<Server>, attempt: u64, options: ShutdownOptions) -> bool {
        self.persistence.scheduled.store(false, Relaxed);
        let is_loading = self.end_loading();
        if let Some(job) = self.persistence.jobs.current() {
            if job.kind() != Kind::Rewrite {
                log::warning("There is a child saving an .rdb. Killing it!");
            }
            job.cancel();
        }
        let idle = self.persistence.jobs.wait_idle(CANCEL_PATIENCE);
        let has_points = !self.live().save_points.is_empty();
        if is_loading || !options.save.unwrap_or(has_points) {
            return true;
        }
        log::notice("Saving the final RDB snapshot before exiting.");
        let unix_s = os::clock::wall_ms().div_euclid(1_000);
        let begun = self.persistence.jobs.begin(Kind::Save, unix_s);
        let Ok(job) = begun.map_err(|_| debug_assert!(!idle, "nobody else begins one now")) else {
            log::warning("A job that was cancelled does not end: nothing can be saved");
            return false;
        };
        let saved = self.stop.saves(attempt, &job) && self.save_now(&job);
        self.persistence.jobs.end(&job, saved);
        if !saved && options.force {
            log::warning("Error trying to save the DB. Exit anyway.");
        } else if !saved {
            log::warning("Error trying to save the DB, can't exit.");
        }
        saved
    }

    /// Saves on the caller's thread, which is no worker's.
    fn save_now(&self, job: &Arc<Job>) -> bool {
        let cut = self.persistence.with_all(&self.store, |unit| {
            let changes = self.changes.total();
            job.progress.changes.store(changes, Relaxed);
            unit.cut().expect("the unit holds everything already")
        });
        job.progress.keys_total.store(cut.total().keys, Relaxed);
        match persist::save::save(cut, &self.save_order(), job) {
            Ok(()) => {
                log::notice("DB saved on disk");
                self.save_succeeded(job.progress.changes.load(Relaxed));
                true
            }
            Err(failure) => {
                log::warning(failure);
                false
            }
        }
    }

    /// Gives a loading up; whether there was one.
    fn end_loading(&self) -> bool {
        let Some(loading) = self.persistence.loading() else {
            return false;
        };
        loading.cancelled.store(true, Relaxed);
        let deadline = Instant::now() + CANCEL_PATIENCE;
        while self.persistence.loading().is_some() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        true
    }

    /// What a process that ends at once leaves behind is removed.
    pub fn remove_temporary_file(&self) {
        // Best effort: it is not there, or somebody will find it.
        let _ = self.persistence.disk.remove(&temporary_file());
    }
}

/// A job that has been cancelled ends within one value's encoding, or one flush.
const CANCEL_PATIENCE: Duration = Duration::from_secs(30);

/// As much is written between two flushes, so that the last one does not wait for a whole file.
pub(crate) const FLUSH_BYTES: u64 = 4 << 20;

/// What a save is written into; Redis's name, so that people know what a leftover is.
fn temporary_file() -> std::path::PathBuf {
    format!("temp-{}.rdb", std::process::id()).into()
}

/// Enters a spike of the server's own work, if the monitor asks for it.
pub(crate) fn note_latency(
    monitor: &LatencyMonitor,
    event: &'static str,
    took_ms: u64,
    threshold_ms: u64,
) {
    if threshold_ms > 0 && took_ms >= threshold_ms {
        let unix_s = os::clock::wall_ms().div_euclid(1_000);
        monitor.enter(event, unix_s, took_ms);
    }
}
