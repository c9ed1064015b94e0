//! Reading a string whole: GET and the commands that read and then change something else.

use store::{Deadline, EventClass, Slot};

use crate::args::{Ttl, TtlWords, Words};
use crate::call::Call;
use crate::error::CommandError;
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, KeyFlags, Keys, LogForm};
use crate::string::condition::digest_hex;
use crate::string::{incoming, overwrite, remove_passed, say};

/// GET key
pub const GET: CommandSpec = CommandSpec {
    name: "get",
    arity: Arity::Exactly(2),
    keys: Keys::At(&[KeyAt::read(1)]),
    flags: Flags::READONLY.or(Flags::FAST),
    acl: Acl::READ.or(Acl::STRING).or(Acl::FAST),
    group: Group::String,
    since: "1.0.0",
    summary: "Gives the string that a key holds.",
    syntax: "key",
    ..CommandSpec::row(get)
};

fn get(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let key = call.key(1);
    match call.unit.read_string(key)? {
        Some(value) => say(call.reply, value),
        None => call.reply.null(),
    }
    Ok(())
}

/// GETDEL key
pub const GETDEL: CommandSpec = CommandSpec {
    name: "getdel",
    arity: Arity::Exactly(2),
    keys: Keys::At(&[KeyAt::at(
        1,
        KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::DELETE),
    )]),
    flags: Flags::WRITE.or(Flags::FAST),
    acl: Acl::WRITE.or(Acl::STRING).or(Acl::FAST),
    log: LogForm::Effects,
    group: Group::String,
    since: "6.2.0",
    summary: "Gives the string that a key holds and removes the key.",
    syntax: "key",
    ..CommandSpec::row(getdel)
};

fn getdel(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let key = call.key(1);
    let Some(value) = call.unit.read_string(key)? else {
        call.reply.null();
        return Ok(());
    };
    say(call.reply, value);
    call.unit.remove(key);
    call.unit.notify(EventClass::GENERIC, "del", key.bytes());
    call.unit.dirty(1);
    call.unit.log(&[b"DEL", key.bytes()]);
    Ok(())
}

/// GETEX key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST]
///
/// Only what becomes of the deadline is logged: PEXPIREAT, PERSIST or, when the moment has passed
/// already, DEL.
pub const GETEX: CommandSpec = CommandSpec {
    name: "getex",
    arity: Arity::AtLeast(2),
    keys: Keys::At(&[KeyAt::at(
        1,
        KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::UPDATE),
    )]),
    flags: Flags::WRITE.or(Flags::FAST),
    acl: Acl::WRITE.or(Acl::STRING).or(Acl::FAST),
    log: LogForm::Effects,
    group: Group::String,
    since: "6.2.0",
    summary: "Gives the string that a key holds and sets or clears the key's deadline.",
    syntax: "key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST]",
    ..CommandSpec::row(getex)
};

fn getex(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let known = TtlWords {
        keep: false,
        persist: true,
        repeats: true,
    };
    let (mut ttl, mut words) = (Ttl::default(), Words::from(call.args, 2));
    while let Some(word) = words.next() {
        if !ttl.take(word, &mut words, known)? {
            return Err(CommandError::Syntax);
        }
    }
    let key = call.key(1);
    let Some(value) = call.unit.read_string(key)? else {
        call.reply.null();
        return Ok(());
    };
    say(call.reply, value);
    let now = call.unit.now_ms();
    let at = ttl.deadline("getex", now)?;
    if at.is_some_and(|at| at <= call.unit.expiry_ms()) {
        remove_passed(call, key);
        return Ok(());
    }
    let Slot::Occupied(mut slot) = call.unit.slot(key) else {
        return Ok(());
    };
    let event = match (ttl, at) {
        (_, Some(at)) => {
            slot.set_deadline(Some(at))?;
            let mut text = [0; 20];
            let at = resp::number::format_i64(at, &mut text);
            call.unit.log(&[b"PEXPIREAT", key.bytes(), at]);
            "expire"
        }
        (Ttl::Persist, None) if slot.entry().deadline().is_some() => {
            slot.set_deadline(None)?;
            call.unit.log(&[b"PERSIST", key.bytes()]);
            "persist"
        }
        _ => return Ok(()),
    };
    call.unit.notify(EventClass::GENERIC, event, key.bytes());
    call.unit.dirty(1);
    Ok(())
}

/// GETSET key value
pub const GETSET: CommandSpec = CommandSpec {
    name: "getset",
    arity: Arity::Exactly(3),
    keys: Keys::At(&[KeyAt::at(
        1,
        KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::UPDATE),
    )]),
    flags: Flags::WRITE.or(Flags::DENY_OOM).or(Flags::FAST),
    acl: Acl::WRITE.or(Acl::STRING).or(Acl::FAST),
    log: LogForm::Effects,
    group: Group::String,
    since: "1.0.0",
    summary: "Gives the string that a key holds and puts another in its place.",
    syntax: "key value",
    ..CommandSpec::row(getset)
};

