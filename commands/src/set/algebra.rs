//! SINTER, SUNION, SDIFF, their STORE and CARD forms.
//!
//! One walk serves all nine: it shows each member of the result once, and says when it has been shown
//! enough. A missing key is an empty set, one of another type an error before anything is done.

use collections::listpack::Element;
use store::{Container, EventClass, Key, Refused, Set};

use crate::args::{Words, integer_or, is};
use crate::generic::write_element;
use crate::spec::{
    Acl, Arity, Begin, CommandSpec, Find, Flags, Group, KeyAt, KeyFlags, Keys, LogForm,
};
use crate::{Call, CommandError};

const SOURCES: KeyAt = KeyAt::at(1, KeyFlags::RO.or(KeyFlags::ACCESS)).to(-1, 1);

/// SINTER key [key ...]
pub(super) const SINTER: CommandSpec = CommandSpec {
    name: "sinter",
    arity: Arity::AtLeast(2),
    keys: Keys::At(&[SOURCES]),
    flags: Flags::READONLY,
    acl: Acl::SET.or(Acl::READ).or(Acl::SLOW),
    group: Group::Set,
    since: "1.0.0",
    summary: "Shows the members that all of several sets have.",
    complexity: "O(N*M), N the members of the smallest set and M the number of sets.",
    syntax: "key [key ...]",
    tips: &["nondeterministic_output_order"],
    ..CommandSpec::row(sinter)
};

fn sinter(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    show(call, Operation::Inter)
}

/// SUNION key [key ...]
pub(super) const SUNION: CommandSpec = CommandSpec {
    name: "sunion",
    summary: "Shows the members that any of several sets has.",
    complexity: "O(N), N the members of all sets.",
    run: sunion,
    ..SINTER
};

fn sunion(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    show(call, Operation::Union)
}

/// SDIFF key [key ...]
pub(super) const SDIFF: CommandSpec = CommandSpec {
    name: "sdiff",
    summary: "Shows the members of the first set that no other has.",
    complexity: "O(N), N the members of all sets.",
    run: sdiff,
    ..SINTER
};

fn sdiff(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    show(call, Operation::Diff)
}

/// SINTERSTORE destination key [key ...]
pub(super) const SINTERSTORE: CommandSpec = CommandSpec {
    name: "sinterstore",
    arity: Arity::AtLeast(3),
    keys: Keys::At(&[
        KeyAt::at(1, KeyFlags::OW.or(KeyFlags::UPDATE)),
        KeyAt::at(2, KeyFlags::RO.or(KeyFlags::ACCESS)).to(-1, 1),
    ]),
    flags: Flags::WRITE.or(Flags::DENY_OOM),
    acl: Acl::SET.or(Acl::WRITE).or(Acl::SLOW),
    log: LogForm::Verbatim,
    summary: "Stores the members that all of several sets have.",
    syntax: "destination key [key ...]",
    tips: &[],
    run: sinterstore,
    ..SINTER
};

fn sinterstore(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    store(call, Operation::Inter, "sinterstore")
}

/// SUNIONSTORE destination key [key ...]
pub(super) const SUNIONSTORE: CommandSpec = CommandSpec {
    name: "sunionstore",
    summary: "Stores the members that any of several sets has.",
    complexity: SUNION.complexity,
    run: sunionstore,
    ..SINTERSTORE
};

fn sunionstore(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    store(call, Operation::Union, "sunionstore")
}

/// SDIFFSTORE destination key [key ...]
pub(super) const SDIFFSTORE: CommandSpec = CommandSpec {
    name: "sdiffstore",
    summary: "Stores the members of the first set that no other has.",
    complexity: SDIFF.complexity,
    run: sdiffstore,
    ..SINTERSTORE
};

fn sdiffstore(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    store(call, Operation::Diff, "sdiffstore")
}

/// SINTERCARD numkeys key [key ...] [LIMIT limit]
pub(super) const SINTERCARD: CommandSpec = CommandSpec {
    name: "sintercard",
    arity: Arity::AtLeast(3),
    keys: Keys::At(&[KeyAt {
        begin: Begin::Index(1),
        find: Find::KeyNum {
            at: 0,
            first: 1,
            step: 1,
        },
        access: KeyFlags::RO.or(KeyFlags::ACCESS),
    }]),
    since: "7.0.0",
    summary: "Counts the members that all of several sets have.",
    syntax: "numkeys key [key ...] [LIMIT limit]",
    tips: &[],
    run: sintercard,
    ..SINTER
};

fn sintercard(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    count(call, Operation::Inter)
}

/// SUNIONCARD numkeys key [key ...] [LIMIT limit]
pub(super) const SUNIONCARD: CommandSpec = CommandSpec {
    name: "sunioncard",
    since: "8.10.0",
    summary: "Counts the members that any of several sets has.",
    complexity: SUNION.complexity,
    run: sunioncard,
    ..SINTERCARD
};

fn sunioncard(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    count(call, Operation::Union)
}

/// SDIFFCARD numkeys key [key ...] [LIMIT limit]
pub(super) const SDIFFCARD: CommandSpec = CommandSpec {
    name: "sdiffcard",
    since: "8.10.0",
    summary: "Counts the members of the first set that no other has.",
    complexity: SDIFF.complexity,
    run: sdiffcard,
    ..SINTERCARD
};

