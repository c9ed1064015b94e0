//! SLOWLOG: GET, LEN, RESET. What is kept, and how it is cut, is in `crate::slowlog`; here are the rows.
//!
//! Checked by: tests/transcripts/server/slowlog.txt.

use commands::CommandError;
use commands::spec::{Acl, Arity, CommandSpec, Flags, Group};
use resp::Reply;
use resp::number::parse_i64;

use super::{AdminCall, Handler, help_lines, wrong_words};
use crate::slowlog::LogEntry;

pub(super) const ROWS: &[&CommandSpec<Handler>] = &[&SLOWLOG];

/// Entries that GET gives when it is not told how many.
const COUNT_DEFAULT: usize = 10;

/// SLOWLOG GET | HELP | LEN | RESET
const SLOWLOG: CommandSpec<Handler> = CommandSpec {
    name: "slowlog",
    arity: Arity::AtLeast(2),
    acl: Acl::SLOW,
    group: Group::Server,
    since: "2.2.12",
    summary: "Shows and empties the log of slow commands.",
    complexity: "Depends on subcommand.",
    subcommands: &[GET, HELP, LEN, RESET],
    ..CommandSpec::row(help)
};

/// What the subcommands have in common.
const BASE: CommandSpec<Handler> = CommandSpec {
    flags: Flags::ADMIN.or(Flags::LOADING).or(Flags::STALE),
    acl: Acl::ADMIN.or(Acl::DANGEROUS).or(Acl::SLOW),
    group: Group::Server,
    since: "2.2.12",
    ..CommandSpec::row(help)
};

/// SLOWLOG GET [count]
const GET: CommandSpec<Handler> = CommandSpec {
    name: "get",
    arity: Arity::AtLeast(2),
    summary: "Gives the newest entries.",
    complexity: "O(N) where N is the number of entries returned",
    syntax: "[count]",
    tips: &["request_policy:all_nodes", "nondeterministic_output"],
    run: get,
    ..BASE
};

fn get(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let count = match call.args.len() {
        2 => COUNT_DEFAULT,
        3 => match parse_i64(call.args.get(2)) {
            Some(-1) => usize::MAX,
            Some(count @ 0..) => usize::try_from(count).unwrap_or(usize::MAX),
            _ => {
                return Err(CommandError::Fixed(
                    "ERR count should be greater than or equal to -1",
                ));
            }
        },
        _ => return Err(wrong_words(call, "SLOWLOG")),
    };
    let entries = call.server.slowlog.newest(count);
    show(call.reply, entries);
    Ok(())
}

/// Entries of any of the logs.
pub(super) fn show(reply: &mut Reply, entries: Vec<LogEntry>) {
    reply.array(entries.len());
    for entry in entries {
        reply.array(6);
        reply.int(entry.id.cast_signed());
        reply.int(entry.unix_s);
        reply.int(entry.value.cast_signed());
        reply.array(entry.words.len());
        for word in &entry.words {
            reply.bulk(word);
        }
        reply.bulk(entry.peer.as_bytes());
        reply.bulk(&entry.name);
    }
}

/// SLOWLOG LEN
const LEN: CommandSpec<Handler> = CommandSpec {
    name: "len",
    arity: Arity::Exactly(2),
    summary: "Counts the entries.",
    tips: &[
        "request_policy:all_nodes",
        "response_policy:agg_sum",
        "nondeterministic_output",
    ],
    run: len,
    ..BASE
};

fn len(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let len = call.server.slowlog.len();
    call.reply.int(len.cast_signed() as i64);
    Ok(())
}

/// SLOWLOG RESET
const RESET: CommandSpec<Handler> = CommandSpec {
    name: "reset",
    arity: Arity::Exactly(2),
    summary: "Forgets all entries.",
    complexity: "O(N) where N is the number of entries in the slowlog",
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    run: reset,
    ..BASE
};

fn reset(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    call.server.slowlog.clear();
    call.reply.ok();
    Ok(())
}

/// SLOWLOG HELP
const HELP: CommandSpec<Handler> = CommandSpec {
    name: "help",
    arity: Arity::Exactly(2),
    flags: Flags::LOADING.or(Flags::STALE),
    acl: Acl::SLOW,
    since: "6.2.0",
    summary: "Lists the subcommands.",
    ..BASE
};

/// The lines of HELP, as Redis has them: clients show them, and tests compare them.
const HELP_LINES: &[&str] = &[
    "SLOWLOG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "GET [<count>]",
    "    Return top <count> entries from the slowlog (default: 10, -1 mean all).",
    "    Entries are made of:",
    "    id, timestamp, time in microseconds, arguments array, client IP and port,",
    "    client name",
    "LEN",
    "    Return the length of the slowlog.",
    "RESET",
    "    Reset the slowlog.",
    "HELP",
    "    Prints this help.",
];

fn help(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    help_lines(call, HELP_LINES)
}
