//! A disk in memory that records, fails and tears.
//!
//! Every operation that changes something is appended to a history; the state is what applying the
//! history gives. So a test runs its work once and then asks, for each operation and many seeds, what
//! a power cut there may have left: [`Simulated::crash`] applies the history up to it and forgets.
//!
//! ```text
//!   history   0 make folder · 1 create f · 2 write f "…" · 3 flush f · 4 write f "…" · 5 rename …
//!                                                     crash(5, seed) ─▶ another disk:
//!   bytes     flushed ones stay; of the others each sector of 512 or 4096 bytes is the new one, the old
//!             one, zeros or rubbish, and the end is anywhere between the old and the new
//!   names     those of flushed folders stay; of the others any subset has happened
//! ```
//!
//! Faults are planned by operation number: [`Fault`]. A failed operation has a number too, and stands
//! in the history as what it did all the same (half of a write), or as nothing.
//!
//! S1  Reading is not numbered and never fails by plan.
//! S2  After a failed flush the dirty bytes are as clean to the system as after one that worked, as on
//!     Linux: later flushes of this file succeed and make only later writes durable. A test that
//!     counts on a second flush loses data here, as it would there.
//! S3  A crash is a function of history, operation and seed.
//!
//! Checked by: `tests.rs`.

mod state;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use state::{Operation, State};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// An input/output error, of any operation; nothing has been done.
    Eio,
    /// The disk is full: writes, new files and new folders fail; what takes no room succeeds.
    NoSpace,
    /// Half of a write is done, then the disk is full; otherwise as `NoSpace`.
    Short,
    /// Only flushes fail, of files and of folders (S2).
    Flush,
}

/// Which operations fail.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// The first operation, by number; they begin at 0.
    pub from: u64,
    /// The first operation that works again, or `u64::MAX`.
    pub to: u64,
    /// How.
    pub how: Failure,
}

/// The disk.
#[derive(Debug)]
pub struct Simulated {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// What a crash left, on which the history builds.
    origin: State,
    state: State,
    history: Vec<Operation>,
    /// The state after so many operations that was asked for last: who asks for crashes asks for many at
    /// the same place, and goes forward.
    reached: Option<(usize, State)>,
    faults: Vec<Fault>,
}

/// An open file: which one, and where in it we are.
#[derive(Clone, Debug)]
pub(super) struct Open {
    disk: Arc<Simulated>,
    inode: usize,
    at: usize,
}

