//! Glob patterns as Redis matches them: KEYS, SCAN MATCH, CONFIG GET, PSUBSCRIBE, COMMAND LIST.
//!
//! ```text
//!   pattern   user:*:[0-9]?:\*
//!   tokens    u s e r :  *  : class any :  \*         one per byte that must be matched
//!   parts     [user:]    *  [: class any : '*']       cut at the stars
//! ```
//!
//! | written | matches |
//! |---|---|
//! | `*` | any bytes, none included |
//! | `?` | one byte |
//! | `[abc]`, `[a-z]`, `[^a]` | one byte of the class, or not of it; `\` takes the next byte as it is |
//! | `\x` | `x` |
//!
//! Corners, as Redis has them: a class that is not closed ends with the pattern; `[]` matches
//! nothing and `[^]` any byte; a range whose ends are in the wrong order is turned round (before
//! case is folded); an escaped byte in a class keeps its case; the empty text is matched by the
//! empty pattern alone, so whoever means "all" by `*` asks [`Pattern::is_all`]. One difference:
//! the ends of a range are compared as unsigned bytes on every system, as Redis does on ARM but
//! not on x86.
//!
//! **The work is bounded**, because pattern and key both come from strangers. The first part is
//! tested at the text's beginning, the last at its end, and each part between is looked for from
//! left to right: the leftmost place is as good as any other, so nothing is ever tried twice. A
//! part of plain bytes is found in linear time (memmem). A part with `?` or classes has no linear
//! search: `search.rs` does 64 of its tokens at a time and gives up when it has spent what a text
//! of that length may cost, and then the text does not match. Redis gives up as well (at a
//! thousand stars) and would otherwise go on for hours; we give up at patterns that no program
//! writes, by a count of steps, so the same pattern and text have the same answer everywhere.
//!
//! Checked by: a matcher written from the table above on small inputs (tests, fuzz/glob), Redis
//! (`tests/transcripts/generic/keys.txt`), and a clock on the worst patterns that we know.

mod read;
mod search;

use read::Reader;

/// Whether letters of either case are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// They differ.
    Sensitive,
    /// ASCII letters are folded.
    Folded,
}

/// What one byte of the text must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    /// This byte.
    Byte(u8),
    /// Any.
    Any,
    /// One of the class with this number.
    Class(u32),
}

/// A set of bytes, a bit each.
type Class = [u64; 4];

/// A pattern, read once and matched as often as one likes.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// What the parts want, one after another.
    tokens: Vec<Token>,
    /// Where each part ends in `tokens`. A star stands between each two; there is always one part.
    ends: Vec<usize>,
    /// The plain bytes of `tokens`, for parts that have nothing else.
    bytes: Vec<u8>,
    /// Each class once.
    classes: Vec<Class>,
    /// It is written as one star.
    all: bool,
}

/// Whether `text` matches `pattern`; keep a [`Pattern`] for more than one text.
#[must_use]
pub fn matches(pattern: &[u8], text: &[u8], case: Case) -> bool {
    Pattern::new(pattern, case).matches(text)
}

impl Pattern {
    /// Reads a pattern. Any bytes are one.
    #[must_use]
    pub fn new(pattern: &[u8], case: Case) -> Self {
        Reader::new(pattern, case).read()
    }

    /// Whether the pattern is one star and nothing else: every text is meant, the empty one too.
    /// (Two stars in a row want at least one byte.)
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.all
    }

    /// Whether `text` matches.
    #[must_use]
    pub fn matches(&self, text: &[u8]) -> bool {
        let (first, last) = (self.part(0), self.part(self.ends.len() - 1));
        if self.ends.len() == 1 {
            return text.len() == first.len() && self.agrees(first, text);
        }
        if text.is_empty() || text.len() < self.tokens.len() {
            return false;
        }
        let (head, rest) = text.split_at(first.len());
        let (middle, tail) = rest.split_at(rest.len() - last.len());
        if !self.agrees(first, head) || !self.agrees(last, tail) {
            return false;
        }
        let mut rest = middle;
        let mut effort = search::Effort::of(text.len());
        for number in 1..self.ends.len() - 1 {
            let part = self.part(number);
            let Some(at) = self.find(part, rest, &mut effort) else {
                return false;
            };
            rest = &rest[at + part.len()..];
        }
        true
    }

    fn part(&self, number: usize) -> Part {
        let from = if number == 0 {
            0
        } else {
            self.ends[number - 1]
        };
        Part {
            from,
            to: self.ends[number],
        }
    }

    /// Whether `text`, which is as long as the part, is what the part wants.
    fn agrees(&self, part: Part, text: &[u8]) -> bool {
        self.tokens[part.from..part.to]
            .iter()
            .zip(text)
            .all(|(token, byte)| self.accepts(*token, *byte))
    }

    fn accepts(&self, token: Token, byte: u8) -> bool {
        match token {
            Token::Byte(wanted) => wanted == byte,
            Token::Any => true,
            Token::Class(number) => has(&self.classes[number as usize], byte),
        }
    }
}

