//! Words of a line, with quotes and escapes: inline commands, configuration lines, hints.
//!
//!   set "a b\x00\n" 'it\'s'   →   [set] [a b NUL LF] [it's]
//!
//! Words are separated by white space (space, \t, \n, \v, \f, \r). Double quotes know `\xHH`,
//! `\n \r \t \b \a`, and `\c` for any other c; single quotes know only `\'`. A closing quote must be
//! followed by white space or the end, so `"a"b` is an error, as is a quote that never closes.
//! A quote may begin in the middle of a bare word and continues it: `a"b c"` is one word. A NUL
//! outside quotes ends the line, as it does for clients of the C implementation.
//!
//! Checked by: tests below, and `quote.rs`'s test that what it writes is read back here.

/// A quote was not closed, or something other than white space followed its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnbalancedQuotes;

/// Splits a line into its words.
pub fn split_words(line: &[u8]) -> Result<Vec<Vec<u8>>, UnbalancedQuotes> {
    let mut words = Vec::new();
    let mut rest = line;
    loop {
        while let [first, tail @ ..] = rest
            && is_space(*first)
        {
            rest = tail;
        }
        if matches!(rest, [] | [0, ..]) {
            return Ok(words);
        }
        let (word, tail) = one_word(rest)?;
        words.push(word);
        rest = tail;
    }
}

/// Whether a byte separates words.
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// Whether a line's words are its bytes between white space, so that they need no copy.
pub(crate) fn is_plain(line: &[u8]) -> bool {
    memchr::memchr3(b'"', b'\'', 0, line).is_none()
}

/// Reads one word from the start of `rest`; gives what follows it.
fn one_word(mut rest: &[u8]) -> Result<(Vec<u8>, &[u8]), UnbalancedQuotes> {
    let mut word = Vec::new();
    loop {
        match rest {
            [] | [0, ..] => return Ok((word, rest)),
            [byte, ..] if is_space(*byte) => return Ok((word, rest)),
            [quote @ (b'"' | b'\''), tail @ ..] => {
                rest = quoted(*quote, tail, &mut word)?;
                // The word ends with the quote.
                return match rest {
                    [byte, ..] if *byte != 0 && !is_space(*byte) => Err(UnbalancedQuotes),
                    _ => Ok((word, rest)),
                };
            }
            [byte, tail @ ..] => {
                word.push(*byte);
                rest = tail;
            }
        }
    }
}

/// Reads to the closing `quote`; gives what follows it.
fn quoted<'a>(
    quote: u8,
    mut rest: &'a [u8],
    word: &mut Vec<u8>,
) -> Result<&'a [u8], UnbalancedQuotes> {
    loop {
        let (byte, tail) = match rest {
            [] => return Err(UnbalancedQuotes),
            [b'\\', b'\'', tail @ ..] if quote == b'\'' => (b'\'', tail),
            [b'\\', b'x', high, low, tail @ ..]
                if quote == b'"' && high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                (hex(*high) << 4 | hex(*low), tail)
            }
            [b'\\', escaped, tail @ ..] if quote == b'"' => (unescape(*escaped), tail),
            [byte, tail @ ..] if *byte == quote => return Ok(tail),
            [byte, tail @ ..] => (*byte, tail),
        };
        word.push(byte);
        rest = tail;
    }
}

fn unescape(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'a' => 7,
        other => other,
    }
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit - b'A' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &[&str]) {
        let words = split_words(line.as_bytes()).expect(line);
        assert_eq!(
            words,
            expected
                .iter()
                .map(|w| w.as_bytes().to_vec())
                .collect::<Vec<_>>()
        );
    }

    #[test]
    fn words_and_quotes() {
        check("", &[]);
        check(" \t ", &[]);
        check("set k v", &["set", "k", "v"]);
        check("  set\tk   v \r", &["set", "k", "v"]);
        check(r#"set "a b" 'c d' """#, &["set", "a b", "c d", ""]);
        check(r#""\n\r\t\b\a\q\"\\""#, &["\n\r\t\u{8}\u{7}q\"\\"]);
        check(r#""\x41\x0g""#, &["Ax0g"]);
        check(r#"'\n' 'it\'s'"#, &["\\n", "it's"]);
        check(r#"ab"c d" e"#, &["abc d", "e"]);
        check("a\0b", &["a"]);
    }

    #[test]
    fn bytes_above_127_and_zero_in_quotes() {
        assert_eq!(
            split_words(b"\"\\xff\\x00\" \xfe"),
            Ok(vec![vec![255, 0], vec![254]])
        );
    }

    #[test]
    fn unbalanced() {
        for line in [
            "\"", "'", "\"a", "'a\\'", "\"a\"b", "'a'b", "a\"b\"c", "\"\\", "\"\\\"",
        ] {
            assert_eq!(
                split_words(line.as_bytes()),
                Err(UnbalancedQuotes),
                "{line}"
            );
        }
    }
}
