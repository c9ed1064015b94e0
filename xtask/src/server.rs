//! A server under test: started on a free port, ended by its own process id.
//!
//! Works for our binary and for any other that takes `redis-server`'s command
//! line. The process gets a folder of its own and writes its log there, so
//! that a failure can show the end of it.

use crate::{Res, sh, wire::Client};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

/// Options of a server that keeps nothing on disk.
pub(crate) const VOLATILE: &[&str] = &["--save", "", "--appendonly", "no"];

/// A running server; dropping it ends the process.
pub(crate) struct Server {
    child: Child,
    port: u16,
    log: PathBuf,
    _folder: tempfile::TempDir,
}

impl Server {
    /// Starts `program --port N --dir FOLDER OPTIONS…` and waits until it answers PING.
    pub(crate) fn start(program: &Path, options: &[&str]) -> Res<Server> {
        Server::start_with(program, options, None)
    }

    /// The same below a limit of address space.
    pub(crate) fn start_limited(program: &Path, options: &[&str], bytes: u64) -> Res<Server> {
        Server::start_with(program, options, Some(bytes))
    }

    fn start_with(program: &Path, options: &[&str], address_space: Option<u64>) -> Res<Server> {
        if !program.is_file() {
            return Err(format!("there is no {}", program.display()));
        }
        // The process starts in a folder of its own.
        let program =
            std::path::absolute(program).map_err(|e| format!("{}: {e}", program.display()))?;
        let folder = tempfile::Builder::new()
            .prefix("run-")
            .tempdir_in(sh::work("servers")?)
            .map_err(|e| format!("cannot make a folder for the server: {e}"))?;
        let port = free_port()?;
        let log = folder.path().join("log");
        let output = std::fs::File::create(&log).map_err(|e| format!("{}: {e}", log.display()))?;
        let errors = output
            .try_clone()
            .map_err(|e| format!("{}: {e}", log.display()))?;
        let mut command = match address_space {
            None => Command::new(&program),
            Some(bytes) => {
                // prlimit becomes the program: the process id is the server's.
                let mut command = Command::new("prlimit");
                command.arg(format!("--as={bytes}")).arg(&program);
                command
            }
        };
        command
            .args(["--port", &port.to_string(), "--dir"])
            .arg(folder.path())
            .args(options)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors);
        let child = command
            .spawn()
            .map_err(|e| format!("cannot start `{}`: {e}", sh::shown(&command)))?;
        let mut server = Server {
            child,
            port,
            log,
            _folder: folder,
        };
        server.wait_ready()?;
        Ok(server)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A new connection whose reads end after `deadline`.
    pub(crate) fn client(&self, deadline: Duration) -> Res<Client> {
        Client::connect(self.port, deadline)
    }

    /// Has the process ended by itself?
    pub(crate) fn died(&mut self) -> Option<String> {
        match self.child.try_wait() {
            Ok(Some(status)) => Some(format!(
                "the server ended with {status}\n{}",
                self.log_tail()
            )),
            _ => None,
        }
    }

    /// Waits for the process to end by itself.
    pub(crate) fn wait_end(&mut self, deadline: Duration) -> Res<ExitStatus> {
        let end = Instant::now() + deadline;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Ok(status),
                _ if Instant::now() > end => return Err("the server does not end".into()),
                _ => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// All that the server wrote.
    pub(crate) fn log_text(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// The last lines of the server's log.
    pub(crate) fn log_tail(&self) -> String {
        let text = self.log_text();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    fn wait_ready(&mut self) -> Res<()> {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(text) = self.died() {
                return Err(text);
            }
            let answer = self
                .client(Duration::from_secs(5))
                .and_then(|mut c| c.ask(&["PING"]));
            if answer.is_ok() {
                return Ok(());
            }
            if Instant::now() > end {
                return Err(format!("the server does not answer\n{}", self.log_tail()));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only when it has ended already, which is what we want.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The first port of the tests' range, `REDSTART_TEST_PORTS` or 21000.
pub(crate) fn port_base() -> u16 {
    std::env::var("REDSTART_TEST_PORTS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(21_000)
}

/// A port in [base, base + 400) that nobody listens on now.
pub(crate) fn free_port() -> Res<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Two xtask processes at once start at different places.
    let start = (std::process::id() % 400) as u16;
    for _ in 0..400 {
        // Relaxed: only the number's uniqueness matters.
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = port_base() + start.wrapping_add(step) % 400;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err(format!("no free port from {} on", port_base()))
}

/// Builds `redstart-server` with a cargo profile and says where it lies.
pub(crate) fn build(profile: &str) -> Res<PathBuf> {
    build_package("redstart-server", profile)
}

/// The same for any of our programs.
pub(crate) fn build_package(package: &str, profile: &str) -> Res<PathBuf> {
    sh::run(&mut sh::cmd(
        sh::cargo(),
        &[
            "build",
            "--quiet",
            "--package",
            package,
            "--profile",
            profile,
        ],
    ))?;
    let folder = if profile == "dev" { "debug" } else { profile };
    let name = format!("{package}{}", std::env::consts::EXE_SUFFIX);
    Ok(sh::target().join(folder).join(name))
}
