//! What the server counts for INFO, LATENCY HISTOGRAM and the error statistics.
//!
//!   Statistics ── per worker ──▶ WorkerFigures { counters, by command: calls, time, histogram }
//!              └─ for all ─────▶ errors by prefix (a mutex: errors are not the hot path)
//!
//! S1  a worker's figures have one writer, that worker; so adding is a load and a store, not a locked
//!     instruction, and costs nothing that shows. Readers sum over workers and may be a turn late.
//! S2  CONFIG RESETSTAT replaces the whole `Statistics` (`Server::reset_statistics`); a worker takes
//!     the new one at its next turn, and at once if the reset was its own command.
//!
//! Checked by: tests below, server/tests.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use crate::table::CommandId;

/// A counter with one writer.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds; by the owner alone (S1).
    #[inline]
    pub fn add(&self, n: u64) {
        // Relaxed: a figure for people. One writer, so nothing is lost between load and store.
        self.0.store(
            self.0.load(Ordering::Relaxed).wrapping_add(n),
            Ordering::Relaxed,
        );
    }

    /// Raises it to `n` if it is lower; by the owner alone.
    pub fn raise(&self, n: u64) {
        if n > self.get() {
            self.set(n);
        }
    }

    /// Replaces it; by the owner alone.
    pub fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    /// Its value.
    #[inline]
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How long a command took: counts by duration in nanoseconds, eight steps to each doubling, so that
/// a percentile is right to an eighth. 1 ns to 2^40 ns (18 minutes), longer ones in the last step.
#[derive(Debug)]
pub struct Histogram {
    steps: Box<[Counter; Histogram::STEPS]>,
}

impl Histogram {
    const PER_DOUBLING: usize = 8;
    const STEPS: usize = 38 * Self::PER_DOUBLING;

    fn new() -> Histogram {
        Histogram {
            steps: Box::new([const { Counter(AtomicU64::new(0)) }; Self::STEPS]),
        }
    }

    #[inline]
    fn step(ns: u64) -> usize {
        let ns = ns.max(Self::PER_DOUBLING as u64);
        let doubling = 60 - ns.leading_zeros() as usize;
        let within = (ns >> doubling) as usize & (Self::PER_DOUBLING - 1);
        (doubling * Self::PER_DOUBLING + within).min(Self::STEPS - 1)
    }

    /// The longest duration, ns, that falls into `step`.
    fn ceiling_ns(step: usize) -> u64 {
        let (doubling, within) = (step / Self::PER_DOUBLING, step % Self::PER_DOUBLING);
        ((Self::PER_DOUBLING + within + 1) as u64) << doubling
    }

    #[inline]
    fn record(&self, ns: u64) {
        self.steps[Self::step(ns)].add(1);
    }
}

/// Counts of one command's durations, summed over workers.
#[derive(Clone, Debug)]
pub struct Durations {
    counts: Vec<u64>,
}

impl Durations {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// How many took at most `ns` (to the histogram's precision).
    #[must_use]
    pub fn at_most_ns(&self, ns: u64) -> u64 {
        self.counts
            .iter()
            .enumerate()
            .take_while(|&(step, _)| Histogram::ceiling_ns(step) <= ns.saturating_add(ns / 8))
            .map(|(_, count)| count)
            .sum()
    }

    /// The duration in ns that `percent` of the calls did not exceed.
    #[must_use]
    pub fn percentile_ns(&self, percent: f64) -> u64 {
        let wanted = (self.count() as f64 * percent / 100.0).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (step, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return Histogram::ceiling_ns(step);
            }
        }
        0
    }
}

/// One command's figures at one worker.
#[derive(Debug, Default)]
pub struct CommandFigures {
    /// Calls that ran.
    pub calls: Counter,
    /// Their time, ns.
    pub ns: Counter,
    /// Calls refused before they ran.
    pub rejected: Counter,
    /// Calls that ran and answered an error.
    pub failed: Counter,
    durations: OnceLock<Histogram>,
}

/// One command's figures, summed over workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CommandTotals {
    /// Calls that ran.
    pub calls: u64,
    /// Their time, ns.
    pub ns: u64,
    /// Calls refused before they ran.
    pub rejected: u64,
    /// Calls that ran and answered an error.
    pub failed: u64,
}

