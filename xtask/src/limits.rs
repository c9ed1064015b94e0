//! Black-box checks at the edges: hostile input, refused memory, more clients
//! than allowed, crashes on purpose, stops under load.
//!
//! Each check starts a server of its own and judges by replies, exit code and
//! log. They hold for any Redis-like server as far as it has the feature, so
//! `cargo xtask limits --bin /usr/bin/redis-server` shows what the checks
//! themselves are worth.

use crate::bench::resident_bytes;
use crate::server::{Server, VOLATILE};
use crate::wire::{Client, Lost, Reply, encode};
use crate::{Res, pressure, server, sh};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub(crate) const USAGE: &str = "\
usage: cargo xtask limits [--bin PROGRAM] [--loops N] [FILTER…]

  --bin PROGRAM   the server (default: built with the profile `fast`)
  --loops N       the whole N times over
  FILTER          only checks whose name contains it";

const DEADLINE: Duration = Duration::from_secs(20);

type Check = fn(&Path) -> Res<()>;

const CHECKS: &[(&str, Check)] = &[
    ("hostile bytes disturb nobody", hostile_bytes),
    ("half a request and a closed socket", half_requests),
    ("a thousand idle strangers cost little", strangers),
    ("maxclients refuses with Redis's words", max_clients),
    ("ten thousand clients are served", ten_thousand),
    ("refused memory fails one command", refused_memory),
    ("DEBUG SEGFAULT leaves a crash report", crash_report),
    ("DEBUG PANIC leaves a crash report", panic_report),
    ("SIGTERM under load ends cleanly", stop_under_load),
    (
        "slow readers are cut at their limit",
        pressure::slow_readers,
    ),
    ("maxmemory holds under every policy", pressure::maxmemory),
];

pub(crate) fn main(arguments: &[String]) -> Res<()> {
    let mut options = sh::Options::new(arguments);
    let binary = options.value("--bin")?;
    let loops = options.number("--loops", 1)?;
    let filters = options.words()?;
    let binary = match binary {
        Some(path) => PathBuf::from(path),
        None => server::build("fast")?,
    };
    (0..loops).try_for_each(|_| run_some(&binary, &filters))
}

pub(crate) fn run(binary: &Path) -> Res<()> {
    run_some(binary, &[])
}

fn run_some(binary: &Path, filters: &[String]) -> Res<()> {
    let mut failed = 0;
    for (name, check) in CHECKS {
        if !filters.is_empty() && !filters.iter().any(|filter| name.contains(filter.as_str())) {
            continue;
        }
        let start = Instant::now();
        let outcome = check(binary);
        let seconds = start.elapsed().as_secs_f64();
        match outcome {
            Ok(()) => println!("  {name}: ok in {seconds:.1} s"),
            Err(text) => {
                failed += 1;
                println!("  {name}: FAILED in {seconds:.1} s\n{text}");
            }
        }
    }
    if failed == 0 {
        Ok(())
    } else {
        Err(format!("{failed} checks failed"))
    }
}

fn volatile<'a>(more: &[&'a str]) -> Vec<&'a str> {
    VOLATILE
        .iter()
        .copied()
        .chain(more.iter().copied())
        .collect()
}

/// Sends bytes on a new connection; gives the error that came before the close.
fn refused_with(server: &Server, bytes: &[u8]) -> Res<String> {
    let mut client = server.client(DEADLINE)?;
    // The server may close before it has read all; what it said is what counts.
    let _ = client.send_raw(bytes);
    let reply = client
        .read()
        .map_err(|lost| format!("no error came: {lost}"))?;
    match client.read() {
        Err(Lost::Closed) => Ok(reply.text()),
        other => Err(format!("not closed after {:?}: {other:?}", reply.text())),
    }
}

