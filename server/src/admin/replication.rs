//! ROLE, WAIT, WAITAOF, REPLICAOF, FAILOVER: a server that has no replicas and is none.
//!
//! Replication is not built. What can be said truly without it is said in Redis's words, so that
//! clients and dashboards that ask at connect find a primary without replicas; what would need it is
//! refused plainly.
//!
//! WAIT answers at once, and WAITAOF waits for our own file alone. Redis waits out the time-out for replicas
//! that may yet connect; here none can, so that part of the answer is known.
//!
//! Checked by: tests/transcripts/server.

use commands::CommandError;
use commands::spec::{Acl, Arity, CommandSpec, Flags, Group};

use super::{AdminCall, Handler, timeout_end_ms};
use crate::aof::State;
use crate::session::{Awaited, NO_LOG};

pub(super) const ROWS: &[&CommandSpec<Handler>] =
    &[&FAILOVER, &REPLICAOF, &ROLE, &SLAVEOF, &WAIT, &WAITAOF];

/// What most of these rows have in common.
const BASE: CommandSpec<Handler> = CommandSpec {
    acl: Acl::ADMIN.or(Acl::DANGEROUS).or(Acl::SLOW),
    group: Group::Server,
    ..CommandSpec::row(role)
};

/// FAILOVER [TO host port [FORCE]] [ABORT] [TIMEOUT milliseconds]
const FAILOVER: CommandSpec<Handler> = CommandSpec {
    name: "failover",
    arity: Arity::AtLeast(1),
    flags: Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::STALE),
    since: "6.2.0",
    summary: "Starts a coordinated failover from a server to one of its replicas.",
    syntax: "[TO host port [FORCE]] [ABORT] [TIMEOUT milliseconds]",
    run: failover,
    ..BASE
};

fn failover(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let args = call.args;
    if args.len() == 2 && call.is(1, "abort") {
        return Err(CommandError::Fixed("ERR No failover in progress."));
    }
    let number = |i| resp::number::parse_i64(args.get(i)).ok_or(CommandError::NotInteger);
    let (mut has_timeout, mut has_target, mut has_force, mut at) = (false, false, false, 1);
    while at < args.len() {
        let more = args.len() - 1 - at;
        if call.is(at, "timeout") && more >= 1 && !has_timeout {
            if number(at + 1)? <= 0 {
                return Err(CommandError::Fixed(
                    "ERR FAILOVER timeout must be greater than 0",
                ));
            }
            has_timeout = true;
            at += 2;
        } else if call.is(at, "to") && more >= 2 && !has_target {
            number(at + 2)?;
            has_target = true;
            at += 3;
        } else if call.is(at, "force") && !has_force {
            has_force = true;
            at += 1;
        } else {
            return Err(CommandError::Syntax);
        }
    }
    Err(CommandError::Fixed(
        "ERR FAILOVER requires connected replicas.",
    ))
}

/// REPLICAOF NO ONE
const REPLICAOF: CommandSpec<Handler> = CommandSpec {
    name: "replicaof",
    arity: Arity::Exactly(3),
    flags: Flags::NO_ASYNC_LOADING
        .or(Flags::ADMIN)
        .or(Flags::NOSCRIPT)
        .or(Flags::STALE),
    since: "5.0.0",
    summary: "Configures a server as replica of another, or promotes it to a master.",
    syntax: "<host port | NO ONE>",
    run: replicaof,
    ..BASE
};

/// SLAVEOF NO ONE
const SLAVEOF: CommandSpec<Handler> = CommandSpec {
    name: "slaveof",
    since: "1.0.0",
    summary: "Sets a Redis server as a replica of another, or promotes it to being a master.",
    ..REPLICAOF
};

fn replicaof(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    if call.is(1, "no") && call.is(2, "one") {
        call.reply.ok();
        return Ok(());
    }
    match resp::number::parse_i64(call.args.get(2)) {
        Some(0..=65_535) => Err(CommandError::Fixed(
            "ERR replication is not built: this server can be nobody's replica",
        )),
        _ => Err(CommandError::Fixed("ERR Invalid master port")),
    }
}

/// ROLE
const ROLE: CommandSpec<Handler> = CommandSpec {
    name: "role",
    arity: Arity::Exactly(1),
    flags: Flags::NOSCRIPT
        .or(Flags::LOADING)
        .or(Flags::STALE)
        .or(Flags::FAST)
        .or(Flags::SENTINEL),
    acl: Acl::ADMIN.or(Acl::DANGEROUS).or(Acl::FAST),
    since: "2.8.12",
    summary: "Returns the replication role.",
    run: role,
    ..BASE
};

fn role(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    call.reply.array(3);
    call.reply.bulk(b"master");
    call.reply.int(0);
    call.reply.array(0);
    Ok(())
}

/// WAIT numreplicas timeout
const WAIT: CommandSpec<Handler> = CommandSpec {
    name: "wait",
    arity: Arity::Exactly(3),
    flags: Flags::BLOCKING,
    acl: Acl::BLOCKING.or(Acl::CONNECTION).or(Acl::SLOW),
    group: Group::Generic,
    since: "3.0.0",
    summary: "Blocks until the asynchronous replication of all preceding write commands sent by the connection is completed.",
    syntax: "numreplicas timeout",
    tips: &["request_policy:all_shards", "response_policy:agg_min"],
    run: wait,
    ..BASE
};

fn wait(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    resp::number::parse_i64(call.args.get(1)).ok_or(CommandError::NotInteger)?;
    timeout_end_ms(call.args.get(2), call.desk.clock_ms)?;
    call.reply.int(0);
    Ok(())
}

/// WAITAOF numlocal numreplicas timeout
const WAITAOF: CommandSpec<Handler> = CommandSpec {
    name: "waitaof",
    arity: Arity::Exactly(4),
    since: "7.2.0",
    summary: "Blocks until all of the preceding write commands sent by the connection are written to the append-only file of the master and/or replicas.",
    syntax: "numlocal numreplicas timeout",
    run: waitaof,
    ..WAIT
};

fn waitaof(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let number = |i| resp::number::parse_i64(call.args.get(i)).ok_or(CommandError::NotInteger);
    let local = number(1)?;
    if !(0..=1).contains(&local) {
        return Err(CommandError::Fixed(
            "ERR value is out of range, value must between 0 and 1",
        ));
    }
    if number(2)? < 0 {
        return Err(CommandError::Fixed(
            "ERR value is out of range, must be positive",
        ));
    }
    let until_ms = timeout_end_ms(call.args.get(3), call.desk.clock_ms)?;
    if local == 1 && call.server.aof.state() == State::Off {
        return Err(CommandError::Fixed(NO_LOG));
    }
    let number = call.server.store.newest_write();
    let log = call.server.aof.log();
    let is_flushed = log.is_some_and(|log| log.flushed() >= number);
    if is_flushed || local == 0 || !call.may_block {
        call.reply.array(2);
        call.reply.int(i64::from(is_flushed));
        call.reply.int(0);
        return Ok(());
    }
    call.session.awaits = Some(Awaited::Flush {
        number,
        local: true,
        until_ms,
    });
    Ok(())
}
