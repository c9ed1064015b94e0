//! ZPOPMIN, ZPOPMAX, ZMPOP and the forms that wait: BZPOPMIN, BZPOPMAX, BZMPOP.
//!
//! The forms with several keys pop from the first that holds something, and enter the change log as
//! the plain pop that they came to, because a replica need not look at the other keys.

use std::ops::Range;

use resp::{Proto, Reply};
use store::{Container, EventClass, Key, Kind, Slot, SortedSet};

use crate::args::{Words, integer_or, is, timeout_seconds};
use crate::generic::write_element;
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, KeyFlags, Keys, LogForm};
use crate::{Block, Call, CommandError, Null};

const POPPED: KeyFlags = KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::DELETE);

/// ZPOPMIN key [count]
pub(super) const ZPOPMIN: CommandSpec = CommandSpec {
    name: "zpopmin",
    arity: Arity::AtLeast(2),
    keys: Keys::At(&[KeyAt::at(1, POPPED)]),
    flags: Flags::WRITE.or(Flags::FAST),
    acl: Acl::SORTED_SET.or(Acl::WRITE).or(Acl::FAST),
    log: LogForm::Verbatim,
    group: Group::SortedSet,
    since: "5.0.0",
    summary: "Removes the members of the lowest scores and returns them.",
    complexity: "O(M*log(N)), M the members removed, N the members of the set.",
    syntax: "key [count]",
    ..CommandSpec::row(zpopmin)
};

fn zpopmin(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    pop_some(call, End::Min)
}

/// ZPOPMAX key [count]
pub(super) const ZPOPMAX: CommandSpec = CommandSpec {
    name: "zpopmax",
    summary: "Removes the members of the highest scores and returns them.",
    run: zpopmax,
    ..ZPOPMIN
};

fn zpopmax(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    pop_some(call, End::Max)
}

/// BZPOPMIN key [key ...] timeout
pub(super) const BZPOPMIN: CommandSpec = CommandSpec {
    name: "bzpopmin",
    arity: Arity::AtLeast(3),
    keys: Keys::At(&[KeyAt::at(1, POPPED).to(-2, 1)]),
    flags: Flags::WRITE.or(Flags::FAST).or(Flags::BLOCKING),
    acl: Acl::SORTED_SET
        .or(Acl::WRITE)
        .or(Acl::FAST)
        .or(Acl::BLOCKING),
    log: LogForm::Effects,
    summary: "Removes the member of the lowest score from the first set that has one, waiting for it.",
    complexity: "O(log(N)), N the members of the set.",
    syntax: "key [key ...] timeout",
    run: bzpopmin,
    ..ZPOPMIN
};

fn bzpopmin(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    pop_or_wait(call, End::Min)
}

/// BZPOPMAX key [key ...] timeout
pub(super) const BZPOPMAX: CommandSpec = CommandSpec {
    name: "bzpopmax",
    summary: "Removes the member of the highest score from the first set that has one, waiting for it.",
    run: bzpopmax,
    ..BZPOPMIN
};

fn bzpopmax(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    pop_or_wait(call, End::Max)
}

/// ZMPOP numkeys key [key ...] <MIN | MAX> [COUNT count]
pub(super) const ZMPOP: CommandSpec = CommandSpec {
    name: "zmpop",
    arity: Arity::AtLeast(4),
    keys: Keys::At(&[KeyAt::counted(1, POPPED)]),
    flags: Flags::WRITE,
    acl: Acl::SORTED_SET.or(Acl::WRITE).or(Acl::SLOW),
    log: LogForm::Effects,
    since: "7.0.0",
    summary: "Removes the members of the lowest or highest scores from the first set that has any.",
    complexity: "O(K)+O(M*log(N)), K the keys, M the members removed, N the members of the set.",
    syntax: "numkeys key [key ...] <MIN | MAX> [COUNT count]",
    run: zmpop,
    ..ZPOPMIN
};

fn zmpop(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let (keys, end, count) = parse_mpop(call, 1)?;
    if !pop_first(call, keys, end, Form::Nested(count))? {
        call.reply.null_array();
    }
    Ok(())
}

/// BZMPOP timeout numkeys key [key ...] <MIN | MAX> [COUNT count]
pub(super) const BZMPOP: CommandSpec = CommandSpec {
    name: "bzmpop",
    arity: Arity::AtLeast(5),
    keys: Keys::At(&[KeyAt::counted(2, POPPED)]),
    flags: Flags::WRITE.or(Flags::BLOCKING),
    acl: Acl::SORTED_SET
        .or(Acl::WRITE)
        .or(Acl::SLOW)
        .or(Acl::BLOCKING),
    summary: "Removes the members of the lowest or highest scores from the first set that has any, waiting for them.",
    syntax: "timeout numkeys key [key ...] <MIN | MAX> [COUNT count]",
    run: bzmpop,
    ..ZMPOP
};

fn bzmpop(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let (keys, end, count) = parse_mpop(call, 2)?;
    let until_ms = timeout_seconds(call.args.get(1), call.unit.now_ms())?;
    if pop_first(call, keys.clone(), end, Form::Nested(count))? {
        return Ok(());
    }
    wait(call, keys, until_ms)
}

/// From which end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Min,
    Max,
}

impl End {
    /// The command that pops from one set, and the event.
    fn name(self) -> &'static str {
        match self {
            End::Min => "zpopmin",
            End::Max => "zpopmax",
        }
    }
}

/// What the reply of a pop from several keys looks like.
#[derive(Clone, Copy, Debug)]
enum Form {
    /// Key, member, score.
    One,
    /// Key, and pairs of member and score.
    Nested(u64),
}

