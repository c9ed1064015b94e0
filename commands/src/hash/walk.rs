//! HGETALL, HKEYS, HVALS, HSCAN: a hash's fields one after the other.

use resp::{Proto, Reply};
use store::{Container, Field, Hash};

use super::say;
use crate::generic::Walk;
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, Keys};
use crate::{Call, CommandError};

/// HGETALL key
pub(super) const HGETALL: CommandSpec = CommandSpec {
    name: "hgetall",
    arity: Arity::Exactly(2),
    keys: Keys::At(&[KeyAt::read(1)]),
    flags: Flags::READONLY,
    acl: Acl::HASH.or(Acl::READ).or(Acl::SLOW),
    group: Group::Hash,
    since: "2.0.0",
    summary: "Shows all fields of a hash and their values.",
    complexity: "O(N) for N fields; a large hash is read without its lock.",
    syntax: "key",
    tips: &["nondeterministic_output_order"],
    ..CommandSpec::row(hgetall)
};

fn hgetall(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    show_all(call, Shown::Both)
}

/// HKEYS key
pub(super) const HKEYS: CommandSpec = CommandSpec {
    name: "hkeys",
    summary: "Shows the names of all fields of a hash.",
    run: hkeys,
    ..HGETALL
};

fn hkeys(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    show_all(call, Shown::Names)
}

/// HVALS key
pub(super) const HVALS: CommandSpec = CommandSpec {
    name: "hvals",
    summary: "Shows the values of all fields of a hash.",
    run: hvals,
    ..HGETALL
};

fn hvals(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    show_all(call, Shown::Values)
}

/// Which of a field's two strings are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Names,
    Values,
    Both,
}

/// From so many fields on a reply is made after unlocking: some 10 µs of work.
const LONG_LEN_MIN: u64 = 500;

fn show_all(call: &mut Call<'_, '_>, shown: Shown) -> Result<(), CommandError> {
    let (key, now_ms) = (call.key(1), call.unit.expiry_ms());
    let Some(hash) = call.unit.read_as::<Hash>(key)? else {
        match shown {
            Shown::Both => call.reply.map(0),
            Shown::Names | Shown::Values => call.reply.array(0),
        }
        return Ok(());
    };
    if hash.len() < LONG_LEN_MIN && hash.memory_bytes() < crate::LONG_BYTES_MIN {
        write_all(hash, shown, now_ms, call.reply);
        return Ok(());
    }
    let hash = call.unit.pin::<Hash>(key)?.expect("it has been read");
    call.later(move |reply| {
        write_all(&hash, shown, now_ms, reply);
        Ok(())
    })
}

fn write_all(hash: &Hash, shown: Shown, now_ms: i64, reply: &mut Reply) {
    let head = reply.defer();
    let mut count = 0;
    for field in hash.iter().filter(|field| field.lives_at(now_ms)) {
        if shown != Shown::Values {
            say(field.name, reply);
        }
        if shown != Shown::Names {
            say(field.value, reply);
        }
        count += 1;
    }
    match shown {
        Shown::Both => reply.finish_map(head, count),
        Shown::Names | Shown::Values => reply.finish_array(head, count),
    }
}

/// HSCAN key cursor [MATCH pattern] [COUNT count] [NOVALUES]
pub(super) const HSCAN: CommandSpec = CommandSpec {
    name: "hscan",
    arity: Arity::AtLeast(3),
    since: "2.8.0",
    summary: "Walks over the fields of a hash.",
    complexity: "O(1) for every call, O(N) for a whole walk.",
    syntax: "key cursor [MATCH pattern] [COUNT count] [NOVALUES]",
    tips: &["nondeterministic_output"],
    run: hscan,
    ..HGETALL
};

fn hscan(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    // Redis looks at the key before it reads the options.
    Walk::check_cursor(call.args)?;
    let (key, now_ms) = (call.key(1), call.unit.expiry_ms());
    let Some(hash) = call.unit.pin::<Hash>(key)? else {
        Walk::nothing(call.reply);
        return Ok(());
    };
    let walk = Walk::parse(call.args, &["NOVALUES"])?;
    if (walk.count as u64).min(hash.len()) < LONG_LEN_MIN {
        say_step(walk, &hash, now_ms, call.reply);
        return Ok(());
    }
    call.later(move |reply| {
        say_step(walk, &hash, now_ms, reply);
        Ok(())
    })
}

fn say_step(mut walk: Walk, hash: &Hash, now_ms: i64, reply: &mut Reply) {
    let with_values = walk.given.is_none();
    let (cursor, count) = (walk.cursor, walk.count);
    let next = hash.scan(cursor, count, |field: Field<'_>| {
        let mut spelled = [0; 20];
        let name = field.name.bytes(&mut spelled);
        if field.lives_at(now_ms) && walk.matches(name) {
            walk.show(name);
            if with_values {
                walk.show(field.value.bytes(&mut [0; 20]));
            }
        }
    });
    walk.reply(next, reply);
}

/// Whether pairs are shown as arrays of two.
pub(super) fn nests_pairs(reply: &Reply) -> bool {
    reply.proto() == Proto::Resp3
}
