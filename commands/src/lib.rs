//! The data commands: one folder a family, one row beside each handler.
//!
//! **Invariant:** a handler reads no clock, randomness, file or socket; it is handed them.
#![forbid(unsafe_code)]

pub mod call;
pub mod error;
pub mod glob;
pub mod spec;

pub use call::{Call, Handler, Settings};
pub use error::CommandError;
pub use spec::CommandSpec;

/// The families' rows, each in the order of its names.
#[must_use]
pub fn table() -> &'static [&'static [&'static CommandSpec]] {
    const FAMILIES: &[&[&CommandSpec]] = &[];
    FAMILIES
}
