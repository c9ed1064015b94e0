//! Touching memory ahead of a batch of commands.
//!
//! The worker parses what has arrived, hashes the keys, and hands them over before it executes the
//! first command. Three stages run here, each over a group of keys before the next, so that the
//! latencies of memory overlap:
//!
//!   segment   reads the directory and asks for the segment's header and tags
//!   word      reads the tags and asks for the word that points to the entry
//!   entry     reads the word and asks for the entry
//!
//! (`collections::table::Ahead`). The locks of a group are taken before the first stage and let go
//! behind the last: behind a locked instruction the processor starts no load before those in front of
//! it are there, so between two stages, or within one, they would keep the misses from overlapping.
//! Shards that somebody else is working in are left out, and so is the second key of a shard: a touch
//! is a hint. Nobody waits here, so P1 of `locks.rs` is kept.

use collections::table::Ahead;

use crate::key::Spot;
use crate::store::Store;

/// Keys whose locks are held together: as many misses as a core has under way at once. Others find
/// these shards held for about a microsecond.
const GROUP: usize = 16;

impl Store {
    /// Asks for the memory that looking these keys up, each in its database, will need.
    pub fn touch_ahead(&self, keys: &[(u32, Spot)]) {
        for group in keys.chunks(GROUP) {
            let mut glances = [const { None }; GROUP];
            for (glance, (_, spot)) in glances.iter_mut().zip(group) {
                *glance = self.shards.outside(spot.shard()).glance();
            }
            let mut aheads = [const { None }; GROUP];
            for ((ahead, glance), &(db, spot)) in aheads.iter_mut().zip(&glances).zip(group) {
                let table = glance.as_ref().and_then(|glance| glance.tables().get(db));
                *ahead = table.and_then(|table| table.ahead(spot.hash()));
            }
            aheads.iter_mut().flatten().for_each(Ahead::ask_word);
            aheads.iter().flatten().for_each(Ahead::ask_entry);
        }
    }
}
