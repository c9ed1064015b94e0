//! SHUTDOWN. The way out itself is in `crate::shutdown`; this asks for it, or takes it back.

use commands::CommandError;
use commands::spec::{Acl, Arity, CommandSpec, Flags, Group};

use super::{AdminCall, Handler};
use crate::log;
use crate::session::Awaited;
use crate::shutdown::ShutdownOptions;

pub(super) const ROWS: &[&CommandSpec<Handler>] = &[&SHUTDOWN];

/// SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [SAFE] [ABORT]
///
/// The caller hears nothing more: its connection closes, unless the way out is taken back. ABORT excludes all other words, and comes
/// too late when the workers have begun to close.
const SHUTDOWN: CommandSpec<Handler> = CommandSpec {
    name: "shutdown",
    arity: Arity::AtLeast(1),
    flags: Flags::ADMIN
        .or(Flags::NOSCRIPT)
        .or(Flags::LOADING)
        .or(Flags::STALE)
        .or(Flags::NO_MULTI)
        .or(Flags::SENTINEL)
        .or(Flags::ALLOW_BUSY),
    acl: Acl::ADMIN.or(Acl::DANGEROUS).or(Acl::SLOW),
    group: Group::Server,
    since: "1.0.0",
    summary: "Synchronously saves the database(s) to disk and shuts down the server.",
    complexity: "O(N) when saving, where N is the total number of keys in all databases when saving data, otherwise O(1)",
    syntax: "[NOSAVE | SAVE] [NOW] [FORCE] [SAFE] [ABORT]",
    ..CommandSpec::row(shutdown)
};

/// What SHUTDOWN's words ask for.
#[derive(Debug, PartialEq, Eq)]
enum Wish {
    Stop(ShutdownOptions),
    Abort,
}

fn wish<'w>(words: impl Iterator<Item = &'w [u8]>) -> Result<Wish, CommandError> {
    let (mut options, mut abort) = (ShutdownOptions::default(), false);
    for word in words {
        match word.to_ascii_lowercase().as_slice() {
            b"save" if options.save != Some(false) => options.save = Some(true),
            b"nosave" if options.save != Some(true) => options.save = Some(false),
            b"now" => options.now = true,
            b"force" => options.force = true,
            b"safe" => options.safe = true,
            b"abort" => abort = true,
            _ => return Err(CommandError::Syntax),
        }
    }
    match abort {
        false => Ok(Wish::Stop(options)),
        true if options == ShutdownOptions::default() => Ok(Wish::Abort),
        true => Err(CommandError::Syntax),
    }
}

fn shutdown(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    match wish(call.args.skip(1).iter())? {
        Wish::Stop(options) => {
            let attempt = call.server.stop.request(options);
            call.session.awaits = Some(Awaited::Stop(attempt));
        }
        Wish::Abort if call.server.stop.abort() => {
            log::notice("Shutdown manually aborted.");
            // Whether or not it would have been a restart.
            *call.server.restart_after.lock() = None;
            call.reply.ok();
        }
        Wish::Abort => return Err(CommandError::Fixed("ERR No shutdown in progress.")),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        let check = |line: &str, expected| {
            let words = line.split_whitespace().map(str::as_bytes);
            assert_eq!(wish(words).ok(), expected, "{line}");
        };
        let plain = ShutdownOptions::default();
        let save = |save| ShutdownOptions {
            save: Some(save),
            ..plain
        };
        check("", Some(Wish::Stop(plain)));
        check("NoSave", Some(Wish::Stop(save(false))));
        check("SAVE save", Some(Wish::Stop(save(true))));
        let all = ShutdownOptions {
            save: Some(true),
            now: true,
            force: true,
            safe: true,
            by_signal: false,
        };
        check("save now force safe", Some(Wish::Stop(all)));
        check("abort", Some(Wish::Abort));
        for wrong in [
            "save nosave",
            "nosave save",
            "abort now",
            "save abort",
            "later",
        ] {
            check(wrong, None);
        }
    }
}
