//! Files on Windows.

use std::fs::File;
use std::io;
use std::os::windows::io::AsRawHandle as _;
use std::path::{Path, PathBuf};
use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_LOCK_VIOLATION, ERROR_SHARING_VIOLATION,
};
use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, GetFileInformationByHandle,
};

/// Configurations are UTF-8; what is not becomes a name that does not exist.
pub(super) fn path(text: &[u8]) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(text).into_owned())
}

/// Whether somebody holds the file and may let go in a moment.
pub(super) fn may_pass(error: &io::Error) -> bool {
    let code = error.raw_os_error().map_or(0, i32::cast_unsigned);
    matches!(
        code,
        ERROR_ACCESS_DENIED | ERROR_SHARING_VIOLATION | ERROR_LOCK_VIOLATION
    )
}

/// NTFS journals its folders.
pub(super) fn flush_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

pub(super) fn identity(file: &File) -> io::Result<(u64, u64)> {
    // SAFETY: the structure is plain numbers that the call fills; the handle is open as long as `file`.
    let (ok, info) = unsafe {
        let mut info: BY_HANDLE_FILE_INFORMATION = std::mem::zeroed();
        (
            GetFileInformationByHandle(file.as_raw_handle(), &raw mut info),
            info,
        )
    };
    if ok == 0 {
        return Err(io::Error::last_os_error());
    }
    // The volume is left out: Wine tells it only of handles that may read, and a file that is renamed
    // stays on its volume.
    Ok((
        0,
        u64::from(info.nFileIndexHigh) << 32 | u64::from(info.nFileIndexLow),
    ))
}

pub(super) fn identity_at(path: &Path) -> io::Result<(u64, u64)> {
    identity(&File::open(path)?)
}

pub(super) fn raw(file: &File) -> isize {
    file.as_raw_handle() as isize
}

pub(super) fn set_group(_: &Path, _: &str) -> io::Result<()> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "files have no owning group here",
    ))
}

/// Rights come from the folder here.
pub(super) fn for_all_to_read(_: &mut std::fs::OpenOptions) {}

/// Rights come from the folder here.
pub(super) fn for_us_alone(_: &mut std::fs::OpenOptions) {}

/// Rights come from the folder here.
pub(super) fn restrict(_: &std::fs::File) -> io::Result<()> {
    Ok(())
}
