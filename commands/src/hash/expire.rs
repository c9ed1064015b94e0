//! HEXPIRE, HPEXPIRE, HEXPIREAT, HPEXPIREAT, HPERSIST: fields are given times, or lose them.
//!
//! ```text
//!   held deadline, wanted moment, condition ──▶ verdict    0 not met  1 set  2 passed: removed  -2 no field
//! ```
//!
//! The log holds moments: HPEXPIREAT for what was set, HDEL for what was removed.

use store::{Container, EventClass, Hash, Key, Slot};

use super::fields::{self, GREATER, POSITIVE};
use super::report_removed;
use crate::args::{TimeForm, is};
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, KeyFlags, Keys, LogForm};
use crate::{Call, CommandError};

/// HEXPIRE key seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]
pub(super) const HEXPIRE: CommandSpec = CommandSpec {
    name: "hexpire",
    arity: Arity::AtLeast(6),
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::RW.or(KeyFlags::UPDATE))]),
    flags: Flags::WRITE.or(Flags::FAST),
    acl: Acl::HASH.or(Acl::WRITE).or(Acl::FAST),
    log: LogForm::Effects,
    group: Group::Hash,
    since: "9.0.0",
    summary: "Lets fields of a hash expire after so many seconds.",
    complexity: "O(N) for N fields.",
    syntax: "key seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
    ..CommandSpec::row(hexpire)
};

fn hexpire(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    expire(call, TimeForm::Ex, "hexpire")
}

/// HPEXPIRE key milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]
pub(super) const HPEXPIRE: CommandSpec = CommandSpec {
    name: "hpexpire",
    summary: "Lets fields of a hash expire after so many milliseconds.",
    syntax: "key milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
    run: hpexpire,
    ..HEXPIRE
};

fn hpexpire(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    expire(call, TimeForm::Px, "hpexpire")
}

/// HEXPIREAT key unix-time-seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]
pub(super) const HEXPIREAT: CommandSpec = CommandSpec {
    name: "hexpireat",
    summary: "Lets fields of a hash expire at a moment given in seconds since 1970.",
    syntax: "key unix-time-seconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
    run: hexpireat,
    ..HEXPIRE
};

fn hexpireat(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    expire(call, TimeForm::ExAt, "hexpireat")
}

/// HPEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]
pub(super) const HPEXPIREAT: CommandSpec = CommandSpec {
    name: "hpexpireat",
    summary: "Lets fields of a hash expire at a moment given in milliseconds since 1970.",
    syntax: "key unix-time-milliseconds [NX | XX | GT | LT] FIELDS numfields field [field ...]",
    run: hpexpireat,
    ..HEXPIRE
};

fn hpexpireat(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    expire(call, TimeForm::PxAt, "hpexpireat")
}

/// When a field takes the new time.
#[derive(Clone, Copy)]
enum Condition {
    Always,
    /// It has none.
    Nx,
    /// It has one.
    Xx,
    /// The new one is later; none at all is the latest.
    Gt,
    /// The new one is earlier.
    Lt,
}

impl Condition {
    fn of(word: &[u8]) -> Option<Condition> {
        [
            ("NX", Condition::Nx),
            ("XX", Condition::Xx),
            ("GT", Condition::Gt),
            ("LT", Condition::Lt),
        ]
        .into_iter()
        .find_map(|(name, condition)| is(word, name).then_some(condition))
    }

    fn holds(self, held: Option<i64>, wanted: i64) -> bool {
        match self {
            Condition::Always => true,
            Condition::Nx => held.is_none(),
            Condition::Xx => held.is_some(),
            Condition::Gt => held.is_some_and(|held| wanted > held),
            Condition::Lt => held.is_none_or(|held| wanted < held),
        }
    }
}

const NO_FIELD: i64 = -2;
const NOT_MET: i64 = 0;
const SET: i64 = 1;
const PASSED: i64 = 2;

fn expire(
    call: &mut Call<'_, '_>,
    form: TimeForm,
    command: &'static str,
) -> Result<(), CommandError> {
    let (key, now_ms) = (call.key(1), call.unit.now_ms());
    // The type is judged before the words.
    call.unit.read_as::<Hash>(key)?;
    let at_ms = fields::deadline(call.args.get(2), form, command, now_ms)?;
    let condition = Condition::of(call.args.get(3));
    let behind = if condition.is_some() { 4 } else { 3 };
    let condition = condition.unwrap_or(Condition::Always);
    let names = fields::parse(call.args, behind, GREATER)?;

    let has_passed = at_ms <= call.unit.expiry_ms();
    let Slot::Occupied(mut slot) = call.unit.slot(key) else {
        call.reply.array(names.len());
        names.iter().for_each(|_| call.reply.int(NO_FIELD));
        return Ok(());
    };
    let (mut changed, mut verdicts) = (Vec::new(), Vec::with_capacity(names.len()));
    let is_empty = slot.edit(|hash: &mut Hash| {
        hash.expect_deadlines()?;
        for name in names.iter() {
            let verdict = match hash.held(name) {
                None => NO_FIELD,
                Some(field) if !condition.holds(field.deadline, at_ms) => NOT_MET,
                Some(_) if has_passed => {
                    hash.remove(name);
                    PASSED
                }
                Some(_) => {
                    hash.set_deadline(name, Some(at_ms))?;
                    SET
                }
            };
            if verdict > NOT_MET {
                changed.push(name);
            }
            verdicts.push(verdict);
        }
        Ok::<_, CommandError>((hash.is_empty(), !changed.is_empty()))
    })?;
    call.reply.array(verdicts.len());
    verdicts.iter().for_each(|&verdict| call.reply.int(verdict));
    if has_passed {
        log_removed(call, key, &changed);
        report_removed(call, key, changed.len() as u64, is_empty);
    } else {
        report_deadline(call, key, &changed, at_ms);
    }
    Ok(())
}

