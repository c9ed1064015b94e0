//! LMOVE, RPOPLPUSH, LMOVEM, and BLMOVE, BRPOPLPUSH, BLMOVEM, which wait where there is nothing:
//! elements go from an end of one list to an end of another, or of the same.
//!
//! What is carried is put into the destination first, because that is what may be refused, and told
//! first, because that is Redis's order.

use resp::Reply;
use store::{Container, EventClass, Key, Kind, List, ListEnd, ListLimits, Slot};

use super::pop::popped;
use super::{end, end_word, push_name};
use crate::args::{Words, is, ranged_or, timeout_seconds};
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, KeyFlags, Keys, LogForm};
use crate::{Block, Call, CommandError, Null};

/// LMOVE source destination LEFT | RIGHT LEFT | RIGHT
pub(super) const LMOVE: CommandSpec = CommandSpec {
    name: "lmove",
    arity: Arity::Exactly(5),
    keys: Keys::At(&[
        KeyAt::at(1, KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::DELETE)),
        KeyAt::at(2, KeyFlags::RW.or(KeyFlags::INSERT)),
    ]),
    flags: Flags::WRITE.or(Flags::DENY_OOM),
    acl: Acl::LIST.or(Acl::WRITE).or(Acl::SLOW),
    log: LogForm::Verbatim,
    group: Group::List,
    since: "6.2.0",
    summary: "Carries an element from an end of a list to an end of another, and shows it.",
    syntax: "source destination <LEFT | RIGHT> <LEFT | RIGHT>",
    ..CommandSpec::row(lmove)
};

fn lmove(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let way = Way::parse(call)?;
    if !carry_one(call, way)? {
        call.reply.null();
    }
    Ok(())
}

/// RPOPLPUSH source destination
pub(super) const RPOPLPUSH: CommandSpec = CommandSpec {
    name: "rpoplpush",
    arity: Arity::Exactly(3),
    since: "1.2.0",
    summary: "Carries the last element of a list to the front of another, and shows it.",
    syntax: "source destination",
    run: rpoplpush,
    ..LMOVE
};

fn rpoplpush(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    if !carry_one(call, Way::RIGHT_TO_LEFT)? {
        call.reply.null();
    }
    Ok(())
}

/// BLMOVE source destination LEFT | RIGHT LEFT | RIGHT timeout
pub(super) const BLMOVE: CommandSpec = CommandSpec {
    name: "blmove",
    arity: Arity::Exactly(6),
    flags: Flags::WRITE.or(Flags::DENY_OOM).or(Flags::BLOCKING),
    acl: Acl::LIST.or(Acl::WRITE).or(Acl::SLOW).or(Acl::BLOCKING),
    log: LogForm::Effects,
    summary: "As LMOVE, and waits if there is nothing.",
    syntax: "source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout",
    run: blmove,
    ..LMOVE
};

fn blmove(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let way = Way::parse(call)?;
    let until_ms = timeout_seconds(call.args.get(5), call.unit.now_ms())?;
    if !carry_one(call, way)? {
        return wait(call, until_ms);
    }
    let (source, destination) = (call.args.get(1), call.args.get(2));
    let words = [end_word(way.from), end_word(way.to)];
    call.unit
        .log(&[b"LMOVE", source, destination, words[0], words[1]]);
    Ok(())
}

/// BRPOPLPUSH source destination timeout
pub(super) const BRPOPLPUSH: CommandSpec = CommandSpec {
    name: "brpoplpush",
    arity: Arity::Exactly(4),
    since: "2.2.0",
    summary: "As RPOPLPUSH, and waits if there is nothing.",
    syntax: "source destination timeout",
    run: brpoplpush,
    ..BLMOVE
};

