//! TIME.

use commands::CommandError;
use commands::spec::{Acl, Arity, CommandSpec, Flags, Group};

use super::{AdminCall, Handler};

pub(super) const ROWS: &[&CommandSpec<Handler>] = &[&TIME];

/// TIME
const TIME: CommandSpec<Handler> = CommandSpec {
    name: "time",
    arity: Arity::Exactly(1),
    flags: Flags::LOADING.or(Flags::STALE).or(Flags::FAST),
    acl: Acl::FAST,
    group: Group::Server,
    since: "2.6.0",
    summary: "Tells the server's time.",
    tips: &["nondeterministic_output"],
    ..CommandSpec::row(time)
};

/// The clock is read here: the turn's is as old as the turn, and who asks for µs wants to see them.
fn time(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let now_us = os::clock::wall_us();
    call.reply.array(2);
    call.reply.bulk_int(now_us.div_euclid(1_000_000));
    call.reply.bulk_int(now_us.rem_euclid(1_000_000));
    Ok(())
}
