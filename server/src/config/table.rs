//! Every parameter, one row each: name, alias, form, default, when it may change, what it does.
//!
//! Names are those of Redis 7.2 to 8 and Valkey 8 to 9 together; where the two use different names
//! for one thing, Redis's is the name and Valkey's the alias. Defaults are Redis 8.0's, apart from
//! `bind` (loopback only) and `io-threads` (one per core, at most eight; see `Config::new`).
//! What a row cannot do yet says so in its `waits`, and docs/compat.md repeats it for people.
//!
//! Checked by: tests below (names unique, defaults valid, every value survives its own text), by
//! `server/tests/config_effects.rs` for effects and `compat.rs` beside it for the list.

use super::check::{
    aof_dir_name, aof_file_name, db_file_name, host_name, save_and_nosave, title_template,
};
use super::row::*;
use super::value::{Kind, Special, Unit};
use Waits::{
    Acl, Cluster, Modules, Needless, Persistence, Replication, Scripts, Tls, Transport, Types,
};

const PROTECTED_ACTION: &[(&str, u32)] = &[("no", 0), ("yes", 1), ("local", 2)];
const SHUTDOWN: &[(&str, u32)] = &[
    ("default", 0),
    ("save", 1),
    ("nosave", 2),
    ("now", 4),
    ("force", 8),
    ("safe", 16),
    ("failover", 32),
];

/// `loglevel`'s words, from the most talkative.
pub const LOG_LEVELS: &[(&str, u32)] = &[
    ("debug", 0),
    ("verbose", 1),
    ("notice", 2),
    ("warning", 3),
    ("nothing", 4),
];

/// Why `activedefrag` and what belongs to it steer nothing.
const NO_DEFRAG: &str =
    "entries are not moved: the allocator does not tell which of its pages are sparse";

