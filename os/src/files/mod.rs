//! The one face through which files are opened: configuration, log, pid file, data.
//!
//! A file that somebody may be reading is never changed in place. [`replace`] writes a new one
//! beside it, flushes it, renames it over the old one and flushes the folder, so that after a crash
//! there is the old text or the new one and nothing between:
//!
//! ```text
//!   write  F.tmp-PID ──flush──▶ rename over F ──▶ flush the folder
//!      └── any failure: remove F.tmp-PID, F is as it was
//! ```
//!
//! On Windows all handles share read, write and delete (the library's default), so that others can
//! rename and delete what we hold open; scanners and backups hold files for moments without doing us
//! that favour, so renaming is tried again for a bounded time (`RETRIES`).
//!
//! Checked by: tests below.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

#[cfg(unix)]
#[path = "posix.rs"]
mod system;
#[cfg(windows)]
#[path = "windows.rs"]
mod system;

/// A path as a configuration or a client spells it.
#[must_use]
pub fn path(text: &[u8]) -> PathBuf {
    system::path(text)
}

/// The system's words for a failure, without the number that the library adds.
#[must_use]
pub fn error_text(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rfind(" (os error ") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}

/// Reads a whole file.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    std::fs::read(path)
}

/// Opens a file for lines that are added at its end, making it if it is not there. Others may read
/// it, rename it and delete it meanwhile.
pub fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

/// Makes a file or empties it, and writes `bytes` into it. For what nobody needs after a crash.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)?
        .write_all(bytes)
}

/// The same for what others must not read: the file is ours alone, whatever it was before.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    for_us_alone(&mut options);
    let mut file = options.open(path)?;
    system::restrict(&file)?;
    file.write_all(bytes)
}

/// Makes files that are created with `options` ours alone: 0600 where there are such rights.
pub(crate) fn for_us_alone(options: &mut OpenOptions) {
    system::for_us_alone(options);
}

/// Puts `bytes` into the place of a file, or leaves it as it was. A file that is there keeps its
/// rights; a new one gets what the process's umask leaves of 0644.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut name = path
        .file_name()
        .ok_or(io::ErrorKind::InvalidInput)?
        .to_owned();
    name.push(format!(".tmp-{}", std::process::id()));
    let fresh = folder.join(name);
    let done = write_flushed(&fresh, bytes, path).and_then(|()| rename(&fresh, path));
    if done.is_err() {
        // Best effort: the first failure is the one to report.
        let _ = std::fs::remove_file(&fresh);
    }
    done.and_then(|()| flush_folder(folder))
}

fn write_flushed(fresh: &Path, bytes: &[u8], like: &Path) -> io::Result<()> {
    // A leftover of a crashed process with our number is nobody's.
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    system::for_all_to_read(&mut options);
    let mut file = options.open(fresh)?;
    if let Ok(old) = std::fs::metadata(like) {
        file.set_permissions(old.permissions())?;
    }
    file.write_all(bytes)?;
    file.sync_all()
}

/// How often what was refused is tried again; the pauses double from one millisecond, half a second
/// in all.
const RETRIES: u32 = 9;

/// Renames a file, over another if need be.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    patiently(|| std::fs::rename(from, to))
}

/// Does something that somebody who holds the file may refuse for a moment.
fn patiently(act: impl Fn() -> io::Result<()>) -> io::Result<()> {
    let mut pause = std::time::Duration::from_millis(1);
    for _ in 0..RETRIES {
        match act() {
            Err(e) if system::may_pass(&e) => std::thread::sleep(pause),
            done => return done,
        }
        pause *= 2;
    }
    act()
}

/// Removes a file; that it is not there is no failure.
pub fn remove(path: &Path) -> io::Result<()> {
    match patiently(|| std::fs::remove_file(path)) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Makes a folder's entries durable (POSIX; elsewhere the system does it).
pub fn flush_folder(folder: &Path) -> io::Result<()> {
    system::flush_folder(folder)
}

/// Gives a file to a group, by name or number.
///
/// # Errors
/// The system's; there is no such group, or no groups at all.
pub fn set_group(path: &Path, group: &str) -> io::Result<()> {
    system::set_group(path, group)
}

/// Which file this is, whatever it is called by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity(u64, u64);

/// Which file an open one is.
pub fn identity(file: &File) -> io::Result<Identity> {
    system::identity(file).map(|(volume, index)| Identity(volume, index))
}

/// Which file a path leads to now.
pub fn identity_at(path: &Path) -> io::Result<Identity> {
    system::identity_at(path).map(|(volume, index)| Identity(volume, index))
}

/// The number by which [`crate::raw::write_to`] knows an open file.
#[must_use]
pub fn raw(file: &File) -> crate::raw::Descriptor {
    system::raw(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("redstart-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        folder
    }

    #[test]
    fn replaces_all_or_nothing() {
        let folder = folder("files");
        let file = folder.join("ünïcode.conf");
        replace(&file, b"one").expect("a new file");
        replace(&file, b"two").expect("over the old one");
        assert_eq!(read(&file).expect("it is there"), b"two");
        assert_eq!(std::fs::read_dir(&folder).expect("our folder").count(), 1);
        assert!(replace(&folder.join("none/x"), b"").is_err());
        std::fs::remove_dir_all(&folder).expect("our folder");
    }

    #[test]
    fn knows_a_renamed_file() {
        let folder = folder("identity");
        let (a, b) = (folder.join("a"), folder.join("b"));
        let file = append(&a).expect("a new file");
        assert_eq!(identity(&file).ok(), identity_at(&a).ok());
        rename(&a, &b).expect("free to be renamed");
        assert_eq!(identity(&file).ok(), identity_at(&b).ok());
        append(&a).expect("a new file of the old name");
        assert_ne!(identity(&file).ok(), identity_at(&a).ok());
        drop(file);
        std::fs::remove_dir_all(&folder).expect("our folder");
    }

    #[test]
    fn tells_what_the_system_says() {
        let error = read(Path::new("/does/not/exist")).expect_err("it does not exist");
        let text = error_text(&error);
        assert!(!text.is_empty() && !text.contains("os error"), "{text}");
    }
}
