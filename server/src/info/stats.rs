//! The section Stats.

use std::sync::atomic::Ordering::Relaxed;

use super::{Page, View};
use crate::pubsub::Kind;
use crate::stats::{Rates, Totals};

pub(super) fn stats(page: &mut Page, view: &View<'_>) {
    let totals = view.server.statistics().totals();
    let rates = view.server.rates.lock().clone();
    traffic(page, &totals, &rates);
    keys(page, view, &totals);
    loops(page, view, &totals, &rates);
}

fn whole(rate: f64) -> u64 {
    rate.round() as u64
}

/// Connections, commands, bytes.
fn traffic(page: &mut Page, totals: &Totals, rates: &Rates) {
    let kib = |bytes: f64| format!("{:.2}", bytes / 1024.0);

    page.field("total_connections_received", totals.connections_received);
    page.field("total_commands_processed", totals.commands_processed);
    page.field(
        "instantaneous_ops_per_sec",
        whole(rates.commands.per_second()),
    );
    page.field("total_net_input_bytes", totals.net_input_bytes);
    page.field("total_net_output_bytes", totals.net_output_bytes);
    zeros(
        page,
        &[
            "total_net_repl_input_bytes",
            "total_net_repl_output_bytes",
            "total_net_cluster_slot_import_bytes",
            "total_net_cluster_slot_export_bytes",
        ],
    );
    page.field(
        "instantaneous_input_kbps",
        kib(rates.input_bytes.per_second()),
    );
    page.field(
        "instantaneous_output_kbps",
        kib(rates.output_bytes.per_second()),
    );
    page.field("instantaneous_input_repl_kbps", kib(0.0));
    page.field("instantaneous_output_repl_kbps", kib(0.0));
    page.field("rejected_connections", totals.connections_rejected);
    zeros(page, &["sync_full", "sync_partial_ok", "sync_partial_err"]);
}

/// Expiry, eviction, look-ups, and what later rooms will count.
fn keys(page: &mut Page, view: &View<'_>, totals: &Totals) {
    let store = view.server.store.stats();
    page.field("expired_subkeys", store.expired_fields);
    page.field("expired_keys", store.expired_keys);
    page.field("expired_fields", store.expired_fields);
    page.ratio("expired_stale_perc", store.expired_stale_perc);
    page.ratio("expired_keys_with_volatile_items_stale_perc", 0.0);
    page.field(
        "expired_time_cap_reached_count",
        store.expired_time_cap_reached,
    );
    page.field("expire_cycle_cpu_milliseconds", totals.expire_us / 1_000);
    page.field("evicted_keys", store.evicted_keys);
    page.field("evicted_clients", totals.evicted_clients);
    page.field("evicted_scripts", 0);
    let (total_ms, current_ms) = view.server.exceeded.total_and_current_ms();
    page.field("total_eviction_exceeded_time", total_ms);
    page.field("current_eviction_exceeded_time", current_ms);
    page.field("keyspace_hits", store.keyspace_hits);
    page.field("keyspace_misses", store.keyspace_misses);
    let pubsub = &view.server.pubsub;
    page.field("pubsub_channels", pubsub.count(Kind::Channel));
    page.field("pubsub_patterns", pubsub.count(Kind::Pattern));
    page.field("pubsubshard_channels", pubsub.count(Kind::Shard));
    let figures = &view.server.persistence.figures;
    page.field("latest_fork_usec", figures.cut_us.load(Relaxed));
    page.field("total_forks", figures.cuts.load(Relaxed));
    zeros(
        page,
        &[
            "migrate_cached_sockets",
            "slave_expires_tracked_keys",
            "active_defrag_hits",
            "active_defrag_misses",
            "active_defrag_key_hits",
            "active_defrag_key_misses",
            "total_active_defrag_time",
            "current_active_defrag_time",
        ],
    );
    let (keys, items, prefixes) = view.server.tracking.figures();
    page.field("tracking_total_keys", keys);
    page.field("tracking_total_items", items);
    page.field("tracking_total_prefixes", prefixes);
    page.field("unexpected_error_replies", 0);
}

/// Errors, reads and writes, limits, the event loops.
fn loops(page: &mut Page, view: &View<'_>, totals: &Totals, rates: &Rates) {
    page.field("total_error_replies", totals.error_replies);
    page.field("dump_payload_sanitizations", 0);
    page.field("total_reads_processed", totals.reads_processed);
    page.field("total_writes_processed", totals.writes_processed);
    // Every worker reads and writes for itself: with several, all of it happens on such threads.
    let threaded = view.server.start.workers > 1;
    let by_threads = |n: u64| if threaded { n } else { 0 };
    page.field(
        "io_threaded_reads_processed",
        by_threads(totals.reads_processed),
    );
    page.field(
        "io_threaded_writes_processed",
        by_threads(totals.writes_processed),
    );
    page.field(
        "io_threaded_total_prefetch_batches",
        totals.prefetch_batches,
    );
    page.field(
        "io_threaded_total_prefetch_entries",
        totals.prefetch_entries,
    );
    page.field(
        "client_query_buffer_limit_disconnections",
        totals.query_buffer_disconnections,
    );
    page.field(
        "client_output_buffer_limit_disconnections",
        totals.output_buffer_disconnections,
    );
    zeros(page, &["reply_buffer_shrinks", "reply_buffer_expands"]);
    page.field("eventloop_cycles", totals.turns);
    page.field("eventloop_duration_sum", totals.turns_us);
    page.field("eventloop_duration_cmd_sum", totals.commands_us);
    let turns = rates.turns.per_second();
    page.field("instantaneous_eventloop_cycles_per_sec", whole(turns));
    let mean_us = if turns > 0.0 {
        rates.turns_us.per_second() / turns
    } else {
        0.0
    };
    page.field("instantaneous_eventloop_duration_usec", whole(mean_us));
    page.field("acl_access_denied_auth", totals.denied_auth);
    page.field("acl_access_denied_cmd", totals.denied_command);
    zeros(
        page,
        &[
            "acl_access_denied_key",
            "acl_access_denied_channel",
            "acl_access_denied_tls_cert",
            "acl_access_denied_db",
        ],
    );
}

/// What cannot happen yet has happened never.
fn zeros(page: &mut Page, names: &[&str]) {
    for name in names {
        page.field(name, 0);
    }
}