fn sdiffcard(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    count(call, Operation::Diff)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Inter,
    Union,
    Diff,
}

/// Reads all sources, so that hits, misses and wrong types are as if each was read by itself, and
/// looks at them side by side.
fn sources<'u>(
    call: &'u mut Call<'_, '_>,
    words: std::ops::Range<usize>,
) -> Result<Vec<Option<&'u Set>>, CommandError> {
    let keys: Vec<Key<'_>> = words.map(|at| call.key(at)).collect();
    for key in &keys {
        call.unit.read_as::<Set>(*key)?;
    }
    let unit = &*call.unit;
    keys.into_iter()
        .map(|key| Ok(unit.look_as::<Set>(key)?))
        .collect()
}

/// Shows each member of the result once, until `shown` says that it is enough.
fn walk<'s>(
    sets: &[Option<&'s Set>],
    operation: Operation,
    mut shown: impl FnMut(Element<'s>) -> Result<bool, Refused>,
) -> Result<(), Refused> {
    let has = |set: &Option<&Set>, member: Element<'_>| {
        let mut spelled = [0; 20];
        set.is_some_and(|set| set.contains(member.bytes(&mut spelled)))
    };
    match operation {
        Operation::Inter => {
            let mut sets: Vec<&Set> = match sets.iter().copied().collect() {
                Some(sets) => sets,
                // One of them is empty.
                None => return Ok(()),
            };
            sets.sort_by_key(|set| set.len());
            let Some((smallest, others)) = sets.split_first() else {
                return Ok(());
            };
            for member in smallest.iter() {
                if others.iter().all(|set| has(&Some(set), member)) && !shown(member)? {
                    break;
                }
            }
        }
        Operation::Union => {
            for (at, set) in sets.iter().enumerate() {
                let Some(set) = set else { continue };
                for member in set.iter() {
                    let is_new = !sets[..at].iter().any(|earlier| has(earlier, member));
                    if is_new && !shown(member)? {
                        return Ok(());
                    }
                }
            }
        }
        Operation::Diff => {
            let Some((Some(first), others)) = sets.split_first() else {
                return Ok(());
            };
            for member in first.iter() {
                if !others.iter().any(|set| has(set, member)) && !shown(member)? {
                    break;
                }
            }
        }
    }
    Ok(())
}

fn show(call: &mut Call<'_, '_>, operation: Operation) -> Result<(), CommandError> {
    let words = 1..call.args.len();
    let head = call.reply.defer();
    // The reply and the sets are borrowed from one call: members are written by themselves first.
    let mut out = resp::Reply::new(call.reply.proto());
    let mut count = 0;
    let sets = sources(call, words)?;
    walk(&sets, operation, |member| {
        write_element(member, &mut out);
        count += 1;
        Ok(true)
    })?;
    call.reply.append(out.take(Vec::new()));
    call.reply.finish_set(head, count);
    Ok(())
}

fn store(
    call: &mut Call<'_, '_>,
    operation: Operation,
    event: &'static str,
) -> Result<(), CommandError> {
    let limits = &call.settings.limits;
    let words = 2..call.args.len();
    let mut result: Option<Set> = None;
    let sets = sources(call, words)?;
    walk(&sets, operation, |member| {
        let mut spelled = [0; 20];
        let member = member.bytes(&mut spelled);
        result
            .get_or_insert_with(|| Set::for_members(member, 1, limits))
            .add(member, limits)?;
        Ok(true)
    })?;
    let destination = call.key(1);
    let count = result.as_ref().map_or(0, Container::len);
    let stored = result.is_some();
    let changed = call.store_result(destination, result)?;
    if stored {
        call.unit
            .notify(EventClass::SET, event, destination.bytes());
    }
    if changed {
        call.unit.dirty(1);
    }
    call.reply.int(count.cast_signed());
    Ok(())
}

fn count(call: &mut Call<'_, '_>, operation: Operation) -> Result<(), CommandError> {
    const NUMKEYS: &str = "ERR numkeys should be greater than 0";
    let keys = integer_or(call.args.get(1), NUMKEYS)?;
    if keys < 1 {
        return Err(CommandError::Fixed(NUMKEYS));
    }
    let last = usize::try_from(keys)
        .ok()
        .and_then(|keys| keys.checked_add(2));
    let last = last.filter(|last| *last <= call.args.len());
    let last = last.ok_or(CommandError::Fixed(
        "ERR Number of keys can't be greater than number of args",
    ))?;
    let mut limit = u64::MAX;
    let mut words = Words::from(call.args, last);
    while let Some(word) = words.next() {
        if !is(word, "LIMIT") {
            return Err(CommandError::Syntax);
        }
        const NEGATIVE: &str = "ERR LIMIT can't be negative";
        let given = integer_or(words.value()?, NEGATIVE)?;
        let given = u64::try_from(given).map_err(|_| CommandError::Fixed(NEGATIVE))?;
        limit = if given == 0 { u64::MAX } else { given };
    }
    let mut count = 0;
    let sets = sources(call, 2..last)?;
    walk(&sets, operation, |_| {
        count += 1;
        Ok(count < limit)
    })?;
    call.reply.int(count.cast_signed());
    Ok(())
}
