//! The one face through which data files are made, written, renamed and removed.
//!
//! Who persists data says [`Disk`] and [`DataFile`] and nothing else (tidy refuses `std::fs` in
//! `persist` and `server`), so that the same code runs on the system's files and on [`Simulated`]
//! ones, which record what they are told, fail when a plan says so, and forget what a power cut may
//! make them forget.
//!
//! What the face promises, of either kind:
//!
//! F1  `write` writes the whole or gives an error; then a part of it may be in the file.
//! F2  What has been written is durable when `flush` has returned Ok, and not before. A failed
//!     flush says nothing about what is durable, and a later one that succeeds says nothing about
//!     what was written before the failed one: who sees one fail must not go on.
//! F3  A new name, a new file and a removal are durable when `flush_folder` of their folder has returned.
//!     A rename is there or not; never is there a name with half of a file.
//! F4  Files are made for us alone (0600 where there are such rights).
//! F5  On Windows handles share everything, and renaming and removing are tried again for half a second
//!     (`files::rename`): scanners and backups hold files for moments.
//!
//! Checked by: the tests here, which run on both; `simulated/tests.rs`; the users' crash and fault tests.

mod replacement;
mod simulated;

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use replacement::Replacement;
pub use simulated::{Failure, Fault, Simulated};

/// Where data files lie.
#[derive(Clone, Debug)]
pub enum Disk {
    /// The system's files.
    Real,
    /// A disk in memory, for tests.
    Simulated(Arc<Simulated>),
}

/// An open data file.
#[derive(Debug)]
pub struct DataFile(Kind);

#[derive(Debug)]
enum Kind {
    Real(File),
    Simulated(simulated::Open),
}

impl Disk {
    /// Makes a file, or empties it, for writing from its beginning.
    ///
    /// # Errors
    /// The system's, here and below.
    pub fn create(&self, path: &Path) -> io::Result<DataFile> {
        match self {
            Disk::Real => {
                let mut options = OpenOptions::new();
                options.read(true).write(true).create(true).truncate(true);
                crate::files::for_us_alone(&mut options);
                options.open(path).map(DataFile::real)
            }
            Disk::Simulated(disk) => disk.create(path).map(DataFile::simulated),
        }
    }

    /// Opens a file for writing at its end; makes it if it is not there.
    pub fn append(&self, path: &Path) -> io::Result<DataFile> {
        match self {
            Disk::Real => {
                // Not the system's append mode: on Windows such a handle cannot truncate.
                let mut options = OpenOptions::new();
                options.read(true).write(true).create(true).truncate(false);
                crate::files::for_us_alone(&mut options);
                let mut file = options.open(path)?;
                file.seek(SeekFrom::End(0))?;
                Ok(DataFile::real(file))
            }
            Disk::Simulated(disk) => disk.append(path).map(DataFile::simulated),
        }
    }

    /// Opens a file for reading from its beginning.
    pub fn open(&self, path: &Path) -> io::Result<DataFile> {
        match self {
            Disk::Real => File::open(path).map(DataFile::real),
            Disk::Simulated(disk) => disk.open(path).map(DataFile::simulated),
        }
    }

