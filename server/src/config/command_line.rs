//! The command line, as `redis-server` takes it.
//!
//! ```text
//!   redstart-server [FILE] [--name value ...]... [-]
//! ```
//!
//! Options become lines of configuration behind the file's: `--port 6380` is `port 6380`, words up to
//! the next `--name` belong to it, `--save --port 1` and a final `--save` mean `save ""`. `-` as the
//! first or last word reads standard input. `--check-config` anywhere asks for a verdict alone.
//!
//! Checked by: tests below.

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// `--version`, `-v`.
    Version,
    /// `--help`, `-h`.
    Help,
    /// `--test-memory MEGABYTES`.
    TestMemory(u64),
    /// `--check-system`.
    CheckSystem,
    /// It makes no sense; what to say.
    Wrong(String),
    /// To serve, or to say whether one could.
    Serve(Sources),
}

/// Where the configuration comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// The configuration file.
    pub file: Option<Vec<u8>>,
    /// Whether standard input follows.
    pub stdin: bool,
    /// Lines made of options.
    pub options: Vec<u8>,
    /// Whether to check and not to serve.
    pub check: bool,
    /// Whether there was anything at all.
    pub given: bool,
}

/// Understands the words after the program's name.
#[must_use]
pub fn parse(words: &[Vec<u8>]) -> Request {
    let is = |word: &[u8], text: &str| word == text.as_bytes();
    match words {
        [one, ..] if is(one, "-v") || is(one, "--version") => return Request::Version,
        [one, ..] if is(one, "-h") || is(one, "--help") => return Request::Help,
        [one] if is(one, "--check-system") => return Request::CheckSystem,
        [one, rest @ ..] if is(one, "--test-memory") => return test_memory(rest),
        _ => {}
    }
    let kept: Vec<&[u8]> = words
        .iter()
        .map(Vec::as_slice)
        .filter(|w| !is(w, "--check-config"))
        .collect();
    let mut sources = Sources {
        check: kept.len() < words.len(),
        given: !words.is_empty(),
        ..Sources::default()
    };
    let mut rest = kept.as_slice();
    if let [file, tail @ ..] = rest
        && !file.starts_with(b"-")
    {
        sources.file = Some(file.to_vec());
        rest = tail;
    }
    options(rest, &mut sources);
    Request::Serve(sources)
}

fn test_memory(rest: &[Vec<u8>]) -> Request {
    let megabytes = match rest {
        [number] => std::str::from_utf8(number)
            .ok()
            .and_then(|text| text.parse().ok()),
        _ => None,
    };
    match megabytes {
        Some(n) if n > 0 => Request::TestMemory(n),
        _ => Request::Wrong(
            "Please specify the amount of memory to test in megabytes.\n\
             Example: ./redstart-server --test-memory 4096\n"
                .to_owned(),
        ),
    }
}

/// Turns `--name value …` into lines.
fn options(words: &[&[u8]], sources: &mut Sources) {
    let out = &mut sources.options;
    // An option that has no value yet takes the next word whatever it looks like.
    let mut satisfied = true;
    for (at, word) in words.iter().enumerate() {
        let last = at + 1 == words.len();
        let first = at == 0 && sources.file.is_none();
        if *word == b"-" && (first || last) {
            sources.stdin = true;
        } else if satisfied && word.starts_with(b"--") {
            if !out.is_empty() {
                out.push(b'\n');
            }
            out.extend_from_slice(&word[2..]);
            out.push(b' ');
            // `"--port 6380"` in one word is complete.
            satisfied = resp::split_words(word).map_or(1, |w| w.len()) > 1;
            let next_is_option = words
                .get(at + 1)
                .is_some_and(|next| next.starts_with(b"--"));
            if !satisfied && word.eq_ignore_ascii_case(b"--save") && (last || next_is_option) {
                out.extend_from_slice(b"\"\"");
                satisfied = true;
            } else if !satisfied
                && word.eq_ignore_ascii_case(b"--sentinel")
                && (last || next_is_option)
            {
                satisfied = true;
            }
        } else {
            resp::repr_into(out, word);
            out.push(b' ');
            satisfied = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<Vec<u8>> {
        resp::split_words(line.as_bytes()).expect("balanced")
    }

    fn check(line: &str, file: Option<&str>, stdin: bool, options: &str) {
        let Request::Serve(got) = parse(&words(line)) else {
            panic!("{line}: not a start")
        };
        assert_eq!(got.file.as_deref(), file.map(str::as_bytes), "{line}");
        assert_eq!(
            (got.stdin, String::from_utf8_lossy(&got.options).as_ref()),
            (stdin, options),
            "{line}"
        );
    }

    #[test]
    fn files_and_options() {
        check("", None, false, "");
        check("a.conf", Some("a.conf"), false, "");
        check(
            "a.conf --port 1 --bind x y",
            Some("a.conf"),
            false,
            "port \"1\" \nbind \"x\" \"y\" ",
        );
        check("'--port 6380' --hz 5", None, false, "port 6380 \nhz \"5\" ");
        check("- --port 1", None, true, "port \"1\" ");
        check("a --port 1 -", Some("a"), true, "port \"1\" ");
        check("a -", Some("a"), true, "");
        check("--save --port 1", None, false, "save \"\"\nport \"1\" ");
        check("--port 1 --save", None, false, "port \"1\" \nsave \"\"");
        check("--save '' --port 1", None, false, "save \"\" \nport \"1\" ");
        check(
            "--requirepass --odd --port 1",
            None,
            false,
            "requirepass \"--odd\" \nport \"1\" ",
        );
    }

    #[test]
    fn verdicts_and_words_of_their_own() {
        for line in ["--check-config a.conf", "a.conf --check-config"] {
            let Request::Serve(got) = parse(&words(line)) else {
                panic!("{line}")
            };
            assert!(
                got.check && got.file.as_deref() == Some(b"a.conf"),
                "{line}"
            );
        }
        assert_eq!(parse(&words("-v")), Request::Version);
        assert_eq!(parse(&words("--help")), Request::Help);
        assert_eq!(parse(&words("--test-memory 5")), Request::TestMemory(5));
        assert!(matches!(parse(&words("--test-memory")), Request::Wrong(_)));
    }
}
