//! COMMAND: what clients ask about the commands themselves.
//!
//! | file | what lives there |
//! |---|---|
//! | `mod.rs` | the rows; COUNT, HELP, LIST |
//! | `info.rs` | COMMAND and COMMAND INFO: one row as ten values |
//! | `docs.rs` | COMMAND DOCS: summary, arguments, what replaces a command |
//! | `keys.rs` | GETKEYS, GETKEYSANDFLAGS: the keys of a request that is not run |
//!
//! Everything is read from the joined table (`crate::table`); nothing here is kept twice, so a client
//! library that routes by COMMAND's answer routes as our own locks do. A command that `rename-command`
//! has moved is found by its new name and described under its own, as in Redis.
//!
//! Checked by: tests/transcripts/server/command.txt; `info.rs` and `docs.rs` have tests over every row.

use commands::CommandError;
use commands::glob::{self, Case};
use commands::spec::{Acl, Arity, CommandSpec, Flags, Group};
use resp::Args;

use super::{AdminCall, Handler};
use crate::table::{Command, CommandTable};

mod docs;
mod info;
mod keys;

pub(super) const ROWS: &[&CommandSpec<Handler>] = &[&COMMAND];

const ANY_ORDER: &[&str] = &["nondeterministic_output_order"];

/// COMMAND
const COMMAND: CommandSpec<Handler> = CommandSpec {
    name: "command",
    arity: Arity::AtLeast(1),
    summary: "Returns detailed information about all commands.",
    complexity: "O(N) where N is the total number of Redis commands",
    tips: ANY_ORDER,
    subcommands: &[COUNT, DOCS, GETKEYS, GETKEYSANDFLAGS, HELP, INFO, LIST],
    ..BASE
};

/// What all of these rows have in common.
const BASE: CommandSpec<Handler> = CommandSpec {
    flags: Flags::LOADING.or(Flags::STALE).or(Flags::SENTINEL),
    acl: Acl::CONNECTION.or(Acl::SLOW),
    group: Group::Server,
    since: "2.8.13",
    ..CommandSpec::row(info::all)
};

/// COMMAND COUNT
const COUNT: CommandSpec<Handler> = CommandSpec {
    name: "count",
    arity: Arity::Exactly(2),
    summary: "Returns a count of commands.",
    run: count,
    ..BASE
};

fn count(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let count = call.server.commands.callable().count();
    call.reply
        .int(i64::try_from(count).expect("a few hundred commands"));
    Ok(())
}

/// COMMAND DOCS [command-name [command-name ...]]
const DOCS: CommandSpec<Handler> = CommandSpec {
    name: "docs",
    arity: Arity::AtLeast(2),
    since: "7.0.0",
    summary: "Returns documentary information about one, multiple or all commands.",
    complexity: "O(N) where N is the number of commands to look up",
    syntax: "[command-name [command-name ...]]",
    tips: ANY_ORDER,
    run: docs::docs,
    ..BASE
};

/// COMMAND GETKEYS command [arg [arg ...]]
const GETKEYS: CommandSpec<Handler> = CommandSpec {
    name: "getkeys",
    arity: Arity::AtLeast(3),
    summary: "Extracts the key names from an arbitrary command.",
    complexity: "O(N) where N is the number of arguments to the command",
    syntax: "command [arg [arg ...]]",
    run: keys::getkeys,
    ..BASE
};

/// COMMAND GETKEYSANDFLAGS command [arg [arg ...]]
const GETKEYSANDFLAGS: CommandSpec<Handler> = CommandSpec {
    name: "getkeysandflags",
    since: "7.0.0",
    summary: "Extracts the key names and access flags for an arbitrary command.",
    run: keys::getkeysandflags,
    ..GETKEYS
};

/// COMMAND INFO [command-name [command-name ...]]
const INFO: CommandSpec<Handler> = CommandSpec {
    name: "info",
    arity: Arity::AtLeast(2),
    summary: "Returns information about one, multiple or all commands.",
    complexity: "O(N) where N is the number of commands to look up",
    syntax: "[command-name [command-name ...]]",
    tips: ANY_ORDER,
    run: info::some,
    ..BASE
};

