//! DEBUG RESTART, CRASH-AND-RECOVER: the same command line again.
//!
//!   RESTART             CONFIG REWRITE ─▶ orderly end ─▶ delay ─▶ the program anew
//!   CRASH-AND-RECOVER                     end at once ─▶ delay ─▶ the program anew
//!
//! The caller hears nothing: its connection closes. Where the server cannot begin anew (its
//! configuration came through standard input, or its file cannot be written) it says so and goes on.
//! The way out is the usual one (`crate::shutdown`); `redstart-server` looks at `restart_after` at its
//! end.
//!
//! Checked by: redstart-server/tests/debug.rs.

use std::time::Duration;

use commands::CommandError;
use os::files::error_text;

use crate::admin::AdminCall;
use crate::config::RewriteError;
use crate::log;
use crate::shutdown::ShutdownOptions;

/// What happens before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// As with SHUTDOWN.
    InOrder,
    /// Nothing is saved, nobody waited for.
    AtOnce,
}

const FAILED: CommandError =
    CommandError::Fixed("ERR failed to restart the server. Check server logs.");

pub(super) fn restart(call: &mut AdminCall<'_, '_>, how: How) -> Result<(), CommandError> {
    let delay_ms = match call.args.try_get(2) {
        None => 0,
        Some(word) => resp::number::parse_i64(word).ok_or(CommandError::NotInteger)?,
    };
    let config = &call.server.config;
    if config.stdin().is_some() {
        log::warning("Can't restart: the configuration came through standard input.");
        return Err(FAILED);
    }
    if how == How::InOrder
        && let Err(RewriteError::Io(error)) = config.rewrite()
    {
        log::warning(format_args!(
            "Can't restart: configuration rewrite process failed: {}",
            error_text(&error)
        ));
        return Err(FAILED);
    }
    let delay = Duration::from_millis(u64::try_from(delay_ms).unwrap_or(0));
    *call.server.restart_after.lock() = Some(delay);
    call.server.stop.request(match how {
        How::InOrder => ShutdownOptions::default(),
        How::AtOnce => ShutdownOptions {
            save: Some(false),
            now: true,
            force: true,
            ..ShutdownOptions::default()
        },
    });
    call.session.close_after_reply = true;
    Ok(())
}
