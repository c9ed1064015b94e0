//! Runs one command that has been looked up, checked and locked: handler, error, log, figures.
//!
//! Called for a request of its own, and by EXEC for each queued command. An error cuts the reply back
//! to where the command began and is counted; the change log gets the request as it came when the row
//! says so and the unit's dirty count rose.
//!
//! A handler may leave its reply for after the unlocking (`commands::Later`). Then what is left goes on
//! the desk as an [`Unsaid`], the dispatcher finishes the unit, and [`say`] does what [`run`] left out:
//!
//! ```text
//!   reply   …what came before ║ *3 ⟨GET⟩ ║ ⟨LCS: unsaid⟩ ║ ⟨PING⟩ ║ ⟨DUMP: unsaid⟩ ║
//!                               in reply    later           then      later           then (empty)
//! ```
//!
//! E1  whatever the handler does, exactly one reply stands behind the mark (EXEC's array included), or
//!     none and `Ran::Busy`.
//!
//! E2  a worker's `unsaid` is empty whenever no unit of its own is at work: what a unit left is said
//!     before anything else is served, or dropped with the connection of a command that panicked.
//!
//! Checked by: server/tests, the tests of dispatch.rs.

use commands::spec::{Flags, Locks, LogForm};
use commands::{Block, Call, CommandError, Kept, Later};
use resp::{Args, Mark, OwnedArgs, Reply};
use store::Unit;

use crate::admin::AdminCall;
use crate::desk::Desk;
use crate::plan::KeyShape;
use crate::pubsub::Outbox;
use crate::slowlog::Slowlog;
use crate::table::{Command, CommandId, Run};

