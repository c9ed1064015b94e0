//! What the editor shows beside the line: hints in grey, completion of commands and help's topics,
//! stars for a password.

use crate::help::Help;
use rustyline::completion::Completer;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hint, Hinter};
use rustyline::validate::Validator;
use rustyline::{Context, Helper};
use std::borrow::Cow;

/// Answers the editor's questions.
pub(super) struct Assistant {
    pub(super) help: Help,
    pub(super) hints: bool,
    pub(super) masked: bool,
}

impl Assistant {
    pub(super) fn new(help: Help, hints: bool) -> Assistant {
        Assistant {
            help,
            hints,
            masked: false,
        }
    }

    /// The arguments that the line does not have yet.
    fn missing(&self, line: &str) -> Option<String> {
        let words: Vec<String> = resp::split_words(line.as_bytes())
            .ok()?
            .iter()
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .collect();
        let (entry, own) = self.help.command_of(&words)?;
        let rest = without_leading(&entry.arguments, words.len() - own);
        let space = if line.ends_with(char::is_whitespace) {
            ""
        } else {
            " "
        };
        Some(format!("{space}{rest}"))
    }

    /// Whole lines that begin as this one does.
    fn completions(&self, line: &str) -> Vec<String> {
        let head = line
            .get(..5)
            .filter(|head| head.eq_ignore_ascii_case("help "))
            .map_or("", |_| {
                let topic = line[5..].trim_start();
                &line[..line.len() - topic.len()]
            });
        let start = &line[head.len()..];
        let begins = |name: &str| {
            name.get(..start.len())
                .is_some_and(|prefix| prefix.eq_ignore_ascii_case(start))
        };
        let mut found: Vec<String> = Vec::new();
        if !head.is_empty() {
            let groups = self.help.groups().map(|group| format!("@{group}"));
            found.extend(groups.filter(|group| begins(group)));
        }
        let names = self.help.entries().iter().map(|entry| entry.name());
        found.extend(names.filter(|name| begins(name)));
        found.iter().map(|name| format!("{head}{name}")).collect()
    }
}

/// A line of arguments without the first `count`; what is optional cannot be counted and stays.
fn without_leading(arguments: &str, count: usize) -> &str {
    let mut rest = arguments;
    for _ in 0..count {
        if rest.starts_with('[') {
            break;
        }
        rest = rest.split_once(' ').map_or("", |(_, rest)| rest);
    }
    rest
}

/// A hint that is only looked at: the right arrow must not type `key value`.
pub(super) struct Shown(String);

impl Hint for Shown {
    fn display(&self) -> &str {
        &self.0
    }

    fn completion(&self) -> Option<&str> {
        None
    }
}

impl Hinter for Assistant {
    type Hint = Shown;

    fn hint(&self, line: &str, pos: usize, _: &Context<'_>) -> Option<Shown> {
        let wanted = self.hints && !self.masked && pos == line.len();
        wanted.then(|| self.missing(line)).flatten().map(Shown)
    }
}

impl Completer for Assistant {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok((0, self.completions(&line[..pos])))
    }
}

impl Highlighter for Assistant {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        match self.masked {
            true => Cow::Owned("*".repeat(line.chars().count())),
            false => Cow::Borrowed(line),
        }
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Owned(format!("\x1b[90m{hint}\x1b[0m"))
    }

    fn highlight_char(&self, _: &str, _: usize, kind: CmdKind) -> bool {
        self.masked && !matches!(kind, CmdKind::MoveCursor)
    }
}

impl Validator for Assistant {}
impl Helper for Assistant {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_arguments_leave_the_hint() {
        let check =
            |count, expected| assert_eq!(without_leading("key value [NX|XX]", count), expected);
        check(0, "key value [NX|XX]");
        check(1, "value [NX|XX]");
        check(2, "[NX|XX]");
        check(5, "[NX|XX]");
        assert_eq!(without_leading("key", 3), "");
    }
}
