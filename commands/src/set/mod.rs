//! Sets: different strings in no order.
//!
//! | file | commands |
//! |---|---|
//! | `change.rs` | SADD, SREM, SMOVE |
//! | `ask.rs` | SCARD, SISMEMBER, SMISMEMBER, SMEMBERS, SSCAN |
//! | `random.rs` | SPOP, SRANDMEMBER |
//! | `algebra.rs` | SINTER, SUNION, SDIFF, their STORE and CARD forms |
//!
//! What a set is in memory: `store/src/value/set.rs`.

mod algebra;
mod ask;
mod change;
mod random;

#[cfg(test)]
mod tests;

use crate::spec::CommandSpec;

/// The family's rows.
pub const ROWS: &[&CommandSpec] = &[
    &change::SADD,
    &ask::SCARD,
    &algebra::SDIFF,
    &algebra::SDIFFCARD,
    &algebra::SDIFFSTORE,
    &algebra::SINTER,
    &algebra::SINTERCARD,
    &algebra::SINTERSTORE,
    &ask::SISMEMBER,
    &ask::SMEMBERS,
    &ask::SMISMEMBER,
    &change::SMOVE,
    &random::SPOP,
    &random::SRANDMEMBER,
    &change::SREM,
    &ask::SSCAN,
    &algebra::SUNION,
    &algebra::SUNIONCARD,
    &algebra::SUNIONSTORE,
];
