//! What handlers have in common when they read their words: option words, numbers, expiry options.
//!
//! A handler walks its options with [`Words`], asks [`is`] for each option word, and leaves the
//! expiry options to [`Ttl`]. Numbers are strict (see `resp::number`); which error a bad one gets
//! is the helper's name.

use resp::{Args, number};

use crate::error::CommandError;

/// Whether `word` is this option, in upper or lower case. Allocates nothing.
#[inline]
#[must_use]
pub fn is(word: &[u8], option: &str) -> bool {
    word.eq_ignore_ascii_case(option.as_bytes())
}

/// A 64-bit integer, or "value is not an integer or out of range".
#[inline]
pub fn integer(word: &[u8]) -> Result<i64, CommandError> {
    number::parse_i64(word).ok_or(CommandError::NotInteger)
}

/// A 64-bit integer, or a text of the command's own.
#[inline]
pub fn integer_or(word: &[u8], text: &'static str) -> Result<i64, CommandError> {
    number::parse_i64(word).ok_or(CommandError::Fixed(text))
}

/// An integer of a range, or a text of the command's own for whatever is not one.
pub fn ranged_or(
    word: &[u8],
    range: std::ops::RangeInclusive<i64>,
    text: &'static str,
) -> Result<i64, CommandError> {
    let value = integer_or(word, text)?;
    if range.contains(&value) {
        Ok(value)
    } else {
        Err(CommandError::Fixed(text))
    }
}

/// A count that may not be negative: not a number is "not an integer", below zero is "value is out
/// of range, must be positive".
pub fn count(word: &[u8]) -> Result<usize, CommandError> {
    usize::try_from(integer(word)?)
        .map_err(|_| CommandError::Fixed("ERR value is out of range, must be positive"))
}

/// A float, or "value is not a valid float".
pub fn float(word: &[u8]) -> Result<f64, CommandError> {
    number::parse_f64(word).ok_or(CommandError::NotFloat)
}

/// A float, or a text of the command's own.
pub fn float_or(word: &[u8], text: &'static str) -> Result<f64, CommandError> {
    number::parse_f64(word).ok_or(CommandError::Fixed(text))
}

/// A blocking command's timeout in seconds, as the moment at which it gives up; `None`: never.
///
/// # Errors
/// Redis's texts for what is no time.
pub fn timeout_seconds(word: &[u8], now_ms: i64) -> Result<Option<i64>, CommandError> {
    const NOT_FLOAT: CommandError =
        CommandError::Fixed("ERR timeout is not a float or out of range");
    let seconds = long_double(word).ok_or(NOT_FLOAT)?;
    let ms = (seconds * 1_000.0).ceil();
    if ms >= i64::MAX as f64 {
        return Err(CommandError::Fixed("ERR timeout is out of range"));
    }
    until(ms as i64, now_ms)
}

/// A time as Redis reads it, into a wider float than ours: what that holds and ours does not is the
/// largest here, or the smallest.
fn long_double(word: &[u8]) -> Option<f64> {
    /// Its largest power of ten.
    const EXPONENT_MAX: u64 = 4_931;
    if let Some(plain) = resp::number::parse_f64(word) {
        return Some(plain);
    }
    let letter = word.iter().position(|byte| matches!(byte, b'e' | b'E'))?;
    let exponent = match &word[letter + 1..] {
        [b'+' | b'-', digits @ ..] | digits => std::str::from_utf8(digits).ok()?,
    };
    let rounded = resp::number::parse_f64_rounded(word)?;
    let is_held = exponent.parse::<u64>().ok()? <= EXPONENT_MAX;
    is_held.then_some(match rounded == 0.0 {
        true => f64::MIN_POSITIVE.copysign(rounded),
        false => f64::MAX.copysign(rounded),
    })
}

/// The same in whole milliseconds (XREAD BLOCK).
///
/// # Errors
/// Redis's texts for what is no time.
pub fn timeout_ms(word: &[u8], now_ms: i64) -> Result<Option<i64>, CommandError> {
    let ms = integer_or(word, "ERR timeout is not an integer or out of range")?;
    until(ms, now_ms)
}

fn until(ms: i64, now_ms: i64) -> Result<Option<i64>, CommandError> {
    match ms {
        ..0 => Err(CommandError::Fixed("ERR timeout is negative")),
        0 => Ok(None),
        _ => now_ms
            .checked_add(ms)
            .map(Some)
            .ok_or(CommandError::Fixed("ERR timeout is out of range")),
    }
}

