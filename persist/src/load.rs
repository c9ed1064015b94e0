//! Loading: a file becomes data.
//!
//! ```text
//!   file ─▶ the caller's thread: blocks, checksum, Skimmer ─▶ batches ─▶ 1 to 4 threads: decode, insert
//!                                                             bounded       16 at a time, touched ahead
//! ```
//!
//! The hash's seed is another at each start, so the keys of a file fall anywhere, our own files' too: what
//! costs is memory that is not in the cache. A thread hashes a window of keys and touches their places, as
//! the workers do (`store::Store::touch_ahead`), before it inserts them. While a server loads nobody else
//! wants the locks (the gate LOADING is closed).
//!
//! DEBUG RELOAD, whose caller holds everything anyway, inserts with its own unit ([`load_into`]).
//!
//! R1  Nothing that the file announces is believed: memory is reserved as bytes come.
//! R2  A failure says which file, where, and why. What has been inserted stays: the caller ends the
//!     process, or says that the data is not whole.
//! R3  A key that expired before `now_ms` is left out, and counted, unless the caller keeps it (the base
//!     of an append-only file, whose log may speak of it).
//! R4  A key that comes twice is a failure, unless the caller wants the last one.
//!
//! Checked by: tests below, server/tests/persistence.rs, rdb/tests/files.rs for the bytes.

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use os::disk::{DataFile, Disk};
use os::files::error_text;
use parking_lot::Mutex;
use rdb::Loaded;
use rdb::file::{Batch, Fault, FileError, Item, Record, Records, Skimmer, Value};
use store::{Busy, Deadline, Limits, Plan, Refused, Scratch, Slot, Spot, Store, Turn, Unit};

/// How to load.
#[derive(Clone, Debug)]
pub struct How {
    /// `rdbchecksum`: a wrong checksum is a failure.
    pub compares: bool,
    /// `rdb-version-check relaxed`.
    pub reads_newer: bool,
    /// What is small is held small.
    pub limits: Limits,
    /// The time by which keys have expired; `None` keeps them (R3).
    pub now_ms: Option<i64>,
    /// A key that is there already is overwritten (R4).
    pub overwrites: bool,
    /// The file may go on behind the end of the RDB part, as an append-only file does; otherwise that is
    /// a failure: a byte that has become the mark of the end, with zeros behind it, looks like the end
    /// of a file without a checksum, and what follows gives it away.
    pub goes_on: bool,
    /// How many threads insert.
    pub threads: usize,
}

/// What a loading says of itself, and is told, at any time. Relaxed, all of it: each stands for itself.
#[derive(Debug)]
pub struct Progress {
    /// When it began.
    pub began: Instant,
    /// The same, seconds since 1970.
    pub began_unix_s: i64,
    /// Bytes of all files together.
    pub bytes_total: AtomicU64,
    /// Bytes that have been read.
    pub bytes: AtomicU64,
    /// Keys that have been inserted.
    pub keys: AtomicU64,
    /// Keys that were left out because their time was over.
    pub expired: AtomicU64,
    /// What the file says about the memory of who wrote it.
    pub file_used_bytes: AtomicU64,
    /// `key-load-delay`, µs a key; negative: one µs each so many keys.
    pub delay_us: AtomicI64,
    /// Set by who wants it to end.
    pub cancelled: AtomicBool,
}

impl Progress {
    /// At the beginning.
    #[must_use]
    pub fn new(unix_s: i64, delay_us: i64) -> Progress {
        Progress {
            began: Instant::now(),
            began_unix_s: unix_s,
            bytes_total: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            keys: AtomicU64::new(0),
            expired: AtomicU64::new(0),
            file_used_bytes: AtomicU64::new(0),
            delay_us: AtomicI64::new(delay_us),
            cancelled: AtomicBool::new(false),
        }
    }

