//! The change log brings a copy to the same state: for every command of the table.
//!
//! Random requests, made from each row's `syntax`, run on one store; what its change log says runs
//! on a second one. The second one's clock stands at the beginning, so nothing expires there by
//! itself and no span of time can mean the same as on the first: whatever was not logged as a
//! moment, or not logged at all, shows as a difference. Keys that have expired on the first but
//! that nobody has met are left out of the comparison.
//!
//! On the way every request is also a test that a handler touches no key but those that its row
//! declares, and that no words make it panic.

mod world;

use commands::syntax::{Argument, Kind, parse};
use commands::{CommandSpec, keys, spec, table};
use resp::OwnedArgs;
use world::{BEGIN_MS, DATABASES, World};

/// Random numbers that are the same on every machine (xorshift64*, Vigna 2016).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % n
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn of<'t, T>(&mut self, choices: &'t [T]) -> &'t T {
        &choices[self.below(choices.len())]
    }
}

/// A command as it is called, and what may follow.
struct Form {
    name: Vec<&'static str>,
    arguments: Vec<Argument>,
    row: &'static CommandSpec,
}

fn forms() -> Vec<Form> {
    let mut forms = Vec::new();
    for row in table().iter().copied().flatten().copied() {
        let ranges = |keys| match keys {
            spec::Keys::None => 0,
            spec::Keys::At(ranges) => ranges.len(),
        };
        let mut add = |name, row: &'static CommandSpec| {
            let arguments = parse(row.syntax, ranges(row.keys)).expect("a row's syntax is read");
            forms.push(Form {
                name,
                arguments,
                row,
            });
        };
        // Minutes of self-examination, and the insides of a sketch.
        if matches!(row.name, "pfselftest" | "pfdebug") {
            continue;
        }
        if row.subcommands.is_empty() {
            add(vec![row.name], row);
        }
        for sub in row.subcommands {
            add(vec![row.name, sub.name], sub);
        }
    }
    forms
}

/// Words for a sequence of arguments.
fn write(arguments: &[Argument], dice: &mut Dice, now_ms: i64, out: &mut Vec<Vec<u8>>) {
    for argument in arguments {
        if argument.optional && !dice.one_in(3) {
            continue;
        }
        let again = if argument.multiple { dice.below(3) } else { 0 };
        for turn in 0..=again {
            if let Some(token) = argument.token
                && (turn == 0 || argument.multiple_token)
            {
                out.push(token.as_bytes().to_vec());
            }
            match argument.kind {
                Kind::PureToken => {}
                Kind::OneOf => {
                    let part = dice.of(&argument.parts).clone();
                    write(
                        &[Argument {
                            optional: false,
                            ..part
                        }],
                        dice,
                        now_ms,
                        out,
                    );
                }
                Kind::Block => write(&argument.parts, dice, now_ms, out),
                _ => out.push(value(argument, dice, now_ms)),
            }
        }
    }
}

fn value(argument: &Argument, dice: &mut Dice, now_ms: i64) -> Vec<u8> {
    let small = |dice: &mut Dice| dice.below(40) as i64 - 8;
    let number = match (argument.kind, argument.name.as_str()) {
        (Kind::Key, _) => return dice.of(&["a", "b", "c"]).as_bytes().to_vec(),
        (Kind::Pattern, _) => return dice.of(&["*", "a*", "[b-d]"]).as_bytes().to_vec(),
        (Kind::Double, _) => return format!("{}.5", small(dice)).into_bytes(),
        (_, "newkey" | "source" | "destination" | "destkey" | "key1" | "key2") => {
            return dice.of(&["a", "b", "c"]).as_bytes().to_vec();
        }
        (_, "group" | "consumer") => return dice.of(&["g", "h"]).as_bytes().to_vec(),
        (_, "id") if dice.one_in(4) => return b">".to_vec(),
        (_, "lastid" | "id" | "last-id" | "start") => 1 + dice.below(8) as i64,
        (_, "member" | "field" | "element" | "pivot") => {
            return dice.of(&["m", "n", "7", "o", "p"]).as_bytes().to_vec();
        }
        (_, "min" | "max") => return dice.of(&["-", "+", "[n", "-inf", "(9"]).as_bytes().to_vec(),
        (_, "min-idle-time" | "index") => dice.below(2) as i64,
        (_, "numids" | "numfields") => 1 + dice.below(2) as i64,
        (_, "threshold") => dice.below(4) as i64,
        (_, "encoding") => return dice.of(&["u8", "i16", "i64", "u1"]).as_bytes().to_vec(),
        (_, "serialized-value") => return payload(dice),
        (_, "type") => return b"string".to_vec(),
        (_, "ifeq-value" | "ifne-value" | "value") => return string(dice),
        (_, "ifdeq-digest" | "ifdne-digest") => return b"0123456789abcdef".to_vec(),
        (_, "db" | "destination-db" | "index1" | "index2") => dice.below(DATABASES as usize) as i64,
        (_, "cursor") => 0,
        (_, "bit") => dice.below(2) as i64,
        (_, "numkeys") => dice.below(3) as i64,
        (_, "seconds" | "milliseconds" | "ttl") => *dice.of(&[1, 2, 50, 1000, 100_000]),
        (_, "unix-time-seconds") => now_ms / 1000 + small(dice),
        (_, "unix-time-milliseconds") => now_ms + small(dice) * 20,
        _ => small(dice),
    };
    number.to_string().into_bytes()
}

