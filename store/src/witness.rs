//! Who is told, under the locks, what a unit has done: keyspace events and keys that have changed.
//!
//! ```text
//!   handlers ── events, changed keys ──> scratch ──┐
//!                                                  │ end of each hold, before the log's record
//!   Turn::witness ──────────────────────── tell ◀──┘ and before the locks are let go
//! ```
//!
//! The store knows neither channels nor clients; the server hands a witness in with the turn. Being
//! told under the locks, it sees the events of one key in the order in which they happened, whichever
//! workers made them. It must not wait, and may take leaf locks only.
//!
//! Keys that have changed are gathered while [`crate::Store::set_tracking`] is on; otherwise a change
//! costs one test of a flag.
//!
//! Checked by: tests/units.rs, the server's tests of Pub/Sub and tracking.

use crate::event::Events;
use crate::scratch::Keys;

/// Hears what a unit has done.
pub trait Witness: std::fmt::Debug {
    /// What has happened since the last call, in order.
    fn tell(&self, events: &Events, changed: &Changed);
}

/// Keys that have changed, in order, each as often as it did.
#[derive(Debug, Default)]
pub struct Changed {
    keys: Keys,
    /// For each key, whether the unit's client changed it; otherwise its time was over.
    by_client: Vec<bool>,
    flushed: bool,
}

impl Changed {
    pub(crate) fn push(&mut self, key: &[u8]) {
        self.keys.push(key);
        self.by_client.push(true);
    }

    /// The last key went because its time was over.
    pub(crate) fn last_expired(&mut self) {
        if let Some(last) = self.by_client.last_mut() {
            *last = false;
        }
    }

    /// A database was emptied.
    pub(crate) fn flush(&mut self) {
        self.flushed = true;
    }

    /// Whether a database was emptied.
    #[must_use]
    pub fn is_flushed(&self) -> bool {
        self.flushed
    }

    /// Whether nothing has changed.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_client.is_empty() && !self.flushed
    }

    /// The keys, each with whether the unit's client changed it.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], bool)> {
        self.by_client
            .iter()
            .enumerate()
            .map(|(at, &by_client)| (self.keys.get(at), by_client))
    }

    pub(crate) fn clear(&mut self) {
        self.keys.clear();
        self.by_client.clear();
        self.flushed = false;
    }
}
