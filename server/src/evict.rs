//! Making room before a command runs, when more memory is in use than `maxmemory` allows.
//!
//! The page is `docs/design/eviction.md`. A slice runs before a command's locks, and the worker goes on at the
//! end of its turns until there is room; what the store does in a slice is `store/src/evict.rs`.
//!
//! **Invariant:** a slice lasts as long as `maxmemory-eviction-tenacity` says, and one removal more.
//!
//! Checked by: tests below, server/tests/evict.rs, server/tests/limits.rs, Redis's unit/maxmemory.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use store::{EvictionEnd, EvictionLimits, Gates, Store, Turn};

use crate::blocking;
use crate::dispatch::Engine;
use crate::pubsub::Teller;
use crate::server::Server;

/// Keys after which the allocator is asked whether there is room. In between what has been removed is
/// counted: output that waits for its client (invalidations of what was evicted) must not evict more.
const ASK_EVERY: u32 = 16;

/// Whether memory can grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// Less is in use than allowed, or now is no time for eviction.
    Enough,
    /// It is being made.
    Soon,
    /// There is none, and nothing can be removed.
    None,
}

/// How long memory has been above its limit.
#[derive(Debug, Default)]
pub struct Exceeded {
    /// When it got there, monotonic µs; 0: it is not.
    since_us: AtomicI64,
    /// Earlier times together, µs.
    total_us: AtomicU64,
}

impl Exceeded {
    fn begins(&self) {
        if self.since_us.load(Relaxed) == 0 {
            let now_us = now_us();
            // Relaxed, here and below: a figure; whoever comes second says nothing new.
            let _ = self.since_us.compare_exchange(0, now_us, Relaxed, Relaxed);
        }
    }

    fn ends(&self) {
        if self.since_us.load(Relaxed) != 0 {
            let since_us = self.since_us.swap(0, Relaxed);
            if since_us != 0 {
                self.total_us.fetch_add(elapsed_us(since_us), Relaxed);
            }
        }
    }

    /// Milliseconds in all, and of the time that is running.
    #[must_use]
    pub fn total_and_current_ms(&self) -> (u64, u64) {
        let current_us = match self.since_us.load(Relaxed) {
            0 => 0,
            since_us => elapsed_us(since_us),
        };
        let total_us = self.total_us.load(Relaxed) + current_us;
        (total_us / 1_000, current_us / 1_000)
    }

    /// CONFIG RESETSTAT.
    pub fn reset(&self) {
        self.since_us.store(0, Relaxed);
        self.total_us.store(0, Relaxed);
    }
}

/// Never 0, which means something else here.
fn now_us() -> i64 {
    i64::try_from(os::clock::monotonic_us()).map_or(i64::MAX, |us| us.max(1))
}

fn elapsed_us(since_us: i64) -> u64 {
    u64::try_from(now_us() - since_us).unwrap_or(0)
}

/// How long a slice lasts: Redis's scale of `maxmemory-eviction-tenacity`.
fn slice(tenacity: u32) -> Duration {
    match tenacity {
        0..=10 => Duration::from_micros(50 * u64::from(tenacity)),
        11..100 => {
            let growth = 1.15_f64.powi(i32::try_from(tenacity - 10).unwrap_or(0));
            Duration::from_micros((500.0 * growth) as u64)
        }
        _ => Duration::MAX,
    }
}

impl Server {
    /// Bytes in use beyond `maxmemory`, less what is about to be freed and what only snapshots hold; exact
    /// around 0.
    fn excess(&self, limit: u64) -> u64 {
        let free = self.store.bytes_to_free() + Store::idle_bytes();
        let limit = limit.saturating_add(free + self.store.snapshot_bytes());
        os::alloc::used_bytes_near(limit).saturating_sub(limit)
    }
}

/// What snapshots may hold beyond the data, at least: below this nobody feels it.
const SNAPSHOT_BYTES_MIN: u64 = 64 << 20;

/// The bound of what snapshots hold: a quarter of the data, which is what a save may cost
/// (`docs/design/eviction.md`).
pub(crate) fn bound_snapshots(store: &Store) {
    let data = os::alloc::used_bytes().saturating_sub(store.snapshot_bytes());
    store.set_snapshot_bound((data / 4).max(SNAPSHOT_BYTES_MIN));
}

