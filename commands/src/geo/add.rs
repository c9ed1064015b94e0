//! GEOADD: ZADD with places for scores.

use super::place;
use crate::args::is;
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, KeyFlags, Keys, LogForm};
use crate::zset::add::{Policy, put};
use crate::{Call, CommandError};

/// GEOADD key [NX | XX] [CH] longitude latitude member [longitude latitude member ...]
pub(super) const GEOADD: CommandSpec = CommandSpec {
    name: "geoadd",
    arity: Arity::AtLeast(5),
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::RW.or(KeyFlags::UPDATE))]),
    flags: Flags::WRITE.or(Flags::DENY_OOM),
    acl: Acl::GEO.or(Acl::WRITE).or(Acl::SLOW),
    log: LogForm::Verbatim,
    group: Group::Geo,
    since: "3.2.0",
    summary: "Adds members with their places, or moves those that are there.",
    complexity: "O(log(N)) for each member, N the members of the set.",
    syntax: "key [NX | XX] [CH] longitude latitude member [longitude latitude member ...]",
    ..CommandSpec::row(geoadd)
};

fn geoadd(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let mut policy = Policy::default();
    let options = call.args.skip(2).iter().take_while(|word| {
        let said = if is(word, "NX") {
            &mut policy.nx
        } else if is(word, "XX") {
            &mut policy.xx
        } else if is(word, "CH") {
            &mut policy.ch
        } else {
            return false;
        };
        *said = true;
        true
    });
    let words = call.args.skip(2 + options.count());
    let is_even = words.len().is_multiple_of(3) && !words.is_empty();
    if !is_even || policy.nx && policy.xx {
        return Err(CommandError::Syntax);
    }
    let rows = (0..words.len() / 3).map(|row| {
        let place = place(words.get(row * 3), words.get(row * 3 + 1))?;
        Ok((place.score(), words.get(row * 3 + 2)))
    });
    let rows = rows.collect::<Result<Vec<_>, CommandError>>()?;
    put(call, policy, rows.iter().copied())
}
