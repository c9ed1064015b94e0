//! What a parameter's words mean: kinds, values, and the texts that say no.
//!
//! A [`Kind`] turns words into a [`Value`] or into the reason that CONFIG SET and the configuration
//! file show; a value turns back into one canonical text (CONFIG GET) and into lines of a file
//! (CONFIG REWRITE, see [`Kind::lines`]). The texts are Redis's, because tests and tools read them.
//!
//! ```text
//!   words ──parse──▶ Value ──text──▶ "67108864"          CONFIG GET
//!                          └─lines─▶ ["name 64mb", …]    CONFIG REWRITE
//! ```
//!
//! V1  `parse(words of text(v)) == v` for every value, so that a failed CONFIG SET can be undone and
//!     a rewritten file means the same (a property test in `table.rs` runs every row).
//! V2  no text contains CR, LF or NUL outside of quotes in `lines`, so no value can add a line.
//!
//! Checked by: tests below and in `table.rs`, fuzz/config.

use std::fmt::Write as _;

/// A word of a directive.
pub(crate) type Word = Box<[u8]>;

/// What a parameter may hold.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `yes` or `no`.
    Bool,
    /// A whole number within bounds.
    Number {
        /// The smallest.
        min: i128,
        /// The largest.
        max: i128,
        /// How it is written.
        unit: Unit,
    },
    /// One of some words. Words with one number mean the same; the first is the one shown.
    Choice(&'static [(&'static str, u32)]),
    /// Any of some words, together; the numbers are bits, 0 is none of them. The function says which
    /// bits do not go together.
    Choices(
        &'static [(&'static str, u32)],
        fn(u32) -> Result<(), &'static str>,
    ),
    /// A text; the function says what is wrong with one.
    Text(fn(&[u8]) -> Result<(), &'static str>),
    /// A parameter with a form of its own.
    Special(Special),
}

/// How a number is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Digits.
    Plain,
    /// Bytes, with `k`, `kb`, `m`, `mb`, `g`, `gb`.
    Bytes,
    /// The same, or a percentage, kept as a negative number.
    BytesOrPercent,
    /// File rights.
    Octal,
}

/// Parameters with a form of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Special {
    /// Addresses; a leading `-` makes one optional.
    Bind,
    /// Pairs of seconds and changes.
    Save,
    /// Class, hard limit, soft limit, seconds; repeated.
    OutputLimits,
    /// Three numbers.
    OomValues,
    /// Letters of event classes.
    Events,
    /// Percentiles.
    Percentiles,
    /// A folder: kept as it was given; who applies it makes it absolute.
    Dir,
    /// Host and port, or `no one`.
    ReplicaOf,
}

/// What a parameter holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Of [`Kind::Bool`].
    Bool(bool),
    /// Of [`Kind::Number`].
    Number(i128),
    /// Of [`Kind::Choice`] and [`Kind::Choices`].
    Choice(u32),
    /// Of [`Kind::Text`].
    Text(Word),
    /// Of most specials.
    Words(Vec<Word>),
    /// Of [`Special::OutputLimits`]: hard, soft, seconds of normal, replica and pubsub clients.
    Limits([[u64; 3]; 3]),
}

/// Names of the classes of [`Value::Limits`], as CONFIG GET gives them.
const CLASSES: [&str; 3] = ["normal", "slave", "pubsub"];

impl Kind {
    /// What `words` mean here; `before` is what the parameter holds, for forms that change a part.
    pub(crate) fn parse(self, words: &[Word], before: Option<&Value>) -> Result<Value, String> {
        match self {
            Kind::Bool => match &*one(words)?.to_ascii_lowercase() {
                b"yes" => Ok(Value::Bool(true)),
                b"no" => Ok(Value::Bool(false)),
                _ => Err("argument must be 'yes' or 'no'".into()),
            },
            Kind::Number { min, max, unit } => {
                number(one(words)?, min, max, unit).map(Value::Number)
            }
            Kind::Choice(options) => match words {
                [word] => find(options, word)
                    .map(Value::Choice)
                    .ok_or_else(|| must_be_of(options)),
                _ => Err(must_be_of(options)),
            },
            Kind::Choices(options, _) if words.is_empty() => Err(must_be_of(options)),
            Kind::Choices(options, check) => {
                let bits = words
                    .iter()
                    .try_fold(0, |bits, word| find(options, word).map(|bit| bits | bit));
                let bits = bits.ok_or_else(|| must_be_of(options))?;
                check(bits)?;
                Ok(Value::Choice(bits))
            }
            Kind::Text(check) => {
                let text = one(words)?;
                check(text)?;
                Ok(Value::Text(text.clone()))
            }
            Kind::Special(special) => special.parse(words, before),
        }
    }

