//! XGROUP: groups and their consumers come and go.

use store::value::stream::{Group as ConsumerGroup, Stream, StreamId};
use store::{EventClass, Key, Slot};

use super::id;
use crate::args::{Words, integer, is};
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, KeyFlags, Keys, LogForm};
use crate::{Call, CommandError};

/// XGROUP CREATE | CREATECONSUMER | DELCONSUMER | DESTROY | HELP | SETID
pub(super) const XGROUP: CommandSpec = CommandSpec {
    name: "xgroup",
    arity: Arity::AtLeast(2),
    acl: Acl::SLOW,
    group: Group::Stream,
    since: "5.0.0",
    summary: "Changes the consumer groups of a stream.",
    complexity: "Depends on subcommand.",
    subcommands: &[CREATE, CREATECONSUMER, DELCONSUMER, DESTROY, HELP, SETID],
    ..CommandSpec::row(xgroup)
};

/// Only words that are no subcommand come here.
fn xgroup(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    Err(super::unknown_subcommand(call, "XGROUP"))
}

/// What follows the subcommand's words but is no option of it.
fn wrong_words(call: &Call<'_, '_>) -> CommandError {
    super::wrong_words(call, "XGROUP")
}

/// XGROUP CREATE key group <id | $> [MKSTREAM] [ENTRIESREAD entries-read]
const CREATE: CommandSpec = CommandSpec {
    name: "create",
    arity: Arity::AtLeast(5),
    keys: Keys::At(&[KeyAt::at(2, KeyFlags::RW.or(KeyFlags::INSERT))]),
    flags: Flags::WRITE.or(Flags::DENY_OOM),
    acl: Acl::STREAM.or(Acl::WRITE).or(Acl::SLOW),
    log: LogForm::Verbatim,
    group: Group::Stream,
    since: "5.0.0",
    summary: "Makes a consumer group.",
    syntax: "key group <id | $> [MKSTREAM] [ENTRIESREAD entries-read]",
    ..CommandSpec::row(create)
};

/// The options of CREATE and SETID.
struct Options {
    make_stream: bool,
    entries_read: Option<u64>,
}

fn options(call: &Call<'_, '_>, may_make: bool) -> Result<Options, CommandError> {
    let mut options = Options {
        make_stream: false,
        entries_read: None,
    };
    let mut words = Words::from(call.args, 5);
    while let Some(word) = words.next() {
        if may_make && is(word, "MKSTREAM") {
            options.make_stream = true;
        } else if is(word, "ENTRIESREAD") && words.left() > 0 {
            let value = integer(words.value()?)?;
            if value < -1 {
                return Err(CommandError::Fixed(
                    "ERR value for ENTRIESREAD must be positive or -1",
                ));
            }
            options.entries_read = u64::try_from(value).ok();
        } else {
            return Err(wrong_words(call));
        }
    }
    Ok(options)
}

/// An option that is said twice makes the request too long, which Redis tells once key and group are
/// there.
fn surplus(call: &Call<'_, '_>, words_max: usize) -> Result<(), CommandError> {
    match call.args.len() > words_max {
        true => Err(wrong_words(call)),
        false => Ok(()),
    }
}

const NO_KEY: CommandError = CommandError::Fixed(
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.",
);

/// The group's starting point, if it is not `$`.
fn start(word: &[u8], is_strict: bool) -> Result<Option<StreamId>, CommandError> {
    match (word, is_strict) {
        (b"$", _) => Ok(None),
        (word, true) => id::parse_strict(word, 0).map(Some),
        (word, false) => id::parse(word, 0).map(Some),
    }
}

fn create(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let options = options(call, true)?;
    let surplus = surplus(call, 8);
    let (key, name, word) = (call.key(2), call.args.get(3), call.args.get(4));
    let put = |stream: &mut Stream, start: Option<StreamId>| {
        surplus?;
        if stream.group(name).is_some() {
            return Err(CommandError::Fixed(
                "BUSYGROUP Consumer Group name already exists",
            ));
        }
        let start = start.unwrap_or(stream.last_id());
        stream.put_group(name, ConsumerGroup::new(start, options.entries_read))?;
        Ok(((), true))
    };
    match call.unit.slot(key) {
        Slot::Vacant(_) if !options.make_stream => return Err(NO_KEY),
        Slot::Vacant(at) => {
            let mut stream = Stream::new();
            put(&mut stream, start(word, true)?)?;
            at.insert(stream, None)?;
        }
        Slot::Occupied(mut at) => {
            at.entry().container::<Stream>()?;
            let start = start(word, true)?;
            at.edit_aside(|stream| put(stream, start))?;
        }
    }
    report(call, key, "xgroup-create");
    call.reply.ok();
    Ok(())
}

fn report(call: &mut Call<'_, '_>, key: Key<'_>, event: &'static str) {
    call.unit.dirty(1);
    call.unit.notify(EventClass::STREAM, event, key.bytes());
}

/// XGROUP SETID key group <id | $> [ENTRIESREAD entries-read]
const SETID: CommandSpec = CommandSpec {
    name: "setid",
    keys: Keys::At(&[KeyAt::at(2, KeyFlags::RW.or(KeyFlags::UPDATE))]),
    flags: Flags::WRITE,
    summary: "Says up to which entry a group has read.",
    syntax: "key group <id | $> [ENTRIESREAD entries-read]",
    run: setid,
    ..CREATE
};

