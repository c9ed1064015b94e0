//! OBJECT: how the server holds a value. None of these counts as a use of the key.

use store::{Access, Look, Str};

use crate::spec::{Acl, Arity, CommandSpec, Flags, KeyAt, KeyFlags, Keys};
use crate::{Call, CommandError};

/// OBJECT ENCODING | FREQ | HELP | IDLETIME | REFCOUNT
pub(super) const OBJECT: CommandSpec = CommandSpec {
    name: "object",
    arity: Arity::AtLeast(2),
    acl: Acl::SLOW,
    since: "2.2.3",
    summary: "Tells how the server holds a value.",
    complexity: "Depends on subcommand.",
    subcommands: &[ENCODING, FREQ, HELP, IDLETIME, REFCOUNT],
    ..CommandSpec::row(object)
};

/// Only words that are no subcommand come here.
fn object(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let word = call.args.get(1);
    let shown = String::from_utf8_lossy(&word[..word.len().min(128)]);
    let text = format!("ERR unknown subcommand '{shown}'. Try OBJECT HELP.");
    Err(CommandError::Text(text.into()))
}

/// OBJECT ENCODING key
const ENCODING: CommandSpec = CommandSpec {
    name: "encoding",
    arity: Arity::Exactly(3),
    keys: Keys::At(&[KeyAt::at(2, KeyFlags::RO)]),
    flags: Flags::READONLY,
    acl: Acl::KEYSPACE.or(Acl::READ).or(Acl::SLOW),
    since: "2.2.3",
    summary: "Tells how a value is encoded.",
    syntax: "key",
    tips: &["nondeterministic_output"],
    ..CommandSpec::row(encoding)
};

fn encoding(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let key = call.key(2);
    match call
        .unit
        .look_up(key, Look::NoNotify)
        .map(|entry| entry.encoding().name())
    {
        Some(name) => call.reply.bulk(name.as_bytes()),
        None => call.reply.null(),
    }
    Ok(())
}

/// OBJECT FREQ key
const FREQ: CommandSpec = CommandSpec {
    name: "freq",
    since: "4.0.0",
    summary: "Tells how often a key is used, on a logarithmic scale.",
    run: freq,
    ..ENCODING
};

fn freq(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let Some(access) = access(call) else {
        return Ok(());
    };
    if !call.settings.lfu {
        return Err(CommandError::Fixed(
            "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please \
             note that when switching between policies at runtime LRU and LFU data will take some \
             time to adjust.",
        ));
    }
    call.reply.int(i64::from(call.unit.frequency(access)));
    Ok(())
}

/// OBJECT IDLETIME key
const IDLETIME: CommandSpec = CommandSpec {
    name: "idletime",
    summary: "Tells for how many seconds a key was not used.",
    run: idletime,
    ..ENCODING
};

fn idletime(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let Some(access) = access(call) else {
        return Ok(());
    };
    if call.settings.lfu {
        return Err(CommandError::Fixed(
            "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that \
             when switching between policies at runtime LRU and LFU data will take some time to \
             adjust.",
        ));
    }
    let seconds = call.unit.idle_seconds(access);
    call.reply.int(i64::try_from(seconds).unwrap_or(i64::MAX));
    Ok(())
}

/// The key's access clock; without such a key the reply is null and nothing is left to do.
fn access(call: &mut Call<'_, '_>) -> Option<Access> {
    let key = call.key(2);
    let access = call
        .unit
        .look_up(key, Look::NoNotify)
        .map(store::EntryRef::access);
    if access.is_none() {
        call.reply.null();
    }
    access
}

/// OBJECT REFCOUNT key
///
/// Values are never shared between keys in a way that a client could see, so it is 1; for small
/// integers it is what Redis answers, which keeps one object of each for all keys as long as no eviction
/// policy wants each key's own clock.
const REFCOUNT: CommandSpec = CommandSpec {
    name: "refcount",
    summary: "Tells how many references a value has.",
    run: refcount,
    ..ENCODING
};

/// Redis shares the integers below this.
const SHARED_INTEGERS: i64 = 10_000;

fn refcount(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let key = call.key(2);
    let Some(entry) = call.unit.look_up(key, Look::NoNotify) else {
        call.reply.null();
        return Ok(());
    };
    let count = match entry.string() {
        Ok(Str::Int(n)) if call.settings.shares_integers && (0..SHARED_INTEGERS).contains(&n) => {
            i32::MAX
        }
        _ => 1,
    };
    call.reply.int(i64::from(count));
    Ok(())
}

/// OBJECT HELP
const HELP: CommandSpec = CommandSpec {
    name: "help",
    arity: Arity::Exactly(2),
    flags: Flags::LOADING.or(Flags::STALE),
    acl: Acl::KEYSPACE.or(Acl::SLOW),
    since: "6.2.0",
    summary: "Lists the subcommands.",
    ..CommandSpec::row(help)
};

/// The lines of HELP, as Redis has them: clients show them, and tests compare them.
const HELP_LINES: &[&str] = &[
    "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "ENCODING <key>",
    "    Return the kind of internal representation used in order to store the value",
    "    associated with a <key>.",
    "FREQ <key>",
    "    Return the access frequency index of the <key>. The returned integer is",
    "    proportional to the logarithm of the recent access frequency of the key.",
    "IDLETIME <key>",
    "    Return the idle time of the <key>, that is the approximated number of",
    "    seconds elapsed since the last access to the key.",
    "REFCOUNT <key>",
    "    Return the number of references of the value associated with the specified",
    "    <key>.",
    "HELP",
    "    Prints this help.",
];

fn help(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    call.reply.array(HELP_LINES.len());
    for line in HELP_LINES {
        call.reply.simple(line.as_bytes());
    }
    Ok(())
}
