//! SINTER, SUNION, SDIFF, their STORE and CARD forms.
//!
//! One walk serves all nine: it shows each member of the result once, and says when it has been shown
//! enough. A missing key is an empty set, one of another type an error before anything is done. What is
//! only shown or counted, and is long, is walked after unlocking.

use std::ops::Range;

use collections::listpack::Element;
use store::{Container, EventClass, Limits, PinnedAs, Refused, Set};

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

type Sources = Vec<Option<PinnedAs<Set>>>;

/// The sets that words name, kept as they are now.
fn sources(call: &mut Call<'_, '_>, words: Range<usize>) -> Result<Sources, CommandError> {
    words
        .map(|at| {
            let key = call.key(at);
            Ok(call.unit.pin::<Set>(key)?)
        })
        .collect()
}

/// From so many steps on a result is worth computing after unlocking: some 10 µs of work.
const LONG_STEPS_MIN: u64 = 1_000;

/// About how many members a walk looks at.
fn steps(sources: &Sources, operation: Operation) -> u64 {
    let lens = || sources.iter().flatten().map(|set| set.len());
    match operation {
        Operation::Inter => lens()
            .min()
            .unwrap_or(0)
            .saturating_mul(sources.len() as u64),
        Operation::Union | Operation::Diff => lens().sum(),
    }
}

fn has(set: &Set, member: Element<'_>) -> bool {
    set.contains(member.bytes(&mut [0; 20]))
}

/// Shows each member of the result once, until `shown` says that it is enough.
fn walk<'s>(
    sources: &'s Sources,
    operation: Operation,
    shown: impl FnMut(Element<'s>) -> Result<bool, Refused>,
) -> Result<(), Refused> {
    let mut sets: Vec<&Set> = sources.iter().flatten().map(|set| &**set).collect();
    match operation {
        Operation::Inter if sets.len() == sources.len() => {
            sets.sort_by_key(|set| set.len());
            let Some((smallest, others)) = sets.split_first() else {
                return Ok(());
            };
            let common = |member: &Element<'_>| others.iter().all(|set| has(set, *member));
            show_all(smallest.iter().filter(common), shown)
        }
        // One of them is empty.
        Operation::Inter => Ok(()),
        Operation::Union => unite(&sets, shown),
        Operation::Diff if sources[0].is_some() => subtract(sets[0], &mut sets[1..], shown),
        Operation::Diff => Ok(()),
    }
}

fn show_all<'s>(
    members: impl Iterator<Item = Element<'s>>,
    mut shown: impl FnMut(Element<'s>) -> Result<bool, Refused>,
) -> Result<(), Refused> {
    for member in members {
        if !shown(member)? {
            break;
        }
    }
    Ok(())
}

/// In so few sets a member is looked for one by one; beyond, what has been seen is kept.
const SEARCHED_MAX: usize = 4;

fn unite<'s>(
    sets: &[&'s Set],
    mut shown: impl FnMut(Element<'s>) -> Result<bool, Refused>,
) -> Result<(), Refused> {
    let mut seen = (sets.len() > SEARCHED_MAX).then(Gathered::default);
    for (at, set) in sets.iter().enumerate() {
        for member in set.iter() {
            let is_new = match &mut seen {
                Some(seen) => seen.add(member)?,
                None => !sets[..at].iter().any(|earlier| has(earlier, member)),
            };
            if is_new && !shown(member)? {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Either each member of the first set is looked for in the others, the largest first; or, where
/// that is more work than a walk over all of them, what they take away is gathered beforehand.
fn subtract<'s>(
    first: &'s Set,
    others: &mut [&'s Set],
    shown: impl FnMut(Element<'s>) -> Result<bool, Refused>,
) -> Result<(), Refused> {
    let searches = first.len().saturating_mul(others.len() as u64) / 2;
    let whole = first.len() + others.iter().map(|set| set.len()).sum::<u64>();
    if searches <= whole {
        others.sort_by_key(|set| std::cmp::Reverse(set.len()));
        let stays = |member: &Element<'_>| !others.iter().any(|set| has(set, *member));
        return show_all(first.iter().filter(stays), shown);
    }
    let mut gone = Gathered::default();
    for member in others.iter().flat_map(|set| set.iter()) {
        if has(first, member) {
            gone.add(member)?;
        }
    }
    show_all(first.iter().filter(|member| !gone.has(*member)), shown)
}

/// Members that a walk has to remember.
#[derive(Default)]
struct Gathered {
    limits: Limits,
    set: Option<Set>,
}

impl Gathered {
    fn add(&mut self, member: Element<'_>) -> Result<bool, Refused> {
        let mut spelled = [0; 20];
        let member = member.bytes(&mut spelled);
        self.set
            .get_or_insert_with(|| Set::for_members(member, 1, &self.limits))
            .add(member, &self.limits)
    }

    fn has(&self, member: Element<'_>) -> bool {
        self.set.as_ref().is_some_and(|set| has(set, member))
    }
}

fn show(call: &mut Call<'_, '_>, operation: Operation) -> Result<(), CommandError> {
    let sources = sources(call, 1..call.args.len())?;
    if steps(&sources, operation) < LONG_STEPS_MIN {
        return say(&sources, operation, call.reply);
    }
    call.later(move |reply| say(&sources, operation, reply))
}

fn say(
    sources: &Sources,
    operation: Operation,
    reply: &mut resp::Reply,
) -> Result<(), CommandError> {
    let head = reply.defer();
    let mut count = 0;
    walk(sources, operation, |member| {
        write_element(member, reply);
        count += 1;
        Ok(true)
    })?;
    reply.finish_set(head, count);
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
    let sources = sources(call, words)?;
    walk(&sources, operation, |member| {
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
    let sources = sources(call, 2..last)?;
    let say = move |sources: &Sources, reply: &mut resp::Reply| {
        let mut count: u64 = 0;
        walk(sources, operation, |_| {
            count += 1;
            Ok(count < limit)
        })?;
        reply.int(count.cast_signed());
        Ok(())
    };
    if steps(&sources, operation) < LONG_STEPS_MIN {
        return say(&sources, call.reply);
    }
    call.later(move |reply| say(&sources, reply))
}
