//! Streams: logs of entries, and groups of consumers that share the reading.
//!
//! | file | commands |
//! |---|---|
//! | `add.rs` | XADD |
//! | `range.rs` | XLEN, XRANGE, XREVRANGE |
//! | `read.rs` | XREAD, XREADGROUP |
//! | `deliver.rs` | what XREADGROUP does at one stream, and how it is logged |
//! | `budget.rs` | MAXCOUNT, MAXSIZE |
//! | `producer.rs` | XCFGSET, XIDMPRECORD |
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
mod budget;
mod claim;
mod deliver;
mod group;
mod id;
mod info;
mod options;
mod pending;
mod producer;
mod range;
mod read;
mod trim;

use crate::spec::CommandSpec;
use crate::{Call, CommandError};

/// The family's rows.
pub const ROWS: &[&CommandSpec] = &[
    &pending::XACK,
    &pending::XACKDEL,
    &add::XADD,
    &claim::XAUTOCLAIM,
    &producer::XCFGSET,
    &claim::XCLAIM,
    &trim::XDEL,
    &trim::XDELEX,
    &group::XGROUP,
    &producer::XIDMPRECORD,
    &info::XINFO,
    &range::XLEN,
    &pending::XNACK,
    &pending::XPENDING,
    &range::XRANGE,
    &read::XREAD,
    &read::XREADGROUP,
    &range::XREVRANGE,
    &trim::XSETID,
    &trim::XTRIM,
];

/// The answer to a word that is no subcommand of `container`.
fn unknown_subcommand(call: &Call<'_, '_>, container: &str) -> CommandError {
    let word = shown(call);
    let text = format!("ERR unknown subcommand '{word}'. Try {container} HELP.");
    CommandError::Text(text.into())
}

/// The answer to a subcommand with words that it has no use for.
fn wrong_words(call: &Call<'_, '_>, container: &str) -> CommandError {
    let word = shown(call);
    let text = format!(
        "ERR unknown subcommand or wrong number of arguments for '{word}'. Try {container} HELP."
    );
    CommandError::Text(text.into())
}

fn shown(call: &Call<'_, '_>) -> String {
    let word = call.args.get(1);
    String::from_utf8_lossy(&word[..word.len().min(128)]).into_owned()
}

fn write_help(call: &mut Call<'_, '_>, lines: &[&str]) {
    call.reply.array(lines.len());
    for line in lines {
        call.reply.simple(line.as_bytes());
    }
}
