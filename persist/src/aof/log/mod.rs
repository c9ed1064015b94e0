//! The log thread: what the change log merges goes to the end of a file, and becomes durable there.
//!
//! ```text
//!  lanes ─▶ merge ─▶ buffer ─▶ write ──▶ written = n ─▶ flush ──▶ flushed = n ─▶ Host::flushed
//!                               │ failed: keep, try again each second   │ failed: Host::flush_failed, the end
//!                               └─▶ Host::write_failed .. write_recovered
//! ```
//!
//! Under `always` the log thread flushes itself, once for all that came together. Under `everysec` the
//! flush thread does, once a second, while the log thread writes on. Under `no` nobody does.
//!
//! L1  `written` and `flushed` only rise, and say: every unit up to this number is in the files, is durable.
//! L2  A file ends with a whole unit, or with half of one that is cut off before anything else is written;
//!     so whatever is read back ends between two units.
//! L3  After a failed flush neither number rises again: what the system then says of the file means nothing.
//! L4  A change of files (`switch`) happens between two numbers, and the old file is durable before anything is
//!     written into the new one. Flushes are done in the order in which they were asked for.
//! L5  No wake-up is lost: the log thread says that it sleeps, fences, and looks at the lanes once more; who
//!     publishes a record fences and looks whether it sleeps (`kick`).
//!
//! Checked by: `tests/log.rs`; `tests/power.rs` (RELIABILITY D3) and `tests/faults.rs` (D4) on the simulated disk.

mod flusher;
mod writer;

use std::io;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, fence};
use std::sync::{Arc, OnceLock, mpsc};
use std::thread::{JoinHandle, Thread};

use os::disk::DataFile;
use parking_lot::Mutex;
use store::Merge;

/// `appendfsync`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fsync {
    /// A reply leaves when what it depends on is durable.
    Always,
    /// Once a second, behind everybody's back.
    Everysec,
    /// When the system sees fit.
    No,
}

/// How old the oldest record that is not durable may become under `everysec` before no more are let in (A2).
pub const LATE_MS: i64 = 2_000;

/// Who is told what the log's threads see. Called on those threads, without locks.
pub trait Host: Send + Sync + 'static {
    /// `flushed` has risen, and somebody had asked for that (`Log::tell_when_flushed`).
    fn flushed(&self);
    /// A write has failed; it will be tried again.
    fn write_failed(&self, error: &io::Error);
    /// What could not be written has been written.
    fn write_recovered(&self);
    /// What was written may not be durable and never will be known to be: nothing more is acknowledged (A3).
    fn flush_failed(&self, error: &io::Error);
    /// How long a write or a flush took, µs, by the name of the latency event.
    fn took(&self, event: &'static str, us: u64);
}

/// What the threads and everybody else share.
pub(super) struct Shared {
    host: Arc<dyn Host>,
    /// L1.
    written: AtomicU64,
    flushed: AtomicU64,
    /// The last unit that has been taken out of the merge.
    merged: AtomicU64,
    sleeping: AtomicBool,
    thread: OnceLock<Thread>,
    /// Somebody wants to hear when `flushed` rises.
    awaited: AtomicBool,
    fsync: AtomicU8,
    timestamps: AtomicBool,
    /// No flush while a job writes (`no-appendfsync-on-rewrite`).
    suspended: AtomicBool,
    /// A write has failed and has not been made good.
    failing: AtomicBool,
    /// L3.
    dead: AtomicBool,
    /// Units beyond this number belong into the file that `Control::Switch` brings.
    switch_after: AtomicU64,
    controls: Mutex<Vec<Control>>,
    ages: Mutex<Ages>,
    /// When the oldest record that is not durable was merged, monotonic ms; `i64::MAX`: there is none.
    oldest_ms: AtomicI64,
    /// Bytes in the current file, and in the buffer.
    file_bytes: AtomicU64,
    buffer_bytes: AtomicU64,
    /// Flushes that had to wait for one that took too long.
    delayed: AtomicU64,
    /// Flushes that the flush thread has been asked for.
    flushes: AtomicU64,
}

/// Since when records wait for which flush.
#[derive(Debug, Default)]
struct Ages {
    /// For the one that runs.
    running_ms: Option<i64>,
    /// For the one after it.
    waiting_ms: Option<i64>,
}

/// What the log thread is told to do.
enum Control {
    /// Write to another file from behind `switch_after` on; says when it does.
    Switch {
        file: DataFile,
        bytes: u64,
        done: mpsc::Sender<()>,
    },
    /// Write and flush all that there is.
    Settle {
        then: Then,
        done: mpsc::Sender<io::Result<()>>,
    },
}

/// What follows when all is written and flushed, or cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The log goes on.
    GoOn,
    /// The threads end if all is durable, and go on otherwise.
    EndIfWhole,
    /// The threads end.
    End,
}

/// How the log is to be kept.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// `appendfsync`.
    pub fsync: Fsync,
    /// `aof-timestamp-enabled`.
    pub timestamps: bool,
    /// `aof-checksum`; for the log's whole life.
    pub seals: bool,
}

