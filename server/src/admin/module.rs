//! MODULE: there are none, and none can be loaded.
//!
//! LOAD, LOADEX and UNLOAD are refused by the dispatcher unless `enable-module-command` allows them;
//! allowed, they fail as Redis's do when a library cannot be opened or a name is not there.
//!
//! Checked by: tests/transcripts/server/module.txt.

use commands::CommandError;
use commands::spec::{Acl, Arity, CommandSpec, Flags, Group};

use super::{AdminCall, Handler, help_lines};

pub(super) const ROWS: &[&CommandSpec<Handler>] = &[&MODULE];

/// MODULE subcommand
const MODULE: CommandSpec<Handler> = CommandSpec {
    name: "module",
    arity: Arity::AtLeast(2),
    acl: Acl::SLOW,
    group: Group::Server,
    since: "4.0.0",
    summary: "A container for module commands.",
    complexity: "Depends on subcommand.",
    subcommands: &[HELP, LIST, LOAD, LOADEX, UNLOAD],
    ..CommandSpec::row(help)
};

/// What those that change something have in common.
const BASE: CommandSpec<Handler> = CommandSpec {
    flags: Flags::NO_ASYNC_LOADING.or(Flags::ADMIN).or(Flags::NOSCRIPT),
    acl: Acl::ADMIN.or(Acl::DANGEROUS).or(Acl::SLOW),
    group: Group::Server,
    since: "4.0.0",
    ..CommandSpec::row(load)
};

/// MODULE HELP
const HELP: CommandSpec<Handler> = CommandSpec {
    name: "help",
    arity: Arity::Exactly(2),
    flags: Flags::LOADING.or(Flags::STALE),
    acl: Acl::SLOW,
    since: "5.0.0",
    summary: "Returns helpful text about the different subcommands.",
    run: help,
    ..BASE
};

const HELP_LINES: &[&str] = &[
    "MODULE <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "LIST",
    "    Return a list of loaded modules.",
    "LOAD <path> [<arg> ...]",
    "    Load a module library from <path>, passing to it any optional arguments.",
    "LOADEX <path> [[CONFIG NAME VALUE] [CONFIG NAME VALUE]] [ARGS ...]",
    "    Load a module library from <path>, while passing it module configurations and optional arguments.",
    "UNLOAD <name>",
    "    Unload a module.",
    "HELP",
    "    Prints this help.",
];

fn help(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    help_lines(call, HELP_LINES)
}

/// MODULE LIST
const LIST: CommandSpec<Handler> = CommandSpec {
    name: "list",
    arity: Arity::Exactly(2),
    flags: Flags::ADMIN.or(Flags::NOSCRIPT),
    summary: "Returns all loaded modules.",
    complexity: "O(N) where N is the number of loaded modules.",
    tips: &["nondeterministic_output_order"],
    run: list,
    ..BASE
};

fn list(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    call.reply.array(0);
    Ok(())
}

/// MODULE LOAD path [arg …]
const LOAD: CommandSpec<Handler> = CommandSpec {
    name: "load",
    arity: Arity::AtLeast(3),
    summary: "Loads a module.",
    syntax: "path [arg [arg ...]]",
    ..BASE
};

/// MODULE LOADEX path [CONFIG name value …] [ARGS arg …]
const LOADEX: CommandSpec<Handler> = CommandSpec {
    name: "loadex",
    arity: Arity::AtLeast(3),
    since: "7.0.0",
    summary: "Loads a module using extended parameters.",
    syntax: "path [CONFIG name value [CONFIG name value ...]] [ARGS args [args ...]]",
    ..BASE
};

fn load(_: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    Err(CommandError::Fixed(
        "ERR Error loading the extension. Please check the server logs.",
    ))
}

/// MODULE UNLOAD name
const UNLOAD: CommandSpec<Handler> = CommandSpec {
    name: "unload",
    arity: Arity::Exactly(3),
    summary: "Unloads a module.",
    syntax: "name",
    run: unload,
    ..BASE
};

fn unload(_: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    Err(CommandError::Fixed(
        "ERR Error unloading module: no such module with that name",
    ))
}
