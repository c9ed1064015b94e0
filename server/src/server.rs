//! What all workers share.
//!
//!   Server ─┬─ store            the data, behind shard locks
//!           ├─ commands         the joined table, never changed
//!           ├─ config, live     every parameter; the same as plain fields, replaced whole
//!           ├─ statistics       figures by worker, replaced whole by CONFIG RESETSTAT
//!           ├─ clients          the registry
//!           ├─ mailboxes        one FIFO a worker
//!           ├─ pubsub, tracking who hears which channel, who is told of changed keys
//!           ├─ monitors, slowlog, latency
//!           ├─ persistence      data files: the job that runs, what the last one gave
//!           ├─ aof              the append-only file's log
//!           └─ stop             the way out
//!
//! Everything in here is either immutable, an atomic, or behind a leaf lock that is held for a few
//! instructions and under which nothing else is locked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use os::disk::{Disk, Simulated};
use parking_lot::Mutex;
use store::Store;

use crate::aof::Aof;
use crate::blocking::Blockings;
use crate::clients::{Client, Clients};
use crate::config::Config;
use crate::crash::Current;
use crate::evict::Exceeded;
use crate::latency::LatencyMonitor;
use crate::listen::Listening;
use crate::live::Live;
use crate::mailbox::{Letter, Mailbox};
use crate::monitor::Monitors;
use crate::persistence::{self, Persistence};
use crate::pubsub::{Outbox, PubSub};
use crate::shutdown::Stop;
use crate::slowlog::Slowlog;
use crate::stats::{Changes, Rates, Statistics};
use crate::table::{CommandTable, RenameError};
use crate::tracking::Tracking;
use crate::worker::buffers::ReplyTuning;

pub use crate::version::{REDIS_VERSION, VERSION};

/// What is fixed for a server's whole life.
#[derive(Clone, Debug)]
pub struct Start {
    /// `io-threads`.
    pub workers: usize,
    /// `rename-command`: old name, new name; an empty one disables.
    pub renames: Vec<(String, String)>,
    /// Seeds key hashes and random choices.
    pub seed: u64,
    /// Forty hexadecimal digits, new at each start: INFO's `run_id`.
    pub run_id: String,
    /// The port for INFO and CLIENT; 0 when TCP is off.
    pub port: u16,
}

/// The server.
#[derive(Debug)]
pub struct Server {
    /// What is fixed.
    pub start: Start,
    /// The data.
    pub store: Store,
    /// The commands of this run.
    pub commands: CommandTable,
    /// Every parameter; `live` is made from it.
    pub config: Config,
    /// All clients.
    pub clients: Clients,
    /// One a worker.
    pub mailboxes: Box<[Mailbox]>,
    /// What each worker runs, for crash reports.
    pub current: Box<[Current]>,
    /// Who gets MONITOR's feed.
    pub monitors: Monitors,
    /// Who hears which channel.
    pub pubsub: PubSub,
    /// Who is told of changed keys.
    pub tracking: Tracking,
    /// SLOWLOG.
    pub slowlog: Slowlog,
    /// COMMANDLOG's large requests.
    pub large_requests: Slowlog,
    /// COMMANDLOG's large replies.
    pub large_replies: Slowlog,
    /// LATENCY.
    pub latency: LatencyMonitor,
    /// Data files.
    pub persistence: Persistence,
    /// The append-only file.
    pub aof: Aof,
    /// Whether and how the server stops.
    pub stop: Stop,
    /// What worker 0 samples ten times a second.
    pub rates: Mutex<Rates>,
    /// Where worker 0 is to listen; `Letter::Listen` tells it that this has changed.
    pub listening: Mutex<Listening>,
    /// Whether worker 0 has yet to act on a change of `listening`.
    pub relisten: AtomicBool,
    /// Where it does listen.
    pub addresses: Mutex<Vec<io::Address>>,
    /// Wall clock at the start, ms.
    pub started_unix_ms: i64,
    /// Changes to the data, as the save points count them.
    pub changes: Changes,
    /// Clients with watched keys.
    pub watching_clients: AtomicU32,
    /// Clients in MULTI or parked, for INFO's `blocked_clients`.
    pub blocked_clients: AtomicU32,
    /// Clients whose command waits for a key.
    pub blocked: Blockings,
    /// DEBUG PAUSE-CRON: the timers do nothing.
    pub cron_paused: AtomicBool,
    /// Worker 0's last run of the expire cycle has left something to do.
    pub expire_is_behind: AtomicBool,
    /// DEBUG RESTART: when the server has stopped, the program is to begin anew after so long.
    pub restart_after: Mutex<Option<Duration>>,
    /// DEBUG CHANGE-REPL-ID: how often.
    pub replication_ids: AtomicU64,
    /// DEBUG QUICKLIST-PACKED-THRESHOLD, bytes; 0: none.
    pub list_plain_bytes: AtomicUsize,
    /// DEBUG REPLYBUFFER.
    pub reply_tuning: ReplyTuning,
    /// Bytes that were in use before the first client came: INFO's `used_memory_startup`.
    pub startup_bytes: AtomicU64,
    /// Held by the worker that evicts clients.
    pub(crate) evicting_clients: Mutex<()>,
    /// Time with more memory in use than `maxmemory`.
    pub exceeded: Exceeded,
    live: ArcSwap<Live>,
    statistics: ArcSwap<Statistics>,
}

