//! MULTI, EXEC, DISCARD, WATCH, UNWATCH.
//!
//!            MULTI                 any command: checked, queued, QUEUED
//!   plain ──────────▶ in MULTI ◀──────────────────────────────┐
//!     ▲                 │ │ └──────────────────────────────────┘
//!     │   DISCARD, EXEC │ └ a refused command: aborted, EXEC answers EXECABORT
//!     └─────────────────┘
//!
//! EXEC is one unit: the dispatcher has locked the keys of all queued commands and the watched keys
//! (all shards, when a queued command needs more than keys), so the dirty marks are tested and the
//! commands run with nobody in between. The queue is taken only then: an EXEC that finds a shard held
//! is parked and comes again with its queue untouched.
//!
//! **Invariant:** a session that leaves MULTI, however it leaves, watches nothing.
//!
//! Checked by: server/tests.

use std::sync::atomic::Ordering;

use commands::CommandError;
use commands::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, KeyFlags, Keys};
use resp::Reply;
use store::Watcher;

use super::{AdminCall, Handler};
use crate::desk::Desk;
use crate::execute;
use crate::session::Multi;

/// What all of these rows have in common.
const BASE: CommandSpec<Handler> = CommandSpec {
    flags: Flags::NOSCRIPT
        .or(Flags::LOADING)
        .or(Flags::STALE)
        .or(Flags::FAST)
        .or(Flags::ALLOW_BUSY),
    acl: Acl::TRANSACTION.or(Acl::FAST),
    group: Group::Transactions,
    ..CommandSpec::row(multi)
};

pub(super) const ROWS: &[&CommandSpec<Handler>] = &[&DISCARD, &EXEC, &MULTI, &UNWATCH, &WATCH];

/// MULTI
const MULTI: CommandSpec<Handler> = CommandSpec {
    name: "multi",
    arity: Arity::Exactly(1),
    flags: BASE.flags.or(Flags::NO_MULTI),
    since: "1.2.0",
    summary: "Starts a transaction.",
    run: multi,
    ..BASE
};

fn multi(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    if call.session.in_multi() {
        return Err(CommandError::Fixed("ERR MULTI calls can not be nested"));
    }
    call.session.multi = Some(Box::new(Multi::default()));
    call.reply.ok();
    Ok(())
}

/// DISCARD
const DISCARD: CommandSpec<Handler> = CommandSpec {
    name: "discard",
    arity: Arity::Exactly(1),
    since: "2.0.0",
    summary: "Discards a transaction.",
    complexity: "O(N), when N is the number of queued commands",
    run: discard,
    ..BASE
};

fn discard(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    if call.session.multi.take().is_none() {
        return Err(CommandError::Fixed("ERR DISCARD without MULTI"));
    }
    let_go_of_watched(call);
    call.reply.ok();
    Ok(())
}

/// EXEC
const EXEC: CommandSpec<Handler> = CommandSpec {
    name: "exec",
    arity: Arity::Exactly(1),
    flags: Flags::NOSCRIPT
        .or(Flags::LOADING)
        .or(Flags::STALE)
        .or(Flags::SKIP_SLOWLOG),
    acl: Acl::TRANSACTION.or(Acl::SLOW),
    since: "1.2.0",
    summary: "Executes all commands in a transaction.",
    complexity: "Depends on commands in the transaction",
    run: exec,
    ..BASE
};

fn exec(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let Some(mut multi) = call.session.multi.take() else {
        return Err(CommandError::Fixed("ERR EXEC without MULTI"));
    };
    let unit = call.unit.as_deref_mut().expect("EXEC's plan opens a unit");
    let failed = match call.session.watcher.take() {
        Some(watcher) => {
            let failed = unit.watch_failed(&watcher);
            unit.unwatch(&watcher);
            call.session.watched = 0;
            call.server.watching_clients.fetch_sub(1, Ordering::Relaxed);
            failed
        }
        None => false,
    };
    if multi.aborted {
        return Err(CommandError::Fixed(
            "EXECABORT Transaction discarded because of previous errors.",
        ));
    }
    if failed {
        call.reply.null_array();
        return Ok(());
    }
    call.reply.array(multi.queue.len());
    // Once a command has left its reply for later, the others' go behind it (`execute.rs`).
    let mut behind: Option<Reply> = None;
    while let Some(queued) = multi.queue.pop_front() {
        let before = call.desk.unsaid.len();
        let command = call.server.commands.command(queued.command);
        execute::run(&mut AdminCall {
            args: queued.args.as_args(),
            command,
            lone_key: None,
            unit: Some(&mut *unit),
            reply: behind.as_mut().unwrap_or(&mut *call.reply),
            may_block: false,
            server: call.server,
            desk: &mut *call.desk,
            session: &mut *call.session,
            client: call.client,
        });
        if command.spec.name == "flushall" {
            call.server
                .schedule_after_flush(&call.desk.live.save_points);
        }
        if let Some(unsaid) = call.desk.unsaid.get_mut(before) {
            unsaid.args = Some(queued.args);
            let said = behind.replace(std::mem::take(&mut unsaid.then));
            put_behind(call.desk, before, said);
        }
    }
    let unsaid = call.desk.unsaid.len();
    put_behind(call.desk, unsaid, behind);
    Ok(())
}

/// Gives the unsaid before place `at` what was said behind it.
fn put_behind(desk: &mut Desk, at: usize, said: Option<Reply>) {
    if let Some(said) = said {
        desk.unsaid[at - 1].then = said;
    }
}

/// UNWATCH
const UNWATCH: CommandSpec<Handler> = CommandSpec {
    name: "unwatch",
    arity: Arity::Exactly(1),
    since: "2.2.0",
    summary: "Forgets about watched keys of a transaction.",
    run: unwatch,
    ..BASE
};

fn unwatch(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let_go_of_watched(call);
    call.reply.ok();
    Ok(())
}

/// WATCH key [key ...]
const WATCH: CommandSpec<Handler> = CommandSpec {
    name: "watch",
    arity: Arity::AtLeast(2),
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::RO).to(-1, 1)]),
    flags: BASE.flags.or(Flags::NO_MULTI),
    since: "2.2.0",
    summary: "Monitors changes to keys to determine the execution of a transaction.",
    complexity: "O(1) for every key.",
    syntax: "key [key ...]",
    run: watch,
    ..BASE
};

fn watch(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    if call.session.in_multi() {
        return Err(CommandError::Fixed("ERR WATCH inside MULTI is not allowed"));
    }
    let unit = call.unit.as_deref_mut().expect("the row names keys");
    let watcher = call.session.watcher.get_or_insert_with(|| {
        call.server.watching_clients.fetch_add(1, Ordering::Relaxed);
        Watcher::new()
    });
    for word in call.args.skip(1) {
        let key = unit.key(word);
        call.session.watched += u32::from(unit.watch(watcher, key)?);
    }
    call.reply.ok();
    Ok(())
}

/// Forgets the watched keys, if there are any.
pub(super) fn let_go_of_watched(call: &mut AdminCall<'_, '_>) {
    if let Some(watcher) = call.session.watcher.take() {
        call.server.store.unwatch(&watcher);
        call.session.watched = 0;
        call.server.watching_clients.fetch_sub(1, Ordering::Relaxed);
    }
}
