//! Pub/Sub's commands. The registry is `crate::pubsub`.
//!
//! | file | what the user does |
//! |---|---|
//! | `subscribe` | hears channels, patterns, shard channels, or stops |
//! | `publish` | PUBLISH, SPUBLISH |
//! | `inspect` | PUBSUB: who hears what |
//!
//! Checked by: tests/transcripts/pubsub, server/tests/pubsub.rs.

use commands::CommandError;
use commands::spec::{Acl, CommandSpec, Flags, Group};

use super::{AdminCall, Handler};
use crate::table::Command;

mod inspect;
mod publish;
mod subscribe;

pub(super) const ROWS: &[&CommandSpec<Handler>] = &[
    &subscribe::PSUBSCRIBE,
    &publish::PUBLISH,
    &inspect::PUBSUB,
    &subscribe::PUNSUBSCRIBE,
    &publish::SPUBLISH,
    &subscribe::SSUBSCRIBE,
    &subscribe::SUBSCRIBE,
    &subscribe::SUNSUBSCRIBE,
    &subscribe::UNSUBSCRIBE,
];

/// What nearly all of these rows have in common.
const BASE: CommandSpec<Handler> = CommandSpec {
    flags: Flags::PUBSUB.or(Flags::LOADING).or(Flags::STALE),
    acl: Acl::PUBSUB.or(Acl::SLOW),
    group: Group::PubSub,
    ..CommandSpec::row(publish::publish)
};

/// What a subscriber who speaks RESP2 may call: it could not tell other replies from messages.
///
/// # Errors
/// For anything else.
#[cold]
pub(crate) fn check_subscriber(command: &Command) -> Result<(), CommandError> {
    let is_allowed = matches!(
        &*command.full_name,
        "ping"
            | "quit"
            | "reset"
            | "subscribe"
            | "unsubscribe"
            | "psubscribe"
            | "punsubscribe"
            | "ssubscribe"
            | "sunsubscribe"
    );
    if is_allowed {
        return Ok(());
    }
    let text = format!(
        "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are \
         allowed in this context",
        command.full_name
    );
    Err(CommandError::Text(text.into()))
}
