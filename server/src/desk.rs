//! What a worker has at hand while it runs a command: its own, so that nothing here is locked.
//!
//! **Invariant:** `live` and `statistics` are the newest that the worker knows; they are taken anew
//! at each turn and after each command about the server itself, never within a command.

use std::sync::Arc;

use persist::aof::Log;

use crate::execute::Unsaid;
use crate::live::Live;
use crate::server::Server;
use crate::stats::{Statistics, WorkerFigures};

/// A worker's desk.
#[derive(Debug)]
pub struct Desk {
    /// The worker's index.
    pub worker: usize,
    /// The configuration.
    pub live: Arc<Live>,
    /// The statistics of all workers.
    pub statistics: Arc<Statistics>,
    /// This worker's.
    pub figures: Arc<WorkerFigures>,
    /// The turn's wall clock, ms.
    pub clock_ms: i64,
    /// The turn's wall clock, µs.
    pub clock_us: i64,
    /// The turn's monotonic clock, ms; what `clients::Figures` speak.
    pub monotonic_ms: i64,
    /// The worker has left letters in its own mailbox.
    pub(crate) has_letters: bool,
    /// What a command has said that CLIENT REPLY OFF does not silence.
    pub(crate) unsilenced: Vec<u8>,
    /// A command has taken so long that the turn's clock is to be read again.
    pub(crate) clock_is_stale: bool,
    /// `os::clock::ticks` when the last command ended: where the next one begins.
    pub(crate) tick: u64,
    /// More memory is in use than allowed: the turn's end goes on making room.
    pub(crate) evicts: bool,
    /// While snapshots hold too much: when this worker runs its next write, monotonic ms.
    pub(crate) next_write_ms: i64,
    /// The best victims that this worker has seen.
    pub(crate) pool: store::EvictionPool,
    /// From this duration on, ns, the slow log or the latency monitor may want a command.
    pub(crate) slow_ns: u64,
    /// From these sizes on, bytes, COMMANDLOG wants a request and a reply.
    pub(crate) large_bytes: [usize; 2],
    /// The append-only file's log, and which one that is.
    pub(crate) log: Option<Arc<Log>>,
    pub(crate) log_generation: u32,
    /// `appendfsync always`: replies wait until what they saw is durable.
    pub(crate) holds_replies: bool,
    /// The disk does not keep up: writes wait.
    pub(crate) log_is_late: bool,
    /// The newest write that the replies of the connection at work have seen.
    pub(crate) depends_on: u64,
    /// What the commands of the unit that is at work have left for after its unlocking (E2 of
    /// `execute.rs`).
    pub(crate) unsaid: Vec<Unsaid>,
}

impl Desk {
    /// A worker's desk at its start.
    #[must_use]
    pub fn new(worker: usize, server: &Server) -> Desk {
        let (live, statistics) = (server.live(), server.statistics());
        Desk {
            worker,
            slow_ns: slow_ns(&live),
            large_bytes: large_bytes(&live),
            live,
            figures: statistics.worker(worker).clone(),
            statistics,
            clock_ms: 0,
            clock_us: 0,
            tick: 0,
            monotonic_ms: 0,
            has_letters: false,
            unsilenced: Vec::new(),
            clock_is_stale: false,
            evicts: false,
            next_write_ms: 0,
            pool: store::EvictionPool::default(),
            log: None,
            log_generation: 0,
            holds_replies: false,
            log_is_late: false,
            depends_on: 0,
            unsaid: Vec::new(),
        }
    }

    /// Takes what other workers, or the command that just ran, have published.
    pub fn refresh(&mut self, server: &Server) {
        if server.refresh(&mut self.live, &mut self.statistics) {
            self.slow_ns = slow_ns(&self.live);
            self.large_bytes = large_bytes(&self.live);
        }
        if !Arc::ptr_eq(&self.figures, self.statistics.worker(self.worker)) {
            self.figures = self.statistics.worker(self.worker).clone();
        }
    }
}

/// The sizes of a request and of a reply from which on COMMANDLOG wants to hear of them.
fn large_bytes(live: &Live) -> [usize; 2] {
    [live.request_larger_than, live.reply_larger_than]
        .map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX))
}

/// The shortest duration that anybody wants to hear of.
fn slow_ns(live: &Live) -> u64 {
    let slowlog_us = u64::try_from(live.slowlog_slower_than_us).unwrap_or(u64::MAX);
    let monitor_us = match live.latency_monitor_threshold_ms {
        0 => u64::MAX,
        ms => ms.saturating_mul(1_000),
    };
    slowlog_us.min(monitor_us).saturating_mul(1_000)
}