/// All rows.
// One row a line is what makes a table of them.
#[rustfmt::skip]
pub static ROWS: &[Row] = &[
    // The network.
    special("bind", Special::Bind, "127.0.0.1 -::1").flags(MULTI).apply(Apply::Listen),
    number("port", 0, 65535, "6379").apply(Apply::Listen),
    text("unixsocket", "").start(),
    Row::new("unixsocketperm", Kind::Number { min: 0, max: 0o777, unit: Unit::Octal }, "0").start(),
    text("unixsocketgroup", "").start(),
    switch("protected-mode", "yes"),
    number("tcp-backlog", 0, INT_MAX, "511").start(),
    number("tcp-keepalive", 0, INT_MAX, "300"),
    number("timeout", 0, INT_MAX, "0"),
    number("maxclients", 1, u32::MAX as i128, "10000").apply(Apply::Maxclients),
    number("max-new-connections-per-cycle", 1, 1000, "10"),
    number("socket-mark-id", 0, u32::MAX as i128, "0").start(),
    text("bind-source-addr", "").waits(Replication),
    bytes("client-query-buffer-limit", 1 << 20, LONG_MAX, "1gb").flags(DEBUG),
    special("client-output-buffer-limit", Special::OutputLimits,
        "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60").flags(MULTI),
    bytes("proto-max-bulk-len", 1 << 20, LONG_MAX, "512mb").flags(DEBUG),
    text("requirepass", "").flags(SENSITIVE),
    text("availability-zone", ""),
    switch("mptcp", "no").start().waits(Transport),
    switch("repl-mptcp", "no").start().waits(Transport),
    special("rdma-bind", Special::Bind, "").flags(MULTI).waits(Transport),
    number("rdma-port", 0, 65535, "0").waits(Transport),
    number("rdma-rx-size", 64 * 1024, 16 * 1024 * 1024, "1048576").start().waits(Transport),
    number("rdma-completion-vector", -1, 1024, "-1").start().waits(Transport),
    // The process.
    switch("daemonize", "no").start(),
    choice("supervised", &[("upstart", 2), ("systemd", 3), ("auto", 1), ("no", 0)], "no").start(),
    text("pidfile", "").start(),
    special("dir", Special::Dir, ".").flags(PROTECTED | DENY_LOADING).apply(Apply::Dir),
    switch("set-proc-title", "yes").start(),
    checked("proc-title-template", title_template, "{title} {listen-addr} {server-mode}").apply(Apply::Title),
    choice("oom-score-adj", &[("no", 0), ("yes", 1), ("relative", 1), ("absolute", 2)], "no").apply(Apply::OomScore),
    special("oom-score-adj-values", Special::OomValues, "0 200 800").flags(MULTI).apply(Apply::OomScore),
    switch("disable-thp", "yes").start(),
    text("server-cpulist", "").alias("server_cpulist").start(),
    text("bio-cpulist", "").alias("bio_cpulist").start(),
    text("aof-rewrite-cpulist", "").alias("aof_rewrite_cpulist").start().waits(Persistence),
    text("bgsave-cpulist", "").alias("bgsave_cpulist").start(),
    text("locale-collate", "").apply(Apply::Locale),
    text("ignore-warnings", ""),
    number("shutdown-timeout", 0, INT_MAX, "10"),
    Row::new("shutdown-on-sigint", Kind::Choices(SHUTDOWN, save_and_nosave), "default").flags(MULTI),
    Row::new("shutdown-on-sigterm", Kind::Choices(SHUTDOWN, save_and_nosave), "default").flags(MULTI),
    number("hz", 0, INT_MAX, "10").apply(Apply::Hz),
    switch("dynamic-hz", "yes"),
    number("io-threads", 1, 128, "1").start().flags(DEBUG),
    number("prefetch-batch-max-size", 0, 128, "16"),
    choice("enable-protected-configs", PROTECTED_ACTION, "no").start(),
    choice("enable-debug-command", PROTECTED_ACTION, "no").start(),
    choice("enable-module-command", PROTECTED_ACTION, "no").start(),
    switch("jemalloc-bg-thread", "yes"),
    switch("extended-redis-compatibility", "no")
        .waits(Needless("clients are always told Redis's name and version")),
    // The log.
    text("logfile", "").start(),
    choice("loglevel", LOG_LEVELS, "notice").apply(Apply::Log),
    choice("log-format", &[("legacy", 0), ("logfmt", 1), ("json", 2)], "legacy").apply(Apply::Log),
    choice("log-timestamp-format", &[("legacy", 0), ("iso8601", 1), ("milliseconds", 2)], "legacy").apply(Apply::Log),
    switch("hide-user-data-from-log", "no").apply(Apply::Log),
    switch("syslog-enabled", "no").start(),
    text("syslog-ident", "redis").start(),
    choice("syslog-facility", &[("user", 1), ("local0", 16), ("local1", 17), ("local2", 18), ("local3", 19),
        ("local4", 20), ("local5", 21), ("local6", 22), ("local7", 23)], "local0").start(),
    switch("always-show-logo", "no").start(),
    switch("crash-log-enabled", "yes").apply(Apply::CrashLog),
    switch("crash-memcheck-enabled", "yes").apply(Apply::CrashLog),
    switch("use-exit-on-panic", "no").flags(HIDDEN).apply(Apply::CrashLog),
    number("watchdog-period", 0, INT_MAX, "0").flags(HIDDEN).apply(Apply::Watchdog),
    number("slowlog-log-slower-than", -1, LONG_MAX, "10000").alias("commandlog-execution-slower-than"),
    number("slowlog-max-len", 0, LONG_MAX, "128").alias("commandlog-slow-execution-max-len"),
    number("commandlog-request-larger-than", -1, LONG_MAX, "1048576"),
    number("commandlog-large-request-max-len", 0, LONG_MAX, "128"),
    number("commandlog-reply-larger-than", -1, LONG_MAX, "1048576"),
    number("commandlog-large-reply-max-len", 0, LONG_MAX, "128"),
    number("latency-monitor-threshold", 0, LONG_MAX, "0"),
    switch("latency-tracking", "yes"),
    special("latency-tracking-info-percentiles", Special::Percentiles, "50 99 99.9").flags(MULTI),
    // The data.
    number("databases", 1, INT_MAX, "16").start(),
    text("hash-seed", "").start(),
    number("active-expire-effort", 1, 10, "1"),
    switch("import-mode", "no").flags(DEBUG).waits(Types),
    switch("activerehashing",
        "yes").waits(Needless("tables grow in small steps; there is no rehash of a whole table to drive")),
    special("notify-keyspace-events", Special::Events, ""),
    number("tracking-table-max-keys", 0, LONG_MAX, "1000000"),
    bytes("maxmemory", 0, ULONG_MAX, "0").apply(Apply::Maxmemory),
    choice("maxmemory-policy", &[("volatile-lru", 0), ("volatile-lfu", 1), ("volatile-random", 2),
        ("volatile-ttl", 3), ("allkeys-lru", 4), ("allkeys-lfu", 5), ("allkeys-random", 6), ("noeviction", 7),
        ("volatile-lrm", 8), ("allkeys-lrm", 9)], "noeviction"),
    number("maxmemory-samples", 1, 64, "5"),
    number("maxmemory-eviction-tenacity", 0, 100, "10"),
    Row::new("maxmemory-clients", Kind::Number { min: -100, max: LONG_MAX, unit: Unit::BytesOrPercent },
        "0"),
    number("lfu-decay-time", 0, INT_MAX, "1"),
    number("lfu-log-factor", 0, INT_MAX, "10"),
    switch("lazyfree-lazy-eviction", "no").flags(DEBUG),
    switch("lazyfree-lazy-expire", "no").flags(DEBUG),
    switch("lazyfree-lazy-server-del", "no").flags(DEBUG),
    switch("lazyfree-lazy-user-del", "no").flags(DEBUG),
    switch("lazyfree-lazy-user-flush", "no").flags(DEBUG),
    switch("activedefrag", "no").flags(DEBUG).waits(Needless(NO_DEFRAG)),
    number("active-defrag-cycle-max", 1, 99, "25").waits(Needless(NO_DEFRAG)),
    number("active-defrag-cycle-min", 1, 99, "1").waits(Needless(NO_DEFRAG)),
    number("active-defrag-cycle-us", 0, 100_000, "500").waits(Needless(NO_DEFRAG)),
    bytes("active-defrag-ignore-bytes", 1, LONG_MAX, "100mb").waits(Needless(NO_DEFRAG)),
    number("active-defrag-max-scan-fields", 1, LONG_MAX, "1000").waits(Needless(NO_DEFRAG)),
    number("active-defrag-threshold-lower", 0, 1000, "10").waits(Needless(NO_DEFRAG)),
    number("active-defrag-threshold-upper", 0, 1000, "100").waits(Needless(NO_DEFRAG)),
    number("hash-max-listpack-entries", 0, LONG_MAX, "512").alias("hash-max-ziplist-entries"),
    bytes("hash-max-listpack-value", 0, LONG_MAX, "64").alias("hash-max-ziplist-value"),
    bytes("hll-sparse-max-bytes", 0, LONG_MAX, "3000"),
    number("list-compress-depth", 0, INT_MAX, "0").flags(DEBUG).waits(Needless("long lists are not compressed in memory: in Redis 7.0.15, 200,000 elements of 32 bytes, it takes LINDEX in the middle from 21 to 105 us and saves 12 % of random hex digits (13 to 36 us and 83 % of repetitive JSON); here a chunk is also what snapshots and copies share")),
    number("list-max-listpack-size", i32::MIN as i128, INT_MAX, "-2").alias("list-max-ziplist-size"),
    number("set-max-intset-entries", 0, LONG_MAX, "512"),
    number("set-max-listpack-entries", 0, LONG_MAX, "128"),
    bytes("set-max-listpack-value", 0, LONG_MAX, "64"),
    bytes("stream-node-max-bytes", 0, LONG_MAX, "4096"),
    number("stream-node-max-entries", 0, LONG_MAX, "100"),
    number("stream-idmp-duration", 1, 86_400, "100"),
    number("stream-idmp-maxsize", 1, 10_000, "100"),
    number("zset-max-listpack-entries", 0, LONG_MAX, "128").alias("zset-max-ziplist-entries"),
    bytes("zset-max-listpack-value", 0, LONG_MAX, "64").alias("zset-max-ziplist-value"),
    // Persistence.
    special("save", Special::Save, "3600 1 300 100 60 10000").flags(MULTI),
    checked("dbfilename", db_file_name, "dump.rdb").flags(PROTECTED),
    switch("appendonly", "no").flags(DENY_LOADING).apply(Apply::AppendOnly),
    checked("appendfilename", aof_file_name, "appendonly.aof").start(),
    checked("appenddirname", aof_dir_name, "appendonlydir").start(),
    choice("appendfsync", &[("everysec", 1), ("always", 2), ("no", 0)], "everysec"),
    switch("no-appendfsync-on-rewrite", "no"),
    number("auto-aof-rewrite-percentage", 0, INT_MAX, "100"),
    bytes("auto-aof-rewrite-min-size", 0, LONG_MAX, "64mb"),
    // Ours alone: seals tell torn tails from damage.
    switch("aof-checksum", "yes").start(),
    switch("aof-load-truncated", "yes"),
    switch("aof-use-rdb-preamble", "yes"),
    switch("aof-timestamp-enabled", "no"),
    switch("aof-rewrite-incremental-fsync", "yes"),
    switch("aof-disable-auto-gc", "no"),
    switch("rdbchecksum", "yes").start(),
    switch("rdbcompression", "yes"),
    switch("rdb-del-sync-files", "no").waits(Replication),
    switch("rdb-save-incremental-fsync", "yes"),
    // Ours alone: for whoever takes files elsewhere.
    number("rdb-write-version", 10, 11, "11"),
    choice("rdb-dialect", &[("redis", 0), ("valkey", 1)], "redis"),
    choice("rdb-version-check", &[("strict", 0), ("relaxed", 1)], "strict"),
    number("rdb-key-save-delay", i32::MIN as i128, INT_MAX, "0").flags(HIDDEN),
    number("key-load-delay", i32::MIN as i128, INT_MAX, "0").flags(HIDDEN),
    number("loading-process-events-interval-bytes", 1024, INT_MAX, "2097152").flags(HIDDEN)
        .waits(Needless("clients are served all the time while another thread loads")),
    choice("sanitize-dump-payload", &[("no", 0), ("yes", 1), ("clients", 2)], "no").flags(DEBUG)
        .waits(Needless("whatever comes from a file or a client is always checked to its last byte")),
    switch("stop-writes-on-bgsave-error", "yes"),
    // Replication.
    special("replicaof", Special::ReplicaOf, "").alias("slaveof").start().flags(MULTI).waits(Replication),
    text("masterauth", "").alias("primaryauth").flags(SENSITIVE).waits(Replication),
    text("masteruser", "").alias("primaryuser").flags(SENSITIVE).waits(Replication),
    number("min-replicas-max-lag", 0, INT_MAX, "10").alias("min-slaves-max-lag").waits(Replication),
    number("min-replicas-to-write", 0, INT_MAX, "0").alias("min-slaves-to-write").waits(Replication),
    choice("propagation-error-behavior", &[("ignore", 0), ("panic", 1), ("panic-on-replicas", 2)],
        "ignore").waits(Replication),
    bytes("repl-backlog-size", 1, LONG_MAX, "1mb").waits(Replication),
    number("repl-backlog-ttl", 0, LONG_MAX, "3600").waits(Replication),
    switch("repl-disable-tcp-nodelay", "no").waits(Replication),
    choice("repl-diskless-load", &[("disabled", 0), ("on-empty-db", 1), ("swapdb", 2), ("flush-before-load",
        3)], "disabled").flags(DEBUG | DENY_LOADING).waits(Replication),
    switch("repl-diskless-sync", "yes").flags(DEBUG).waits(Replication),
    number("repl-diskless-sync-delay", 0, INT_MAX, "5").waits(Replication),
    number("repl-diskless-sync-max-replicas", 0, INT_MAX, "0").waits(Replication),
    number("repl-ping-replica-period", 1, INT_MAX, "10").alias("repl-ping-slave-period").waits(Replication),
    number("repl-timeout", 1, INT_MAX, "60").waits(Replication),
    text("replica-announce-ip", "").alias("slave-announce-ip").waits(Replication),
    number("replica-announce-port", 0, 65535, "0").alias("slave-announce-port").waits(Replication),
    switch("replica-announced", "yes").waits(Replication),
    bytes("replica-full-sync-buffer-limit", 0, LONG_MAX, "0").waits(Replication),
    switch("replica-ignore-disk-write-errors", "no").waits(Replication),
    switch("replica-ignore-maxmemory", "yes").alias("slave-ignore-maxmemory").waits(Replication),
    switch("replica-lazy-flush", "no").alias("slave-lazy-flush").waits(Replication),
    number("replica-priority", 0, INT_MAX, "100").alias("slave-priority").waits(Replication),
    switch("replica-read-only", "yes").alias("slave-read-only").flags(DEBUG).waits(Replication),
    switch("replica-serve-stale-data", "yes").alias("slave-serve-stale-data").waits(Replication),
    switch("dual-channel-replication-enabled", "no").flags(DEBUG).waits(Replication),
    // Scripts, ACL.
    number("busy-reply-threshold", 0, LONG_MAX, "5000").alias("lua-time-limit").waits(Scripts),
    choice("acl-pubsub-default", &[("allchannels", 1), ("resetchannels", 0)], "resetchannels").waits(Acl),
    text("aclfile", "").start().waits(Acl),
    number("acllog-max-len", 0, LONG_MAX, "128").waits(Acl),
    // The cluster.
    switch("cluster-enabled", "no").start().waits(Cluster),
    text("cluster-config-file", "nodes.conf").start().waits(Cluster),
    choice("cluster-config-save-behavior", &[("sync", 0), ("best-effort", 1)], "sync").waits(Cluster),
    number("cluster-databases", 1, INT_MAX, "1").start().waits(Cluster),
    number("cluster-node-timeout", 0, LONG_MAX, "15000").waits(Cluster),
    number("cluster-port", 0, 65535, "0").start().waits(Cluster),
    text("cluster-announce-ip", "").waits(Cluster),
    text("cluster-announce-client-ipv4", "").waits(Cluster),
    text("cluster-announce-client-ipv6", "").waits(Cluster),
    number("cluster-announce-client-port", 0, 65535, "0").waits(Cluster),
    number("cluster-announce-client-tls-port", 0, 65535, "0").waits(Cluster),
    checked("cluster-announce-hostname", host_name, "").waits(Cluster),
    checked("cluster-announce-human-nodename", host_name, "").waits(Cluster),
    number("cluster-announce-port", 0, 65535, "0").waits(Cluster),
    number("cluster-announce-tls-port", 0, 65535, "0").waits(Cluster),
    number("cluster-announce-bus-port", 0, 65535, "0").waits(Cluster),
    number("cluster-blacklist-ttl", 0, ULONG_MAX, "60").waits(Cluster),
    number("cluster-compatibility-sample-ratio", 0, 100, "0").waits(Cluster),
    bytes("cluster-link-sendbuf-limit", 0, ULONG_MAX, "0").waits(Cluster),
    number("cluster-manual-failover-timeout", 1, INT_MAX, "5000").waits(Cluster),
    number("cluster-migration-barrier", 0, INT_MAX, "1").waits(Cluster),
    choice("cluster-preferred-endpoint-type", &[("ip", 0), ("hostname", 1), ("unknown-endpoint", 2)],
        "ip").waits(Cluster),
    switch("cluster-replica-no-failover", "no").alias("cluster-slave-no-failover").waits(Cluster),
    number("cluster-replica-validity-factor", 0, INT_MAX, "10").alias("cluster-slave-validity-factor").waits(Cluster),
    switch("cluster-require-full-coverage", "yes").waits(Cluster),
    switch("cluster-allow-pubsubshard-when-down", "yes").waits(Cluster),
    switch("cluster-allow-reads-when-down", "no").waits(Cluster),
    switch("cluster-allow-replica-migration", "yes").waits(Cluster),
    number("cluster-slot-migration-log-max-len", 0, LONG_MAX, "1000").waits(Cluster),
    switch("cluster-slot-stats-enabled", "no").waits(Cluster),
    Row::new("slot-migration-max-failover-repl-bytes", Kind::Number { min: -1, max: LONG_MAX,
        unit: Unit::Plain }, "0").waits(Cluster),
    // TLS.
    number("tls-port", 0, 65535, "0").waits(Tls),
    choice("tls-auth-clients", &[("no", 0), ("yes", 1), ("optional", 2)], "yes").waits(Tls),
    choice("tls-auth-clients-user", &[("CN", 1), ("URI", 2), ("off", 0)], "off").waits(Tls),
    number("tls-auto-reload-interval", 0, INT_MAX, "0").waits(Tls),
    text("tls-ca-cert-dir", "").flags(VOLATILE).waits(Tls),
    text("tls-ca-cert-file", "").flags(VOLATILE).waits(Tls),
    text("tls-cert-file", "").flags(VOLATILE).waits(Tls),
    text("tls-ciphers", "").waits(Tls),
    text("tls-ciphersuites", "").waits(Tls),
    text("tls-client-cert-file", "").flags(VOLATILE).waits(Tls),
    text("tls-client-key-file", "").flags(VOLATILE).waits(Tls),
    text("tls-client-key-file-pass", "").flags(SENSITIVE).waits(Tls),
    switch("tls-cluster", "no").waits(Tls),
    text("tls-dh-params-file", "").flags(VOLATILE).waits(Tls),
    text("tls-key-file", "").flags(VOLATILE).waits(Tls),
    text("tls-key-file-pass", "").flags(SENSITIVE).waits(Tls),
    switch("tls-prefer-server-ciphers", "no").waits(Tls),
    text("tls-protocols", "").waits(Tls),
    switch("tls-replication", "no").waits(Tls),
    number("tls-session-cache-size", 0, INT_MAX, "20480").waits(Tls),
    number("tls-session-cache-timeout", 0, INT_MAX, "300").waits(Tls),
    switch("tls-session-caching", "yes").waits(Tls),
    number("max-new-tls-connections-per-cycle", 1, 1000, "1").waits(Tls),
];

