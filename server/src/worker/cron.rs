//! Timers: what a worker does for its own connections, and worker 0 for all, `hz` times a second. Active
//! expiry is worker 0's as long as it keeps up, and everybody's while it does not.
//!
//! Connections are looked at in slices, so that each is seen once a second however many there are.

use std::sync::atomic::Ordering;

use io::{Close, Driver};
use persist::Kind;
use store::{Busy, CycleLimits, Gates, Plan, Turn};

use super::Worker;
use crate::blocking;
use crate::evict::bound_snapshots;
use crate::log;
use crate::persistence::NotBegun;
use crate::pubsub::{Outbox, Teller};

/// Connections looked at in one run, at least.
const SLICE_MIN: usize = 5;
/// Share of a worker's time that the expire cycle may take, in percent at effort 1, and the growth a
/// step of effort: Redis's numbers.
const EXPIRE_SHARE: u64 = 25;
const EXPIRE_SHARE_STEP: u64 = 2;

/// When the timers run next, and where they are.
#[derive(Debug, Default)]
pub(super) struct Cron {
    pub(super) next_ms: i64,
    /// The next place to look at.
    cursor: usize,
    next_sample_ms: i64,
    /// When a word about a loading is due.
    next_word_ms: i64,
}

impl<D: Driver> Worker<'_, D> {
    /// Runs the timers once.
    pub(super) fn run_cron(&mut self) {
        let hz = i64::from(self.engine.desk.live.hz_for(self.by_client.len()));
        let now_ms = self.engine.desk.monotonic_ms;
        // From now, not from the last time: a worker that was late does not run twice at once.
        self.cron.next_ms = now_ms + 1_000 / hz;
        // Relaxed: DEBUG's switch, by itself.
        if self.engine.server.cron_paused.load(Ordering::Relaxed) {
            return;
        }
        self.look_at_connections(hz as usize);
        // Worker 0 finds out whether there is anything to do; when that is more than its share of the time
        // allows, the others take part.
        // Relaxed: a hint, which the next run corrects.
        if self.index() == 0 || self.engine.server.expire_is_behind.load(Ordering::Relaxed) {
            self.expire(hz as u64);
        }
        if self.index() == 0 {
            let server = self.engine.server;
            server
                .tracking
                .limit(server, &Outbox::of_nobody(&server.mailboxes));
            if now_ms >= self.cron.next_sample_ms {
                self.cron.next_sample_ms = now_ms + 100;
                self.sample_rates();
                self.begin_due_save();
                bound_snapshots(&server.store);
                server.begin_due_rewrite();
                server.suspend_flushes();
            }
            if now_ms >= self.cron.next_word_ms {
                self.cron.next_word_ms = now_ms + 5_000;
                server.tell_loading();
            }
        }
    }

    /// `timeout`, soft output limits, the sizes of buffers.
    fn look_at_connections(&mut self, hz: usize) {
        let slice = (self.connections.len() / hz)
            .max(SLICE_MIN)
            .min(self.connections.len());
        for _ in 0..slice {
            if self.cron.cursor >= self.connections.len() {
                self.cron.cursor = 0;
            }
            let place = self.cron.cursor;
            self.cron.cursor += 1;
            if self.is_idle_too_long(place) {
                log::verbose(format_args!("Closing idle client"));
                self.engine.desk.figures.timed_out_clients.add(1);
                self.close(place, Close::Now);
            } else if !self.check_output_limit(place) {
                self.fit_buffers(place);
            }
        }
    }

    fn is_idle_too_long(&self, place: usize) -> bool {
        let (Some(timeout), Some(connection)) =
            (self.engine.desk.live.timeout, &self.connections[place])
        else {
            return false;
        };
        let idle_ms = self.engine.desk.monotonic_ms - connection.active_ms;
        connection.parked.is_none()
            && !connection.session.monitor
            && !connection.session.is_subscriber
            && idle_ms > i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX)
    }

    /// The active expire cycle, within its share of the time.
    fn expire(&mut self, hz: u64) {
        // During a pause nothing may change, expiry included.
        let now_ms = self.engine.desk.clock_ms;
        if self.engine.server.store.gates(now_ms).closed(Gates::STILL) {
            return;
        }
        let effort = u64::from(self.engine.desk.live.active_expire_effort.clamp(1, 10)) - 1;
        let share = EXPIRE_SHARE + EXPIRE_SHARE_STEP * effort;
        let budget_us = u128::from(1_000_000 * share / hz / 100);
        let desk = &self.engine.desk;
        let teller = Teller::new(self.engine.server, desk.worker, None);
        let turn = Turn {
            worker: desk.worker,
            db: 0,
            clock_ms: desk.clock_ms,
            tries: 0,
            no_touch: true,
            witness: Some(&teller),
            scratch: &mut self.engine.scratch,
        };
        let limits = CycleLimits {
            per_hold: 64,
            total: usize::MAX,
        };
        let began = self.net.monotonic();
        let net = &self.net;
        let cycle = self.engine.server.store.expire_cycle(turn, limits, || {
            (net.monotonic() - began).as_micros() < budget_us
        });
        if self.index() == 0 {
            let is_behind = &self.engine.server.expire_is_behind;
            is_behind.store(cycle.unfinished, Ordering::Relaxed);
        }
        let desk = &self.engine.desk;
        desk.figures.active_expired.add(cycle.expired);
        let ready = self.engine.scratch.drain_ready();
        blocking::send_again_for(self.engine.server, &ready);
        let took = self.net.monotonic() - began;
        desk.figures.expire_us.add(took.as_micros() as u64);
        let took_ms = took.as_millis() as u64;
        let threshold = desk.live.latency_monitor_threshold_ms;
        if threshold > 0 && took_ms >= threshold {
            let unix_s = desk.clock_ms.div_euclid(1_000);
            self.engine
                .server
                .latency
                .enter("expire-cycle", unix_s, took_ms);
        }
    }

    /// Begins the save that is scheduled, or that a save point asks for; if it cannot be now, next time.
    fn begin_due_save(&mut self) {
        let server = self.engine.server;
        let desk = &self.engine.desk;
        if !server.wants_save(&desk.live.save_points) {
            return;
        }
        let turn = Turn::new(desk.worker, 0, desk.clock_ms, &mut self.engine.scratch);
        let begun = server
            .store
            .begin(Plan::OneByOne, turn)
            .map_err(|Busy| NotBegun::Busy)
            .and_then(|mut unit| server.begin_save(&mut unit, Kind::Background));
        match begun {
            Ok(_) | Err(NotBegun::Refused) => {
                // Relaxed: the timers' own switch.
                server.persistence.scheduled.store(false, Ordering::Relaxed);
            }
            Err(NotBegun::Busy | NotBegun::Running(_)) => {}
        }
    }

    fn sample_rates(&mut self) {
        let desk = &self.engine.desk;
        let totals = desk.statistics.totals();
        let mut rates = self.engine.server.rates.lock();
        rates
            .commands
            .sample(desk.monotonic_ms, totals.commands_processed);
        rates
            .input_bytes
            .sample(desk.monotonic_ms, totals.net_input_bytes);
        rates
            .output_bytes
            .sample(desk.monotonic_ms, totals.net_output_bytes);
        rates.turns.sample(desk.monotonic_ms, totals.turns);
        rates.turns_us.sample(desk.monotonic_ms, totals.turns_us);
    }
}
