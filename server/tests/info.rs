//! INFO has every field that dashboards read, once each.

mod common;

use std::collections::HashMap;

use common::TestServer;

/// Memory is counted as in the program.
#[global_allocator]
static ALLOCATOR: os::alloc::Counting = os::alloc::Counting;

/// What INFO of Redis 8.0 and Valkey 9.1 prints, less what would have to be invented here:
/// `atomicvar_api`, `gcc_version`, the allocator's `muzzy` pages, the times of a main thread that there
/// is not, threads that do another's work; and less TLS, modules and scripting engines, which there are
/// not yet. `redstart_version` stands where Valkey has its own.
#[rustfmt::skip]
const FIELDS: &[&str] = &[
    "redis_version", "redis_git_sha1", "redis_git_dirty", "redis_build_id", "redis_mode", "os",
    "arch_bits", "monotonic_clock", "multiplexing_api", "process_id", "process_supervised",
    "run_id", "tcp_port", "server_time_usec", "uptime_in_seconds", "uptime_in_days", "hz",
    "configured_hz", "lru_clock", "executable", "config_file", "io_threads_active", "listener0",
    "connected_clients", "cluster_connections", "maxclients", "client_recent_max_input_buffer",
    "client_recent_max_output_buffer", "blocked_clients", "tracking_clients", "pubsub_clients",
    "watching_clients", "clients_in_timeout_table", "total_watched_keys", "total_blocking_keys",
    "total_blocking_keys_on_nokey", "used_memory", "used_memory_human", "used_memory_rss",
    "used_memory_rss_human", "used_memory_peak", "used_memory_peak_human",
    "used_memory_peak_perc", "used_memory_overhead", "used_memory_startup", "used_memory_dataset",
    "used_memory_dataset_perc", "allocator_allocated", "allocator_active", "allocator_resident",
    "total_system_memory", "total_system_memory_human", "used_memory_lua", "used_memory_vm_eval",
    "used_memory_lua_human", "used_memory_scripts_eval", "number_of_cached_scripts",
    "number_of_functions", "number_of_libraries", "used_memory_vm_functions",
    "used_memory_vm_total", "used_memory_vm_total_human", "used_memory_functions",
    "used_memory_scripts", "used_memory_scripts_human", "maxmemory", "maxmemory_human",
    "maxmemory_policy", "allocator_frag_ratio", "allocator_frag_bytes", "allocator_rss_ratio",
    "allocator_rss_bytes", "rss_overhead_ratio", "rss_overhead_bytes", "mem_fragmentation_ratio",
    "mem_fragmentation_bytes", "mem_not_counted_for_evict", "mem_replication_backlog",
    "mem_total_replication_buffers", "mem_replica_full_sync_buffer", "mem_clients_slaves",
    "mem_clients_normal", "mem_cluster_links", "mem_aof_buffer", "mem_allocator",
    "mem_overhead_db_hashtable_rehashing", "active_defrag_running", "lazyfree_pending_objects",
    "lazyfreed_objects", "loading", "async_loading", "current_cow_peak", "current_cow_size",
    "current_cow_size_age", "current_fork_perc", "current_save_keys_processed",
    "current_save_keys_total", "rdb_changes_since_last_save", "rdb_bgsave_in_progress",
    "rdb_last_save_time", "rdb_last_bgsave_status", "rdb_last_bgsave_time_sec",
    "rdb_current_bgsave_time_sec", "rdb_saves", "rdb_last_cow_size", "rdb_last_load_keys_expired",
    "rdb_last_load_keys_loaded", "aof_enabled", "aof_rewrite_in_progress",
    "aof_rewrite_scheduled", "aof_last_rewrite_time_sec", "aof_current_rewrite_time_sec",
    "aof_last_bgrewrite_status", "aof_rewrites", "aof_rewrites_consecutive_failures",
    "aof_last_write_status", "aof_last_cow_size", "module_fork_in_progress",
    "module_fork_last_cow_size", "total_connections_received", "total_commands_processed",
    "instantaneous_ops_per_sec", "total_net_input_bytes", "total_net_output_bytes",
    "total_net_repl_input_bytes", "total_net_repl_output_bytes", "instantaneous_input_kbps",
    "instantaneous_output_kbps", "instantaneous_input_repl_kbps",
    "instantaneous_output_repl_kbps", "rejected_connections", "sync_full", "sync_partial_ok",
    "sync_partial_err", "expired_subkeys", "expired_keys", "expired_stale_perc",
    "expired_time_cap_reached_count", "expire_cycle_cpu_milliseconds", "evicted_keys",
    "evicted_clients", "evicted_scripts", "total_eviction_exceeded_time",
    "current_eviction_exceeded_time", "keyspace_hits", "keyspace_misses", "pubsub_channels",
    "pubsub_patterns", "pubsubshard_channels", "latest_fork_usec", "total_forks",
    "migrate_cached_sockets", "slave_expires_tracked_keys", "active_defrag_hits",
    "active_defrag_misses", "active_defrag_key_hits", "active_defrag_key_misses",
    "total_active_defrag_time", "current_active_defrag_time", "tracking_total_keys",
    "tracking_total_items", "tracking_total_prefixes", "unexpected_error_replies",
    "total_error_replies", "dump_payload_sanitizations", "total_reads_processed",
    "total_writes_processed", "io_threaded_reads_processed", "io_threaded_writes_processed",
    "client_query_buffer_limit_disconnections", "client_output_buffer_limit_disconnections",
    "reply_buffer_shrinks", "reply_buffer_expands", "eventloop_cycles", "eventloop_duration_sum",
    "eventloop_duration_cmd_sum", "instantaneous_eventloop_cycles_per_sec",
    "instantaneous_eventloop_duration_usec", "acl_access_denied_auth", "acl_access_denied_cmd",
    "acl_access_denied_key", "acl_access_denied_channel", "role", "connected_slaves",
    "master_failover_state", "master_replid", "master_replid2", "master_repl_offset",
    "second_repl_offset", "repl_backlog_active", "repl_backlog_size",
    "repl_backlog_first_byte_offset", "repl_backlog_histlen", "used_cpu_sys", "used_cpu_user",
    "used_cpu_sys_children", "used_cpu_user_children", "cluster_enabled",
    // Valkey's own.
    "server_name", "redstart_version", "server_mode", "availability_zone", "paused_reason",
    "paused_actions", "paused_timeout_milliseconds", "mem_replicas_repl_buffer",
    "mem_cluster_slot_import", "mem_cluster_slot_export", "slot_migration_fork_in_progress",
    "total_net_cluster_slot_import_bytes", "total_net_cluster_slot_export_bytes",
    "expired_fields", "expired_keys_with_volatile_items_stale_perc",
    "io_threaded_total_prefetch_batches", "io_threaded_total_prefetch_entries",
    "acl_access_denied_tls_cert", "acl_access_denied_db", "replicas_waiting_psync",
];

