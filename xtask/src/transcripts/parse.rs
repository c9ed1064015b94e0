//! Reading a transcript file. The format is described for its writers in
//! `tests/transcripts/README.md`; this file and that page change together.
//!
//!   file  = header? block*          blocks are parted by empty lines
//!   block = annotation* step*       `@since`, `@only` stand before the first step
//!   step  = `> words` | `>raw "bytes"` | `< pattern line`+ | `@conn` …
//!
//! A header is a first block without steps: its annotations hold for all.

use super::pattern::{self, Pattern};

/// A whole file.
#[derive(Debug)]
pub(crate) struct Transcript {
    pub(crate) conditions: Conditions,
    pub(crate) blocks: Vec<Block>,
}

/// Steps that are played or left out together.
#[derive(Debug, Default)]
pub(crate) struct Block {
    pub(crate) conditions: Conditions,
    pub(crate) steps: Vec<Step>,
}

/// Which servers a file or block is for.
#[derive(Debug, Default, Clone)]
pub(crate) struct Conditions {
    /// From `@since 8.4 valkey-9.1`; versions as numbers.
    pub(crate) since_redis: Option<Vec<u64>>,
    pub(crate) since_valkey: Option<Vec<u64>>,
    /// From `@only redstart`.
    pub(crate) only: Vec<String>,
}

/// One step and the line where it stands.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) line: usize,
    pub(crate) what: What,
}

#[derive(Debug)]
pub(crate) enum What {
    /// A request of words.
    Send(Vec<Word>),
    /// Bytes as they are.
    Raw(Vec<u8>),
    /// The reply to read next.
    Expect(Pattern),
    /// Go on with this connection, opening it if need be.
    Conn(String),
    /// Close our side of the connection.
    Close,
    /// HELLO with this version, its answer not looked at.
    Hello(String),
    /// Repeat the next request until its replies match, at most so many milliseconds.
    Until(u64),
    /// Let so many milliseconds pass.
    Wait(u64),
}

#[derive(Debug, PartialEq)]
pub(crate) enum Word {
    Bytes(Vec<u8>),
    /// `$name`: what `*any:name*` matched earlier.
    Variable(String),
}

/// Reads a file; errors name the line.
pub(crate) fn transcript(text: &str) -> Result<Transcript, String> {
    let mut conditions = Conditions::default();
    let mut blocks: Vec<Block> = Vec::new();
    let mut block = Block::default();
    let mut any_conditions = false;
    let mut expected: Vec<(usize, &str)> = Vec::new();
    let lines = text
        .lines()
        .enumerate()
        .map(|(n, line)| (n + 1, line.trim_end_matches('\r')));
    for (number, line) in lines.chain(std::iter::once((0, ""))) {
        let at = |e: String| format!("line {number}: {e}");
        if let Some(rest) = line.strip_prefix('<') {
            expected.push((number, rest));
            continue;
        }
        take_expected(&mut expected, &mut block)?;
        if line.trim().is_empty() {
            if !block.steps.is_empty() {
                blocks.push(std::mem::take(&mut block));
                any_conditions = false;
            } else if any_conditions && blocks.is_empty() {
                conditions = std::mem::take(&mut block.conditions);
                any_conditions = false;
            }
        } else if line.starts_with('#') {
        } else if let Some(rest) = line.strip_prefix(">raw ") {
            let what = What::Raw(literal_bytes(rest).map_err(at)?);
            block.steps.push(Step { line: number, what });
        } else if let Some(rest) = line.strip_prefix('>') {
            let what = What::Send(words(rest).map_err(at)?);
            block.steps.push(Step { line: number, what });
        } else if let Some(rest) = line.strip_prefix('@') {
            match annotation(rest, &mut block.conditions).map_err(at)? {
                Some(what) => block.steps.push(Step { line: number, what }),
                None if block.steps.is_empty() => any_conditions = true,
                None => return Err(at("a condition stands before the block's first step".into())),
            }
        } else {
            return Err(at(format!("a line begins with # > < or @, not {line:?}")));
        }
    }
    Ok(Transcript { conditions, blocks })
}

/// Turns the pending `<` lines into one step a reply.
fn take_expected(expected: &mut Vec<(usize, &str)>, block: &mut Block) -> Result<(), String> {
    let mut lines = std::mem::take(expected).into_iter().peekable();
    while let Some(&(line, _)) = lines.peek() {
        let pattern = pattern::parse(&mut lines)?;
        block.steps.push(Step {
            line,
            what: What::Expect(pattern),
        });
    }
    Ok(())
}

