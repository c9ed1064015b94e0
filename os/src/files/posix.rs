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
