//! Batches: requests of all ready connections are cut, their keys touched ahead, then they run.
//!
//!   ready   A B C D …      cut up to a batch of requests from as many connections as that takes
//!   touch   segment, word, entry: each stage over every key before the next, the misses overlap
//!   run     A's in order, B's in order, …
//!
//! Measured on five million keys: a look-up costs 95 ns in batches of 16 and 450 to 580 one by one
//! (DESIGN section 4). With one key in hand there is nothing to overlap, and nothing is touched.
//! Requests of many keys (MSET) fill the window of touched keys before the batch is over; the run
//! touches the next window when it comes to the first request that was not in the last.
//!
//! **Invariant:** a connection's requests run in the order in which they came, whatever parks.

use std::sync::atomic::Ordering;

use io::{Close, Driver};
use store::Spot;

use super::Worker;
use crate::clients::Claim;
use crate::connection::{Connection, Wait};
use crate::dispatch::{Engine, Seat, Served};
use crate::input::{BATCH_MAX, Behind, Cut, Input};
use crate::log;
use crate::plan::KeyShape;
use crate::server::Server;
use crate::session::{Answer, ReplyMode};

/// Keys touched ahead at a time.
const KEYS_AHEAD: usize = BATCH_MAX;

/// Keys that are touched together, each with its database.
pub(super) type Window = Vec<(u32, Spot)>;