    /// `key-load-delay` and the wish to end, at each key.
    ///
    /// # Errors
    /// [`Reason::Cancelled`].
    pub fn pause(&self) -> Result<(), Reason> {
        match self.delay_us.load(Relaxed) {
            0 => {}
            delay @ 1.. => std::thread::sleep(Duration::from_micros(delay.unsigned_abs())),
            every => {
                if self.keys.load(Relaxed).is_multiple_of(every.unsigned_abs()) {
                    std::thread::sleep(Duration::from_micros(1));
                }
            }
        }
        if self.cancelled.load(Relaxed) {
            Err(Reason::Cancelled)
        } else {
            Ok(())
        }
    }
}

/// Why a file was not loaded.
#[derive(Debug)]
pub struct Failure {
    /// Which one.
    pub path: PathBuf,
    /// Why.
    pub reason: Reason,
}

/// See [`Failure`].
#[derive(Debug)]
pub enum Reason {
    /// Somebody wanted it so.
    Cancelled,
    /// It cannot be opened or read.
    System(io::Error),
    /// Its bytes are no RDB file's.
    File(FileError),
    /// A key comes twice.
    Duplicate {
        /// The key.
        key: Vec<u8>,
        /// Its database.
        db: u32,
        /// Where the record's batch begins in the file.
        offset: u64,
    },
    /// It names a database that there is not.
    Database {
        /// The one that it names.
        db: u32,
        /// How many there are.
        databases: u32,
    },
    /// The system refused memory.
    Memory,
}

impl Reason {
    /// This reason, of a file.
    #[must_use]
    pub fn of(self, path: &Path) -> Failure {
        Failure {
            path: path.to_owned(),
            reason: self,
        }
    }
}

impl Failure {
    /// Whether the file is simply not there.
    #[must_use]
    pub fn is_absence(&self) -> bool {
        matches!(&self.reason, Reason::System(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.reason)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Cancelled => f.write_str("the loading was ended"),
            Reason::System(error) => f.write_str(&error_text(error)),
            Reason::File(error) => {
                write!(f, "{error}")?;
                // The words that people and tools look for.
                if matches!(error.fault, Fault::Checksum { .. }) {
                    f.write_str(": RDB CRC error")?;
                }
                Ok(())
            }
            Reason::Duplicate { key, db, offset } => write!(
                f,
                "RDB has duplicated key '{}' in DB {db} (behind offset {offset})",
                key.escape_ascii()
            ),
            Reason::Database { db, databases } => write!(
                f,
                "Data file was created with a Redis server configured to handle more than {databases} \
                 databases: it names number {db}"
            ),
            Reason::Memory => f.write_str("the system refused the memory for it"),
        }
    }
}

impl std::error::Error for Failure {}

impl From<FileError> for Reason {
    fn from(error: FileError) -> Reason {
        Reason::File(error)
    }
}

impl From<Refused> for Reason {
    fn from(_: Refused) -> Reason {
        Reason::Memory
    }
}

/// Hears what a file says about itself: a name and a value.
pub type Aux<'a> = &'a dyn Fn(&[u8], &[u8]);

/// Opens a data file.
///
/// # Errors
/// [`Failure`], the file's absence included ([`Failure::is_absence`]).
pub fn open(disk: &Disk, path: &Path) -> Result<DataFile, Failure> {
    disk.open(path)
        .map_err(|error| Reason::System(error).of(path))
}

/// Loads a file, from its beginning, with threads of its own, whose lanes in the store are `lanes`. Gives
/// the file's bytes up to the end of the RDB part: what stands behind it is somebody else's (an append-only
/// file).
///
/// # Errors
/// [`Reason`] (R2).
pub fn load(
    store: &Store,
    lanes: Range<usize>,
    file: DataFile,
    how: &How,
    progress: &Progress,
    aux: Aux<'_>,
) -> Result<u64, Reason> {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let threads = how.threads.min(cores).clamp(1, lanes.len());
    let (batches, receiver) = mpsc::sync_channel::<Batch>(threads + 1);
    let receiver = Mutex::new(receiver);
    let failed: Mutex<Option<Reason>> = Mutex::new(None);
    let has_failed = || failed.lock().is_some();
    let result = std::thread::scope(|scope| {
        let mut started = 0;
        for lane in lanes.take(threads) {
            let (receiver, failed) = (&receiver, &failed);
            let thread = std::thread::Builder::new().name("load".into());
            let run = move || insert_all(store, lane, receiver, how, progress, failed);
            match thread.spawn_scoped(scope, run) {
                Ok(_) => started += 1,
                Err(error) if started == 0 => return Err(Reason::System(error)),
                // Fewer do as well.
                Err(_) => break,
            }
        }
        // A channel without readers: all of them have failed, and the reason lies in `failed`.
        let batches = batches;
        read(file, store.databases(), how, progress, aux, |batch| {
            if has_failed() || batches.send(batch).is_err() {
                return Err(Reason::Cancelled);
            }
            Ok(())
        })
    });
    match failed.into_inner() {
        Some(reason) => Err(reason),
        None => result,
    }
}