/// Directives that only a file or the command line may contain, with what they wait for.
pub static DIRECTIVES: &[(&str, Waits)] = &[
    ("include", Waits::Nothing),
    ("rename-command", Waits::Nothing),
    ("user", Acl),
    ("loadmodule", Modules),
];

/// Directives that once meant something: accepted, ignored, and the reason is logged.
pub static RETIRED: &[(&str, &str)] = &[
    (
        "list-max-ziplist-entries",
        "lists are limited by list-max-listpack-size alone",
    ),
    (
        "list-max-ziplist-value",
        "lists are limited by list-max-listpack-size alone",
    ),
    (
        "lua-replicate-commands",
        "scripts are always replicated by their effects",
    ),
    (
        "io-threads-do-reads",
        "every io thread reads, executes and writes",
    ),
    (
        "events-per-io-thread",
        "every io thread owns its connections",
    ),
    (
        "maxheap",
        "memory is not reserved ahead; maxmemory is the limit",
    ),
    ("heapdir", "there is no heap file"),
    (
        "persistence-available",
        "saving needs no helper process and is always available",
    ),
];

/// The row of a name or alias, any case.
#[must_use]
pub fn find(name: &[u8]) -> Option<usize> {
    ROWS.iter().position(|row| {
        name.eq_ignore_ascii_case(row.name.as_bytes())
            || row
                .alias
                .is_some_and(|a| name.eq_ignore_ascii_case(a.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::super::value::{Value, Word};
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn words_of(row: &Row, text: &[u8]) -> Vec<Word> {
        super::super::words_of_set(row, text)
    }

    fn default_of(row: &Row) -> Value {
        row.kind
            .parse(&words_of(row, row.default.as_bytes()), None)
            .unwrap_or_else(|why| panic!("{}: {why}", row.name))
    }

    #[test]
    fn names_are_unique_and_found() {
        let mut names = HashSet::new();
        for (at, row) in ROWS.iter().enumerate() {
            for name in [Some(row.name), row.alias].into_iter().flatten() {
                assert!(names.insert(name), "{name} stands twice");
                assert_eq!(find(name.to_uppercase().as_bytes()), Some(at));
            }
        }
        assert_eq!(find(b"nonsense"), None);
    }

    /// V1 for the defaults.
    #[test]
    fn defaults_survive_their_own_text() {
        for row in ROWS {
            let value = default_of(row);
            let text = row.kind.text(&value);
            assert_eq!(
                row.kind.parse(&words_of(row, &text), None).as_ref(),
                Ok(&value),
                "{}",
                row.name
            );
        }
    }

    proptest! {
        /// V1 for whatever else a row takes.
        #[test]
        fn values_survive_their_own_text(at in 0..ROWS.len(), text in "[ -~]{0,40}|-?[0-9]{1,19}(mb|%)?|(yes|no|debug|KEA) ?") {
            let row = &ROWS[at];
            let before = default_of(row);
            if let Ok(value) = row.kind.parse(&words_of(row, text.as_bytes()), Some(&before)) {
                let again = row.kind.parse(&words_of(row, &row.kind.text(&value)), Some(&before));
                prop_assert_eq!(again, Ok(value), "{}", row.name);
            }
        }

        /// V2, and V1 by way of a file.
        #[test]
        fn lines_mean_the_same(at in 0..ROWS.len(), text in "[ -~\n\r\t\0é]{0,40}|-?[0-9]{1,19}(mb|%)?|[0-9]{1,3} [0-9]{1,3}") {
            let row = &ROWS[at];
            let before = default_of(row);
            if let Ok(value) = row.kind.parse(&words_of(row, text.as_bytes()), Some(&before)) {
                let mut words = Vec::new();
                for line in row.kind.lines(row.name, &value) {
                    prop_assert!(!line.iter().any(|b| b"\r\n\0".contains(b)));
                    let mut split = resp::split_words(&line).expect("our own quoting is balanced");
                    let rest: Vec<Word> = split.drain(1..).map(Word::from).collect();
                    words.extend(super::super::words_of_line(row, &rest).expect("our own line"));
                }
                prop_assert_eq!(row.kind.parse(&words, Some(&before)), Ok(value), "{}", row.name);
            }
        }
    }
}
