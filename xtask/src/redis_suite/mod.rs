//! `cargo xtask redis-suite`: Redis's own Tcl suite against our server.
//!
//! The suite is the upstream tarball of Debian's source package `redis`,
//! unpacked into `.work/redis`. Each unit runs by itself, so an exception ends
//! one unit and not the run; two units at a time, each lane in a copy of its
//! own, because the suite empties `tests/tmp` when it starts; each unit in a network of its own
//! (`namespace`).
//!
//! Judged by the list of known failures (`skips`): red are an unlisted
//! failure, a listed test that passes, a listed name that no unit knows, a
//! unit that did not come to its end, and a line that waits for a closed issue.

mod namespace;
mod output;
mod skips;

use crate::{Res, debian, server, sh};
use namespace::{Namespace, STRANGERS};
use output::{UnitResult, Verdict};
use skips::Listed;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;

pub(crate) const USAGE: &str = "\
usage: cargo xtask redis-suite [--units a,b] [--workers 1|4] [--bin PROGRAM] [--cli PROGRAM] [--probe]
                               [--loops N] [--config LINE]… [--list]

  --units a,b     only these units (default: all that we claim)
  --workers N     io-threads of the server (default 1)
  --bin PROGRAM   the server (default: built with the profile `fast`)
  --cli PROGRAM   the client that the suite knows as redis-cli (likewise)
  --probe         run also what the list marks `skip`
  --loops N       the whole N times over
  --config LINE   one more line of the servers' configuration file
  --list          print the units
Known failures: tests/foreign/redis-VERSION.skip; closed issues: tests/foreign/closed-issues.";

/// The units whose commands we have.
pub(crate) const UNITS: &[&str] = &[
    "unit/type/string",
    "unit/type/incr",
    "unit/bitops",
    "unit/bitfield",
    "unit/keyspace",
    "unit/expire",
    "unit/multi",
    "unit/protocol",
    "unit/querybuf",
    "unit/auth",
    "unit/quit",
    "unit/info",
    "unit/info-command",
    "unit/introspection",
    "unit/introspection-2",
    "unit/latency-monitor",
    "unit/slowlog",
    "unit/limits",
    "unit/networking",
    "unit/replybufsize",
    "unit/pubsub",
    "unit/pubsubshard",
    "unit/tracking",
    "unit/type/hash",
    "unit/sort",
    "unit/type/list",
    "unit/type/list-2",
    "unit/type/list-3",
    "unit/type/set",
    "unit/type/stream",
    "unit/type/stream-cgroups",
    "unit/type/zset",
    "unit/geo",
    "unit/hyperloglog",
    "unit/scan",
    "unit/dump",
    "unit/other",
    "unit/lazyfree",
    "unit/violations",
    "unit/maxmemory",
    "unit/shutdown",
    "integration/rdb",
    "integration/logging",
    "integration/dismiss-mem",
    "unit/memefficiency",
    "unit/client-eviction",
    "unit/obuf-limits",
    "unit/pause",
    "integration/redis-cli",
    "integration/aof",
    "integration/aof-multi-part",
    "unit/aofrw",
];

/// Units that begin a replica outside any test, which would end them: by the tag of that part.
const WITHOUT: &[(&str, &str)] = &[("unit/pause", "-needs:repl")];

/// Debian packages that the suite needs.
pub(crate) const PACKAGES: &[&str] = &["tcl", "redis-tools", "dpkg-dev", "iproute2", "hostname"];

/// Parameters that later releases have and that are fixed at the start: `CONFIG sanity` sets every
/// parameter to what it is, apart from those that its list names, and that list is of 7.0. These are
/// added to it (the suites of those releases name them too); every other one is set and compared.
const FIXED_SINCE: &[&str] = &[
    "unixsocketgroup",
    "mptcp",
    "rdma-rx-size",
    "hash-seed",
    "cluster-databases",
    "repl-mptcp",
    "rdma-completion-vector",
    // 7.0 writes these with a low line.
    "server-cpulist",
    "bio-cpulist",
    "aof-rewrite-cpulist",
    "bgsave-cpulist",
    // Ours alone.
    "aof-checksum",
];

const LANES: usize = 2;
/// Seconds without progress, and seconds for a whole unit.
const IDLE_MAX: &str = "120";
const UNIT_MAX: &str = "600";

pub(crate) fn main(arguments: &[String]) -> Res<()> {
    let mut options = sh::Options::new(arguments);
    if options.flag("--list") {
        UNITS.iter().for_each(|unit| println!("{unit}"));
        return Ok(());
    }
    let units: Vec<String> = match options.value("--units")? {
        Some(list) => list.split(',').map(str::to_string).collect(),
        None => UNITS.iter().map(|unit| unit.to_string()).collect(),
    };
    let workers = options.number("--workers", 1)?;
    let probe = options.flag("--probe");
    let loops = options.number("--loops", 1)?;
    let mut config = options.values("--config")?;
    config.extend(own_config(workers));
    let binary = options.value("--bin")?;
    let cli = options.value("--cli")?;
    options.finish()?;
    let binary = match binary {
        Some(path) => PathBuf::from(path),
        None => server::build("fast")?,
    };
    let cli = match cli {
        Some(path) => PathBuf::from(path),
        None => server::build_package("redstart-cli", "fast")?,
    };
    debian::install(PACKAGES)?;
    for _ in 0..loops {
        run(&Run {
            binary: &binary,
            cli: &cli,
            units: &units,
            workers,
            probe,
            config: &config,
        })?;
    }
    Ok(())
}

