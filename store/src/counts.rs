//! How many keys there are, readable by anybody without a lock.
//!
//! Each shard counts its keys, its deadlines and the sum of its deadlines for each database. The
//! holder of the shard's lock is the only writer, so plain stores do; DBSIZE and INFO add up a
//! thousand words. Database 0's counts stand beside the lock word, in a line that the writer has
//! anyway; the other databases get theirs with their first key.
//!
//! The average TTL is exact rather than sampled: it is the sum of the deadlines through their
//! number, less the time.

use std::sync::OnceLock;

use crate::locks::Shards;
use crate::shard::SHARDS;
use crate::sync::{AtomicI64, AtomicU32, Relaxed};

/// Deadlines count at most this in the sum (the year 2248): four billion of them cannot
/// overflow it in a way that matters, and adding and taking away stay inverse.
const DEADLINE_CAP_MS: i64 = 1 << 43;

/// What one shard holds of one database.
#[derive(Debug)]
pub(crate) struct Count {
    keys: AtomicU32,
    deadlines: AtomicU32,
    deadline_sum: AtomicI64,
    /// Keys of which parts have deadlines.
    part_deadlines: AtomicU32,
}

impl Count {
    pub(crate) const fn new() -> Self {
        Count {
            keys: AtomicU32::new(0),
            deadlines: AtomicU32::new(0),
            deadline_sum: AtomicI64::new(0),
            part_deadlines: AtomicU32::new(0),
        }
    }

    /// One key more. The caller holds the shard's lock, here and below.
    #[inline]
    pub(crate) fn key_came(&self) {
        // Relaxed, here and below: single writer, and readers want a number, not an order.
        self.keys
            .store(self.keys.load(Relaxed).wrapping_add(1), Relaxed);
    }

    /// One key fewer.
    #[inline]
    pub(crate) fn key_went(&self) {
        self.keys
            .store(self.keys.load(Relaxed).wrapping_sub(1), Relaxed);
    }

    /// A key's deadline came, went or changed.
    #[inline]
    pub(crate) fn deadline_changed(&self, old: Option<i64>, new: Option<i64>) {
        if old == new {
            return;
        }
        let weigh = |at: Option<i64>| at.map_or(0, |at| at.clamp(0, DEADLINE_CAP_MS));
        let number = self.deadlines.load(Relaxed);
        let number = number
            .wrapping_add(u32::from(new.is_some()))
            .wrapping_sub(u32::from(old.is_some()));
        self.deadlines.store(number, Relaxed);
        let sum = self.deadline_sum.load(Relaxed);
        let sum = sum.wrapping_add(weigh(new)).wrapping_sub(weigh(old));
        self.deadline_sum.store(sum, Relaxed);
    }

    /// Whether parts of a key have deadlines came or went.
    #[inline]
    pub(crate) fn parts_changed(&self, old: bool, new: bool) {
        if old != new {
            let number = self.part_deadlines.load(Relaxed);
            let number = number
                .wrapping_add(u32::from(new))
                .wrapping_sub(u32::from(old));
            self.part_deadlines.store(number, Relaxed);
        }
    }

    pub(crate) fn keys(&self) -> u32 {
        self.keys.load(Relaxed)
    }

    /// Keys of which parts have deadlines.
    #[inline]
    pub(crate) fn part_deadlines(&self) -> u32 {
        self.part_deadlines.load(Relaxed)
    }

    fn read(&self) -> (u32, u32, i64, u32) {
        (
            self.keys.load(Relaxed),
            self.deadlines.load(Relaxed),
            self.deadline_sum.load(Relaxed),
            self.part_deadlines.load(Relaxed),
        )
    }

    fn write(&self, (keys, deadlines, sum, parts): (u32, u32, i64, u32)) {
        self.keys.store(keys, Relaxed);
        self.deadlines.store(deadlines, Relaxed);
        self.deadline_sum.store(sum, Relaxed);
        self.part_deadlines.store(parts, Relaxed);
    }

    /// All keys have gone.
    pub(crate) fn clear(&self) {
        self.write((0, 0, 0, 0));
    }

    /// Exchanges two databases' counts.
    pub(crate) fn swap(&self, other: &Count) {
        let mine = self.read();
        self.write(other.read());
        other.write(mine);
    }
}

/// What a database holds in all shards together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DbSize {
    /// Keys, those included that have expired and have not been removed yet.
    pub keys: u64,
    /// Keys with a deadline.
    pub deadlines: u64,
    /// Average time to live of those, in milliseconds.
    pub average_ttl_ms: i64,
    /// Keys of which parts have deadlines: hashes with fields that expire.
    pub part_deadlines: u64,
}

/// The counts of all databases but the first.
#[derive(Debug)]
pub(crate) struct Counts {
    rest: Box<[OnceLock<Box<[Count]>>]>,
}

impl Counts {
    pub(crate) fn new(databases: u32) -> Self {
        Counts {
            rest: (1..databases).map(|_| OnceLock::new()).collect(),
        }
    }

    /// The count of `db` in a shard.
    #[inline]
    pub(crate) fn of<'c>(&'c self, shards: &'c Shards, shard: usize, db: u32) -> &'c Count {
        match db.checked_sub(1) {
            None => &shards.outside(shard).count,
            Some(index) => {
                let all = self.rest[index as usize]
                    .get_or_init(|| (0..SHARDS).map(|_| Count::new()).collect());
                &all[shard]
            }
        }
    }

    /// Keys in a shard, of all databases; only those with a deadline, if `volatile`. Needs no lock, and
    /// may be out of date at once.
    pub(crate) fn fitting(&self, shards: &Shards, shard: usize, volatile: bool) -> u64 {
        let of = |count: &Count| {
            let (keys, deadlines, ..) = count.read();
            u64::from(if volatile { deadlines } else { keys })
        };
        let rest = self.rest.iter().filter_map(|counts| counts.get());
        of(&shards.outside(shard).count) + rest.map(|counts| of(&counts[shard])).sum::<u64>()
    }

    /// Whether `db` has ever had a key.
    fn is_born(&self, db: u32) -> bool {
        db.checked_sub(1)
            .is_none_or(|index| self.rest[index as usize].get().is_some())
    }

    /// Adds up a database.
    pub(crate) fn size(&self, shards: &Shards, db: u32, now_ms: i64) -> DbSize {
        let mut size = DbSize::default();
        if !self.is_born(db) {
            return size;
        }
        let mut sum: i128 = 0;
        for shard in 0..SHARDS {
            let (keys, deadlines, deadline_sum, parts) = self.of(shards, shard, db).read();
            size.keys += u64::from(keys);
            size.deadlines += u64::from(deadlines);
            size.part_deadlines += u64::from(parts);
            sum += i128::from(deadline_sum);
        }
        if size.deadlines > 0 {
            let average = sum / i128::from(size.deadlines) - i128::from(now_ms);
            size.average_ttl_ms = i64::try_from(average.max(0)).unwrap_or(i64::MAX);
        }
        size
    }
}
