//! Storing a string whole: SET and its three older spellings.
//!
//! ```text
//!   options ──▶ condition, expiry ──▶ store_one ──▶ SET key value [KEEPTTL | PXAT ms]   the log's form
//!                                        │
//!                                        └── the moment has passed already: the key goes (DEL or UNLINK)
//! ```

use store::{Deadline, EventClass, Slot};

use crate::args::{TimeForm, Ttl, TtlWords, Words, is};
use crate::call::Call;
use crate::error::CommandError;
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, KeyFlags, Keys, LogForm};
use crate::string::condition::Condition;
use crate::string::{incoming, remove_passed, say};

/// SET key value [NX | XX | IFEQ … ] [GET] [EX … | KEEPTTL]
pub const SET: CommandSpec = CommandSpec {
    name: "set",
    arity: Arity::AtLeast(3),
    keys: Keys::At(&[KeyAt::at(
        1,
        KeyFlags::RW
            .or(KeyFlags::ACCESS)
            .or(KeyFlags::UPDATE)
            .or(KeyFlags::VARIABLE_FLAGS),
    )]),
    flags: Flags::WRITE.or(Flags::DENY_OOM),
    acl: Acl::WRITE.or(Acl::STRING).or(Acl::SLOW),
    log: LogForm::Effects,
    group: Group::String,
    since: "1.0.0",
    summary: "Stores a string under a key, on conditions and for a time if asked to.",
    complexity: "O(1); O(N) for IFDEQ and IFDNE with a string of N bytes",
    syntax: "key value [NX | XX | IFEQ ifeq-value | IFNE ifne-value | IFDEQ ifdeq-digest | IFDNE ifdne-digest] [GET] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]",
    ..CommandSpec::row(set)
};

fn set(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let mut condition = Condition::None;
    let mut deadline = Deadline::Clear;
    let mut get = false;
    if call.args.len() > 3 {
        let known = TtlWords {
            keep: true,
            persist: false,
            repeats: true,
        };
        let (mut ttl, mut words) = (Ttl::default(), Words::from(call.args, 3));
        while let Some(word) = words.next() {
            if is(word, "GET") {
                get = true;
            } else if !condition.take(word, &mut words)? && !ttl.take(word, &mut words, known)? {
                return Err(CommandError::Syntax);
            }
        }
        deadline = match (ttl, ttl.deadline("set", call.unit.now_ms())?) {
            (_, Some(at)) => Deadline::At(at),
            (Ttl::Keep, None) => Deadline::Keep,
            _ => Deadline::Clear,
        };
    }
    if get {
        let key = call.key(1);
        match call.unit.read_string(key)? {
            Some(value) => say(call.reply, value),
            None => call.reply.null(),
        }
    }
    let stored = store_one(call, 1, 2, condition, deadline)?;
    match (get, stored) {
        (true, _) => {}
        (false, true) => call.reply.ok(),
        (false, false) => call.reply.null(),
    }
    Ok(())
}

/// Stores word `value` under word `key` if the condition holds; gives whether it did.
pub(super) fn store_one(
    call: &mut Call<'_, '_>,
    key: usize,
    value: usize,
    condition: Condition<'_>,
    deadline: Deadline,
) -> Result<bool, CommandError> {
    let (key, args, now) = (call.key(key), call.args, call.unit.expiry_ms());
    let at = match deadline {
        Deadline::At(at) => Some(at),
        Deadline::Keep | Deadline::Clear => None,
    };
    let passed = at.is_some_and(|at| at <= now);
    match call.unit.slot(key) {
        Slot::Occupied(mut slot) => {
            if !condition.holds(Some(slot.entry()))? {
                return Ok(false);
            }
            if passed {
                remove_passed(call, key);
                return Ok(true);
            }
            slot.set_string(incoming(args, value), deadline)?;
        }
        Slot::Vacant(slot) => {
            if !condition.holds(None)? {
                return Ok(false);
            }
            if passed {
                return Ok(true);
            }
            slot.insert_string(incoming(args, value), at)?;
        }
    }
    call.unit.dirty(1);
    call.unit.notify(EventClass::STRING, "set", key.bytes());
    if at.is_some() {
        call.unit.notify(EventClass::GENERIC, "expire", key.bytes());
    }
    log_set(call, key.bytes(), args.get(value), deadline);
    Ok(true)
}

/// Logs `SET key value` with what becomes of the deadline.
pub(super) fn log_set(call: &mut Call<'_, '_>, key: &[u8], value: &[u8], deadline: Deadline) {
    if !call.unit.logging() {
        return;
    }
    match deadline {
        Deadline::Clear => call.unit.log(&[b"SET", key, value]),
        Deadline::Keep => call.unit.log(&[b"SET", key, value, b"KEEPTTL"]),
        Deadline::At(at) => {
            let mut text = [0; 20];
            let at = resp::number::format_i64(at, &mut text);
            call.unit.log(&[b"SET", key, value, b"PXAT", at]);
        }
    }
}

/// SETEX key seconds value
pub const SETEX: CommandSpec = CommandSpec {
    name: "setex",
    arity: Arity::Exactly(4),
    keys: Keys::At(&[KeyAt::overwrite(1)]),
    flags: Flags::WRITE.or(Flags::DENY_OOM),
    acl: Acl::WRITE.or(Acl::STRING).or(Acl::SLOW),
    log: LogForm::Effects,
    group: Group::String,
    since: "2.0.0",
    summary: "Stores a string under a key for so many seconds.",
    syntax: "key seconds value",
    ..CommandSpec::row(setex)
};

