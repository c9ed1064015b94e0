//! LLEN, LINDEX, LRANGE, LPOS: looking at one list.

use resp::Reply;
use store::{Container, List, ListEnd};

use super::{not_least, range};
use crate::args::{Words, integer, is, ranged_or};
use crate::generic::write_element;
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, KeyFlags, Keys};
use crate::{Call, CommandError, LONG_BYTES_MIN};

/// LLEN key
pub(super) const LLEN: CommandSpec = CommandSpec {
    name: "llen",
    arity: Arity::Exactly(2),
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::RO)]),
    flags: Flags::READONLY.or(Flags::FAST),
    acl: Acl::LIST.or(Acl::READ).or(Acl::FAST),
    group: Group::List,
    since: "1.0.0",
    summary: "Counts the elements of a list.",
    syntax: "key",
    ..CommandSpec::row(llen)
};

fn llen(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let key = call.key(1);
    let list = call.unit.read_as::<List>(key)?;
    let len = list.map_or(0, Container::len);
    call.reply.int(len.cast_signed());
    Ok(())
}

/// LINDEX key index
pub(super) const LINDEX: CommandSpec = CommandSpec {
    name: "lindex",
    arity: Arity::Exactly(3),
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::RO.or(KeyFlags::ACCESS))]),
    flags: Flags::READONLY,
    acl: Acl::LIST.or(Acl::READ).or(Acl::SLOW),
    summary: "Shows the element with an index.",
    complexity: "O(log N)",
    syntax: "key index",
    run: lindex,
    ..LLEN
};

fn lindex(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let (key, index) = (call.key(1), integer(call.args.get(2)));
    let element = match call.unit.read_as::<List>(key)? {
        // The number is judged only if there is a list, as in Redis.
        Some(list) => place(index?, list.len()).and_then(|index| list.get(index)),
        None => None,
    };
    match element {
        Some(element) => write_element(element, call.reply),
        None => call.reply.null(),
    }
    Ok(())
}

/// The place that an index names, which may count from the end; it may lie behind the end.
pub(super) fn place(index: i64, len: u64) -> Option<u64> {
    match u64::try_from(index) {
        Ok(index) => Some(index),
        Err(_) => len.checked_sub(index.unsigned_abs()),
    }
}

/// LRANGE key start stop
pub(super) const LRANGE: CommandSpec = CommandSpec {
    name: "lrange",
    arity: Arity::Exactly(4),
    summary: "Shows the elements of a range.",
    complexity: "O(log S + N) for N elements from index S on; a long reply is made without the lock.",
    syntax: "key start stop",
    run: lrange,
    ..LINDEX
};

/// From so many elements on a reply is made after unlocking: some 10 µs of work.
pub(super) const LONG_LEN_MIN: u64 = 1_000;

fn lrange(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let (start, stop) = (integer(call.args.get(2))?, integer(call.args.get(3))?);
    let key = call.key(1);
    let Some(list) = call.unit.read_as::<List>(key)? else {
        call.reply.array(0);
        return Ok(());
    };
    let Some(shown) = range(start, stop, list.len()) else {
        call.reply.array(0);
        return Ok(());
    };
    let (first, count) = (shown.start, shown.end - shown.start);
    if count < LONG_LEN_MIN && !list.is_long(first, count, LONG_BYTES_MIN) {
        write_range(list, first, count, call.reply);
        return Ok(());
    }
    let list = call.unit.pin::<List>(key)?.expect("it has been read");
    call.later(move |reply| {
        write_range(&list, first, count, reply);
        Ok(())
    })
}

/// The elements from `first` on as an array.
fn write_range(list: &List, first: u64, count: u64, reply: &mut Reply) {
    let count = usize::try_from(count).expect("they are in memory");
    reply.array(count);
    for element in list.walk(first, ListEnd::Left).take(count) {
        write_element(element, reply);
    }
}

