//! KEYS, SCAN, RANDOMKEY, DBSIZE: commands that know no key beforehand.
//!
//! None of them holds more than one shard's lock, and that one briefly: KEYS takes a cut and
//! matches without locks, SCAN and RANDOMKEY visit shards one at a time, DBSIZE adds up counters.
//!
//! SCAN's guarantees are the store's: a key that exists from the first call to the last is shown;
//! one that comes or goes in between may be; the cursor names a shard and a place in its hash order
//! and stays below 2^53, because clients parse it as a double. Filters act on what a call has
//! walked over, so a call may show nothing and still not be the last.

use resp::number::parse_u64;
use store::EntryRef;

use crate::args::{Words, integer, is};
use crate::glob::{Case, Pattern};
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, Locks};
use crate::{Call, CommandError};

/// KEYS pattern
pub(super) const KEYS: CommandSpec = CommandSpec {
    name: "keys",
    arity: Arity::Exactly(2),
    locks: Locks::OneByOne,
    flags: Flags::READONLY,
    acl: Acl::KEYSPACE.or(Acl::READ).or(Acl::SLOW).or(Acl::DANGEROUS),
    since: "1.0.0",
    summary: "Lists all keys that match a pattern.",
    complexity: "O(N) where N is the number of keys in the database.",
    syntax: "pattern",
    tips: &["request_policy:all_shards", "nondeterministic_output_order"],
    ..CommandSpec::row(keys)
};

fn keys(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let wanted = Wanted::matching(call.args.get(1));
    let db = call.unit.db();
    let cut = call.unit.cut()?;
    let head = call.reply.defer();
    let mut count = 0;
    for entry in cut.iter(db).filter(|entry| wanted.name(entry.key())) {
        call.reply.bulk(entry.key());
        count += 1;
    }
    call.reply.finish_array(head, count);
    Ok(())
}

/// SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]
pub(super) const SCAN: CommandSpec = CommandSpec {
    name: "scan",
    arity: Arity::AtLeast(2),
    locks: Locks::OneByOne,
    flags: Flags::READONLY.or(Flags::TOUCHES_ARBITRARY_KEYS),
    acl: Acl::KEYSPACE.or(Acl::READ).or(Acl::SLOW),
    since: "2.8.0",
    summary: "Lists the keys of the database step by step.",
    complexity: "O(1) for every call, O(N) for a walk over all N keys.",
    syntax: "cursor [MATCH pattern] [COUNT count] [TYPE type]",
    tips: &[
        "nondeterministic_output",
        "request_policy:special",
        "response_policy:special",
    ],
    ..CommandSpec::row(scan)
};

fn scan(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let cursor = parse_cursor(call.args.get(1))?;
    let mut count = 10;
    let mut wanted = Wanted {
        pattern: None,
        kind: None,
    };
    let mut words = Words::from(call.args, 2);
    while let Some(word) = words.next() {
        if is(word, "COUNT") {
            count = integer(words.value()?)?;
        } else if is(word, "MATCH") {
            wanted.pattern = Wanted::matching(words.value()?).pattern;
        } else if is(word, "TYPE") {
            wanted.kind = Some(words.value()?);
        } else {
            return Err(CommandError::Syntax);
        }
        if count < 1 {
            return Err(CommandError::Syntax);
        }
    }
    let count = usize::try_from(count).unwrap_or(usize::MAX);

    // The cursor is known last and stands first, so the keys wait here, end to end.
    let mut names = Vec::new();
    let mut ends = Vec::new();
    let next = call.unit.scan(cursor, count, |entry| {
        if wanted.entry(entry) {
            names.extend_from_slice(entry.key());
            ends.push(names.len());
        }
    })?;
    call.reply.array(2);
    call.reply
        .bulk(resp::number::format_u64(next, &mut [0; 20]));
    call.reply.array(ends.len());
    let mut begin = 0;
    for end in ends {
        call.reply.bulk(&names[begin..end]);
        begin = end;
    }
    Ok(())
}

