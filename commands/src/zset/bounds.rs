//! What a range is given by: ranks, scores, or members in the order of bytes.
//!
//! All three end as a range of ranks ([`Bounds::ranks`]), which the set finds in O(log n); LIMIT and
//! REV are arithmetic on that. A range by members is meant for sets whose scores are all equal; on
//! others Redis's answer depends on how it searches, and so does ours.

use std::cmp::Ordering;
use std::ops::Range;

use collections::listpack::Element;
use store::{Container, SortedSet};

use crate::CommandError;
use crate::args::integer;

/// A range, read but not yet found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Bounds<'a> {
    /// First and last rank; negative ones count from the end.
    Ranks(i64, i64),
    /// Lowest and highest score.
    Scores(Score, Score),
    /// First and last member.
    Members(Member<'a>, Member<'a>),
}

/// What the words of a range mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    Rank,
    Score,
    Member,
}

/// A score, and whether it is itself outside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Score {
    value: f64,
    is_open: bool,
}

/// A place in the order of members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Member<'a> {
    /// `-`: before all.
    First,
    /// `[member`
    At(&'a [u8]),
    /// `(member`: itself outside.
    Beside(&'a [u8]),
    /// `+`: behind all.
    Last,
}

impl<'a> Bounds<'a> {
    /// Reads the two words, lower end first.
    pub(super) fn parse(by: By, min: &'a [u8], max: &'a [u8]) -> Result<Bounds<'a>, CommandError> {
        Ok(match by {
            By::Rank => Bounds::Ranks(integer(min)?, integer(max)?),
            By::Score => Bounds::Scores(Score::parse(min)?, Score::parse(max)?),
            By::Member => Bounds::Members(Member::parse(min)?, Member::parse(max)?),
        })
    }

    /// The ranks of the members within. With `reverse`, ranks that were given count from the
    /// highest; what comes back always counts from the lowest.
    pub(super) fn ranks(&self, set: &SortedSet, reverse: bool) -> Range<u64> {
        let (start, end) = match *self {
            Bounds::Ranks(first, last) => {
                let range = ranks_between(first, last, set.len());
                if reverse {
                    let mirrored = |rank| set.len() - rank;
                    (mirrored(range.end), mirrored(range.start))
                } else {
                    (range.start, range.end)
                }
            }
            Bounds::Scores(min, max) => (
                set.rank_of_score(min.value, min.is_open),
                set.rank_of_score(max.value, !max.is_open),
            ),
            Bounds::Members(min, max) => (min.rank(set, false), max.rank(set, true)),
        };
        start.min(end)..end
    }
}

/// Ranks from `first` to `last`, both included, of `len`.
fn ranks_between(first: i64, last: i64, len: u64) -> Range<u64> {
    let place = |at: i64| match u64::try_from(at) {
        Ok(at) => at,
        Err(_) => len.saturating_sub(at.unsigned_abs()),
    };
    // A last one before all is not the first one.
    let is_before_all = last < 0 && last.unsigned_abs() > len;
    let end = if is_before_all {
        0
    } else {
        place(last).saturating_add(1).min(len)
    };
    place(first).min(end)..end
}

/// Leaves out the first `offset` members of a range and all behind `count` (negative: none), as seen
/// from the end that `reverse` says.
pub(super) fn limit(ranks: Range<u64>, offset: i64, count: i64, reverse: bool) -> Range<u64> {
    let len = ranks.end - ranks.start;
    // A negative offset leaves nothing.
    let skipped = u64::try_from(offset).unwrap_or(u64::MAX).min(len);
    let kept = u64::try_from(count).unwrap_or(u64::MAX).min(len - skipped);
    if reverse {
        let end = ranks.end - skipped;
        end - kept..end
    } else {
        let start = ranks.start + skipped;
        start..start + kept
    }
}

