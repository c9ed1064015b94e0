//! From a command and its words to the locks that it needs.
//!
//! | row, request | plan |
//! |---|---|
//! | one key at a fixed place (GET, SET, INCR) | that shard; nothing is collected |
//! | several keys | their shards |
//! | `Locks::Wide`, `Locks::OneByOne` | as the row says |
//! | `Locks::UnlessPattern` (SORT) | wide if the request has a pattern, else its keys' shards |
//! | EXEC | shards of all queued commands' keys and of the watched keys; wide, when a queued command needs more than keys |
//! | no key | nothing |
//!
//! **Invariant:** what is planned covers what runs: the same key table serves both (`commands::keys`),
//! and a queued command cannot change between plan and run, because only its own worker has it.

use commands::spec::{Begin, Find, KeyAt, KeyFlags, Keys, Locks};
use resp::Args;
use store::{Key, Plan, Spot, Store};

use crate::session::Session;
use crate::table::{Command, CommandTable, Special};

/// Where a command's keys are, as the hot path wants to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyShape {
    /// It has none.
    None,
    /// Exactly one, at this word.
    One(u16),
    /// To be looked for.
    Many,
}

impl KeyShape {
    /// The shape of a row's keys.
    #[must_use]
    pub const fn of(keys: Keys) -> KeyShape {
        match keys {
            Keys::None | Keys::At([]) => KeyShape::None,
            Keys::At(ranges) if names_no_key(ranges) => KeyShape::None,
            Keys::At(
                [
                    KeyAt {
                        begin: Begin::Index(at),
                        find: Find::Range { last: 0, .. },
                        ..
                    },
                ],
            ) => KeyShape::One(*at),
            Keys::At(_) => KeyShape::Many,
        }
    }
}

/// Whether what stands at these places are no keys: shard channels, which the data is not locked for.
const fn names_no_key(ranges: &[KeyAt]) -> bool {
    let mut at = 0;
    while at < ranges.len() {
        if !ranges[at].access.has(KeyFlags::NOT_KEY) {
            return false;
        }
        at += 1;
    }
    true
}

/// The key of a request whose row has exactly one: the word that it is, and the key, hashed. `spot` is
/// where it was found to lie when it was touched ahead.
#[inline]
pub(crate) fn lone_key<'a>(
    command: &Command,
    args: Args<'a>,
    store: &Store,
    spot: Option<Spot>,
) -> Option<(usize, Key<'a>)> {
    let KeyShape::One(at) = command.key_shape else {
        return None;
    };
    let at = usize::from(at);
    let word = args.try_get(at)?;
    let key = match spot {
        Some(spot) => store.key_at(spot, word),
        None => store.key(word),
    };
    Some((at, key))
}

/// The plan for one request. `shards` is the worker's vector for the several case.
#[inline]
pub(crate) fn plan<'p>(
    command: &Command,
    lone_key: Option<Key<'_>>,
    args: Args<'_>,
    session: &Session,
    store: &Store,
    commands: &CommandTable,
    shards: &'p mut Vec<usize>,
) -> Plan<'p> {
    if command.spec.locks == Locks::Keys
        && let Some(key) = lone_key
    {
        return Plan::Narrow(key.shard());
    }
    shards.clear();
    let enough = if command.special == Special::Exec {
        plan_exec(session, store, commands, shards)
    } else {
        add_keys(command, args, store, shards);
        command.spec.locks.of(args)
    };
    match (enough, shards.as_slice()) {
        (Locks::Wide | Locks::UnlessPattern, _) => Plan::Wide,
        (Locks::OneByOne, _) => Plan::OneByOne,
        (Locks::Keys, []) => Plan::Nothing,
        (Locks::Keys, [one]) => Plan::Narrow(*one),
        (Locks::Keys, several) => Plan::Several(several),
    }
}

fn plan_exec(
    session: &Session,
    store: &Store,
    commands: &CommandTable,
    shards: &mut Vec<usize>,
) -> Locks {
    if let Some(watcher) = &session.watcher {
        watcher.shards(shards);
    }
    let Some(multi) = session.multi.as_ref().filter(|multi| !multi.aborted) else {
        return Locks::Keys;
    };
    for queued in &multi.queue {
        let command = commands.command(queued.command);
        let args = queued.args.as_args();
        if command.spec.locks.of(args) != Locks::Keys {
            return Locks::Wide;
        }
        add_keys(command, args, store, shards);
    }
    Locks::Keys
}

/// Calls `f` with every key that a request names, EXEC's queued ones included.
pub(crate) fn for_each_key(
    command: &Command,
    args: Args<'_>,
    session: &Session,
    commands: &CommandTable,
    mut f: impl FnMut(&[u8]),
) {
    let mut each = |command: &Command, args: Args<'_>| {
        for (at, _) in commands::keys::positions(command.spec.keys, args) {
            f(args.get(at));
        }
    };
    each(command, args);
    if let Some(multi) = &session.multi
        && command.special == Special::Exec
    {
        for queued in &multi.queue {
            each(commands.command(queued.command), queued.args.as_args());
        }
    }
}

fn add_keys(command: &Command, args: Args<'_>, store: &Store, shards: &mut Vec<usize>) {
    if command.key_shape != KeyShape::None {
        let keys = commands::keys::positions(command.spec.keys, args);
        shards.extend(keys.map(|(at, _)| store.key(args.get(at)).shard()));
    }
}
