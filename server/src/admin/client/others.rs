//! LIST, KILL, UNBLOCK: looking at other clients and ending them.

use commands::CommandError;
use commands::spec::{Arity, CommandSpec};

use super::filter::{Filter, For};
use super::{OTHERS, no_such};
use crate::admin::{AdminCall, Handler};
use crate::client_line::client_line;
use crate::clients::ClientId;
use crate::mailbox::Letter;

/// CLIENT KILL ip:port, or CLIENT KILL with conditions.
///
/// The old form may kill the caller, the other one only when told to. Who is killed has run its last
/// command when the reply leaves; the caller itself still gets it.
pub(super) const KILL: CommandSpec<Handler> = CommandSpec {
    name: "kill",
    arity: Arity::AtLeast(3),
    since: "2.4.0",
    summary: "Terminates open connections.",
    complexity: "O(N) where N is the number of client connections",
    syntax: "<ip:port | [ID client-id [client-id ...]] [TYPE <NORMAL | MASTER | PRIMARY | SLAVE | \
             REPLICA | PUBSUB>] [USER username] [ADDR ip:port] [LADDR ip:port] [SKIPME <YES | NO>] \
             [MAXAGE maxage] [FLAGS flags] [NAME client-name] [IDLE idle] [LIB-NAME libname] \
             [LIB-VER libver] [DB db-id] [CAPA capa] [IP ip]>",
    run: kill,
    ..OTHERS
};

fn kill(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let is_old_form = call.args.len() == 3;
    let filter = if is_old_form {
        Filter::addr(call.args.get(2))
    } else {
        Filter::parse(call, For::Kill)?
    };
    let mut killed = 0;
    for client in call.server.clients.list() {
        if !filter.chooses(&client, call.client, call.desk.monotonic_ms) {
            continue;
        }
        if client.id == call.client.id {
            call.session.close_after_reply = true;
            killed += 1;
        } else if call.server.kill(&client) {
            killed += 1;
        }
    }
    match (is_old_form, killed) {
        (true, 0) => return Err(CommandError::Fixed("ERR No such client")),
        (true, _) => call.reply.ok(),
        (false, killed) => call.reply.int(killed),
    }
    Ok(())
}

/// CLIENT LIST with conditions.
pub(super) const LIST: CommandSpec<Handler> = CommandSpec {
    name: "list",
    arity: Arity::AtLeast(2),
    since: "2.4.0",
    summary: "Lists open connections.",
    complexity: "O(N) where N is the number of client connections",
    syntax: "[TYPE <NORMAL | MASTER | PRIMARY | SLAVE | REPLICA | PUBSUB>] [ID client-id [client-id \
             ...]] [USER username] [ADDR ip:port] [LADDR ip:port] [SKIPME <YES | NO>] [MAXAGE \
             maxage] [FLAGS flags] [NAME client-name] [IDLE idle] [LIB-NAME libname] [LIB-VER libver] \
             [DB db-id] [CAPA capa] [IP ip]",
    tips: &["nondeterministic_output"],
    run: list,
    ..OTHERS
};

fn list(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let filter = Filter::parse(call, For::List)?;
    let (server, monotonic_ms) = (call.server, call.desk.monotonic_ms);
    let mut lines = String::new();
    for client in server.clients.list() {
        if filter.chooses(&client, call.client, monotonic_ms) {
            lines.push_str(&client_line(&client, &server.commands, monotonic_ms));
            lines.push('\n');
        }
    }
    call.reply.verbatim(b"txt", lines.as_bytes());
    Ok(())
}

/// CLIENT UNBLOCK client-id [TIMEOUT | ERROR]
///
/// Ends a command that waits for data. A client that a pause holds is not let go by this, in Redis
/// neither.
pub(super) const UNBLOCK: CommandSpec<Handler> = CommandSpec {
    name: "unblock",
    arity: Arity::AtLeast(3),
    since: "5.0.0",
    summary: "Unblocks a client blocked by a blocking command from a different connection.",
    complexity: "O(log N) where N is the number of client connections",
    syntax: "client-id [TIMEOUT | ERROR]",
    run: unblock,
    ..OTHERS
};

fn unblock(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    match call.args.len() {
        3 => {}
        4 if call.is(3, "timeout") || call.is(3, "error") => {}
        4 => {
            return Err(CommandError::Fixed(
                "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR",
            ));
        }
        _ => return no_such(call),
    }
    let id = resp::number::parse_i64(call.args.get(2)).ok_or(CommandError::NotInteger)?;
    let with_error = call.args.len() == 4 && call.is(3, "error");
    let blocked = u64::try_from(id)
        .ok()
        .and_then(|id| call.server.blocked.of(ClientId(id)));
    let unblocked = blocked
        .as_ref()
        .is_some_and(|blocked| blocked.end_when_idle());
    if let (true, Some(blocked)) = (unblocked, blocked) {
        call.server.mailboxes[blocked.client.worker].post(Letter::Unblocked {
            to: blocked.client.id,
            with_error,
        });
    }
    call.reply.int(i64::from(unblocked));
    Ok(())
}
