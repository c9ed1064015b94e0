//! Shards, entries, values, expiry, watch bookkeeping, gates, the change log, snapshots.
//!
//! Everything that happens to the data happens inside a [`Unit`]: one command, one EXEC, one
//! script. The pages are `docs/design/store.md` (what is where, which files hold `unsafe` code)
//! and `docs/design/locks.md` (the protocol).
//!
//! **Invariant:** this crate reads no clock, randomness, file or socket; it is handed them.
#![deny(unsafe_code)]

mod error;
mod event;
mod key;
mod unit;
pub mod value;

pub use error::{Busy, Refused, WrongType};
pub use event::{Event, EventClass, Events};
pub use key::Key;
pub use unit::*;
pub use value::{Encoding, Kind, NewStr, Str, ValueRef};