fn getset(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let key = call.key(1);
    match call.unit.read_string(key)? {
        Some(value) => say(call.reply, value),
        None => call.reply.null(),
    }
    overwrite(call.unit, key, incoming(call.args, 2), Deadline::Clear)?;
    call.unit.notify(EventClass::STRING, "set", key.bytes());
    call.unit.dirty(1);
    call.unit.log(&[b"SET", key.bytes(), call.args.get(2)]);
    Ok(())
}

/// MGET key [key ...]
pub const MGET: CommandSpec = CommandSpec {
    name: "mget",
    arity: Arity::AtLeast(2),
    keys: Keys::At(&[KeyAt::read(1).to(-1, 1)]),
    flags: Flags::READONLY.or(Flags::FAST),
    acl: Acl::READ.or(Acl::STRING).or(Acl::FAST),
    group: Group::String,
    since: "1.0.0",
    summary: "Gives the strings that several keys hold.",
    complexity: "O(N) for N keys",
    syntax: "key [key ...]",
    tips: &["request_policy:multi_shard"],
    ..CommandSpec::row(mget)
};

/// A key of another type answers as a missing one.
fn mget(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    call.reply.array(call.args.len() - 1);
    for index in 1..call.args.len() {
        let key = call.key(index);
        match call.unit.read(key).map(|entry| entry.string()) {
            Some(Ok(value)) => say(call.reply, value),
            Some(Err(_)) | None => call.reply.null(),
        }
    }
    Ok(())
}

/// STRLEN key
pub const STRLEN: CommandSpec = CommandSpec {
    name: "strlen",
    arity: Arity::Exactly(2),
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::RO)]),
    flags: Flags::READONLY.or(Flags::FAST),
    acl: Acl::READ.or(Acl::STRING).or(Acl::FAST),
    group: Group::String,
    since: "2.2.0",
    summary: "Tells how many bytes a string has.",
    syntax: "key",
    ..CommandSpec::row(strlen)
};

fn strlen(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let key = call.key(1);
    let length = call.unit.read_string(key)?.map_or(0, |value| value.len());
    call.reply.int(length as i64);
    Ok(())
}

/// DIGEST key
pub const DIGEST: CommandSpec = CommandSpec {
    name: "digest",
    arity: Arity::Exactly(2),
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::RO)]),
    flags: Flags::READONLY.or(Flags::FAST),
    acl: Acl::READ.or(Acl::STRING).or(Acl::FAST),
    group: Group::String,
    since: "8.4.0",
    summary: "Gives the XXH3 hash of a string as sixteen hexadecimal digits.",
    complexity: "O(N) for a string of N bytes",
    syntax: "key",
    ..CommandSpec::row(digest)
};

fn digest(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let key = call.key(1);
    match call.unit.read_string(key)? {
        Some(value) => call.reply.bulk(&digest_hex(value)),
        None => call.reply.null(),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::{Bench, NOW_MS};

    #[test]
    fn getdel_and_getset() {
        let mut bench = Bench::new();
        bench.effects("GETDEL k", "$-1", 0, "", "");
        bench.effects("GETSET k v", "$-1", 1, "set k", "SET k v");
        bench.effects("GETSET k w", "$1 v", 1, "set k", "SET k w");
        bench.effects("GETDEL k", "$1 w", 1, "del k", "DEL k");
    }

    #[test]
    fn getex() {
        let mut bench = Bench::new();
        bench.check("SET k v", "+OK");
        bench.effects("GETEX none EX bad", "$-1", 0, "", "");
        bench.effects("GETEX k", "$1 v", 0, "", "");
        bench.effects("GETEX k PERSIST", "$1 v", 0, "", "");
        let log = format!("PEXPIREAT k {}", NOW_MS + 5_000);
        bench.effects("GETEX k EX 5", "$1 v", 1, "expire k", &log);
        bench.effects("GETEX k PERSIST", "$1 v", 1, "persist k", "PERSIST k");
        bench.check(
            "GETEX k EX 0",
            "-ERR invalid expire time in 'getex' command",
        );
        bench.check(
            "GETEX k EX x",
            "-ERR value is not an integer or out of range",
        );
        bench.check("GETEX k EX 5 PERSIST", "-ERR syntax error");
        bench.check("GETEX k KEEPTTL", "-ERR syntax error");
        bench.effects("GETEX k PXAT 5", "$1 v", 1, "del k", "DEL k");
    }

    #[test]
    fn a_large_word_becomes_a_value_and_a_reply_without_a_copy() {
        let mut bench = Bench::new();
        let blob = std::sync::Arc::new(vec![b'x'; 100_000]);
        let mut words = resp::OwnedArgs::from_slices(&["SET", "k"]);
        words.push_blob(blob.clone());
        bench.run_words(&words);
        drop(words);
        assert_eq!(
            std::sync::Arc::strong_count(&blob),
            2,
            "the store holds the same bytes"
        );
        let (said, _) = bench.run("GETRANGE k 50000 -1");
        assert_eq!(said.len(), "$50000 ".len() + 50_000);
        bench.check("STRLEN k", ":100000");
    }

    #[test]
    fn both_protocols() {
        let mut bench = Bench::new();
        bench.check("MGET a b", "*2 $-1 $-1");
        bench.proto(resp::Proto::Resp3);
        bench.check("GET a", "_");
        bench.check("MGET a", "*1 _");
    }
}
