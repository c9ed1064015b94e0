//! The log thread's work: merge, write, ask for flushes, change files, sleep.
//!
//! ```text
//!   buffer   [ seal ][ whole units of the current file ║ split ║ seal ][ units of the next file ]
//!   file     [ len: whole units ][ half of one that could not be written: cut off before the next write ]
//! ```

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::fence;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use os::disk::DataFile;
use store::{LogReader, Merge};

use super::flusher::Job;
use super::{Control, Fsync, Shared, Then, dead, now_ms};
use crate::aof::seal::{self, Seal};

/// How long a failed write waits for its next attempt.
const RETRY: Duration = Duration::from_secs(1);
/// How often `everysec` flushes.
const FLUSH_EVERY: Duration = Duration::from_secs(1);
/// How long the thread sleeps when nothing is to come.
const IDLE: Duration = Duration::from_secs(10);
/// A buffer that was larger than this is let go.
const KEEP_BUFFER_BYTES: usize = 1 << 20;

/// The log thread.
pub(super) struct Writer {
    shared: Arc<Shared>,
    merge: Merge,
    file: DataFile,
    /// Where the last whole unit ends in the file (L2).
    len: u64,
    /// What is in the file behind that has to go first.
    needs_truncate: bool,
    /// How much of the file is durable, for all we know; and how much was in it at the last asking.
    durable_len: u64,
    asked_len: u64,
    has_seals: bool,
    buffer: Vec<u8>,
    /// Where in the buffer the next file's units begin.
    split: Option<usize>,
    /// The next unit is the first of its file.
    is_fresh: bool,
    merged: u64,
    written: u64,
    /// The file to change to.
    switch: Option<(DataFile, u64, mpsc::Sender<()>)>,
    jobs: mpsc::Sender<Job>,
    /// Everything up to this number has been flushed or is about to be.
    asked: u64,
    asked_at: Instant,
    /// While a job kept the disk to itself, more was called flushed than is.
    owes_flush: bool,
    /// The flush that is due has been counted as late.
    counted_late: bool,
    retry_at: Option<Instant>,
    /// The last `#TS:` that was written.
    stamp_s: i64,
}

/// Takes units out of the merge.
struct Intake<'w> {
    shared: &'w Shared,
    buffer: &'w mut Vec<u8>,
    split: &'w mut Option<usize>,
    is_fresh: &'w mut bool,
    has_seals: bool,
    stamp_s: &'w mut i64,
    /// The time of this intake, if units are to be stamped.
    now_s: Option<i64>,
}

impl LogReader for Intake<'_> {
    fn begins_anew(&mut self, number: u64) -> bool {
        // Acquire: pairs with `Log::switch`, whose caller held the locks of whoever wrote this unit.
        if self.split.is_none() && number > self.shared.switch_after.load(Acquire) {
            *self.split = Some(self.buffer.len());
            *self.is_fresh = true;
        }
        *self.is_fresh
    }

    fn unit(&mut self, _number: u64, commands: &[u8]) {
        if commands.is_empty() {
            return;
        }
        if self.has_seals && self.buffer.len() == self.split.unwrap_or(0) {
            // Made out when the batch is written.
            self.buffer.extend_from_slice(&[0; seal::LEN]);
        }
        if let Some(now_s) = self.now_s
            && (now_s > *self.stamp_s || *self.is_fresh)
        {
            *self.stamp_s = now_s;
            self.buffer
                .extend_from_slice(format!("#TS:{now_s}\r\n").as_bytes());
        }
        *self.is_fresh = false;
        self.buffer.extend_from_slice(commands);
    }
}

impl Writer {
    pub(super) fn new(
        shared: Arc<Shared>,
        merge: Merge,
        last: u64,
        file: DataFile,
        len: u64,
        has_seals: bool,
        jobs: mpsc::Sender<Job>,
    ) -> Writer {
        Writer {
            shared,
            merge,
            file,
            len,
            needs_truncate: false,
            durable_len: len,
            asked_len: len,
            has_seals,
            buffer: Vec::new(),
            split: None,
            is_fresh: true,
            merged: last,
            written: last,
            switch: None,
            jobs,
            asked: last,
            asked_at: Instant::now(),
            owes_flush: false,
            counted_late: false,
            retry_at: None,
            stamp_s: 0,
        }
    }

    /// Until it is told to end.
    pub(super) fn run(mut self) {
        loop {
            match self.step() {
                Step::End => return,
                Step::Worked => continue,
                Step::Idle => {}
            }
            // L5. Relaxed and the fence: who publishes a record fences before it looks here.
            self.shared.sleeping.store(true, Relaxed);
            fence(SeqCst);
            match self.step() {
                Step::End => return,
                Step::Worked => {}
                Step::Idle => std::thread::park_timeout(self.patience()),
            }
            self.shared.sleeping.store(false, Relaxed);
        }
    }

