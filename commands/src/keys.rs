//! Where the keys stand in a request: the one walk over a row's key positions.
//!
//! Locks, ACL, cluster routing, COMMAND GETKEYS and GETKEYSANDFLAGS all go through here, so they
//! cannot disagree about what a command touches.
//!
//! ```text
//!   row      Begin::Keyword { word: "STREAMS", from: 1 }, Find::Range { last: -1, step: 1, limit: 2 }
//!   request  XREAD  COUNT  5  STREAMS  a  b  0  0
//!   word         0      1  2        3  4  5  6  7
//!   begins                             ^          behind the keyword
//!   keys                               4  5       the first half of what is left
//! ```
//!
//! I1  a yielded index names a word of the request, whatever the request holds.
//! I2  a range that does not fit the request yields no key at all: its command answers with an
//!     arity or a syntax error and touches nothing.
//! I3  where the flags depend on the arguments, a doubtful request gets the wider flags.
//!
//! Checked by: tests below; `testing.rs` runs every command with random arguments and asserts
//! that nothing but these keys was touched.

use resp::Args;

use crate::args::is;
use crate::error::CommandError;
use crate::spec::{Begin, CommandSpec, Find, KeyAt, KeyFlags, Keys};

/// The keys among `args` (the whole request, its name included): word index and what is done to
/// it. A key that is named twice comes twice. Ranges that do not fit are left out.
#[must_use]
pub fn positions<'a>(keys: Keys, args: Args<'a>) -> Positions<'a> {
    let ranges = match keys {
        Keys::None => &[],
        Keys::At(ranges) => ranges,
    };
    Positions {
        args,
        ranges,
        walk: Walk::EMPTY,
        access: KeyFlags::NONE,
    }
}

/// Iterator over a request's keys; see [`positions`].
#[derive(Clone, Debug)]
pub struct Positions<'a> {
    args: Args<'a>,
    ranges: &'static [KeyAt],
    walk: Walk,
    access: KeyFlags,
}

impl Iterator for Positions<'_> {
    type Item = (usize, KeyFlags);

    fn next(&mut self) -> Option<(usize, KeyFlags)> {
        loop {
            if let Some(index) = self.walk.next() {
                return Some((index, self.access));
            }
            let (range, rest) = self.ranges.split_first()?;
            self.ranges = rest;
            if !range.access.has(KeyFlags::NOT_KEY) {
                self.walk = walk(range, self.args).unwrap_or(Walk::EMPTY);
                self.access = access(range.access, self.args);
            }
        }
    }
}

/// COMMAND GETKEYS: the keys, or why there are none. `args` is the request that is asked about.
///
/// # Errors
/// The three texts that Redis has for it.
pub fn get_keys<H: 'static>(
    spec: &CommandSpec<H>,
    args: Args<'_>,
) -> Result<Vec<(usize, KeyFlags)>, CommandError> {
    let Keys::At(ranges) = spec.keys else {
        return Err(CommandError::Fixed("ERR The command has no key arguments"));
    };
    if !spec.arity.accepts(args.len()) {
        let text = "ERR Invalid number of arguments specified for command";
        return Err(CommandError::Fixed(text));
    }
    let fits = ranges.iter().all(|range| {
        range.access.has(KeyFlags::NOT_KEY) || !matches!(walk(range, args), Err(Misfit))
    });
    let keys: Vec<_> = positions(spec.keys, args).collect();
    let may_be_empty = spec.flags.has(crate::spec::Flags::NO_MANDATORY_KEYS);
    if !fits || (keys.is_empty() && !may_be_empty) {
        return Err(CommandError::Fixed(
            "ERR Invalid arguments specified for command",
        ));
    }
    Ok(keys)
}

/// The words `at`, `at + step`, … up to `last`.
#[derive(Clone, Copy, Debug)]
struct Walk {
    at: usize,
    last: usize,
    step: usize,
}

impl Walk {
    /// One that has nothing to give.
    const EMPTY: Walk = Walk {
        at: 1,
        last: 0,
        step: 1,
    };

