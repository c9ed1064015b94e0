//! The way out: one path, whoever asked (SIGTERM, Ctrl-C, a service manager, SHUTDOWN).
//!
//!   Running ──request──▶ Stopping ──all phases done──▶ exit 0
//!      ▲                    │
//!      └──── abort ─────────┘   (SHUTDOWN ABORT, or a phase that failed without FORCE)
//!
//! Phases, each logged at its start and its end: stop listening; let replies leave; close the
//! connections; end the workers. Persistence adds its own between the second and the third.
//!
//! X1  a request that is already under way is not begun again; a second signal makes it forced.
//! X2  the whole takes at most `shutdown-timeout`: then what is left is cut off.
//!
//! Checked by: tests below, server/tests.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Condvar, Mutex};

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

#[derive(Debug, Default)]
struct Inner {
    wanted: Option<ShutdownOptions>,
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

    /// Takes the request back; `false` when there is none.
    pub fn abort(&self) -> bool {
        let mut inner = self.inner.lock();
        let was = inner.wanted.take().is_some();
        self.stopping.store(false, Ordering::Release);
        self.changed.notify_all();
        was
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
    }
}
