//! Pub/Sub's commands. The registry is `crate::pubsub`.
//!
//! | file | what the user does |
//! |---|---|
//! | `subscribe` | hears channels, patterns, shard channels, or stops |
//! | `publish` | PUBLISH, SPUBLISH |
//! | `inspect` | PUBSUB: who hears what |
//!
//! Checked by: tests/transcripts/pubsub, server/tests/pubsub.rs.

use commands::spec::{Acl, CommandSpec, Flags, Group};

use super::{AdminCall, Handler};

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