impl Score {
    /// A float, with `(` before it if it is itself outside. Laxer than a member's score, as it is on
    /// Redis: nothing stands for 0, and what overflows for infinity; but hexadecimal is refused.
    fn parse(word: &[u8]) -> Result<Score, CommandError> {
        const NOT_FLOAT: CommandError = CommandError::Fixed("ERR min or max is not a float");
        let (is_open, digits) = match word {
            [b'(', digits @ ..] => (true, digits),
            digits => (false, digits),
        };
        let value = if digits.is_empty() {
            0.0
        } else {
            fast_float2::parse(digits).map_err(|_| NOT_FLOAT)?
        };
        if f64::is_nan(value) {
            return Err(NOT_FLOAT);
        }
        Ok(Score { value, is_open })
    }
}

impl<'a> Member<'a> {
    fn parse(word: &'a [u8]) -> Result<Member<'a>, CommandError> {
        match word {
            b"-" => Ok(Member::First),
            b"+" => Ok(Member::Last),
            [b'[', member @ ..] => Ok(Member::At(member)),
            [b'(', member @ ..] => Ok(Member::Beside(member)),
            _ => Err(CommandError::Fixed(
                "ERR min or max not valid string range item",
            )),
        }
    }

    /// How many members are before this place. The member itself is before it where it is the upper
    /// end of a range.
    fn rank(self, set: &SortedSet, is_upper: bool) -> u64 {
        let before = |bytes: &[u8], is_included: bool| {
            set.rank_before(
                |(_, member): (f64, Element<'_>)| match member.cmp_bytes(bytes) {
                    Ordering::Less => true,
                    Ordering::Equal => is_included,
                    Ordering::Greater => false,
                },
            )
        };
        match self {
            Member::First => 0,
            Member::Last => set.len(),
            Member::At(bytes) => before(bytes, is_upper),
            Member::Beside(bytes) => before(bytes, !is_upper),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_clipped() {
        for (first, last, expected) in [
            (0, -1, 0..5),
            (0, 0, 0..1),
            (-2, -1, 3..5),
            (-100, 1, 0..2),
            (1, 100, 1..5),
            (3, 2, 3..3),
            (5, 9, 5..5),
            (0, -6, 0..0),
            (0, -5, 0..1),
            (i64::MIN, i64::MAX, 0..5),
            (i64::MAX, i64::MIN, 0..0),
        ] {
            let found = ranks_between(first, last, 5);
            assert_eq!(found, expected, "{first} {last}");
        }
        assert_eq!(ranks_between(0, -1, 0), 0..0);
    }

    #[test]
    fn limits() {
        for (offset, count, reverse, expected) in [
            (0, -1, false, 10..20),
            (0, i64::MIN, true, 10..20),
            (2, 3, false, 12..15),
            (2, 3, true, 15..18),
            (9, 3, false, 19..20),
            (10, 1, true, 10..10),
            (-1, 5, false, 20..20),
            (0, 0, false, 10..10),
            (i64::MAX, i64::MAX, false, 20..20),
        ] {
            let found = limit(10..20, offset, count, reverse);
            assert_eq!(found, expected, "{offset} {count} {reverse}");
        }
    }

    #[test]
    fn scores() {
        for (word, expected) in [
            ("", Some((0.0, false))),
            ("(", Some((0.0, true))),
            ("(1.5", Some((1.5, true))),
            ("-inf", Some((f64::NEG_INFINITY, false))),
            ("(+inf", Some((f64::INFINITY, true))),
            ("1e400", Some((f64::INFINITY, false))),
            ("1e-400", Some((0.0, false))),
            ("+1", Some((1.0, false))),
            ("5.", Some((5.0, false))),
            ("infinity", Some((f64::INFINITY, false))),
            (" 1", None),
            ("1 ", None),
            ("1e", None),
            ("0x10", None),
            ("nan", None),
            ("((1", None),
        ] {
            let found = Score::parse(word.as_bytes()).ok();
            let found = found.map(|score| (score.value, score.is_open));
            assert_eq!(found, expected, "{word:?}");
        }
    }
}
