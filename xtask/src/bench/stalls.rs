//! Large values: the longest that another client waits while one of ten million elements is loaded,
//! read through and freed.
//!
//! ```text
//!   worker of ours ◀── elements, SCANs, UNLINK ── this thread
//!                  ◀── PING, PING, ..             a thread: how long each takes
//!   bare loop      ◀── PING, PING, ..             a thread, at the same time: what the machine does
//! ```
//!
//! A shared machine stalls by itself, so a *bare loop* (a thread here that answers PINGs and does nothing
//! else) is asked at the same time as the server. And for each PING we look how long the server's threads
//! have run meanwhile, the free thread left out: what a PING waited beyond that it waited for the machine.
//! The kernel counts a running thread's time at its ticks, so that column is good to a few milliseconds
//! for one PING.

use super::Contestant;
use crate::Res;
use crate::server::{Server, free_port};
use crate::wire::{Client, Reply, encode};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const DATA: &str = "0123456789abcdef0123456789abcdef";
const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";
const PONG: &[u8] = b"+PONG\r\n";
const DEADLINE: Duration = Duration::from_secs(120);

/// One kind of large value.
struct Large {
    what: &'static str,
    /// A request's words before its elements.
    head: &'static [&'static str],
    /// The words of element `n`.
    element: fn(u64, &mut Vec<String>),
    /// Elements a request takes.
    together: u64,
    /// Lines of its reply.
    reply_lines: usize,
    scan: fn(&mut Client, u64) -> Res<u64>,
}

const KINDS: &[Large] = &[
    Large {
        what: "sorted set",
        head: &["ZADD", "v"],
        element: |n, words| words.extend([n.to_string(), member(n)]),
        together: 16,
        reply_lines: 1,
        scan: |client, _| scan(client, "ZSCAN", 2),
    },
    Large {
        what: "hash",
        head: &["HSET", "v"],
        element: |n, words| words.extend([member(n), DATA.into()]),
        together: 16,
        reply_lines: 1,
        scan: |client, _| scan(client, "HSCAN", 2),
    },
    Large {
        what: "set",
        head: &["SADD", "v"],
        element: |n, words| words.push(member(n)),
        together: 16,
        reply_lines: 1,
        scan: |client, _| scan(client, "SSCAN", 1),
    },
    Large {
        what: "list",
        head: &["RPUSH", "v"],
        element: |_, words| words.push(DATA.into()),
        together: 16,
        reply_lines: 1,
        scan: |client, count| range_through(client, count),
    },
    Large {
        what: "stream",
        head: &["XADD", "v"],
        element: |n, words| {
            // An id of our own: asking the clock would make a different one of each run.
            words.extend([format!("1-{}", n + 1), "field".into(), DATA.into()]);
        },
        together: 1,
        reply_lines: 2,
        scan: |client, _| stream_through(client),
    },
];

/// Elements written at once: some hundred microseconds of a server's work.
const BATCH: u64 = 64;
/// Elements read at once, as clients do.
const SCAN_COUNT: u64 = 1_000;

/// Elements come in no order: 7,654,321 shares no factor with a power of ten.
fn member(n: u64) -> String {
    format!("member:{:09}", n * 7_654_321 % 1_000_000_000)
}

/// The table: each kind, phase by phase, servers in rows.
pub(super) fn table(contestants: &[Contestant], count: u64) -> Res<()> {
    println!(
        "| {count} elements | server | phase | s | longest PING, ms | of that the server ran | p99.99 | PINGs | bare loop: longest | p99.99 |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for kind in KINDS {
        for contestant in contestants {
            let server = contestant.start()?;
            let bare = free_port()?;
            let listener = TcpListener::bind(("127.0.0.1", bare)).map_err(|e| e.to_string())?;
            let mut client = server.client(DEADLINE)?;
            let show = |phase: &str, act: &mut dyn FnMut() -> Res<()>| -> Res<()> {
                let (seconds, [mine, bare]) = while_pinging(&server, bare, &listener, act)?;
                println!(
                    "| {} | {} | {phase} | {seconds:.1} | {:.2} | {:.2} | {:.2} | {} | {:.2} | {:.2} |",
                    kind.what,
                    contestant.name,
                    mine.longest_ms,
                    mine.longest_run_ms,
                    mine.p9999_ms,
                    mine.count,
                    bare.longest_ms,
                    bare.p9999_ms
                );
                Ok(())
            };
            show("load", &mut || load(server.port(), kind, count))?;
            show("read", &mut || {
                let seen = (kind.scan)(&mut client, count)?;
                if seen == count {
                    return Ok(());
                }
                Err(format!("{seen} elements were read, {count} are there"))
            })?;
            show("free", &mut || free(&mut client))?;
        }
    }
    println!();
    Ok(())
}

