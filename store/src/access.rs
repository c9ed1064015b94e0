//! The 24-bit access clock of an entry, in its two meanings.
//!
//! ```text
//!   LRU   [ seconds, modulo 2^24: wraps after 194 days                ]
//!   LFU   [ minutes, modulo 2^16: wraps after 45 days ][ counter 0-255]
//! ```
//!
//! The LFU counter is a logarithm: at value `c` the next access raises it with probability
//! `1 / ((c - 5) * factor + 1)`, and each full `decay` minutes without access take one off. A new
//! key begins at 5, so that it is not the first victim before it had a chance. The source is
//! Redis's description of `lfu-log-factor` and `lfu-decay-time` in its configuration file.
//!
//! The clock is the only field that is written in an entry that a snapshot also sees, so writes
//! are relaxed atomics; a lost update costs nothing but a little accuracy.

use crate::sync::{AtomicU64, Relaxed};

/// How access clocks run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessPolicy {
    /// The time of the last access.
    Lru,
    /// The time of the last change.
    Lrm,
    /// How often, on a logarithmic scale, fading with time.
    Lfu {
        /// `lfu-log-factor`: how hard it is to get to 255.
        log_factor: u32,
        /// `lfu-decay-time`: minutes until the counter loses one; 0 for never.
        decay_minutes: u32,
    },
}

/// Bits of an access clock.
pub(crate) const CLOCK_MASK: u32 = (1 << 24) - 1;

/// What a new key's LFU counter begins with.
const LFU_START: u32 = 5;

/// An entry's access clock; [`crate::Unit::idle_seconds`] and [`crate::Unit::frequency`] say what
/// it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access(pub(crate) u32);

impl Access {
    /// What it says of the key's past at `now_ms`, as it runs under `policy`: what a file keeps.
    #[must_use]
    pub fn seen(self, policy: AccessPolicy, now_ms: i64) -> Seen {
        match policy {
            AccessPolicy::Lru | AccessPolicy::Lrm => {
                Seen::IdleSeconds(idle_seconds(self.0, now_ms))
            }
            AccessPolicy::Lfu { .. } => Seen::Frequency(policy.frequency(self.0, now_ms)),
        }
    }
}

/// When, or how often, a key was used before it came here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Not for this many seconds.
    IdleSeconds(u64),
    /// This often, as the LFU counter says it.
    Frequency(u8),
}

impl AccessPolicy {
    /// The clock of a key that comes into being.
    pub(crate) fn fresh(self, now_ms: i64) -> u32 {
        match self {
            AccessPolicy::Lru | AccessPolicy::Lrm => seconds(now_ms),
            AccessPolicy::Lfu { .. } => (minutes(now_ms) << 8) | LFU_START,
        }
    }

    /// The clock after one more access. `random` is called only for LFU.
    pub(crate) fn touched(self, old: u32, now_ms: i64, random: impl FnOnce() -> u64) -> u32 {
        match self {
            AccessPolicy::Lru => seconds(now_ms),
            AccessPolicy::Lrm => old,
            AccessPolicy::Lfu { log_factor, .. } => {
                let counter = u32::from(self.frequency(old, now_ms));
                // The chance is one in `odds`: no floating point, no bias worth the name.
                let odds = u64::from(counter.saturating_sub(LFU_START)) * u64::from(log_factor) + 1;
                let raise = counter < 255 && random().is_multiple_of(odds);
                (minutes(now_ms) << 8) | (counter + u32::from(raise))
            }
        }
    }

    /// The clock of a key whose value is replaced: a frequency is the key's, a time is not.
    pub(crate) fn replaced(self, old: u32, now_ms: i64) -> u32 {
        match self {
            AccessPolicy::Lru | AccessPolicy::Lrm => seconds(now_ms),
            AccessPolicy::Lfu { .. } => old,
        }
    }

    /// The clock of a key whose value has been changed in place, if that moves it.
    #[inline]
    pub(crate) fn modified(self, now_ms: i64) -> Option<u32> {
        (self == AccessPolicy::Lrm).then(|| seconds(now_ms))
    }

    /// The clock of a key whose past is known, if this kind of clock can say it.
    pub(crate) fn seen(self, seen: Seen, now_ms: i64) -> Option<u32> {
        match (self, seen) {
            (AccessPolicy::Lru | AccessPolicy::Lrm, Seen::IdleSeconds(idle)) => {
                // What is longer ago than the clock remembers is as long ago as it can say.
                let idle = u32::try_from(idle).unwrap_or(CLOCK_MASK).min(CLOCK_MASK);
                Some(seconds(now_ms).wrapping_sub(idle) & CLOCK_MASK)
            }
            (AccessPolicy::Lfu { .. }, Seen::Frequency(frequency)) => {
                Some((minutes(now_ms) << 8) | u32::from(frequency))
            }
            _ => None,
        }
    }

    /// The LFU counter as it stands now, decay included.
    pub(crate) fn frequency(self, clock: u32, now_ms: i64) -> u8 {
        let counter = (clock & 0xff) as u8;
        match self {
            AccessPolicy::Lfu { decay_minutes, .. } if decay_minutes > 0 => {
                let passed = minutes(now_ms).wrapping_sub(clock >> 8) & 0xffff;
                counter.saturating_sub(u8::try_from(passed / decay_minutes).unwrap_or(u8::MAX))
            }
            _ => counter,
        }
    }
}

/// Seconds since the last access under LRU, the last change under LRM; right up to half a year.
pub(crate) fn idle_seconds(clock: u32, now_ms: i64) -> u64 {
    u64::from(seconds(now_ms).wrapping_sub(clock) & CLOCK_MASK)
}

