//! From the table to the plain fields that workers read.

use super::row_of;
use super::value::{Value, Word};
use crate::live::{EventsWanted, Live, OutputLimit, Protected};
use crate::persistence::SavePoint;
use std::time::Duration;
use store::{EvictionOrder, EvictionPolicy, Lazy};

/// The values as a snapshot.
pub(super) fn of(values: &[Value]) -> Live {
    let value = |name: &str| &values[row_of(name)];
    let number = |name: &str| match value(name) {
        Value::Number(n) => *n,
        other => panic!("{name} is not a number but {other:?}"),
    };
    let unsigned = |name: &str| u64::try_from(number(name)).unwrap_or(0);
    let signed = |name: &str| i64::try_from(number(name)).unwrap_or(i64::MAX);
    let small = |name: &str| u32::try_from(number(name)).unwrap_or(u32::MAX);
    let flag = |name: &str| value(name) == &Value::Bool(true);
    let choice = |name: &str| match value(name) {
        Value::Choice(n) => *n,
        other => panic!("{name} is not a choice but {other:?}"),
    };
    let seconds = |name: &str| {
        Some(unsigned(name))
            .filter(|n| *n != 0)
            .map(Duration::from_secs)
    };
    let protected = |name: &str| match choice(name) {
        0 => Protected::No,
        1 => Protected::Yes,
        _ => Protected::Local,
    };
    let requirepass = match value("requirepass") {
        Value::Text(text) if !text.is_empty() => Some(text.clone()),
        _ => None,
    };
    Live {
        settings: settings(values),
        maxmemory: unsigned("maxmemory"),
        maxmemory_policy: eviction_policy(choice("maxmemory-policy")),
        maxmemory_clients: signed("maxmemory-clients"),
        maxmemory_samples: usize::try_from(number("maxmemory-samples")).unwrap_or(1),
        maxmemory_eviction_tenacity: small("maxmemory-eviction-tenacity"),
        lazy: Lazy {
            eviction: flag("lazyfree-lazy-eviction"),
            expire: flag("lazyfree-lazy-expire"),
            server_del: flag("lazyfree-lazy-server-del"),
        },
        maxclients: unsigned("maxclients"),
        timeout: seconds("timeout"),
        new_connections_per_turn: usize::try_from(number("max-new-connections-per-cycle"))
            .unwrap_or(1),
        tcp_keepalive: seconds("tcp-keepalive"),
        protected_mode: flag("protected-mode"),
        requirepass,
        query_buffer_bytes_max: unsigned("client-query-buffer-limit"),
        output_limits: output_limits(value("client-output-buffer-limit")),
        hz: small("hz"),
        dynamic_hz: flag("dynamic-hz"),
        prefetch_batch_max: usize::try_from(number("prefetch-batch-max-size")).unwrap_or(0),
        latency_percentiles: percentiles(value("latency-tracking-info-percentiles")),
        active_expire_effort: small("active-expire-effort"),
        slowlog_slower_than_us: signed("slowlog-log-slower-than"),
        slowlog_len_max: unsigned("slowlog-max-len"),
        request_larger_than: signed("commandlog-request-larger-than"),
        large_requests_len_max: unsigned("commandlog-large-request-max-len"),
        reply_larger_than: signed("commandlog-reply-larger-than"),
        large_replies_len_max: unsigned("commandlog-large-reply-max-len"),
        latency_monitor_threshold_ms: unsigned("latency-monitor-threshold"),
        latency_tracking: flag("latency-tracking"),
        enable_debug_command: protected("enable-debug-command"),
        enable_module_command: protected("enable-module-command"),
        save_points: save_points(value("save")),
        stops_writes_on_save_error: flag("stop-writes-on-bgsave-error"),
        key_load_delay_us: signed("key-load-delay"),
        log: log(choice("appendfsync"), flag),
        shutdown_timeout: Duration::from_secs(unsigned("shutdown-timeout")),
        busy_reply_threshold_ms: unsigned("busy-reply-threshold"),
        events: match value("notify-keyspace-events") {
            Value::Text(letters) => EventsWanted::of(letters),
            other => panic!("event classes expected, not {other:?}"),
        },
        tracking_keys_max: unsigned("tracking-table-max-keys"),
        hide_user_data: flag("hide-user-data-from-log"),
    }
}

/// How the append-only file is kept.
fn log(fsync: u32, flag: impl Fn(&str) -> bool) -> persist::aof::Settings {
    let timestamps = flag("aof-timestamp-enabled");
    crate::aof::settings(fsync, timestamps, flag("aof-checksum"))
}

