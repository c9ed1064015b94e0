//! Help, hints and completion, from what the server says of its commands.
//!
//! COMMAND DOCS gives a tree of arguments for each command; here it becomes the line that manual pages
//! show. The server is a stranger: what is missing or of another kind is left out.
//!
//! ```text
//!   {name: key, type: key} {type: oneof, flags: [optional], arguments: [{token: NX, …} {token: XX, …}]}
//!   ──▶  key [NX|XX]
//! ```
//!
//! Checked by: tests below; `cargo xtask client`.

use crate::connection::Connection;
use crate::{out, usage};
use resp::client::Value;
use std::collections::BTreeSet;

/// A command or a subcommand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    /// In capitals: `CLIENT`, `LIST`.
    pub(crate) words: Vec<String>,
    /// The arguments as manual pages write them.
    pub(crate) arguments: String,
    summary: String,
    since: String,
    group: String,
}

impl Entry {
    /// All words of the name.
    pub(crate) fn name(&self) -> String {
        self.words.join(" ")
    }
}

/// All commands of a server, by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Help {
    entries: Vec<Entry>,
    groups: BTreeSet<String>,
}

impl Help {
    /// Asks a server. One that does not know COMMAND DOCS has no help.
    pub(crate) fn ask(connection: &mut Connection) -> Help {
        match connection.ask(&["COMMAND", "DOCS"]) {
            Ok(docs) => Help::read(&docs),
            Err(_) => Help::default(),
        }
    }

    fn read(docs: &Value) -> Help {
        let mut help = Help::default();
        for (name, about) in docs.pairs().unwrap_or_default() {
            help.add(&[text(name)], about);
        }
        help.entries.sort_by_key(Entry::name);
        help.groups = help.entries.iter().map(|e| e.group.clone()).collect();
        help
    }

    fn add(&mut self, words: &[String], about: &Value) {
        let mut entry = Entry {
            words: words.iter().map(|word| word.to_uppercase()).collect(),
            ..Entry::default()
        };
        for (field, value) in about.pairs().unwrap_or_default() {
            match field.text() {
                Some(b"summary") => entry.summary = text(value),
                Some(b"since") => entry.since = text(value),
                Some(b"group") => entry.group = text(value),
                Some(b"arguments") => entry.arguments = list(value, " "),
                Some(b"subcommands") if words.len() == 1 => {
                    for (name, about) in value.pairs().unwrap_or_default() {
                        let name = text(name);
                        let own = name.split_once('|').map_or(name.as_str(), |(_, own)| own);
                        self.add(&[words[0].clone(), own.into()], about);
                    }
                }
                _ => {}
            }
        }
        self.entries.push(entry);
    }

    /// The commands, sorted by name.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The groups' names.
    pub(crate) fn groups(&self) -> impl Iterator<Item = &str> {
        self.groups.iter().map(String::as_str)
    }

    /// The command that a line begins with, and how many of its words are the name.
    pub(crate) fn command_of(&self, words: &[String]) -> Option<(&Entry, usize)> {
        let fits = |entry: &&Entry| {
            entry.words.len() <= words.len()
                && entry
                    .words
                    .iter()
                    .zip(words)
                    .all(|(ours, theirs)| ours.eq_ignore_ascii_case(theirs))
        };
        let entry = self
            .entries
            .iter()
            .filter(fits)
            .max_by_key(|entry| entry.words.len())?;
        Some((entry, entry.words.len()))
    }

    /// What `help` with these words says.
    pub(crate) fn about(&self, words: &[String]) -> String {
        let mut page = String::new();
        match words {
            [] => return general(),
            [group, ..] if group.starts_with('@') => {
                let group = &group[1..];
                let inside = |entry: &&Entry| entry.group.eq_ignore_ascii_case(group);
                for entry in self.entries.iter().filter(inside) {
                    page += &describe(entry, false);
                }
            }
            words => {
                let begins = |entry: &&Entry| {
                    words.len() <= entry.words.len()
                        && words
                            .iter()
                            .zip(&entry.words)
                            .all(|(theirs, ours)| ours.eq_ignore_ascii_case(theirs))
                };
                for entry in self.entries.iter().filter(begins) {
                    page += &describe(entry, true);
                }
            }
        }
        page + "\r\n"
    }
}

