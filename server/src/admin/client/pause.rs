//! PAUSE and UNPAUSE: nobody's commands, or nobody's writes, for a while.
//!
//!   PAUSE ─▶ gate closed under all shards: what ran is finished, what comes is parked
//!   UNPAUSE, or the time ─▶ gate open, the parked come again in their connections' order
//!
//! Of two pauses the later end and the stricter mode hold, so the second of two tools that pause
//! cannot shorten what the first relies on. A pause of everything holds UNPAUSE too.
//!
//! Checked by: tests/transcripts/connection/client.txt, server/tests/client.rs.

use commands::CommandError;
use commands::spec::{Arity, CommandSpec, Locks};
use store::Gates;

use super::{OTHERS, no_such};
use crate::admin::{AdminCall, Handler, timeout_end_ms};
use crate::mailbox::Letter;

/// CLIENT PAUSE timeout [WRITE | ALL]
pub(super) const PAUSE: CommandSpec<Handler> = CommandSpec {
    name: "pause",
    arity: Arity::AtLeast(3),
    locks: Locks::Wide,
    since: "3.0.0",
    summary: "Suspends commands processing.",
    syntax: "timeout [WRITE | ALL]",
    run: pause,
    ..OTHERS
};

fn pause(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let gate = match call.args.len() {
        3 => Gates::PAUSE_ALL,
        4 if call.is(3, "write") => Gates::PAUSE_WRITES,
        4 if call.is(3, "all") => Gates::PAUSE_ALL,
        4 => {
            return Err(CommandError::Fixed(
                "ERR CLIENT PAUSE mode must be WRITE or ALL",
            ));
        }
        _ => return no_such(call),
    };
    let now_ms = call.desk.clock_ms;
    let until_ms = timeout_end_ms(call.args.get(2), now_ms)?;
    let (store, unit) = (&call.server.store, &mut call.unit);
    let unit = unit.as_deref_mut().expect("the row asks for all shards");
    let gate = if unit.gates().closed(Gates::PAUSE_ALL) {
        Gates::PAUSE_ALL
    } else {
        gate
    };
    let until_ms = until_ms.max(store.pause_until_ms(now_ms).unwrap_or(0));
    unit.set_gates(Gates::PAUSES, false);
    unit.set_pause(gate, until_ms);
    call.reply.ok();
    Ok(())
}

/// CLIENT UNPAUSE
pub(super) const UNPAUSE: CommandSpec<Handler> = CommandSpec {
    name: "unpause",
    arity: Arity::Exactly(2),
    locks: Locks::Wide,
    since: "6.2.0",
    summary: "Resumes processing commands from paused clients.",
    complexity: "O(N) Where N is the number of paused clients",
    run: unpause,
    ..OTHERS
};

fn unpause(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let unit = call.unit.as_deref_mut();
    unit.expect("the row asks for all shards")
        .set_gates(Gates::PAUSES, false);
    call.server.post_all(|| Letter::Retry);
    call.reply.ok();
    Ok(())
}
