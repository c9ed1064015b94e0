//! The data commands: one folder a family, one row beside each handler.
//!
//! | file | what lives there |
//! |---|---|
//! | `spec.rs` | the row: everything that the rest of the house wants to know about a command |
//! | `call.rs` | what a handler is handed |
//! | `kept.rs` | what a connection keeps for its data commands |
//! | `error.rs` | every text that a client may see as an error |
//! | `glob/` | patterns of KEYS, SCAN and PSUBSCRIBE |
//! | `keys.rs` | where the keys stand in a request: locks, ACL, routing, GETKEYS |
//! | `args.rs` | option words, numbers, expiry options |
//! | `extended.rs` | the 80-bit floats of INCRBYFLOAT and HINCRBYFLOAT |
//! | `syntax/` | a row's `syntax` line as the argument tree of COMMAND DOCS |
//! | `bitmap/`, `expire/`, `generic/`, `hash/`, `hyperloglog/`, `list/`, `set/`, `string/` | the families |
//!
//! **Invariant:** a handler reads no clock, randomness, file or socket; it is handed them.
//!
//! **Invariant:** a handler touches no key that `keys.rs` does not find in its request.
#![forbid(unsafe_code)]

pub mod args;
pub mod bitmap;
pub mod call;
pub mod error;
pub mod expire;
mod extended;
pub mod generic;
pub mod geo;
pub mod glob;
pub mod hash;
pub mod hyperloglog;
mod kept;
pub mod keys;
pub mod list;
pub mod set;
pub mod sort;
pub mod spec;
pub mod stream;
pub mod string;
pub mod syntax;
pub mod zset;

#[cfg(test)]
mod testing;

pub use call::{Block, Call, Handler, LONG_BYTES_MIN, Later, Null, Settings};
pub use error::CommandError;
pub use kept::Kept;
pub use spec::CommandSpec;
pub use store::Limits;

/// The families' rows, each in the order of its names.
#[must_use]
pub fn table() -> &'static [&'static [&'static CommandSpec]] {
    const FAMILIES: &[&[&CommandSpec]] = &[
        bitmap::ROWS,
        expire::ROWS,
        generic::ROWS,
        geo::ROWS,
        hash::ROWS,
        hyperloglog::ROWS,
        list::ROWS,
        set::ROWS,
        sort::ROWS,
        stream::ROWS,
        string::ROWS,
        zset::ROWS,
    ];
    FAMILIES
}
