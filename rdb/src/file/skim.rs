//! Finds where records end in a file that comes in blocks.
//!
//! ```text
//!   buffer   [ gone │ whole records │ the record that is being walked … │ not looked at ]
//!            0      begin           whole                               at               len
//!                   └── offset in the file: `offset`
//! ```
//!
//! ```text
//!   Magic ─▶ Record ⇄ Walking ─▶ Footer ─▶ Over            an error stays: nothing comes after it
//! ```
//!
//! K1  begin <= whole <= at <= buffer.len(); between `whole` and `at` stands a part of one record.
//! K2  All before `offset` has been taken into the checksum, and has been given out or was passed over.
//! K3  The buffer grows by what is fed. A record that is larger than all before it makes it grow to the
//!     record, as its bytes come.
//! K4  A byte is copied a fixed number of times, whatever the records are: what is gone leaves the
//!     buffer at the next block, and of a batch and what follows it the shorter is copied.

use super::decode::{Batch, Prefix, module_name, whereabouts};
use super::fault::{Doing, Fault, FileError};
use super::shape::{self, Shape, Walk};
use crate::crc;
use crate::format::{self, opcode, types};
use crate::input::{Input, Malformed};
use crate::length;
use crate::string;

/// How many bytes of records a batch holds, about.
const BATCH_BYTES: usize = 1 << 18;

/// Magic and version.
const MAGIC_BYTES: usize = 9;

/// What a file is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// The file's version; the first item.
    Begin {
        /// See [`crate::format::is_valkey`] for whose it is.
        version: u16,
    },
    /// What the file says about itself.
    Aux {
        /// Of what it speaks.
        name: Vec<u8>,
        /// What it says.
        value: Vec<u8>,
    },
    /// The records that follow are of this database.
    Database(u32),
    /// How many keys, and keys with deadlines, the present database has: hints, not to be believed.
    Sizes {
        /// Keys.
        keys: u64,
        /// Keys with a deadline.
        expires: u64,
    },
    /// A library of functions: its source.
    Function(Vec<u8>),
    /// Data of the module of this name: whoever loads must refuse it ([`Fault::ModuleAux`],
    /// [`Skimmer::refuse`]), for it is lost here.
    ModuleAux(String),
    /// Records.
    Records(Batch),
    /// The end; the last item. What follows it in the blocks is [`Skimmer::rest`].
    End {
        /// Bytes of the whole file, its checksum included.
        bytes: u64,
        /// Whether there was a checksum to compare.
        checked: bool,
    },
}

/// Cuts a file into items: feed it a block, take the items until there is none, and so on.
///
/// ```text
///   loop { read a block; at its end break with finish()?; skimmer.feed(block)?;
///          while let Some(item) = skimmer.next_item()? { … } }
/// ```
#[derive(Debug)]
pub struct Skimmer {
    buffer: Vec<u8>,
    begin: usize,
    whole: usize,
    at: usize,
    offset: u64,
    state: State,
    failed: Option<FileError>,
    walk: Walk,
    version: u16,
    db: u32,
    /// Whole records in the buffer.
    count: usize,
    checksum: crc::Running,
    compares: bool,
    reads_newer: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Magic,
    /// At the beginning of a record.
    Record,
    /// In a record that begins with this byte, or has this type.
    Walking(u8),
    Footer,
    Over,
}

impl Skimmer {
    /// At the beginning of a file. With `compares` (`rdbchecksum`) a wrong checksum is an error.
    #[must_use]
    pub fn new(compares: bool) -> Self {
        Skimmer {
            buffer: Vec::new(),
            begin: 0,
            whole: 0,
            at: 0,
            offset: 0,
            state: State::Magic,
            failed: None,
            walk: Walk::default(),
            version: 0,
            db: 0,
            count: 0,
            checksum: crc::Running::new(),
            compares,
            reads_newer: false,
        }
    }

    /// Reads files of versions that are newer than we know as the newest that we do
    /// (`rdb-version-check relaxed`): what they have brought is refused where it comes.
    #[must_use]
    pub fn reading_newer(self, reads_newer: bool) -> Self {
        Skimmer {
            reads_newer,
            ..self
        }
    }

    /// Takes the file's next bytes, copying them.
    ///
    /// # Errors
    /// `Refused` if the system has no memory for them.
    pub fn feed(&mut self, block: &[u8]) -> Result<(), FileError> {
        self.buffer.drain(..self.begin);
        self.whole -= self.begin;
        self.at -= self.begin;
        self.begin = 0;
        if self.buffer.try_reserve(block.len()).is_err() {
            return Err(self.refuse(Malformed::Refused.into()));
        }
        self.buffer.extend_from_slice(block);
        Ok(())
    }

