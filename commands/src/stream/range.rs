//! XLEN, XRANGE, XREVRANGE.

use store::Container;
use store::value::stream::{Stream, StreamId};

use super::id::{self, write_entries};
use crate::args::{Words, is};
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, KeyFlags, Keys};
use crate::{Call, CommandError};

/// XLEN key
pub(super) const XLEN: CommandSpec = CommandSpec {
    name: "xlen",
    arity: Arity::Exactly(2),
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::RO)]),
    flags: Flags::READONLY.or(Flags::FAST),
    acl: Acl::STREAM.or(Acl::READ).or(Acl::FAST),
    group: Group::Stream,
    since: "5.0.0",
    summary: "Counts the entries of a stream.",
    syntax: "key",
    ..CommandSpec::row(xlen)
};

fn xlen(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let key = call.key(1);
    let stream = call.unit.read_as::<Stream>(key)?;
    let count = stream.map_or(0, Container::len);
    call.reply.int(count.cast_signed());
    Ok(())
}

/// XRANGE key start end [COUNT count]
pub(super) const XRANGE: CommandSpec = CommandSpec {
    name: "xrange",
    arity: Arity::AtLeast(4),
    keys: Keys::At(&[KeyAt::read(1)]),
    flags: Flags::READONLY,
    acl: Acl::STREAM.or(Acl::READ).or(Acl::SLOW),
    summary: "Lists the entries of a stream between two ids.",
    complexity: "O(N) for N entries; a long range is read without its lock.",
    syntax: "key start end [COUNT count]",
    run: xrange,
    ..XLEN
};

fn xrange(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    range(call, false)
}

/// XREVRANGE key end start [COUNT count]
pub(super) const XREVRANGE: CommandSpec = CommandSpec {
    name: "xrevrange",
    summary: "Lists the entries of a stream between two ids, the last one first.",
    syntax: "key end start [COUNT count]",
    run: xrevrange,
    ..XRANGE
};

fn xrevrange(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    range(call, true)
}

fn range(call: &mut Call<'_, '_>, backwards: bool) -> Result<(), CommandError> {
    let (start, end) = match backwards {
        false => (call.args.get(2), call.args.get(3)),
        true => (call.args.get(3), call.args.get(2)),
    };
    let (start, end) = (id::parse_start(start)?, id::parse_end(end)?);
    let mut count = None;
    let mut words = Words::from(call.args, 4);
    while let Some(word) = words.next() {
        if !is(word, "COUNT") {
            return Err(CommandError::Syntax);
        }
        count = Some(id::count(words.value()?)?);
    }
    let key = call.key(1);
    let Some(stream) = call.unit.read_as::<Stream>(key)? else {
        call.reply.array(0);
        return Ok(());
    };
    let count = match count {
        Some(0) => {
            call.reply.null_array();
            return Ok(());
        }
        count => count.unwrap_or(0),
    };
    let write = move |stream: &Stream, reply: &mut resp::Reply| {
        if backwards {
            write_entries(stream.range_back(start, end), count, reply);
        } else {
            write_entries(stream.range(start, end), count, reply);
        }
    };
    if !is_long(stream, start, end, count) {
        write(stream, call.reply);
        return Ok(());
    }
    let Some(stream) = call.unit.pin::<Stream>(key)? else {
        unreachable!("it has just been read")
    };
    call.later(move |reply| {
        write(&stream, reply);
        Ok(())
    })
}

/// From so many nodes or entries on a reply is made after unlocking: some 10 µs of work.
const LONG_NODES_MIN: u64 = 4;
const LONG_LEN_MIN: u64 = 200;

/// Whether so many entries take long to read.
pub(super) fn is_long(stream: &Stream, start: StreamId, end: StreamId, count: u64) -> bool {
    (count == 0 || count >= LONG_LEN_MIN)
        && stream.nodes().len() >= LONG_NODES_MIN
        && stream.nodes_between(start, end) >= LONG_NODES_MIN
}
