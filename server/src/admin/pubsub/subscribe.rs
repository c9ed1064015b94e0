//! SUBSCRIBE and its five kin: each word is confirmed by a push of its own.
//!
//! ```text
//!   SUBSCRIBE a b   >3 subscribe a 1   >3 subscribe b 2      the number counts what is subscribed to now
//!   UNSUBSCRIBE     >3 unsubscribe b 1 >3 unsubscribe a 0    of everything; of nothing: one with null
//! ```
//!
//! Channels and patterns are counted together, shard channels apart. Being pushes, the confirmations are
//! heard under CLIENT REPLY OFF.

use commands::CommandError;
use commands::spec::{Arity, CommandSpec, Flags, KeyAt, KeyFlags, Keys};
use resp::Reply;

use super::{AdminCall, BASE, Handler};
use crate::pubsub::Kind;
use crate::session::ReplyMode;

/// What these rows have in common.
const HEARING: CommandSpec<Handler> = CommandSpec {
    flags: BASE.flags.or(Flags::NOSCRIPT).or(Flags::SENTINEL),
    since: "2.0.0",
    complexity: "O(N) where N is the number of channels to subscribe to.",
    ..BASE
};
/// And those of shard channels.
const SHARD: CommandSpec<Handler> = CommandSpec {
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::NOT_KEY).to(-1, 1)]),
    flags: BASE.flags.or(Flags::NOSCRIPT),
    since: "7.0.0",
    ..HEARING
};

/// SUBSCRIBE channel [channel ...]
pub(super) const SUBSCRIBE: CommandSpec<Handler> = CommandSpec {
    name: "subscribe",
    arity: Arity::AtLeast(2),
    summary: "Listens for messages published to channels.",
    syntax: "channel [channel ...]",
    run: |call| subscribe(call, Kind::Channel, b"subscribe"),
    ..HEARING
};

/// PSUBSCRIBE pattern [pattern ...]
pub(super) const PSUBSCRIBE: CommandSpec<Handler> = CommandSpec {
    name: "psubscribe",
    arity: Arity::AtLeast(2),
    summary: "Listens for messages published to channels that match one or more patterns.",
    complexity: "O(N) where N is the number of patterns to subscribe to.",
    syntax: "pattern [pattern ...]",
    run: |call| subscribe(call, Kind::Pattern, b"psubscribe"),
    ..HEARING
};

/// SSUBSCRIBE shardchannel [shardchannel ...]
pub(super) const SSUBSCRIBE: CommandSpec<Handler> = CommandSpec {
    name: "ssubscribe",
    arity: Arity::AtLeast(2),
    summary: "Listens for messages published to shard channels.",
    complexity: "O(N) where N is the number of shard channels to subscribe to.",
    syntax: "shardchannel [shardchannel ...]",
    run: ssubscribe,
    ..SHARD
};

/// UNSUBSCRIBE [channel [channel ...]]
pub(super) const UNSUBSCRIBE: CommandSpec<Handler> = CommandSpec {
    name: "unsubscribe",
    arity: Arity::AtLeast(1),
    summary: "Stops listening to messages posted to channels.",
    complexity: "O(N) where N is the number of channels to unsubscribe.",
    syntax: "[channel [channel ...]]",
    run: |call| unsubscribe(call, Kind::Channel, b"unsubscribe"),
    ..HEARING
};

/// PUNSUBSCRIBE [pattern [pattern ...]]
pub(super) const PUNSUBSCRIBE: CommandSpec<Handler> = CommandSpec {
    name: "punsubscribe",
    arity: Arity::AtLeast(1),
    summary: "Stops listening to messages published to channels that match one or more patterns.",
    complexity: "O(N) where N is the number of patterns to unsubscribe.",
    syntax: "[pattern [pattern ...]]",
    run: |call| unsubscribe(call, Kind::Pattern, b"punsubscribe"),
    ..HEARING
};

/// SUNSUBSCRIBE [shardchannel [shardchannel ...]]
pub(super) const SUNSUBSCRIBE: CommandSpec<Handler> = CommandSpec {
    name: "sunsubscribe",
    arity: Arity::AtLeast(1),
    summary: "Stops listening to messages posted to shard channels.",
    complexity: "O(N) where N is the number of shard channels to unsubscribe.",
    syntax: "[shardchannel [shardchannel ...]]",
    run: |call| unsubscribe(call, Kind::Shard, b"sunsubscribe"),
    ..SHARD
};

fn ssubscribe(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    // The row asks for no locks: only EXEC gives a unit. The others are let through there, as ever.
    if call.unit.is_some() {
        return Err(CommandError::Fixed(
            "ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client",
        ));
    }
    subscribe(call, Kind::Shard, b"ssubscribe")
}

fn subscribe(
    call: &mut AdminCall<'_, '_>,
    kind: Kind,
    word: &'static [u8],
) -> Result<(), CommandError> {
    call.session.is_subscriber = true;
    for name in call.args.skip(1) {
        call.server.pubsub.subscribe(kind, call.client, name);
        confirm(call, kind, word, Some(name));
    }
    Ok(())
}

fn unsubscribe(
    call: &mut AdminCall<'_, '_>,
    kind: Kind,
    word: &'static [u8],
) -> Result<(), CommandError> {
    let everything;
    let names: Vec<&[u8]> = if call.args.len() > 1 {
        call.args.iter().skip(1).collect()
    } else if call.session.is_subscriber {
        everything = call.client.with_subscriptions(|known| known.names(kind));
        everything.iter().map(|name| &**name).collect()
    } else {
        Vec::new()
    };
    for name in &names {
        if call.session.is_subscriber {
            call.server.pubsub.unsubscribe(kind, call.client, name);
        }
        confirm(call, kind, word, Some(name));
    }
    if names.is_empty() {
        confirm(call, kind, word, None);
    }
    if call.session.is_subscriber {
        call.session.is_subscriber = !call.client.with_subscriptions(|known| known.is_empty());
    }
    Ok(())
}

/// Pushes what is subscribed to now.
fn confirm(call: &mut AdminCall<'_, '_>, kind: Kind, word: &[u8], name: Option<&[u8]>) {
    let count = if call.session.is_subscriber {
        call.client.with_subscriptions(|known| match kind {
            Kind::Shard => known.count(kind),
            Kind::Channel | Kind::Pattern => {
                known.count(Kind::Channel) + known.count(Kind::Pattern)
            }
        })
    } else {
        0
    };
    let write = |reply: &mut Reply| {
        reply.push(3);
        reply.bulk(word);
        match name {
            Some(name) => reply.bulk(name),
            None => reply.null(),
        }
        reply.int(i64::try_from(count).expect("subscriptions are few"));
    };
    if call.session.reply_mode != ReplyMode::On {
        let mut apart = Reply::new(call.reply.proto());
        write(&mut apart);
        call.desk.unsilenced.extend(apart.output().to_vec());
    }
    write(call.reply);
}
