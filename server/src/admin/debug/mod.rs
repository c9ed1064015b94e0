//! DEBUG: what tests need to provoke, and what one looks at when something is wrong.
//!
//! | file | subcommands |
//! |---|---|
//! | `mod.rs` | ERROR, LOG, CONFIG-REWRITE-FORCE-ALL, STRINGMATCH-LEN, HELP |
//! | `crash.rs` | ASSERT, OOM, PANIC, SEGFAULT: they end the process |
//! | `restart.rs` | RESTART, CRASH-AND-RECOVER: it begins anew |
//! | `data.rs` | DIGEST, DIGEST-VALUE, HTSTATS, HTSTATS-KEY, LISTPACK, OBJECT, POPULATE |
//! | `protocol.rs` | PROTOCOL |
//! | `reload.rs` | LOADAOF, RELOAD |
//! | `switches.rs` | CHANGE-REPL-ID, PAUSE-CRON, QUICKLIST-PACKED-THRESHOLD, REPLYBUFFER, SET-ACTIVE-EXPIRE, SLEEP |
//!
//! The dispatcher refuses all of it unless `enable-debug-command` allows it. As in Redis the row has no
//! subcommands of its own: a word that is unknown, and a known one with too few or too many words
//! behind it, get the same answer. What speaks of Redis's insides (jemalloc, chains of its
//! dictionaries) is not here, nor what belongs to files and replicas.
//!
//! One row means one plan: every shard is held. DEBUG is rare, and SLEEP is meant to stop everything.
//!
//! Checked by: tests/transcripts/server/debug.txt; redstart-server/tests/crash.rs for those that crash.

use commands::CommandError;
use commands::glob::{self, Case};
use commands::spec::{Acl, Arity, CommandSpec, Flags, Group, Locks};
use os::files::error_text;

use super::{AdminCall, Handler};
use crate::config::RewriteError;
use crate::log;

mod crash;
mod data;
mod protocol;
mod reload;
mod restart;
mod switches;

pub(super) const ROWS: &[&CommandSpec<Handler>] = &[&DEBUG];

/// DEBUG subcommand [argument ...]
const DEBUG: CommandSpec<Handler> = CommandSpec {
    name: "debug",
    arity: Arity::AtLeast(2),
    locks: Locks::Wide,
    flags: Flags::ADMIN
        .or(Flags::NOSCRIPT)
        .or(Flags::LOADING)
        .or(Flags::STALE),
    acl: Acl::ADMIN.or(Acl::DANGEROUS).or(Acl::SLOW),
    group: Group::Server,
    since: "1.0.0",
    summary: "A container for debugging commands.",
    complexity: "Depends on subcommand.",
    ..CommandSpec::row(debug)
};

fn debug(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let word = call.args.get(1).to_ascii_lowercase();
    match (word.as_slice(), call.args.len()) {
        (b"assert", _) => crash::assert(),
        (b"change-repl-id", 2) => switches::change_replication_id(call),
        (b"config-rewrite-force-all", 2) => rewrite_all(call),
        (b"crash-and-recover", _) => restart::restart(call, restart::How::AtOnce),
        (b"digest", 2) => data::digest(call),
        (b"digest-value", _) => data::digest_value(call),
        (b"error", 3) => {
            call.reply.error(call.args.get(2));
            Ok(())
        }
        (b"help", 2) => help(call),
        (b"htstats", 3) => data::htstats(call),
        (b"loadaof", 2) => reload::load_log(call),
        (b"htstats-key", 3..) => data::htstats_key(call),
        (b"listpack", 3) => data::listpack(call),
        (b"log", 3) => {
            log::warning(format_args!("DEBUG LOG: {}", call.text(2)));
            call.reply.ok();
            Ok(())
        }
        (b"object", 3) => data::object(call),
        (b"oom", _) => crash::oom(),
        (b"panic", _) => crash::panic(),
        (b"pause-cron", 3) => switches::pause_cron(call),
        (b"populate", 3..=5) => data::populate(call),
        (b"protocol", 3) => protocol::protocol(call),
        (b"quicklist-packed-threshold", 3) => switches::plain_elements(call),
        (b"reload", _) => reload::reload(call),
        (b"replybuffer", 4) => switches::replybuffer(call),
        (b"restart", _) => restart::restart(call, restart::How::InOrder),
        (b"segfault", _) => crash::segfault(),
        (b"set-active-expire", 3) => switches::set_active_expire(call),
        (b"sleep", 3) => switches::sleep(call),
        (b"stringmatch-len", 4) => {
            let matches = glob::matches(call.args.get(2), call.args.get(3), Case::Sensitive);
            call.reply.int(matches.into());
            Ok(())
        }
        _ => Err(unknown(call)),
    }
}

/// The answer to a word that is no subcommand, or not with so many words behind it.
fn unknown(call: &AdminCall<'_, '_>) -> CommandError {
    let word = call.args.get(1);
    let shown = String::from_utf8_lossy(&word[..word.len().min(128)]);
    let text = format!(
        "ERR unknown subcommand or wrong number of arguments for '{shown}'. Try DEBUG HELP."
    );
    CommandError::Text(text.into())
}

