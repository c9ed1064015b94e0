//! PUBLISH and SPUBLISH: the reply says to how many the message goes.

use commands::CommandError;
use commands::spec::{Acl, Arity, CommandSpec, Flags, KeyAt, KeyFlags, Keys};

use super::{AdminCall, BASE, Handler};
use crate::pubsub::{Kind, Outbox, Payload};

/// PUBLISH channel message
pub(super) const PUBLISH: CommandSpec<Handler> = CommandSpec {
    name: "publish",
    arity: Arity::Exactly(3),
    flags: BASE
        .flags
        .or(Flags::FAST)
        .or(Flags::MAY_REPLICATE)
        .or(Flags::SENTINEL),
    acl: Acl::PUBSUB.or(Acl::FAST),
    since: "2.0.0",
    summary: "Posts a message to a channel.",
    complexity: "O(N+M) where N is the number of clients subscribed to the receiving channel and M is \
                 the total number of subscribed patterns (by any client).",
    syntax: "channel message",
    run: publish,
    ..BASE
};

/// SPUBLISH shardchannel message
pub(super) const SPUBLISH: CommandSpec<Handler> = CommandSpec {
    name: "spublish",
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::NOT_KEY)]),
    flags: BASE.flags.or(Flags::FAST).or(Flags::MAY_REPLICATE),
    since: "7.0.0",
    summary: "Post a message to a shard channel",
    complexity: "O(N) where N is the number of clients subscribed to the receiving shard channel.",
    syntax: "shardchannel message",
    run: spublish,
    ..PUBLISH
};

pub(super) fn publish(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    publish_to(call, Kind::Channel)
}

fn spublish(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    publish_to(call, Kind::Shard)
}

fn publish_to(call: &mut AdminCall<'_, '_>, kind: Kind) -> Result<(), CommandError> {
    // Inside EXEC the events of the commands before this one come first.
    if let Some(unit) = call.unit.as_deref_mut() {
        unit.tell();
    }
    let outbox = Outbox::new(&call.server.mailboxes, call.desk.worker);
    let payload = Payload {
        bytes: call.args.get(2),
        blob: call.args.blob(2),
    };
    let heard = call
        .server
        .pubsub
        .publish(kind, call.args.get(1), payload, &outbox);
    call.desk.has_letters |= outbox.has_own.get();
    call.reply
        .int(i64::try_from(heard).expect("subscribers are few"));
    Ok(())
}
