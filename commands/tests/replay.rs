//! The change log brings a copy to the same state: for every command of the table.
//!
//! Random requests, made from each row's `syntax`, run on one store; what its change log says runs
//! on a second one. The second one's clock stands at the beginning, so nothing expires there by
//! itself and no span of time can mean the same as on the first: whatever was not logged as a
//! moment, or not logged at all, shows as a difference. Keys that have expired on the first but
//! that nobody has met are left out of the comparison.
//!
//! On the way every request is also a test that a handler touches no key but those that its row
//! declares, and that no words make it panic; and each row, with each of its options, must have been
//! seen to touch all keys that it declares (RELIABILITY S3).

mod requests;
mod world;

use commands::{keys, spec, table};
use requests::{Choose, Dice, Form};
use resp::OwnedArgs;
use std::collections::BTreeSet;
use world::{BEGIN_MS, World};

fn forms() -> Vec<Form> {
    requests::forms(table().iter().copied().flatten().copied())
}

fn shown(words: &[Vec<u8>]) -> String {
    words
        .iter()
        .map(|word| word.escape_ascii().to_string())
        .collect::<Vec<_>>()
        .join(" ")
}

/// The last lines, for a failure's message.
fn tail(history: &[String]) -> String {
    let from = history.len().saturating_sub(30);
    history[from..]
        .iter()
        .map(|line| format!("\n  {line:.200}"))
        .collect()
}

/// What has been seen to happen.
#[derive(Default)]
struct Seen {
    /// Rows that have changed something.
    changed: BTreeSet<&'static str>,
    /// Rows, and rows with one of their options (`""`: whatever the options), of which a request without
    /// an error has touched all keys that it declared.
    whole: BTreeSet<(&'static str, &'static str)>,
}

/// How many requests were logged.
fn run(seed: u64, requests: usize, seen: &mut Seen) -> usize {
    let mut dice = Dice::of(seed);
    let forms = forms();
    let (mut first, mut second) = (World::new(seed), World::new(seed + 1));
    let mut logged = 0;
    let mut history = Vec::new();
    for turn in 0..requests {
        let form = dice.of(&forms);
        let mut words = form.request(&mut dice, first.now_ms);
        if dice.one_in(8) {
            requests::spoil(&mut words, &mut dice);
        }
        if dice.one_in(16) {
            first.db = dice.below(world::DATABASES as usize) as u32;
        }
        first.now_ms += dice.below(30) as i64;
        let reply = first.call(&words);
        history.push(format!("{turn}: [{}] {}", first.db, shown(&words)));
        assert!(
            !reply.is_empty(),
            "seed {seed}, no reply:{}",
            tail(&history)
        );
        if reply[0] == b'-' {
            assert_eq!(
                first.dirty,
                0,
                "seed {seed}, an error that changed:{}",
                tail(&history)
            );
        }
        if first.dirty > 0 {
            seen.changed.insert(form.last_name());
        }
        if first.touched > 0 && reply[0] != b'-' {
            seen.whole.insert((form.last_name(), ""));
            let said = form.tokens().into_iter().filter(|token| {
                let mut words = words.iter();
                words.any(|word| word.eq_ignore_ascii_case(token.as_bytes()))
            });
            seen.whole
                .extend(said.map(|token| (form.last_name(), token)));
        }
        for request in first.logged() {
            logged += 1;
            history.push(format!("    logged {}", shown(&request)));
            if request[0] == b"MULTI" || request[0] == b"EXEC" {
                continue;
            }
            let reply = second.call(&request);
            assert!(
                reply[0] != b'-',
                "seed {seed}, a logged request fails:{}",
                tail(&history)
            );
        }
        let _ = (first.events(), second.events(), second.logged());
        if turn % 10 == 0 || turn + 1 == requests {
            let (mine, copy) = (first.digest(first.now_ms), second.digest(first.now_ms));
            let differ = || {
                mine.iter()
                    .filter(|row| !copy.contains(row))
                    .collect::<Vec<_>>()
            };
            let extra = || {
                copy.iter()
                    .filter(|row| !mine.contains(row))
                    .collect::<Vec<_>>()
            };
            assert!(
                mine == copy,
                "seed {seed}, only in the first {:?}, only in the copy {:?}, after:{}",
                differ(),
                extra(),
                tail(&history)
            );
        }
    }
    assert_eq!(second.now_ms, BEGIN_MS, "the copy's clock has not moved");
    logged
}

