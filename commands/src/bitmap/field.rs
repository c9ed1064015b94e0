//! BITFIELD: a string as a row of integers of any width, at any bit.
//!
//! ```text
//!   type    u1 … u63, i1 … i64        offset   a bit, or #n: the n-th field of this width
//!
//!   bit      0        8        16
//!            |--------|--------|---     u10 at 5:  bits 5..=14, the highest first
//!                 ^^^^^^^^^^
//! ```
//!
//! All operations are read before the first is done, and the string is made long enough for the
//! furthest write at once. A field that would leave its type does as OVERFLOW said last: WRAP
//! keeps the low bits, SAT stays at the nearest limit, FAIL leaves the field alone and answers
//! null. Arithmetic is done in 128 bits, where nothing overflows.
//!
//! I1  a field reaches over nine bytes at most. I2  what lies behind the string's end reads as 0.
//!
//! Checked by: tests below (every width and offset against single bits).

use store::{EventClass, Slot, Str};

use crate::args::{Words, integer, is};
use crate::bitmap::bit::offset;
use crate::call::{Call, Settings};
use crate::error::CommandError;
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, KeyFlags, Keys, LogForm};

/// BITFIELD key [GET encoding offset | [OVERFLOW …] <SET … | INCRBY …> …]
pub const BITFIELD: CommandSpec = CommandSpec {
    name: "bitfield",
    arity: Arity::AtLeast(2),
    keys: Keys::At(&[KeyAt::at(
        1,
        KeyFlags::RW
            .or(KeyFlags::ACCESS)
            .or(KeyFlags::UPDATE)
            .or(KeyFlags::VARIABLE_FLAGS),
    )]),
    flags: Flags::WRITE.or(Flags::DENY_OOM),
    acl: Acl::WRITE.or(Acl::BITMAP).or(Acl::SLOW),
    log: LogForm::Verbatim,
    group: Group::Bitmap,
    since: "3.2.0",
    summary: "Reads, writes and adds to integers of any width inside of a string.",
    complexity: "O(1) for each operation",
    syntax: "key [GET encoding offset | [OVERFLOW <WRAP | SAT | FAIL>] <SET encoding offset value | INCRBY encoding offset increment> [GET encoding offset | [OVERFLOW <WRAP | SAT | FAIL>] <SET encoding offset value | INCRBY encoding offset increment> ...]]",
    ..CommandSpec::row(bitfield)
};

/// BITFIELD_RO key [GET encoding offset [GET encoding offset ...]]
pub const BITFIELD_RO: CommandSpec = CommandSpec {
    name: "bitfield_ro",
    keys: Keys::At(&[KeyAt::read(1)]),
    flags: Flags::READONLY.or(Flags::FAST),
    acl: Acl::READ.or(Acl::BITMAP).or(Acl::FAST),
    log: LogForm::None,
    since: "6.0.0",
    summary: "Reads integers of any width inside of a string.",
    syntax: "key [GET encoding offset [GET encoding offset ...]]",
    run: bitfield_ro,
    ..BITFIELD
};

fn bitfield(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let steps = read_steps(Words::from(call.args, 2), call.settings)?;
    run(call, &steps)
}

fn bitfield_ro(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let steps = read_steps(Words::from(call.args, 2), call.settings)?;
    if steps.iter().any(|step| step.action != Action::Get) {
        return Err(CommandError::Fixed(
            "ERR BITFIELD_RO only supports the GET subcommand",
        ));
    }
    run(call, &steps)
}

/// What becomes of a value that its type cannot hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Overflow {
    Wrap,
    Sat,
    Fail,
}

/// What is done to a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Get,
    Set(i64),
    IncrBy(i64),
}

/// Where a field lies and how its bits are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Field {
    signed: bool,
    bits: u8,
    offset: u64,
}

/// One operation.
#[derive(Clone, Copy, Debug)]
struct Step {
    field: Field,
    action: Action,
    overflow: Overflow,
}

fn read_steps(mut words: Words<'_>, settings: &Settings) -> Result<Vec<Step>, CommandError> {
    let mut overflow = Overflow::Wrap;
    let mut steps = Vec::new();
    while let Some(word) = words.next() {
        let operands = match word {
            word if is(word, "GET") => 2,
            word if is(word, "SET") || is(word, "INCRBY") => 3,
            word if is(word, "OVERFLOW") => {
                overflow = read_overflow(words.value()?)?;
                continue;
            }
            _ => return Err(CommandError::Syntax),
        };
        if words.left() < operands {
            return Err(CommandError::Syntax);
        }
        let (signed, bits) = read_type(words.value()?)?;
        let field = Field {
            signed,
            bits,
            offset: offset(words.value()?, bits, settings)?,
        };
        let action = match word {
            _ if operands == 2 => Action::Get,
            word if is(word, "SET") => Action::Set(integer(words.value()?)?),
            _ => Action::IncrBy(integer(words.value()?)?),
        };
        steps.push(Step {
            field,
            action,
            overflow,
        });
    }
    Ok(steps)
}