    /// Does what there is to do.
    fn step(&mut self) -> Step {
        let mut step = if self.merge() {
            Step::Worked
        } else {
            Step::Idle
        };
        let mut settles = Vec::new();
        loop {
            // Behind the merge: who sees a unit beyond a switch finds the file here.
            let controls = std::mem::take(&mut *self.shared.controls.lock());
            if controls.is_empty() {
                break;
            }
            step = Step::Worked;
            for control in controls {
                match control {
                    Control::Switch { file, bytes, done } => {
                        self.switch = Some((file, bytes, done));
                    }
                    Control::Settle { then, done } => settles.push((then, done)),
                }
            }
            // And once more: what was published before somebody asked to settle is settled.
            self.merge();
        }
        if !settles.is_empty() {
            self.retry_at = None;
        }
        if self.shared.is_dead() {
            // Nobody is told that any of it is safe; it must not pile up.
            self.buffer.clear();
            self.split = None;
        } else {
            self.write();
            self.flush();
        }
        for (then, done) in settles {
            let result = self.settle();
            if then == Then::End || (then == Then::EndIfWhole && result.is_ok()) {
                step = Step::End;
            }
            // Nobody listens any more: then nobody cares.
            let _ = done.send(result);
        }
        self.shared
            .buffer_bytes
            .store(self.buffer.len() as u64, Relaxed);
        step
    }

    /// Takes what the workers have published; gives whether that was anything.
    fn merge(&mut self) -> bool {
        let before = self.buffer.len();
        // Relaxed: a setting by itself.
        let stamped = self.shared.timestamps.load(Relaxed);
        let mut intake = Intake {
            shared: &self.shared,
            buffer: &mut self.buffer,
            split: &mut self.split,
            is_fresh: &mut self.is_fresh,
            has_seals: self.has_seals,
            stamp_s: &mut self.stamp_s,
            now_s: stamped.then(|| os::clock::wall_ms().div_euclid(1_000)),
        };
        let last = self.merge.drain(&mut intake);
        if last <= self.merged {
            return false;
        }
        self.merged = last;
        self.shared.merged.store(last, Relaxed);
        if self.buffer.len() > before && self.shared.fsync() == Fsync::Everysec {
            self.shared.note_merged(now_ms());
        }
        true
    }

    /// Writes the buffer, into the next file what belongs there.
    fn write(&mut self) {
        loop {
            let end = self.split.unwrap_or(self.buffer.len());
            if !self.write_out(end) {
                return;
            }
            // Acquire: see `begins_anew`.
            let after = self.shared.switch_after.load(Acquire);
            match self.switch.take() {
                Some(switch) if self.merged >= after => self.change_files(switch, after),
                waiting => {
                    self.switch = waiting;
                    break;
                }
            }
        }
        self.set_written(self.merged);
        if self.buffer.capacity() > KEEP_BUFFER_BYTES {
            self.buffer = Vec::new();
        }
    }

    fn set_written(&mut self, number: u64) {
        self.written = number;
        // Release: whoever sees the number finds the bytes in the file.
        self.shared.written.store(number, Release);
    }

    /// Writes the buffer's first `end` bytes; `false` when that has to be tried again.
    fn write_out(&mut self, end: usize) -> bool {
        if end == 0 {
            return true;
        }
        if self.retry_at.is_some_and(|at| Instant::now() < at) {
            return false;
        }
        let began = Instant::now();
        match self.try_write(end) {
            Ok(()) => {
                self.len += end as u64;
                self.buffer.drain(..end);
                if let Some(split) = &mut self.split {
                    *split -= end;
                }
                self.retry_at = None;
                self.shared.file_bytes.store(self.len, Relaxed);
                if self.shared.failing.swap(false, Relaxed) {
                    self.shared.host.write_recovered();
                }
                let us = began.elapsed().as_micros() as u64;
                self.shared.host.took("aof-write", us);
                true
            }
            Err(error) => {
                self.retry_at = Some(Instant::now() + RETRY);
                self.shared.failing.store(true, Relaxed);
                self.shared.host.write_failed(&error);
                false
            }
        }
    }

    /// A4: what a failed write has left is cut off, now or before the next one.
    fn try_write(&mut self, end: usize) -> io::Result<()> {
        if self.needs_truncate {
            self.file.truncate(self.len)?;
            self.needs_truncate = false;
        }
        if self.has_seals {
            let durable = self.durable_len();
            let seal = Seal::of(&self.buffer[seal::LEN..end], durable);
            self.buffer[..seal::LEN].copy_from_slice(&seal.line());
        }
        let written = self.file.write(&self.buffer[..end]);
        if written.is_err() {
            self.needs_truncate = self.file.truncate(self.len).is_err();
        }
        written
    }

