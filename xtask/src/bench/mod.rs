//! `cargo xtask bench`: our server beside its peers, in one sitting.
//!
//! Servers run side by side, loaded with the same keys, and take turns round
//! by round (A B C A B C …), so that whatever else the machine does hits all of
//! them. What counts is the CPU time of the server process per operation: the
//! load generator shares the machine, so throughput says more about it than
//! about the server. A ratio is formed within a round, and its spread shown.

mod growth;
mod measure;
mod stalls;
mod types;

use crate::server::{Server, VOLATILE};
use crate::{Res, debian, server, sh};
pub(crate) use measure::resident_bytes;
use measure::{Load, Sample};
use std::path::{Path, PathBuf};

pub(crate) const USAGE: &str = "\
usage: cargo xtask bench [--bin PROGRAM] [--peer PROGRAM]… [--two] [--quick] [--rounds N]
                         [--only speed,memory,types,growth,stalls,workers]

  --bin PROGRAM    our server (default target/release/redstart-server, built if need be)
  --peer PROGRAM   a server to compare with, repeatable (default: the distribution's
                   redis-server; `cargo xtask peers` fetches newer ones)
  --two            also our server with two workers
  --quick          a tenth of the requests, two rounds
  --rounds N       rounds of the speed tests (default 5)
  --only LIST      parts: speed, memory, types (lists, sets, hashes …), growth; only when they are
                   named: stalls (values of ten million elements, some minutes), workers (two
                   workers against one on the simulated network, `server/examples/workers.rs`)
Prints Markdown tables; redirect them to a file.";

/// A server that takes part.
pub(crate) struct Contestant {
    pub(crate) name: String,
    pub(crate) program: PathBuf,
    pub(crate) workers: u32,
}

impl Contestant {
    pub(crate) fn start(&self) -> Res<Server> {
        let workers = self.workers.to_string();
        let options: Vec<&str> = VOLATILE
            .iter()
            .copied()
            .chain(["--io-threads", workers.as_str()])
            .collect();
        Server::start(&self.program, &options)
    }
}

/// Sizes of a run.
struct Plan {
    rounds: usize,
    /// Requests at pipeline 1; deeper pipelines get more.
    requests: u64,
    keys: u64,
    growth_keys: u64,
}

const PIPELINES: &[u64] = &[1, 16, 64];
const TESTS: &[&str] = &["set", "get", "mset"];
/// The keys that redis-benchmark uses with `-r`.
const KEY_RANGE: u64 = 1_000_000;

pub(crate) fn main(arguments: &[String]) -> Res<()> {
    let mut options = sh::Options::new(arguments);
    let binary = options.value("--bin")?;
    let mut peers = options.values("--peer")?;
    let two = options.flag("--two");
    let quick = options.flag("--quick");
    let rounds = options.number("--rounds", if quick { 2 } else { 5 })? as usize;
    let only = options.value("--only")?;
    options.finish()?;
    debian::install(&["redis-tools"])?;
    if peers.is_empty() {
        debian::install(&["redis-server"])?;
        peers.push(
            sh::which("redis-server")
                .ok_or("no redis-server on PATH")?
                .display()
                .to_string(),
        );
    }
    let ours = match binary {
        Some(path) => PathBuf::from(path),
        None => server::build("release")?,
    };
    let contestants = contestants(&ours, &peers, two)?;
    let plan = Plan {
        rounds,
        requests: if quick { 100_000 } else { 500_000 },
        keys: if quick { 300_000 } else { 1_000_000 },
        growth_keys: if quick { 1_000_000 } else { 5_000_000 },
    };
    print_head(&contestants, &plan)?;
    let wants = |part: &str| {
        only.as_ref()
            .is_none_or(|list| list.split(',').any(|p| p == part))
    };
    if wants("speed") {
        speed(&contestants, &plan)?;
    }
    if wants("memory") {
        memory(&contestants, &plan)?;
    }
    if wants("types") {
        types::speed(&contestants, plan.rounds, plan.requests * 6)?;
        types::memory(&contestants)?;
    }
    if wants("growth") {
        growth::table(&contestants, plan.growth_keys, plan.rounds.min(3))?;
    }
    if only.is_some() && wants("stalls") {
        stalls::table(&contestants, if quick { 1_000_000 } else { 10_000_000 })?;
    }
    if only.is_some() && wants("workers") {
        let rounds = plan.rounds.to_string();
        let example = [
            "run",
            "--quiet",
            "--release",
            "-p",
            "server",
            "--example",
            "workers",
        ];
        sh::run(sh::cmd(sh::cargo(), &example).arg(&rounds))?;
    }
    Ok(())
}

fn contestants(ours: &Path, peers: &[String], two: bool) -> Res<Vec<Contestant>> {
    let of = |name: &str, program: &Path, workers| Contestant {
        name: name.to_string(),
        program: program.to_path_buf(),
        workers,
    };
    let mut all = vec![of("redstart", ours, 1)];
    if two {
        all.push(of("redstart, 2 workers", ours, 2));
    }
    for peer in peers {
        let version = sh::capture(&mut sh::cmd(peer, &["--version"]))?;
        // "Valkey server v=9.1.2 sha=…"
        let mut words = version.split_whitespace();
        let product = words.next().unwrap_or("peer").to_ascii_lowercase();
        let number = words
            .find_map(|word| word.strip_prefix("v="))
            .unwrap_or("?");
        all.push(of(&format!("{product} {number}"), Path::new(peer), 1));
    }
    Ok(all)
}

