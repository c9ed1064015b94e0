//! COMMANDLOG: the logs of slow commands, of large requests and of large replies. SLOWLOG shows the first
//! of them under its older name. What is kept, and how it is cut, is in `crate::slowlog`.
//!
//! Checked by: tests/transcripts/server/commandlog.txt.

use std::sync::Arc;

use commands::CommandError;
use commands::spec::{Acl, Arity, CommandSpec, Flags, Group};
use resp::number::parse_i64;

use super::slowlog::show;
use super::{AdminCall, Handler, help_lines};
use crate::server::Server;
use crate::slowlog::Slowlog;

pub(super) const ROWS: &[&CommandSpec<Handler>] = &[&COMMANDLOG];

/// COMMANDLOG GET | HELP | LEN | RESET
const COMMANDLOG: CommandSpec<Handler> = CommandSpec {
    name: "commandlog",
    arity: Arity::AtLeast(2),
    acl: Acl::SLOW,
    group: Group::Server,
    since: "8.1.0",
    summary: "Shows and empties the logs of slow commands, large requests and large replies.",
    complexity: "Depends on subcommand.",
    subcommands: &[GET, HELP, LEN, RESET],
    ..CommandSpec::row(help)
};

/// What the subcommands have in common.
const BASE: CommandSpec<Handler> = CommandSpec {
    flags: Flags::ADMIN.or(Flags::LOADING).or(Flags::STALE),
    acl: Acl::ADMIN.or(Acl::DANGEROUS).or(Acl::SLOW),
    group: Group::Server,
    since: "8.1.0",
    ..CommandSpec::row(help)
};

/// The log of this name.
fn log_of<'s>(server: &'s Arc<Server>, name: &[u8]) -> Result<&'s Slowlog, CommandError> {
    match name.to_ascii_lowercase().as_slice() {
        b"slow" => Ok(&server.slowlog),
        b"large-request" => Ok(&server.large_requests),
        b"large-reply" => Ok(&server.large_replies),
        _ => Err(CommandError::Fixed(
            "ERR type should be one of the following: slow, large-request, large-reply",
        )),
    }
}

/// COMMANDLOG GET count <SLOW | LARGE-REQUEST | LARGE-REPLY>
const GET: CommandSpec<Handler> = CommandSpec {
    name: "get",
    arity: Arity::Exactly(4),
    summary: "Gives the newest entries of a log.",
    complexity: "O(N) where N is the number of entries returned",
    syntax: "count <SLOW | LARGE-REQUEST | LARGE-REPLY>",
    tips: &["request_policy:all_nodes", "nondeterministic_output"],
    run: get,
    ..BASE
};

fn get(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let count = match parse_i64(call.args.get(2)) {
        Some(-1) => usize::MAX,
        Some(count @ 0..) => usize::try_from(count).unwrap_or(usize::MAX),
        _ => {
            return Err(CommandError::Fixed(
                "ERR count should be greater than or equal to -1",
            ));
        }
    };
    let entries = log_of(call.server, call.args.get(3))?.newest(count);
    show(call.reply, entries);
    Ok(())
}

/// COMMANDLOG LEN <SLOW | LARGE-REQUEST | LARGE-REPLY>
const LEN: CommandSpec<Handler> = CommandSpec {
    name: "len",
    arity: Arity::Exactly(3),
    summary: "Counts the entries of a log.",
    syntax: "<SLOW | LARGE-REQUEST | LARGE-REPLY>",
    tips: &[
        "request_policy:all_nodes",
        "response_policy:agg_sum",
        "nondeterministic_output",
    ],
    run: len,
    ..BASE
};

fn len(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let len = log_of(call.server, call.args.get(2))?.len();
    call.reply.int(len.cast_signed() as i64);
    Ok(())
}

/// COMMANDLOG RESET <SLOW | LARGE-REQUEST | LARGE-REPLY>
const RESET: CommandSpec<Handler> = CommandSpec {
    name: "reset",
    arity: Arity::Exactly(3),
    summary: "Forgets all entries of a log.",
    complexity: "O(N) where N is the number of entries in the commandlog",
    syntax: "<SLOW | LARGE-REQUEST | LARGE-REPLY>",
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    run: reset,
    ..BASE
};

fn reset(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    log_of(call.server, call.args.get(2))?.clear();
    call.reply.ok();
    Ok(())
}

/// COMMANDLOG HELP
const HELP: CommandSpec<Handler> = CommandSpec {
    name: "help",
    arity: Arity::Exactly(2),
    flags: Flags::LOADING.or(Flags::STALE),
    acl: Acl::SLOW,
    summary: "Lists the subcommands.",
    ..BASE
};

/// The lines of HELP, as Valkey has them: clients show them, and tests compare them.
const HELP_LINES: &[&str] = &[
    "COMMANDLOG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "GET <count> <type>",
    "    Return top <count> entries of the specified <type> from the commandlog (-1 mean all).",
    "    Entries are made of:",
    "    id, timestamp,",
    "        time in microseconds for type of slow,",
    "        or size in bytes for type of large-request,",
    "        or size in bytes for type of large-reply",
    "    arguments array, client IP and port,",
    "    client name",
    "LEN <type>",
    "    Return the length of the specified type of commandlog.",
    "RESET <type>",
    "    Reset the specified type of commandlog.",
    "HELP",
    "    Print this help.",
];

fn help(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    help_lines(call, HELP_LINES)
}