/// Loads a file, from its beginning, with the caller's unit, which holds everything.
///
/// # Errors
/// [`Reason`] (R2).
pub fn load_into(
    unit: &mut Unit<'_>,
    file: DataFile,
    how: &How,
    progress: &Progress,
    aux: Aux<'_>,
) -> Result<u64, Reason> {
    let (db, databases) = (unit.db(), unit.store().databases());
    let loaded = read(file, databases, how, progress, aux, |batch| {
        unit.select(batch.db());
        let mut records = batch.records(&how.limits);
        while let Some(record) = next(&batch, &mut records, how, progress)? {
            insert(unit, &batch, record, None, how)?;
            progress.keys.fetch_add(1, Relaxed);
        }
        Ok(())
    });
    unit.select(db);
    loaded
}

/// How much is read at a time.
const BLOCK_BYTES: usize = 1 << 20;

/// Reads a file and hands on its batches.
fn read(
    mut file: DataFile,
    databases: u32,
    how: &How,
    progress: &Progress,
    aux: Aux<'_>,
    mut hand_on: impl FnMut(Batch) -> Result<(), Reason>,
) -> Result<u64, Reason> {
    if let Ok(bytes) = file.len() {
        progress.bytes_total.fetch_max(bytes, Relaxed);
    }
    let mut skimmer = Skimmer::new(how.compares).reading_newer(how.reads_newer);
    let mut block = vec![0; BLOCK_BYTES];
    let mut is_over = false;
    loop {
        let read = read_block(&mut file, &mut block)?;
        if read == 0 {
            skimmer.finish()?;
            // Only an end that has been seen lets the file end.
            return Ok(skimmer.offset());
        }
        progress.bytes.fetch_add(read as u64, Relaxed);
        skimmer.feed(&block[..read])?;
        while let Some(item) = skimmer.next_item()? {
            match item {
                Item::Aux { name, value } => aux(&name, &value),
                Item::Database(db) if db >= databases => {
                    return Err(Reason::Database { db, databases });
                }
                Item::Records(batch) => hand_on(batch)?,
                Item::End { bytes, .. } if how.goes_on => return Ok(bytes),
                Item::End { .. } => is_over = true,
                // Sizes are hints; functions have no room here yet, and are told of by `aux`.
                Item::Function(library) => aux(b"function", &library),
                Item::ModuleAux(name) => {
                    return Err(skimmer.refuse(Fault::ModuleAux(name)).into());
                }
                Item::Begin { .. } | Item::Database(_) | Item::Sizes { .. } => {}
            }
        }
        if is_over {
            // What follows need not be read to its end.
            skimmer.finish()?;
        }
        if progress.cancelled.load(Relaxed) {
            return Err(Reason::Cancelled);
        }
    }
}

fn read_block(file: &mut DataFile, block: &mut [u8]) -> Result<usize, Reason> {
    file.read(block).map_err(Reason::System)
}

/// A thread's work: takes batches until there are none, or somebody has failed.
fn insert_all(
    store: &Store,
    lane: usize,
    batches: &Mutex<Receiver<Batch>>,
    how: &How,
    progress: &Progress,
    failed: &Mutex<Option<Reason>>,
) {
    let mut scratch = Scratch::new();
    loop {
        let batch = batches.lock().recv();
        let Ok(batch) = batch else { return };
        if failed.lock().is_some() {
            // Drained, so that the reader does not wait for room.
            continue;
        }
        if let Err(reason) = insert_batch(store, lane, &mut scratch, &batch, how, progress) {
            failed.lock().get_or_insert(reason);
        }
    }
}