/// Says what `help` with these words says; without a server there is only the general page.
pub(crate) fn show(help: &Help, words: &[Vec<u8>]) {
    let words: Vec<String> = words
        .iter()
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect();
    if !words.is_empty() && help.entries.is_empty() {
        return out::say(
            "Help on commands comes from the server (COMMAND DOCS), and there is none.\n",
        );
    }
    out::say(&help.about(&words));
}

fn general() -> String {
    let version = usage::version();
    format!(
        "{version}\n\
        To get help about Redis commands type:\n      \
        \"help @<group>\" to get a list of commands in <group>\n      \
        \"help <command>\" for help on <command>\n      \
        \"help <tab>\" to get a list of possible help topics\n      \
        \"quit\" to exit\n\
        \n\
        To set redis-cli preferences:\n      \
        \":set hints\" enable online hints\n      \
        \":set nohints\" disable online hints\n\
        Set your preferences in ~/.redisclirc\n"
    )
}

/// In colours where the output is a terminal that knows them.
fn describe(entry: &Entry, with_group: bool) -> String {
    let (bold, grey, yellow, end) = match os::terminal::has_colours() {
        true => ("\x1b[1m", "\x1b[90m", "\x1b[33m", "\x1b[0m"),
        false => ("", "", "", ""),
    };
    let mut page = format!(
        "\r\n  {bold}{}{end} {grey}{}{end}\r\n  {yellow}summary:{end} {}\r\n",
        entry.name(),
        entry.arguments,
        entry.summary
    );
    if !entry.since.is_empty() {
        page += &format!("  {yellow}since:{end} {}\r\n", entry.since);
    }
    if with_group {
        page += &format!("  {yellow}group:{end} {}\r\n", entry.group);
    }
    page
}

fn text(value: &Value) -> String {
    String::from_utf8_lossy(value.text().unwrap_or_default()).into_owned()
}

fn list(arguments: &Value, between: &str) -> String {
    let arguments = arguments.elements().unwrap_or_default();
    arguments
        .iter()
        .map(argument)
        .collect::<Vec<_>>()
        .join(between)
}