fn seconds(now_ms: i64) -> u32 {
    (now_ms / 1_000) as u32 & CLOCK_MASK
}

fn minutes(now_ms: i64) -> u32 {
    (now_ms / 60_000) as u32 & 0xffff
}

/// The policy as all workers read it: one word.
///
/// `[1 bit: LFU][31 bits: log factor][32 bits: decay minutes]`; 0 is LRU, 1 is LRM.
#[derive(Debug)]
pub(crate) struct PolicyCell(AtomicU64);

impl PolicyCell {
    pub(crate) fn new() -> Self {
        PolicyCell(AtomicU64::new(0))
    }

    pub(crate) fn set(&self, policy: AccessPolicy) {
        let word = match policy {
            AccessPolicy::Lru => 0,
            AccessPolicy::Lrm => 1,
            AccessPolicy::Lfu {
                log_factor,
                decay_minutes,
            } => 1 << 63 | (u64::from(log_factor) & 0x7fff_ffff) << 32 | u64::from(decay_minutes),
        };
        // Relaxed: the word stands for itself; a unit that still sees the old one is as good as
        // one that ran a moment earlier.
        self.0.store(word, Relaxed);
    }

    #[inline]
    pub(crate) fn get(&self) -> AccessPolicy {
        // Relaxed: see `set`.
        match self.0.load(Relaxed) {
            0 => AccessPolicy::Lru,
            1 => AccessPolicy::Lrm,
            word => AccessPolicy::Lfu {
                log_factor: (word >> 32) as u32 & 0x7fff_ffff,
                decay_minutes: word as u32,
            },
        }
    }
}

#[cfg(all(test, not(feature = "model")))]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;
    const LFU: AccessPolicy = AccessPolicy::Lfu {
        log_factor: 10,
        decay_minutes: 1,
    };

    #[test]
    fn lru_counts_seconds_across_the_wrap() {
        let wrap = 1_000 << 24;
        for begin in [0, 5_000, wrap - 1_000, 3 * wrap - 2_000] {
            let clock = AccessPolicy::Lru.fresh(begin);
            assert_eq!(idle_seconds(clock, begin + 77_999), 77);
        }
    }

    #[test]
    fn lrm_moves_with_changes_alone() {
        let clock = AccessPolicy::Lrm.fresh(5_000);
        assert_eq!(AccessPolicy::Lrm.touched(clock, 60_000, || 0), clock);
        let after = AccessPolicy::Lrm.modified(60_000).expect("a change");
        assert_eq!(idle_seconds(after, 61_000), 1);
        assert_eq!(AccessPolicy::Lru.modified(60_000), None);
        assert_eq!(LFU.modified(60_000), None);
    }

    #[test]
    fn lfu_rises_by_chance_and_fades_with_time() {
        let start = LFU.fresh(MINUTE);
        assert_eq!(LFU.frequency(start, MINUTE), 5);
        let hit = LFU.touched(start, MINUTE, || 0);
        assert_eq!(LFU.frequency(hit, MINUTE), 6);
        // At 6 the odds are one in 11.
        assert_eq!(LFU.frequency(LFU.touched(hit, MINUTE, || 12), MINUTE), 6);
        assert_eq!(LFU.frequency(LFU.touched(hit, MINUTE, || 22), MINUTE), 7);
        assert_eq!(LFU.frequency(hit, MINUTE * 3), 4);
        assert_eq!(LFU.frequency(hit, MINUTE * 400), 0);
        let still = AccessPolicy::Lfu {
            log_factor: 10,
            decay_minutes: 0,
        };
        assert_eq!(still.frequency(hit, MINUTE * 400), 6);
    }

    #[test]
    fn the_cell_returns_what_was_set() {
        let cell = PolicyCell::new();
        assert_eq!(cell.get(), AccessPolicy::Lru);
        for policy in [
            LFU,
            AccessPolicy::Lfu {
                log_factor: 0,
                decay_minutes: 0,
            },
            AccessPolicy::Lrm,
            AccessPolicy::Lru,
        ] {
            cell.set(policy);
            assert_eq!(cell.get(), policy);
        }
    }

    #[test]
    fn a_past_is_told_to_the_clock_that_can_say_it() {
        let now_ms = 1_700_000_000_000;
        let idle = |seconds| {
            let clock = AccessPolicy::Lru.seen(Seen::IdleSeconds(seconds), now_ms);
            idle_seconds(clock.expect("LRU counts seconds"), now_ms)
        };
        assert_eq!(idle(0), 0);
        assert_eq!(idle(1000), 1000);
        assert_eq!(idle(u64::MAX), u64::from(CLOCK_MASK));
        let clock = LFU.seen(Seen::Frequency(200), now_ms);
        assert_eq!(
            LFU.frequency(clock.expect("LFU counts accesses"), now_ms),
            200
        );
        assert_eq!(
            Access(clock.expect("LFU counts accesses")).seen(LFU, now_ms),
            Seen::Frequency(200)
        );
        assert_eq!(
            Access(AccessPolicy::Lru.fresh(now_ms)).seen(AccessPolicy::Lru, now_ms + 5_000),
            Seen::IdleSeconds(5)
        );
        assert_eq!(LFU.seen(Seen::IdleSeconds(1), now_ms), None);
        assert_eq!(
            AccessPolicy::Lrm.seen(Seen::IdleSeconds(9), now_ms),
            AccessPolicy::Lru.seen(Seen::IdleSeconds(9), now_ms)
        );
        assert_eq!(AccessPolicy::Lru.seen(Seen::Frequency(1), now_ms), None);
    }
}
