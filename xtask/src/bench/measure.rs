//! One measurement: redis-benchmark as the load, the server's CPU time from
//! `/proc` (`task/*/schedstat`), latencies from the tool's own percentile table (its CSV form stops
//! at p99).

use crate::server::Server;
use crate::{Res, sh};
use std::path::Path;

/// Kernel ticks of `/proc/PID/stat` in a second; 100 on every Linux that we meet.
const TICKS_PER_S: f64 = 100.0;

pub(crate) struct Sample {
    pub(crate) cpu_us: f64,
    pub(crate) ops_per_s: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) p999_ms: f64,
}

/// What the load consists of.
#[derive(Clone, Copy)]
pub(crate) enum Load<'l> {
    /// One of the tool's own tests.
    Test(&'l str),
    /// This request; `__rand_int__` stands for a number below the range.
    Request(&'l [&'l str]),
}

/// Runs one test against a server.
pub(crate) fn redis_benchmark(
    server: &Server,
    load: Load<'_>,
    pipeline: u64,
    requests: u64,
    range: u64,
) -> Res<Sample> {
    let text = |n: u64| n.to_string();
    let mut command = sh::cmd("redis-benchmark", &["-p", &server.port().to_string()]);
    command.args([
        "-c",
        "50",
        "-d",
        "32",
        "--precision",
        "3",
        "-r",
        &text(range),
    ]);
    command.args(["-P", &text(pipeline), "-n", &text(requests)]);
    match load {
        Load::Test(name) => command.args(["-t", name]),
        Load::Request(words) => command.args(words),
    };
    let before = cpu_seconds(server.pid())?;
    let output = sh::capture(&mut command)?.replace('\r', "\n");
    let cpu = cpu_seconds(server.pid())? - before;
    let (ops_per_s, [p50_ms, p99_ms, p999_ms]) =
        parse(&output).ok_or_else(|| format!("redis-benchmark said:\n{output}"))?;
    Ok(Sample {
        cpu_us: cpu * 1e6 / requests as f64,
        ops_per_s,
        p50_ms,
        p99_ms,
        p999_ms,
    })
}

/// Throughput and the latencies at 50, 99 and 99.9 percent.
fn parse(text: &str) -> Option<(f64, [f64; 3])> {
    let throughput = text
        .split("throughput summary:")
        .nth(1)?
        .split_whitespace()
        .next()?
        .parse()
        .ok()?;
    let table = text
        .split("Latency by percentile distribution:")
        .nth(1)?
        .split("\n\n")
        .next()?;
    // "99.902% <= 3.871 milliseconds (cumulative count 99904)"
    let steps: Vec<(f64, f64)> = table
        .lines()
        .filter_map(|line| {
            let (percent, rest) = line.split_once("% <= ")?;
            Some((
                percent.trim().parse().ok()?,
                rest.split_whitespace().next()?.parse().ok()?,
            ))
        })
        .collect();
    let at = |wanted: f64| {
        steps
            .iter()
            .find(|(percent, _)| *percent >= wanted)
            .map(|(_, ms)| *ms)
    };
    Some((throughput, [at(50.0)?, at(99.0)?, at(99.9)?]))
}

/// User and system time of all the process's threads: from the scheduler, to the nanosecond, where the
/// kernel tells; otherwise in ticks.
fn cpu_seconds(pid: u32) -> Res<f64> {
    if let Some(ns) = scheduled_ns(pid) {
        return Ok(ns as f64 / 1e9);
    }
    let text = sh::read(Path::new(&format!("/proc/{pid}/stat")))?;
    // The name in parentheses may hold anything; fields are counted after it.
    let fields = text.rsplit(')').next().unwrap_or("");
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|t| t.parse::<u64>().ok())
        .sum();
    Ok(ticks as f64 / TICKS_PER_S)
}

/// What the threads that live have run; a server's threads outlive a measurement.
fn scheduled_ns(pid: u32) -> Option<u64> {
    let mut sum = 0;
    for thread in std::fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        let text = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        sum += text.split_whitespace().next()?.parse::<u64>().ok()?;
    }
    Some(sum)
}

/// Resident memory.
pub(crate) fn resident_bytes(pid: u32) -> Res<u64> {
    let text = sh::read(Path::new(&format!("/proc/{pid}/status")))?;
    let line = text
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .ok_or("no VmRSS")?;
    let kib: u64 = line
        .split_whitespace()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .ok_or("no VmRSS")?;
    Ok(kib << 10)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn the_tool_s_report_is_read() {
        let text = "Latency by percentile distribution:\n0.000% <= 0.1 milliseconds (cumulative count 1)\n\
                    50.000% <= 0.903 milliseconds (c)\n99.219% <= 1.839 milliseconds (c)\n\
                    99.902% <= 3.871 milliseconds (c)\n\nCumulative distribution of latencies:\n\
                    99.9% <= 9.0 milliseconds\n\nSummary:\n  throughput summary: 684931.50 requests per second\n";
        assert_eq!(parse(text), Some((684931.50, [0.903, 1.839, 3.871])));
    }
}
