//! The process among its kin: the background, supervisors, its title, the kernel's list of victims.
//!
//! **The background** is entered by starting anew, not by fork: the program is run again in a session
//! of its own with the same arguments and a mark in its environment ([`detach`]), and the first process
//! ends. A forked child would have only one of its parent's threads and whatever locks the others held.
//!
//! ```text
//!   shell ── redstart-server --daemonize yes            reads the configuration, ends with 0
//!               └─ redstart-server … (REDSTART_DETACHED=1, setsid, no terminal)      serves
//! ```
//!
//! Checked by: `redstart-server/tests/process.rs`.

use std::ffi::OsString;
use std::io;
use std::sync::OnceLock;

#[cfg(unix)]
#[path = "posix.rs"]
mod system;
#[cfg(windows)]
#[path = "windows.rs"]
mod system;
#[cfg(target_os = "linux")]
mod title_linux;

/// The mark of a process that has been sent into the background.
pub(crate) const DETACHED: &str = "REDSTART_DETACHED";

/// Whether this process is the one in the background.
#[must_use]
pub fn is_detached() -> bool {
    std::env::var_os(DETACHED).is_some()
}

/// Makes the background process the leader of a session of its own. Call it early, when
/// [`is_detached`].
pub fn leave_session() {
    system::leave_session();
}

/// Starts this program again in the background with the same arguments. `stdin` is what it finds on
/// its standard input: a configuration that has been read from ours.
///
/// # Errors
/// When the system cannot start it.
pub fn detach(stdin: Option<&[u8]>) -> io::Result<()> {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(std::env::args_os().skip(1))
        .env(DETACHED, "1")
        .stdin(if stdin.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        })
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    system::prepare_detached(&mut command);
    let mut child = command.spawn()?;
    if let (Some(text), Some(mut pipe)) = (stdin, child.stdin.take()) {
        pipe.write_all(text)?;
    }
    Ok(())
}

/// The arguments as they were at the start; the title is written over them.
fn arguments() -> &'static [OsString] {
    static ARGUMENTS: OnceLock<Vec<OsString>> = OnceLock::new();
    ARGUMENTS.get_or_init(|| std::env::args_os().collect())
}

/// Runs this program again with the same arguments: in this process where the system can do that, with
/// files and sockets closed; elsewhere in a new one, and then this one should end. Returns only then,
/// or when it failed.
///
/// # Errors
/// When the program is not there any more, or the system gives no process.
pub fn restart() -> io::Result<()> {
    let mut command = std::process::Command::new(std::env::current_exe()?);
    command.args(arguments().iter().skip(1));
    system::restart(command)
}

/// The name that this program was called by, as it was at the start.
#[must_use]
pub fn program_name() -> String {
    let name = arguments().first();
    name.map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// Shows `title` in the system's list of processes, as far as the system has room for it. The
/// arguments are gone afterwards: read them before.
pub fn set_title(title: &str) {
    // Reads the arguments for the last time.
    let _ = arguments();
    system::set_title(title);
}

/// What to tell the kernel about killing us when memory runs out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OomScore {
    /// What it was before we changed it.
    Leave,
    /// That much above what it was.
    Relative(i32),
    /// This.
    Absolute(i32),
}

/// Tells the kernel.
///
/// # Errors
/// The system's; it has no such thing, or we may not lower ours.
pub fn set_oom_score(score: OomScore) -> io::Result<()> {
    system::set_oom_score(score)
}

/// Switches huge pages off for this process; whether that worked.
#[must_use]
pub fn disable_huge_pages() -> bool {
    let done = system::disable_huge_pages();
    if done {
        crate::alloc::keep_huge_pages_off();
    }
    done
}

/// Who started us and wants to be told when we are ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supervisor {
    /// systemd, through the socket in `NOTIFY_SOCKET`.
    Systemd,
    /// upstart, which waits for us to stop ourselves.
    Upstart,
}

/// The supervisor that the environment shows.
#[must_use]
pub fn supervisor() -> Option<Supervisor> {
    if std::env::var_os("NOTIFY_SOCKET").is_some() {
        Some(Supervisor::Systemd)
    } else {
        std::env::var_os("UPSTART_JOB").map(|_| Supervisor::Upstart)
    }
}

/// Tells systemd something (`READY=1\nSTATUS=…`).
///
/// # Errors
/// The system's; without a socket `NotFound`.
pub fn notify_systemd(text: &str) -> io::Result<()> {
    let socket = std::env::var_os("NOTIFY_SOCKET").ok_or(io::ErrorKind::NotFound)?;
    system::notify(&socket, text)
}

/// Stops until upstart continues us.
pub fn stop_for_upstart() {
    system::stop_for_upstart();
}

/// The account that we run as, for messages about refused files.
#[must_use]
pub fn account() -> String {
    system::account()
}