#[test]
fn every_field_stands_once() {
    let server = TestServer::start();
    let mut client = server.connect();
    assert_eq!(client.line("SET k v"), "+OK");
    assert!(client.line("NOSUCH").starts_with('-'));
    let text = client.line("INFO everything");
    let mut seen: HashMap<&str, u32> = HashMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some((name, _)) = line.split_once(':') {
            *seen.entry(name).or_default() += 1;
        }
    }
    let missing: Vec<_> = FIELDS
        .iter()
        .filter(|name| !seen.contains_key(**name))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    let twice: Vec<_> = seen.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    for made in [
        "cmdstat_set",
        "errorstat_ERR",
        "latency_percentiles_usec_set",
        "io_thread_0",
        "db0",
    ] {
        assert_eq!(seen.get(made), Some(&1), "{made}");
    }
}

fn field(client: &mut common::Client, section: &str, name: &str) -> u64 {
    let text = client.line(&format!("INFO {section}"));
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .unwrap_or_else(|| panic!("{name} in {text}"));
    value.parse().expect("a whole number")
}

/// What Redis begins anew, and what it does not: the peak stays.
#[test]
fn resetstat_resets_what_redis_resets() {
    let server = TestServer::start();
    let mut client = server.connect();
    assert_eq!(client.line("SET k v"), "+OK");
    client.line("GET k");
    client.line("GET nothing");
    assert!(client.line("NOSUCH").starts_with('-'));
    for (name, least) in [
        ("total_commands_processed", 3),
        ("total_connections_received", 1),
        ("total_net_input_bytes", 40),
        ("keyspace_hits", 1),
        ("keyspace_misses", 1),
        ("total_error_replies", 1),
    ] {
        assert!(field(&mut client, "stats", name) >= least, "{name}");
    }
    // More than other tests of this process free at any time.
    client.ask(&[b"SET".as_slice(), b"large", &[b'x'; 4 << 20]]);
    assert_eq!(client.reply(), "+OK");
    assert_eq!(client.line("DEL large"), ":1");
    let peak = field(&mut client, "memory", "used_memory_peak");
    assert!(peak > field(&mut client, "memory", "used_memory") + (2 << 20));
    assert_eq!(client.line("CONFIG RESETSTAT"), "+OK");
    for name in [
        "keyspace_hits",
        "keyspace_misses",
        "total_error_replies",
        "total_connections_received",
    ] {
        assert_eq!(field(&mut client, "stats", name), 0, "{name}");
    }
    let text = client.line("INFO everything");
    assert!(!text.contains("cmdstat_set") && !text.contains("errorstat_"));
    assert!(!text.contains("latency_percentiles_usec_set"));
    assert!(field(&mut client, "memory", "used_memory_peak") >= peak);
    assert_eq!(
        field(&mut client, "persistence", "rdb_changes_since_last_save"),
        3
    );
}

/// Overhead beside what was there at the start and what clients hold is the tables': 12 bytes a key.
#[test]
fn overhead_counts_the_tables() {
    const KEYS: usize = 100_000;
    let server = TestServer::start();
    let mut client = server.connect();
    for begin in (0..KEYS).step_by(1_000) {
        let pairs: Vec<String> = (begin..begin + 1_000)
            .map(|n| format!("key:{n} v"))
            .collect();
        assert_eq!(client.line(&format!("MSET {}", pairs.join(" "))), "+OK");
    }
    let overhead = field(&mut client, "memory", "used_memory_overhead")
        - field(&mut client, "memory", "used_memory_startup");
    let a_key = overhead as f64 / KEYS as f64;
    assert!((10.0..16.0).contains(&a_key), "{a_key}");
}
