//! The section Memory: what the allocator gave, what the system sees, what the limit is.

use std::sync::atomic::Ordering::Relaxed;

use super::{Page, View, human};

pub(super) fn memory(page: &mut Page, view: &View<'_>) {
    let server = view.server;
    let used = os::alloc::used_bytes_exact();
    let peak = os::alloc::peak_bytes().max(used);
    let system = os::memory::figures();
    let pages = os::memory::fragmentation();
    let startup = server.startup_bytes.load(Relaxed);
    let clients: u64 = view
        .clients
        .iter()
        .map(|client| client.figures.memory_bytes.load(Relaxed))
        .sum();
    let overhead = (startup + clients).min(used);
    let dataset = used - overhead;

    page.bytes("used_memory", used);
    page.bytes("used_memory_rss", system.resident);
    page.bytes("used_memory_peak", peak);
    page.percent("used_memory_peak_perc", used, peak);
    page.field("used_memory_overhead", overhead);
    page.field("used_memory_startup", startup);
    page.field("used_memory_dataset", dataset);
    page.percent(
        "used_memory_dataset_perc",
        dataset,
        used.saturating_sub(startup),
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
        pages.active.saturating_sub(pages.allocated),
    );
    page.ratio("allocator_rss_ratio", pages.process_ratio());
    let beside = pages.resident.cast_signed() - pages.active.cast_signed();
    page.field("allocator_rss_bytes", beside);
    page.ratio("rss_overhead_ratio", ratio(system.resident, pages.resident));
    page.field(
        "rss_overhead_bytes",
        system.resident.cast_signed() - pages.resident.cast_signed(),
    );
    page.ratio("mem_fragmentation_ratio", ratio(system.resident, used));
    page.field(
        "mem_fragmentation_bytes",
        system.resident.cast_signed() - used.cast_signed(),
    );
    for name in [
        "mem_not_counted_for_evict",
        "mem_replication_backlog",
        "mem_total_replication_buffers",
        "mem_replica_full_sync_buffer",
        "mem_clients_slaves",
    ] {
        page.field(name, 0);
    }
    page.field("mem_clients_normal", clients);
    page.field("mem_cluster_links", 0);
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

fn ratio(above: u64, below: u64) -> f64 {
    if below == 0 {
        0.0
    } else {
        above as f64 / below as f64
    }
}
