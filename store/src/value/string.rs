//! Strings as they are read and as they are handed in.
//!
//! A string is held in one of three forms, and the two enums here mirror them: [`Str`] looks at a
//! held one, [`NewStr`] brings a new one.
//!
//! | form | where its bytes are | when |
//! |---|---|---|
//! | `Int` | 8 bytes in the entry | it spells a 64-bit integer exactly, and was set whole |
//! | `Bytes` | in the entry behind the key | short (`entry::IN_PLACE_BYTES_MAX`) |
//! | `Blob` | in an allocation of its own, shared by count | longer |
//!
//! The count of a blob is what lets a received value move in without a copy, lets a reply pin it
//! beyond the lock, and lets a snapshot keep it; it is written only while the count is one.

use std::sync::Arc;

/// The longest string that OBJECT ENCODING calls `embstr`.
pub const EMBSTR_BYTES_MAX: usize = 44;

/// The longest spelling of a 64-bit integer: `-9223372036854775808`.
pub const INT_CHARS_MAX: usize = 20;

/// A look at a string.
#[derive(Clone, Copy, Debug)]
pub enum Str<'a> {
    /// An integer that stands for its decimal spelling.
    Int(i64),
    /// Bytes inside the entry.
    Bytes(&'a [u8]),
    /// Bytes of their own; cloning the `Arc` keeps them beyond the unit.
    Blob(&'a Arc<Vec<u8>>),
}

impl<'a> Str<'a> {
    /// The bytes; `buffer` lends the room for an integer's spelling.
    #[must_use]
    pub fn bytes<'b>(self, buffer: &'b mut [u8; INT_CHARS_MAX]) -> &'b [u8]
    where
        'a: 'b,
    {
        match self {
            Str::Int(n) => spell_int(n, buffer),
            Str::Bytes(bytes) => bytes,
            Str::Blob(blob) => blob,
        }
    }

    /// How many bytes the string has.
    #[must_use]
    pub fn len(self) -> usize {
        match self {
            Str::Int(n) => int_chars(n),
            Str::Bytes(bytes) => bytes.len(),
            Str::Blob(blob) => blob.len(),
        }
    }

    /// Whether it is the empty string.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The integer that the string spells exactly, if it does: what INCR accepts.
    #[must_use]
    pub fn as_int(self) -> Option<i64> {
        match self {
            Str::Int(n) => Some(n),
            Str::Bytes(bytes) => parse_int(bytes),
            Str::Blob(blob) => parse_int(blob),
        }
    }
}

/// A string on its way in.
#[derive(Clone, Debug)]
pub enum NewStr<'a> {
    /// An integer.
    Int(i64),
    /// Bytes that will be copied.
    Bytes(&'a [u8]),
    /// Bytes that are moved in without a copy.
    Blob(Arc<Vec<u8>>),
}

impl<'a> NewStr<'a> {
    /// The form that SET gives to `bytes`: an integer when they spell one exactly.
    #[must_use]
    pub fn of(bytes: &'a [u8]) -> Self {
        match parse_int(bytes) {
            Some(n) => NewStr::Int(n),
            None => NewStr::Bytes(bytes),
        }
    }

    /// How many bytes the string has.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            NewStr::Int(n) => int_chars(*n),
            NewStr::Bytes(bytes) => bytes.len(),
            NewStr::Blob(blob) => blob.len(),
        }
    }

    /// Whether it is the empty string.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The 64-bit integer that `bytes` spell exactly: no sign `+`, no leading zero, no space, `-0`
/// not. So `spell_int(parse_int(b)) == b` whenever it answers at all.
#[must_use]
pub fn parse_int(bytes: &[u8]) -> Option<i64> {
    let (negative, digits) = match bytes {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    // 19 digits cannot overflow u64; the range is checked below.
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    if digits[0] == b'0' {
        return (digits.len() == 1 && !negative).then_some(0);
    }
    let mut magnitude: u64 = 0;
    for &digit in digits {
        let value = digit.wrapping_sub(b'0');
        if value > 9 {
            return None;
        }
        magnitude = magnitude * 10 + u64::from(value);
    }
    if negative {
        (magnitude <= i64::MIN.unsigned_abs()).then(|| (magnitude as i64).wrapping_neg())
    } else {
        i64::try_from(magnitude).ok()
    }
}

/// Writes the decimal spelling of `n` into `buffer` and returns it.
#[must_use]
pub fn spell_int(n: i64, buffer: &mut [u8; INT_CHARS_MAX]) -> &[u8] {
    let mut at = buffer.len();
    let mut rest = n.unsigned_abs();
    loop {
        at -= 1;
        buffer[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if n < 0 {
        at -= 1;
        buffer[at] = b'-';
    }
    &buffer[at..]
}

/// How many characters the spelling of `n` has.
#[must_use]
pub fn int_chars(n: i64) -> usize {
    let digits = n.unsigned_abs().checked_ilog10().unwrap_or(0) as usize + 1;
    digits + usize::from(n < 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<i64>) {
        assert_eq!(parse_int(text.as_bytes()), expected, "{text:?}");
        if let Some(n) = expected {
            assert_eq!(spell_int(n, &mut [0; INT_CHARS_MAX]), text.as_bytes());
            assert_eq!(int_chars(n), text.len());
        }
    }

    #[test]
    fn integers_are_recognised_only_in_their_one_spelling() {
        for n in [
            0,
            1,
            -1,
            9,
            10,
            -10,
            99,
            100,
            i64::MAX,
            i64::MIN,
            i64::MAX / 10,
        ] {
            check(&n.to_string(), Some(n));
        }
        for text in [
            "",
            "-",
            "+1",
            "-0",
            "00",
            "01",
            " 1",
            "1 ",
            "1a",
            "a",
            "9223372036854775808",
            "-9223372036854775809",
            "99999999999999999999",
            "--1",
            "1.0",
            "/",
            ":",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn lengths_are_those_of_the_bytes() {
        for text in ["", "abc", "-17", "0", "12345678901234567890"] {
            assert_eq!(NewStr::of(text.as_bytes()).len(), text.len());
        }
        assert_eq!(Str::Int(-120).len(), 4);
        assert!(!Str::Int(0).is_empty());
    }
}
