//! (signatures; the bodies follow within the hour)
#![allow(
    missing_docs,
    unused_variables,
    reason = "signatures landed first so that others can compile"
)]
#![allow(clippy::unused_self, clippy::needless_pass_by_value)]
use crate::{
    Busy, Encoding, EventClass, Events, Key, Kind, NewStr, Refused, Str, ValueRef, WrongType,
};
use std::marker::PhantomData;
use std::sync::Arc;

/// How many shards there are.
pub const SHARDS: usize = 1024;

fn soon() -> ! {
    panic!("the store's signatures are here, its body lands within the hour")
}

#[derive(Clone, Debug)]
pub struct Options {
    pub databases: u32,
    pub workers: usize,
    /// Seeds the hash and the workers' random numbers.
    pub seed: u64,
}

#[derive(Debug)]
pub struct Store;

/// Which locks a unit takes.
#[derive(Clone, Copy, Debug)]
pub enum Plan<'p> {
    /// No key at all: nothing is locked.
    Nothing,
    /// One shard.
    Narrow(usize),
    /// These shards (any order, repetitions allowed).
    Several(&'p [usize]),
    /// The ticket and every shard.
    Wide,
    /// None now: SCAN, RANDOMKEY, KEYS take them one at a time.
    OneByOne,
}

/// The worker's share of a unit.
#[derive(Debug)]
pub struct Turn<'t> {
    /// The worker's index; one thread at a time uses it.
    pub worker: usize,
    pub db: u32,
    /// The turn's clock.
    pub clock_ms: i64,
    /// How often this command has been answered Busy; promotes a starving one to the ticket.
    pub tries: u32,
    /// CLIENT NO-TOUCH.
    pub no_touch: bool,
    pub scratch: &'t mut Scratch,
}

/// Vectors that units borrow from their worker, so that a unit allocates nothing.
#[derive(Debug, Default)]
pub struct Scratch;
impl Scratch {
    pub fn new() -> Self {
        soon()
    }
    /// The events of the units finished since the last call to `events_mut().clear()`.
    pub fn events_mut(&mut self) -> &mut Events {
        soon()
    }
}

impl Store {
    pub fn new(options: Options) -> Store {
        soon()
    }
    pub fn databases(&self) -> u32 {
        soon()
    }
    pub fn key<'k>(&self, bytes: &'k [u8]) -> Key<'k> {
        soon()
    }
    pub fn begin<'s>(&'s self, plan: Plan<'_>, turn: Turn<'s>) -> Result<Unit<'s>, Busy> {
        soon()
    }
    /// DBSIZE, from counters.
    pub fn keys(&self, db: u32) -> u64 {
        soon()
    }
    /// How many of them have a deadline.
    pub fn keys_with_deadline(&self, db: u32) -> u64 {
        soon()
    }
    pub fn average_ttl_ms(&self, db: u32, now_ms: i64) -> i64 {
        soon()
    }
    pub fn stats(&self) -> Stats {
        soon()
    }
    pub fn reset_stats(&self) {
        soon()
    }
    /// Which classes of keyspace events are gathered (`notify-keyspace-events`).
    pub fn set_event_classes(&self, classes: EventClass) {
        soon()
    }
    /// How access clocks run (`maxmemory-policy`, `lfu-*`).
    pub fn set_access_policy(&self, policy: AccessPolicy) {
        soon()
    }
    /// DEBUG SET-ACTIVE-EXPIRE.
    pub fn set_active_expire(&self, on: bool) {
        soon()
    }
    /// One run of the active expire cycle; `more` says whether there is time left.
    pub fn expire_cycle(
        &self,
        turn: Turn<'_>,
        limit: CycleLimits,
        more: impl FnMut() -> bool,
    ) -> Cycle {
        soon()
    }
    /// Touches memory ahead of a batch; skipped where the shard is held.
    pub fn prefetch(&self, stage: Stage, db: u32, key: Key<'_>) {
        soon()
    }
    pub fn gates(&self) -> Gates {
        soon()
    }
    /// A unit panicked after its first change: write the report and exit.
    pub fn is_half_changed(&self) -> bool {
        soon()
    }
    /// Lets a watcher go; shards held by others are left to be swept later.
    pub fn unwatch(&self, watcher: &Arc<Watcher>) {
        soon()
    }
}