/// One run of the suite.
struct Run<'a> {
    binary: &'a Path,
    cli: &'a Path,
    units: &'a [String],
    workers: u64,
    probe: bool,
    /// Lines for the servers' configuration file.
    config: &'a [String],
}

/// All units that we claim, with so many workers.
pub(crate) fn run_all(binary: &Path, cli: &Path, workers: u64) -> Res<()> {
    let units: Vec<String> = UNITS.iter().map(|unit| unit.to_string()).collect();
    run(&Run {
        binary,
        cli,
        units: &units,
        workers,
        probe: false,
        config: &own_config(workers),
    })
}

/// What every server of the suite is told beside the suite's own words. Its tests of the log read the file
/// themselves and expect commands alone.
fn own_config(workers: u64) -> [String; 2] {
    [
        format!("io-threads {workers}"),
        "aof-checksum no".to_string(),
    ]
}

/// Runs the units; an error when anything is not as listed.
fn run(task: &Run) -> Res<()> {
    let &Run {
        binary,
        cli,
        units,
        workers,
        probe,
        config,
    } = task;
    let foreign = sh::root().join("tests/foreign");
    let (source, version) = debian::upstream_source("redis")?;
    let closed = skips::closed_issues(&foreign.join("closed-issues"))?;
    let listed = skips::read(&foreign.join(format!("redis-{version}.skip")), &closed)?;
    let namespace = Namespace::find()?;
    let strangers = STRANGERS.iter().filter(|_| namespace.is_none());
    let skipped: Vec<&str> = listed
        .iter()
        .filter(|l| l.skip && !probe && (!l.four || workers > 1))
        .map(|l| l.name.as_str())
        .chain(strangers.copied())
        .collect();
    let skip_file = sh::work("redis")?.join("skipped");
    sh::write(&skip_file, skipped.join("\n"))?;

    let queue = Mutex::new(units.iter().rev().cloned().collect::<Vec<String>>());
    let results = Mutex::new(Vec::new());
    let lanes: Vec<PathBuf> = (0..LANES)
        .map(|lane| prepare_lane(&source, [binary, cli], lane, config, namespace))
        .collect::<Res<_>>()?;
    std::thread::scope(|scope| {
        for (lane, folder) in lanes.iter().enumerate() {
            let (queue, results, skip_file) = (&queue, &results, &skip_file);
            scope.spawn(move || {
                loop {
                    let next = queue.lock().expect("no lane panics").pop();
                    let Some(unit) = next else { break };
                    let started = Instant::now();
                    let result = run_unit(namespace, folder, &unit, lane, skip_file);
                    print_unit(&unit, &result, started);
                    results.lock().expect("no lane panics").push((unit, result));
                }
            });
        }
    });
    let results = results.into_inner().expect("no lane panics");
    let whole = UNITS.iter().all(|unit| units.iter().any(|u| u == unit));
    judge(&results, &listed, workers, whole)
}

/// A copy of the suite with our programs under the names that it expects.
fn prepare_lane(
    source: &Path,
    programs: [&Path; 2],
    lane: usize,
    config: &[String],
    namespace: Option<Namespace>,
) -> Res<PathBuf> {
    let folder = sh::work("redis")?.join(format!("lane-{lane}"));
    sh::remove_dir(&folder)?;
    sh::make_dir(&folder.join("src"))?;
    for name in ["runtest", "tests", "utils", "redis.conf"] {
        let from = source.join(name);
        sh::run(sh::cmd("cp", &["-a"]).arg(from).arg(&folder))?;
    }
    let absolute =
        |path: &Path| std::path::absolute(path).map_err(|e| format!("{}: {e}", path.display()));
    let [binary, cli] = [absolute(programs[0])?, absolute(programs[1])?];
    let servers =
        ["redis-server", "redis-check-rdb", "redis-check-aof"].map(|name| (name, binary.clone()));
    let theirs = sh::which("redis-benchmark").map(|path| ("redis-benchmark", path));
    let clients = theirs.into_iter().chain([("redis-cli", cli)]);
    for (name, path) in servers.into_iter().chain(clients) {
        let to = folder.join("src").join(name);
        sh::run(sh::cmd("ln", &["-s"]).arg(path).arg(&to))?;
    }
    let conf = folder.join("tests/assets/default.conf");
    let text = sh::read(&conf)?;
    sh::write(&conf, format!("{text}\n{}\n", config.join("\n")))?;
    if namespace.is_some() {
        // The tests of strangers take Redis's default of all addresses for granted, which is not ours.
        // Included, because of a plain line the suite would take the words for a host to connect to.
        let everywhere = folder.join("bind.conf");
        sh::write(&everywhere, "bind * -::*\n")?;
        let minimal = folder.join("tests/assets/minimal.conf");
        let text = sh::read(&minimal)?;
        sh::write(
            &minimal,
            format!("{text}\ninclude {}\n", everywhere.display()),
        )?;
    }
    let introspection = folder.join("tests/unit/introspection.tcl");
    let text = sh::read(&introspection)?;
    // The list's first name; the others stand behind it, a line each.
    let first = "            rdbchecksum\n";
    if !text.contains(first) {
        return Err("CONFIG sanity's list of parameters is not where it was".into());
    }
    let longer = format!("{first}{}\n", FIXED_SINCE.join("\n"));
    sh::write(&introspection, text.replacen(first, &longer, 1))?;
    Ok(folder)
}