impl Engine<'_> {
    /// Whether there is room for more; makes some if there is not, within a slice.
    #[inline]
    pub(crate) fn room(&mut self) -> Room {
        if self.desk.live.maxmemory == 0 {
            self.desk.evicts = false;
            return Room::Enough;
        }
        let excess = self.server.excess(self.desk.live.maxmemory);
        if excess == 0 {
            self.desk.evicts = false;
            self.server.exceeded.ends();
            return Room::Enough;
        }
        self.make_room(excess)
    }

    #[cold]
    fn make_room(&mut self, excess: u64) -> Room {
        let server = self.server;
        server.exceeded.begins();
        self.desk.evicts = false;
        let live = &self.desk.live;
        let Some(policy) = live.maxmemory_policy else {
            return Room::None;
        };
        let gates = server.store.gates(self.desk.clock_ms);
        if gates.closed(Gates::STILL | Gates::READ_ONLY) {
            return Room::Enough;
        }
        let limits = EvictionLimits {
            policy,
            samples: live.maxmemory_samples,
        };
        let maxmemory = live.maxmemory;
        let budget_ns = slice(live.maxmemory_eviction_tenacity).as_nanos();
        let teller = Teller::new(server, self.desk.worker, None);
        let turn = Turn {
            worker: self.desk.worker,
            db: 0,
            clock_ms: self.desk.clock_ms,
            tries: 0,
            no_touch: true,
            witness: Some(&teller),
            scratch: &mut self.scratch,
        };
        let began = os::clock::ticks();
        let (mut last, mut longest, mut asked, mut enough) = (began, 0, 0_u32, false);
        let eviction = server
            .store
            .evict(turn, limits, &mut self.desk.pool, |freed| {
                let now = os::clock::ticks();
                longest = longest.max(now.wrapping_sub(last));
                last = now;
                asked += 1;
                let took_ns = u128::from(os::clock::ticks_to_ns(now.wrapping_sub(began)));
                enough = freed >= excess || asked % ASK_EVERY == 0 && server.excess(maxmemory) == 0;
                !enough && (asked == 1 || took_ns < budget_ns)
            });
        self.desk.has_letters |= teller.has_own();
        let ready = self.scratch.drain_ready();
        blocking::send_again_for(server, &ready);
        self.note_eviction(began, longest);
        match eviction.end {
            // Not asked again: what waits to be sent about the removals would remove more.
            EvictionEnd::Told if enough => {
                server.exceeded.ends();
                Room::Enough
            }
            EvictionEnd::Told | EvictionEnd::Busy => {
                self.desk.evicts = true;
                Room::Soon
            }
            EvictionEnd::Forbidden => Room::Enough,
            EvictionEnd::NothingLeft => Room::None,
        }
    }

    /// Whether a command that `gates` would stop has to wait: snapshots hold more than they
    /// should, and every write may add to that. A worker runs one in a millisecond, so that the saver gets
    /// ahead, and a saver that hangs stops nobody for good.
    #[cold]
    pub(crate) fn waits_for_saver(&mut self, gates: u64) -> bool {
        if gates & Gates::PAUSE_WRITES == 0 {
            return false;
        }
        let now_ms = self.desk.monotonic_ms;
        let waits = now_ms < self.desk.next_write_ms;
        if waits {
            self.desk.figures.parked_gate.add(1);
        } else {
            self.desk.next_write_ms = now_ms + 1;
        }
        waits
    }

    /// Tells the latency monitor.
    fn note_eviction(&self, began: u64, longest: u64) {
        let threshold = self.desk.live.latency_monitor_threshold_ms;
        if threshold == 0 {
            return;
        }
        let took = os::clock::ticks().wrapping_sub(began);
        let unix_s = self.desk.clock_ms.div_euclid(1_000);
        for (event, ticks) in [("eviction-cycle", took), ("eviction-del", longest)] {
            let ms = os::clock::ticks_to_ns(ticks) / 1_000_000;
            if ms >= threshold {
                self.server.latency.enter(event, unix_s, ms);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenacity_is_how_long_a_slice_lasts() {
        let check = |tenacity, us| assert_eq!(slice(tenacity).as_micros(), us, "{tenacity}");
        check(0, 0);
        check(1, 50);
        check(10, 500);
        check(11, 575);
        check(50, 133_931);
        assert_eq!(slice(100), Duration::MAX);
    }

    #[test]
    fn time_above_the_limit_adds_up() {
        let exceeded = Exceeded::default();
        assert_eq!(exceeded.total_and_current_ms(), (0, 0));
        exceeded.begins();
        std::thread::sleep(Duration::from_millis(3));
        let (total, current) = exceeded.total_and_current_ms();
        assert!(current >= 3 && total == current);
        exceeded.ends();
        let (total, current) = exceeded.total_and_current_ms();
        assert!(total >= 3 && current == 0);
        exceeded.reset();
        assert_eq!(exceeded.total_and_current_ms(), (0, 0));
    }
}