fn brpoplpush(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let until_ms = timeout_seconds(call.args.get(3), call.unit.now_ms())?;
    if !carry_one(call, Way::RIGHT_TO_LEFT)? {
        return wait(call, until_ms);
    }
    let (source, destination) = (call.args.get(1), call.args.get(2));
    call.unit.log(&[b"RPOPLPUSH", source, destination]);
    Ok(())
}

fn wait(call: &mut Call<'_, '_>, until_ms: Option<i64>) -> Result<(), CommandError> {
    call.block(Block {
        kind: Kind::List,
        awaited: 1..2,
        until_ms,
        null: Null::Value,
        hears_loss: false,
        again_ms: None,
        rewrite: Vec::new(),
    })
}

/// From where to where.
#[derive(Clone, Copy)]
struct Way {
    from: ListEnd,
    to: ListEnd,
}

impl Way {
    const RIGHT_TO_LEFT: Way = Way {
        from: ListEnd::Right,
        to: ListEnd::Left,
    };

    /// Words 3 and 4.
    fn parse(call: &Call<'_, '_>) -> Result<Way, CommandError> {
        Ok(Way {
            from: end(call.args.get(3))?,
            to: end(call.args.get(4))?,
        })
    }
}

/// The source's length, if it is there and both are lists or nothing.
fn source_len(call: &mut Call<'_, '_>) -> Result<Option<u64>, CommandError> {
    let (source, destination) = (call.key(1), call.key(2));
    let Some(list) = call.unit.read_as::<List>(source)? else {
        return Ok(None);
    };
    let len = list.len();
    call.unit.look_as::<List>(destination)?;
    Ok(Some(len))
}

/// Carries one element and shows it; `false` if there is none.
fn carry_one(call: &mut Call<'_, '_>, way: Way) -> Result<bool, CommandError> {
    let Some(len) = source_len(call)? else {
        return Ok(false);
    };
    let values = peek(call, way, 1, len, Order::Bulk)?;
    carry(call, way, &values)?;
    call.reply.bulk(&values[0]);
    Ok(true)
}

/// In which order several elements arrive.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    /// Popped and pushed one by one: to the end that they come from they arrive turned round.
    OneByOne,
    /// As they stood in the source.
    Bulk,
}

/// Copies of the elements that are to be carried, in the order of the destination.
fn peek(
    call: &mut Call<'_, '_>,
    way: Way,
    count: u64,
    len: u64,
    order: Order,
) -> Result<Vec<Vec<u8>>, CommandError> {
    let source = call.key(1);
    let list = call.unit.look_as::<List>(source)?;
    let list = list.expect("it has been read");
    let count = usize::try_from(count).expect("they are in memory");
    let begin = match way.from {
        ListEnd::Left => 0,
        ListEnd::Right => len - 1,
    };
    let mut values = Vec::new();
    values
        .try_reserve_exact(count)
        .map_err(|_| CommandError::Refused)?;
    for element in list.walk(begin, way.from).take(count) {
        values.push(element.to_vec());
    }
    let is_turned = match order {
        Order::Bulk => way.from == ListEnd::Right,
        Order::OneByOne => way.to == ListEnd::Left,
    };
    if is_turned {
        values.reverse();
    }
    Ok(values)
}

