//! Why a file is refused, and where.

use std::fmt;

use crate::input::Malformed;

/// What is wrong with a file, and where it shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileError {
    /// Bytes from the file's beginning.
    pub offset: u64,
    /// What is wrong there.
    pub fault: Fault,
    /// What was being read.
    pub doing: Doing,
    /// The type of the record in which it is, if that was reached.
    pub number: Option<u8>,
    /// Its key, likewise.
    pub key: Option<Vec<u8>>,
}

/// What was being read when a fault showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// The file's head.
    Start,
    /// A type or opcode.
    Type,
    /// A deadline.
    Expire,
    /// A key.
    Key,
    /// A value.
    Value,
    /// The checksum.
    Checksum,
    /// A database's number or sizes.
    Length,
    /// What the file says about itself.
    Aux,
    /// A module's own data.
    ModuleAux,
    /// A library of functions.
    Functions,
}

impl Doing {
    /// The word by which Redis's tool calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Doing::Start => "start",
            Doing::Type => "read-type",
            Doing::Expire => "read-expire",
            Doing::Key => "read-key",
            Doing::Value => "read-object-value",
            Doing::Checksum => "check-sum",
            Doing::Length => "read-len",
            Doing::Aux => "read-aux",
            Doing::ModuleAux => "read-module-aux",
            Doing::Functions => "read-functions",
        }
    }
}

/// What can be wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It does not begin as an RDB file does.
    Magic,
    /// A version that we do not know.
    Version(u32),
    /// The file ends before its end.
    Short,
    /// Bytes follow the file's end.
    Trailing,
    /// A type or opcode that this version does not know.
    Type(u8),
    /// A value of a module that does not exist here.
    Module(String),
    /// A module's own data, which we cannot keep.
    ModuleAux(String),
    /// A form that only release candidates wrote.
    Candidate(&'static str),
    /// The state of a slot's import, which we do not know how to go on with.
    SlotImport,
    /// The checksum at the end is not that of the bytes.
    Checksum {
        /// The one in the file.
        stored: u64,
        /// The one of its bytes.
        computed: u64,
    },
    /// A value is broken.
    Value(Malformed),
}

impl From<Malformed> for Fault {
    fn from(malformed: Malformed) -> Self {
        Fault::Value(malformed)
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at offset {}", self.fault, self.offset)?;
        if let Some(key) = &self.key {
            write!(f, ", in the value of '{}'", key.escape_ascii())?;
        }
        write!(f, ")")
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Magic => write!(f, "Wrong signature trying to load DB from file"),
            Fault::Version(version) => write!(f, "Can't handle RDB format version {version}"),
            Fault::Short => write!(f, "Unexpected EOF reading RDB file"),
            Fault::Trailing => write!(f, "Bytes follow the end of the RDB file"),
            Fault::Type(number) => write!(f, "Unknown RDB encoding type {number}"),
            Fault::Module(name) => write!(
                f,
                "The RDB file contains module data I can't load: no matching module type '{name}'"
            ),
            Fault::ModuleAux(name) => write!(
                f,
                "The RDB file contains AUX module data I can't load: no matching module '{name}'"
            ),
            Fault::Candidate(what) => write!(
                f,
                "The RDB file contains {what} in a form that only release candidates wrote"
            ),
            Fault::SlotImport => write!(f, "The RDB file contains an unfinished slot import"),
            Fault::Checksum { stored, computed } => write!(
                f,
                "Wrong RDB checksum expected: ({computed:x}) but got ({stored:x})"
            ),
            Fault::Value(why) => write!(f, "{why}"),
        }
    }
}

impl std::error::Error for FileError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_and_where() {
        let mut error = FileError {
            offset: 77,
            fault: Malformed::Compression.into(),
            doing: Doing::Value,
            number: Some(0),
            key: Some(b"\0key".to_vec()),
        };
        assert_eq!(
            error.to_string(),
            "Invalid LZF compressed string (at offset 77, in the value of '\\x00key')"
        );
        error.key = None;
        assert_eq!(
            error.to_string(),
            "Invalid LZF compressed string (at offset 77)"
        );
    }
}
