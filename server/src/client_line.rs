//! A client as one line: CLIENT LIST, CLIENT INFO, and the log when a client is closed.
//!
//!   id=3 addr=127.0.0.1:40000 laddr=127.0.0.1:6379 fd=9 name= age=0 idle=0 flags=N db=0 …
//!
//! Fields and their order are Redis 8.0's. Of buffers:
//!
//! | field | says |
//! |---|---|
//! | `qbuf`, `qbuf-free` | bytes not yet served, and the room behind them, in buffers that the client holds: none after small requests, as in Redis since 7.4 |
//! | `rbs`, `rbp` | the size with which its next reply begins, and the largest of late (`worker/buffers.rs`); an idle client holds none of it |
//! | `obl`, `oll`, `omem` | said and not given to the system; given and not gone: pieces, bytes |
//! | `tot-mem` | what it really holds, its own structures included |
//!
//! Checked by: server/tests/buffers.rs, tests/transcripts/connection/client.txt.

use std::fmt::Write as _;
use std::sync::atomic::Ordering::Relaxed;

use crate::clients::Client;
use crate::table::{CommandId, CommandTable};

/// The line, without a line break. `monotonic_ms` is the reader's clock.
#[must_use]
pub fn client_line(client: &Client, commands: &CommandTable, monotonic_ms: i64) -> String {
    let (figures, names) = (&client.figures, client.names());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let seconds_since = |then: i64| (monotonic_ms - then).max(0) / 1_000;
    let command = match figures.last_command.load(Relaxed) {
        0 => "NULL",
        id => &commands.command(CommandId(id - 1)).full_name,
    };
    let mut line = String::with_capacity(400);
    // Writing to a String cannot fail.
    let _ = write!(
        line,
        "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} db={} sub={} psub={} ssub={} \
         multi={} watch={} qbuf={} qbuf-free={} argv-mem={} multi-mem={} rbs={} rbp={} obl={} oll={} \
         omem={} tot-mem={} events={} cmd={} user={} redir={} resp={} lib-name={} lib-ver={} \
         io-thread={} tot-net-in={} tot-net-out={} tot-cmds={}",
        client.id.0,
        client.peer,
        client.local,
        client.descriptor,
        text(&names.name),
        seconds_since(client.created_ms),
        seconds_since(figures.active_ms.load(Relaxed)),
        client.flags().letters(),
        figures.db.load(Relaxed),
        figures.subscribed[0].load(Relaxed),
        figures.subscribed[1].load(Relaxed),
        figures.subscribed[2].load(Relaxed),
        figures.multi.load(Relaxed),
        figures.watched.load(Relaxed),
        figures.query_bytes.load(Relaxed),
        figures.query_free.load(Relaxed),
        figures.argv_bytes.load(Relaxed),
        figures.multi_bytes.load(Relaxed),
        figures.reply_capacity.load(Relaxed),
        figures.reply_peak.load(Relaxed),
        figures.output_bytes.load(Relaxed),
        figures.output_pieces.load(Relaxed),
        figures.output_list_bytes.load(Relaxed),
        figures.memory_bytes.load(Relaxed),
        if figures.is_sending.load(Relaxed) {
            "rw"
        } else {
            "r"
        },
        command,
        text(&names.user),
        client.redirect(),
        figures.proto.load(Relaxed),
        text(&names.lib_name),
        text(&names.lib_version),
        client.worker,
        figures.net_in.load(Relaxed),
        figures.net_out.load(Relaxed),
        figures.commands.load(Relaxed),
    );
    line
}
