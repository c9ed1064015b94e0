//! The watchdog: says where a worker stands that has not come back to its loop.
//!
//! ```text
//!   worker:   enter(now) … runs commands … leave()      one relaxed store each
//!   watchdog: every half period, of each worker: busy for longer than the period?
//!             ── yes ──▶ a line, and on POSIX a signal to that very thread, which writes its stack
//! ```
//!
//! `watchdog-period` is in milliseconds and at least 200 when it is on; 0 is off, and then there is no
//! thread. A worker is reported once for each stay.
//!
//! Checked by: tests below, `redstart-server/tests/process.rs` (DEBUG SLEEP).

use crate::clock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

#[cfg(unix)]
#[path = "posix.rs"]
mod system;
#[cfg(windows)]
#[path = "windows.rs"]
mod system;

/// The shortest period: below it a loaded machine would cry wolf.
const PERIOD_MS_MIN: u64 = 200;

/// A worker as the watchdog sees it.
#[derive(Debug)]
struct Watched {
    name: String,
    thread: system::Thread,
    /// Since when it has been busy, monotonic µs; 0: it waits for work.
    since_us: AtomicU64,
    /// Whether this stay has been reported.
    reported: AtomicBool,
}

#[derive(Debug, Default)]
struct Watchdog {
    period_ms: u64,
    running: bool,
    workers: Vec<Arc<Watched>>,
    /// Receives the lines.
    report: Option<fn(&str)>,
}

static WATCHDOG: Mutex<Watchdog> = Mutex::new(Watchdog {
    period_ms: 0,
    running: false,
    workers: Vec::new(),
    report: None,
});
static CHANGED: Condvar = Condvar::new();

/// A worker's own end: the watchdog forgets the worker when this is dropped.
#[derive(Debug)]
pub struct Beat(Arc<Watched>);

impl Beat {
    /// The worker begins to work.
    #[inline]
    pub fn enter(&self) {
        // Relaxed: the watchdog looks seldom and needs no order.
        self.0.since_us.store(clock::monotonic_us().max(1), Relaxed);
    }

    /// The worker goes to wait for work.
    #[inline]
    pub fn leave(&self) {
        self.0.since_us.store(0, Relaxed);
        if self.0.reported.load(Relaxed) {
            self.0.reported.store(false, Relaxed);
        }
    }
}

impl Drop for Beat {
    fn drop(&mut self) {
        lock().workers.retain(|w| !Arc::ptr_eq(w, &self.0));
    }
}

/// Puts the calling thread under the watchdog's eyes, and gives it a stack for crash handlers.
#[must_use]
pub fn register(name: &str) -> Beat {
    crate::crash::protect_thread();
    let watched = Arc::new(Watched {
        name: name.to_owned(),
        thread: system::current(),
        since_us: AtomicU64::new(0),
        reported: AtomicBool::new(false),
    });
    lock().workers.push(watched.clone());
    Beat(watched)
}

/// Where lines go; set once at the start.
pub fn set_report(report: fn(&str)) {
    lock().report = Some(report);
}

/// Changes the period in milliseconds; 0 switches the watchdog off.
pub fn set_period(period_ms: u64) {
    let mut dog = lock();
    dog.period_ms = if period_ms == 0 {
        0
    } else {
        period_ms.max(PERIOD_MS_MIN)
    };
    CHANGED.notify_all();
    if dog.period_ms != 0 && !dog.running {
        dog.running = true;
        system::install();
        // Without a thread there is no watchdog; nothing else depends on it.
        let spawned = std::thread::Builder::new()
            .name("watchdog".into())
            .spawn(watch);
        dog.running = spawned.is_ok();
    }
}

fn lock() -> MutexGuard<'static, Watchdog> {
    // No state here can be half changed by a panic.
    WATCHDOG.lock().unwrap_or_else(PoisonError::into_inner)
}

fn watch() {
    let mut dog = lock();
    while dog.period_ms != 0 {
        let period_ms = dog.period_ms;
        let pause = Duration::from_millis(period_ms / 2);
        (dog, _) = CHANGED
            .wait_timeout(dog, pause)
            .unwrap_or_else(PoisonError::into_inner);
        let now_us = clock::monotonic_us();
        let stuck: Vec<Arc<Watched>> = dog
            .workers
            .iter()
            .filter(|w| is_stuck(w, now_us, period_ms))
            .cloned()
            .collect();
        let report = dog.report;
        // The stack is written by the worker, the line through the log: not under our lock.
        drop(dog);
        for worker in stuck {
            let ms = now_us.saturating_sub(worker.since_us.load(Relaxed)) / 1000;
            if let Some(report) = report {
                report(&format!(
                    "WATCHDOG: {} has been busy for {ms} ms",
                    worker.name
                ));
            }
            system::ask_for_stack(worker.thread);
        }
        dog = lock();
    }
    dog.running = false;
}

/// Whether a worker is over its time and has not been reported.
fn is_stuck(worker: &Watched, now_us: u64, period_ms: u64) -> bool {
    let since_us = worker.since_us.load(Relaxed);
    since_us != 0
        && now_us.saturating_sub(since_us) > period_ms * 1000
        && !worker.reported.swap(true, Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

    #[test]
    fn notices_a_stuck_worker_once_a_stay() {
        set_report(|line| LINES.lock().expect("only this test").push(line.to_owned()));
        set_period(1);
        let beat = register("worker-7");
        for stay in 1..=2 {
            beat.enter();
            let end = Instant::now() + Duration::from_secs(10);
            while LINES.lock().expect("only this test").len() < stay && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(5));
            }
            std::thread::sleep(Duration::from_millis(250));
            beat.leave();
            assert_eq!(LINES.lock().expect("only this test").len(), stay);
        }
        assert!(LINES.lock().expect("only this test")[0].contains("worker-7 has been busy for"));
        set_period(0);
        drop(beat);
    }
}