fn print_head(contestants: &[Contestant], plan: &Plan) -> Res<()> {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|l| l.strip_prefix("model name")?.split(": ").nth(1))
        .unwrap_or("?");
    let commit = sh::capture(&mut sh::cmd("git", &["describe", "--always", "--dirty"]))?;
    let names: Vec<&str> = contestants.iter().map(|c| c.name.as_str()).collect();
    println!(
        "commit {}, {} × {model}",
        commit.trim(),
        std::thread::available_parallelism().map_or(0, |n| n.get())
    );
    println!(
        "servers: {}; `--save \"\" --appendonly no --io-threads 1`",
        names.join(", ")
    );
    println!(
        "load: `redis-benchmark -c 50 -d 32 -r {KEY_RANGE} -t TEST -P N -n REQUESTS`, {} rounds in turn\n",
        plan.rounds
    );
    Ok(())
}

/// CPU per operation, throughput, latencies; each as ratio to each peer.
fn speed(contestants: &[Contestant], plan: &Plan) -> Res<()> {
    let servers: Vec<Server> = contestants
        .iter()
        .map(Contestant::start)
        .collect::<Res<_>>()?;
    for server in &servers {
        let format = |index: u64| format!("key:{index:012}");
        growth::load(server, KEY_RANGE, format, &[])?;
    }
    println!(
        "| test | pipeline | server | CPU µs/op (min–max) | ops/s | p50 ms | p99 ms | p99.9 ms | redstart's CPU / its (min–max) |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for test in TESTS {
        for &pipeline in PIPELINES {
            let requests = plan.requests * if pipeline == 1 { 1 } else { 6 }
                / if *test == "mset" { 3 } else { 1 };
            let mut samples: Vec<Vec<Sample>> = contestants.iter().map(|_| Vec::new()).collect();
            for _ in 0..plan.rounds {
                for (server, samples) in servers.iter().zip(&mut samples) {
                    samples.push(measure::redis_benchmark(
                        server,
                        Load::Test(test),
                        pipeline,
                        requests,
                        KEY_RANGE,
                    )?);
                }
            }
            for (contestant, mine) in contestants.iter().zip(&samples) {
                let cpu = Spread::of(mine.iter().map(|s| s.cpu_us));
                let median = |get: fn(&Sample) -> f64| Spread::of(mine.iter().map(get)).median;
                let ratio = Spread::of(
                    samples[0]
                        .iter()
                        .zip(mine)
                        .map(|(a, b)| a.cpu_us / b.cpu_us),
                );
                println!(
                    "| {test} | {pipeline} | {} | {:.3} ({:.3}–{:.3}) | {:.0} | {:.3} | {:.3} | {:.3} | {:.2} ({:.2}–{:.2}) |",
                    contestant.name,
                    cpu.median,
                    cpu.min,
                    cpu.max,
                    median(|s| s.ops_per_s),
                    median(|s| s.p50_ms),
                    median(|s| s.p99_ms),
                    median(|s| s.p999_ms),
                    ratio.median,
                    ratio.min,
                    ratio.max
                );
            }
        }
    }
    println!();
    Ok(())
}

/// Resident bytes of an empty server and per key, with and without TTL.
fn memory(contestants: &[Contestant], plan: &Plan) -> Res<()> {
    println!(
        "| server | empty, MiB | bytes/key, {} keys of 16 B, values of 32 B | the same with a TTL |",
        plan.keys
    );
    println!("|---|---|---|---|");
    for contestant in contestants {
        let mut empty = 0;
        let mut per_key = [0.0; 2];
        for (place, ttl) in per_key.iter_mut().zip([&[][..], &["EX", "100000"][..]]) {
            let server = contestant.start()?;
            std::thread::sleep(std::time::Duration::from_millis(500));
            empty = measure::resident_bytes(server.pid())?;
            growth::load(&server, plan.keys, |index| format!("key:{index:012}"), ttl)?;
            let full = measure::resident_bytes(server.pid())?;
            *place = full.saturating_sub(empty) as f64 / plan.keys as f64;
        }
        println!(
            "| {} | {:.1} | {:.1} | {:.1} |",
            contestant.name,
            empty as f64 / (1 << 20) as f64,
            per_key[0],
            per_key[1]
        );
    }
    println!();
    Ok(())
}

/// Minimum, median, maximum.
pub(crate) struct Spread {
    pub(crate) min: f64,
    pub(crate) median: f64,
    pub(crate) max: f64,
}

impl Spread {
    pub(crate) fn of(values: impl Iterator<Item = f64>) -> Spread {
        let mut sorted: Vec<f64> = values.collect();
        sorted.sort_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
        let last = sorted.len().saturating_sub(1);
        Spread {
            min: at(0),
            median: (at(last / 2) + at(last.div_ceil(2))) / 2.0,
            max: at(last),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn medians() {
        let spread = Spread::of([3.0, 1.0, 2.0].into_iter());
        assert_eq!((spread.min, spread.median, spread.max), (1.0, 2.0, 3.0));
        assert_eq!(Spread::of([1.0, 2.0].into_iter()).median, 1.5);
    }
}
