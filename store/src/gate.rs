//! Gates: what can forbid a command whatever its arguments are.
//!
//! ```text
//!   [ epoch: 48 bits, one more at each change ][ 16 gates ]
//! ```
//!
//! A unit reads the word *after* it has locked, and it is changed only under the ticket with all
//! shards: so between the reading and the unit's end it cannot change, and a unit that was let
//! through is finished before the change is. The epoch lets a worker see with one comparison that
//! what it had worked out before locking still holds.
//!
//! A pause ends by itself: its gate counts as open from its end on, whoever sees that.

use crate::sync::{AtomicI64, AtomicU64, Relaxed};

const GATE_BITS: u32 = 16;

/// The gates as a unit finds them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gates(u64);

impl Gates {
    /// A replica takes writes only from its primary.
    pub const READ_ONLY: u64 = 1;
    /// The data is being loaded.
    pub const LOADING: u64 = 1 << 1;
    /// The last save or log write failed (MISCONF).
    pub const MISCONF: u64 = 1 << 2;
    /// A script holds the keyspace for longer than `busy-reply-threshold`.
    pub const BUSY_SCRIPT: u64 = 1 << 3;
    /// CLIENT PAUSE WRITE.
    pub const PAUSE_WRITES: u64 = 1 << 4;
    /// CLIENT PAUSE ALL.
    pub const PAUSE_ALL: u64 = 1 << 5;
    /// The server stops: what changes data waits, so that nothing is acknowledged that the last save
    /// does not hold.
    pub const STOPPING: u64 = 1 << 6;
    /// No gate is closed.
    pub(crate) const OPEN: Gates = Gates(0);

    /// Both pauses.
    pub const PAUSES: u64 = Self::PAUSE_WRITES | Self::PAUSE_ALL;
    /// What forbids the server's own changes (expiry, eviction): pauses, a stop, a loading.
    pub const STILL: u64 = Self::PAUSES | Self::STOPPING | Self::LOADING;

    /// Whether any of `gates` is closed.
    #[inline]
    #[must_use]
    pub const fn closed(self, gates: u64) -> bool {
        self.0 & gates & ((1 << GATE_BITS) - 1) != 0
    }

    /// How often the gates have been changed.
    #[must_use]
    pub const fn epoch(self) -> u64 {
        self.0 >> GATE_BITS
    }
}

/// The word, and when the pauses end.
#[derive(Debug)]
pub(crate) struct GateWord {
    word: AtomicU64,
    pause_until_ms: AtomicI64,
}

impl GateWord {
    pub(crate) fn new() -> Self {
        GateWord {
            word: AtomicU64::new(0),
            pause_until_ms: AtomicI64::new(0),
        }
    }

    /// The gates at `now_ms`.
    #[inline]
    pub(crate) fn read(&self, now_ms: i64) -> Gates {
        // Relaxed: under a shard's lock the lock orders this after any change made under all of
        // them; without one it is a hint.
        let word = self.word.load(Relaxed);
        if word & Gates::PAUSES != 0 && now_ms >= self.pause_until_ms.load(Relaxed) {
            return Gates(word & !Gates::PAUSES);
        }
        Gates(word)
    }

    /// Closes or opens gates. The caller holds all shards, here and below.
    pub(crate) fn set(&self, gates: u64, closed: bool) {
        // Relaxed: the shards' release stores publish it. A single writer needs no swap.
        let old = self.word.load(Relaxed);
        let word = if closed { old | gates } else { old & !gates };
        self.word.store(word.wrapping_add(1 << GATE_BITS), Relaxed);
    }

    pub(crate) fn pause(&self, gates: u64, until_ms: i64) {
        // Relaxed: as in `set`.
        self.pause_until_ms.store(until_ms, Relaxed);
        self.set(gates & Gates::PAUSES, true);
    }

    /// When the pauses end, if they have not.
    pub(crate) fn pause_until_ms(&self, now_ms: i64) -> Option<i64> {
        // Relaxed: a hint.
        let until = self.pause_until_ms.load(Relaxed);
        self.read(now_ms).closed(Gates::PAUSES).then_some(until)
    }
}

#[cfg(all(test, not(feature = "model")))]
mod tests {
    use super::*;

    #[test]
    fn a_pause_ends_by_itself_and_other_gates_do_not() {
        let word = GateWord::new();
        word.set(Gates::MISCONF, true);
        word.pause(Gates::PAUSE_WRITES, 1_000);
        assert!(word.read(999).closed(Gates::PAUSE_WRITES));
        assert!(!word.read(999).closed(Gates::PAUSE_ALL));
        assert_eq!(word.pause_until_ms(999), Some(1_000));
        assert!(!word.read(1_000).closed(Gates::PAUSES));
        assert!(word.read(1_000).closed(Gates::MISCONF | Gates::LOADING));
        assert_eq!(word.pause_until_ms(1_000), None);
        word.set(Gates::MISCONF, false);
        assert!(!word.read(1_000).closed(u64::MAX));
        assert_eq!(word.read(0).epoch(), 3);
    }
}
