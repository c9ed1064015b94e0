//! Eviction: removing keys that the policy can best do without, until there is room.
//!
//! ```text
//!   draw a shard ─ sample it ─▶ pool (16 candidates, the worker's own) ─ best ─▶ its shard: still there?
//!        ▲                                                                          │ used since: back
//!        │                                                                          ▼ into the pool
//!        └──────────────── more to free, and time left ◀──────────────────────── removed
//! ```
//!
//! The page is `docs/design/eviction.md`. A worker calls it before a command's locks; one shard is held at
//! a time, and none is waited for.
//!
//! V1  A key is removed under its shard's lock, and only after the policy has been asked again under that
//!     lock: a `volatile-*` policy never takes a key without a deadline, and none takes one that has
//!     been used since it was sampled while the pool has a better one.
//! V2  Each hold leaves the keyspace whole: event, log record and counters belong to the hold.
//!
//! Checked by: tests/evict.rs (models of every policy); tests/protocols.rs (shuttle); examples/evict_bench.rs.

use collections::table;

use crate::access::idle_seconds;
use crate::entry::EntryRef;
use crate::gate::Gates;
use crate::plan::{Plan, Turn};
use crate::shard::SHARDS;
use crate::store::Store;
use crate::unit::Unit;

/// What makes a key a good victim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvictionOrder {
    /// It has not been used for long.
    Lru,
    /// It has not been changed for long.
    Lrm,
    /// It is rarely used.
    Lfu,
    /// Chance.
    Random,
    /// It would expire soonest.
    Ttl,
}

/// `maxmemory-policy`, unless it is `noeviction`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvictionPolicy {
    /// Only keys with a deadline of their own may go.
    pub volatile: bool,
    /// Which of them go first.
    pub order: EvictionOrder,
}

/// How a slice of eviction works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvictionLimits {
    /// Who may go.
    pub policy: EvictionPolicy,
    /// `maxmemory-samples`: keys looked at for each that is removed.
    pub samples: usize,
}

/// What came of a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Eviction {
    /// Keys removed, those included that had expired.
    pub removed: u64,
    /// Why it ended.
    pub end: EvictionEnd,
}

/// Why a slice of eviction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvictionEnd {
    /// The caller has said so.
    Told,
    /// Writes are paused, or belong to somebody else: nothing may go now.
    Forbidden,
    /// Every shard with a fitting key is held by somebody else at this moment.
    Busy,
    /// No key may go.
    NothingLeft,
}

/// Candidates of a pool: Redis's number.
const POOL: usize = 16;

/// Draws of a shard before the shards are walked through: enough for any keyspace of some thousand
/// keys.
const DRAWS: usize = 32;

/// Candidates that may turn out to be gone, or used since, before a slice gives up for now.
const CANDIDATES_MAX: usize = 4 * POOL;

/// The best victims seen so far. Owned by a worker.
#[derive(Debug, Default)]
pub struct EvictionPool {
    /// What the worths are about; another policy begins anew.
    policy: Option<EvictionPolicy>,
    /// Ascending in worth.
    candidates: Vec<Candidate>,
    /// Emptied keys, kept for their memory.
    spare: Vec<Vec<u8>>,
}

#[derive(Debug)]
struct Candidate {
    worth: u64,
    db: u32,
    key: Vec<u8>,
}

impl EvictionPool {
    fn begin(&mut self, policy: EvictionPolicy) {
        if self.policy != Some(policy) {
            self.policy = Some(policy);
            self.candidates.clear();
        }
    }

    /// Takes a candidate in, if it is better than the worst or there is room.
    fn offer(&mut self, worth: u64, db: u32, key: &[u8]) {
        let is_full = self.candidates.len() == POOL;
        if is_full && worth <= self.candidates[0].worth {
            return;
        }
        if self.candidates.iter().any(|c| c.db == db && c.key == key) {
            return;
        }
        if is_full {
            let worst = self.candidates.remove(0);
            self.spare.push(worst.key);
        }
        let mut own = self.spare.pop().unwrap_or_default();
        own.clear();
        own.extend_from_slice(key);
        let at = self.candidates.partition_point(|c| c.worth <= worth);
        let candidate = Candidate {
            worth,
            db,
            key: own,
        };
        self.candidates.insert(at, candidate);
    }
}