    /// Reads a whole file; for those that are small by nature (manifests).
    pub fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut file = self.open(path)?;
        let mut bytes = Vec::new();
        let mut block = [0; 4096];
        loop {
            match file.read(&mut block)? {
                0 => return Ok(bytes),
                n => bytes.extend_from_slice(&block[..n]),
            }
        }
    }

    /// Renames a file, over another if need be. Durable only with [`Disk::flush_folder`].
    pub fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        match self {
            Disk::Real => crate::files::rename(from, to),
            Disk::Simulated(disk) => disk.rename(from, to),
        }
    }

    /// Removes a file; that it is not there is no failure.
    pub fn remove(&self, path: &Path) -> io::Result<()> {
        match self {
            Disk::Real => crate::files::remove(path),
            Disk::Simulated(disk) => disk.remove(path),
        }
    }

    /// The names in a folder, sorted; folders' names too.
    pub fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        match self {
            Disk::Real => {
                let mut names = std::fs::read_dir(or_here(folder))?
                    .map(|entry| entry.map(|e| PathBuf::from(e.file_name())))
                    .collect::<io::Result<Vec<_>>>()?;
                names.sort();
                Ok(names)
            }
            Disk::Simulated(disk) => disk.list(folder),
        }
    }

    /// Makes a folder; that it is there is no failure. Durable with its parent's `flush_folder`.
    pub fn make_folder(&self, path: &Path) -> io::Result<()> {
        match self {
            Disk::Real => match std::fs::create_dir(path) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
                done => done,
            },
            Disk::Simulated(disk) => disk.make_folder(path),
        }
    }

    /// Makes the names in a folder durable.
    pub fn flush_folder(&self, folder: &Path) -> io::Result<()> {
        match self {
            Disk::Real => crate::files::flush_folder(or_here(folder)),
            Disk::Simulated(disk) => disk.flush_folder(folder),
        }
    }

    /// A file's length in bytes.
    pub fn len(&self, path: &Path) -> io::Result<u64> {
        match self {
            Disk::Real => std::fs::metadata(path).map(|m| m.len()),
            Disk::Simulated(disk) => disk.len(path),
        }
    }

    /// Whether there is such a file or folder.
    #[must_use]
    pub fn has(&self, path: &Path) -> bool {
        match self {
            Disk::Real => path.exists(),
            Disk::Simulated(disk) => disk.has(path),
        }
    }
}

/// The folder of a path without one is the current one.
fn or_here(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    }
}

/// The folder that holds `path`, in a form that [`Disk::flush_folder`] takes.
#[must_use]
pub fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

impl DataFile {
    fn real(file: File) -> Self {
        DataFile(Kind::Real(file))
    }

    fn simulated(open: simulated::Open) -> Self {
        DataFile(Kind::Simulated(open))
    }

