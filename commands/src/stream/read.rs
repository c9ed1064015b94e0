//! XREAD, XREADGROUP: what comes behind an id, of several streams; waiting for it.
//!
//! Both look at all keys first, so that a bad one is found before anything is said or changed. XREAD
//! then only reads; what XREADGROUP does at each stream is in `deliver.rs`, what MAXCOUNT and MAXSIZE
//! leave of a reply in `budget.rs`.

use std::ops::Range;

use resp::{Args, Reply};
use store::value::stream::{Stream, StreamId};
use store::{Key, Kind, PinnedAs};

use super::budget::{Budget, write_within};
use super::deliver::{From, read_for_group};
use super::id::{self, IdText};
use super::range::is_long;
use crate::args::{integer, integer_or, is, timeout_ms};
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

/// XREAD [COUNT count] [MAXCOUNT maxcount] [MAXSIZE maxsize] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]
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
    syntax: "[COUNT count] [MAXCOUNT maxcount] [MAXSIZE maxsize] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]",
    ..CommandSpec::row(xread)
};

/// XREADGROUP GROUP group consumer [COUNT count] [MAXCOUNT maxcount] [MAXSIZE maxsize]
/// [BLOCK milliseconds] [CLAIM min-idle-time] [NOACK] STREAMS key [key ...] id [id ...]
pub(super) const XREADGROUP: CommandSpec = CommandSpec {
    name: "xreadgroup",
    arity: Arity::AtLeast(7),
    keys: Keys::At(&[streams(4, KeyFlags::RO.or(KeyFlags::ACCESS))]),
    flags: Flags::BLOCKING.or(Flags::WRITE),
    acl: Acl::STREAM.or(Acl::WRITE).or(Acl::SLOW).or(Acl::BLOCKING),
    log: LogForm::Effects,
    summary: "Reads entries for a group's consumer, new ones or those it has not acknowledged.",
    syntax: "GROUP group consumer [COUNT count] [MAXCOUNT maxcount] [MAXSIZE maxsize] [BLOCK milliseconds] [CLAIM min-idle-time] [NOACK] STREAMS key [key ...] id [id ...]",
    run: xreadgroup,
    ..XREAD
};

/// What was asked for.
pub(super) struct Request<'a> {
    /// The words that are keys.
    keys: Range<usize>,
    /// Entries of a stream; 0: all.
    pub(super) count: u64,
    /// MAXCOUNT and MAXSIZE.
    max: (Option<u64>, Option<u64>),
    /// With BLOCK: until when.
    block: Option<Option<i64>>,
    /// Group and consumer.
    pub(super) reader: Option<(&'a [u8], &'a [u8])>,
    /// NOACK.
    pub(super) no_ack: bool,
    /// With CLAIM: from how long on a delivery may be taken from others, in milliseconds.
    pub(super) claim: Option<i64>,
}

impl<'a> Request<'a> {
    fn parse(args: Args<'a>, is_group: bool, now_ms: i64) -> Result<Request<'a>, CommandError> {
        let mut request = Request {
            keys: 0..0,
            count: 0,
            max: (None, None),
            block: None,
            reader: None,
            no_ack: false,
            claim: None,
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
            } else if is(word, "MAXCOUNT") && more > 0 {
                at += 1;
                let text = "ERR MAXCOUNT must be a positive integer";
                request.max.0 = Some(positive(args.get(at), text)?);
            } else if is(word, "MAXSIZE") && more > 0 {
                at += 1;
                let text = "ERR MAXSIZE must be a positive integer";
                request.max.1 = Some(positive(args.get(at), text)?);
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
            } else if is(word, "CLAIM") && more > 0 {
                if !is_group {
                    return Err(CommandError::Fixed(
                        "ERR The CLAIM option is only supported by XREADGROUP. You called XREAD instead.",
                    ));
                }
                at += 1;
                request.claim = Some(min_idle_ms(args.get(at))?);
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
        if request.max.0.is_some_and(|max| max < request.count) {
            return Err(CommandError::Fixed(
                "ERR MAXCOUNT must be greater than or equal to COUNT",
            ));
        }
        Ok(request)
    }

    fn budget(&self) -> Budget {
        Budget::new(self.max.0, self.max.1)
    }

    /// The word that is the id for a key's word.
    fn id_at(&self, key: usize) -> usize {
        key + self.keys.len()
    }
}

fn positive(word: &[u8], text: &'static str) -> Result<u64, CommandError> {
    let count = u64::try_from(integer_or(word, text)?).unwrap_or(0);
    Some(count)
        .filter(|&count| count > 0)
        .ok_or(CommandError::Fixed(text))
}

fn min_idle_ms(word: &[u8]) -> Result<i64, CommandError> {
    let ms = integer_or(word, "ERR min-idle-time is not an integer or out of range")?;
    let text = "ERR min-idle-time must be a positive integer";
    Some(ms)
        .filter(|&ms| ms >= 0)
        .ok_or(CommandError::Fixed(text))
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
        return write_found(call, &found, &request);
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
        again_ms: None,
        rewrite,
    })
}

/// XREAD's reply: streams with the id from which on they are shown.
fn write_found(
    call: &mut Call<'_, '_>,
    found: &[(Key<'_>, StreamId)],
    request: &Request<'_>,
) -> Result<(), CommandError> {
    let (count, budget) = (request.count, request.budget());
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
            let streams = pinned
                .iter()
                .map(|(key, stream, start)| (&**key, &**stream, *start));
            write_streams(streams, count, budget, reply);
            Ok(())
        });
    }
    let mut streams = Vec::with_capacity(found.len());
    for &(key, start) in found {
        let stream = call.unit.look_as::<Stream>(key)?.expect("it was found");
        streams.push((key.bytes(), stream, start));
    }
    write_streams(streams.into_iter(), count, budget, call.reply);
    Ok(())
}

/// A map in RESP3, an array of pairs in RESP2.
fn finish_streams(place: resp::Mark, streams: usize, reply: &mut Reply) {
    match reply.proto() {
        resp::Proto::Resp2 => reply.finish_array(place, streams),
        resp::Proto::Resp3 => reply.finish_map(place, streams),
    }
}

/// A stream's name, before its entries.
pub(super) fn write_name(key: &[u8], reply: &mut Reply) {
    if reply.proto() == resp::Proto::Resp2 {
        reply.array(2);
    }
    reply.bulk(key);
}

/// Those streams of which the budget leaves something.
fn write_streams<'s>(
    streams: impl Iterator<Item = (&'s [u8], &'s Stream, StreamId)>,
    count: u64,
    mut budget: Budget,
    reply: &mut Reply,
) {
    let place = reply.defer();
    let mut shown = 0;
    for (key, stream, start) in streams {
        let before = reply.mark();
        write_name(key, reply);
        let entries = stream.range(start, StreamId::MAX);
        if write_within(entries, count, &mut budget, reply) == 0 {
            reply.truncate_to(before);
            break;
        }
        shown += 1;
    }
    finish_streams(place, shown, reply);
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
    let (mut streams, mut budget, mut again_ms) = (0, request.budget(), None);
    for (at, &from) in request.keys.clone().zip(&from) {
        let key = call.key(at);
        let (is_shown, due_ms) = read_for_group(call, &request, key, from, &mut budget)?;
        streams += usize::from(is_shown);
        again_ms = [again_ms, due_ms].into_iter().flatten().min();
    }
    if streams > 0 {
        finish_streams(place, streams, call.reply);
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
        again_ms,
        rewrite: Vec::new(),
    })
}
