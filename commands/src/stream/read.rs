//! XREAD, XREADGROUP: what comes behind an id, of several streams; waiting for it.
//!
//! Both look at all keys first, so that a bad one is found before anything is said or changed. XREAD
//! then only reads. XREADGROUP writes down who gets what, and that is logged as the claims it amounts
//! to, because what was there to be got is not in the request.

use std::ops::Range;

use resp::{Args, Reply};
use store::value::stream::{Group as ConsumerGroup, Owner, Pending, Stream, StreamId};
use store::{EventClass, Key, Kind, PinnedAs, Slot};

use super::id::{self, IdText, write_entries, write_entry, write_id};
use super::range::is_long;
use crate::args::{integer, is, timeout_ms};
use crate::call::{Block, Null};
use crate::spec::{
    Acl, Arity, Begin, CommandSpec, Find, Flags, Group, KeyAt, KeyFlags, Keys, LogForm,
};
use crate::{Call, CommandError};

/// The keys behind STREAMS: the first half of what is left.
const fn streams(from: i16, access: KeyFlags) -> KeyAt {
    KeyAt {
        begin: Begin::Keyword {
            word: "STREAMS",
            from,
        },
        find: Find::Range {
            last: -1,
            step: 1,
            limit: 2,
        },
        access,
    }
}

/// XREAD [COUNT count] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]
pub(super) const XREAD: CommandSpec = CommandSpec {
    name: "xread",
    arity: Arity::AtLeast(4),
    keys: Keys::At(&[streams(1, KeyFlags::RO.or(KeyFlags::ACCESS))]),
    flags: Flags::BLOCKING.or(Flags::READONLY),
    acl: Acl::STREAM.or(Acl::READ).or(Acl::SLOW).or(Acl::BLOCKING),
    group: Group::Stream,
    since: "5.0.0",
    summary: "Reads what stands behind an id in one or more streams; may wait for it.",
    complexity: "O(N) for N entries.",
    syntax: "[COUNT count] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]",
    ..CommandSpec::row(xread)
};

/// XREADGROUP GROUP group consumer [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS key [key ...] id [id ...]
pub(super) const XREADGROUP: CommandSpec = CommandSpec {
    name: "xreadgroup",
    arity: Arity::AtLeast(7),
    keys: Keys::At(&[streams(4, KeyFlags::RO.or(KeyFlags::ACCESS))]),
    flags: Flags::BLOCKING.or(Flags::WRITE),
    acl: Acl::STREAM.or(Acl::WRITE).or(Acl::SLOW).or(Acl::BLOCKING),
    log: LogForm::Effects,
    summary: "Reads entries for a group's consumer, new ones or those it has not acknowledged.",
    syntax: "GROUP group consumer [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS key [key ...] id [id ...]",
    run: xreadgroup,
    ..XREAD
};

/// What was asked for.
struct Request<'a> {
    /// The words that are keys.
    keys: Range<usize>,
    /// Entries of a stream; 0: all.
    count: u64,
    /// With BLOCK: until when.
    block: Option<Option<i64>>,
    /// Group and consumer.
    reader: Option<(&'a [u8], &'a [u8])>,
    no_ack: bool,
}

/// What is read of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    /// What is behind this id, or of what is pending.
    Behind(StreamId),
    /// What nobody of the group has got.
    New,
}

