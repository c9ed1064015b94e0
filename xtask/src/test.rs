//! `cargo xtask test`: everything that must be green, in stages.
//!
//! A stage has a preparation (what it needs from the machine) and a body. A
//! preparation that fails leaves the stage out and says why; with `CI=true`
//! that is a failure, because CI must not shrink unnoticed. A stage that fails
//! does not stop the others: one run tells everything.

use crate::{
    Res, client, cross, debian, differential, fakeredis, fuzz, limits, python, redis_py,
    redis_suite, server, sh, tidy, transcripts, wine,
};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) const USAGE: &str = "\
usage: cargo xtask test [--only a,b] [--skip a,b] [--list]

Runs all stages and prints a line for each; the last line is `N passed, N failed`.
On Debian and as root missing packages are installed; elsewhere the stages that need them
are left out with the reason. With CI=true leaving something out is a failure.";

struct Stage {
    name: &'static str,
    about: &'static str,
    /// What the machine must bring; an error leaves the stage out.
    prepare: fn() -> Res<()>,
    run: fn(&mut Notes) -> Res<()>,
}

const STAGES: &[Stage] = &[
    Stage {
        name: "fmt",
        about: "rustfmt",
        prepare: nothing,
        run: fmt,
    },
    Stage {
        name: "clippy",
        about: "clippy on all targets, warnings are errors",
        prepare: nothing,
        run: clippy,
    },
    Stage {
        name: "tidy",
        about: "the house's rules",
        prepare: nothing,
        run: |_| tidy::main(&[]),
    },
    Stage {
        name: "unit",
        about: "unit and model tests of all crates",
        prepare: kernel_tools,
        run: unit,
    },
    Stage {
        name: "models",
        about: "lock and copy-on-write protocols in the model checker",
        prepare: nothing,
        run: models,
    },
    Stage {
        name: "transcripts",
        about: "readable requests and replies",
        prepare: nothing,
        run: play_transcripts,
    },
    Stage {
        name: "limits",
        about: "hostile input, refused memory, many clients, stops",
        prepare: prlimit,
        run: run_limits,
    },
    Stage {
        name: "differential",
        about: "a million random commands beside the distribution's redis-server",
        prepare: || debian::install(differential::PACKAGES),
        run: |_| differential::run_ci(&server::build("fast")?),
    },
    Stage {
        name: "suite-1",
        about: "Redis's Tcl suite, one worker",
        prepare: suite_packages,
        run: |_| suite(1),
    },
    Stage {
        name: "suite-4",
        about: "Redis's Tcl suite, four workers",
        prepare: suite_packages,
        run: |_| suite(4),
    },
    Stage {
        name: "client",
        about: "redstart-cli beside redis-cli, on a terminal, as a replica",
        prepare: || debian::install(client::PACKAGES),
        run: |_| {
            let cli = server::build_package("redstart-cli", "fast")?;
            client::run(&server::build("fast")?, &cli)
        },
    },
    Stage {
        name: "redis-py",
        about: "the Python client's own tests",
        prepare: python,
        run: python_client,
    },
    Stage {
        name: "fakeredis",
        about: "fakeredis's property tests, our server as the real one",
        prepare: python,
        run: property_tests,
    },
    Stage {
        name: "benchmark",
        about: "redis-benchmark runs through",
        prepare: tools,
        run: benchmark,
    },
    Stage {
        name: "windows",
        about: "cross build, clippy for Windows, smoke tests under Wine",
        prepare: windows_packages,
        run: windows,
    },
    Stage {
        name: "fuzz",
        about: "hostile bytes, four minutes in all",
        prepare: fuzz::prepare,
        run: fuzz_all,
    },
];

const FUZZ_TOTAL_S: u64 = 240;

/// Lines of stages that the end of the run repeats.
#[derive(Default)]
pub(crate) struct Notes(Vec<String>);

enum Outcome {
    Passed,
    Failed(String),
    LeftOut(String),
}

