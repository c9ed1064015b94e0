//! The language of configuration files: lines of words.
//!
//! ```text
//!   # a comment                      a line is a comment, empty, or words
//!   name word "quoted word" 'x\'y'   quotes and escapes as in inline commands
//!   include /etc/redstart/*.conf     see `load.rs`
//! ```
//!
//! Lines end with LF or CRLF; blanks at both ends do not count; a UTF-8 byte order mark at the
//! beginning is skipped. UTF-16, which some Windows editors write, is refused by name, since
//! reading it as bytes would complain about a directive that looks right on the screen.
//!
//! Checked by: tests below, fuzz/config.

use super::value::Word;

/// What is wrong with a line's form.
pub(crate) const UNBALANCED: &str = "Unbalanced quotes in configuration line";

/// A file's bytes without byte order mark, or the reason why they are not a configuration.
pub(crate) fn decode(bytes: Vec<u8>) -> Result<Vec<u8>, &'static str> {
    match bytes.as_slice() {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            Err("the file is encoded in UTF-16; save it as UTF-8 (or plain ASCII) and try again")
        }
        [0xef, 0xbb, 0xbf, rest @ ..] => Ok(rest.to_vec()),
        _ => Ok(bytes),
    }
}

/// A text's lines, trimmed.
pub(crate) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|b| *b == b'\n').map(trim)
}

fn trim(mut line: &[u8]) -> &[u8] {
    while let [b' ' | b'\t' | b'\r', rest @ ..] | [rest @ .., b' ' | b'\t' | b'\r'] = line {
        line = rest;
    }
    line
}

/// A trimmed line's words, the first in lower case; none for a comment or an empty line.
pub(crate) fn words(line: &[u8]) -> Result<Vec<Word>, &'static str> {
    if line.starts_with(b"#") {
        return Ok(Vec::new());
    }
    let mut words: Vec<Word> = resp::split_words(line)
        .map_err(|_| UNBALANCED)?
        .into_iter()
        .map(Word::from)
        .collect();
    if let Some(name) = words.first_mut() {
        name.make_ascii_lowercase();
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &[u8], expected: &[&[&str]]) {
        let text = decode(text.to_vec()).expect("an encoding that we read");
        let got: Vec<Vec<Word>> = lines(&text)
            .map(|l| words(l).expect("balanced"))
            .filter(|w| !w.is_empty())
            .collect();
        let expected: Vec<Vec<Word>> = expected
            .iter()
            .map(|l| l.iter().map(|w| w.as_bytes().into()).collect())
            .collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn lines_and_words() {
        check(
            b"\xef\xbb\xbfPORT 1\r\n\r\n  # no\r\n\tsave \"\"  \r\n",
            &[&["port", "1"], &["save", ""]],
        );
        check(b"a \"b c\\x41\" 'd\\'e'", &[&["a", "b cA", "d'e"]]);
        assert_eq!(words(b"a \"b"), Err(UNBALANCED));
        assert!(decode(b"\xff\xfep\0".to_vec()).is_err_and(|why| why.contains("UTF-16")));
    }
}
