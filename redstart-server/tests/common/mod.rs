//! Our program as a process of its own, and a client that speaks inline commands.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

/// No test waits longer than this for anything.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// The program under test.
pub(crate) fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_redstart-server"))
}

/// Runs the program to its end.
pub(crate) fn run(words: &[&str]) -> Output {
    program()
        .args(words)
        .stdin(Stdio::null())
        .output()
        .expect("the program starts")
}

/// A port that nobody listens on now.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let base = std::env::var("REDSTART_TEST_PORTS")
        .ok()
        .and_then(|t| t.parse().ok())
        .unwrap_or(24_000);
    // Test processes at once start at different places.
    let start = u16::try_from(std::process::id() % 400).expect("below 400");
    (0..400)
        // Relaxed: only the number's uniqueness matters.
        .map(|_| base + start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % 400)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("one of 400 ports is free")
}

/// Waits until `holds`, at most until the deadline.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < DEADLINE, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A server in a folder of its own, its output in `log` there.
pub(crate) struct Process {
    pub(crate) child: Child,
    pub(crate) port: u16,
    pub(crate) folder: tempfile::TempDir,
}

impl Process {
    /// Starts with these options and waits until it answers.
    pub(crate) fn start(options: &[&str]) -> Process {
        Process::start_with(options, |_| {})
    }

    /// The same with changes to how it is started.
    pub(crate) fn start_with(options: &[&str], change: impl FnOnce(&mut Command)) -> Process {
        let process = Process::spawn(options, change);
        until("the server answers", || {
            TcpStream::connect(process.address()).is_ok()
        });
        process
    }

    /// Starts without waiting.
    pub(crate) fn spawn(options: &[&str], change: impl FnOnce(&mut Command)) -> Process {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = free_port();
        let log = std::fs::File::create(folder.path().join("log")).expect("a log");
        let mut command = program();
        command
            .args(["--port", &port.to_string()])
            .args(options)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("the same file"))
            .stderr(log);
        change(&mut command);
        let child = command.spawn().expect("the program starts");
        Process {
            child,
            port,
            folder,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn log(&self) -> String {
        read(&self.path("log"))
    }

    /// One inline command on a new connection: its reply up to a pause, CR removed.
    pub(crate) fn ask(&self, line: &str) -> String {
        Client::connect(self.address()).ask(line)
    }

    /// Sends a signal by its name, through the system's own tool.
    pub(crate) fn signal(&self, name: &str) {
        kill(name, self.child.id());
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("our own child") {
                return status;
            }
            assert!(
                began.elapsed() < DEADLINE,
                "the server does not end\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process.
pub(crate) fn kill(signal: &str, pid: u32) {
    let done = Command::new("kill")
        .args([&format!("-{signal}"), &pid.to_string()])
        .status();
    assert!(
        done.is_ok_and(|status| status.success()),
        "kill -{signal} {pid}"
    );
}

pub(crate) fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}

/// A client.
pub(crate) struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        Client {
            stream,
            buffer: Vec::new(),
        }
    }

    pub(crate) fn send(&mut self, line: &str) {
        self.stream
            .write_all(format!("{line}\r\n").as_bytes())
            .expect("the server reads");
    }

    /// An inline command and its whole reply: bulk strings bare, arrays joined by blanks.
    pub(crate) fn ask(&mut self, line: &str) -> String {
        self.send(line);
        self.reply()
    }

    fn reply(&mut self) -> String {
        let line = self.line();
        let count = || line[1..].parse::<i64>().expect("a count");
        match line.as_bytes().first() {
            Some(b'$') => match usize::try_from(count()) {
                Ok(len) => self.bytes(len),
                Err(_) => "nil".to_owned(),
            },
            Some(b'*') => {
                let parts: Vec<String> = (0..count()).map(|_| self.reply()).collect();
                parts.join(" ")
            }
            _ => line,
        }
    }

    pub(crate) fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|two| two == b"\r\n") {
                let line = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
                self.buffer.drain(..end + 2);
                return line;
            }
            if !self.fill() {
                return String::new();
            }
        }
    }

    fn bytes(&mut self, len: usize) -> String {
        while self.buffer.len() < len + 2 {
            assert!(self.fill(), "the server closed in the middle of a reply");
        }
        let text = String::from_utf8_lossy(&self.buffer[..len]).into_owned();
        self.buffer.drain(..len + 2);
        text
    }

    /// Reads more; whether there was any.
    fn fill(&mut self) -> bool {
        let mut chunk = [0; 4096];
        match self.stream.read(&mut chunk) {
            Ok(n) => {
                self.buffer.extend_from_slice(&chunk[..n]);
                n > 0
            }
            Err(_) => false,
        }
    }

    /// The same as `send`, for a server that may have gone.
    pub(crate) fn try_send(&mut self, line: &str) -> std::io::Result<()> {
        self.stream.write_all(format!("{line}\r\n").as_bytes())
    }

    /// Reads so many lines and forgets them.
    pub(crate) fn drain(&mut self, lines: usize) -> Result<(), ()> {
        for _ in 0..lines {
            if self.line().is_empty() {
                return Err(());
            }
        }
        Ok(())
    }

    /// Whether there is something to read; reads a little of it.
    pub(crate) fn has_more(&mut self) -> bool {
        self.fill()
    }

    /// Whether the server has closed.
    pub(crate) fn is_closed(&mut self) -> bool {
        !self.fill()
    }
}
