//! SCARD, SISMEMBER, SMISMEMBER, SMEMBERS, SSCAN: looking at one set.

use store::{Container, Set};

use crate::generic::{Walk, write_element};
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, KeyFlags, Keys};
use crate::{Call, CommandError};

/// SCARD key
pub(super) const SCARD: CommandSpec = CommandSpec {
    name: "scard",
    arity: Arity::Exactly(2),
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::RO)]),
    flags: Flags::READONLY.or(Flags::FAST),
    acl: Acl::SET.or(Acl::READ).or(Acl::FAST),
    group: Group::Set,
    since: "1.0.0",
    summary: "Counts the members of a set.",
    syntax: "key",
    ..CommandSpec::row(scard)
};

fn scard(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let key = call.key(1);
    let set = call.unit.read_as::<Set>(key)?;
    let count = set.map_or(0, Container::len);
    call.reply.int(count.cast_signed());
    Ok(())
}

/// SISMEMBER key member
pub(super) const SISMEMBER: CommandSpec = CommandSpec {
    name: "sismember",
    arity: Arity::Exactly(3),
    summary: "Tells whether a set has a member.",
    syntax: "key member",
    run: sismember,
    ..SCARD
};

fn sismember(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let (key, member) = (call.key(1), call.args.get(2));
    let set = call.unit.read_as::<Set>(key)?;
    let is_there = set.is_some_and(|set| set.contains(member));
    call.reply.int(i64::from(is_there));
    Ok(())
}

/// SMISMEMBER key member [member ...]
pub(super) const SMISMEMBER: CommandSpec = CommandSpec {
    name: "smismember",
    arity: Arity::AtLeast(3),
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::RO.or(KeyFlags::ACCESS))]),
    since: "6.2.0",
    summary: "Tells for several members whether a set has them.",
    complexity: "O(N) for N members asked for.",
    syntax: "key member [member ...]",
    run: smismember,
    ..SCARD
};

fn smismember(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let (key, members) = (call.key(1), call.args.skip(2));
    let set = call.unit.read_as::<Set>(key)?;
    call.reply.array(members.len());
    for member in members.iter() {
        let is_there = set.is_some_and(|set| set.contains(member));
        call.reply.int(i64::from(is_there));
    }
    Ok(())
}

/// SMEMBERS key
pub(super) const SMEMBERS: CommandSpec = CommandSpec {
    name: "smembers",
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::RO.or(KeyFlags::ACCESS))]),
    flags: Flags::READONLY,
    acl: Acl::SET.or(Acl::READ).or(Acl::SLOW),
    summary: "Lists the members of a set.",
    complexity: "O(N) for N members; a large set is read without its lock.",
    tips: &["nondeterministic_output_order"],
    run: smembers,
    ..SCARD
};

/// From so many elements on a reply is made after unlocking: some 10 µs of work.
pub(super) const LONG_LEN_MIN: u64 = 1_000;

fn smembers(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let key = call.key(1);
    let Some(set) = call.unit.pin::<Set>(key)? else {
        call.reply.set(0);
        return Ok(());
    };
    if set.len() < LONG_LEN_MIN {
        write_members(&set, call.reply);
        return Ok(());
    }
    call.later(move |reply| {
        write_members(&set, reply);
        Ok(())
    })
}

fn write_members(set: &Set, reply: &mut resp::Reply) {
    reply.set(usize::try_from(set.len()).expect("its members are in memory"));
    for member in set.iter() {
        write_element(member, reply);
    }
}

/// SSCAN key cursor [MATCH pattern] [COUNT count]
pub(super) const SSCAN: CommandSpec = CommandSpec {
    name: "sscan",
    arity: Arity::AtLeast(3),
    since: "2.8.0",
    summary: "Walks over the members of a set.",
    complexity: "O(1) for every call, O(N) for a whole walk.",
    syntax: "key cursor [MATCH pattern] [COUNT count]",
    tips: &["nondeterministic_output"],
    run: sscan,
    ..SMEMBERS
};

fn sscan(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    // Redis looks at the key before it reads the options.
    Walk::check_cursor(call.args)?;
    let key = call.key(1);
    let Some(set) = call.unit.pin::<Set>(key)? else {
        Walk::nothing(call.reply);
        return Ok(());
    };
    let walk = Walk::parse(call.args, &[])?;
    if (walk.count as u64).min(set.len()) < LONG_LEN_MIN {
        say_step(walk, &set, call.reply);
        return Ok(());
    }
    call.later(move |reply| {
        say_step(walk, &set, reply);
        Ok(())
    })
}

fn say_step(mut walk: Walk, set: &Set, reply: &mut resp::Reply) {
    let (cursor, count) = (walk.cursor, walk.count);
    let next = set.scan(cursor, count, |member| {
        let mut spelled = [0; 20];
        let member = member.bytes(&mut spelled);
        if walk.matches(member) {
            walk.show(member);
        }
    });
    walk.reply(next, reply);
}
