//! ZRANGE in all its forms, the older commands that are forms of it, and ZRANGESTORE.
//!
//! One function reads the options of all ([`Selection::parse`]), told what the command's name says
//! already; what is selected is a range of ranks and a direction.

use std::ops::Range;

use store::{EventClass, SortedSet};

use super::bounds::{Bounds, By, limit};
use super::{LONG_LEN_MIN, write_head, write_row};
use crate::args::{Words, integer, is};
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, Keys, LogForm};
use crate::{Call, CommandError};

/// ZRANGE key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]
pub(super) const ZRANGE: CommandSpec = CommandSpec {
    name: "zrange",
    arity: Arity::AtLeast(4),
    keys: Keys::At(&[KeyAt::read(1)]),
    flags: Flags::READONLY,
    acl: Acl::SORTED_SET.or(Acl::READ).or(Acl::SLOW),
    group: Group::SortedSet,
    since: "1.2.0",
    summary: "Shows the members of a range of ranks, of scores, or of members.",
    complexity: "O(log(N)+M), M the members shown, N the members of the set; a long range is read without its lock.",
    syntax: "key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]",
    ..CommandSpec::row(zrange)
};

fn zrange(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    show(call, None, None)
}

/// ZREVRANGE key start stop [WITHSCORES]
pub(super) const ZREVRANGE: CommandSpec = CommandSpec {
    name: "zrevrange",
    summary: "Shows the members of a range of ranks, highest scores first.",
    syntax: "key start stop [WITHSCORES]",
    run: zrevrange,
    ..ZRANGE
};

fn zrevrange(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    show(call, Some(By::Rank), Some(true))
}

/// ZRANGEBYSCORE key min max [WITHSCORES] [LIMIT offset count]
pub(super) const ZRANGEBYSCORE: CommandSpec = CommandSpec {
    name: "zrangebyscore",
    since: "1.0.5",
    summary: "Shows the members whose scores are within a range.",
    syntax: "key min max [WITHSCORES] [LIMIT offset count]",
    run: zrangebyscore,
    ..ZRANGE
};

fn zrangebyscore(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    show(call, Some(By::Score), Some(false))
}

/// ZREVRANGEBYSCORE key max min [WITHSCORES] [LIMIT offset count]
pub(super) const ZREVRANGEBYSCORE: CommandSpec = CommandSpec {
    name: "zrevrangebyscore",
    since: "2.2.0",
    summary: "Shows the members whose scores are within a range, highest scores first.",
    syntax: "key max min [WITHSCORES] [LIMIT offset count]",
    run: zrevrangebyscore,
    ..ZRANGE
};

fn zrevrangebyscore(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    show(call, Some(By::Score), Some(true))
}

/// ZRANGEBYLEX key min max [LIMIT offset count]
pub(super) const ZRANGEBYLEX: CommandSpec = CommandSpec {
    name: "zrangebylex",
    since: "2.8.9",
    summary: "Shows a range of members in the order of bytes, where all scores are equal.",
    syntax: "key min max [LIMIT offset count]",
    run: zrangebylex,
    ..ZRANGE
};

fn zrangebylex(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    show(call, Some(By::Member), Some(false))
}

/// ZREVRANGEBYLEX key max min [LIMIT offset count]
pub(super) const ZREVRANGEBYLEX: CommandSpec = CommandSpec {
    name: "zrevrangebylex",
    since: "2.8.9",
    summary: "Shows a range of members in the opposite order of bytes, where all scores are equal.",
    syntax: "key max min [LIMIT offset count]",
    run: zrevrangebylex,
    ..ZRANGE
};

fn zrevrangebylex(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    show(call, Some(By::Member), Some(true))
}

/// ZRANGESTORE dst src min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]
///
/// Selects as ZRANGE does and writes the members to `dst`, which may equal `src`.
pub(super) const ZRANGESTORE: CommandSpec = CommandSpec {
    name: "zrangestore",
    arity: Arity::AtLeast(5),
    keys: Keys::At(&[KeyAt::overwrite(1), KeyAt::read(2)]),
    flags: Flags::WRITE.or(Flags::DENY_OOM),
    acl: Acl::SORTED_SET.or(Acl::WRITE).or(Acl::SLOW),
    log: LogForm::Verbatim,
    since: "6.2.0",
    summary: "Stores a range of a sorted set under another key.",
    complexity: "O(log(N)+M), M the members stored, N the members of the set.",
    syntax: "dst src min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]",
    run: zrangestore,
    ..ZRANGE
};