    /// Its canonical text.
    pub(crate) fn text(self, value: &Value) -> Vec<u8> {
        match (self, value) {
            (
                Kind::Number {
                    unit: Unit::BytesOrPercent,
                    ..
                },
                Value::Number(n),
            ) if *n < 0 => format!("{}%", -n).into_bytes(),
            (
                Kind::Number {
                    unit: Unit::Octal, ..
                },
                Value::Number(n),
            ) => format!("{n:o}").into_bytes(),
            (Kind::Choice(options), Value::Choice(n)) => options
                .iter()
                .find(|(_, v)| v == n)
                .map_or("unknown", |(name, _)| name)
                .into(),
            (Kind::Choices(options, _), Value::Choice(bits)) => {
                choices_text(options, *bits).into_bytes()
            }
            (_, Value::Bool(b)) => if *b { "yes" } else { "no" }.into(),
            (_, Value::Number(n)) => n.to_string().into_bytes(),
            (_, Value::Choice(n)) => n.to_string().into_bytes(),
            (_, Value::Text(text)) => text.to_vec(),
            (_, Value::Words(words)) => words.join(&b' '),
            (_, Value::Limits(limits)) => {
                let mut text = String::new();
                for (class, [hard, soft, seconds]) in CLASSES.iter().zip(limits) {
                    let gap = if text.is_empty() { "" } else { " " };
                    // Writing to a string cannot fail.
                    let _ = write!(text, "{gap}{class} {hard} {soft} {seconds}");
                }
                text.into_bytes()
            }
        }
    }

    /// The lines of a configuration file that give `name` this value.
    pub(crate) fn lines(self, name: &str, value: &Value) -> Vec<Vec<u8>> {
        let line = |rest: Vec<u8>| [name.as_bytes(), b" ", &rest].concat();
        match (self, value) {
            (
                Kind::Number {
                    unit: Unit::Bytes | Unit::BytesOrPercent,
                    ..
                },
                Value::Number(n),
            ) if *n >= 0 => {
                vec![line(bytes_text(*n).into_bytes())]
            }
            (_, Value::Text(text)) => vec![line(resp::repr(text))],
            (Kind::Special(Special::Save), Value::Words(words)) if !words.is_empty() => {
                words.chunks(2).map(|pair| line(pair.join(&b' '))).collect()
            }
            (_, Value::Words(words)) if words.is_empty() => vec![line(b"\"\"".to_vec())],
            // A word that stands alone is split once more when it is read.
            (_, Value::Words(words)) if words.len() == 1 && !is_plain(&words[0]) => {
                vec![line(resp::repr(&resp::repr(&words[0])))]
            }
            (_, Value::Words(words)) => {
                let words: Vec<Vec<u8>> = words.iter().map(|w| plain_or_quoted(w)).collect();
                vec![line(words.join(&b' '))]
            }
            (_, Value::Limits(limits)) => CLASSES
                .iter()
                .zip(limits)
                .map(|(class, [hard, soft, seconds])| {
                    let class = if *class == "slave" { "replica" } else { class };
                    let (hard, soft) = (bytes_text((*hard).into()), bytes_text((*soft).into()));
                    line(format!("{class} {hard} {soft} {seconds}").into_bytes())
                })
                .collect(),
            _ => vec![line(self.text(value))],
        }
    }
}

pub(super) const WRONG_COUNT: &str = "wrong number of arguments";

pub(super) fn one(words: &[Word]) -> Result<&Word, String> {
    match words {
        [word] => Ok(word),
        _ => Err(WRONG_COUNT.into()),
    }
}

fn find(options: &[(&str, u32)], word: &[u8]) -> Option<u32> {
    options
        .iter()
        .find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes()))
        .map(|(_, value)| *value)
}

fn must_be_of(options: &[(&str, u32)]) -> String {
    let names: Vec<&str> = options.iter().map(|(name, _)| *name).collect();
    format!(
        "argument(s) must be one of the following: {}",
        names.join(", ")
    )
}

fn choices_text(options: &[(&str, u32)], bits: u32) -> String {
    if let Some((name, _)) = options.iter().find(|(_, value)| *value == bits) {
        return (*name).to_owned();
    }
    let set = options
        .iter()
        .filter(|(_, value)| *value != 0 && bits & value == *value);
    set.map(|(name, _)| *name).collect::<Vec<_>>().join(" ")
}

