//! The grammar: how long each type of record is, without a look at what is in it.
//!
//! ```text
//!   LIST, SET      Each [ String ]                       a count, then so many of what is in the brackets
//!   ZSET_2         Each [ String, Bytes 8 ]
//!   STREAM         Each [ String, String ]  Length …  Each [ … Each [ … ] ]
//! ```
//!
//! A [`Walk`] goes through a shape over bytes that arrive in blocks, and goes on where the last block
//! ended; so a record of any size is walked once. Its state is a stack of at most
//! [`DEPTH_MAX`] open brackets, and the bytes of the present run that are still to come.
//!
//! W1  Between two calls, `at` stands between two steps, or `run` says how much of a run is left.
//! W2  Every step takes at least one byte, so a count that lies ends with the bytes.

use crate::format::{self, types};
use crate::input::{Input, Malformed};
use crate::length::{self, Length};
use crate::string;

/// What can stand in a record.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// So many bytes.
    Bytes(u8),
    /// A length, or what is written like one.
    Length,
    /// A string in any of its forms.
    String,
    /// A score in decimal, of the oldest sorted sets.
    Score,
    /// A count, and then so many times what is listed.
    Each(&'static [Step]),
    /// Parts of a module's value, each with its own type, to the mark of the end.
    Module,
}

use Step::{Bytes, Each, Length as Len, Module, Score, String as Str};

/// A shape of nothing but strings, and so on: see the page's head.
pub(crate) type Shape = &'static [Step];

pub(crate) const AUX: Shape = &[Str, Str];
pub(crate) const FUNCTION: Shape = &[Str];
pub(crate) const DATABASE: Shape = &[Len];
pub(crate) const SIZES: Shape = &[Len, Len];
pub(crate) const SLOT_INFO: Shape = &[Len, Len, Len];
pub(crate) const MODULE: Shape = &[Len, Module];
pub(crate) const KEY: Shape = &[Str];
/// Whose it is, the words "when" and when, and the value.
pub(crate) const MODULE_AUX: Shape = &[Len, Len, Len, Module];

const STRINGS: Shape = &[Each(&[Str])];
const PAIRS: Shape = &[Each(&[Str, Str])];

const PENDING: Step = Each(&[Bytes(16), Bytes(8), Len]);
const STREAM_1: Shape = &[
    Each(&[Str, Str]),
    Len,
    Len,
    Len,
    Each(&[
        Str,
        Len,
        Len,
        PENDING,
        Each(&[Str, Bytes(8), Each(&[Bytes(16)])]),
    ]),
];
const STREAM_2: Shape = &[
    Each(&[Str, Str]),
    Len,
    Len,
    Len,
    // First and highest deleted id, how many were ever added.
    Len,
    Len,
    Len,
    Len,
    Len,
    Each(&[
        Str,
        Len,
        Len,
        Len,
        PENDING,
        Each(&[Str, Bytes(8), Each(&[Bytes(16)])]),
    ]),
];
const STREAM_3: Shape = &[
    Each(&[Str, Str]),
    Len,
    Len,
    Len,
    Len,
    Len,
    Len,
    Len,
    Len,
    Each(&[
        Str,
        Len,
        Len,
        Len,
        PENDING,
        Each(&[Str, Bytes(8), Bytes(8), Each(&[Bytes(16)])]),
    ]),
];

/// The shape of a value of type `number` in a file of `version`; `None` if that knows no such type.
pub(crate) fn of_value(number: u8, version: u16) -> Option<Shape> {
    let valkey = format::is_valkey(version);
    Some(match number {
        types::STRING
        | types::HASH_ZIPMAP
        | types::LIST_ZIPLIST
        | types::SET_INTSET
        | types::ZSET_ZIPLIST
        | types::HASH_ZIPLIST
        | types::HASH_LISTPACK
        | types::ZSET_LISTPACK
        | types::SET_LISTPACK => &[Str],
        types::LIST | types::SET | types::LIST_QUICKLIST => STRINGS,
        types::ZSET => &[Each(&[Str, Score])],
        types::ZSET_2 => &[Each(&[Str, Bytes(8)])],
        types::HASH => PAIRS,
        types::LIST_QUICKLIST_2 => &[Each(&[Len, Str])],
        types::STREAM_LISTPACKS => STREAM_1,
        types::STREAM_LISTPACKS_2 => STREAM_2,
        types::STREAM_LISTPACKS_3 => STREAM_3,
        types::MODULE => MODULE,
        types::HASH_VALKEY if valkey => &[Each(&[Str, Str, Bytes(8)])],
        types::HASH_METADATA if !valkey => &[Bytes(8), Each(&[Len, Str, Str])],
        types::HASH_LISTPACK_EX if !valkey => &[Bytes(8), Str],
        _ => return None,
    })
}

