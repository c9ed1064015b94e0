//! Growing from nothing: the longest stall that a second connection sees while
//! millions of keys go in, and the loader that other measurements use.
//!
//! A shared machine stalls by itself, so the same load also runs against a
//! *bare loop*: one thread here that reads both connections, counts bytes and
//! answers, and does nothing else. What a server shows beyond the bare loop is
//! the server's.

use super::{Contestant, Spread};
use crate::Res;
use crate::server::{Server, free_port};
use crate::wire::encode;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const VALUE: &[u8] = b"0123456789abcdef0123456789abcdef";
/// Requests written at once: some 60 µs of a server's work, so that the batch
/// itself is no stall.
const BATCH: u64 = 64;
const OK: &[u8] = b"+OK\r\n";
const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";
const PONG: &[u8] = b"+PONG\r\n";
const DEADLINE: Duration = Duration::from_secs(60);

/// Loads `count` keys, one SET each, `more` behind the value.
pub(crate) fn load(
    server: &Server,
    count: u64,
    key: impl Fn(u64) -> String,
    more: &[&str],
) -> Res<()> {
    let mut stream = connect(server.port())?;
    insert(&mut stream, count, 512, key, more)
}

/// The growth table: bare loop and servers in turn, `rounds` times. Whatever else the
/// machine does can only lengthen a PING, so the shortest of the longest is the best
/// witness of what a server does by itself.
pub(crate) fn table(contestants: &[Contestant], count: u64, rounds: usize) -> Res<()> {
    let mut bare = Vec::new();
    let mut theirs: Vec<Vec<Growth>> = contestants.iter().map(|_| Vec::new()).collect();
    for _ in 0..rounds {
        let port = free_port()?;
        let listener = TcpListener::bind(("127.0.0.1", port)).map_err(|e| e.to_string())?;
        std::thread::spawn(move || bare_loop(&listener));
        bare.push(run(port, count)?);
        for (contestant, grown) in contestants.iter().zip(&mut theirs) {
            let server = contestant.start()?;
            grown.push(run(server.port(), count)?);
        }
    }
    println!(
        "| growing to {count} keys, {rounds} rounds | longest PING, ms (min–max) | p99.99, ms | PINGs | inserts/s |"
    );
    println!("|---|---|---|---|---|");
    print_row("bare loop", &bare);
    for (contestant, grown) in contestants.iter().zip(&theirs) {
        print_row(&contestant.name, grown);
    }
    println!();
    Ok(())
}

struct Growth {
    longest_ms: f64,
    p9999_ms: f64,
    pings: f64,
    inserts_per_s: f64,
}

fn print_row(name: &str, rounds: &[Growth]) {
    let of = |get: fn(&Growth) -> f64| Spread::of(rounds.iter().map(get));
    let longest = of(|g| g.longest_ms);
    println!(
        "| {name} | {:.2} ({:.2}–{:.2}) | {:.2} | {:.0} | {:.0} |",
        longest.median,
        longest.min,
        longest.max,
        of(|g| g.p9999_ms).median,
        of(|g| g.pings).median,
        of(|g| g.inserts_per_s).median
    );
}

/// Inserts while another thread pings without pause.
fn run(port: u16, count: u64) -> Res<Growth> {
    let stop = AtomicBool::new(false);
    let mut bulk = connect(port)?;
    let mut pinger = connect(port)?;
    std::thread::scope(|scope| {
        let pings = scope.spawn(|| {
            let mut taken = Vec::new();
            let mut answer = [0; PONG.len()];
            // Relaxed: a late look costs one more PING.
            while !stop.load(Ordering::Relaxed) {
                let start = Instant::now();
                pinger
                    .write_all(PING)
                    .and_then(|()| pinger.read_exact(&mut answer))
                    .map_err(|e| format!("PING: {e}"))?;
                taken.push(start.elapsed().as_micros() as u32);
                // Leaves the second core to the load.
                std::thread::sleep(Duration::from_micros(50));
            }
            Ok::<_, String>(taken)
        });
        let start = Instant::now();
        let inserted = insert(
            &mut bulk,
            count,
            BATCH,
            |index| format!("key:{index:012}"),
            &[],
        );
        let seconds = start.elapsed().as_secs_f64();
        stop.store(true, Ordering::Relaxed);
        let mut pings_us = pings.join().map_err(|_| "the pinging thread panicked")??;
        inserted?;
        pings_us.sort_unstable();
        let ms = |from_end: usize| {
            let index = pings_us.len().checked_sub(1 + from_end);
            index.map_or(f64::NAN, |index| f64::from(pings_us[index]) / 1000.0)
        };
        Ok(Growth {
            longest_ms: ms(0),
            p9999_ms: ms(pings_us.len() / 10_000),
            pings: pings_us.len() as f64,
            inserts_per_s: count as f64 / seconds,
        })
    })
}