    fn next(&mut self) -> Option<usize> {
        if self.at > self.last {
            return None;
        }
        let at = self.at;
        self.at += self.step;
        Some(at)
    }
}

/// The request has no place for what the row describes.
struct Misfit;

/// The words that one range covers. A keyword that is not there is no misfit: it is an option.
fn walk(range: &KeyAt, args: Args<'_>) -> Result<Walk, Misfit> {
    let words = args.len();
    let is_one = matches!(range.find, Find::Range { last: 0, .. });
    let Some(begin) = begin(range.begin, is_one, args) else {
        return Ok(Walk::EMPTY);
    };
    let (first, last, step) = match range.find {
        Find::Range { last, step, limit } => {
            let last = match (last, limit) {
                (0.., _) => begin.checked_add(last as usize),
                (_, 0 | 1) => words.checked_sub(usize::from(last.unsigned_abs())),
                // "-1 with limit 2" is the last word of the first half of what is left.
                _ => (begin + words.saturating_sub(begin) / usize::from(limit))
                    .checked_sub(usize::from(last.unsigned_abs())),
            };
            (begin, last.ok_or(Misfit)?, usize::from(step))
        }
        Find::KeyNum { at, first, step } => {
            let count = args.try_get(begin + usize::from(at)).ok_or(Misfit)?;
            let count = resp::number::parse_i64(count).ok_or(Misfit)?;
            let count = usize::try_from(count).map_err(|_| Misfit)?;
            if count == 0 {
                return Ok(Walk::EMPTY);
            }
            let (first, step) = (begin + usize::from(first), usize::from(step));
            let span = (count - 1).checked_mul(step).ok_or(Misfit)?;
            (first, first.checked_add(span).ok_or(Misfit)?, step)
        }
    };
    if last >= words || first > last {
        return Err(Misfit);
    }
    Ok(Walk {
        at: first,
        last,
        step: step.max(1),
    })
}

/// The word at which a range begins, if its keyword is there. Behind a keyword that names one key
/// (GEORADIUS's STORE) the last counts, as it does for who runs the command.
fn begin(begin: Begin, is_one: bool, args: Args<'_>) -> Option<usize> {
    let words = args.len();
    match begin {
        Begin::Index(index) => Some(usize::from(index)),
        Begin::Keyword {
            word,
            from: from @ 0..,
        } if is_one => (from as usize..words.saturating_sub(1))
            .rfind(|&i| is(args.get(i), word))
            .map(|i| i + 1),
        Begin::Keyword {
            word,
            from: from @ 0..,
        } => (from as usize..words)
            .find(|&i| is(args.get(i), word))
            .map(|i| i + 1),
        // Backwards from the end. Word 0 is the command itself and never the keyword.
        Begin::Keyword { word, from } => {
            let start = words.checked_sub(usize::from(from.unsigned_abs()))?;
            (1..=start)
                .rev()
                .find(|&i| is(args.get(i), word))
                .map(|i| i + 1)
        }
    }
}

/// What is really done to the keys of a range whose flags depend on the arguments. The commands
/// are told by the name in the request: a renamed one keeps its row's flags, which are the wider
/// ones and so ask an ACL for more, never for less.
fn access(declared: KeyFlags, args: Args<'_>) -> KeyFlags {
    if !declared.has(KeyFlags::VARIABLE_FLAGS) {
        return declared;
    }
    let rw = KeyFlags::RW.or(KeyFlags::ACCESS);
    let declared = KeyFlags(declared.0 & !KeyFlags::VARIABLE_FLAGS.0);
    let name = args.try_get(0).unwrap_or_default();
    if is(name, "set") {
        let reads = |word: &[u8]| {
            ["GET", "IFEQ", "IFNE", "IFDEQ", "IFDNE"]
                .iter()
                .any(|option| is(word, option))
        };
        if args.skip(3).iter().any(reads) {
            return rw.or(KeyFlags::UPDATE);
        }
        return KeyFlags::OW.or(KeyFlags::UPDATE);
    }
    if is(name, "delex") {
        if args.len() > 2 {
            return rw.or(KeyFlags::DELETE);
        }
        return KeyFlags::RM.or(KeyFlags::DELETE);
    }
    if is(name, "bitfield") && only_gets(args.skip(2)) {
        return KeyFlags::RO.or(KeyFlags::ACCESS);
    }
    declared
}