/// How good a victim an entry is; larger is better.
fn worth(unit: &Unit<'_>, order: EvictionOrder, entry: EntryRef<'_>) -> u64 {
    let clock = entry.access();
    match order {
        EvictionOrder::Lru | EvictionOrder::Lrm => idle_seconds(clock.0, unit.now_ms()),
        EvictionOrder::Lfu => u64::from(u8::MAX - unit.frequency(clock)),
        // The sooner the better; a deadline is never negative for longer than a unit.
        EvictionOrder::Ttl => u64::MAX - entry.deadline().map_or(u64::MAX, |at| at.max(0) as u64),
        EvictionOrder::Random => 0,
    }
}

/// What came of one step.
enum Step {
    /// A key that held so many bytes.
    Removed(u64),
    End(EvictionEnd),
}

/// What became of a candidate under its lock.
enum Fate {
    /// It held so many bytes.
    Removed(u64),
    /// It is gone, or may no longer go.
    Dropped,
    /// It is worth this much now, which is less.
    Worth(u64),
    Forbidden,
}

impl Store {
    /// Removes keys until `go_on` says no, which is asked before each and told how many bytes the entries
    /// before it have held: what an event makes others hold meanwhile is no reason to remove more.
    pub fn evict(
        &self,
        turn: Turn<'_>,
        limits: EvictionLimits,
        pool: &mut EvictionPool,
        mut go_on: impl FnMut(u64) -> bool,
    ) -> Eviction {
        pool.begin(limits.policy);
        let (mut removed, mut bytes) = (0, 0);
        let end = match self.begin(Plan::OneByOne, turn) {
            Err(_) => EvictionEnd::Busy,
            Ok(mut unit) => loop {
                if !go_on(bytes) {
                    break EvictionEnd::Told;
                }
                match unit.evict_one(limits, pool) {
                    Step::Removed(held) => {
                        removed += 1;
                        bytes += held;
                    }
                    Step::End(end) => break end,
                }
                // What went is freed now: the caller measures.
                unit.empty_trash();
            },
        };
        Eviction { removed, end }
    }
}

