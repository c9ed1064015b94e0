//! AUTH, HELLO, PING, ECHO, QUIT, RESET, SELECT: a connection says who it is and how it speaks.
//!
//! There is one user, `default`. It has the password that `requirepass` says, or none, and then any
//! password is right for it.

use commands::CommandError;
use commands::spec::{Acl, Arity, CommandSpec, Flags, Group};
use resp::Proto;

use super::{AdminCall, Handler};
use crate::server::REDIS_VERSION;
use crate::session::{ReplyMode, Session};

const WRONG_PASS: CommandError =
    CommandError::Fixed("WRONGPASS invalid username-password pair or user is disabled.");

/// What nearly all of these rows have in common.
const BASE: CommandSpec<Handler> = CommandSpec {
    acl: Acl::CONNECTION.or(Acl::FAST),
    group: Group::Connection,
    ..CommandSpec::row(ping)
};
/// Allowed at any time, before login too.
const ANYTIME: Flags = Flags::NOSCRIPT
    .or(Flags::LOADING)
    .or(Flags::STALE)
    .or(Flags::FAST)
    .or(Flags::NO_AUTH)
    .or(Flags::ALLOW_BUSY);

pub(super) const ROWS: &[&CommandSpec<Handler>] =
    &[&AUTH, &ECHO, &HELLO, &PING, &QUIT, &RESET, &SELECT];

/// AUTH [username] password
const AUTH: CommandSpec<Handler> = CommandSpec {
    name: "auth",
    arity: Arity::AtLeast(2),
    flags: ANYTIME.or(Flags::SENTINEL),
    since: "1.0.0",
    summary: "Authenticates the connection.",
    complexity: "O(N) where N is the number of passwords defined for the user",
    syntax: "[username] password",
    run: auth,
    ..BASE
};

fn auth(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let (user, password) = match call.args.len() {
        2 if call.desk.live.requirepass.is_none() => {
            return Err(CommandError::Fixed(
                "ERR AUTH <password> called without any password configured for the default user. \
                 Are you sure your configuration is correct?",
            ));
        }
        2 => (b"default".as_slice(), call.args.get(1)),
        3 => (call.args.get(1), call.args.get(2)),
        _ => return Err(CommandError::Syntax),
    };
    log_in(call, user, password)?;
    call.reply.ok();
    Ok(())
}

/// Logs the session in, or says why not.
fn log_in(call: &mut AdminCall<'_, '_>, user: &[u8], password: &[u8]) -> Result<(), CommandError> {
    let right = match &call.desk.live.requirepass {
        None => true,
        Some(wanted) => same_secret(wanted, password),
    };
    if user != b"default" || !right {
        call.desk.figures.denied_auth.add(1);
        return Err(WRONG_PASS);
    }
    call.session.authenticated = true;
    Ok(())
}

/// Whether two secrets are equal, in a time that tells nothing of where they differ.
fn same_secret(wanted: &[u8], given: &[u8]) -> bool {
    let padded = wanted.iter().chain(std::iter::repeat(&0));
    let differing = given
        .iter()
        .zip(padded)
        .fold(0, |all, (a, b)| all | (a ^ b));
    differing == 0 && wanted.len() == given.len()
}

/// ECHO message
const ECHO: CommandSpec<Handler> = CommandSpec {
    name: "echo",
    arity: Arity::Exactly(2),
    flags: Flags::LOADING.or(Flags::STALE).or(Flags::FAST),
    since: "1.0.0",
    summary: "Returns the given string.",
    syntax: "message",
    run: echo,
    ..BASE
};

fn echo(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    match call.args.blob(1) {
        Some(blob) => call.reply.blob(blob, 0..blob.len()),
        None => call.reply.bulk(call.args.get(1)),
    }
    Ok(())
}

/// HELLO [protover [AUTH username password] [SETNAME clientname]]
///
/// Everything is checked before anything changes, except that a login stands even if nothing follows.
const HELLO: CommandSpec<Handler> = CommandSpec {
    name: "hello",
    arity: Arity::AtLeast(1),
    flags: ANYTIME.or(Flags::SENTINEL),
    since: "6.0.0",
    summary: "Handshakes with the server.",
    syntax: "[protover [AUTH username password] [SETNAME clientname]]",
    run: hello,
    ..BASE
};

fn hello(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let args = call.args;
    let proto = match args.try_get(1).map(resp::number::parse_i64) {
        None => None,
        Some(Some(2)) => Some(Proto::Resp2),
        Some(Some(3)) => Some(Proto::Resp3),
        Some(Some(_)) => return Err(CommandError::Fixed("NOPROTO unsupported protocol version")),
        Some(None) => {
            return Err(CommandError::Fixed(
                "ERR Protocol version is not an integer or out of range",
            ));
        }
    };
    let (mut login, mut name, mut at) = (None, None, 2);
    while at < args.len() {
        let more = args.len() - 1 - at;
        if call.is(at, "auth") && more >= 2 {
            login = Some((args.get(at + 1), args.get(at + 2)));
            at += 3;
        } else if call.is(at, "setname") && more >= 1 {
            name = Some(checked_name(args.get(at + 1))?);
            at += 2;
        } else {
            let text = format!("ERR Syntax error in HELLO option '{}'", call.text(at));
            return Err(CommandError::Text(text.into()));
        }
    }
    if let Some((user, password)) = login {
        log_in(call, user, password)?;
    }
    if !call.session.authenticated {
        return Err(CommandError::Fixed(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the \
             HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and \
             select the RESP protocol version at the same time",
        ));
    }
    if let Some(name) = name {
        call.client.with_names(|names| names.name = name.into());
    }
    if let Some(proto) = proto {
        call.reply.set_proto(proto);
    }
    let reply = &mut *call.reply;
    reply.map(7);
    reply.bulk(b"server");
    reply.bulk(b"redis");
    reply.bulk(b"version");
    reply.bulk(REDIS_VERSION.as_bytes());
    reply.bulk(b"proto");
    reply.int(if reply.proto() == Proto::Resp2 { 2 } else { 3 });
    reply.bulk(b"id");
    reply.int(i64::try_from(call.client.id.0).expect("ids count connections"));
    reply.bulk(b"mode");
    reply.bulk(b"standalone");
    reply.bulk(b"role");
    reply.bulk(b"master");
    reply.bulk(b"modules");
    reply.array(0);
    Ok(())
}