    /// The next item; `None` if more bytes must be fed first, or the file is over.
    ///
    /// # Errors
    /// [`FileError`], and the same again ever after.
    pub fn next_item(&mut self) -> Result<Option<Item>, FileError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        loop {
            let step = match self.state {
                State::Over => return Ok(None),
                State::Magic => self.magic(),
                State::Record => self.record(),
                State::Walking(number) => self.walking(number),
                State::Footer => self.footer(),
            };
            match step {
                Ok(Step::On) => {}
                Ok(Step::Item(item)) => return Ok(Some(item)),
                // What is whole need not wait for the rest.
                Ok(Step::More) => return Ok(self.take_batch()),
                Err(fault) => {
                    let error = self.refuse(fault);
                    // What was whole before it comes first.
                    return self
                        .take_batch()
                        .map_or(Err(error), |batch| Ok(Some(batch)));
                }
            }
        }
    }

    /// The blocks are at their end: an error if the file is not, or was before. A byte that has
    /// become the mark of the end, with zeros behind it, looks like a file without a checksum; what
    /// follows gives it away. Where something may follow (an append-only file), ask [`Skimmer::rest`]
    /// instead.
    ///
    /// # Errors
    /// [`Fault::Short`], [`Fault::Trailing`], or what was wrong before.
    pub fn finish(&mut self) -> Result<(), FileError> {
        match (&self.failed, self.state) {
            (Some(error), _) => Err(error.clone()),
            (None, State::Over) if self.rest().is_empty() => Ok(()),
            (None, State::Over) => Err(self.refuse(Fault::Trailing)),
            (None, _) => {
                // Where what is missing begins.
                self.at -= self.walk.passed();
                Err(self.refuse(Fault::Short))
            }
        }
    }

    /// Where in the file it has arrived.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset + (self.at - self.begin) as u64
    }

    /// The file's version, once it is known.
    #[must_use]
    pub fn version(&self) -> u16 {
        self.version
    }

    /// What was fed beyond the end of the file.
    #[must_use]
    pub fn rest(&self) -> &[u8] {
        &self.buffer[self.at..]
    }

    /// The error for what was found here and cannot be kept; nothing comes after it.
    pub fn refuse(&mut self, fault: Fault) -> FileError {
        let (mut doing, mut number, mut key) = (self.doing(), None, None);
        if doing == Doing::Value {
            // What has been walked of it says more.
            let record = &self.buffer[self.whole..self.at];
            (doing, number, key) = whereabouts(Input::new(record));
        }
        let error = FileError {
            offset: self.offset(),
            fault,
            doing,
            number,
            key,
        };
        self.failed = Some(error.clone());
        error
    }

    fn doing(&self) -> Doing {
        match self.state {
            State::Magic => Doing::Start,
            State::Record => match whereabouts(Input::new(&self.buffer[self.whole..self.at])).0 {
                Doing::Expire => Doing::Expire,
                _ => Doing::Type,
            },
            State::Walking(number) => match number {
                opcode::AUX => Doing::Aux,
                opcode::FUNCTION => Doing::Functions,
                opcode::MODULE_AUX => Doing::ModuleAux,
                _ if is_opcode(number) => Doing::Length,
                _ => Doing::Value,
            },
            State::Footer | State::Over => Doing::Checksum,
        }
    }

    fn magic(&mut self) -> Result<Step, Fault> {
        let Some(magic) = self.buffer.first_chunk::<MAGIC_BYTES>() else {
            return Ok(Step::More);
        };
        let magic = *magic;
        self.at = MAGIC_BYTES;
        let (digits, is_valkeys) =
            match (magic.strip_prefix(b"REDIS"), magic.strip_prefix(b"VALKEY")) {
                (Some(digits), _) => (digits, false),
                (_, Some(digits)) => (digits, true),
                _ => return Err(Fault::Magic),
            };
        let version = digits.iter().try_fold(0, |version, digit| {
            digit
                .is_ascii_digit()
                .then(|| version * 10 + u32::from(digit - b'0'))
        });
        let version = version.ok_or(Fault::Magic)?;
        let known = u16::try_from(version).ok().and_then(|number| {
            // Valkey's magic came with its own versions; Redis never wrote those.
            let is_known =
                format::version_accepted(number) && format::is_valkey(number) == is_valkeys;
            let newer = format::newer_read_as(number, is_valkeys).filter(|_| self.reads_newer);
            if is_known { Some(number) } else { newer }
        });
        self.version = known.ok_or(Fault::Version(version))?;
        self.pass_over();
        self.state = State::Record;
        Ok(Step::Item(Item::Begin {
            version: self.version,
        }))
    }

    /// Looks what begins at `at`. Until that is clear nothing is changed, so it may be done again.
    fn record(&mut self) -> Result<Step, Fault> {
        let mut input = Input::new(&self.buffer[self.whole..]);
        let found = Prefix::read(&mut input).and_then(|prefix| Ok((prefix, input.byte()?)));
        // Also where that is not clear: it says where the file ends if nothing comes.
        self.at = self.buffer.len() - input.left();
        let (prefix, number) = match found {
            Ok(found) => found,
            Err(Malformed::Truncated) => return Ok(Step::More),
            Err(other) => return Err(other.into()),
        };
        let (first, second): (Shape, Shape) = match number {
            opcode::AUX => (shape::AUX, &[]),
            opcode::SELECT_DB => (shape::DATABASE, &[]),
            opcode::RESIZE_DB => (shape::SIZES, &[]),
            opcode::FUNCTION => (shape::FUNCTION, &[]),
            opcode::SLOT_INFO => (shape::SLOT_INFO, &[]),
            opcode::MODULE_AUX => (shape::MODULE_AUX, &[]),
            opcode::EOF => (&[], &[]),
            opcode::SLOT_IMPORT if format::is_valkey(self.version) => {
                return Err(Fault::SlotImport);
            }
            opcode::FUNCTION_CANDIDATE => return Err(Fault::Candidate("functions")),
            types::MODULE_CANDIDATE => return Err(Fault::Candidate("a module's value")),
            _ => match shape::of_value(number, self.version) {
                Some(value) => (shape::KEY, value),
                None => return Err(Fault::Type(number)),
            },
        };
        if is_opcode(number) {
            if prefix.is_there {
                // A deadline or a past, and no key.
                return Err(Fault::Type(number));
            }
            if let Some(batch) = self.take_batch() {
                // Its records are of what was before.
                return Ok(Step::Item(batch));
            }
            // The buffer may have moved.
            self.at = self.begin + 1;
        }
        self.walk.begin(first, second);
        self.state = State::Walking(number);
        Ok(Step::On)
    }

    fn walking(&mut self, number: u8) -> Result<Step, Fault> {
        if !self.walk.advance(&self.buffer, &mut self.at)? {
            return Ok(Step::More);
        }
        if !is_opcode(number) {
            self.state = State::Record;
            self.whole = self.at;
            self.count += 1;
            if self.whole - self.begin >= BATCH_BYTES {
                return Ok(self.take_batch().map_or(Step::On, Step::Item));
            }
            return Ok(Step::On);
        }
        let mut input = Input::new(&self.buffer[self.begin + 1..self.at]);
        let step = match number {
            opcode::EOF => {
                self.pass_over();
                self.state = State::Footer;
                return Ok(Step::On);
            }
            opcode::AUX => Step::Item(Item::Aux {
                name: string::read_bytes(&mut input)?.into_owned(),
                value: string::read_bytes(&mut input)?.into_owned(),
            }),
            opcode::FUNCTION => {
                Step::Item(Item::Function(string::read_bytes(&mut input)?.into_owned()))
            }
            opcode::SELECT_DB => {
                let db = length::read_plain(&mut input)?;
                self.db = u32::try_from(db).map_err(|_| Malformed::Encoding)?;
                Step::Item(Item::Database(self.db))
            }
            opcode::RESIZE_DB => Step::Item(Item::Sizes {
                keys: length::read_plain(&mut input)?,
                expires: length::read_plain(&mut input)?,
            }),
            opcode::MODULE_AUX => Step::Item(Item::ModuleAux(module_name(length::read_plain(
                &mut input,
            )?))),
            // A hint about a slot.
            _ => Step::On,
        };
        self.pass_over();
        self.state = State::Record;
        Ok(step)
    }

    fn footer(&mut self) -> Result<Step, Fault> {
        let computed = self.checksum.value();
        let mut checked = false;
        if self.version >= format::VERSION_CHECKSUM {
            let Some(stored) = self.buffer[self.begin..].first_chunk() else {
                return Ok(Step::More);
            };
            let stored = u64::from_le_bytes(*stored);
            self.at = self.begin + 8;
            // Zero: it was written without one.
            checked = self.compares && stored != 0;
            if checked && stored != computed {
                return Err(Fault::Checksum { stored, computed });
            }
        }
        self.state = State::Over;
        Ok(Step::Item(Item::End {
            bytes: self.offset(),
            checked,
        }))
    }

    /// Lets go of everything before `at`, which is no record.
    fn pass_over(&mut self) {
        debug_assert!(
            self.whole == self.begin && self.count == 0,
            "records are given out"
        );
        let passed = &self.buffer[self.begin..self.at];
        self.checksum.add(passed);
        self.offset += passed.len() as u64;
        (self.begin, self.whole) = (self.at, self.at);
    }

    /// Gives out the whole records, if there are any.
    fn take_batch(&mut self) -> Option<Item> {
        if self.count == 0 {
            return None;
        }
        let is_longer = self.whole - self.begin >= self.buffer.len() - self.whole;
        let bytes = if self.begin == 0 && is_longer {
            let rest = self.buffer[self.whole..].to_vec();
            let mut bytes = std::mem::replace(&mut self.buffer, rest);
            bytes.truncate(self.whole);
            self.at -= self.whole;
            self.whole = 0;
            bytes
        } else {
            self.buffer[self.begin..self.whole].to_vec()
        };
        self.begin = self.whole;
        self.checksum.add(&bytes);
        let batch = Batch {
            db: self.db,
            version: self.version,
            offset: self.offset,
            count: std::mem::take(&mut self.count),
            bytes,
        };
        self.offset += batch.bytes.len() as u64;
        Some(Item::Records(batch))
    }
}

enum Step {
    /// Look again.
    On,
    Item(Item),
    /// The bytes do not reach.
    More,
}

/// Whether this is no type of a value.
fn is_opcode(number: u8) -> bool {
    number >= opcode::SLOT_IMPORT
}