    /// Reads what comes next; 0 at the end.
    pub fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Kind::Real(file) => loop {
                match file.read(into) {
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    done => return done,
                }
            },
            Kind::Simulated(open) => open.read(into),
        }
    }

    /// Writes all of `bytes`, or gives an error and may have written a part (F1).
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.0 {
            Kind::Real(file) => file.write_all(bytes),
            Kind::Simulated(open) => open.write(bytes),
        }
    }

    /// Makes what has been written durable (F2).
    pub fn flush(&self) -> io::Result<()> {
        match &self.0 {
            // Times and rights may come later; the length comes with the data.
            Kind::Real(file) => file.sync_data(),
            Kind::Simulated(open) => open.flush(),
        }
    }

    /// Cuts the file to `len` bytes and writes on from there.
    pub fn truncate(&mut self, len: u64) -> io::Result<()> {
        match &mut self.0 {
            Kind::Real(file) => {
                file.set_len(len)?;
                file.seek(SeekFrom::Start(len)).map(|_| ())
            }
            Kind::Simulated(open) => open.truncate(len),
        }
    }

    /// Reads or writes on from here.
    pub fn seek(&mut self, to: u64) -> io::Result<()> {
        match &mut self.0 {
            Kind::Real(file) => file.seek(SeekFrom::Start(to)).map(|_| ()),
            Kind::Simulated(open) => {
                open.seek(to);
                Ok(())
            }
        }
    }

    /// The file's length in bytes.
    pub fn len(&self) -> io::Result<u64> {
        match &self.0 {
            Kind::Real(file) => file.metadata().map(|m| m.len()),
            Kind::Simulated(open) => Ok(open.len()),
        }
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> io::Result<bool> {
        self.len().map(|len| len == 0)
    }

    /// The same open file once more, for a thread that flushes it.
    pub fn again(&self) -> io::Result<DataFile> {
        match &self.0 {
            Kind::Real(file) => file.try_clone().map(DataFile::real),
            Kind::Simulated(open) => Ok(DataFile::simulated(open.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs `check` on both kinds of disk, in an empty folder.
    fn on_both(name: &str, check: impl Fn(&Disk, &Path)) {
        let folder =
            std::env::temp_dir().join(format!("redstart-disk-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        check(&Disk::Real, &folder);
        std::fs::remove_dir_all(&folder).expect("our folder");
        let disk = Disk::Simulated(Simulated::new());
        let folder = Path::new("data");
        disk.make_folder(folder).expect("an empty disk");
        check(&disk, folder);
    }

    #[test]
    fn writes_appends_truncates_reads() {
        on_both("write", |disk, folder| {
            let path = folder.join("ünïcode file");
            disk.create(&path)
                .and_then(|mut f| f.write(b"one two"))
                .expect("written");
            let mut file = disk.append(&path).expect("it is there");
            assert_eq!(file.len().expect("open"), 7);
            file.write(b" three").expect("at the end");
            file.truncate(4).expect("back");
            file.write(b"four").expect("from there");
            let other = file.again().expect("another handle");
            other.flush().expect("durable");
            assert_eq!(disk.read(&path).expect("it is there"), b"one four");
            assert_eq!(disk.len(&path).expect("it is there"), 8);
            file.seek(4).expect("within");
            let mut word = [0; 9];
            assert_eq!(file.read(&mut word).expect("readable"), 4);
            assert_eq!(&word[..4], b"four");
            drop((file, other));
            assert_eq!(
                disk.create(&path).and_then(|f| f.is_empty()).ok(),
                Some(true)
            );
        });
    }

    #[test]
    fn names_come_and_go() {
        on_both("names", |disk, folder| {
            let (a, b) = (folder.join("a"), folder.join("b"));
            assert_eq!(
                disk.open(&a).expect_err("nothing there").kind(),
                io::ErrorKind::NotFound
            );
            assert_eq!(
                disk.len(&a).expect_err("nothing there").kind(),
                io::ErrorKind::NotFound
            );
            assert!(disk.create(&folder.join("none/x")).is_err());
            assert!(disk.rename(&a, &b).is_err());
            disk.create(&a)
                .and_then(|mut f| f.write(b"a"))
                .expect("written");
            disk.create(&b)
                .and_then(|mut f| f.write(b"b"))
                .expect("written");
            disk.rename(&a, &b).expect("over the other");
            assert_eq!(disk.read(&b).expect("it is there"), b"a");
            disk.make_folder(&folder.join("inner")).expect("new");
            disk.make_folder(&folder.join("inner")).expect("no failure");
            assert!(disk.has(&folder.join("inner")) && !disk.has(&a));
            assert_eq!(
                disk.list(folder).expect("ours"),
                [PathBuf::from("b"), "inner".into()]
            );
            assert!(disk.list(&folder.join("none")).is_err());
            disk.flush_folder(folder).expect("ours");
            disk.remove(&b).expect("it is there");
            disk.remove(&b).expect("no failure");
            assert!(!disk.has(&b));
        });
    }

    #[test]
    fn a_replacement_is_whole_or_nothing() {
        on_both("replace", |disk, folder| {
            let (temporary, target) = (folder.join("temp-1"), folder.join("data"));
            disk.create(&target)
                .and_then(|mut f| f.write(b"old"))
                .expect("written");
            let mut dropped = Replacement::begin(disk, temporary.clone(), &target).expect("free");
            dropped.file().write(b"half").expect("written");
            drop(dropped);
            assert_eq!(disk.list(folder).expect("ours"), [PathBuf::from("data")]);
            assert_eq!(disk.read(&target).expect("as it was"), b"old");

            let mut finished = Replacement::begin(disk, temporary, &target).expect("free");
            finished.file().write(b"new").expect("written");
            finished.finish().expect("nothing in the way");
            assert_eq!(disk.list(folder).expect("ours"), [PathBuf::from("data")]);
            assert_eq!(disk.read(&target).expect("replaced"), b"new");
        });
    }
}
