//! LSET, LINSERT, LREM, LTRIM: changes in the middle.

use store::{Container, EventClass, List, ListEnd, Slot};

use super::ask::place;
use super::{not_least, range};
use crate::args::{integer, is};
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, KeyFlags, Keys, LogForm};
use crate::{Call, CommandError};

/// LSET key index element
pub(super) const LSET: CommandSpec = CommandSpec {
    name: "lset",
    arity: Arity::Exactly(4),
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::RW.or(KeyFlags::UPDATE))]),
    flags: Flags::WRITE.or(Flags::DENY_OOM),
    acl: Acl::LIST.or(Acl::WRITE).or(Acl::SLOW),
    log: LogForm::Verbatim,
    group: Group::List,
    since: "1.0.0",
    summary: "Puts an element in the place of another.",
    complexity: "O(log N)",
    syntax: "key index element",
    ..CommandSpec::row(lset)
};

fn lset(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    const OUT_OF_RANGE: CommandError = CommandError::Fixed("ERR index out of range");
    let (key, index, value) = (call.key(1), integer(call.args.get(2)), call.args.get(3));
    let limits = call.settings.limits.list();
    let Slot::Occupied(mut at) = call.unit.slot(key) else {
        return Err(CommandError::NoSuchKey);
    };
    at.edit(|list: &mut List| {
        // The number is judged only if there is a list, as in Redis.
        let index = place(index?, list.len()).ok_or(OUT_OF_RANGE)?;
        if index >= list.len() {
            return Err(OUT_OF_RANGE);
        }
        list.expect_more(1, value.len(), limits)?;
        list.set(index, value, limits)?;
        Ok(((), true))
    })?;
    call.unit.notify(EventClass::LIST, "lset", key.bytes());
    call.unit.dirty(1);
    call.reply.ok();
    Ok(())
}

/// LINSERT key BEFORE | AFTER pivot element
pub(super) const LINSERT: CommandSpec = CommandSpec {
    name: "linsert",
    arity: Arity::Exactly(5),
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::RW.or(KeyFlags::INSERT))]),
    since: "2.2.0",
    summary: "Puts an element before or behind the first one that equals a pivot.",
    complexity: "O(N) for N elements before the pivot.",
    syntax: "key <BEFORE | AFTER> pivot element",
    run: linsert,
    ..LSET
};

fn linsert(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let behind = match call.args.get(2) {
        word if is(word, "AFTER") => 1,
        word if is(word, "BEFORE") => 0,
        _ => return Err(CommandError::Syntax),
    };
    let (key, pivot, value) = (call.key(1), call.args.get(3), call.args.get(4));
    let limits = call.settings.limits.list();
    let Slot::Occupied(mut at) = call.unit.slot(key) else {
        call.reply.int(0);
        return Ok(());
    };
    let len = at.edit(|list: &mut List| {
        let Some(index) = list.iter().position(|element| element.eq_bytes(pivot)) else {
            return Ok::<_, CommandError>((None, false));
        };
        list.expect_more(1, value.len(), limits)?;
        list.insert(index as u64 + behind, value, limits)?;
        Ok((Some(list.len()), true))
    })?;
    match len {
        Some(len) => {
            call.unit.notify(EventClass::LIST, "linsert", key.bytes());
            call.unit.dirty(1);
            call.reply.int(len.cast_signed());
        }
        None => call.reply.int(-1),
    }
    Ok(())
}

/// LREM key count element
pub(super) const LREM: CommandSpec = CommandSpec {
    name: "lrem",
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::RW.or(KeyFlags::DELETE))]),
    flags: Flags::WRITE,
    summary: "Removes the first or last elements that equal one, or all of them.",
    complexity: "O(N) for N elements.",
    syntax: "key count element",
    run: lrem,
    ..LSET
};

fn lrem(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let count = not_least(call.args.get(2))?;
    let (key, value) = (call.key(1), call.args.get(3));
    let (wanted, from) = match count {
        0 => (u64::MAX, ListEnd::Left),
        ..0 => (count.unsigned_abs(), ListEnd::Right),
        _ => (count.unsigned_abs(), ListEnd::Left),
    };
    let limits = call.settings.limits.list();
    let Slot::Occupied(mut at) = call.unit.slot(key) else {
        call.reply.int(0);
        return Ok(());
    };
    let (removed, is_empty) = at.edit(|list: &mut List| {
        let removed = list.remove(value, wanted, from, limits)?;
        Ok::<_, CommandError>(((removed, list.is_empty()), removed > 0))
    })?;
    if removed > 0 {
        call.unit.notify(EventClass::LIST, "lrem", key.bytes());
        if is_empty {
            call.remove_emptied(key);
        }
        call.unit.dirty(removed);
    }
    call.reply.int(removed.cast_signed());
    Ok(())
}

/// LTRIM key start stop
pub(super) const LTRIM: CommandSpec = CommandSpec {
    name: "ltrim",
    summary: "Keeps the elements of a range and removes all others.",
    complexity: "O(log N); what goes is freed elsewhere.",
    syntax: "key start stop",
    run: ltrim,
    ..LREM
};

fn ltrim(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let (start, stop) = (integer(call.args.get(2))?, integer(call.args.get(3))?);
    let key = call.key(1);
    let limits = call.settings.limits.list();
    let Slot::Occupied(mut at) = call.unit.slot(key) else {
        call.reply.ok();
        return Ok(());
    };
    let (gone, removed, is_empty) = at.edit(|list: &mut List| {
        let len = list.len();
        let kept = range(start, stop, len).unwrap_or(0..0);
        let removed = len - (kept.end - kept.start);
        if kept.is_empty() {
            // The key goes, and the list with it.
            return Ok::<_, CommandError>((([List::new(), List::new()], removed, true), true));
        }
        let gone = list.trim(kept, limits)?;
        Ok(((gone, removed, false), true))
    })?;
    for list in gone {
        call.unit.discard(list);
    }
    call.unit.notify(EventClass::LIST, "ltrim", key.bytes());
    if is_empty {
        call.remove_emptied(key);
    }
    call.unit.dirty(removed);
    call.reply.ok();
    Ok(())
}