/// What INFO shows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Bytes in the file that is written to.
    pub file_bytes: u64,
    /// Bytes that wait to be written.
    pub buffer_bytes: u64,
    /// Flushes that came late.
    pub delayed_flushes: u64,
    /// Whether the last write failed.
    pub is_failing: bool,
    /// Whether a flush runs behind everybody's back.
    pub is_flushing: bool,
}

/// The append-only file's end: a log thread and a flush thread.
pub struct Log {
    shared: Arc<Shared>,
    threads: Mutex<Option<(JoinHandle<()>, JoinHandle<()>)>>,
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log")
            .field("written", &self.written())
            .field("flushed", &self.flushed())
            .finish_non_exhaustive()
    }
}

impl Log {
    /// Starts the threads. `merge` begins behind unit `last`; `file` ends at `bytes`, all of them durable.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn start(
        merge: Merge,
        last: u64,
        file: DataFile,
        bytes: u64,
        settings: Settings,
        host: Arc<dyn Host>,
    ) -> io::Result<Log> {
        let shared = Arc::new(Shared::new(last, bytes, settings, host));
        let (jobs, to_flush) = mpsc::channel();
        let flusher = {
            let shared = Arc::clone(&shared);
            let thread = std::thread::Builder::new().name("aof-flush".into());
            thread.spawn(move || flusher::run(&shared, &to_flush))?
        };
        let writer = writer::Writer::new(
            Arc::clone(&shared),
            merge,
            last,
            file,
            bytes,
            settings.seals,
            jobs,
        );
        let thread = std::thread::Builder::new().name("aof-log".into());
        let thread = thread.spawn(move || writer.run())?;
        // Before anybody can have a reason to wake it.
        let _ = shared.thread.set(thread.thread().clone());
        Ok(Log {
            shared,
            threads: Mutex::new(Some((thread, flusher))),
        })
    }

    /// The number up to which all units are in the files.
    #[must_use]
    pub fn written(&self) -> u64 {
        // Acquire, here and below: who sees a number may rely on what was done for it.
        self.shared.written.load(Acquire)
    }

    /// The number up to which all units are durable.
    #[inline]
    #[must_use]
    pub fn flushed(&self) -> u64 {
        self.shared.flushed.load(Acquire)
    }

    /// Wakes the log thread if there is something for it: `newest` is the newest unit's number. Who has
    /// published units calls this afterwards; it costs two loads when there is nothing to do.
    #[inline]
    pub fn kick(&self, newest: u64) {
        // Relaxed: who has published a unit sees a `newest` that is not below it.
        if newest > self.shared.merged.load(Relaxed) {
            // L5: the record is in its lane before we look whether anybody has to be told.
            fence(SeqCst);
            self.shared.wake();
        }
    }

    /// Asks to be told by `Host::flushed` when `flushed` has reached `number`; `false` when it has already.
    #[must_use]
    pub fn tell_when_flushed(&self, number: u64) -> bool {
        if self.flushed() >= number {
            return false;
        }
        // SeqCst: either the log's threads see that somebody waits, or we see that there is no need.
        self.shared.awaited.store(true, SeqCst);
        fence(SeqCst);
        self.flushed() < number
    }

    /// Whether writes have to wait because the disk does not keep up (A2).
    #[inline]
    #[must_use]
    pub fn is_late(&self) -> bool {
        // Relaxed: a figure by itself.
        let oldest_ms = self.shared.oldest_ms.load(Relaxed);
        oldest_ms != i64::MAX && oldest_ms + LATE_MS <= now_ms()
    }

    /// `appendfsync` as it is.
    #[inline]
    #[must_use]
    pub fn fsync(&self) -> Fsync {
        self.shared.fsync()
    }

    /// Changes how the log is kept.
    pub fn set(&self, settings: Settings) {
        // Relaxed: the log thread reads each at every step, and the wake-up orders them.
        self.shared.fsync.store(settings.fsync as u8, Relaxed);
        self.shared.timestamps.store(settings.timestamps, Relaxed);
        self.shared.wake_surely();
    }

    /// Stops flushing, or begins again (`no-appendfsync-on-rewrite` while a job writes).
    pub fn suspend_flushes(&self, suspended: bool) {
        // Relaxed: as above.
        if self.shared.suspended.swap(suspended, Relaxed) != suspended {
            self.shared.wake_surely();
        }
    }

    /// From behind unit `after` on, write to `file`, which ends at `bytes`, all of them durable. The caller holds all shards, and
    /// `after` is the newest unit; the last switch is over. What comes out hears when this one is.
    #[must_use]
    pub fn switch(&self, after: u64, file: DataFile, bytes: u64) -> mpsc::Receiver<()> {
        let (done, is_done) = mpsc::channel();
        let control = Control::Switch { file, bytes, done };
        self.shared.controls.lock().push(control);
        // Release: units beyond it are published after the caller's locks are let go, so who merges one sees
        // the number; the control lies there already.
        self.shared.switch_after.store(after, Release);
        self.shared.wake_surely();
        is_done
    }

    /// Writes and flushes everything that has been published, whatever `appendfsync` says, and does what is
    /// to follow.
    ///
    /// # Errors
    /// What kept the log from being whole.
    pub fn settle(&self, then: Then) -> io::Result<()> {
        let (done, is_done) = mpsc::channel();
        let control = Control::Settle { then, done };
        self.shared.controls.lock().push(control);
        self.shared.wake_surely();
        let result = is_done.recv().unwrap_or_else(|_| Err(dead()));
        let ends = then == Then::End || (then == Then::EndIfWhole && result.is_ok());
        if ends && let Some((writer, flusher)) = self.threads.lock().take() {
            // A panic there has been reported by the panic hook.
            let _ = (writer.join(), flusher.join());
        }
        result
    }

    /// What INFO shows.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let shared = &self.shared;
        // Relaxed: figures for people.
        Figures {
            file_bytes: shared.file_bytes.load(Relaxed),
            buffer_bytes: shared.buffer_bytes.load(Relaxed),
            delayed_flushes: shared.delayed.load(Relaxed),
            is_failing: shared.failing.load(Relaxed),
            is_flushing: shared.flushes.load(Relaxed) > 0,
        }
    }
}

