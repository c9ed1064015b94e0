//! LPOP, RPOP, LMPOP, and BLPOP, BRPOP, BLMPOP, which wait where there is nothing.
//!
//! Which of several keys is popped is found out when the command runs, so the forms of several keys
//! enter the change log as what they did: an LPOP or RPOP.

use std::ops::Range;

use resp::Reply;
use store::{Container, EventClass, Key, Kind, List, ListEnd, PinnedAs, Slot};

use super::ask::LONG_LEN_MIN;
use super::{end, pop_names};
use crate::args::{Words, is, ranged_or, timeout_seconds, wrong_arity};
use crate::generic::write_element;
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, KeyFlags, Keys, LogForm};
use crate::{Block, Call, CommandError, Null};

/// What popping does to its keys.
const POPPED: KeyFlags = KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::DELETE);

/// LPOP key [count]
pub(super) const LPOP: CommandSpec = CommandSpec {
    name: "lpop",
    arity: Arity::AtLeast(2),
    keys: Keys::At(&[KeyAt::at(1, POPPED)]),
    flags: Flags::WRITE.or(Flags::FAST),
    acl: Acl::LIST.or(Acl::WRITE).or(Acl::FAST),
    log: LogForm::Verbatim,
    group: Group::List,
    since: "1.0.0",
    summary: "Takes elements from the front of a list; the key goes with the last one.",
    complexity: "O(N) for N elements.",
    syntax: "key [count]",
    ..CommandSpec::row(lpop)
};

fn lpop(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    pop(call, ListEnd::Left, "lpop")
}

/// RPOP key [count]
pub(super) const RPOP: CommandSpec = CommandSpec {
    name: "rpop",
    summary: "Takes elements from the end of a list; the key goes with the last one.",
    run: rpop,
    ..LPOP
};

fn rpop(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    pop(call, ListEnd::Right, "rpop")
}

fn pop(call: &mut Call<'_, '_>, end: ListEnd, name: &str) -> Result<(), CommandError> {
    let count = match call.args.len() {
        2 => None,
        3 => Some(ranged_or(
            call.args.get(2),
            0..=i64::MAX,
            "ERR value is out of range, must be positive",
        )?),
        _ => return Err(wrong_arity(name)),
    };
    let key = call.key(1);
    let Some(list) = call.unit.read_as::<List>(key)? else {
        match count {
            Some(_) => call.reply.null_array(),
            None => call.reply.null(),
        }
        return Ok(());
    };
    let len = list.len();
    match count {
        None => pop_one(call, key, end),
        Some(0) => {
            call.reply.array(0);
            Ok(())
        }
        Some(count) => pop_some(call, key, end, count.unsigned_abs().min(len), None),
    }
}

/// Pops one element of a list that is there, and shows it.
fn pop_one(call: &mut Call<'_, '_>, key: Key<'_>, end: ListEnd) -> Result<(), CommandError> {
    let limits = call.settings.limits.list();
    let Slot::Occupied(mut at) = call.unit.slot(key) else {
        unreachable!("it has been read")
    };
    let reply = &mut *call.reply;
    let is_empty = at.edit(|list: &mut List| {
        list.pop(end, limits, |element| write_element(element, reply))?;
        Ok::<_, CommandError>((list.is_empty(), true))
    })?;
    popped(call, key, end, 1, is_empty);
    Ok(())
}

