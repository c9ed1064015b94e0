//! `cargo xtask client`: `redstart-cli` from outside.
//!
//! Beside the distribution's `redis-cli` (`beside`): the same command lines, the same server, the same
//! bytes. Then what has no twin or no end (`alone`): the prompt on a terminal, a replica's stream and RDB
//! files from a real `redis-server`, servers that send anything.

mod alone;
mod beside;

use crate::{Res, debian, server, sh};
use std::path::{Path, PathBuf};

pub(crate) const USAGE: &str = "\
usage: cargo xtask client [--bin PROGRAM] [--cli PROGRAM] [--only beside|alone]

  --bin PROGRAM   our server (default: built with the profile `fast`)
  --cli PROGRAM   our client (likewise)
Command lines to compare: tests/cli/beside.txt.";

/// What a server is started with; DEBUG fills it and shows every kind of reply.
const LOOPBACK: &[&str] = &["--bind", "127.0.0.1", "--enable-debug-command", "yes"];

/// The distribution's client and server, and a terminal for tests.
pub(crate) const PACKAGES: &[&str] = &["redis-tools", "redis-server", "bsdutils"];

pub(crate) fn main(arguments: &[String]) -> Res<()> {
    let mut options = sh::Options::new(arguments);
    let only = options.value("--only")?;
    let (binary, cli) = (options.value("--bin")?, options.value("--cli")?);
    options.finish()?;
    debian::install(PACKAGES)?;
    let binary = match binary {
        Some(path) => PathBuf::from(path),
        None => server::build("fast")?,
    };
    let cli = match cli {
        Some(path) => PathBuf::from(path),
        None => server::build_package("redstart-cli", "fast")?,
    };
    let wanted = |name: &str| only.as_deref().is_none_or(|only| only == name);
    if wanted("beside") {
        beside::run(&binary, &cli)?;
    }
    match wanted("alone") {
        true => alone::run(&cli),
        false => Ok(()),
    }
}

/// All of it.
pub(crate) fn run(binary: &Path, cli: &Path) -> Res<()> {
    beside::run(binary, cli)?;
    alone::run(cli)
}
