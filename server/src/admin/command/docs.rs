//! COMMAND DOCS: what a person wants to know, as a map; redis-cli makes its hints from it.
//!
//!   name ─▶ summary, since, group, complexity
//!           [doc_flags, deprecated_since, replaced_by]   what should not be used any more (`NOTES`)
//!           [arguments]    the tree that `commands::syntax` reads from the row's line
//!           [subcommands]  name ─▶ the same
//!
//! Names that are no command are left out. In RESP2 a map is a flat array.

use commands::CommandError;
use commands::spec::Keys;
use commands::syntax::{self, Argument, Kind};
use resp::Reply;

use super::named;
use crate::admin::AdminCall;
use crate::table::{Command, CommandTable};

/// What a row does not say about a command: that it is not for users, or what is to be used instead.
#[derive(Clone, Copy)]
enum Note {
    /// Part of the machinery.
    System,
    /// Since when, and what replaces it.
    Deprecated(&'static str, &'static str),
}

/// The notes, by full name.
const NOTES: &[(&str, Note)] = &[
    ("asking", Note::System),
    (
        "brpoplpush",
        Note::Deprecated("6.2.0", "`BLMOVE` with the `RIGHT` and `LEFT` arguments"),
    ),
    (
        "cluster|slaves",
        Note::Deprecated("5.0.0", "`CLUSTER REPLICAS`"),
    ),
    (
        "cluster|slots",
        Note::Deprecated("7.0.0", "`CLUSTER SHARDS`"),
    ),
    ("debug", Note::System),
    (
        "getset",
        Note::Deprecated("6.2.0", "`SET` with the `!GET` argument"),
    ),
    (
        "hmset",
        Note::Deprecated("4.0.0", "`HSET` with multiple field-value pairs"),
    ),
    ("pfdebug", Note::System),
    ("pfselftest", Note::System),
    (
        "psetex",
        Note::Deprecated("2.6.12", "`SET` with the `PX` argument"),
    ),
    ("psync", Note::System),
    (
        "quit",
        Note::Deprecated("7.2.0", "just closing the connection"),
    ),
    ("replconf", Note::System),
    ("restore-asking", Note::System),
    (
        "rpoplpush",
        Note::Deprecated("6.2.0", "`LMOVE` with the `RIGHT` and `LEFT` arguments"),
    ),
    (
        "setex",
        Note::Deprecated("2.6.12", "`SET` with the `EX` argument"),
    ),
    (
        "setnx",
        Note::Deprecated("2.6.12", "`SET` with the `NX` argument"),
    ),
    ("slaveof", Note::Deprecated("5.0.0", "`REPLICAOF`")),
    ("substr", Note::Deprecated("2.0.0", "`GETRANGE`")),
    ("sync", Note::System),
    (
        "zrangebylex",
        Note::Deprecated("6.2.0", "`ZRANGE` with the `BYLEX` argument"),
    ),
    (
        "zrangebyscore",
        Note::Deprecated("6.2.0", "`ZRANGE` with the `BYSCORE` argument"),
    ),
];

fn note(name: &str) -> Option<Note> {
    let at = NOTES.binary_search_by_key(&name, |&(name, _)| name).ok()?;
    Some(NOTES[at].1)
}

/// COMMAND DOCS.
pub(super) fn docs(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let table = &call.server.commands;
    if call.args.len() == 2 {
        call.reply.map(table.callable().count());
        for (_, command) in table.callable() {
            put(call.reply, table, command);
        }
        return Ok(());
    }
    let found: Vec<_> = (call.args.skip(2).iter())
        .filter_map(|word| named(table, word))
        .collect();
    call.reply.map(found.len());
    for command in found {
        put(call.reply, table, command);
    }
    Ok(())
}

