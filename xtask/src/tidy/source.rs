//! Rust files as the checks see them.
//!
//! The checks look for words, so a word in a comment or a string must not
//! count: `code` is the text with comments and the insides of literals blanked
//! out, byte for byte in place, so that offsets and line numbers stay true.

use crate::{Res, sh};

/// One file of the tree.
pub(crate) struct Source {
    /// From the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) code: String,
}

impl Source {
    pub(crate) fn new(path: &str, text: String) -> Source {
        let code = blank(&text);
        Source {
            path: path.to_string(),
            text,
            code,
        }
    }

    /// The top folder: the crate's name for all our crates.
    pub(crate) fn crate_name(&self) -> &str {
        self.path.split('/').next().unwrap_or("")
    }

    /// Is it a test, a bench, an example or a fuzz target, which the fences do not hold?
    pub(crate) fn is_test(&self) -> bool {
        let crate_name = self.crate_name();
        matches!(crate_name, "xtask" | "tests" | "fuzz" | "benches")
            || self.path.contains("/tests/")
            || self.path.contains("/benches/")
            || self.path.contains("/examples/")
            || self.path.ends_with("/tests.rs")
    }

    /// The code before the tests at the file's foot.
    pub(crate) fn code_without_tests(&self) -> &str {
        let mut from = 0;
        while let Some(found) = self.code[from..].find("#[cfg(test)]") {
            let at = from + found;
            let rest = self.code[at + "#[cfg(test)]".len()..].trim_start();
            if rest.starts_with("mod ") || rest.starts_with("pub mod ") {
                return &self.code[..at];
            }
            from = at + 1;
        }
        &self.code
    }

    pub(crate) fn line_of(&self, offset: usize) -> usize {
        1 + self.code.as_bytes()[..offset]
            .iter()
            .filter(|&&b| b == b'\n')
            .count()
    }
}

/// All Rust files that git knows or would know, sorted.
pub(crate) fn all() -> Res<Vec<Source>> {
    let listed = sh::capture(&mut sh::cmd(
        "git",
        &[
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "*.rs",
        ],
    ))?;
    let mut found = Vec::new();
    for path in listed.lines() {
        let file = sh::root().join(path);
        if file.is_file() {
            found.push(Source::new(path, sh::read(&file)?));
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// Where `word` stands as a word of its own.
pub(crate) fn words_at<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_part = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    code.match_indices(word)
        .map(|(at, _)| at)
        .filter(move |&at| {
            let bytes = code.as_bytes();
            let before = at.checked_sub(1).and_then(|i| bytes.get(i));
            !is_part(before) && !is_part(bytes.get(at + word.len()))
        })
}

/// Blanks comments and the insides of string and character literals.
fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut i = 0;
    while i < bytes.len() {
        let end = match bytes[i] {
            b'/' if bytes.get(i + 1) == Some(&b'/') => {
                let end = line_end(bytes, i);
                wipe(&mut out[i..end]);
                end
            }
            b'/' if bytes.get(i + 1) == Some(&b'*') => {
                let end = block_comment_end(bytes, i);
                wipe(&mut out[i..end]);
                end
            }
            b'r' if !follows_word(bytes, i) && raw_hashes(bytes, i).is_some() => {
                let hashes = raw_hashes(bytes, i).expect("just tested");
                let close = format!("\"{}", "#".repeat(hashes));
                let start = i + hashes + 2;
                let length = text[start..].find(&close).unwrap_or(text.len() - start);
                wipe(&mut out[start..start + length]);
                (start + length + close.len()).min(bytes.len())
            }
            b'"' => {
                let end = quote_end(bytes, i, b'"');
                wipe(&mut out[i + 1..end.saturating_sub(1).max(i + 1)]);
                end
            }
            b'\'' if is_char_literal(bytes, i) => {
                let end = quote_end(bytes, i, b'\'');
                wipe(&mut out[i + 1..end - 1]);
                end
            }
            _ => i + 1,
        };
        i = end;
    }
    String::from_utf8(out).expect("only whole literals and comments are blanked, with ASCII")
}

fn wipe(bytes: &mut [u8]) {
    bytes
        .iter_mut()
        .filter(|b| **b != b'\n')
        .for_each(|b| *b = b' ');
}

fn line_end(bytes: &[u8], from: usize) -> usize {
    bytes[from..]
        .iter()
        .position(|&b| b == b'\n')
        .map_or(bytes.len(), |n| from + n)
}

fn block_comment_end(bytes: &[u8], from: usize) -> usize {
    let mut depth = 0;
    let mut i = from;
    while i < bytes.len() {
        if bytes[i..].starts_with(b"/*") {
            depth += 1;
            i += 2;
        } else if bytes[i..].starts_with(b"*/") {
            depth -= 1;
            i += 2;
            if depth == 0 {
                return i;
            }
        } else {
            i += 1;
        }
    }
    bytes.len()
}

fn follows_word(bytes: &[u8], at: usize) -> bool {
    // `br"…"` is a raw literal too.
    let before = match at.checked_sub(1).map(|i| bytes[i]) {
        Some(b'b') => at.checked_sub(2).map(|i| bytes[i]),
        other => other,
    };
    before.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn raw_hashes(bytes: &[u8], at: usize) -> Option<usize> {
    let hashes = bytes[at + 1..].iter().take_while(|&&b| b == b'#').count();
    (bytes.get(at + 1 + hashes) == Some(&b'"')).then_some(hashes)
}

fn quote_end(bytes: &[u8], from: usize, quote: u8) -> usize {
    let mut i = from + 1;
    while i < bytes.len() {
        match bytes[i] {
            b'\\' => i += 2,
            b if b == quote => return i + 1,
            _ => i += 1,
        }
    }
    bytes.len()
}

/// Tells `'a'` from the lifetime `'a`.
fn is_char_literal(bytes: &[u8], at: usize) -> bool {
    match bytes.get(at + 1) {
        Some(b'\\') => true,
        Some(first) => {
            let size = match first {
                0..=0x7f => 1,
                0xc0..=0xdf => 2,
                0xe0..=0xef => 3,
                _ => 4,
            };
            bytes.get(at + 1 + size) == Some(&b'\'')
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(blank(text), expected);
    }

    #[test]
    fn comments_and_literals_are_blanked_in_place() {
        check("a // unsafe\nb", "a          \nb");
        check("a /* x /* y */ z */ b", "a                   b");
        check(
            r#"f("un\"safe", 'x', '\'', b"q")"#,
            r#"f("        ", ' ', '  ', b" ")"#,
        );
        check("r#\"un\"safe\"# + x", "r#\"       \"# + x");
        check(
            "fn f<'a>(x: &'a str) { 'ü' }",
            "fn f<'a>(x: &'a str) { '  ' }",
        );
    }

    #[test]
    fn words_are_whole() {
        let found: Vec<usize> = words_at("unsafe_op unsafe { } reunsafe", "unsafe").collect();
        assert_eq!(found, [10]);
    }

    #[test]
    fn tests_at_the_foot_are_cut_off() {
        let source = Source::new(
            "store/src/a.rs",
            "fn a() {}\n#[cfg(test)]\nmod tests {}\n".into(),
        );
        assert_eq!(source.code_without_tests(), "fn a() {}\n");
    }
}