fn string(dice: &mut Dice) -> Vec<u8> {
    match dice.below(7) {
        0 => Vec::new(),
        6 => vec![b'0' + dice.below(2) as u8],
        1 => (dice.below(1000) as i64 - 500).to_string().into_bytes(),
        2 => format!("{}.25", dice.below(1000)).into_bytes(),
        3 => vec![b'x'; dice.below(300)],
        4 => (0..dice.below(60)).map(|_| dice.below(256) as u8).collect(),
        _ => b"hello".to_vec(),
    }
}

fn payload(dice: &mut Dice) -> Vec<u8> {
    let value = string(dice);
    let mut out = Vec::new();
    let value = store::ValueRef::String(store::Str::Bytes(&value));
    rdb::dump(value, Some(&mut rdb::Compressor::new()), &mut out);
    out
}

/// Gives most keys to the command's own family, so that requests meet values of their kind; some go to
/// any family, so that they meet others.
fn share_keys(form: &Form, words: &mut [Vec<u8>], dice: &mut Dice) {
    const FAMILIES: &[spec::Group] = &[
        spec::Group::String,
        spec::Group::List,
        spec::Group::Set,
        spec::Group::Hash,
        spec::Group::SortedSet,
        spec::Group::Stream,
        spec::Group::HyperLogLog,
    ];
    let own = FAMILIES.iter().position(|group| *group == form.row.group);
    let family = match own {
        Some(own) if !dice.one_in(16) => own,
        _ => dice.below(FAMILIES.len()),
    };
    let request = OwnedArgs::from_slices(words);
    let at: Vec<usize> = keys::positions(form.row.keys, request.as_args())
        .map(|(at, _)| at)
        .collect();
    for at in at {
        words[at].insert(0, b'0' + family as u8);
    }
}

/// Breaks a request: words are lost, doubled, exchanged or filled with anything.
fn spoil(words: &mut Vec<Vec<u8>>, dice: &mut Dice) {
    let at = 1 + dice.below(words.len());
    match dice.below(4) {
        0 if at < words.len() => drop(words.remove(at)),
        1 if at < words.len() => words.insert(at, words[at].clone()),
        2 if at < words.len() => words[at] = string(dice),
        _ => words.push(string(dice)),
    }
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

fn run(seed: u64, requests: usize) -> (usize, std::collections::BTreeSet<&'static str>) {
    let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let forms = forms();
    let (mut first, mut second) = (World::new(seed), World::new(seed + 1));
    let mut logged = 0;
    let mut history = Vec::new();
    let mut changed = std::collections::BTreeSet::new();
    for turn in 0..requests {
        let form = dice.of(&forms);
        let mut words: Vec<Vec<u8>> = form
            .name
            .iter()
            .map(|word| word.as_bytes().to_vec())
            .collect();
        write(&form.arguments, &mut dice, first.now_ms, &mut words);
        share_keys(form, &mut words, &mut dice);
        if dice.one_in(8) {
            spoil(&mut words, &mut dice);
        }
        if dice.one_in(16) {
            first.db = dice.below(DATABASES as usize) as u32;
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
            changed.insert(form.row.name);
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
    (logged, changed)
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
    "zremrangebyscore",
];

#[test]
fn the_log_brings_a_copy_to_the_same_state() {
    let mut changed = std::collections::BTreeSet::new();
    for seed in 0..SEEDS {
        let (logged, by) = run(seed, 2000);
        assert!(
            logged > 100,
            "seed {seed}: only {logged} requests were logged"
        );
        changed.extend(by);
    }
    let silent: Vec<&str> = forms()
        .iter()
        .filter(|form| form.row.flags.has(spec::Flags::WRITE) && !changed.contains(form.row.name))
        .map(|form| form.row.name)
        .filter(|name| !RARE.contains(name))
        .collect();
    assert!(
        silent.is_empty(),
        "never changed anything, so nothing was tested: {silent:?}"
    );
}

/// A row that writes says how it is logged; one that does not write logs nothing.
#[test]
fn rows_that_write_say_how_they_are_logged() {
    for form in forms() {
        // PFCOUNT reads, and may write down what it has counted.
        let writes = form.row.flags.has(spec::Flags::WRITE)
            || form.row.flags.has(spec::Flags::MAY_REPLICATE);
        assert_eq!(
            form.row.log != spec::LogForm::None,
            writes,
            "{}",
            form.row.name
        );
    }
}

/// The generator makes requests in which the key positions find keys: else nothing is tested.
#[test]
fn requests_from_the_syntax_have_keys() {
    let mut dice = Dice(7);
    for form in forms() {
        let spec::Keys::At(_) = form.row.keys else {
            continue;
        };
        let found = (0..50).any(|_| {
            let mut words: Vec<Vec<u8>> = form
                .name
                .iter()
                .map(|word| word.as_bytes().to_vec())
                .collect();
            write(&form.arguments, &mut dice, BEGIN_MS, &mut words);
            let args = OwnedArgs::from_slices(&words);
            keys::positions(form.row.keys, args.as_args())
                .next()
                .is_some()
        });
        assert!(found, "{}", form.row.name);
    }
}
