//! The check of append-only files as a program, in all three ways in which it is called.

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use persist::aof::seal::{Seal, first_line};

fn run(words: &[&str], answer: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_redstart-check-aof"));
    let command = command
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let mut input = child.stdin.take().expect("it is piped");
    // Who asks nothing may have gone.
    let _ = std::io::Write::write_all(&mut input, answer.as_bytes());
    drop(input);
    child.wait_with_output().expect("it ends")
}

#[track_caller]
fn check(output: &Output, code: i32, contains: &[&str]) {
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(code), "{text}");
    for part in contains {
        assert!(text.contains(part), "{part}: {text}");
    }
}

fn commands(lines: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in lines {
        if line.starts_with('#') {
            bytes.extend_from_slice(format!("{line}\r\n").as_bytes());
            continue;
        }
        let words: Vec<&str> = line.split(' ').collect();
        bytes.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
        for word in words {
            bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
        }
    }
    bytes
}

fn batch(lines: &[&str]) -> Vec<u8> {
    let bytes = commands(lines);
    [&Seal::of(&bytes, 0).line()[..], &bytes].concat()
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().expect("a folder"))
    }

    fn file(&self, name: &str, bytes: &[u8]) -> (PathBuf, String) {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).expect("it is ours");
        let text = path.to_str().expect("text").to_owned();
        (path, text)
    }
}

fn len(path: &Path) -> u64 {
    std::fs::metadata(path).expect("it is there").len()
}

#[test]
fn one_file_sound_torn_and_mended() {
    let folder = Folder::new();
    let sound = commands(&["SET a 1", "MULTI", "SET b 1", "EXEC"]);
    let (_, path) = folder.file("sound", &sound);
    check(
        &run(&[&path], ""),
        0,
        &["Start checking Old-Style AOF", "is valid", "diff=0"],
    );
    let torn = [&sound[..], b"*2\r\n$3\r\nGET\r\n$9\r\nabc"].concat();
    let (file, path) = folder.file("torn", &torn);
    let short = [
        "Expected to read 11 bytes, got 3 bytes",
        "is not valid. Use the --fix option to try fixing it.",
    ];
    check(&run(&[&path], ""), 1, &short);
    check(
        &run(&["--fix", &path], "n\n"),
        1,
        &["Continue? [y/N]: Aborting..."],
    );
    assert_eq!(len(&file), torn.len() as u64);
    let shrinks = format!(
        "from {} bytes, with 20 bytes, to {} bytes",
        torn.len(),
        sound.len()
    );
    check(
        &run(&["--fix", &path], "y\n"),
        0,
        &[&shrinks, "Successfully truncated AOF"],
    );
    check(&run(&[&path], ""), 0, &["is valid"]);
    let multi = [&sound[..], &commands(&["MULTI", "SET c 1"])].concat();
    let (_, path) = folder.file("multi", &multi);
    check(
        &run(&[&path], ""),
        1,
        &["Reached EOF before reading EXEC for MULTI"],
    );
    let (_, path) = folder.file("nonsense", &[&sound[..], b"!!!"].concat());
    check(&run(&[&path], ""), 1, &["format error"]);
    let (_, path) = folder.file("empty", b"");
    check(&run(&[&path], ""), 0, &["is empty"]);
    check(
        &run(&[], ""),
        1,
        &["Usage: redstart-check-aof [--fix|--truncate-to-timestamp"],
    );
    check(
        &run(&["--truncate-to-timestamp", "x", &path], ""),
        1,
        &["Invalid timestamp, aborting..."],
    );
    check(
        &run(&["/does/not/exist"], ""),
        1,
        &["Cannot open file /does/not/exist"],
    );
}

#[test]
fn all_files_of_a_manifest() {
    let folder = Folder::new();
    let rdb = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rdb/tests/data/redis-7.0.15.rdb");
    let rdb = std::fs::read(rdb).expect("it is there");
    folder.file("a.1.base.rdb", &rdb);
    let first = [&first_line()[..], &batch(&["SET a 1", "SET b 2"])].concat();
    let torn = batch(&["SET c 3", "SET d 4"]);
    let (file, _) = folder.file(
        "a.1.incr.aof",
        &[&first[..], &torn[..torn.len() - 9]].concat(),
    );
    let manifest = b"file a.1.base.rdb seq 1 type b\nfile a.1.incr.aof seq 1 type i\n";
    let (_, path) = folder.file("a.manifest", manifest);
    let said = [
        "Start checking Multi Part AOF",
        "Start to check BASE AOF (RDB format).",
        "RDB preamble is OK, proceeding with AOF tail...",
        "BASE AOF a.1.base.rdb is valid",
        "Start to check INCR files.",
        "A batch differs from its checksum",
        "AOF a.1.incr.aof is not valid",
    ];
    check(&run(&[&path], ""), 1, &said);
    check(
        &run(&["--fix", &path], "y\n"),
        0,
        &["All AOF files and manifest are valid"],
    );
    assert_eq!(len(&file), first.len() as u64);
    check(&run(&[&path], ""), 0, &["INCR AOF a.1.incr.aof is valid"]);
    folder.file("a.1.base.rdb", &rdb[..rdb.len() / 2]);
    check(
        &run(&[&path], ""),
        1,
        &["RDB preamble of AOF file is not sane, aborting."],
    );
}

#[test]
fn a_file_is_cut_off_at_a_time() {
    let folder = Folder::new();
    let lines = ["#TS:1", "SET a 1", "#TS:2", "SET b 2", "#TS:3", "SET c 3"];
    for sealed in [false, true] {
        let bytes = if sealed {
            batch(&lines)
        } else {
            commands(&lines)
        };
        let (file, path) = folder.file("timed", &bytes);
        let until = |time: &str| run(&["--truncate-to-timestamp", time, &path], "");
        check(&until("3"), 0, &["Truncate nothing in AOF"]);
        check(
            &until("2"),
            0,
            &["Successfully truncated AOF", "to timestamp 2"],
        );
        let kept = commands(&lines[..4]).len() + if sealed { first_line().len() } else { 0 };
        assert_eq!(len(&file), kept as u64);
        check(&run(&[&path], ""), 0, &["is valid"]);
        check(
            &until("0"),
            1,
            &["has nothing before timestamp 0, aborting..."],
        );
    }
}

#[test]
fn the_server_is_the_tool_too() {
    let folder = Folder::new();
    let (_, path) = folder.file("sound", &commands(&["SET a 1"]));
    let output = common::run(&["--check-aof", &path]);
    check(&output, 0, &["is valid"]);
}
