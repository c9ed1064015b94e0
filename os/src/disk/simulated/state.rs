//! What is on the simulated disk, what of it is durable, and what a power cut makes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use super::Failure;
use crate::disk::folder_of;

/// Something that changes the disk. What failed half is recorded as what it did.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    Create(PathBuf),
    Write(usize, usize, Vec<u8>),
    Flush(usize),
    /// A flush that failed (S2).
    FailedFlush(usize),
    Truncate(usize, usize),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    MakeFolder(PathBuf),
    FlushFolder(PathBuf),
    Nothing,
}

impl Operation {
    /// What a failure leaves of it, and what its caller hears.
    pub(super) fn fail(self, how: Failure) -> (Operation, io::Result<()>) {
        use Operation::{Create, FailedFlush, Flush, FlushFolder, MakeFolder, Nothing, Write};
        let eio = || Err(io::Error::other("Input/output error"));
        let full = || {
            Err(io::Error::new(
                io::ErrorKind::StorageFull,
                "No space left on device",
            ))
        };
        match (how, self) {
            (Failure::Eio | Failure::Flush, Flush(inode)) => (FailedFlush(inode), eio()),
            (Failure::Eio, _) | (Failure::Flush, FlushFolder(_)) => (Nothing, eio()),
            (Failure::Short, Write(inode, at, mut bytes)) => {
                bytes.truncate(bytes.len() / 2);
                (Write(inode, at, bytes), full())
            }
            (Failure::NoSpace | Failure::Short, Write(..) | Create(_) | MakeFolder(_)) => {
                (Nothing, full())
            }
            (_, other) => (other, Ok(())),
        }
    }

    pub(super) fn describe(&self) -> String {
        match self {
            Operation::Write(inode, at, bytes) => {
                format!("write of {} bytes at {at} of file {inode}", bytes.len())
            }
            other => format!("{other:?}"),
        }
    }
}

/// A file's bytes, under whatever names.
#[derive(Clone, Debug, Default)]
struct Inode {
    bytes: Vec<u8>,
    durable: Vec<u8>,
    /// Sectors of `SECTOR_MIN` bytes that have been written since the last flush, failed or not. The others
    /// are clean, which after a failed flush does not mean durable (S2).
    dirty: BTreeSet<usize>,
    /// Whether the length has changed since.
    dirty_len: bool,
}

/// A change of names that is not durable: what goes and what comes, at once.
#[derive(Clone, Debug)]
struct Renaming {
    folder: PathBuf,
    gone: Option<PathBuf>,
    come: Option<(PathBuf, usize)>,
    made: Option<PathBuf>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct State {
    inodes: Vec<Inode>,
    names: BTreeMap<PathBuf, usize>,
    folders: BTreeSet<PathBuf>,
    durable_names: BTreeMap<PathBuf, usize>,
    durable_folders: BTreeSet<PathBuf>,
    pending: Vec<Renaming>,
}

const SECTOR_MIN: usize = 512;

impl State {
    pub(super) fn find(&self, path: &Path) -> Option<usize> {
        self.names.get(path).copied()
    }

    pub(super) fn bytes(&self, inode: usize) -> &[u8] {
        &self.inodes[inode].bytes
    }

    /// The folder "" is always there.
    pub(super) fn has_folder(&self, path: &Path) -> bool {
        path.as_os_str().is_empty() || self.folders.contains(path)
    }

    pub(super) fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        if !self.has_folder(folder) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let mut names: Vec<PathBuf> = (self.names.keys().chain(&self.folders))
            .filter(|path| folder_of(path) == folder)
            .filter_map(|path| path.file_name().map(PathBuf::from))
            .collect();
        names.sort();
        Ok(names)
    }

    /// Whether a system would do this at all.
    pub(super) fn permits(&self, operation: &Operation) -> io::Result<()> {
        let missing = match operation {
            Operation::Create(path) | Operation::MakeFolder(path) => {
                !self.has_folder(folder_of(path))
            }
            Operation::Rename(from, to) => {
                self.find(from).is_none() || !self.has_folder(folder_of(to))
            }
            Operation::FlushFolder(folder) => !self.has_folder(folder),
            _ => false,
        };
        if missing {
            Err(io::ErrorKind::NotFound.into())
        } else {
            Ok(())
        }
    }

    pub(super) fn apply(&mut self, operation: &Operation) {
        match operation {
            Operation::Create(path) => self.create(path),
            Operation::Write(inode, at, bytes) => self.inodes[*inode].write(*at, bytes),
            Operation::Flush(inode) => self.inodes[*inode].flush(),
            Operation::FailedFlush(inode) => self.inodes[*inode].forget(),
            Operation::Truncate(inode, len) => self.inodes[*inode].truncate(*len),
            Operation::Rename(from, to) => {
                let inode = self.names.remove(from).expect("permitted");
                self.names.insert(to.clone(), inode);
                self.pending.push(Renaming {
                    folder: folder_of(to).to_owned(),
                    gone: Some(from.clone()),
                    come: Some((to.clone(), inode)),
                    made: None,
                });
            }
            Operation::Remove(path) => {
                self.names.remove(path);
                self.pending.push(Renaming {
                    folder: folder_of(path).to_owned(),
                    gone: Some(path.clone()),
                    come: None,
                    made: None,
                });
            }
            Operation::MakeFolder(path) => {
                self.folders.insert(path.clone());
                self.pending.push(Renaming {
                    folder: folder_of(path).to_owned(),
                    gone: None,
                    come: None,
                    made: Some(path.clone()),
                });
            }
            Operation::FlushFolder(folder) => {
                let pending = std::mem::take(&mut self.pending);
                let (now, later) = pending.into_iter().partition(|r| r.folder == *folder);
                self.pending = later;
                let now: Vec<Renaming> = now;
                for renaming in &now {
                    self.make_durable(renaming);
                }
            }
            Operation::Nothing => {}
        }
    }

