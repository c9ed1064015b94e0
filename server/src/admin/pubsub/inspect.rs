//! PUBSUB: which channels and patterns somebody hears, and how many do.

use commands::CommandError;
use commands::spec::{Acl, Arity, CommandSpec, Flags};

use super::{AdminCall, BASE, Handler};
use crate::admin::{help_lines, wrong_words};
use crate::pubsub::Kind;

/// PUBSUB subcommand
pub(super) const PUBSUB: CommandSpec<Handler> = CommandSpec {
    name: "pubsub",
    arity: Arity::AtLeast(2),
    flags: Flags::NONE,
    acl: Acl::SLOW,
    since: "2.8.0",
    summary: "A container for Pub/Sub commands.",
    complexity: "Depends on subcommand.",
    subcommands: &[CHANNELS, HELP, NUMPAT, NUMSUB, SHARDCHANNELS, SHARDNUMSUB],
    run: help,
    ..BASE
};

/// PUBSUB CHANNELS [pattern]
const CHANNELS: CommandSpec<Handler> = CommandSpec {
    name: "channels",
    arity: Arity::AtLeast(2),
    since: "2.8.0",
    summary: "Returns the active channels.",
    complexity: "O(N) where N is the number of active channels, and assuming constant time pattern \
                 matching (relatively short channels and patterns)",
    syntax: "[pattern]",
    run: |call| channels(call, Kind::Channel),
    ..BASE
};

/// PUBSUB SHARDCHANNELS [pattern]
const SHARDCHANNELS: CommandSpec<Handler> = CommandSpec {
    name: "shardchannels",
    since: "7.0.0",
    summary: "Returns the active shard channels.",
    complexity: "O(N) where N is the number of active shard channels, and assuming constant time \
                 pattern matching (relatively short shard channels).",
    run: |call| channels(call, Kind::Shard),
    ..CHANNELS
};

fn channels(call: &mut AdminCall<'_, '_>, kind: Kind) -> Result<(), CommandError> {
    if call.args.len() > 3 {
        return Err(wrong_words(call, "PUBSUB"));
    }
    let names = call.server.pubsub.channels(kind, call.args.try_get(2));
    call.reply.array(names.len());
    for name in &names {
        call.reply.bulk(name);
    }
    Ok(())
}

/// PUBSUB NUMPAT
const NUMPAT: CommandSpec<Handler> = CommandSpec {
    name: "numpat",
    arity: Arity::Exactly(2),
    since: "2.8.0",
    summary: "Returns a count of unique pattern subscriptions.",
    complexity: "O(1)",
    run: numpat,
    ..BASE
};

fn numpat(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let count = call.server.pubsub.count(Kind::Pattern);
    call.reply
        .int(i64::try_from(count).expect("patterns are few"));
    Ok(())
}

/// PUBSUB NUMSUB [channel ...]
const NUMSUB: CommandSpec<Handler> = CommandSpec {
    name: "numsub",
    arity: Arity::AtLeast(2),
    since: "2.8.0",
    summary: "Returns a count of subscribers to channels.",
    complexity: "O(N) for the NUMSUB subcommand, where N is the number of requested channels",
    syntax: "[channel [channel ...]]",
    run: |call| numsub(call, Kind::Channel),
    ..BASE
};

/// PUBSUB SHARDNUMSUB [shardchannel ...]
const SHARDNUMSUB: CommandSpec<Handler> = CommandSpec {
    name: "shardnumsub",
    since: "7.0.0",
    summary: "Returns the count of subscribers of shard channels.",
    complexity: "O(N) for the SHARDNUMSUB subcommand, where N is the number of requested shard channels",
    syntax: "[shardchannel [shardchannel ...]]",
    run: |call| numsub(call, Kind::Shard),
    ..NUMSUB
};

fn numsub(call: &mut AdminCall<'_, '_>, kind: Kind) -> Result<(), CommandError> {
    call.reply.array((call.args.len() - 2) * 2);
    for channel in call.args.skip(2) {
        let count = call.server.pubsub.subscribers(kind, channel);
        call.reply.bulk(channel);
        call.reply
            .int(i64::try_from(count).expect("subscribers are few"));
    }
    Ok(())
}

/// PUBSUB HELP
const HELP: CommandSpec<Handler> = CommandSpec {
    name: "help",
    arity: Arity::Exactly(2),
    flags: Flags::LOADING.or(Flags::STALE),
    acl: Acl::SLOW,
    since: "6.2.0",
    summary: "Returns helpful text about the different subcommands.",
    complexity: "O(1)",
    run: help,
    ..BASE
};

fn help(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    help_lines(
        call,
        &[
            "PUBSUB <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
            "CHANNELS [<pattern>]",
            "    The channels that somebody has subscribed to, those matching <pattern>.",
            "NUMPAT",
            "    How many different patterns are subscribed to.",
            "NUMSUB [<channel> ...]",
            "    How many clients have subscribed to each channel, patterns not counted.",
            "SHARDCHANNELS [<pattern>]",
            "    The shard channels that somebody has subscribed to, those matching <pattern>.",
            "SHARDNUMSUB [<shardchannel> ...]",
            "    How many clients have subscribed to each shard channel.",
            "HELP",
            "    This text.",
        ],
    )
}
