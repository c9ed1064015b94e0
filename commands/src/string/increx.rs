//! INCREX: a counter with bounds and a deadline, for rate limits and stocks.
//!
//! ```text
//!   options ──▶ Counting<i64> or Counting<Extended> ──▶ verdict(held) ─┬─▶ Leave: [held, 0], nothing changes
//!                                                                      └─▶ Set(new): [new, new - held]
//! ```
//!
//! A sum outside of the bounds, or of the type, leaves the key and its deadline as they are;
//! with SATURATE it is moved to the bound instead. What the key held before is never judged: a
//! step that brings it back inside is taken.

use std::cmp::Ordering;

use store::{Deadline, EventClass, NewStr, Slot};

use crate::args::{Ttl, TtlWords, Words, is};
use crate::call::Call;
use crate::error::CommandError;
use crate::extended::Extended;
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, KeyFlags, Keys, LogForm};
use crate::string::set::log_set;
use crate::string::{overwrite, remove_passed};

/// INCREX key [BYFLOAT … | BYINT …] [LBOUND …] [UBOUND …] [SATURATE] [EX … | PERSIST] [ENX] [NX | XX]
pub const INCREX: CommandSpec = CommandSpec {
    name: "increx",
    arity: Arity::AtLeast(2),
    keys: Keys::At(&[KeyAt::at(
        1,
        KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::UPDATE),
    )]),
    flags: Flags::WRITE.or(Flags::DENY_OOM).or(Flags::FAST),
    acl: Acl::WRITE.or(Acl::STRING).or(Acl::FAST),
    log: LogForm::Effects,
    group: Group::String,
    since: "8.8.0",
    summary: "Adds to a number within bounds and sets or clears the key's deadline.",
    syntax: "key [BYFLOAT float | BYINT integer] [LBOUND lowerbound] [UBOUND upperbound] [SATURATE] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST] [ENX] [NX | XX]",
    ..CommandSpec::row(increx)
};

/// The options as they were said.
#[derive(Default)]
struct Said<'a> {
    by_int: Option<&'a [u8]>,
    by_float: Option<&'a [u8]>,
    lower: Option<&'a [u8]>,
    upper: Option<&'a [u8]>,
    saturate: bool,
    ttl: Ttl<'a>,
    only_without_ttl: bool,
    /// NX (false) or XX (true).
    must_exist: Option<bool>,
}

impl<'a> Said<'a> {
    fn read(mut words: Words<'a>) -> Result<Said<'a>, CommandError> {
        let known = TtlWords {
            keep: false,
            persist: true,
            repeats: false,
        };
        let mut said = Said::default();
        while let Some(word) = words.next() {
            let place = match word {
                word if is(word, "BYINT") => &mut said.by_int,
                word if is(word, "BYFLOAT") => &mut said.by_float,
                word if is(word, "LBOUND") => &mut said.lower,
                word if is(word, "UBOUND") => &mut said.upper,
                word if is(word, "SATURATE") => {
                    once(&mut said.saturate)?;
                    continue;
                }
                word if is(word, "ENX") => {
                    once(&mut said.only_without_ttl)?;
                    continue;
                }
                word if is(word, "NX") || is(word, "XX") => {
                    if said.must_exist.replace(is(word, "XX")).is_some() {
                        return Err(CommandError::Syntax);
                    }
                    continue;
                }
                word if said.ttl.take(word, &mut words, known)? => continue,
                _ => return Err(CommandError::Syntax),
            };
            if place.replace(words.value()?).is_some() {
                return Err(CommandError::Syntax);
            }
        }
        let persists_and_enx = said.ttl == Ttl::Persist && said.only_without_ttl;
        if persists_and_enx || (said.by_int.is_some() && said.by_float.is_some()) {
            return Err(CommandError::Syntax);
        }
        if said.only_without_ttl && said.ttl == Ttl::Unsaid {
            return Err(CommandError::Fixed("ERR ENX flag requires an expiration"));
        }
        Ok(said)
    }
}

/// A word that may be said once.
fn once(flag: &mut bool) -> Result<(), CommandError> {
    if std::mem::replace(flag, true) {
        Err(CommandError::Syntax)
    } else {
        Ok(())
    }
}

/// What to count by, and within what.
#[derive(Clone, Copy)]
struct Counting<N> {
    by: N,
    lower: N,
    upper: N,
    saturate: bool,
}

/// What comes of a step: the value and how far it is from the one before, or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict<N> {
    Leave,
    Set { value: N, applied: N },
}

