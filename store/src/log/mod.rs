//! The change log: every change, numbered in an order that respects each key's.
//!
//! ```text
//!  unit, under its locks          number = next++ (at its first change)
//!        └─ at its end ──> lane of its worker: [record 7][record 9]..    + watermark 9
//!                          lane of another:    [record 8][record 10]..   + watermark 10
//!                                   └── merge: 7, 8, 9, 10, .. ──> Reader: RESP, with SELECT
//!                                                                   and MULTI/EXEC put in
//! ```
//!
//! N1  A unit takes its number under its locks, at its first change, and keeps the locks until its
//!     record is in its lane. Two units that touch one key exclude each other, so their numbers
//!     stand in the order of their locks.
//! N2  Every number that is taken becomes one record, an empty one if nothing was said. So the
//!     numbers have no holes, and the merge proves that there is no gap by delivering n only after
//!     n - 1: what is missing is still being written.
//! N3  A lane's records ascend; its watermark is the number of its last one, and is raised after
//!     the record is in. The merge reads the watermark first and opens only lanes that have more.
//! N4  Recording begins and ends under the ticket with all shards: no unit is half recorded.
//!
//! While nobody reads, a change costs one relaxed load. The reader is the log thread of the append-only file.
//!
//! Checked by: the tests in `merge.rs`, `tests/protocols.rs` (shuttle).

mod merge;
mod record;

pub use merge::{LogReader, Merge};
pub(crate) use record::Effects;

use crate::sync::{AtomicBool, AtomicU64, Mutex, Relaxed, Release};

/// One worker's records. Aligned to two lines: workers do not disturb each other.
#[repr(align(128))]
#[derive(Debug)]
struct Lane {
    /// A leaf lock: held for one append, or one exchange of buffers.
    records: Mutex<Vec<u8>>,
    /// The number of the last record.
    watermark: AtomicU64,
}

/// The log's writing side.
#[derive(Debug)]
pub(crate) struct Log {
    recording: AtomicBool,
    /// The number that the next unit takes. Numbers begin at 1: 0 means none.
    next: AtomicU64,
    lanes: Box<[Lane]>,
}

impl Log {
    pub(crate) fn new(workers: usize) -> Self {
        let lane = |_| Lane {
            records: Mutex::new(Vec::new()),
            watermark: AtomicU64::new(0),
        };
        Log {
            recording: AtomicBool::new(false),
            next: AtomicU64::new(1),
            lanes: (0..workers).map(lane).collect(),
        }
    }

    /// Whether somebody reads.
    #[inline]
    pub(crate) fn is_recording(&self) -> bool {
        // Relaxed: changed only under all shard locks, one of which the asker holds (N4).
        self.recording.load(Relaxed)
    }

    /// Takes a number. The caller holds the locks of what it is about to change (N1).
    pub(crate) fn take_number(&self) -> u64 {
        // Relaxed: the atomic add alone makes numbers distinct and without holes; their order
        // for one key follows from the shard's lock, which orders the two adds.
        self.next.fetch_add(1, Relaxed)
    }

    /// The number that the next change will get. Exact only for who holds all shards.
    pub(crate) fn next_number(&self) -> u64 {
        // Relaxed: see above.
        self.next.load(Relaxed)
    }

    /// Puts a unit's record into its worker's lane; its locks are still held (N1).
    pub(crate) fn publish(&self, worker: usize, number: u64, effects: &Effects) {
        let lane = &self.lanes[worker];
        effects.append_record(number, &mut lane.records.lock());
        // Release: whoever sees the mark finds the record in the buffer (N3).
        lane.watermark.store(number, Release);
    }

    /// Begins to record; the caller holds all shards (N4).
    pub(crate) fn attach(&self) -> u64 {
        assert!(
            !self.is_recording(),
            "the change log has one reader, which hands on to others"
        );
        // Relaxed: the shards' release stores publish it.
        self.recording.store(true, Relaxed);
        self.next_number()
    }

    /// Ends recording; the caller holds all shards (N4).
    pub(crate) fn detach(&self) {
        // Relaxed: as in `attach`.
        self.recording.store(false, Relaxed);
    }
}