impl Drop for Log {
    /// A log that nobody has ended ends as well as it can.
    fn drop(&mut self) {
        if self.threads.lock().is_some() {
            // Whoever wanted to know has settled it.
            let _ = self.settle(Then::End);
        }
    }
}

impl Shared {
    fn new(last: u64, bytes: u64, settings: Settings, host: Arc<dyn Host>) -> Shared {
        Shared {
            host,
            written: AtomicU64::new(last),
            flushed: AtomicU64::new(last),
            merged: AtomicU64::new(last),
            sleeping: AtomicBool::new(false),
            thread: OnceLock::new(),
            awaited: AtomicBool::new(false),
            fsync: AtomicU8::new(settings.fsync as u8),
            timestamps: AtomicBool::new(settings.timestamps),
            suspended: AtomicBool::new(false),
            failing: AtomicBool::new(false),
            dead: AtomicBool::new(false),
            switch_after: AtomicU64::new(u64::MAX),
            controls: Mutex::default(),
            ages: Mutex::default(),
            oldest_ms: AtomicI64::new(i64::MAX),
            file_bytes: AtomicU64::new(bytes),
            buffer_bytes: AtomicU64::new(0),
            delayed: AtomicU64::new(0),
            flushes: AtomicU64::new(0),
        }
    }

    fn fsync(&self) -> Fsync {
        // Relaxed: a setting by itself.
        match self.fsync.load(Relaxed) {
            0 => Fsync::Always,
            1 => Fsync::Everysec,
            _ => Fsync::No,
        }
    }

    /// Wakes the log thread if it sleeps (L5).
    fn wake(&self) {
        if self.sleeping.load(Relaxed)
            && self.sleeping.swap(false, Relaxed)
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
        }
    }

    /// Wakes it for what is not in the lanes: a token is left even if it does not sleep yet.
    fn wake_surely(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    /// Everything up to `number` is durable (L1).
    fn set_flushed(&self, number: u64) {
        if self.flushed.fetch_max(number, SeqCst) < number {
            // The other half of `tell_when_flushed`.
            fence(SeqCst);
            if self.awaited.swap(false, SeqCst) {
                self.host.flushed();
            }
        }
    }

    /// A flush has failed (L3).
    fn die(&self, error: &io::Error) {
        if !self.dead.swap(true, SeqCst) {
            self.host.flush_failed(error);
        }
    }

    fn is_dead(&self) -> bool {
        self.dead.load(SeqCst)
    }

    /// A record that is not durable has been merged.
    fn note_merged(&self, now_ms: i64) {
        self.ages.lock().waiting_ms.get_or_insert(now_ms);
        self.publish_oldest();
    }

    /// A flush of everything that is written begins.
    fn note_flush_begins(&self) {
        let mut ages = self.ages.lock();
        let waiting = ages.waiting_ms.take();
        ages.running_ms = ages.running_ms.or(waiting);
    }

    /// The flush has ended, and there is no other under way.
    fn note_flush_ended(&self) {
        self.ages.lock().running_ms = None;
        self.publish_oldest();
    }

    /// Nobody waits for a flush that we know of.
    fn forget_ages(&self) {
        *self.ages.lock() = Ages::default();
        self.publish_oldest();
    }

    fn publish_oldest(&self) {
        let ages = self.ages.lock();
        let oldest = ages.running_ms.or(ages.waiting_ms).unwrap_or(i64::MAX);
        // Relaxed: a figure by itself; stored under the lock, so that the newest one stays.
        self.oldest_ms.store(oldest, Relaxed);
    }
}

/// Why a log says nothing more.
fn dead() -> io::Error {
    io::Error::other("a flush of the append-only file has failed before")
}

/// Monotonic time, ms.
fn now_ms() -> i64 {
    os::clock::monotonic_us().cast_signed() / 1_000
}
