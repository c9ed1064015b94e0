//! XTRIM, XDEL, XDELEX, XSETID: what goes, and the counters.

use resp::Args;
use store::value::stream::{References, Stream, StreamId};
use store::{Container, EventClass, Slot};

use super::id;
use super::options::{Command, Logged, Options};
use crate::args::{Words, integer, is};
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, KeyFlags, Keys, LogForm};
use crate::{Call, CommandError};

/// XTRIM key <MAXLEN | MINID> [= | ~] threshold [LIMIT count] [KEEPREF | DELREF | ACKED]
pub(super) const XTRIM: CommandSpec = CommandSpec {
    name: "xtrim",
    arity: Arity::AtLeast(4),
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::RW.or(KeyFlags::DELETE))]),
    flags: Flags::WRITE,
    acl: Acl::STREAM.or(Acl::WRITE).or(Acl::SLOW),
    log: LogForm::Effects,
    group: Group::Stream,
    since: "5.0.0",
    summary: "Deletes the oldest entries of a stream.",
    complexity: "O(N) for N entries that go; whole nodes are cheap.",
    syntax: "key <MAXLEN | MINID> [= | ~] threshold [LIMIT count] [KEEPREF | DELREF | ACKED]",
    tips: &["nondeterministic_output"],
    ..CommandSpec::row(xtrim)
};

fn xtrim(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let options = Options::parse(call.args, Command::Xtrim, &call.settings.limits)?;
    let trim = options.trim.expect("without one there is an error");
    let key = call.key(1);
    let Slot::Occupied(mut at) = call.unit.slot(key) else {
        call.reply.int(0);
        return Ok(());
    };
    let (trimmed, logged) = at.edit(|stream: &mut Stream| {
        let trimmed = stream.trim(&trim)?;
        let logged = Logged::of(&trim, stream);
        Ok::<_, CommandError>(((trimmed, logged), trimmed > 0))
    })?;
    if trimmed > 0 {
        call.unit.notify(EventClass::STREAM, "xtrim", key.bytes());
        call.unit.dirty(trimmed);
        let mut effect = vec![b"XTRIM".as_slice(), key.bytes()];
        logged.push_to(&mut effect);
        call.unit.log(&effect);
    }
    call.reply.int(trimmed.cast_signed());
    Ok(())
}

/// XDEL key id [id ...]
pub(super) const XDEL: CommandSpec = CommandSpec {
    name: "xdel",
    arity: Arity::AtLeast(3),
    flags: Flags::WRITE.or(Flags::FAST),
    acl: Acl::STREAM.or(Acl::WRITE).or(Acl::FAST),
    log: LogForm::Verbatim,
    summary: "Deletes entries of a stream by their ids.",
    complexity: "O(1) for each entry.",
    syntax: "key id [id ...]",
    tips: &[],
    run: xdel,
    ..XTRIM
};

fn xdel(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let key = call.key(1);
    let Slot::Occupied(mut at) = call.unit.slot(key) else {
        call.reply.int(0);
        return Ok(());
    };
    at.entry().container::<Stream>()?;
    let ids = id::parse_all(call.args.skip(2).iter())?;
    let deleted = at.edit(|stream: &mut Stream| {
        let mut deleted = 0_u64;
        for id in ids {
            deleted += u64::from(delete(stream, id, deleted > 0)?);
        }
        Ok::<_, CommandError>((deleted, deleted > 0))
    })?;
    report_deleted(call, key, deleted);
    call.reply.int(deleted.cast_signed());
    Ok(())
}

/// Deletes an entry. Without memory for it, what went before it stays gone, and it stays.
pub(super) fn delete(
    stream: &mut Stream,
    id: StreamId,
    has_changed: bool,
) -> Result<bool, CommandError> {
    match stream.delete(id) {
        Err(_) if has_changed => Ok(false),
        done => Ok(done?),
    }
}

/// The event and the count of what was deleted by name.
pub(super) fn report_deleted(call: &mut Call<'_, '_>, key: store::Key<'_>, deleted: u64) {
    if deleted > 0 {
        call.unit.notify(EventClass::STREAM, "xdel", key.bytes());
        call.unit.dirty(deleted);
    }
}

/// XDELEX key [KEEPREF | DELREF | ACKED] IDS numids id [id ...]
///
/// For each id: -1 there is no such entry, 1 it is deleted, 2 it stays because a group still needs it.
pub(super) const XDELEX: CommandSpec = CommandSpec {
    name: "xdelex",
    arity: Arity::AtLeast(5),
    since: "8.2.0",
    summary: "Deletes entries of a stream by their ids, with what groups know of them, or none that they need.",
    complexity: "O(1) for each entry, O(N) with N groups.",
    syntax: "key [KEEPREF | DELREF | ACKED] IDS numids id [id ...]",
    run: xdelex,
    ..XDEL
};

/// What XDELEX and XACKDEL answer for an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Missing,
    Done,
    Needed,
}

impl Verdict {
    /// Its number.
    pub(super) fn code(self) -> i64 {
        match self {
            Verdict::Missing => -1,
            Verdict::Done => 1,
            Verdict::Needed => 2,
        }
    }
}