/// A command's name and its map.
fn put(reply: &mut Reply, table: &CommandTable, command: &Command) {
    let spec = &command.spec;
    let key_ranges = match spec.keys {
        Keys::None => 0,
        Keys::At(ranges) => ranges.len(),
    };
    let arguments = syntax::parse(spec.syntax, key_ranges).expect("a test parses every row");
    let note = note(&command.full_name);
    let of_note = match note {
        None => 0,
        Some(Note::System) => 1,
        Some(Note::Deprecated(..)) => 3,
    };
    reply.bulk(command.full_name.as_bytes());
    let optional =
        usize::from(!arguments.is_empty()) + usize::from(!command.subcommands.is_empty());
    reply.map(4 + of_note + optional);
    put_pair(reply, "summary", spec.summary);
    put_pair(reply, "since", spec.since);
    put_pair(reply, "group", spec.group.word());
    put_pair(reply, "complexity", spec.complexity);
    match note {
        None => {}
        Some(Note::System) => put_set(reply, "doc_flags", &["syscmd"]),
        Some(Note::Deprecated(since, by)) => {
            put_set(reply, "doc_flags", &["deprecated"]);
            put_pair(reply, "deprecated_since", since);
            put_pair(reply, "replaced_by", by);
        }
    }
    if !arguments.is_empty() {
        put_arguments(reply, &arguments);
    }
    if !command.subcommands.is_empty() {
        reply.bulk(b"subcommands");
        reply.map(command.subcommands.len());
        for &sub in &command.subcommands {
            put(reply, table, table.command(sub));
        }
    }
}

fn put_pair(reply: &mut Reply, name: &str, text: &str) {
    reply.bulk(name.as_bytes());
    reply.bulk(text.as_bytes());
}

fn put_set(reply: &mut Reply, name: &str, words: &[&str]) {
    reply.bulk(name.as_bytes());
    reply.set(words.len());
    for word in words {
        reply.simple(word.as_bytes());
    }
}

fn put_arguments(reply: &mut Reply, arguments: &[Argument]) {
    reply.bulk(b"arguments");
    reply.array(arguments.len());
    for argument in arguments {
        put_argument(reply, argument);
    }
}

fn put_argument(reply: &mut Reply, argument: &Argument) {
    let is_group = matches!(argument.kind, Kind::OneOf | Kind::Block);
    let flags: Vec<_> = [
        (argument.optional, "optional"),
        (argument.multiple, "multiple"),
        (argument.multiple_token, "multiple_token"),
    ]
    .into_iter()
    .filter_map(|(is, word)| is.then_some(word))
    .collect();
    let optional = [
        argument.key_spec_index.is_some(),
        argument.token.is_some(),
        !flags.is_empty(),
    ];
    // The third is the text to show, or the parts.
    reply.map(3 + optional.into_iter().filter(|is| *is).count());
    put_pair(reply, "name", &argument.name);
    put_pair(reply, "type", argument.kind.word());
    if !is_group {
        put_pair(reply, "display_text", &argument.name);
    }
    if let Some(index) = argument.key_spec_index {
        reply.bulk(b"key_spec_index");
        reply.int(i64::try_from(index).expect("a few ranges"));
    }
    if let Some(token) = argument.token {
        put_pair(reply, "token", token);
    }
    if !flags.is_empty() {
        put_set(reply, "flags", &flags);
    }
    if is_group {
        put_arguments(reply, &argument.parts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_sorted_and_every_command_has_docs() {
        assert!(NOTES.is_sorted_by_key(|&(name, _)| name));
        let table = CommandTable::new(&[]).expect("no renames");
        let mut reply = Reply::new(resp::Proto::Resp3);
        for (_, command) in table.callable() {
            let before = reply.len();
            put(&mut reply, &table, command);
            assert!(reply.len() > before + command.full_name.len());
        }
        assert!(matches!(
            note("substr"),
            Some(Note::Deprecated("2.0.0", "`GETRANGE`"))
        ));
        assert!(note("get").is_none());
    }
}
