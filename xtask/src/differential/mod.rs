//! `cargo xtask differential`: random commands, ours beside a reference server (RELIABILITY C2).
//!
//! ```text
//!   our COMMAND DOCS ─ less what the peer's lacks ─► cases ─► pipeline of 200 ─► ours   ─► replies ─► same?
//!      rules.txt ────────────────────────────────────┘  └───────────────────► the peer ─► replies ──┘
//!                                    every 1,000: DEBUG DIGEST of both       every 10,000: empty, RESP2/RESP3
//! ```
//!
//! On a difference the run of this epoch is shrunk and printed with the seed. At the end stands a table:
//! for every command and option how many replies said something; one below a hundred fails the run, as
//! do errors in more than half of the replies. So that a run tells the same with the same seed, nothing
//! asked depends on a clock (`words.rs`), and what chance chooses is deleted again.
//!
//! | file | what |
//! |---|---|
//! | `grammar.rs` | COMMAND DOCS and tips |
//! | `generate.rs`, `words.rs`, `random.rs` | from trees to requests |
//! | `rules.rs`, `compare.rs` | where replies may differ; are they the same |
//! | `boundary.rs` | every argument at its boundary values, beside the peer and by itself |
//! | `pair.rs`, `shrink.rs`, `table.rs` | both servers; the fewest cases; what was reached |

mod boundary;
mod compare;
mod generate;
mod grammar;
mod pair;
mod random;
mod rules;
mod shrink;
mod table;
mod words;

use crate::server::{Server, VOLATILE};
use crate::wire::Reply;
use crate::{Res, debian, server, sh};
use generate::{Case, Generator};
use pair::{Difference, Pair};
use rules::{Peer, Rules};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