/// Whether BITFIELD's operations only read. What does not parse might write.
fn only_gets(mut words: Args<'_>) -> bool {
    while let Some(word) = words.try_get(0) {
        let taken = match word {
            word if is(word, "GET") => 3,
            word if is(word, "OVERFLOW") => 2,
            _ => return false,
        };
        if words.len() < taken {
            return false;
        }
        words = words.skip(taken);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Arity, Flags};
    use resp::OwnedArgs;

    fn words(line: &str) -> OwnedArgs {
        OwnedArgs::from_slices(&line.split_whitespace().collect::<Vec<_>>())
    }

    fn found(ranges: &'static [KeyAt], line: &str) -> Vec<usize> {
        let args = words(line);
        positions(Keys::At(ranges), args.as_args())
            .map(|(i, _)| i)
            .collect()
    }

    #[test]
    fn ranges() {
        const ONE: &[KeyAt] = &[KeyAt::read(1)];
        assert_eq!(found(ONE, "GET k"), [1]);
        assert_eq!(found(ONE, "GET"), []);
        const PAIR: &[KeyAt] = &[KeyAt::read(1).to(1, 1)];
        assert_eq!(found(PAIR, "LCS a b LEN"), [1, 2]);
        assert_eq!(found(PAIR, "LCS a"), []);
        const ALL: &[KeyAt] = &[KeyAt::read(1).to(-1, 1)];
        assert_eq!(found(ALL, "MGET a b c"), [1, 2, 3]);
        assert_eq!(found(ALL, "MGET"), []);
        const EVERY_SECOND: &[KeyAt] = &[KeyAt::overwrite(1).to(-1, 2)];
        assert_eq!(found(EVERY_SECOND, "MSET a 1 b 2"), [1, 3]);
        assert_eq!(found(EVERY_SECOND, "MSET a 1 b"), [1, 3]);
        const BUT_LAST: &[KeyAt] = &[KeyAt::read(1).to(-2, 1)];
        assert_eq!(found(BUT_LAST, "BLPOP a b 0"), [1, 2]);
        assert_eq!(found(BUT_LAST, "BLPOP a"), []);
        const TWO: &[KeyAt] = &[KeyAt::overwrite(2), KeyAt::read(3).to(-1, 1)];
        assert_eq!(found(TWO, "BITOP AND d a b"), [2, 3, 4]);
        assert_eq!(found(TWO, "BITOP AND d"), [2]);
    }

    #[test]
    fn counted() {
        const COUNTED: &[KeyAt] = &[KeyAt::counted(2, KeyFlags::RW)];
        assert_eq!(found(COUNTED, "EVAL s 2 a b c"), [3, 4]);
        for line in [
            "EVAL s 0 a",
            "EVAL s 3 a b",
            "EVAL s -1 a",
            "EVAL s x a",
            "EVAL s",
            "EVAL",
        ] {
            assert_eq!(found(COUNTED, line), [], "{line}");
        }
        assert_eq!(found(COUNTED, "EVAL s 9223372036854775807 a"), []);
        const PAIRS: &[KeyAt] = &[KeyAt {
            begin: Begin::Index(1),
            find: Find::KeyNum {
                at: 0,
                first: 1,
                step: 2,
            },
            access: KeyFlags::OW,
        }];
        assert_eq!(found(PAIRS, "MSETEX 2 a 1 b 2 NX"), [2, 4]);
        assert_eq!(found(PAIRS, "MSETEX 9223372036854775807 a 1 b 2"), []);
    }

    #[test]
    fn keywords() {
        const fn keyword(word: &'static str, from: i16, limit: u16, last: i16) -> KeyAt {
            KeyAt {
                begin: Begin::Keyword { word, from },
                find: Find::Range {
                    last,
                    step: 1,
                    limit,
                },
                access: KeyFlags::RO,
            }
        }
        const STREAMS: &[KeyAt] = &[keyword("STREAMS", 1, 2, -1)];
        assert_eq!(found(STREAMS, "XREAD COUNT 5 streams a b 0 0"), [4, 5]);
        assert_eq!(found(STREAMS, "XREAD streams a"), []);
        assert_eq!(found(STREAMS, "XREAD streams"), []);
        assert_eq!(found(STREAMS, "XREAD COUNT 5"), []);
        const KEYS: &[KeyAt] = &[keyword("KEYS", -2, 0, -1)];
        assert_eq!(found(KEYS, "MIGRATE h p _ 0 5 KEYS a b"), [7, 8]);
        assert_eq!(found(KEYS, "MIGRATE h p k 0 5 KEYS"), []);
        assert_eq!(found(KEYS, "KEYS"), []);
        const STORE: &[KeyAt] = &[keyword("STORE", 6, 0, 0)];
        assert_eq!(found(STORE, "GEORADIUS k 1 2 3 m STORE d"), [7]);
        assert_eq!(found(STORE, "GEORADIUS k 1 2 3 m STORE"), []);
        assert_eq!(found(STORE, "GEORADIUS k 1 2 3 m STORE d STORE e"), [9]);
        assert_eq!(found(STORE, "GEORADIUS k 1 2 3 m STORE d ASC STORE"), [7]);
    }

    #[test]
    fn flags_that_depend_on_the_arguments() {
        let variable = KeyFlags::RW
            .or(KeyFlags::UPDATE)
            .or(KeyFlags::VARIABLE_FLAGS);
        let check = |line: &str, expected: &str| {
            let args = words(line);
            let flags: Vec<_> = access(variable, args.as_args()).words().collect();
            assert_eq!(flags.join(" "), expected, "{line}");
        };
        check("SET k v", "OW update");
        check("SET k GET", "OW update");
        check("set k v get", "RW access update");
        check("SET k v IFEQ x", "RW access update");
        check("DELEX k", "RM delete");
        check("DELEX k IFEQ v", "RW access delete");
        check("BITFIELD k GET u8 0 OVERFLOW SAT", "RO access");
        check("BITFIELD k", "RO access");
        check("BITFIELD k GET u8", "RW update");
        check("BITFIELD k GET u8 0 SET u8 0 1", "RW update");
        check("RENAMED k", "RW update");
    }

    #[test]
    fn get_keys_says_why_not() {
        const COUNTED: CommandSpec<()> = CommandSpec {
            arity: Arity::AtLeast(3),
            keys: Keys::At(&[KeyAt::counted(2, KeyFlags::RW)]),
            ..CommandSpec::row(())
        };
        let check = |spec: &CommandSpec<()>, line: &str, expected: &str| {
            let error = get_keys(spec, words(line).as_args()).expect_err(line);
            assert_eq!(error.text(), expected, "{line}");
        };
        check(
            &CommandSpec::row(()),
            "PING",
            "ERR The command has no key arguments",
        );
        check(
            &COUNTED,
            "EVAL",
            "ERR Invalid number of arguments specified for command",
        );
        check(
            &COUNTED,
            "EVAL s 7 a",
            "ERR Invalid arguments specified for command",
        );
        check(
            &COUNTED,
            "EVAL s 0",
            "ERR Invalid arguments specified for command",
        );
        const OPTIONAL: CommandSpec<()> = CommandSpec {
            flags: Flags::NO_MANDATORY_KEYS,
            ..COUNTED
        };
        assert_eq!(get_keys(&OPTIONAL, words("EVAL s 0").as_args()), Ok(vec![]));
        check(
            &OPTIONAL,
            "EVAL s 7 a",
            "ERR Invalid arguments specified for command",
        );
        let found = get_keys(&COUNTED, words("EVAL s 1 k").as_args());
        assert_eq!(found, Ok(vec![(3, KeyFlags::RW)]));
    }
}
