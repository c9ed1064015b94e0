//! Strings as numbers: INCR, DECR, INCRBY, DECRBY, INCRBYFLOAT.

use store::{Deadline, EventClass, NewStr, Slot};

use crate::args::integer;
use crate::call::Call;
use crate::error::CommandError;
use crate::extended::Extended;
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, KeyFlags, Keys, LogForm};
use crate::string::set::log_set;

/// INCR key
pub const INCR: CommandSpec = CommandSpec {
    name: "incr",
    arity: Arity::Exactly(2),
    keys: Keys::At(&[KeyAt::at(
        1,
        KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::UPDATE),
    )]),
    flags: Flags::WRITE.or(Flags::DENY_OOM).or(Flags::FAST),
    acl: Acl::WRITE.or(Acl::STRING).or(Acl::FAST),
    log: LogForm::Verbatim,
    group: Group::String,
    since: "1.0.0",
    summary: "Adds one to the integer that a string spells; a missing key is 0.",
    syntax: "key",
    ..CommandSpec::row(incr)
};

fn incr(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    add(call, 1)
}

/// DECR key
pub const DECR: CommandSpec = CommandSpec {
    name: "decr",
    summary: "Takes one from the integer that a string spells; a missing key is 0.",
    run: decr,
    ..INCR
};

fn decr(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    add(call, -1)
}

/// INCRBY key increment
pub const INCRBY: CommandSpec = CommandSpec {
    name: "incrby",
    arity: Arity::Exactly(3),
    summary: "Adds to the integer that a string spells; a missing key is 0.",
    syntax: "key increment",
    run: incrby,
    ..INCR
};

fn incrby(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let by = integer(call.args.get(2))?;
    add(call, by)
}

/// DECRBY key decrement
pub const DECRBY: CommandSpec = CommandSpec {
    name: "decrby",
    summary: "Takes from the integer that a string spells; a missing key is 0.",
    syntax: "key decrement",
    run: decrby,
    ..INCRBY
};

fn decrby(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let by = integer(call.args.get(2))?
        .checked_neg()
        .ok_or(CommandError::Fixed("ERR decrement would overflow"))?;
    add(call, by)
}

/// Adds to word 1's integer and replies with the sum.
fn add(call: &mut Call<'_, '_>, by: i64) -> Result<(), CommandError> {
    let key = call.key(1);
    let sum = match call.unit.slot(key) {
        Slot::Occupied(mut slot) => {
            let held = slot
                .entry()
                .string()?
                .as_int()
                .ok_or(CommandError::NotInteger)?;
            let sum = held.checked_add(by).ok_or(CommandError::Overflow)?;
            slot.set_string(NewStr::Int(sum), Deadline::Keep)?;
            sum
        }
        Slot::Vacant(slot) => {
            slot.insert_string(NewStr::Int(by), None)?;
            by
        }
    };
    call.unit.notify(EventClass::STRING, "incrby", key.bytes());
    call.unit.dirty(1);
    call.reply.int(sum);
    Ok(())
}

/// INCRBYFLOAT key increment
///
/// Logged as the SET of its result, so that a replica with other floats arrives at the same text.
pub const INCRBYFLOAT: CommandSpec = CommandSpec {
    name: "incrbyfloat",
    log: LogForm::Effects,
    since: "2.6.0",
    summary: "Adds to the number that a string spells, with the precision of 80-bit floats.",
    run: incrbyfloat,
    ..INCRBY
};

fn incrbyfloat(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let (key, by) = (call.key(1), Extended::parse(call.args.get(2)));
    let text = match call.unit.slot(key) {
        // What the key holds is judged before the argument is, as Redis does.
        Slot::Occupied(mut slot) => {
            let held = Extended::of(slot.entry().string()?).ok_or(CommandError::NotFloat)?;
            let text = finite(held.plus(by.ok_or(CommandError::NotFloat)?))?;
            slot.set_string(NewStr::Bytes(&text), Deadline::Keep)?;
            text
        }
        Slot::Vacant(slot) => {
            let text = finite(by.ok_or(CommandError::NotFloat)?)?;
            slot.insert_string(NewStr::Bytes(&text), None)?;
            text
        }
    };
    call.unit
        .notify(EventClass::STRING, "incrbyfloat", key.bytes());
    call.unit.dirty(1);
    call.reply.bulk(&text);
    log_set(call, key.bytes(), &text, Deadline::Keep);
    Ok(())
}

fn finite(sum: Extended) -> Result<Vec<u8>, CommandError> {
    if sum.is_finite() {
        Ok(sum.text())
    } else {
        Err(CommandError::NanOrInfinity)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::Bench;

    #[test]
    fn integers() {
        let mut bench = Bench::new();
        bench.effects("INCR k", ":1", 1, "incrby k", "INCR k");
        bench.effects("INCRBY k 9", ":10", 1, "incrby k", "INCRBY k 9");
        bench.effects("DECR k", ":9", 1, "incrby k", "DECR k");
        bench.effects("DECRBY k -1", ":10", 1, "incrby k", "DECRBY k -1");
        let overflow = "-ERR increment or decrement would overflow";
        bench.effects("INCRBY k 9223372036854775807", overflow, 0, "", "");
        bench.check(
            "DECRBY k -9223372036854775808",
            "-ERR decrement would overflow",
        );
        bench.check("SET k x", "+OK");
        bench.check("INCR k", "-ERR value is not an integer or out of range");
        bench.check("INCRBY k x", "-ERR value is not an integer or out of range");
    }

    #[test]
    fn floats() {
        let mut bench = Bench::new();
        let log = "SET k 10.5 KEEPTTL";
        bench.effects("INCRBYFLOAT k 10.5", "$4 10.5", 1, "incrbyfloat k", log);
        let log = "SET k 10.6 KEEPTTL";
        bench.effects("INCRBYFLOAT k 0.1", "$4 10.6", 1, "incrbyfloat k", log);
        bench.check(
            "INCRBYFLOAT k inf",
            "-ERR increment would produce NaN or Infinity",
        );
        bench.check("INCRBYFLOAT k x", "-ERR value is not a valid float");
        bench.check("SET k x", "+OK");
        bench.check("INCRBYFLOAT k 1", "-ERR value is not a valid float");
    }
}
