//! What the workers read of the configuration, as plain fields.
//!
//! `config` owns the table of parameters, their texts and their checks. Whenever one changes it makes
//! a new `Live` from the table and publishes it (`Server::set_live`); a worker takes the newest once
//! a turn, and again after every command about the server itself, so CONFIG SET holds for the next
//! command of the same pipeline. Nothing here is a text to be parsed.
//!
//! **Invariant:** a `Live` never changes once published.

use std::time::Duration;

use crate::persistence::SavePoint;
use store::{AccessPolicy, EventClass, EvictionOrder, EvictionPolicy, Lazy};

/// `client-output-buffer-limit` of one class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputLimit {
    /// Closed at once above this; 0: no limit.
    pub hard_bytes: u64,
    /// Closed when above this for `soft_seconds`; 0: no limit.
    pub soft_bytes: u64,
    /// See `soft_bytes`.
    pub soft_seconds: u64,
}

/// Who may use DEBUG and MODULE: `enable-debug-command`, `enable-module-command`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protected {
    /// Nobody.
    #[default]
    No,
    /// Everybody.
    Yes,
    /// Clients of this machine.
    Local,
}

/// `notify-keyspace-events`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventsWanted {
    /// The classes.
    pub classes: EventClass,
    /// `K`: on `__keyspace@db__:key`.
    pub keyspace: bool,
    /// `E`: on `__keyevent@db__:event`.
    pub keyevent: bool,
}

impl EventsWanted {
    /// From the parameter's letters.
    #[must_use]
    pub fn of(letters: &[u8]) -> EventsWanted {
        const MODULE: EventClass = EventClass(1 << 13);
        const CLASSES: [(u8, EventClass); 12] = [
            (b'g', EventClass::GENERIC),
            (b'$', EventClass::STRING),
            (b'l', EventClass::LIST),
            (b's', EventClass::SET),
            (b'h', EventClass::HASH),
            (b'z', EventClass::ZSET),
            (b'x', EventClass::EXPIRED),
            (b'e', EventClass::EVICTED),
            (b't', EventClass::STREAM),
            (b'd', MODULE),
            (b'm', EventClass::KEY_MISS),
            (b'n', EventClass::NEW),
        ];
        // `A` is all but the last two.
        const IN_ALL: usize = 10;
        let mut classes = EventClass::NONE;
        for (at, (letter, class)) in CLASSES.iter().enumerate() {
            let is_meant = letters.contains(letter) || (at < IN_ALL && letters.contains(&b'A'));
            if is_meant {
                classes = classes.or(*class);
            }
        }
        EventsWanted {
            classes,
            keyspace: letters.contains(&b'K'),
            keyevent: letters.contains(&b'E'),
        }
    }

    /// The classes that units gather: none when no channel is asked for.
    #[must_use]
    pub fn gathered(self) -> EventClass {
        if self.keyspace || self.keyevent {
            self.classes
        } else {
            EventClass::NONE
        }
    }
}

/// The configuration's share that the hot path reads. Names are the parameters' own.
#[derive(Clone, Debug)]
pub struct Live {
    /// What data commands read.
    pub settings: commands::Settings,
    /// `maxmemory`, bytes; 0: no limit.
    pub maxmemory: u64,
    /// `maxmemory-policy`; `None` for `noeviction`.
    pub maxmemory_policy: Option<EvictionPolicy>,
    /// `maxmemory-clients`, bytes, or per cent of `maxmemory` when negative; 0: no limit.
    pub maxmemory_clients: i64,
    /// `maxmemory-samples`.
    pub maxmemory_samples: usize,
    /// `maxmemory-eviction-tenacity`.
    pub maxmemory_eviction_tenacity: u32,
    /// The `lazyfree-lazy-*` switches that the store obeys.
    pub lazy: Lazy,
    /// `maxclients`.
    pub maxclients: u64,
    /// `timeout`; `None` for 0.
    pub timeout: Option<Duration>,
    /// `max-new-connections-per-cycle`, 1..=1000.
    pub new_connections_per_turn: usize,
    /// `tcp-keepalive`; `None` for 0.
    pub tcp_keepalive: Option<Duration>,
    /// `protected-mode`.
    pub protected_mode: bool,
    /// `requirepass`; `None` when empty: the default user needs no password.
    pub requirepass: Option<Box<[u8]>>,
    /// `client-query-buffer-limit`, bytes.
    pub query_buffer_bytes_max: u64,
    /// `client-output-buffer-limit` for normal, replica, pubsub clients, in this order.
    pub output_limits: [OutputLimit; 3],
    /// `hz`, within 1..=500.
    pub hz: u32,
    /// `dynamic-hz`: timers run more often when there are many connections.
    pub dynamic_hz: bool,
    /// `prefetch-batch-max-size`: requests that are cut together and whose
    /// keys are touched ahead; below 2 none are.
    pub prefetch_batch_max: usize,
    /// `latency-tracking-info-percentiles`.
    pub latency_percentiles: Box<[f64]>,
    /// `active-expire-effort`, 1..=10.
    pub active_expire_effort: u32,
    /// `slowlog-log-slower-than`, µs; negative: off.
    pub slowlog_slower_than_us: i64,
    /// `slowlog-max-len`.
    pub slowlog_len_max: u64,
    /// `commandlog-request-larger-than`, bytes; negative: off.
    pub request_larger_than: i64,
    /// `commandlog-large-request-max-len`.
    pub large_requests_len_max: u64,
    /// `commandlog-reply-larger-than`, bytes; negative: off.
    pub reply_larger_than: i64,
    /// `commandlog-large-reply-max-len`.
    pub large_replies_len_max: u64,
    /// `latency-monitor-threshold`, ms; 0: off.
    pub latency_monitor_threshold_ms: u64,
    /// `latency-tracking`.
    pub latency_tracking: bool,
    /// `enable-debug-command`.
    pub enable_debug_command: Protected,
    /// `enable-module-command`.
    pub enable_module_command: Protected,
    /// `save`: a background save begins once one of these is met.
    pub save_points: Box<[SavePoint]>,
    /// `stop-writes-on-bgsave-error`.
    pub stops_writes_on_save_error: bool,
    /// `key-load-delay`, µs a key; for tests.
    pub key_load_delay_us: i64,
    /// `appendfsync`, `aof-timestamp-enabled`, `aof-checksum`.
    pub log: persist::aof::Settings,
    /// `shutdown-timeout`.
    pub shutdown_timeout: Duration,
    /// `busy-reply-threshold`, ms.
    pub busy_reply_threshold_ms: u64,
    /// `notify-keyspace-events`.
    pub events: EventsWanted,
    /// `tracking-table-max-keys`; 0: no limit.
    pub tracking_keys_max: u64,
    /// `hide-user-data-from-log`: what clients sent is not logged.
    pub hide_user_data: bool,
}

