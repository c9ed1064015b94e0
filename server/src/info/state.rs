//! The sections Clients, Persistence, Threads, Replication and Keyspace.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use persist::load::Progress as Loading;
use persist::{Job, Kind, Progress};
use sha2::{Digest, Sha256};
use store::Gates;

use super::{Page, View};
use crate::aof::State;
use crate::clients::Figures;
use crate::server::Server;

pub(super) fn clients(page: &mut Page, view: &View<'_>) {
    let server = view.server;
    let largest = |figure: fn(&Figures) -> &AtomicU64| {
        let values = view
            .clients
            .iter()
            .map(|c| figure(&c.figures).load(Relaxed));
        values.max().unwrap_or(0)
    };
    page.field("connected_clients", view.clients.len());
    page.field("cluster_connections", 0);
    page.field("maxclients", server.live().maxclients);
    page.field(
        "client_recent_max_input_buffer",
        largest(|f| &f.query_bytes),
    );
    page.field(
        "client_recent_max_output_buffer",
        largest(|f| &f.output_list_bytes),
    );
    page.field("blocked_clients", server.blocked_clients.load(Relaxed));
    page.field("tracking_clients", server.tracking.clients());
    page.field("pubsub_clients", server.pubsub.clients());
    page.field("watching_clients", server.watching());
    page.field("clients_in_timeout_table", 0);
    let watched: u64 = view
        .clients
        .iter()
        .map(|client| u64::from(client.figures.watched.load(Relaxed)))
        .sum();
    page.field("total_watched_keys", watched);
    let (keys, hearing_loss) = server.blocked.keys();
    page.field("total_blocking_keys", keys);
    page.field("total_blocking_keys_on_nokey", hearing_loss);
    let gates = server.store.gates(view.now_ms);
    let (reason, actions) = if gates.closed(Gates::PAUSE_ALL) {
        ("client_pause", "all")
    } else if gates.closed(Gates::PAUSE_WRITES) {
        ("client_pause", "write")
    } else {
        ("none", "none")
    };
    let left_ms = server
        .store
        .pause_until_ms(view.now_ms)
        .map_or(0, |until| (until - view.now_ms).max(0));
    page.field("paused_reason", reason);
    page.field("paused_actions", actions);
    page.field("paused_timeout_milliseconds", left_ms);
}

/// Saves and loading; the append-only file has its own part.
pub(super) fn persistence(page: &mut Page, view: &View<'_>) {
    let server = view.server;
    let (persistence, figures) = (&server.persistence, &server.persistence.figures);
    let job = persistence.jobs.current();
    let of_job = |figure: fn(&Progress) -> &AtomicU64| {
        let job = job.as_ref();
        job.map_or(0, |job| figure(&job.progress).load(Relaxed))
    };
    let copied = job.as_ref().map_or(0, |job| server.copied_for(job));
    let (keys, keys_total) = (of_job(|p| &p.keys), of_job(|p| &p.keys_total));
    let saving = job.as_ref().filter(|job| job.kind() != Kind::Rewrite);
    page.field(
        "loading",
        u8::from(server.store.gates(view.now_ms).closed(Gates::LOADING)),
    );
    page.field("async_loading", 0);
    // Nothing that was copied is given back before the end.
    page.field("current_cow_peak", copied);
    page.field("current_cow_size", copied);
    page.field("current_cow_size_age", 0);
    let share = keys as f64 * 100.0 / keys_total.max(1) as f64;
    page.field("current_fork_perc", format_args!("{:.2}", share.min(100.0)));
    page.field("current_save_keys_processed", keys);
    page.field("current_save_keys_total", keys_total);
    let dirty = persistence.dirty(&server.changes);
    page.field("rdb_changes_since_last_save", dirty);
    page.field("rdb_bgsave_in_progress", u8::from(saving.is_some()));
    page.field("rdb_last_save_time", figures.last_save_unix_s.load(Relaxed));
    let status = |ok: bool| if ok { "ok" } else { "err" };
    page.field(
        "rdb_last_bgsave_status",
        status(figures.last_ok.load(Relaxed)),
    );
    page.field(
        "rdb_last_bgsave_time_sec",
        figures.last_took_s.load(Relaxed),
    );
    let seconds = saving.map_or(-1, |job| {
        i64::try_from(job.progress.began.elapsed().as_secs()).unwrap_or(i64::MAX)
    });
    page.field("rdb_current_bgsave_time_sec", seconds);
    page.field("rdb_saves", figures.saves.load(Relaxed));
    page.field("rdb_last_cow_size", figures.last_copied.load(Relaxed));
    page.field(
        "rdb_last_load_keys_expired",
        figures.keys_expired.load(Relaxed),
    );
    page.field(
        "rdb_last_load_keys_loaded",
        figures.keys_loaded.load(Relaxed),
    );
    append_only_file(page, server, job.as_deref());
    page.field("module_fork_in_progress", 0);
    page.field("module_fork_last_cow_size", 0);
    page.field("slot_migration_fork_in_progress", 0);
    append_only_file_live(page, server);
    if let Some(loading) = persistence.loading() {
        self::loading(page, &loading);
    }
}

