//! XACK, XACKDEL, XNACK, XPENDING: deliveries that are not acknowledged yet.

use store::value::stream::{Group as ConsumerGroup, Owner, Pending, References, Stream, StreamId};
use store::{EventClass, Slot};

use super::id::{self, IdText, write_id};
use super::trim::{
    Verdict, delete_for, numbered_ids, references_and_ids, report_deleted, write_verdicts,
};
use crate::args::{Words, integer, is};
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, KeyFlags, Keys, LogForm};
use crate::{Call, CommandError};

/// XACK key group id [id ...]
pub(super) const XACK: CommandSpec = CommandSpec {
    name: "xack",
    arity: Arity::AtLeast(4),
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::RW.or(KeyFlags::UPDATE))]),
    flags: Flags::WRITE.or(Flags::FAST),
    acl: Acl::STREAM.or(Acl::WRITE).or(Acl::FAST),
    log: LogForm::Verbatim,
    group: Group::Stream,
    since: "5.0.0",
    summary: "Acknowledges entries that were delivered to a group's consumers.",
    complexity: "O(1) for each entry.",
    syntax: "key group id [id ...]",
    ..CommandSpec::row(xack)
};

fn xack(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let (key, name) = (call.key(1), call.args.get(2));
    let stream = call.unit.read_as::<Stream>(key)?;
    if stream.is_none_or(|stream| stream.group(name).is_none()) {
        call.reply.int(0);
        return Ok(());
    }
    let ids = id::parse_all(call.args.skip(3).iter())?;
    let acknowledged = edit_group(call, |group| {
        let gone = ids.iter().filter(|&&id| group.forget(id).is_some()).count();
        (gone as u64, gone > 0)
    })?;
    call.unit.dirty(acknowledged);
    call.reply.int(acknowledged.cast_signed());
    Ok(())
}

/// Changes a group that is there.
fn edit_group<R>(
    call: &mut Call<'_, '_>,
    change: impl FnOnce(&mut ConsumerGroup) -> (R, bool),
) -> Result<R, CommandError> {
    let (key, name) = (call.key(1), call.args.get(2));
    let Slot::Occupied(mut at) = call.unit.slot(key) else {
        unreachable!("it has been read")
    };
    at.edit_aside(|stream: &mut Stream| {
        let group = stream.group_mut(name).expect("it has been seen");
        Ok(change(group))
    })
}

/// XACKDEL key group [KEEPREF | DELREF | ACKED] IDS numids id [id ...]
///
/// For each id: -1 it was not pending, 1 it is acknowledged and its entry deleted, 2 it is acknowledged
/// and the entry stays because another group needs it.
pub(super) const XACKDEL: CommandSpec = CommandSpec {
    name: "xackdel",
    arity: Arity::AtLeast(6),
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::RW.or(KeyFlags::DELETE))]),
    since: "8.2.0",
    summary: "Acknowledges entries of a group and deletes them, or those that no other group needs.",
    complexity: "O(1) for each entry, O(N) with N groups.",
    syntax: "key group [KEEPREF | DELREF | ACKED] IDS numids id [id ...]",
    run: xackdel,
    ..XACK
};

fn xackdel(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let (references, words) = references_and_ids(call.args.skip(3))?;
    let (key, name) = (call.key(1), call.args.get(2));
    let stream = call.unit.read_as::<Stream>(key)?;
    let has_group = stream.is_some_and(|stream| stream.group(name).is_some());
    let ids = id::parse_all(words.iter())?;
    if !has_group {
        write_verdicts(call.reply, &vec![Verdict::Missing; ids.len()]);
        return Ok(());
    }
    let Slot::Occupied(mut at) = call.unit.slot(key) else {
        unreachable!("it has been read")
    };
    let (verdicts, acknowledged, deleted) = at.edit(|stream: &mut Stream| {
        let (mut verdicts, mut acknowledged, mut deleted) = (Vec::with_capacity(ids.len()), 0, 0);
        for id in ids {
            let group = stream.group_mut(name).expect("it has been seen");
            if group.forget(id).is_none() {
                verdicts.push(Verdict::Missing);
                continue;
            }
            acknowledged += 1;
            if references == References::Acked && stream.is_pending(id) {
                verdicts.push(Verdict::Needed);
                continue;
            }
            let verdict = delete_for(stream, id, references, true)?;
            deleted += u64::from(verdict == Verdict::Done);
            if references == References::Delete {
                stream.forget_everywhere(id);
            }
            // An entry that had gone before is acknowledged all the same.
            verdicts.push(match verdict {
                Verdict::Missing => Verdict::Done,
                verdict => verdict,
            });
        }
        Ok::<_, CommandError>(((verdicts, acknowledged, deleted), acknowledged > 0))
    })?;
    call.unit.dirty(acknowledged);
    report_deleted(call, key, deleted);
    write_verdicts(call.reply, &verdicts);
    Ok(())
}