/// Declares the plain counters once, for the struct and for the sum.
macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// One worker's figures. Aligned, so that no two workers write one cache line.
        #[derive(Debug)]
        #[repr(align(128))]
        pub struct WorkerFigures {
            commands: Box<[CommandFigures]>,
            $($(#[$doc])* pub $name: Counter,)*
        }

        /// The plain counters, summed over workers.
        #[derive(Clone, Copy, Debug, Default)]
        pub struct Totals {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl WorkerFigures {
            fn new(commands: usize) -> WorkerFigures {
                WorkerFigures {
                    commands: (0..commands).map(|_| CommandFigures::default()).collect(),
                    $($name: Counter::default(),)*
                }
            }

            fn add_to(&self, totals: &mut Totals) {
                $(totals.$name += self.$name.get();)*
            }
        }
    };
}

counters! {
    /// `total_connections_received`.
    connections_received,
    /// `rejected_connections`: over `maxclients`.
    connections_rejected,
    /// `total_commands_processed`.
    commands_processed,
    /// `total_net_input_bytes`.
    net_input_bytes,
    /// `total_net_output_bytes`.
    net_output_bytes,
    /// `total_reads_processed`.
    reads_processed,
    /// `total_writes_processed`.
    writes_processed,
    /// `total_error_replies`.
    error_replies,
    /// `client_query_buffer_limit_disconnections`.
    query_buffer_disconnections,
    /// `client_output_buffer_limit_disconnections`.
    output_buffer_disconnections,
    /// `eventloop_cycles`.
    turns,
    /// `eventloop_duration_sum`, µs: all but waiting.
    turns_us,
    /// `io_threaded_total_prefetch_batches`: batches whose keys were touched ahead.
    prefetch_batches,
    /// `io_threaded_total_prefetch_entries`: their keys.
    prefetch_entries,
    /// `eventloop_duration_cmd_sum`, µs.
    commands_us,
    /// `acl_access_denied_auth`.
    denied_auth,
    /// `acl_access_denied_cmd`.
    denied_command,
    /// Times that a command found its shard held and was parked.
    parked_busy,
    /// Times that a command was parked by a gate (CLIENT PAUSE).
    parked_gate,
    /// `evicted_clients`.
    evicted_clients,
    /// Timed-out clients.
    timed_out_clients,
    /// Connections that a panic in a handler has cost.
    panics,
    /// `expire_cycle_cpu_milliseconds`, in µs.
    expire_us,
    /// Keys removed by the active expire cycle.
    active_expired,
}

impl WorkerFigures {
    /// One command's figures.
    #[inline]
    #[must_use]
    pub fn command(&self, id: CommandId) -> &CommandFigures {
        &self.commands[usize::from(id.0)]
    }

    /// Counts a call that ran.
    #[inline]
    pub fn ran(&self, id: CommandId, ns: u64, tracking: bool) {
        let figures = self.command(id);
        figures.calls.add(1);
        figures.ns.add(ns);
        if tracking {
            figures.durations.get_or_init(Histogram::new).record(ns);
        }
    }
}

/// Errors by prefix that are told apart; Redis stops at this number, too, because a script can
/// invent prefixes.
const ERROR_PREFIXES_MAX: usize = 128;

/// Everything that CONFIG RESETSTAT resets.
#[derive(Debug)]
pub struct Statistics {
    workers: Vec<Arc<WorkerFigures>>,
    errors: Mutex<BTreeMap<Box<str>, u64>>,
}

impl Statistics {
    /// All zero.
    #[must_use]
    pub fn new(workers: usize, commands: usize) -> Statistics {
        Statistics {
            workers: (0..workers)
                .map(|_| Arc::new(WorkerFigures::new(commands)))
                .collect(),
            errors: Mutex::new(BTreeMap::new()),
        }
    }

    /// One worker's figures.
    #[must_use]
    pub fn worker(&self, worker: usize) -> &Arc<WorkerFigures> {
        &self.workers[worker]
    }

    /// The plain counters, summed.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for worker in &self.workers {
            worker.add_to(&mut totals);
        }
        totals
    }

    /// One command's figures, summed.
    #[must_use]
    pub fn command(&self, id: CommandId) -> CommandTotals {
        let mut totals = CommandTotals::default();
        for worker in &self.workers {
            let figures = worker.command(id);
            totals.calls += figures.calls.get();
            totals.ns += figures.ns.get();
            totals.rejected += figures.rejected.get();
            totals.failed += figures.failed.get();
        }
        totals
    }

    /// One command's durations; `None` when it never ran while they were tracked.
    #[must_use]
    pub fn durations(&self, id: CommandId) -> Option<Durations> {
        let mut counts = vec![0; Histogram::STEPS];
        let mut any = false;
        for worker in &self.workers {
            let Some(histogram) = worker.command(id).durations.get() else {
                continue;
            };
            any = true;
            for (sum, step) in counts.iter_mut().zip(histogram.steps.iter()) {
                *sum += step.get();
            }
        }
        any.then_some(Durations { counts })
    }

    /// Counts an error by its prefix, the first word of its text.
    pub fn count_error(&self, text: &str) {
        let prefix = text.split(' ').next().unwrap_or_default();
        let mut errors = self.errors.lock();
        if let Some(count) = errors.get_mut(prefix) {
            *count += 1;
        } else if errors.len() < ERROR_PREFIXES_MAX {
            errors.insert(prefix.into(), 1);
        } else {
            *errors.entry("ERRORSTATS_OVERFLOW".into()).or_default() += 1;
        }
    }

    /// Errors by prefix, in alphabetical order.
    #[must_use]
    pub fn errors(&self) -> Vec<(Box<str>, u64)> {
        self.errors
            .lock()
            .iter()
            .map(|(prefix, &count)| (prefix.clone(), count))
            .collect()
    }
}