impl Server {
    /// A server that nobody serves yet, with data files in memory.
    ///
    /// # Errors
    /// When `rename-command` names what is not there.
    pub fn new(start: Start, live: Live) -> Result<Arc<Server>, RenameError> {
        let disk = Disk::Simulated(Simulated::new());
        Server::build(start, Config::new(), live, disk)
    }

    /// The same from a whole configuration.
    ///
    /// # Errors
    /// When `rename-command` names what is not there.
    pub fn with_config(start: Start, config: Config) -> Result<Arc<Server>, RenameError> {
        Server::with_config_on(start, config, Disk::Real)
    }

    /// The same with data files on this disk.
    ///
    /// # Errors
    /// When `rename-command` names what is not there.
    pub fn with_config_on(
        start: Start,
        config: Config,
        disk: Disk,
    ) -> Result<Arc<Server>, RenameError> {
        let live = config.live();
        Server::build(start, config, live, disk)
    }

    fn build(
        start: Start,
        config: Config,
        live: Live,
        disk: Disk,
    ) -> Result<Arc<Server>, RenameError> {
        let started_unix_ms = os::clock::wall_ms();
        let commands = CommandTable::new(&start.renames)?;
        let options = store::Options {
            databases: live.settings.databases,
            workers: start.workers + persistence::LANES,
            seed: start.seed,
        };
        let server = Server {
            store: Store::new(options),
            clients: Clients::new(start.workers),
            mailboxes: (0..start.workers).map(|_| Mailbox::default()).collect(),
            current: (0..start.workers).map(|_| Current::default()).collect(),
            monitors: Monitors::default(),
            pubsub: PubSub::default(),
            tracking: Tracking::default(),
            slowlog: Slowlog::default(),
            large_requests: Slowlog::default(),
            large_replies: Slowlog::default(),
            evicting_clients: Mutex::default(),
            latency: LatencyMonitor::default(),
            persistence: Persistence::new(disk, start.workers, started_unix_ms),
            aof: Aof::default(),
            stop: Stop::default(),
            rates: Mutex::new(Rates::default()),
            listening: Mutex::new(Listening::default()),
            relisten: AtomicBool::new(false),
            addresses: Mutex::new(Vec::new()),
            started_unix_ms,
            changes: Changes::new(start.workers),
            watching_clients: AtomicU32::new(0),
            blocked_clients: AtomicU32::new(0),
            blocked: Blockings::default(),
            cron_paused: AtomicBool::new(false),
            expire_is_behind: AtomicBool::new(false),
            restart_after: Mutex::default(),
            replication_ids: AtomicU64::new(0),
            list_plain_bytes: AtomicUsize::new(0),
            reply_tuning: ReplyTuning::default(),
            startup_bytes: AtomicU64::new(0),
            exceeded: Exceeded::default(),
            statistics: ArcSwap::from_pointee(Statistics::new(start.workers, commands.all().len())),
            live: ArcSwap::from_pointee(Live::default()),
            commands,
            config,
            start,
        };
        server.set_live(live);
        Ok(Arc::new(server))
    }

