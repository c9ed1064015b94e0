//! Parts of a string: GETRANGE, SUBSTR, SETRANGE, APPEND.

use store::{EventClass, Slot, Str};

use crate::args::{clip, integer};
use crate::call::Call;
use crate::error::CommandError;
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, KeyFlags, Keys, LogForm};
use crate::string::{grown, incoming};

/// GETRANGE key start end
pub const GETRANGE: CommandSpec = CommandSpec {
    name: "getrange",
    arity: Arity::Exactly(4),
    keys: Keys::At(&[KeyAt::read(1)]),
    flags: Flags::READONLY,
    acl: Acl::READ.or(Acl::STRING).or(Acl::SLOW),
    group: Group::String,
    since: "2.4.0",
    summary: "Gives a part of a string, ends included; negative positions count from its end.",
    complexity: "O(N) for N bytes returned",
    syntax: "key start end",
    ..CommandSpec::row(getrange)
};

/// SUBSTR key start end
///
/// GETRANGE's first name.
pub const SUBSTR: CommandSpec = CommandSpec {
    name: "substr",
    since: "1.0.0",
    summary: "Gives a part of a string; the older name of GETRANGE.",
    ..GETRANGE
};

fn getrange(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let (start, end) = (integer(call.args.get(2))?, integer(call.args.get(3))?);
    let key = call.key(1);
    let value = call.unit.read_string(key)?.unwrap_or(Str::Bytes(b""));
    match (clip(start, end, value.len() as u64), value) {
        (None, _) => call.reply.bulk(b""),
        (Some((first, last)), Str::Blob(blob)) => {
            call.reply.blob(blob, first as usize..last as usize + 1);
        }
        (Some((first, last)), value) => {
            call.reply
                .bulk(&value.bytes(&mut [0; 20])[first as usize..=last as usize]);
        }
    }
    Ok(())
}

/// SETRANGE key offset value
pub const SETRANGE: CommandSpec = CommandSpec {
    name: "setrange",
    arity: Arity::Exactly(4),
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::RW.or(KeyFlags::UPDATE))]),
    flags: Flags::WRITE.or(Flags::DENY_OOM),
    acl: Acl::WRITE.or(Acl::STRING).or(Acl::SLOW),
    log: LogForm::Verbatim,
    group: Group::String,
    since: "2.2.0",
    summary: "Writes over a part of a string, which grows with zero bytes when it must.",
    complexity: "O(N) for N bytes written or added",
    syntax: "key offset value",
    ..CommandSpec::row(setrange)
};

fn setrange(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let (offset, value) = (integer(call.args.get(2))?, call.args.get(3));
    let offset = u64::try_from(offset).map_err(|_| CommandError::OffsetRange)?;
    let key = call.key(1);
    let (length, settings) = (value.len(), call.settings);
    let total = match call.unit.slot(key) {
        Slot::Vacant(slot) => {
            if value.is_empty() {
                call.reply.int(0);
                return Ok(());
            }
            let total = grown(settings, offset, length)?;
            slot.insert_zeroed(total)?[total - length..].copy_from_slice(value);
            total
        }
        Slot::Occupied(mut slot) => {
            let held = slot.entry().string()?.len();
            if value.is_empty() {
                call.reply.int(held as i64);
                return Ok(());
            }
            let end = grown(settings, offset, length)?;
            let bytes = slot.resize_string(held.max(end))?;
            bytes[end - length..end].copy_from_slice(value);
            bytes.len()
        }
    };
    call.unit
        .notify(EventClass::STRING, "setrange", key.bytes());
    call.unit.dirty(1);
    call.reply.int(total as i64);
    Ok(())
}

/// APPEND key value
pub const APPEND: CommandSpec = CommandSpec {
    name: "append",
    arity: Arity::Exactly(3),
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::RW.or(KeyFlags::INSERT))]),
    flags: Flags::WRITE.or(Flags::DENY_OOM).or(Flags::FAST),
    acl: Acl::WRITE.or(Acl::STRING).or(Acl::FAST),
    log: LogForm::Verbatim,
    group: Group::String,
    since: "2.0.0",
    summary: "Adds bytes to the end of a string; a missing key is an empty one.",
    syntax: "key value",
    ..CommandSpec::row(append)
};

fn append(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let (key, args, settings) = (call.key(1), call.args, call.settings);
    let more = args.get(2);
    let total = match call.unit.slot(key) {
        Slot::Vacant(slot) => {
            slot.insert_string(incoming(args, 2), None)?;
            more.len()
        }
        Slot::Occupied(mut slot) => {
            let held = slot.entry().string()?.len();
            let total = grown(settings, held as u64, more.len())?;
            slot.resize_string(total)?[held..].copy_from_slice(more);
            total
        }
    };
    call.unit.notify(EventClass::STRING, "append", key.bytes());
    call.unit.dirty(1);
    call.reply.int(total as i64);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::Bench;

    #[test]
    fn append_and_setrange() {
        let mut bench = Bench::new();
        bench.effects("APPEND k 12", ":2", 1, "append k", "APPEND k 12");
        bench.effects("APPEND k 3", ":3", 1, "append k", "APPEND k 3");
        bench.effects("SETRANGE k 1 x", ":3", 1, "setrange k", "SETRANGE k 1 x");
        bench.effects("SETRANGE k 5 y", ":6", 1, "setrange k", "SETRANGE k 5 y");
        bench.check("GET k", "$6 1x3\0\0y");
        bench.effects("SETRANGE k 9 \"\"", ":6", 0, "", "");
        bench.effects("SETRANGE none 9 \"\"", ":0", 0, "", "");
        bench.effects(
            "SETRANGE new 2 z",
            ":3",
            1,
            "setrange new",
            "SETRANGE new 2 z",
        );
        bench.check("SETRANGE k -1 z", "-ERR offset is out of range");
    }

    #[test]
    fn nobody_gets_too_long_a_string() {
        let mut bench = Bench::new();
        bench.settings.string_bytes_max = 10;
        let text = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)";
        bench.check("SETRANGE k 9 ab", text);
        bench.check("SETRANGE k 9223372036854775807 ab", text);
        bench.check("SETRANGE k 8 ab", ":10");
        bench.check("APPEND k c", text);
        assert_eq!(bench.contents()[0].1.len(), 10);
    }

    #[test]
    fn getrange() {
        let mut bench = Bench::new();
        bench.check("GETRANGE k 0 -1", "$0 ");
        bench.check("SET k 12345", "+OK");
        bench.check("GETRANGE k 1 3", "$3 234");
        bench.check("GETRANGE k -100 -101", "$0 ");
        bench.check("SUBSTR k -2 100", "$2 45");
        bench.check(
            "GETRANGE k a 1",
            "-ERR value is not an integer or out of range",
        );
    }
}
