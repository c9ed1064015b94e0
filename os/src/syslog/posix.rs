//! syslog(3).

use super::Severity;
use std::ffi::CString;
use std::sync::OnceLock;

/// The library keeps the pointer that openlog is given, so the name lives for ever.
static IDENT: OnceLock<CString> = OnceLock::new();

fn c_text(text: &str) -> CString {
    CString::new(text.replace('\0', " ")).expect("zeroes were replaced")
}

pub(super) fn open(ident: &str, facility: u32) {
    let ident = IDENT.get_or_init(|| c_text(ident));
    let facility = libc::c_int::try_from(facility << 3).unwrap_or(libc::LOG_USER);
    // SAFETY: the name is terminated and stays where it is for the life of the process.
    unsafe {
        libc::openlog(
            ident.as_ptr(),
            libc::LOG_PID | libc::LOG_NDELAY | libc::LOG_NOWAIT,
            facility,
        )
    };
}

pub(super) fn send(severity: Severity, text: &str) {
    let priority = match severity {
        Severity::Debug => libc::LOG_DEBUG,
        Severity::Info => libc::LOG_INFO,
        Severity::Notice => libc::LOG_NOTICE,
        Severity::Warning => libc::LOG_WARNING,
    };
    let text = c_text(text);
    // SAFETY: the format takes one terminated string, which lives until the call returns.
    unsafe { libc::syslog(priority, c"%s".as_ptr(), text.as_ptr()) };
}
