//! The section Memory: what the allocator gave, what the system sees, what the limit is.

use super::{Page, View, human};
use crate::balance::{Balance, ratio, signed};

pub(super) fn memory(page: &mut Page, view: &View<'_>) {
    let server = view.server;
    let mut balance = Balance::take(server, &view.clients);
    // Whoever asks for a limit's sake does not want to hear of what asking costs.
    balance.used = balance.used.saturating_sub(page.text.capacity() as u64);
    let (used, pages, system) = (balance.used, balance.pages, balance.system);

    page.bytes("used_memory", used);
    page.bytes("used_memory_rss", system.resident);
    page.bytes("used_memory_peak", balance.peak);
    page.percent("used_memory_peak_perc", used, balance.peak);
    page.field("used_memory_overhead", balance.overhead());
    page.field("used_memory_startup", balance.startup);
    page.field("used_memory_dataset", balance.dataset());
    page.percent(
        "used_memory_dataset_perc",
        balance.dataset(),
        balance.since_startup(),
    );
    page.field("allocator_allocated", pages.allocated);
    page.field("allocator_active", pages.active);
    page.field("allocator_resident", pages.resident);
    page.bytes("total_system_memory", system.system);
    scripts(page);
    let limit = server.live().maxmemory;
    page.bytes("maxmemory", limit);
    page.field("maxmemory_policy", server.config.string("maxmemory-policy"));
    page.ratio("allocator_frag_ratio", pages.allocator_ratio());
    page.field(
        "allocator_frag_bytes",
        signed(pages.active, pages.allocated),
    );
    page.ratio("allocator_rss_ratio", pages.process_ratio());
    page.field("allocator_rss_bytes", signed(pages.resident, pages.active));
    page.ratio("rss_overhead_ratio", ratio(system.resident, pages.resident));
    page.field(
        "rss_overhead_bytes",
        signed(system.resident, pages.resident),
    );
    page.ratio("mem_fragmentation_ratio", balance.fragmentation());
    page.field("mem_fragmentation_bytes", balance.fragmentation_bytes());
    // Ours: what copy on write has left to saves and other readers of a point in time.
    let snapshot = server.store.snapshot_bytes();
    page.field("mem_snapshot", snapshot);
    page.field("mem_not_counted_for_evict", snapshot);
    for name in [
        "mem_replication_backlog",
        "mem_total_replication_buffers",
        "mem_replica_full_sync_buffer",
        "mem_replicas_repl_buffer",
        "mem_clients_slaves",
    ] {
        page.field(name, 0);
    }
    page.field("mem_clients_normal", balance.clients);
    page.field("mem_cluster_links", 0);
    page.field("mem_cluster_slot_import", 0);
    page.field("mem_cluster_slot_export", 0);
    page.field("mem_aof_buffer", 0);
    page.field("mem_allocator", os::alloc::name());
    page.field("mem_overhead_db_hashtable_rehashing", 0);
    page.field("active_defrag_running", 0);
    let stats = server.store.stats();
    page.field("lazyfree_pending_objects", stats.lazyfree_pending);
    page.field("lazyfreed_objects", stats.lazyfreed_objects);
    commit(page, &system);
}

/// There are no scripts yet, and so nothing that they hold.
fn scripts(page: &mut Page) {
    page.field("used_memory_lua", 0);
    page.field("used_memory_vm_eval", 0);
    page.field("used_memory_lua_human", human(0));
    for name in [
        "used_memory_scripts_eval",
        "number_of_cached_scripts",
        "number_of_functions",
        "number_of_libraries",
        "used_memory_vm_functions",
    ] {
        page.field(name, 0);
    }
    page.bytes("used_memory_vm_total", 0);
    page.field("used_memory_functions", 0);
    page.bytes("used_memory_scripts", 0);
}

/// What Windows counts and Linux hardly shows: memory that is promised, whether touched or not.
fn commit(page: &mut Page, system: &os::memory::Figures) {
    page.field("mem_private_bytes", system.private);
    page.field("mem_private_peak_bytes", system.private_peak);
    page.field("mem_commit_limit", system.commit_limit);
    page.field("mem_commit_used", system.commit_used);
}
