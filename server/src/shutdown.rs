//! The way out: one path, whoever asked (SIGTERM, Ctrl-C, a service manager, SHUTDOWN).
//!
//!   Running ──request──▶ Stopping ──all phases done──▶ exit 0
//!      ▲                    │
//!      └── taken back ──────┘   (SHUTDOWN ABORT, or a phase that failed without FORCE)
//!
//! | phase | what |
//! |---|---|
//! | `Writers` | the gate STOPPING closes: what changes data waits, so nothing is acknowledged that is not saved |
//! | `Save` | jobs that run are cancelled; then the last save, as the words and the save points want it |
//! | `Connections` | workers stop listening, let replies leave, close politely, end |
//!
//! Each is logged at its start and its end. Persistence's log has its own in between.
//!
//! X1  a request that is already under way is not begun again; a second one hurries it, and makes it
//!     forced if it says so.
//! X2  `Connections` takes at most `shutdown-timeout`: then what is left is cut off. A save takes the time
//!     that it takes.
//! X3  who aborts is told the truth: once `Connections` has begun there is nothing to abort.
//! X4  a try that is taken back opens the gate again, and who asked for it by SHUTDOWN is told.
//!
//! Checked by: tests below, server/tests/persistence.rs, the foreign suite's unit/shutdown.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use persist::Job;
use store::Gates;

use crate::live::Live;
use crate::log;
use crate::mailbox::Letter;
use crate::server::Server;

/// SHUTDOWN's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShutdownOptions {
    /// SAVE or NOSAVE; otherwise as the save points say.
    pub save: Option<bool>,
    /// NOW: wait for nobody.
    pub now: bool,
    /// FORCE: whatever fails, stop.
    pub force: bool,
    /// SAFE: not where an election would be hurt.
    pub safe: bool,
    /// The system asked, not a client.
    pub by_signal: bool,
}

impl std::fmt::Display for ShutdownOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let save = match self.save {
            Some(true) => "save",
            Some(false) => "nosave",
            None => "save as the save points say",
        };
        f.write_str(save)?;
        for (is, word) in [
            (self.now, "now"),
            (self.force, "force"),
            (self.safe, "safe"),
        ] {
            if is {
                write!(f, ", {word}")?;
            }
        }
        Ok(())
    }
}

#[derive(Debug, Default)]
struct Inner {
    wanted: Option<ShutdownOptions>,
    /// Which try this is, or was: they are numbered from 1.
    attempt: u64,
    /// The last one that was taken back.
    taken_back: u64,
    /// The save of this try, while it runs.
    save: Option<Arc<Job>>,
    /// Workers close: there is no way back.
    committed: bool,
    workers_gone: usize,
}

/// Whether and how the server stops.
#[derive(Debug, Default)]
pub struct Stop {
    /// Says quickly whether `wanted` is set.
    stopping: AtomicBool,
    inner: Mutex<Inner>,
    changed: Condvar,
}

impl Stop {
    /// Asks for the end, or joins the try that is under way (X1); gives its number.
    pub fn request(&self, options: ShutdownOptions) -> u64 {
        let mut inner = self.inner.lock();
        match &mut inner.wanted {
            Some(wanted) => {
                wanted.force |= options.force;
                wanted.now = true;
                // Who wants no save does not want to hear that it failed.
                if options.save == Some(false) {
                    wanted.save = options.save;
                }
            }
            None => {
                inner.wanted = Some(options);
                inner.attempt += 1;
            }
        }
        // Release: a worker that sees the flag finds the options.
        self.stopping.store(true, Ordering::Release);
        self.changed.notify_all();
        inner.attempt
    }

    /// Takes the request back; `false` when there is none, or no way back (X3).
    pub fn abort(&self) -> bool {
        let mut inner = self.inner.lock();
        if inner.committed || inner.wanted.is_none() {
            return false;
        }
        inner.wanted = None;
        inner.taken_back = inner.attempt;
        if let Some(job) = inner.save.take() {
            job.cancel();
        }
        self.stopping.store(false, Ordering::Release);
        self.changed.notify_all();
        true
    }

    /// Whether a try was taken back (X4).
    pub(crate) fn has_ended(&self, attempt: u64) -> bool {
        self.inner.lock().taken_back >= attempt
    }

    /// What is wanted of a try; `None` when it has been taken back.
    fn options_of(&self, attempt: u64) -> Option<ShutdownOptions> {
        let inner = self.inner.lock();
        inner.wanted.filter(|_| inner.attempt == attempt)
    }

    /// From here on the end cannot be taken back (X3); `false` when it has been.
    fn commit(&self, attempt: u64) -> bool {
        let mut inner = self.inner.lock();
        inner.committed = inner.wanted.is_some() && inner.attempt == attempt;
        inner.committed
    }

    /// Names the save that a taking back cancels; `false` when that has happened already.
    pub(crate) fn saves(&self, attempt: u64, job: &Arc<Job>) -> bool {
        let mut inner = self.inner.lock();
        let is_on = inner.wanted.is_some() && inner.attempt == attempt;
        inner.save = is_on.then(|| Arc::clone(job));
        is_on
    }

    /// Whether the end is under way.
    #[inline]
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// What was asked for.
    #[must_use]
    pub fn options(&self) -> Option<ShutdownOptions> {
        self.inner.lock().wanted
    }

    /// A worker has closed everything and ends.
    pub(crate) fn worker_gone(&self) {
        self.inner.lock().workers_gone += 1;
        self.changed.notify_all();
    }

    /// How long replies may take to leave.
    pub(crate) fn patience(&self, live: &Live) -> Duration {
        match self.options() {
            Some(options) if options.now => Duration::from_millis(100),
            _ => live.shutdown_timeout,
        }
    }