/// Reports fields that were given a time.
pub(super) fn report_deadline(call: &mut Call<'_, '_>, key: Key<'_>, names: &[&[u8]], at_ms: i64) {
    if names.is_empty() {
        return;
    }
    call.unit.notify(EventClass::HASH, "hexpire", key.bytes());
    call.unit.dirty(names.len() as u64);
    let mut at = [0; 20];
    let at = resp::number::format_i64(at_ms, &mut at);
    log_fields(call, &[b"HPEXPIREAT", key.bytes(), at], names);
}

/// Reports fields that lost their time.
pub(super) fn report_persisted(call: &mut Call<'_, '_>, key: Key<'_>, names: &[&[u8]]) {
    if names.is_empty() {
        return;
    }
    call.unit.notify(EventClass::HASH, "hpersist", key.bytes());
    call.unit.dirty(names.len() as u64);
    log_fields(call, &[b"HPERSIST", key.bytes()], names);
}

/// Logs `head FIELDS n name ..`.
fn log_fields(call: &mut Call<'_, '_>, head: &[&[u8]], names: &[&[u8]]) {
    if !call.unit.logging() {
        return;
    }
    let mut count = [0; 20];
    let count = resp::number::format_u64(names.len() as u64, &mut count);
    let mut words = head.to_vec();
    words.extend([b"FIELDS", count]);
    words.extend(names);
    call.unit.log(&words);
}

/// Logs the HDEL of fields that were removed.
pub(super) fn log_removed(call: &mut Call<'_, '_>, key: Key<'_>, names: &[&[u8]]) {
    if !names.is_empty() && call.unit.logging() {
        let mut words: Vec<&[u8]> = vec![b"HDEL", key.bytes()];
        words.extend(names);
        call.unit.log(&words);
    }
}

/// HPERSIST key FIELDS numfields field [field ...]
pub(super) const HPERSIST: CommandSpec = CommandSpec {
    name: "hpersist",
    arity: Arity::AtLeast(5),
    summary: "Takes the times of fields of a hash away.",
    syntax: "key FIELDS numfields field [field ...]",
    run: hpersist,
    ..HEXPIRE
};

fn hpersist(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    const NO_DEADLINE: i64 = -1;
    let (key, now_ms) = (call.key(1), call.unit.expiry_ms());
    call.unit.read_as::<Hash>(key)?;
    let names = fields::parse(call.args, 2, POSITIVE)?;
    let Slot::Occupied(mut slot) = call.unit.slot(key) else {
        call.reply.array(names.len());
        names.iter().for_each(|_| call.reply.int(NO_FIELD));
        return Ok(());
    };
    let (mut changed, mut verdicts) = (Vec::new(), Vec::with_capacity(names.len()));
    slot.edit(|hash: &mut Hash| {
        for name in names.iter() {
            let verdict = match hash.get(name, now_ms) {
                None => NO_FIELD,
                Some(field) if field.deadline.is_none() => NO_DEADLINE,
                Some(_) => {
                    hash.set_deadline(name, None)?;
                    changed.push(name);
                    SET
                }
            };
            verdicts.push(verdict);
        }
        Ok::<_, CommandError>(((), !changed.is_empty()))
    })?;
    call.reply.array(verdicts.len());
    verdicts.iter().for_each(|&verdict| call.reply.int(verdict));
    report_persisted(call, key, &changed);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::{Bench, NOW_MS};

    #[test]
    fn the_log_holds_moments() {
        let mut bench = Bench::new();
        bench.check("HSET h a 1 b 2 c 3", ":3");
        let log = format!("HPEXPIREAT h {} FIELDS 1 a", NOW_MS + 5_000);
        bench.effects(
            "HEXPIRE h 5 FIELDS 2 a x",
            "*2 :1 :-2",
            1,
            "hexpire h",
            &log,
        );
        bench.effects("HEXPIRE h 9 NX FIELDS 1 a", "*1 :0", 0, "", "");
        let log = "HPERSIST h FIELDS 1 a";
        bench.effects("HPERSIST h FIELDS 2 a b", "*2 :1 :-1", 1, "hpersist h", log);
        bench.effects(
            "HEXPIRE h 0 FIELDS 2 a b",
            "*2 :2 :2",
            2,
            "hdel h",
            "HDEL h a b",
        );
        let events = "hdel h, del h";
        bench.effects("HPEXPIREAT h 1 FIELDS 1 c", "*1 :2", 1, events, "HDEL h c");
    }

    #[test]
    fn what_has_expired_leaves_with_an_hdel() {
        let mut bench = Bench::new();
        bench.check("HSETEX h PX 5 FIELDS 2 a 1 b 2", ":1");
        bench.check("HSET h c 3", ":1");
        bench.clock_ms += 6;
        bench.effects("HLEN h", ":3", 0, "", "");
        bench.effects("HGET h a", "$-1", 0, "hexpired h", "HDEL h a");
        let log = "MULTI, HDEL h b, HINCRBY h b 7, EXEC";
        bench.effects("HINCRBY h b 7", ":7", 1, "hexpired h, hincrby h", log);
        bench.effects("HTTL h FIELDS 1 b", "*1 :-1", 0, "", "");
    }
}
