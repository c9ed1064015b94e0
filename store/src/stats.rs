//! INFO's figures that the store counts: one set a worker, added up on demand.

use crate::sync::{AtomicU64, Relaxed};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Figure {
    Hits,
    Misses,
    Expired,
    ExpiredFields,
    /// Runs of the active expire cycle that ended because their time was over.
    TimeCap,
    Evicted,
}

const FIGURES: usize = Figure::Evicted as usize + 1;

/// One worker's figures. Aligned to two lines: workers do not disturb each other.
#[repr(align(128))]
#[derive(Debug)]
struct Row([AtomicU64; FIGURES]);

/// All workers' figures.
#[derive(Debug)]
pub(crate) struct StatRows {
    rows: Box<[Row]>,
    /// Per cent of the deadlines looked at by the active expire cycle that had passed: a running
    /// average, the bits of an `f64`.
    stale_perc: AtomicU64,
}

/// INFO's figures that the store counts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stats {
    /// Reads that found their key.
    pub keyspace_hits: u64,
    /// Reads that did not.
    pub keyspace_misses: u64,
    /// Keys removed because their time was over.
    pub expired_keys: u64,
    /// Fields removed because their time was over.
    pub expired_fields: u64,
    /// Estimated share of keys that have expired and are still there, in per cent of those with a
    /// deadline that the active expire cycle looked at.
    pub expired_stale_perc: f64,
    /// Runs of the active expire cycle cut short by their time limit.
    pub expired_time_cap_reached: u64,
    /// Keys removed to make room.
    pub evicted_keys: u64,
    /// Objects on their way to the free thread.
    pub lazyfree_pending: u64,
    /// Objects that the free thread has freed.
    pub lazyfreed_objects: u64,
}

impl StatRows {
    pub(crate) fn new(workers: usize) -> Self {
        let row = |_| Row(std::array::from_fn(|_| AtomicU64::new(0)));
        StatRows {
            rows: (0..workers).map(row).collect(),
            stale_perc: AtomicU64::new(0),
        }
    }

    #[inline]
    pub(crate) fn add(&self, worker: usize, figure: Figure, n: u64) {
        let cell = &self.rows[worker].0[figure as usize];
        // Relaxed, and no read-modify-write: a worker's row has one writer. (CONFIG RESETSTAT may
        // lose against it; it is a reset to about now.)
        cell.store(cell.load(Relaxed).wrapping_add(n), Relaxed);
    }

    /// Takes a sample of the share of stale keys into the running average.
    pub(crate) fn note_stale(&self, looked_at: usize, expired: usize) {
        if looked_at == 0 {
            return;
        }
        let sample = expired as f64 * 100.0 / looked_at as f64;
        // Relaxed: an estimate; losing one of two samples taken at once changes nothing.
        let old = f64::from_bits(self.stale_perc.load(Relaxed));
        self.stale_perc
            .store((sample * 0.05 + old * 0.95).to_bits(), Relaxed);
    }

    fn sum(&self, figure: Figure) -> u64 {
        // Relaxed: figures, not an order.
        self.rows
            .iter()
            .map(|row| row.0[figure as usize].load(Relaxed))
            .sum()
    }

    pub(crate) fn read(&self) -> Stats {
        Stats {
            keyspace_hits: self.sum(Figure::Hits),
            keyspace_misses: self.sum(Figure::Misses),
            expired_keys: self.sum(Figure::Expired),
            expired_fields: self.sum(Figure::ExpiredFields),
            expired_stale_perc: f64::from_bits(self.stale_perc.load(Relaxed)),
            expired_time_cap_reached: self.sum(Figure::TimeCap),
            evicted_keys: self.sum(Figure::Evicted),
            ..Stats::default()
        }
    }

    pub(crate) fn reset(&self) {
        // Relaxed: see `add`.
        self.rows
            .iter()
            .flat_map(|row| &row.0)
            .for_each(|cell| cell.store(0, Relaxed));
        self.stale_perc.store(0, Relaxed);
    }
}