/// One argument as manual pages write it.
fn argument(about: &Value) -> String {
    let (mut name, mut token, mut kind, mut inner) = (String::new(), None, String::new(), None);
    let (mut optional, mut multiple, mut multiple_token) = (false, false, false);
    for (field, value) in about.pairs().unwrap_or_default() {
        match field.text() {
            Some(b"name") if name.is_empty() => name = text(value),
            // Later servers say how a name is shown when that is not the name.
            Some(b"display_text") => name = text(value),
            Some(b"token") => token = Some(text(value)),
            Some(b"type") => kind = text(value),
            Some(b"arguments") => inner = Some(value),
            Some(b"flags") => {
                for flag in value.elements().unwrap_or_default() {
                    match flag.text() {
                        Some(b"optional") => optional = true,
                        Some(b"multiple") => multiple = true,
                        Some(b"multiple_token") => multiple_token = true,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    let repeated = match (kind.as_str(), inner) {
        ("pure-token", _) => String::new(),
        ("oneof", Some(inner)) => list(inner, "|"),
        ("block", Some(inner)) => list(inner, " "),
        _ => or_quotes(name),
    };
    let mut token = token.map(or_quotes).unwrap_or_default();
    if !token.is_empty() && !repeated.is_empty() {
        token.push(' ');
    }
    let mut line = format!("{token}{repeated}");
    if multiple {
        let again = if multiple_token { token.as_str() } else { "" };
        line += &format!(" [{again}{repeated} ...]");
    }
    match optional {
        true => format!("[{line}]"),
        false => line,
    }
}

/// An empty word is shown as one.
fn or_quotes(word: String) -> String {
    match word.is_empty() {
        true => "\"\"".into(),
        false => word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::Bulk(text.into())
    }

    fn map(fields: &[(&str, Value)]) -> Value {
        Value::Array(
            fields
                .iter()
                .flat_map(|(name, value)| [bulk(name), value.clone()])
                .collect(),
        )
    }

    fn flags(names: &[&str]) -> (&'static str, Value) {
        let flags = names.iter().map(|name| Value::Simple((*name).into()));
        ("flags", Value::Array(flags.collect()))
    }

    fn docs() -> Value {
        let token = |name: &str| {
            map(&[
                ("name", bulk(name)),
                ("type", bulk("pure-token")),
                ("token", bulk(name)),
            ])
        };
        let key = map(&[
            ("name", bulk("key")),
            ("type", bulk("key")),
            flags(&["multiple"]),
        ]);
        let choice = map(&[
            ("name", bulk("condition")),
            ("type", bulk("oneof")),
            flags(&["optional"]),
            ("arguments", Value::Array(vec![token("NX"), token("XX")])),
        ]);
        let limit = map(&[
            ("name", bulk("count")),
            ("token", bulk("COUNT")),
            ("type", bulk("integer")),
            flags(&["optional", "multiple", "multiple_token"]),
        ]);
        map(&[
            (
                "thing",
                map(&[
                    ("summary", bulk("Does a thing.")),
                    ("since", bulk("1.0.0")),
                    ("group", bulk("string")),
                    ("arguments", Value::Array(vec![key, choice, limit])),
                ]),
            ),
            (
                "box",
                map(&[
                    ("group", bulk("server")),
                    (
                        "subcommands",
                        map(&[("box|open", map(&[("summary", bulk("Opens."))]))]),
                    ),
                ]),
            ),
        ])
    }

    #[test]
    fn arguments_become_a_line() {
        let help = Help::read(&docs());
        let names: Vec<String> = help.entries().iter().map(Entry::name).collect();
        assert_eq!(names, ["BOX", "BOX OPEN", "THING"]);
        assert_eq!(
            help.entries()[2].arguments,
            "key [key ...] [NX|XX] [COUNT count [COUNT count ...]]"
        );
    }

    #[test]
    fn pages() {
        let help = Help::read(&docs());
        let words = |line: &str| line.split(' ').map(str::to_string).collect::<Vec<_>>();
        assert!(help.about(&words("box open")).contains("Opens."));
        assert!(help.about(&words("box")).contains("BOX OPEN"));
        let group = help.about(&words("@STRING"));
        assert!(group.contains("THING") && !group.contains("group:"));
        assert_eq!(help.about(&words("nothing")), "\r\n");
        assert!(help.about(&[]).contains("help @<group>"));
    }

    #[test]
    fn the_longest_name_counts() {
        let help = Help::read(&docs());
        let words = |line: &str| line.split(' ').map(str::to_string).collect::<Vec<_>>();
        let of = |line: &str| help.command_of(&words(line)).map(|(e, n)| (e.name(), n));
        assert_eq!(of("Box open x"), Some(("BOX OPEN".into(), 2)));
        assert_eq!(of("box x"), Some(("BOX".into(), 1)));
        assert_eq!(of("nothing"), None);
    }

    #[test]
    fn a_stranger_may_say_anything() {
        for docs in [
            Value::Null,
            Value::Array(vec![bulk("a")]),
            map(&[
                ("a", Value::Int(1)),
                ("b", map(&[("arguments", Value::Array(vec![Value::Null]))])),
            ]),
        ] {
            let help = Help::read(&docs);
            assert!(help.about(&["a".into()]).len() < 100);
        }
    }
}