fn number(word: &[u8], min: i128, max: i128, unit: Unit) -> Result<i128, String> {
    let n = match unit {
        Unit::Plain => strict_number(word).ok_or("argument couldn't be parsed into an integer")?,
        Unit::Bytes => bytes_of(word).ok_or("argument must be a memory value")?,
        Unit::BytesOrPercent => bytes_of(word)
            .or_else(|| percent(word))
            .ok_or("argument must be a memory or percent value")?,
        Unit::Octal => octal(word).ok_or("argument couldn't be parsed as an octal number")?,
    };
    match unit {
        Unit::BytesOrPercent if n < 0 && n < min => Err(format!(
            "percentage argument must be less or equal to {}",
            -min
        )),
        Unit::Octal if !(min..=max).contains(&n) => Err(format!(
            "argument must be between {min:o} and {max:o} inclusive"
        )),
        _ if !(min..=max).contains(&n) => Err(format!(
            "argument must be between {min} and {max} inclusive"
        )),
        _ => Ok(n),
    }
}

/// A number in its one canonical spelling, within 64 bits.
fn strict_number(word: &[u8]) -> Option<i128> {
    let text = std::str::from_utf8(word).ok()?;
    let n: i64 = text.parse().ok()?;
    (n.to_string() == text).then_some(n.into())
}

/// A number as `strtoll` reads it: leading white space, a sign, leading zeroes; nothing behind.
pub(super) fn prefixed_number(word: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(word).ok()?;
    let text = text.trim_start_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']);
    // Redis reads an empty word as 0.
    if text.is_empty() {
        Some(0)
    } else {
        text.parse().ok()
    }
}

pub(super) fn canonical(word: &[u8]) -> Word {
    prefixed_number(word)
        .unwrap_or(0)
        .to_string()
        .into_bytes()
        .into()
}

/// Digits with a unit, within 64 unsigned bits.
pub(crate) fn bytes_of(word: &[u8]) -> Option<i128> {
    let digits = word.iter().take_while(|b| b.is_ascii_digit()).count();
    let (digits, unit) = word.split_at(digits);
    let unit: u64 = match &*unit.to_ascii_lowercase() {
        b"" | b"b" => 1,
        b"k" => 1000,
        b"kb" => 1 << 10,
        b"m" => 1_000_000,
        b"mb" => 1 << 20,
        b"g" => 1_000_000_000,
        b"gb" => 1 << 30,
        _ => return None,
    };
    let n: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    n.checked_mul(unit).map(i128::from)
}

fn percent(word: &[u8]) -> Option<i128> {
    let n = strict_number(word.strip_suffix(b"%")?)?;
    (n >= 0).then_some(-n)
}

fn octal(word: &[u8]) -> Option<i128> {
    let text = std::str::from_utf8(word).ok()?;
    i64::from_str_radix(text, 8).ok().map(i128::from)
}

/// A size with the largest unit that divides it.
fn bytes_text(n: i128) -> String {
    for (unit, name) in [(1 << 30, "gb"), (1 << 20, "mb"), (1 << 10, "kb")] {
        if n != 0 && n % unit == 0 {
            return format!("{}{name}", n / unit);
        }
    }
    n.to_string()
}

/// Whether a word may stand in a file as it is: it is made of harmless characters.
fn is_plain(word: &[u8]) -> bool {
    let harmless = |b: &u8| b.is_ascii_graphic() && !matches!(b, b'"' | b'\'' | b'\\');
    !word.is_empty() && word.iter().all(harmless)
}