impl<'a> Request<'a> {
    fn parse(args: Args<'a>, is_group: bool, now_ms: i64) -> Result<Request<'a>, CommandError> {
        let mut request = Request {
            keys: 0..0,
            count: 0,
            block: None,
            reader: None,
            no_ack: false,
        };
        let mut at = 1;
        while let Some(word) = args.try_get(at) {
            let more = args.len() - at - 1;
            if is(word, "BLOCK") && more > 0 {
                at += 1;
                request.block = Some(timeout_ms(args.get(at), now_ms)?);
            } else if is(word, "COUNT") && more > 0 {
                at += 1;
                request.count = u64::try_from(integer(args.get(at))?).unwrap_or(0);
            } else if is(word, "STREAMS") && more > 0 {
                if more % 2 == 1 {
                    return Err(unbalanced(is_group));
                }
                request.keys = at + 1..at + 1 + more / 2;
                break;
            } else if is(word, "GROUP") && more > 1 {
                if !is_group {
                    return Err(CommandError::Fixed(
                        "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.",
                    ));
                }
                request.reader = Some((args.get(at + 1), args.get(at + 2)));
                at += 2;
            } else if is(word, "NOACK") {
                if !is_group {
                    return Err(CommandError::Fixed(
                        "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.",
                    ));
                }
                request.no_ack = true;
            } else {
                return Err(CommandError::Syntax);
            }
            at += 1;
        }
        if request.keys.is_empty() {
            return Err(CommandError::Syntax);
        }
        if is_group && request.reader.is_none() {
            return Err(CommandError::Fixed(
                "ERR Missing GROUP option for XREADGROUP",
            ));
        }
        Ok(request)
    }

    /// The word that is the id for a key's word.
    fn id_at(&self, key: usize) -> usize {
        key + self.keys.len()
    }
}

fn unbalanced(is_group: bool) -> CommandError {
    CommandError::Fixed(if is_group {
        "ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified."
    } else {
        "ERR Unbalanced 'xread' list of streams: for each stream key an ID, '+', or '$' must be specified."
    })
}

fn xread(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let request = Request::parse(call.args, false, call.unit.now_ms())?;
    let mut ids = Vec::with_capacity(request.keys.len());
    for at in request.keys.clone() {
        let stream = call.unit.read_as::<Stream>(call.key(at))?;
        ids.push(match call.args.get(request.id_at(at)) {
            b"$" => stream.map_or(StreamId::MIN, Stream::last_id),
            // What is behind the last but one: the last.
            b"+" => stream
                .and_then(Stream::last_live_id)
                .and_then(StreamId::prev)
                .unwrap_or_default(),
            b">" => {
                return Err(CommandError::Fixed(
                    "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
                ));
            }
            word => id::parse_strict(word, 0)?,
        });
    }
    let mut found = Vec::new();
    for (at, &behind) in request.keys.clone().zip(&ids) {
        let key = call.key(at);
        let Some(stream) = call.unit.look_as::<Stream>(key)? else {
            continue;
        };
        let last = stream.last_live_id();
        if let Some(start) = behind.next().filter(|&start| last >= Some(start)) {
            found.push((key, start));
        }
    }
    if !found.is_empty() {
        return write_found(call, &found, request.count);
    }
    let Some(until_ms) = request.block else {
        call.reply.null_array();
        return Ok(());
    };
    let end_words = request.keys.clone().zip(&ids).filter_map(|(at, &id)| {
        let word = request.id_at(at);
        let is_end = call.args.get(word) == b"$";
        is_end.then(|| (word, Box::from(IdText::of(id).as_bytes())))
    });
    let rewrite = end_words.collect();
    call.block(Block {
        kind: Kind::Stream,
        awaited: request.keys,
        until_ms,
        null: Null::Array,
        hears_loss: false,
        rewrite,
    })
}

/// XREAD's reply: streams with the id from which on they are shown.
fn write_found(
    call: &mut Call<'_, '_>,
    found: &[(Key<'_>, StreamId)],
    count: u64,
) -> Result<(), CommandError> {
    let mut takes_long = false;
    for &(key, start) in found {
        let stream = call.unit.look_as::<Stream>(key)?.expect("it was found");
        takes_long |= is_long(stream, start, StreamId::MAX, count);
    }
    if takes_long {
        let mut pinned: Vec<(Box<[u8]>, PinnedAs<Stream>, StreamId)> = Vec::new();
        for &(key, start) in found {
            let stream = call.unit.pin::<Stream>(key)?.expect("it was found");
            pinned.push((key.bytes().into(), stream, start));
        }
        return call.later(move |reply| {
            map_of_streams(pinned.len(), reply);
            for (key, stream, start) in &pinned {
                write_stream(key, stream, *start, count, reply);
            }
            Ok(())
        });
    }
    map_of_streams(found.len(), call.reply);
    for &(key, start) in found {
        let stream = call.unit.look_as::<Stream>(key)?.expect("it was found");
        write_stream(key.bytes(), stream, start, count, call.reply);
    }
    Ok(())
}

/// A map in RESP3, an array of pairs in RESP2.
fn map_of_streams(streams: usize, reply: &mut Reply) {
    match reply.proto() {
        resp::Proto::Resp2 => reply.array(streams),
        resp::Proto::Resp3 => reply.map(streams),
    }
}

/// A stream's name, before its entries.
fn write_name(key: &[u8], reply: &mut Reply) {
    if reply.proto() == resp::Proto::Resp2 {
        reply.array(2);
    }
    reply.bulk(key);
}

fn write_stream(key: &[u8], stream: &Stream, start: StreamId, count: u64, reply: &mut Reply) {
    write_name(key, reply);
    write_entries(stream.range(start, StreamId::MAX), count, reply);
}

fn xreadgroup(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let request = Request::parse(call.args, true, call.unit.now_ms())?;
    let (group, _) = request.reader.expect("it was asked for");
    let mut from = Vec::with_capacity(request.keys.len());
    for at in request.keys.clone() {
        let key = call.key(at);
        let stream = call.unit.read_as::<Stream>(key)?;
        if stream.is_none_or(|stream| stream.group(group).is_none()) {
            let suffix = " in XREADGROUP with GROUP option";
            return Err(id::no_group(key.bytes(), group, suffix));
        }
        from.push(match call.args.get(request.id_at(at)) {
            b"$" => {
                return Err(CommandError::Fixed(
                    "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.",
                ));
            }
            b"+" => {
                return Err(CommandError::Fixed(
                    "ERR The + ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The + ID would just return an empty result set.",
                ));
            }
            b">" => From::New,
            word => match id::parse_strict(word, 0)? {
                // Redis's own mark for `>`.
                StreamId::MAX => From::New,
                id => From::Behind(id),
            },
        });
    }
    let place = call.reply.defer();
    let mut streams = 0;
    for (at, &from) in request.keys.clone().zip(&from) {
        streams += usize::from(read_for_group(call, &request, call.key(at), from)?);
    }
    if streams > 0 {
        match call.reply.proto() {
            resp::Proto::Resp2 => call.reply.finish_array(place, streams),
            resp::Proto::Resp3 => call.reply.finish_map(place, streams),
        }
        return Ok(());
    }
    call.reply.truncate_to(place);
    let Some(until_ms) = request.block else {
        call.reply.null_array();
        return Ok(());
    };
    call.block(Block {
        kind: Kind::Stream,
        awaited: request.keys,
        until_ms,
        null: Null::Array,
        hears_loss: true,
        rewrite: Vec::new(),
    })
}

/// What a group's consumer has got.
struct Got {
    ids: Vec<StreamId>,
    /// Whether it was there before.
    is_new_consumer: bool,
    /// The group's last entry and counter, if they have moved.
    moved: Option<(StreamId, Option<u64>)>,
    /// Whether the stream is part of the reply.
    is_shown: bool,
}

/// Reads one stream for the group; whether it is part of the reply.
fn read_for_group(
    call: &mut Call<'_, '_>,
    request: &Request<'_>,
    key: Key<'_>,
    from: From,
) -> Result<bool, CommandError> {
    let now_ms = call.unit.now_ms();
    let (group_name, consumer) = request.reader.expect("it was asked for");
    let Slot::Occupied(mut at) = call.unit.slot(key) else {
        unreachable!("it has been read")
    };
    let reply = &mut *call.reply;
    let got = at.edit_aside(|stream: &mut Stream| {
        let group = stream.group_mut(group_name).expect("it has been seen");
        let (owner, is_new_consumer) = consumer_of(group, consumer, now_ms)?;
        let mut got = Got {
            ids: Vec::new(),
            is_new_consumer,
            moved: None,
            is_shown: false,
        };
        match from {
            From::Behind(id) => {
                write_name(key.bytes(), reply);
                read_history(stream, group_name, owner, id, request.count, now_ms, reply);
                got.is_shown = true;
            }
            From::New => {
                let group = stream.group(group_name).expect("it has been seen");
                if stream.last_live_id() > Some(group.last_id) {
                    write_name(key.bytes(), reply);
                    read_new(stream, group_name, owner, request, now_ms, &mut got, reply);
                    got.is_shown = true;
                }
            }
        }
        let changed = got.is_shown || got.is_new_consumer;
        Ok::<_, CommandError>((got, changed))
    })?;
    if got.is_new_consumer {
        report_consumer(call, key, group_name, consumer);
    }
    if got.is_shown {
        call.unit.dirty(1);
    }
    if !call.unit.logging() {
        return Ok(got.is_shown);
    }
    if !request.no_ack {
        let delivery = Delivery {
            delivered_ms: now_ms,
            deliveries: 1,
            consumer,
        };
        for &id in &got.ids {
            log_claim(call, key, group_name, id, delivery, id);
        }
    }
    if let Some((last_id, entries_read)) = got.moved {
        log_group_id(call, key, group_name, last_id, entries_read);
    }
    Ok(got.is_shown)
}

/// The consumer of a name, made if there is none; whether it was.
pub(super) fn consumer_of(
    group: &mut ConsumerGroup,
    name: &[u8],
    now_ms: i64,
) -> Result<(Owner, bool), CommandError> {
    if let Some(owner) = group.find(name) {
        group.consumer_mut(owner).seen_ms = now_ms;
        return Ok((owner, false));
    }
    Ok((group.add_consumer(name, now_ms)?, true))
}

/// Reports a consumer that came into being by the way.
pub(super) fn report_consumer(call: &mut Call<'_, '_>, key: Key<'_>, group: &[u8], name: &[u8]) {
    call.unit.dirty(1);
    let event = "xgroup-createconsumer";
    call.unit.notify(EventClass::STREAM, event, key.bytes());
    let words: [&[u8]; 5] = [b"XGROUP", b"CREATECONSUMER", key.bytes(), group, name];
    call.unit.log(&words);
}

/// What nobody of the group has got goes to `owner`.
fn read_new(
    stream: &mut Stream,
    group_name: &[u8],
    owner: Owner,
    request: &Request<'_>,
    now_ms: i64,
    got: &mut Got,
    reply: &mut Reply,
) {
    let group = stream.group(group_name).expect("the caller has it");
    let (mut last_id, mut entries_read) = (group.last_id, group.entries_read);
    let start = last_id.next().expect("there is an entry behind it");
    let entries = stream.range(start, StreamId::MAX).inspect(|entry| {
        entries_read = stream.entries_read_with(entries_read, last_id, entry.id);
        last_id = entry.id;
        got.ids.push(entry.id);
    });
    write_entries(entries, request.count, reply);
    got.moved = Some((last_id, entries_read));
    let group = stream.group_mut(group_name).expect("the caller has it");
    (group.last_id, group.entries_read) = (last_id, entries_read);
    if !request.no_ack {
        group.consumer_mut(owner).active_ms = now_ms;
        let delivery = Pending {
            delivered_ms: now_ms,
            deliveries: 1,
            owner,
        };
        for &id in &got.ids {
            group.deliver(id, delivery);
        }
    }
}

/// What `owner` has got and not acknowledged, once more.
fn read_history(
    stream: &mut Stream,
    group_name: &[u8],
    owner: Owner,
    behind: StreamId,
    count: u64,
    now_ms: i64,
    reply: &mut Reply,
) {
    let group = stream.group(group_name).expect("the caller has it");
    let mut pending = group
        .consumer(owner)
        .pending()
        .at_or_after(u128::from(behind).saturating_add(1));
    let place = reply.defer();
    let (mut written, mut delivered) = (0, Vec::new());
    while let Some((id, _)) = pending.get()
        && (count == 0 || written < count)
    {
        let id = StreamId::from(id);
        if let Some(entry) = stream.get(id) {
            write_entry(entry, reply);
            delivered.push(id);
        } else {
            // It is gone; that it is still pending is worth telling.
            reply.array(2);
            write_id(id, reply);
            reply.null_array();
        }
        written += 1;
        pending.forward();
    }
    reply.finish_array(place, usize::try_from(written).expect("it is in memory"));
    let group = stream.group_mut(group_name).expect("the caller has it");
    for id in delivered {
        let before = *group.pending().get(id.into()).expect("G1");
        let delivery = Pending {
            delivered_ms: now_ms,
            deliveries: before.deliveries.wrapping_add(1),
            owner,
        };
        group.deliver(id, delivery);
    }
}

/// A delivery as the change log says it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Delivery<'a> {
    pub(super) delivered_ms: i64,
    pub(super) deliveries: u64,
    pub(super) consumer: &'a [u8],
}

/// Logs who has an entry now: a claim that says everything.
pub(super) fn log_claim(
    call: &mut Call<'_, '_>,
    key: Key<'_>,
    group: &[u8],
    id: StreamId,
    delivery: Delivery<'_>,
    last_id: StreamId,
) {
    if !call.unit.logging() {
        return;
    }
    let mut digits = [0; 20];
    let time = resp::number::format_i64(delivery.delivered_ms, &mut digits);
    let (id, last_id) = (IdText::of(id), IdText::of(last_id));
    let count = IdText::of_number(delivery.deliveries);
    call.unit.log(&[
        b"XCLAIM",
        key.bytes(),
        group,
        delivery.consumer,
        b"0",
        id.as_bytes(),
        b"TIME",
        time,
        b"RETRYCOUNT",
        count.as_bytes(),
        b"FORCE",
        b"JUSTID",
        b"LASTID",
        last_id.as_bytes(),
    ]);
}

/// Logs how far a group has read.
pub(super) fn log_group_id(
    call: &mut Call<'_, '_>,
    key: Key<'_>,
    group: &[u8],
    last_id: StreamId,
    entries_read: Option<u64>,
) {
    if !call.unit.logging() {
        return;
    }
    let last_id = IdText::of(last_id);
    let read = entries_read.map(IdText::of_number);
    let read = read.as_ref().map_or(b"-1".as_slice(), IdText::as_bytes);
    call.unit.log(&[
        b"XGROUP",
        b"SETID",
        key.bytes(),
        group,
        last_id.as_bytes(),
        b"ENTRIESREAD",
        read,
    ]);
}
