//! Jobs: one save at a time, and what it says of itself.
//!
//! ```text
//!            begin                       end
//!   idle ───────────▶ one job runs ───────────────▶ idle
//!                          │  cancel: it sees the flag at its next key
//!                          └─ everybody reads its progress
//! ```
//!
//! P1  One job at a time, whatever its kind: two of them would share the disk and double the price of
//!     a cut. Who comes second is told what is running.
//! P4  A job's progress is read at any time; each figure stands for itself.
//!
//! Checked by: tests below.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// What a job is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// SAVE: somebody waits for it.
    Save,
    /// BGSAVE, a save point, the end of a loading.
    Background,
    /// The base of an append-only file.
    Rewrite,
}

/// What a job says of itself (P4).
#[derive(Debug)]
pub struct Progress {
    /// When it began, seconds since 1970.
    pub began_unix_s: i64,
    /// The same by the monotonic clock.
    pub began: Instant,
    /// Keys that the cut holds.
    pub keys_total: AtomicU64,
    /// Keys that have been encoded.
    pub keys: AtomicU64,
    /// Bytes that have been written.
    pub bytes: AtomicU64,
    /// How long the cut took, µs.
    pub cut_us: AtomicU64,
    /// The most bytes that were held by the cut alone, because the originals had been copied.
    pub copied: AtomicU64,
    /// Changes that the cut holds: success takes them off the dirty count.
    pub changes: AtomicU64,
}

/// A job that runs.
#[derive(Debug)]
pub struct Job {
    kind: Kind,
    /// What it says of itself.
    pub progress: Progress,
    cancelled: AtomicBool,
    /// `None` while it runs; whether it succeeded.
    outcome: Mutex<Option<bool>>,
}

impl Job {
    /// A job that begins now, and that nobody but its maker knows of: [`Jobs::begin`] makes the others.
    #[must_use]
    pub fn new(kind: Kind, unix_s: i64) -> Job {
        Job {
            kind,
            progress: Progress {
                began_unix_s: unix_s,
                began: Instant::now(),
                keys_total: AtomicU64::new(0),
                keys: AtomicU64::new(0),
                bytes: AtomicU64::new(0),
                cut_us: AtomicU64::new(0),
                copied: AtomicU64::new(0),
                changes: AtomicU64::new(0),
            },
            cancelled: AtomicBool::new(false),
            outcome: Mutex::new(None),
        }
    }

    /// What it is for.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Asks it to end without a result.
    pub fn cancel(&self) {
        // Relaxed, here and below: the flag stands for itself; the job looks at every key.
        self.cancelled.store(true, Relaxed);
    }

    /// Whether it has been asked to end.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Relaxed)
    }

    /// Whether it succeeded; `None` while it runs.
    #[must_use]
    pub fn outcome(&self) -> Option<bool> {
        *self.outcome.lock()
    }
}

/// The place of the one job (P1).
#[derive(Debug, Default)]
pub struct Jobs {
    current: Mutex<Option<Arc<Job>>>,
    ended: Condvar,
}

impl Jobs {
    /// Takes the place for a job of this kind.
    ///
    /// # Errors
    /// The kind of the job that has it.
    pub fn begin(&self, kind: Kind, unix_s: i64) -> Result<Arc<Job>, Kind> {
        let mut current = self.current.lock();
        match &*current {
            Some(job) => Err(job.kind),
            None => {
                let job = Arc::new(Job::new(kind, unix_s));
                *current = Some(Arc::clone(&job));
                Ok(job)
            }
        }
    }

    /// The job is over: its place is free, and who waits hears of it. What the outcome means for
    /// everybody else has been settled before.
    ///
    /// # Panics
    /// If it is not the one that runs.
    pub fn end(&self, job: &Arc<Job>, succeeded: bool) {
        let mut current = self.current.lock();
        let ours = current.take().filter(|ours| Arc::ptr_eq(ours, job));
        assert!(ours.is_some(), "only the job that has the place ends");
        *job.outcome.lock() = Some(succeeded);
        self.ended.notify_all();
    }

    /// The job that runs.
    #[must_use]
    pub fn current(&self) -> Option<Arc<Job>> {
        self.current.lock().clone()
    }

    /// The kind of the job that runs.
    #[must_use]
    pub fn running(&self) -> Option<Kind> {
        self.current.lock().as_ref().map(|job| job.kind)
    }

    /// Waits until no job runs, at most so long; whether none does.
    pub fn wait_idle(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        let mut current = self.current.lock();
        while current.is_some() {
            if self.ended.wait_until(&mut current, deadline).timed_out() {
                break;
            }
        }
        current.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_job_at_a_time() {
        let jobs = Jobs::default();
        assert!(jobs.wait_idle(Duration::ZERO));
        let job = jobs.begin(Kind::Background, 7).expect("the place is free");
        assert_eq!(jobs.begin(Kind::Save, 8).err(), Some(Kind::Background));
        assert_eq!(jobs.running(), Some(Kind::Background));
        assert_eq!((job.outcome(), job.is_cancelled()), (None, false));
        job.cancel();
        assert!(jobs.current().expect("it runs").is_cancelled());
        assert!(!jobs.wait_idle(Duration::from_millis(1)));
        jobs.end(&job, false);
        assert_eq!(job.outcome(), Some(false));
        assert!(jobs.begin(Kind::Rewrite, 9).is_ok());
    }
}