/// XNACK key group <SILENT | FAIL | FATAL> IDS numids id [id ...] [RETRYCOUNT count] [FORCE]
///
/// Gives deliveries back: nobody owns them then, and they may be claimed at once.
pub(super) const XNACK: CommandSpec = CommandSpec {
    name: "xnack",
    arity: Arity::AtLeast(7),
    log: LogForm::Effects,
    since: "8.8.0",
    summary: "Gives entries back that were delivered to a group's consumers, unprocessed.",
    syntax: "key group <SILENT | FAIL | FATAL> IDS numids id [id ...] [RETRYCOUNT count] [FORCE]",
    run: xnack,
    ..XACK
};

/// How often a delivery that is given back counts as made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The consumer's, which did not look at it: one time less.
    Silent,
    /// The consumer's, which has tried: as often as it was.
    Fail,
    /// The entry's own: it will never do.
    Fatal,
}

impl Fault {
    fn parse(word: &[u8]) -> Option<(Fault, &'static [u8])> {
        [
            ("SILENT", Fault::Silent),
            ("FAIL", Fault::Fail),
            ("FATAL", Fault::Fatal),
        ]
        .into_iter()
        .find_map(|(name, fault)| is(word, name).then_some((fault, name.as_bytes())))
    }

    /// The count after it.
    fn deliveries(self, before: u64) -> u64 {
        match self {
            Fault::Silent => before.saturating_sub(1),
            Fault::Fail => before,
            Fault::Fatal => i64::MAX.cast_unsigned(),
        }
    }
}

fn xnack(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let (fault, _) = Fault::parse(call.args.get(3)).ok_or(CommandError::Syntax)?;
    if !is(call.args.get(4), "IDS") {
        return Err(CommandError::Syntax);
    }
    let numbered = numbered_ids(call.args.skip(5))?;
    let (mut retry_count, mut forced) = (None, false);
    let mut words = Words::from(call.args, 6 + numbered.len());
    while let Some(word) = words.next() {
        if is(word, "RETRYCOUNT") {
            let value = integer(words.value()?)?;
            let text = "ERR RETRYCOUNT must be a non-negative integer";
            retry_count = Some(u64::try_from(value).map_err(|_| CommandError::Fixed(text))?);
        } else if is(word, "FORCE") {
            forced = true;
        } else {
            return Err(CommandError::Syntax);
        }
    }
    let ids = id::parse_all(numbered.iter())?;
    let (key, name) = (call.key(1), call.args.get(2));
    let stream = call.unit.read_as::<Stream>(key)?;
    if stream.is_none_or(|stream| stream.group(name).is_none()) {
        return Err(id::no_group(key.bytes(), name, ""));
    }
    let Slot::Occupied(mut at) = call.unit.slot(key) else {
        unreachable!("it has been read")
    };
    let given_back = at.edit_aside(|stream: &mut Stream| {
        let mut given_back = Vec::new();
        for id in ids {
            let is_there = forced && stream.get(id).is_some();
            let group = stream.group_mut(name).expect("it has been seen");
            let before = match group.pending().get(id.into()) {
                Some(pending) => pending.deliveries,
                None if is_there => 0,
                None => continue,
            };
            let deliveries = retry_count.unwrap_or(fault.deliveries(before));
            let pending = Pending {
                // Idle since ever: whoever asks next may have it.
                delivered_ms: 0,
                deliveries,
                owner: Owner::NOBODY,
            };
            group.deliver(id, pending);
            given_back.push((id, deliveries));
        }
        let changed = !given_back.is_empty();
        Ok::<_, CommandError>((given_back, changed))
    })?;
    if !given_back.is_empty() {
        at.wake();
        call.unit.notify(EventClass::STREAM, "xnack", key.bytes());
    }
    for (id, deliveries) in &given_back {
        call.unit.dirty(1);
        let (id, count) = (IdText::of(*id), IdText::of_number(*deliveries));
        let effect: [&[u8]; 10] = [
            b"XNACK",
            key.bytes(),
            name,
            b"FAIL",
            b"IDS",
            b"1",
            id.as_bytes(),
            b"RETRYCOUNT",
            count.as_bytes(),
            b"FORCE",
        ];
        call.unit.log(&effect);
    }
    call.reply.int(given_back.len() as i64);
    Ok(())
}

