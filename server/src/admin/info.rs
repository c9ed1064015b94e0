//! INFO. What it says is written in `crate::info`; here is the row.

use commands::CommandError;
use commands::spec::{Acl, Arity, CommandSpec, Flags, Group};

use super::{AdminCall, Handler};

pub(super) const ROWS: &[&CommandSpec<Handler>] = &[&INFO];

/// INFO [section …]
const INFO: CommandSpec<Handler> = CommandSpec {
    name: "info",
    arity: Arity::AtLeast(1),
    flags: Flags::LOADING.or(Flags::STALE).or(Flags::SENTINEL),
    acl: Acl::SLOW.or(Acl::DANGEROUS),
    group: Group::Server,
    since: "1.0.0",
    summary: "Tells about the server in sections of fields.",
    syntax: "[section [section ...]]",
    tips: &[
        "nondeterministic_output",
        "request_policy:all_shards",
        "response_policy:special",
    ],
    ..CommandSpec::row(info)
};

fn info(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let words: Vec<&[u8]> = call.args.skip(1).iter().collect();
    let text = crate::info::text(call.server, &words, call.desk.clock_ms);
    call.reply.verbatim(b"txt", text.as_bytes());
    Ok(())
}
