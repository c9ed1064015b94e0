//! A base of commands, for `aof-use-rdb-preamble no`: what a cut holds, as requests that bring it back.
//!
//! ```text
//!   SELECT db    SET key value [PXAT ms]    RESTORE key ms-or-0 payload ABSTTL    …
//! ```
//!
//! Redis takes values apart into RPUSH, SADD, XADD and so on. We write what is no string as RESTORE with the
//! payload of DUMP: it is shorter, loads faster, keeps all that a value has (streams' groups, fields' times),
//! and is in the version that the oldest reader takes which can hold the value.
//!
//! Checked by: server/tests/aof.rs, which loads such files to equal digests.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use os::disk::Replacement;
use rdb::Compressor;
use store::{Cut, EntryRef, ValueRef};

use crate::jobs::Job;
use crate::save::{Failure, Order};

/// Bytes gathered before they are written.
const BLOCK_BYTES: usize = 1 << 20;

/// Saves a cut as commands, as `persist::save::save` does as an RDB file; with `stamps` the cut's time
/// stands in front (`aof-timestamp-enabled`).
///
/// # Errors
/// As there.
pub fn save(mut cut: Cut, stamps: bool, order: &Order, job: &Job) -> Result<(), Failure> {
    let temporary = || order.temporary.clone();
    let write_error = |error| Failure::Write(temporary(), error);
    let mut replacement = Replacement::begin(&order.disk, temporary(), &order.target)
        .map_err(|error| Failure::Open(temporary(), error))?;
    let mut writer = Writer {
        out: Vec::new(),
        compressor: order.compress.then(Compressor::new),
        db: None,
    };
    if stamps {
        writer.stamp(cut.time_ms().div_euclid(1_000));
    }
    let mut unflushed = 0;
    while let Some(part) = cut.take_part() {
        // Relaxed: a figure.
        let held = cut.held_bytes();
        job.progress.copied.fetch_max(held, Relaxed);
        for entry in part.iter_all() {
            writer.entry(part.db(), entry);
            job.progress.keys.fetch_add(1, Relaxed);
            if writer.out.len() >= BLOCK_BYTES {
                let bytes = writer.out.len() as u64;
                replacement.file().write(&writer.out).map_err(write_error)?;
                writer.out.clear();
                job.progress.bytes.fetch_add(bytes, Relaxed);
                unflushed += bytes;
                if order.flush_each.is_some_and(|each| unflushed >= each) {
                    replacement.file().flush().map_err(write_error)?;
                    unflushed = 0;
                }
            }
            delay(order, job);
            if job.is_cancelled() {
                return Err(Failure::Cancelled);
            }
        }
    }
    replacement.file().write(&writer.out).map_err(write_error)?;
    replacement
        .finish()
        .map_err(|error| Failure::Rename(temporary(), order.target.clone(), error))
}

const DELAY_STEP: Duration = Duration::from_millis(10);

/// `rdb-key-save-delay`, in steps, so that cancelling does not wait for a delay of minutes.
fn delay(order: &Order, job: &Job) {
    let mut left = Duration::from_micros(u64::try_from(order.delay_us).unwrap_or(0));
    while !left.is_zero() && !job.is_cancelled() {
        let step = left.min(DELAY_STEP);
        std::thread::sleep(step);
        left -= step;
    }
}

struct Writer {
    out: Vec<u8>,
    compressor: Option<Compressor>,
    db: Option<u32>,
}

impl Writer {
    fn stamp(&mut self, unix_s: i64) {
        self.out
            .extend_from_slice(format!("#TS:{unix_s}\r\n").as_bytes());
    }

    fn entry(&mut self, db: u32, entry: EntryRef<'_>) {
        if self.db != Some(db) {
            self.db = Some(db);
            self.command(&[b"SELECT", db.to_string().as_bytes()]);
        }
        let deadline = entry.deadline().map(|at| at.to_string());
        match entry.value() {
            ValueRef::String(value) => {
                let mut digits = [0; 20];
                let value = value.bytes(&mut digits);
                match &deadline {
                    None => self.command(&[b"SET", entry.key(), value]),
                    Some(at) => self.command(&[b"SET", entry.key(), value, b"PXAT", at.as_bytes()]),
                }
            }
            value => {
                let mut payload = Vec::new();
                rdb::dump(value, self.compressor.as_mut(), &mut payload);
                let at = deadline.as_deref().unwrap_or("0");
                self.command(&[b"RESTORE", entry.key(), at.as_bytes(), &payload, b"ABSTTL"]);
            }
        }
    }

    fn command(&mut self, words: &[&[u8]]) {
        self.out
            .extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
        for word in words {
            self.out
                .extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            self.out.extend_from_slice(word);
            self.out.extend_from_slice(b"\r\n");
        }
    }
}
