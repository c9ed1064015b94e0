//! Bytes in and out: what was received joins its connection's input, what was said leaves in one send.

use std::io;

use ::io::{Chunk, Chunks, Close, Driver, Sent, Token};
use resp::Output;

use super::{KEPT, Worker};
use crate::client_line::client_line;
use crate::connection::{Connection, Incoming, LINE_END, Receiving, Wait};
use crate::input::Input;
use crate::log;

/// A large word's vector is reserved in steps, each four times the last: a word that is announced
/// and never sent costs this much, and one that comes moves a third of its bytes once more.
pub(super) const BLOB_FIRST_STEP: usize = 1 << 20;

impl<D: Driver> Worker<'_, D> {
    /// Asks the driver for more, if it is not asked already (K1, W3).
    pub(super) fn receive_more(&mut self, place: usize) {
        let Some(connection) = &mut self.connections[place] else {
            return;
        };
        let wants = !connection.ending && !connection.peer_ended && connection.may_receive();
        if connection.receiving != Receiving::Nothing || !wants {
            return;
        }
        match &mut connection.blob {
            Some(blob) => {
                connection.receiving = Receiving::Blob;
                self.net
                    .receive_into(connection.token, std::mem::take(&mut blob.bytes));
            }
            None => match connection.own.take() {
                Some(buf) => {
                    connection.receiving = Receiving::Own;
                    self.net.receive_into(connection.token, buf);
                }
                None => {
                    connection.receiving = Receiving::Pool;
                    self.net.receive(connection.token);
                }
            },
        }
    }

    /// Bytes came, or the end.
    pub(super) fn received(&mut self, token: Token, buf: Vec<u8>, result: io::Result<usize>) {
        let place = token.index();
        let Some(connection) = self.connections.get_mut(place).and_then(Option::as_mut) else {
            return self.net.recycle(buf);
        };
        if connection.token != token {
            return self.net.recycle(buf);
        }
        let receiving = std::mem::replace(&mut connection.receiving, Receiving::Nothing);
        let count = match result {
            Ok(count @ 1..) => count,
            Ok(0) => return self.peer_ended(place, receiving, buf),
            // Its own buffer was taken away (`buffers.rs`).
            Err(error) if ::io::is_cancelled(&error) => return self.receive_more(place),
            Err(error) => {
                log::verbose(format_args!("Reading from client: {error}"));
                return self.close(place, Close::Now);
            }
        };
        connection.net_in += count as u64;
        connection.active_ms = self.engine.desk.monotonic_ms;
        self.engine.desk.figures.net_input_bytes.add(count as u64);
        self.engine.desk.figures.reads_processed.add(1);
        if receiving == Receiving::Blob {
            return self.received_of_blob(place, buf);
        }
        connection.own.received(count);
        if connection.parked == Some(Wait::Key) {
            return self.received_while_blocked(place, buf);
        }
        self.give_input(place, buf);
        self.check_query_buffer(place);
    }

    /// The connection has something to be served: half a request that it had, and `buf`.
    fn give_input(&mut self, place: usize, buf: Vec<u8>) {
        let Some(connection) = &mut self.connections[place] else {
            return;
        };
        let mut input = self.inputs.pop().unwrap_or_else(|| Box::new(Input::new()));
        input.tries = 0;
        if connection.rest.is_empty() {
            input.bytes = buf;
        } else {
            input.bytes = std::mem::take(&mut connection.rest);
            input.bytes.extend_from_slice(&buf);
            if let Some(buf) = connection.own.keep(buf) {
                self.net.recycle(buf);
            }
        }
        connection.input = Some(input);
        self.ready.push_back(place);
    }

    /// More of a large word came.
    fn received_of_blob(&mut self, place: usize, mut bytes: Vec<u8>) {
        let Some(connection) = &mut self.connections[place] else {
            return;
        };
        let Some(Incoming { len, .. }) = connection.blob else {
            return;
        };
        let whole = len + LINE_END;
        if bytes.len() < whole {
            if bytes.len() == bytes.capacity() {
                let step = (bytes.len() * 4).min(whole) - bytes.len();
                if bytes.try_reserve_exact(step).is_err() {
                    connection.parser.refuse_blob(bytes.len());
                    connection.blob = None;
                    return self.give_input(place, Vec::new());
                }
            }
            connection.blob = Some(Incoming::new(bytes, len));
            self.check_query_buffer(place);
            return self.receive_more(place);
        }
        let behind = bytes.split_off(len);
        connection.blob = None;
        connection.parser.supply_blob(bytes.into());
        self.give_own_buffer(place);
        self.give_input(place, behind);
    }

    /// The parser asks for a large word to be received apart; `input` holds what has come of it.
    pub(super) fn begin_blob(
        &mut self,
        place: usize,
        mut input: Box<Input>,
        at: usize,
        len: usize,
    ) {
        let Some(connection) = &mut self.connections[place] else {
            return;
        };
        let here = input.bytes.len() - at;
        let first = (len + LINE_END).min(BLOB_FIRST_STEP.max(here * 4));
        match resp::take_blob(&mut input.bytes, at, first) {
            Ok(bytes) => connection.blob = Some(Incoming::new(bytes, len)),
            Err(resp::Refused) => connection.parser.refuse_blob(0),
        }
        self.put_away(place, input);
        self.receive_more(place);
    }

    /// Keeps what is left of half a request and gives the buffers back.
    pub(super) fn put_away(&mut self, place: usize, mut input: Box<Input>) {
        let (rest, mut buffer) = input.take_rest();
        if let Some(connection) = &mut self.connections[place] {
            connection.rest = rest;
            buffer = buffer.and_then(|buffer| connection.own.keep(buffer));
            // Half a request is held for as long as its client likes.
            connection.publish();
        }
        if let Some(buffer) = buffer {
            self.net.recycle(buffer);
        }
        if self.inputs.len() < KEPT {
            self.inputs.push(input);
        }
    }

    /// The peer will say nothing more. What it asked for is answered before the connection closes.
    fn peer_ended(&mut self, place: usize, receiving: Receiving, buf: Vec<u8>) {
        if receiving == Receiving::Pool {
            self.net.recycle(buf);
        }
        let Some(connection) = &mut self.connections[place] else {
            return;
        };
        connection.peer_ended = true;
        let is_blocked = connection.parked == Some(Wait::Key);
        if log::is_on(log::Level::Verbose) {
            let commands = &self.engine.server.commands;
            let line = client_line(&connection.client, commands, self.engine.desk.monotonic_ms);
            log::verbose(format_args!("Client closed connection {line}"));
        }
        if is_blocked {
            // Nobody is there to be answered: what it waits for must go to others.
            return self.close(place, Close::Now);
        }
        if connection.input.is_none() {
            connection.ending = true;
            self.mark_dirty(place);
        }
    }

    /// `client-query-buffer-limit`.
    pub(super) fn check_query_buffer(&mut self, place: usize) {
        let Some(connection) = &self.connections[place] else {
            return;
        };
        let multi = connection
            .session
            .multi
            .as_ref()
            .map_or(0, |multi| multi.bytes);
        // What is kept of earlier requests was sent by the client as well.
        let kept = connection.session.kept.bytes();
        let held = connection.query_bytes() + connection.words_bytes() + multi + kept;
        if self.engine.desk.live.maxmemory_clients != 0 {
            connection.publish();
        }
        if held as u64 <= self.engine.desk.live.query_buffer_bytes_max {
            return;
        }
        connection.publish();
        let commands = &self.engine.server.commands;
        let line = client_line(&connection.client, commands, self.engine.desk.monotonic_ms);
        let begin: &[u8] = match &connection.input {
            Some(input) => &input.bytes[input.consumed..],
            None => &connection.rest,
        };
        let hidden = self.engine.desk.live.hide_user_data;
        let begin = if hidden {
            b"*redacted*"
        } else {
            &begin[..begin.len().min(64)]
        };
        let begin = String::from_utf8_lossy(&resp::repr(begin)).into_owned();
        log::warning(format_args!(
            "Closing client that reached max query buffer length: {line} (qbuf initial bytes: {begin})"
        ));
        self.engine.desk.figures.query_buffer_disconnections.add(1);
        self.close(place, Close::Now);
    }

    /// Sends what the turn's connections have said: one send each.
    pub(super) fn flush(&mut self) {
        let mut dirty = std::mem::take(&mut self.dirty);
        for place in dirty.drain(..) {
            self.flush_one(place);
        }
        self.dirty = dirty;
    }

    fn flush_one(&mut self, place: usize) {
        let Some(connection) = &mut self.connections[place] else {
            return;
        };
        connection.is_dirty = false;
        if self.engine.desk.holds_replies && self.hold(place) {
            return;
        }
        let Some(connection) = &mut self.connections[place] else {
            return;
        };
        if connection.sending_bytes == 0 && !connection.reply.is_empty() {
            // The vector that a connection keeps is an empty one, so that idle ones hold nothing
            // and the spares are there for those that are served next.
            let output = connection.reply.take(Vec::new());
            let length = output.len();
            connection.net_out += length as u64;
            connection.reply_room.said(length);
            self.engine.desk.figures.net_output_bytes.add(length as u64);
            self.engine.desk.figures.writes_processed.add(1);
            match self.net.send(connection.token, to_chunks(output)) {
                Sent::Done {
                    chunks,
                    result: Ok(()),
                } => keep_spare(&mut self.spares, chunks),
                Sent::Done {
                    result: Err(error), ..
                } => {
                    log::verbose(format_args!("Error writing to client: {error}"));
                    return self.close(place, Close::Now);
                }
                Sent::Pending => connection.sending_bytes = length,
            }
        }
        self.after_output(place);
    }

    /// A send that was pending is done.
    pub(super) fn sent(&mut self, token: Token, chunks: Chunks, result: io::Result<()>) {
        let place = token.index();
        let Some(connection) = self.connections.get_mut(place).and_then(Option::as_mut) else {
            return;
        };
        if connection.token != token {
            return;
        }
        if let Err(error) = result {
            log::verbose(format_args!("Error writing to client: {error}"));
            return self.close(place, Close::Now);
        }
        keep_spare(&mut self.spares, chunks);
        connection.sending_bytes = 0;
        connection.active_ms = self.engine.desk.monotonic_ms;
        if connection.reply.is_empty() {
            self.after_output(place);
        } else {
            self.mark_dirty(place);
        }
    }

    /// Output has gone, or stays: close what was only waiting for that, judge what grows.
    fn after_output(&mut self, place: usize) {
        let Some(connection) = &mut self.connections[place] else {
            return;
        };
        if self.engine.desk.live.maxmemory_clients != 0 {
            connection.publish();
        }
        if connection.output_bytes() == 0 {
            connection.soft_since_ms = None;
            // What is said comes into the next spare; an idle connection keeps no vector.
            if connection.ending {
                self.close(place, Close::Polite);
            }
        } else {
            self.check_output_limit(place);
        }
    }

    /// `client-output-buffer-limit`; gives whether the connection was closed.
    pub(super) fn check_output_limit(&mut self, place: usize) -> bool {
        let Some(connection) = &mut self.connections[place] else {
            return false;
        };
        if !is_over_limit(connection, &self.engine.desk) {
            return false;
        }
        connection.publish();
        let commands = &self.engine.server.commands;
        let line = client_line(&connection.client, commands, self.engine.desk.monotonic_ms);
        log::warning(format_args!(
            "Client {line} scheduled to be closed ASAP for overcoming of output buffer limits."
        ));
        self.engine.desk.figures.output_buffer_disconnections.add(1);
        self.close(place, Close::Now);
        true
    }
}

