//! The lines of earlier sessions, in a file that nobody else may read, and never a password in it.
//!
//! Checked by: tests below.

use std::path::PathBuf;

/// How many lines are kept.
pub(super) const LINES_MAX: usize = 1000;

/// The history and its file.
pub(super) struct History {
    lines: Vec<String>,
    file: Option<PathBuf>,
}

impl History {
    /// What the file holds; nothing when there is none.
    pub(super) fn load() -> History {
        History::from(super::preferences::dot_file(
            "REDISCLI_HISTFILE",
            ".rediscli_history",
        ))
    }

    fn from(file: Option<PathBuf>) -> History {
        let bytes = file
            .as_ref()
            .and_then(|path| os::files::read(path).ok())
            .unwrap_or_default();
        let mut history = History {
            lines: String::from_utf8_lossy(&bytes)
                .lines()
                .map(str::to_string)
                .collect(),
            file,
        };
        history.shorten();
        history
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }

    /// Keeps a line; the same again is one.
    pub(super) fn add(&mut self, line: &str) {
        if self.lines.last().is_some_and(|last| last == line) {
            return;
        }
        self.lines.push(line.to_string());
        self.shorten();
        if let Some(file) = &self.file {
            let text = self.lines.join("\n") + "\n";
            // A home that cannot be written to is no reason to disturb the session.
            let _ = os::files::write_private(file, text.as_bytes());
        }
    }

    fn shorten(&mut self) {
        let surplus = self.lines.len().saturating_sub(LINES_MAX);
        self.lines.drain(..surplus);
    }
}

/// Whether a command carries a password.
pub(super) fn is_secret(words: &[Vec<u8>]) -> bool {
    let is = |at: usize, names: &[&str]| {
        words.get(at).is_some_and(|word| {
            names
                .iter()
                .any(|name| word.eq_ignore_ascii_case(name.as_bytes()))
        })
    };
    // A keyword behind the fixed arguments, with what it takes.
    let has = |from: usize, names: &[&str]| (from..words.len()).any(|at| is(at, names));
    is(0, &["auth"])
        || (is(0, &["acl"]) && is(1, &["setuser"]))
        || (is(0, &["config"])
            && is(1, &["set"])
            && has(
                2,
                &[
                    "masterauth",
                    "primaryauth",
                    "masteruser",
                    "primaryuser",
                    "requirepass",
                ],
            ))
        || (is(0, &["hello"]) && has(2, &["auth"]))
        || (is(0, &["migrate"]) && has(6, &["auth", "auth2"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_kept() {
        let words = |line: &str| resp::split_words(line.as_bytes()).expect("plain");
        for line in [
            "auth x",
            "ACL SETUSER a >x",
            "config set requirepass x",
            "config set maxmemory 1 masterauth x",
            "hello 3 setname a auth u p",
            "migrate h 1 k 0 1 auth x",
            "migrate h 1 \"\" 0 1 COPY AUTH2 u x KEYS k",
        ] {
            assert!(is_secret(&words(line)), "{line}");
        }
        for line in [
            "set auth x",
            "acl list",
            "config get requirepass",
            "hello 3",
            "migrate h 1 auth 0 1",
        ] {
            assert!(!is_secret(&words(line)), "{line}");
        }
    }

    #[test]
    fn the_file_is_bounded_and_read_back() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("history");
        let lines: Vec<String> = (0..LINES_MAX + 3).map(|at| format!("get {at}")).collect();
        std::fs::write(&file, lines.join("\n")).expect("a small file");
        let mut history = History::from(Some(file.clone()));
        for line in ["get a", "get a", "get b"] {
            history.add(line);
        }
        let again = History::from(Some(file));
        assert_eq!(again.lines, history.lines);
        assert_eq!(again.lines.len(), LINES_MAX);
        assert_eq!(again.lines[0], "get 5");
    }
}
