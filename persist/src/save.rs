//! Saving: a cut becomes a file.
//!
//! ```text
//!  cut ──▶ Source: batches of parts, in order ──▶ encoders (1 to 4 threads) ──▶ writer: the caller's thread
//!              │                                     │ each batch has a channel   │ in the batches' order:
//!              └ the channels, in the same order ────┼───────────────────────────▶│ checksum, write, flush
//!                                                    └ at most IN_FLIGHT blocks   └▶ temp-PID.rdb ─▶ rename
//! ```
//!
//! A batch is some thousand entries of one database. Whoever takes one makes its channel under the same
//! lock, so the writer gets the channels in the order of the batches, and reads each to its end. The
//! encoder of the earliest batch is always the one that is being read, so it always gets on; the others
//! fill their channels and wait (P2). Parts are dropped as soon as they are encoded: the price of the
//! cut falls while the file grows.
//!
//! P2  A batch that is not being written yet holds at most `IN_FLIGHT` + 2 blocks of a mebibyte.
//! P3  A save that fails or is cancelled leaves the old file and no temporary one.
//! P5  Whatever ends first, the others end, too: a channel without a reader ends its encoder, a cancelled
//!     job ends all at their next entry.
//!
//! Checked by: tests below (on a simulated disk, failing at each operation), server/tests/persistence.rs.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::time::Duration;

use os::disk::{DataFile, Disk, Replacement};
use os::files::error_text;
use parking_lot::Mutex;
use rdb::crc;
use rdb::file::{Encoder, Header};
use rdb::form::{Dialect, Form};
use store::{AccessPolicy, Cut, DbSize, Part};

use crate::jobs::Job;

/// What is saved where and how.
#[derive(Clone, Debug)]
pub struct Order {
    /// Where the file lies.
    pub disk: Disk,
    /// What is written, and then renamed; in the target's folder.
    pub temporary: PathBuf,
    /// The file.
    pub target: PathBuf,
    /// `rdbcompression`.
    pub compress: bool,
    /// `rdbchecksum`.
    pub checksum: bool,
    /// `rdb-write-version`.
    pub version: u16,
    /// `rdb-dialect`.
    pub dialect: Dialect,
    /// `bgsave-cpulist`: the processors of the encoders; empty: those of the caller.
    pub cpus: String,
    /// Flushed whenever so many bytes have been written (`rdb-save-incremental-fsync`).
    pub flush_each: Option<u64>,
    /// `rdb-key-save-delay`, µs a key; negative: one µs each so many keys.
    pub delay_us: i64,
    /// Written with each key, where eviction asks for it: how its clock runs.
    pub access: Option<AccessPolicy>,
    /// Whether it is the base of an append-only file.
    pub is_aof_base: bool,
    /// For the head: the version of Redis that we answer for.
    pub redis_version: &'static str,
    /// For the head: bytes in use.
    pub used_bytes: u64,
}

/// Why there is no new file.
#[derive(Debug)]
pub enum Failure {
    /// Somebody wanted it so.
    Cancelled,
    /// The temporary file cannot be made.
    Open(PathBuf, io::Error),
    /// It cannot be written or flushed.
    Write(PathBuf, io::Error),
    /// It cannot take the old one's place.
    Rename(PathBuf, PathBuf, io::Error),
}

impl fmt::Display for Failure {
    /// Redis's words, which people look for in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let folder = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("?"));
        let folder = folder.display();
        match self {
            Failure::Cancelled => f.write_str("Background saving cancelled"),
            Failure::Open(temporary, error) => write!(
                f,
                "Failed opening the temp RDB file {} (in server root dir {folder}) for saving: {}",
                temporary.display(),
                error_text(error)
            ),
            Failure::Write(temporary, error) => write!(
                f,
                "Write error saving DB on disk({}): {}",
                temporary.display(),
                error_text(error)
            ),
            Failure::Rename(temporary, target, error) => write!(
                f,
                "Error moving temp DB file {} on the final destination {} (in server root dir \
                 {folder}): {}",
                temporary.display(),
                target.display(),
                error_text(error)
            ),
        }
    }
}

impl std::error::Error for Failure {}

