//! Waking a loop from other threads, with as few system calls as can be.
//!
//!   RUNNING ──wait, about to sleep──▶ SLEEPING ──wake: kick──▶ NOTIFIED
//!      ▲  └────────wake: no kick──────────────────────────────▶ NOTIFIED ──wait──▶ RUNNING, no sleep
//!
//! I1  a wake that happens after `wait` has returned is seen by the next `wait`, which then does not
//!     sleep: so "put into the mailbox, then wake" against "wait, then read the mailbox" loses
//!     nothing.
//! I2  a kick is a system call and happens only to a loop that sleeps or is about to.
//!
//! Checked by: tests below, conformance (wake from another thread).

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

const RUNNING: u8 = 0;
const SLEEPING: u8 = 1;
const NOTIFIED: u8 = 2;

/// How a backend is roused from its sleep.
pub(crate) trait Kick: Send + Sync {
    fn kick(&self);
}

struct Bell {
    state: AtomicU8,
    kick: Box<dyn Kick>,
}

/// Wakes one loop; clones wake the same one.
#[derive(Clone)]
pub struct Waker {
    bell: Arc<Bell>,
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waker").finish_non_exhaustive()
    }
}

impl Waker {
    pub(crate) fn new(kick: impl Kick + 'static) -> Waker {
        Waker {
            bell: Arc::new(Bell {
                state: AtomicU8::new(RUNNING),
                kick: Box::new(kick),
            }),
        }
    }

    /// Makes the loop's `wait` return, the present one or the next.
    #[inline]
    pub fn wake(&self) {
        // Release: what was put into the mailbox before is seen by whoever reads NOTIFIED. A swap
        // also of NOTIFIED by NOTIFIED, because only that orders this message behind the first.
        if self.bell.state.swap(NOTIFIED, Ordering::AcqRel) == SLEEPING {
            self.bell.kick.kick();
        }
    }

    /// Whether the loop has been woken and does not know yet.
    pub(crate) fn is_notified(&self) -> bool {
        // Relaxed: only the simulation asks, which has one thread.
        self.bell.state.load(Ordering::Relaxed) == NOTIFIED
    }

    /// The loop is about to sleep; gives whether it may.
    pub(crate) fn may_sleep(&self) -> bool {
        // Acquire on failure: the mailbox's content was written before NOTIFIED was.
        self.bell
            .state
            .compare_exchange(RUNNING, SLEEPING, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// The loop runs again, and will look into its mailbox; gives whether somebody woke it.
    pub(crate) fn awake(&self) -> bool {
        // Acquire: as above; this is the read that the next look into the mailbox relies on.
        self.bell.state.swap(RUNNING, Ordering::AcqRel) == NOTIFIED
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    struct Count(Arc<AtomicUsize>);
    impl Kick for Count {
        fn kick(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn only_a_sleeper_is_kicked_and_only_once() {
        let kicks = Arc::new(AtomicUsize::new(0));
        let waker = Waker::new(Count(kicks.clone()));
        waker.wake();
        waker.wake();
        assert_eq!(kicks.load(Ordering::Relaxed), 0, "it runs");
        assert!(!waker.may_sleep(), "it must look first");
        assert!(waker.awake());
        assert!(waker.may_sleep());
        waker.wake();
        waker.wake();
        assert_eq!(kicks.load(Ordering::Relaxed), 1);
        assert!(waker.awake());
        assert!(waker.may_sleep());
        assert!(!waker.awake());
    }
}
