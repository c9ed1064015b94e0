//! ZRANK, ZREVRANK, ZCOUNT, ZLEXCOUNT: places in the order, and how many members lie between two.

use store::{Container, SortedSet};

use super::bounds::{Bounds, By};
use crate::args::{is, wrong_arity};
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, Keys};
use crate::{Call, CommandError};

/// ZRANK key member [WITHSCORE]
pub(super) const ZRANK: CommandSpec = CommandSpec {
    name: "zrank",
    arity: Arity::AtLeast(3),
    keys: Keys::At(&[KeyAt::read(1)]),
    flags: Flags::READONLY.or(Flags::FAST),
    acl: Acl::SORTED_SET.or(Acl::READ).or(Acl::FAST),
    group: Group::SortedSet,
    since: "2.0.0",
    summary: "Tells how many members come before one, lowest scores first.",
    complexity: "O(log(N)), N the members of the set.",
    syntax: "key member [WITHSCORE]",
    ..CommandSpec::row(zrank)
};

fn zrank(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    rank(call, "zrank", false)
}

/// ZREVRANK key member [WITHSCORE]
pub(super) const ZREVRANK: CommandSpec = CommandSpec {
    name: "zrevrank",
    summary: "Tells how many members come before one, highest scores first.",
    run: zrevrank,
    ..ZRANK
};

fn zrevrank(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    rank(call, "zrevrank", true)
}

fn rank(
    call: &mut Call<'_, '_>,
    name: &'static str,
    is_from_top: bool,
) -> Result<(), CommandError> {
    let with_score = match call.args.len() {
        3 => false,
        4 if is(call.args.get(3), "WITHSCORE") => true,
        4 => return Err(CommandError::Syntax),
        _ => return Err(wrong_arity(name)),
    };
    let (key, member) = (call.key(1), call.args.get(2));
    let set = call.unit.read_as::<SortedSet>(key)?;
    let found = set.and_then(|set| {
        let (rank, score) = set.rank(member)?;
        let rank = if is_from_top {
            set.len() - 1 - rank
        } else {
            rank
        };
        Some((rank, score))
    });
    match found {
        Some((rank, score)) if with_score => {
            call.reply.array(2);
            call.reply.int(rank.cast_signed());
            call.reply.double(score);
        }
        Some((rank, _)) => call.reply.int(rank.cast_signed()),
        None if with_score => call.reply.null_array(),
        None => call.reply.null(),
    }
    Ok(())
}

/// ZCOUNT key min max
pub(super) const ZCOUNT: CommandSpec = CommandSpec {
    name: "zcount",
    arity: Arity::Exactly(4),
    summary: "Counts the members whose scores are within a range.",
    syntax: "key min max",
    run: zcount,
    ..ZRANK
};

fn zcount(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    count(call, By::Score)
}

/// ZLEXCOUNT key min max
pub(super) const ZLEXCOUNT: CommandSpec = CommandSpec {
    name: "zlexcount",
    since: "2.8.9",
    summary: "Counts a range of members in the order of bytes, where all scores are equal.",
    run: zlexcount,
    ..ZCOUNT
};

fn zlexcount(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    count(call, By::Member)
}

fn count(call: &mut Call<'_, '_>, by: By) -> Result<(), CommandError> {
    let bounds = Bounds::parse(by, call.args.get(2), call.args.get(3))?;
    let key = call.key(1);
    let set = call.unit.read_as::<SortedSet>(key)?;
    let ranks = set.map_or(0..0, |set| bounds.ranks(set, false));
    call.reply.int((ranks.end - ranks.start).cast_signed());
    Ok(())
}
