//! Every argument of every command at its boundary values (RELIABILITY S2).
//!
//! A request with each option is taken from the generator, and one word of it replaced: by every
//! boundary value, or, where a key stands, by a key of every type. Then every pair of option words, one
//! said twice included. Each request meets the same small data set, and must
//!
//! B1  be answered as the peer answers it, in the very words where the rules do not say otherwise;
//! B2  leave the data as it was when the answer is an error (DEBUG DIGEST before and after);
//! B3  take less than a second;
//! B4  over the whole run, make the server's resident memory grow by less than 64 MiB.
//!
//! A panic would end the connection and so the run. `proto-max-bulk-len` is 1 MiB for both servers, so
//! that lengths of 512 MB meet the limit instead of the machine.

use super::compare::is_error;
use super::generate::{Case, Generator, Line, wrapped};
use super::pair::Pair;
use super::rules::{Peer, Rules};
use super::{generator, shrink};
use crate::Res;
use crate::bench::resident_bytes;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const VALUES: &[&str] = &[
    "0",
    "1",
    "-1",
    "2",
    "00",
    "007",
    "-0",
    "+1",
    " 1",
    "1 ",
    "",
    "abc",
    "1.5",
    "1e400",
    "-1e400",
    "nan",
    "inf",
    "-inf",
    "+inf",
    "0x10",
    "1\u{0}",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "536870911",
    "536870912",
    "1073741824",
    "9223372036854775806",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "18446744073709551614",
    "18446744073709551615",
    "18446744073709551616",
    "3-3",
    "18446744073709551615-18446744073709551615",
    "0-0",
    "99999999999999999999999999999999999999",
];

/// The data that each request meets; what a server cannot make yet is left out.
const DATA: &[&[&str]] = &[
    &["SET", "str:1", "12"],
    &["SET", "str:2", "a string"],
    &["SETBIT", "bit:1", "13", "1"],
    &["SADD", "set:1", "1", "2", "3"],
    &["SADD", "set:2", "a", "b", "3"],
    &["RPUSH", "lst:1", "1", "a", "2", "a"],
    &["HSET", "hsh:1", "f1", "1", "f2", "x"],
    &["ZADD", "zst:1", "1", "a", "2", "b", "3", "3"],
    &["ZADD", "zst:2", "0", "a", "0", "b", "0", "c"],
    &["ZADD", "lex:1", "0", "a", "0", "b", "0", "c"],
    &["GEOADD", "geo:1", "1.5", "1.5", "f1", "-1", "2", "f2"],
    &["XADD", "stm:1", "1-1", "f1", "v"],
    &["XADD", "stm:1", "2-1", "f1", "w"],
    &["XGROUP", "CREATE", "stm:1", "g1", "0"],
    &["PFADD", "hll:1", "a", "b"],
];

const KEYS: &[&str] = &[
    "str:1", "str:2", "set:1", "lst:1", "hsh:1", "zst:2", "stm:1", "hll:1", "none:1", "",
];

const TIME_MAX: Duration = Duration::from_secs(1);
const GROWTH_MAX: u64 = 64 << 20;

/// What a run gathers.
struct Judge<'p> {
    pair: &'p mut Pair,
    data: Vec<Case>,
    wrong: Vec<String>,
    /// Commands with a difference in replies: a few of each are enough.
    told: Vec<String>,
    asked: u64,
    slowest: Duration,
}

pub(crate) fn run(pair: &mut Pair, peer: &Peer, seed: u64, pid: u32) -> Res<()> {
    let rules = Rules::read(peer)?;
    let mut generator = generator(pair, &rules, seed)?;
    let known = |words: &[&str]| {
        let has = |name: &str| generator.commands.iter().any(|c| c.name == name);
        has(words[0]) || has(&format!("{} {}", words[0], words[1]))
    };
    let data = DATA.iter().filter(|words| known(words));
    let data = data.map(|words| Case {
        lines: vec![Line::plain(words)],
        in_exec: false,
    });
    let mut judge = Judge {
        data: data.collect(),
        pair,
        wrong: Vec::new(),
        told: Vec::new(),
        asked: 0,
        slowest: Duration::ZERO,
    };
    let before = resident_bytes(pid)?;
    for at in 0..generator.commands.len() {
        values(&mut generator, at, &mut judge)?;
        options(&mut generator, at, &mut judge)?;
    }
    let growth = resident_bytes(pid)?.saturating_sub(before);
    println!(
        "{} boundary requests; the slowest took {:.0} ms; resident memory grew by {} KiB",
        judge.asked,
        judge.slowest.as_secs_f64() * 1e3,
        growth >> 10
    );
    if growth > GROWTH_MAX {
        judge
            .wrong
            .push(format!("resident memory grew by {} MiB", growth >> 20));
    }
    match judge.wrong.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "{} findings\n{}",
            judge.wrong.len(),
            judge.wrong.join("\n")
        )),
    }
}