/// Keys whose places in the tables are touched before the first of them is inserted: as many misses as a
/// core has under way at once. Measured on five million keys, two busy cores: 1.35 µs of processor time a
/// key one by one.
const WINDOW: usize = 16;

fn insert_batch(
    store: &Store,
    lane: usize,
    scratch: &mut Scratch,
    batch: &Batch,
    how: &How,
    progress: &Progress,
) -> Result<(), Reason> {
    let db = batch.db();
    let clock_ms = os::clock::wall_ms();
    let mut records = batch.records(&how.limits);
    let (mut window, mut spots) = (Vec::with_capacity(WINDOW), Vec::with_capacity(WINDOW));
    loop {
        while window.len() < WINDOW
            && let Some(record) = next(batch, &mut records, how, progress)?
        {
            spots.push((db, store.key(&record.key).spot()));
            window.push(record);
        }
        if window.is_empty() {
            return Ok(());
        }
        store.touch_ahead(&spots);
        // Relaxed: a figure.
        progress.keys.fetch_add(window.len() as u64, Relaxed);
        for (record, (_, spot)) in window.drain(..).zip(spots.drain(..)) {
            let mut record = Some(record);
            let mut tries = 0;
            while let Some(coming) = record.take() {
                let turn = Turn {
                    tries,
                    no_touch: true,
                    ..Turn::new(lane, db, clock_ms, scratch)
                };
                match store.begin(Plan::Narrow(spot.shard()), turn) {
                    Ok(mut unit) => insert(&mut unit, batch, coming, Some(spot), how)?,
                    Err(Busy) => {
                        // Another thread of ours has it, for one key.
                        record = Some(coming);
                        tries += 1;
                        std::thread::yield_now();
                    }
                }
            }
        }
    }
}

/// The next record that is to be inserted.
fn next<'b>(
    batch: &Batch,
    records: &mut Records<'b>,
    how: &How,
    progress: &Progress,
) -> Result<Option<Record<'b>>, Reason> {
    for record in records {
        let record = record?;
        progress.pause()?;
        if how
            .now_ms
            .is_some_and(|now_ms| record.deadline.is_some_and(|at| at < now_ms))
        {
            progress.expired.fetch_add(1, Relaxed);
            continue;
        }
        match &record.value {
            Value::Loaded(_) => return Ok(Some(record)),
            // Some old servers wrote containers of nothing by mistake.
            Value::Empty => {}
            Value::Module(name) => {
                let fault = Fault::Module(name.clone());
                return Err(batch.refuse(&record, fault).into());
            }
        }
    }
    Ok(None)
}

fn insert(
    unit: &mut Unit<'_>,
    batch: &Batch,
    record: Record<'_>,
    spot: Option<Spot>,
    how: &How,
) -> Result<(), Reason> {
    let Record {
        key: bytes,
        value,
        deadline,
        seen,
        ..
    } = record;
    let Value::Loaded(value) = value else {
        unreachable!("`next` gives those that have one");
    };
    let key = match spot {
        Some(spot) => unit.store().key_at(spot, &bytes),
        None => unit.key(&bytes),
    };
    match (unit.slot(key), value) {
        (Slot::Vacant(at), Loaded::String(string)) => at.insert_string(string, deadline)?,
        (Slot::Vacant(at), Loaded::Object(object)) => at.insert_object(object, deadline)?,
        (Slot::Occupied(_), _) if !how.overwrites => {
            return Err(Reason::Duplicate {
                key: bytes.into_owned(),
                db: batch.db(),
                offset: batch.offset(),
            });
        }
        (Slot::Occupied(mut at), Loaded::String(string)) => {
            at.set_string(string, deadline.map_or(Deadline::Clear, Deadline::At))?;
        }
        (Slot::Occupied(mut at), Loaded::Object(object)) => {
            at.set_object(object, deadline.map_or(Deadline::Clear, Deadline::At))?;
        }
    }
    if let Some(seen) = seen {
        unit.set_seen(key, seen);
    }
    Ok(())
}
