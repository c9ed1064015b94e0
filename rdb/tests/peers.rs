//! Our files, and the old ones made by hand, loaded by other servers: they say the digest that we say.
//!
//! The distribution's Redis 7.0 is asked where it is installed, and those that `cargo xtask peers`
//! brings, where they are.

mod common;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{digest, empty, encoder, load_by, old, save};
use rdb::Dialect;

const DEADLINE: Duration = Duration::from_secs(20);

/// A server that has loaded a file.
struct Peer {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Peer {
    /// Starts it; `None` if there is no such program.
    fn start(program: &Path, file: &[u8]) -> Option<Peer> {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("dump.rdb"), file).expect("it is ours");
        let port = free_port();
        let child = Command::new(program)
            .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
            .args(["--save", "", "--enable-debug-command", "local", "--dir"])
            .arg(folder.path())
            .args(["--logfile", "log"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        Some(Peer {
            child,
            port,
            folder,
        })
    }

    /// The reply to one inline command, once it serves.
    fn ask(&mut self, command: &str) -> String {
        let began = Instant::now();
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        loop {
            if let Ok(stream) = TcpStream::connect_timeout(&address, DEADLINE) {
                let mut reader = BufReader::new(stream);
                let mut line = String::new();
                let sent = reader
                    .get_mut()
                    .write_all(format!("{command}\r\n").as_bytes());
                if sent.is_ok()
                    && reader.read_line(&mut line).is_ok_and(|count| count > 0)
                    && !line.starts_with("-LOADING")
                {
                    return line.trim_end().to_owned();
                }
            }
            let ended = self.child.try_wait().expect("it is our child");
            assert!(ended.is_none(), "it has ended: {}", self.log());
            assert!(
                began.elapsed() < DEADLINE,
                "it does not serve: {}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    let base = std::env::var("REDSTART_TEST_PORTS").ok();
    let base: u16 = base.and_then(|text| text.parse().ok()).unwrap_or(24_400);
    // Test processes at once start at different places.
    let start = u16::try_from(std::process::id() % 90).expect("below 90");
    (0..90)
        .map(|n| base + (start + n) % 90)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("one of 90 ports is free")
}

/// Asks for the digest of a file; says so if there is no such server.
fn asked(program: &Path, file: &[u8]) -> Option<String> {
    let Some(mut peer) = Peer::start(program, file) else {
        eprintln!("skipped: there is no {}", program.display());
        return None;
    };
    Some(peer.ask("DEBUG DIGEST").trim_start_matches('+').to_owned())
}

fn fetched(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../.work/peers")
        .join(name)
}

/// What Redis 8.0 wrote, without fields that expire.
const PLAIN: &[u8] = include_bytes!("data/redis-8.0.6-plain.rdb");
/// With them.
const FIELDS: &[u8] = include_bytes!("data/redis-8.0.6.rdb");

/// Writes what Redis 8.0 wrote anew and asks for its digest, which must be `expected`.
fn check(program: &Path, data: &[u8], version: u16, dialect: Dialect, expected: Option<&str>) {
    let store = empty();
    load_by(data, 1 << 16, &store).expect("Redis wrote it");
    let file = save(&store, encoder(version, dialect, data == FIELDS));
    let ours = digest(&store);
    if let Some(found) = asked(program, &file) {
        assert_eq!(found, expected.unwrap_or(&ours), "version {version}");
    }
}

#[test]
fn ours_of_version_10_load_in_the_distributions_redis() {
    check(Path::new("redis-server"), PLAIN, 10, Dialect::Redis, None);
}

#[test]
fn ours_load_in_redis_8() {
    let program = fetched("redis8-server");
    check(&program, PLAIN, 11, Dialect::Redis, None);
    check(&program, FIELDS, 11, Dialect::Redis, None);
}

#[test]
fn ours_load_in_valkey_9() {
    let program = fetched("valkey-server");
    check(&program, PLAIN, 11, Dialect::Valkey, None);
    // Valkey digests fields' deadlines in its own way: this it said of its own file of the same data.
    let expected = "e2f8544607f228c80a27d60e84afcec6a17212e9";
    check(&program, FIELDS, 11, Dialect::Valkey, Some(expected));
}

#[test]
fn old_files_are_to_the_distributions_redis_what_they_are_to_us() {
    for version in [1, 4, 9] {
        let file = old::file(version);
        let store = empty();
        load_by(&file, 1 << 16, &store).expect("it is well formed");
        if let Some(found) = asked(Path::new("redis-server"), &file) {
            assert_eq!(found, digest(&store), "version {version}");
        }
    }
}