fn read_overflow(word: &[u8]) -> Result<Overflow, CommandError> {
    match word {
        word if is(word, "WRAP") => Ok(Overflow::Wrap),
        word if is(word, "SAT") => Ok(Overflow::Sat),
        word if is(word, "FAIL") => Ok(Overflow::Fail),
        _ => Err(CommandError::Fixed("ERR Invalid OVERFLOW type specified")),
    }
}

/// `u8`, `i16`: signed or not, and how many bits. The letter is lower case, as in Redis.
fn read_type(word: &[u8]) -> Result<(bool, u8), CommandError> {
    let text = "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.";
    let (signed, digits) = match word {
        [b'i', digits @ ..] => (true, digits),
        [b'u', digits @ ..] => (false, digits),
        _ => return Err(CommandError::Fixed(text)),
    };
    let widest = if signed { 64 } else { 63 };
    match resp::number::parse_i64(digits) {
        Some(bits) if (1..=widest).contains(&bits) => Ok((signed, bits as u8)),
        _ => Err(CommandError::Fixed(text)),
    }
}

fn run(call: &mut Call<'_, '_>, steps: &[Step]) -> Result<(), CommandError> {
    let key = call.key(1);
    let writes = steps.iter().filter(|step| step.action != Action::Get);
    let Some(last) = writes.map(|step| step.field.last_bit()).max() else {
        let mut room = [0; 20];
        let held = call.unit.read_string(key)?.unwrap_or(Str::Bytes(b""));
        let bytes = held.bytes(&mut room);
        call.reply.array(steps.len());
        for step in steps {
            call.reply.int(step.field.get(bytes) as i64);
        }
        return Ok(());
    };
    let needed = (last / 8) as usize + 1;
    let mut answers = Vec::with_capacity(steps.len());
    let (changes, grew) = match call.unit.slot(key) {
        Slot::Vacant(slot) => {
            let bytes = slot.insert_zeroed(needed)?;
            (apply(steps, bytes, true, &mut answers), true)
        }
        Slot::Occupied(mut slot) => {
            let held = slot.entry().string()?.len();
            let bytes = slot.resize_string(held.max(needed))?;
            let grew = needed > held;
            (apply(steps, bytes, grew, &mut answers), grew)
        }
    };
    call.reply.array(answers.len());
    for answer in answers {
        match answer {
            Some(value) => call.reply.int(value),
            None => call.reply.null(),
        }
    }
    if changes > 0 {
        call.unit.notify(EventClass::STRING, "setbit", key.bytes());
    }
    // A string that grew has changed even if every write was refused (OVERFLOW FAIL); Redis does
    // not tell its replicas of that.
    call.unit.dirty(changes.max(u64::from(grew)));
    Ok(())
}

/// Does the operations in order; gives how many writes changed something. In a string that grew
/// every write that is not refused counts, as in Redis.
fn apply(steps: &[Step], bytes: &mut [u8], grew: bool, answers: &mut Vec<Option<i64>>) -> u64 {
    let mut changes = 0;
    for step in steps {
        let old = step.field.get(bytes);
        let (wanted, answers_old) = match step.action {
            Action::Get => {
                answers.push(Some(old as i64));
                continue;
            }
            Action::Set(value) => (step.field.operand(value), true),
            Action::IncrBy(by) => (old + i128::from(by), false),
        };
        let new = step.field.fit(wanted, step.overflow);
        answers.push(new.map(|new| if answers_old { old } else { new } as i64));
        if let Some(new) = new {
            step.field.put(bytes, new);
            changes += u64::from(grew || new != old);
        }
    }
    changes
}

impl Field {
    fn last_bit(self) -> u64 {
        self.offset + u64::from(self.bits) - 1
    }

    /// SET's operand as this type reads it: for an unsigned field, a negative one is the large
    /// number that has the same 64 bits.
    fn operand(self, value: i64) -> i128 {
        if self.signed {
            i128::from(value)
        } else {
            i128::from(value as u64)
        }
    }

