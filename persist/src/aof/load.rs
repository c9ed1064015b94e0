//! Loading the append-only file: the manifest's files, one after another.
//!
//! ```text
//!   manifest ─▶ judge the incremental files ─▶ base (RDB, or commands, or both) ─▶ units of the others
//!                 │ damaged: nothing has been loaded yet, nothing is changed
//!                 └ torn: where to cut
//! ```
//!
//! Only the last file that holds anything may be torn: a rewrite makes the next file before the one that is
//! written to is flushed for the last time, so a power cut can tear that one with an empty one behind it. The
//! log writes nothing into the next file before the last one is durable, so anything else is damage.
//!
//! The lines that are logged are Redis's: people and tools look for them.
//!
//! Checked by: tests below; `tests/power.rs`; server/tests/aof.rs.

use std::io;

use os::disk::{DataFile, Disk};
use resp::OwnedArgs;

use super::manifest::{Entry, Layout, Manifest};
use super::replay::{self, Stopped, Verdict};
use super::seal::Seal;
use super::walk::{Flaw, Item, Walk};

/// How a line is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Say {
    /// All is well.
    Notice,
    /// It is not.
    Warning,
}

/// Who takes what is loaded.
pub trait Taker {
    /// Why it wants no more.
    type Error;

    /// A line for the log.
    fn say(&mut self, how: Say, line: &str);

    /// A file begins: its name, its length.
    fn begin(&mut self, name: &[u8], bytes: u64);

    /// Loads the RDB file at the beginning of `file` and gives the offset behind it.
    ///
    /// # Errors
    /// It wants no more; why, it has said.
    fn rdb(&mut self, file: DataFile, name: &[u8]) -> Result<u64, Self::Error>;

    /// Executes a unit, which ends at an offset of the file.
    ///
    /// # Errors
    /// It wants no more; why, it has said.
    fn unit(&mut self, commands: &[OwnedArgs], offset: u64) -> Result<(), Self::Error>;
}

/// Why nothing was loaded, or not all.
#[derive(Debug)]
pub enum Failure<E> {
    /// It has been said.
    Told,
    /// The taker wants no more.
    By(E),
}

/// What there was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Bytes of all files.
    pub bytes: u64,
    /// Bytes of the base.
    pub base_bytes: u64,
}

/// Loads all that the manifest names. With `truncated_ok` (`aof-load-truncated`) a torn end is cut off.
///
/// # Errors
/// See [`Failure`]. Files are as they were, unless a torn end has been cut off before.
pub fn load<T: Taker>(
    disk: &Disk,
    layout: &Layout,
    manifest: &Manifest,
    truncated_ok: bool,
    taker: &mut T,
) -> Result<Loaded, Failure<T::Error>> {
    let mut files = Files {
        disk,
        layout,
        truncated_ok,
        taker,
    };
    let mut loaded = Loaded::default();
    let mut plan = Vec::new();
    for entry in manifest.files() {
        let bytes = files.size(entry)?;
        loaded.bytes += bytes;
        plan.push((entry, bytes));
    }
    let base = match &manifest.base {
        Some(_) => plan.remove(0),
        None => return files.load_all(&[], &plan).map(|()| loaded),
    };
    loaded.base_bytes = base.1;
    files.load_all(&[base], &plan)?;
    Ok(loaded)
}

struct Files<'l, T> {
    disk: &'l Disk,
    layout: &'l Layout,
    truncated_ok: bool,
    taker: &'l mut T,
}

type File<'m> = (&'m Entry, u64);

