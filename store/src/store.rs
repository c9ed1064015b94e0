//! The store: all shards and what stands beside them.

use std::sync::Arc;

use collections::table::Table;

use crate::access::{AccessPolicy, PolicyCell};
use crate::counts::{Counts, DbSize};
use crate::error::Busy;
use crate::event::EventClass;
use crate::frozen::Frozen;
use crate::gate::{GateWord, Gates};
use crate::key::{HashSeed, Key, Spot};
use crate::lazy::{FreeThread, Lazy};
use crate::locks::Shards;
use crate::log::Log;
use crate::plan::{Plan, Turn};
use crate::shard::SHARDS;
use crate::stats::{StatRows, Stats};
use crate::sync::{AtomicBool, AtomicU32, Relaxed};
use crate::tables::Tables;
use crate::unit::Unit;
use crate::wait::Waiter;
use crate::watch::Watcher;

/// What a key's place in a large table costs, the entry not included (docs/design/table.md).
const TABLE_SHARE_BYTES: u64 = 12;

/// What a store is made with.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many databases there are; at least one.
    pub databases: u32,
    /// How many workers begin units; at least one.
    pub workers: usize,
    /// Seeds the hash and the workers' random numbers. Whoever knows it can make keys collide.
    pub seed: u64,
}

/// The data of a server. Shared by all workers; everything that happens to it happens inside a
/// [`Unit`].
#[derive(Debug)]
pub struct Store {
    pub(crate) shards: Shards,
    pub(crate) counts: Counts,
    pub(crate) gates: GateWord,
    pub(crate) log: Arc<Log>,
    pub(crate) stats: StatRows,
    pub(crate) free: FreeThread,
    pub(crate) frozen: Arc<Frozen>,
    pub(crate) policy: PolicyCell,
    /// The classes of events that are gathered.
    event_classes: AtomicU32,
    tracking: AtomicBool,
    pub(crate) active_expire: AtomicBool,
    /// `lazyfree-lazy-*`, as [`Lazy`] packs them.
    lazy: AtomicU32,
    /// Where the next run of the active expire cycle begins.
    pub(crate) expire_shard: AtomicU32,
    half_changed: AtomicBool,
    databases: u32,
    hash_seed: HashSeed,
    pub(crate) seed: u64,
}

impl Store {
    /// An empty store.
    ///
    /// # Panics
    /// If there is no database or no worker.
    #[must_use]
    pub fn new(options: Options) -> Store {
        let Options {
            databases,
            workers,
            seed,
        } = options;
        assert!(
            databases > 0 && workers > 0,
            "a store has a database and a worker"
        );
        let hash_seed = HashSeed::new(seed);
        crate::key::seed_elements(seed);
        let frozen = Arc::new(Frozen::default());
        Store {
            shards: Shards::new(|| Tables::new(hash_seed)),
            counts: Counts::new(databases),
            gates: GateWord::new(),
            log: Arc::new(Log::new(workers)),
            stats: StatRows::new(workers),
            free: FreeThread::new(Arc::clone(&frozen)),
            frozen,
            policy: PolicyCell::new(),
            event_classes: AtomicU32::new(0),
            tracking: AtomicBool::new(false),
            active_expire: AtomicBool::new(true),
            lazy: AtomicU32::new(0),
            expire_shard: AtomicU32::new(0),
            half_changed: AtomicBool::new(false),
            databases,
            hash_seed,
            seed,
        }
    }

    /// How many databases there are.
    #[must_use]
    pub fn databases(&self) -> u32 {
        self.databases
    }