/// Whether the output is above the hard limit, or has been above the soft one for too long.
pub(super) fn is_over_limit(connection: &mut Connection, desk: &crate::desk::Desk) -> bool {
    let limit = desk.live.output_limits[connection.class()];
    let bytes = connection.output_beyond() as u64;
    if connection.reply.is_cut() || limit.hard_bytes > 0 && bytes >= limit.hard_bytes {
        return true;
    }
    if limit.soft_bytes == 0 || bytes < limit.soft_bytes {
        connection.soft_since_ms = None;
        return false;
    }
    let since = *connection.soft_since_ms.get_or_insert(desk.monotonic_ms);
    // Whole seconds of the clock, as Redis counts them: at least so many, up to one more.
    let elapsed_s = desk.monotonic_ms / 1_000 - since / 1_000;
    elapsed_s > i64::try_from(limit.soft_seconds).unwrap_or(i64::MAX)
}

/// What was said, as the driver takes it.
fn to_chunks(output: Output) -> Chunks {
    let (pieces, tail) = output.into_parts();
    if pieces.is_empty() {
        return tail.into();
    }
    let pieces = pieces.into_iter().map(|piece| match piece {
        resp::Chunk::Bytes(bytes) => Chunk::Bytes(bytes),
        resp::Chunk::Blob(blob, range) => Chunk::Shared(blob, range),
    });
    Chunks::new(pieces, tail)
}

/// Vectors above this are let go: one giant reply must not be kept for ever.
const SPARE_BYTES_MAX: usize = 64 * 1024;

fn keep_spare(spares: &mut Vec<Vec<u8>>, chunks: Chunks) {
    let spare = chunks.into_spare();
    if spares.len() < KEPT && spare.capacity() > 0 && spare.capacity() <= SPARE_BYTES_MAX {
        spares.push(spare);
    }
}
