//! SPOP, SRANDMEMBER: members by chance.

use std::collections::BTreeSet;

use store::{Container, EventClass, Set, Slot};

use crate::args::integer;
use crate::generic::write_element;
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, KeyFlags, Keys, LogForm};
use crate::{Call, CommandError};

/// SPOP key [count]
///
/// What was popped enters the change log as SREM, because a replica would draw others.
pub(super) const SPOP: CommandSpec = CommandSpec {
    name: "spop",
    arity: Arity::AtLeast(2),
    keys: Keys::At(&[KeyAt::at(
        1,
        KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::DELETE),
    )]),
    flags: Flags::WRITE.or(Flags::FAST),
    acl: Acl::SET.or(Acl::WRITE).or(Acl::FAST),
    log: LogForm::Effects,
    group: Group::Set,
    since: "1.0.0",
    summary: "Removes random members of a set and returns them.",
    complexity: "O(1), or O(N) for a count of N.",
    syntax: "key [count]",
    tips: &["nondeterministic_output"],
    ..CommandSpec::row(spop)
};

fn spop(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let key = call.key(1);
    let count = match call.args.len() {
        2 => None,
        3 => Some(positive(call.args.get(2))?),
        _ => return Err(CommandError::Syntax),
    };
    let size = match call.unit.read_as::<Set>(key)? {
        Some(set) => set.len(),
        None => {
            match count {
                Some(_) => call.reply.set(0),
                None => call.reply.null(),
            }
            return Ok(());
        }
    };
    let wanted = count.unwrap_or(1).min(size);
    if count.is_some() {
        call.reply
            .set(usize::try_from(wanted).expect("its members are in memory"));
    }
    if wanted == 0 {
        return Ok(());
    }
    let randoms: Vec<u64> = (0..wanted).map(|_| call.unit.random()).collect();
    let is_all = count.is_some() && wanted == size;
    let Slot::Occupied(mut at) = call.unit.slot(key) else {
        unreachable!("it has been read")
    };
    let reply = &mut *call.reply;
    let popped = at.edit(|set: &mut Set| {
        let mut popped = Vec::new();
        if is_all {
            set.iter().for_each(|member| write_element(member, reply));
            return Ok((popped, true));
        }
        for random in randoms {
            let member = set.random(random).expect("fewer are popped than there are");
            write_element(member, reply);
            let member = member.to_vec();
            set.remove(&member);
            popped.push(member);
        }
        Ok::<_, CommandError>((popped, true))
    })?;
    call.unit.notify(EventClass::SET, "spop", key.bytes());
    if wanted == size {
        call.unit.log(&[b"DEL", key.bytes()]);
        call.remove_emptied(key);
    } else if call.unit.logging() {
        let mut words: Vec<&[u8]> = vec![b"SREM", key.bytes()];
        words.extend(popped.iter().map(Vec::as_slice));
        call.unit.log(&words);
    }
    call.unit.dirty(wanted);
    Ok(())
}

fn positive(word: &[u8]) -> Result<u64, CommandError> {
    const TEXT: &str = "ERR value is out of range, must be positive";
    let count = crate::args::integer_or(word, TEXT)?;
    u64::try_from(count).map_err(|_| CommandError::Fixed(TEXT))
}

/// SRANDMEMBER key [count]
///
/// A negative count may show a member several times.
pub(super) const SRANDMEMBER: CommandSpec = CommandSpec {
    name: "srandmember",
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::RO.or(KeyFlags::ACCESS))]),
    flags: Flags::READONLY,
    acl: Acl::SET.or(Acl::READ).or(Acl::SLOW),
    log: LogForm::None,
    summary: "Shows random members of a set.",
    complexity: "O(N) for N members shown.",
    run: srandmember,
    ..SPOP
};

fn srandmember(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let key = call.key(1);
    let count = match call.args.len() {
        2 => None,
        3 => Some(integer(call.args.get(2))?),
        _ => return Err(CommandError::Syntax),
    };
    if count.is_some_and(|count| count == i64::MIN) {
        return Err(CommandError::Fixed(
            "ERR value is out of range, value must between -9223372036854775807 and \
             9223372036854775807",
        ));
    }
    let Some(set) = call.unit.pin::<Set>(key)? else {
        match count {
            Some(_) => call.reply.array(0),
            None => call.reply.null(),
        }
        return Ok(());
    };
    let reply = &mut *call.reply;
    let set: &Set = &set;
    let mut draw = || random_member(set, call.unit.random());
    match count {
        None => {
            let (member, spelled) = (draw(), &mut [0; 20]);
            reply.bulk(member.bytes(spelled));
        }
        Some(..=-1) => {
            let wanted = count.unwrap_or(0).unsigned_abs();
            if wanted > REPEATS_MAX {
                return Err(CommandError::Refused);
            }
            let length = usize::try_from(wanted).expect("it is below 32 bits");
            reply.array(length);
            for _ in 0..wanted {
                write_element(draw(), reply);
            }
        }
        Some(count) => {
            let wanted = count.unsigned_abs().min(set.len());
            reply.array(usize::try_from(wanted).expect("its members are in memory"));
            show_different(set, wanted, draw, reply);
        }
    }
    Ok(())
}

/// More repeated members than this would fill the memory of any machine: at least 2 GiB of reply.
const REPEATS_MAX: u64 = 1 << 28;

fn random_member(set: &Set, random: u64) -> collections::listpack::Element<'_> {
    set.random(random).expect("no key holds an empty set")
}

/// Shows `wanted` different members: all of them, or by drawing until there are enough, or, when that
/// would draw many in vain, by leaving out those that are drawn.
fn show_different<'s>(
    set: &'s Set,
    wanted: u64,
    mut draw: impl FnMut() -> collections::listpack::Element<'s>,
    reply: &mut resp::Reply,
) {
    let is_most = wanted > set.len() / 3;
    let drawn_max = if is_most { set.len() - wanted } else { wanted };
    let mut drawn = BTreeSet::new();
    while (drawn.len() as u64) < drawn_max {
        drawn.insert(draw().to_vec());
    }
    if !is_most {
        drawn.iter().for_each(|member| reply.bulk(member));
        return;
    }
    for member in set.iter() {
        let mut spelled = [0; 20];
        let bytes = member.bytes(&mut spelled);
        if !drawn.contains(bytes) {
            reply.bulk(bytes);
        }
    }
}
