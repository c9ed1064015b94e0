//! Unhandled exceptions.

use super::{ENABLED, put, put_end, put_sections, put_stack, put_start, stamped};
use crate::raw::Line;
use std::sync::atomic::{AtomicBool, Ordering};
use windows_sys::Win32::System::Diagnostics::Debug::{
    EXCEPTION_POINTERS, SetUnhandledExceptionFilter,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, TerminateProcess};

/// 0 stands for the standard handle, which is asked for when it is needed.
pub(super) const STDOUT: isize = 0;

/// The exit code of an abort, as the C runtime has it.
const ABORTED: u32 = 3;

static REPORTING: AtomicBool = AtomicBool::new(false);

pub(super) fn install() {
    // SAFETY: the filter is a function of the type asked for and lives for ever.
    unsafe { SetUnhandledExceptionFilter(Some(on_exception)) };
}

/// Threads have room for the filter here: it runs on the guard page's reserve.
pub fn protect_thread() {}

/// Writes the report and lets the system end us by the exception (EXCEPTION_CONTINUE_SEARCH).
unsafe extern "system" fn on_exception(pointers: *const EXCEPTION_POINTERS) -> i32 {
    const CONTINUE_SEARCH: i32 = 0;
    if !ENABLED.load(Ordering::Relaxed) || REPORTING.swap(true, Ordering::AcqRel) {
        return CONTINUE_SEARCH;
    }
    // SAFETY: the system hands the filter valid pointers.
    let record = unsafe { &*(*pointers).ExceptionRecord };
    put_start();
    let mut line = Line::new();
    stamped(&mut line);
    line.text(super::name().as_bytes())
        .text(b" crashed by exception: ");
    line.hex(u64::from(record.ExceptionCode.cast_unsigned()));
    line.text(b", address: ")
        .hex(record.ExceptionAddress as u64)
        .text(b"\n");
    put(line.bytes());
    put_stack();
    put_sections();
    put_end();
    CONTINUE_SEARCH
}

/// Ends the process without a second report.
pub(super) fn abort_silently() -> ! {
    // SAFETY: the pseudo handle is always valid.
    unsafe { TerminateProcess(GetCurrentProcess(), ABORTED) };
    std::process::exit(ABORTED.cast_signed())
}

/// DEBUG SEGFAULT: writes where nothing is.
pub fn segfault() -> ! {
    // SAFETY: none; this is what it is for. Address 8 is in no mapping, so the system stops us here.
    unsafe { std::ptr::without_provenance_mut::<u64>(8).write_volatile(1) };
    abort_silently()
}
