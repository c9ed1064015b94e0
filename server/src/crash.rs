//! What the server adds to a crash report: its configuration in short, INFO's figures, who was served.
//!
//! It runs in a process that has crashed, on the crashed thread: locks are only tried, and what cannot
//! be had is left out.

use std::sync::Arc;

use crate::server::Server;

/// Writes the sections through `put`.
pub fn report(server: &Arc<Server>, put: os::crash::Put<'_>) {
    let mut section = |title: &str, text: &str| {
        put(format!("\n------ {title} ------\n{text}").as_bytes());
    };
    let memory = os::memory::figures();
    section(
        "INFO OUTPUT",
        &format!(
            "# Server\r\nredis_version:{}\r\nredstart_version:{}\r\nredis_git_sha1:{}\r\nos:{}\r\nprocess_id:{}\r\nrun_id:{}\r\n\
             io_threads:{}\r\n# Memory\r\nused_memory:{}\r\nused_memory_peak:{}\r\nused_memory_rss:{}\r\n\
             total_system_memory:{}\r\n",
            crate::REDIS_VERSION,
            crate::VERSION,
            crate::version::COMMIT,
            os::host::name(),
            std::process::id(),
            server.start.run_id,
            server.start.workers,
            os::alloc::used_bytes_exact(),
            os::alloc::peak_bytes(),
            memory.resident,
            memory.system,
        ),
    );
    section(
        "CONFIG DEBUG OUTPUT",
        &server.config.debug_lines().unwrap_or_default(),
    );
}
