//! The system's own log: syslog on POSIX, the Event Log on Windows.

#[cfg(unix)]
#[path = "posix.rs"]
mod system;
#[cfg(windows)]
#[path = "windows.rs"]
mod system;

/// How grave a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// For debugging.
    Debug,
    /// Informational.
    Info,
    /// Normal but significant.
    Notice,
    /// A warning.
    Warning,
}

/// Opens it once. `ident` names us in it; `facility` is syslog's number (16 for `local0`).
pub fn open(ident: &str, facility: u32) {
    system::open(ident, facility);
}

/// Sends a line.
pub fn send(severity: Severity, text: &str) {
    system::send(severity, text);
}
