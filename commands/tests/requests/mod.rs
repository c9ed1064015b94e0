//! Requests made from the rows' `syntax`, so that every command and every option comes.
//!
//! Who chooses is the caller's: dice of a seed in tests, the input's bytes under the fuzzer (`fuzz/`,
//! which takes this file in by its path, as `server/tests/sequences` does). Words come from small pools,
//! so that requests meet each other's keys, members, groups and ids; each key belongs to a family, so
//! that most meet a value of their kind.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary is a crate of its own and uses what it needs"
)]

use commands::keys;
use commands::spec::{CommandSpec, Flags, Group, Keys, LogForm};
use commands::syntax::{Argument, Kind, parse};
use resp::OwnedArgs;

/// Databases that requests name.
pub const DATABASES: usize = 4;

/// Who decides.
pub trait Choose {
    /// A number below `n`, which is not 0.
    fn below(&mut self, n: usize) -> usize;

    /// Yes, once in `n` times.
    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// One of these.
    fn of<'t, T>(&mut self, choices: &'t [T]) -> &'t T {
        &choices[self.below(choices.len())]
    }

    /// A serialized value for RESTORE.
    fn payload(&mut self) -> Vec<u8> {
        let value = string(self);
        let mut out = Vec::new();
        let value = store::ValueRef::String(store::Str::Bytes(&value));
        rdb::dump(value, Some(&mut rdb::Compressor::new()), &mut out);
        out
    }
}

/// Random numbers that are the same on every machine (xorshift64*, Vigna 2016).
pub struct Dice(u64);

impl Dice {
    /// Those of a seed.
    pub fn of(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }
}

impl Choose for Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % n
    }
}

/// A command as it is called, what may follow, and what its row says.
pub struct Form {
    /// The command's word, and a container's second.
    pub name: Vec<&'static str>,
    pub arguments: Vec<Argument>,
    pub keys: Keys,
    pub flags: Flags,
    pub group: Group,
    pub log: LogForm,
}

/// The forms of these rows, those of containers for each subcommand.
pub fn forms<H: 'static>(rows: impl Iterator<Item = &'static CommandSpec<H>>) -> Vec<Form> {
    let mut forms = Vec::new();
    for row in rows {
        // Minutes of self-examination, and the insides of a sketch.
        if matches!(row.name, "pfselftest" | "pfdebug") {
            continue;
        }
        if row.subcommands.is_empty() {
            forms.push(Form::of(vec![row.name], row));
        }
        for sub in row.subcommands {
            forms.push(Form::of(vec![row.name, sub.name], sub));
        }
    }
    forms
}

impl Form {
    fn of<H>(name: Vec<&'static str>, row: &'static CommandSpec<H>) -> Form {
        let ranges = match row.keys {
            Keys::None => 0,
            Keys::At(ranges) => ranges.len(),
        };
        Form {
            name,
            arguments: parse(row.syntax, ranges).expect("a row's syntax is read"),
            keys: row.keys,
            flags: row.flags,
            group: row.group,
            log: row.log,
        }
    }

    /// The row's own name.
    pub fn last_name(&self) -> &'static str {
        self.name[self.name.len() - 1]
    }

    /// The option words of the row.
    pub fn tokens(&self) -> Vec<&'static str> {
        fn gather(arguments: &[Argument], into: &mut Vec<&'static str>) {
            for argument in arguments {
                into.extend(argument.token);
                gather(&argument.parts, into);
            }
        }
        let mut tokens = Vec::new();
        gather(&self.arguments, &mut tokens);
        tokens
    }

    /// A request of this form.
    pub fn request<C: Choose + ?Sized>(&self, choice: &mut C, now_ms: i64) -> Vec<Vec<u8>> {
        let name = self.name.iter().map(|word| word.as_bytes().to_vec());
        let mut words: Vec<Vec<u8>> = name.collect();
        write(&self.arguments, choice, now_ms, &mut words);
        self.share_keys(&mut words, choice);
        words
    }

    /// Gives most keys to the command's own family, so that requests meet values of their kind; some go
    /// to any family, so that they meet others.
    fn share_keys<C: Choose + ?Sized>(&self, words: &mut [Vec<u8>], choice: &mut C) {
        let own = FAMILIES.iter().position(|group| *group == self.group);
        let family = match own {
            Some(own) if !choice.one_in(16) => own,
            _ => choice.below(FAMILIES.len()),
        };
        let request = OwnedArgs::from_slices(words);
        let at: Vec<usize> = keys::positions(self.keys, request.as_args())
            .map(|(at, _)| at)
            .collect();
        for at in at {
            words[at].insert(0, b'0' + family as u8);
        }
    }
}

/// Families with keys of their own: a key begins with the family's number.
const FAMILIES: &[Group] = &[
    Group::String,
    Group::List,
    Group::Set,
    Group::Hash,
    Group::SortedSet,
    Group::Stream,
    Group::HyperLogLog,
];