fn xdelex(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let (references, words) = references_and_ids(call.args.skip(2))?;
    let key = call.key(1);
    let Slot::Occupied(mut at) = call.unit.slot(key) else {
        id::parse_all(words.iter())?;
        write_verdicts(call.reply, &vec![Verdict::Missing; words.len()]);
        return Ok(());
    };
    at.entry().container::<Stream>()?;
    let ids = id::parse_all(words.iter())?;
    let (verdicts, forgotten) = at.edit(|stream: &mut Stream| {
        let (mut verdicts, mut deleted, mut forgotten) =
            (Vec::with_capacity(ids.len()), false, false);
        for id in ids {
            let pending = stream.is_pending(id);
            let verdict = if references == References::Acked && pending {
                Verdict::Needed
            } else {
                delete_for(stream, id, references, deleted)?
            };
            deleted |= verdict == Verdict::Done;
            if references == References::Delete {
                stream.forget_everywhere(id);
                forgotten |= pending;
            }
            verdicts.push(verdict);
        }
        Ok::<_, CommandError>(((verdicts, forgotten), deleted || forgotten))
    })?;
    let deleted = verdicts.iter().filter(|&&v| v == Verdict::Done).count() as u64;
    report_deleted(call, key, deleted);
    if deleted == 0 && forgotten {
        call.unit.dirty(1);
    }
    write_verdicts(call.reply, &verdicts);
    Ok(())
}

/// Deletes an entry unless, with ACKED, a group has not read it or not acknowledged it.
pub(super) fn delete_for(
    stream: &mut Stream,
    id: StreamId,
    references: References,
    has_changed: bool,
) -> Result<Verdict, CommandError> {
    let is_there = stream.get(id).is_some();
    if is_there && references == References::Acked && stream.is_referenced(id) {
        return Ok(Verdict::Needed);
    }
    Ok(match is_there && delete(stream, id, has_changed)? {
        true => Verdict::Done,
        false => Verdict::Missing,
    })
}

/// One number for each id.
pub(super) fn write_verdicts(reply: &mut resp::Reply, verdicts: &[Verdict]) {
    reply.array(verdicts.len());
    for verdict in verdicts {
        reply.int(verdict.code());
    }
}

/// The words of XDELEX and XACKDEL: a policy and the ids, in either order.
pub(super) fn references_and_ids(words: Args<'_>) -> Result<(References, Args<'_>), CommandError> {
    let (mut references, mut ids) = (None, None);
    let mut at = 0;
    while let Some(word) = words.try_get(at) {
        at += 1;
        if let Some(said) = id::references(word) {
            if references.replace(said).is_some() {
                return Err(CommandError::Syntax);
            }
        } else if is(word, "IDS") && at < words.len() {
            let numbered = numbered_ids(words.skip(at))?;
            at += 1 + numbered.len();
            ids = Some(numbered);
        } else {
            return Err(CommandError::Syntax);
        }
    }
    let missing = CommandError::Fixed("ERR IDS option is required");
    Ok((references.unwrap_or_default(), ids.ok_or(missing)?))
}

/// `numids id [id ...]`
pub(super) fn numbered_ids(words: Args<'_>) -> Result<Args<'_>, CommandError> {
    let count = integer(words.get(0))?;
    let count = usize::try_from(count).unwrap_or(0);
    if count == 0 {
        return Err(CommandError::Fixed(
            "ERR Number of IDs must be a positive integer",
        ));
    }
    if count > words.len() - 1 {
        return Err(CommandError::Fixed(
            "ERR The `numids` parameter must match the number of arguments",
        ));
    }
    Ok(words.skip(1).take(count))
}

/// XSETID key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id]
pub(super) const XSETID: CommandSpec = CommandSpec {
    name: "xsetid",
    arity: Arity::AtLeast(3),
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::RW.or(KeyFlags::UPDATE))]),
    flags: Flags::WRITE.or(Flags::DENY_OOM).or(Flags::FAST),
    summary: "Sets the counters of a stream: the last id, and how many entries there were.",
    complexity: "O(1)",
    syntax: "key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id]",
    run: xsetid,
    ..XDEL
};

fn xsetid(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let last = id::parse_strict(call.args.get(2), 0)?;
    let (mut added, mut max_deleted) = (None, None);
    let mut words = Words::from(call.args, 3);
    while let Some(word) = words.next() {
        if is(word, "ENTRIESADDED") && words.left() > 0 {
            let value = integer(words.value()?)?;
            let text = "ERR entries_added must be positive";
            added = Some(u64::try_from(value).map_err(|_| CommandError::Fixed(text))?);
        } else if is(word, "MAXDELETEDID") && words.left() > 0 {
            let value = id::parse_strict(words.value()?, 0)?;
            if last < value {
                return Err(CommandError::Fixed(
                    "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
                ));
            }
            max_deleted = Some(value).filter(|id| !id.is_zero());
        } else {
            return Err(CommandError::Syntax);
        }
    }
    let key = call.key(1);
    let Slot::Occupied(mut at) = call.unit.slot(key) else {
        return Err(CommandError::NoSuchKey);
    };
    at.edit_aside(|stream: &mut Stream| {
        if last < stream.max_deleted_id() {
            return Err(CommandError::Fixed(
                "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id",
            ));
        }
        if stream.last_live_id() > Some(last) {
            return Err(CommandError::Fixed(
                "ERR The ID specified in XSETID is smaller than the target stream top item",
            ));
        }
        if added.is_some_and(|added| added < stream.len()) {
            return Err(CommandError::Fixed(
                "ERR The entries_added specified in XSETID is smaller than the target stream length",
            ));
        }
        let added = added.unwrap_or(stream.entries_added());
        let max_deleted = max_deleted.unwrap_or(stream.max_deleted_id());
        stream.set_counters(last, added, max_deleted);
        Ok(((), true))
    })?;
    call.unit.notify(EventClass::STREAM, "xsetid", key.bytes());
    call.unit.dirty(1);
    call.reply.ok();
    Ok(())
}