/// Saves a cut; returns when the file has taken its place, or with the reason why it has not.
///
/// # Errors
/// [`Failure`]: the old file is as it was (P3).
pub fn save(cut: Cut, order: &Order, job: &Job) -> Result<(), Failure> {
    let temporary = || order.temporary.clone();
    let mut replacement = Replacement::begin(&order.disk, temporary(), &order.target)
        .map_err(|error| Failure::Open(temporary(), error))?;
    write(cut, order, job, replacement.file())?;
    // Apart from the renaming, so that a full disk is not called a failed rename.
    replacement
        .file()
        .flush()
        .map_err(|error| Failure::Write(temporary(), error))?;
    if job.is_cancelled() {
        return Err(Failure::Cancelled);
    }
    replacement
        .finish()
        .map_err(|error| Failure::Rename(temporary(), order.target.clone(), error))
}

/// Writes a cut as a whole RDB file behind what `file` holds, and does not flush its last bytes.
///
/// # Errors
/// [`Failure::Cancelled`] or [`Failure::Write`]; then a part of it may be there.
pub fn write(cut: Cut, order: &Order, job: &Job, file: &mut DataFile) -> Result<(), Failure> {
    let total = cut.total();
    let form = Form::file(order.version, order.dialect, total.part_deadlines > 0);
    let encoder = || {
        let encoder = Encoder::new(form, order.compress);
        match order.access {
            Some(policy) => encoder.with_access(policy, cut.time_ms()),
            None => encoder,
        }
    };
    let mut writer = Writer {
        file,
        order,
        job,
        checksum: crc::Running::new(),
        unflushed: 0,
    };
    let mut head = Vec::new();
    encoder().begin(
        &Header {
            redis_version: order.redis_version,
            created_s: cut.time_ms().div_euclid(1_000),
            used_memory_bytes: order.used_bytes,
            is_aof_base: order.is_aof_base,
        },
        &mut head,
    );
    writer.write(&head)?;
    let (channels, batches) = mpsc::channel();
    let encoders: Vec<Encoder> = (0..encoders(total.keys, order))
        .map(|_| encoder())
        .collect();
    let source = Mutex::new(Source {
        cut,
        announced: None,
        waiting: None,
        channels: Some(channels),
    });
    std::thread::scope(|scope| {
        for encoder in encoders {
            let source = &source;
            let thread = std::thread::Builder::new().name("save-encoder".into());
            let run = move || Worker::new(encoder, order, job).run(source);
            if let Err(error) = thread.spawn_scoped(scope, run) {
                // Those that have begun find no more.
                source.lock().channels = None;
                return Err(Failure::Write(order.temporary.clone(), error));
            }
        }
        for blocks in batches {
            for block in blocks {
                writer.write(&block)?;
            }
        }
        Ok(())
    })?;
    if job.is_cancelled() {
        return Err(Failure::Cancelled);
    }
    let checksum = order.checksum.then_some(writer.checksum);
    writer.write(&rdb::file::end(checksum))
}

/// Entries in a batch, at least, unless the database ends.
const BATCH_ENTRIES: usize = 4_096;

/// Blocks that an encoder may be ahead of the writer.
const IN_FLIGHT: usize = 2;

/// Keys for which a further encoder is worth its start.
const KEYS_PER_ENCODER: u64 = 50_000;

/// How many threads encode: half the processors, the others serve; one where each key is delayed, so
/// that the delays add up as they do elsewhere.
fn encoders(keys: u64, order: &Order) -> usize {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let wanted = usize::try_from(keys / KEYS_PER_ENCODER).unwrap_or(usize::MAX);
    match order.delay_us {
        0 => wanted.clamp(1, (cores / 2).clamp(2, 4)),
        _ => 1,
    }
}

/// The cut, as the encoders share it.
struct Source {
    cut: Cut,
    /// The database whose line has been given out.
    announced: Option<u32>,
    /// A part that was taken and belongs to the next batch.
    waiting: Option<Part>,
    /// The writer's end; gone when there is nothing more, or nobody wants it.
    channels: Option<Sender<Receiver<Vec<u8>>>>,
}

/// Some thousand entries of one database, and where their bytes go.
struct Batch {
    /// The line to write before them.
    announce: Option<(u32, DbSize)>,
    parts: Vec<Part>,
    blocks: SyncSender<Vec<u8>>,
}