/// A condition goes into `conditions` and gives `None`.
fn annotation(text: &str, conditions: &mut Conditions) -> Result<Option<What>, String> {
    let (name, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let rest = rest.trim();
    let millis = || {
        rest.parse::<u64>()
            .map_err(|_| format!("@{name} takes milliseconds"))
    };
    Ok(Some(match name {
        "since" => {
            for word in rest.split_whitespace() {
                match word.strip_prefix("valkey-") {
                    Some(v) => conditions.since_valkey = Some(version(v)?),
                    None => conditions.since_redis = Some(version(word)?),
                }
            }
            return Ok(None);
        }
        "only" => {
            conditions.only = rest.split_whitespace().map(str::to_string).collect();
            return Ok(None);
        }
        "conn" if !rest.is_empty() => What::Conn(rest.to_string()),
        "close" => What::Close,
        "hello" if matches!(rest, "2" | "3") => What::Hello(rest.to_string()),
        "until" => What::Until(millis()?),
        "wait" => What::Wait(millis()?),
        _ => return Err(format!("what is @{text}?")),
    }))
}

/// `7.0.15` as numbers.
pub(crate) fn version(text: &str) -> Result<Vec<u64>, String> {
    text.split('.')
        .map(|part| part.parse().map_err(|_| format!("'{text}' is no version")))
        .collect()
}

/// Splits a request line as redis-cli does; a quoted word may end in `*COUNT`.
pub(crate) fn words(line: &str) -> Result<Vec<Word>, String> {
    let mut rest = line.trim();
    let mut found = Vec::new();
    while !rest.is_empty() {
        if rest.starts_with(['"', '\'']) {
            let (bytes, after) = quoted(rest)?;
            let (bytes, after) = repeated(bytes, after)?;
            if !after.is_empty() && !after.starts_with(char::is_whitespace) {
                return Err(format!("a space is missing before {after:?}"));
            }
            found.push(Word::Bytes(bytes));
            rest = after.trim_start();
        } else {
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            found.push(match word.strip_prefix('$') {
                Some(name) if !name.is_empty() => Word::Variable(name.to_string()),
                _ => Word::Bytes(word.as_bytes().to_vec()),
            });
            rest = after.trim_start();
        }
    }
    if found.is_empty() {
        Err("an empty request".into())
    } else {
        Ok(found)
    }
}

/// Quoted pieces one after the other, joined.
fn literal_bytes(text: &str) -> Result<Vec<u8>, String> {
    let mut all = Vec::new();
    for word in words(text)? {
        match word {
            Word::Bytes(bytes) => all.extend_from_slice(&bytes),
            Word::Variable(name) => return Err(format!("no variable (${name}) in >raw")),
        }
    }
    Ok(all)
}

/// `*COUNT` directly after a quoted string repeats it.
pub(crate) fn repeated(bytes: Vec<u8>, after: &str) -> Result<(Vec<u8>, &str), String> {
    let Some(tail) = after.strip_prefix('*') else {
        return Ok((bytes, after));
    };
    let end = tail
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(tail.len());
    let count: usize = tail[..end]
        .parse()
        .map_err(|_| "a count is missing after *".to_string())?;
    Ok((bytes.repeat(count), &tail[end..]))
}

/// Reads a quoted string at the beginning of `text`; gives its bytes and what follows.
pub(crate) fn quoted(text: &str) -> Result<(Vec<u8>, &str), String> {
    let mut chars = text.char_indices();
    let (_, quote) = chars.next().ok_or("an empty string")?;
    let mut bytes = Vec::new();
    while let Some((index, c)) = chars.next() {
        if c == quote {
            return Ok((bytes, &text[index + 1..]));
        }
        if c != '\\' {
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        let (_, escaped) = chars.next().ok_or("a \\ at the end")?;
        match (quote, escaped) {
            ('\'', '\'') => bytes.push(b'\''),
            ('\'', other) => {
                bytes.push(b'\\');
                bytes.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes());
            }
            (_, 'x') => {
                let digits: String = chars.by_ref().take(2).map(|(_, c)| c).collect();
                bytes.push(u8::from_str_radix(&digits, 16).map_err(|_| "\\x takes two digits")?);
            }
            (_, 'n') => bytes.push(b'\n'),
            (_, 'r') => bytes.push(b'\r'),
            (_, 't') => bytes.push(b'\t'),
            (_, 'a') => bytes.push(7),
            (_, 'b') => bytes.push(8),
            (_, other) => bytes.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Err(format!("a string without its end: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &[&[u8]]) {
        let expected: Vec<Word> = expected.iter().map(|b| Word::Bytes(b.to_vec())).collect();
        assert_eq!(words(line), Ok(expected), "{line}");
    }

    #[test]
    fn words_are_quoted_as_in_redis_cli() {
        check("GET k", &[b"GET", b"k"]);
        check(
            r#"SET k "a\r\n\x00\"b" 'it\'s'"#,
            &[b"SET", b"k", b"a\r\n\0\"b", b"it's"],
        );
        check(r#"SET k """#, &[b"SET", b"k", b""]);
        check(
            r#"SET k "ab"*3 EX 1"#,
            &[b"SET", b"k", b"ababab", b"EX", b"1"],
        );
        assert!(words(r#"SET "k"x"#).is_err());
        assert!(words(r#"SET "k"#).is_err());
        assert_eq!(words("$id"), Ok(vec![Word::Variable("id".into())]));
    }

    #[test]
    fn header_and_block_conditions_stay_apart() {
        let t = transcript("# all\n@since 8.4\n\n@only redstart\n> PING\n< +PONG\n\n> PING\n")
            .expect("it is well formed");
        assert_eq!(t.conditions.since_redis, Some(vec![8, 4]));
        assert_eq!(t.blocks.len(), 2);
        assert_eq!(t.blocks[0].conditions.only, ["redstart"]);
        assert!(t.blocks[1].conditions.only.is_empty());
    }

    #[test]
    fn a_condition_after_a_step_is_refused() {
        let error = transcript("> PING\n@since 8.4\n").expect_err("it comes too late");
        assert!(error.starts_with("line 2:"), "{error}");
    }
}
