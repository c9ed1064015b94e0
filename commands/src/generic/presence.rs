//! DEL, UNLINK, EXISTS, TOUCH, TYPE: whether a key is there, and what it is.
//!
//! A key that is named twice counts twice in EXISTS and TOUCH, and once in DEL, since the second
//! look finds nothing. DEL and UNLINK differ only in who frees what is large.

use store::{EventClass, Look};

use crate::spec::{Acl, Arity, CommandSpec, Find, Flags, KeyAt, KeyFlags, Keys, LogForm};
use crate::{Call, CommandError};

/// Every word from the first on.
const fn every_word(access: KeyFlags) -> KeyAt {
    let at = KeyAt::at(1, access);
    KeyAt {
        find: Find::Range {
            last: -1,
            step: 1,
            limit: 0,
        },
        ..at
    }
}

/// Cluster proxies send each key where it lives and add up the answers.
const SUMMED: &[&str] = &["request_policy:multi_shard", "response_policy:agg_sum"];

/// DEL key [key ...]
pub(super) const DEL: CommandSpec = CommandSpec {
    name: "del",
    arity: Arity::AtLeast(2),
    keys: Keys::At(&[every_word(KeyFlags::RM.or(KeyFlags::DELETE))]),
    flags: Flags::WRITE,
    acl: Acl::KEYSPACE.or(Acl::WRITE).or(Acl::SLOW),
    log: LogForm::Verbatim,
    since: "1.0.0",
    summary: "Deletes one or more keys.",
    complexity: "O(N) where N is the number of keys; a large value is freed before the answer.",
    syntax: "key [key ...]",
    tips: SUMMED,
    ..CommandSpec::row(del)
};

fn del(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let lazily = call.settings.lazy_user_del;
    remove_all(call, lazily);
    Ok(())
}

/// UNLINK key [key ...]
///
/// DEL, but what is large is freed by the free thread.
pub(super) const UNLINK: CommandSpec = CommandSpec {
    name: "unlink",
    flags: Flags::WRITE.or(Flags::FAST),
    acl: Acl::KEYSPACE.or(Acl::WRITE).or(Acl::FAST),
    since: "4.0.0",
    summary: "Deletes one or more keys and frees their values in the background.",
    complexity: "O(1) for each key.",
    run: unlink,
    ..DEL
};

fn unlink(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    remove_all(call, true);
    Ok(())
}

fn remove_all(call: &mut Call<'_, '_>, lazily: bool) {
    let mut removed = 0;
    for index in 1..call.args.len() {
        let key = call.key(index);
        let was_there = if lazily {
            call.unit.unlink(key)
        } else {
            call.unit.remove(key)
        };
        if was_there {
            call.unit.notify(EventClass::GENERIC, "del", key.bytes());
            call.unit.dirty(1);
            removed += 1;
        }
    }
    call.reply.int(removed);
}

/// EXISTS key [key ...]
pub(super) const EXISTS: CommandSpec = CommandSpec {
    name: "exists",
    arity: Arity::AtLeast(2),
    keys: Keys::At(&[every_word(KeyFlags::RO)]),
    flags: Flags::READONLY.or(Flags::FAST),
    acl: Acl::KEYSPACE.or(Acl::READ).or(Acl::FAST),
    since: "1.0.0",
    summary: "Counts which of the keys exist.",
    complexity: "O(N) where N is the number of keys.",
    syntax: "key [key ...]",
    tips: SUMMED,
    ..CommandSpec::row(exists)
};

fn exists(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let mut found = 0;
    for index in 1..call.args.len() {
        let key = call.key(index);
        found += i64::from(call.unit.look_up(key, Look::NoTouch).is_some());
    }
    call.reply.int(found);
    Ok(())
}

/// TOUCH key [key ...]
pub(super) const TOUCH: CommandSpec = CommandSpec {
    name: "touch",
    since: "3.2.1",
    summary: "Marks the keys as just used and counts which of them exist.",
    run: touch,
    ..EXISTS
};

fn touch(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let mut found = 0;
    for index in 1..call.args.len() {
        let key = call.key(index);
        found += i64::from(call.unit.touch(key));
    }
    call.reply.int(found);
    Ok(())
}

/// TYPE key
pub(super) const TYPE: CommandSpec = CommandSpec {
    name: "type",
    arity: Arity::Exactly(2),
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::RO)]),
    flags: Flags::READONLY.or(Flags::FAST),
    acl: Acl::KEYSPACE.or(Acl::READ).or(Acl::FAST),
    since: "1.0.0",
    summary: "Tells what kind of value a key holds.",
    syntax: "key",
    ..CommandSpec::row(type_)
};

fn type_(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let key = call.key(1);
    let entry = call.unit.look_up(key, Look::NoTouch);
    let name = entry.map_or("none", |entry| entry.kind().name());
    call.reply.simple(name.as_bytes());
    Ok(())
}
