//! What a key can hold. A closed enum: a kind that is not listed here does not exist.

pub mod pinned;
pub mod string;

pub use pinned::{Pinned, PinnedStr};
pub use string::{NewStr, Str};

/// The kinds of values, as TYPE names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// A string of bytes, or a 64-bit integer that stands for its decimal spelling.
    String = 0,
}

impl Kind {
    /// TYPE's word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Kind::String => "string",
        }
    }
}

/// How a value is held, as OBJECT ENCODING names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// A string that spells a 64-bit integer, held as that integer.
    Int,
    /// A string of at most [`string::EMBSTR_BYTES_MAX`] bytes that was set whole.
    EmbStr,
    /// Any other string.
    Raw,
}

impl Encoding {
    /// OBJECT ENCODING's word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Encoding::Int => "int",
            Encoding::EmbStr => "embstr",
            Encoding::Raw => "raw",
        }
    }
}

/// A look at a value.
#[derive(Clone, Copy, Debug)]
pub enum ValueRef<'a> {
    /// A string.
    String(Str<'a>),
}
