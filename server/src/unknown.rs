//! Requests that name no command, or not with so many words.
//!
//! Checked by: tests/transcripts/protocol, server/tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use commands::CommandError;
use resp::Args;

use crate::dispatch::{Engine, Seat, Served};
use crate::log;
use crate::server::Server;
use crate::table::Command;

impl Engine<'_> {
    /// There is no such command, or no such subcommand.
    #[cold]
    pub(crate) fn unknown(
        &mut self,
        seat: &mut Seat<'_>,
        server: &Arc<Server>,
        args: Args<'_>,
    ) -> Served {
        let name = args.get(0);
        if name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:") {
            warn_of_attack(&seat.client.peer, self.desk.monotonic_ms);
            return Served::Broken;
        }
        let text = match server.commands.find(name) {
            Some(container) if args.len() > 1 => {
                let sub = lossy(args.get(1), 128);
                let container = container.spec.name.to_uppercase();
                format!("ERR unknown subcommand '{sub}'. Try {container} HELP.")
            }
            Some(container) => return self.refuse_arity(seat, container),
            None => {
                let mut words = String::new();
                for word in args.skip(1) {
                    if words.len() >= 128 {
                        break;
                    }
                    let room = 128 - words.len();
                    words.push_str(&format!("'{}' ", lossy(word, room)));
                }
                let name = lossy(name, 128);
                format!("ERR unknown command '{name}', with args beginning with: {words}")
            }
        };
        self.refuse(seat, None, &CommandError::Text(text.into()));
        Served::Answered
    }

    fn refuse_arity(&mut self, seat: &mut Seat<'_>, command: &Command) -> Served {
        self.refuse(seat, Some(command), &wrong_arity(command));
        Served::Answered
    }
}

/// The error of a known command.
pub(crate) fn wrong_arity(command: &Command) -> CommandError {
    let text = format!(
        "ERR wrong number of arguments for '{}' command",
        command.full_name
    );
    CommandError::Text(text.into())
}

/// The beginning of a word as text.
fn lossy(word: &[u8], bytes_max: usize) -> String {
    String::from_utf8_lossy(&word[..word.len().min(bytes_max)]).into_owned()
}

/// Somebody's browser is being used against us; said once a minute at most.
fn warn_of_attack(peer: &io::Address, monotonic_ms: i64) {
    static LAST_MS: AtomicI64 = AtomicI64::new(i64::MIN);
    let last = LAST_MS.load(Ordering::Relaxed);
    if monotonic_ms.saturating_sub(last) < 60_000 {
        return;
    }
    LAST_MS.store(monotonic_ms, Ordering::Relaxed);
    log::warning(format_args!(
        "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: commands \
         to Redis. This is likely due to an attacker attempting to use Cross Protocol Scripting to \
         compromise your Redis instance. Connection from {peer} aborted."
    ));
}
