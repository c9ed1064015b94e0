//! A string as a sketch.
//!
//! ```text
//!   "HYLL" [form u8] [unused 3] [number 8, little-endian]  body …
//!            0 dense, 1 sparse    highest bit set: not known any more
//! ```
//!
//! Opening judges what one look shows: the name, the form, the length of a dense body. Whether a
//! sparse body is whole is found out by those who walk over it (`sparse.rs`).
//!
//! A sketch borrows the string until it is changed, and is written back by whoever opened it.

use std::borrow::Cow;

use store::Str;

use super::estimate::{Histogram, cardinality};
use super::sparse::{Mark, Raised};
use super::{Registers, dense, sparse};
use crate::CommandError;

/// Bytes in front of the body.
pub(super) const HEAD_BYTES: usize = 16;

const NAME: &[u8; 4] = b"HYLL";
const FORM: usize = 4;
const NUMBER: std::ops::Range<usize> = 8..HEAD_BYTES;
/// The byte whose highest bit says that the number is not known any more.
const STALE: usize = HEAD_BYTES - 1;

const DENSE: u8 = 0;
const SPARSE: u8 = 1;

const _: () = assert!(HEAD_BYTES + dense::BYTES == 12_304);

/// The body is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Corrupt;

impl From<Corrupt> for CommandError {
    fn from(_: Corrupt) -> Self {
        CommandError::Fixed("INVALIDOBJ Corrupted HLL object detected")
    }
}

/// A string that has the head of a sketch.
#[derive(Clone, Debug)]
pub(super) struct Sketch<'a> {
    bytes: Cow<'a, [u8]>,
}

impl<'a> Sketch<'a> {
    /// One that has seen nothing: a sparse one.
    pub(super) fn empty() -> Sketch<'static> {
        let mut bytes = vec![0; HEAD_BYTES];
        bytes[..NAME.len()].copy_from_slice(NAME);
        bytes[FORM] = SPARSE;
        bytes.extend(sparse::EMPTY);
        Sketch {
            bytes: Cow::Owned(bytes),
        }
    }

    /// The sketch that a string is.
    pub(super) fn open(value: Str<'a>) -> Result<Sketch<'a>, CommandError> {
        let bytes = match value {
            Str::Bytes(bytes) => bytes,
            Str::Blob(blob) => blob,
            Str::Int(_) => &[],
        };
        let is_whole = bytes.len() >= HEAD_BYTES
            && bytes.starts_with(NAME)
            && match bytes[FORM] {
                DENSE => bytes.len() == HEAD_BYTES + dense::BYTES,
                SPARSE => true,
                _ => false,
            };
        if !is_whole {
            return Err(CommandError::Fixed(
                "WRONGTYPE Key is not a valid HyperLogLog string value.",
            ));
        }
        Ok(Sketch {
            bytes: Cow::Borrowed(bytes),
        })
    }

    /// The whole string.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The whole string, if it has been changed.
    pub(super) fn changed(self) -> Option<Vec<u8>> {
        match self.bytes {
            Cow::Borrowed(_) => None,
            Cow::Owned(bytes) => Some(bytes),
        }
    }

    pub(super) fn is_dense(&self) -> bool {
        self.bytes[FORM] == DENSE
    }

    pub(super) fn body(&self) -> &[u8] {
        &self.bytes[HEAD_BYTES..]
    }

    /// The number in the head, if it is known.
    pub(super) fn number(&self) -> Option<u64> {
        let number = self.bytes[NUMBER].try_into().expect("eight bytes");
        (self.bytes[STALE] < 0x80).then(|| u64::from_le_bytes(number))
    }

    /// How many different elements it has seen.
    pub(super) fn estimate(&self) -> Result<u64, Corrupt> {
        Ok(cardinality(&self.histogram()?))
    }

    fn histogram(&self) -> Result<Histogram, Corrupt> {
        if self.is_dense() {
            Ok(dense::histogram(self.body()))
        } else {
            sparse::histogram(self.body())
        }
    }

    /// Raises each of `all` to what the sketch has there.
    pub(super) fn merge_into(&self, all: &mut Registers) -> Result<(), Corrupt> {
        if self.is_dense() {
            dense::merge(self.body(), all);
            Ok(())
        } else {
            sparse::merge(self.body(), all)
        }
    }

    /// Raises a register; whether it was below. A sparse sketch that may not hold it becomes dense.
    /// `from` as in [`sparse::raise`].
    pub(super) fn raise(
        &mut self,
        place: (usize, u8),
        bytes_max: usize,
        from: &mut Mark,
    ) -> Result<bool, Corrupt> {
        if !self.is_dense() {
            match sparse::raise(&mut self.bytes, place, bytes_max, from)? {
                Raised::No => return Ok(false),
                Raised::Yes => return Ok(true),
                Raised::TooLarge => self.make_dense()?,
            }
        }
        if dense::get(self.body(), place.0) >= place.1 {
            return Ok(false);
        }
        dense::set(&mut self.bytes.to_mut()[HEAD_BYTES..], place.0, place.1);
        Ok(true)
    }

    /// Makes it dense; the number in the head stays.
    pub(super) fn make_dense(&mut self) -> Result<(), Corrupt> {
        if self.is_dense() {
            return Ok(());
        }
        let mut bytes = vec![0; HEAD_BYTES + dense::BYTES];
        sparse::expand(self.body(), &mut bytes[HEAD_BYTES..])?;
        bytes[..HEAD_BYTES].copy_from_slice(&self.bytes[..HEAD_BYTES]);
        bytes[FORM] = DENSE;
        self.bytes = Cow::Owned(bytes);
        Ok(())
    }

    /// Writes all registers of a dense sketch.
    pub(super) fn write_all(&mut self, all: &Registers) {
        debug_assert!(self.is_dense(), "a sparse body has no place for them");
        dense::pack(all, &mut self.bytes.to_mut()[HEAD_BYTES..]);
    }

    /// Says that the number in the head is not known any more.
    pub(super) fn forget_number(&mut self) {
        forget_number(self.bytes.to_mut());
    }
}

/// Says so in the string itself.
pub(super) fn forget_number(bytes: &mut [u8]) {
    bytes[STALE] |= 0x80;
}

/// Keeps the number in the string's head.
pub(super) fn keep_number(bytes: &mut [u8], number: u64) {
    bytes[NUMBER].copy_from_slice(&number.to_le_bytes());
}
