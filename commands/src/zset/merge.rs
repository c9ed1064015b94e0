//! Finding what several sets have together. Sets are pinned, so this may be done after unlocking.
//!
//! Scores are aggregated set by set, smallest set first, as Redis does: a sum of floats depends on
//! the order. Where nothing is a number (an infinity times 0, infinities of both signs), the score
//! is 0.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use collections::listpack::Element;
use store::{
    Container, Key, Kind, PinnedAs, Scored, Set, SortedSet, Unit, ValueRef, WrongType,
    element_hashing,
};

use crate::CommandError;
use crate::args::is;

/// A member of the result and its score.
pub(super) type Row<'s> = Scored<'s>;

/// Which members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Union,
    Inter,
    Diff,
}

/// What becomes of the scores that a member has in several sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Aggregate {
    #[default]
    Sum,
    Min,
    Max,
    /// The sum of the sets' weights, whatever the scores are.
    Count,
}

impl Aggregate {
    pub(super) fn parse(word: &[u8]) -> Result<Aggregate, CommandError> {
        [
            ("SUM", Aggregate::Sum),
            ("MIN", Aggregate::Min),
            ("MAX", Aggregate::Max),
            ("COUNT", Aggregate::Count),
        ]
        .into_iter()
        .find_map(|(name, aggregate)| is(word, name).then_some(aggregate))
        .ok_or(CommandError::Syntax)
    }

    /// What a score counts for in a set of this weight.
    fn weigh(self, score: f64, weight: f64) -> f64 {
        match self {
            Aggregate::Count => weight,
            _ => weight * score,
        }
    }

    fn join(self, one: f64, other: f64) -> f64 {
        match self {
            Aggregate::Sum | Aggregate::Count => number(one + other),
            // What is not a number is never less, and never more.
            Aggregate::Min if other < one => other,
            Aggregate::Max if other > one => other,
            Aggregate::Min | Aggregate::Max => one,
        }
    }
}

fn number(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// One of the sets.
pub(super) struct Source {
    set: Pinned,
    /// What its scores are multiplied by.
    pub(super) weight: f64,
}

enum Pinned {
    Missing,
    Plain(PinnedAs<Set>),
    Sorted(PinnedAs<SortedSet>),
}

impl Source {
    /// Looks a key up as ZRANGE does, and keeps what it holds.
    pub(super) fn pin(unit: &mut Unit<'_>, key: Key<'_>) -> Result<Source, WrongType> {
        let kind = unit.read(key).map(|entry| match entry.value() {
            ValueRef::String(_) => Kind::String,
            ValueRef::Object(object) => object.kind(),
        });
        let set = match kind {
            None => Pinned::Missing,
            Some(Kind::Set) => unit
                .look_pinned::<Set>(key)?
                .map_or(Pinned::Missing, Pinned::Plain),
            Some(_) => unit
                .look_pinned::<SortedSet>(key)?
                .map_or(Pinned::Missing, Pinned::Sorted),
        };
        Ok(Source { set, weight: 1.0 })
    }

    pub(super) fn len(&self) -> u64 {
        match &self.set {
            Pinned::Missing => 0,
            Pinned::Plain(set) => set.len(),
            Pinned::Sorted(set) => set.len(),
        }
    }

    fn score(&self, member: Element<'_>) -> Option<f64> {
        let mut spelled = [0; 20];
        let member = member.bytes(&mut spelled);
        match &self.set {
            Pinned::Missing => None,
            Pinned::Plain(set) => set.contains(member).then_some(1.0),
            Pinned::Sorted(set) => set.score(member),
        }
    }

    fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        let (plain, sorted) = match &self.set {
            Pinned::Missing => (None, None),
            Pinned::Plain(set) => (Some(set.iter()), None),
            Pinned::Sorted(set) => (None, Some(set.iter())),
        };
        let plain = plain.into_iter().flatten().map(|member| (1.0, member));
        plain.chain(sorted.into_iter().flatten())
    }
}

/// The members of the result, in order.
pub(super) fn merge(
    sources: &mut [Source],
    operation: Operation,
    aggregate: Aggregate,
) -> Vec<Row<'_>> {
    if operation != Operation::Diff {
        sources.sort_by_key(Source::len);
    }
    let mut rows = match operation {
        Operation::Union => unite(sources, aggregate),
        Operation::Inter => intersect(sources, aggregate).collect(),
        Operation::Diff => subtract(sources),
    };
    let order = |one: &Row<'_>, other: &Row<'_>| {
        let scores = one.0.partial_cmp(&other.0).expect("scores are numbers");
        scores.then_with(|| one.1.cmp(&other.1))
    };
    rows.sort_unstable_by(order);
    rows
}

/// How many members all have, counted up to `limit`.
pub(super) fn count(sources: &mut [Source], limit: u64) -> u64 {
    sources.sort_by_key(Source::len);
    let found = intersect(sources, Aggregate::Sum);
    found
        .take(usize::try_from(limit).unwrap_or(usize::MAX))
        .count() as u64
}

fn intersect(sources: &[Source], aggregate: Aggregate) -> impl Iterator<Item = Row<'_>> {
    let (smallest, others) = sources.split_first().expect("there is at least one");
    smallest.rows().filter_map(move |(score, member)| {
        let mut score = number(aggregate.weigh(score, smallest.weight));
        for other in others {
            let weighed = aggregate.weigh(other.score(member)?, other.weight);
            score = aggregate.join(score, weighed);
        }
        Some((score, member))
    })
}

fn unite(sources: &[Source], aggregate: Aggregate) -> Vec<Row<'_>> {
    let mut found: HashMap<Name<'_>, f64, BuildHasherDefault<Passed>> = HashMap::default();
    for source in sources {
        for (score, member) in source.rows() {
            let weighed = number(aggregate.weigh(score, source.weight));
            found
                .entry(Name(member))
                .and_modify(|score| *score = aggregate.join(*score, weighed))
                .or_insert(weighed);
        }
    }
    let rows = found.into_iter().map(|(name, score)| (score, name.0));
    rows.collect()
}

fn subtract(sources: &[Source]) -> Vec<Row<'_>> {
    let (first, others) = sources.split_first().expect("there is at least one");
    let is_left = |row: &Row<'_>| !others.iter().any(|other| other.score(row.1).is_some());
    first.rows().filter(is_left).collect()
}

/// A member as the key of a map: equal if it spells the same.
#[derive(PartialEq, Eq)]
struct Name<'s>(Element<'s>);

impl Hash for Name<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(element_hashing().of(self.0.bytes(&mut [0; 20])));
    }
}

/// Takes a number that is a good hash already.
#[derive(Default)]
struct Passed(u64);

impl Hasher for Passed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("names are hashed by themselves")
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
