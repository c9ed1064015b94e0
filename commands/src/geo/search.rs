//! GEOSEARCH and its relatives: members within a shape.

use collections::listpack::Element;
use resp::Reply;
use store::{EventClass, SortedSet};

use super::cell::Place;
use super::cover::cover;
use super::query::{Form, Order, Query};
use super::{write_distance, write_place};
use crate::generic::write_element;
use crate::spec::{
    Acl, Arity, Begin, CommandSpec, Find, Flags, Group, KeyAt, KeyFlags, Keys, LogForm,
};
use crate::zset::LONG_LEN_MIN;
use crate::{Call, CommandError};

/// GEOSEARCH key <FROMMEMBER member | FROMLONLAT longitude latitude> <BYRADIUS radius <M | KM | FT | MI> | BYBOX width height <M | KM | FT | MI> | BYPOLYGON ...>
///
/// BYPOLYGON is Valkey 9's; it needs no centre.
pub(super) const GEOSEARCH: CommandSpec = CommandSpec {
    name: "geosearch",
    arity: Arity::AtLeast(7),
    keys: Keys::At(&[KeyAt::read(1)]),
    flags: Flags::READONLY,
    acl: Acl::GEO.or(Acl::READ).or(Acl::SLOW),
    group: Group::Geo,
    since: "6.2.0",
    summary: "Shows the members within a circle, a box or a polygon.",
    complexity: "O(log(N)+M), N the members of the set, M those in the cells around the shape; many are looked at without the set's lock.",
    syntax: "key [FROMMEMBER member | FROMLONLAT longitude latitude] <BYRADIUS radius <M | KM | FT | MI> | BYBOX width height <M | KM | FT | MI> | BYPOLYGON num-vertices longitude latitude [longitude latitude ...]> [ASC | DESC] [COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]",
    ..CommandSpec::row(geosearch)
};

fn geosearch(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    search(call, 1, Form::Search)
}

/// GEOSEARCHSTORE destination source ...
pub(super) const GEOSEARCHSTORE: CommandSpec = CommandSpec {
    name: "geosearchstore",
    arity: Arity::AtLeast(8),
    keys: Keys::At(&[KeyAt::overwrite(1), KeyAt::read(2)]),
    flags: Flags::WRITE.or(Flags::DENY_OOM),
    acl: Acl::GEO.or(Acl::WRITE).or(Acl::SLOW),
    log: LogForm::Verbatim,
    summary: "Stores the members within a circle, a box or a polygon.",
    complexity: "O(log(N)+M), N the members of the set, M those in the cells around the shape.",
    syntax: "destination source [FROMMEMBER member | FROMLONLAT longitude latitude] <BYRADIUS radius <M | KM | FT | MI> | BYBOX width height <M | KM | FT | MI> | BYPOLYGON num-vertices longitude latitude [longitude latitude ...]> [ASC | DESC] [COUNT count [ANY]] [STOREDIST]",
    run: geosearchstore,
    ..GEOSEARCH
};

fn geosearchstore(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    search(call, 2, Form::SearchStore)
}

/// A key behind a word.
const fn stored(word: &'static str, from: i16) -> KeyAt {
    KeyAt {
        begin: Begin::Keyword { word, from },
        find: Find::Range {
            last: 0,
            step: 1,
            limit: 0,
        },
        access: KeyFlags::OW
            .or(KeyFlags::UPDATE)
            .or(KeyFlags::VARIABLE_FLAGS),
    }
}

/// GEORADIUS key longitude latitude radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC] [STORE key | STOREDIST key]
pub(super) const GEORADIUS: CommandSpec = CommandSpec {
    name: "georadius",
    arity: Arity::AtLeast(6),
    keys: Keys::At(&[KeyAt::read(1), stored("STORE", 6), stored("STOREDIST", 6)]),
    since: "3.2.0",
    summary: "Shows or stores the members within a circle around a place.",
    syntax: "key longitude latitude radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC] [STORE key | STOREDIST key]",
    run: georadius,
    ..GEOSEARCHSTORE
};

fn georadius(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    search(call, 1, Form::Radius(true))
}

/// GEORADIUSBYMEMBER key member radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC] [STORE key | STOREDIST key]
pub(super) const GEORADIUSBYMEMBER: CommandSpec = CommandSpec {
    name: "georadiusbymember",
    arity: Arity::AtLeast(5),
    keys: Keys::At(&[KeyAt::read(1), stored("STORE", 5), stored("STOREDIST", 5)]),
    summary: "Shows or stores the members within a circle around one of them.",
    syntax: "key member radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC] [STORE key | STOREDIST key]",
    run: georadiusbymember,
    ..GEORADIUS
};

fn georadiusbymember(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    search(call, 1, Form::RadiusByMember(true))
}

/// GEORADIUS_RO key longitude latitude radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC]
pub(super) const GEORADIUS_RO: CommandSpec = CommandSpec {
    name: "georadius_ro",
    arity: Arity::AtLeast(6),
    since: "3.2.10",
    summary: "Shows the members within a circle around a place.",
    syntax: "key longitude latitude radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC]",
    run: georadius_ro,
    ..GEOSEARCH
};