impl<D: Driver> Worker<'_, D> {
    /// Parked connections come again.
    pub(super) fn retry_parked(&mut self) {
        for place in std::mem::take(&mut self.parked) {
            let Some(connection) = &mut self.connections[place] else {
                continue;
            };
            let Some(wait) = connection.parked else {
                continue;
            };
            match wait {
                // Whoever waits for a key is in another list.
                Wait::Key => continue,
                Wait::Job if !answer_awaited(&self.engine, connection) => {
                    self.parked.push(place);
                    continue;
                }
                Wait::Shard | Wait::Gate | Wait::Job => {}
            }
            connection.parked = None;
            self.ready.push_back(place);
            if wait == Wait::Job {
                self.mark_dirty(place);
            }
        }
    }

    /// Serves everything that is ready.
    pub(super) fn serve_ready(&mut self) {
        let mut group = std::mem::take(&mut self.group);
        while !self.ready.is_empty() {
            self.gather(&mut group);
            self.touch_ahead(&group);
            for place in group.drain(..) {
                self.serve_one(place);
            }
        }
        self.group = group;
    }

    /// Takes connections and cuts their requests until a batch is full.
    fn gather(&mut self, group: &mut Vec<usize>) {
        let (commands, desk) = (&self.engine.server.commands, &self.engine.desk);
        let batch = desk.live.prefetch_batch_max.clamp(1, BATCH_MAX);
        let mut cut = 0;
        while cut < batch
            && let Some(place) = self.ready.pop_front()
        {
            let Some(connection) = &mut self.connections[place] else {
                continue;
            };
            if connection.is_held {
                connection.waits_in_hold = true;
                continue;
            }
            let limits = connection.limits(desk);
            let Some(input) = &mut connection.input else {
                continue;
            };
            if input.is_served() {
                // Before login each request may change what the next one may be.
                let wanted = if limits.before_login { 1 } else { batch };
                input.cut(&mut connection.parser, &limits, commands, wanted);
            }
            cut += input.requests.len() - input.next;
            group.push(place);
        }
    }

    /// Touches what the batch will need, stage by stage, as far as the window of keys reaches.
    fn touch_ahead(&mut self, group: &[usize]) {
        let mut window = std::mem::take(&mut self.window);
        for &place in group {
            if let Some(connection) = &mut self.connections[place]
                && let Some(input) = &mut connection.input
                && !fill(
                    self.engine.server,
                    &mut window,
                    connection.session.db,
                    input,
                )
            {
                break;
            }
        }
        self.touch(&mut window);
        self.window = window;
    }

    /// The window was full before it came to the next request of `input`: touches from there on.
    #[cold]
    fn touch_more(&mut self, db: u32, input: &mut Input) {
        let mut window = std::mem::take(&mut self.window);
        fill(self.engine.server, &mut window, db, input);
        self.touch(&mut window);
        self.window = window;
    }

    /// Runs each stage over all keys of the window, and empties it. A lone key has nothing to
    /// overlap with.
    #[inline]
    fn touch(&self, window: &mut Window) {
        if window.len() > 1 && self.engine.desk.live.prefetch_batch_max > 1 {
            let figures = &self.engine.desk.figures;
            figures.prefetch_batches.add(1);
            figures.prefetch_entries.add(window.len() as u64);
            self.engine.server.store.touch_ahead(window);
        }
        window.clear();
    }

    /// Counts a connection among the blocked ones from its first parking at a gate until it has got
    /// through: one that merely comes again stays counted, so that INFO in the same turn sees it.
    pub(super) fn count_paused(&self, connection: &mut Connection, is_paused: bool) {
        let count = &self.engine.server.blocked_clients;
        match (connection.is_counted_paused, is_paused) {
            (false, true) => count.fetch_add(1, Ordering::Relaxed),
            (true, false) => count.fetch_sub(1, Ordering::Relaxed),
            _ => return,
        };
        connection.is_counted_paused = is_paused;
    }

    /// Runs the requests that were cut for a connection, and sees what stands behind them.
    fn serve_one(&mut self, place: usize) {
        // What one client has just been told may be too much for all, and the next one would see it.
        self.evict_clients();
        let Some(mut connection) = self.connections[place].take() else {
            return;
        };
        let Some(mut input) = connection.input.take() else {
            self.connections[place] = Some(connection);
            return;
        };
        if connection.reply.is_empty() && connection.sending_bytes == 0 {
            // Said into a spare vector, not into a new one.
            let spare = self.spares.pop().unwrap_or_default();
            drop(connection.reply.take(connection.reply_room.fit(spare)));
        }
        self.engine.desk.tick = os::clock::ticks();
        let fate = loop {
            let fate = self.run_requests(&mut connection, &mut input);
            // What others say to it is judged word by word (`push.rs`).
            connection.reply.set_ceiling(usize::MAX);
            match fate {
                Fate::Heard => {
                    self.connections[place] = Some(connection);
                    self.deliver_letters();
                    let Some(back) = self.connections[place].take() else {
                        // What it was told went over its limit.
                        return self.keep_input(input);
                    };
                    connection = back;
                }
                fate => break fate,
            }
        };
        if self.engine.desk.holds_replies {
            let seen = std::mem::take(&mut self.engine.desk.depends_on);
            connection.depends_on = connection.depends_on.max(seen);
        }
        let is_paused = matches!(fate, Fate::Parked(Wait::Gate | Wait::Key));
        self.count_paused(&mut connection, is_paused);
        connection.publish();
        match fate {
            Fate::Served => {
                self.connections[place] = Some(connection);
                self.go_on(place, input);
            }
            Fate::Parked(wait) => {
                connection.parked = Some(wait);
                connection.input = Some(input);
                connection.publish();
                self.connections[place] = Some(connection);
                if wait == Wait::Key {
                    self.begin_waiting(place);
                } else {
                    self.parked.push(place);
                }
            }
            Fate::Ending => {
                connection.ending = true;
                self.keep_input(input);
                self.connections[place] = Some(connection);
            }
            Fate::OverLimit => {
                self.keep_input(input);
                self.connections[place] = Some(connection);
                self.check_output_limit(place);
                return;
            }
            Fate::Broken => {
                self.keep_input(input);
                return self.bury(connection, Close::Now);
            }
            Fate::Heard => unreachable!("the loop above goes on"),
        }
        self.mark_output(place);
    }

    fn run_requests(&mut self, connection: &mut Connection, input: &mut Input) -> Fate {
        let limit = self.engine.desk.live.output_limits[connection.class()];
        let ceiling = connection.reply_ceiling(limit.hard_bytes);
        connection.reply.set_ceiling(ceiling);
        while let Some(&Cut {
            request, command, ..
        }) = input.requests.get(input.next)
        {
            if connection.client.claim() != Claim::Open {
                return Fate::Broken;
            }
            connection.last_command = command;
            if let Some(id) = command
                && self.engine.server.commands.command(id).is_admin
            {
                // It may look at its own client.
                connection.publish_with(Some(input));
            }
            if input.next >= input.touched {
                self.touch_more(connection.session.db, input);
            }
            let args = input.batch.args(&input.bytes, request);
            let mut seat = Seat {
                session: &mut connection.session,
                client: &connection.client,
                reply: &mut connection.reply,
                tries: input.tries,
                spot: input.requests[input.next].spot,
            };
            match self.engine.serve(&mut seat, command, args) {
                Served::Answered => {}
                Served::Parked(wait) => {
                    input.tries = input.tries.saturating_add(1);
                    return Fate::Parked(wait);
                }
                Served::Broken => return Fate::Broken,
            }
            input.next += 1;
            input.tries = 0;
            connection.commands += 1;
            if connection.session.close_after_reply {
                return Fate::Ending;
            }
            if connection.reply.is_cut() {
                return Fate::OverLimit;
            }
            if self.engine.desk.clock_is_stale {
                self.read_clock();
            }
            // A client's own pushes follow its reply.
            if self.engine.desk.has_letters && connection.session.hears_itself() {
                return Fate::Heard;
            }
        }
        Fate::Served
    }

    /// All cut requests have run: more of them, half a one, nonsense, or the end.
    fn go_on(&mut self, place: usize, input: Box<Input>) {
        match input.behind {
            Behind::More => {
                if let Some(connection) = &mut self.connections[place] {
                    connection.input = Some(input);
                    self.ready.push_back(place);
                }
            }
            Behind::Blob { at, len } => self.begin_blob(place, input, at, len),
            Behind::Rest => {
                self.put_away(place, input);
                self.receive_or_end(place);
            }
            Behind::Refused => {
                if let Some(connection) = &mut self.connections[place] {
                    let text = commands::CommandError::Refused.text();
                    connection.reply.error(text.as_bytes());
                    self.engine.desk.figures.error_replies.add(1);
                    self.engine.desk.statistics.count_error(&text);
                    connection.session.abort_multi();
                    connection.input = Some(input);
                    self.ready.push_back(place);
                }
            }
            Behind::Error(error) => {
                if let Some(connection) = &mut self.connections[place] {
                    let text = error.text();
                    log::verbose(format_args!(
                        "Protocol error ({}) from client: id={} addr={}",
                        String::from_utf8_lossy(&text),
                        connection.client.id.0,
                        connection.client.peer
                    ));
                    error.write(&mut connection.reply);
                    self.engine.desk.figures.error_replies.add(1);
                    self.engine.desk.statistics.count_error("ERR");
                    connection.ending = true;
                }
                self.keep_input(input);
            }
        }
    }

    fn receive_or_end(&mut self, place: usize) {
        if let Some(connection) = &mut self.connections[place]
            && connection.peer_ended
        {
            connection.ending = true;
            return self.mark_dirty(place);
        }
        self.receive_more(place);
        self.publish_own_buffer(place);
    }

    /// A connection that has said something, or is ending, is looked at when the turn ends.
    fn mark_output(&mut self, place: usize) {
        let Some(connection) = &self.connections[place] else {
            return;
        };
        if connection.ending || !connection.reply.is_empty() {
            self.mark_dirty(place);
        }
    }
}