    /// The lowest and the highest value.
    fn limits(self) -> (i128, i128) {
        let bits = u32::from(self.bits);
        if self.signed {
            (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
        } else {
            (0, (1 << bits) - 1)
        }
    }

    /// The value as the type can hold it, or `None` for a refusal.
    fn fit(self, value: i128, overflow: Overflow) -> Option<i128> {
        let (low, high) = self.limits();
        if (low..=high).contains(&value) {
            return Some(value);
        }
        match overflow {
            Overflow::Wrap => Some(self.interpret(value as u64 & self.mask())),
            Overflow::Sat => Some(value.clamp(low, high)),
            Overflow::Fail => None,
        }
    }

    fn mask(self) -> u64 {
        u64::MAX >> (64 - self.bits)
    }

    /// The low bits as a value of this type.
    fn interpret(self, raw: u64) -> i128 {
        let (value, high) = (i128::from(raw), self.limits().1);
        if self.signed && value > high {
            value - (1 << self.bits)
        } else {
            value
        }
    }

    fn get(self, bytes: &[u8]) -> i128 {
        let first = (self.offset / 8) as usize;
        let mut window = 0u128;
        for i in 0..9 {
            window = window << 8 | u128::from(bytes.get(first + i).copied().unwrap_or(0));
        }
        let below = 72 - (self.offset % 8) as u32 - u32::from(self.bits);
        self.interpret((window >> below) as u64 & self.mask())
    }

    /// Writes the field; it lies inside of `bytes`.
    fn put(self, bytes: &mut [u8], value: i128) {
        let (first, last) = ((self.offset / 8) as usize, (self.last_bit() / 8) as usize);
        let below = 7 - (self.last_bit() % 8) as u32;
        let mask = u128::from(self.mask()) << below;
        let new = u128::from(value as u64 & self.mask()) << below;
        for (i, byte) in bytes[first..=last].iter_mut().rev().enumerate() {
            let (mask, new) = ((mask >> (8 * i)) as u8, (new >> (8 * i)) as u8);
            *byte = *byte & !mask | new;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Bench;

    fn field(kind: &str, offset: u64) -> Field {
        let (signed, bits) = read_type(kind.as_bytes()).expect("a type");
        Field {
            signed,
            bits,
            offset,
        }
    }

    #[test]
    fn every_width_at_every_bit() {
        for bits in 1..=64u8 {
            for offset in 0..16 {
                let field = Field {
                    signed: bits == 64,
                    bits,
                    offset,
                };
                let mut bytes = vec![0xa5; 12];
                let (low, high) = field.limits();
                for value in [0, high, low, high / 3] {
                    let before = bytes.clone();
                    field.put(&mut bytes, value);
                    assert_eq!(field.get(&bytes), value, "{field:?}");
                    let bit = |row: &[u8], at: u64| row[at as usize / 8] >> (7 - at % 8) & 1;
                    for at in (0..96).filter(|at| !(offset..=field.last_bit()).contains(at)) {
                        assert_eq!(bit(&bytes, at), bit(&before, at), "{field:?} bit {at}");
                    }
                }
            }
        }
    }

    #[test]
    fn overflow_modes() {
        let check = |kind: &str, value: i128, expected: [Option<i128>; 3]| {
            let modes = [Overflow::Wrap, Overflow::Sat, Overflow::Fail];
            assert_eq!(
                modes.map(|mode| field(kind, 0).fit(value, mode)),
                expected,
                "{kind} {value}"
            );
        };
        check("u2", 3, [Some(3); 3]);
        check("u2", 4, [Some(0), Some(3), None]);
        check("u2", -1, [Some(3), Some(0), None]);
        check("i8", 128, [Some(-128), Some(127), None]);
        check("i8", -129, [Some(127), Some(-128), None]);
        check(
            "i64",
            i128::from(i64::MAX) + 1,
            [Some(i64::MIN.into()), Some(i64::MAX.into()), None],
        );
        check("u63", 1 << 63, [Some(0), Some((1 << 63) - 1), None]);
    }

    #[test]
    fn types() {
        for bad in [
            "", "i", "u", "u0", "u64", "i65", "I8", "u8x", "8", "u-1", "u01",
        ] {
            assert!(read_type(bad.as_bytes()).is_err(), "{bad}");
        }
        assert_eq!(read_type(b"i64").ok(), Some((true, 64)));
    }

    #[test]
    fn behind_the_end_there_are_zeros() {
        assert_eq!(field("u16", 8).get(&[1, 2]), 0x0200);
        assert_eq!(field("u16", 800).get(&[1, 2]), 0);
    }

    #[test]
    fn replies_and_effects() {
        let mut bench = Bench::new();
        bench.effects("BITFIELD k GET u8 0", "*1 :0", 0, "", "");
        bench.effects(
            "BITFIELD k SET u8 0 255 GET i8 0",
            "*2 :0 :-1",
            1,
            "setbit k",
            "BITFIELD k SET u8 0 255 GET i8 0",
        );
        bench.effects("BITFIELD k SET u8 0 255", "*1 :255", 0, "", "");
        let line = "BITFIELD k OVERFLOW SAT INCRBY u8 #0 5 OVERFLOW FAIL INCRBY u8 0 5";
        bench.effects(line, "*2 :255 $-1", 0, "", "");
        bench.check("BITFIELD_RO k GET u4 #1", "*1 :15");
        bench.check(
            "BITFIELD_RO k SET u8 0 1",
            "-ERR BITFIELD_RO only supports the GET subcommand",
        );
        bench.check(
            "BITFIELD k OVERFLOW MAYBE",
            "-ERR Invalid OVERFLOW type specified",
        );
        bench.check("BITFIELD k GET u8", "-ERR syntax error");
        bench.check(
            "BITFIELD k GET u8 -1",
            "-ERR bit offset is not an integer or out of range",
        );
        bench.check(
            "BITFIELD k SET u8 0 x",
            "-ERR value is not an integer or out of range",
        );
    }
}
