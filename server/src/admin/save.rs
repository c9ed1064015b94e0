//! SAVE, BGSAVE, LASTSAVE, BGREWRITEAOF.
//!
//! How a save runs is in `crate::persistence`; here are the words and the answers.

use std::sync::atomic::Ordering::Relaxed;

use commands::CommandError;
use commands::spec::{Acl, Arity, CommandSpec, Flags, Group, Locks};
use persist::Kind;

use super::{AdminCall, Handler};
use crate::aof::Begun;
use crate::log;
use crate::persistence::NotBegun;
use crate::session::Awaited;

pub(super) const ROWS: &[&CommandSpec<Handler>] = &[&SAVE, &BGSAVE, &LASTSAVE, &BGREWRITEAOF];

const IN_PROGRESS: CommandError = CommandError::Fixed("ERR Background save already in progress");

/// What SAVE and BGSAVE have in common.
const BASE: CommandSpec<Handler> = CommandSpec {
    // The cut takes everything for its moment.
    locks: Locks::OneByOne,
    flags: Flags::NO_ASYNC_LOADING.or(Flags::ADMIN).or(Flags::NOSCRIPT),
    acl: Acl::ADMIN.or(Acl::DANGEROUS).or(Acl::SLOW),
    group: Group::Server,
    since: "1.0.0",
    complexity: "O(N) where N is the total number of keys in all databases",
    ..CommandSpec::row(save)
};

/// SAVE
///
/// The caller waits for the file; nobody else does.
const SAVE: CommandSpec<Handler> = CommandSpec {
    name: "save",
    arity: Arity::Exactly(1),
    flags: BASE.flags.or(Flags::NO_MULTI),
    summary: "Synchronously saves the database(s) to disk.",
    run: save,
    ..BASE
};

fn save(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let unit = call.unit.as_deref_mut().expect("the row asks for a unit");
    match call.server.begin_save(unit, Kind::Save) {
        Ok(job) => {
            call.session.awaits = Some(Awaited::Save(job));
            Ok(())
        }
        Err(NotBegun::Busy) => Err(CommandError::Busy),
        Err(NotBegun::Running(Kind::Rewrite)) => Err(OTHER_JOB),
        Err(NotBegun::Running(_)) => Err(IN_PROGRESS),
        Err(NotBegun::Refused) => Err(CommandError::Fixed("ERR")),
    }
}

const OTHER_JOB: CommandError = CommandError::Fixed(
    "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to \
     schedule a BGSAVE whenever possible.",
);

/// BGSAVE [SCHEDULE | CANCEL]
///
/// Inside EXEC the cut is left to the timers: other commands of the transaction may still come.
const BGSAVE: CommandSpec<Handler> = CommandSpec {
    name: "bgsave",
    arity: Arity::AtLeast(1),
    summary: "Asynchronously saves the database(s) to disk.",
    complexity: "O(1)",
    syntax: "[SCHEDULE | CANCEL]",
    run: bgsave,
    ..BASE
};

fn bgsave(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let can_wait = match call.args.len() {
        1 => false,
        2 if call.is(1, "schedule") => true,
        2 if call.is(1, "cancel") => return cancel(call),
        _ => return Err(CommandError::Syntax),
    };
    let in_exec = !call.may_block;
    let persistence = &call.server.persistence;
    match persistence.jobs.running() {
        Some(Kind::Save | Kind::Background) => return Err(IN_PROGRESS),
        Some(Kind::Rewrite) if !can_wait && !in_exec => return Err(OTHER_JOB),
        None if !in_exec => {}
        _ => {
            persistence.scheduled.store(true, Relaxed);
            call.reply.simple(b"Background saving scheduled");
            return Ok(());
        }
    }
    let unit = call.unit.as_deref_mut().expect("the row asks for a unit");
    match call.server.begin_save(unit, Kind::Background) {
        Ok(_) => {
            call.reply.simple(b"Background saving started");
            Ok(())
        }
        // Come again: what runs by now is told then.
        Err(NotBegun::Busy | NotBegun::Running(_)) => Err(CommandError::Busy),
        Err(NotBegun::Refused) => Err(CommandError::Fixed("ERR")),
    }
}

fn cancel(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let persistence = &call.server.persistence;
    let job = persistence.jobs.current();
    if let Some(job) = job.filter(|job| job.kind() == Kind::Background) {
        log::notice("Background saving will be aborted due to user request");
        job.cancel();
        call.reply.simple(b"Background saving cancelled");
    } else if persistence.scheduled.swap(false, Relaxed) {
        log::notice("Scheduled background saving will be cancelled due to user request");
        call.reply.simple(b"Scheduled background saving cancelled");
    } else {
        return Err(CommandError::Fixed(
            "ERR Background saving is currently not in progress or scheduled",
        ));
    }
    Ok(())
}

/// BGREWRITEAOF
///
/// The job cuts and writes; the caller is answered at once.
const BGREWRITEAOF: CommandSpec<Handler> = CommandSpec {
    name: "bgrewriteaof",
    arity: Arity::Exactly(1),
    locks: Locks::Keys,
    summary: "Asynchronously rewrites the append-only file to disk.",
    complexity: "O(1)",
    run: bgrewriteaof,
    ..BASE
};

fn bgrewriteaof(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    match call.server.rewrite_log(call.may_block) {
        Begun::Now => call
            .reply
            .simple(b"Background append only file rewriting started"),
        Begun::Later => call
            .reply
            .simple(b"Background append only file rewriting scheduled"),
        Begun::Already => {
            return Err(CommandError::Fixed(
                "ERR Background append only file rewriting already in progress",
            ));
        }
        Begun::Refused => {
            return Err(CommandError::Fixed(
                "ERR Can't execute an AOF background rewriting. Please check the server logs for more \
                 information.",
            ));
        }
    }
    Ok(())
}

/// LASTSAVE
///
/// Before the first save of a run this is when the server started.
const LASTSAVE: CommandSpec<Handler> = CommandSpec {
    name: "lastsave",
    arity: Arity::Exactly(1),
    locks: Locks::Keys,
    flags: Flags::LOADING.or(Flags::STALE).or(Flags::FAST),
    acl: Acl::ADMIN.or(Acl::DANGEROUS).or(Acl::FAST),
    summary: "Returns the Unix timestamp of the last successful save to disk.",
    complexity: "O(1)",
    tips: &["nondeterministic_output"],
    run: lastsave,
    ..BASE
};

fn lastsave(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let figures = &call.server.persistence.figures;
    call.reply.int(figures.last_save_unix_s.load(Relaxed));
    Ok(())
}
