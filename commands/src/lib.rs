//! The data commands: one folder a family, one row beside each handler.
//!
//! **Invariant:** a handler reads no clock, randomness, file or socket; it is handed them.
#![forbid(unsafe_code)]

pub mod spec;
