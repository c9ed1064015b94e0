//! XINFO: how a stream, its groups and their consumers are doing.

use resp::Reply;
use store::Container;
use store::value::stream::{Consumer, Group as ConsumerGroup, Producers, Stream, StreamId};

use super::group::no_such_group;
use super::id::{write_entries, write_entry, write_id};
use crate::args::is;
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, Keys};
use crate::{Call, CommandError};

/// XINFO CONSUMERS | GROUPS | HELP | STREAM
pub(super) const XINFO: CommandSpec = CommandSpec {
    name: "xinfo",
    arity: Arity::AtLeast(2),
    acl: Acl::SLOW,
    group: Group::Stream,
    since: "5.0.0",
    summary: "Tells about a stream and its groups.",
    complexity: "Depends on subcommand.",
    subcommands: &[CONSUMERS, GROUPS, HELP, STREAM],
    ..CommandSpec::row(xinfo)
};

/// Only words that are no subcommand come here.
fn xinfo(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    Err(super::unknown_subcommand(call, "XINFO"))
}

/// XINFO STREAM key [FULL [COUNT count]]
const STREAM: CommandSpec = CommandSpec {
    name: "stream",
    arity: Arity::AtLeast(3),
    keys: Keys::At(&[KeyAt::read(2)]),
    flags: Flags::READONLY,
    acl: Acl::STREAM.or(Acl::READ).or(Acl::SLOW),
    group: Group::Stream,
    since: "5.0.0",
    summary: "Tells about a stream; in full, about its groups and their consumers too.",
    complexity: "O(N) for N nodes, entries, groups and consumers.",
    syntax: "key [FULL [COUNT count]]",
    ..CommandSpec::row(stream)
};

/// With FULL, so many entries and pending ones are shown unless it is said.
const FULL_COUNT: u64 = 10;

fn stream(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let (key, now_ms) = (call.key(2), call.unit.now_ms());
    let args = call.args;
    let Some(stream) = call.unit.read_as::<Stream>(key)? else {
        return Err(CommandError::NoSuchKey);
    };
    let count = match args.len() {
        3 => None,
        4 | 6 if is(args.get(3), "FULL") => Some(match args.try_get(4) {
            None => FULL_COUNT,
            Some(word) if is(word, "COUNT") => {
                let count = crate::args::integer(args.get(5))?;
                u64::try_from(count).unwrap_or(FULL_COUNT)
            }
            Some(_) => return Err(super::wrong_words(call, "XINFO")),
        }),
        _ => return Err(super::wrong_words(call, "XINFO")),
    };
    let reply = &mut *call.reply;
    // Redis 8.6 tells of producers in any case; ours as 8.0 unless there is something to tell.
    let producers = stream.producers();
    let fields = if count.is_some() { 9 } else { 10 };
    reply.map(fields + producers.map_or(0, |_| PRODUCER_FIELDS));
    reply.bulk(b"length");
    reply.int(stream.len().cast_signed());
    reply.bulk(b"radix-tree-keys");
    reply.int(stream.nodes().len().cast_signed());
    reply.bulk(b"radix-tree-nodes");
    let ids: Vec<u128> = stream.nodes().iter().map(|(id, _)| id).collect();
    reply.int(radix_nodes(&ids, 0).cast_signed());
    for (name, id) in [
        ("last-generated-id", stream.last_id()),
        ("max-deleted-entry-id", stream.max_deleted_id()),
    ] {
        reply.bulk(name.as_bytes());
        write_id(id, reply);
    }
    reply.bulk(b"entries-added");
    reply.int(stream.entries_added().cast_signed());
    reply.bulk(b"recorded-first-entry-id");
    write_id(stream.first_id(), reply);
    if let Some(producers) = producers {
        write_producers(producers, now_ms, reply);
    }
    match count {
        None => write_ends(stream, reply),
        Some(count) => write_full(stream, count, reply),
    }
    Ok(())
}

/// How many fields `write_producers` writes.
const PRODUCER_FIELDS: usize = 6;

