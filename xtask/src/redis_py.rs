//! `cargo xtask redis-py`: the tests of the most used client library.
//!
//! They come in redis-py's source distribution on PyPI; the version is fixed
//! here, so that the list of test names (`tests/foreign/redis-py.list`) stays
//! true. Every listed test must pass, and none may be skipped: what the
//! library skips for our version is not listed.

use crate::python::Library;
use crate::{Res, server, sh};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

pub(crate) const USAGE: &str = "\
usage: cargo xtask redis-py [--bin PROGRAM] [--survey]

Runs the tests that tests/foreign/redis-py.list names against our server.
  --bin PROGRAM   the server (default: built with the profile `fast`)
  --survey        run whole files instead, and print what passes but is not listed";

const VERSION: &str = "8.1.0";

const LIBRARY: Library = Library {
    folder: "redis-py",
    name: "redis",
    version: VERSION,
    with: &["packaging"],
};

/// Files that `--survey` looks at.
const FILES: &[&str] = &[
    "tests/test_connection.py",
    "tests/test_connection_pool.py",
    "tests/test_encoding.py",
    "tests/test_pipeline.py",
    "tests/test_retry.py",
    "tests/test_commands.py",
    "tests/test_monitor.py",
    "tests/test_client.py",
    "tests/test_pubsub.py",
    "tests/test_asyncio/test_pubsub.py",
];

pub(crate) fn main(arguments: &[String]) -> Res<()> {
    let mut options = sh::Options::new(arguments);
    let binary = options.value("--bin")?;
    let survey = options.flag("--survey");
    options.finish()?;
    let binary = match binary {
        Some(path) => PathBuf::from(path),
        None => server::build("fast")?,
    };
    if survey {
        self::survey(&binary)
    } else {
        run(&binary)
    }
}

/// The list's tests against this server.
pub(crate) fn run(binary: &Path) -> Res<()> {
    let wanted = listed()?;
    let report = pytest(
        binary,
        &wanted.iter().map(String::as_str).collect::<Vec<_>>(),
    )?;
    let passed = passed(&report);
    let missing: Vec<&String> = wanted
        .iter()
        .filter(|name| !passed.contains(*name))
        .collect();
    println!(
        "redis-py {VERSION}: {} of {} listed tests passed",
        passed.len(),
        wanted.len()
    );
    if missing.is_empty() {
        return Ok(());
    }
    report
        .lines()
        .filter(|l| l.starts_with("FAILED") || l.starts_with("ERROR"))
        .for_each(|l| println!("{l}"));
    Err(format!(
        "not passed: {}",
        missing
            .iter()
            .map(|m| m.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    ))
}

fn survey(binary: &Path) -> Res<()> {
    let wanted = listed()?;
    let report = pytest(binary, FILES)?;
    let passed = passed(&report);
    passed
        .iter()
        .filter(|name| !wanted.contains(*name))
        .for_each(|name| println!("{name}"));
    report
        .lines()
        .filter(|l| l.starts_with("FAILED") || l.starts_with("ERROR"))
        .for_each(|l| println!("{l}"));
    println!("{} passed, {} listed", passed.len(), wanted.len());
    Ok(())
}

fn listed() -> Res<BTreeSet<String>> {
    let text = sh::read(&sh::root().join("tests/foreign/redis-py.list"))?;
    Ok(text
        .lines()
        .filter(|l| !l.is_empty() && !l.starts_with('#'))
        .map(str::to_string)
        .collect())
}

/// Names of the report's passed tests.
fn passed(report: &str) -> BTreeSet<String> {
    report
        .lines()
        .filter_map(|line| line.strip_prefix("PASSED "))
        .map(|l| l.trim().to_string())
        .collect()
}

/// Runs pytest on files or test names against a server of its own; gives its output.
fn pytest(binary: &Path, what: &[&str]) -> Res<String> {
    let python = LIBRARY.prepare(|_| Ok(()))?;
    let source = LIBRARY.source()?;
    let options: Vec<&str> = server::VOLATILE
        .iter()
        .copied()
        .chain(["--enable-debug-command", "yes"])
        .collect();
    let mut process = server::Server::start(binary, &options)?;
    let url = format!("redis://localhost:{}/0", process.port());
    // pytest reads arguments from a file, one a line.
    let list = sh::work("redis-py")?.join("selection");
    sh::write(&list, what.join("\n"))?;
    let mut command = sh::cmd(
        &python,
        &[
            "-m",
            "pytest",
            "-q",
            "-rpfE",
            "--tb=line",
            "--timeout",
            "60",
        ],
    );
    command.args([
        "-p",
        "no:cacheprovider",
        "-m",
        "not onlycluster and not redismod and not ssl",
    ]);
    command
        .args(["--redis-url", &url])
        .arg(format!("@{}", list.display()));
    command.current_dir(&source).env_remove("PYTEST_ADDOPTS");
    let output = command
        .output()
        .map_err(|e| format!("cannot start pytest: {e}"))?;
    if let Some(text) = process.died() {
        return Err(text);
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // 0: all passed, 1: some failed; anything else: it did not run.
    match output.status.code() {
        Some(0 | 1) => Ok(text),
        _ => Err(format!(
            "pytest ended with {}\n{text}{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::passed;

    #[test]
    fn the_report_names_what_passed() {
        let report = "..F\nPASSED tests/a.py::T::test_x\nFAILED tests/a.py::T::test_y - boom\nPASSED tests/a.py::test_z[1-2]\n";
        let names: Vec<String> = passed(report).into_iter().collect();
        assert_eq!(names, ["tests/a.py::T::test_x", "tests/a.py::test_z[1-2]"]);
    }
}
