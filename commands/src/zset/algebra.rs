//! ZUNION, ZINTER, ZDIFF, their STORE forms, ZINTERCARD. How the members are found: `merge.rs`.
//!
//! Sets are taken as well as sorted sets; their members have a score of 1.

use store::{EventClass, Limits, Refused, SortedSet};

use super::merge::{Aggregate, Operation, Row, Source, count, merge};
use super::{LONG_LEN_MIN, write_head, write_row};
use crate::args::{Words, float_or, integer, integer_or, is};
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, KeyFlags, Keys, LogForm};
use crate::{Call, CommandError};

/// ZUNION numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX | COUNT>] [WITHSCORES]
pub(super) const ZUNION: CommandSpec = CommandSpec {
    name: "zunion",
    arity: Arity::AtLeast(3),
    keys: Keys::At(&[KeyAt::counted(1, KeyFlags::RO.or(KeyFlags::ACCESS))]),
    flags: Flags::READONLY,
    acl: Acl::SORTED_SET.or(Acl::READ).or(Acl::SLOW),
    group: Group::SortedSet,
    since: "6.2.0",
    summary: "Shows the members that any of several sets has.",
    complexity: "O(N)+O(M*log(M)), N the members of all sets, M those of the result; large sets are read without their locks.",
    syntax: "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX | COUNT>] [WITHSCORES]",
    ..CommandSpec::row(zunion)
};

fn zunion(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    show(call, Operation::Union, "zunion")
}

/// ZINTER numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX | COUNT>] [WITHSCORES]
pub(super) const ZINTER: CommandSpec = CommandSpec {
    name: "zinter",
    summary: "Shows the members that all of several sets have.",
    complexity: "O(N*K)+O(M*log(M)), N the members of the smallest of K sets, M those of the result; large sets are read without their locks.",
    run: zinter,
    ..ZUNION
};

fn zinter(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    show(call, Operation::Inter, "zinter")
}

/// ZDIFF numkeys key [key ...] [WITHSCORES]
pub(super) const ZDIFF: CommandSpec = CommandSpec {
    name: "zdiff",
    summary: "Shows the members of the first set that no other has.",
    complexity: "O(N*K)+O(M*log(M)), N the members of the first of K sets, M those of the result; large sets are read without their locks.",
    syntax: "numkeys key [key ...] [WITHSCORES]",
    run: zdiff,
    ..ZUNION
};

fn zdiff(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    show(call, Operation::Diff, "zdiff")
}

/// ZUNIONSTORE destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX | COUNT>]
pub(super) const ZUNIONSTORE: CommandSpec = CommandSpec {
    name: "zunionstore",
    arity: Arity::AtLeast(4),
    keys: Keys::At(&[
        KeyAt::overwrite(1),
        KeyAt::counted(2, KeyFlags::RO.or(KeyFlags::ACCESS)),
    ]),
    flags: Flags::WRITE.or(Flags::DENY_OOM),
    acl: Acl::SORTED_SET.or(Acl::WRITE).or(Acl::SLOW),
    log: LogForm::Verbatim,
    since: "2.0.0",
    summary: "Stores the members that any of several sets has.",
    complexity: "O(N)+O(M*log(M)), N the members of all sets, M those of the result.",
    syntax: "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX | COUNT>]",
    run: zunionstore,
    ..ZUNION
};

fn zunionstore(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    store(call, Operation::Union, "zunionstore")
}

/// ZINTERSTORE destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX | COUNT>]
pub(super) const ZINTERSTORE: CommandSpec = CommandSpec {
    name: "zinterstore",
    summary: "Stores the members that all of several sets have.",
    complexity: "O(N*K)+O(M*log(M)), N the members of the smallest of K sets, M those of the result.",
    run: zinterstore,
    ..ZUNIONSTORE
};

fn zinterstore(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    store(call, Operation::Inter, "zinterstore")
}

/// ZDIFFSTORE destination numkeys key [key ...]
pub(super) const ZDIFFSTORE: CommandSpec = CommandSpec {
    name: "zdiffstore",
    since: "6.2.0",
    summary: "Stores the members of the first set that no other has.",
    complexity: "O(N*K)+O(M*log(M)), N the members of the first of K sets, M those of the result.",
    syntax: "destination numkeys key [key ...]",
    run: zdiffstore,
    ..ZUNIONSTORE
};

fn zdiffstore(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    store(call, Operation::Diff, "zdiffstore")
}

/// ZINTERCARD numkeys key [key ...] [LIMIT limit]
pub(super) const ZINTERCARD: CommandSpec = CommandSpec {
    name: "zintercard",
    since: "7.0.0",
    summary: "Counts the members that all of several sets have.",
    complexity: "O(N*K), N the members of the smallest of K sets; large sets are read without their locks.",
    syntax: "numkeys key [key ...] [LIMIT limit]",
    run: zintercard,
    ..ZUNION
};

