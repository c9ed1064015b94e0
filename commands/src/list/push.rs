//! LPUSH, RPUSH, LPUSHX, RPUSHX: elements come at an end.

use store::{Container, EventClass, List, ListEnd, Slot};

use super::push_name;
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, KeyFlags, Keys, LogForm};
use crate::{Call, CommandError};

/// LPUSH key element [element ...]
pub(super) const LPUSH: CommandSpec = CommandSpec {
    name: "lpush",
    arity: Arity::AtLeast(3),
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::RW.or(KeyFlags::INSERT))]),
    flags: Flags::WRITE.or(Flags::DENY_OOM).or(Flags::FAST),
    acl: Acl::LIST.or(Acl::WRITE).or(Acl::FAST),
    log: LogForm::Verbatim,
    group: Group::List,
    since: "1.0.0",
    summary: "Puts elements in front of a list, one before the other.",
    complexity: "O(1) for each element.",
    syntax: "key element [element ...]",
    ..CommandSpec::row(lpush)
};

fn lpush(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    push(call, ListEnd::Left, true)
}

/// RPUSH key element [element ...]
pub(super) const RPUSH: CommandSpec = CommandSpec {
    name: "rpush",
    summary: "Puts elements behind a list.",
    run: rpush,
    ..LPUSH
};

fn rpush(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    push(call, ListEnd::Right, true)
}

/// LPUSHX key element [element ...]
pub(super) const LPUSHX: CommandSpec = CommandSpec {
    name: "lpushx",
    since: "2.2.0",
    summary: "Puts elements in front of a list that exists.",
    run: lpushx,
    ..LPUSH
};

fn lpushx(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    push(call, ListEnd::Left, false)
}

/// RPUSHX key element [element ...]
pub(super) const RPUSHX: CommandSpec = CommandSpec {
    name: "rpushx",
    summary: "Puts elements behind a list that exists.",
    run: rpushx,
    ..LPUSHX
};

fn rpushx(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    push(call, ListEnd::Right, false)
}

fn push(call: &mut Call<'_, '_>, end: ListEnd, makes: bool) -> Result<(), CommandError> {
    let key = call.key(1);
    let limits = call.settings.limits.list();
    let values = call.args.skip(2);
    let len = match call.unit.slot(key) {
        Slot::Vacant(_) if !makes => {
            call.reply.int(0);
            return Ok(());
        }
        Slot::Vacant(at) => {
            let mut list = List::new();
            list.push_all(end, values.iter(), limits)?;
            let len = list.len();
            at.insert(list, None)?;
            len
        }
        Slot::Occupied(mut at) => at.edit(|list: &mut List| {
            list.push_all(end, values.iter(), limits)?;
            Ok::<_, CommandError>((list.len(), true))
        })?,
    };
    let event = push_name(end);
    call.unit.notify(EventClass::LIST, event, key.bytes());
    call.unit.dirty(values.len() as u64);
    call.reply.int(len.cast_signed());
    Ok(())
}
