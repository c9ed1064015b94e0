//! ZREM, ZREMRANGEBYRANK, ZREMRANGEBYSCORE, ZREMRANGEBYLEX: members leave, by name or by range.

use store::{Container, EventClass, Slot, SortedSet};

use super::bounds::{Bounds, By};
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, KeyFlags, Keys, LogForm};
use crate::{Call, CommandError};

/// ZREM key member [member ...]
pub(super) const ZREM: CommandSpec = CommandSpec {
    name: "zrem",
    arity: Arity::AtLeast(3),
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::RW.or(KeyFlags::DELETE))]),
    flags: Flags::WRITE.or(Flags::FAST),
    acl: Acl::SORTED_SET.or(Acl::WRITE).or(Acl::FAST),
    log: LogForm::Verbatim,
    group: Group::SortedSet,
    since: "1.2.0",
    summary: "Removes members of a sorted set; the key goes with the last one.",
    complexity: "O(M*log(N)), M the members removed, N the members of the set.",
    syntax: "key member [member ...]",
    ..CommandSpec::row(zrem)
};

fn zrem(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let members = call.args.skip(2);
    remove(call, "zrem", |set| {
        let removed = members.iter().filter(|member| set.remove(member).is_some());
        removed.count() as u64
    })
}

/// ZREMRANGEBYRANK key start stop
pub(super) const ZREMRANGEBYRANK: CommandSpec = CommandSpec {
    name: "zremrangebyrank",
    arity: Arity::Exactly(4),
    flags: Flags::WRITE,
    acl: Acl::SORTED_SET.or(Acl::WRITE).or(Acl::SLOW),
    since: "2.0.0",
    summary: "Removes the members of a range of ranks.",
    complexity: "O(log(N)+M), M the members removed, N the members of the set.",
    syntax: "key start stop",
    run: zremrangebyrank,
    ..ZREM
};

fn zremrangebyrank(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    remove_range(call, By::Rank, "zremrangebyrank")
}

/// ZREMRANGEBYSCORE key min max
pub(super) const ZREMRANGEBYSCORE: CommandSpec = CommandSpec {
    name: "zremrangebyscore",
    since: "1.2.0",
    summary: "Removes the members whose scores are within a range.",
    syntax: "key min max",
    run: zremrangebyscore,
    ..ZREMRANGEBYRANK
};

fn zremrangebyscore(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    remove_range(call, By::Score, "zremrangebyscore")
}

/// ZREMRANGEBYLEX key min max
pub(super) const ZREMRANGEBYLEX: CommandSpec = CommandSpec {
    name: "zremrangebylex",
    since: "2.8.9",
    summary: "Removes a range of members in the order of bytes, where all scores are equal.",
    run: zremrangebylex,
    ..ZREMRANGEBYSCORE
};

fn zremrangebylex(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    remove_range(call, By::Member, "zremrangebylex")
}

fn remove_range(call: &mut Call<'_, '_>, by: By, event: &'static str) -> Result<(), CommandError> {
    let bounds = Bounds::parse(by, call.args.get(2), call.args.get(3))?;
    remove(call, event, |set| {
        let ranks = bounds.ranks(set, false);
        let removed = ranks.end - ranks.start;
        if removed > 0 {
            set.remove_ranks(ranks);
        }
        removed
    })
}

/// Lets `take` remove members, and tells what has become of the key.
fn remove(
    call: &mut Call<'_, '_>,
    event: &'static str,
    take: impl FnOnce(&mut SortedSet) -> u64,
) -> Result<(), CommandError> {
    let key = call.key(1);
    let Slot::Occupied(mut at) = call.unit.slot(key) else {
        call.reply.int(0);
        return Ok(());
    };
    let (removed, is_empty) = at.edit(|set: &mut SortedSet| {
        let removed = take(set);
        Ok::<_, CommandError>(((removed, set.is_empty()), removed > 0))
    })?;
    if removed > 0 {
        call.unit.notify(EventClass::ZSET, event, key.bytes());
        if is_empty {
            call.remove_emptied(key);
        }
        call.unit.dirty(removed);
    }
    call.reply.int(removed.cast_signed());
    Ok(())
}
