//! What a connection may send, and what it is told when it sends something else.
//!
//! The texts are Redis's: clients and its test suite compare them.
//!
//! Checked by: `parse.rs`'s tests.

use crate::reply::Reply;

/// What a connection may send.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// `proto-max-bulk-len`; `u64::MAX` on the link to a primary.
    pub bulk_bytes_max: u64,
    /// The most words of one request.
    pub args_max: u32,
    /// Whether the client must still log in: then ten words of 16 KiB are the most.
    pub before_login: bool,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            bulk_bytes_max: 512 << 20,
            args_max: i32::MAX as u32,
            before_login: false,
        }
    }
}

/// What the peer did against the protocol. The connection is answered with the text and closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// A line that is no `*` request does not end.
    TooBigInline,
    /// Quotes of an inline request do not match.
    UnbalancedQuotes,
    /// The line behind `*` does not end.
    TooBigCount,
    /// The line behind `*` is no number, or too large a one.
    InvalidCount,
    /// Too many words for somebody who has not logged in.
    UnauthenticatedCount,
    /// The line behind `$` does not end.
    TooBigLength,
    /// A word does not begin with `$` but with this.
    ExpectedDollar(u8),
    /// The line behind `$` is no number, or too large a one.
    InvalidLength,
    /// Too long a word for somebody who has not logged in.
    UnauthenticatedLength,
    /// The words that are not blobs exceed what 32-bit offsets can hold.
    TooBigRequest,
}

impl ProtocolError {
    /// The text for the log, without the error code.
    pub fn text(&self) -> Vec<u8> {
        let text: &[u8] = match self {
            ProtocolError::TooBigInline => b"too big inline request",
            ProtocolError::UnbalancedQuotes => b"unbalanced quotes in request",
            ProtocolError::TooBigCount => b"too big mbulk count string",
            ProtocolError::InvalidCount => b"invalid multibulk length",
            ProtocolError::UnauthenticatedCount => b"unauthenticated multibulk length",
            ProtocolError::TooBigLength => b"too big bulk count string",
            ProtocolError::ExpectedDollar(got) => {
                let quoted = [
                    b"Protocol error: expected '$', got '".as_slice(),
                    &[*got],
                    b"'",
                ];
                return quoted.concat();
            }
            ProtocolError::InvalidLength => b"invalid bulk length",
            ProtocolError::UnauthenticatedLength => b"unauthenticated bulk length",
            ProtocolError::TooBigRequest => b"too big request",
        };
        [b"Protocol error: ", text].concat()
    }

    /// Answers the peer.
    pub fn write(&self, reply: &mut Reply) {
        reply.error(&[b"ERR ".as_slice(), &self.text()].concat());
    }
}
