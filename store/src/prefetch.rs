//! Touching memory ahead of a batch of commands.
//!
//! The worker parses what has arrived, hashes the keys, and runs each stage over all of them
//! before it executes the first command, so that the latencies of memory overlap. A stage takes
//! the shard's lock for the few instructions of the touch, and leaves out shards that somebody
//! else is working in: a touch is a hint.
//!
//! No stage reads what it asks for, and none reads what the one before has not asked for: a lock is
//! taken between any two touches, and behind a locked instruction the processor starts no load before
//! those in front of it are there, so a single miss in a stage would be waited for in full.

use crate::key::Spot;
use crate::store::Store;

/// The stages, one pass over the batch each, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Reads the directory and asks for the segment's header and tags.
    Segment,
    /// Reads the tags and asks for the word that points to the entry.
    Word,
    /// Reads the word and asks for the entry.
    Entry,
}

impl Store {
    /// Runs one stage for one key.
    #[inline]
    pub fn prefetch(&self, stage: Stage, db: u32, spot: Spot) {
        self.shards.outside(spot.shard()).look_now(|data| {
            if let Some(table) = data.tables.get(db) {
                match stage {
                    Stage::Segment => table.prefetch_segment(spot.hash()),
                    Stage::Word => table.prefetch_word(spot.hash()),
                    Stage::Entry => table.prefetch_entry(spot.hash()),
                }
            }
        });
    }
}
