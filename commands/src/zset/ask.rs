//! ZCARD, ZSCORE, ZMSCORE, ZSCAN: looking at members by name.

use store::{Container, SortedSet};

use crate::generic::Walk;
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, KeyFlags, Keys};
use crate::{Call, CommandError};

/// ZCARD key
pub(super) const ZCARD: CommandSpec = CommandSpec {
    name: "zcard",
    arity: Arity::Exactly(2),
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::RO)]),
    flags: Flags::READONLY.or(Flags::FAST),
    acl: Acl::SORTED_SET.or(Acl::READ).or(Acl::FAST),
    group: Group::SortedSet,
    since: "1.2.0",
    summary: "Counts the members of a sorted set.",
    syntax: "key",
    ..CommandSpec::row(zcard)
};

fn zcard(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let key = call.key(1);
    let set = call.unit.read_as::<SortedSet>(key)?;
    let count = set.map_or(0, Container::len);
    call.reply.int(count.cast_signed());
    Ok(())
}

/// ZSCORE key member
pub(super) const ZSCORE: CommandSpec = CommandSpec {
    name: "zscore",
    arity: Arity::Exactly(3),
    keys: Keys::At(&[KeyAt::read(1)]),
    summary: "Tells the score of a member.",
    syntax: "key member",
    run: zscore,
    ..ZCARD
};

fn zscore(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let (key, member) = (call.key(1), call.args.get(2));
    let set = call.unit.read_as::<SortedSet>(key)?;
    match set.and_then(|set| set.score(member)) {
        Some(score) => call.reply.double(score),
        None => call.reply.null(),
    }
    Ok(())
}

/// ZMSCORE key member [member ...]
pub(super) const ZMSCORE: CommandSpec = CommandSpec {
    name: "zmscore",
    arity: Arity::AtLeast(3),
    since: "6.2.0",
    summary: "Tells the scores of several members.",
    complexity: "O(N) for N members asked for.",
    syntax: "key member [member ...]",
    run: zmscore,
    ..ZSCORE
};

fn zmscore(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let (key, members) = (call.key(1), call.args.skip(2));
    let set = call.unit.read_as::<SortedSet>(key)?;
    call.reply.array(members.len());
    for member in members.iter() {
        match set.and_then(|set| set.score(member)) {
            Some(score) => call.reply.double(score),
            None => call.reply.null(),
        }
    }
    Ok(())
}

/// ZSCAN key cursor [MATCH pattern] [COUNT count] [NOSCORES]
pub(super) const ZSCAN: CommandSpec = CommandSpec {
    name: "zscan",
    arity: Arity::AtLeast(3),
    keys: Keys::At(&[KeyAt::read(1)]),
    flags: Flags::READONLY,
    acl: Acl::SORTED_SET.or(Acl::READ).or(Acl::SLOW),
    since: "2.8.0",
    summary: "Walks over the members of a sorted set, in no order, and their scores.",
    complexity: "O(1) for every call, O(N) for a whole walk.",
    syntax: "key cursor [MATCH pattern] [COUNT count] [NOSCORES]",
    tips: &["nondeterministic_output"],
    run: zscan,
    ..ZCARD
};

fn zscan(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    // Redis looks at the key before it reads the options.
    Walk::check_cursor(call.args)?;
    let key = call.key(1);
    let Some(set) = call.unit.read_as::<SortedSet>(key)? else {
        Walk::nothing(call.reply);
        return Ok(());
    };
    let mut walk = Walk::parse(call.args, &["NOSCORES"])?;
    let (cursor, count, with_scores) = (walk.cursor, walk.count, walk.given.is_none());
    let mut text = Vec::new();
    let next = set.scan(cursor, count, |(score, member)| {
        let mut spelled = [0; 20];
        let member = member.bytes(&mut spelled);
        if !walk.matches(member) {
            return;
        }
        walk.show(member);
        if with_scores {
            text.clear();
            resp::number::write_f64(&mut text, score);
            walk.show(&text);
        }
    });
    walk.reply(next, call.reply);
    Ok(())
}