fn zintercard(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let (mut sources, mut words) = sources(call, 1, "zintercard")?;
    let mut limit = u64::MAX;
    while let Some(word) = words.next() {
        if !is(word, "LIMIT") {
            return Err(CommandError::Syntax);
        }
        const NEGATIVE: &str = "ERR LIMIT can't be negative";
        let given = integer_or(words.value()?, NEGATIVE)?;
        let given = u64::try_from(given).map_err(|_| CommandError::Fixed(NEGATIVE))?;
        limit = if given == 0 { u64::MAX } else { given };
    }
    let is_long = is_long(&sources);
    let mut say = move |reply: &mut resp::Reply| {
        let count = count(&mut sources, limit);
        reply.int(count.cast_signed());
        Ok(())
    };
    if is_long {
        return call.later(say);
    }
    say(call.reply)
}

/// Reads `numkeys key [key ...]` from word `at` on and pins the sets: Redis looks the keys up before
/// it reads the options behind them. Gives those, and the words that follow.
fn sources<'c>(
    call: &mut Call<'c, '_>,
    at: usize,
    name: &'static str,
) -> Result<(Vec<Source>, Words<'c>), CommandError> {
    let keys = integer(call.args.get(at))?;
    if keys < 1 {
        return Err(CommandError::Text(
            format!("ERR at least 1 input key is needed for '{name}' command").into(),
        ));
    }
    let first = at + 1;
    let left = call.args.len() - first;
    let keys = usize::try_from(keys).ok().filter(|keys| *keys <= left);
    let end = first + keys.ok_or(CommandError::Syntax)?;
    let sources = (first..end).map(|word| {
        let key = call.key(word);
        Source::pin(call.unit, key)
    });
    let sources = sources.collect::<Result<_, _>>()?;
    Ok((sources, Words::from(call.args, end)))
}

/// What the options say beside the weights.
#[derive(Clone, Copy, Debug, Default)]
struct Options {
    aggregate: Aggregate,
    with_scores: bool,
}

impl Options {
    fn parse(
        sources: &mut [Source],
        mut words: Words<'_>,
        operation: Operation,
        is_store: bool,
    ) -> Result<Options, CommandError> {
        let mut options = Options::default();
        let is_weighed = operation != Operation::Diff;
        while let Some(word) = words.next() {
            if is_weighed && is(word, "WEIGHTS") && words.left() >= sources.len() {
                for source in &mut *sources {
                    source.weight = float_or(words.value()?, "ERR weight value is not a float")?;
                }
            } else if is_weighed && is(word, "AGGREGATE") {
                options.aggregate = Aggregate::parse(words.value()?)?;
            } else if !is_store && is(word, "WITHSCORES") {
                options.with_scores = true;
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(options)
    }
}

/// Whether finding the result takes so long that it had better be done without locks.
fn is_long(sources: &[Source]) -> bool {
    sources.iter().map(Source::len).sum::<u64>() >= LONG_LEN_MIN
}

fn show(
    call: &mut Call<'_, '_>,
    operation: Operation,
    name: &'static str,
) -> Result<(), CommandError> {
    let (mut sources, words) = sources(call, 1, name)?;
    let options = Options::parse(&mut sources, words, operation, false)?;
    let is_long = is_long(&sources);
    let mut say = move |reply: &mut resp::Reply| {
        let rows = merge(&mut sources, operation, options.aggregate);
        write_head(rows.len() as u64, options.with_scores, reply);
        for row in rows {
            write_row(row, options.with_scores, reply);
        }
        Ok(())
    };
    if is_long {
        return call.later(say);
    }
    say(call.reply)
}

fn store(
    call: &mut Call<'_, '_>,
    operation: Operation,
    name: &'static str,
) -> Result<(), CommandError> {
    let (mut sources, words) = sources(call, 2, name)?;
    let options = Options::parse(&mut sources, words, operation, true)?;
    let rows = merge(&mut sources, operation, options.aggregate);
    let count = rows.len();
    let result = build(&rows, &call.settings.limits)?;
    drop(rows);
    drop(sources);
    let destination = call.key(1);
    let changed = call.store_result(destination, Some(result))?;
    if count > 0 {
        call.unit
            .notify(EventClass::ZSET, name, destination.bytes());
    }
    if changed {
        call.unit.dirty(1);
    }
    call.reply.int(count as i64);
    Ok(())
}

fn build(rows: &[Row<'_>], limits: &Limits) -> Result<SortedSet, Refused> {
    let longest = rows.iter().map(|(_, member)| member.len()).max();
    let longest = longest.unwrap_or(0) as u64;
    let mut set = SortedSet::for_members(rows.len() as u64, longest, limits);
    for (score, member) in rows {
        set.insert(member.bytes(&mut [0; 20]), *score, limits)?;
    }
    Ok(set)
}
