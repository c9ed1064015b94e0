//! The Event Log; `syslog-ident` is the source's name. Event ids are the severities' numbers until
//! the Windows issue adds a message table.

use super::Severity;
use std::sync::atomic::{AtomicIsize, Ordering};
use windows_sys::Win32::System::EventLog::{
    EVENTLOG_INFORMATION_TYPE, EVENTLOG_WARNING_TYPE, RegisterEventSourceW, ReportEventW,
};

static SOURCE: AtomicIsize = AtomicIsize::new(0);

fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16()
        .filter(|unit| *unit != 0)
        .chain([0])
        .collect()
}

pub(super) fn open(ident: &str, _facility: u32) {
    let name = wide(ident);
    // SAFETY: the name is terminated; a null server is this machine.
    let source = unsafe { RegisterEventSourceW(std::ptr::null(), name.as_ptr()) };
    SOURCE.store(source as isize, Ordering::Release);
}

pub(super) fn send(severity: Severity, text: &str) {
    let source = SOURCE.load(Ordering::Acquire);
    if source == 0 {
        return;
    }
    let (kind, id) = match severity {
        Severity::Warning => (EVENTLOG_WARNING_TYPE, 3),
        Severity::Notice => (EVENTLOG_INFORMATION_TYPE, 2),
        Severity::Debug | Severity::Info => (EVENTLOG_INFORMATION_TYPE, 1),
    };
    let text = wide(text);
    let strings = [text.as_ptr()];
    // SAFETY: the handle is open for ever; one terminated string is announced and given; no user, no data.
    unsafe {
        ReportEventW(
            source as _,
            kind,
            0,
            id,
            std::ptr::null_mut(),
            1,
            0,
            strings.as_ptr(),
            std::ptr::null(),
        );
    }
}
