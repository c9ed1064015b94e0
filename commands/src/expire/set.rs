//! EXPIRE, PEXPIRE, EXPIREAT, PEXPIREAT, PERSIST.
//!
//! One function decides ([`judge`]) from the key's deadline, the wanted one and the condition; the
//! rest carries it out. A moment that has passed removes the key, which is logged as a removal; any
//! other is logged as PEXPIREAT, whatever form the client used.

use store::{EventClass, Slot};

use crate::args::{Words, integer, is};
use crate::spec::{Acl, Arity, CommandSpec, Flags, KeyAt, KeyFlags, Keys, LogForm};
use crate::{Call, CommandError};

/// EXPIRE key seconds [NX | XX | GT | LT]
pub(super) const EXPIRE: CommandSpec = CommandSpec {
    name: "expire",
    arity: Arity::AtLeast(3),
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::RW.or(KeyFlags::UPDATE))]),
    flags: Flags::WRITE.or(Flags::FAST),
    acl: Acl::KEYSPACE.or(Acl::WRITE).or(Acl::FAST),
    log: LogForm::Effects,
    since: "1.0.0",
    summary: "Lets a key expire after a number of seconds.",
    syntax: "key seconds [NX | XX | GT | LT]",
    ..CommandSpec::row(expire)
};

fn expire(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let now_ms = call.unit.now_ms();
    set(call, "expire", 1000, now_ms)
}

/// PEXPIRE key milliseconds [NX | XX | GT | LT]
pub(super) const PEXPIRE: CommandSpec = CommandSpec {
    name: "pexpire",
    since: "2.6.0",
    summary: "Lets a key expire after a number of milliseconds.",
    syntax: "key milliseconds [NX | XX | GT | LT]",
    run: pexpire,
    ..EXPIRE
};

fn pexpire(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let now_ms = call.unit.now_ms();
    set(call, "pexpire", 1, now_ms)
}

/// EXPIREAT key unix-time-seconds [NX | XX | GT | LT]
pub(super) const EXPIREAT: CommandSpec = CommandSpec {
    name: "expireat",
    since: "1.2.0",
    summary: "Lets a key expire at a second since 1970.",
    syntax: "key unix-time-seconds [NX | XX | GT | LT]",
    run: expireat,
    ..EXPIRE
};

fn expireat(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    set(call, "expireat", 1000, 0)
}

/// PEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT]
pub(super) const PEXPIREAT: CommandSpec = CommandSpec {
    name: "pexpireat",
    since: "2.6.0",
    summary: "Lets a key expire at a millisecond since 1970.",
    syntax: "key unix-time-milliseconds [NX | XX | GT | LT]",
    run: pexpireat,
    ..EXPIRE
};

fn pexpireat(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    set(call, "pexpireat", 1, 0)
}

/// The words NX, XX, GT, LT as they were said.
#[derive(Clone, Copy, Debug, Default)]
struct Condition {
    nx: bool,
    xx: bool,
    gt: bool,
    lt: bool,
}

impl Condition {
    fn parse(words: Words<'_>) -> Result<Self, CommandError> {
        let mut said = Condition::default();
        for word in words {
            let flag = match word {
                _ if is(word, "NX") => &mut said.nx,
                _ if is(word, "XX") => &mut said.xx,
                _ if is(word, "GT") => &mut said.gt,
                _ if is(word, "LT") => &mut said.lt,
                _ => {
                    let text = format!("ERR Unsupported option {}", String::from_utf8_lossy(word));
                    return Err(CommandError::Text(text.into()));
                }
            };
            *flag = true;
        }
        if said.nx && (said.xx || said.gt || said.lt) {
            return Err(CommandError::Fixed(
                "ERR NX and XX, GT or LT options at the same time are not compatible",
            ));
        }
        if said.gt && said.lt {
            return Err(CommandError::Fixed(
                "ERR GT and LT options at the same time are not compatible",
            ));
        }
        Ok(said)
    }

    /// Whether a key with this deadline may have the wanted one. A key without a deadline lives for
    /// ever: nothing is greater than that, and everything is less.
    fn allows(self, current: Option<i64>, wanted: i64) -> bool {
        match current {
            None => !self.xx && !self.gt,
            Some(current) => {
                let refused =
                    self.nx || (self.gt && wanted <= current) || (self.lt && wanted >= current);
                !refused
            }
        }
    }
}

/// What becomes of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Leave,
    Remove,
    Set(i64),
}

fn judge(current: Option<i64>, wanted: i64, condition: Condition, now_ms: i64) -> Verdict {
    if !condition.allows(current, wanted) {
        Verdict::Leave
    } else if wanted <= now_ms {
        Verdict::Remove
    } else {
        Verdict::Set(wanted)
    }
}

/// The moment that a word of these units, counted from `base_ms`, means. Negative ones are moments
/// like others: long past.
fn moment(
    word: &[u8],
    unit_ms: i64,
    base_ms: i64,
    command: &'static str,
) -> Result<i64, CommandError> {
    let count = integer(word)?;
    let ms = count.checked_mul(unit_ms);
    ms.and_then(|ms| ms.checked_add(base_ms))
        .ok_or(CommandError::InvalidExpire(command))
}