/// Pops `count` elements of a list that has as many, and shows them as an array, beside the key if
/// one is given.
fn pop_some(
    call: &mut Call<'_, '_>,
    key: Key<'_>,
    end: ListEnd,
    count: u64,
    shown_key: Option<&[u8]>,
) -> Result<(), CommandError> {
    let limits = call.settings.limits.list();
    let Slot::Occupied(mut at) = call.unit.slot(key) else {
        unreachable!("it has been read")
    };
    let (taken, is_empty) = at.edit(|list: &mut List| {
        let len = list.len();
        let range = match end {
            ListEnd::Left => 0..count,
            ListEnd::Right => len - count..len,
        };
        let taken = list.take(range, limits)?;
        Ok::<_, CommandError>(((taken, list.is_empty()), true))
    })?;
    popped(call, key, end, count, is_empty);
    if count < LONG_LEN_MIN {
        write_popped(&taken, end, shown_key, call.reply);
        return Ok(());
    }
    let (taken, shown_key) = (PinnedAs::of(taken), shown_key.map(<[u8]>::to_vec));
    call.later(move |reply| {
        write_popped(&taken, end, shown_key.as_deref(), reply);
        Ok(())
    })
}

fn write_popped(taken: &List, end: ListEnd, shown_key: Option<&[u8]>, reply: &mut Reply) {
    if let Some(key) = shown_key {
        reply.array(2);
        reply.bulk(key);
    }
    reply.array(usize::try_from(taken.len()).expect("they are in memory"));
    let begin = match end {
        ListEnd::Left => 0,
        ListEnd::Right => taken.len() - 1,
    };
    for element in taken.walk(begin, end) {
        write_element(element, reply);
    }
}

/// Tells what popping has done.
pub(super) fn popped(
    call: &mut Call<'_, '_>,
    key: Key<'_>,
    end: ListEnd,
    count: u64,
    is_empty: bool,
) {
    let (event, _) = pop_names(end);
    call.unit.notify(EventClass::LIST, event, key.bytes());
    if is_empty {
        call.remove_emptied(key);
    }
    call.unit.dirty(count);
}

/// The first of the keys in `words` that holds a list; its length.
fn first_list<'c>(
    call: &mut Call<'c, '_>,
    words: Range<usize>,
) -> Result<Option<(Key<'c>, u64)>, CommandError> {
    for word in words {
        let key = call.key(word);
        if let Some(list) = call.unit.read_as::<List>(key)? {
            return Ok(Some((key, list.len())));
        }
    }
    Ok(None)
}

/// BLPOP key [key ...] timeout
pub(super) const BLPOP: CommandSpec = CommandSpec {
    name: "blpop",
    arity: Arity::AtLeast(3),
    keys: Keys::At(&[KeyAt::at(1, POPPED).to(-2, 1)]),
    flags: Flags::WRITE.or(Flags::BLOCKING),
    acl: Acl::LIST.or(Acl::WRITE).or(Acl::SLOW).or(Acl::BLOCKING),
    log: LogForm::Effects,
    since: "2.0.0",
    summary: "Takes the first element of the first of several lists that has one, or waits for it.",
    complexity: "O(N) for N keys.",
    syntax: "key [key ...] timeout",
    run: blpop,
    ..LPOP
};

fn blpop(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    pop_or_wait(call, ListEnd::Left)
}

/// BRPOP key [key ...] timeout
pub(super) const BRPOP: CommandSpec = CommandSpec {
    name: "brpop",
    summary: "Takes the last element of the first of several lists that has one, or waits for it.",
    run: brpop,
    ..BLPOP
};

fn brpop(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    pop_or_wait(call, ListEnd::Right)
}

fn pop_or_wait(call: &mut Call<'_, '_>, end: ListEnd) -> Result<(), CommandError> {
    let last = call.args.len() - 1;
    let until_ms = timeout_seconds(call.args.get(last), call.unit.now_ms())?;
    let Some((key, _)) = first_list(call, 1..last)? else {
        return wait(call, 1..last, until_ms);
    };
    call.reply.array(2);
    call.reply.bulk(key.bytes());
    pop_one(call, key, end)?;
    let (_, name) = pop_names(end);
    call.unit.log(&[name, key.bytes()]);
    Ok(())
}