    /// Waits until `workers` have gone, at most until `deadline`; gives how many have.
    fn wait_for_workers(&self, workers: usize, deadline: Instant) -> usize {
        let mut inner = self.inner.lock();
        while inner.workers_gone < workers {
            if self.changed.wait_until(&mut inner, deadline).timed_out() {
                break;
            }
        }
        inner.workers_gone
    }

    /// Waits until the end is asked for; gives the number of the try.
    pub fn wait_for_request(&self) -> u64 {
        let mut inner = self.inner.lock();
        while inner.wanted.is_none() {
            self.changed.wait(&mut inner);
        }
        inner.attempt
    }

    /// Waits a little, or until something has changed.
    fn wait_for_change(&self, patience: Duration) {
        let mut inner = self.inner.lock();
        self.changed.wait_for(&mut inner, patience);
    }
}

/// The steps of the way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Writers,
    Log,
    Save,
    Connections,
}

impl Phase {
    const ALL: [Phase; 4] = [Phase::Writers, Phase::Log, Phase::Save, Phase::Connections];

    fn name(self) -> &'static str {
        match self {
            Phase::Writers => "holding up writers",
            Phase::Log => "writing and flushing the log",
            Phase::Save => "saving",
            Phase::Connections => "closing listeners and connections",
        }
    }

    /// Does it; whether it succeeded.
    fn run(self, server: &Arc<Server>, attempt: u64, options: ShutdownOptions) -> bool {
        match self {
            Phase::Writers => {
                set_gate(server, true);
                true
            }
            Phase::Log => server.settle_log(),
            Phase::Save => server.save_at_end(attempt, options),
            Phase::Connections => {
                // A second beyond the workers' own patience, so that they report first.
                let patience = server.stop.patience(&server.live()) + Duration::from_secs(1);
                let deadline = Instant::now() + patience;
                server.post_all(|| Letter::Stop);
                let gone = server.stop.wait_for_workers(server.start.workers, deadline);
                if gone < server.start.workers {
                    log::warning(format_args!(
                        "Shutdown: {} of {} workers have not ended in time",
                        server.start.workers - gone,
                        server.start.workers
                    ));
                }
                true
            }
        }
    }
}

fn set_gate(server: &Server, closed: bool) {
    let persistence = &server.persistence;
    persistence.with_all(&server.store, |unit| {
        unit.set_gates(Gates::STOPPING, closed);
    });
}

/// Sees the end through; called by the thread that waited for the request. `false` when the request
/// has been taken back.
pub(crate) fn run(server: &Arc<Server>, attempt: u64) -> bool {
    let done = run_phases(server, attempt);
    if !done {
        set_gate(server, false);
        server.post_all(|| Letter::Retry);
    }
    done
}

/// How often a request that DEBUG PAUSE-CRON holds up is looked at again.
const CRON_PAUSE: Duration = Duration::from_millis(10);

fn run_phases(server: &Arc<Server>, attempt: u64) -> bool {
    // Elsewhere the timers act on signals: whoever stops those (tests do) has time to take it back.
    // Relaxed: DEBUG's switch, by itself.
    while server.cron_paused.load(Ordering::Relaxed)
        && (server.stop.options_of(attempt)).is_some_and(|options| options.by_signal)
    {
        server.stop.wait_for_change(CRON_PAUSE);
    }
    log::notice("User requested shutdown...");
    for phase in Phase::ALL {
        let Some(options) = server.stop.options_of(attempt) else {
            return false;
        };
        if phase == Phase::Connections && !server.stop.commit(attempt) {
            return false;
        }
        let began = Instant::now();
        log::notice(format_args!(
            "Shutdown: {} begins ({options})",
            phase.name()
        ));
        let done = phase.run(server, attempt, options);
        let took_ms = began.elapsed().as_millis();
        let outcome = if done { "done" } else { "failed" };
        log::notice(format_args!(
            "Shutdown: {} {outcome} in {took_ms} ms",
            phase.name()
        ));
        // Another may have said FORCE meanwhile.
        let forced = server.stop.options_of(attempt).map(|options| options.force);
        if !done && forced != Some(true) {
            if forced.is_some() {
                tell_failure(options);
                server.stop.abort();
            }
            return false;
        }
    }
    true
}

fn tell_failure(options: ShutdownOptions) {
    log::warning("Errors trying to shut down the server. Check the logs for more information.");
    if options.by_signal {
        log::warning(
            "SIGTERM received but errors trying to shut down the server, check the logs for more information",
        );
    }
}

/// The end of a server that could not start: no phases, no log.
pub(crate) fn give_up(server: &Server) {
    server.stop.request(ShutdownOptions {
        now: true,
        ..ShutdownOptions::default()
    });
    server.post_all(|| Letter::Stop);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_request_hurries_the_first_and_abort_forgets() {
        let stop = Stop::default();
        assert!(!stop.is_requested() && !stop.abort());
        let first = stop.request(ShutdownOptions {
            save: Some(false),
            ..Default::default()
        });
        let second = stop.request(ShutdownOptions {
            force: true,
            ..Default::default()
        });
        assert_eq!((first, second), (1, 1));
        let expected = ShutdownOptions {
            save: Some(false),
            now: true,
            force: true,
            ..Default::default()
        };
        assert_eq!(stop.wait_for_request(), 1);
        assert_eq!(stop.options_of(1), Some(expected));
        assert!(stop.abort() && !stop.is_requested() && stop.has_ended(1));
        assert_eq!(stop.options(), None);
        assert!(!stop.commit(1));
        assert_eq!(stop.request(ShutdownOptions::default()), 2);
        assert!(!stop.has_ended(2) && !stop.commit(1) && stop.commit(2));
        assert!(!stop.abort() && stop.is_requested());
    }
}
