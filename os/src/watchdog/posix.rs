//! A signal to the stuck thread, which writes its own stack.

use libc::{c_int, pthread_t};

/// A thread that can be signalled.
pub(super) type Thread = pthread_t;

pub(super) fn current() -> Thread {
    // SAFETY: a question without side effects.
    unsafe { libc::pthread_self() }
}

pub(super) fn install() {
    crate::crash::handle(
        libc::SIGALRM,
        on_alarm as *const () as usize,
        libc::SA_RESTART,
    );
}

pub(super) fn ask_for_stack(thread: Thread) {
    // SAFETY: the thread is registered, so it has not ended: its `Beat` leaves the list when it does.
    unsafe { libc::pthread_kill(thread, libc::SIGALRM) };
}

extern "C" fn on_alarm(_: c_int) {
    crate::crash::put_watchdog_stack();
}
