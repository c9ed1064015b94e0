//! HRANDFIELD: fields by chance.

use std::collections::BTreeSet;

use resp::Reply;
use store::{Container, Field, Hash};

use super::say;
use super::walk::nests_pairs;
use crate::args::{integer, is};
use crate::call::REPEATS_MAX;
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, Keys};
use crate::{Call, CommandError};

/// HRANDFIELD key [count [WITHVALUES]]
///
/// A negative count may show a field several times.
pub(super) const HRANDFIELD: CommandSpec = CommandSpec {
    name: "hrandfield",
    arity: Arity::AtLeast(2),
    keys: Keys::At(&[KeyAt::read(1)]),
    flags: Flags::READONLY,
    acl: Acl::HASH.or(Acl::READ).or(Acl::SLOW),
    group: Group::Hash,
    since: "6.2.0",
    summary: "Shows random fields of a hash.",
    complexity: "O(N) for N fields shown.",
    syntax: "key [count [WITHVALUES]]",
    tips: &["nondeterministic_output"],
    ..CommandSpec::row(hrandfield)
};

fn hrandfield(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let count = parse(call)?;
    let key = call.key(1);
    // Any may be drawn, so none may be left that is over.
    call.unit.expire_all_fields(key);
    let now_ms = call.unit.expiry_ms();
    let Some(hash) = call.unit.pin::<Hash>(key)? else {
        match count {
            Some(_) => call.reply.array(0),
            None => call.reply.null(),
        }
        return Ok(());
    };
    let hash: &Hash = &hash;
    // What a pause keeps is not drawn either: all that live are gathered.
    let is_mixed = hash.part_deadline().is_some_and(|at| now_ms > at);
    let living: Vec<Field<'_>> = if is_mixed {
        hash.iter().filter(|field| field.lives_at(now_ms)).collect()
    } else {
        Vec::new()
    };
    if is_mixed && living.is_empty() {
        match count {
            Some(_) => call.reply.array(0),
            None => call.reply.null(),
        }
        return Ok(());
    }
    let len = if is_mixed {
        living.len() as u64
    } else {
        hash.len()
    };
    let (reply, unit) = (&mut *call.reply, &mut *call.unit);
    let mut draw = || {
        let random = unit.random();
        if is_mixed {
            living[((u128::from(random) * living.len() as u128) >> 64) as usize]
        } else {
            hash.random(random).expect("no key holds an empty hash")
        }
    };
    match count {
        None => say(draw().name, reply),
        Some(Count { number, values }) if number < 0 => {
            let wanted = number.unsigned_abs();
            if wanted > REPEATS_MAX && !reply.has_ceiling() {
                return Err(CommandError::Refused);
            }
            begin(wanted, values, reply)?;
            for _ in 0..wanted {
                show(draw(), values, reply);
                if reply.is_cut() {
                    break;
                }
            }
        }
        Some(Count { number, values }) => {
            let wanted = number.unsigned_abs().min(len);
            begin(wanted, values, reply)?;
            let all = hash.iter().filter(|field| field.lives_at(now_ms));
            show_different(all, len, wanted, values, draw, reply);
        }
    }
    Ok(())
}

#[derive(Clone, Copy)]
struct Count {
    number: i64,
    values: bool,
}

fn parse(call: &Call<'_, '_>) -> Result<Option<Count>, CommandError> {
    let Some(word) = call.args.try_get(2) else {
        return Ok(None);
    };
    let number = integer(word)?;
    if number == i64::MIN {
        return Err(CommandError::Fixed(
            "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
        ));
    }
    let values = match call.args.len() {
        3 => false,
        4 if is(call.args.get(3), "WITHVALUES") => true,
        _ => return Err(CommandError::Syntax),
    };
    if values && number.unsigned_abs() > i64::MAX as u64 / 2 {
        return Err(CommandError::OutOfRange);
    }
    Ok(Some(Count { number, values }))
}

fn begin(fields: u64, values: bool, reply: &mut Reply) -> Result<(), CommandError> {
    let parts = if values && !nests_pairs(reply) { 2 } else { 1 };
    let length = usize::try_from(fields * parts).map_err(|_| CommandError::OutOfRange)?;
    reply.array(length);
    Ok(())
}

fn show(field: Field<'_>, values: bool, reply: &mut Reply) {
    if values && nests_pairs(reply) {
        reply.array(2);
    }
    say(field.name, reply);
    if values {
        say(field.value, reply);
    }
}

/// Shows `wanted` different fields: all of them, or by drawing until there are enough, or, when that
/// would draw many in vain, by leaving out those that are drawn.
fn show_different<'h>(
    all: impl Iterator<Item = Field<'h>>,
    len: u64,
    wanted: u64,
    values: bool,
    mut draw: impl FnMut() -> Field<'h>,
    reply: &mut Reply,
) {
    let is_most = wanted > len / 3;
    let drawn_max = if is_most { len - wanted } else { wanted };
    let mut drawn = BTreeSet::new();
    while (drawn.len() as u64) < drawn_max {
        let field = draw();
        if drawn.insert(field.name.to_vec()) && !is_most {
            show(field, values, reply);
        }
    }
    if is_most {
        all.filter(|field| !drawn.contains(field.name.bytes(&mut [0; 20])))
            .for_each(|field| show(field, values, reply));
    }
}
