//! Files on POSIX systems.

use std::fs::{File, Metadata};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

pub(super) fn path(text: &[u8]) -> PathBuf {
    PathBuf::from(std::ffi::OsStr::from_bytes(text))
}

/// Nobody's open file stands in the way of a rename here.
pub(super) fn may_pass(_: &io::Error) -> bool {
    false
}

pub(super) fn flush_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        // Some file systems have nothing to flush and say so.
        Err(e) if e.kind() == io::ErrorKind::InvalidInput => Ok(()),
        done => done,
    }
}

pub(super) fn identity(file: &File) -> io::Result<(u64, u64)> {
    file.metadata().map(of)
}

pub(super) fn identity_at(path: &Path) -> io::Result<(u64, u64)> {
    std::fs::metadata(path).map(of)
}

fn of(metadata: Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

pub(super) fn raw(file: &File) -> i32 {
    file.as_raw_fd()
}

pub(super) fn set_group(path: &Path, group: &str) -> io::Result<()> {
    let gid = match group.parse() {
        Ok(gid) => gid,
        Err(_) => group_id(group)?,
    };
    std::os::unix::fs::chown(path, None, Some(gid))
}

fn group_id(name: &str) -> io::Result<u32> {
    let name = std::ffi::CString::new(name)?;
    let mut buffer = vec![0 as libc::c_char; 16 * 1024];
    let mut found = std::ptr::null_mut();
    // SAFETY: the name is terminated; structure and buffer are live locals, the buffer's length is
    // what is passed; `found` points to the structure or is null.
    unsafe {
        let mut entry: libc::group = std::mem::zeroed();
        libc::getgrnam_r(
            name.as_ptr(),
            &raw mut entry,
            buffer.as_mut_ptr(),
            buffer.len(),
            &raw mut found,
        );
        if found.is_null() {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                "there is no such group",
            ));
        }
        Ok(entry.gr_gid)
    }
}

/// Files of ours are written by us alone.
pub(super) fn for_all_to_read(options: &mut std::fs::OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(0o644);
}

/// Takes a file that is there away from others.
pub(super) fn restrict(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(std::fs::Permissions::from_mode(0o600))
}

/// Data is read and written by us alone.
pub(super) fn for_us_alone(options: &mut std::fs::OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(0o600);
}