/// How many brackets can be open: a record's own, a group, its consumers, what each of them holds.
pub(crate) const DEPTH_MAX: usize = 5;

/// What a score's length says instead of a length, from here on.
const SCORE_WORDS: u8 = 0xfd;

/// What a module's parts are.
mod part {
    pub(super) const END: u64 = 0;
    pub(super) const INTEGER: u64 = 1;
    pub(super) const UNSIGNED: u64 = 2;
    pub(super) const FLOAT: u64 = 3;
    pub(super) const DOUBLE: u64 = 4;
    pub(super) const STRING: u64 = 5;
}

/// An open bracket.
#[derive(Clone, Copy, Debug)]
struct Open {
    shape: Shape,
    /// The next step in it.
    next: usize,
    /// Rounds that are left, the present one included.
    rounds: u64,
}

/// Where in a record a walk is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Walk {
    open: Vec<Open>,
    /// Bytes that are still to be passed over.
    run: u64,
    /// Bytes of the present run that have been.
    passed: usize,
}

impl Walk {
    /// Begins a record: `first`, then `second`.
    pub(crate) fn begin(&mut self, first: Shape, second: Shape) {
        debug_assert!(self.is_done(), "the last record is not over");
        for shape in [second, first] {
            self.open.push(Open {
                shape,
                next: 0,
                rounds: 1,
            });
        }
    }

    /// Whether the record is over.
    pub(crate) fn is_done(&self) -> bool {
        self.open.is_empty() && self.run == 0
    }

    /// How many bytes of an unfinished run it has passed over.
    pub(crate) fn passed(&self) -> usize {
        if self.run > 0 { self.passed } else { 0 }
    }

    /// Goes on over `bytes` from `at`, as far as they reach; says whether the record is over.
    pub(crate) fn advance(&mut self, bytes: &[u8], at: &mut usize) -> Result<bool, Malformed> {
        loop {
            if self.run > 0 {
                let left = bytes.len() - *at;
                let passed = usize::try_from(self.run).unwrap_or(usize::MAX).min(left);
                *at += passed;
                self.run -= passed as u64;
                self.passed += passed;
                if self.run > 0 {
                    return Ok(false);
                }
            }
            let Some(top) = self.open.last_mut() else {
                return Ok(true);
            };
            let Some(step) = top.shape.get(top.next) else {
                top.next = 0;
                top.rounds -= 1;
                if top.rounds == 0 {
                    self.open.pop();
                }
                continue;
            };
            let mut input = Input::new(&bytes[*at..]);
            match take_step(*step, &mut input) {
                Ok(Taken { run, inner, again }) => {
                    *at = bytes.len() - input.left();
                    (self.run, self.passed) = (run, 0);
                    top.next += usize::from(!again);
                    if let Some((shape, rounds)) = inner.filter(|(_, rounds)| *rounds > 0) {
                        self.open.push(Open {
                            shape,
                            next: 0,
                            rounds,
                        });
                        debug_assert!(self.open.len() <= DEPTH_MAX, "the grammar is this deep");
                    }
                }
                Err(Malformed::Truncated) => return Ok(false),
                Err(other) => return Err(other),
            }
        }
    }
}

/// What a step's head said.
#[derive(Default)]
struct Taken {
    /// Bytes that follow.
    run: u64,
    /// A bracket that opens.
    inner: Option<(Shape, u64)>,
    /// Whether the same step comes again.
    again: bool,
}

fn take_step(step: Step, input: &mut Input<'_>) -> Result<Taken, Malformed> {
    let mut taken = Taken::default();
    match step {
        Step::Bytes(count) => taken.run = u64::from(count),
        Step::Length => {
            length::read_plain(input)?;
        }
        Step::String => taken.run = string_run(input)?,
        Step::Score => {
            let length = input.byte()?;
            taken.run = u64::from(if length >= SCORE_WORDS { 0 } else { length });
        }
        Step::Each(shape) => taken.inner = Some((shape, length::read_plain(input)?)),
        Step::Module => {
            taken.again = true;
            match length::read_plain(input)? {
                part::END => taken.again = false,
                part::INTEGER | part::UNSIGNED => {
                    length::read_plain(input)?;
                }
                part::FLOAT => taken.run = 4,
                part::DOUBLE => taken.run = 8,
                part::STRING => taken.run = string_run(input)?,
                _ => return Err(Malformed::Encoding),
            }
        }
    }
    Ok(taken)
}

/// Reads a string's head: how many bytes follow it.
fn string_run(input: &mut Input<'_>) -> Result<u64, Malformed> {
    match length::read(input)? {
        Length::Plain(count) => Ok(count),
        Length::Packed(form) => string::packed_run(form, input),
    }
}
