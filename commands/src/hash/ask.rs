//! HTTL, HPTTL, HEXPIRETIME, HPEXPIRETIME: how long fields live.

use store::Hash;

use super::fields::{self, POSITIVE};
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, Keys};
use crate::{Call, CommandError};

/// HTTL key FIELDS numfields field [field ...]
pub(super) const HTTL: CommandSpec = CommandSpec {
    name: "httl",
    arity: Arity::AtLeast(5),
    keys: Keys::At(&[KeyAt::read(1)]),
    flags: Flags::READONLY.or(Flags::FAST),
    acl: Acl::HASH.or(Acl::READ).or(Acl::FAST),
    group: Group::Hash,
    since: "9.0.0",
    summary: "Tells in how many seconds fields of a hash expire.",
    complexity: "O(N) for N fields.",
    syntax: "key FIELDS numfields field [field ...]",
    ..CommandSpec::row(httl)
};

fn httl(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    // Rounded to the nearest second upwards of the half, as TTL does.
    ask(call, |at, now| (at - now + 999) / 1_000)
}

/// HPTTL key FIELDS numfields field [field ...]
pub(super) const HPTTL: CommandSpec = CommandSpec {
    name: "hpttl",
    summary: "Tells in how many milliseconds fields of a hash expire.",
    run: hpttl,
    ..HTTL
};

fn hpttl(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    ask(call, |at, now| at - now)
}

/// HEXPIRETIME key FIELDS numfields field [field ...]
pub(super) const HEXPIRETIME: CommandSpec = CommandSpec {
    name: "hexpiretime",
    summary: "Tells when fields of a hash expire, in seconds since 1970.",
    run: hexpiretime,
    ..HTTL
};

fn hexpiretime(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    ask(call, |at, _| (at + 999) / 1_000)
}

/// HPEXPIRETIME key FIELDS numfields field [field ...]
pub(super) const HPEXPIRETIME: CommandSpec = CommandSpec {
    name: "hpexpiretime",
    summary: "Tells when fields of a hash expire, in milliseconds since 1970.",
    run: hpexpiretime,
    ..HTTL
};

fn hpexpiretime(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    ask(call, |at, _| at)
}

/// Answers for each field: what `say` makes of its deadline and the time, -1 without a deadline, -2
/// without a field.
fn ask(call: &mut Call<'_, '_>, say: fn(i64, i64) -> i64) -> Result<(), CommandError> {
    let (key, now_ms) = (call.key(1), call.unit.expiry_ms());
    let hash = call.unit.read_as::<Hash>(key)?;
    let names = fields::parse(call.args, 2, POSITIVE)?;
    call.reply.array(names.len());
    for name in names.iter() {
        let field = hash.and_then(|hash| hash.get(name, now_ms));
        call.reply.int(match field.map(|field| field.deadline) {
            None => -2,
            Some(None) => -1,
            Some(Some(at)) => say(at, now_ms),
        });
    }
    Ok(())
}
