//! DEBUG ASSERT, OOM, PANIC, SEGFAULT: the ends that a server can come to, on demand.
//!
//! A panic in a handler that has changed nothing costs one connection (`dispatch.rs`, D2); these are
//! asked to end the process, so the panic is caught here, after its report, and nobody else sees it.

use std::panic::catch_unwind;

use commands::CommandError;

/// DEBUG ASSERT.
pub(super) fn assert() -> Result<(), CommandError> {
    die_of_panic("assertion failed: 1 == 2")
}

/// DEBUG PANIC.
pub(super) fn panic() -> Result<(), CommandError> {
    die_of_panic("called by Unit Test")
}

/// DEBUG OOM: as when an allocation is refused that nobody can do without.
pub(super) fn oom() -> Result<(), CommandError> {
    os::alloc::exit_refused(usize::MAX / 2)
}

/// DEBUG SEGFAULT.
pub(super) fn segfault() -> Result<(), CommandError> {
    os::crash::segfault()
}

fn die_of_panic(text: &'static str) -> ! {
    // The hook writes the report; what the panic carries is of no more use.
    let _ = catch_unwind(|| panic!("{text}"));
    os::crash::end_after_panic()
}
