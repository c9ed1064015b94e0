//! HGET, HMGET, HEXISTS, HSTRLEN, HLEN: fields looked up by name.

use resp::Args;
use store::{Container, Field, Hash, Unit};

use super::say;
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, KeyFlags, Keys};
use crate::{Call, CommandError};

/// HGET key field
pub(super) const HGET: CommandSpec = CommandSpec {
    name: "hget",
    arity: Arity::Exactly(3),
    keys: Keys::At(&[KeyAt::read(1)]),
    flags: Flags::READONLY.or(Flags::FAST),
    acl: Acl::HASH.or(Acl::READ).or(Acl::FAST),
    group: Group::Hash,
    since: "2.0.0",
    summary: "Shows the value of a field of a hash.",
    syntax: "key field",
    ..CommandSpec::row(hget)
};

fn hget(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let field = find(call.unit, call.args)?;
    match field {
        Some(field) => say(field.value, call.reply),
        None => call.reply.null(),
    }
    Ok(())
}

/// The field that word 2 names.
fn find<'u>(unit: &'u mut Unit<'_>, args: Args<'_>) -> Result<Option<Field<'u>>, CommandError> {
    let (key, name, now_ms) = (unit.key(args.get(1)), args.get(2), unit.expiry_ms());
    unit.expire_fields(key, std::iter::once(name));
    let hash = unit.read_as::<Hash>(key)?;
    Ok(hash.and_then(|hash| hash.get(name, now_ms)))
}

/// HMGET key field [field ...]
pub(super) const HMGET: CommandSpec = CommandSpec {
    name: "hmget",
    arity: Arity::AtLeast(3),
    summary: "Shows the values of several fields of a hash.",
    complexity: "O(N) for N fields.",
    syntax: "key field [field ...]",
    run: hmget,
    ..HGET
};

fn hmget(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let (key, names, now_ms) = (call.key(1), call.args.skip(2), call.unit.expiry_ms());
    call.unit.expire_fields(key, names.iter());
    let hash = call.unit.read_as::<Hash>(key)?;
    call.reply.array(names.len());
    for name in names.iter() {
        match hash.and_then(|hash| hash.get(name, now_ms)) {
            Some(field) => say(field.value, call.reply),
            None => call.reply.null(),
        }
    }
    Ok(())
}

/// HEXISTS key field
pub(super) const HEXISTS: CommandSpec = CommandSpec {
    name: "hexists",
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::RO)]),
    summary: "Tells whether a hash has a field.",
    run: hexists,
    ..HGET
};

fn hexists(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let is_there = find(call.unit, call.args)?.is_some();
    call.reply.int(i64::from(is_there));
    Ok(())
}

/// HSTRLEN key field
pub(super) const HSTRLEN: CommandSpec = CommandSpec {
    name: "hstrlen",
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::RO)]),
    since: "3.2.0",
    summary: "Tells how many bytes the value of a field has.",
    run: hstrlen,
    ..HGET
};

fn hstrlen(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let length = find(call.unit, call.args)?.map_or(0, |field| field.value.len());
    call.reply.int(length as i64);
    Ok(())
}

/// HLEN key
pub(super) const HLEN: CommandSpec = CommandSpec {
    name: "hlen",
    arity: Arity::Exactly(2),
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::RO)]),
    summary: "Counts the fields of a hash, expired ones included that are still held.",
    syntax: "key",
    run: hlen,
    ..HGET
};

fn hlen(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let key = call.key(1);
    let length = call.unit.read_as::<Hash>(key)?.map_or(0, Hash::len);
    call.reply.int(length.cast_signed());
    Ok(())
}
