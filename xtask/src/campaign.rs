//! `cargo xtask campaign`: what does not fit into CI's forty minutes.
//!
//! A campaign is a row: the same verbs with larger numbers. Each prints commit
//! and, where chance is in play, seed and executions; the results belong into
//! `docs/reliability.md` or `docs/bench.md`.

use crate::{Res, bench, differential, fakeredis, fuzz, limits, redis_suite, sh, transcripts};
use std::time::Instant;

pub(crate) const USAGE: &str = "\
usage: cargo xtask campaign [--list] [NAME [times N]]…

Runs campaigns by name (none: lists them). `times N` repeats the one before it.";

struct Campaign {
    name: &'static str,
    about: &'static str,
    verb: fn(&[String]) -> Res<()>,
    arguments: &'static [&'static str],
}

const CAMPAIGNS: &[Campaign] = &[
    Campaign {
        name: "fuzz",
        about: "each fuzz target for an hour",
        verb: fuzz::main,
        arguments: &["--seconds", "3600"],
    },
    Campaign {
        name: "differential",
        about: "a billion random commands beside the distribution's redis-server",
        verb: differential::main,
        arguments: &["--commands", "1000000000"],
    },
    Campaign {
        name: "suite-1",
        about: "the Tcl suite twenty times over, one worker",
        verb: redis_suite::main,
        arguments: &["--loops", "20"],
    },
    Campaign {
        name: "suite-4",
        about: "the Tcl suite twenty times over, four workers",
        verb: redis_suite::main,
        arguments: &["--loops", "20", "--workers", "4"],
    },
    Campaign {
        name: "limits",
        about: "hostile input, refused memory, crashes and stops, a hundred times",
        verb: limits::main,
        arguments: &["--loops", "100"],
    },
    Campaign {
        name: "transcripts",
        about: "all transcripts against the debug build",
        verb: transcripts::main,
        arguments: &[],
    },
    Campaign {
        name: "fakeredis",
        about: "fakeredis's property tests, 2,000 sequences each",
        verb: fakeredis::main,
        arguments: &["--examples", "2000"],
    },
    Campaign {
        name: "bench",
        about: "the full benchmark, nine rounds, with two workers too",
        verb: bench::main,
        arguments: &["--rounds", "9", "--two"],
    },
];

pub(crate) fn main(arguments: &[String]) -> Res<()> {
    let mut options = sh::Options::new(arguments);
    let list = options.flag("--list");
    let words = options.words()?;
    if list || words.is_empty() {
        CAMPAIGNS
            .iter()
            .for_each(|c| println!("{:<12} {}", c.name, c.about));
        return Ok(());
    }
    for (campaign, times) in chosen(&words)? {
        run(campaign, times)?;
    }
    Ok(())
}

fn chosen(words: &[String]) -> Res<Vec<(&'static Campaign, u64)>> {
    let mut found = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == "times" {
            let count = words
                .next()
                .and_then(|n| n.parse().ok())
                .ok_or("`times` takes a number")?;
            found
                .last_mut()
                .map(|(_, times)| *times = count)
                .ok_or("`times` stands behind a name")?;
        } else {
            let known = CAMPAIGNS.iter().find(|c| c.name == word);
            found.push((known.ok_or_else(|| format!("no campaign {word}"))?, 1));
        }
    }
    Ok(found)
}

fn run(campaign: &Campaign, times: u64) -> Res<()> {
    let commit = sh::capture(&mut sh::cmd("git", &["describe", "--always", "--dirty"]))?;
    println!(
        "campaign {} at {}: {}",
        campaign.name,
        commit.trim(),
        campaign.about
    );
    let arguments: Vec<String> = campaign.arguments.iter().map(|a| a.to_string()).collect();
    for time in 1..=times {
        let start = Instant::now();
        let outcome = (campaign.verb)(&arguments);
        println!(
            "campaign {}: {time} of {times} in {:.0} s",
            campaign.name,
            start.elapsed().as_secs_f64()
        );
        outcome?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::chosen;

    fn check(words: &[&str], expected: Option<&[(&str, u64)]>) {
        let words: Vec<String> = words.iter().map(|w| w.to_string()).collect();
        let found = chosen(&words).ok();
        let found = found.map(|list| list.iter().map(|(c, n)| (c.name, *n)).collect::<Vec<_>>());
        assert_eq!(found.as_deref(), expected);
    }

    #[test]
    fn names_and_times() {
        check(
            &["fuzz", "suite-4", "times", "3"],
            Some(&[("fuzz", 1), ("suite-4", 3)]),
        );
        check(&["times", "3"], None);
        check(&["fuzz", "times"], None);
        check(&["nothing"], None);
    }
}
