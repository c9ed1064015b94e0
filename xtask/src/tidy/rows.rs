//! Every command row has a transcript that shows each of its options.
//!
//! Rows are read as text: `const NAME: … = CommandSpec { name: "…", …,
//! syntax: "…", … subcommands: &[A, B] }` in `commands/src` and
//! `server/src/admin`. A row that a container lists is a subcommand: its words
//! belong into the container's transcript.

use super::source::{Source, words_at};
use crate::{Res, sh, transcripts};
use std::collections::BTreeMap;

const PLACES: &[&str] = &["commands/src/", "server/src/admin/"];

struct Row<'a> {
    path: &'a str,
    constant: &'a str,
    name: &'a str,
    syntax: &'a str,
    subcommands: Vec<&'a str>,
}

pub(crate) fn check(sources: &[Source]) -> Res<Vec<String>> {
    let mut requests = BTreeMap::new();
    for file in transcripts::find(&[])? {
        let command = file
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let text = sh::read(&file)?;
        let said: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix('>'))
            .collect();
        let words: &mut String = requests.entry(command).or_default();
        words.push_str(&said.join("\n").to_ascii_uppercase());
        words.push('\n');
    }
    let rows: Vec<Row> = sources
        .iter()
        .filter(|source| PLACES.iter().any(|place| source.path.starts_with(place)))
        .flat_map(rows)
        .collect();
    Ok(compare(&rows, &requests))
}

fn compare(rows: &[Row], requests: &BTreeMap<String, String>) -> Vec<String> {
    let mut wrong = Vec::new();
    let container = |row: &Row| {
        let same_room = |other: &&Row| room(other.path) == room(row.path);
        rows.iter()
            .filter(same_room)
            .find(|other| other.subcommands.contains(&row.constant))
    };
    for row in rows {
        let (command, mut wanted) = match container(row) {
            Some(above) => (above.name, vec![row.name.to_ascii_uppercase()]),
            None => (row.name, Vec::new()),
        };
        wanted.extend(options(row.syntax));
        let Some(said) = requests.get(command) else {
            if container(row).is_none() {
                wrong.push(format!(
                    "{}: no tests/transcripts/*/{command}.txt",
                    row.path
                ));
            }
            continue;
        };
        for word in wanted
            .iter()
            .filter(|word| words_at(said, word).next().is_none())
        {
            wrong.push(format!(
                "{}: the transcript of {command} never says {word} ({})",
                row.path, row.name
            ));
        }
    }
    wrong
}

/// The file or, in a folder of its own, the family: a container and its
/// subcommands may be parted into several files of one folder.
fn room(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(folder, _)| folder)
}

/// The words of a syntax that are to be typed as they are: `NX`, `LIMIT`.
fn options(syntax: &str) -> Vec<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    syntax
        .split(|c: char| !is_part(c))
        .filter(|word| word.starts_with(|c: char| c.is_ascii_uppercase()))
        .filter(|word| !word.contains(|c: char| c.is_ascii_lowercase()))
        .map(str::to_string)
        .collect()
}

fn rows(source: &Source) -> Vec<Row<'_>> {
    let code = source.code_without_tests();
    let mut found = Vec::new();
    for at in words_at(code, "const") {
        // `const NAME: TYPE = CommandSpec {`
        let rest = &code[at + 5..];
        let Some(equals) = rest.find('=') else {
            continue;
        };
        if rest[..equals].contains([';', '{']) {
            continue;
        }
        let value = rest[equals + 1..].trim_start();
        if !(value.starts_with("CommandSpec") || value.starts_with("Row ")) {
            continue;
        }
        let begin = at + 5 + equals;
        let Some(length) = code[begin..].find("};") else {
            continue;
        };
        let text = &source.text[begin..begin + length];
        let name = quoted_field(text, "name:").unwrap_or("");
        if name.is_empty() {
            continue;
        }
        let list = text
            .split("subcommands:")
            .nth(1)
            .and_then(|t| t.split(']').next())
            .unwrap_or("");
        found.push(Row {
            path: &source.path,
            constant: rest[..equals].split(':').next().unwrap_or("").trim(),
            name,
            syntax: quoted_field(text, "syntax:").unwrap_or(""),
            subcommands: list
                .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
                .filter(|word| !word.is_empty())
                .collect(),
        });
    }
    found
}

fn quoted_field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let rest = text.split(name).nth(1)?.trim_start();
    rest.strip_prefix('"')?.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = r#"
        pub const SET: CommandSpec<Handler> = CommandSpec {
            name: "set", syntax: "key value [NX | XX] [EX seconds]", ..CommandSpec::row(set)
        };
        pub const GETNAME: CommandSpec<Handler> = CommandSpec { name: "getname", ..CommandSpec::row(f) };
        pub const CLIENT: CommandSpec<Handler> = CommandSpec {
            name: "client", subcommands: &[GETNAME], ..CommandSpec::row(f)
        };
    "#;

    fn check(transcripts: &[(&str, &str)], expected: &[&str]) {
        let source = Source::new("commands/src/a.rs", CODE.into());
        let requests = transcripts
            .iter()
            .map(|(n, t)| (n.to_string(), t.to_string()))
            .collect();
        let wrong = compare(&rows(&source), &requests);
        assert_eq!(wrong.len(), expected.len(), "{wrong:?}");
        for (text, part) in wrong.iter().zip(expected) {
            assert!(text.contains(part), "{text} lacks {part}");
        }
    }

    #[test]
    fn options_are_the_capital_words() {
        assert_eq!(
            options("key [NX | XX] [EX seconds] IFEQ"),
            ["NX", "XX", "EX", "IFEQ"]
        );
    }

    #[test]
    fn rows_want_their_words() {
        check(
            &[
                ("set", " SET K V NX\n SET K V XX EX 1\n"),
                ("client", " CLIENT GETNAME\n"),
            ],
            &[],
        );
        check(
            &[
                ("set", " SET K V NX EX 1\n"),
                ("client", " CLIENT GETNAME\n"),
            ],
            &["XX"],
        );
        check(
            &[("set", " SET K V NX\n XX EX\n"), ("client", " CLIENT ID\n")],
            &["GETNAME"],
        );
        check(&[("client", " CLIENT GETNAME\n")], &["*/set.txt"]);
    }
}