fn write_producers(producers: &Producers, now_ms: i64, reply: &mut Reply) {
    let (pids, iids) = producers.tracked(now_ms);
    let fields: [(&str, u64); PRODUCER_FIELDS] = [
        ("idmp-duration", producers.duration_s()),
        ("idmp-maxsize", producers.size_max()),
        ("pids-tracked", pids),
        ("iids-tracked", iids),
        ("iids-added", producers.added()),
        ("iids-duplicates", producers.duplicates()),
    ];
    for (name, value) in fields {
        reply.bulk(name.as_bytes());
        reply.int(value.cast_signed());
    }
}

/// How many nodes Redis's radix tree has for these keys of 16 bytes, which are in order, from byte
/// `depth` on: one where they part or end, and one before it for the bytes that they have in common.
fn radix_nodes(ids: &[u128], depth: u32) -> u64 {
    const ID_BYTES: u32 = 16;
    let (Some(first), Some(last)) = (ids.first(), ids.last()) else {
        return 1;
    };
    let parting = (first ^ last).leading_zeros() / 8;
    let own = 1 + u64::from(parting > depth);
    if parting == ID_BYTES {
        return own;
    }
    let byte = |id: &u128| id.to_be_bytes()[parting as usize];
    let branches = ids.chunk_by(|a, b| byte(a) == byte(b));
    own + branches
        .map(|ids| radix_nodes(ids, parting + 1))
        .sum::<u64>()
}

/// The rest of the short form.
fn write_ends(stream: &Stream, reply: &mut Reply) {
    reply.bulk(b"groups");
    reply.int(stream.group_count() as i64);
    let first = stream.range(StreamId::MIN, StreamId::MAX).next();
    let last = stream.range_back(StreamId::MIN, StreamId::MAX).next();
    for (name, entry) in [("first-entry", first), ("last-entry", last)] {
        reply.bulk(name.as_bytes());
        match entry {
            Some(entry) => write_entry(entry, reply),
            None => reply.null(),
        }
    }
}

/// The rest of the long form.
fn write_full(stream: &Stream, count: u64, reply: &mut Reply) {
    reply.bulk(b"entries");
    write_entries(stream.range(StreamId::MIN, StreamId::MAX), count, reply);
    reply.bulk(b"groups");
    reply.array(stream.group_count());
    for (name, group) in stream.groups() {
        reply.map(7);
        reply.bulk(b"name");
        reply.bulk(name);
        write_progress(stream, group, reply);
        reply.bulk(b"pel-count");
        reply.int(group.pending().len().cast_signed());
        reply.bulk(b"pending");
        let shown = limited(group.pending().len(), count);
        reply.array(shown);
        for (id, pending) in group.pending().iter().take(shown) {
            reply.array(4);
            write_id(id.into(), reply);
            reply.bulk(group.owner_name(pending.owner));
            reply.int(pending.delivered_ms);
            reply.int(pending.deliveries.cast_signed());
        }
        reply.bulk(b"consumers");
        reply.array(group.consumer_count());
        for consumer in group.consumers() {
            write_consumer(group, consumer, count, reply);
        }
    }
}

/// How many of `len` are shown; 0: all.
fn limited(len: u64, count: u64) -> usize {
    let shown = if count == 0 { len } else { len.min(count) };
    usize::try_from(shown).expect("they are in memory")
}

/// How far a group has read.
fn write_progress(stream: &Stream, group: &ConsumerGroup, reply: &mut Reply) {
    reply.bulk(b"last-delivered-id");
    write_id(group.last_id, reply);
    let read = group.entries_read.map(u64::cast_signed);
    for (name, value) in [("entries-read", read), ("lag", stream.lag(group))] {
        reply.bulk(name.as_bytes());
        match value {
            Some(value) => reply.int(value),
            None => reply.null(),
        }
    }
}

fn write_consumer(group: &ConsumerGroup, consumer: &Consumer, count: u64, reply: &mut Reply) {
    let pending = consumer.pending();
    reply.map(5);
    reply.bulk(b"name");
    reply.bulk(consumer.name());
    for (name, value) in [
        ("seen-time", consumer.seen_ms),
        ("active-time", consumer.active_ms),
        ("pel-count", pending.len().cast_signed()),
    ] {
        reply.bulk(name.as_bytes());
        reply.int(value);
    }
    reply.bulk(b"pending");
    let shown = limited(pending.len(), count);
    reply.array(shown);
    for (id, _) in pending.iter().take(shown) {
        let delivery = group.pending().get(id).expect("G1");
        reply.array(3);
        write_id(id.into(), reply);
        reply.int(delivery.delivered_ms);
        reply.int(delivery.deliveries.cast_signed());
    }
}