/// How many worlds: some seconds' worth. 2,000 of them ran clean when this was written.
const SEEDS: u64 = 40;

/// Rows that need what random words hardly ever bring together (an id that is there, a field with a
/// deadline, a score within bounds); their own tests show their effects.
const RARE: &[&str] = &[
    "delconsumer",
    "georadiusbymember",
    "hpersist",
    "xack",
    "xackdel",
    "xclaim",
    "xdel",
    "xdelex",
    "xidmprecord",
    "xnack",
    "xreadgroup",
    "zremrangebyscore",
];

/// Options, likewise (`*`: all of the row's, and the row without any): with these, random words are errors nearly always. That no request touches a key
/// which it has not declared holds for them as for all.
const RARE_OPTIONS: &[(&str, &str)] = &[
    ("geosearch", "BYPOLYGON"),
    ("geosearchstore", "BYPOLYGON"),
    ("setid", "$"),
    ("setid", "ENTRIESREAD"),
    ("xautoclaim", "JUSTID"),
    ("xclaim", "*"),
    ("xidmprecord", "*"),
    ("xnack", "FAIL"),
    ("xnack", "FATAL"),
    ("xnack", "FORCE"),
    ("xnack", "RETRYCOUNT"),
    ("xpending", "IDLE"),
    ("xreadgroup", "*"),
    ("xsetid", "MAXDELETEDID"),
    ("zrange", "BYLEX"),
];

fn is_rare(option: (&'static str, &'static str)) -> bool {
    RARE_OPTIONS.contains(&option) || RARE_OPTIONS.contains(&(option.0, "*"))
}

#[test]
fn the_log_brings_a_copy_to_the_same_state() {
    let mut seen = Seen::default();
    for seed in 0..SEEDS {
        let logged = run(seed, 2800, &mut seen);
        assert!(
            logged > 100,
            "seed {seed}: only {logged} requests were logged"
        );
    }
    let silent: Vec<&str> = forms()
        .iter()
        .filter(|form| form.flags.has(spec::Flags::WRITE))
        .map(|form| form.last_name())
        .filter(|name| !seen.changed.contains(name))
        .filter(|name| !RARE.contains(name))
        .collect();
    assert!(
        silent.is_empty(),
        "never changed anything, so nothing was tested: {silent:?}"
    );
    let mut strayed = Vec::new();
    for form in forms() {
        if matches!(form.keys, spec::Keys::None) {
            continue;
        }
        let options = form.tokens().into_iter().chain([""]);
        strayed.extend(
            options
                .map(|token| (form.last_name(), token))
                .filter(|option| !seen.whole.contains(option) && !is_rare(*option)),
        );
    }
    assert!(
        strayed.is_empty(),
        "declared keys that they never touched: {strayed:?}"
    );
}

/// A row that writes says how it is logged; one that does not write logs nothing.
#[test]
fn rows_that_write_say_how_they_are_logged() {
    for form in forms() {
        // PFCOUNT reads, and may write down what it has counted.
        let writes =
            form.flags.has(spec::Flags::WRITE) || form.flags.has(spec::Flags::MAY_REPLICATE);
        assert_eq!(form.log != spec::LogForm::None, writes, "{:?}", form.name);
    }
}

/// The generator makes requests in which the key positions find keys: else nothing is tested.
#[test]
fn requests_from_the_syntax_have_keys() {
    let mut dice = Dice::of(7);
    for form in forms() {
        let spec::Keys::At(_) = form.keys else {
            continue;
        };
        let found = (0..50).any(|_| {
            let args = OwnedArgs::from_slices(&form.request(&mut dice, BEGIN_MS));
            keys::positions(form.keys, args.as_args()).next().is_some()
        });
        assert!(found, "{:?}", form.name);
    }
}
