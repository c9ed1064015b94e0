//! HINCRBY, HINCRBYFLOAT: fields as numbers.

use store::{EventClass, FieldDeadline, Hash, Slot};

use crate::args::integer;
use crate::extended::Extended;
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, KeyFlags, Keys, LogForm};
use crate::{Call, CommandError};

const NOT_INTEGER: CommandError = CommandError::Fixed("ERR hash value is not an integer");
const NOT_FLOAT: CommandError = CommandError::Fixed("ERR hash value is not a float");
const NOT_FINITE: CommandError = CommandError::Fixed("ERR value is NaN or Infinity");

/// HINCRBY key field increment
pub(super) const HINCRBY: CommandSpec = CommandSpec {
    name: "hincrby",
    arity: Arity::Exactly(4),
    keys: Keys::At(&[KeyAt::at(
        1,
        KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::UPDATE),
    )]),
    flags: Flags::WRITE.or(Flags::DENY_OOM).or(Flags::FAST),
    acl: Acl::HASH.or(Acl::WRITE).or(Acl::FAST),
    log: LogForm::Verbatim,
    group: Group::Hash,
    since: "2.0.0",
    summary: "Adds to the integer that a field spells; a missing field is 0.",
    syntax: "key field increment",
    ..CommandSpec::row(hincrby)
};

fn hincrby(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let by = integer(call.args.get(3))?;
    let mut sum = 0;
    change(call, |held| {
        sum = match held {
            Some(held) => {
                let held = resp::number::parse_i64(held).ok_or(NOT_INTEGER)?;
                held.checked_add(by).ok_or(CommandError::Overflow)?
            }
            None => by,
        };
        Ok(resp::number::format_i64(sum, &mut [0; 20]).to_vec())
    })?;
    let key = call.key(1);
    call.unit.notify(EventClass::HASH, "hincrby", key.bytes());
    call.unit.dirty(1);
    call.reply.int(sum);
    Ok(())
}

/// HINCRBYFLOAT key field increment
///
/// Logged as the HSET of its result, or, where that would take the field's time away, as the HSETEX
/// that keeps it: a replica with other floats arrives at the same text.
pub(super) const HINCRBYFLOAT: CommandSpec = CommandSpec {
    name: "hincrbyfloat",
    log: LogForm::Effects,
    since: "2.6.0",
    summary: "Adds to the number that a field spells, with the precision of 80-bit floats.",
    run: hincrbyfloat,
    ..HINCRBY
};

fn hincrbyfloat(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let by = Extended::parse(call.args.get(3)).ok_or(CommandError::NotFloat)?;
    if !by.is_finite() {
        return Err(NOT_FINITE);
    }
    let mut text = Vec::new();
    let has_deadline = change(call, |held| {
        let sum = match held {
            Some(held) => Extended::parse(held).ok_or(NOT_FLOAT)?.plus(by),
            None => by,
        };
        if !sum.is_finite() {
            return Err(CommandError::NanOrInfinity);
        }
        text = sum.text();
        Ok(text.clone())
    })?;
    let (key, name) = (call.key(1).bytes(), call.args.get(2));
    call.unit.notify(EventClass::HASH, "hincrbyfloat", key);
    call.unit.dirty(1);
    if has_deadline {
        let words: [&[u8]; 7] = [b"HSETEX", key, b"KEEPTTL", b"FIELDS", b"1", name, &text];
        call.unit.log(&words);
    } else {
        call.unit.log(&[b"HSET", key, name, &text]);
    }
    call.reply.bulk(&text);
    Ok(())
}

/// Replaces the value of the field that word 2 names by what `next` makes of it; whether the field
/// has a deadline, which stays.
fn change(
    call: &mut Call<'_, '_>,
    mut next: impl FnMut(Option<&[u8]>) -> Result<Vec<u8>, CommandError>,
) -> Result<bool, CommandError> {
    let (key, name) = (call.key(1), call.args.get(2));
    let (limits, now_ms) = (&call.settings.limits, call.unit.expiry_ms());
    call.unit.expire_fields(key, std::iter::once(name));
    match call.unit.slot(key) {
        Slot::Vacant(at) => {
            let mut hash = Hash::new();
            hash.set(name, &next(None)?, FieldDeadline::Clear, limits)?;
            at.insert(hash, None)?;
            Ok(false)
        }
        Slot::Occupied(mut at) => at.edit(|hash: &mut Hash| {
            let held = hash.get(name, now_ms);
            let has_deadline = held.is_some_and(|field| field.deadline.is_some());
            let mut spelled = [0; 20];
            let value = next(held.as_ref().map(|field| field.value.bytes(&mut spelled)))?;
            let deadline = if has_deadline {
                FieldDeadline::Keep
            } else {
                FieldDeadline::Clear
            };
            hash.set(name, &value, deadline, limits)?;
            Ok::<_, CommandError>((has_deadline, true))
        }),
    }
}