impl Counting<i64> {
    fn read(said: &Said<'_>) -> Result<Self, CommandError> {
        let number = |word: Option<&[u8]>, absent: i64, text: &'static str| {
            word.map_or(Ok(absent), |word| crate::args::integer_or(word, text))
        };
        let by = number(
            said.by_int,
            1,
            "ERR Increment is not an integer or out of range",
        )?;
        let lower = number(
            said.lower,
            i64::MIN,
            "ERR LBOUND is not an integer or out of range",
        )?;
        let upper = number(
            said.upper,
            i64::MAX,
            "ERR UBOUND is not an integer or out of range",
        )?;
        if lower > upper {
            return Err(CROSSED);
        }
        Ok(Counting {
            by,
            lower,
            upper,
            saturate: said.saturate,
        })
    }

    fn verdict(self, held: i64) -> Verdict<i64> {
        let sum = i128::from(held) + i128::from(self.by);
        let clamped = sum.clamp(i128::from(self.lower), i128::from(self.upper));
        if clamped != sum && !self.saturate {
            return Verdict::Leave;
        }
        let value = i64::try_from(clamped).expect("clamped to two 64-bit bounds");
        // A bound may be further from the held value than 64 bits tell.
        Verdict::Set {
            value,
            applied: value.saturating_sub(held),
        }
    }
}

impl Counting<Extended> {
    fn read(said: &Said<'_>, by: &[u8]) -> Result<Self, CommandError> {
        let (lowest, largest) = Extended::limits();
        let number = |word: Option<&[u8]>, absent: Extended, text: &'static str| {
            word.map_or(Some(absent), Extended::parse)
                .filter(|value| value.is_finite())
                .ok_or(CommandError::Fixed(text))
        };
        let by = number(
            Some(by),
            Extended::ZERO,
            "ERR Increment is not a valid float",
        )?;
        let lower = number(said.lower, lowest, "ERR LBOUND is not a valid float")?;
        let upper = number(said.upper, largest, "ERR UBOUND is not a valid float")?;
        if lower.compare(upper) == Some(Ordering::Greater) {
            return Err(CROSSED);
        }
        Ok(Counting {
            by,
            lower,
            upper,
            saturate: said.saturate,
        })
    }

    fn verdict(self, held: Extended) -> Verdict<Extended> {
        let sum = held.plus(self.by);
        // A sum beyond the type is an infinity and so beyond every bound.
        let value = if sum.compare(self.upper) == Some(Ordering::Greater) {
            self.upper
        } else if sum.compare(self.lower) == Some(Ordering::Less) {
            self.lower
        } else {
            return Verdict::Set {
                value: sum,
                applied: self.by,
            };
        };
        if !self.saturate {
            return Verdict::Leave;
        }
        let (lowest, largest) = Extended::limits();
        let applied = value.minus(held);
        let applied = match applied.is_finite() {
            true => applied,
            false if applied.is_negative() => lowest,
            false => largest,
        };
        Verdict::Set { value, applied }
    }
}

const CROSSED: CommandError = CommandError::Fixed("ERR LBOUND can't be greater than UBOUND");

