//! The flush thread: flushes files in the order in which it is asked to (L4).

use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc;
use std::time::Instant;

use os::disk::DataFile;

use super::Shared;

/// A flush that is asked for.
pub(super) struct Job {
    /// The file; its own handle, so that the log thread can close the one that it writes to.
    pub(super) file: DataFile,
    /// All units up to this one are in it, or in files whose flush was asked for before.
    pub(super) number: u64,
}

/// Until the log thread ends.
pub(super) fn run(shared: &Shared, jobs: &mpsc::Receiver<Job>) {
    while let Ok(job) = jobs.recv() {
        // L3: one failure is enough.
        if !shared.is_dead() {
            let began = Instant::now();
            match job.file.flush() {
                Ok(()) => shared.set_flushed(job.number),
                Err(error) => shared.die(&error),
            }
            shared
                .host
                .took("aof-fsync", began.elapsed().as_micros() as u64);
        }
        // SeqCst: the log thread sees the ages only when it sees that nothing is under way.
        if shared.flushes.fetch_sub(1, SeqCst) == 1 {
            shared.note_flush_ended();
        }
        shared.wake_surely();
    }
}
