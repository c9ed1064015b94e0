//! From a batch's bytes to keys and values.

use std::borrow::Cow;

use store::{Limits, Seen};

use super::fault::{Doing, Fault, FileError};
use super::shape::{self, Walk};
use crate::dump::{self, Loaded};
use crate::format::{opcode, types};
use crate::input::{Input, Malformed};
use crate::length;
use crate::string;

/// Stands for no deadline where one could be.
pub(super) const NO_DEADLINE: i64 = -1;

/// Whole records of one database, as they stand in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    pub(super) db: u32,
    pub(super) version: u16,
    pub(super) offset: u64,
    pub(super) count: usize,
    pub(super) bytes: Vec<u8>,
}

/// A decoded record.
#[derive(Debug)]
pub struct Record<'b> {
    /// The key.
    pub key: Cow<'b, [u8]>,
    /// The value's type, one of [`types`].
    pub number: u8,
    /// Its value.
    pub value: Value<'b>,
    /// When the key expires, in milliseconds since 1970; that may be long ago.
    pub deadline: Option<i64>,
    /// When or how often it was used, if the file says so.
    pub seen: Option<Seen>,
}

/// What a record holds.
#[derive(Debug)]
pub enum Value<'b> {
    /// A value.
    Loaded(Loaded<'b>),
    /// A container of nothing, which some old servers wrote by mistake: to be passed over.
    Empty,
    /// A value of the module of this name: whoever loads must refuse it
    /// ([`Fault::Module`], [`Batch::refuse`]), for what it holds is lost here.
    Module(String),
}

impl Batch {
    /// The database.
    #[must_use]
    pub fn db(&self) -> u32 {
        self.db
    }

    /// How many records there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Where in the file they begin.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// How many bytes they take in the file.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The error for a record that was decoded and cannot be kept.
    #[must_use]
    pub fn refuse(&self, record: &Record<'_>, fault: Fault) -> FileError {
        FileError {
            offset: self.offset,
            fault,
            doing: Doing::Value,
            number: Some(record.number),
            key: Some(record.key.to_vec()),
        }
    }

    /// Decodes one record after the other. What is small by `limits` is held small. Nothing comes
    /// after an error.
    #[must_use]
    pub fn records<'b>(&'b self, limits: &'b Limits) -> Records<'b> {
        Records {
            batch: self,
            limits,
            input: Input::new(&self.bytes),
        }
    }
}

/// A walk over the records of a batch.
#[derive(Debug)]
pub struct Records<'b> {
    batch: &'b Batch,
    limits: &'b Limits,
    input: Input<'b>,
}

impl<'b> Iterator for Records<'b> {
    type Item = Result<Record<'b>, FileError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.input.left() == 0 {
            return None;
        }
        let record = Input::new(self.input.rest());
        let result = read_record(&mut self.input, self.batch.version, self.limits);
        Some(result.map_err(|fault| {
            let passed = self.batch.bytes.len() - self.input.left();
            self.input = Input::new(&[]);
            let (doing, number, key) = whereabouts(record);
            FileError {
                offset: self.batch.offset + passed as u64,
                fault,
                doing,
                number,
                key,
            }
        }))
    }
}

fn read_record<'b>(
    input: &mut Input<'b>,
    version: u16,
    limits: &Limits,
) -> Result<Record<'b>, Fault> {
    let prefix = Prefix::read(input)?;
    let number = input.byte()?;
    let key = string::read_bytes(input)?;
    let value = if number == types::MODULE {
        Value::Module(pass_over_module(input)?)
    } else {
        match dump::read_value_of(number, input, version, limits) {
            Ok(value) => Value::Loaded(value),
            Err(Malformed::Empty) => Value::Empty,
            Err(other) => return Err(other.into()),
        }
    };
    Ok(Record {
        key,
        number,
        value,
        deadline: prefix.deadline,
        seen: prefix.seen,
    })
}

/// What stands before a record's type.
#[derive(Debug, Default)]
pub(super) struct Prefix {
    deadline: Option<i64>,
    seen: Option<Seen>,
    /// Whether anything stood there.
    pub(super) is_there: bool,
}

impl Prefix {
    /// Reads up to the type or other opcode. What is not whole is not read beyond its first byte.
    pub(super) fn read(input: &mut Input<'_>) -> Result<Prefix, Malformed> {
        let mut prefix = Prefix::default();
        while let Some(opcode::EXPIRE_TIME_MS | opcode::EXPIRE_TIME | opcode::IDLE | opcode::FREQ) =
            input.rest().first().copied()
        {
            prefix.is_there = true;
            match input.byte()? {
                opcode::EXPIRE_TIME_MS => {
                    let at = i64::from_le_bytes(input.array()?);
                    prefix.deadline = (at != NO_DEADLINE).then_some(at);
                }
                opcode::EXPIRE_TIME => {
                    let at = i64::from(i32::from_le_bytes(input.array()?));
                    prefix.deadline = (at != NO_DEADLINE).then_some(at * 1000);
                }
                opcode::IDLE => prefix.seen = Some(Seen::IdleSeconds(length::read_plain(input)?)),
                _ => prefix.seen = Some(Seen::Frequency(input.byte()?)),
            }
        }
        Ok(prefix)
    }
}

/// How far a record reads that does not read to its end: what was being read, its type, its key.
pub(super) fn whereabouts(mut record: Input<'_>) -> (Doing, Option<u8>, Option<Vec<u8>>) {
    let first = record.rest().first().copied();
    if Prefix::read(&mut record).is_err() {
        return match first {
            Some(opcode::EXPIRE_TIME | opcode::EXPIRE_TIME_MS) => (Doing::Expire, None, None),
            _ => (Doing::Type, None, None),
        };
    }
    let Ok(number) = record.byte() else {
        return (Doing::Type, None, None);
    };
    match string::read_bytes(&mut record) {
        Ok(key) => (Doing::Value, Some(number), Some(key.into_owned())),
        Err(_) => (Doing::Key, Some(number), None),
    }
}

/// Passes over a module's value; the module's name.
fn pass_over_module(input: &mut Input<'_>) -> Result<String, Malformed> {
    let name = module_name(length::read_plain(&mut Input::new(input.rest()))?);
    let (mut walk, mut at) = (Walk::default(), 0);
    walk.begin(shape::MODULE, &[]);
    if !walk.advance(input.rest(), &mut at)? {
        return Err(Malformed::Truncated);
    }
    input.take(at as u64)?;
    Ok(name)
}

/// A module's name: nine characters of six bits each, above ten bits of version.
pub(super) fn module_name(id: u64) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    (0..9)
        .rev()
        .map(|place| char::from(ALPHABET[(id >> (10 + 6 * place)) as usize & 63]))
        .collect()
}
