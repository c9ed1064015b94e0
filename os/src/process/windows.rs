//! Processes on Windows.

use super::OomScore;
use std::ffi::OsStr;
use std::io;
use std::os::windows::process::CommandExt as _;
use std::process::Command;
use windows_sys::Win32::System::Console::SetConsoleTitleW;
use windows_sys::Win32::System::Threading::{CREATE_NEW_PROCESS_GROUP, DETACHED_PROCESS};
use windows_sys::Win32::System::WindowsProgramming::GetUserNameW;

/// A detached process has no console and no session to leave.
pub(super) fn leave_session() {}

pub(super) fn prepare_detached(command: &mut Command) {
    command.creation_flags(DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP);
}

/// A process cannot become another here, so there will be a new one.
pub(super) fn restart(mut command: Command) -> io::Result<()> {
    command.spawn().map(drop)
}

pub(super) fn set_title(title: &str) {
    let title: Vec<u16> = title
        .encode_utf16()
        .filter(|unit| *unit != 0)
        .chain([0])
        .collect();
    // SAFETY: the text is terminated. Without a console it fails, and there is nothing to show.
    unsafe { SetConsoleTitleW(title.as_ptr()) };
}

pub(super) fn set_oom_score(score: OomScore) -> io::Result<()> {
    match score {
        OomScore::Leave => Ok(()),
        _ => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "this system kills nobody when memory runs out",
        )),
    }
}

/// Huge pages come only when they are asked for here.
pub(super) fn disable_huge_pages() -> bool {
    true
}

pub(super) fn notify(_: &OsStr, _: &str) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn stop_for_upstart() {}

pub(super) fn account() -> String {
    let mut name = [0u16; 257];
    let mut units = 257;
    // SAFETY: the buffer is as long as `units` says.
    let ok = unsafe { GetUserNameW(name.as_mut_ptr(), &raw mut units) };
    if ok == 0 {
        String::new()
    } else {
        String::from_utf16_lossy(&name[..units.saturating_sub(1) as usize])
    }
}
