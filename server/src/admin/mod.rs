//! Commands about the server itself: one file a family, one row beside each handler.
//!
//! Rows have the form of the data commands' (`commands::spec`), handlers get more: the server, the
//! worker's desk, the session and the client that called. The dispatcher has done what the row says
//! (arity, login, flags, locks) before a handler runs, and treats its `Err` as any other: the reply is
//! cut back and the error's text written.
//!
//! A handler that needs the data finds a unit in `AdminCall::unit` when its row names keys (MEMORY
//! USAGE), asks for locks beyond them (CLIENT PAUSE: `Locks::Wide`), or when it runs inside EXEC; a
//! handler whose row asks for nothing must do without (PING inside EXEC has one and does not care).
//!
//! To add a family: a file with `pub(crate) const ROWS: &[&CommandSpec<Handler>]`, named below.

use std::sync::Arc;

use commands::CommandError;
use commands::spec::CommandSpec;
use resp::{Args, Reply};
use store::Unit;

use crate::clients::Client;
use crate::desk::Desk;
use crate::server::Server;
use crate::session::Session;
use crate::table::Command;

mod acl;
mod client;
mod cluster;
mod command;
mod commandlog;
mod config;
mod connection;
mod debug;
mod info;
mod latency;
mod lolwut;
mod memory;
mod module;
mod monitor;
pub(crate) mod pubsub;
mod replication;
mod save;
mod shutdown;
mod slowlog;
mod time;
mod transaction;

/// The code behind a row.
pub type Handler = fn(&mut AdminCall<'_, '_>) -> Result<(), CommandError>;

/// One execution of a command about the server.
#[derive(Debug)]
pub struct AdminCall<'c, 's> {
    /// The request's words; word 0 is the command's name, word 1 a subcommand's.
    pub args: Args<'c>,
    /// The key of a row that has exactly one, hashed for the locks already, and the word that it is.
    pub lone_key: Option<(usize, store::Key<'c>)>,
    /// What is called: of a subcommand its own row, not the container's.
    pub command: &'c Command,
    /// The data, under the locks that the row asked for (see above).
    pub unit: Option<&'c mut Unit<'s>>,
    /// Where the answer goes.
    pub reply: &'c mut Reply,
    /// Whether the command may wait: not inside EXEC.
    pub may_block: bool,
    /// What all workers share.
    pub server: &'c Arc<Server>,
    /// What this worker has at hand.
    pub desk: &'c mut Desk,
    /// The caller's state.
    pub session: &'c mut Session,
    /// The caller, as others see it.
    pub client: &'c Arc<Client>,
}

impl<'c> AdminCall<'c, '_> {
    /// Word `i` as text for an error: what is not UTF-8 is replaced.
    #[must_use]
    pub fn text(&self, i: usize) -> std::borrow::Cow<'c, str> {
        String::from_utf8_lossy(self.args.get(i))
    }

    /// Whether word `i` is `word`, in any case.
    #[must_use]
    pub fn is(&self, i: usize, word: &str) -> bool {
        self.args.get(i).eq_ignore_ascii_case(word.as_bytes())
    }
}

/// A container's HELP.
fn help_lines(call: &mut AdminCall<'_, '_>, lines: &[&str]) -> Result<(), CommandError> {
    call.reply.array(lines.len());
    for line in lines {
        call.reply.simple(line.as_bytes());
    }
    Ok(())
}

/// The answer to a subcommand of `container` with words behind it that it has no use for.
fn wrong_words(call: &AdminCall<'_, '_>, container: &str) -> CommandError {
    let word = call.args.get(1);
    let shown = String::from_utf8_lossy(&word[..word.len().min(128)]);
    let text = format!(
        "ERR unknown subcommand or wrong number of arguments for '{shown}'. Try {container} HELP."
    );
    CommandError::Text(text.into())
}

/// A time-out in ms as the moment of its end, both by the wall clock; 0 stays 0.
fn timeout_end_ms(word: &[u8], now_ms: i64) -> Result<i64, CommandError> {
    let timeout_ms = resp::number::parse_i64(word).ok_or(CommandError::Fixed(
        "ERR timeout is not an integer or out of range",
    ))?;
    match timeout_ms {
        ..0 => Err(CommandError::Fixed("ERR timeout is negative")),
        0 => Ok(0),
        _ => now_ms
            .checked_add(timeout_ms)
            .ok_or(CommandError::Fixed("ERR timeout is out of range")),
    }
}

/// The families' rows.
#[must_use]
pub fn table() -> &'static [&'static [&'static CommandSpec<Handler>]] {
    const FAMILIES: &[&[&CommandSpec<Handler>]] = &[
        acl::ROWS,
        client::ROWS,
        cluster::ROWS,
        command::ROWS,
        commandlog::ROWS,
        config::ROWS,
        connection::ROWS,
        debug::ROWS,
        info::ROWS,
        latency::ROWS,
        lolwut::ROWS,
        memory::ROWS,
        module::ROWS,
        monitor::ROWS,
        pubsub::ROWS,
        replication::ROWS,
        save::ROWS,
        shutdown::ROWS,
        slowlog::ROWS,
        time::ROWS,
        transaction::ROWS,
    ];
    FAMILIES
}