/// Puts `values`, which stand in the order of the destination, there, and takes as many from the
/// source's end.
fn carry(call: &mut Call<'_, '_>, way: Way, values: &[Vec<u8>]) -> Result<(), CommandError> {
    let (source, destination) = (call.key(1), call.key(2));
    let limits = call.settings.limits.list();
    let count = values.len() as u64;
    let is_empty = if source.bytes() == destination.bytes() {
        let Slot::Occupied(mut at) = call.unit.slot(source) else {
            unreachable!("it has been read")
        };
        at.edit(|list: &mut List| {
            turn(list, way, values, limits)?;
            Ok::<_, CommandError>((false, true))
        })?
    } else {
        match call.unit.slot(destination) {
            Slot::Vacant(at) => {
                let mut list = List::new();
                push(&mut list, way.to, values, limits)?;
                at.insert(list, None)?;
            }
            Slot::Occupied(mut at) => at.edit(|list: &mut List| {
                push(list, way.to, values, limits)?;
                Ok::<_, CommandError>(((), true))
            })?,
        }
        let Slot::Occupied(mut at) = call.unit.slot(source) else {
            unreachable!("it has been read")
        };
        let taken = at.edit(|list: &mut List| {
            take(list, way.from, count, limits)?;
            Ok::<_, CommandError>((list.is_empty(), true))
        });
        match taken {
            Ok(is_empty) => is_empty,
            Err(refused) => {
                take_back(call, destination, way.to, count)?;
                return Err(refused);
            }
        }
    };
    call.unit
        .notify(EventClass::LIST, push_name(way.to), destination.bytes());
    popped(call, source, way.from, count, is_empty);
    Ok(())
}

fn push(
    list: &mut List,
    end: ListEnd,
    values: &[Vec<u8>],
    limits: ListLimits,
) -> Result<(), store::Refused> {
    list.push_all(end, values_from(end, values), limits)
}

fn take(
    list: &mut List,
    end: ListEnd,
    count: u64,
    limits: ListLimits,
) -> Result<(), store::Refused> {
    let len = list.len();
    let range = match end {
        ListEnd::Left => 0..count,
        ListEnd::Right => len - count..len,
    };
    if count == 1 {
        return list.pop(end, limits, |_| ()).map(|_| ());
    }
    list.take(range, limits).map(|_| ())
}

/// The source could not let go: takes out of the destination what has just been put there. That is in
/// memory that no snapshot holds, so nothing is asked for.
#[cold]
fn take_back(
    call: &mut Call<'_, '_>,
    destination: Key<'_>,
    end: ListEnd,
    count: u64,
) -> Result<(), CommandError> {
    let limits = call.settings.limits.list();
    let Slot::Occupied(mut at) = call.unit.slot(destination) else {
        unreachable!("it has just been filled")
    };
    let is_empty = at.edit(|list: &mut List| {
        list.pop_some(end, count, limits, |_| ())?;
        Ok::<_, CommandError>((list.is_empty(), true))
    })?;
    if is_empty {
        call.unit.remove(destination);
    }
    Ok(())
}

/// Carries `values` within one list.
fn turn(
    list: &mut List,
    way: Way,
    values: &[Vec<u8>],
    limits: ListLimits,
) -> Result<(), store::Refused> {
    let count = values.len() as u64;
    if way.from != way.to {
        // Both at once are in the list for a moment only: it is not to change its form for that.
        for (pushed, value) in values_from(way.to, values).enumerate() {
            if let Err(refused) = list.push(way.to, value, limits) {
                list.pop_some(way.to, pushed as u64, limits, |_| ())?;
                return Err(refused);
            }
        }
        return take(list, way.from, count, limits).or_else(|refused| {
            list.pop_some(way.to, count, limits, |_| ())?;
            Err(refused)
        });
    }
    if count == 1 {
        return Ok(());
    }
    let before = list.fork()?;
    let done =
        take(list, way.from, count, limits).and_then(|()| push(list, way.to, values, limits));
    if done.is_err() {
        *list = before;
    }
    done
}

/// The values in the order in which they are pushed.
fn values_from(end: ListEnd, values: &[Vec<u8>]) -> impl Iterator<Item = &[u8]> + Clone {
    let (left, right) = match end {
        ListEnd::Left => (Some(values.iter().rev()), None),
        ListEnd::Right => (None, Some(values.iter())),
    };
    let left = left.into_iter().flatten();
    left.chain(right.into_iter().flatten()).map(Vec::as_slice)
}

