//! One bit: SETBIT and GETBIT.

use store::{EventClass, Slot};

use crate::args::integer_or;
use crate::call::{Call, Settings};
use crate::error::CommandError;
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, KeyFlags, Keys, LogForm};

/// SETBIT key offset value
pub const SETBIT: CommandSpec = CommandSpec {
    name: "setbit",
    arity: Arity::Exactly(4),
    keys: Keys::At(&[KeyAt::at(
        1,
        KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::UPDATE),
    )]),
    flags: Flags::WRITE.or(Flags::DENY_OOM),
    acl: Acl::WRITE.or(Acl::BITMAP).or(Acl::SLOW),
    log: LogForm::Verbatim,
    group: Group::Bitmap,
    since: "2.2.0",
    summary: "Sets or clears one bit of a string and gives what it was.",
    syntax: "key offset value",
    ..CommandSpec::row(setbit)
};

fn setbit(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let offset = offset(call.args.get(2), 0, call.settings)?;
    let text = "ERR bit is not an integer or out of range";
    let on = match integer_or(call.args.get(3), text)? {
        0 => false,
        1 => true,
        _ => return Err(CommandError::Fixed(text)),
    };
    let key = call.key(1);
    let (byte, mask) = ((offset / 8) as usize, 0x80 >> (offset % 8));
    let write = |bytes: &mut [u8]| {
        let was = bytes[byte] & mask != 0;
        bytes[byte] = if on {
            bytes[byte] | mask
        } else {
            bytes[byte] & !mask
        };
        was
    };
    let (was, grew) = match call.unit.slot(key) {
        Slot::Vacant(slot) => (write(slot.insert_zeroed(byte + 1)?), true),
        Slot::Occupied(mut slot) => {
            let held = slot.entry().string()?.len();
            // An integer is spelled out and a shared string copied even if the bit is as wanted:
            // OBJECT ENCODING shows it, and Redis does the same.
            (write(slot.resize_string(held.max(byte + 1))?), byte >= held)
        }
    };
    // Nothing has happened when neither bit nor length changed.
    if was != on || grew {
        call.unit.notify(EventClass::STRING, "setbit", key.bytes());
        call.unit.dirty(1);
    }
    call.reply.int(i64::from(was));
    Ok(())
}

/// GETBIT key offset
pub const GETBIT: CommandSpec = CommandSpec {
    name: "getbit",
    arity: Arity::Exactly(3),
    keys: Keys::At(&[KeyAt::read(1)]),
    flags: Flags::READONLY.or(Flags::FAST),
    acl: Acl::READ.or(Acl::BITMAP).or(Acl::FAST),
    group: Group::Bitmap,
    since: "2.2.0",
    summary: "Gives one bit of a string.",
    syntax: "key offset",
    ..CommandSpec::row(getbit)
};

fn getbit(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let offset = offset(call.args.get(2), 0, call.settings)?;
    let key = call.key(1);
    let byte = match call.unit.read_string(key)? {
        Some(value) => value
            .bytes(&mut [0; 20])
            .get((offset / 8) as usize)
            .copied(),
        None => None,
    };
    let bit = byte.unwrap_or(0) >> (7 - offset % 8) & 1;
    call.reply.int(i64::from(bit));
    Ok(())
}

/// A bit's offset, within the longest string that there may be. With `width` above zero the form
/// `#n` is known too: the n-th field of so many bits.
pub(super) fn offset(word: &[u8], width: u8, settings: &Settings) -> Result<u64, CommandError> {
    let text = "ERR bit offset is not an integer or out of range";
    let (number, scale) = match word {
        [b'#', number @ ..] if width > 0 => (number, i64::from(width)),
        number => (number, 1),
    };
    integer_or(number, text)?
        .checked_mul(scale)
        .and_then(|offset| u64::try_from(offset).ok())
        .filter(|offset| offset / 8 < settings.string_bytes_max)
        .ok_or(CommandError::Fixed(text))
}

#[cfg(test)]
mod tests {
    use crate::testing::Bench;

    #[test]
    fn one_bit() {
        let mut bench = Bench::new();
        bench.effects("SETBIT k 1 0", ":0", 1, "setbit k", "SETBIT k 1 0");
        bench.effects("SETBIT k 1 0", ":0", 0, "", "");
        bench.effects("SETBIT k 1 1", ":0", 1, "setbit k", "SETBIT k 1 1");
        bench.effects("SETBIT k 9 0", ":0", 1, "setbit k", "SETBIT k 9 0");
        bench.check("GET k", "$2 @\0");
        bench.check("GETBIT k 1", ":1");
        bench.check("GETBIT k 4294967295", ":0");
        let text = "-ERR bit offset is not an integer or out of range";
        for line in [
            "SETBIT k -1 1",
            "SETBIT k 4294967296 1",
            "GETBIT k #1",
            "GETBIT k x",
        ] {
            bench.check(line, text);
        }
        bench.check("SETBIT k 1 2", "-ERR bit is not an integer or out of range");
    }
}