/// Every place of every form with every value.
fn values(generator: &mut Generator, at: usize, judge: &mut Judge<'_>) -> Res<()> {
    let tokens = generator.tokens(at).to_vec();
    let mut seen = BTreeSet::new();
    for token in std::iter::once(None).chain(tokens.iter().map(Some)) {
        let wanted: Vec<&str> = token.iter().map(|t| t.as_str()).collect();
        // What is optional comes by chance: a few requests show all places.
        for _ in 0..3 {
            let request = generator.request(at, &wanted);
            for place in &request.places {
                if !seen.insert((token, place.name.clone(), place.kind.clone())) {
                    continue;
                }
                let values = if place.kind == "key" { KEYS } else { VALUES };
                for value in values {
                    let mut line = request.line.clone();
                    line.words[place.word] = value.as_bytes().to_vec();
                    line.settle_scan();
                    judge.ask(generator, at, line)?;
                }
            }
        }
    }
    Ok(())
}

/// Every pair of options.
fn options(generator: &mut Generator, at: usize, judge: &mut Judge<'_>) -> Res<()> {
    let tokens = generator.tokens(at).to_vec();
    for first in &tokens {
        for second in &tokens {
            let mut line = generator.request(at, &[first, second]).line;
            line.settle_scan();
            judge.ask(generator, at, line)?;
        }
    }
    Ok(())
}

impl Judge<'_> {
    /// Asks both, and looks at ours more closely.
    fn ask(&mut self, generator: &Generator, at: usize, line: Line) -> Res<()> {
        let command = &generator.commands[at];
        self.asked += 1;
        let protocol = if self.asked.is_multiple_of(2) {
            "2"
        } else {
            "3"
        };
        self.pair.reset(protocol)?;
        self.pair.run(&self.data, None)?;
        let before = self.pair.ours().ask(&["DEBUG", "DIGEST"])?;
        let case = match command.blocking {
            true => wrapped(vec![line], true),
            false => Case {
                lines: vec![line],
                in_exec: false,
            },
        };
        let start = Instant::now();
        let difference = self.pair.run(std::slice::from_ref(&case), None);
        let difference = difference
            .map_err(|e| format!("{e}\n{}", shrink::shown(std::slice::from_ref(&case))))?;
        let took = start.elapsed();
        self.slowest = self.slowest.max(took);
        let after = self.pair.ours().ask(&["DEBUG", "DIGEST"])?;
        let shown = shrink::shown(std::slice::from_ref(&case));
        if took > TIME_MAX {
            self.wrong.push(format!("{shown}\n    took {took:?}"));
        }
        // The error of a request that changed something: asked once more of ours alone, where the
        // transaction's list does not hide it.
        if !case.in_exec && before != after && is_error(&self.again(&case, protocol)?) {
            self.wrong
                .push(format!("{shown}\n    has failed and changed the data"));
        }
        if let Some(difference) = difference
            && self
                .told
                .iter()
                .filter(|name| **name == command.name)
                .count()
                < 4
        {
            self.told.push(command.name.clone());
            self.wrong.push(format!(
                "{shown}\n    ours   {}\n    theirs {}",
                shrink::told(&difference.ours),
                shrink::told(&difference.theirs)
            ));
        }
        Ok(())
    }

    fn again(&mut self, case: &Case, protocol: &str) -> Res<crate::wire::Reply> {
        self.pair.reset(protocol)?;
        self.pair.run(&self.data, None)?;
        self.pair.ours().ask(&case.lines[0].words)
    }
}