/// LMOVEM source destination LEFT | RIGHT LEFT | RIGHT [COUNT count | EXACTLY exactly OBO | BULK]
pub(super) const LMOVEM: CommandSpec = CommandSpec {
    name: "lmovem",
    arity: Arity::AtLeast(5),
    since: "8.10.0",
    summary: "Carries elements from an end of a list to an end of another, and shows them.",
    complexity: "O(N) for N elements.",
    syntax: "source destination <LEFT | RIGHT> <LEFT | RIGHT> \
             [<COUNT count | EXACTLY exactly> <OBO | BULK>]",
    run: lmovem,
    ..LMOVE
};

fn lmovem(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let way = Way::parse(call)?;
    let many = Many::parse(Words::from(call.args, 5))?;
    if many.carry(call, way)?.is_none() {
        call.reply.null();
    }
    Ok(())
}

/// BLMOVEM source destination LEFT | RIGHT LEFT | RIGHT timeout [COUNT count | EXACTLY exactly OBO |
/// BULK]
pub(super) const BLMOVEM: CommandSpec = CommandSpec {
    name: "blmovem",
    arity: Arity::AtLeast(6),
    since: "8.10.0",
    summary: "As LMOVEM, and waits while there is not enough.",
    complexity: "O(N) for N elements.",
    syntax: "source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout \
             [<COUNT count | EXACTLY exactly> <OBO | BULK>]",
    run: blmovem,
    ..BLMOVE
};

fn blmovem(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let way = Way::parse(call)?;
    let until_ms = timeout_seconds(call.args.get(5), call.unit.now_ms())?;
    let many = Many::parse(Words::from(call.args, 6))?;
    let Some(count) = many.carry(call, way)? else {
        return wait(call, until_ms);
    };
    if call.unit.logging() {
        let (source, destination) = (call.args.get(1), call.args.get(2));
        let mut spelled = [0; 20];
        let count = resp::number::format_u64(count, &mut spelled);
        let order: &[u8] = match many.order {
            Order::OneByOne => b"OBO",
            Order::Bulk => b"BULK",
        };
        let (from, to) = (end_word(way.from), end_word(way.to));
        let words = [
            b"LMOVEM",
            source,
            destination,
            from,
            to,
            b"EXACTLY",
            count,
            order,
        ];
        call.unit.log(&words);
    }
    Ok(())
}

/// How many elements LMOVEM carries.
struct Many {
    count: u64,
    /// All of them or none.
    exactly: bool,
    order: Order,
}

impl Many {
    fn parse(mut words: Words<'_>) -> Result<Many, CommandError> {
        let Some(word) = words.next() else {
            return Ok(Many {
                count: 1,
                exactly: false,
                order: Order::Bulk,
            });
        };
        let exactly = is(word, "EXACTLY");
        if !exactly && !is(word, "COUNT") {
            return Err(CommandError::Syntax);
        }
        let text = "ERR count should be greater than 0";
        let count = ranged_or(words.value()?, 1..=i64::MAX, text)?.unsigned_abs();
        let order = match words.value()? {
            word if is(word, "OBO") => Order::OneByOne,
            word if is(word, "BULK") => Order::Bulk,
            _ => return Err(CommandError::Syntax),
        };
        if words.next().is_some() {
            return Err(CommandError::Syntax);
        }
        Ok(Many {
            count,
            exactly,
            order,
        })
    }

    /// Carries and shows the elements; how many, or `None` if there are none or too few.
    fn carry(&self, call: &mut Call<'_, '_>, way: Way) -> Result<Option<u64>, CommandError> {
        let Some(len) = source_len(call)? else {
            return Ok(None);
        };
        if self.exactly && len < self.count {
            return Ok(None);
        }
        let count = self.count.min(len);
        let values = peek(call, way, count, len, self.order)?;
        carry(call, way, &values)?;
        write_values(&values, call.reply);
        Ok(Some(count))
    }
}

fn write_values(values: &[Vec<u8>], reply: &mut Reply) {
    reply.array(values.len());
    values.iter().for_each(|value| reply.bulk(value));
}