/// The stages of a prefetch, one pass over a batch each.
#[derive(Clone, Copy, Debug)]
pub enum Stage {
    Segment,
    Entry,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessPolicy {
    Lru,
    Lfu { log_factor: u32, decay_minutes: u32 },
}

#[derive(Clone, Copy, Debug)]
pub struct CycleLimits {
    /// Deletions per hold of a shard.
    pub per_hold: usize,
    /// Deletions in all.
    pub total: usize,
}
#[derive(Clone, Copy, Debug, Default)]
pub struct Cycle {
    pub expired: u64,
    pub unfinished: bool,
}

/// INFO's figures that the store counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stats {
    pub keyspace_hits: u64,
    pub keyspace_misses: u64,
    pub expired_keys: u64,
    pub expired_stale_perc: f64,
    pub expired_time_cap_reached: u64,
    pub lazyfree_pending: u64,
    pub lazyfreed_objects: u64,
    pub expire_cycle_cpu_us: u64,
}

/// What can forbid a command, read after locking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gates(u64);
impl Gates {
    pub const READ_ONLY: u64 = 1;
    pub const LOADING: u64 = 2;
    pub const MISCONF: u64 = 4;
    pub const BUSY_SCRIPT: u64 = 8;
    pub const PAUSE_WRITES: u64 = 16;
    pub const PAUSE_ALL: u64 = 32;
    /// Whether any of these is closed.
    pub fn closed(self, gates: u64) -> bool {
        soon()
    }
}

#[derive(Debug)]
pub struct Watcher;
impl Watcher {
    pub fn new() -> Arc<Watcher> {
        soon()
    }
    /// The shards of the watched keys, for EXEC's plan.
    pub fn shards(&self, into: &mut Vec<usize>) {
        soon()
    }
    pub fn is_empty(&self) -> bool {
        soon()
    }
    /// A cheap look before locking; EXEC asks the unit.
    pub fn is_dirty(&self) -> bool {
        soon()
    }
}

#[derive(Debug)]
pub struct Unit<'s> {
    _p: PhantomData<&'s mut Scratch>,
}

/// What a finished unit tells.
#[derive(Clone, Copy, Debug, Default)]
pub struct Done {
    /// Changes, as the save points count them.
    pub dirty: u64,
    pub changed: bool,
    /// The number of the newest write that the unit made or saw (0 while no reader is attached).
    pub depends_on: u64,
}