fn setid(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let options = options(call, false)?;
    let surplus = surplus(call, 7);
    let word = call.args.get(4);
    edit_group(call, "xgroup-setid", |stream, name| {
        surplus?;
        let start = start(word, false)?.unwrap_or(stream.last_id());
        let group = stream.group_mut(name).expect("it has been looked for");
        (group.last_id, group.entries_read) = (start, options.entries_read);
        Ok(((), true))
    })?;
    call.reply.ok();
    Ok(())
}

/// Changes a stream of which the group must be there; reports the event if something changed.
fn edit_group<R>(
    call: &mut Call<'_, '_>,
    event: &'static str,
    change: impl FnOnce(&mut Stream, &[u8]) -> Result<(R, bool), CommandError>,
) -> Result<R, CommandError> {
    let (key, name) = (call.key(2), call.args.get(3));
    let Slot::Occupied(mut at) = call.unit.slot(key) else {
        return Err(NO_KEY);
    };
    let (result, changed) = at.edit_aside(|stream: &mut Stream| {
        if stream.group(name).is_none() {
            return Err(no_such_group(key.bytes(), name));
        }
        let (result, changed) = change(stream, name)?;
        Ok(((result, changed), changed))
    })?;
    if changed {
        report(call, key, event);
    }
    Ok(result)
}

/// What is said where the stream is there and the group is not.
pub(super) fn no_such_group(key: &[u8], group: &[u8]) -> CommandError {
    let (key, group) = (String::from_utf8_lossy(key), String::from_utf8_lossy(group));
    let text = format!("NOGROUP No such consumer group '{group}' for key name '{key}'");
    CommandError::Text(text.into())
}

/// XGROUP DESTROY key group
const DESTROY: CommandSpec = CommandSpec {
    name: "destroy",
    arity: Arity::Exactly(4),
    keys: Keys::At(&[KeyAt::at(2, KeyFlags::RW.or(KeyFlags::DELETE))]),
    flags: Flags::WRITE,
    summary: "Removes a consumer group.",
    complexity: "O(N) for the N deliveries that it had pending.",
    syntax: "key group",
    run: destroy,
    ..CREATE
};

fn destroy(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let (key, name) = (call.key(2), call.args.get(3));
    let Slot::Occupied(mut at) = call.unit.slot(key) else {
        return Err(NO_KEY);
    };
    let is_gone = at.edit_aside(|stream: &mut Stream| {
        let is_gone = stream.remove_group(name);
        Ok::<_, CommandError>((is_gone, is_gone))
    })?;
    if is_gone {
        // Who waits for the group has to hear that it is gone.
        at.wake();
        report(call, key, "xgroup-destroy");
    }
    call.reply.int(i64::from(is_gone));
    Ok(())
}

/// XGROUP CREATECONSUMER key group consumer
const CREATECONSUMER: CommandSpec = CommandSpec {
    name: "createconsumer",
    arity: Arity::Exactly(5),
    since: "6.2.0",
    summary: "Makes a consumer in a group.",
    syntax: "key group consumer",
    run: createconsumer,
    ..CREATE
};

fn createconsumer(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let (consumer, now_ms) = (call.args.get(4), call.unit.now_ms());
    let is_new = edit_group(call, "xgroup-createconsumer", |stream, name| {
        let group = stream.group_mut(name).expect("it has been looked for");
        let is_new = group.find(consumer).is_none();
        if is_new {
            group.add_consumer(consumer, now_ms)?;
        }
        Ok((is_new, is_new))
    })?;
    call.reply.int(i64::from(is_new));
    Ok(())
}

/// XGROUP DELCONSUMER key group consumer
const DELCONSUMER: CommandSpec = CommandSpec {
    name: "delconsumer",
    arity: Arity::Exactly(5),
    summary: "Removes a consumer, and the deliveries that it had pending.",
    complexity: "O(N) for the N deliveries that it had pending.",
    syntax: "key group consumer",
    run: delconsumer,
    ..DESTROY
};

fn delconsumer(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let consumer = call.args.get(4);
    let pending = edit_group(call, "xgroup-delconsumer", |stream, name| {
        let group = stream.group_mut(name).expect("it has been looked for");
        let pending = group.remove_consumer(consumer);
        Ok((pending, pending.is_some()))
    })?;
    call.reply.int(pending.unwrap_or(0).cast_signed());
    Ok(())
}

/// XGROUP HELP
const HELP: CommandSpec = CommandSpec {
    name: "help",
    arity: Arity::Exactly(2),
    flags: Flags::LOADING.or(Flags::STALE),
    acl: Acl::STREAM.or(Acl::SLOW),
    group: Group::Stream,
    since: "5.0.0",
    summary: "Lists the subcommands.",
    ..CommandSpec::row(help)
};

/// The lines of HELP, as Redis has them: clients show them, and tests compare them.
const HELP_LINES: &[&str] = &[
    "XGROUP <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CREATE <key> <groupname> <id|$> [option]",
    "    Create a new consumer group. Options are:",
    "    * MKSTREAM",
    "      Create the empty stream if it does not exist.",
    "    * ENTRIESREAD entries_read",
    "      Set the group's entries_read counter (internal use).",
    "CREATECONSUMER <key> <groupname> <consumer>",
    "    Create a new consumer in the specified group.",
    "DELCONSUMER <key> <groupname> <consumer>",
    "    Remove the specified consumer.",
    "DESTROY <key> <groupname>",
    "    Remove the specified group.",
    "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
    "    Set the current group ID and entries_read counter.",
    "HELP",
    "    Print this help.",
];

fn help(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    super::write_help(call, HELP_LINES);
    Ok(())
}
