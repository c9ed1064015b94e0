//! A worker: one thread, one event loop, its share of the connections.
//!
//!   wait ─▶ letters ─▶ completions ─▶ parked again ─▶ batches ─▶ pushes ─▶ one send a connection ─▶ timers ─┐
//!     ▲                                                                                                     │
//!     └─────────────────────────────────────────────────────────────────────────────────────────────────────┘
//!
//! The page is `docs/design/worker.md`. A worker never waits for anything but its driver: a shard that
//! is held parks the connection, a full socket leaves the rest to the driver.
//!
//! W1  a connection is in `connections` from `attach` to `close`, at its token's place.
//! W2  a connection with requests to serve is in `ready` or in `parked`, once; with output that the
//!     driver does not have yet, in `dirty`, once.
//! W3  an idle connection has a receive under way.
//!
//! Checked by: server/tests, tests/sim.

mod arrive;
mod blocked;
pub(crate) mod buffers;
mod bytes;
mod cron;
mod held;
mod push;
mod serve;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use io::{Close, Completion, Driver, Socket, Token};
use store::Scratch;

use crate::clients::{Claim, ClientId};
use crate::connection::{Connection, Wait};
use crate::desk::Desk;
use crate::dispatch::Engine;
use crate::evict_clients;
use crate::input::Input;
use crate::listen::Listeners;
use crate::log;
use crate::mailbox::Letter;
use crate::server::Server;
use crate::worker::cron::Cron;

/// Empty buffers of each kind that a worker keeps for its next connections.
const KEPT: usize = 64;

/// How long a turn may wait when a shard has been held for many turns already.
const BUSY_PAUSE: Duration = Duration::from_millis(1);
/// So many turns a parked command is tried again without any pause.
const BUSY_TURNS: u32 = 64;
/// How often, at most and at least, a connection that a pause has parked is looked at, if nobody
/// wakes it before.
const GATE_PAUSE_MIN: Duration = Duration::from_millis(1);
const GATE_PAUSE: Duration = Duration::from_millis(50);

/// How often a connection that waits for a job is looked at, if nobody wakes it before.
const JOB_PAUSE: Duration = Duration::from_millis(50);

/// One worker.
#[derive(Debug)]
pub struct Worker<'w, D> {
    net: D,
    engine: Engine<'w>,
    /// By token's place (W1). Boxed: connections are taken out while they are served.
    connections: Vec<Option<Box<Connection>>>,
    by_client: HashMap<ClientId, Token>,
    /// Places of connections that have something to be served, in the order in which it came.
    ready: VecDeque<usize>,
    parked: Vec<usize>,
    /// When blocked commands give up, or are to be run again.
    give_up: BTreeSet<blocked::Alarm>,
    dirty: Vec<usize>,
    /// Connections whose output waits for the log.
    held: Vec<usize>,
    /// Those of one batch; kept for its memory.
    group: Vec<usize>,
    /// Keys that are about to be touched; kept for its memory.
    window: serve::Window,
    #[expect(
        clippy::vec_box,
        reason = "they move between here and connections as boxes"
    )]
    inputs: Vec<Box<Input>>,
    /// Connections that have a receive buffer of their own.
    own_buffers: usize,
    /// Emptied reply vectors.
    spares: Vec<Vec<u8>>,
    letters: VecDeque<Letter>,
    completions: Vec<Completion>,
    /// Accepted, not let in yet: `max-new-connections-per-cycle` of them come in each turn.
    at_door: VecDeque<Socket>,
    listeners: Listeners,
    cron: Cron,
    /// Tells the watchdog that the loop turns.
    beat: os::watchdog::Beat,
    stopping: bool,
    /// When what has not left is cut off.
    stop_deadline_ms: i64,
}

impl<'w, D: Driver> Worker<'w, D> {
    /// A worker that has no connection yet.
    pub fn new(index: usize, server: &'w Arc<Server>, net: D) -> Worker<'w, D> {
        server.mailboxes[index].set_waker(net.waker());
        let mut worker = Worker {
            net,
            engine: Engine {
                server,
                desk: Desk::new(index, server),
                scratch: Scratch::new(),
                shards: Vec::new(),
                more: Vec::new(),
            },
            connections: Vec::new(),
            by_client: HashMap::new(),
            ready: VecDeque::new(),
            parked: Vec::new(),
            give_up: BTreeSet::new(),
            dirty: Vec::new(),
            held: Vec::new(),
            group: Vec::new(),
            window: Vec::new(),
            inputs: Vec::new(),
            own_buffers: 0,
            spares: Vec::new(),
            letters: VecDeque::new(),
            completions: Vec::new(),
            at_door: VecDeque::new(),
            listeners: Listeners::default(),
            cron: Cron::default(),
            beat: os::watchdog::register(&format!("worker-{index}")),
            stopping: false,
            stop_deadline_ms: i64::MAX,
        };
        worker.read_clock();
        worker
    }

    /// Opens the listeners that the server wants and closes the others. Worker 0's task.
    ///
    /// # Errors
    /// When an address that is not optional cannot be had.
    pub fn listen(&mut self) -> std::io::Result<()> {
        self.listeners.reconcile(&mut self.net, self.engine.server)
    }

    /// Serves until the server stops.
    pub fn run(&mut self) {
        while !self.is_done() {
            self.turn();
        }
        self.engine.server.stop.worker_gone();
    }

    /// Whether the server stops and there is nothing left to be sent, or no time for it.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.stopping
            && (self.net.live() == 0 || self.engine.desk.monotonic_ms >= self.stop_deadline_ms)
    }