fn run_unit(
    namespace: Option<Namespace>,
    folder: &Path,
    unit: &str,
    lane: usize,
    skip_file: &Path,
) -> UnitResult {
    // `timeout` gives the unit a process group of its own and ends all of it.
    let base = server::port_base() + 450 + 250 * lane as u16;
    let mut command = match namespace {
        Some(namespace) => namespace.command("timeout"),
        None => sh::cmd("timeout", &[]),
    };
    let without = WITHOUT.iter().filter(|(of, _)| *of == unit);
    command
        .args(["-k", "10", UNIT_MAX, "./runtest", "--durable"])
        .args(without.flat_map(|(_, tag)| ["--tags", *tag]))
        .args([
            "--ignore-encoding",
            "--clients",
            "1",
            "--portcount",
            "200",
            "--single",
            unit,
        ])
        .args([
            "--timeout",
            IDLE_MAX,
            "--baseport",
            &base.to_string(),
            "--skipfile",
        ])
        .arg(skip_file)
        .env("TERM", "dumb")
        .current_dir(folder);
    match command.output() {
        Ok(output) => output::parse(&String::from_utf8_lossy(&output.stdout)),
        Err(e) => UnitResult {
            outcomes: Vec::new(),
            broken: Some(format!("cannot start it: {e}")),
        },
    }
}

fn count(result: &UnitResult, verdict: Verdict) -> usize {
    result
        .outcomes
        .iter()
        .filter(|outcome| outcome.verdict == verdict)
        .count()
}

fn print_unit(unit: &str, result: &UnitResult, started: Instant) {
    println!(
        "{unit:<24} {:>4} passed {:>4} failed {:>4} skipped {:>6.1} s",
        count(result, Verdict::Passed),
        count(result, Verdict::Failed),
        count(result, Verdict::Skipped),
        started.elapsed().as_secs_f64()
    );
}

/// Compares what happened with what the list says.
fn judge(
    results: &[(String, UnitResult)],
    listed: &[Listed],
    workers: u64,
    whole: bool,
) -> Res<()> {
    let mut wrong = Vec::new();
    let mut totals = (0, 0, 0);
    for (unit, result) in results {
        totals.0 += count(result, Verdict::Passed);
        totals.1 += count(result, Verdict::Failed);
        totals.2 += count(result, Verdict::Skipped);
        if let Some(text) = &result.broken {
            wrong.push(format!("{unit}: {text}"));
        }
        for outcome in result
            .outcomes
            .iter()
            .filter(|o| o.verdict == Verdict::Failed)
        {
            let known = listed
                .iter()
                .any(|l| l.name == outcome.name && (!l.four || workers > 1));
            if !known {
                wrong.push(format!("{unit}: fails: {}{}", outcome.name, outcome.detail));
            }
        }
    }
    let all = || results.iter().flat_map(|(_, result)| &result.outcomes);
    for line in listed {
        let mine: Vec<Verdict> = all()
            .filter(|o| o.name == line.name)
            .map(|o| o.verdict)
            .collect();
        let passes = !mine.is_empty() && mine.iter().all(|v| *v == Verdict::Passed);
        if passes && !line.maybe && !line.four {
            wrong.push(format!(
                "listed, but passes (take the line out): {}",
                line.name
            ));
        }
        if mine.is_empty() && whole && !line.four {
            wrong.push(format!(
                "listed, but no unit has such a test: {}",
                line.name
            ));
        }
    }
    println!(
        "redis-suite with {workers} worker(s): {} passed, {} failed, {} skipped, {} listed",
        totals.0,
        totals.1,
        totals.2,
        listed.len()
    );
    if wrong.is_empty() {
        return Ok(());
    }
    for text in &wrong {
        println!("! {text}");
    }
    Err(format!(
        "{} things are not as tests/foreign lists them",
        wrong.len()
    ))
}
