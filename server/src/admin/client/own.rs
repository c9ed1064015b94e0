//! What a connection says and asks about itself.

use commands::CommandError;
use commands::spec::{Arity, CommandSpec, Flags};

use super::{OTHERS, OWN, on_or_off};
use crate::admin::connection::checked_name;
use crate::admin::{AdminCall, Handler};
use crate::client_line::client_line;
use crate::session::ReplyMode;

/// CLIENT CAPA capability [capability …]
///
/// A capability that we do not know is no mistake: the client may be newer.
pub(super) const CAPA: CommandSpec<Handler> = CommandSpec {
    name: "capa",
    arity: Arity::AtLeast(3),
    flags: Flags::NOSCRIPT
        .or(Flags::LOADING)
        .or(Flags::STALE)
        .or(Flags::ALLOW_BUSY),
    since: "8.0.0",
    summary: "A client claims its capability.",
    syntax: "capability [capability ...]",
    run: capa,
    ..OWN
};

fn capa(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    if (2..call.args.len()).any(|i| call.is(i, "redirect")) {
        call.session.capa_redirect = true;
    }
    call.reply.ok();
    Ok(())
}

/// CLIENT GETNAME
pub(super) const GETNAME: CommandSpec<Handler> = CommandSpec {
    name: "getname",
    arity: Arity::Exactly(2),
    since: "2.6.9",
    summary: "Returns the name of the connection.",
    run: getname,
    ..OWN
};

fn getname(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let name = call.client.names().name;
    if name.is_empty() {
        call.reply.null();
    } else {
        call.reply.bulk(&name);
    }
    Ok(())
}

/// CLIENT ID
pub(super) const ID: CommandSpec<Handler> = CommandSpec {
    name: "id",
    arity: Arity::Exactly(2),
    since: "5.0.0",
    summary: "Returns the unique client ID of the connection.",
    run: id,
    ..OWN
};

fn id(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let id = i64::try_from(call.client.id.0).expect("ids count connections");
    call.reply.int(id);
    Ok(())
}

/// CLIENT IMPORT-SOURCE ON | OFF
///
/// There is no import mode, so nothing can be switched on.
pub(super) const IMPORT_SOURCE: CommandSpec<Handler> = CommandSpec {
    name: "import-source",
    arity: Arity::Exactly(3),
    flags: Flags::NOSCRIPT.or(Flags::LOADING).or(Flags::STALE),
    since: "8.1.0",
    summary: "Mark this client as an import source when server is in import mode.",
    syntax: "<ON | OFF>",
    run: import_source,
    ..OWN
};

fn import_source(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    if !call.is(2, "off") {
        return Err(CommandError::Fixed("ERR Server is not in import mode"));
    }
    call.session.import_source = false;
    call.reply.ok();
    Ok(())
}

/// CLIENT INFO
pub(super) const INFO: CommandSpec<Handler> = CommandSpec {
    name: "info",
    arity: Arity::Exactly(2),
    flags: Flags::NOSCRIPT
        .or(Flags::LOADING)
        .or(Flags::STALE)
        .or(Flags::SENTINEL),
    since: "6.2.0",
    summary: "Returns information about the connection.",
    tips: &["nondeterministic_output"],
    run: info,
    ..OWN
};

fn info(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let commands = &call.server.commands;
    let mut line = client_line(call.client, commands, call.desk.monotonic_ms);
    line.push('\n');
    call.reply.verbatim(b"txt", line.as_bytes());
    Ok(())
}

/// CLIENT NO-EVICT ON | OFF
pub(super) const NO_EVICT: CommandSpec<Handler> = CommandSpec {
    name: "no-evict",
    arity: Arity::Exactly(3),
    flags: OTHERS.flags.or(Flags::ALLOW_BUSY),
    since: "7.0.0",
    summary: "Sets the client eviction mode of the connection.",
    syntax: "<ON | OFF>",
    run: no_evict,
    ..OTHERS
};

fn no_evict(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    call.session.no_evict = on_or_off(call, 2)?;
    call.reply.ok();
    Ok(())
}

/// CLIENT NO-TOUCH ON | OFF
pub(super) const NO_TOUCH: CommandSpec<Handler> = CommandSpec {
    name: "no-touch",
    arity: Arity::Exactly(3),
    flags: Flags::NOSCRIPT
        .or(Flags::LOADING)
        .or(Flags::STALE)
        .or(Flags::ALLOW_BUSY),
    since: "7.2.0",
    summary: "Controls whether commands sent by the client affect the LRU/LFU of accessed keys.",
    syntax: "<ON | OFF>",
    run: no_touch,
    ..OWN
};

fn no_touch(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    call.session.no_touch = on_or_off(call, 2)?;
    call.reply.ok();
    Ok(())
}

/// CLIENT REPLY ON | OFF | SKIP
///
/// OFF and SKIP say nothing themselves; the dispatcher leaves out what they forbid.
pub(super) const REPLY: CommandSpec<Handler> = CommandSpec {
    name: "reply",
    arity: Arity::Exactly(3),
    flags: OWN.flags.or(Flags::NO_MULTI),
    since: "3.2.0",
    summary: "Instructs the server whether to reply to commands.",
    syntax: "<ON | OFF | SKIP>",
    run: reply,
    ..OWN
};

fn reply(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    if call.is(2, "on") {
        call.session.reply_mode = ReplyMode::On;
        call.reply.ok();
    } else if call.is(2, "off") {
        call.session.reply_mode = ReplyMode::Off;
    } else if !call.is(2, "skip") {
        return Err(CommandError::Syntax);
    } else if call.session.reply_mode != ReplyMode::Off {
        call.session.reply_mode = ReplyMode::SkipNext;
    }
    Ok(())
}

/// CLIENT SETINFO LIB-NAME libname | LIB-VER libver
pub(super) const SETINFO: CommandSpec<Handler> = CommandSpec {
    name: "setinfo",
    arity: Arity::Exactly(4),
    since: "7.2.0",
    summary: "Sets information specific to the client or connection.",
    syntax: "<LIB-NAME libname | LIB-VER libver>",
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    run: setinfo,
    ..OWN
};

fn setinfo(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let is_name = call.is(2, "lib-name");
    if !is_name && !call.is(2, "lib-ver") {
        let text = format!("ERR Unrecognized option '{}'", call.text(2));
        return Err(CommandError::Text(text.into()));
    }
    let value = checked_name(call.args.get(3)).map_err(|_| {
        let option = call.text(2);
        let text = format!("ERR {option} cannot contain spaces, newlines or special characters.");
        CommandError::Text(text.into())
    })?;
    call.client.with_names(|names| {
        let place = if is_name {
            &mut names.lib_name
        } else {
            &mut names.lib_version
        };
        *place = value.into();
    });
    call.reply.ok();
    Ok(())
}

/// CLIENT SETNAME connection-name
pub(super) const SETNAME: CommandSpec<Handler> = CommandSpec {
    name: "setname",
    arity: Arity::Exactly(3),
    since: "2.6.9",
    summary: "Sets the connection name.",
    syntax: "connection-name",
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    run: setname,
    ..OWN
};

fn setname(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let name = checked_name(call.args.get(2))?;
    call.client.with_names(|names| names.name = name.into());
    call.reply.ok();
    Ok(())
}