/// Fills the value `v`; one batch is on its way while the next is being written.
fn load(port: u16, kind: &Large, count: u64) -> Res<()> {
    let say = |e: std::io::Error| format!("the loader's connection: {e}");
    let mut stream = connect(port)?;
    let (mut request, mut answers) = (Vec::new(), vec![0; 64 << 10]);
    // Below zero: lines of the next batch's answers have come along.
    let (mut next, mut lines_due) = (0, 0_isize);
    while next < count || lines_due > 0 {
        request.clear();
        let end = count.min(next + BATCH);
        let mut lines = 0;
        while next < end {
            let mut words: Vec<String> = kind.head.iter().map(|word| (*word).into()).collect();
            let together = next..end.min(next + kind.together);
            next = together.end;
            together.for_each(|n| (kind.element)(n, &mut words));
            encode(&mut request, &words);
            lines += kind.reply_lines;
        }
        stream.write_all(&request).map_err(say)?;
        while lines_due > 0 {
            let read = stream.read(&mut answers).map_err(say)?;
            let answers = &answers[..read];
            if read == 0 || answers[0] == b'-' {
                let text = String::from_utf8_lossy(answers);
                return Err(format!("the loader was told: {text}"));
            }
            lines_due -= answers.iter().filter(|&&byte| byte == b'\n').count() as isize;
        }
        lines_due += lines as isize;
    }
    Ok(())
}

/// SCAN and its like to the end; how many elements of `words` words there were.
fn scan(client: &mut Client, command: &str, words: usize) -> Res<u64> {
    let (count, mut cursor, mut seen) = (SCAN_COUNT.to_string(), "0".to_owned(), 0);
    loop {
        let reply = client.ask(&[command, "v", &cursor, "COUNT", &count])?;
        let Reply::Many(_, parts) = &reply else {
            return Err(format!("{command} says {}", reply.text()));
        };
        let [next, Reply::Many(_, elements)] = &parts[..] else {
            return Err(format!("{command} has {} parts", parts.len()));
        };
        seen += (elements.len() / words) as u64;
        cursor = next.text();
        if cursor == "0" {
            return Ok(seen);
        }
    }
}

fn range_through(client: &mut Client, count: u64) -> Res<u64> {
    let mut seen = 0;
    for start in (0..count).step_by(SCAN_COUNT as usize) {
        let (start, stop) = (start.to_string(), (start + SCAN_COUNT - 1).to_string());
        let reply = client.ask(&["LRANGE", "v", &start, &stop])?;
        let Reply::Many(_, elements) = &reply else {
            return Err(format!("LRANGE says {}", reply.text()));
        };
        seen += elements.len() as u64;
    }
    Ok(seen)
}

fn stream_through(client: &mut Client) -> Res<u64> {
    let (count, mut start, mut seen) = (SCAN_COUNT.to_string(), "-".to_owned(), 0);
    loop {
        let reply = client.ask(&["XRANGE", "v", &start, "+", "COUNT", &count])?;
        let Reply::Many(_, entries) = &reply else {
            return Err(format!("XRANGE says {}", reply.text()));
        };
        let Some(Reply::Many(_, last)) = entries.last() else {
            return Ok(seen);
        };
        seen += entries.len() as u64;
        start = format!("({}", last[0].text());
    }
}