/// Connections that one run of the timers should not have to look after, as `dynamic-hz` wants it.
const CONNECTIONS_PER_RUN: usize = 200;

impl Live {
    /// How access clocks run.
    #[must_use]
    pub fn access_policy(&self) -> AccessPolicy {
        match self.maxmemory_policy.map(|policy| policy.order) {
            Some(EvictionOrder::Lfu) => AccessPolicy::Lfu {
                log_factor: self.settings.lfu_log_factor,
                decay_minutes: self.settings.lfu_decay_minutes,
            },
            Some(EvictionOrder::Lrm) => AccessPolicy::Lrm,
            _ => AccessPolicy::Lru,
        }
    }

    /// How often the timers of a worker with so many connections run in a second.
    #[must_use]
    pub fn hz_for(&self, connections: usize) -> u32 {
        let mut hz = self.hz.clamp(1, 500);
        while self.dynamic_hz && hz < 500 && connections / hz as usize > CONNECTIONS_PER_RUN {
            hz = (hz * 2).min(500);
        }
        hz
    }
}

impl Default for Live {
    /// The parameters' defaults.
    fn default() -> Live {
        const MIB: u64 = 1 << 20;
        Live {
            settings: commands::Settings {
                string_bytes_max: 512 * MIB,
                databases: 16,
                lfu: false,
                shares_integers: true,
                lazy_user_flush: false,
                lazy_user_del: false,
                lazy_expire: false,
                rdb_compression: true,
                rdb_dialect: rdb::Dialect::Redis,
                lfu_decay_minutes: 1,
                lfu_log_factor: 10,
                limits: commands::Limits::default(),
            },
            maxmemory: 0,
            maxmemory_policy: None,
            maxmemory_clients: 0,
            maxmemory_samples: 5,
            maxmemory_eviction_tenacity: 10,
            lazy: Lazy::default(),
            maxclients: 10_000,
            timeout: None,
            new_connections_per_turn: 10,
            tcp_keepalive: Some(Duration::from_secs(300)),
            protected_mode: true,
            requirepass: None,
            query_buffer_bytes_max: 1024 * MIB,
            output_limits: [
                OutputLimit::default(),
                OutputLimit {
                    hard_bytes: 256 * MIB,
                    soft_bytes: 64 * MIB,
                    soft_seconds: 60,
                },
                OutputLimit {
                    hard_bytes: 32 * MIB,
                    soft_bytes: 8 * MIB,
                    soft_seconds: 60,
                },
            ],
            hz: 10,
            dynamic_hz: true,
            prefetch_batch_max: 16,
            latency_percentiles: [50.0, 99.0, 99.9].into(),
            active_expire_effort: 1,
            slowlog_slower_than_us: 10_000,
            slowlog_len_max: 128,
            request_larger_than: 1 << 20,
            large_requests_len_max: 128,
            reply_larger_than: 1 << 20,
            large_replies_len_max: 128,
            latency_monitor_threshold_ms: 0,
            latency_tracking: true,
            enable_debug_command: Protected::No,
            enable_module_command: Protected::No,
            save_points: [(3600, 1), (300, 100), (60, 10_000)]
                .map(|(seconds, changes)| SavePoint { seconds, changes })
                .into(),
            stops_writes_on_save_error: true,
            key_load_delay_us: 0,
            log: crate::aof::settings(1, false, true),
            shutdown_timeout: Duration::from_secs(10),
            busy_reply_threshold_ms: 5_000,
            events: EventsWanted::default(),
            tracking_keys_max: 1_000_000,
            hide_user_data: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_connections_make_timers_run_more_often() {
        let live = Live::default();
        let check = |connections, hz| assert_eq!(live.hz_for(connections), hz, "{connections}");
        check(0, 10);
        check(2_000, 10);
        check(5_000, 40);
        check(1_000_000, 500);
        assert_eq!(
            Live {
                dynamic_hz: false,
                ..live
            }
            .hz_for(1_000_000),
            10
        );
    }

    #[test]
    fn the_defaults_are_the_parameters() {
        let (ours, theirs) = (Live::default(), crate::config::Config::new().live());
        assert_eq!(format!("{ours:?}"), format!("{theirs:?}"));
    }
}
