//! Processes on POSIX systems.

use super::OomScore;
use std::ffi::{CStr, OsStr};
use std::io;
use std::process::Command;
use std::sync::Mutex;

pub(super) fn leave_session() {
    // SAFETY: no memory is involved. It fails only for a leader, which is what we want to be.
    unsafe { libc::setsid() };
}

/// A child leaves our session by itself.
pub(super) fn prepare_detached(_: &mut Command) {}

/// All that Rust opens is closed by exec; this returns only when there was none.
pub(super) fn restart(mut command: Command) -> io::Result<()> {
    use std::os::unix::process::CommandExt as _;
    Err(command.exec())
}

#[cfg(target_os = "linux")]
pub(super) fn set_title(title: &str) {
    super::title_linux::set(title);
}

#[cfg(not(target_os = "linux"))]
pub(super) fn set_title(_: &str) {}

/// Our score before we changed it.
static SCORE: Mutex<Option<i32>> = Mutex::new(None);

pub(super) fn set_oom_score(score: OomScore) -> io::Result<()> {
    const FILE: &str = "/proc/self/oom_score_adj";
    let mut before = SCORE
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let base = match (*before, score) {
        (None, OomScore::Leave) => return Ok(()),
        (Some(base), _) => base,
        (None, _) => std::fs::read_to_string(FILE)?
            .trim()
            .parse()
            .map_err(|_| io::ErrorKind::InvalidData)?,
    };
    let wanted = match score {
        OomScore::Leave => base,
        OomScore::Relative(n) => base.saturating_add(n).clamp(-1000, 1000),
        OomScore::Absolute(n) => n.clamp(-1000, 1000),
    };
    std::fs::write(FILE, wanted.to_string())?;
    *before = (score != OomScore::Leave).then_some(base);
    Ok(())
}

#[cfg(target_os = "linux")]
pub(super) fn disable_huge_pages() -> bool {
    // SAFETY: plain numbers.
    unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0 }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn disable_huge_pages() -> bool {
    false
}

/// sd_notify(3): one datagram.
pub(super) fn notify(socket: &OsStr, text: &str) -> io::Result<()> {
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::net::{SocketAddr, UnixDatagram};
    let address = match socket.as_bytes().split_first() {
        #[cfg(target_os = "linux")]
        Some((b'@', name)) => {
            <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name)?
        }
        _ => SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?
        .send_to_addr(text.as_bytes(), &address)
        .map(|_| ())
}

pub(super) fn stop_for_upstart() {
    // SAFETY: no memory is involved.
    unsafe { libc::raise(libc::SIGSTOP) };
}

pub(super) fn account() -> String {
    // SAFETY: a question without side effects.
    let uid = unsafe { libc::geteuid() };
    let mut buffer = vec![0 as libc::c_char; 4096];
    // SAFETY: the structure and the buffer are live locals; the buffer's length is what is passed; the
    // name is read while the buffer lives.
    unsafe {
        let mut entry: libc::passwd = std::mem::zeroed();
        let mut found = std::ptr::null_mut();
        libc::getpwuid_r(
            uid,
            &raw mut entry,
            buffer.as_mut_ptr(),
            buffer.len(),
            &raw mut found,
        );
        if !found.is_null() && !entry.pw_name.is_null() {
            return CStr::from_ptr(entry.pw_name).to_string_lossy().into_owned();
        }
    }
    format!("uid {uid}")
}