/// XINFO GROUPS key
const GROUPS: CommandSpec = CommandSpec {
    name: "groups",
    arity: Arity::Exactly(3),
    summary: "Tells about the groups of a stream.",
    complexity: "O(N) for N groups.",
    syntax: "key",
    run: groups,
    ..STREAM
};

fn groups(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let key = call.key(2);
    let Some(stream) = call.unit.read_as::<Stream>(key)? else {
        return Err(CommandError::NoSuchKey);
    };
    let reply = &mut *call.reply;
    reply.array(stream.group_count());
    for (name, group) in stream.groups() {
        reply.map(6);
        reply.bulk(b"name");
        reply.bulk(name);
        reply.bulk(b"consumers");
        reply.int(group.consumer_count() as i64);
        reply.bulk(b"pending");
        reply.int(group.pending().len().cast_signed());
        write_progress(stream, group, reply);
    }
    Ok(())
}

/// XINFO CONSUMERS key group
const CONSUMERS: CommandSpec = CommandSpec {
    name: "consumers",
    arity: Arity::Exactly(4),
    summary: "Tells about the consumers of a group.",
    complexity: "O(N) for N consumers.",
    syntax: "key group",
    tips: &["nondeterministic_output"],
    run: consumers,
    ..STREAM
};

fn consumers(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let (key, name, now_ms) = (call.key(2), call.args.get(3), call.unit.now_ms());
    let Some(stream) = call.unit.read_as::<Stream>(key)? else {
        return Err(CommandError::NoSuchKey);
    };
    let Some(group) = stream.group(name) else {
        return Err(no_such_group(key.bytes(), name));
    };
    let reply = &mut *call.reply;
    reply.array(group.consumer_count());
    for consumer in group.consumers() {
        let inactive_ms = match consumer.active_ms {
            -1 => -1,
            active_ms => now_ms.saturating_sub(active_ms),
        };
        reply.map(4);
        reply.bulk(b"name");
        reply.bulk(consumer.name());
        for (name, value) in [
            ("pending", consumer.pending().len().cast_signed()),
            ("idle", now_ms.saturating_sub(consumer.seen_ms).max(0)),
            ("inactive", inactive_ms),
        ] {
            reply.bulk(name.as_bytes());
            reply.int(value);
        }
    }
    Ok(())
}

/// XINFO HELP
const HELP: CommandSpec = CommandSpec {
    name: "help",
    arity: Arity::Exactly(2),
    flags: Flags::LOADING.or(Flags::STALE),
    acl: Acl::STREAM.or(Acl::SLOW),
    group: Group::Stream,
    since: "5.0.0",
    summary: "Lists the subcommands.",
    ..CommandSpec::row(help)
};

/// The lines of HELP, as Redis has them: clients show them, and tests compare them.
const HELP_LINES: &[&str] = &[
    "XINFO <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CONSUMERS <key> <groupname>",
    "    Show consumers of <groupname>.",
    "GROUPS <key>",
    "    Show the stream consumer groups.",
    "STREAM <key> [FULL [COUNT <count>]",
    "    Show information about the stream.",
    "HELP",
    "    Print this help.",
];

fn help(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    super::write_help(call, HELP_LINES);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The figures are Redis's.
    #[test]
    fn nodes_are_counted_as_in_a_radix_tree() {
        let id = |ms: u64, seq: u64| (u128::from(ms) << 64) | u128::from(seq);
        for (ids, nodes) in [
            (vec![], 1),
            (vec![id(1, 0)], 2),
            (vec![id(1, 0), id(2, 0)], 6),
            (vec![id(1, 0), id(1, 1)], 4),
        ] {
            assert_eq!(radix_nodes(&ids, 0), nodes, "{ids:?}");
        }
    }
}