/// XPENDING key group [[IDLE min-idle-time] start end count [consumer]]
pub(super) const XPENDING: CommandSpec = CommandSpec {
    name: "xpending",
    arity: Arity::AtLeast(3),
    keys: Keys::At(&[KeyAt::read(1)]),
    flags: Flags::READONLY,
    acl: Acl::STREAM.or(Acl::READ).or(Acl::SLOW),
    log: LogForm::None,
    summary: "Tells which entries a group's consumers have not acknowledged.",
    complexity: "O(N) for N entries that are shown or passed over.",
    syntax: "key group [[IDLE min-idle-time] start end count [consumer]]",
    tips: &["nondeterministic_output"],
    run: xpending,
    ..XACK
};

/// XPENDING's long form.
struct Range<'a> {
    min_idle_ms: i64,
    start: StreamId,
    end: StreamId,
    count: u64,
    consumer: Option<&'a [u8]>,
}

impl<'a> Range<'a> {
    fn parse(call: &Call<'a, '_>) -> Result<Range<'a>, CommandError> {
        let args = call.args;
        if !(6..=9).contains(&args.len()) {
            return Err(CommandError::Syntax);
        }
        let (mut at, mut min_idle_ms) = (3, 0);
        if is(args.get(3), "IDLE") {
            min_idle_ms = integer(args.get(4))?;
            if args.len() < 8 {
                return Err(CommandError::Syntax);
            }
            at = 5;
        }
        let count = id::count(args.get(at + 2))?;
        Ok(Range {
            min_idle_ms,
            start: id::parse_start(args.get(at))?,
            end: id::parse_end(args.get(at + 1))?,
            count,
            consumer: args.try_get(at + 3),
        })
    }
}

fn xpending(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let range = match call.args.len() {
        3 => None,
        _ => Some(Range::parse(call)?),
    };
    let (key, name, now_ms) = (call.key(1), call.args.get(2), call.unit.now_ms());
    let stream = call.unit.read_as::<Stream>(key)?;
    let Some(group) = stream.and_then(|stream| stream.group(name)) else {
        return Err(id::no_group(key.bytes(), name, ""));
    };
    match range {
        None => write_summary(group, call.reply),
        Some(range) => write_range(group, &range, now_ms, call.reply),
    }
    Ok(())
}

fn write_summary(group: &ConsumerGroup, reply: &mut resp::Reply) {
    let pending = group.pending();
    reply.array(4);
    reply.int(pending.len().cast_signed());
    let (Some((first, _)), Some((last, _))) = (pending.first(), pending.last()) else {
        reply.null();
        reply.null();
        reply.null_array();
        return;
    };
    write_id(first.into(), reply);
    write_id(last.into(), reply);
    let owners = || {
        group
            .consumers()
            .filter(|consumer| !consumer.pending().is_empty())
    };
    reply.array(owners().count());
    for consumer in owners() {
        reply.array(2);
        reply.bulk(consumer.name());
        reply.bulk_int(consumer.pending().len().cast_signed());
    }
}

fn write_range(group: &ConsumerGroup, range: &Range<'_>, now_ms: i64, reply: &mut resp::Reply) {
    let owner = match range.consumer.map(|name| group.find(name)) {
        Some(None) => {
            reply.array(0);
            return;
        }
        Some(owner) => owner,
        None => None,
    };
    let place = reply.defer();
    let mut show = |id: u128, pending: &Pending| {
        let idle_ms = now_ms.saturating_sub(pending.delivered_ms);
        if range.min_idle_ms != 0 && idle_ms < range.min_idle_ms {
            return false;
        }
        reply.array(4);
        write_id(id.into(), reply);
        reply.bulk(group.owner_name(pending.owner));
        reply.int(idle_ms.max(0));
        reply.int(pending.deliveries.cast_signed());
        true
    };
    let (start, end) = (range.start.into(), u128::from(range.end));
    let mut shown = 0;
    let is_within = |id: u128, shown: u64| id <= end && shown < range.count;
    if let Some(owner) = owner {
        let mut entries = group.consumer(owner).pending().at_or_after(start);
        while let Some((id, _)) = entries.get().filter(|(id, _)| is_within(*id, shown)) {
            shown += u64::from(show(id, group.pending().get(id).expect("G1")));
            entries.forward();
        }
    } else {
        let mut entries = group.pending().at_or_after(start);
        while let Some((id, pending)) = entries.get().filter(|(id, _)| is_within(*id, shown)) {
            shown += u64::from(show(id, pending));
            entries.forward();
        }
    }
    reply.finish_array(place, usize::try_from(shown).expect("it is in memory"));
}
