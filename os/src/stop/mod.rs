//! Requests to stop, wherever they come from, as one call.
//!
//! SIGTERM and SIGINT on POSIX; Ctrl-C, Ctrl-Break, a console that closes, a user who logs off and a
//! system that shuts down on Windows. The callback runs on a thread of its own, so it may do what it
//! likes. SIGHUP and SIGPIPE are ignored.
//!
//! On Windows the system ends the process as soon as the handler of the last three returns, or after
//! some seconds; so there the handler does not return, and the process ends when it has stopped.
//!
//! Checked by: `redstart-server/tests/process.rs`.

#[cfg(unix)]
#[path = "posix.rs"]
mod system;
#[cfg(windows)]
#[path = "windows.rs"]
mod system;

/// Who wants us to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// SIGTERM, or what means the same.
    Terminate,
    /// SIGINT or Ctrl-C.
    Interrupt,
    /// Ctrl-Break.
    Break,
    /// The console closes.
    Close,
    /// The user logs off.
    Logoff,
    /// The machine stops.
    Shutdown,
}

/// Calls `on_request` at each request, from now on and once a process.
///
/// # Errors
/// When the system gives no thread or pipe for it.
pub fn listen(on_request: Box<dyn Fn(Cause) + Send + Sync>) -> std::io::Result<()> {
    system::listen(on_request)
}
