//! The rewrite as a job (A5 of docs/design/persistence.md).
//!
//! ```text
//!   place (Jobs) ─▶ thread: next file, manifest ─▶ ticket: cut, change of files ─▶ base ─▶ manifest ─▶ place free
//! ```
//!
//! All of it runs on the job's own thread; workers meet only the cut. A log that begins while we serve
//! (`State::Waiting`) is attached in the unit of its first cut, and its files take their place when the
//! base is there.
//!
//! Checked by: server/tests/aof.rs.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use os::disk::DataFile;
use persist::aof::manifest::{Entry, Layout, Manifest};
use persist::aof::rewrite::{self as files, Fresh};
use persist::save::Order;
use persist::{Job, Kind};
use store::Cut;

use super::State;
use crate::log;
use crate::mailbox::Letter;
use crate::server::Server;

/// So many failures in a row, and growth begins no further rewrite for a while.
const FAILURES_MAX: u64 = 3;
const DELAY_MINUTES_MAX: i64 = 60;

/// Whether a rewrite has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begun {
    /// It runs.
    Now,
    /// It will, when the job that runs has ended.
    Later,
    /// One runs already.
    Already,
    /// The system gives no thread. It has been logged.
    Refused,
}

impl Server {
    /// BGREWRITEAOF. Inside EXEC (`may_begin` not) it is left to the timers.
    pub(crate) fn rewrite_log(self: &Arc<Self>, may_begin: bool) -> Begun {
        let running = self.persistence.jobs.running();
        if running == Some(Kind::Rewrite) {
            return Begun::Already;
        }
        if running.is_some() || !may_begin {
            self.aof.figures.not_before_s.store(0, Relaxed);
            self.aof.scheduled.store(true, Relaxed);
            return Begun::Later;
        }
        self.begin_rewrite()
    }

    /// The timers' part: begins what is scheduled, or what growth asks for.
    pub(crate) fn begin_due_rewrite(self: &Arc<Self>) {
        if self.persistence.jobs.running().is_some() || self.stop.is_requested() {
            return;
        }
        if self.aof.scheduled.load(Relaxed) || self.has_grown() {
            self.begin_rewrite();
        }
    }

    /// Whether the log has grown as much as `auto-aof-rewrite-*` say, and rewrites do not keep failing.
    fn has_grown(&self) -> bool {
        let percentage = self.config.number("auto-aof-rewrite-percentage");
        if self.aof.state() != State::On || percentage == 0 {
            return false;
        }
        let bytes = self.aof.bytes();
        let bytes_min = self.config.number("auto-aof-rewrite-min-size");
        let base = self.aof.figures.base_bytes.load(Relaxed).max(1);
        let growth = i64::try_from(bytes.saturating_mul(100) / base).unwrap_or(i64::MAX) - 100;
        if growth < percentage || i64::try_from(bytes).unwrap_or(i64::MAX) <= bytes_min {
            return false;
        }
        let now_s = os::clock::wall_ms().div_euclid(1_000);
        if now_s < self.aof.figures.not_before_s.load(Relaxed) {
            return false;
        }
        log::notice(format_args!(
            "Starting automatic rewriting of AOF on {growth}% growth"
        ));
        true
    }

    fn begin_rewrite(self: &Arc<Self>) -> Begun {
        let unix_s = os::clock::wall_ms().div_euclid(1_000);
        let job = match self.persistence.jobs.begin(Kind::Rewrite, unix_s) {
            Ok(job) => job,
            Err(Kind::Rewrite) => return Begun::Already,
            Err(_) => {
                self.aof.scheduled.store(true, Relaxed);
                return Begun::Later;
            }
        };
        self.aof.scheduled.store(false, Relaxed);
        let (server, ours) = (Arc::clone(self), Arc::clone(&job));
        let thread = std::thread::Builder::new().name("rewrite".into());
        match thread.spawn(move || server.run_rewrite(&ours)) {
            Ok(_) => {
                let pid = std::process::id();
                log::notice(format_args!(
                    "Background append only file rewriting started by pid {pid}"
                ));
                Begun::Now
            }
            Err(error) => {
                let why = os::files::error_text(&error);
                log::warning(format_args!(
                    "Can't rewrite append only file in background: fork: {why}"
                ));
                self.aof.figures.last_ok.store(false, Relaxed);
                self.persistence.jobs.end(&job, false);
                Begun::Refused
            }
        }
    }