fn hostile_bytes(binary: &Path) -> Res<()> {
    let server = Server::start(binary, VOLATILE)?;
    let mut bystander = server.client(DEADLINE)?;
    let long_inline = vec![b'a'; 70_000];
    let cases: &[(&[u8], &str)] = &[
        (
            b"*2147483648\r\n",
            "ERR Protocol error: invalid multibulk length",
        ),
        (b"*1\r\n$-1\r\n", "ERR Protocol error: invalid bulk length"),
        (
            b"*1\r\n$99999999999\r\n",
            "ERR Protocol error: invalid bulk length",
        ),
        (b"*1\r\nx\r\n", "ERR Protocol error: expected '$', got 'x'"),
        (&long_inline, "ERR Protocol error: too big inline request"),
        (
            b"SET \"k\r\n",
            "ERR Protocol error: unbalanced quotes in request",
        ),
    ];
    for (bytes, wanted) in cases {
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]).into_owned();
        let said = refused_with(&server, bytes).map_err(|e| format!("{shown:?}: {e}"))?;
        if said != *wanted {
            return Err(format!("{shown:?} was answered with {said:?}"));
        }
    }
    // Other protocols' requests are cut off without an answer.
    for bytes in [b"POST / HTTP/1.1\r\n".as_slice(), b"Host: example.com\r\n"] {
        let mut client = server.client(DEADLINE)?;
        client.send_raw(bytes)?;
        match client.read() {
            Err(Lost::Closed) => {}
            other => {
                return Err(format!(
                    "{} was answered: {other:?}",
                    String::from_utf8_lossy(bytes)
                ));
            }
        }
    }
    pong(&mut bystander)
}

fn pong(client: &mut Client) -> Res<()> {
    match client.ask(&["PING"])? {
        Reply::Simple(text) if text == b"PONG" => Ok(()),
        other => Err(format!("PING was answered with {other:?}")),
    }
}

/// Every prefix of a request, then a closed socket.
fn half_requests(binary: &Path) -> Res<()> {
    let mut server = Server::start(binary, VOLATILE)?;
    let mut request = Vec::new();
    encode(&mut request, &[b"SET".as_slice(), b"half", &[0xff; 300]]);
    for length in 0..request.len() {
        server.client(DEADLINE)?.send_raw(&request[..length])?;
    }
    let mut client = server.client(DEADLINE)?;
    pong(&mut client)?;
    match client.ask(&["EXISTS", "half"])? {
        Reply::Integer(n) if n == b"0" => server.died().map_or(Ok(()), Err),
        other => Err(format!("half a SET was executed: {other:?}")),
    }
}

/// Connections that never say a whole word, before any login.
fn strangers(binary: &Path) -> Res<()> {
    let server = Server::start(binary, &volatile(&["--requirepass", "secret"]))?;
    let before = resident_bytes(server.pid())?;
    let mut clients = Vec::new();
    for _ in 0..1000 {
        let mut client = server.client(DEADLINE)?;
        client.send_raw(b"*10\r\n$16000\r\nxxxxxxxxxxxxxxxx")?;
        clients.push(client);
    }
    let mut client = server.client(DEADLINE)?;
    client.ask(&["AUTH", "secret"])?;
    pong(&mut client)?;
    let grown = resident_bytes(server.pid())?.saturating_sub(before);
    println!("    1,000 strangers: {} KiB", grown >> 10);
    // Redis keeps 16 KiB of query buffer for each; the bound is 16 KiB each and a little.
    if grown < 24 << 20 {
        Ok(())
    } else {
        Err(format!("the server has grown by {grown} bytes"))
    }
}

fn max_clients(binary: &Path) -> Res<()> {
    let server = Server::start(binary, &volatile(&["--maxclients", "50"]))?;
    let mut clients = Vec::new();
    for _ in 0..50 {
        let mut client = server.client(DEADLINE)?;
        match client.ask(&["PING"]) {
            Ok(Reply::Simple(_)) => clients.push(client),
            // The starting check's own connection may not have left yet.
            _ => break,
        }
    }
    if clients.len() < 48 {
        return Err(format!("only {} of 50 clients were let in", clients.len()));
    }
    while clients.len() < 60 {
        let mut client = server.client(DEADLINE)?;
        match client.read_refusal()? {
            None => clients.push(client),
            Some(text) if text == "ERR max number of clients reached" => {
                return pong(&mut clients[0]);
            }
            Some(text) => return Err(format!("refused with {text:?}")),
        }
    }
    Err("more clients than maxclients were let in".into())
}