fn connect(port: u16) -> Res<TcpStream> {
    let say = |e: std::io::Error| format!("port {port}: {e}");
    let stream = TcpStream::connect(("127.0.0.1", port)).map_err(say)?;
    stream.set_nodelay(true).map_err(say)?;
    stream.set_read_timeout(Some(DEADLINE)).map_err(say)?;
    Ok(stream)
}

/// SETs in batches; one batch is on its way while the next is being written.
fn insert(
    stream: &mut TcpStream,
    count: u64,
    batch: u64,
    key: impl Fn(u64) -> String,
    more: &[&str],
) -> Res<()> {
    let say = |e: std::io::Error| format!("the loader's connection: {e}");
    let mut outstanding = 0;
    let mut request = Vec::new();
    let mut answers = Vec::new();
    let mut next = 0;
    while next < count || outstanding > 0 {
        let size = batch.min(count - next);
        request.clear();
        for index in next..next + size {
            let key = key(scattered(index));
            let mut words: Vec<&[u8]> = vec![b"SET", key.as_bytes(), VALUE];
            words.extend(more.iter().map(|word| word.as_bytes()));
            encode(&mut request, &words);
        }
        stream.write_all(&request).map_err(say)?;
        next += size;
        answers.resize(outstanding as usize * OK.len(), 0);
        stream.read_exact(&mut answers).map_err(say)?;
        if let Some(wrong) = answers.chunks(OK.len()).find(|answer| *answer != OK) {
            return Err(format!(
                "a SET was answered with {:?}",
                String::from_utf8_lossy(wrong)
            ));
        }
        outstanding = size;
    }
    Ok(())
}

/// Keys come in no order, as they do in life; a bijection below 2^20, and on the rest blockwise.
fn scattered(index: u64) -> u64 {
    const BLOCK: u64 = 1_000_000;
    // 387,911 shares no factor with a million.
    index / BLOCK * BLOCK + index % BLOCK * 387_911 % BLOCK
}

/// Answers two connections without a store behind them: the second to speak of
/// PING gets PONG, everything else OK for each request of the load's length.
fn bare_loop(listener: &TcpListener) {
    let mut sample = Vec::new();
    encode(
        &mut sample,
        &[b"SET".as_slice(), b"key:000000000000", VALUE],
    );
    let mut clients: Vec<(TcpStream, usize)> = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    while clients.len() < 2 {
        let Ok((stream, _)) = listener.accept() else {
            return;
        };
        if stream.set_nonblocking(true).is_err() {
            return;
        }
        clients.push((stream, 0));
    }
    // The first connection is the load's, the second the pinger's.
    let kinds: [(usize, &[u8]); 2] = [(sample.len(), OK), (PING.len(), PONG)];
    loop {
        for ((stream, held), (length, answer)) in clients.iter_mut().zip(kinds) {
            match stream.read(&mut buffer) {
                Ok(0) => return,
                Ok(read) => {
                    *held += read;
                    let complete = *held / length;
                    *held %= length;
                    if write_all(stream, &answer.repeat(complete)).is_err() {
                        return;
                    }
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
                Err(_) => return,
            }
        }
    }
}

fn write_all(stream: &mut TcpStream, mut bytes: &[u8]) -> std::io::Result<()> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(e) if e.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scattering_loses_no_key() {
        let mut seen = std::collections::HashSet::new();
        for index in 0..2_000_000 {
            assert!(seen.insert(scattered(index)), "{index} comes twice");
        }
        assert!(seen.iter().all(|key| *key < 2_000_000));
    }
}
