//! What the server adds to a crash report: its configuration in short, INFO's figures, who was served.
//!
//! It runs in a process that has crashed, on the crashed thread: locks are only tried, and what cannot
//! be had is left out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering::Relaxed};

use crate::client_line::client_line;
use crate::clients::ClientId;
use crate::server::Server;
use crate::table::CommandId;

/// Whom a worker is serving, and what it runs: two stores a command, on cache lines of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Current {
    client: AtomicU64,
    /// The command's id + 1; 0: none.
    command: AtomicU16,
}

impl Current {
    /// A command begins.
    #[inline]
    pub(crate) fn begin(&self, client: ClientId, command: CommandId) {
        // Relaxed: read by the same thread, or by nobody who needs an order.
        self.client.store(client.0, Relaxed);
        self.command.store(command.0 + 1, Relaxed);
    }

    /// It is over.
    #[inline]
    pub(crate) fn end(&self) {
        self.command.store(0, Relaxed);
    }
}

/// The worker that runs on this thread, by the thread's name.
fn this_worker() -> Option<usize> {
    std::thread::current()
        .name()?
        .strip_prefix("worker-")?
        .parse()
        .ok()
}

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
    if let Some(current) = this_worker().and_then(|worker| server.current.get(worker))
        && let Some(command) = current.command.load(Relaxed).checked_sub(1)
    {
        let name = &server.commands.command(CommandId(command)).full_name;
        let client = server
            .clients
            .try_get(ClientId(current.client.load(Relaxed)));
        let now_ms = i64::try_from(os::clock::monotonic_us() / 1000).unwrap_or(0);
        let line = client.map(|client| client_line(&client, &server.commands, now_ms));
        let line = line.as_deref().unwrap_or("(gone)");
        section("CURRENT CLIENT INFO", &format!("{line}\ncommand: {name}\n"));
    }
    section(
        "CONFIG DEBUG OUTPUT",
        &server.config.debug_lines().unwrap_or_default(),
    );
}
