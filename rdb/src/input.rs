//! A checked walk over foreign bytes.
//!
//! Every decoder of this crate reads through [`Input`], which hands out slices of what it was
//! given and never more: a length that the bytes claim is compared with what is left before
//! anything is believed, so memory stays bounded by the input's own size.

/// Why bytes could not be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// The bytes end before the value does.
    Truncated,
    /// A container of nothing, as some old servers wrote by mistake.
    Empty,
    /// A length or encoding that the format does not know.
    Encoding,
    /// A type that we do not know.
    Type,
    /// Compressed bytes that do not unfold to what they claim.
    Compression,
    /// Bytes follow the value.
    Trailing,
    /// The system refused the memory that the value needs.
    Refused,
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Malformed::Truncated => "The value ends too early",
            Malformed::Empty => "Empty container",
            Malformed::Encoding => "Invalid length, encoding or content of a value",
            Malformed::Type => "Unknown type of a value",
            Malformed::Compression => "Invalid LZF compressed string",
            Malformed::Trailing => "Bytes follow the value",
            Malformed::Refused => "Out of memory loading a value",
        })
    }
}

/// What is left of the bytes.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    /// A walk over all of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Input { rest: bytes }
    }

    /// How many bytes are left.
    #[must_use]
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    /// What is left, to look at.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `count` bytes. The count is 64 bits wide because files claim such lengths.
    ///
    /// # Errors
    /// [`Malformed::Truncated`] when fewer are left.
    pub fn take(&mut self, count: u64) -> Result<&'a [u8], Malformed> {
        let count = usize::try_from(count).map_err(|_| Malformed::Truncated)?;
        let (taken, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or(Malformed::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next `N` bytes as an array, for numbers.
    ///
    /// # Errors
    /// [`Malformed::Truncated`] when fewer are left.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Malformed::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// The next byte.
    ///
    /// # Errors
    /// [`Malformed::Truncated`] when none is left.
    pub fn byte(&mut self) -> Result<u8, Malformed> {
        Ok(self.array::<1>()?[0])
    }
}