impl Unit<'_> {
    /// Removes the best victim that can be had.
    fn evict_one(&mut self, limits: EvictionLimits, pool: &mut EvictionPool) -> Step {
        if limits.policy.order == EvictionOrder::Random {
            return self.evict_any(limits.policy);
        }
        for tried in 0..CANDIDATES_MAX {
            if tried % POOL == 0 {
                let sampled = self.fill(limits, pool);
                if let (Some(end), true) = (sampled, pool.candidates.is_empty()) {
                    return Step::End(end);
                }
            }
            let Some(best) = pool.candidates.pop() else {
                continue;
            };
            let shard = self.store().key(&best.key).shard();
            let Candidate { worth, db, key } = best;
            let fate = self.with_shard(shard, |unit| {
                unit.evict_candidate(limits.policy, worth, db, &key)
            });
            match fate {
                Ok(Fate::Removed(bytes)) => {
                    pool.spare.push(key);
                    return Step::Removed(bytes);
                }
                Ok(Fate::Worth(less)) => pool.offer(less, db, &key),
                Ok(Fate::Dropped) => pool.spare.push(key),
                Ok(Fate::Forbidden) => return Step::End(EvictionEnd::Forbidden),
                // Somebody works there: that key is in use, in a way.
                Err(_) => pool.spare.push(key),
            }
        }
        Step::End(EvictionEnd::Busy)
    }

    /// Samples into the pool. Says why, if nothing was seen.
    fn fill(&mut self, limits: EvictionLimits, pool: &mut EvictionPool) -> Option<EvictionEnd> {
        let mut left = limits.samples;
        let mut end = None;
        let visited = self.visit_shards(limits.policy.volatile, |unit, shard| {
            left = left.saturating_sub(unit.sample_shard(shard, left, limits.policy, pool));
            left == 0
        });
        if left == limits.samples {
            end = Some(visited);
        }
        end
    }

    /// Calls `see` with shards that hold fitting keys, each held meanwhile, in a random order, until it
    /// says that it has seen enough. Says why, if it never did.
    fn visit_shards(
        &mut self,
        volatile: bool,
        mut see: impl FnMut(&mut Self, usize) -> bool,
    ) -> EvictionEnd {
        let mut end = EvictionEnd::NothingLeft;
        let store = self.store();
        let mut visit = |unit: &mut Self, shard: usize| {
            store.counts.fitting(&store.shards, shard, volatile) > 0 && {
                end = EvictionEnd::Busy;
                unit.with_shard(shard, |unit| see(unit, shard)) == Ok(true)
            }
        };
        for _ in 0..DRAWS {
            let shard = self.random() as usize % SHARDS;
            if visit(self, shard) {
                return EvictionEnd::Told;
            }
        }
        // Few keys: from a random place on, all of them.
        let first = self.random() as usize % SHARDS;
        for shard in (first..SHARDS).chain(0..first) {
            if visit(self, shard) {
                return EvictionEnd::Told;
            }
        }
        end
    }

    /// Offers a sample of a held shard to the pool, of each database as large as wanted; how many were
    /// seen.
    fn sample_shard(
        &mut self,
        shard: usize,
        most: usize,
        policy: EvictionPolicy,
        pool: &mut EvictionPool,
    ) -> usize {
        let random = self.random();
        let unit = &*self;
        let (_, data) = unit.held.get(shard);
        let mut seen = 0;
        for (db, table) in data.tables.each() {
            table.sample(random, most, policy.volatile, |entry| {
                // A hash of which only fields expire carries the mark as well.
                if !policy.volatile || entry.deadline().is_some() {
                    seen += 1;
                    pool.offer(worth(unit, policy.order, entry), db, entry.key());
                }
            });
        }
        seen
    }

    /// Removes a candidate whose shard is held, if it is still as good a victim as it was (V1).
    fn evict_candidate(
        &mut self,
        policy: EvictionPolicy,
        before: u64,
        db: u32,
        bytes: &[u8],
    ) -> Fate {
        if self.gates().closed(Gates::STILL | Gates::READ_ONLY) {
            return Fate::Forbidden;
        }
        let key = self.store().key(bytes);
        let (_, data) = self.held.get(key.shard());
        let table = data.tables.get(db);
        let Some(entry) = table.and_then(|table| table.find(key.hash(), bytes)) else {
            return Fate::Dropped;
        };
        if policy.volatile && entry.deadline().is_none() {
            return Fate::Dropped;
        }
        let now = worth(self, policy.order, entry);
        if now < before {
            return Fate::Worth(now);
        }
        let bytes_held = entry.memory_bytes() as u64;
        self.select(db);
        let (table, mut books) = self.open(key, false);
        match table.map(|table| table.entry(key.hash(), bytes)) {
            Some(table::Slot::Occupied(at)) if books.has_expired(at.get()) => {
                books.expire(at, key);
            }
            Some(table::Slot::Occupied(at)) => books.evict(at, key),
            _ => unreachable!("it has just been found, and its shard is held"),
        }
        self.give_back(key.shard(), db);
        Fate::Removed(bytes_held)
    }

    /// Removes a key that chance picks.
    fn evict_any(&mut self, policy: EvictionPolicy) -> Step {
        let mut picked = std::mem::take(&mut self.scratch.doomed);
        let mut fate = Fate::Dropped;
        let visited = self.visit_shards(policy.volatile, |unit, shard| {
            let random = unit.random();
            picked.clear();
            let Some(db) = unit.pick_key(shard, policy.volatile, random, &mut picked) else {
                return false;
            };
            fate = unit.evict_candidate(policy, 0, db, picked.get(0));
            !matches!(fate, Fate::Dropped)
        });
        self.scratch.doomed = picked;
        match fate {
            Fate::Removed(bytes) => Step::Removed(bytes),
            Fate::Forbidden => Step::End(EvictionEnd::Forbidden),
            Fate::Dropped | Fate::Worth(_) => Step::End(visited),
        }
    }

    /// Picks a key of a held shard, all with the same chance; its database.
    fn pick_key(
        &self,
        shard: usize,
        volatile: bool,
        random: u64,
        picked: &mut crate::scratch::Keys,
    ) -> Option<u32> {
        let (_, data) = self.held.get(shard);
        let fitting = |table: &table::Table<crate::entry::Entry>| {
            if volatile {
                table.ttl_len()
            } else {
                table.len()
            }
        };
        let total: usize = data.tables.each().map(|(_, table)| fitting(table)).sum();
        // The high bits choose the table, all of them the place in it.
        let mut k = ((u128::from(random) * total as u128) >> 64) as usize;
        for (db, table) in data.tables.each() {
            if k < fitting(table) {
                let entry = if volatile {
                    table.random_with_ttl(random.rotate_left(32))
                } else {
                    table.random(random.rotate_left(32))
                }?;
                picked.push(entry.key());
                return Some(db);
            }
            k -= fitting(table);
        }
        None
    }
}