fn ten_thousand(binary: &Path) -> Res<()> {
    let server = Server::start(
        binary,
        &volatile(&["--maxclients", "10000", "--tcp-backlog", "4096"]),
    )?;
    let wanted = 9_900;
    let mut clients = Vec::with_capacity(wanted);
    for _ in 0..wanted {
        clients.push(server.client(DEADLINE)?);
    }
    for round in 0..2 {
        clients
            .iter_mut()
            .try_for_each(|client| client.send(&["PING"]))?;
        for (index, client) in clients.iter_mut().enumerate() {
            client
                .read()
                .map_err(|lost| format!("round {round}, client {index}: {lost}"))?;
        }
    }
    println!(
        "    {wanted} clients: {} KiB",
        resident_bytes(server.pid())? >> 10
    );
    Ok(())
}

/// Under an address-space limit a value that does not fit fails with -OOM and
/// the next command works.
fn refused_memory(binary: &Path) -> Res<()> {
    let server = Server::start_limited(binary, &volatile(&["--maxmemory", "0"]), 2 << 30)?;
    let mut client = server.client(DEADLINE)?;
    for round in 0..3 {
        let name = format!("big{round}");
        let reply = client.ask(&["SETRANGE", &name, "536870000", "x"])?;
        let text = reply.text();
        match reply {
            Reply::Integer(_) => {}
            Reply::Error(_) if text.starts_with("OOM ") => {
                client.ask(&["SET", "after", "1"])?;
                return pong(&mut client);
            }
            _ => return Err(format!("SETRANGE was answered with {text:?}")),
        }
    }
    // 512 MiB values three times do not fit below 2 GiB beside their growth.
    for round in 3..8 {
        let reply = client.ask(&["SETRANGE", &format!("big{round}"), "536870000", "x"])?;
        if reply.text().starts_with("OOM ") {
            client.ask(&["SET", "after", "1"])?;
            return pong(&mut client);
        }
    }
    Err("the limit was never felt".into())
}

fn crash_report(binary: &Path) -> Res<()> {
    dies_with_report(binary, "SEGFAULT", "crashed by signal")
}

fn panic_report(binary: &Path) -> Res<()> {
    dies_with_report(binary, "PANIC", "BUG REPORT START")
}

fn dies_with_report(binary: &Path, how: &str, words: &str) -> Res<()> {
    let mut server = Server::start(binary, &volatile(&["--enable-debug-command", "yes"]))?;
    let mut client = server.client(DEADLINE)?;
    // The answer is the end of the connection.
    let _ = client.ask(&["DEBUG", how]);
    let status = server.wait_end(DEADLINE)?;
    let log = server.log_text();
    if status.success() {
        return Err(format!("the server ended with {status}"));
    }
    for wanted in [words, "BUG REPORT END"] {
        if !log.contains(wanted) {
            return Err(format!("the log lacks {wanted:?}:\n{}", server.log_tail()));
        }
    }
    Ok(())
}

fn stop_under_load(binary: &Path) -> Res<()> {
    let mut server = Server::start(binary, VOLATILE)?;
    let port = server.port();
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            std::thread::spawn(move || {
                let Ok(mut client) = Client::connect(port, DEADLINE) else {
                    return 0;
                };
                let mut done = 0u64;
                // Until the server goes away.
                while client.ask(&["INCR", &format!("n{writer}")]).is_ok() {
                    done += 1;
                }
                done
            })
        })
        .collect();
    std::thread::sleep(Duration::from_millis(300));
    let start = Instant::now();
    sh::run(&mut sh::cmd("kill", &["-TERM", &server.pid().to_string()]))?;
    let status = server.wait_end(DEADLINE)?;
    let done: u64 = writers
        .into_iter()
        .map(|writer| writer.join().unwrap_or(0))
        .sum();
    println!(
        "    ended with {status} in {} ms after {done} writes",
        start.elapsed().as_millis()
    );
    match (status.success(), done > 0) {
        (true, true) => Ok(()),
        _ => Err(format!(
            "ended with {status} after {done} writes\n{}",
            server.log_tail()
        )),
    }
}
