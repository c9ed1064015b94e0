//! GEODIST, GEOHASH, GEOPOS: where members are.

use store::SortedSet;

use super::cell::Place;
use super::shape::distance;
use super::{unit, write_distance, write_place};
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, Keys};
use crate::{Call, CommandError};

/// GEODIST key member1 member2 [M | KM | FT | MI]
pub(super) const GEODIST: CommandSpec = CommandSpec {
    name: "geodist",
    arity: Arity::AtLeast(4),
    keys: Keys::At(&[KeyAt::read(1)]),
    flags: Flags::READONLY,
    acl: Acl::GEO.or(Acl::READ).or(Acl::SLOW),
    group: Group::Geo,
    since: "3.2.0",
    summary: "Tells the distance between two members.",
    syntax: "key member1 member2 [M | KM | FT | MI]",
    ..CommandSpec::row(geodist)
};

fn geodist(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let metres = match call.args.len() {
        4 => 1.0,
        5 => unit(call.args.get(4))?,
        _ => return Err(CommandError::Syntax),
    };
    let (key, one, other) = (call.key(1), call.args.get(2), call.args.get(3));
    let set = call.unit.read_as::<SortedSet>(key)?;
    let places = set.and_then(|set| {
        let place = |member| set.score(member).map(Place::of_score);
        Some((place(one)?, place(other)?))
    });
    match places {
        Some((one, other)) => write_distance(distance(one, other) / metres, call.reply),
        None => call.reply.null(),
    }
    Ok(())
}

/// GEOHASH key [member [member ...]]
pub(super) const GEOHASH: CommandSpec = CommandSpec {
    name: "geohash",
    arity: Arity::AtLeast(2),
    summary: "Tells the geohashes of members.",
    complexity: "O(N) for N members asked for.",
    syntax: "key [member [member ...]]",
    run: geohash,
    ..GEODIST
};

fn geohash(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let (key, members) = (call.key(1), call.args.skip(2));
    let set = call.unit.read_as::<SortedSet>(key)?;
    call.reply.array(members.len());
    for member in members.iter() {
        match set.and_then(|set| set.score(member)) {
            Some(score) => call.reply.bulk(&Place::of_score(score).geohash()),
            None => call.reply.null(),
        }
    }
    Ok(())
}

/// GEOPOS key [member [member ...]]
pub(super) const GEOPOS: CommandSpec = CommandSpec {
    name: "geopos",
    summary: "Tells the longitudes and latitudes of members.",
    run: geopos,
    ..GEOHASH
};

fn geopos(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let (key, members) = (call.key(1), call.args.skip(2));
    let set = call.unit.read_as::<SortedSet>(key)?;
    call.reply.array(members.len());
    for member in members.iter() {
        match set.and_then(|set| set.score(member)) {
            Some(score) => write_place(Place::of_score(score), call.reply),
            None => call.reply.null_array(),
        }
    }
    Ok(())
}
