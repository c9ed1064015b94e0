//! ZADD, ZINCRBY: members get scores.
//!
//! What happens to a member is decided by one function ([`Policy::judge`]) from what the options say,
//! the score that it has and the one that is wanted; the forms of the set only carry it out.

use store::{EventClass, Limits, Slot, SortedSet};

use crate::args::{float, is};
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, KeyFlags, Keys, LogForm};
use crate::{Call, CommandError};

/// ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]
pub(super) const ZADD: CommandSpec = CommandSpec {
    name: "zadd",
    arity: Arity::AtLeast(4),
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::RW.or(KeyFlags::UPDATE))]),
    flags: Flags::WRITE.or(Flags::DENY_OOM).or(Flags::FAST),
    acl: Acl::SORTED_SET.or(Acl::WRITE).or(Acl::FAST),
    log: LogForm::Verbatim,
    group: Group::SortedSet,
    since: "1.2.0",
    summary: "Adds members to a sorted set, or gives those that are there other scores.",
    complexity: "O(log(N)) for each member, N the members of the set.",
    syntax: "key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]",
    ..CommandSpec::row(zadd)
};

fn zadd(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    add(call, Policy::default())
}

/// ZINCRBY key increment member
pub(super) const ZINCRBY: CommandSpec = CommandSpec {
    name: "zincrby",
    arity: Arity::Exactly(4),
    keys: Keys::At(&[KeyAt::at(
        1,
        KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::UPDATE),
    )]),
    summary: "Adds to the score of a member, which begins at 0.",
    complexity: "O(log(N)), N the members of the set.",
    syntax: "key increment member",
    run: zincrby,
    ..ZADD
};

fn zincrby(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let policy = Policy {
        incr: true,
        ..Policy::default()
    };
    add(call, policy)
}

/// What the options say.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Policy {
    pub(crate) nx: bool,
    pub(crate) xx: bool,
    gt: bool,
    lt: bool,
    pub(crate) ch: bool,
    incr: bool,
}

/// What becomes of a member.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Verdict {
    /// It comes, with this score.
    Added(f64),
    /// It gets this score.
    Changed(f64),
    /// It had this score already.
    Same(f64),
    /// The options leave it alone.
    Refrain,
    /// Infinities of both signs would be added.
    NotANumber,
}

impl Policy {
    fn judge(self, current: Option<f64>, wanted: f64) -> Verdict {
        let Some(current) = current else {
            return if self.xx {
                Verdict::Refrain
            } else {
                Verdict::Added(wanted)
            };
        };
        if self.nx {
            return Verdict::Refrain;
        }
        let score = if self.incr { current + wanted } else { wanted };
        if score.is_nan() {
            return Verdict::NotANumber;
        }
        if self.gt && score <= current || self.lt && score >= current {
            return Verdict::Refrain;
        }
        if score == current {
            Verdict::Same(score)
        } else {
            Verdict::Changed(score)
        }
    }

    /// Takes the words that are options; how many they are.
    fn take(&mut self, call: &Call<'_, '_>) -> usize {
        let options = call.args.skip(2).iter().take_while(|word| {
            let said = if is(word, "NX") {
                &mut self.nx
            } else if is(word, "XX") {
                &mut self.xx
            } else if is(word, "GT") {
                &mut self.gt
            } else if is(word, "LT") {
                &mut self.lt
            } else if is(word, "CH") {
                &mut self.ch
            } else if is(word, "INCR") {
                &mut self.incr
            } else {
                return false;
            };
            *said = true;
            true
        });
        options.count()
    }

    fn check(self, pairs: usize) -> Result<(), CommandError> {
        if self.nx && self.xx {
            return Err(CommandError::Fixed(
                "ERR XX and NX options at the same time are not compatible",
            ));
        }
        if (self.gt || self.lt) && self.nx || self.gt && self.lt {
            return Err(CommandError::Fixed(
                "ERR GT, LT, and/or NX options at the same time are not compatible",
            ));
        }
        if self.incr && pairs > 1 {
            return Err(CommandError::Fixed(
                "ERR INCR option supports a single increment-element pair",
            ));
        }
        Ok(())
    }
}

