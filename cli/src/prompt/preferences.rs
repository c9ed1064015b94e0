//! Preferences: `:set` at the prompt and in `.redisclirc`.

use crate::out;
use std::path::PathBuf;

/// What the user has chosen.
pub(super) struct Preferences {
    /// Arguments in grey behind the line.
    pub(super) hints: bool,
}

impl Default for Preferences {
    fn default() -> Preferences {
        Preferences { hints: true }
    }
}

impl Preferences {
    /// Reads the file, if there is one.
    pub(super) fn load(&mut self) {
        let Some(path) = dot_file("REDISCLI_RCFILE", ".redisclirc") else {
            return;
        };
        for line in os::files::read(&path)
            .unwrap_or_default()
            .split(|b| *b == b'\n')
        {
            match resp::split_words(line) {
                Ok(words) if !words.is_empty() => {
                    if let Some(text) = self.set(&words) {
                        out::say(&format!(".redisclirc: {text}"));
                    }
                }
                _ => {}
            }
        }
    }

    /// Does a line that begins with a colon; the complaint if it cannot.
    pub(super) fn set(&mut self, words: &[Vec<u8>]) -> Option<String> {
        let shown = |word: &[u8]| String::from_utf8_lossy(word).into_owned();
        match words {
            [set, what, ..] if set.eq_ignore_ascii_case(b":set") => {
                if what.eq_ignore_ascii_case(b"hints") {
                    self.hints = true;
                } else if what.eq_ignore_ascii_case(b"nohints") {
                    self.hints = false;
                } else {
                    return Some(format!("unknown redis-cli preference '{}'\n", shown(what)));
                }
                None
            }
            [word, ..] => Some(format!(
                "unknown redis-cli internal command '{}'\n",
                shown(word)
            )),
            [] => None,
        }
    }
}

/// A file of the user's: what the variable names, else `name` in the home folder. `/dev/null` is none.
pub(super) fn dot_file(variable: &str, name: &str) -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(path) = set(variable) {
        return (path != "/dev/null").then(|| path.into());
    }
    // Windows has its users' folders under another name.
    let home = set("HOME").or_else(|| set("USERPROFILE"))?;
    Some(PathBuf::from(home).join(name))
}
