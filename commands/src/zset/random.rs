//! ZRANDMEMBER: members by chance.

use std::collections::BTreeSet;

use store::{Container, SortedSet};

use super::{write_head, write_row};
use crate::args::{integer, is};
use crate::call::REPEATS_MAX;
use crate::generic::write_element;
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, Keys};
use crate::{Call, CommandError};

/// ZRANDMEMBER key [count [WITHSCORES]]
///
/// A negative count may show a member several times.
pub(super) const ZRANDMEMBER: CommandSpec = CommandSpec {
    name: "zrandmember",
    arity: Arity::AtLeast(2),
    keys: Keys::At(&[KeyAt::read(1)]),
    flags: Flags::READONLY,
    acl: Acl::SORTED_SET.or(Acl::READ).or(Acl::SLOW),
    group: Group::SortedSet,
    since: "6.2.0",
    summary: "Shows random members of a sorted set.",
    complexity: "O(M*log(N)), M the members shown, N the members of the set.",
    syntax: "key [count [WITHSCORES]]",
    tips: &["nondeterministic_output"],
    ..CommandSpec::row(zrandmember)
};

fn zrandmember(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let key = call.key(1);
    let count = match call.args.len() {
        2 => None,
        _ => Some(integer(call.args.get(2))?),
    };
    if count == Some(i64::MIN) {
        return Err(CommandError::Fixed(
            "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
        ));
    }
    let with_scores = match call.args.len() {
        2 | 3 => false,
        4 if is(call.args.get(3), "WITHSCORES") => true,
        _ => return Err(CommandError::Syntax),
    };
    let half = i64::MAX / 2;
    if count.is_some_and(|count| with_scores && !(-half..=half).contains(&count)) {
        return Err(CommandError::OutOfRange);
    }
    let Some(set) = call.unit.pin::<SortedSet>(key)? else {
        match count {
            Some(_) => call.reply.array(0),
            None => call.reply.null(),
        }
        return Ok(());
    };
    let reply = &mut *call.reply;
    let mut draw = |below: u64| {
        let random = call.unit.random();
        u64::try_from((u128::from(random) * u128::from(below)) >> 64).expect("below `below`")
    };
    let row = |rank: u64| {
        let mut rows = set.range(rank..rank + 1);
        rows.next().expect("a rank of the set")
    };
    match count {
        None => write_element(row(draw(set.len())).1, reply),
        Some(..=-1) => {
            let wanted = count.unwrap_or(0).unsigned_abs();
            if wanted > REPEATS_MAX && !reply.has_ceiling() {
                return Err(CommandError::Refused);
            }
            write_head(wanted, with_scores, reply);
            for _ in 0..wanted {
                write_row(row(draw(set.len())), with_scores, reply);
                if reply.is_cut() {
                    break;
                }
            }
        }
        Some(count) => {
            let wanted = count.unsigned_abs().min(set.len());
            write_head(wanted, with_scores, reply);
            let ranks = different(wanted, set.len(), draw);
            for rank in ranks {
                write_row(row(rank), with_scores, reply);
            }
        }
    }
    Ok(())
}

/// `wanted` different numbers below `len`, each choice with the same chance: for each of the last
/// `wanted` places a number not above it is drawn, and the place itself is taken where that has been
/// drawn before (Floyd's way).
fn different(wanted: u64, len: u64, mut draw: impl FnMut(u64) -> u64) -> BTreeSet<u64> {
    let mut chosen = BTreeSet::new();
    for place in len - wanted..len {
        let drawn = draw(place + 1);
        if !chosen.insert(drawn) {
            chosen.insert(place);
        }
    }
    chosen
}