impl<'s> Unit<'s> {
    pub fn now_ms(&self) -> i64 {
        soon()
    }
    pub fn db(&self) -> u32 {
        soon()
    }
    pub fn select(&mut self, db: u32) {
        soon()
    }
    pub fn worker(&self) -> usize {
        soon()
    }
    pub fn key<'k>(&self, bytes: &'k [u8]) -> Key<'k> {
        soon()
    }
    pub fn store(&self) -> &'s Store {
        soon()
    }
    /// A random number (RANDOMKEY and friends), from the worker's generator.
    pub fn random(&mut self) -> u64 {
        soon()
    }

    pub fn read(&mut self, key: Key<'_>) -> Option<EntryRef<'_>> {
        soon()
    }
    pub fn peek(&mut self, key: Key<'_>) -> Option<EntryRef<'_>> {
        soon()
    }
    /// Looks without touching anything: no removal, no counter, no clock. For commands that need
    /// several keys side by side (BITOP, LCS) after `read` has been called on each.
    pub fn look(&self, key: Key<'_>) -> Option<EntryRef<'_>> {
        soon()
    }
    /// The access clock alone (TOUCH): whether the key exists.
    pub fn touch(&mut self, key: Key<'_>) -> bool {
        soon()
    }
    pub fn read_string(&mut self, key: Key<'_>) -> Result<Option<Str<'_>>, WrongType> {
        soon()
    }
    pub fn look_string(&self, key: Key<'_>) -> Result<Option<Str<'_>>, WrongType> {
        soon()
    }
    pub fn idle_seconds(&self, access: Access) -> u64 {
        soon()
    }
    pub fn frequency(&self, access: Access) -> u8 {
        soon()
    }

    pub fn slot(&mut self, key: Key<'_>) -> Slot<'_> {
        soon()
    }
    pub fn remove(&mut self, key: Key<'_>) -> bool {
        soon()
    }
    /// UNLINK: as `remove`, but what is large is freed by the free thread.
    pub fn unlink(&mut self, key: Key<'_>) -> bool {
        soon()
    }
    pub fn take(&mut self, key: Key<'_>) -> Option<Detached> {
        soon()
    }
    pub fn duplicate(&mut self, key: Key<'_>) -> Option<Detached> {
        soon()
    }
    pub fn place(&mut self, key: Key<'_>, what: Detached) {
        soon()
    }

    pub fn notify(&mut self, class: EventClass, event: &'static str, key: &[u8]) {
        soon()
    }
    pub fn dirty(&mut self, n: u64) {
        soon()
    }
    /// The dirty count so far, for the dispatcher's verbatim log.
    pub fn dirty_count(&self) -> u64 {
        soon()
    }
    /// Whether the unit has changed the store (DESIGN section 6).
    pub fn changed(&self) -> bool {
        soon()
    }
    pub fn log(&mut self, words: &[&[u8]]) {
        soon()
    }
    pub fn log_verbatim<'w>(&mut self, words: impl ExactSizeIterator<Item = &'w [u8]>) {
        soon()
    }
    /// Whether anybody reads the log: build effects only if so.
    pub fn logging(&self) -> bool {
        soon()
    }

    /// The gates, as they are under the unit's locks.
    pub fn gates(&self) -> Gates {
        soon()
    }
    /// Opens or closes gates; Plan::Wide. A pause ends by itself at `pause_until_ms`.
    pub fn set_gates(&mut self, gates: u64, closed: bool) {
        soon()
    }
    pub fn set_pause(&mut self, gates: u64, until_ms: i64) {
        soon()
    }

    /// SCAN: visits shards from `cursor` on until about `count` entries were shown; the next cursor,
    /// 0 at the end. Busy only if nothing was shown yet. Plan::OneByOne or Wide.
    pub fn scan(
        &mut self,
        cursor: u64,
        count: usize,
        show: impl FnMut(EntryRef<'_>),
    ) -> Result<u64, Busy> {
        soon()
    }
    /// RANDOMKEY: shows one key; false when the database is empty. Plan::OneByOne or Wide.
    pub fn random_key(&mut self, show: impl FnMut(EntryRef<'_>)) -> Result<bool, Busy> {
        soon()
    }
    /// A point in time of everything. Plan::OneByOne or Wide.
    pub fn cut(&mut self) -> Result<Cut, Busy> {
        soon()
    }

    pub fn flush_db(&mut self, db: u32, how: Freeing) {
        soon()
    }
    pub fn flush_all(&mut self, how: Freeing) {
        soon()
    }
    pub fn swap_db(&mut self, a: u32, b: u32) {
        soon()
    }

    /// WATCH; the key is one of the plan's.
    pub fn watch(&mut self, watcher: &Arc<Watcher>, key: Key<'_>) {
        soon()
    }
    /// EXEC's test, under the locks of `Watcher::shards`.
    pub fn watch_failed(&self, watcher: &Watcher) -> bool {
        soon()
    }
    /// Lets go under the locks of `Watcher::shards`.
    pub fn unwatch(&mut self, watcher: &Arc<Watcher>) {
        soon()
    }

    /// The declared keys of the command that runs next (debug builds assert nothing else is touched).
    pub fn declare<'k>(&mut self, keys: impl Iterator<Item = Key<'k>>) {
        soon()
    }

    pub fn finish(self) -> Done {
        soon()
    }
}

/// Who frees what FLUSHALL and UNLINK detach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freeing {
    Now,
    Later,
}

#[derive(Debug)]
pub enum Slot<'u> {
    Occupied(Occupied<'u>),
    Vacant(Vacant<'u>),
}

#[derive(Debug)]
pub struct Occupied<'u> {
    _p: PhantomData<&'u mut Scratch>,
}
#[derive(Debug)]
pub struct Vacant<'u> {
    _p: PhantomData<&'u mut Scratch>,
}

/// What becomes of a key's deadline when its value is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deadline {
    Keep,
    Clear,
    At(i64),
}

impl Occupied<'_> {
    pub fn entry(&self) -> EntryRef<'_> {
        soon()
    }
    pub fn set_string(&mut self, value: NewStr<'_>, deadline: Deadline) -> Result<(), Refused> {
        soon()
    }
    /// The string as bytes of this length, raw, for changing in place; growth is zeroed.
    pub fn resize_string(&mut self, len: usize) -> Result<&mut [u8], Refused> {
        soon()
    }
    pub fn set_deadline(&mut self, at_ms: Option<i64>) {
        soon()
    }
    pub fn remove(self) {
        soon()
    }
}
impl<'u> Vacant<'u> {
    pub fn insert_string(self, value: NewStr<'_>, deadline: Option<i64>) -> Result<(), Refused> {
        soon()
    }
    /// A raw string of zeros, for filling in place.
    pub fn insert_zeroed(self, len: usize) -> Result<&'u mut [u8], Refused> {
        soon()
    }
    pub fn insert(self, what: Detached) {
        soon()
    }
}