fn set(
    call: &mut Call<'_, '_>,
    command: &'static str,
    unit_ms: i64,
    base_ms: i64,
) -> Result<(), CommandError> {
    let condition = Condition::parse(Words::from(call.args, 3))?;
    let wanted = moment(call.args.get(2), unit_ms, base_ms, command)?;
    let key = call.key(1);
    let now_ms = call.unit.expiry_ms();
    let verdict = match call.unit.slot(key) {
        Slot::Vacant(_) => Verdict::Leave,
        Slot::Occupied(mut slot) => {
            let verdict = judge(slot.entry().deadline(), wanted, condition, now_ms);
            match verdict {
                Verdict::Leave => {}
                Verdict::Remove => slot.remove(),
                Verdict::Set(at_ms) => slot.set_deadline(Some(at_ms))?,
            }
            verdict
        }
    };
    let event = match verdict {
        Verdict::Leave => {
            call.reply.int(0);
            return Ok(());
        }
        Verdict::Remove => {
            let word: &[u8] = if call.settings.lazy_expire {
                b"UNLINK"
            } else {
                b"DEL"
            };
            call.unit.log(&[word, key.bytes()]);
            "del"
        }
        Verdict::Set(at_ms) => {
            let mut buffer = [0; 20];
            let at = resp::number::format_i64(at_ms, &mut buffer);
            call.unit.log(&[b"PEXPIREAT", key.bytes(), at]);
            "expire"
        }
    };
    call.unit.notify(EventClass::GENERIC, event, key.bytes());
    call.unit.dirty(1);
    call.reply.int(1);
    Ok(())
}

/// PERSIST key
pub(super) const PERSIST: CommandSpec = CommandSpec {
    name: "persist",
    arity: Arity::Exactly(2),
    log: LogForm::Verbatim,
    since: "2.2.0",
    summary: "Lets a key live for ever.",
    syntax: "key",
    run: persist,
    ..EXPIRE
};

fn persist(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let key = call.key(1);
    let persisted = match call.unit.slot(key) {
        Slot::Occupied(mut slot) if slot.entry().deadline().is_some() => {
            slot.set_deadline(None)?;
            true
        }
        _ => false,
    };
    if persisted {
        call.unit
            .notify(EventClass::GENERIC, "persist", key.bytes());
        call.unit.dirty(1);
    }
    call.reply.int(i64::from(persisted));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use resp::OwnedArgs;

    fn said(line: &str) -> Result<Condition, String> {
        let args = OwnedArgs::from_slices(&line.split_whitespace().collect::<Vec<_>>());
        Condition::parse(Words::from(args.as_args(), 0)).map_err(|e| e.text().into_owned())
    }

    #[test]
    fn conditions_and_deadlines() {
        use Verdict::{Leave, Remove, Set};
        let (now, past, soon, late) = (1000, 900, 2000, 3000);
        let check = |line, current, wanted, expected| {
            let condition = said(line).expect("these go together");
            assert_eq!(
                judge(current, wanted, condition, now),
                expected,
                "{line} {current:?} {wanted}"
            );
        };
        check("", None, soon, Set(soon));
        check("", Some(late), soon, Set(soon));
        check("", None, past, Remove);
        check("", None, now, Remove);
        check("", None, i64::MIN, Remove);
        check("NX", None, soon, Set(soon));
        check("nx", Some(late), soon, Leave);
        check("NX", Some(late), past, Leave);
        check("XX", None, soon, Leave);
        check("XX", Some(late), soon, Set(soon));
        check("GT", None, soon, Leave);
        check("GT", Some(soon), late, Set(late));
        check("GT", Some(soon), soon, Leave);
        check("GT XX", Some(soon), late, Set(late));
        check("LT", None, soon, Set(soon));
        check("LT", Some(late), soon, Set(soon));
        check("LT", Some(soon), soon, Leave);
        check("LT", Some(soon), past, Remove);
        check("LT XX", None, soon, Leave);
    }

    #[test]
    fn words_that_do_not_go_together() {
        let nx = "ERR NX and XX, GT or LT options at the same time are not compatible";
        for line in ["NX XX", "LT NX", "gt nx", "NX GT LT"] {
            assert_eq!(said(line).expect_err("a conflict"), nx);
        }
        let both = said("XX GT LT").expect_err("a conflict");
        assert_eq!(
            both,
            "ERR GT and LT options at the same time are not compatible"
        );
        assert_eq!(
            said("ab").expect_err("no option"),
            "ERR Unsupported option ab"
        );
    }

    #[test]
    fn moments_and_their_ends() {
        let invalid = Err(CommandError::InvalidExpire("expire"));
        assert_eq!(moment(b"10", 1000, 500, "expire"), Ok(10_500));
        assert_eq!(moment(b"-10", 1, 500, "expire"), Ok(490));
        assert_eq!(moment(b"9223372036854775807", 1, 0, "expire"), Ok(i64::MAX));
        assert_eq!(moment(b"9223372036854775807", 1, 1, "expire"), invalid);
        assert_eq!(moment(b"9223372036854775", 1000, 1000, "expire"), invalid);
        assert_eq!(moment(b"-9223372036854776", 1000, 0, "expire"), invalid);
        assert_eq!(
            moment(b"ten", 1, 0, "expire"),
            Err(CommandError::NotInteger)
        );
    }
}
