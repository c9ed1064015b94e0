//! The way out: one path, whoever asked (SIGTERM, Ctrl-C, a service manager, SHUTDOWN).
//!
//!   Running ──request──▶ Stopping ──all phases done──▶ exit 0
//!      ▲                    │
//!      └──── abort ─────────┘   (SHUTDOWN ABORT, or a phase that failed without FORCE)
//!
//! Phases, each logged at its start and its end: `Asked` (who and how); `Connections` (workers stop
//! listening, let replies leave, close politely, end). Persistence puts its own in between.
//!
//! X1  a request that is already under way is not begun again; a second signal makes it forced.
//! X2  the whole takes at most `shutdown-timeout`: then what is left is cut off.
//! X3  who aborts is told the truth: once `Connections` has begun there is nothing to abort.
//!
//! Checked by: tests below, server/tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

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
    /// Asks for the end; `false` when it is already under way (X1).
    pub fn request(&self, options: ShutdownOptions) -> bool {
        let mut inner = self.inner.lock();
        let first = inner.wanted.is_none();
        match &mut inner.wanted {
            Some(wanted) => {
                wanted.force |= options.force;
                wanted.now = true;
            }
            None => inner.wanted = Some(options),
        }
        // Release: a worker that sees the flag finds the options.
        self.stopping.store(true, Ordering::Release);
        self.changed.notify_all();
        first
    }

    /// Takes the request back; `false` when there is none, or no way back (X3).
    pub fn abort(&self) -> bool {
        let mut inner = self.inner.lock();
        if inner.committed {
            return false;
        }
        let was = inner.wanted.take().is_some();
        self.stopping.store(false, Ordering::Release);
        self.changed.notify_all();
        was
    }

    /// From here on the end cannot be taken back (X3); `false` when it has been.
    fn commit(&self) -> bool {
        let mut inner = self.inner.lock();
        inner.committed = inner.wanted.is_some();
        inner.committed
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

    /// Waits until the end is asked for.
    pub fn wait_for_request(&self) -> ShutdownOptions {
        let mut inner = self.inner.lock();
        loop {
            if let Some(options) = inner.wanted {
                return options;
            }
            self.changed.wait(&mut inner);
        }
    }
}

/// The steps of the way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Workers stop listening, let what was said leave, close, and end.
    Connections,
}

impl Phase {
    const ALL: [Phase; 1] = [Phase::Connections];

    fn name(self) -> &'static str {
        match self {
            Phase::Connections => "closing listeners and connections",
        }
    }

    fn run(self, server: &Server, deadline: Instant) {
        match self {
            Phase::Connections => {
                server.post_all(|| Letter::Stop);
                let gone = server.stop.wait_for_workers(server.start.workers, deadline);
                if gone < server.start.workers {
                    log::warning(format_args!(
                        "Shutdown: {} of {} workers have not ended in time",
                        server.start.workers - gone,
                        server.start.workers
                    ));
                }
            }
        }
    }
}

/// Sees the end through; called by the thread that waited for the request. `false` when the request
/// has been taken back.
pub(crate) fn run(server: &Arc<Server>, options: ShutdownOptions) -> bool {
    log::notice(format_args!("User requested shutdown..."));
    if !server.stop.commit() {
        return false;
    }
    // A second beyond the workers' own patience, so that they report first.
    let deadline = Instant::now() + server.stop.patience(&server.live()) + Duration::from_secs(1);
    log::notice(format_args!("Shutdown: {options}"));
    for phase in Phase::ALL {
        let began = Instant::now();
        log::notice(format_args!("Shutdown: {} begins", phase.name()));
        phase.run(server, deadline);
        let took_ms = began.elapsed().as_millis();
        log::notice(format_args!(
            "Shutdown: {} done in {took_ms} ms",
            phase.name()
        ));
    }
    true
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
        assert!(stop.request(ShutdownOptions {
            save: Some(false),
            ..Default::default()
        }));
        assert!(!stop.request(ShutdownOptions {
            force: true,
            ..Default::default()
        }));
        let expected = ShutdownOptions {
            save: Some(false),
            now: true,
            force: true,
            safe: false,
        };
        assert_eq!(stop.wait_for_request(), expected);
        assert!(stop.abort() && !stop.is_requested());
        assert_eq!(stop.options(), None);
        assert!(!stop.commit());
        assert!(stop.request(ShutdownOptions::default()) && stop.commit());
        assert!(!stop.abort() && stop.is_requested());
    }
}