    /// The newest configuration.
    #[must_use]
    pub fn live(&self) -> Arc<Live> {
        self.live.load_full()
    }

    /// Publishes a configuration, and hands the store what it keeps of it.
    pub fn set_live(&self, mut live: Live) {
        // Relaxed: a switch by itself.
        live.settings.limits.list_plain_bytes = self.list_plain_bytes.load(Ordering::Relaxed);
        self.store.set_access_policy(live.access_policy());
        self.store.set_lazy(live.lazy);
        self.slowlog.set_len_max(live.slowlog_len_max);
        self.large_requests.set_len_max(live.large_requests_len_max);
        self.large_replies.set_len_max(live.large_replies_len_max);
        self.store.set_event_classes(live.events.gathered());
        self.tracking.set_keys_max(live.tracking_keys_max);
        self.tracking
            .limit(self, &Outbox::of_nobody(&self.mailboxes));
        if let Some(loading) = self.persistence.loading() {
            // Relaxed: the delay stands for itself.
            loading
                .delay_us
                .store(live.key_load_delay_us, Ordering::Relaxed);
        }
        self.aof.configure(&live);
        self.live.store(Arc::new(live));
    }

    /// The newest statistics.
    #[must_use]
    pub fn statistics(&self) -> Arc<Statistics> {
        self.statistics.load_full()
    }

    /// CONFIG RESETSTAT. What describes the present (memory and its peak, clients) goes on, as in Redis.
    pub fn reset_statistics(&self) {
        let fresh = Statistics::new(self.start.workers, self.commands.all().len());
        self.statistics.store(Arc::new(fresh));
        self.store.reset_stats();
        self.exceeded.reset();
        self.persistence.reset_statistics();
        *self.rates.lock() = Rates::default();
    }

    /// Replaces what is outdated and says whether `live` was; costs two loads when nothing is.
    pub(crate) fn refresh(&self, live: &mut Arc<Live>, statistics: &mut Arc<Statistics>) -> bool {
        let (newest_live, newest_statistics) = (self.live.load(), self.statistics.load());
        if !Arc::ptr_eq(statistics, &newest_statistics) {
            *statistics = newest_statistics.clone();
        }
        let outdated = !Arc::ptr_eq(live, &newest_live);
        if outdated {
            *live = newest_live.clone();
        }
        outdated
    }

    /// Whether keyspace events are told on `__keyspace` and on `__keyevent` channels.
    pub(crate) fn event_channels(&self) -> (bool, bool) {
        let events = self.live.load().events;
        (events.keyspace, events.keyevent)
    }

    /// Kills a client; `false` when its end was already somebody else's. It is in no registry any more
    /// when the caller replies, though its worker may not have closed it yet.
    pub(crate) fn kill(&self, client: &Client) -> bool {
        let won = self.clients.kill(client, &self.mailboxes);
        if won {
            self.pubsub.leave_all(client);
            self.tracking.disable(client, &self.store);
        }
        won
    }

    /// Leaves a letter like this at every worker.
    pub fn post_all(&self, letter: impl Fn() -> Letter) {
        for mailbox in &self.mailboxes {
            mailbox.post(letter());
        }
    }

    /// Clients with watched keys.
    #[must_use]
    pub fn watching(&self) -> u32 {
        self.watching_clients.load(Ordering::Relaxed)
    }
}