impl Simulated {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Simulated {
            inner: Mutex::new(Inner::default()),
        })
    }

    /// Plans failures, instead of those planned before.
    pub fn plan(&self, faults: &[Fault]) {
        self.inner().faults = faults.to_vec();
    }

    /// How many operations there have been: the number of the next one.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.inner().history.len() as u64
    }

    /// What the operation of a number did, for a test's message.
    #[must_use]
    pub fn describe(&self, operation: u64) -> String {
        let inner = self.inner();
        inner
            .history
            .get(operation as usize)
            .map_or_else(|| "the end".to_owned(), Operation::describe)
    }

    /// The disk that a power cut leaves after the first `operations` operations (S3).
    #[must_use]
    pub fn crash(&self, operations: u64, seed: u64) -> Arc<Self> {
        let left = self.inner().state_after(operations as usize).crash(seed);
        Arc::new(Simulated {
            inner: Mutex::new(Inner {
                origin: left.clone(),
                state: left,
                ..Inner::default()
            }),
        })
    }

    /// The disk as it is after the first `operations` operations when only the process was killed.
    #[must_use]
    pub fn kill(&self, operations: u64) -> Arc<Self> {
        let mut state = self.inner().state_after(operations as usize);
        state.settle();
        Arc::new(Simulated {
            inner: Mutex::new(Inner {
                origin: state.clone(),
                state,
                ..Inner::default()
            }),
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("nothing panics under it")
    }

    pub(super) fn create(self: &Arc<Self>, path: &Path) -> io::Result<Open> {
        self.inner().run(Operation::Create(path.to_owned()))?;
        self.opened(path, 0)
    }

    pub(super) fn append(self: &Arc<Self>, path: &Path) -> io::Result<Open> {
        if self.inner().state.find(path).is_none() {
            return self.create(path);
        }
        let len = self.len(path)?;
        self.opened(path, len as usize)
    }

    pub(super) fn open(self: &Arc<Self>, path: &Path) -> io::Result<Open> {
        self.opened(path, 0)
    }

    fn opened(self: &Arc<Self>, path: &Path, at: usize) -> io::Result<Open> {
        let inode = self
            .inner()
            .state
            .find(path)
            .ok_or(io::ErrorKind::NotFound)?;
        Ok(Open {
            disk: Arc::clone(self),
            inode,
            at,
        })
    }

    pub(super) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.inner()
            .run(Operation::Rename(from.to_owned(), to.to_owned()))
    }

    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.inner();
        match inner.state.find(path) {
            None => Ok(()),
            Some(_) => inner.run(Operation::Remove(path.to_owned())),
        }
    }

    pub(super) fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        self.inner().state.list(folder)
    }

    pub(super) fn make_folder(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.inner();
        if inner.state.has_folder(path) {
            return Ok(());
        }
        inner.run(Operation::MakeFolder(path.to_owned()))
    }

    pub(super) fn flush_folder(&self, folder: &Path) -> io::Result<()> {
        self.inner().run(Operation::FlushFolder(folder.to_owned()))
    }

    pub(super) fn len(&self, path: &Path) -> io::Result<u64> {
        let inner = self.inner();
        let inode = inner.state.find(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(inner.state.bytes(inode).len() as u64)
    }

    pub(super) fn has(&self, path: &Path) -> bool {
        let inner = self.inner();
        inner.state.find(path).is_some() || inner.state.has_folder(path)
    }
}

impl Inner {
    /// What the history's first `operations` operations make.
    fn state_after(&mut self, operations: usize) -> State {
        let (mut at, mut state) = match self.reached.take() {
            Some((at, state)) if at <= operations => (at, state),
            _ => (0, self.origin.clone()),
        };
        for operation in &self.history[at..operations] {
            state.apply(operation);
            at += 1;
        }
        self.reached = Some((at, state.clone()));
        state
    }

    /// Does an operation, or what the plan makes of it.
    fn run(&mut self, operation: Operation) -> io::Result<()> {
        self.state.permits(&operation)?;
        let number = self.history.len() as u64;
        let fault = self
            .faults
            .iter()
            .find(|fault| (fault.from..fault.to).contains(&number));
        let (done, result) = match fault {
            Some(fault) => operation.fail(fault.how),
            None => (operation, Ok(())),
        };
        self.state.apply(&done);
        self.history.push(done);
        result
    }
}

impl Open {
    pub(super) fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let inner = self.disk.inner();
        let bytes = inner.state.bytes(self.inode);
        let rest = bytes.get(self.at..).unwrap_or(&[]);
        let n = rest.len().min(into.len());
        into[..n].copy_from_slice(&rest[..n]);
        self.at += n;
        Ok(n)
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut inner = self.disk.inner();
        let before = inner.history.len();
        let result = inner.run(Operation::Write(self.inode, self.at, bytes.to_vec()));
        if let Some(Operation::Write(_, at, done)) = inner.history.get(before) {
            self.at = at + done.len();
        }
        result
    }

    pub(super) fn flush(&self) -> io::Result<()> {
        self.disk.inner().run(Operation::Flush(self.inode))
    }

    pub(super) fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.disk
            .inner()
            .run(Operation::Truncate(self.inode, len as usize))?;
        self.at = len as usize;
        Ok(())
    }

    pub(super) fn seek(&mut self, to: u64) {
        self.at = to as usize;
    }

    pub(super) fn len(&self) -> u64 {
        self.disk.inner().state.bytes(self.inode).len() as u64
    }
}
