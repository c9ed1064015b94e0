//! `cargo xtask transcripts`: what clients say and what the server answers, as
//! readable files, played over TCP.
//!
//! One server process plays all files; before each file FLUSHALL, after each
//! file RESET on its connections (so an unread reply is noticed) and a look at
//! CONFIG GET * (so a file that leaves a parameter changed is noticed). With
//! `--against` a reference server plays them, so the texts are somebody
//! else's word and not ours; blocks that it is too old for are left out.

pub(crate) mod parse;
mod pattern;
mod play;

use crate::{Res, server, sh};
use std::path::{Path, PathBuf};

pub(crate) const USAGE: &str = "\
usage: cargo xtask transcripts [--against PROGRAM | --bin PROGRAM] [--show] [FILTER…]

  --bin PROGRAM      our server, already built (else a debug build is made)
  --against PROGRAM  a reference server, for instance /usr/bin/redis-server
  --show             print each file with the replies that really came
  FILTER             play only files whose path contains it
The format is described in tests/transcripts/README.md.";

pub(crate) fn main(arguments: &[String]) -> Res<()> {
    let mut options = sh::Options::new(arguments);
    let against = options.value("--against")?;
    let binary = options.value("--bin")?;
    let show = options.flag("--show");
    let filters = options.words()?;
    let files = find(&filters)?;
    if files.is_empty() {
        return Err("no transcript has such a path".into());
    }
    let program = match (&against, &binary) {
        (Some(path), _) | (None, Some(path)) => PathBuf::from(path),
        (None, None) => server::build("dev")?,
    };
    let summary = play_all(&program, &files, against.is_some(), show)?;
    println!("{summary}");
    if summary.failed == 0 {
        Ok(())
    } else {
        Err(format!("{} files failed", summary.failed))
    }
}

/// How a run ended.
#[derive(Default)]
pub(crate) struct Summary {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) replies: usize,
    pub(crate) blocks_left_out: usize,
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "transcripts: {} files passed, {} failed; {} replies compared, {} blocks left out",
            self.passed, self.failed, self.replies, self.blocks_left_out
        )
    }
}

/// All transcripts whose path contains one of the filters, sorted.
pub(crate) fn find(filters: &[String]) -> Res<Vec<PathBuf>> {
    let top = sh::root().join("tests/transcripts");
    let mut found = Vec::new();
    collect(&top, &mut found)?;
    found.retain(|file| {
        let name = file
            .strip_prefix(sh::root())
            .unwrap_or(file)
            .to_string_lossy();
        filters.is_empty() || filters.iter().any(|filter| name.contains(filter.as_str()))
    });
    found.sort();
    Ok(found)
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> Res<()> {
    let say = |e: std::io::Error| format!("{}: {e}", folder.display());
    for entry in std::fs::read_dir(folder).map_err(say)? {
        let path = entry.map_err(say)?.path();
        if path.is_dir() {
            collect(&path, found)?;
        } else if path.extension().is_some_and(|e| e == "txt") {
            found.push(path);
        }
    }
    Ok(())
}

/// Plays files against one process; a process that dies is started again.
pub(crate) fn play_all(
    program: &Path,
    files: &[PathBuf],
    reference: bool,
    show: bool,
) -> Res<Summary> {
    let options: Vec<&str> = server::VOLATILE
        .iter()
        .copied()
        .chain(["--enable-debug-command", "yes"])
        .collect();
    let mut process = server::Server::start(program, &options)?;
    let mut who = play::Who::ask(&process, reference)?;
    let mut summary = Summary::default();
    for file in files {
        let name = file
            .strip_prefix(sh::root())
            .unwrap_or(file)
            .display()
            .to_string();
        let text = sh::read(file)?;
        let outcome = parse::transcript(&text)
            .and_then(|transcript| play::file(&process, &who, &transcript, &text, show));
        match outcome {
            Ok(played) => {
                summary.passed += 1;
                summary.replies += played.replies;
                summary.blocks_left_out += played.blocks_left_out;
            }
            Err(text) => {
                summary.failed += 1;
                println!("FAILED {name}: {text}\n");
            }
        }
        if let Some(text) = process.died() {
            summary.failed += 1;
            println!("FAILED {name}: {text}\n");
            process = server::Server::start(program, &options)?;
            who = play::Who::ask(&process, reference)?;
        }
    }
    Ok(summary)
}