    /// A key with its hash.
    #[inline]
    #[must_use]
    pub fn key<'k>(&self, bytes: &'k [u8]) -> Key<'k> {
        Key::new(bytes, self.hash_seed.hash(bytes))
    }

    /// The key at `spot`, which is where `bytes` was hashed to before.
    #[inline]
    #[must_use]
    pub fn key_at<'k>(&self, spot: Spot, bytes: &'k [u8]) -> Key<'k> {
        debug_assert_eq!(
            spot.hash(),
            self.hash_seed.hash(bytes),
            "the spot of another key"
        );
        Key::new(bytes, spot.hash())
    }

    /// Begins a unit: takes the locks of its plan, reads time and gates.
    ///
    /// # Errors
    /// `Busy` if another worker holds a shard: park the connection and try again, with
    /// [`Turn::tries`] raised. Nobody sleeps.
    #[inline]
    pub fn begin<'s>(&'s self, plan: Plan<'_>, turn: Turn<'s>) -> Result<Unit<'s>, Busy> {
        Unit::begin(self, plan, turn)
    }

    /// How many keys a database has (DBSIZE, INFO keyspace), from counters.
    #[must_use]
    pub fn db_size(&self, db: u32, now_ms: i64) -> DbSize {
        self.counts.size(&self.shards, db, now_ms)
    }

    /// How many keys a database has.
    #[must_use]
    pub fn keys(&self, db: u32) -> u64 {
        self.db_size(db, 0).keys
    }

    /// Bytes that a database's tables occupy, their entries not included. Waits for nobody: a shard
    /// that somebody holds at this moment is taken to be like the others.
    #[must_use]
    pub fn table_bytes(&self, db: u32) -> u64 {
        let (mut bytes, mut seen) = (0, 0);
        for shard in 0..SHARDS {
            if let Some(glance) = self.shards.outside(shard).glance() {
                seen += 1;
                bytes += glance.tables().get(db).map_or(0, Table::heap_bytes) as u64;
            }
        }
        match seen {
            // The caller's own unit holds them all.
            0 => self.keys(db) * TABLE_SHARE_BYTES,
            _ => bytes * SHARDS as u64 / seen,
        }
    }

    /// INFO's figures.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let (lazyfree_pending, lazyfreed_objects) = self.free.figures();
        Stats {
            lazyfree_pending,
            lazyfreed_objects,
            ..self.stats.read()
        }
    }

    /// Bytes that are on their way to the system already, at least: with the free thread.
    #[must_use]
    pub fn bytes_to_free(&self) -> u64 {
        self.free.bytes()
    }

    /// Bytes that the containers' arenas have from the allocator and hold no data in: what comes next
    /// is put there.
    #[must_use]
    pub fn idle_bytes() -> u64 {
        collections::table::idle_bytes() as u64
    }

    /// Bytes that only snapshots hold (`mem_snapshot`): evicting what they share frees nothing.
    #[inline]
    #[must_use]
    pub fn snapshot_bytes(&self) -> u64 {
        self.frozen.bytes()
    }

    /// Sets how many of these there should be at most; 0 for no bound. Past it a cut gives first the parts
    /// that are being written to.
    pub fn set_snapshot_bound(&self, bytes: u64) {
        self.frozen.set_bound(bytes);
    }

    /// Whether there are more: writers are to be slowed.
    #[inline]
    #[must_use]
    pub fn is_snapshot_over(&self) -> bool {
        self.frozen.is_over()
    }

    /// CONFIG RESETSTAT.
    pub fn reset_stats(&self) {
        self.stats.reset();
        self.free.reset_freed();
    }

    /// Which classes of keyspace events are gathered (`notify-keyspace-events`).
    pub fn set_event_classes(&self, classes: EventClass) {
        // Relaxed, here and in the next three: the word stands for itself.
        self.event_classes.store(classes.0, Relaxed);
    }

    #[inline]
    pub(crate) fn event_classes(&self) -> EventClass {
        EventClass(self.event_classes.load(Relaxed))
    }

    /// Whether changed keys are gathered for the witness: while a client tracks keys.
    pub fn set_tracking(&self, on: bool) {
        self.tracking.store(on, Relaxed);
    }

    #[inline]
    pub(crate) fn is_tracking(&self) -> bool {
        self.tracking.load(Relaxed)
    }

    /// How access clocks run (`maxmemory-policy`, `lfu-*`).
    pub fn set_access_policy(&self, policy: AccessPolicy) {
        self.policy.set(policy);
    }

    /// Which removals are the free thread's work for Redis (`lazyfree-lazy-*`).
    pub fn set_lazy(&self, lazy: Lazy) {
        // Relaxed, here and below: the word stands for itself.
        self.lazy.store(lazy.pack(), Relaxed);
    }

    /// See [`Store::set_lazy`].
    pub(crate) fn lazy(&self) -> Lazy {
        Lazy::unpack(self.lazy.load(Relaxed))
    }

    /// DEBUG SET-ACTIVE-EXPIRE.
    pub fn set_active_expire(&self, on: bool) {
        self.active_expire.store(on, Relaxed);
    }

    /// The gates, as a hint: a unit reads them again under its locks.
    #[must_use]
    pub fn gates(&self, now_ms: i64) -> Gates {
        self.gates.read(now_ms)
    }

    /// When the running CLIENT PAUSE ends.
    #[must_use]
    pub fn pause_until_ms(&self, now_ms: i64) -> Option<i64> {
        self.gates.pause_until_ms(now_ms)
    }

    /// The number of the newest write in the change log, which the reply of a command without keys
    /// depends on. 0 while nobody reads the log.
    #[must_use]
    pub fn newest_write(&self) -> u64 {
        if self.log.is_recording() {
            self.log.next_number() - 1
        } else {
            0
        }
    }

    /// Whether a unit panicked after its first change. Its shards stay locked: write the report
    /// and exit (DESIGN section 6).
    #[must_use]
    pub fn is_half_changed(&self) -> bool {
        // Relaxed: set once; whoever handles the panic runs on the thread that set it.
        self.half_changed.load(Relaxed)
    }

    #[cold]
    pub(crate) fn set_half_changed(&self) {
        self.half_changed.store(true, Relaxed);
    }

    /// Who waits for a key, as far as its shard can be had at once: for planning.
    #[must_use]
    pub fn waiters(&self, db: u32, key: Key<'_>) -> Vec<Arc<Waiter>> {
        let Some(held) = self.shards.narrow_now(key.shard()) else {
            return Vec::new();
        };
        let (_, data) = held.get(key.shard());
        data.waiting.as_ref().map_or_else(Vec::new, |waiting| {
            let waiters = waiting.of(db, key.bytes()).iter();
            waiters.filter(|w| !w.has_ended()).cloned().collect()
        })
    }

    /// Takes a waiter out of the registries whose shards can be had at once; what is left is swept
    /// later.
    pub fn unwait(&self, waiter: &Arc<Waiter>) {
        waiter.end();
        for key in waiter.awaited() {
            if let Some(mut held) = self.shards.narrow_now(key.shard()) {
                let (_, data) = held.get_mut(key.shard());
                if let Some(waiting) = &mut data.waiting {
                    waiting.remove(key, waiter);
                    if waiting.len() == 0 {
                        data.waiting = None;
                    }
                }
            }
        }
    }

    /// Ends a WATCH session, taking out its watches where the shards can be had at once; what is
    /// left is swept later. A new session needs a new watcher.
    pub fn unwatch(&self, watcher: &Arc<Watcher>) {
        for watched in watcher.end() {
            let shard = watched.key().shard();
            if let Some(mut held) = self.shards.narrow_now(shard) {
                let (_, data) = held.get_mut(shard);
                crate::watch::let_go(&mut data.watch, watcher, &watched);
            }
        }
    }
}