fn increx(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let said = Said::read(Words::from(call.args, 2))?;
    let at = said.ttl.deadline("increx", call.unit.now_ms())?;
    match said.by_float {
        None => {
            let counting = <Counting<i64>>::read(&said)?;
            let key = call.key(1);
            let held = match held(call, &said)? {
                Held::Excluded => return Ok(()),
                Held::Missing => 0,
                Held::There => match call.unit.look_string(key)? {
                    Some(value) => value.as_int().ok_or(CommandError::NotInteger)?,
                    None => 0,
                },
            };
            let (value, applied) = match counting.verdict(held) {
                Verdict::Leave => (held, 0),
                Verdict::Set { value, applied } => {
                    let mut text = [0; 20];
                    let text = resp::number::format_i64(value, &mut text);
                    put(call, &said, at, NewStr::Int(value), text, "incrby")?;
                    (value, applied)
                }
            };
            call.reply.array(2);
            call.reply.int(value);
            call.reply.int(applied);
        }
        Some(by) => {
            let counting = <Counting<Extended>>::read(&said, by)?;
            let key = call.key(1);
            let held = match held(call, &said)? {
                Held::Excluded => return Ok(()),
                Held::Missing => Extended::ZERO,
                Held::There => match call.unit.look_string(key)? {
                    Some(value) => Extended::of(value)
                        .filter(|value| value.is_finite())
                        .ok_or(CommandError::NotFloat)?,
                    None => Extended::ZERO,
                },
            };
            let (value, applied) = match counting.verdict(held) {
                Verdict::Leave => (held.text(), Extended::ZERO),
                Verdict::Set { value, applied } => {
                    let text = value.text();
                    put(call, &said, at, NewStr::Bytes(&text), &text, "incrbyfloat")?;
                    (text, applied)
                }
            };
            call.reply.array(2);
            say_float(call, &value);
            say_float(call, &applied.text());
        }
    }
    Ok(())
}

/// What there is to count from.
enum Held {
    /// NX or XX forbids it; the reply has been made.
    Excluded,
    Missing,
    There,
}

fn held(call: &mut Call<'_, '_>, said: &Said<'_>) -> Result<Held, CommandError> {
    let key = call.key(1);
    let exists = match call.unit.slot(key) {
        Slot::Occupied(_) => true,
        Slot::Vacant(_) => false,
    };
    if said.must_exist.is_some_and(|wanted| wanted != exists) {
        call.reply.null();
        return Ok(Held::Excluded);
    }
    Ok(if exists { Held::There } else { Held::Missing })
}

/// Stores the new value with what becomes of the deadline.
fn put(
    call: &mut Call<'_, '_>,
    said: &Said<'_>,
    at: Option<i64>,
    value: NewStr<'_>,
    text: &[u8],
    event: &'static str,
) -> Result<(), CommandError> {
    let (key, now) = (call.key(1), call.unit.expiry_ms());
    let had = call
        .unit
        .look(key)
        .and_then(|entry| entry.deadline())
        .is_some();
    let deadline = match at {
        Some(_) if said.only_without_ttl && had => Deadline::Keep,
        Some(at) => Deadline::At(at),
        None if said.ttl == Ttl::Persist => Deadline::Clear,
        None => Deadline::Keep,
    };
    if matches!(deadline, Deadline::At(at) if at <= now) {
        remove_passed(call, key);
        return Ok(());
    }
    overwrite(call.unit, key, value, deadline)?;
    call.unit.notify(EventClass::STRING, event, key.bytes());
    match deadline {
        Deadline::At(_) => call.unit.notify(EventClass::GENERIC, "expire", key.bytes()),
        Deadline::Clear if had => call
            .unit
            .notify(EventClass::GENERIC, "persist", key.bytes()),
        Deadline::Clear | Deadline::Keep => {}
    }
    call.unit.dirty(1);
    log_set(call, key.bytes(), text, deadline);
    Ok(())
}

