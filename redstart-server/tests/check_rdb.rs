//! The check of RDB files as a program, in all three ways in which it is called.

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../rdb/tests/data")
        .join(name)
}

fn output(command: &mut Command) -> Output {
    command
        .stdin(Stdio::null())
        .output()
        .expect("the program starts")
}

fn tool(file: &Path) -> Output {
    output(Command::new(env!("CARGO_BIN_EXE_redstart-check-rdb")).arg(file))
}

fn check(output: &Output, code: i32, contains: &[&str]) {
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{text}{errors}");
    for part in contains {
        assert!(
            text.contains(part) || errors.contains(part),
            "{part}: {text}{errors}"
        );
    }
}

#[test]
fn sound_broken_and_missing_files() {
    let sound = ["\\o/ RDB looks OK! \\o/", "[info] 35 keys read"];
    check(&tool(&data("redis-7.0.15.rdb")), 0, &sound);
    check(&tool(&data("valkey-9.1.2-plain.rdb")), 0, &sound);
    let folder = tempfile::tempdir().expect("a folder");
    let broken = folder.path().join("broken.rdb");
    let bytes = std::fs::read(data("redis-8.0.6.rdb")).expect("it is there");
    std::fs::write(&broken, &bytes[..500]).expect("it is ours");
    check(&tool(&broken), 1, &["--- RDB ERROR DETECTED ---"]);
    let missing = folder.path().join("missing.rdb");
    check(&tool(&missing), 1, &["Checking RDB file", "No such file"]);
    let none = output(&mut Command::new(env!("CARGO_BIN_EXE_redstart-check-rdb")));
    check(&none, 1, &["Usage: redstart-check-rdb <rdb-file-name>"]);
}

#[test]
fn the_server_is_the_tool_too() {
    let file = data("redis-7.0.15.rdb");
    let path = file.to_str().expect("text");
    check(&common::run(&["--check-rdb", path]), 0, &["RDB looks OK!"]);
    check(&common::run(&["--check-rdb"]), 1, &["Usage:"]);
    let folder = tempfile::tempdir().expect("a folder");
    let linked = folder.path().join("redis-check-rdb");
    let program = common::program();
    if std::fs::hard_link(program.get_program(), &linked).is_err() {
        std::fs::copy(program.get_program(), &linked).expect("it can be copied");
    }
    check(
        &output(Command::new(&linked).arg(&file)),
        0,
        &["RDB looks OK!"],
    );
}

/// Line by line what the distribution's tool says, of files of its own version.
#[test]
fn the_same_lines_as_the_distributions_tool() {
    let theirs = |file: &Path| {
        Command::new("redis-check-rdb")
            .arg(file)
            .stdin(Stdio::null())
            .output()
    };
    let file = data("redis-7.0.15.rdb");
    let Ok(known) = theirs(&file) else {
        eprintln!("skipped: redis-check-rdb is not installed");
        return;
    };
    let bytes = std::fs::read(&file).expect("it is there");
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(tool(&file).stdout, known.stdout);
    // The head of a compressed string is one step for us and several for Redis, so the two say other
    // places there: in 26 of the 1,683 prefixes, none of which is among these.
    for length in (0..bytes.len()).step_by(14) {
        let path = folder.path().join("prefix.rdb");
        std::fs::write(&path, &bytes[..length]).expect("it is ours");
        let (ours, theirs) = (tool(&path), theirs(&path).expect("it started before"));
        assert_eq!(
            String::from_utf8_lossy(&ours.stdout),
            in_our_words(&theirs.stdout),
            "{length} bytes"
        );
        assert_eq!(ours.status.code(), theirs.status.code());
    }
}

/// Redis's lines without what is its own: the place in its source, which it names for streams, its
/// log, and that 7.0's table of types lacks the newest stream.
fn in_our_words(lines: &[u8]) -> String {
    let text = String::from_utf8_lossy(lines).replace("19 (unknown)", "19 (stream-v2)");
    let lines = text
        .lines()
        .filter(|line| !line.contains("Terminating server"));
    lines
        .map(|line| match line.split_once(" Internal error in RDB") {
            Some((offset, _)) => format!("{offset} Unexpected EOF reading RDB file\n"),
            None => format!("{line}\n"),
        })
        .collect()
}