/// Words for a sequence of arguments.
fn write<C: Choose + ?Sized>(
    arguments: &[Argument],
    choice: &mut C,
    now_ms: i64,
    out: &mut Vec<Vec<u8>>,
) {
    for argument in arguments {
        if argument.optional && !choice.one_in(3) {
            continue;
        }
        let again = if argument.multiple {
            choice.below(3)
        } else {
            0
        };
        for turn in 0..=again {
            if let Some(token) = argument.token
                && (turn == 0 || argument.multiple_token)
            {
                out.push(token.as_bytes().to_vec());
            }
            match argument.kind {
                Kind::PureToken => {}
                Kind::OneOf => {
                    let part = Argument {
                        optional: false,
                        ..choice.of(&argument.parts).clone()
                    };
                    write(&[part], choice, now_ms, out);
                }
                Kind::Block => write(&argument.parts, choice, now_ms, out),
                _ => out.push(value(argument, choice, now_ms)),
            }
        }
    }
}

fn value<C: Choose + ?Sized>(argument: &Argument, choice: &mut C, now_ms: i64) -> Vec<u8> {
    let small = |choice: &mut C| choice.below(40) as i64 - 8;
    let number = match (argument.kind, argument.name.as_str()) {
        (Kind::Key, _) => return choice.of(&["a", "b", "c"]).as_bytes().to_vec(),
        (Kind::Pattern, _) => return choice.of(&["*", "a*", "[b-d]"]).as_bytes().to_vec(),
        (Kind::Double, _) => return format!("{}.5", small(choice)).into_bytes(),
        (_, "newkey" | "source" | "destination" | "destkey" | "key1" | "key2") => {
            return choice.of(&["a", "b", "c"]).as_bytes().to_vec();
        }
        (_, "group" | "consumer") => return choice.of(&["g", "h"]).as_bytes().to_vec(),
        (_, "id") if choice.one_in(4) => return b">".to_vec(),
        (_, "lastid" | "id" | "last-id" | "start") => 1 + choice.below(8) as i64,
        (_, "member" | "field" | "element" | "pivot") => {
            return choice.of(&["m", "n", "7", "o", "p"]).as_bytes().to_vec();
        }
        (_, "min" | "max") => {
            return choice
                .of(&["-", "+", "[n", "-inf", "(9"])
                .as_bytes()
                .to_vec();
        }
        (_, "min-idle-time" | "index") => choice.below(2) as i64,
        (_, "numids" | "numfields") => 1 + choice.below(2) as i64,
        // More than a COUNT, or the request is refused.
        (_, "maxcount" | "maxsize") => 32 + choice.below(8) as i64,
        (_, "threshold") => choice.below(4) as i64,
        (_, "encoding") => return choice.of(&["u8", "i16", "i64", "u1"]).as_bytes().to_vec(),
        (_, "serialized-value") => return choice.payload(),
        (_, "type") => return b"string".to_vec(),
        (_, "ifeq-value" | "ifne-value" | "value") => return string(choice),
        (_, "ifdeq-digest" | "ifdne-digest") => return b"0123456789abcdef".to_vec(),
        (_, "db" | "destination-db" | "index1" | "index2") => choice.below(DATABASES) as i64,
        (_, "cursor") => 0,
        (_, "bit") => choice.below(2) as i64,
        (_, "numkeys") => choice.below(3) as i64,
        (_, "seconds" | "milliseconds" | "ttl") => *choice.of(&[1, 2, 50, 1000, 100_000]),
        (_, "unix-time-seconds") => now_ms / 1000 + small(choice),
        (_, "unix-time-milliseconds") => now_ms + small(choice) * 20,
        _ => small(choice),
    };
    number.to_string().into_bytes()
}

/// A string of any form: empty, a number, long, any bytes.
pub fn string<C: Choose + ?Sized>(choice: &mut C) -> Vec<u8> {
    match choice.below(7) {
        0 => Vec::new(),
        6 => vec![b'0' + choice.below(2) as u8],
        1 => (choice.below(1000) as i64 - 500).to_string().into_bytes(),
        2 => format!("{}.25", choice.below(1000)).into_bytes(),
        3 => vec![b'x'; choice.below(300)],
        4 => (0..choice.below(60))
            .map(|_| choice.below(256) as u8)
            .collect(),
        _ => b"hello".to_vec(),
    }
}

/// Breaks a request: words are lost, doubled, exchanged or filled with anything.
pub fn spoil<C: Choose + ?Sized>(words: &mut Vec<Vec<u8>>, choice: &mut C) {
    let at = 1 + choice.below(words.len());
    match choice.below(4) {
        0 if at < words.len() => drop(words.remove(at)),
        1 if at < words.len() => words.insert(at, words[at].clone()),
        2 if at < words.len() => words[at] = string(choice),
        _ => words.push(string(choice)),
    }
}