/// A name as CLIENT SETNAME and HELLO take it: printable ASCII without spaces.
///
/// # Errors
/// Redis's text for anything else.
pub(crate) fn checked_name(name: &[u8]) -> Result<&[u8], CommandError> {
    if name.iter().all(|byte| (b'!'..=b'~').contains(byte)) {
        return Ok(name);
    }
    Err(CommandError::Fixed(
        "ERR Client names cannot contain spaces, newlines or special characters.",
    ))
}

/// PING [message]
const PING: CommandSpec<Handler> = CommandSpec {
    name: "ping",
    arity: Arity::AtLeast(1),
    flags: Flags::FAST.or(Flags::SENTINEL),
    since: "1.0.0",
    summary: "Returns the server's liveliness response.",
    syntax: "[message]",
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    run: ping,
    ..BASE
};

fn ping(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    if call.session.is_subscriber && call.reply.proto() == Proto::Resp2 && call.args.len() <= 2 {
        // In the form of a message, so that it can be told from one.
        call.reply.array(2);
        call.reply.bulk(b"pong");
        call.reply.bulk(call.args.try_get(1).unwrap_or_default());
        return Ok(());
    }
    match call.args.len() {
        1 => call.reply.raw(resp::shared::PONG),
        2 => call.reply.bulk(call.args.get(1)),
        _ => {
            return Err(CommandError::Fixed(
                "ERR wrong number of arguments for 'ping' command",
            ));
        }
    }
    Ok(())
}

/// QUIT
const QUIT: CommandSpec<Handler> = CommandSpec {
    name: "quit",
    arity: Arity::AtLeast(1),
    flags: ANYTIME,
    since: "1.0.0",
    summary: "Closes the connection.",
    syntax: "",
    run: quit,
    ..BASE
};

fn quit(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    call.reply.ok();
    call.session.close_after_reply = true;
    Ok(())
}

/// RESET
const RESET: CommandSpec<Handler> = CommandSpec {
    name: "reset",
    arity: Arity::Exactly(1),
    flags: ANYTIME,
    since: "6.2.0",
    summary: "Resets the connection.",
    syntax: "",
    run: reset,
    ..BASE
};

fn reset(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    call.session.multi = None;
    super::transaction::let_go_of_watched(call);
    if call.session.monitor {
        call.server.monitors.leave(call.client.id);
    }
    call.server.pubsub.leave_all(call.client);
    call.server
        .tracking
        .disable(call.client, &call.server.store);
    *call.session = Session {
        // What was said about a reply holds for this one; it is answered as any other.
        reply_mode: ReplyMode::On,
        close_after_reply: call.session.close_after_reply,
        ..Session::new(call.desk.live.requirepass.is_none())
    };
    call.client.with_names(|names| names.name = Box::default());
    call.reply.set_proto(Proto::Resp2);
    call.reply.simple(b"RESET");
    Ok(())
}

/// SELECT index
const SELECT: CommandSpec<Handler> = CommandSpec {
    name: "select",
    arity: Arity::Exactly(2),
    flags: Flags::LOADING
        .or(Flags::STALE)
        .or(Flags::FAST)
        .or(Flags::ALLOW_BUSY),
    since: "1.0.0",
    summary: "Changes the selected database.",
    syntax: "index",
    run: select,
    ..BASE
};

fn select(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let index = resp::number::parse_i64(call.args.get(1)).ok_or(CommandError::NotInteger)?;
    let index = i32::try_from(index).map_err(|_| {
        CommandError::Fixed(
            "ERR value is out of range, value must between -2147483648 and 2147483647",
        )
    })?;
    let db = u32::try_from(index)
        .ok()
        .filter(|&db| db < call.desk.live.settings.databases)
        .ok_or(CommandError::DbIndex)?;
    call.session.db = db;
    // Inside EXEC, for the commands that follow.
    if let Some(unit) = call.unit.as_deref_mut() {
        unit.select(db);
    }
    call.reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_compared_whole() {
        let check = |wanted: &str, given: &str, expected| {
            assert_eq!(same_secret(wanted.as_bytes(), given.as_bytes()), expected);
        };
        check("abc", "abc", true);
        check("abc", "abd", false);
        check("abc", "ab", false);
        check("abc", "abcd", false);
        check("abc", "abc\0", false);
        check("abc", "", false);
    }

    #[test]
    fn names_are_printable_without_spaces() {
        assert_eq!(checked_name(b"my-app:1"), Ok(b"my-app:1".as_slice()));
        assert_eq!(checked_name(b""), Ok(b"".as_slice()));
        for bad in [b"a b".as_slice(), b"a\n", b"\x7f", b"\xc3\xa4"] {
            assert!(checked_name(bad).is_err());
        }
    }
}