/// A command that has run under its locks and has its reply still to make.
#[derive(Debug)]
pub(crate) struct Unsaid {
    pub(crate) command: CommandId,
    later: Later,
    /// Clock ticks that it has taken so far.
    spent: u64,
    /// Its words, if it was queued; otherwise they are the request's.
    pub(crate) args: Option<OwnedArgs>,
    /// What EXEC's other commands said behind it, up to the next one that is unsaid.
    pub(crate) then: Reply,
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ran {
    /// It has answered.
    Answered,
    /// A shard was held: nothing was done or said; run it again.
    Busy,
    /// It has found nothing and waits: nothing was done or said.
    Blocks(Box<Block>),
    /// It has begun something and answers when that is over (`Session::awaits`): nothing was said.
    Awaits,
}

/// Runs the command that `call` names.
#[inline]
pub(crate) fn run(call: &mut AdminCall<'_, '_>) -> Ran {
    let began = call.desk.tick;
    let command = call.command;
    call.server.current[call.desk.worker].begin(call.client.id, command.id);
    let mark = call.reply.mark();
    let dirty = call.unit.as_ref().map_or(0, |unit| unit.dirty_count());
    let (result, mut later) = handle(call);
    if let Some(mode) = call.session.tracking
        && mode.remembers()
        && command.has(Flags::READONLY)
        && result != Err(CommandError::Busy)
    {
        remember(call);
    }
    match result {
        Ok(()) if call.session.awaits.is_some() => {
            note_request(call, command);
            conclude(call, began);
            return Ran::Awaits;
        }
        Ok(()) => {}
        Err(CommandError::Busy) => {
            call.reply.truncate_to(mark);
            return Ran::Busy;
        }
        Err(CommandError::Block(block)) => {
            call.reply.truncate_to(mark);
            if call.server.monitors.any() && call.session.again.is_none() {
                tell_monitors(call, command);
            }
            call.server.current[call.desk.worker].end();
            return Ran::Blocks(block);
        }
        Err(error) => {
            later = None;
            call.reply.truncate_to(mark);
            answer_error(call, &error);
            call.desk.figures.command(command.id).failed.add(1);
        }
    }
    if command.spec.log == LogForm::Verbatim
        && let Some(unit) = call.unit.as_deref_mut()
        && unit.dirty_count() != dirty
    {
        unit.log_verbatim(call.args.iter());
    }
    if call.server.monitors.any() {
        tell_monitors(call, command);
    }
    note_request(call, command);
    if let Some(later) = later {
        debug_assert_eq!(call.reply.len_since(mark), 0, "all is said later");
        leave(call, later, began);
        return Ran::Answered;
    }
    note_reply(call, command, mark);
    conclude(call, began);
    Ran::Answered
}

/// Runs the handler, held to its declared keys.
#[inline]
fn handle(call: &mut AdminCall<'_, '_>) -> (Result<(), CommandError>, Option<Later>) {
    let command = call.command;
    match command.spec.run {
        Run::Data(handler) => {
            let unit = call
                .unit
                .as_deref_mut()
                .expect("a data command's plan opens a unit");
            declare(unit, command, call.args);
            let mut data = Call {
                args: call.args,
                lone_key: call.lone_key,
                unit: &mut *unit,
                reply: &mut *call.reply,
                settings: &call.desk.live.settings,
                kept: &mut call.session.kept,
                may_block: call.may_block,
                later: None,
            };
            let result = handler(&mut data);
            let later = data.later;
            unit.undeclare();
            (result, later)
        }
        Run::Admin(handler) => {
            let unit = call.unit.as_deref_mut();
            let unit = unit.filter(|_| command.key_shape != KeyShape::None);
            if let Some(unit) = unit {
                declare(unit, command, call.args);
            }
            let result = handler(call);
            if let Some(unit) = call.unit.as_deref_mut() {
                unit.undeclare();
            }
            // The command may have changed the configuration or reset the statistics.
            call.desk.refresh(call.server);
            (result, None)
        }
    }
}

/// Debug builds hold a command to the keys that its row names (RELIABILITY S3): what it touches beyond
/// them would be touched without its lock. One that holds all shards, or none beforehand, names none.
#[inline]
fn declare(unit: &mut Unit<'_>, command: &Command, args: Args<'_>) {
    if cfg!(debug_assertions) && command.spec.locks == Locks::Keys {
        let keys = commands::keys::positions(command.spec.keys, args);
        unit.declare(keys.map(|(at, _)| args.get(at)));
    }
}

/// Notes the keys that a command has read, under their locks, for a client that caches them.
#[cold]
fn remember(call: &mut AdminCall<'_, '_>) {
    let server = call.server;
    // What was changed before the reading, by earlier commands of an EXEC too, is told first: those
    // changes do not make stale what is read now.
    if let Some(unit) = call.unit.as_deref_mut() {
        unit.tell();
    }
    let outbox = Outbox::new(&server.mailboxes, call.desk.worker);
    for (at, _) in commands::keys::positions(call.command.spec.keys, call.args) {
        let key = call.args.get(at);
        server
            .tracking
            .remember(server, call.client.id, key, &outbox);
    }
    call.desk.has_letters |= outbox.has_own.get();
}

/// Puts what a command has still to say on the desk.
#[cold]
fn leave(call: &mut AdminCall<'_, '_>, later: Later, began: u64) {
    call.desk.tick = os::clock::ticks();
    call.desk.unsaid.push(Unsaid {
        command: call.command.id,
        later,
        spent: call.desk.tick.wrapping_sub(began),
        args: None,
        then: Reply::new(call.reply.proto()),
    });
}

/// Says what a command left for after the unlocking, and what was said behind it.
pub(crate) fn say(call: &mut AdminCall<'_, '_>, unsaid: Unsaid) {
    let mut then = unsaid.then;
    call.server.current[call.desk.worker].begin(call.client.id, call.command.id);
    let began = call.desk.tick.wrapping_sub(unsaid.spent);
    let mark = call.reply.mark();
    if let Err(error) = unsaid.later.say(call.reply) {
        call.reply.truncate_to(mark);
        answer_error(call, &error);
        let figures = call.desk.figures.command(call.command.id);
        figures.failed.add(1);
    }
    note_reply(call, call.command, mark);
    conclude(call, began);
    // HELLO may have been among what stands behind it.
    call.reply.set_proto(then.proto());
    if !then.is_empty() {
        call.reply.append(then.take(Vec::new()));
    }
}

/// Figures and slow log of a command that has answered.
#[inline]
fn conclude(call: &mut AdminCall<'_, '_>, began: u64) {
    let command = call.command;
    call.server.current[call.desk.worker].end();
    // One reading ends this command and begins the next.
    call.desk.tick = os::clock::ticks();
    let ns = os::clock::ticks_to_ns(call.desk.tick.wrapping_sub(began));
    call.desk
        .figures
        .ran(command.id, ns, call.desk.live.latency_tracking);
    call.desk.figures.commands_processed.add(1);
    if ns >= call.desk.slow_ns.min(STALE_NS) {
        call.desk.clock_is_stale |= ns >= STALE_NS;
        note_slow(call, command, ns);
    }
}

/// Runs a blocked client's command again, on its behalf and within the unit of whoever made its key
/// ready. An error is an answer.
pub(crate) fn run_again(
    desk: &mut Desk,
    unit: &mut Unit<'_>,
    command: &Command,
    args: Args<'_>,
    reply: &mut Reply,
) -> Ran {
    let Run::Data(handler) = command.spec.run else {
        unreachable!("only data commands wait for keys");
    };
    let began = os::clock::ticks();
    let dirty = unit.dirty_count();
    let mut call = Call {
        args,
        lone_key: None,
        unit: &mut *unit,
        reply: &mut *reply,
        settings: &desk.live.settings,
        // Commands that wait keep nothing.
        kept: &mut Kept::default(),
        may_block: true,
        later: None,
    };
    declare(call.unit, command, args);
    let mut result = handler(&mut call);
    call.unit.undeclare();
    // The client has waited long enough: what it popped is told at once.
    if let Some(later) = call.later.take() {
        result = result.and_then(|()| later.say(reply));
    }
    match result {
        Ok(()) => {}
        Err(CommandError::Block(block)) => return Ran::Blocks(block),
        Err(CommandError::Busy) => return Ran::Busy,
        Err(error) => {
            *reply = Reply::new(reply.proto());
            let text = error.text();
            reply.error(text.as_bytes());
            desk.figures.error_replies.add(1);
            desk.statistics.count_error(&text);
            desk.figures.command(command.id).failed.add(1);
        }
    }
    if command.spec.log == LogForm::Verbatim && unit.dirty_count() != dirty {
        unit.log_verbatim(args.iter());
    }
    let ns = os::clock::ticks_to_ns(os::clock::ticks().wrapping_sub(began));
    let tracking = desk.live.latency_tracking;
    desk.figures.ran(command.id, ns, tracking);
    desk.figures.commands_processed.add(1);
    Ran::Answered
}

/// After a command of this length the turn's clock is read again (DESIGN section 6).
const STALE_NS: u64 = 500_000;

/// Writes an error and counts it.
#[cold]
pub(crate) fn answer_error(call: &mut AdminCall<'_, '_>, error: &CommandError) {
    let text = error.text();
    call.reply.error(text.as_bytes());
    call.desk.figures.error_replies.add(1);
    call.desk.statistics.count_error(&text);
}

/// MONITOR's line, for commands that may be told.
#[cold]
fn tell_monitors(call: &AdminCall<'_, '_>, command: &Command) {
    if command
        .spec
        .flags
        .meets(Flags::SKIP_MONITOR.or(Flags::ADMIN))
    {
        return;
    }
    let hidden = |i| is_secret(command, call.args, i);
    let (server, desk) = (call.server, &call.desk);
    let (db, peer) = (call.session.db, &call.client.peer);
    server.monitors.tell(
        &server.mailboxes,
        desk.clock_us,
        db,
        peer,
        call.args,
        hidden,
    );
}

/// Enters a request into COMMANDLOG, if it is large.
#[inline]
fn note_request(call: &AdminCall<'_, '_>, command: &Command) {
    let large = call.desk.large_bytes[0];
    if call.args.bytes_at_most() + call.args.len() * (WORD_AROUND_MAX + 1) >= large {
        note_large(
            call,
            command,
            wire_bytes(call.args),
            large,
            &call.server.large_requests,
        );
    }
}

/// Enters a reply into COMMANDLOG, if it is large.
#[inline]
fn note_reply(call: &AdminCall<'_, '_>, command: &Command, mark: Mark) {
    let (bytes, large) = (call.reply.len_since(mark), call.desk.large_bytes[1]);
    if bytes >= large {
        note_large(call, command, bytes, large, &call.server.large_replies);
    }
}

/// The most that RESP puts around a word: `$`, its length, two line ends.
const WORD_AROUND_MAX: usize = 1 + 20 + 4;

/// The length of a request as RESP sends it.
fn wire_bytes(args: Args<'_>) -> usize {
    let digits = |n: usize| n.checked_ilog10().unwrap_or(0) as usize + 1;
    let head = |n: usize| 1 + digits(n) + 2;
    let words = args.iter().map(|word| head(word.len()) + word.len() + 2);
    head(args.len()) + words.sum::<usize>()
}

#[cold]
fn note_large(
    call: &AdminCall<'_, '_>,
    command: &Command,
    bytes: usize,
    large: usize,
    log: &Slowlog,
) {
    if bytes < large || command.has(Flags::SKIP_SLOWLOG) {
        return;
    }
    let names = call.client.names();
    let hidden = |i| is_secret(command, call.args, i);
    let unix_s = call.desk.clock_ms.div_euclid(1_000);
    let (peer, bytes) = (&call.client.peer, bytes as u64);
    log.enter(call.args, hidden, unix_s, bytes, peer, &names.name);
}

/// Enters a command into the slow log and the latency monitor, where they ask for it.
fn note_slow(call: &AdminCall<'_, '_>, command: &Command, ns: u64) {
    let live = &call.desk.live;
    let us = ns / 1_000;
    let unix_s = call.desk.clock_ms.div_euclid(1_000);
    let wanted = u64::try_from(live.slowlog_slower_than_us).is_ok_and(|least| us >= least);
    if wanted && !command.has(Flags::SKIP_SLOWLOG) {
        let names = call.client.names();
        let hidden = |i| is_secret(command, call.args, i);
        call.server.slowlog.enter(
            call.args,
            hidden,
            unix_s,
            us,
            &call.client.peer,
            &names.name,
        );
    }
    let threshold = live.latency_monitor_threshold_ms;
    if threshold > 0 && us / 1_000 >= threshold {
        let event = if command.has(Flags::FAST) {
            "fast-command"
        } else {
            "command"
        };
        call.server.latency.enter(event, unix_s, us / 1_000);
    }
}

/// Whether word `i` is never shown: a password.
pub(crate) fn is_secret(command: &Command, args: resp::Args<'_>, i: usize) -> bool {
    match command.spec.name {
        "auth" => i >= 1,
        "hello" => {
            let is_auth = |at: usize| args.get(at).eq_ignore_ascii_case(b"auth");
            (i >= 3 && is_auth(i - 1)) || (i >= 4 && is_auth(i - 2))
        }
        "set" if command.is_admin => {
            i >= 3 && i % 2 == 1 && crate::config::Config::is_sensitive(args.get(i - 1))
        }
        _ => false,
    }
}
