//! Glob patterns: our matcher against one that is written from the table in `commands/src/glob/mod.rs`
//! with no thought for time, on inputs small enough for that; and any pattern against any text for
//! crashes and hangs.
//!
//!   input   [fold u8][pattern bytes u8]  pattern  text
#![no_main]

use commands::glob::{Case, matches};
use libfuzzer_sys::fuzz_target;

/// Where the naive matcher's exponential time is still short.
const SMALL_BYTES: usize = 16;

fuzz_target!(|input: &[u8]| {
    let [fold, pattern_bytes, rest @ ..] = input else {
        return;
    };
    let (pattern, text) = rest.split_at(rest.len().min(usize::from(*pattern_bytes)));
    let case = if fold & 1 == 1 {
        Case::Folded
    } else {
        Case::Sensitive
    };
    let answer = matches(pattern, text, case);
    if pattern.len() <= SMALL_BYTES && text.len() <= SMALL_BYTES {
        let expected = if text.is_empty() {
            pattern.is_empty()
        } else {
            naive(pattern, text, case)
        };
        assert_eq!(answer, expected, "{pattern:?} {text:?} {case:?}");
    }
});

fn naive(pattern: &[u8], text: &[u8], case: Case) -> bool {
    match (pattern, text) {
        ([], _) => text.is_empty(),
        // Twelve stars in a row would be thirty million ways to say the same.
        ([b'*', b'*', ..], _) => naive(&pattern[1..], text, case),
        ([b'*', rest @ ..], _) => (0..=text.len()).any(|at| naive(rest, &text[at..], case)),
        (_, []) => false,
        ([b'?', rest @ ..], [_, text @ ..]) => naive(rest, text, case),
        ([b'[', rest @ ..], [byte, text @ ..]) => {
            let (accepted, rest) = class(rest, *byte, case);
            accepted && naive(rest, text, case)
        }
        ([b'\\', wanted, rest @ ..], [byte, text @ ..])
        | ([wanted, rest @ ..], [byte, text @ ..]) => {
            folded(*wanted, case) == folded(*byte, case) && naive(rest, text, case)
        }
    }
}

/// Whether the class behind a bracket accepts the byte, and what follows the class.
fn class(pattern: &[u8], byte: u8, case: Case) -> (bool, &[u8]) {
    let (inverted, mut rest) = match pattern {
        [b'^', rest @ ..] => (true, rest),
        _ => (false, pattern),
    };
    let mut found = false;
    let rest = loop {
        rest = match rest {
            [] => break rest,
            [b']', after @ ..] => break after,
            [b'\\', exact, after @ ..] => {
                found |= *exact == byte;
                after
            }
            [a, b'-', b, after @ ..] => {
                let (low, high) = (folded(*a.min(b), case), folded(*a.max(b), case));
                found |= low <= folded(byte, case) && folded(byte, case) <= high;
                after
            }
            [one, after @ ..] => {
                found |= folded(*one, case) == folded(byte, case);
                after
            }
        };
    };
    (found != inverted, rest)
}

fn folded(byte: u8, case: Case) -> u8 {
    match case {
        Case::Sensitive => byte,
        Case::Folded => byte.to_ascii_lowercase(),
    }
}