    /// One round of the loop.
    pub fn turn(&mut self) {
        let mut completions = std::mem::take(&mut self.completions);
        self.beat.leave();
        let waited = self.net.wait(Some(self.patience()), &mut completions);
        self.beat.enter();
        if let Err(error) = waited {
            // A loop that cannot wait cannot serve: nothing can be done about it here.
            log::warning(format_args!(
                "The event loop of worker {} failed: {error}",
                self.index()
            ));
            std::process::abort();
        }
        let began = self.read_clock();
        self.engine.desk.refresh(self.engine.server);
        self.look_at_log();
        self.read_letters();
        for completion in completions.drain(..) {
            self.complete(completion);
        }
        self.completions = completions;
        self.let_in();
        self.retry_parked();
        self.give_up_blocked();
        self.serve_ready();
        // CONFIG SET port on this very worker: it listens before the reply leaves.
        if self.index() == 0 {
            self.relisten();
        }
        if self.engine.desk.has_letters {
            self.deliver_letters();
        }
        let served = self.net.monotonic();
        // Before anything is held back for it.
        self.kick_log();
        self.flush();
        self.evict_clients();
        // After what was said has left: output takes memory, too.
        if self.engine.desk.evicts {
            self.engine.room();
            if self.engine.desk.has_letters {
                self.deliver_letters();
            }
        }
        if self.engine.desk.monotonic_ms >= self.cron.next_ms {
            self.run_cron();
        }
        // Eviction and expiry write, too.
        self.kick_log();
        let figures = &self.engine.desk.figures;
        figures.turns.add(1);
        figures.commands_us.add((served - began).as_micros() as u64);
        figures
            .turns_us
            .add((self.net.monotonic() - began).as_micros() as u64);
    }

    /// `maxmemory-clients`, before a connection is served and after replies have been handed on.
    #[inline]
    fn evict_clients(&mut self) {
        let (server, live) = (self.engine.server, &self.engine.desk.live);
        if live.maxmemory_clients == 0 {
            return;
        }
        if let Some(limit) = evict_clients::limit(live.maxmemory_clients, live.maxmemory)
            && server.clients.total_bytes() > limit
        {
            evict_clients::evict_clients(server, &self.engine.desk, limit);
            // Its own clients are closed before their next command.
            self.read_letters();
        }
    }

    fn index(&self) -> usize {
        self.engine.desk.worker
    }

    /// How long the next wait may last.
    fn patience(&self) -> Duration {
        let has_work = !self.ready.is_empty() || !self.dirty.is_empty();
        if has_work || !self.at_door.is_empty() || !self.letters.is_empty() {
            return Duration::ZERO;
        }
        let until_cron = self.cron.next_ms - self.engine.desk.monotonic_ms;
        let until_give_up = self.give_up.first().map_or(until_cron, |alarm| {
            alarm.at_ms - self.engine.desk.monotonic_ms
        });
        let patience_ms = until_cron.min(until_give_up).max(0);
        let mut patience = Duration::from_millis(patience_ms as u64);
        if self.engine.desk.evicts {
            return Duration::ZERO;
        }
        for &place in &self.parked {
            let Some(connection) = &self.connections[place] else {
                continue;
            };
            let tries = connection.input.as_ref().map_or(0, |input| input.tries);
            patience = patience.min(match connection.parked {
                Some(Wait::Shard) if tries < BUSY_TURNS => return Duration::ZERO,
                Some(Wait::Shard) => BUSY_PAUSE,
                Some(Wait::Gate) => self.until_gate_opens(),
                Some(Wait::Job) => JOB_PAUSE,
                Some(Wait::Key) | None => continue,
            });
        }
        patience
    }

    /// Until a pause ends by itself; whoever ends it earlier posts `Letter::Retry`.
    fn until_gate_opens(&self) -> Duration {
        let now_ms = self.engine.desk.clock_ms;
        let until_ms = self
            .engine
            .server
            .store
            .pause_until_ms(now_ms)
            .unwrap_or(now_ms);
        Duration::from_millis((until_ms - now_ms).max(0) as u64).clamp(GATE_PAUSE_MIN, GATE_PAUSE)
    }

    /// Reads the clocks for this turn; gives the monotonic one.
    fn read_clock(&mut self) -> Duration {
        let monotonic = self.net.monotonic();
        let desk = &mut self.engine.desk;
        desk.clock_us = self.net.unix_time().as_micros() as i64;
        desk.clock_ms = desk.clock_us.div_euclid(1_000);
        desk.monotonic_ms = monotonic.as_millis() as i64;
        desk.clock_is_stale = false;
        monotonic
    }

