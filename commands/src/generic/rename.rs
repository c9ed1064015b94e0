//! RENAME, RENAMENX, COPY, MOVE: a value goes to another key or another database.
//!
//! The value itself is never copied: it is detached from its key, or a second handle to it is made
//! (COPY), and placed at the new one together with its deadline.

use store::{Detached, EventClass, Key, Unit};

use super::{SAME_PLACE, database};
use crate::args::{Words, is};
use crate::spec::{Acl, Arity, CommandSpec, Flags, KeyAt, KeyFlags, Keys, LogForm};
use crate::{Call, CommandError};

const SOURCE: KeyAt = KeyAt::at(1, KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::DELETE));

/// RENAME key newkey
pub(super) const RENAME: CommandSpec = CommandSpec {
    name: "rename",
    arity: Arity::Exactly(3),
    keys: Keys::At(&[SOURCE, KeyAt::overwrite(2)]),
    flags: Flags::WRITE,
    acl: Acl::KEYSPACE.or(Acl::WRITE).or(Acl::SLOW),
    log: LogForm::Verbatim,
    since: "1.0.0",
    summary: "Renames a key and overwrites the destination.",
    complexity: "O(1), and O(N) to free what the destination held.",
    syntax: "key newkey",
    ..CommandSpec::row(rename)
};

fn rename(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    rename_unless_taken(call, false)?;
    call.reply.ok();
    Ok(())
}

/// RENAMENX key newkey
pub(super) const RENAMENX: CommandSpec = CommandSpec {
    name: "renamenx",
    keys: Keys::At(&[SOURCE, KeyAt::at(2, KeyFlags::OW.or(KeyFlags::INSERT))]),
    flags: Flags::WRITE.or(Flags::FAST),
    acl: Acl::KEYSPACE.or(Acl::WRITE).or(Acl::FAST),
    summary: "Renames a key if the new name is free.",
    complexity: "O(1)",
    run: renamenx,
    ..RENAME
};

fn renamenx(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let renamed = rename_unless_taken(call, true)?;
    call.reply.int(i64::from(renamed));
    Ok(())
}

/// Whether the key has its new name, which it had not before. To rename a key to itself changes
/// nothing, but the key must exist.
fn rename_unless_taken(call: &mut Call<'_, '_>, keep_taken: bool) -> Result<bool, CommandError> {
    let (from, to) = (call.key(1), call.key(2));
    if call.unit.peek(from).is_none() {
        return Err(CommandError::NoSuchKey);
    }
    if from.bytes() == to.bytes() || (keep_taken && call.unit.peek(to).is_some()) {
        return Ok(false);
    }
    let value = call
        .unit
        .take(from)?
        .expect("it was there, and the unit's time stands still");
    if let Err(value) = call.unit.place(to, value) {
        return Err(put_back(call, from, value));
    }
    call.unit
        .notify(EventClass::GENERIC, "rename_from", from.bytes());
    call.unit
        .notify(EventClass::GENERIC, "rename_to", to.bytes());
    call.unit.dirty(1);
    Ok(true)
}

/// There is no memory for the value under its new key: under its old one it needs none.
fn put_back(call: &mut Call<'_, '_>, key: Key<'_>, value: Detached) -> CommandError {
    call.unit
        .place(key, value)
        .expect("an entry goes back under its own key as it is");
    CommandError::Refused
}

/// COPY source destination [DB destination-db] [REPLACE]
pub(super) const COPY: CommandSpec = CommandSpec {
    name: "copy",
    arity: Arity::AtLeast(3),
    keys: Keys::At(&[KeyAt::read(1), KeyAt::overwrite(2)]),
    flags: Flags::WRITE.or(Flags::DENY_OOM),
    acl: Acl::KEYSPACE.or(Acl::WRITE).or(Acl::SLOW),
    log: LogForm::Verbatim,
    since: "6.2.0",
    summary: "Copies the value of a key to another key.",
    complexity: "O(1) for strings: a long one is shared until one side changes.",
    syntax: "source destination [DB destination-db] [REPLACE]",
    ..CommandSpec::row(copy)
};

fn copy(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let home = call.unit.db();
    let mut db = home;
    let mut replace = false;
    let mut words = Words::from(call.args, 3);
    while let Some(word) = words.next() {
        if is(word, "REPLACE") {
            replace = true;
        } else if is(word, "DB") {
            db = database(
                words.value()?,
                call.settings.databases,
                CommandError::NotInteger,
            )?;
        } else {
            return Err(CommandError::Syntax);
        }
    }
    let (from, to) = (call.key(1), call.key(2));
    if db == home && from.bytes() == to.bytes() {
        return Err(SAME_PLACE);
    }
    let copied = match call.unit.duplicate(from)? {
        None => false,
        Some(value) => in_db(call.unit, db, |unit| {
            if !replace && unit.peek(to).is_some() {
                return Ok::<bool, CommandError>(false);
            }
            unit.place(to, value).map_err(|_| CommandError::Refused)?;
            unit.notify(EventClass::GENERIC, "copy_to", to.bytes());
            Ok(true)
        })?,
    };
    if copied {
        call.unit.dirty(1);
    }
    call.reply.int(i64::from(copied));
    Ok(())
}

/// MOVE key db
pub(super) const MOVE: CommandSpec = CommandSpec {
    name: "move",
    arity: Arity::Exactly(3),
    keys: Keys::At(&[KeyAt::at(
        1,
        KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::UPDATE),
    )]),
    flags: Flags::WRITE.or(Flags::FAST),
    acl: Acl::KEYSPACE.or(Acl::WRITE).or(Acl::FAST),
    log: LogForm::Verbatim,
    since: "1.0.0",
    summary: "Moves a key to another database.",
    syntax: "key db",
    ..CommandSpec::row(move_)
};

fn move_(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let db = database(
        call.args.get(2),
        call.settings.databases,
        CommandError::NotInteger,
    )?;
    let home = call.unit.db();
    if db == home {
        return Err(SAME_PLACE);
    }
    // One key has one hash in every database, so both places are behind the same lock.
    let key = call.key(1);
    let free =
        call.unit.peek(key).is_some() && !in_db(call.unit, db, |unit| unit.peek(key).is_some());
    let value = if free { call.unit.take(key)? } else { None };
    let moved = value.is_some();
    if let Some(value) = value {
        in_db(call.unit, db, |unit| unit.place(key, value))
            .expect("an entry goes under its own key as it is");
        call.unit
            .notify(EventClass::GENERIC, "move_from", key.bytes());
        in_db(call.unit, db, |unit| {
            unit.notify(EventClass::GENERIC, "move_to", key.bytes())
        });
        call.unit.dirty(1);
    }
    call.reply.int(i64::from(moved));
    Ok(())
}

/// Does something in another database and comes back: the unit's database is also the one under
/// which the change is logged.
fn in_db<R>(unit: &mut Unit<'_>, db: u32, act: impl FnOnce(&mut Unit<'_>) -> R) -> R {
    let home = unit.db();
    unit.select(db);
    let result = act(unit);
    unit.select(home);
    result
}