/// Whether there is a log, and what its rewrites gave.
fn append_only_file(page: &mut Page, server: &Server, job: Option<&Job>) {
    let (aof, figures) = (&server.aof, &server.aof.figures);
    let rewrite = job.filter(|job| job.kind() == Kind::Rewrite);
    let status = |ok: bool| if ok { "ok" } else { "err" };
    page.field("aof_enabled", u8::from(aof.state() != State::Off));
    page.field("aof_rewrite_in_progress", u8::from(rewrite.is_some()));
    page.field(
        "aof_rewrite_scheduled",
        u8::from(aof.scheduled.load(Relaxed)),
    );
    page.field(
        "aof_last_rewrite_time_sec",
        figures.last_took_s.load(Relaxed),
    );
    let seconds = rewrite.map_or(-1, |job| {
        i64::try_from(job.progress.began.elapsed().as_secs()).unwrap_or(i64::MAX)
    });
    page.field("aof_current_rewrite_time_sec", seconds);
    page.field(
        "aof_last_bgrewrite_status",
        status(figures.last_ok.load(Relaxed)),
    );
    page.field("aof_rewrites", figures.rewrites.load(Relaxed));
    page.field(
        "aof_rewrites_consecutive_failures",
        figures.failures_in_a_row.load(Relaxed),
    );
    page.field("aof_last_write_status", status(aof.write_error().is_none()));
    page.field("aof_last_cow_size", figures.last_copied.load(Relaxed));
}

/// What there is to say only while there is a log.
fn append_only_file_live(page: &mut Page, server: &Server) {
    let aof = &server.aof;
    if aof.state() == State::Off {
        return;
    }
    let log = aof.log().map(|log| log.figures()).unwrap_or_default();
    page.field("aof_current_size", aof.bytes());
    page.field("aof_base_size", aof.figures.base_bytes.load(Relaxed));
    page.field("aof_pending_rewrite", 0);
    page.field("aof_buffer_length", log.buffer_bytes);
    page.field("aof_pending_bio_fsync", u8::from(log.is_flushing));
    page.field("aof_delayed_fsync", log.delayed_flushes);
}

/// How far a loading is.
fn loading(page: &mut Page, loading: &Loading) {
    let (bytes, total) = (
        loading.bytes.load(Relaxed),
        loading.bytes_total.load(Relaxed),
    );
    let elapsed_s = loading.began.elapsed().as_secs();
    // Without bytes nobody knows; one second is what Redis says then.
    let eta_s = match bytes {
        0 => 1,
        _ => elapsed_s.saturating_mul(total.saturating_sub(bytes)) / bytes,
    };
    page.field("loading_start_time", loading.began_unix_s);
    page.field("loading_total_bytes", total);
    page.field(
        "loading_rdb_used_mem",
        loading.file_used_bytes.load(Relaxed),
    );
    page.field("loading_loaded_bytes", bytes);
    let share = bytes as f64 * 100.0 / total.max(1) as f64;
    page.field("loading_loaded_perc", format_args!("{share:.2}"));
    page.field("loading_eta_seconds", eta_s);
}

pub(super) fn threads(page: &mut Page, view: &View<'_>) {
    let statistics = view.server.statistics();
    for worker in 0..view.server.start.workers {
        let clients = view.clients.iter().filter(|c| c.worker == worker).count();
        let figures = statistics.worker(worker);
        page.field(
            format_args!("io_thread_{worker}"),
            format_args!(
                "clients={clients},reads={},writes={}",
                figures.reads_processed.get(),
                figures.writes_processed.get()
            ),
        );
    }
}

pub(super) fn replication(page: &mut Page, view: &View<'_>) {
    page.field("role", "master");
    page.field("connected_slaves", 0);
    page.field("replicas_waiting_psync", 0);
    page.field("master_failover_state", "no-failover");
    // An id of its own for each start, as a primary has it: a replica that asks can tell restarts. And
    // for each DEBUG CHANGE-REPL-ID. Relaxed: a number by itself.
    let (run, nth) = (
        &view.server.start.run_id,
        view.server.replication_ids.load(Relaxed),
    );
    let sum = Sha256::digest(format!("{run}{nth}").as_bytes());
    let id: String = sum
        .iter()
        .take(20)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    page.field("master_replid", id);
    page.field("master_replid2", "0".repeat(40));
    page.field("master_repl_offset", 0);
    page.field("second_repl_offset", -1);
    page.field("repl_backlog_active", 0);
    page.field(
        "repl_backlog_size",
        view.server.config.number("repl-backlog-size"),
    );
    page.field("repl_backlog_first_byte_offset", 0);
    page.field("repl_backlog_histlen", 0);
}

pub(super) fn keyspace(page: &mut Page, view: &View<'_>) {
    let store = &view.server.store;
    for db in 0..store.databases() {
        let size = store.db_size(db, view.now_ms);
        if size.keys > 0 {
            page.field(
                format_args!("db{db}"),
                format_args!(
                    "keys={},expires={},avg_ttl={},subexpiry={}",
                    size.keys, size.deadlines, size.average_ttl_ms, size.part_deadlines
                ),
            );
        }
    }
}