/// Answers the command that waited for something, if that is over; otherwise nothing happens.
fn answer_awaited(engine: &Engine<'_>, connection: &mut Connection) -> bool {
    let session = &mut connection.session;
    let Some(answer) = session
        .awaits
        .as_ref()
        .map_or(Some(Answer::Fine), |awaited| {
            awaited.answer(engine.server, engine.desk.clock_ms)
        })
    else {
        return false;
    };
    session.awaits = None;
    let silent = session.reply_mode != ReplyMode::On;
    if session.reply_mode == ReplyMode::SkipNext {
        session.reply_mode = ReplyMode::On;
    }
    match answer {
        _ if silent => {}
        Answer::Fine => connection.reply.ok(),
        Answer::Files(local, replicas) => {
            connection.reply.array(2);
            connection.reply.int(i64::from(local));
            connection.reply.int(i64::from(replicas));
        }
        Answer::Error(text) => {
            connection.reply.error(text.as_bytes());
            engine.desk.figures.error_replies.add(1);
            engine.desk.statistics.count_error(text);
        }
    }
    connection.commands += 1;
    if let Some(input) = &mut connection.input {
        input.next += 1;
        input.tries = 0;
    }
    true
}

/// Puts the keys of the requests that have not been touched yet into the window; gives whether there
/// was room for all. Of a request with more keys than a window, the first are touched. Where a lone key
/// lies is kept for the plan and the handler, so that it is hashed once.
#[inline]
fn fill(server: &Server, window: &mut Window, db: u32, input: &mut Input) -> bool {
    let store = &server.store;
    let is_ours = window.is_empty();
    let mut push = |spot| {
        let has_room = window.len() < KEYS_AHEAD;
        if has_room {
            window.push((db, spot));
        }
        has_room
    };
    let first = input.touched.max(input.next);
    for (at, cut) in input.requests.iter_mut().enumerate().skip(first) {
        if let Some(id) = cut.command {
            let command = server.commands.command(id);
            let args = input.batch.args(&input.bytes, cut.request);
            let fits = match command.key_shape {
                KeyShape::None => true,
                KeyShape::One(at) => {
                    cut.spot = args
                        .try_get(usize::from(at))
                        .map(|word| store.key(word).spot());
                    cut.spot.is_none_or(&mut push)
                }
                KeyShape::Many => commands::keys::positions(command.spec.keys, args)
                    .all(|(at, _)| push(store.key(args.get(at)).spot())),
            };
            if !fits {
                // As much of it as a whole window has been seen to; otherwise it comes again.
                let is_alone = is_ours && at == first;
                input.touched = at + usize::from(is_alone);
                return false;
            }
        }
        input.touched = at + 1;
    }
    true
}

/// What becomes of a connection after its requests have run, or have not.
enum Fate {
    Served,
    Parked(Wait),
    /// Closed when its output has left.
    Ending,
    /// Its output is above the hard limit.
    OverLimit,
    /// It may have been sent pushes by its own command.
    Heard,
    /// Closed at once.
    Broken,
}
