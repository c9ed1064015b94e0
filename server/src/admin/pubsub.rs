//! PUBLISH and SPUBLISH: nobody can subscribe yet, so every message reaches nobody, and that is said.
//!
//! Checked by: tests/transcripts/pubsub.

use commands::CommandError;
use commands::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, KeyFlags, Keys};

use super::{AdminCall, Handler};

pub(super) const ROWS: &[&CommandSpec<Handler>] = &[&PUBLISH, &SPUBLISH];

/// PUBLISH channel message
const PUBLISH: CommandSpec<Handler> = CommandSpec {
    name: "publish",
    arity: Arity::Exactly(3),
    flags: Flags::PUBSUB
        .or(Flags::LOADING)
        .or(Flags::STALE)
        .or(Flags::FAST)
        .or(Flags::MAY_REPLICATE)
        .or(Flags::SENTINEL),
    acl: Acl::PUBSUB.or(Acl::FAST),
    group: Group::PubSub,
    since: "2.0.0",
    summary: "Posts a message to a channel.",
    complexity: "O(N+M) where N is the number of clients subscribed to the receiving channel and M is \
                 the total number of subscribed patterns (by any client).",
    syntax: "channel message",
    ..CommandSpec::row(publish)
};

/// SPUBLISH shardchannel message
const SPUBLISH: CommandSpec<Handler> = CommandSpec {
    name: "spublish",
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::NOT_KEY)]),
    flags: Flags::PUBSUB
        .or(Flags::LOADING)
        .or(Flags::STALE)
        .or(Flags::FAST)
        .or(Flags::MAY_REPLICATE),
    since: "7.0.0",
    summary: "Post a message to a shard channel",
    complexity: "O(N) where N is the number of clients subscribed to the receiving shard channel.",
    syntax: "shardchannel message",
    ..PUBLISH
};

fn publish(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    call.reply.int(0);
    Ok(())
}