fn pop_some(call: &mut Call<'_, '_>, end: End) -> Result<(), CommandError> {
    const TEXT: &str = "ERR value is out of range, must be positive";
    let count = match call.args.len() {
        2 => None,
        3 => {
            let count = integer_or(call.args.get(2), TEXT)?;
            Some(u64::try_from(count).map_err(|_| CommandError::Fixed(TEXT))?)
        }
        _ => return Err(CommandError::Syntax),
    };
    let key = call.key(1);
    let size = call
        .unit
        .read_as::<SortedSet>(key)?
        .map_or(0, Container::len);
    let wanted = count.unwrap_or(1).min(size);
    if wanted == 0 {
        call.reply.array(0);
        return Ok(());
    }
    let is_nested = count.is_some() && call.reply.proto() == Proto::Resp3;
    let length = usize::try_from(wanted).expect("members are in memory");
    call.reply
        .array(if is_nested { length } else { length * 2 });
    pop(call, key, end, wanted, |row, reply| {
        if is_nested {
            reply.array(2);
        }
        write_element(row.1, reply);
        reply.double(row.0);
    })
}

/// Reads `numkeys key [key ...] <MIN | MAX> [COUNT count]` from word `at` on: the words that are
/// keys, the end, the count.
fn parse_mpop(call: &Call<'_, '_>, at: usize) -> Result<(Range<usize>, End, u64), CommandError> {
    let positive = |word: &[u8], text: &'static str| {
        let number = integer_or(word, text)?;
        u64::try_from(number)
            .ok()
            .filter(|number| *number > 0)
            .ok_or(CommandError::Fixed(text))
    };
    let keys = positive(call.args.get(at), "ERR numkeys should be greater than 0")?;
    let last = usize::try_from(keys).map_err(|_| CommandError::Syntax)?;
    let last = last.checked_add(at + 1).ok_or(CommandError::Syntax)?;
    let mut words = Words::from(call.args, last);
    let word = words.value()?;
    let end = if is(word, "MIN") {
        End::Min
    } else if is(word, "MAX") {
        End::Max
    } else {
        return Err(CommandError::Syntax);
    };
    let mut count = None;
    while let Some(word) = words.next() {
        if count.is_some() || !is(word, "COUNT") {
            return Err(CommandError::Syntax);
        }
        count = Some(positive(
            words.value()?,
            "ERR count should be greater than 0",
        )?);
    }
    Ok((at + 1..last, end, count.unwrap_or(1)))
}

fn pop_or_wait(call: &mut Call<'_, '_>, end: End) -> Result<(), CommandError> {
    let last = call.args.len() - 1;
    let until_ms = timeout_seconds(call.args.get(last), call.unit.now_ms())?;
    if pop_first(call, 1..last, end, Form::One)? {
        return Ok(());
    }
    wait(call, 1..last, until_ms)
}

fn wait(
    call: &mut Call<'_, '_>,
    awaited: Range<usize>,
    until_ms: Option<i64>,
) -> Result<(), CommandError> {
    call.block(Block {
        kind: Kind::SortedSet,
        awaited,
        until_ms,
        null: Null::Array,
        hears_loss: false,
        again_ms: None,
        rewrite: Vec::new(),
    })
}

/// Pops from the first key that holds something; whether there was one.
fn pop_first(
    call: &mut Call<'_, '_>,
    keys: Range<usize>,
    end: End,
    form: Form,
) -> Result<bool, CommandError> {
    for at in keys {
        let key = call.key(at);
        let Some(set) = call.unit.read_as::<SortedSet>(key)? else {
            continue;
        };
        let size = set.len();
        let is_single = matches!(form, Form::One);
        let wanted = match form {
            Form::One => 1,
            Form::Nested(count) => count.min(size),
        };
        call.reply.array(if is_single { 3 } else { 2 });
        call.reply.bulk(key.bytes());
        if !is_single {
            let length = usize::try_from(wanted).expect("members are in memory");
            call.reply.array(length);
        }
        pop(call, key, end, wanted, |row, reply| {
            if !is_single {
                reply.array(2);
            }
            write_element(row.1, reply);
            reply.double(row.0);
        })?;
        let (name, count) = (end.name().to_ascii_uppercase(), wanted.to_string());
        if is_single {
            call.unit.log(&[name.as_bytes(), key.bytes()]);
        } else {
            call.unit
                .log(&[name.as_bytes(), key.bytes(), count.as_bytes()]);
        }
        return Ok(true);
    }
    Ok(false)
}

/// Shows `wanted` members, of which there are as many, from one end, and removes them.
fn pop(
    call: &mut Call<'_, '_>,
    key: Key<'_>,
    end: End,
    wanted: u64,
    mut show: impl FnMut(store::Scored<'_>, &mut Reply),
) -> Result<(), CommandError> {
    let Slot::Occupied(mut at) = call.unit.slot(key) else {
        unreachable!("it has been read")
    };
    let reply = &mut *call.reply;
    let is_empty = at.edit(|set: &mut SortedSet| {
        let size = set.len();
        let ranks = match end {
            End::Min => 0..wanted,
            End::Max => size - wanted..size,
        };
        let rows = set.range(ranks.clone());
        match end {
            End::Min => rows.into_iter().for_each(|row| show(row, reply)),
            End::Max => rows.rev().for_each(|row| show(row, reply)),
        }
        set.remove_ranks(ranks);
        Ok::<_, CommandError>((set.is_empty(), true))
    })?;
    call.unit.notify(EventClass::ZSET, end.name(), key.bytes());
    if is_empty {
        call.remove_emptied(key);
    }
    call.unit.dirty(wanted);
    Ok(())
}
