//! Threads cannot be made to run a function here; the line must do.

/// There is nothing to be done to a thread.
#[derive(Clone, Copy, Debug)]
pub(super) struct Thread;

pub(super) fn current() -> Thread {
    Thread
}

pub(super) fn install() {}

pub(super) fn ask_for_stack(_: Thread) {}
