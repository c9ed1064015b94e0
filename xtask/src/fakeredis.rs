//! `cargo xtask fakeredis`: the property tests of a second implementation.
//!
//! fakeredis does in Python what Redis does, and its tests let hypothesis make
//! up sequences of commands and compare its replies with a real server's:
//! here ours. They come in its source distribution on PyPI, the version is
//! fixed. Where fakeredis itself differs from Redis the command is left out,
//! in `tests/foreign/fakeredis.skip` with its reason.

use crate::python::Library;
use crate::{Res, server, sh};
use std::path::{Path, PathBuf};

pub(crate) const USAGE: &str = "\
usage: cargo xtask fakeredis [--bin PROGRAM] [--examples N] [--seed N]

Runs fakeredis's property tests with our server as the real one.
  --bin PROGRAM   the server (default: built with the profile `fast`)
  --examples N    sequences that each test makes up (default 10)
  --seed N        of hypothesis (default 1)";

const VERSION: &str = "2.40.0";
const EXAMPLES: u64 = 10;

const LIBRARY: Library = Library {
    folder: "fakeredis",
    name: "fakeredis",
    version: VERSION,
    with: &["hypothesis", "valkey"],
};

pub(crate) fn main(arguments: &[String]) -> Res<()> {
    let mut options = sh::Options::new(arguments);
    let binary = options.value("--bin")?;
    let examples = options.number("--examples", EXAMPLES)?;
    let seed = options.number("--seed", 1)?;
    options.finish()?;
    let binary = match binary {
        Some(path) => PathBuf::from(path),
        None => server::build("fast")?,
    };
    run_with(&binary, examples, seed)
}

/// All tests, as many sequences as CI has time for.
pub(crate) fn run(binary: &Path) -> Res<()> {
    run_with(binary, EXAMPLES, 1)
}

fn run_with(binary: &Path, examples: u64, seed: u64) -> Res<()> {
    let python = LIBRARY.prepare(|source| redirect(&source.join("test/conftest.py")))?;
    let options: Vec<&str> = server::VOLATILE.to_vec();
    let mut process = server::Server::start(binary, &options)?;
    let foreign = sh::root().join("tests/foreign");
    let mut command = sh::cmd(&python, &["-m", "pytest", "-q", "-rpfE", "--tb=short"]);
    command
        .args(["-p", "no:cacheprovider", "-p", "fakeredis_plugin"])
        .args(["--timeout", "600", &format!("--hypothesis-seed={seed}")])
        .arg("test/test_hypothesis")
        .current_dir(LIBRARY.source()?)
        .env_remove("PYTEST_ADDOPTS")
        .env("PYTHONPATH", &foreign)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("LEFT_OUT", foreign.join("fakeredis.skip"))
        .env("EXAMPLES", examples.to_string())
        .env("REAL_SERVER_PORT", process.port().to_string());
    let output = command
        .output()
        .map_err(|e| format!("cannot start pytest: {e}"))?;
    if let Some(text) = process.died() {
        return Err(text);
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (passed, compared) = figures(&text);
    println!(
        "fakeredis {VERSION}: {passed} tests passed, {compared} replies compared (seed {seed}, {examples} examples)"
    );
    // A run that compares next to nothing has tested nothing.
    if output.status.success() && passed >= 10 && compared >= 100 * examples {
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(format!(
        "pytest ended with {}\n{text}{errors}",
        output.status
    ))
}

/// How many tests the report says have passed, and how many replies were compared.
fn figures(report: &str) -> (usize, u64) {
    let passed = report.lines().filter(|line| line.starts_with("PASSED "));
    let compared = report
        .lines()
        .find_map(|line| line.strip_prefix("COMPARED ")?.trim().parse().ok());
    (passed.count(), compared.unwrap_or(0))
}

/// The tests know one port, and only the names of servers that they have met.
fn redirect(conftest: &Path) -> Res<()> {
    let mut text = sh::read(conftest)?;
    for (theirs, ours) in [
        (
            "return \"localhost\", 6390",
            "return \"127.0.0.1\", int(__import__(\"os\").environ[\"REAL_SERVER_PORT\"])",
        ),
        (
            "server_type = client_info[\"server_name\"]",
            "server_type = \"redis\"",
        ),
    ] {
        if !text.contains(theirs) {
            return Err(format!("{} does not say {theirs}", conftest.display()));
        }
        text = text.replace(theirs, ours);
    }
    sh::write(conftest, text)
}

#[cfg(test)]
mod tests {
    use super::figures;

    #[test]
    fn the_report_is_read() {
        let report = "..F\nPASSED test/a.py::test_x\nFAILED test/a.py::test_y - boom\nCOMPARED 517\n1 failed\n";
        assert_eq!(figures(report), (1, 517));
        assert_eq!(figures("nothing ran"), (0, 0));
    }
}