/// A float that is wider than RESP3's doubles, in the text that is stored.
fn say_float(call: &mut Call<'_, '_>, text: &[u8]) {
    match call.reply.proto() {
        resp::Proto::Resp2 => call.reply.bulk(text),
        resp::Proto::Resp3 => {
            call.reply.raw(b",");
            call.reply.raw(text);
            call.reply.raw(b"\r\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Bench;

    fn check(held: i64, by: i64, bounds: (i64, i64), saturate: bool, expected: Option<(i64, i64)>) {
        let counting = Counting {
            by,
            lower: bounds.0,
            upper: bounds.1,
            saturate,
        };
        let expected = match expected {
            None => Verdict::Leave,
            Some((value, applied)) => Verdict::Set { value, applied },
        };
        assert_eq!(
            counting.verdict(held),
            expected,
            "{held} + {by} in {bounds:?}"
        );
    }

    #[test]
    fn steps_within_and_beyond_the_bounds() {
        const ALL: (i64, i64) = (i64::MIN, i64::MAX);
        check(10, 3, ALL, false, Some((13, 3)));
        check(10, 10, (0, 15), false, None);
        check(10, 10, (0, 15), true, Some((15, 5)));
        check(10, -20, (0, 15), true, Some((0, -10)));
        check(50, 5, (0, 30), false, None);
        check(50, 5, (0, 30), true, Some((30, -20)));
        check(50, -25, (0, 30), false, Some((25, -25)));
        check(i64::MAX - 7, i64::MAX, ALL, false, None);
        check(i64::MAX - 7, i64::MAX, ALL, true, Some((i64::MAX, 7)));
        check(i64::MIN + 8, i64::MIN, ALL, true, Some((i64::MIN, -8)));
        check(
            i64::MIN,
            1,
            (i64::MAX, i64::MAX),
            true,
            Some((i64::MAX, i64::MAX)),
        );
    }

    #[test]
    fn integers_with_deadlines() {
        let mut bench = Bench::new();
        let at = crate::testing::NOW_MS + 9_000;
        bench.effects("INCREX k", "*2 :1 :1", 1, "incrby k", "SET k 1 KEEPTTL");
        let log = format!("SET k 6 PXAT {at}");
        bench.effects(
            "INCREX k EX 9 BYINT 5 ENX",
            "*2 :6 :5",
            1,
            "incrby k, expire k",
            &log,
        );
        let log = "SET k 7 KEEPTTL";
        bench.effects("INCREX k PXAT 1 ENX", "*2 :7 :1", 1, "incrby k", log);
        bench.effects("INCREX k BYINT 5 UBOUND 10", "*2 :7 :0", 0, "", "");
        let log = "SET k 10";
        let events = "incrby k, persist k";
        bench.effects(
            "INCREX k BYINT 5 UBOUND 10 SATURATE PERSIST",
            "*2 :10 :3",
            1,
            events,
            log,
        );
        bench.effects("INCREX k EXAT 1", "*2 :11 :1", 1, "del k", "DEL k");
        bench.effects("INCREX k EXAT 1", "*2 :1 :1", 0, "", "");
        bench.effects("INCREX k XX", "$-1", 0, "", "");
        bench.effects("INCREX k LBOUND 5 NX", "*2 :0 :0", 0, "", "");
        bench.check("SET k x", "+OK");
        bench.check("INCREX k NX", "$-1");
        bench.check("INCREX k", "-ERR value is not an integer or out of range");
    }

    #[test]
    fn floats_in_both_protocols() {
        let mut bench = Bench::new();
        let log = "SET k 1.5 KEEPTTL";
        bench.effects(
            "INCREX k BYFLOAT 1.5",
            "*2 $3 1.5 $3 1.5",
            1,
            "incrbyfloat k",
            log,
        );
        bench.proto(resp::Proto::Resp3);
        bench.check("INCREX k BYFLOAT 9 UBOUND 5", "*2 ,1.5 ,0");
        bench.check("INCREX k BYFLOAT 9 UBOUND 5 SATURATE", "*2 ,5 ,3.5");
        bench.check(
            "INCREX k BYFLOAT -9 LBOUND -0.25 SATURATE",
            "*2 ,-0.25 ,-5.25",
        );
    }

    #[test]
    fn what_does_not_fit_together() {
        let mut bench = Bench::new();
        for line in [
            "FOO",
            "BYINT",
            "BYINT 1 BYFLOAT 1",
            "BYINT 1 BYINT 1",
            "LBOUND 1 LBOUND 1",
            "EX 1 EX 1",
            "EX 1 PERSIST",
            "PERSIST ENX",
            "SATURATE SATURATE",
            "ENX ENX EX 1",
            "NX XX",
        ] {
            bench.check(&format!("INCREX k {line}"), "-ERR syntax error");
        }
        for (line, text) in [
            ("ENX", "ENX flag requires an expiration"),
            ("BYINT 1.5", "Increment is not an integer or out of range"),
            ("BYFLOAT x", "Increment is not a valid float"),
            ("LBOUND x", "LBOUND is not an integer or out of range"),
            ("BYFLOAT 1 UBOUND x", "UBOUND is not a valid float"),
            ("LBOUND 2 UBOUND 1", "LBOUND can't be greater than UBOUND"),
            ("EX 0", "invalid expire time in 'increx' command"),
        ] {
            bench.check(&format!("INCREX k {line}"), &format!("-ERR {text}"));
        }
    }
}
