//! TRACKING, CACHING, GETREDIR, TRACKINGINFO: client-side caching. What is remembered and who is told is
//! in `crate::tracking`.
//!
//! **Invariant:** `session.tracking` is there exactly while the client's own lock has a `Tracked`, except
//! that a killer may have taken that one away.

use commands::CommandError;
use commands::spec::{Arity, CommandSpec};

use super::OWN;
use crate::admin::{AdminCall, Handler};
use crate::clients::ClientId;
use crate::tracking::{Mode, Tracked};

/// CLIENT TRACKING with its options
pub(super) const TRACKING: CommandSpec<Handler> = CommandSpec {
    name: "tracking",
    arity: Arity::AtLeast(3),
    flags: super::own::INFO.flags,
    since: "6.0.0",
    summary: "Controls server-assisted client-side caching for the connection.",
    complexity: "O(1). Some options may introduce additional complexity.",
    syntax: "<ON | OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] \
             [OPTOUT] [NOLOOP]",
    run: tracking,
    ..OWN
};

/// What the options ask for.
#[derive(Default)]
struct Wanted<'w> {
    redirect: Option<ClientId>,
    prefixes: Vec<&'w [u8]>,
    bcast: bool,
    optin: bool,
    optout: bool,
    noloop: bool,
}

fn tracking(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let wanted = options(call)?;
    if call.is(2, "on") {
        check(call, &wanted)?;
        switch_on(call, &wanted);
    } else if call.is(2, "off") {
        call.session.tracking = None;
        call.server
            .tracking
            .disable(call.client, &call.server.store);
    } else {
        return Err(CommandError::Syntax);
    }
    call.reply.ok();
    Ok(())
}

fn options<'w>(call: &AdminCall<'w, '_>) -> Result<Wanted<'w>, CommandError> {
    let mut wanted = Wanted::default();
    let mut at = 3;
    while at < call.args.len() {
        let has_more = at + 1 < call.args.len();
        if call.is(at, "redirect") && has_more {
            if wanted.redirect.is_some() {
                return Err(CommandError::Fixed(
                    "ERR A client can only redirect to a single other client",
                ));
            }
            at += 1;
            let id = resp::number::parse_i64(call.args.get(at)).ok_or(CommandError::NotInteger)?;
            let target = u64::try_from(id)
                .ok()
                .and_then(|id| call.server.clients.get(ClientId(id)))
                .ok_or(CommandError::Fixed(
                    "ERR The client ID you want redirect to does not exist",
                ))?;
            wanted.redirect = Some(target.id);
        } else if call.is(at, "prefix") && has_more {
            at += 1;
            wanted.prefixes.push(call.args.get(at));
        } else if call.is(at, "bcast") {
            wanted.bcast = true;
        } else if call.is(at, "optin") {
            wanted.optin = true;
        } else if call.is(at, "optout") {
            wanted.optout = true;
        } else if call.is(at, "noloop") {
            wanted.noloop = true;
        } else {
            return Err(CommandError::Syntax);
        }
        at += 1;
    }
    Ok(wanted)
}

/// Whether the options fit each other and the present mode.
fn check(call: &AdminCall<'_, '_>, wanted: &Wanted<'_>) -> Result<(), CommandError> {
    let wrong = |text| Err(CommandError::Fixed(text));
    if !wanted.bcast && !wanted.prefixes.is_empty() {
        return wrong("ERR PREFIX option requires BCAST mode to be enabled");
    }
    let mode = call.session.tracking;
    if mode.is_some_and(|mode| mode.bcast != wanted.bcast) {
        return wrong(
            "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and \
             then re-enabling it with a different mode.",
        );
    }
    if wanted.bcast && (wanted.optin || wanted.optout) {
        return wrong("ERR OPTIN and OPTOUT are not compatible with BCAST");
    }
    if wanted.optin && wanted.optout {
        return wrong("ERR You can't specify both OPTIN mode and OPTOUT mode");
    }
    if mode.is_some_and(|mode| (wanted.optin && mode.optout) || (wanted.optout && mode.optin)) {
        return wrong(
            "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and \
             then re-enabling it with a different mode.",
        );
    }
    check_prefixes(call, &wanted.prefixes)
}

