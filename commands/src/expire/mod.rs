//! Commands about a key's time to live.
//!
//! | file | commands |
//! |---|---|
//! | `set.rs` | EXPIRE PEXPIRE EXPIREAT PEXPIREAT PERSIST |
//! | `ask.rs` | TTL PTTL EXPIRETIME PEXPIRETIME |
//!
//! Every deadline is a moment in milliseconds since 1970. Those given as a span are added to the
//! unit's time, once, and logged as a moment.

use crate::spec::CommandSpec;

mod ask;
mod set;

/// The family's rows.
pub const ROWS: &[&CommandSpec] = &[
    &set::EXPIRE,
    &set::EXPIREAT,
    &ask::EXPIRETIME,
    &set::PERSIST,
    &set::PEXPIRE,
    &set::PEXPIREAT,
    &ask::PEXPIRETIME,
    &ask::PTTL,
    &ask::TTL,
];
