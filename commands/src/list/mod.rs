//! Lists: strings in a row, quick at both ends.
//!
//! | file | commands |
//! |---|---|
//! | `push.rs` | LPUSH, RPUSH, LPUSHX, RPUSHX |
//! | `pop.rs` | LPOP, RPOP, LMPOP, and BLPOP, BRPOP, BLMPOP, which wait |
//! | `carry.rs` | LMOVE, RPOPLPUSH, LMOVEM, and BLMOVE, BRPOPLPUSH, BLMOVEM, which wait |
//! | `ask.rs` | LLEN, LINDEX, LRANGE, LPOS |
//! | `edit.rs` | LSET, LINSERT, LREM, LTRIM |
//!
//! What a list is in memory: `store/src/value/list/`. How a command waits: `docs/design/blocking.md`.

mod ask;
mod carry;
mod edit;
mod pop;
mod push;

use std::ops::Range;

use store::ListEnd;

use crate::CommandError;
use crate::args::{integer, is};
use crate::spec::CommandSpec;

/// The family's rows.
pub const ROWS: &[&CommandSpec] = &[
    &carry::BLMOVE,
    &carry::BLMOVEM,
    &pop::BLMPOP,
    &pop::BLPOP,
    &pop::BRPOP,
    &carry::BRPOPLPUSH,
    &ask::LINDEX,
    &edit::LINSERT,
    &ask::LLEN,
    &carry::LMOVE,
    &carry::LMOVEM,
    &pop::LMPOP,
    &pop::LPOP,
    &ask::LPOS,
    &push::LPUSH,
    &push::LPUSHX,
    &ask::LRANGE,
    &edit::LREM,
    &edit::LSET,
    &edit::LTRIM,
    &pop::RPOP,
    &carry::RPOPLPUSH,
    &push::RPUSH,
    &push::RPUSHX,
];

/// LEFT or RIGHT.
fn end(word: &[u8]) -> Result<ListEnd, CommandError> {
    if is(word, "LEFT") {
        Ok(ListEnd::Left)
    } else if is(word, "RIGHT") {
        Ok(ListEnd::Right)
    } else {
        Err(CommandError::Syntax)
    }
}

/// The elements from `start` to `stop`, both included, as a list of `len` has them; negative ones count
/// from the end. `None` when there are none.
fn range(start: i64, stop: i64, len: u64) -> Option<Range<u64>> {
    let len = i64::try_from(len).expect("it is in memory");
    let place = |at: i64| if at < 0 { at.saturating_add(len) } else { at };
    let (first, last) = (place(start).max(0), place(stop).min(len - 1));
    (first <= last).then(|| first.unsigned_abs()..last.unsigned_abs() + 1)
}

/// What popping at an end is called: the event, and the command that stands for it in the log.
fn pop_names(end: ListEnd) -> (&'static str, &'static [u8]) {
    match end {
        ListEnd::Left => ("lpop", b"LPOP"),
        ListEnd::Right => ("rpop", b"RPOP"),
    }
}

/// What pushing at an end is called.
fn push_name(end: ListEnd) -> &'static str {
    match end {
        ListEnd::Left => "lpush",
        ListEnd::Right => "rpush",
    }
}

/// The word for an end.
fn end_word(end: ListEnd) -> &'static [u8] {
    match end {
        ListEnd::Left => b"LEFT",
        ListEnd::Right => b"RIGHT",
    }
}

/// An integer of which the negative is one as well.
fn not_least(word: &[u8]) -> Result<i64, CommandError> {
    match integer(word)? {
        i64::MIN => Err(CommandError::Fixed(
            "ERR value is out of range, value must between -9223372036854775807 and \
             9223372036854775807",
        )),
        value => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        for (start, stop, expected) in [
            (0, -1, Some(0..5)),
            (-3, -1, Some(2..5)),
            (1, 100, Some(1..5)),
            (-100, -99, None),
            (0, -6, None),
            (0, -5, Some(0..1)),
            (3, 2, None),
            (5, 9, None),
            (i64::MIN, i64::MAX, Some(0..5)),
            (i64::MAX, i64::MIN, None),
        ] {
            assert_eq!(range(start, stop, 5), expected, "{start} {stop}");
        }
    }
}