pub(crate) fn main(arguments: &[String]) -> Res<()> {
    let mut options = sh::Options::new(arguments);
    let list = |value: Option<String>| -> Vec<String> {
        value
            .map(|v| v.split(',').map(str::to_string).collect())
            .unwrap_or_default()
    };
    if options.flag("--list") {
        STAGES
            .iter()
            .for_each(|stage| println!("{:<12} {}", stage.name, stage.about));
        return Ok(());
    }
    let only = list(options.value("--only")?);
    let skip = list(options.value("--skip")?);
    options.finish()?;
    if let Some(name) = only
        .iter()
        .chain(&skip)
        .find(|n| !STAGES.iter().any(|s| s.name == n.as_str()))
    {
        return Err(format!("no stage '{name}' (see --list)"));
    }
    let strict = std::env::var("CI").is_ok_and(|value| value == "true");
    let mut notes = Notes::default();
    let mut ended = Vec::new();
    let chosen = |stage: &&Stage| {
        let named = |list: &[String]| list.iter().any(|name| name == stage.name);
        (only.is_empty() || named(&only)) && !named(&skip)
    };
    for stage in STAGES.iter().filter(chosen) {
        println!("\n== {}: {}", stage.name, stage.about);
        let start = Instant::now();
        let outcome = match (stage.prepare)() {
            Err(reason) => Outcome::LeftOut(reason),
            Ok(()) => match (stage.run)(&mut notes) {
                Ok(()) => Outcome::Passed,
                Err(text) => Outcome::Failed(text),
            },
        };
        print_end(stage, &outcome, start.elapsed());
        ended.push((stage, outcome, start.elapsed()));
    }
    summary(&ended, &notes, strict)
}

fn print_end(stage: &Stage, outcome: &Outcome, took: Duration) {
    let seconds = took.as_secs_f64();
    match outcome {
        Outcome::Passed => println!("== {} passed in {seconds:.1} s", stage.name),
        Outcome::Failed(text) => println!("{text}\n== {} FAILED in {seconds:.1} s", stage.name),
        Outcome::LeftOut(reason) => println!("== {} left out: {reason}", stage.name),
    }
}

fn summary(ended: &[(&Stage, Outcome, Duration)], notes: &Notes, strict: bool) -> Res<()> {
    println!("\nsummary");
    let (mut passed, mut failed) = (0, 0);
    for (stage, outcome, took) in ended {
        let (word, detail) = match outcome {
            Outcome::Passed => ("passed", ""),
            Outcome::Failed(text) => ("FAILED", text.lines().next().unwrap_or("")),
            Outcome::LeftOut(reason) => ("left out", reason.lines().next().unwrap_or("")),
        };
        match outcome {
            Outcome::Passed => passed += 1,
            Outcome::Failed(_) => failed += 1,
            // CI must not shrink unnoticed.
            Outcome::LeftOut(_) if strict => failed += 1,
            Outcome::LeftOut(_) => {}
        }
        println!(
            "  {:<12} {word:<9} {:>7.1} s  {detail}",
            stage.name,
            took.as_secs_f64()
        );
    }
    let total: Duration = ended.iter().map(|(_, _, took)| *took).sum();
    println!("  in all {:.0} s", total.as_secs_f64());
    notes.0.iter().for_each(|line| println!("{line}"));
    println!("{passed} passed, {failed} failed");
    // That line is the last: scripts read it.
    if failed == 0 {
        Ok(())
    } else {
        Err(String::new())
    }
}

fn nothing() -> Res<()> {
    Ok(())
}

fn fmt(_: &mut Notes) -> Res<()> {
    sh::run(&mut sh::cmd(
        sh::cargo(),
        &["fmt", "--all", "--", "--check"],
    ))
}

fn clippy(_: &mut Notes) -> Res<()> {
    let words = [
        "clippy",
        "--quiet",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ];
    sh::run(&mut sh::cmd(sh::cargo(), &words))
}

fn unit(notes: &mut Notes) -> Res<()> {
    cargo_tests(notes, &["--workspace"])
}

/// Crates with a feature `model` run again in the model checker.
fn models(notes: &mut Notes) -> Res<()> {
    let mut found = 0;
    for name in ["collections", "store"] {
        let manifest = sh::read(&sh::root().join(name).join("Cargo.toml"))?;
        if manifest
            .lines()
            .any(|line| line.trim_start().starts_with("model ="))
        {
            found += 1;
            cargo_tests(notes, &["--package", name, "--features", "model"])?;
        }
    }
    if found > 0 {
        Ok(())
    } else {
        Err("no crate has a feature `model`".into())
    }
}

/// `cargo nextest run`, or `cargo test` where nextest is missing.
fn cargo_tests(notes: &mut Notes, arguments: &[&str]) -> Res<()> {
    let has_nextest = sh::run_quietly(&mut sh::cmd(sh::cargo(), &["nextest", "--version"])).is_ok();
    let words: &[&str] = if has_nextest {
        &["nextest", "run", "--no-fail-fast"]
    } else {
        &["test", "--no-fail-fast"]
    };
    let mut command = sh::cmd(sh::cargo(), words);
    command.args(arguments);
    if has_nextest {
        // Slow and failed tests are lines enough.
        command.args(["--status-level", "slow", "--no-tests", "warn"]);
    }
    watched(&mut command, |line| {
        if line.trim_start().starts_with("Summary [") || line.starts_with("test result:") {
            notes.0.push(line.trim().to_string());
        }
    })
}

