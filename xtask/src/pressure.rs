//! What memory does under pressure: L2 and L3 of the reliability page, checks of `cargo xtask limits`.
//!
//! L2: clients that do not read are cut at their output limit, memory stays at what the limits allow and a
//! tenth more, and others are served meanwhile. L3: whatever the policy, and a save running too, memory is
//! above `maxmemory` by one command and a hundredth at most, what only a snapshot holds apart.
//!
//! Both hold for any Redis-like server, but for what a save adds there.

use crate::server::{Server, VOLATILE};
use crate::wire::{Client, Reply, encode};
use crate::{Res, sh};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(30);

/// A number in INFO; `None` where the server has no such field.
fn field(client: &mut Client, section: &str, name: &str) -> Res<Option<u64>> {
    let text = client.ask(&["INFO", section])?.text();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.map(|value| {
        value
            .trim()
            .parse()
            .map_err(|_| format!("{name} is {value:?}"))
    })
    .transpose()
}

/// A field that every server has.
fn must(client: &mut Client, section: &str, name: &str) -> Res<u64> {
    field(client, section, name)?.ok_or(format!("INFO {section} has no {name}"))
}

fn expect_ok(client: &mut Client, words: &[&str]) -> Res<()> {
    match client.ask(words)? {
        Reply::Simple(_) => Ok(()),
        other => Err(format!("{words:?}: {}", other.text())),
    }
}

/// Of each kind so many read nothing.
const SLOW: usize = 4;
const OUTPUT_LIMIT: u64 = 8 << 20;
/// How long others' waits are measured, at least.
const MEASURED: Duration = Duration::from_secs(1);

/// Who does not read, and what somebody else does that makes his output grow.
struct Kind {
    name: &'static str,
    /// What the slow reader says first, and then no more than once.
    begins: &'static [&'static [&'static str]],
    /// Sent again and again by somebody else; none: the slow reader's last words are what grows.
    feeds: &'static [&'static str],
}

const KINDS: &[Kind] = &[
    Kind {
        name: "channel",
        begins: &[&["SUBSCRIBE", "c"]],
        feeds: &["PUBLISH", "c", "{10000}"],
    },
    Kind {
        name: "pattern",
        begins: &[&["PSUBSCRIBE", "c*"]],
        feeds: &["PUBLISH", "c", "{10000}"],
    },
    Kind {
        name: "monitor",
        begins: &[&["MONITOR"]],
        feeds: &["SET", "k", "{10000}"],
    },
    Kind {
        name: "huge replies",
        begins: &[&["LRANGE", "long", "0", "-1"]],
        feeds: &["GET", "k"],
    },
];

fn spell(words: &[&str]) -> Vec<String> {
    let filler = |word: &str| word.replace("{10000}", &"x".repeat(10_000));
    words.iter().map(|word| filler(word)).collect()
}

/// L2.
pub(crate) fn slow_readers(binary: &Path) -> Res<()> {
    for kind in KINDS {
        slow_kind(binary, kind).map_err(|error| format!("{}: {error}", kind.name))?;
    }
    Ok(())
}

fn slow_kind(binary: &Path, kind: &Kind) -> Res<()> {
    let mut options = VOLATILE.to_vec();
    let limits = format!("normal {OUTPUT_LIMIT} 0 0 pubsub {OUTPUT_LIMIT} 0 0");
    options.extend(["--io-threads", "2"]);
    let server = Server::start(binary, &options)?;
    let mut control = server.client(DEADLINE)?;
    // Longer than the limit by far, in words of its own each.
    let word = "w".repeat(1_000);
    for _ in 0..40 {
        let mut line = vec!["RPUSH", "long"];
        line.extend(std::iter::repeat_n(word.as_str(), 1_000));
        control.ask(&line)?;
    }
    control.ask(&["SET", "k", &word])?;
    expect_ok(
        &mut control,
        &["CONFIG", "SET", "client-output-buffer-limit", &limits],
    )?;
    let quiet = under_load(&server, kind, || {
        let began = Instant::now();
        while began.elapsed() < MEASURED {
            must(&mut control, "memory", "used_memory")?;
            must(&mut control, "stats", "evicted_keys")?;
        }
        Ok(())
    })?;
    let before = must(&mut control, "memory", "used_memory")?;
    let cut = "client_output_buffer_limit_disconnections";
    let cut_before = field(&mut control, "stats", cut)?;
    let mut most = 0;
    let loud = under_load(&server, kind, || {
        let mut slow = Vec::new();
        for _ in 0..SLOW {
            let mut client = server.client(DEADLINE)?;
            kind.begins
                .iter()
                .try_for_each(|words| client.send(words))?;
            slow.push(client);
        }
        let began = Instant::now();
        loop {
            most = most.max(must(&mut control, "memory", "used_memory")?);
            let gone = field(&mut control, "stats", cut)?.unwrap_or(0);
            let is_over = gone >= cut_before.unwrap_or(0) + SLOW as u64;
            if is_over && began.elapsed() > MEASURED {
                return Ok(());
            }
            if began.elapsed() > DEADLINE {
                return Err(format!("only {gone} of {SLOW} slow readers were cut"));
            }
        }
    })?;
    let grown = most.saturating_sub(before);
    println!(
        "    {:<13} +{:>5} KiB at most; p99 of others {quiet:?}, with slow readers {loud:?}",
        kind.name,
        grown >> 10
    );
    if grown > SLOW as u64 * OUTPUT_LIMIT * 11 / 10 {
        return Err(format!("memory has grown by {grown} bytes"));
    }
    // A machine with two cores and three busy threads adds some milliseconds now and then.
    if loud > 2 * quiet + Duration::from_millis(10) {
        return Err(format!("others waited {loud:?} instead of {quiet:?}"));
    }
    Ok(())
}

