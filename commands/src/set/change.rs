//! SADD, SREM, SMOVE: members come and go by name.

use store::{Container, EventClass, Set, Slot};

use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, KeyFlags, Keys, LogForm};
use crate::{Call, CommandError};

/// SADD key member [member ...]
pub(super) const SADD: CommandSpec = CommandSpec {
    name: "sadd",
    arity: Arity::AtLeast(3),
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::RW.or(KeyFlags::INSERT))]),
    flags: Flags::WRITE.or(Flags::DENY_OOM).or(Flags::FAST),
    acl: Acl::SET.or(Acl::WRITE).or(Acl::FAST),
    log: LogForm::Verbatim,
    group: Group::Set,
    since: "1.0.0",
    summary: "Adds one or more members to a set.",
    complexity: "O(1) for each member.",
    syntax: "key member [member ...]",
    ..CommandSpec::row(sadd)
};

fn sadd(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let key = call.key(1);
    let limits = &call.settings.limits;
    let members = call.args.skip(2);
    let count = members.len() as u64;
    let add_all = |set: &mut Set| {
        let mut added = 0;
        for member in members.iter() {
            added += u64::from(set.add(member, limits)?);
        }
        Ok::<u64, CommandError>(added)
    };
    let added = match call.unit.slot(key) {
        Slot::Vacant(at) => {
            let mut set = Set::for_members(members.get(0), count, limits);
            let added = add_all(&mut set)?;
            at.insert(set, None)?;
            added
        }
        Slot::Occupied(mut at) => at.edit(|set: &mut Set| {
            set.expect_more(count, limits)?;
            let added = add_all(set)?;
            Ok::<_, CommandError>((added, added > 0))
        })?,
    };
    if added > 0 {
        call.unit.notify(EventClass::SET, "sadd", key.bytes());
        call.unit.dirty(added);
    }
    call.reply.int(added.cast_signed());
    Ok(())
}

/// SREM key member [member ...]
pub(super) const SREM: CommandSpec = CommandSpec {
    name: "srem",
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::RW.or(KeyFlags::DELETE))]),
    flags: Flags::WRITE.or(Flags::FAST),
    summary: "Removes one or more members from a set; the key goes with the last one.",
    run: srem,
    ..SADD
};

fn srem(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let key = call.key(1);
    let members = call.args.skip(2);
    let Slot::Occupied(mut at) = call.unit.slot(key) else {
        call.reply.int(0);
        return Ok(());
    };
    let (removed, is_empty) = at.edit(|set: &mut Set| {
        let removed = members.iter().filter(|member| set.remove(member)).count() as u64;
        Ok::<_, CommandError>(((removed, set.is_empty()), removed > 0))
    })?;
    if removed > 0 {
        call.unit.notify(EventClass::SET, "srem", key.bytes());
        if is_empty {
            call.remove_emptied(key);
        }
        call.unit.dirty(removed);
    }
    call.reply.int(removed.cast_signed());
    Ok(())
}

/// SMOVE source destination member
pub(super) const SMOVE: CommandSpec = CommandSpec {
    name: "smove",
    arity: Arity::Exactly(4),
    keys: Keys::At(&[
        KeyAt::at(1, KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::DELETE)),
        KeyAt::at(2, KeyFlags::RW.or(KeyFlags::INSERT)),
    ]),
    flags: Flags::WRITE.or(Flags::FAST),
    summary: "Moves a member from one set to another.",
    complexity: "O(1)",
    syntax: "source destination member",
    run: smove,
    ..SADD
};

fn smove(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let (source, destination, member) = (call.key(1), call.key(2), call.args.get(3));
    let limits = &call.settings.limits;
    let Some(set) = call.unit.read_as::<Set>(source)? else {
        call.reply.int(0);
        return Ok(());
    };
    let is_there = set.contains(member);
    // The type of the destination is judged even when there is nothing to move.
    call.unit.read_as::<Set>(destination)?;
    if !is_there || source.bytes() == destination.bytes() {
        call.reply.int(i64::from(is_there));
        return Ok(());
    }
    // What may be refused comes first, apart from a place for the key itself.
    let added = match call.unit.slot(destination) {
        Slot::Vacant(_) => None,
        Slot::Occupied(mut at) => Some(at.edit(|set: &mut Set| {
            let added = set.add(member, limits)?;
            Ok::<_, CommandError>((added, added))
        })?),
    };
    let mut fresh = Set::for_members(member, 1, limits);
    if added.is_none() {
        fresh.add(member, limits)?;
    }
    let Slot::Occupied(mut at) = call.unit.slot(source) else {
        unreachable!("it has been read")
    };
    let is_empty = at.edit(|set: &mut Set| {
        set.remove(member);
        Ok::<_, CommandError>((set.is_empty(), true))
    })?;
    call.unit.notify(EventClass::SET, "srem", source.bytes());
    if is_empty {
        call.remove_emptied(source);
    }
    call.unit.dirty(1);
    if added.is_none() {
        call.store_result(destination, Some(fresh))?;
    }
    if added != Some(false) {
        call.unit.dirty(1);
        call.unit
            .notify(EventClass::SET, "sadd", destination.bytes());
    }
    call.reply.int(1);
    Ok(())
}