fn georadius_ro(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    search(call, 1, Form::Radius(false))
}

/// GEORADIUSBYMEMBER_RO key member radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC]
pub(super) const GEORADIUSBYMEMBER_RO: CommandSpec = CommandSpec {
    name: "georadiusbymember_ro",
    arity: Arity::AtLeast(5),
    summary: "Shows the members within a circle around one of them.",
    syntax: "key member radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC]",
    run: georadiusbymember_ro,
    ..GEORADIUS_RO
};

fn georadiusbymember_ro(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    search(call, 1, Form::RadiusByMember(false))
}

/// A member within the shape.
struct Found<'s> {
    member: Element<'s>,
    score: f64,
    place: Place,
    /// From the centre, in metres.
    distance: f64,
}

fn search(call: &mut Call<'_, '_>, source: usize, form: Form) -> Result<(), CommandError> {
    let key = call.key(source);
    let set = call.unit.pin::<SortedSet>(key)?;
    let query = Query::parse(call, set.as_deref(), form)?;
    if let Some(destination) = query.store {
        return store(call, set.as_deref(), &query, form, destination);
    }
    let Some(set) = set else {
        call.reply.array(0);
        return Ok(());
    };
    if looked_at(&set, &query) < LONG_LEN_MIN {
        show(&set, &query, call.reply);
        return Ok(());
    }
    call.later(move |reply| {
        show(&set, &query, reply);
        Ok(())
    })
}

/// The ranges of ranks of the cells around the shape.
fn ranges(set: &SortedSet, query: &Query) -> Vec<std::ops::Range<u64>> {
    let (Some(shape), Some(centre)) = (&query.shape, query.centre) else {
        // Only without a source are they not known.
        return Vec::new();
    };
    let cells = cover(shape, centre).into_iter();
    let ranks = cells.map(|cell| {
        let (first, behind) = cell.scores();
        set.rank_of_score(first, false)..set.rank_of_score(behind, false)
    });
    ranks.collect()
}

fn looked_at(set: &SortedSet, query: &Query) -> u64 {
    let ranges = ranges(set, query);
    ranges.iter().map(|ranks| ranks.end - ranks.start).sum()
}

fn find<'s>(set: &'s SortedSet, query: &Query) -> Vec<Found<'s>> {
    let (Some(shape), Some(centre)) = (&query.shape, query.centre) else {
        return Vec::new();
    };
    let count = query.count.and_then(|count| usize::try_from(count).ok());
    let count = count.unwrap_or(usize::MAX);
    let rows = ranges(set, query)
        .into_iter()
        .flat_map(|ranks| set.range(ranks));
    let found = rows.filter_map(|(score, member)| {
        let place = Place::of_score(score);
        let distance = shape.reach(centre, place)?;
        Some(Found {
            member,
            score,
            place,
            distance,
        })
    });
    let mut found: Vec<Found<'_>> = if query.any {
        found.take(count).collect()
    } else {
        found.collect()
    };
    // The first of many mean the nearest, if nothing else was said.
    let order = match query.order {
        Order::Any if query.count.is_some() && !query.any => Order::Nearest,
        order => order,
    };
    let by_distance = |one: &Found<'_>, other: &Found<'_>| one.distance.total_cmp(&other.distance);
    match order {
        Order::Any => {}
        Order::Nearest => found.sort_by(by_distance),
        Order::Farthest => found.sort_by(|one, other| by_distance(other, one)),
    }
    found.truncate(count);
    found
}

fn show(set: &SortedSet, query: &Query, reply: &mut Reply) {
    let found = find(set, query);
    let parts = [query.with_dist, query.with_hash, query.with_coord];
    let parts = parts.into_iter().filter(|part| *part).count();
    reply.array(found.len());
    for one in found {
        if parts > 0 {
            reply.array(parts + 1);
        }
        write_element(one.member, reply);
        if query.with_dist {
            write_distance(one.distance / query.unit, reply);
        }
        if query.with_hash {
            reply.int(one.score as i64);
        }
        if query.with_coord {
            write_place(one.place, reply);
        }
    }
}

fn store(
    call: &mut Call<'_, '_>,
    set: Option<&SortedSet>,
    query: &Query,
    form: Form,
    destination: usize,
) -> Result<(), CommandError> {
    let limits = &call.settings.limits;
    let found = set.map_or_else(Vec::new, |set| find(set, query));
    let count = found.len() as u64;
    let longest = found.iter().map(|one| one.member.len()).max().unwrap_or(0);
    let mut result = SortedSet::for_members(count, longest as u64, limits);
    for one in found {
        let score = if query.store_dist {
            one.distance / query.unit
        } else {
            one.score
        };
        result.insert(one.member.bytes(&mut [0; 20]), score, limits)?;
    }
    let destination = call.key(destination);
    let changed = call.store_result(destination, Some(result))?;
    if count > 0 {
        let event = match form {
            Form::SearchStore => "geosearchstore",
            _ => "georadiusstore",
        };
        call.unit
            .notify(EventClass::ZSET, event, destination.bytes());
        call.unit.dirty(count);
    } else if changed {
        call.unit.dirty(1);
    }
    call.reply.int(count.cast_signed());
    Ok(())
}