impl Source {
    fn take(&mut self, job: &Job) -> Option<Batch> {
        // Relaxed: a figure.
        let held = self.cut.held_bytes();
        job.progress.copied.fetch_max(held, Relaxed);
        let mut parts: Vec<Part> = Vec::new();
        let mut entries = 0;
        while entries < BATCH_ENTRIES
            && let Some(part) = self.waiting.take().or_else(|| self.cut.take_part())
        {
            if parts.first().is_some_and(|first| first.db() != part.db()) {
                self.waiting = Some(part);
                break;
            }
            entries += part.len();
            parts.push(part);
        }
        let Some(db) = parts.first().map(Part::db) else {
            self.channels = None;
            return None;
        };
        let (blocks, receiver) = mpsc::sync_channel(IN_FLIGHT);
        // A writer that has given up ends everybody (P5).
        self.channels.as_ref()?.send(receiver).ok()?;
        let is_new = self.announced.replace(db) != Some(db);
        Some(Batch {
            announce: is_new.then(|| (db, self.cut.size(db))),
            parts,
            blocks,
        })
    }
}

/// One encoder's thread.
struct Worker<'o> {
    encoder: Encoder,
    order: &'o Order,
    job: &'o Job,
    /// Keys since the last sleep, for delays of less than a microsecond a key.
    undelayed: i64,
}

impl<'o> Worker<'o> {
    fn new(encoder: Encoder, order: &'o Order, job: &'o Job) -> Self {
        Worker {
            encoder,
            order,
            job,
            undelayed: 0,
        }
    }

    fn run(mut self, source: &Mutex<Source>) {
        if !self.order.cpus.is_empty() {
            // Whoever made the order has said what is wrong with it.
            let _ = os::affinity::bind_thread(&self.order.cpus);
        }
        loop {
            // Not in the loop's head: the lock would be held while encoding.
            let batch = source.lock().take(self.job);
            let Some(batch) = batch else { return };
            if !self.encode(batch) {
                source.lock().channels = None;
                return;
            }
        }
    }

    /// Encodes a batch; whether to go on.
    fn encode(&mut self, batch: Batch) -> bool {
        let Batch {
            announce,
            parts,
            blocks,
        } = batch;
        let mut block = Vec::new();
        let mut wanted = true;
        if let Some((db, size)) = announce {
            self.encoder
                .database(db, size.keys, size.deadlines, &mut block);
        }
        for part in parts {
            for entry in part.iter_all() {
                if !wanted || !self.delay() {
                    return false;
                }
                self.encoder.entry(entry, &mut block, &mut |full| {
                    wanted &= blocks.send(std::mem::take(full)).is_ok();
                });
                // Relaxed: a figure.
                self.job.progress.keys.fetch_add(1, Relaxed);
            }
        }
        wanted && (block.is_empty() || blocks.send(block).is_ok())
    }

    /// `rdb-key-save-delay`; whether the job still runs.
    fn delay(&mut self) -> bool {
        match self.order.delay_us {
            0 => {}
            delay @ 1.. => {
                let mut left = Duration::from_micros(delay.unsigned_abs());
                // In steps, so that cancelling does not wait for a delay of minutes.
                while !left.is_zero() && !self.job.is_cancelled() {
                    let step = left.min(DELAY_STEP);
                    std::thread::sleep(step);
                    left -= step;
                }
            }
            every => {
                self.undelayed += 1;
                if self.undelayed >= every.saturating_neg() {
                    self.undelayed = 0;
                    std::thread::sleep(Duration::from_micros(1));
                }
            }
        }
        !self.job.is_cancelled()
    }
}

const DELAY_STEP: Duration = Duration::from_millis(10);

/// The file's only writer.
struct Writer<'w> {
    file: &'w mut DataFile,
    order: &'w Order,
    job: &'w Job,
    checksum: crc::Running,
    /// Bytes since the last flush.
    unflushed: u64,
}

impl Writer<'_> {
    fn write(&mut self, block: &[u8]) -> Result<(), Failure> {
        if self.job.is_cancelled() {
            return Err(Failure::Cancelled);
        }
        if self.order.checksum {
            self.checksum.add(block);
        }
        let mut done = self.file.write(block);
        self.unflushed += block.len() as u64;
        if done.is_ok() && self.order.flush_each.is_some_and(|at| self.unflushed >= at) {
            done = self.file.flush();
            self.unflushed = 0;
        }
        // Relaxed: a figure.
        self.job
            .progress
            .bytes
            .fetch_add(block.len() as u64, Relaxed);
        done.map_err(|error| Failure::Write(self.order.temporary.clone(), error))
    }
}
