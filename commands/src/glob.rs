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
//! search that is worth its code; a short one is tried at each place, a long one goes through
//! [`Places`], which tests 64 places at a time and stops when none is left. That is the one search
//! that is not linear: made to be slow, a part of half a mebibyte against a key of one mebibyte
//! takes a second, and the 100 ms that we want of a bad pattern are kept by keys up to a quarter
//! of that.
//!
//! Checked by: a matcher written from the table above on small inputs (tests, fuzz/glob), Redis
//! (`tests/transcripts/generic/keys.txt`), and a clock on the worst patterns that we know.

use std::collections::HashMap;

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
        Reader {
            rest: pattern,
            case,
            known: HashMap::new(),
            made: Pattern::empty(pattern == b"*"),
        }
        .read()
    }

    fn empty(all: bool) -> Self {
        Pattern {
            tokens: Vec::new(),
            ends: Vec::new(),
            bytes: Vec::new(),
            classes: Vec::new(),
            all,
        }
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
        for number in 1..self.ends.len() - 1 {
            let part = self.part(number);
            let Some(at) = self.find(part, rest) else {
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

    /// The leftmost place of the part in the text.
    fn find(&self, part: Part, text: &[u8]) -> Option<usize> {
        // Bytes that may be anything at the beginning only move the place.
        let skipped = self.tokens[part.from..part.to]
            .iter()
            .take_while(|t| **t == Token::Any)
            .count();
        let rest = text.get(skipped..)?;
        let part = Part {
            from: part.from + skipped,
            to: part.to,
        };
        let places = (rest.len() + 1).checked_sub(part.len())?;
        if self.tokens[part.from..part.to]
            .iter()
            .all(|token| matches!(token, Token::Byte(_)))
        {
            memchr::memmem::find(rest, &self.bytes[part.from..part.to])
        } else if places.saturating_mul(part.len()) <= TRY_STEPS_MAX {
            (0..places).find(|at| self.agrees(part, &rest[*at..at + part.len()]))
        } else {
            self.find_long(part, rest, places)
        }
    }

    /// [`Pattern::find`] for what is too long to be tried place by place.
    fn find_long(&self, part: Part, text: &[u8], places: usize) -> Option<usize> {
        let mut present = [0; 4];
        text.iter().for_each(|byte| add(&mut present, *byte));
        let mut left = Places::all(places);
        // By what a token accepts of the bytes that are there, so that tokens which differ only in
        // absent bytes share a map.
        let mut maps: HashMap<Class, Vec<u64>> = HashMap::new();
        for (offset, token) in self.tokens[part.from..part.to].iter().enumerate() {
            let accepted = self.accepted(*token, &present);
            if accepted == present {
                continue;
            }
            if maps.len() == MAPS_MAX {
                maps.clear();
            }
            let map = maps.entry(accepted).or_insert_with(|| map(&accepted, text));
            if !left.keep(map, offset) {
                return None;
            }
            if left.few() {
                break;
            }
        }
        left.iter()
            .find(|at| self.agrees(part, &text[*at..at + part.len()]))
    }

    /// The bytes that the token accepts, of those that are `present`.
    fn accepted(&self, token: Token, present: &Class) -> Class {
        match token {
            Token::Any => *present,
            Token::Byte(byte) => {
                let mut one = [0; 4];
                add(&mut one, byte);
                both(&one, present)
            }
            Token::Class(number) => both(&self.classes[number as usize], present),
        }
    }
}

/// Which bytes of the text are of the class, a bit each, and a word of zeros behind them, which
/// lets [`Places::keep`] look one word ahead.
fn map(class: &Class, text: &[u8]) -> Vec<u64> {
    let of_class: [bool; 256] = std::array::from_fn(|byte| has(class, byte as u8));
    let word = |chunk: &[u8]| {
        chunk
            .iter()
            .rev()
            .fold(0, |map, b| map << 1 | u64::from(of_class[usize::from(*b)]))
    };
    text.chunks(64).map(word).chain([0]).collect()
}

/// How many maps are kept: each is an eighth of the text.
const MAPS_MAX: usize = 64;

/// Up to this many steps a part is tried at each place; beyond it, [`Places`]' maps pay.
const TRY_STEPS_MAX: usize = 4096;

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

/// The places of a text at which a part may still begin, a bit each.
struct Places {
    words: Vec<u64>,
    /// The first word that is not zero; words before it stay zero.
    first: usize,
}

impl Places {
    fn all(count: usize) -> Self {
        let mut words = vec![u64::MAX; count.div_ceil(64)];
        if let (Some(last), used @ 1..) = (words.last_mut(), count % 64) {
            *last = (1 << used) - 1;
        }
        Places { words, first: 0 }
    }

    /// Keeps the places behind which, `offset` bytes on, the map has a bit; whether any is left.
    fn keep(&mut self, map: &[u64], offset: usize) -> bool {
        let (word, bit) = (offset / 64 + self.first, offset % 64);
        let mut any = 0;
        let places = self.words[self.first..].iter_mut();
        // Plain slices side by side: the compiler makes this loop wide. The second shift is in two
        // steps because it is by 64 when `bit` is 0.
        for ((place, low), high) in places.zip(&map[word..]).zip(&map[word + 1..]) {
            *place &= low >> bit | high << 1 << (63 - bit);
            any |= *place;
        }
        while self.words.get(self.first) == Some(&0) {
            self.first += 1;
        }
        while self.words.last() == Some(&0) {
            self.words.pop();
        }
        any != 0
    }

    /// Whether so few places are left that each may be tried by itself.
    fn few(&self) -> bool {
        self.words.len() - self.first <= 1
    }

    fn iter(&self) -> impl Iterator<Item = usize> {
        self.words
            .iter()
            .enumerate()
            .skip(self.first)
            .flat_map(|(index, word)| {
                (0..64)
                    .filter(move |bit| word >> bit & 1 == 1)
                    .map(move |bit| index * 64 + bit)
            })
    }
}

fn has(class: &Class, byte: u8) -> bool {
    class[usize::from(byte >> 6)] >> (byte & 63) & 1 == 1
}

fn both(a: &Class, b: &Class) -> Class {
    std::array::from_fn(|i| a[i] & b[i])
}

fn add(class: &mut Class, byte: u8) {
    class[usize::from(byte >> 6)] |= 1 << (byte & 63);
}

/// Reads the written pattern into tokens.
struct Reader<'a> {
    rest: &'a [u8],
    case: Case,
    /// Numbers of the classes that were met.
    known: HashMap<Class, u32>,
    made: Pattern,
}

impl Reader<'_> {
    fn read(mut self) -> Pattern {
        let mut after_star = false;
        while let Some(byte) = self.next() {
            if byte == b'*' {
                // Stars in a row are one.
                if !after_star {
                    self.made.ends.push(self.made.tokens.len());
                }
                after_star = true;
                continue;
            }
            after_star = false;
            let token = match byte {
                b'?' => Token::Any,
                b'[' => self.class(),
                // A backslash at the end stands for itself.
                b'\\' => {
                    let escaped = self.next().unwrap_or(b'\\');
                    self.byte(escaped)
                }
                plain => self.byte(plain),
            };
            self.made.tokens.push(token);
            self.made.bytes.push(if let Token::Byte(byte) = token {
                byte
            } else {
                0
            });
        }
        self.made.ends.push(self.made.tokens.len());
        self.made
    }

    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn byte(&mut self, byte: u8) -> Token {
        if self.case == Case::Sensitive || !byte.is_ascii_alphabetic() {
            return Token::Byte(byte);
        }
        let mut both = [0; 4];
        add(&mut both, byte.to_ascii_lowercase());
        add(&mut both, byte.to_ascii_uppercase());
        self.intern(both)
    }

    /// Reads a class behind its bracket.
    fn class(&mut self) -> Token {
        let mut class = [0; 4];
        let inverted = self.rest.first() == Some(&b'^');
        if inverted {
            self.rest = &self.rest[1..];
        }
        loop {
            match *self.rest {
                [b'\\', escaped, ..] => {
                    add(&mut class, escaped);
                    self.rest = &self.rest[2..];
                }
                [b']', ..] => {
                    self.rest = &self.rest[1..];
                    break;
                }
                [] => break,
                [from, b'-', to, ..] => {
                    self.range(from.min(to), from.max(to), &mut class);
                    self.rest = &self.rest[3..];
                }
                [byte, ..] => {
                    self.range(byte, byte, &mut class);
                    self.rest = &self.rest[1..];
                }
            }
        }
        self.intern(if inverted {
            class.map(|word| !word)
        } else {
            class
        })
    }

    /// Adds a range. With folded case its ends and the text's byte are compared in lower case, so
    /// that `[Z-a]` is the empty range from `z` to `a`.
    fn range(&self, from: u8, to: u8, class: &mut Class) {
        let lower = |byte: u8| byte.to_ascii_lowercase();
        match self.case {
            Case::Sensitive => (from..=to).for_each(|byte| add(class, byte)),
            Case::Folded => (0..=u8::MAX)
                .filter(|byte| (lower(from)..=lower(to)).contains(&lower(*byte)))
                .for_each(|byte| add(class, byte)),
        }
    }

    /// Each class is kept once: a pattern of a million brackets makes no million classes.
    fn intern(&mut self, class: Class) -> Token {
        let made = &mut self.made.classes;
        let number = *self.known.entry(class).or_insert_with(|| {
            made.push(class);
            u32::try_from(made.len() - 1).expect("a request has fewer bytes than that")
        });
        Token::Class(number)
    }
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
                let mut reader = Reader {
                    rest: pattern,
                    case,
                    known: HashMap::new(),
                    made: Pattern::empty(pattern == b"*"),
                };
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

    /// The search by maps answers as the search by trying does.
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
                let places = text.len() + 1 - length;
                let tried = (0..places).find(|at| pattern.agrees(part, &text[*at..at + length]));
                assert!(tried.is_some());
                assert_eq!(
                    pattern.find_long(part, &text, places),
                    tried,
                    "{length} at {at}"
                );
            }
        }
    }

    #[test]
    fn the_worst_patterns_answer_in_time() {
        // A build without optimisation is only asked not to be quadratic.
        const MIB: usize = if cfg!(debug_assertions) {
            1 << 17
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
        for (name, pattern) in [
            ("stars", repeated(b"a*", b"b")),
            ("stars in the middle", repeated(b"*a", b"*b*")),
            ("only stars", repeated(b"*", b"b")),
            ("plain bytes", half(b"*", b"a", b"b*")),
            ("any bytes", half(b"*", b"?", b"b*")),
            ("classes and stars", repeated(b"[a-z]*", b"[b]*c")),
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
    }
}