pub(crate) const USAGE: &str = "\
usage: cargo xtask differential [--commands N] [--seed N] [--peer PROGRAM] [--bin PROGRAM]
                                [--profile NAME] [--differences N] [--thin] [--boundaries]

  --commands N     how many (default a million)
  --seed N         the run to repeat (default: the clock's)
  --peer PROGRAM   the reference (default: the distribution's redis-server)
  --bin PROGRAM    ours (default: built with --profile, which is `fast`; `dev` asserts that a
                   command touches no key that its row does not name)
  --differences N  how many to look for before giving up (default 5)
  --boundaries     instead of chance: every argument at its boundary values, every key of every
                   type, every pair of options (RELIABILITY S2)
  --thin           do not fail where a form has had too few full replies (short runs)";

pub(crate) const PACKAGES: &[&str] = &["redis-server"];

/// How the CI's share is run.
pub(crate) const CI_COMMANDS: u64 = 1_000_000;
/// CI judges a change, so it asks the same of every one; other seeds are the campaign's, and those by hand.
const CI_SEED: u64 = 545_482;

/// What is said to differ when no reply did.
const DIGEST: &str = "DEBUG DIGEST";

const BATCH: usize = 200;
const BATCHES_PER_DIGEST: usize = 5;
const BATCHES_PER_EPOCH: usize = 50;

const OPTIONS: &[&str] = &[
    "--enable-debug-command",
    "yes",
    "--databases",
    "16",
    // Small nodes, or nothing is ever trimmed by nodes.
    "--stream-node-max-entries",
    "3",
    // What a request may make grow must not fill the machine.
    "--proto-max-bulk-len",
    "1mb",
];

pub(crate) fn main(arguments: &[String]) -> Res<()> {
    let mut options = sh::Options::new(arguments);
    let run = Run {
        commands: options.number("--commands", CI_COMMANDS)?,
        seed: options.number("--seed", clock_s() % 1_000_000)?,
        differences: options.number("--differences", 5)? as usize,
        may_be_thin: options.flag("--thin"),
        boundaries: options.flag("--boundaries"),
    };
    let peer = options.value("--peer")?.map(PathBuf::from);
    let ours = options.value("--bin")?.map(PathBuf::from);
    let profile = options.value("--profile")?.unwrap_or("fast".into());
    options.finish()?;
    let peer = match peer {
        Some(program) => program,
        None => reference()?,
    };
    let ours = match ours {
        Some(program) => program,
        None => server::build(&profile)?,
    };
    run.all(&ours, &peer)
}

/// CI's share: a million commands, and the boundary values.
pub(crate) fn run_ci(ours: &Path) -> Res<()> {
    let run = Run {
        commands: CI_COMMANDS,
        seed: CI_SEED,
        differences: 5,
        may_be_thin: false,
        boundaries: false,
    };
    let peer = reference()?;
    run.all(ours, &peer)?;
    let boundaries = Run {
        boundaries: true,
        ..run
    };
    boundaries.all(ours, &peer)
}

/// The distribution's redis-server.
fn reference() -> Res<PathBuf> {
    debian::install(PACKAGES)?;
    sh::which("redis-server").ok_or_else(|| "redis-server is not on PATH".into())
}

fn clock_s() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

struct Run {
    commands: u64,
    seed: u64,
    differences: usize,
    may_be_thin: bool,
    boundaries: bool,
}

/// What has been found so far.
#[derive(Default)]
struct Found {
    /// The command of each difference: one of a kind is enough.
    commands: Vec<String>,
    reports: Vec<String>,
}

impl Run {
    fn all(&self, ours: &Path, theirs: &Path) -> Res<()> {
        let options: Vec<&str> = VOLATILE.iter().chain(OPTIONS).copied().collect();
        let mut own = Server::start(ours, &options)?;
        let mut other = Server::start(theirs, &options)?;
        let mut pair = Pair::connect(own.port(), other.port())?;
        let info = pair.theirs().ask(&["INFO", "server"])?.text();
        let peer = Peer::from_info(&info);
        println!(
            "seed {}: {} commands beside {peer}",
            self.seed, self.commands
        );
        let outcome = match self.boundaries {
            true => boundary::run(&mut pair, &peer, self.seed, own.pid()),
            false => self.compare(&mut pair, &peer),
        };
        for (name, server) in [("ours", &mut own), ("the peer", &mut other)] {
            if let Some(text) = server.died() {
                return Err(format!(
                    "seed {}: {name} died: {text}\n{outcome:?}",
                    self.seed
                ));
            }
        }
        outcome.map_err(|text| format!("seed {}: {text}", self.seed))
    }

    fn compare(&self, pair: &mut Pair, peer: &Peer) -> Res<()> {
        let rules = Rules::read(peer)?;
        let mut generator = generator(pair, &rules, self.seed)?;
        let mut table = generator.table();
        let (start, mut found, mut done, mut epoch) = (Instant::now(), Found::default(), 0, 0);
        while done < self.commands && found.reports.len() < self.differences {
            let protocol = if epoch % 2 == 0 { "2" } else { "3" };
            epoch += 1;
            pair.reset(protocol)?;
            let mut history: Vec<Case> = Vec::new();
            for batch in 1..=BATCHES_PER_EPOCH {
                let from = history.len();
                let mut lines = 0;
                while lines < BATCH {
                    let case = generator.case(&table);
                    lines += case.lines.len();
                    history.push(case);
                }
                done += lines as u64;
                let outcome = pair.run(&history[from..], Some(&mut table));
                let mut difference = outcome.map_err(|e| {
                    format!(
                        "{e}; the last requests were\n{}",
                        shrink::shown(&history[from..])
                    )
                })?;
                if let Some(difference) = &mut difference {
                    history.truncate(from + difference.case + 1);
                } else if batch % BATCHES_PER_DIGEST == 0 {
                    difference = digests(pair, history.len())?;
                }
                if let Some(difference) = difference {
                    self.report(pair, protocol, &history, difference, &mut found)?;
                    break;
                }
            }
        }
        table.print();
        for (name, tokens) in generator.left_out() {
            println!("  left out of {name}: {}", tokens.join(" "));
        }
        rules
            .open()
            .for_each(|line| println!("known and open: {line}"));
        let seconds = start.elapsed().as_secs_f64();
        println!("{done} commands in {seconds:.0} s, {epoch} epochs");
        if !found.reports.is_empty() {
            return Err(format!(
                "{} differences\n{}",
                found.reports.len(),
                found.reports.join("\n")
            ));
        }
        match table.shortfall(&rules) {
            Some(text) if !self.may_be_thin => Err(text),
            _ => Ok(()),
        }
    }

    /// Shrinks a difference, prints it and keeps it, unless its like is known.
    fn report(
        &self,
        pair: &mut Pair,
        protocol: &str,
        history: &[Case],
        difference: Difference,
        found: &mut Found,
    ) -> Res<()> {
        if found.commands.contains(&difference.what) {
            return Ok(());
        }
        found.commands.push(difference.what.clone());
        let seen = difference.what.clone();
        let (cases, difference) = match shrink::shrink(pair, protocol, history)? {
            Some(shrunk) => shrunk,
            None => (
                history[history.len().saturating_sub(20)..].to_vec(),
                Difference {
                    what: format!("{} (does not come again; the last cases)", difference.what),
                    ..difference
                },
            ),
        };
        // Another request may have shown it first, or a digest: then its last line tells the kind.
        let mut lines = cases.iter().flat_map(|case| &case.lines);
        let last = lines.rfind(|line| line.command.is_some());
        let kind = format!(
            "{} after {}",
            difference.what,
            last.map_or(String::new(), |l| l.name())
        );
        if (difference.what != seen || difference.what == DIGEST) && found.commands.contains(&kind)
        {
            return Ok(());
        }
        found.commands.push(kind);
        found.commands.retain(|what| what != DIGEST);
        let text = format!(
            "  seed {}, RESP{protocol}, {}:\n{}\n    ours   {}\n    theirs {}",
            self.seed,
            difference.what,
            shrink::shown(&cases),
            shrink::told(&difference.ours),
            shrink::told(&difference.theirs)
        );
        println!("difference {}\n{text}", found.reports.len() + 1);
        found.reports.push(text);
        Ok(())
    }
}

fn digests(pair: &mut Pair, cases: usize) -> Res<Option<Difference>> {
    Ok(pair.digests()?.map(|(ours, theirs)| Difference {
        case: cases - 1,
        what: DIGEST.into(),
        ours,
        theirs,
    }))
}

/// What makes requests for these two.
fn generator(pair: &mut Pair, rules: &Rules, seed: u64) -> Res<Generator> {
    let words = words::Words::new(seed, clock_s(), payloads(pair)?);
    let (ours, theirs) = (grammar::ask(pair.ours())?, grammar::ask(pair.theirs())?);
    Ok(Generator::new(ours, &theirs, rules.clone(), words))
}

/// Values of all types as the peer dumps them; its format is none newer than ours.
fn payloads(pair: &mut Pair) -> Res<Vec<Vec<u8>>> {
    const MADE: &[&[&str]] = &[
        &["SET", "k", "a string"],
        &["SET", "k", "12345"],
        &["RPUSH", "k", "1", "two", "3"],
        &["SADD", "k", "1", "2", "3"],
        &["SADD", "k", "a", "b", "3"],
        &["HSET", "k", "f1", "1", "f2", "x"],
        &["ZADD", "k", "1", "a", "2.5", "b"],
        &["XADD", "k", "1-1", "f1", "v"],
    ];
    let client = pair.theirs();
    let mut payloads = Vec::new();
    for words in MADE {
        client.ask(&["DEL", "k"])?;
        client.ask(words)?;
        if let Reply::Bulk(payload) = client.ask(&["DUMP", "k"])? {
            payloads.push(payload);
        }
    }
    // A type that is not there yet takes no part.
    let mut known = Vec::new();
    for payload in payloads {
        let words: [&[u8]; 5] = [b"RESTORE", b"k", b"0", &payload, b"REPLACE"];
        if matches!(pair.ours().ask(&words)?, Reply::Simple(_)) {
            known.push(payload);
        }
    }
    Ok(known)
}
