//! Streams: logs of entries, and groups of consumers that share the reading.
//!
//! | file | commands |
//! |---|---|
//! | `add.rs` | XADD |
//! | `range.rs` | XLEN, XRANGE, XREVRANGE |
//! | `read.rs` | XREAD, XREADGROUP |
//! | `trim.rs` | XTRIM, XDEL, XDELEX, XSETID |
//! | `group.rs` | XGROUP |
//! | `pending.rs` | XACK, XACKDEL, XNACK, XPENDING |
//! | `claim.rs` | XCLAIM, XAUTOCLAIM |
//! | `info.rs` | XINFO |
//! | `id.rs` | ids and entries on the wire |
//! | `options.rs` | what XADD and XTRIM share |
//!
//! What a stream is in memory: `docs/design/stream.md`.

mod add;
mod id;
mod options;
mod range;
mod read;

use crate::spec::CommandSpec;

/// The family's rows.
pub const ROWS: &[&CommandSpec] = &[
    &add::XADD,
    &range::XLEN,
    &range::XRANGE,
    &read::XREAD,
    &read::XREADGROUP,
    &range::XREVRANGE,
];
