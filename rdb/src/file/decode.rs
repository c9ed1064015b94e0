//! From a batch's bytes to keys and values.

use std::borrow::Cow;

use store::{Limits, Seen};

use super::fault::{Fault, FileError};
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
    /// Its value; `None` for a container of nothing, which some old servers wrote by mistake: to be
    /// passed over.
    pub value: Option<Loaded<'b>>,
    /// When the key expires, in milliseconds since 1970; that may be long ago.
    pub deadline: Option<i64>,
    /// When or how often it was used, if the file says so.
    pub seen: Option<Seen>,
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
        Some(
            read_record(&mut self.input, self.batch.version, self.limits).map_err(|fault| {
                let passed = self.batch.bytes.len() - self.input.left();
                self.input = Input::new(&[]);
                FileError {
                    offset: self.batch.offset + passed as u64,
                    fault,
                }
            }),
        )
    }
}

fn read_record<'b>(
    input: &mut Input<'b>,
    version: u16,
    limits: &Limits,
) -> Result<Record<'b>, Fault> {
    let (mut deadline, mut seen) = (None, None);
    let number = loop {
        match input.byte()? {
            opcode::EXPIRE_TIME_MS => {
                let at = i64::from_le_bytes(input.array()?);
                deadline = (at != NO_DEADLINE).then_some(at);
            }
            opcode::EXPIRE_TIME => {
                let at = i64::from(i32::from_le_bytes(input.array()?));
                deadline = (at != NO_DEADLINE).then_some(at * 1000);
            }
            opcode::IDLE => seen = Some(Seen::IdleSeconds(length::read_plain(input)?)),
            opcode::FREQ => seen = Some(Seen::Frequency(input.byte()?)),
            number => break number,
        }
    };
    let key = string::read_bytes(input)?;
    if number == types::MODULE {
        return Err(Fault::Module(module_name(length::read_plain(input)?)));
    }
    let value = match dump::read_value_of(number, input, version, limits) {
        Ok(value) => Some(value),
        Err(Malformed::Empty) => None,
        Err(other) => return Err(other.into()),
    };
    Ok(Record {
        key,
        number,
        value,
        deadline,
        seen,
    })
}

/// A module's name: nine characters of six bits each, above ten bits of version.
pub(super) fn module_name(id: u64) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    (0..9)
        .rev()
        .map(|place| char::from(ALPHABET[(id >> (10 + 6 * place)) as usize & 63]))
        .collect()
}
