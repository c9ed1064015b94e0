//! `cargo xtask fuzz`: hostile bytes, guided by coverage, for a bounded time.
//!
//! `fuzz/` is a workspace of its own, because its targets want the nightly
//! compiler and a sanitizer. Found inputs stay in `fuzz/artifacts`, the corpus
//! in `fuzz/corpus` (both ignored by git); seeds worth keeping are checked in
//! under `fuzz/seeds/<target>`.

use crate::{Res, sh};
use std::process::Command;
use std::time::Instant;

pub(crate) const USAGE: &str = "\
usage: cargo xtask fuzz [--seconds N] [--total N] [--list] [TARGET…]

  --seconds N   for each target (default 60)
  --total N     for all together at most (default: no bound)
  --list        print the targets
Needs rustup's nightly; cargo-fuzz is installed from the registry when it is missing.";

pub(crate) fn main(arguments: &[String]) -> Res<()> {
    let mut options = sh::Options::new(arguments);
    if options.flag("--list") {
        targets()?.iter().for_each(|target| println!("{target}"));
        return Ok(());
    }
    let seconds = options.number("--seconds", 60)?;
    let total = options.number("--total", u64::MAX)?;
    let wanted = options.words()?;
    prepare()?;
    let mut chosen = targets()?;
    if let Some(unknown) = wanted.iter().find(|name| !chosen.contains(name)) {
        return Err(format!("no fuzz target {unknown}"));
    }
    chosen.retain(|target| wanted.is_empty() || wanted.contains(target));
    run(
        &chosen,
        seconds.min(total / chosen.len().max(1) as u64).max(1),
    )
}

/// Names of the targets: files in fuzz/fuzz_targets.
pub(crate) fn targets() -> Res<Vec<String>> {
    let folder = sh::root().join("fuzz/fuzz_targets");
    let entries = std::fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| {
            entry
                .file_name()
                .to_str()?
                .strip_suffix(".rs")
                .map(str::to_string)
        })
        .collect();
    names.sort();
    if names.is_empty() {
        Err("fuzz/fuzz_targets is empty".into())
    } else {
        Ok(names)
    }
}

/// Nightly and cargo-fuzz, the second installed if need be.
pub(crate) fn prepare() -> Res<()> {
    if sh::run_quietly(&mut nightly(&["--version"])).is_err() {
        let mut command = sh::cmd(
            "rustup",
            &["toolchain", "install", "nightly", "--profile", "minimal"],
        );
        sh::run_quietly(&mut command).map_err(|e| format!("needs rustup's nightly: {e}"))?;
    }
    if sh::run_quietly(&mut nightly(&["fuzz", "--version"])).is_err() {
        println!("installing cargo-fuzz");
        sh::run_quietly(&mut sh::cmd(
            sh::cargo(),
            &["install", "--quiet", "--locked", "cargo-fuzz"],
        ))?;
    }
    Ok(())
}

fn nightly(arguments: &[&str]) -> Command {
    let mut command = sh::cmd("rustup", &["run", "nightly", "cargo"]);
    command
        .args(arguments)
        .env_remove("CARGO")
        .env_remove("RUSTUP_TOOLCHAIN");
    command
}

/// Each target for so many seconds; prints executions and seed.
pub(crate) fn run(targets: &[String], seconds: u64) -> Res<()> {
    let mut failed = Vec::new();
    for target in targets {
        let start = Instant::now();
        sh::run_quietly(&mut nightly(&["fuzz", "build", target]))?;
        let built = start.elapsed().as_secs();
        let seeds = sh::root().join("fuzz/seeds").join(target);
        let corpus = sh::root().join("fuzz/corpus").join(target);
        sh::make_dir(&corpus)?;
        let mut command = nightly(&["fuzz", "run", target]);
        command.arg(&corpus);
        if seeds.is_dir() {
            command.arg(&seeds);
        }
        command.args([
            "--",
            "-timeout=1",
            "-rss_limit_mb=1024",
            "-print_final_stats=1",
            // Runs are short: inputs that grow only after hours would never get beyond a few bytes.
            "-len_control=0",
        ]);
        command.arg(format!("-max_total_time={seconds}"));
        let output = command
            .output()
            .map_err(|e| format!("cannot start cargo fuzz: {e}"))?;
        let text = String::from_utf8_lossy(&output.stderr);
        let field = |name: &str| {
            let line = text.lines().find(|line| line.contains(name));
            line.and_then(|line| line.rsplit([' ', ':']).next())
                .unwrap_or("?")
                .to_string()
        };
        println!(
            "fuzz {target}: {} executions in {seconds} s (seed {}, built in {built} s)",
            field("stat::number_of_executed_units"),
            field("INFO: Seed")
        );
        if !output.status.success() {
            let lines: Vec<&str> = text.lines().collect();
            println!("{}", lines[lines.len().saturating_sub(40)..].join("\n"));
            failed.push(target.as_str());
        }
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(format!("found by: {}", failed.join(", ")))
    }
}
