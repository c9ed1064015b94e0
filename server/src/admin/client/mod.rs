//! CLIENT: a connection says who it is, and looks at, pauses and ends others.
//!
//! | file | what the user does |
//! |---|---|
//! | `own` | says and asks about this connection |
//! | `filter` | chooses clients: the options that LIST and KILL share |
//! | `others` | LIST, KILL, UNBLOCK |
//! | `pause` | PAUSE, UNPAUSE |
//! | `tracking` | TRACKING, CACHING, GETREDIR, TRACKINGINFO |
//! | `help` | HELP |
//!
//! A client belongs to its worker, so others are read through what it publishes and ended through its
//! state word (`crate::clients`).
//!
//! Checked by: tests/transcripts/connection/client.txt, server/tests/client.rs.

use commands::CommandError;
use commands::spec::{Acl, Arity, CommandSpec, Flags, Group};

use super::{AdminCall, Handler};

mod filter;
mod help;
mod others;
mod own;
mod pause;
mod tracking;

pub(super) const ROWS: &[&CommandSpec<Handler>] = &[&CLIENT];

/// CLIENT subcommand
const CLIENT: CommandSpec<Handler> = CommandSpec {
    name: "client",
    arity: Arity::AtLeast(2),
    flags: Flags::SENTINEL,
    acl: Acl::SLOW,
    group: Group::Connection,
    since: "2.4.0",
    summary: "A container for client connection commands.",
    complexity: "Depends on subcommand.",
    subcommands: &[
        tracking::CACHING,
        own::CAPA,
        own::GETNAME,
        tracking::GETREDIR,
        help::HELP,
        own::ID,
        own::IMPORT_SOURCE,
        own::INFO,
        others::KILL,
        others::LIST,
        own::NO_EVICT,
        own::NO_TOUCH,
        pause::PAUSE,
        own::REPLY,
        own::SETINFO,
        own::SETNAME,
        tracking::TRACKING,
        tracking::TRACKINGINFO,
        others::UNBLOCK,
        pause::UNPAUSE,
    ],
    ..CommandSpec::row(no_such)
};

/// What the subcommands about one's own connection have in common.
const OWN: CommandSpec<Handler> = CommandSpec {
    flags: Flags::NOSCRIPT
        .or(Flags::LOADING)
        .or(Flags::STALE)
        .or(Flags::SENTINEL)
        .or(Flags::ALLOW_BUSY),
    acl: Acl::CONNECTION.or(Acl::SLOW),
    group: Group::Connection,
    ..CommandSpec::row(no_such)
};

/// What those about others have in common.
const OTHERS: CommandSpec<Handler> = CommandSpec {
    flags: Flags::ADMIN
        .or(Flags::NOSCRIPT)
        .or(Flags::LOADING)
        .or(Flags::STALE)
        .or(Flags::SENTINEL),
    acl: Acl::ADMIN
        .or(Acl::DANGEROUS)
        .or(Acl::CONNECTION)
        .or(Acl::SLOW),
    group: Group::Connection,
    ..CommandSpec::row(no_such)
};

/// Subcommands have rows of their own; what comes here has too many words for one.
fn no_such(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let word = call.args.get(1);
    let shown = String::from_utf8_lossy(&word[..word.len().min(128)]);
    let text = format!(
        "ERR unknown subcommand or wrong number of arguments for '{shown}'. Try CLIENT HELP."
    );
    Err(CommandError::Text(text.into()))
}

/// A word that is ON or OFF.
fn on_or_off(call: &AdminCall<'_, '_>, i: usize) -> Result<bool, CommandError> {
    if call.is(i, "on") {
        Ok(true)
    } else if call.is(i, "off") {
        Ok(false)
    } else {
        Err(CommandError::Syntax)
    }
}