/// DEBUG CONFIG-REWRITE-FORCE-ALL: CONFIG REWRITE with every parameter.
fn rewrite_all(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let why = match call.server.config.rewrite_all() {
        Ok(()) => {
            call.reply.ok();
            return Ok(());
        }
        Err(RewriteError::NoFile) => "The server is running without a config file".to_owned(),
        Err(RewriteError::Io(error)) => error_text(&error),
    };
    let text = format!("ERR CONFIG-REWRITE-FORCE-ALL failed: {why}");
    Err(CommandError::Text(text.into()))
}

/// The lines of HELP: Redis's, of what there is here.
const HELP_LINES: &[&str] = &[
    "DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "ASSERT",
    "    Crash by assertion failed.",
    "CHANGE-REPL-ID",
    "    Change the replication IDs of the instance.",
    "    Dangerous: should be used only for testing the replication subsystem.",
    "CONFIG-REWRITE-FORCE-ALL",
    "    Like CONFIG REWRITE but writes all configuration options, including",
    "    keywords not listed in original configuration file or default values.",
    "CRASH-AND-RECOVER [<milliseconds>]",
    "    Hard crash and restart after a <milliseconds> delay (default 0).",
    "DIGEST",
    "    Output a hex signature representing the current DB content.",
    "DIGEST-VALUE <key> [<key> ...]",
    "    Output a hex signature of the values of all the specified keys.",
    "ERROR <string>",
    "    Return a Redis protocol error with <string> as message. Useful for clients",
    "    unit tests to simulate Redis errors.",
    "LOADAOF",
    "    Flush the AOF buffers on disk and reload the AOF in memory.",
    "LOG <message>",
    "    Write <message> to the server log.",
    "HTSTATS <dbid>",
    "    Return hash table statistics of the specified Redis database.",
    "HTSTATS-KEY <key>",
    "    Like HTSTATS but for the hash table stored at <key>'s value.",
    "LISTPACK <key>",
    "    Show low level info about the listpack encoding of <key>.",
    "OBJECT <key>",
    "    Show low level info about `key` and associated value.",
    "OOM",
    "    Crash the server simulating an out-of-memory error.",
    "PANIC",
    "    Crash the server simulating a panic.",
    "POPULATE <count> [<prefix>] [<size>]",
    "    Create <count> string keys named key:<num>. If <prefix> is specified then",
    "    it is used instead of the 'key' prefix. These are not propagated to",
    "    replicas.",
    "PROTOCOL <type>",
    "    Reply with a test value of the specified type. <type> can be: string,",
    "    integer, double, bignum, null, array, set, map, attrib, push, verbatim,",
    "    true, false.",
    "QUICKLIST-PACKED-THRESHOLD <size>",
    "    Sets the threshold for elements to be inserted as plain vs packed nodes",
    "    Default value is 1GB, allows values up to 4GB. Setting to 0 restores to default.",
    "RELOAD [option ...]",
    "    Save the RDB on disk (unless the NOSAVE option is given) and reload it back to",
    "    memory. Valid <option> values:",
    "    * MERGE: conflicting keys will be loaded from RDB.",
    "    * NOFLUSH: the existing database will not be removed before load, but",
    "      conflicting keys will generate an exception and kill the server.",
    "    * NOSAVE: the database will be loaded from an existing RDB file.",
    "    Examples:",
    "    * DEBUG RELOAD: verify that the server is able to persist, flush and reload",
    "      the database.",
    "    * DEBUG RELOAD NOSAVE: replace the current database with the contents of an",
    "      existing RDB file.",
    "    * DEBUG RELOAD NOSAVE NOFLUSH MERGE: add the contents of an existing RDB",
    "      file to the database.",
    "RESTART [<milliseconds>]",
    "    Graceful restart: save config, db, restart after a <milliseconds> delay",
    "    (default 0).",
    "SEGFAULT",
    "    Crash the server with sigsegv.",
    "SET-ACTIVE-EXPIRE <0|1>",
    "    Setting it to 0 disables expiring keys in background when they are not",
    "    accessed (otherwise the Redis behavior). Setting it to 1 reenables back the",
    "    default.",
    "SLEEP <seconds>",
    "    Stop the server for <seconds>. Decimals allowed.",
    "STRINGMATCH-LEN <pattern> <string>",
    "    Tell whether <string> matches the glob-style <pattern>: 1 or 0.",
    "PAUSE-CRON <0|1>",
    "    Stop periodic cron job processing.",
    "REPLYBUFFER PEAK-RESET-TIME <NEVER||RESET|time>",
    "    Sets the time (in milliseconds) to wait between client reply buffer peak resets.",
    "    In case NEVER is provided the last observed peak will never be reset",
    "    In case RESET is provided the peak reset time will be restored to the default value",
    "REPLYBUFFER RESIZING <0|1>",
    "    Enable or disable the reply buffer resize cron job",
    "HELP",
    "    Prints this help.",
];

fn help(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    call.reply.array(HELP_LINES.len());
    for line in HELP_LINES {
        call.reply.simple(line.as_bytes());
    }
    Ok(())
}