/// A value that has left its key, or a copy of one, on its way to another key.
#[derive(Debug)]
pub struct Detached;
impl Detached {
    pub fn kind(&self) -> Kind {
        soon()
    }
    pub fn deadline(&self) -> Option<i64> {
        soon()
    }
    pub fn set_deadline(&mut self, at_ms: Option<i64>) {
        soon()
    }
}

#[derive(Clone, Copy, Debug)]
pub struct EntryRef<'a> {
    _p: PhantomData<&'a Scratch>,
}
impl<'a> EntryRef<'a> {
    pub fn key(self) -> &'a [u8] {
        soon()
    }
    pub fn kind(self) -> Kind {
        soon()
    }
    pub fn deadline(self) -> Option<i64> {
        soon()
    }
    pub fn value(self) -> ValueRef<'a> {
        soon()
    }
    /// The value, if it is a string.
    pub fn string(self) -> Result<Str<'a>, WrongType> {
        soon()
    }
    pub fn encoding(self) -> Encoding {
        soon()
    }
    pub fn access(self) -> Access {
        soon()
    }
    /// Bytes that the entry holds, its own allocations included (MEMORY USAGE).
    pub fn memory_bytes(self) -> usize {
        soon()
    }
}
/// An entry's access clock; ask the unit what it means.
#[derive(Clone, Copy, Debug)]
pub struct Access(u32);

/// A point in time of all databases.
#[derive(Debug)]
pub struct Cut;
impl Cut {
    pub fn time_ms(&self) -> i64 {
        soon()
    }
    pub fn log_number(&self) -> u64 {
        soon()
    }
    pub fn keys(&self, db: u32) -> u64 {
        soon()
    }
    /// Every entry of a database that had not expired at the cut, in SCAN's order.
    pub fn iter(&self, db: u32) -> impl Iterator<Item = EntryRef<'_>> + '_ {
        if true {
            soon()
        }
        std::iter::empty()
    }
}