/// A range of tokens.
#[derive(Clone, Copy)]
struct Part {
    from: usize,
    to: usize,
}

impl Part {
    fn len(self) -> usize {
        self.to - self.from
    }
}

fn has(class: &Class, byte: u8) -> bool {
    class[usize::from(byte >> 6)] >> (byte & 63) & 1 == 1
}

fn add(class: &mut Class, byte: u8) {
    class[usize::from(byte >> 6)] |= 1 << (byte & 63);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::{Duration, Instant};

    /// The table at the top, word for word, with no thought for time.
    fn by_table(pattern: &[u8], text: &[u8], case: Case) -> bool {
        if text.is_empty() {
            return pattern.is_empty();
        }
        tail(pattern, text, case)
    }

    fn tail(pattern: &[u8], text: &[u8], case: Case) -> bool {
        match pattern {
            [] => text.is_empty(),
            [b'*', rest @ ..] => (0..=text.len()).any(|at| tail(rest, &text[at..], case)),
            [..] if text.is_empty() => false,
            _ => {
                let mut reader = Reader::new(pattern, case);
                let first = reader.next().expect("it is not empty");
                let token = match (first, reader.rest) {
                    (b'?', _) => Token::Any,
                    (b'[', _) => reader.class(),
                    (b'\\', [escaped, after @ ..]) => {
                        reader.rest = after;
                        reader.byte(*escaped)
                    }
                    (byte, _) => reader.byte(byte),
                };
                let rest = reader.rest;
                reader.made.accepts(token, text[0]) && tail(rest, &text[1..], case)
            }
        }
    }

    fn check(pattern: &[u8], text: &[u8], expected: bool) {
        assert_eq!(
            matches(pattern, text, Case::Sensitive),
            expected,
            "{pattern:?} {text:?}"
        );
        assert_eq!(
            by_table(pattern, text, Case::Sensitive),
            expected,
            "{pattern:?} {text:?}"
        );
    }

    #[test]
    fn the_corners() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("*", "", false),
            ("*", "x", true),
            ("**", "x", true),
            ("a*", "a", true),
            ("a***", "a", true),
            ("*a", "a", true),
            ("a", "", false),
            ("", "a", false),
            ("h?llo", "hello", true),
            ("h?llo", "hllo", false),
            ("h[ae]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-b]llo", "hbllo", true),
            ("h[b-a]llo", "hbllo", true),
            ("[", "[", false),
            ("[^", "x", true),
            ("[abc", "b", true),
            ("[a-", "-", true),
            ("[a-]", "]", true),
            ("[a-]x]", "x", true),
            ("[]", "x", false),
            ("[^]", "x", true),
            ("[]a]", "a]", false),
            ("[\\]]", "]", true),
            ("[\\", "\\", true),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("\\", "\\", true),
            ("a\\", "a\\", true),
            ("*ab*ab*", "aabaab", true),
            ("*ab*ab*", "aabaa", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("*?", "x", true),
            ("?*?", "x", false),
            ("*??*", "xx", true),
            ("*a?c*", "xxabxabc", true),
        ] {
            check(pattern.as_bytes(), text.as_bytes(), expected);
        }
        check(b"[a-\xff]", b"\x80", true);
        check(b"[a-\xff]", b"A", false);
        assert!(Pattern::new(b"*", Case::Sensitive).is_all());
        assert!(!Pattern::new(b"**", Case::Sensitive).is_all());
        assert!(!Pattern::new(b"", Case::Sensitive).is_all());
    }

    #[test]
    fn folding() {
        let folded =
            |pattern: &str, text: &str| matches(pattern.as_bytes(), text.as_bytes(), Case::Folded);
        assert!(folded("MaxMemory*", "maxmemory-policy"));
        assert!(folded("[A-C]", "b") && folded("[a-c]", "B") && folded("[x]", "X"));
        assert!(folded("\\A", "a"));
        assert!(!folded("[\\A]", "a") && folded("[\\A]", "A"));
        assert!(!folded("[Z-a]", "z"));
    }

    /// The search by words answers as the search by trying does.
    #[test]
    fn long_parts_are_found_where_they_are() {
        for length in [1, 2, 63, 64, 65, 130, 300] {
            let mut text: Vec<u8> = (0..1000_u32).map(|i| b'a' + (i * i % 3) as u8).collect();
            for at in [0, 1, 63, 64, 500, 1000 - length]
                .into_iter()
                .filter(|at| at + length <= 1000)
            {
                text[at..at + length].fill(b'x');
                text[at] = b'y';
                let mut written = b"*y".to_vec();
                for token in 1..length {
                    written.extend_from_slice(if token % 3 == 0 { b"?" } else { b"[xz]" });
                }
                written.push(b'*');
                let pattern = Pattern::new(&written, Case::Sensitive);
                let part = pattern.part(1);
                assert_eq!(part.len(), length);
                let tokens = &pattern.tokens[part.from..part.to];
                let places = text.len() + 1 - length;
                let tried = (0..places).find(|at| pattern.agrees(part, &text[*at..at + length]));
                assert!(tried.is_some());
                let effort = &mut search::Effort::of(text.len());
                let found = pattern.shift_and(tokens, &text, effort);
                assert_eq!(found, tried, "{length} at {at}");
            }
        }
    }

    #[test]
    fn the_worst_patterns_answer_in_time() {
        // A build without optimisation is only asked not to be quadratic.
        const MIB: usize = if cfg!(debug_assertions) {
            1 << 16
        } else {
            1 << 20
        };
        let text = vec![b'a'; MIB];
        let repeated = |piece: &[u8], end: &[u8]| {
            let mut pattern = piece.repeat(MIB / piece.len());
            pattern.truncate(MIB - end.len());
            pattern.extend_from_slice(end);
            pattern
        };
        let half = |head: &[u8], piece: &[u8], end: &[u8]| {
            [head, &piece.repeat(MIB / 2 / piece.len()), end].concat()
        };
        let stubborn = [b"*", &b"a?".repeat(MIB / 16)[..], b"aa*"].concat();
        let check = |name: &str, pattern: &[u8], text: &[u8]| {
            // The best of three, since the machine may be busy.
            let once = || {
                let begin = Instant::now();
                let _ = matches(pattern, text, Case::Sensitive);
                begin.elapsed()
            };
            let spent = (0..3).map(|_| once()).min().expect("three runs");
            let limit = if cfg!(debug_assertions) { 5000 } else { 100 };
            assert!(spent < Duration::from_millis(limit), "{name}: {spent:?}");
        };
        check("any and plain", &stubborn, &b"ab".repeat(MIB / 8));
        check(
            "any and plain, longer",
            &half(b"*", b"a?", b"aa*"),
            &b"ab".repeat(MIB / 2),
        );
        check(
            "any and plain, in parts",
            &repeated(&[b"*", &b"a?".repeat(32)[..], b"aa"].concat(), b"*"),
            &[&b"ab".repeat(40)[..], b"a"].concat().repeat(MIB / 81),
        );
        let bytes: Vec<u8> = (0..MIB).map(|n| 128 + (n % 120) as u8).collect();
        let others: Vec<u8> = (0..MIB / 8)
            .flat_map(|n| [b'[', b'^', 128 + (n % 120) as u8, b']'])
            .collect();
        check(
            "all but one, in turns",
            &[b"*", &others[..], b"x*"].concat(),
            &bytes,
        );
        for (name, pattern) in [
            ("stars", repeated(b"a*", b"b")),
            ("stars in the middle", repeated(b"*a", b"*b*")),
            ("only stars", repeated(b"*", b"b")),
            ("plain bytes", half(b"*", b"a", b"b*")),
            ("any bytes", half(b"*", b"?", b"b*")),
            ("classes and stars", repeated(b"[a-z]*", b"[b]*c")),
            ("classes and stars that agree", repeated(b"[a-z]*", b"b*")),
            ("short parts", repeated(b"*a?", b"[b]*")),
            ("half of all bytes", half(b"*", b"[\x01-\x80]", b"[b]*")),
            (
                "a class without end",
                [b"*[".as_slice(), &vec![b'b'; MIB]].concat(),
            ),
            (
                "ranges",
                [b"*[".as_slice(), &b"b-z".repeat(MIB / 3)].concat(),
            ),
            (
                "any and plain, a byte that is not there",
                half(b"*", b"a?", b"b*"),
            ),
        ] {
            check(name, &pattern, &text);
        }
    }

    fn small() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop::sample::select(&b"ab*?[]^-\\AB"[..]);
        prop::collection::vec(byte, 0..12)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]
        #[test]
        fn as_the_table_says(pattern in small(), text in small(), fold: bool) {
            let case = if fold { Case::Folded } else { Case::Sensitive };
            prop_assert_eq!(matches(&pattern, &text, case), by_table(&pattern, &text, case));
        }

        /// Small texts are searched by trying; the search by words must answer as that does.
        #[test]
        fn both_searches_agree(pattern in small(), text in small()) {
            let pattern = Pattern::new(&pattern, Case::Folded);
            for part in (0..pattern.ends.len()).map(|number| pattern.part(number)) {
                if part.len() == 0 {
                    continue;
                }
                let tokens = &pattern.tokens[part.from..part.to];
                let effort = &mut search::Effort::of(text.len());
                let found = pattern.shift_and(tokens, &text, effort);
                let tried = text.windows(part.len()).position(|t| pattern.agrees(part, t));
                prop_assert_eq!(found, tried);
            }
        }
    }
}
