//! Which crate may use which: DESIGN's storeys as a list.
//!
//! A new edge is a decision; it is made here, in the same commit as the
//! dependency, with the page that says why.

use crate::{Res, sh};

/// A crate and the crates of ours that it may use; the storeys from the ground up.
const EDGES: &[(&str, &[&str])] = &[
    ("resp", &[]),
    ("collections", &[]),
    ("io", &[]),
    ("os", &[]),
    ("store", &["collections"]),
    // Of `resp` only its numbers: files spell scores as clients see them.
    ("rdb", &["resp", "collections", "store"]),
    ("commands", &["resp", "collections", "store", "rdb"]),
    // Of `resp` only its numbers and requests: the append-only file is made of them.
    ("persist", &["resp", "os", "store", "rdb"]),
    (
        "server",
        &[
            "resp",
            "collections",
            "io",
            "os",
            "store",
            "rdb",
            "commands",
            "persist",
        ],
    ),
    // Of `rdb` the check of files, which is a program of its own.
    ("redstart-server", &["os", "rdb", "persist", "server"]),
    // What a client needs of a server is its protocol: help comes from COMMAND DOCS.
    ("cli", &["resp", "os"]),
    ("xtask", &[]),
];

/// Reads every member's manifest and names the edges that the list does not have.
pub(crate) fn check() -> Res<Vec<String>> {
    let root = sh::read(&sh::root().join("Cargo.toml"))?;
    let mut wrong = Vec::new();
    for member in members(&root) {
        let Some((_, allowed)) = EDGES.iter().find(|(name, _)| *name == member) else {
            wrong.push(format!(
                "Cargo.toml: crate {member} has no storey in xtask/src/tidy/edges.rs"
            ));
            continue;
        };
        let manifest = sh::read(&sh::root().join(&member).join("Cargo.toml"))?;
        for used in used_crates(&manifest) {
            if !allowed.contains(&used.as_str()) {
                wrong.push(format!("{member}/Cargo.toml: {member} may not use {used}"));
            }
        }
    }
    Ok(wrong)
}

fn members(root: &str) -> Vec<String> {
    let list = root
        .split("members = [")
        .nth(1)
        .and_then(|rest| rest.split(']').next())
        .unwrap_or("");
    list.split('"')
        .skip(1)
        .step_by(2)
        .map(str::to_string)
        .collect()
}

/// Names of our own crates in whatever dependency table of a manifest.
fn used_crates(manifest: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut in_table = false;
    for line in manifest.lines().map(str::trim) {
        if let Some(table) = line.strip_prefix('[') {
            let table = table.trim_end_matches(']');
            in_table = table.ends_with("dependencies");
            // `[dependencies.store]`
            if let Some((_, name)) = table.split_once("dependencies.") {
                found.push(name.to_string());
            }
        } else if in_table && !line.starts_with('#') {
            let name: String = line
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c))
                .collect();
            found.push(name);
        }
    }
    found.retain(|name| EDGES.iter().any(|(ours, _)| ours == name));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_of_a_dependency_are_seen() {
        let text = "[package]\nname = \"store\"\n[dependencies]\nresp.workspace = true\nmio = \"1\"\n\
                    [target.'cfg(unix)'.dependencies]\nio = { path = \"../io\" }\n[dev-dependencies.rdb]\npath = \"x\"";
        assert_eq!(used_crates(text), ["resp", "io", "rdb"]);
    }

    #[test]
    fn the_list_itself_goes_downwards() {
        for (index, (name, allowed)) in EDGES.iter().enumerate() {
            for used in *allowed {
                let below = EDGES[..index].iter().any(|(other, _)| other == used);
                assert!(below, "{name} uses {used}, which does not stand before it");
            }
        }
    }
}
