//! What the server adds to a crash report: INFO, who was served, its configuration.
//!
//! It runs in a process that has crashed, on the crashed thread, which may hold any lock. So INFO is
//! written by a thread of its own that may get stuck: after [`INFO_WAIT`] the few figures that need no
//! lock stand in its place. The other sections only try locks, and leave out what cannot be had.
//!
//! Checked by: tests below, redstart-server/tests/crash.rs.

use std::sync::atomic::{AtomicU16, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use crate::client_line::client_line;
use crate::clients::ClientId;
use crate::server::Server;
use crate::table::CommandId;

/// How long INFO may take; it takes a millisecond where nobody is in its way.
const INFO_WAIT: Duration = Duration::from_millis(500);

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

/// INFO with every section; `None` if it gets stuck.
fn whole_info(server: &Arc<Server>) -> Option<String> {
    let (server, (said, says)) = (server.clone(), mpsc::channel());
    std::thread::Builder::new()
        .name("crash-info".into())
        .spawn(move || {
            let text = crate::info::text(&server, &[b"everything"], os::clock::wall_ms());
            // Nobody listens any more if it took too long.
            let _ = said.send(text);
        })
        .ok()?;
    says.recv_timeout(INFO_WAIT).ok()
}

/// What is left of INFO when somebody holds a lock that it needs.
fn figures_without_locks(server: &Server) -> String {
    let memory = os::memory::figures();
    format!(
        "# Server\r\nredis_version:{}\r\nredstart_version:{}\r\nredis_git_sha1:{}\r\nos:{}\r\nprocess_id:{}\r\n\
         run_id:{}\r\n# Memory\r\nused_memory:{}\r\nused_memory_peak:{}\r\nused_memory_rss:{}\r\n\
         total_system_memory:{}\r\n",
        crate::REDIS_VERSION,
        crate::VERSION,
        crate::version::COMMIT,
        os::host::name(),
        std::process::id(),
        server.start.run_id,
        os::alloc::used_bytes_exact(),
        os::alloc::peak_bytes(),
        memory.resident,
        memory.system,
    )
}

/// Writes the sections through `put`.
pub fn report(server: &Arc<Server>, put: os::crash::Put<'_>) {
    let mut section = |title: &str, text: &str| {
        put(format!("\n------ {title} ------\n{text}").as_bytes());
    };
    let info = whole_info(server).unwrap_or_else(|| figures_without_locks(server));
    section("INFO OUTPUT", &info);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn info_gives_way_to_what_needs_no_lock() {
        let server = crate::Server::new(
            crate::Start {
                workers: 1,
                renames: Vec::new(),
                seed: 1,
                run_id: "7".repeat(40),
                port: 0,
            },
            crate::Live::default(),
        )
        .expect("nothing is renamed");
        let sections = || {
            let mut text = Vec::new();
            report(&server, &mut |bytes: &[u8]| text.extend_from_slice(bytes));
            String::from_utf8_lossy(&text).into_owned()
        };
        let whole = sections();
        // INFO sums rates up; the crashed thread was just about to.
        let held = server.rates.lock();
        let began = std::time::Instant::now();
        let short = sections();
        drop(held);
        assert!(began.elapsed() >= INFO_WAIT && began.elapsed() < 10 * INFO_WAIT);
        for part in [
            "------ INFO OUTPUT ------",
            "redis_version:",
            "redstart_version:",
            &format!("process_id:{}", std::process::id()),
            &format!("run_id:{}", "7".repeat(40)),
            "used_memory_rss:",
            "------ CONFIG DEBUG OUTPUT ------",
        ] {
            for text in [&whole, &short] {
                assert_eq!(text.matches(part).count(), 1, "{part} in {text}");
            }
        }
        assert!(whole.contains("# Stats") && !short.contains("# Stats"));
    }
}
