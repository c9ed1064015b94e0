//! CONFIG: GET, SET, REWRITE, RESETSTAT. What they do is in `crate::config`; here are the rows.

use commands::CommandError;
use commands::spec::{Acl, Arity, CommandSpec, Flags, Group};
use os::files::error_text;

use super::{AdminCall, Handler, help_lines};
use crate::config::{RewriteError, Setter};
use crate::log;

pub(super) const ROWS: &[&CommandSpec<Handler>] = &[&CONFIG];

/// CONFIG GET | HELP | RESETSTAT | REWRITE | SET
const CONFIG: CommandSpec<Handler> = CommandSpec {
    name: "config",
    arity: Arity::AtLeast(2),
    acl: Acl::SLOW,
    group: Group::Server,
    since: "2.0.0",
    summary: "Reads and changes the configuration.",
    complexity: "Depends on subcommand.",
    subcommands: &[GET, HELP, RESETSTAT, REWRITE, SET],
    ..CommandSpec::row(help)
};

/// What the subcommands have in common.
const BASE: CommandSpec<Handler> = CommandSpec {
    flags: Flags::ADMIN
        .or(Flags::NOSCRIPT)
        .or(Flags::LOADING)
        .or(Flags::STALE),
    acl: Acl::ADMIN.or(Acl::DANGEROUS).or(Acl::SLOW),
    group: Group::Server,
    since: "2.0.0",
    ..CommandSpec::row(help)
};

const ALL_NODES: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];

/// CONFIG GET parameter [parameter …]
const GET: CommandSpec<Handler> = CommandSpec {
    name: "get",
    arity: Arity::AtLeast(3),
    summary: "Gives the values of parameters, by name or pattern.",
    complexity: "O(N) where N is the number of parameters",
    syntax: "parameter [parameter ...]",
    run: get,
    ..BASE
};

fn get(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let patterns: Vec<&[u8]> = (2..call.args.len()).map(|i| call.args.get(i)).collect();
    let found = call.server.config.get(&patterns);
    call.reply.map(found.len());
    for (name, text) in found {
        call.reply.bulk(&name);
        call.reply.bulk(&text);
    }
    Ok(())
}

/// CONFIG SET parameter value [parameter value …]
const SET: CommandSpec<Handler> = CommandSpec {
    name: "set",
    arity: Arity::AtLeast(4),
    summary: "Changes parameters, all or none.",
    complexity: "O(N) where N is the number of parameters",
    syntax: "parameter value [parameter value ...]",
    tips: ALL_NODES,
    run: set,
    ..BASE
};

fn set(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    if !call.args.len().is_multiple_of(2) {
        return Err(CommandError::Syntax);
    }
    let pairs: Vec<(&[u8], &[u8])> = (2..call.args.len())
        .step_by(2)
        .map(|i| (call.args.get(i), call.args.get(i + 1)))
        .collect();
    let setter = Setter {
        local: call.client.peer.is_local(),
    };
    match call.server.config.set(&pairs, setter, &**call.server) {
        Ok(()) => {
            call.reply.ok();
            Ok(())
        }
        Err(error) => Err(CommandError::Text(error.text().into())),
    }
}

/// CONFIG REWRITE
const REWRITE: CommandSpec<Handler> = CommandSpec {
    name: "rewrite",
    arity: Arity::Exactly(2),
    since: "2.8.0",
    summary: "Puts the running configuration into the configuration file.",
    tips: ALL_NODES,
    run: rewrite,
    ..BASE
};

fn rewrite(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let text = match call.server.config.rewrite() {
        Ok(()) => {
            log::notice("CONFIG REWRITE executed with success.");
            call.reply.ok();
            return Ok(());
        }
        Err(RewriteError::NoFile) => "ERR The server is running without a config file".to_owned(),
        Err(RewriteError::Io(error)) => {
            let why = error_text(&error);
            log::warning(format_args!("CONFIG REWRITE failed: {why}"));
            format!("ERR Rewriting config file: {why}")
        }
    };
    Err(CommandError::Text(text.into()))
}

/// CONFIG RESETSTAT
const RESETSTAT: CommandSpec<Handler> = CommandSpec {
    name: "resetstat",
    arity: Arity::Exactly(2),
    summary: "Begins INFO's counters anew.",
    tips: ALL_NODES,
    run: resetstat,
    ..BASE
};

fn resetstat(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    call.server.reset_statistics();
    call.reply.ok();
    Ok(())
}

/// CONFIG HELP
const HELP: CommandSpec<Handler> = CommandSpec {
    name: "help",
    arity: Arity::Exactly(2),
    flags: Flags::LOADING.or(Flags::STALE),
    acl: Acl::SLOW,
    group: Group::Server,
    since: "5.0.0",
    summary: "Lists the subcommands.",
    ..CommandSpec::row(help)
};

/// The lines of HELP, as Redis has them: clients show them, and tests compare them.
const HELP_LINES: &[&str] = &[
    "CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "GET <pattern>",
    "    Return parameters matching the glob-like <pattern> and their values.",
    "SET <directive> <value>",
    "    Set the configuration <directive> to <value>.",
    "RESETSTAT",
    "    Reset statistics reported by the INFO command.",
    "REWRITE",
    "    Rewrite the configuration file.",
    "HELP",
    "    Prints this help.",
];

fn help(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    help_lines(call, HELP_LINES)
}