/// COMMAND LIST [FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]
const LIST: CommandSpec<Handler> = CommandSpec {
    name: "list",
    arity: Arity::AtLeast(2),
    since: "7.0.0",
    summary: "Returns a list of command names.",
    complexity: "O(N) where N is the total number of Redis commands",
    syntax: "[FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]",
    tips: ANY_ORDER,
    run: list,
    ..BASE
};

/// Which names COMMAND LIST shows.
enum Filter<'a> {
    All,
    /// There are no modules, so none.
    Module,
    /// None when there is no such category.
    Category(Option<Acl>),
    Pattern(&'a [u8]),
}

impl Filter<'_> {
    fn shows(&self, command: &Command) -> bool {
        match self {
            Filter::All => true,
            Filter::Module | Filter::Category(None) => false,
            Filter::Category(Some(category)) => command.spec.acl.has(*category),
            Filter::Pattern(pattern) => {
                glob::matches(pattern, command.full_name.as_bytes(), Case::Folded)
            }
        }
    }
}

fn list(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let filter = match call.args.len() {
        2 => Filter::All,
        5 if call.is(2, "filterby") => {
            let value = call.args.get(4);
            if call.is(3, "module") {
                Filter::Module
            } else if call.is(3, "aclcat") {
                let named = |(_, word): &&(Acl, &str)| value.eq_ignore_ascii_case(word.as_bytes());
                Filter::Category(Acl::ALL.iter().find(named).map(|&(bit, _)| bit))
            } else if call.is(3, "pattern") {
                Filter::Pattern(value)
            } else {
                return Err(CommandError::Syntax);
            }
        }
        _ => return Err(CommandError::Syntax),
    };
    let (mark, mut shown) = (call.reply.defer(), 0);
    let table = &call.server.commands;
    for (_, command) in table.callable() {
        let subcommands = command.subcommands.iter().map(|&id| table.command(id));
        for command in std::iter::once(command).chain(subcommands) {
            if filter.shows(command) {
                call.reply.bulk(command.full_name.as_bytes());
                shown += 1;
            }
        }
    }
    call.reply.finish_array(mark, shown);
    Ok(())
}

/// COMMAND HELP
const HELP: CommandSpec<Handler> = CommandSpec {
    name: "help",
    arity: Arity::Exactly(2),
    since: "5.0.0",
    summary: "Lists the subcommands.",
    run: help,
    ..BASE
};

/// The lines of HELP, as Redis has them: clients show them, and tests compare them.
const HELP_LINES: &[&str] = &[
    "COMMAND <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "(no subcommand)",
    "    Return details about all Redis commands.",
    "COUNT",
    "    Return the total number of commands in this Redis server.",
    "LIST",
    "    Return a list of all commands in this Redis server.",
    "INFO [<command-name> ...]",
    "    Return details about multiple Redis commands.",
    "    If no command names are given, documentation details for all",
    "    commands are returned.",
    "DOCS [<command-name> ...]",
    "    Return documentation details about multiple Redis commands.",
    "    If no command names are given, documentation details for all",
    "    commands are returned.",
    "GETKEYS <full-command>",
    "    Return the keys from a full Redis command.",
    "GETKEYSANDFLAGS <full-command>",
    "    Return the keys and the access flags from a full Redis command.",
    "HELP",
    "    Prints this help.",
];

fn help(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    call.reply.array(HELP_LINES.len());
    for line in HELP_LINES {
        call.reply.simple(line.as_bytes());
    }
    Ok(())
}

/// The command that one word names: `get`, `config|get`.
fn named<'t>(table: &'t CommandTable, word: &[u8]) -> Option<&'t Command> {
    match word.iter().position(|&byte| byte == b'|') {
        None => table.find(word),
        Some(bar) => table.find_sub(table.find(&word[..bar])?, &word[bar + 1..]),
    }
}

/// The command that a request would call. A container alone, and one whose subcommand is not said,
/// is itself: it has no keys, and the caller says so.
fn requested<'t>(table: &'t CommandTable, request: Args<'_>) -> Option<&'t Command> {
    let command = table.find(request.try_get(0)?)?;
    match request.try_get(1) {
        Some(word) if !command.subcommands.is_empty() => table.find_sub(command, word),
        _ => Some(command),
    }
}