/// Changes to the data since the start, a count a worker, each on lines of its own. CONFIG RESETSTAT
/// leaves them alone.
#[derive(Debug)]
pub struct Changes {
    workers: Box<[Apart]>,
}

#[derive(Debug, Default)]
#[repr(align(128))]
struct Apart(Counter);

impl Changes {
    /// None yet.
    #[must_use]
    pub fn new(workers: usize) -> Changes {
        Changes {
            workers: (0..workers).map(|_| Apart::default()).collect(),
        }
    }

    /// Adds, by the worker itself (S1).
    #[inline]
    pub(crate) fn add(&self, worker: usize, changes: u64) {
        self.workers[worker].0.add(changes);
    }

    /// How many there were.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.workers.iter().map(|worker| worker.0.get()).sum()
    }
}

/// Sixteen samples of a growing figure, ten a second: INFO's `instantaneous_*`.
#[derive(Clone, Debug, Default)]
pub struct Rate {
    last: Option<(i64, u64)>,
    samples: [f64; 16],
    next: usize,
}

impl Rate {
    /// Takes a sample: the figure's value at `now_ms`.
    pub fn sample(&mut self, now_ms: i64, value: u64) {
        if let Some((then_ms, before)) = self.last
            && now_ms > then_ms
        {
            // A reset makes the figure smaller than it was: then nothing has been seen.
            let grown = value.saturating_sub(before) as f64;
            self.samples[self.next] = grown * 1000.0 / (now_ms - then_ms) as f64;
            self.next = (self.next + 1) % self.samples.len();
        }
        self.last = Some((now_ms, value));
    }

    /// Growth a second.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        self.samples.iter().sum::<f64>() / self.samples.len() as f64
    }
}

/// The rates that worker 0 samples.
#[derive(Clone, Debug, Default)]
pub struct Rates {
    /// `instantaneous_ops_per_sec`.
    pub commands: Rate,
    /// `instantaneous_input_kbps`, in bytes.
    pub input_bytes: Rate,
    /// `instantaneous_output_kbps`, in bytes.
    pub output_bytes: Rate,
    /// `instantaneous_eventloop_cycles_per_sec`.
    pub turns: Rate,
    /// For `instantaneous_eventloop_duration_usec`: µs of turns a second.
    pub turns_us: Rate,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_falls_into_a_step_that_holds_it() {
        let mut last = 0;
        for ns in (0..4096).chain((12..40).flat_map(|shift| {
            let power = 1u64 << shift;
            [power - 1, power, power + power / 3]
        })) {
            let step = Histogram::step(ns);
            assert!(step >= last, "steps rise with {ns}");
            last = step;
            let ceiling = Histogram::ceiling_ns(step);
            assert!(
                ns < ceiling && ceiling <= ns.max(8) + ns.max(8) / 8 + 1,
                "{ns} in {ceiling}"
            );
        }
        assert_eq!(Histogram::step(u64::MAX), Histogram::STEPS - 1);
    }

    #[test]
    fn percentiles_and_sums_over_workers() {
        let statistics = Statistics::new(2, 3);
        let id = CommandId(1);
        for n in 0..100u64 {
            let worker = statistics.worker((n % 2) as usize);
            worker.ran(id, if n < 99 { 1_000 } else { 1_000_000 }, true);
        }
        statistics.worker(1).command(id).failed.add(2);
        let expected = CommandTotals {
            calls: 100,
            ns: 1_099_000,
            rejected: 0,
            failed: 2,
        };
        assert_eq!(statistics.command(id), expected);
        let durations = statistics.durations(id).expect("it ran");
        assert_eq!(durations.count(), 100);
        assert!((1_000..=1_125).contains(&durations.percentile_ns(50.0)));
        assert!((1_000_000..=1_125_000).contains(&durations.percentile_ns(100.0)));
        assert_eq!(
            (durations.at_most_ns(2_000), durations.at_most_ns(500)),
            (99, 0)
        );
        assert!(statistics.durations(CommandId(0)).is_none());
    }

    #[test]
    fn errors_are_counted_by_prefix_and_bounded() {
        let statistics = Statistics::new(1, 1);
        statistics.count_error("ERR a");
        statistics.count_error("ERR b");
        assert_eq!(statistics.errors(), vec![("ERR".into(), 2)]);
        for n in 0..500 {
            statistics.count_error(&format!("E{n} text"));
        }
        assert_eq!(statistics.errors().len(), ERROR_PREFIXES_MAX + 1);
    }

    #[test]
    fn a_rate_is_the_mean_of_its_samples() {
        let mut rate = Rate::default();
        for n in 0..=16 {
            rate.sample(n * 100, n as u64 * 50);
        }
        assert!((rate.per_second() - 500.0).abs() < 1e-9);
    }
}
