//! What snapshots cost: the bytes that only they hold, the bound of these, and what happens past it.
//!
//! ```text
//!   mem_snapshot = what copy on write left to them (`collections::table::frozen_bytes`)
//!                + flushed databases, until the last cut of that time has gone
//!
//!   below the bound   parts are taken in order
//!   above it          a saver takes first what is being written to; writers are slowed (server)
//! ```
//!
//! Evicting an entry that a snapshot holds frees nothing, so these bytes are not eviction's business:
//! they are taken off what is in use before that is compared with `maxmemory`.
//!
//! Z1  While no cut lives, no byte is counted.
//! Z2  A flushed database counts whole until then, although a reader may have let go of parts of it.
//!
//! Checked by: tests/frozen.rs.

use std::sync::Arc;

use collections::table::Table;

use crate::entry::Entry;
use crate::sync::{AtomicU64, Relaxed};

/// The books of a store.
#[derive(Debug, Default)]
pub(crate) struct Frozen {
    cuts: AtomicU64,
    flushed: AtomicU64,
    /// 0: none.
    bound: AtomicU64,
}

/// A cut that lives, or a part of it.
#[derive(Clone, Debug)]
pub(crate) struct Alive {
    books: Arc<OneAlive>,
}

#[derive(Debug)]
struct OneAlive(Arc<Frozen>);

impl Alive {
    /// A cut is taken.
    pub(crate) fn new(books: &Arc<Frozen>) -> Alive {
        // Relaxed, here and below: whoever reads the count acts on a hint.
        books.cuts.fetch_add(1, Relaxed);
        Alive {
            books: Arc::new(OneAlive(Arc::clone(books))),
        }
    }

    /// Bytes that only snapshots hold.
    pub(crate) fn bytes(&self) -> u64 {
        self.books.0.bytes()
    }

    /// Whether snapshots hold more than they should.
    pub(crate) fn is_over(&self) -> bool {
        self.books.0.is_over()
    }
}

impl Drop for OneAlive {
    fn drop(&mut self) {
        if self.0.cuts.fetch_sub(1, Relaxed) == 1 {
            self.0.flushed.store(0, Relaxed);
        }
    }
}

impl Frozen {
    /// Bytes that only snapshots hold.
    #[inline]
    pub(crate) fn bytes(&self) -> u64 {
        // While there is no cut, what is left of the figure is being freed, and freeing is no eviction.
        if self.cuts.load(Relaxed) == 0 {
            return 0;
        }
        collections::table::frozen_bytes() as u64 + self.flushed.load(Relaxed)
    }

    /// Sets the bound; 0 for none.
    pub(crate) fn set_bound(&self, bytes: u64) {
        self.bound.store(bytes, Relaxed);
    }

    /// Whether they are more than the bound.
    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        // In this order: mostly there is no cut, and that is one load.
        let bytes = self.bytes();
        bytes > 0 && (1..bytes).contains(&self.bound.load(Relaxed))
    }

    /// A table has left the keyspace and is about to be dropped: what a cut holds of it stays. Asks each
    /// entry, which the drop does all the same.
    pub(crate) fn flushed(&self, table: &Table<Entry>) {
        if self.cuts.load(Relaxed) > 0 {
            let entries: usize = table.iter().map(|entry| entry.memory_bytes()).sum();
            let bytes = (entries + table.heap_bytes()) as u64;
            self.flushed.fetch_add(bytes, Relaxed);
        }
    }
}