impl<T: Taker> Files<'_, T> {
    /// A file's length; that it is missing is fatal.
    fn size(&mut self, entry: &Entry) -> Result<u64, Failure<T::Error>> {
        let path = self.layout.path(&entry.name);
        self.disk.len(&path).map_err(|error| {
            let name = String::from_utf8_lossy(&entry.name).into_owned();
            let text = os::files::error_text(&error);
            self.fail(&if error.kind() == io::ErrorKind::NotFound {
                format!("The append log file {name} doesn't exist: {text}")
            } else {
                format!("Unable to obtain the AOF file {name} length. stat: {text}")
            })
        })
    }

    fn open(&mut self, entry: &Entry) -> Result<DataFile, Failure<T::Error>> {
        let path = self.layout.path(&entry.name);
        self.disk.open(&path).map_err(|error| {
            let name = String::from_utf8_lossy(&entry.name).into_owned();
            let text = os::files::error_text(&error);
            self.fail(&format!(
                "Fatal error: can't open the append log file {name} for reading: {text}"
            ))
        })
    }

    fn fail(&mut self, line: &str) -> Failure<T::Error> {
        self.taker.say(Say::Warning, line);
        Failure::Told
    }

    fn disk_failed(&mut self, entry: &Entry, error: &io::Error) -> Failure<T::Error> {
        let name = String::from_utf8_lossy(&entry.name).into_owned();
        let text = os::files::error_text(error);
        self.fail(&format!(
            "Unrecoverable error reading the append only file {name}: {text}"
        ))
    }

    fn load_all(&mut self, base: &[File<'_>], rest: &[File<'_>]) -> Result<(), Failure<T::Error>> {
        // The base's end is known when it has been loaded; the others are judged before.
        let mut ends = Vec::new();
        for (index, file) in rest.iter().enumerate() {
            ends.push(self.judge(*file, 0, &rest[index + 1..])?);
        }
        for &file in base {
            self.load_base(file, rest)?;
        }
        for (&(entry, bytes), &end) in rest.iter().zip(&ends) {
            let began = std::time::Instant::now();
            self.taker.begin(&entry.name, bytes);
            let file = self.open(entry)?;
            let mut walk = Walk::new(file, 0).map_err(|e| self.disk_failed(entry, &e))?;
            self.replay(entry, &mut walk, end)?;
            self.done("incr", entry, began);
        }
        Ok(())
    }

    fn done(&mut self, kind: &str, entry: &Entry, began: std::time::Instant) {
        let name = String::from_utf8_lossy(&entry.name);
        let seconds = began.elapsed().as_secs_f64();
        let line = format!("DB loaded from {kind} file {name}: {seconds:.3} seconds");
        self.taker.say(Say::Notice, &line);
    }

    fn load_base(&mut self, base: File<'_>, rest: &[File<'_>]) -> Result<(), Failure<T::Error>> {
        let (began, (entry, bytes)) = (std::time::Instant::now(), base);
        self.taker.begin(&entry.name, bytes);
        let mut file = self.open(entry)?;
        let mut magic = [0; 5];
        let n = file
            .read(&mut magic)
            .map_err(|e| self.disk_failed(entry, &e))?;
        let mut from = 0;
        if n == magic.len() && (magic == *b"REDIS" || magic == *b"VALKE") {
            let is_old = entry.name == self.layout.name;
            self.taker.say(
                Say::Notice,
                if is_old {
                    "Reading RDB preamble from AOF file..."
                } else {
                    "Reading RDB base file on AOF loading..."
                },
            );
            file.seek(0).map_err(|e| self.disk_failed(entry, &e))?;
            from = self.taker.rdb(file, &entry.name).map_err(Failure::By)?;
            if is_old {
                self.taker
                    .say(Say::Notice, "Reading the remaining AOF tail...");
            }
        }
        let end = self.judge(base, from, rest)?;
        let file = self.open(entry)?;
        let mut walk = Walk::new(file, from).map_err(|e| self.disk_failed(entry, &e))?;
        self.replay(entry, &mut walk, end)?;
        self.done("base", entry, began);
        Ok(())
    }

    /// Where a file ends, behind which `later` come. What does not count is cut off.
    fn judge(
        &mut self,
        (entry, bytes): File<'_>,
        from: u64,
        later: &[File<'_>],
    ) -> Result<u64, Failure<T::Error>> {
        let file = self.open(entry)?;
        let verdict = Walk::new(file, from).and_then(|mut walk| replay::judge(&mut walk));
        let name = String::from_utf8_lossy(&entry.name).into_owned();
        let (valid, in_multi) = match verdict.map_err(|e| self.disk_failed(entry, &e))? {
            Verdict::Whole => return Ok(bytes),
            Verdict::Short { valid, in_multi } => (valid, in_multi),
            Verdict::Damaged { offset, reason } => {
                self.taker.say(
                    Say::Warning,
                    &format!("{name}: at offset {offset}: {reason}"),
                );
                return Err(self.fail(&format!(
                    "Bad file format reading the append only file {name}: make a backup of your AOF \
                     file, then use ./redis-check-aof --fix <filename.manifest>"
                )));
            }
        };
        if in_multi {
            let line = format!("Revert incomplete MULTI/EXEC transaction in AOF file {name}");
            self.taker.say(Say::Warning, &line);
        }
        if !self.truncated_ok {
            return Err(self.fail(&format!(
                "Unexpected end of file reading the append only file {name}. You can: 1) Make a backup \
                 of your AOF file, then use ./redis-check-aof --fix <filename.manifest>. 2) \
                 Alternatively you can set the 'aof-load-truncated' configuration option to yes and \
                 restart the server."
            )));
        }
        for &(entry, _) in later {
            let file = self.open(entry)?;
            if !is_empty(file).map_err(|e| self.disk_failed(entry, &e))? {
                return Err(self.fail("Fatal error: the truncated file is not the last file"));
            }
        }
        self.truncate(entry, valid)?;
        let line = format!("AOF {name} loaded anyway because aof-load-truncated is enabled");
        self.taker.say(Say::Warning, &line);
        Ok(valid)
    }

    fn truncate(&mut self, entry: &Entry, len: u64) -> Result<(), Failure<T::Error>> {
        let name = String::from_utf8_lossy(&entry.name).into_owned();
        let path = self.layout.path(&entry.name);
        let short = format!("!!! Warning: short read while loading the AOF file {name}!!!");
        self.taker.say(Say::Warning, &short);
        let cut = format!("!!! Truncating the AOF {name} at offset {len} !!!");
        self.taker.say(Say::Warning, &cut);
        let truncate = || {
            let mut file = self.disk.append(&path)?;
            file.truncate(len)?;
            file.flush()
        };
        truncate().map_err(|error| {
            let text = os::files::error_text(&error);
            self.fail(&format!("Error truncating the AOF file {name}: {text}"))
        })
    }

    fn replay(
        &mut self,
        entry: &Entry,
        walk: &mut Walk,
        end: u64,
    ) -> Result<(), Failure<T::Error>> {
        let taker = &mut *self.taker;
        let replayed = replay::replay(walk, end, |commands, offset| taker.unit(commands, offset));
        match replayed {
            Ok(()) => Ok(()),
            Err(Stopped::By(error)) => Err(Failure::By(error)),
            Err(Stopped::Flaw(Flaw::Disk(error))) => Err(self.disk_failed(entry, &error)),
            Err(Stopped::Flaw(flaw)) => {
                let name = String::from_utf8_lossy(&entry.name).into_owned();
                Err(self.fail(&format!(
                    "The append only file {name} has changed while it was read: {flaw:?}"
                )))
            }
        }
    }
}

/// Whether a file holds no unit: nothing, or what a new one begins with.
fn is_empty(file: DataFile) -> io::Result<bool> {
    let mut walk = Walk::new(file, 0)?;
    loop {
        match walk.next(false) {
            Ok(Item::Note(note)) if Seal::parse(&note).is_none_or(|seal| seal.bytes == 0) => {}
            Ok(Item::End) => return Ok(true),
            Err(Flaw::Disk(error)) => return Err(error),
            Ok(_) | Err(_) => return Ok(false),
        }
    }
}
