//! The ratchet on lengths: files of at most 600 lines, functions of at most 80.
//!
//! `lengths.txt` lists the exceptions with their length: a file by its path, a
//! function as `path::name`. An entry may shrink, never grow, and goes when it
//! is no longer needed (`cargo xtask tidy --shrink` does both); a new one is
//! written by hand, so that somebody has thought about the second noun.
//! Tests at a file's foot and in `tests/` are not counted.

use super::source::{Source, words_at};
use crate::{Res, sh};
use std::collections::BTreeMap;
use std::path::PathBuf;

const FILE_MAX: usize = 600;
const FUNCTION_MAX: usize = 80;

fn list_path() -> PathBuf {
    sh::root().join("xtask/src/tidy/lengths.txt")
}

/// Compares the tree with the list.
pub(crate) fn check(sources: &[Source]) -> Res<Vec<String>> {
    let listed = read(&sh::read(&list_path())?)?;
    Ok(compare(&measure(sources), &listed))
}

/// Writes the list anew with what has become shorter or gone.
pub(crate) fn shrink(sources: &[Source]) -> Res<()> {
    let text = sh::read(&list_path())?;
    let head: String = text
        .lines()
        .take_while(|l| l.starts_with('#'))
        .map(|l| format!("{l}\n"))
        .collect();
    let long = measure(sources);
    let kept: String = read(&text)?
        .into_iter()
        .filter_map(|(name, old)| {
            long.get(&name)
                .map(|now| format!("{name}\t{}\n", old.min(*now)))
        })
        .collect();
    sh::write(&list_path(), head + &kept)
}

fn compare(long: &BTreeMap<String, usize>, listed: &BTreeMap<String, usize>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, lines) in long {
        match listed.get(name) {
            None => wrong.push(format!(
                "{name}: {lines} lines (files {FILE_MAX}, functions {FUNCTION_MAX} at most)"
            )),
            Some(allowed) if lines > allowed => {
                wrong.push(format!(
                    "{name}: grown to {lines} lines, {allowed} are listed"
                ));
            }
            _ => {}
        }
    }
    for name in listed.keys().filter(|name| !long.contains_key(*name)) {
        wrong.push(format!(
            "{name}: no longer too long; take it out of xtask/src/tidy/lengths.txt"
        ));
    }
    wrong
}

fn read(text: &str) -> Res<BTreeMap<String, usize>> {
    let mut found = BTreeMap::new();
    for line in text
        .lines()
        .filter(|l| !l.is_empty() && !l.starts_with('#'))
    {
        let (name, lines) = line
            .split_once('\t')
            .ok_or_else(|| format!("lengths.txt: '{line}'"))?;
        let lines = lines
            .parse()
            .map_err(|_| format!("lengths.txt: '{line}'"))?;
        found.insert(name.to_string(), lines);
    }
    Ok(found)
}

/// Everything that is longer than it should be.
fn measure(sources: &[Source]) -> BTreeMap<String, usize> {
    let mut long = BTreeMap::new();
    let ours = |s: &&Source| !s.path.contains("/tests/") && !s.path.ends_with("/tests.rs");
    for source in sources.iter().filter(ours) {
        let code = source.code_without_tests();
        let lines = code.lines().count();
        if lines > FILE_MAX {
            long.insert(source.path.clone(), lines);
        }
        for (name, lines) in functions(code) {
            if lines > FUNCTION_MAX {
                // Of several functions of one name in a file the longest counts.
                let longest = long.entry(format!("{}::{name}", source.path)).or_insert(0);
                *longest = lines.max(*longest);
            }
        }
    }
    long
}

/// Functions with bodies: name, lines from `fn` to the closing brace.
fn functions(code: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for at in words_at(code, "fn") {
        let rest = &code[at + 2..];
        let name: String = rest
            .trim_start()
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        if name.is_empty() {
            continue; // a function pointer's type
        }
        let Some(body) = body_end(rest) else { continue };
        found.push((name, rest[..body].matches('\n').count() + 1));
    }
    found
}

/// Where the body that follows a signature ends; `None` where there is no body.
fn body_end(text: &str) -> Option<usize> {
    let (mut round, mut curly) = (0usize, 0usize);
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' => round += 1,
            ')' | ']' => round = round.checked_sub(1)?,
            ';' if curly == 0 && round == 0 => return None,
            '{' => curly += 1,
            '}' => {
                curly = curly.checked_sub(1)?;
                if curly == 0 && round == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_measured() {
        let code =
            "trait T { fn a(&self); }\nfn b(x: [u8; 2]) -> fn() {\n if x { 1 }\n}\nfn c() {}\n";
        assert_eq!(
            functions(code),
            [("b".to_string(), 3), ("c".to_string(), 1)]
        );
    }

    #[test]
    fn the_list_may_only_shrink() {
        let map = |entries: &[(&str, usize)]| {
            entries
                .iter()
                .map(|(n, l)| (n.to_string(), *l))
                .collect::<BTreeMap<_, _>>()
        };
        let listed = map(&[("a.rs", 700), ("b.rs", 700), ("gone.rs", 700)]);
        let wrong = compare(
            &map(&[("a.rs", 650), ("b.rs", 701), ("new.rs", 601)]),
            &listed,
        );
        let names: Vec<&str> = wrong
            .iter()
            .map(|w| w.split(':').next().expect("a name"))
            .collect();
        assert_eq!(names, ["b.rs", "new.rs", "gone.rs"]);
    }
}