/// No key may be told of twice: no prefix of a client begins with another.
fn check_prefixes(call: &AdminCall<'_, '_>, prefixes: &[&[u8]]) -> Result<(), CommandError> {
    let overlap = |a: &[u8], b: &[u8]| a.starts_with(b) || b.starts_with(a);
    let refuse = |prefix: &[u8], whose: &str, other: &[u8]| {
        let text = |bytes| String::from_utf8_lossy(bytes);
        let (prefix, other) = (text(prefix), text(other));
        let text = format!(
            "ERR Prefix '{prefix}' overlaps with {whose} prefix '{other}'. Prefixes for a single client \
             must not overlap."
        );
        Err(CommandError::Text(text.into()))
    };
    let known = call
        .client
        .with_tracked(|tracked| tracked.as_ref().map(|tracked| tracked.prefixes.clone()))
        .unwrap_or_default();
    for (at, prefix) in prefixes.iter().enumerate() {
        if let Some(other) = known.iter().find(|other| overlap(prefix, other)) {
            return refuse(prefix, "an existing", other);
        }
        if let Some(other) = prefixes[at + 1..]
            .iter()
            .find(|other| overlap(prefix, other))
        {
            return refuse(prefix, "another provided", other);
        }
    }
    Ok(())
}

fn switch_on(call: &mut AdminCall<'_, '_>, wanted: &Wanted<'_>) {
    let mut tracked = Tracked {
        bcast: wanted.bcast,
        noloop: wanted.noloop,
        redirect: wanted.redirect,
        ..Tracked::default()
    };
    for &prefix in &wanted.prefixes {
        tracked.hear(prefix.into());
    }
    if wanted.bcast && tracked.prefixes.is_empty() {
        tracked.hear(Box::default());
    }
    call.session.tracking = Some(Mode {
        bcast: wanted.bcast,
        optin: wanted.optin,
        optout: wanted.optout,
        caching: call.session.tracking.is_some_and(|mode| mode.caching),
    });
    call.server
        .tracking
        .enable(call.client, &call.server.store, tracked);
}

/// CLIENT CACHING YES | NO
pub(super) const CACHING: CommandSpec<Handler> = CommandSpec {
    name: "caching",
    arity: Arity::Exactly(3),
    since: "6.0.0",
    summary: "Instructs the server whether to track the keys in the next request.",
    syntax: "<YES | NO>",
    run: caching,
    ..OWN
};

fn caching(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let (is_yes, is_no) = (call.is(2, "yes"), call.is(2, "no"));
    let Some(mode) = &mut call.session.tracking else {
        return Err(CommandError::Fixed(
            "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or \
             OPTOUT mode enabled",
        ));
    };
    if is_yes && !mode.optin {
        return Err(CommandError::Fixed(
            "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.",
        ));
    }
    if is_no && !mode.optout {
        return Err(CommandError::Fixed(
            "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.",
        ));
    }
    if !is_yes && !is_no {
        return Err(CommandError::Syntax);
    }
    mode.caching = true;
    call.reply.ok();
    Ok(())
}

/// CLIENT GETREDIR
pub(super) const GETREDIR: CommandSpec<Handler> = CommandSpec {
    name: "getredir",
    arity: Arity::Exactly(2),
    since: "6.0.0",
    summary: "Returns the client ID to which the connection's tracking notifications are redirected.",
    run: getredir,
    ..OWN
};

fn getredir(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    call.reply.int(call.client.redirect());
    Ok(())
}

/// CLIENT TRACKINGINFO
pub(super) const TRACKINGINFO: CommandSpec<Handler> = CommandSpec {
    name: "trackinginfo",
    arity: Arity::Exactly(2),
    flags: super::own::INFO.flags,
    since: "6.2.0",
    summary: "Returns information about server-assisted client-side caching for the connection.",
    run: trackinginfo,
    ..OWN
};

fn trackinginfo(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let tracked = call.client.with_tracked(|tracked| tracked.clone());
    let mode = call.session.tracking.unwrap_or_default();
    let is_on = tracked.is_some();
    let tracked = tracked.unwrap_or_default();
    let flags = [
        (is_on, "on"),
        (!is_on, "off"),
        (tracked.bcast, "bcast"),
        (mode.optin, "optin"),
        (mode.optin && mode.caching, "caching-yes"),
        (mode.optout, "optout"),
        (mode.optout && mode.caching, "caching-no"),
        (tracked.noloop, "noloop"),
        (tracked.is_broken, "broken_redirect"),
    ];
    let redirect = call.client.redirect();
    let reply = &mut *call.reply;
    reply.map(3);
    reply.bulk(b"flags");
    reply.set(flags.iter().filter(|(is, _)| *is).count());
    for (_, word) in flags.iter().filter(|(is, _)| *is) {
        reply.bulk(word.as_bytes());
    }
    reply.bulk(b"redirect");
    reply.int(redirect);
    reply.bulk(b"prefixes");
    reply.array(tracked.prefixes.len());
    for prefix in &tracked.prefixes {
        reply.bulk(prefix);
    }
    Ok(())
}
