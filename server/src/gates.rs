//! What closed gates mean for a command: it waits, it is refused, or they do not concern it.
//!
//! The gates themselves are the store's (`store::Gates`), read again under a command's locks; here are the flags
//! and the session that decide. Why a command is refused, and in which words, is `persistence/refuse.rs`.

use commands::spec::Flags;
use store::Gates;

use crate::connection::Wait;
use crate::desk::Desk;
use crate::live::Live;
use crate::persistence::{REFUSING, Refusal};
use crate::server::Server;
use crate::session::Session;
use crate::table::{Command, Special};

/// What keeps a command back that has its locks already: then it comes again.
#[inline]
pub(crate) fn kept_back(
    server: &Server,
    desk: &Desk,
    session: &Session,
    command: &Command,
    gates: Gates,
) -> Option<Wait> {
    if desk.log_is_late && writes(command, session) {
        // A2 of docs/design/persistence.md: the disk does not keep up.
        desk.figures.parked_gate.add(1);
        return Some(Wait::Gate);
    }
    let mine = gates_for(command, session);
    if !gates.closed(mine | REFUSING) {
        return None;
    }
    if gates.closed(mine) {
        desk.figures.parked_gate.add(1);
        return Some(Wait::Gate);
    }
    // It was not refused when it was looked at, before its locks: it is looked at again.
    refusal(server, &desk.live, session, command, gates).map(|_| Wait::Shard)
}

/// What closed gates mean for a command.
#[cold]
pub(crate) fn refusal(
    server: &Server,
    live: &Live,
    session: &Session,
    command: &Command,
    gates: Gates,
) -> Option<Refusal> {
    let queued = session.multi.as_ref().map_or(0, |multi| multi.flags);
    Refusal::of(server, live, gates, command, queued)
}

/// Whether a command may change data.
#[inline]
fn writes(command: &Command, session: &Session) -> bool {
    let queued = match &session.multi {
        Some(multi) if command.special == Special::Exec => multi.flags,
        _ => 0,
    };
    (Flags::WRITE.0 | Flags::MAY_REPLICATE.0) & (command.spec.flags.0 | queued) != 0
}

/// Which gates stop a command.
#[inline]
pub(crate) fn gates_for(command: &Command, session: &Session) -> u64 {
    if writes(command, session) {
        Gates::PAUSE_ALL | Gates::PAUSE_WRITES | Gates::STOPPING
    } else {
        Gates::PAUSE_ALL
    }
}