/// A cursor as clients send it back: decimal, with any number of leading zeros, and what C skips
/// before a number. What names no place of ours is the store's to judge; here it only has to be a
/// number.
pub(super) fn parse_cursor(word: &[u8]) -> Result<u64, CommandError> {
    let word = word.trim_ascii_start();
    let digits = word.strip_prefix(b"+").unwrap_or(word);
    let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    let significant = &digits[zeros..];
    if zeros > 0 && significant.is_empty() {
        return Ok(0);
    }
    parse_u64(significant).ok_or(CommandError::Fixed("ERR invalid cursor"))
}

/// What a walk shows.
struct Wanted<'a> {
    /// Which names; all without one.
    pattern: Option<Pattern>,
    /// Which kind of value; all without one. An unknown kind is not an error: nothing is of it.
    kind: Option<&'a [u8]>,
}

impl Wanted<'_> {
    fn matching(pattern: &[u8]) -> Self {
        let pattern = Pattern::new(pattern, Case::Sensitive);
        Wanted {
            pattern: (!pattern.is_all()).then_some(pattern),
            kind: None,
        }
    }

    fn name(&self, name: &[u8]) -> bool {
        self.pattern
            .as_ref()
            .is_none_or(|pattern| pattern.matches(name))
    }

    fn entry(&self, entry: EntryRef<'_>) -> bool {
        self.name(entry.key()) && self.kind.is_none_or(|kind| is(kind, entry.kind().name()))
    }
}

/// RANDOMKEY
pub(super) const RANDOMKEY: CommandSpec = CommandSpec {
    name: "randomkey",
    arity: Arity::Exactly(1),
    locks: Locks::OneByOne,
    flags: Flags::READONLY.or(Flags::TOUCHES_ARBITRARY_KEYS),
    acl: Acl::KEYSPACE.or(Acl::READ).or(Acl::SLOW),
    since: "1.0.0",
    summary: "Names a random key of the database.",
    tips: &[
        "request_policy:all_shards",
        "response_policy:special",
        "nondeterministic_output",
    ],
    ..CommandSpec::row(randomkey)
};

fn randomkey(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    // One call of the store gives up after a number of expired keys, and has removed them.
    for _ in 0..WALKS_MAX {
        let reply = &mut *call.reply;
        if call.unit.random_key(|entry| reply.bulk(entry.key()))? {
            return Ok(());
        }
        if call.unit.store().keys(call.unit.db()) == 0 {
            break;
        }
    }
    call.reply.null();
    Ok(())
}

/// How often RANDOMKEY goes on among expired keys. Where they may not be removed (a paused server)
/// it would not end otherwise.
const WALKS_MAX: usize = 100;

/// DBSIZE
///
/// The sum of the shards' counters; expired keys that nobody has met yet are counted, as in Redis.
pub(super) const DBSIZE: CommandSpec = CommandSpec {
    name: "dbsize",
    arity: Arity::Exactly(1),
    locks: Locks::OneByOne,
    flags: Flags::READONLY.or(Flags::FAST),
    acl: Acl::KEYSPACE.or(Acl::READ).or(Acl::FAST),
    group: Group::Server,
    since: "1.0.0",
    summary: "Counts the keys of the database.",
    tips: &["request_policy:all_shards", "response_policy:agg_sum"],
    ..CommandSpec::row(dbsize)
};

fn dbsize(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let keys = call.unit.store().keys(call.unit.db());
    call.reply
        .int(i64::try_from(keys).expect("fewer keys than bytes of memory"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(word: &str, expected: Option<u64>) {
        assert_eq!(parse_cursor(word.as_bytes()).ok(), expected, "{word:?}");
    }

    #[test]
    fn cursors() {
        check("0", Some(0));
        check("17", Some(17));
        check("00", Some(0));
        check("0017", Some(17));
        check("+17", Some(17));
        check(" +17", Some(17));
        check("18446744073709551615", Some(u64::MAX));
        for word in [
            "",
            "+",
            "-1",
            "-0",
            " ",
            "+ 1",
            "1 ",
            "x",
            "0x10",
            "18446744073709551616",
            "1.0",
        ] {
            check(word, None);
        }
    }
}