/// What a command has done so far.
#[derive(Default)]
struct Tally {
    added: u64,
    changed: u64,
    /// The score of the last member that the options did not leave alone.
    score: Option<f64>,
}

impl Tally {
    fn add(
        &mut self,
        set: &mut SortedSet,
        (score, member): (f64, &[u8]),
        policy: Policy,
        limits: &Limits,
    ) -> Result<(), CommandError> {
        let mut verdict = Verdict::Refrain;
        set.update(member, limits, |current| {
            verdict = policy.judge(current, score);
            match verdict {
                Verdict::Added(score) | Verdict::Changed(score) => Some(score),
                _ => None,
            }
        })?;
        match verdict {
            Verdict::Added(_) => self.added += 1,
            Verdict::Changed(_) => self.changed += 1,
            Verdict::Same(_) => {}
            Verdict::Refrain => return Ok(()),
            Verdict::NotANumber => {
                return Err(CommandError::Fixed(
                    "ERR resulting score is not a number (NaN)",
                ));
            }
        }
        if let Verdict::Added(score) | Verdict::Changed(score) | Verdict::Same(score) = verdict {
            self.score = Some(score);
        }
        Ok(())
    }
}

fn add(call: &mut Call<'_, '_>, mut policy: Policy) -> Result<(), CommandError> {
    let options = policy.take(call);
    let words = call.args.skip(2 + options);
    if words.is_empty() || !words.len().is_multiple_of(2) {
        return Err(CommandError::Syntax);
    }
    let pairs = words.len() / 2;
    policy.check(pairs)?;
    // A single pair, by far the most frequent form, needs no vector.
    let first = float(words.get(0))?;
    let mut scores = Vec::new();
    for pair in 1..pairs {
        scores.push(float(words.get(pair * 2))?);
    }
    let scores = std::iter::once(first).chain(scores.iter().copied());
    let rows = scores.zip((0..pairs).map(|pair| words.get(pair * 2 + 1)));
    put(call, policy, rows)
}

/// Gives the members of these rows their scores, as far as the options let it, and replies.
pub(crate) fn put<'a>(
    call: &mut Call<'_, '_>,
    policy: Policy,
    rows: impl Iterator<Item = (f64, &'a [u8])> + Clone,
) -> Result<(), CommandError> {
    let (pairs, longest) = rows.clone().fold((0, 0), |(pairs, longest), (_, member)| {
        (pairs + 1, member.len().max(longest))
    });
    let longest = longest as u64;
    let limits = &call.settings.limits;
    let key = call.key(1);
    let mut tally = Tally::default();
    match call.unit.slot(key) {
        Slot::Vacant(_) if policy.xx => {}
        Slot::Vacant(at) => {
            let mut set = SortedSet::for_members(pairs, longest, limits);
            for row in rows {
                tally.add(&mut set, row, policy, limits)?;
            }
            at.insert(set, None)?;
        }
        Slot::Occupied(mut at) => at.edit(|set: &mut SortedSet| {
            set.expect_more(pairs, longest, limits)?;
            for row in rows {
                tally.add(set, row, policy, limits)?;
            }
            Ok::<_, CommandError>(((), tally.added + tally.changed > 0))
        })?,
    }
    let touched = tally.added + tally.changed;
    if touched > 0 {
        let event = if policy.incr { "zincr" } else { "zadd" };
        call.unit.notify(EventClass::ZSET, event, key.bytes());
        call.unit.dirty(touched);
    }
    match tally.score {
        Some(score) if policy.incr => call.reply.double(score),
        None if policy.incr => call.reply.null(),
        _ if policy.ch => call.reply.int(touched.cast_signed()),
        _ => call.reply.int(tally.added.cast_signed()),
    }
    Ok(())
}
