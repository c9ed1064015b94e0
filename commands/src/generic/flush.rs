//! FLUSHDB, FLUSHALL, SWAPDB: whole databases at once, under the wide ticket.
//!
//! A flush enters the change log even when there was nothing to remove: a replica or a log that
//! still has something must lose it too.

use store::Freeing;

use super::database;
use crate::args::is;
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, Locks, LogForm};
use crate::{Call, CommandError};

/// FLUSHDB [ASYNC | SYNC]
pub(super) const FLUSHDB: CommandSpec = CommandSpec {
    name: "flushdb",
    arity: Arity::AtLeast(1),
    locks: Locks::Wide,
    flags: Flags::WRITE,
    acl: Acl::KEYSPACE
        .or(Acl::WRITE)
        .or(Acl::SLOW)
        .or(Acl::DANGEROUS),
    log: LogForm::Effects,
    group: Group::Server,
    since: "1.0.0",
    summary: "Removes all keys of the database.",
    complexity: "O(N) where N is the number of keys, in the background with ASYNC.",
    syntax: "[ASYNC | SYNC]",
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    ..CommandSpec::row(flushdb)
};

fn flushdb(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let how = freeing(call)?;
    let db = call.unit.db();
    let keys = call.unit.store().keys(db);
    call.unit.flush_db(db, how);
    flushed(call, keys);
    Ok(())
}

/// FLUSHALL [ASYNC | SYNC]
pub(super) const FLUSHALL: CommandSpec = CommandSpec {
    name: "flushall",
    flags: Flags::WRITE.or(Flags::ALL_DBS),
    summary: "Removes all keys of all databases.",
    run: flushall,
    ..FLUSHDB
};

fn flushall(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let how = freeing(call)?;
    let keys = (0..call.unit.store().databases())
        .map(|db| call.unit.store().keys(db))
        .sum();
    call.unit.flush_all(how);
    flushed(call, keys);
    Ok(())
}

/// Who frees: the word says it, else the configuration.
fn freeing(call: &Call<'_, '_>) -> Result<Freeing, CommandError> {
    match (call.args.len(), call.args.try_get(1)) {
        (1, _) if call.settings.lazy_user_flush => Ok(Freeing::Later),
        (1, _) => Ok(Freeing::Now),
        (2, Some(word)) if is(word, "ASYNC") => Ok(Freeing::Later),
        (2, Some(word)) if is(word, "SYNC") => Ok(Freeing::Now),
        _ => Err(CommandError::Syntax),
    }
}

fn flushed(call: &mut Call<'_, '_>, keys: u64) {
    call.unit.dirty(keys);
    call.unit.log_verbatim(call.args.iter());
    call.reply.ok();
}

/// SWAPDB index1 index2
pub(super) const SWAPDB: CommandSpec = CommandSpec {
    name: "swapdb",
    arity: Arity::Exactly(3),
    locks: Locks::Wide,
    flags: Flags::WRITE.or(Flags::FAST),
    acl: Acl::KEYSPACE
        .or(Acl::WRITE)
        .or(Acl::FAST)
        .or(Acl::DANGEROUS),
    log: LogForm::Verbatim,
    group: Group::Server,
    since: "4.0.0",
    summary: "Exchanges two databases.",
    complexity: "O(N) where N is the number of watched or awaited keys in both.",
    syntax: "index1 index2",
    ..CommandSpec::row(swapdb)
};

fn swapdb(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    const FIRST: CommandError = CommandError::Fixed("ERR invalid first DB index");
    const SECOND: CommandError = CommandError::Fixed("ERR invalid second DB index");
    // Both must be numbers before either is looked for.
    let databases = call.settings.databases;
    let first = database(call.args.get(1), databases, FIRST);
    let second = database(call.args.get(2), databases, SECOND);
    let (first, second) = match (first, second) {
        (Err(CommandError::DbIndex), Err(second)) => return Err(second),
        (first, second) => (first?, second?),
    };
    call.unit.swap_db(first, second);
    call.unit.dirty(1);
    call.reply.ok();
    Ok(())
}