/// The positions `start` to `end`, ends included, as clipped to a string of `length` parts (bytes
/// or bits); negative ones count from the end. `None` when nothing is left between them.
#[must_use]
pub fn clip(start: i64, end: i64, length: u64) -> Option<(u64, u64)> {
    // Both behind the end, in the wrong order: without this, both would be clipped to 0 and meet.
    if start < 0 && end < 0 && start > end {
        return None;
    }
    let place = |at: i64| match u64::try_from(at) {
        Ok(at) => at,
        Err(_) => length.saturating_sub(at.unsigned_abs()),
    };
    let (first, last) = (place(start), place(end).min(length.checked_sub(1)?));
    (first <= last).then_some((first, last))
}

/// "wrong number of arguments", for the few commands whose arity a number cannot say.
#[must_use]
pub fn wrong_arity(command: &str) -> CommandError {
    CommandError::Text(format!("ERR wrong number of arguments for '{command}' command").into())
}

/// A walk over a request's words.
#[derive(Clone, Debug)]
pub struct Words<'a> {
    args: Args<'a>,
    at: usize,
}

impl<'a> Words<'a> {
    /// From word `at` on.
    #[must_use]
    pub fn from(args: Args<'a>, at: usize) -> Words<'a> {
        Words { args, at }
    }

    /// The value that an option needs; without one the option is a syntax error.
    pub fn value(&mut self) -> Result<&'a [u8], CommandError> {
        self.next().ok_or(CommandError::Syntax)
    }

    /// How many words are left.
    #[must_use]
    pub fn left(&self) -> usize {
        self.args.len().saturating_sub(self.at)
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let word = self.args.try_get(self.at)?;
        self.at += 1;
        Some(word)
    }
}

/// Which expiry words a command knows besides EX, PX, EXAT and PXAT, and whether it lets the same
/// one be said twice.
#[derive(Clone, Copy, Debug)]
pub struct TtlWords {
    /// KEEPTTL: SET, MSETEX.
    pub keep: bool,
    /// PERSIST: GETEX, INCREX.
    pub persist: bool,
    /// The same word again overrides (SET, GETEX) instead of being a syntax error.
    pub repeats: bool,
}

/// The expiry options of SET, GETEX, MSETEX, INCREX and their like, as they were said. The number
/// is looked at only by [`Ttl::deadline`]: in Redis every syntax error comes before a bad number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ttl<'a> {
    /// Nothing was said.
    #[default]
    Unsaid,
    /// KEEPTTL.
    Keep,
    /// PERSIST.
    Persist,
    /// One of the four with a time.
    Time {
        /// Which of the four.
        form: TimeForm,
        /// The number, unread.
        word: &'a [u8],
    },
}

/// The four words that are followed by a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeForm {
    /// Seconds from now.
    Ex,
    /// Milliseconds from now.
    Px,
    /// Seconds since 1970.
    ExAt,
    /// Milliseconds since 1970.
    PxAt,
}

impl TimeForm {
    /// The form that a word names.
    #[must_use]
    pub fn of(word: &[u8]) -> Option<TimeForm> {
        [
            ("EX", Self::Ex),
            ("PX", Self::Px),
            ("EXAT", Self::ExAt),
            ("PXAT", Self::PxAt),
        ]
        .into_iter()
        .find_map(|(name, form)| is(word, name).then_some(form))
    }

    fn seconds(self) -> bool {
        matches!(self, Self::Ex | Self::ExAt)
    }

    fn relative(self) -> bool {
        matches!(self, Self::Ex | Self::Px)
    }

    /// The moment that `word` says in this form; it must lie behind 1970 and fit 64 bits.
    pub fn deadline(
        self,
        word: &[u8],
        command: &'static str,
        now_ms: i64,
    ) -> Result<i64, CommandError> {
        let value = integer(word)?;
        let ms = if self.seconds() {
            value.checked_mul(1000)
        } else {
            Some(value)
        };
        let ms = ms.filter(|&ms| ms > 0);
        let at = if self.relative() {
            ms.and_then(|ms| ms.checked_add(now_ms))
        } else {
            ms
        };
        at.ok_or(CommandError::InvalidExpire(command))
    }
}

impl<'a> Ttl<'a> {
    /// Takes `word` if it is an expiry option, and its time from `words`. `Ok(false)` when it is
    /// some other word; a syntax error when two of them exclude each other.
    pub fn take(
        &mut self,
        word: &[u8],
        words: &mut Words<'a>,
        known: TtlWords,
    ) -> Result<bool, CommandError> {
        let said = if let Some(form) = TimeForm::of(word) {
            Ttl::Time {
                form,
                word: words.value()?,
            }
        } else if known.keep && is(word, "KEEPTTL") {
            Ttl::Keep
        } else if known.persist && is(word, "PERSIST") {
            Ttl::Persist
        } else {
            return Ok(false);
        };
        let fits = match (*self, said) {
            (Ttl::Unsaid, _) => true,
            (Ttl::Time { form: before, .. }, Ttl::Time { form, .. }) => {
                known.repeats && before == form
            }
            (before, said) => known.repeats && before == said,
        };
        *self = said;
        if fits {
            Ok(true)
        } else {
            Err(CommandError::Syntax)
        }
    }