/// Runs to the end, shows both outputs, and lets `see` look at each line.
fn watched(command: &mut Command, mut see: impl FnMut(&str)) -> Res<()> {
    let shown = sh::shown(command);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| format!("cannot start `{shown}`: {e}"))?;
    let (send, lines) = std::sync::mpsc::channel();
    let out = child
        .stdout
        .take()
        .map(|pipe| Box::new(pipe) as Box<dyn std::io::Read + Send>);
    let err = child
        .stderr
        .take()
        .map(|pipe| Box::new(pipe) as Box<dyn std::io::Read + Send>);
    for pipe in [out, err].into_iter().flatten() {
        let send = send.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                // The receiver lives until both pipes have ended.
                let _ = send.send(line);
            }
        });
    }
    drop(send);
    for line in lines {
        println!("{line}");
        see(&line);
    }
    let status = child.wait().map_err(|e| format!("`{shown}`: {e}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("`{shown}` ended with {status}"))
    }
}

fn play_transcripts(_: &mut Notes) -> Res<()> {
    transcripts::main(&[])
}

/// What the tests of the kernel's books ask it with. Where it cannot be had those tests say so
/// themselves, and the others need none of it.
fn kernel_tools() -> Res<()> {
    let is_lacking = ["ss", "unshare"]
        .iter()
        .any(|name| sh::which(name).is_none());
    if is_lacking && sh::which("apt-get").is_some() {
        let _: Res<()> = debian::install(&["iproute2", "util-linux"]);
    }
    Ok(())
}

fn prlimit() -> Res<()> {
    match sh::which("prlimit") {
        Some(_) => Ok(()),
        None => debian::install(&["util-linux"]),
    }
}

fn run_limits(_: &mut Notes) -> Res<()> {
    limits::run(&server::build("fast")?)
}

fn suite_packages() -> Res<()> {
    debian::install(redis_suite::PACKAGES)
}

fn suite(workers: u64) -> Res<()> {
    let cli = server::build_package("redstart-cli", "fast")?;
    redis_suite::run_all(&server::build("fast")?, &cli, workers)
}

fn python() -> Res<()> {
    match sh::which("python3") {
        Some(_) => Ok(()),
        None => debian::install(python::PACKAGES),
    }
}

fn python_client(_: &mut Notes) -> Res<()> {
    redis_py::run(&server::build("fast")?)
}

fn property_tests(_: &mut Notes) -> Res<()> {
    fakeredis::run(&server::build("fast")?)
}

fn tools() -> Res<()> {
    debian::install(&["redis-tools"])
}

/// The distribution's redis-benchmark must run through without an error.
fn benchmark(_: &mut Notes) -> Res<()> {
    let mut process = server::Server::start(&server::build("fast")?, server::VOLATILE)?;
    let port = process.port().to_string();
    for pipeline in ["1", "16"] {
        let mut command = sh::cmd(
            "redis-benchmark",
            &["-p", &port, "-t", "set,get,incr,mset,ping"],
        );
        command.args(["-n", "100000", "-q", "-P", pipeline]);
        let output = command
            .output()
            .map_err(|e| format!("redis-benchmark: {e}"))?;
        let text = String::from_utf8_lossy(&output.stdout).replace('\r', "\n");
        let errors = String::from_utf8_lossy(&output.stderr);
        let results: Vec<&str> = text
            .lines()
            .filter(|line| line.contains("requests per second"))
            .collect();
        results
            .iter()
            .for_each(|line| println!("  -P {pipeline:<2} {}", line.trim()));
        // PING twice (inline and not), SET, GET, INCR, MSET.
        if !output.status.success() || results.len() != 6 || errors.contains("rror") {
            return Err(format!(
                "redis-benchmark -P {pipeline} ended with {}\n{text}{errors}",
                output.status
            ));
        }
    }
    process.died().map_or(Ok(()), Err)
}

fn windows_packages() -> Res<()> {
    debian::install(cross::PACKAGES)?;
    debian::install(wine::PACKAGES)
}

fn windows(_: &mut Notes) -> Res<()> {
    let program = cross::build("redstart-server", "fast", false)?;
    let client = cross::build("redstart-cli", "fast", false)?;
    cross::clippy()?;
    let wine = wine::Wine::prepare()?;
    wine::smoke(&wine, &program, &client)?;
    wine::unit_tests(&wine, &cross::build_tests()?)
}

fn fuzz_all(_: &mut Notes) -> Res<()> {
    let targets = fuzz::targets()?;
    fuzz::run(&targets, (FUZZ_TOTAL_S / targets.len() as u64).min(60))
}
