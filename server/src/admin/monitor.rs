//! MONITOR: the caller is told every command that runs. The feed is `crate::monitor`.

use commands::CommandError;
use commands::spec::{Acl, Arity, CommandSpec, Flags, Group};

use super::{AdminCall, Handler};

pub(super) const ROWS: &[&CommandSpec<Handler>] = &[&MONITOR];

/// MONITOR
///
/// Called again it says nothing, as in Redis: what follows the first OK is the feed.
const MONITOR: CommandSpec<Handler> = CommandSpec {
    name: "monitor",
    arity: Arity::Exactly(1),
    flags: Flags::ADMIN
        .or(Flags::NOSCRIPT)
        .or(Flags::LOADING)
        .or(Flags::STALE),
    acl: Acl::ADMIN.or(Acl::DANGEROUS).or(Acl::SLOW),
    group: Group::Server,
    since: "1.0.0",
    summary: "Listens for all requests received by the server in real-time.",
    complexity: "",
    ..CommandSpec::row(monitor)
};

fn monitor(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    // The row asks for no locks: only EXEC gives a unit.
    if call.unit.is_some() {
        return Err(CommandError::Fixed(
            "ERR MONITOR isn't allowed for DENY BLOCKING client",
        ));
    }
    if !call.session.monitor {
        call.session.monitor = true;
        call.server.monitors.enter(call.client);
        call.reply.ok();
    }
    Ok(())
}