    fn read_letters(&mut self) {
        let mut letters = std::mem::take(&mut self.letters);
        self.engine.server.mailboxes[self.index()].collect(&mut letters);
        for letter in letters.drain(..) {
            match letter {
                Letter::Newcomer(socket) => self.attach(*socket),
                Letter::Claimed(client) => {
                    if let Some(&token) = self.by_client.get(&client) {
                        self.close(token.index(), Close::Now);
                    }
                }
                Letter::Push { .. }
                | Letter::Message { .. }
                | Letter::Invalidate { .. }
                | Letter::Answered { .. }
                | Letter::Unblocked { .. } => drop(self.deliver(letter)),
                Letter::Again(client) => {
                    self.run_again(client);
                }
                Letter::Sooner(client) => self.wake_sooner(client),
                // Parked connections are tried again each turn; the letter was the wake-up.
                Letter::Retry => {}
                Letter::Listen => self.relisten(),
                Letter::Stop => self.begin_stop(),
                // The one sleep of a worker: it is what the command is for.
                Letter::Stall { until } => {
                    std::thread::sleep(until.saturating_duration_since(std::time::Instant::now()));
                    self.read_clock();
                }
            }
        }
        self.letters = letters;
    }

    /// Acts on a change of where to listen, once.
    fn relisten(&mut self) {
        let server = self.engine.server;
        // Acquire: what is wanted was written before the flag was raised.
        if !server.relisten.load(Ordering::Acquire) {
            return;
        }
        if let Err(error) = self.listen() {
            log::warning(format_args!("Could not listen: {error}"));
        }
        // Release: who sees it lowered may connect.
        server.relisten.store(false, Ordering::Release);
    }

    fn mark_dirty(&mut self, place: usize) {
        if let Some(connection) = &mut self.connections[place]
            && !connection.is_dirty
        {
            connection.is_dirty = true;
            self.dirty.push(place);
        }
    }

    fn complete(&mut self, completion: Completion) {
        match completion {
            Completion::Accepted { socket, .. } => self.at_door.push_back(socket),
            Completion::AcceptPaused { error, .. } => {
                log::warning(format_args!("Accepting client connection: {error}"));
            }
            Completion::Received { token, buf, result } => self.received(token, buf, result),
            Completion::Sent {
                token,
                chunks,
                result,
            } => self.sent(token, chunks, result),
            // Neither is asked for: connections are not begun here, and nobody waits without reading.
            Completion::Connected { .. } | Completion::Readable { .. } => {}
        }
    }

    /// The server stops: no more newcomers, and clients leave when they have what they were told.
    fn begin_stop(&mut self) {
        if !self.engine.server.stop.is_requested() || self.stopping {
            return;
        }
        self.stopping = true;
        let patience = self.engine.server.stop.patience(&self.engine.desk.live);
        let patience_ms = i64::try_from(patience.as_millis()).unwrap_or(i64::MAX);
        self.stop_deadline_ms = self.engine.desk.monotonic_ms.saturating_add(patience_ms);
        self.listeners.close_all(&mut self.net);
        self.at_door.clear();
        for place in 0..self.connections.len() {
            if let Some(connection) = &mut self.connections[place] {
                connection.ending = true;
                self.mark_dirty(place);
            }
        }
    }

    /// Closes a connection and forgets it.
    fn close(&mut self, place: usize, how: Close) {
        if let Some(connection) = self.connections[place].take() {
            self.bury(connection, how);
        }
    }

    /// Closes a connection that has been taken out of its place.
    fn bury(&mut self, mut connection: Box<Connection>, how: Close) {
        let server = self.engine.server;
        let client = &connection.client;
        // Who lost the claim to a killer has nothing more to do: the client is gone for both.
        client.try_claim(Claim::Closed);
        self.net.close(connection.token, how);
        self.by_client.remove(&client.id);
        server.clients.leave(client.id);
        server.clients.dismiss(self.index());
        if connection.session.monitor {
            server.monitors.leave(client.id);
        }
        server.pubsub.leave_all(client);
        server.tracking.disable(client, &server.store);
        if let Some(watcher) = connection.session.watcher.take() {
            server.store.unwatch(&watcher);
            server.watching_clients.fetch_sub(1, Ordering::Relaxed);
        }
        self.count_paused(&mut connection, false);
        self.own_buffers -= usize::from(connection.own.is_had());
        self.end_blocked(&mut connection);
        if let Some(input) = connection.input.take() {
            self.keep_input(input);
        }
    }

    fn keep_input(&mut self, mut input: Box<Input>) {
        let (_, buffer) = input.take_rest();
        if let Some(buffer) = buffer {
            self.net.recycle(buffer);
        }
        if self.inputs.len() < KEPT {
            self.inputs.push(input);
        }
    }
}
