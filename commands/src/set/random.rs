//! SPOP, SRANDMEMBER: members by chance.

use std::collections::BTreeSet;

use store::{Container, EventClass, Set, Slot};

use super::ask::LONG_LEN_MIN;
use crate::args::integer;
use crate::call::REPEATS_MAX;
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
    let is_all = count.is_some() && wanted == size;
    let mut draws = Draws(call.unit.random());
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
        for _ in 0..wanted {
            let member = set.pop(draws.next());
            let member = member.expect("fewer are popped than there are");
            reply.bulk(&member);
            popped.push(member);
        }
        Ok::<_, CommandError>((popped, true))
    })?;
    call.unit.notify(EventClass::SET, "spop", key.bytes());
    if is_all {
        call.unit.log(&[b"DEL", key.bytes()]);
    } else if call.unit.logging() {
        for popped in popped.chunks(LOGGED_MAX) {
            let mut words: Vec<&[u8]> = vec![b"SREM", key.bytes()];
            words.extend(popped.iter().map(Vec::as_slice));
            call.unit.log(&words);
        }
    }
    if wanted == size {
        call.remove_emptied(key);
    }
    call.unit.dirty(wanted);
    Ok(())
}

/// One logged SREM names no more members than this, so that no reader of the log meets a command
/// of millions of words.
const LOGGED_MAX: usize = 1_024;

/// Random numbers that follow from one (splitmix64, Steele and others 2014).
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }
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
    let mut draws = Draws(call.unit.random());
    let Some(count) = count else {
        let member = set.random(draws.next());
        write_element(member.expect("no key holds an empty set"), call.reply);
        return Ok(());
    };
    if count < 0 && count.unsigned_abs() > REPEATS_MAX && !call.reply.has_ceiling() {
        return Err(CommandError::Refused);
    }
    let shown = move |set: &Set, reply: &mut resp::Reply| {
        if count < 0 {
            show_repeatedly(set, count.unsigned_abs(), draws, reply);
        } else {
            show_different(set, count.unsigned_abs().min(set.len()), draws, reply);
        }
    };
    let wanted = if count < 0 { u64::MAX } else { set.len() };
    if count.unsigned_abs().min(wanted) < LONG_LEN_MIN {
        shown(&set, call.reply);
        return Ok(());
    }
    call.later(move |reply| {
        shown(&set, reply);
        Ok(())
    })
}

fn show_repeatedly(set: &Set, wanted: u64, mut draws: Draws, reply: &mut resp::Reply) {
    reply.array(usize::try_from(wanted).unwrap_or(usize::MAX));
    for _ in 0..wanted {
        let member = set.random(draws.next());
        write_element(member.expect("no key holds an empty set"), reply);
        if reply.is_cut() {
            break;
        }
    }
}

/// Shows `wanted` different members: all of them, or by drawing until there are enough, or, when that
/// would draw many in vain, by leaving out those that are drawn.
fn show_different(set: &Set, wanted: u64, mut draws: Draws, reply: &mut resp::Reply) {
    reply.array(usize::try_from(wanted).expect("its members are in memory"));
    let is_most = wanted > set.len() / 3;
    let drawn_max = if is_most { set.len() - wanted } else { wanted };
    let mut drawn = BTreeSet::new();
    while (drawn.len() as u64) < drawn_max {
        let member = set.random(draws.next());
        drawn.insert(member.expect("no key holds an empty set").to_vec());
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