fn zrangestore(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let selection = Selection::parse(call, 2, None, None)?;
    let limits = &call.settings.limits;
    let source = call.key(2);
    let mut result = None;
    let mut count = 0;
    if let Some(set) = call.unit.read_as::<SortedSet>(source)? {
        let ranks = selection.ranks(set);
        count = ranks.end - ranks.start;
        // Only a range of ranks is known to be long before it is looked at: so on Redis too, and
        // the encoding shows it.
        let expected = match selection.bounds {
            Bounds::Ranks(..) => count,
            _ => 0,
        };
        let result = result.insert(SortedSet::for_members(expected, 0, limits));
        for (score, member) in set.range(ranks) {
            result.insert(member.bytes(&mut [0; 20]), score, limits)?;
        }
    }
    let destination = call.key(1);
    let changed = call.store_result(destination, result)?;
    if count > 0 {
        call.unit
            .notify(EventClass::ZSET, "zrangestore", destination.bytes());
    }
    if changed {
        call.unit.dirty(1);
    }
    call.reply.int(count.cast_signed());
    Ok(())
}

/// Which members, in which direction, and whether their scores are shown.
#[derive(Clone, Copy, Debug)]
struct Selection<'a> {
    bounds: Bounds<'a>,
    reverse: bool,
    limit: Option<(i64, i64)>,
    with_scores: bool,
}

impl<'a> Selection<'a> {
    /// Reads what follows the source, which is word `source`. `by` and `reverse` are what the
    /// command's name says; options say what it does not.
    fn parse(
        call: &Call<'a, '_>,
        source: usize,
        by: Option<By>,
        reverse: Option<bool>,
    ) -> Result<Selection<'a>, CommandError> {
        let is_store = source > 1;
        let (mut said_by, mut said_reverse) = (None, None);
        let (mut limit, mut with_scores) = (None, false);
        let mut words = Words::from(call.args, source + 3);
        while let Some(word) = words.next() {
            if !is_store && is(word, "WITHSCORES") {
                with_scores = true;
            } else if is(word, "LIMIT") && words.left() >= 2 {
                limit = Some((integer(words.value()?)?, integer(words.value()?)?));
            } else if reverse.is_none() && said_reverse.is_none() && is(word, "REV") {
                said_reverse = Some(true);
            } else if by.or(said_by).is_none() && is(word, "BYLEX") {
                said_by = Some(By::Member);
            } else if by.or(said_by).is_none() && is(word, "BYSCORE") {
                said_by = Some(By::Score);
            } else {
                return Err(CommandError::Syntax);
            }
        }
        let by = by.or(said_by).unwrap_or(By::Rank);
        let reverse = reverse.or(said_reverse).unwrap_or(false);
        if by == By::Rank {
            if limit.is_some_and(|(_, count)| count != -1) {
                return Err(CommandError::Fixed(
                    "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
                ));
            }
            limit = None;
        }
        if by == By::Member && with_scores {
            return Err(CommandError::Fixed(
                "ERR syntax error, WITHSCORES not supported in combination with BYLEX",
            ));
        }
        let (first, last) = (call.args.get(source + 1), call.args.get(source + 2));
        let bounds = if reverse && by != By::Rank {
            Bounds::parse(by, last, first)?
        } else {
            Bounds::parse(by, first, last)?
        };
        Ok(Selection {
            bounds,
            reverse,
            limit,
            with_scores,
        })
    }

    /// The ranks of what is selected.
    fn ranks(&self, set: &SortedSet) -> Range<u64> {
        let ranks = self.bounds.ranks(set, self.reverse);
        match self.limit {
            Some((offset, count)) => limit(ranks, offset, count, self.reverse),
            None => ranks,
        }
    }
}

fn show(
    call: &mut Call<'_, '_>,
    by: Option<By>,
    reverse: Option<bool>,
) -> Result<(), CommandError> {
    let selection = Selection::parse(call, 1, by, reverse)?;
    let key = call.key(1);
    let Some(set) = call.unit.pin::<SortedSet>(key)? else {
        call.reply.array(0);
        return Ok(());
    };
    let ranks = selection.ranks(&set);
    let (reverse, with_scores) = (selection.reverse, selection.with_scores);
    if ranks.end - ranks.start < LONG_LEN_MIN {
        write_range(&set, ranks, reverse, with_scores, call.reply);
        return Ok(());
    }
    call.later(move |reply| {
        write_range(&set, ranks, reverse, with_scores, reply);
        Ok(())
    })
}

fn write_range(
    set: &SortedSet,
    ranks: Range<u64>,
    reverse: bool,
    with_scores: bool,
    reply: &mut resp::Reply,
) {
    write_head(ranks.end - ranks.start, with_scores, reply);
    let rows = set.range(ranks);
    if reverse {
        rows.rev()
            .for_each(|row| write_row(row, with_scores, reply));
    } else {
        for row in rows {
            write_row(row, with_scores, reply);
        }
    }
}