fn wait(
    call: &mut Call<'_, '_>,
    awaited: Range<usize>,
    until_ms: Option<i64>,
) -> Result<(), CommandError> {
    call.block(Block {
        kind: Kind::List,
        awaited,
        until_ms,
        null: Null::Array,
        hears_loss: false,
        again_ms: None,
        rewrite: Vec::new(),
    })
}

/// LMPOP numkeys key [key ...] LEFT | RIGHT [COUNT count]
pub(super) const LMPOP: CommandSpec = CommandSpec {
    name: "lmpop",
    arity: Arity::AtLeast(4),
    keys: Keys::At(&[KeyAt::counted(1, POPPED)]),
    flags: Flags::WRITE,
    acl: Acl::LIST.or(Acl::WRITE).or(Acl::SLOW),
    log: LogForm::Effects,
    since: "7.0.0",
    summary: "Takes elements from an end of the first of several lists that has any.",
    complexity: "O(N + M) for N keys and M elements.",
    syntax: "numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
    run: lmpop,
    ..LPOP
};

fn lmpop(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let wanted = Wanted::parse(call, 1)?;
    if !wanted.pop(call)? {
        call.reply.null_array();
    }
    Ok(())
}

/// BLMPOP timeout numkeys key [key ...] LEFT | RIGHT [COUNT count]
pub(super) const BLMPOP: CommandSpec = CommandSpec {
    name: "blmpop",
    arity: Arity::AtLeast(5),
    keys: Keys::At(&[KeyAt::counted(2, POPPED)]),
    flags: Flags::WRITE.or(Flags::BLOCKING),
    acl: Acl::LIST.or(Acl::WRITE).or(Acl::SLOW).or(Acl::BLOCKING),
    summary: "As LMPOP, and waits if there is nothing.",
    syntax: "timeout numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
    run: blmpop,
    ..LMPOP
};

fn blmpop(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let until_ms = timeout_seconds(call.args.get(1), call.unit.now_ms())?;
    let wanted = Wanted::parse(call, 2)?;
    if !wanted.pop(call)? {
        return wait(call, wanted.keys, until_ms);
    }
    Ok(())
}

/// What LMPOP and BLMPOP are to pop.
struct Wanted {
    keys: Range<usize>,
    end: ListEnd,
    count: u64,
}

impl Wanted {
    /// Reads `numkeys key [key ...] LEFT | RIGHT [COUNT count]` from word `at` on.
    fn parse(call: &Call<'_, '_>, at: usize) -> Result<Wanted, CommandError> {
        let text = "ERR numkeys should be greater than 0";
        let numkeys = ranged_or(call.args.get(at), 1..=i64::MAX, text)?;
        let numkeys = usize::try_from(numkeys).map_err(|_| CommandError::Syntax)?;
        let keys_end = (at + 1).saturating_add(numkeys);
        let mut words = Words::from(call.args, keys_end);
        let end = end(words.value()?)?;
        let mut count = None;
        while let Some(word) = words.next() {
            if count.is_some() || !is(word, "COUNT") {
                return Err(CommandError::Syntax);
            }
            let text = "ERR count should be greater than 0";
            count = Some(ranged_or(words.value()?, 1..=i64::MAX, text)?);
        }
        Ok(Wanted {
            keys: at + 1..keys_end,
            end,
            count: count.unwrap_or(1).unsigned_abs(),
        })
    }

    /// Pops from the first list that is there, shows and logs it; whether there was one.
    fn pop(&self, call: &mut Call<'_, '_>) -> Result<bool, CommandError> {
        let Some((key, len)) = first_list(call, self.keys.clone())? else {
            return Ok(false);
        };
        let count = self.count.min(len);
        pop_some(call, key, self.end, count, Some(key.bytes()))?;
        if call.unit.logging() {
            let (_, name) = pop_names(self.end);
            let mut spelled = [0; 20];
            let count = resp::number::format_u64(count, &mut spelled);
            call.unit.log(&[name, key.bytes(), count]);
        }
        Ok(true)
    }
}