/// The 99th percentile of a bystander's PING while somebody feeds and `during` runs.
fn under_load(server: &Server, kind: &Kind, during: impl FnOnce() -> Res<()>) -> Res<Duration> {
    let done = AtomicBool::new(false);
    let (port, done) = (server.port(), &done);
    std::thread::scope(|scope| {
        let feeder = scope.spawn(move || -> Res<()> {
            let mut client = Client::connect(port, DEADLINE)?;
            let words = spell(kind.feeds);
            while !done.load(Relaxed) {
                client.ask(&words)?;
            }
            Ok(())
        });
        let bystander = scope.spawn(move || -> Res<Vec<Duration>> {
            let mut client = Client::connect(port, DEADLINE)?;
            let mut times = Vec::new();
            while !done.load(Relaxed) {
                let began = Instant::now();
                client.ask(&["PING"])?;
                times.push(began.elapsed());
            }
            Ok(times)
        });
        let result = during();
        done.store(true, Relaxed);
        feeder.join().map_err(|_| "the feeder panicked")??;
        let mut times = bystander.join().map_err(|_| "the bystander panicked")??;
        result?;
        times.sort();
        times
            .get(times.len() * 99 / 100)
            .copied()
            .ok_or("nobody was served".into())
    })
}

const POLICIES: &[&str] = &[
    "noeviction",
    "allkeys-lru",
    "allkeys-lrm",
    "allkeys-lfu",
    "allkeys-random",
    "volatile-lru",
    "volatile-lrm",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
];

const MAXMEMORY: u64 = 32 << 20;
/// Commands in a pipeline, and pipelines for each policy: some 50 MB.
const PIPELINE: u64 = 50;
const PIPELINES: u64 = 1_000;
/// What a save holds in its buffers when it begins below the limit and nothing may be evicted for it.
const SAVE_BYTES: u64 = 4 << 20;
/// The largest value.
const VALUE_MAX: u64 = 2_000;

/// L3.
pub(crate) fn maxmemory(binary: &Path) -> Res<()> {
    let folder = sh::work("limits")?;
    let folder = folder.to_str().ok_or("the folder's name is no text")?;
    for policy in POLICIES {
        let limit = MAXMEMORY.to_string();
        let options = [
            &["--save", "", "--appendonly", "no", "--dir", folder][..],
            &["--dbfilename", "l3.rdb", "--maxmemory", &limit],
            &["--maxmemory-policy", policy],
        ]
        .concat();
        // What the policy before has saved is not to be loaded.
        let _ = std::fs::remove_file(Path::new(folder).join("l3.rdb"));
        let server = match Server::start(binary, &options) {
            // Redis has no such policy.
            Err(_) if policy.ends_with("-lrm") && !is_ours(binary) => continue,
            server => server?,
        };
        let mut client = server.client(DEADLINE)?;
        let worst = fill(&mut client).map_err(|error| format!("{policy}: {error}"))?;
        let save = if *policy == "noeviction" {
            SAVE_BYTES
        } else {
            0
        };
        let most = MAXMEMORY + MAXMEMORY / 100 + VALUE_MAX + save;
        if !(MAXMEMORY * 9 / 10..=most).contains(&worst) {
            return Err(format!("{policy}: {worst} bytes of {MAXMEMORY}"));
        }
        let evicted = must(&mut client, "stats", "evicted_keys")?;
        if (evicted == 0) != (*policy == "noeviction") {
            return Err(format!("{policy}: {evicted} keys were evicted"));
        }
        let over = worst.saturating_sub(MAXMEMORY);
        println!("    {policy:<16} {evicted:>6} evicted, {over:>7} bytes above the limit at most");
    }
    Ok(())
}

fn is_ours(binary: &Path) -> bool {
    binary
        .file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with("redstart"))
}

/// Writes more than fits, a save running now and then, and looks at memory after each pipeline: the most
/// that was in use.
fn fill(client: &mut Client) -> Res<u64> {
    let mut seed = 7_u64;
    let mut draw = |below: u64| {
        // A Lehmer generator's high half.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % below
    };
    let mut worst = 0;
    for round in 0..PIPELINES {
        let mut bytes = Vec::new();
        for _ in 0..PIPELINE {
            let key = format!("key:{}", draw(1 << 20));
            let value = "v".repeat(draw(VALUE_MAX) as usize);
            encode(&mut bytes, &["SET", &key, &value, "EX", "10000"]);
        }
        client.send_raw(&bytes)?;
        for _ in 0..PIPELINE {
            match client.read().map_err(|lost| lost.to_string())? {
                Reply::Simple(_) => {}
                Reply::Error(text) if text.starts_with(b"OOM ") => {}
                other => return Err(format!("SET was answered with {}", other.text())),
            }
        }
        if round % 250 == 100 {
            // One that runs already is as good.
            client.ask(&["BGSAVE"])?;
        }
        let text = client.ask(&["INFO", "memory"])?.text();
        let number = |name: &str| -> Option<u64> {
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            line.trim().parse().ok()
        };
        let used = number("used_memory").ok_or("INFO has no used_memory")?;
        let apart = number("mem_not_counted_for_evict").unwrap_or(0);
        worst = worst.max(used.saturating_sub(apart));
    }
    Ok(worst)
}
