//! The list of known failures of the foreign suite, `tests/foreign/redis-VERSION.skip`.
//!
//!   test name <TAB> reason <TAB> issue [<TAB> mark[,mark]]
//!
//! Marks: `skip`: the test is not run at all, because its failure hangs or
//! spoils what follows; `four`: it fails only with four workers; `maybe`: it
//! depends on the machine's speed and may do either. Without `skip` a listed
//! test runs, and if it passes the run fails: so the list can only shrink.

use crate::{Res, sh};
use std::collections::BTreeSet;
use std::path::Path;

#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) name: String,
    pub(crate) issue: u32,
    pub(crate) skip: bool,
    pub(crate) four: bool,
    pub(crate) maybe: bool,
}

/// Reads and checks the list; `closed` are the issues that nothing may wait for any more.
pub(crate) fn read(path: &Path, closed: &BTreeSet<u32>) -> Res<Vec<Listed>> {
    let list = parse(&sh::read(path)?).map_err(|e| format!("{}: {e}", path.display()))?;
    match list.iter().find(|line| closed.contains(&line.issue)) {
        Some(line) => Err(format!(
            "'{}' waits for issue {}, which is closed",
            line.name, line.issue
        )),
        None => Ok(list),
    }
}

fn parse(text: &str) -> Result<Vec<Listed>, String> {
    let mut list: Vec<Listed> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let at = |e: &str| format!("line {}: {e}", index + 1);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut columns = line.split('\t');
        let (Some(name), Some(reason), Some(issue)) =
            (columns.next(), columns.next(), columns.next())
        else {
            return Err(at("a line is: test name, reason, issue, parted by tabs"));
        };
        if reason.trim().is_empty() {
            return Err(at("the reason is empty"));
        }
        let issue = issue
            .parse()
            .map_err(|_| at("the issue is a number (0: not filed yet)"))?;
        let marks: Vec<&str> = columns
            .next()
            .map(|m| m.split(',').collect())
            .unwrap_or_default();
        if let Some(mark) = marks
            .iter()
            .find(|mark| !["skip", "four", "maybe"].contains(mark))
        {
            return Err(at(&format!("no mark '{mark}'")));
        }
        if list.iter().any(|other| other.name == name) {
            return Err(at("listed twice"));
        }
        let has = |mark: &str| marks.contains(&mark);
        list.push(Listed {
            name: name.to_string(),
            issue,
            skip: has("skip"),
            four: has("four"),
            maybe: has("maybe"),
        });
    }
    Ok(list)
}

/// One issue number a line, `#` for comments.
pub(crate) fn closed_issues(path: &Path) -> Res<BTreeSet<u32>> {
    sh::read(path)?
        .lines()
        .map(|line| line.split('#').next().unwrap_or("").trim())
        .filter(|line| !line.is_empty())
        .map(|line| {
            line.parse()
                .map_err(|_| format!("{}: '{line}' is no issue", path.display()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read() {
        let list =
            parse("# c\nA test\tneeds lists\t3\nB\traces\t2\tfour,skip\n").expect("well formed");
        assert_eq!(
            (list[0].name.as_str(), list[0].issue, list[0].skip),
            ("A test", 3, false)
        );
        assert!(list[1].four && list[1].skip && !list[1].maybe);
    }

    #[test]
    fn bad_lines_are_refused() {
        for text in [
            "A\treason",
            "A\t\t3",
            "A\treason\tx",
            "A\treason\t3\tnever",
            "A\tr\t3\nA\tr\t3",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
