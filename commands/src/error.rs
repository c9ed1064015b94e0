//! Every text that a client may see as an error, in one `match`.
//!
//! Programs test these texts, so they are Redis's to the letter. A text that names what the client
//! sent (an unknown subcommand) is built by [`CommandError::Text`]; the reply builder keeps CR and
//! LF out of it.

/// Why a command failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandError {
    /// The key holds another type.
    WrongType,
    /// The options do not fit together.
    Syntax,
    /// A number was expected.
    NotInteger,
    /// A floating-point number was expected.
    NotFloat,
    /// Adding would leave 64 bits.
    Overflow,
    /// Adding would leave the finite numbers.
    NanOrInfinity,
    /// There is no such key.
    NoSuchKey,
    /// An offset outside of what a string may have.
    OffsetRange,
    /// The string would pass `proto-max-bulk-len`.
    StringTooLong,
    /// An expiry that is not a time; names the command.
    InvalidExpire(&'static str),
    /// A database index outside of `databases`.
    DbIndex,
    /// A number outside of its range.
    OutOfRange,
    /// The system refused memory whose size the client chose.
    Refused,
    /// A shard is held by another worker: park the connection, run the command again.
    Busy,
    /// Nothing is there yet: register the client with what it waits for, and run the command again when
    /// that may have come. Only where [`crate::Call::may_block`].
    Block(Box<crate::call::Block>),
    /// A fixed text of one command, the error code included.
    Fixed(&'static str),
    /// A text made from what the client sent, the error code included.
    Text(Box<str>),
}

impl CommandError {
    /// The line that the client sees, without the leading dash.
    #[must_use]
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        use std::borrow::Cow::{Borrowed, Owned};
        Borrowed(match self {
            Self::WrongType => "WRONGTYPE Operation against a key holding the wrong kind of value",
            Self::Syntax => "ERR syntax error",
            Self::NotInteger => "ERR value is not an integer or out of range",
            Self::NotFloat => "ERR value is not a valid float",
            Self::Overflow => "ERR increment or decrement would overflow",
            Self::NanOrInfinity => "ERR increment would produce NaN or Infinity",
            Self::NoSuchKey => "ERR no such key",
            Self::OffsetRange => "ERR offset is out of range",
            Self::StringTooLong => "ERR string exceeds maximum allowed size (proto-max-bulk-len)",
            Self::DbIndex => "ERR DB index is out of range",
            Self::OutOfRange => "ERR value is out of range",
            Self::Refused => "OOM command not allowed: the system refused the memory for it",
            Self::Busy => "BUSY the keyspace is held by another command",
            Self::Block(_) => unreachable!("the dispatcher parks the client and says nothing"),
            Self::InvalidExpire(command) => {
                return Owned(format!("ERR invalid expire time in '{command}' command"));
            }
            Self::Fixed(text) => text,
            Self::Text(text) => text,
        })
    }
}

impl From<store::WrongType> for CommandError {
    fn from(_: store::WrongType) -> Self {
        Self::WrongType
    }
}

impl From<store::Refused> for CommandError {
    fn from(_: store::Refused) -> Self {
        Self::Refused
    }
}

impl From<store::Busy> for CommandError {
    fn from(_: store::Busy) -> Self {
        Self::Busy
    }
}