/// LPOS key element [RANK rank] [COUNT num-matches] [MAXLEN len]
pub(super) const LPOS: CommandSpec = CommandSpec {
    name: "lpos",
    arity: Arity::AtLeast(3),
    since: "6.0.6",
    summary: "Tells at which indices an element is.",
    complexity: "O(N) for N elements looked at; a long list is searched without its lock.",
    syntax: "key element [RANK rank] [COUNT num-matches] [MAXLEN len]",
    run: lpos,
    ..LINDEX
};

/// What LPOS looks for.
struct Search {
    /// How many matches are passed over.
    skipped: u64,
    /// From which end.
    from: ListEnd,
    /// How many are shown, in an array; `None`: one, by itself.
    count: Option<u64>,
    /// How many elements are looked at.
    looked_at: u64,
}

impl Search {
    fn parse(mut words: Words<'_>) -> Result<Search, CommandError> {
        let mut search = Search {
            skipped: 0,
            from: ListEnd::Left,
            count: None,
            looked_at: u64::MAX,
        };
        // Redis's 0 for "no limit".
        let unlimited = |n: i64| if n == 0 { u64::MAX } else { n.unsigned_abs() };
        while let Some(word) = words.next() {
            if is(word, "RANK") {
                let rank = not_least(words.value()?)?;
                if rank == 0 {
                    return Err(CommandError::Fixed(
                        "ERR RANK can't be zero: use 1 to start from the first match, 2 from the \
                         second ... or use negative to start from the end of the list",
                    ));
                }
                search.from = match rank {
                    ..0 => ListEnd::Right,
                    _ => ListEnd::Left,
                };
                search.skipped = rank.unsigned_abs() - 1;
            } else if is(word, "COUNT") {
                let count = ranged_or(words.value()?, 0..=i64::MAX, "ERR COUNT can't be negative")?;
                search.count = Some(unlimited(count));
            } else if is(word, "MAXLEN") {
                let len = ranged_or(words.value()?, 0..=i64::MAX, "ERR MAXLEN can't be negative")?;
                search.looked_at = unlimited(len);
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(search)
    }

    fn reply(&self, list: &List, value: &[u8], reply: &mut Reply) {
        let begin = match self.from {
            ListEnd::Left => 0,
            ListEnd::Right => list.len() - 1,
        };
        let looked_at = usize::try_from(self.looked_at).unwrap_or(usize::MAX);
        let skipped = usize::try_from(self.skipped).unwrap_or(usize::MAX);
        let found = list
            .walk(begin, self.from)
            .take(looked_at)
            .enumerate()
            .filter(|(_, element)| element.eq_bytes(value))
            .skip(skipped)
            .map(|(steps, _)| match self.from {
                ListEnd::Left => steps as u64,
                ListEnd::Right => begin - steps as u64,
            });
        let Some(count) = self.count else {
            return match { found }.next() {
                Some(index) => reply.int(index.cast_signed()),
                None => reply.null(),
            };
        };
        let array = reply.defer();
        let mut shown = 0;
        for index in found.take(usize::try_from(count).unwrap_or(usize::MAX)) {
            reply.int(index.cast_signed());
            shown += 1;
        }
        reply.finish_array(array, shown);
    }
}

fn lpos(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let search = Search::parse(Words::from(call.args, 3))?;
    let (key, value) = (call.key(1), call.args.get(2));
    let Some(list) = call.unit.read_as::<List>(key)? else {
        match search.count {
            Some(_) => call.reply.array(0),
            None => call.reply.null(),
        }
        return Ok(());
    };
    if list.len() < LONG_LEN_MIN {
        search.reply(list, value, call.reply);
        return Ok(());
    }
    let list = call.unit.pin::<List>(key)?.expect("it has been read");
    let value = value.to_vec();
    call.later(move |reply| {
        search.reply(&list, &value, reply);
        Ok(())
    })
}
