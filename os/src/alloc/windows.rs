//! How a thread finds its counter: by its number, because this target's thread-local storage is
//! made by allocating.

use std::sync::atomic::{AtomicIsize, AtomicU64, AtomicUsize, Ordering::Relaxed};
use windows_sys::Win32::System::Threading::GetCurrentThreadId;

/// `abort` is a fast-fail here.
pub(super) const ABORT_CAN_BE_CAUGHT: bool = false;

/// The process's last refusal: there is nothing per thread to keep it in.
static SIZE: AtomicUsize = AtomicUsize::new(0);
static WHEN_US: AtomicU64 = AtomicU64::new(0);

/// Thread numbers are multiples of four, handed out closely; two threads may share a slot.
#[inline]
pub(super) fn slot(slots: usize) -> usize {
    // SAFETY: reads a field of the calling thread.
    let id = unsafe { GetCurrentThreadId() };
    (id >> 2) as usize % slots
}

/// How many slots, from the first on, threads may have: all, because numbers are scattered.
#[inline]
pub(super) fn claimed(slots: usize) -> usize {
    slots
}

#[inline]
pub(super) fn add(net: &AtomicIsize, change: isize, _shared: bool) -> isize {
    net.fetch_add(change, Relaxed) + change
}

/// Remembers a refusal and when it was.
pub(super) fn set_refused(size: usize, now_us: u64) {
    SIZE.store(size, Relaxed);
    WHEN_US.store(now_us, Relaxed);
}

/// The last refusal; a size of 0 for none.
pub(super) fn refused() -> (usize, u64) {
    (SIZE.load(Relaxed), WHEN_US.load(Relaxed))
}

/// Windows gives large pages only to those who may lock memory: there is nothing to allow.
pub(super) fn allow_huge_pages() {}
pub(super) fn keep_huge_pages_off() {}