    /// How much of the file is known to be durable. Where nobody flushes, a reader is to take everything for
    /// it: then what is not sound is damage, and nothing is cut off behind it.
    fn durable_len(&mut self) -> u64 {
        match self.shared.fsync() {
            Fsync::No => return self.len,
            _ if self.shared.flushed.load(Acquire) >= self.asked => {
                self.durable_len = self.durable_len.max(self.asked_len);
            }
            _ => {}
        }
        self.durable_len
    }

    /// Everything of the old file has been written: goes over to the new one.
    fn change_files(&mut self, (file, len, done): (DataFile, u64, mpsc::Sender<()>), after: u64) {
        self.set_written(after);
        // L4. Whatever the policy: what is lost of a file that another follows would be a gap.
        self.flush_now();
        self.file = file;
        self.len = len;
        (self.durable_len, self.asked_len) = (len, len);
        self.needs_truncate = false;
        self.is_fresh |= self.split.is_none();
        self.split = None;
        self.shared.file_bytes.store(len, Relaxed);
        // Relaxed: the next switch is asked for after this one is known to be over.
        self.shared.switch_after.store(u64::MAX, Relaxed);
        // Nobody listens any more: then nobody cares.
        let _ = done.send(());
    }

    /// Flushes what is written, as the policy says.
    fn flush(&mut self) {
        let is_suspended = self.shared.suspended.load(Relaxed);
        match self.shared.fsync() {
            // The configuration says that a running job is worth a loss.
            Fsync::Always if is_suspended => {
                self.owes_flush |= self.shared.flushed.load(Relaxed) < self.written;
                self.shared.set_flushed(self.written);
            }
            Fsync::Always => self.flush_now(),
            Fsync::Everysec if self.asked >= self.written || is_suspended => {}
            Fsync::Everysec if self.asked_at.elapsed() < FLUSH_EVERY => {}
            Fsync::Everysec if self.shared.flushes.load(SeqCst) == 0 => self.ask_for_flush(),
            Fsync::Everysec => {
                if !std::mem::replace(&mut self.counted_late, true) {
                    self.shared.delayed.fetch_add(1, Relaxed);
                }
            }
            Fsync::No => {}
        }
        if is_suspended || self.shared.fsync() != Fsync::Everysec {
            self.shared.forget_ages();
        }
    }

    /// Flushes here and now what is not durable.
    fn flush_now(&mut self) {
        if self.shared.flushed.load(Relaxed) >= self.written && !self.owes_flush {
            return;
        }
        // L4: earlier flushes come first. The flush thread wakes us.
        while self.shared.flushes.load(SeqCst) > 0 {
            std::thread::park_timeout(Duration::from_millis(10));
        }
        if self.shared.is_dead() {
            return;
        }
        let began = Instant::now();
        match self.file.flush() {
            Ok(()) => {
                (self.asked, self.asked_len) = (self.written, self.len);
                self.owes_flush = false;
                self.shared.set_flushed(self.written);
            }
            Err(error) => self.shared.die(&error),
        }
        let us = began.elapsed().as_micros() as u64;
        self.shared.host.took("aof-fsync-always", us);
    }

    /// Asks the flush thread to make durable what is written.
    fn ask_for_flush(&mut self) {
        match self.file.again() {
            Ok(file) => {
                self.shared.note_flush_begins();
                self.shared.flushes.fetch_add(1, SeqCst);
                let number = self.written;
                (self.jobs.send(Job { file, number })).expect("the flush thread ends after us");
                (self.asked, self.asked_len) = (number, self.len);
                self.asked_at = Instant::now();
                self.counted_late = false;
            }
            // Out of descriptors: as slow as `always`, and as safe.
            Err(_) => self.flush_now(),
        }
    }

    /// Whether everything is durable, now that it has been tried.
    fn settle(&mut self) -> io::Result<()> {
        if !self.buffer.is_empty() {
            return Err(io::Error::other(
                "the append-only file could not be written",
            ));
        }
        if !self.shared.is_dead() {
            self.flush_now();
        }
        if self.shared.is_dead() {
            Err(dead())
        } else {
            Ok(())
        }
    }

    /// How long there is nothing to do if nobody calls.
    fn patience(&self) -> Duration {
        let now = Instant::now();
        let flush_at = (self.shared.fsync() == Fsync::Everysec && self.asked < self.written)
            .then(|| self.asked_at + FLUSH_EVERY)
            // One that is under way wakes us when it has ended.
            .filter(|_| self.shared.flushes.load(SeqCst) == 0);
        let at = [self.retry_at, flush_at].into_iter().flatten().min();
        at.map_or(IDLE, |at| at.saturating_duration_since(now))
    }
}

/// What came of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// There may be more at once.
    Worked,
    /// There was nothing.
    Idle,
    /// The thread is to end.
    End,
}