    /// The moment, if a time was said.
    pub fn deadline(self, command: &'static str, now_ms: i64) -> Result<Option<i64>, CommandError> {
        match self {
            Ttl::Time { form, word } => form.deadline(word, command, now_ms).map(Some),
            Ttl::Unsaid | Ttl::Keep | Ttl::Persist => Ok(None),
        }
    }

    /// Whether a moment since 1970 was said: EXAT or PXAT.
    #[must_use]
    pub fn is_absolute(self) -> bool {
        matches!(
            self,
            Ttl::Time {
                form: TimeForm::ExAt | TimeForm::PxAt,
                ..
            }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use resp::OwnedArgs;

    const ALL: TtlWords = TtlWords {
        keep: true,
        persist: true,
        repeats: true,
    };

    fn check(line: &str, expected: Result<Option<i64>, &str>) {
        let args = OwnedArgs::from_slices(&line.split_whitespace().collect::<Vec<_>>());
        let mut words = Words::from(args.as_args(), 0);
        let mut read = || {
            let mut ttl = Ttl::default();
            while let Some(word) = words.next() {
                if !ttl.take(word, &mut words, ALL)? {
                    return Err(CommandError::Syntax);
                }
            }
            ttl.deadline("set", 1000)
        };
        assert_eq!(
            read().map_err(|e| e.text().into_owned()),
            expected.map_err(str::to_owned)
        );
    }

    #[test]
    fn expiry_options() {
        let syntax = Err("ERR syntax error");
        let invalid = Err("ERR invalid expire time in 'set' command");
        let number = Err("ERR value is not an integer or out of range");
        check("", Ok(None));
        check("KEEPTTL", Ok(None));
        check("ex 10", Ok(Some(11_000)));
        check("PX 10", Ok(Some(1_010)));
        check("ExAt 10", Ok(Some(10_000)));
        check("PXAT 10", Ok(Some(10)));
        check("EX 10 EX 20", Ok(Some(21_000)));
        check("EX", syntax);
        check("EX 10 PX 10", syntax);
        check("KEEPTTL PERSIST", syntax);
        check("PXAT 10 KEEPTTL", syntax);
        check("NX", syntax);
        check("EX ten", number);
        check("EX 0", invalid);
        check("PXAT -1", invalid);
        check("EX 9223372036854775807", invalid);
        check("EXAT 9223372036854775", Ok(Some(9_223_372_036_854_775_000)));
        check("EX 9223372036854775", invalid);
        check("PX 9223372036854775807", invalid);
    }

    #[test]
    fn the_strict_ones_refuse_repetition() {
        let args = OwnedArgs::from_slices(&["EX", "1", "EX", "2"]);
        let mut words = Words::from(args.as_args(), 0);
        let strict = TtlWords {
            repeats: false,
            ..ALL
        };
        let mut ttl = Ttl::default();
        let first = words.next().expect("EX");
        assert_eq!(ttl.take(first, &mut words, strict), Ok(true));
        let second = words.next().expect("EX");
        assert_eq!(
            ttl.take(second, &mut words, strict),
            Err(CommandError::Syntax)
        );
    }

    #[test]
    fn clipping() {
        for (start, end, expected) in [
            (0, -1, Some((0, 4))),
            (-3, -1, Some((2, 4))),
            (1, 100, Some((1, 4))),
            (-100, -99, Some((0, 0))),
            (-100, -101, None),
            (0, -100, Some((0, 0))),
            (1, -100, None),
            (3, 2, None),
            (5, 9, None),
            (i64::MIN, i64::MAX, Some((0, 4))),
        ] {
            assert_eq!(clip(start, end, 5), expected, "{start} {end}");
        }
        assert_eq!(clip(0, -1, 0), None);
    }

    #[test]
    fn numbers_and_their_errors() {
        assert_eq!(integer(b"-5"), Ok(-5));
        assert_eq!(integer(b"5 "), Err(CommandError::NotInteger));
        assert_eq!(float(b"1e3"), Ok(1000.0));
        assert_eq!(float(b"x"), Err(CommandError::NotFloat));
        assert_eq!(count(b"0"), Ok(0));
        assert_eq!(
            count(b"-1").expect_err("negative").text(),
            "ERR value is out of range, must be positive"
        );
        assert_eq!(
            ranged_or(b"2", 0..=1, "ERR x"),
            Err(CommandError::Fixed("ERR x"))
        );
    }
}