    /// The job's thread.
    fn run_rewrite(self: &Arc<Self>, job: &Arc<Job>) {
        let outcome = self.rewrite(job);
        let figures = &self.aof.figures;
        let took_s = i64::try_from(job.progress.began.elapsed().as_secs());
        figures
            .last_took_s
            .store(took_s.unwrap_or(i64::MAX), Relaxed);
        figures.last_copied.store(self.copied_for(job), Relaxed);
        let succeeded = outcome.is_ok();
        match outcome {
            Ok(()) => {
                log::notice("Background AOF rewrite terminated with success");
                log::notice("Background AOF rewrite finished successfully");
                figures.rewrites.fetch_add(1, Relaxed);
                figures.failures_in_a_row.store(0, Relaxed);
                figures.delay_minutes.store(0, Relaxed);
                figures.last_ok.store(true, Relaxed);
            }
            Err(Why::Cancelled) => log::notice("Background AOF rewrite was cancelled"),
            Err(Why::Failed(why)) => {
                log::warning(why);
                log::warning("Background AOF rewrite terminated with error");
                figures.rewrites.fetch_add(1, Relaxed);
                figures.last_ok.store(false, Relaxed);
                self.put_growth_off();
            }
        }
        // A log that was asked for is asked for until it is there.
        if !succeeded && self.aof.state() == State::Waiting {
            self.aof.scheduled.store(true, Relaxed);
        }
        self.persistence.jobs.end(job, succeeded);
        self.post_all(|| Letter::Retry);
    }

    fn put_growth_off(&self) {
        let figures = &self.aof.figures;
        if figures.failures_in_a_row.fetch_add(1, Relaxed) + 1 < FAILURES_MAX {
            return;
        }
        let minutes = (figures.delay_minutes.load(Relaxed) * 2).clamp(1, DELAY_MINUTES_MAX);
        figures.delay_minutes.store(minutes, Relaxed);
        let now_s = os::clock::wall_ms().div_euclid(1_000);
        figures.not_before_s.store(now_s + minutes * 60, Relaxed);
        log::warning(format_args!(
            "Background AOF rewrite has repeatedly failed and triggered the limit, will retry in {minutes} minutes"
        ));
    }

    /// Cancels the rewrite that runs, if one does.
    pub(super) fn cancel_rewrite(&self) {
        if let Some(job) = self.persistence.jobs.current()
            && job.kind() == Kind::Rewrite
        {
            log::notice(format_args!(
                "Killing running AOF rewrite child: {}",
                std::process::id()
            ));
            job.cancel();
        }
    }

    fn rewrite(self: &Arc<Self>, job: &Arc<Job>) -> Result<(), Why> {
        let mut manifest = self.aof.files.lock();
        let (disk, layout) = (&self.persistence.disk, self.log_layout());
        let has_seals = self.live().log.seals;
        let state = self.aof.state();
        let is_on = self.aof.log().is_some();
        let is_apart = state == State::Waiting;
        let fresh = match state {
            State::Off => None,
            State::Waiting => Some(files::begin_apart(disk, &layout, &manifest, has_seals)),
            State::On => Some(files::begin(disk, &layout, &mut manifest, has_seals)),
        };
        let fresh = fresh.transpose().map_err(|e| {
            let text = os::files::error_text(&e);
            Why::Failed(format!("Can't open the append-only file: {text}"))
        })?;
        let seq = match &fresh {
            Some(fresh) => fresh.seq,
            None => manifest.incremental.last().map_or(0, |last| last.seq) + 1,
        };
        if fresh.is_some() {
            log::notice("Creating AOF incr file on background rewrite");
        }
        let (cut, change) = self.cut_and_change(job, fresh, is_on)?;
        let base = self.save_base(cut, job, &manifest, &layout)?;
        if let Some(change) = change {
            wait(&change, job)?;
        }
        if job.is_cancelled() {
            // Best effort: what nobody names is overwritten by the next one.
            let _ = disk.remove(&layout.path(&base.name));
            return Err(Why::Cancelled);
        }
        let keeps = self.config.flag("aof-disable-auto-gc");
        let base_bytes = disk.len(&layout.path(&base.name)).unwrap_or(0);
        let finished = if is_apart {
            files::finish_apart(disk, &layout, &mut manifest, base, seq, keeps)
        } else {
            files::finish(disk, &layout, &mut manifest, base, seq, keeps)
        };
        finished.map_err(|e| {
            let text = os::files::error_text(&e);
            Why::Failed(format!("Error trying to persist the AOF manifest: {text}"))
        })?;
        self.aof.figures.other_bytes.store(base_bytes, Relaxed);
        let bytes = self.aof.bytes();
        self.aof.figures.base_bytes.store(bytes, Relaxed);
        if self.aof.state() == State::Waiting {
            self.aof.set_state(State::On);
        }
        Ok(())
    }