    fn create(&mut self, path: &Path) {
        if let Some(inode) = self.find(path) {
            self.inodes[inode].truncate(0);
            return;
        }
        let inode = self.inodes.len();
        self.inodes.push(Inode::default());
        self.names.insert(path.to_owned(), inode);
        self.pending.push(Renaming {
            folder: folder_of(path).to_owned(),
            gone: None,
            come: Some((path.to_owned(), inode)),
            made: None,
        });
    }

    fn make_durable(&mut self, renaming: &Renaming) {
        if let Some(path) = &renaming.gone {
            self.durable_names.remove(path);
        }
        if let Some((path, inode)) = &renaming.come {
            self.durable_names.insert(path.clone(), *inode);
        }
        if let Some(path) = &renaming.made {
            self.durable_folders.insert(path.clone());
        }
    }

    /// All that was done reaches the disk in its own time.
    pub(super) fn settle(&mut self) {
        for inode in &mut self.inodes {
            inode.durable = inode.bytes.clone();
            inode.dirty.clear();
            inode.dirty_len = false;
        }
        self.pending.clear();
        self.durable_names = self.names.clone();
        self.durable_folders = self.folders.clone();
    }

    /// What a power cut leaves now.
    pub(super) fn crash(mut self, seed: u64) -> State {
        let mut dice = Dice(seed);
        // A journal keeps the order of names and loses its end; one that does not is worse, and allowed.
        let in_order = dice.roll(2) == 0;
        let kept = dice.roll(self.pending.len() as u64 + 1) as usize;
        for (index, renaming) in std::mem::take(&mut self.pending).iter().enumerate() {
            if if in_order {
                index < kept
            } else {
                dice.roll(2) == 0
            } {
                self.make_durable(renaming);
            }
        }
        for inode in &mut self.inodes {
            inode.bytes = inode.crash(&mut dice);
        }
        self.folders = self.durable_folders.clone();
        let folders = &self.folders;
        self.durable_names.retain(|path, _| {
            folder_of(path).as_os_str().is_empty() || folders.contains(folder_of(path))
        });
        self.names = self.durable_names.clone();
        self.settle();
        self
    }
}

impl Inode {
    fn write(&mut self, at: usize, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let end = at + bytes.len();
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
            self.dirty_len = true;
        }
        self.bytes[at..end].copy_from_slice(bytes);
        self.dirty.extend(at / SECTOR_MIN..=(end - 1) / SECTOR_MIN);
    }

    fn truncate(&mut self, len: usize) {
        self.bytes.resize(len, 0);
        self.dirty_len = true;
    }

    fn flush(&mut self) {
        for sector in std::mem::take(&mut self.dirty) {
            let (from, to) = (sector * SECTOR_MIN, (sector + 1) * SECTOR_MIN);
            let to = to.min(self.bytes.len());
            if from < to {
                if self.durable.len() < to {
                    self.durable.resize(to, 0);
                }
                self.durable[from..to].copy_from_slice(&self.bytes[from..to]);
            }
        }
        self.durable.resize(self.bytes.len(), 0);
        self.dirty_len = false;
    }

    /// A flush has failed: what was dirty counts as clean and is not on the disk.
    fn forget(&mut self) {
        self.dirty.clear();
    }

    /// What the disk holds of it after a power cut.
    fn crash(&self, dice: &mut Dice) -> Vec<u8> {
        if self.dirty.is_empty() && !self.dirty_len {
            return self.durable.clone();
        }
        let sector = if dice.roll(2) == 0 { 512 } else { 4096 };
        let (old, new) = (self.durable.len(), self.bytes.len());
        let (low, high) = (old.min(new), old.max(new));
        let len = match dice.roll(4) {
            0 => old,
            1 => new,
            _ => low + dice.roll((high - low) as u64 + 1) as usize,
        };
        let mut left = Vec::with_capacity(len);
        while left.len() < len {
            let from = left.len();
            let to = (from + sector).min(len);
            let clean =
                !(from / SECTOR_MIN..to.div_ceil(SECTOR_MIN)).any(|s| self.dirty.contains(&s));
            let choice = if clean { 1 } else { dice.roll(4) };
            for at in from..to {
                let byte = match choice {
                    0 | 3 if at < new => self.bytes[at],
                    // Sectors that had their bytes keep them: rubbish is only where nothing was.
                    _ if at < old => self.durable[at],
                    2 => dice.next() as u8,
                    _ => 0,
                };
                left.push(byte);
            }
        }
        left
    }
}

/// A small generator (splitmix64): a crash is a function of its seed.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn roll(&mut self, sides: u64) -> u64 {
        self.next() % sides
    }
}
