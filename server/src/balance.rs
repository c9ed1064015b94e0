//! Where the memory goes: the one sum that INFO, MEMORY STATS and MEMORY DOCTOR tell from.
//!
//!   used = startup + clients + tables + dataset
//!          └──────── overhead ───────┘
//!
//! `used` is the allocator's count to the byte, less what the containers' arenas keep ready for the next; `startup` what was in use before the first client came;
//! `clients` what connections say they hold; `tables` the structure of the keyspace's tables, without
//! the entries. What is left is data, so whatever nobody has accounted for shows there.
//!
//! **Invariant:** the parts never exceed the whole: overhead is at most `used`, for the counts are taken
//! one after the other while everybody goes on working.
//!
//! Checked by: tests below, server/tests/info.rs.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use os::memory::{Figures, Fragmentation};

use crate::clients::Client;
use crate::server::Server;

/// The sum, in bytes.
#[derive(Clone, Debug)]
pub(crate) struct Balance {
    pub(crate) used: u64,
    pub(crate) peak: u64,
    pub(crate) startup: u64,
    pub(crate) clients: u64,
    /// Databases that have keys, and the bytes of their tables.
    pub(crate) tables: Vec<(u32, u64)>,
    /// As the allocator counts pages.
    pub(crate) pages: Fragmentation,
    /// As the system counts them.
    pub(crate) system: Figures,
}

impl Balance {
    /// Takes all figures, one after the other.
    pub(crate) fn take(server: &Server, clients: &[Arc<Client>]) -> Balance {
        let idle = store::Store::idle_bytes();
        let used = os::alloc::used_bytes_exact().saturating_sub(idle);
        let store = &server.store;
        Balance {
            used,
            peak: os::alloc::peak_bytes().max(used),
            startup: server.startup_bytes.load(Relaxed),
            clients: clients
                .iter()
                .map(|client| client.figures.memory_bytes.load(Relaxed))
                .sum(),
            tables: (0..store.databases())
                .filter(|db| store.keys(*db) > 0)
                .map(|db| (db, store.table_bytes(db)))
                .collect(),
            pages: os::memory::fragmentation(),
            system: os::memory::figures(),
        }
    }

    /// What is not data.
    pub(crate) fn overhead(&self) -> u64 {
        let tables: u64 = self.tables.iter().map(|(_, bytes)| bytes).sum();
        (self.startup + self.clients + tables).min(self.used)
    }

    /// What is.
    pub(crate) fn dataset(&self) -> u64 {
        self.used - self.overhead()
    }

    /// What has come since the start.
    pub(crate) fn since_startup(&self) -> u64 {
        self.used.saturating_sub(self.startup)
    }

    /// Resident bytes for each byte in use.
    pub(crate) fn fragmentation(&self) -> f64 {
        ratio(self.system.resident, self.used)
    }

    /// Resident bytes beyond those in use.
    pub(crate) fn fragmentation_bytes(&self) -> i64 {
        signed(self.system.resident, self.used)
    }
}

/// `above / below`; 0 where there is nothing below.
pub(crate) fn ratio(above: u64, below: u64) -> f64 {
    if below == 0 {
        0.0
    } else {
        above as f64 / below as f64
    }
}

/// `above - below`, which may be negative.
pub(crate) fn signed(above: u64, below: u64) -> i64 {
    above.cast_signed() - below.cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_never_exceed_the_whole() {
        let check = |used, expected: (u64, u64)| {
            let balance = Balance {
                used,
                peak: used,
                startup: 100,
                clients: 20,
                tables: vec![(0, 3), (9, 4)],
                pages: Fragmentation {
                    allocated: used,
                    active: used,
                    resident: used,
                },
                system: Figures::default(),
            };
            assert_eq!((balance.overhead(), balance.dataset()), expected);
        };
        check(1_000, (127, 873));
        check(127, (127, 0));
        check(50, (50, 0));
    }

    #[test]
    fn nothing_is_divided_by_nothing() {
        assert_eq!((ratio(3, 0), ratio(1, 4), signed(1, 4)), (0.0, 0.25, -3));
    }
}
