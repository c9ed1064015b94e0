//! HSET, HMSET, HSETNX, HDEL: fields come and go by name.

use resp::Args;
use store::{Container, EventClass, FieldDeadline, Hash, Key, Limits, Slot};

use super::report_removed;
use crate::args::wrong_arity;
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, KeyFlags, Keys, LogForm};
use crate::{Call, CommandError};

/// HSET key field value [field value ...]
pub(super) const HSET: CommandSpec = CommandSpec {
    name: "hset",
    arity: Arity::AtLeast(4),
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::RW.or(KeyFlags::UPDATE))]),
    flags: Flags::WRITE.or(Flags::DENY_OOM).or(Flags::FAST),
    acl: Acl::HASH.or(Acl::WRITE).or(Acl::FAST),
    log: LogForm::Verbatim,
    group: Group::Hash,
    since: "2.0.0",
    summary: "Gives one or more fields of a hash their values; a time that they had is taken away.",
    complexity: "O(1) for each field.",
    syntax: "key field value [field value ...]",
    ..CommandSpec::row(hset)
};

fn hset(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let added = set_pairs(call, "hset")?;
    call.reply.int(added.cast_signed());
    Ok(())
}

/// HMSET key field value [field value ...]
pub(super) const HMSET: CommandSpec = CommandSpec {
    name: "hmset",
    summary: "Gives one or more fields of a hash their values; HSET tells more.",
    run: hmset,
    ..HSET
};

fn hmset(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    set_pairs(call, "hmset")?;
    call.reply.ok();
    Ok(())
}

/// Sets the request's pairs; how many fields are new.
fn set_pairs(call: &mut Call<'_, '_>, command: &str) -> Result<u64, CommandError> {
    let pairs = call.args.skip(2);
    if !pairs.len().is_multiple_of(2) {
        return Err(wrong_arity(command));
    }
    let key = call.key(1);
    let limits = &call.settings.limits;
    let added = match call.unit.slot(key) {
        Slot::Vacant(at) => {
            let mut hash = Hash::new();
            let added = put_pairs(&mut hash, pairs, FieldDeadline::Clear, limits)?;
            at.insert(hash, None)?;
            added
        }
        Slot::Occupied(mut at) => at.edit(|hash: &mut Hash| {
            let added = put_pairs(hash, pairs, FieldDeadline::Clear, limits)?;
            Ok::<_, CommandError>((added, true))
        })?,
    };
    report_set(call, key, pairs.len() as u64 / 2);
    Ok(added)
}

/// Puts pairs into a hash; how many fields are new.
pub(super) fn put_pairs(
    hash: &mut Hash,
    pairs: Args<'_>,
    deadline: FieldDeadline,
    limits: &Limits,
) -> Result<u64, CommandError> {
    hash.expect((0..pairs.len()).map(|index| pairs.get(index)), limits)?;
    let mut added = 0;
    for index in (0..pairs.len()).step_by(2) {
        let is_new = hash.set(pairs.get(index), pairs.get(index + 1), deadline, limits)?;
        added += u64::from(is_new);
    }
    Ok(added)
}

fn report_set(call: &mut Call<'_, '_>, key: Key<'_>, fields: u64) {
    call.unit.notify(EventClass::HASH, "hset", key.bytes());
    call.unit.dirty(fields);
}

/// HSETNX key field value
pub(super) const HSETNX: CommandSpec = CommandSpec {
    name: "hsetnx",
    arity: Arity::Exactly(4),
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::RW.or(KeyFlags::INSERT))]),
    summary: "Gives a field of a hash its value unless it has one.",
    complexity: "O(1)",
    syntax: "key field value",
    run: hsetnx,
    ..HSET
};

fn hsetnx(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let (key, pair) = (call.key(1), call.args.skip(2));
    let (limits, now_ms) = (&call.settings.limits, call.unit.expiry_ms());
    call.unit.expire_fields(key, std::iter::once(pair.get(0)));
    let is_new = match call.unit.slot(key) {
        Slot::Vacant(at) => {
            let mut hash = Hash::new();
            put_pairs(&mut hash, pair, FieldDeadline::Clear, limits)?;
            at.insert(hash, None)?;
            true
        }
        Slot::Occupied(mut at) => at.edit(|hash: &mut Hash| {
            let is_new = hash.get(pair.get(0), now_ms).is_none();
            if is_new {
                put_pairs(hash, pair, FieldDeadline::Clear, limits)?;
            }
            Ok::<_, CommandError>((is_new, is_new))
        })?,
    };
    if is_new {
        report_set(call, key, 1);
    }
    call.reply.int(i64::from(is_new));
    Ok(())
}

/// HDEL key field [field ...]
pub(super) const HDEL: CommandSpec = CommandSpec {
    name: "hdel",
    arity: Arity::AtLeast(3),
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::RW.or(KeyFlags::DELETE))]),
    flags: Flags::WRITE.or(Flags::FAST),
    summary: "Removes one or more fields of a hash; the key goes with the last one.",
    syntax: "key field [field ...]",
    run: hdel,
    ..HSET
};

fn hdel(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let (key, names) = (call.key(1), call.args.skip(2));
    let Slot::Occupied(mut at) = call.unit.slot(key) else {
        call.reply.int(0);
        return Ok(());
    };
    let (removed, is_empty) = at.edit(|hash: &mut Hash| {
        let removed = names.iter().filter(|name| hash.remove(name)).count() as u64;
        Ok::<_, CommandError>(((removed, hash.is_empty()), removed > 0))
    })?;
    report_removed(call, key, removed, is_empty);
    call.reply.int(removed.cast_signed());
    Ok(())
}
