//! How a thread finds its counter: native thread-local storage, which neither allocates nor runs
//! destructors here.

use std::cell::Cell;
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering::Relaxed};

/// `abort` raises SIGABRT, whose handler asks [`super::refused`].
pub(super) const ABORT_CAN_BE_CAUGHT: bool = true;

const NONE: usize = usize::MAX;

thread_local! {
    static MINE: Cell<usize> = const { Cell::new(NONE) };
    static REFUSED: Cell<(usize, u64)> = const { Cell::new((0, 0)) };
}

/// The calling thread's slot. The first threads have one each for ever (what an ended thread leaves
/// in it belongs to the sum); those that come later share the last.
#[inline]
pub(super) fn slot(slots: usize) -> usize {
    let mine = MINE.get();
    if mine == NONE { claim(slots) } else { mine }
}

static NEXT: AtomicUsize = AtomicUsize::new(0);

/// How many slots, from the first on, threads have claimed.
#[inline]
pub(super) fn claimed(slots: usize) -> usize {
    // Relaxed: a thread that comes this moment has hardly anything yet.
    NEXT.load(Relaxed).min(slots)
}

#[cold]
fn claim(slots: usize) -> usize {
    // Relaxed: only the number's uniqueness matters.
    let mine = NEXT.fetch_add(1, Relaxed).min(slots - 1);
    MINE.set(mine);
    mine
}

/// Adds to a slot; an owner alone needs no locked instruction.
#[inline]
pub(super) fn add(net: &AtomicIsize, change: isize, shared: bool) -> isize {
    if shared {
        return net.fetch_add(change, Relaxed) + change;
    }
    let now = net.load(Relaxed) + change;
    net.store(now, Relaxed);
    now
}

/// Remembers a refusal of this thread and when it was.
pub(super) fn set_refused(size: usize, now_us: u64) {
    REFUSED.set((size, now_us));
}

/// The last refusal; a size of 0 for none.
pub(super) fn refused() -> (usize, u64) {
    REFUSED.get()
}

/// Huge pages: see `ahead.rs`.
#[cfg(target_os = "linux")]
#[path = "ahead.rs"]
mod ahead;

#[cfg(target_os = "linux")]
mod huge {
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    /// Whether it was us who switched them off.
    static SWITCHED_OFF: AtomicBool = AtomicBool::new(false);

    /// Before `main` and before the first allocation, while there is one thread.
    #[used]
    #[unsafe(link_section = ".init_array")]
    static FIRST: extern "C" fn() = first;

    extern "C" fn first() {
        if super::ahead::reserve() {
            return;
        }
        // As mimalloc gets its memory, pages that have been touched as huge ones stay so; see
        // [`super::super::HUGE_PAGES_FROM`].
        // SAFETY: asks for a property of the process.
        if unsafe { libc::prctl(libc::PR_GET_THP_DISABLE, 0, 0, 0, 0) } == 0 {
            // SAFETY: changes what later page faults get, and nothing that we have.
            let done = unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0) };
            SWITCHED_OFF.store(done == 0, Relaxed);
        }
    }

    /// Somebody wants none, however much there is.
    pub(in super::super) fn stay_off() {
        SWITCHED_OFF.store(false, Relaxed);
    }

    #[cold]
    pub(in super::super) fn on() {
        if SWITCHED_OFF.swap(false, Relaxed) {
            // SAFETY: as above. Where the system refuses, pages stay small.
            unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 0, 0, 0, 0) };
        }
        super::ahead::begin();
    }
}

#[cfg(all(test, target_os = "linux"))]
pub(super) use ahead::has_begun as wants_huge_pages;

/// Huge pages are the system's own affair here.
#[cfg(not(target_os = "linux"))]
mod huge {
    pub(in super::super) fn on() {}
    pub(in super::super) fn stay_off() {}
}

pub(super) use huge::on as allow_huge_pages;
pub(super) use huge::stay_off as keep_huge_pages_off;