fn setex(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    store_for(call, TimeForm::Ex, "setex")
}

/// PSETEX key milliseconds value
pub const PSETEX: CommandSpec = CommandSpec {
    name: "psetex",
    since: "2.6.0",
    summary: "Stores a string under a key for so many milliseconds.",
    syntax: "key milliseconds value",
    run: psetex,
    ..SETEX
};

fn psetex(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    store_for(call, TimeForm::Px, "psetex")
}

fn store_for(
    call: &mut Call<'_, '_>,
    form: TimeForm,
    command: &'static str,
) -> Result<(), CommandError> {
    let at = form.deadline(call.args.get(2), command, call.unit.now_ms())?;
    store_one(call, 1, 3, Condition::None, Deadline::At(at))?;
    call.reply.ok();
    Ok(())
}

/// SETNX key value
pub const SETNX: CommandSpec = CommandSpec {
    name: "setnx",
    arity: Arity::Exactly(3),
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::OW.or(KeyFlags::INSERT))]),
    flags: Flags::WRITE.or(Flags::DENY_OOM).or(Flags::FAST),
    acl: Acl::WRITE.or(Acl::STRING).or(Acl::FAST),
    log: LogForm::Effects,
    group: Group::String,
    since: "1.0.0",
    summary: "Stores a string under a key that is not there yet.",
    syntax: "key value",
    ..CommandSpec::row(setnx)
};

fn setnx(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let stored = store_one(call, 1, 2, Condition::Absent, Deadline::Clear)?;
    call.reply.int(i64::from(stored));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::{Bench, NOW_MS};

    #[test]
    fn what_a_plain_set_does() {
        let mut bench = Bench::new();
        bench.effects("SET k v", "+OK", 1, "set k", "SET k v");
        bench.effects("SET k 12 KEEPTTL", "+OK", 1, "set k", "SET k 12 KEEPTTL");
        bench.check("GET k", "$2 12");
        assert_eq!(
            bench.run("SET fresh v").1.events,
            ["new fresh", "set fresh"]
        );
    }

    #[test]
    fn conditions() {
        let mut bench = Bench::new();
        bench.effects("SET k v XX", "$-1", 0, "", "");
        bench.effects("SET k v NX", "+OK", 1, "set k", "SET k v");
        bench.effects("SET k w nx NX", "$-1", 0, "", "");
        bench.effects("SET k w IFEQ x", "$-1", 0, "", "");
        bench.effects("SET k w IFEQ v GET", "$1 v", 1, "set k", "SET k w");
        bench.effects("SET k x IFNE w GET", "$1 w", 0, "", "");
        bench.effects("SET k x IFNE v", "+OK", 1, "set k", "SET k x");
        bench.check("SET none x IFEQ v", "$-1");
        bench.check("SET none x IFNE v", "+OK");
        bench.check("SET k v NX XX", "-ERR syntax error");
        bench.check("SET k v NX IFEQ x", "-ERR syntax error");
        bench.check("SET k v IFEQ", "-ERR syntax error");
        bench.check("SET k v EX 1 KEEPTTL", "-ERR syntax error");
        bench.check(
            "SET k v IFDEQ abc",
            "-ERR must be exactly 16 hexadecimal characters",
        );
        bench.check("SET nobody v IFDEQ abc", "$-1");
    }

    #[test]
    fn digests() {
        let mut bench = Bench::new();
        bench.check("SET k hello", "+OK");
        bench.check("DIGEST k", "$16 9555e8555c62dcfd");
        bench.check("SET k world IFDEQ 9555E8555C62DCFD", "+OK");
        bench.check("SET k again IFDNE 9555e8555c62dcfd", "+OK");
        bench.check("SET k hello IFDEQ 9555e8555c62dcfd", "$-1");
    }

    #[test]
    fn deadlines_are_logged_as_moments() {
        let mut bench = Bench::new();
        let at = NOW_MS + 10_000;
        for line in [
            "SET k v EX 10",
            "SET k v PX 10000",
            "SETEX k 10 v",
            "PSETEX k 10000 v",
        ] {
            bench.effects(
                line,
                "+OK",
                1,
                "set k, expire k",
                &format!("SET k v PXAT {at}"),
            );
            assert_eq!(bench.contents()[0].2, Some(at), "{line}");
        }
        bench.effects("SET k v KEEPTTL", "+OK", 1, "set k", "SET k v KEEPTTL");
        assert_eq!(bench.contents()[0].2, Some(at));
        bench.effects("SET k v EXAT 1", "+OK", 1, "del k", "DEL k");
        bench.effects("SET k v PXAT 1", "+OK", 0, "", "");
        bench.check("SET k v EX 0", "-ERR invalid expire time in 'set' command");
        bench.check("SETEX k 0 v", "-ERR invalid expire time in 'setex' command");
        bench.check(
            "PSETEX k x v",
            "-ERR value is not an integer or out of range",
        );
    }

    #[test]
    fn setnx() {
        let mut bench = Bench::new();
        bench.effects("SETNX k v", ":1", 1, "set k", "SET k v");
        bench.effects("SETNX k w", ":0", 0, "", "");
    }
}