    /// The moment of the cut: from behind it on the log goes into the fresh file.
    fn cut_and_change(
        self: &Arc<Self>,
        job: &Arc<Job>,
        fresh: Option<Fresh>,
        is_on: bool,
    ) -> Result<(Cut, Option<Receiver<()>>), Why> {
        let log = self.aof.log();
        let mut change = None;
        let mut begin: Option<(store::Merge, DataFile, u64)> = None;
        let mut cut_us = 0;
        let cut = self.persistence.with_all(&self.store, |unit| {
            let began = Instant::now();
            let cut = unit.cut().expect("the unit holds everything already");
            cut_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
            job.progress.changes.store(self.changes.total(), Relaxed);
            match (fresh, log) {
                (Some(fresh), Some(log)) if is_on => {
                    change = Some(log.switch(cut.log_number(), fresh.file, fresh.bytes));
                }
                (Some(fresh), _) => begin = Some((unit.attach_log(), fresh.file, fresh.bytes)),
                (None, _) => {}
            }
            cut
        });
        self.note_cut(cut_us);
        let progress = &job.progress;
        progress.keys_total.store(cut.total().keys, Relaxed);
        progress.cut_us.store(cut_us, Relaxed);
        if let Some((merge, file, bytes)) = begin {
            let started = self.start_log(merge, cut.log_number(), file, bytes);
            started.map_err(|e| Why::Failed(format!("Can't start the log's threads: {e}")))?;
        }
        Ok((cut, change))
    }

    fn base_order(&self, layout: &Layout, base: &Entry) -> Order {
        let pid = std::process::id();
        let name = format!("temp-rewriteaof-bg-{pid}.aof");
        Order {
            temporary: layout.path(name.as_bytes()),
            target: layout.path(&base.name),
            is_aof_base: true,
            flush_each: self
                .config
                .flag("aof-rewrite-incremental-fsync")
                .then_some(crate::persistence::FLUSH_BYTES),
            ..self.save_order()
        }
    }

    fn save_base(
        &self,
        cut: Cut,
        job: &Arc<Job>,
        manifest: &Manifest,
        layout: &Layout,
    ) -> Result<Entry, Why> {
        let is_rdb = self.config.flag("aof-use-rdb-preamble");
        let base = manifest.next_base(layout, is_rdb);
        let order = self.base_order(layout, &base);
        persist::aof::manifest::make_folder(&self.persistence.disk, layout)
            .map_err(|e| Why::Failed(os::files::error_text(&e)))?;
        let saved = if is_rdb {
            persist::save::save(cut, &order, job)
        } else {
            persist::aof::commands::save(cut, self.live().log.timestamps, &order, job)
        };
        match saved {
            Ok(()) => Ok(base),
            Err(persist::save::Failure::Cancelled) => Err(Why::Cancelled),
            Err(failure) => Err(Why::Failed(failure.to_string())),
        }
    }

    /// The base of a server that begins with nothing.
    pub(super) fn save_first_base(&self, manifest: &mut Manifest) -> io::Result<()> {
        let layout = self.log_layout();
        let unix_s = os::clock::wall_ms().div_euclid(1_000);
        let job = Arc::new(Job::new(Kind::Rewrite, unix_s));
        let cut = self.persistence.with_all(&self.store, |unit| {
            unit.cut().expect("the unit holds everything already")
        });
        match self.save_base(cut, &job, manifest, &layout) {
            Ok(base) => {
                let name = String::from_utf8_lossy(&base.name);
                log::notice(format_args!(
                    "Creating AOF base file {name} on server start"
                ));
                manifest.base = Some(base);
                Ok(())
            }
            Err(Why::Cancelled) => unreachable!("nobody knows the job"),
            Err(Why::Failed(why)) => Err(io::Error::other(why)),
        }
    }
}

/// Why there is no new base.
enum Why {
    /// Somebody wanted it so.
    Cancelled,
    /// What went wrong.
    Failed(String),
}

/// Waits until the log has changed files.
fn wait(change: &Receiver<()>, job: &Job) -> Result<(), Why> {
    loop {
        match change.recv_timeout(Duration::from_millis(50)) {
            Ok(()) => return Ok(()),
            Err(RecvTimeoutError::Timeout) if !job.is_cancelled() => {}
            Err(RecvTimeoutError::Timeout) => return Err(Why::Cancelled),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Why::Failed(
                    "The log has ended before the rewrite".to_owned(),
                ));
            }
        }
    }
}