/// The policy by its number in its row.
fn eviction_policy(number: u32) -> Option<EvictionPolicy> {
    use EvictionOrder::{Lfu, Lrm, Lru, Random, Ttl};
    let (volatile, order) = match number {
        0 => (true, Lru),
        1 => (true, Lfu),
        2 => (true, Random),
        3 => (true, Ttl),
        4 => (false, Lru),
        5 => (false, Lfu),
        6 => (false, Random),
        8 => (true, Lrm),
        9 => (false, Lrm),
        _ => return None,
    };
    Some(EvictionPolicy { volatile, order })
}

/// What data commands read.
fn settings(values: &[Value]) -> commands::Settings {
    let value = |name: &str| &values[row_of(name)];
    let number = |name: &str| match value(name) {
        Value::Number(n) => *n,
        other => panic!("{name} is not a number but {other:?}"),
    };
    let unsigned = |name: &str| u64::try_from(number(name)).unwrap_or(0);
    let small = |name: &str| u32::try_from(number(name)).unwrap_or(u32::MAX);
    let flag = |name: &str| value(name) == &Value::Bool(true);
    let policy = match value("maxmemory-policy") {
        Value::Choice(n) => eviction_policy(*n),
        other => panic!("a policy expected, not {other:?}"),
    };
    commands::Settings {
        string_bytes_max: unsigned("proto-max-bulk-len"),
        databases: small("databases"),
        lfu: policy.is_some_and(|policy| policy.order == EvictionOrder::Lfu),
        shares_integers: unsigned("maxmemory") == 0
            || policy.is_none_or(|policy| {
                matches!(policy.order, EvictionOrder::Random | EvictionOrder::Ttl)
            }),
        lazy_user_flush: flag("lazyfree-lazy-user-flush"),
        lazy_user_del: flag("lazyfree-lazy-user-del"),
        lazy_expire: flag("lazyfree-lazy-expire"),
        rdb_compression: flag("rdbcompression"),
        rdb_dialect: match value("rdb-dialect") {
            Value::Choice(0) => rdb::Dialect::Redis,
            _ => rdb::Dialect::Valkey,
        },
        lfu_decay_minutes: small("lfu-decay-time"),
        lfu_log_factor: small("lfu-log-factor"),
        limits: limits(values),
    }
}

/// Where small containers turn large.
fn limits(values: &[Value]) -> commands::Limits {
    let number = |name: &str| match &values[row_of(name)] {
        Value::Number(n) => *n,
        other => panic!("{name} is not a number but {other:?}"),
    };
    let unsigned = |name: &str| u64::try_from(number(name)).unwrap_or(0);
    let small = |name: &str| u32::try_from(number(name)).unwrap_or(u32::MAX);
    commands::Limits {
        list_max_listpack_size: i32::try_from(number("list-max-listpack-size"))
            .expect("its range is an i32's"),
        // DEBUG says it, no parameter: `Server::set_live`.
        list_plain_bytes: 0,
        list_compress_depth: small("list-compress-depth"),
        set_max_intset_entries: unsigned("set-max-intset-entries"),
        set_max_listpack_entries: unsigned("set-max-listpack-entries"),
        set_max_listpack_value: unsigned("set-max-listpack-value"),
        hash_max_listpack_entries: unsigned("hash-max-listpack-entries"),
        hash_max_listpack_value: unsigned("hash-max-listpack-value"),
        zset_max_listpack_entries: unsigned("zset-max-listpack-entries"),
        zset_max_listpack_value: unsigned("zset-max-listpack-value"),
        stream_node_max_bytes: unsigned("stream-node-max-bytes"),
        stream_node_max_entries: unsigned("stream-node-max-entries"),
        stream_idmp_duration_s: unsigned("stream-idmp-duration"),
        stream_idmp_maxsize: unsigned("stream-idmp-maxsize"),
        hll_sparse_max_bytes: unsigned("hll-sparse-max-bytes"),
    }
}

fn output_limits(value: &Value) -> [OutputLimit; 3] {
    match value {
        Value::Limits(limits) => limits.map(|[hard_bytes, soft_bytes, soft_seconds]| OutputLimit {
            hard_bytes,
            soft_bytes,
            soft_seconds,
        }),
        other => panic!("limits expected, not {other:?}"),
    }
}

/// Pairs of seconds and changes.
fn save_points(value: &Value) -> Box<[SavePoint]> {
    let Value::Words(words) = value else {
        panic!("save points expected, not {value:?}");
    };
    let number = |word: &[u8]| {
        let number = resp::number::parse_i64(word);
        number.expect("its row takes numbers alone")
    };
    let point = |pair: &[Word]| SavePoint {
        seconds: number(&pair[0]),
        changes: u64::try_from(number(&pair[1])).expect("its row takes none below 0"),
    };
    words.chunks_exact(2).map(point).collect()
}

fn percentiles(value: &Value) -> Box<[f64]> {
    match value {
        Value::Words(words) => words
            .iter()
            .filter_map(|w| std::str::from_utf8(w).ok()?.parse().ok())
            .collect(),
        other => panic!("percentiles expected, not {other:?}"),
    }
}
