//! RELIABILITY D1, and D2's half that needs no power cut: the program is killed under load, again and again.
//!
//! Eight clients write pairs of keys, in different shards, with MSET and in MULTI, and read each other's. At a
//! random moment the process is killed, and another one starts on its files:
//!
//! - under `always` nothing that was acknowledged is lost, and no value that was read has been undone;
//! - under both policies the two keys of a pair are equal: no unit is there by half.
//!
//! Rewrites run all the time. `REDSTART_KILLS` says how many kills (20 a policy every run).

mod common;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use common::{DEADLINE, free_port, program, read, until};

const CLIENTS: usize = 8;

/// What clients know, by pair: the last number that was acknowledged, the largest that was read.
#[derive(Default)]
struct Known {
    acknowledged: [AtomicU64; CLIENTS],
    seen: [AtomicU64; CLIENTS],
}

/// A client whose server may go at any moment.
struct Fragile {
    writer: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Fragile {
    fn connect(address: SocketAddr) -> Option<Fragile> {
        let writer = TcpStream::connect(address).ok()?;
        writer.set_read_timeout(Some(DEADLINE)).ok()?;
        let reader = BufReader::new(writer.try_clone().ok()?);
        Some(Fragile { writer, reader })
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        self.reader.read_line(&mut line).ok()?;
        line.ends_with('\n').then(|| line.trim_end().to_owned())
    }

    fn send(&mut self, lines: &str) -> Option<()> {
        self.writer.write_all(lines.as_bytes()).ok()
    }

    /// The number that a key holds, 0 for none.
    fn number(&mut self, key: &str) -> Option<u64> {
        self.send(&format!("GET {key}\r\n"))?;
        match self.line()?.as_str() {
            "$-1" => Some(0),
            head if head.starts_with('$') => self.line()?.parse().ok(),
            _ => None,
        }
    }
}

fn work(address: SocketAddr, own: usize, known: &Known) -> Option<()> {
    let mut client = Fragile::connect(address)?;
    // Relaxed, here and below: threads are joined before anything is compared.
    let mut number = known.acknowledged[own].load(Relaxed);
    loop {
        number += 1;
        if number.is_multiple_of(3) {
            client.send(&format!(
                "MULTI\r\nSET k{own} {number}\r\nSET m{own} {number}\r\nEXEC\r\n"
            ))?;
            for expected in ["+OK", "+QUEUED", "+QUEUED", "*2", "+OK", "+OK"] {
                if client.line()? != expected {
                    return None;
                }
            }
        } else {
            client.send(&format!("MSET k{own} {number} m{own} {number}\r\n"))?;
            if client.line()? != "+OK" {
                return None;
            }
        }
        known.acknowledged[own].store(number, Relaxed);
        let other = (own + number as usize) % CLIENTS;
        let value = client.number(&format!("k{other}"))?;
        known.seen[other].fetch_max(value, Relaxed);
    }
}

/// A process that does not outlive the test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(folder: &tempfile::TempDir, port: u16, policy: &str) -> Child {
    let mut command: Command = program();
    command
        .args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--logfile",
            "log",
        ])
        .args([
            "--appendonly",
            "yes",
            "--appendfsync",
            policy,
            "--io-threads",
            "2",
        ])
        .args(["--auto-aof-rewrite-min-size", "64kb"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command.spawn().expect("the program starts")
}

fn check(policy: &str) {
    let kills = std::env::var("REDSTART_KILLS")
        .ok()
        .and_then(|text| text.parse().ok());
    let kills: u64 = kills.unwrap_or(20);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let port = free_port();
    let address: SocketAddr = ([127, 0, 0, 1], port).into();
    let known = Known::default();
    for kill in 0..=kills {
        let mut child = Killed(start(&folder, port, policy));
        let mut client = None;
        until("it has loaded", || {
            client = Fragile::connect(address);
            client
                .as_mut()
                .is_some_and(|client| client.number("k0").is_some())
        });
        let client = client.as_mut().expect("it is there");
        for pair in 0..CLIENTS {
            let values = ["k", "m"].map(|half| {
                let value = client.number(&format!("{half}{pair}"));
                value.expect("it serves")
            });
            let promised = known.acknowledged[pair]
                .load(Relaxed)
                .max(known.seen[pair].load(Relaxed));
            let log = || read(&folder.path().join("log"));
            assert_eq!(values[0], values[1], "half a unit, kill {kill}\n{}", log());
            if policy == "always" {
                assert!(
                    values[0] >= promised,
                    "pair {pair}: {values:?} after {promised}, kill {kill}\n{}",
                    log()
                );
            }
            known.acknowledged[pair].store(values[0], Relaxed);
            known.seen[pair].store(values[0], Relaxed);
        }
        std::thread::scope(|scope| {
            for own in 0..CLIENTS {
                let known = &known;
                scope.spawn(move || work(address, own, known));
            }
            std::thread::sleep(Duration::from_millis(50 + kill * 37 % 300));
            child.0.kill().expect("it runs");
            child.0.wait().expect("our own child");
        });
    }
    let written: u64 = known.acknowledged.iter().map(|n| n.load(Relaxed)).sum();
    assert!(written > 100, "{written}: hardly anything was written");
}

#[test]
fn always_keeps_what_was_acknowledged() {
    check("always");
}

#[test]
fn everysec_keeps_whole_units() {
    check("everysec");
}