/// A word as it may stand in a file.
fn plain_or_quoted(word: &[u8]) -> Vec<u8> {
    if is_plain(word) {
        word.to_vec()
    } else {
        resp::repr(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn words(text: &str) -> Vec<Word> {
        if text.is_empty() {
            Vec::new()
        } else {
            text.split(' ').map(|w| w.as_bytes().into()).collect()
        }
    }

    fn check(kind: Kind, input: &str, expected: Result<&str, &str>) {
        let got = kind
            .parse(&words(input), None)
            .map(|v| String::from_utf8(kind.text(&v)).expect("ASCII"));
        assert_eq!(
            got,
            expected.map(str::to_owned).map_err(str::to_owned),
            "{kind:?} {input:?}"
        );
    }

    #[test]
    fn numbers() {
        let int = Kind::Number {
            min: 1,
            max: 99,
            unit: Unit::Plain,
        };
        check(int, "7", Ok("7"));
        for (bad, why) in [
            ("0", "argument must be between 1 and 99 inclusive"),
            ("07", "argument couldn't be parsed into an integer"),
            ("7 7", "wrong number of arguments"),
            (
                "9223372036854775808",
                "argument couldn't be parsed into an integer",
            ),
        ] {
            check(int, bad, Err(why));
        }
        let bytes = Kind::Number {
            min: 0,
            max: u64::MAX.into(),
            unit: Unit::Bytes,
        };
        check(bytes, "64MB", Ok("67108864"));
        check(bytes, "2g", Ok("2000000000"));
        for bad in ["-1", "mb", "1tb", "18446744073709551615kb"] {
            check(bytes, bad, Err("argument must be a memory value"));
        }
        let share = Kind::Number {
            min: -100,
            max: i64::MAX.into(),
            unit: Unit::BytesOrPercent,
        };
        check(share, "5%", Ok("5%"));
        check(share, "1kb", Ok("1024"));
        check(
            share,
            "101%",
            Err("percentage argument must be less or equal to 100"),
        );
        check(
            share,
            "-5%",
            Err("argument must be a memory or percent value"),
        );
        let rights = Kind::Number {
            min: 0,
            max: 0o777,
            unit: Unit::Octal,
        };
        check(rights, "700", Ok("700"));
        check(
            rights,
            "1000",
            Err("argument must be between 0 and 777 inclusive"),
        );
        check(
            rights,
            "9",
            Err("argument couldn't be parsed as an octal number"),
        );
    }

    #[test]
    fn words_of_a_set() {
        let one = Kind::Choice(&[("no", 0), ("yes", 1), ("relative", 1)]);
        check(one, "RELATIVE", Ok("yes"));
        check(
            one,
            "maybe",
            Err("argument(s) must be one of the following: no, yes, relative"),
        );
        let many = Kind::Choices(
            &[("default", 0), ("save", 1), ("nosave", 2), ("now", 4)],
            |_| Ok(()),
        );
        check(many, "now save", Ok("save now"));
        check(many, "default", Ok("default"));
        check(
            many,
            "",
            Err("argument(s) must be one of the following: default, save, nosave, now"),
        );
    }

    #[test]
    fn specials() {
        let save = Kind::Special(Special::Save);
        check(save, "3600 1 0300 100", Ok("3600 1 300 100"));
        for bad in ["1", "0 1", "1 -1", "x 1", "1 1 1"] {
            check(save, bad, Err("Invalid save parameters"));
        }
        let limits = Kind::Special(Special::OutputLimits);
        check(
            limits,
            "replica 1mb 2 3 normal 1 2 3",
            Ok("normal 1 2 3 slave 1048576 2 3 pubsub 0 0 0"),
        );
        check(
            limits,
            "master 1 1 1",
            Err("Invalid client class specified in buffer limit configuration."),
        );
        check(
            limits,
            "normal 1 1 -1",
            Err("Error in hard, soft or soft_seconds setting in buffer limit configuration."),
        );
        let events = Kind::Special(Special::Events);
        check(events, "KEA", Ok("AKE"));
        check(events, "Kg$lshzxetd", Ok("AK"));
        check(events, "xlK", Ok("lxK"));
        check(
            events,
            "Kq",
            Err("Invalid event class character. Use 'Ag$lshzxeKEtmdn'."),
        );
        let percentiles = Kind::Special(Special::Percentiles);
        check(percentiles, "50 99.90 100.0", Ok("50 99.9 100"));
        check(
            percentiles,
            "101",
            Err("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]"),
        );
        check(
            Kind::Special(Special::ReplicaOf),
            "h 70000",
            Err("Invalid master port"),
        );
    }

    #[test]
    fn lines_cannot_be_injected() {
        let bind = Kind::Special(Special::Bind);
        let value = Value::Words(vec![
            b"127.0.0.1\nport 1".as_slice().into(),
            b"::1".as_slice().into(),
        ]);
        assert_eq!(
            bind.lines("bind", &value),
            [b"bind \"127.0.0.1\\nport 1\" ::1".to_vec()]
        );
        let alone = Value::Words(vec![b"a \"b".as_slice().into()]);
        assert_eq!(
            bind.lines("bind", &alone),
            [br#"bind "\"a \\\"b\"""#.to_vec()]
        );
        let text = Kind::Text(|_| Ok(()));
        assert_eq!(
            text.lines("x", &Value::Text(b"a\r\nb".as_slice().into())),
            [b"x \"a\\r\\nb\"".to_vec()]
        );
    }
}