/// UNLINK, and what the free thread does then.
fn free(client: &mut Client) -> Res<()> {
    let reply = client.ask(&["UNLINK", "v"])?;
    if reply != Reply::Integer(b"1".to_vec()) {
        return Err(format!("UNLINK says {}", reply.text()));
    }
    let end = Instant::now() + DEADLINE;
    loop {
        let info = client.ask(&["INFO", "memory"])?.text();
        if info.contains("lazyfree_pending_objects:0") {
            // Before the figure falls the memory has gone back, but for what is batched.
            std::thread::sleep(Duration::from_millis(200));
            return Ok(());
        }
        if Instant::now() > end {
            return Err("the value is not freed".into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What one pinging thread has seen.
struct Pings {
    longest_ms: f64,
    /// The longest that the server's threads ran within one PING, and not longer than it.
    longest_run_ms: f64,
    p9999_ms: f64,
    count: usize,
}

/// Does something while the server and a bare loop are pinged; how long it took.
fn while_pinging(
    server: &Server,
    bare: u16,
    listener: &TcpListener,
    act: &mut dyn FnMut() -> Res<()>,
) -> Res<(f64, [Pings; 2])> {
    let stop = AtomicBool::new(false);
    let threads = working_threads(server.pid());
    let mut pinged = [connect(server.port())?, connect(bare)?];
    let (answering, _) = listener.accept().map_err(|e| e.to_string())?;
    let [mine, other] = &mut pinged;
    std::thread::scope(|scope| {
        scope.spawn(move || answer_pings(answering));
        let mine = scope.spawn(|| ping(mine, &threads, &stop));
        let other = scope.spawn(|| {
            let pings = ping(other, &[], &stop);
            // Ends the bare loop.
            let _ = other.shutdown(std::net::Shutdown::Both);
            pings
        });
        let start = Instant::now();
        let done = act();
        let seconds = start.elapsed().as_secs_f64();
        // Relaxed: a late look costs one more PING.
        stop.store(true, Ordering::Relaxed);
        let lost = |_| "a pinging thread panicked".to_owned();
        let pings = [mine.join().map_err(lost)??, other.join().map_err(lost)??];
        done.map(|()| (seconds, pings))
    })
}

/// The bare loop.
fn answer_pings(mut stream: TcpStream) {
    let mut request = [0; PING.len()];
    while stream.read_exact(&mut request).is_ok() && stream.write_all(PONG).is_ok() {}
}

fn ping(stream: &mut TcpStream, threads: &[String], stop: &AtomicBool) -> Res<Pings> {
    let (mut taken_us, mut longest_run_us) = (Vec::new(), 0);
    let mut answer = [0; PONG.len()];
    // Relaxed: see `while_pinging`.
    while !stop.load(Ordering::Relaxed) {
        let ran_before = ran_us(threads);
        let start = Instant::now();
        stream
            .write_all(PING)
            .and_then(|()| stream.read_exact(&mut answer))
            .map_err(|e| format!("PING: {e}"))?;
        let us = start.elapsed().as_micros() as u64;
        longest_run_us = longest_run_us.max((ran_us(threads) - ran_before).min(us));
        taken_us.push(us);
        // Leaves the cores to the others.
        std::thread::sleep(Duration::from_micros(200));
    }
    taken_us.sort_unstable();
    let ms = |from_end: usize| {
        let index = taken_us.len().checked_sub(1 + from_end);
        index.map_or(f64::NAN, |index| taken_us[index] as f64 / 1000.0)
    };
    Ok(Pings {
        longest_ms: ms(0),
        longest_run_ms: longest_run_us as f64 / 1000.0,
        p9999_ms: ms(taken_us.len() / 10_000),
        count: taken_us.len(),
    })
}

/// Where the kernel tells how long the server's threads have run, those that free left out.
fn working_threads(pid: u32) -> Vec<String> {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    let folders = threads.flatten().map(|thread| thread.path());
    let works = |folder: &std::path::PathBuf| {
        let name = std::fs::read_to_string(folder.join("comm")).unwrap_or_default();
        !matches!(name.trim(), "free" | "ahead" | "bio_lazy_free")
    };
    let files = folders
        .filter(works)
        .map(|f| f.join("schedstat").display().to_string());
    files.collect()
}

fn ran_us(threads: &[String]) -> u64 {
    let ran_ns = |path: &String| -> Option<u64> {
        let text = std::fs::read_to_string(path).ok()?;
        text.split_whitespace().next()?.parse().ok()
    };
    threads.iter().filter_map(ran_ns).sum::<u64>() / 1_000
}

fn connect(port: u16) -> Res<TcpStream> {
    let say = |e: std::io::Error| format!("port {port}: {e}");
    let stream = TcpStream::connect(("127.0.0.1", port)).map_err(say)?;
    stream.set_nodelay(true).map_err(say)?;
    stream.set_read_timeout(Some(DEADLINE)).map_err(say)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::member;

    #[test]
    fn members_are_distinct() {
        let members: std::collections::HashSet<String> = (0..100_000).map(member).collect();
        assert_eq!(members.len(), 100_000);
    }
}
