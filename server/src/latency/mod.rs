//! LATENCY: the latest spikes of each kind, as `latency-monitor-threshold` asks.
//!
//! An event is a kind (`command`, `fast-command`, `expire-cycle`) with up to 160 samples, one a
//! second: a second that has several keeps its worst.
//!
//! **Invariant:** kinds are named by the server alone, so their number is bounded by the code.
//!
//! Checked by: tests below.

use std::collections::{BTreeMap, VecDeque};

use parking_lot::Mutex;

pub mod doctor;
pub mod graph;

/// Samples kept of each event.
const SAMPLES_MAX: usize = 160;

/// One spike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Wall clock, seconds.
    pub unix_s: i64,
    /// How long it took, ms.
    pub latency_ms: u64,
}

/// The spikes of one kind.
#[derive(Clone, Debug, Default)]
pub struct Spikes {
    /// Oldest first.
    pub samples: VecDeque<Sample>,
    /// The worst ever.
    pub max_ms: u64,
    /// All samples' latencies together, since the reset.
    pub sum_ms: u64,
    /// How many that were.
    pub count: u64,
}

/// The monitor.
#[derive(Debug, Default)]
pub struct LatencyMonitor {
    events: Mutex<BTreeMap<&'static str, Spikes>>,
}

impl LatencyMonitor {
    /// Enters a spike that has passed the threshold.
    pub fn enter(&self, event: &'static str, unix_s: i64, latency_ms: u64) {
        let mut events = self.events.lock();
        let spikes = events.entry(event).or_default();
        spikes.max_ms = spikes.max_ms.max(latency_ms);
        spikes.sum_ms += latency_ms;
        spikes.count += 1;
        match spikes.samples.back_mut() {
            Some(last) if last.unix_s == unix_s => {
                last.latency_ms = last.latency_ms.max(latency_ms);
            }
            _ => {
                if spikes.samples.len() == SAMPLES_MAX {
                    spikes.samples.pop_front();
                }
                spikes.samples.push_back(Sample { unix_s, latency_ms });
            }
        }
    }

    /// All events.
    #[must_use]
    pub fn all(&self) -> Vec<(&'static str, Spikes)> {
        self.events
            .lock()
            .iter()
            .map(|(&name, spikes)| (name, spikes.clone()))
            .collect()
    }

    /// One event.
    #[must_use]
    pub fn event(&self, name: &str) -> Option<Spikes> {
        self.events.lock().get(name).cloned()
    }

    /// Forgets one event; whether there was one.
    pub fn reset(&self, name: &str) -> bool {
        self.events.lock().remove(name).is_some()
    }

    /// Forgets all; how many there were.
    pub fn reset_all(&self) -> usize {
        let mut events = self.events.lock();
        let count = events.len();
        events.clear();
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_keeps_its_worst_and_history_is_bounded() {
        let monitor = LatencyMonitor::default();
        for (second, ms) in [(1, 5), (1, 9), (1, 2), (2, 3)] {
            monitor.enter("command", second, ms);
        }
        let spikes = monitor.event("command").expect("entered");
        let seen: Vec<_> = spikes
            .samples
            .iter()
            .map(|s| (s.unix_s, s.latency_ms))
            .collect();
        assert_eq!(seen, [(1, 9), (2, 3)]);
        assert_eq!((spikes.max_ms, spikes.count), (9, 4));
        for second in 3..400 {
            monitor.enter("command", second, 1);
        }
        assert_eq!(
            monitor.event("command").expect("entered").samples.len(),
            SAMPLES_MAX
        );
        assert!(monitor.reset("command") && !monitor.reset("command"));
        assert_eq!(monitor.reset_all(), 0);
    }
}
