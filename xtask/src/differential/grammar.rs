//! What a server says about its commands: COMMAND DOCS' argument trees and COMMAND's tips.
//!
//! Our server's trees come from the rows' syntax lines, so the generator grows with the table by
//! itself; they are asked for over the wire, because what checks the server shares no code with it.
//! The peer's trees tell which commands and option words it lacks: those are left out by what the peer
//! says of itself instead of by a list of versions that somebody has to keep.

use crate::Res;
use crate::wire::{Client, Reply};
use std::collections::{BTreeMap, BTreeSet};

/// One argument or a group of them, as COMMAND DOCS has it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Argument {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) token: Option<String>,
    pub(crate) optional: bool,
    pub(crate) multiple: bool,
    pub(crate) multiple_token: bool,
    pub(crate) parts: Vec<Argument>,
}

impl Argument {
    /// Does this token occur here or below?
    pub(crate) fn has(&self, token: &str) -> bool {
        self.token.as_deref() == Some(token) || self.parts.iter().any(|part| part.has(token))
    }

    fn tokens(&self, into: &mut BTreeSet<String>) {
        into.extend(self.token.as_ref().map(|token| token.to_uppercase()));
        self.parts.iter().for_each(|part| part.tokens(into));
    }
}

/// One command; a subcommand has two words.
#[derive(Debug, Clone, Default)]
pub(crate) struct Command {
    /// Upper case, words joined by a space.
    pub(crate) name: String,
    pub(crate) group: String,
    pub(crate) unordered: bool,
    pub(crate) random: bool,
    pub(crate) blocking: bool,
    pub(crate) arguments: Vec<Argument>,
}

impl Command {
    pub(crate) fn tokens(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        self.arguments.iter().for_each(|a| a.tokens(&mut found));
        found
    }
}

/// All commands of a server, by name.
pub(crate) fn ask(client: &mut Client) -> Res<BTreeMap<String, Command>> {
    let mut commands = BTreeMap::new();
    let docs = client.ask(&["COMMAND", "DOCS"])?;
    for (name, doc) in pairs(&docs) {
        add_docs(&name, doc, &mut commands);
    }
    for row in list(&client.ask(&["COMMAND"])?) {
        add_info(row, &mut commands);
    }
    Ok(commands)
}

fn spoken(name: &str) -> String {
    name.to_uppercase().replace('|', " ")
}

fn add_docs(name: &str, doc: &Reply, commands: &mut BTreeMap<String, Command>) {
    let fields: BTreeMap<String, &Reply> = pairs(doc).into_iter().collect();
    if let Some(subcommands) = fields.get("subcommands") {
        for (name, doc) in pairs(subcommands) {
            add_docs(&name, doc, commands);
        }
        return;
    }
    let command = Command {
        name: spoken(name),
        group: fields.get("group").map(|g| g.text()).unwrap_or_default(),
        arguments: fields.get("arguments").map_or(Vec::new(), |a| arguments(a)),
        ..Command::default()
    };
    commands.insert(command.name.clone(), command);
}

/// COMMAND's row: name, arity, flags, first, last, step, categories, tips, key ranges, subcommands.
fn add_info(row: &Reply, commands: &mut BTreeMap<String, Command>) {
    let row = list(row);
    let words = |at: usize| -> Vec<String> {
        row.get(at)
            .map_or(Vec::new(), |r| list(r).iter().map(Reply::text).collect())
    };
    let Some(name) = row.first() else { return };
    if let Some(command) = commands.get_mut(&spoken(&name.text())) {
        let tips = words(7);
        let has = |tip: &str| tips.iter().any(|t| t == tip);
        command.unordered = has("nondeterministic_output_order");
        command.random = has("nondeterministic_output");
        command.blocking = words(2).iter().any(|flag| flag == "blocking");
    }
    for subcommand in row.get(9).map_or(&[][..], |r| list(r)) {
        add_info(subcommand, commands);
    }
}

fn arguments(reply: &Reply) -> Vec<Argument> {
    list(reply).iter().map(argument).collect()
}

fn argument(reply: &Reply) -> Argument {
    let mut argument = Argument::default();
    for (field, value) in pairs(reply) {
        match field.as_str() {
            "name" => argument.name = value.text(),
            "type" => argument.kind = value.text(),
            "token" => argument.token = Some(value.text()),
            "arguments" => argument.parts = arguments(value),
            "flags" => {
                let has = |flag: &str| list(value).iter().any(|f| f.text() == flag);
                argument.optional = has("optional");
                argument.multiple = has("multiple");
                argument.multiple_token = has("multiple_token");
            }
            _ => {}
        }
    }
    argument
}

pub(crate) fn list(reply: &Reply) -> &[Reply] {
    match reply {
        Reply::Many(_, items) => items,
        _ => &[],
    }
}

/// A map, or RESP2's flat list of names and values.
fn pairs(reply: &Reply) -> Vec<(String, &Reply)> {
    list(reply)
        .chunks_exact(2)
        .map(|pair| (pair[0].text(), &pair[1]))
        .collect()
}
