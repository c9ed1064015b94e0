//! HIMPORT: hashes of the same fields, whose names are said once for a connection.
//!
//! A fieldset stays with the connection ([`crate::Kept`]). The hashes that are made from it are hashes
//! like any other; Redis keeps one copy of the names for all of them, and we keep them packed.

use std::collections::BTreeSet;

use store::{Deadline, EventClass, FieldDeadline, Hash, Slot};

use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, Keys, LogForm};
use crate::{Call, CommandError};

/// HIMPORT DISCARD | DISCARDALL | PREPARE | SET
pub(super) const HIMPORT: CommandSpec = CommandSpec {
    name: "himport",
    arity: Arity::AtLeast(2),
    acl: Acl::SLOW,
    group: Group::Hash,
    since: "8.10.0",
    summary: "Makes hashes of the same fields, whose names are said once.",
    complexity: "Depends on subcommand.",
    subcommands: &[DISCARD, DISCARDALL, PREPARE, SET],
    ..CommandSpec::row(himport)
};

/// Only words that are no subcommand come here.
fn himport(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let word = call.args.get(1);
    let word = String::from_utf8_lossy(&word[..word.len().min(128)]);
    let text = format!("ERR unknown subcommand '{word}'. Try HIMPORT HELP.");
    Err(CommandError::Text(text.into()))
}

/// HIMPORT PREPARE fieldset-name field [field ...]
const PREPARE: CommandSpec = CommandSpec {
    name: "prepare",
    arity: Arity::AtLeast(4),
    flags: Flags::DENY_OOM,
    acl: Acl::HASH.or(Acl::SLOW),
    group: Group::Hash,
    since: "8.10.0",
    summary: "Names the fields of the hashes to come; a fieldset of the same name is replaced.",
    complexity: "O(N*log(N)) for N fields.",
    syntax: "fieldset-name field [field ...]",
    tips: &["request_policy:all_shards"],
    ..CommandSpec::row(prepare)
};

fn prepare(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let names = call.args.skip(3);
    let distinct: BTreeSet<&[u8]> = names.iter().collect();
    if distinct.len() < names.len() {
        return Err(CommandError::Fixed("ERR duplicate field name in fieldset"));
    }
    let fields = names.iter().map(Box::from).collect();
    call.kept.keep_fieldset(call.args.get(2), fields);
    call.reply.ok();
    Ok(())
}

/// HIMPORT SET key fieldset-name value [value ...]
///
/// What the hash at `key` held before is gone, and its time to live.
const SET: CommandSpec = CommandSpec {
    name: "set",
    arity: Arity::AtLeast(5),
    keys: Keys::At(&[KeyAt::overwrite(2)]),
    flags: Flags::WRITE.or(Flags::DENY_OOM),
    acl: Acl::HASH.or(Acl::WRITE).or(Acl::SLOW),
    log: LogForm::Effects,
    summary: "Makes a hash of a fieldset's fields and these values, one for each.",
    complexity: "O(N) for N fields.",
    syntax: "key fieldset-name value [value ...]",
    tips: &[],
    run: set,
    ..PREPARE
};

fn set(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let values = call.args.skip(4);
    let Some(fields) = call.kept.fieldset(call.args.get(3)) else {
        return Err(CommandError::Fixed("ERR no such fieldset"));
    };
    if fields.len() != values.len() {
        return Err(CommandError::Fixed(
            "ERR value count does not match the fieldset",
        ));
    }
    let limits = &call.settings.limits;
    let mut words: Vec<&[u8]> = Vec::with_capacity(2 * fields.len());
    for (field, value) in fields.iter().zip(values.iter()) {
        words.extend([&**field, value]);
    }
    let mut hash = Hash::new();
    hash.expect(words.iter().copied(), limits)?;
    for pair in words.chunks_exact(2) {
        hash.set(pair[0], pair[1], FieldDeadline::Clear, limits)?;
    }
    let key = call.key(2);
    let was_there = match call.unit.slot(key) {
        Slot::Vacant(at) => {
            at.insert(hash, None)?;
            false
        }
        Slot::Occupied(mut at) => {
            at.entry().container::<Hash>()?;
            at.set(hash, Deadline::Clear)?;
            true
        }
    };
    call.unit.notify(EventClass::HASH, "hset", key.bytes());
    call.unit.dirty(fields.len() as u64);
    if call.unit.logging() {
        if was_there {
            call.unit.log(&[b"DEL", key.bytes()]);
        }
        let mut effect = vec![b"HSET".as_slice(), key.bytes()];
        effect.extend(words);
        call.unit.log(&effect);
    }
    call.reply.ok();
    Ok(())
}

/// HIMPORT DISCARD fieldset-name
const DISCARD: CommandSpec = CommandSpec {
    name: "discard",
    arity: Arity::Exactly(3),
    flags: Flags::NONE,
    summary: "Lets go of a fieldset.",
    complexity: "O(log(N)) for N fieldsets.",
    syntax: "fieldset-name",
    run: discard,
    ..PREPARE
};

fn discard(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let was_there = call.kept.drop_fieldset(call.args.get(2));
    call.reply.int(i64::from(was_there));
    Ok(())
}

/// HIMPORT DISCARDALL
const DISCARDALL: CommandSpec = CommandSpec {
    name: "discardall",
    arity: Arity::Exactly(2),
    summary: "Lets go of all fieldsets of the connection.",
    complexity: "O(N) for N fieldsets.",
    syntax: "",
    run: discardall,
    ..DISCARD
};

fn discardall(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let count = call.kept.drop_fieldsets();
    call.reply.int(count as i64);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::Bench;

    #[test]
    fn a_hash_is_made_anew_and_logged_with_its_names() {
        let mut bench = Bench::new();
        bench.effects("HIMPORT PREPARE f a b", "+OK", 0, "", "");
        let log = "HSET h a 1 b 2";
        bench.effects("HIMPORT SET h f 1 2", "+OK", 2, "hset h", log);
        bench.check("HSET h c 3", ":1");
        bench.check("EXPIRE h 100", ":1");
        let log = "MULTI, DEL h, HSET h a 3 b 4, EXEC";
        let (reply, came) = bench.run("HIMPORT SET h f 3 4");
        assert_eq!((reply.as_str(), came.log.join(", ").as_str()), ("+OK", log));
        bench.check("HGETALL h", "*4 $1 a $1 3 $1 b $1 4");
        bench.check("TTL h", ":-1");
    }
}
