//! What may stand only in certain rooms: differences between systems, unsafe
//! code, opening of data files; and what may stand nowhere.

use super::source::{Source, words_at};

/// Crates that know about systems.
const SYSTEM_CRATES: &[&str] = &["io", "os"];

/// Crates with unsafe code, and the files of `store` that have some.
const UNSAFE_CRATES: &[&str] = &["collections", "io", "os"];
/// Entries are one allocation each; a shard is a cell behind its lock; prefetch is an instruction.
const UNSAFE_IN_STORE: &[&str] = &[
    "store/src/entry/mod.rs",
    "store/src/entry/raw.rs",
    "store/src/entry/view.rs",
    "store/src/shard.rs",
    "store/src/prefetch.rs",
];

/// Tests that watch the allocator, which only an allocator can.
const UNSAFE_IN_TESTS: &[&str] = &["server/tests/allocation.rs"];

/// Files outside `os` that open files themselves, and why they may.
const OPENS_FILES: &[(&str, &str)] = &[(
    "server/src/config/",
    "reads and rewrites redis.conf, which is no data file",
)];

/// Words in a `cfg` that tell systems apart.
const SYSTEM_WORDS: &[&str] = &[
    "windows",
    "unix",
    "target_os",
    "target_family",
    "target_env",
    "target_vendor",
];

pub(crate) fn check(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in sources {
        systems(source, &mut wrong);
        unsafe_code(source, &mut wrong);
        data_files(source, &mut wrong);
        leftovers(source, &mut wrong);
    }
    wrong
}

fn systems(source: &Source, wrong: &mut Vec<String>) {
    if source.is_test() || SYSTEM_CRATES.contains(&source.crate_name()) {
        return;
    }
    for opener in ["cfg", "cfg_attr"] {
        for at in words_at(&source.code, opener) {
            let rest = &source.code[at + opener.len()..];
            let rest = rest.strip_prefix('!').unwrap_or(rest);
            let Some(inside) = rest.strip_prefix('(') else {
                continue;
            };
            let inside = &inside[..closing(inside)];
            if let Some(word) = SYSTEM_WORDS
                .iter()
                .find(|word| words_at(inside, word).next().is_some())
            {
                wrong.push(format!(
                    "{}:{}: cfg({word}) belongs in io or os",
                    source.path,
                    source.line_of(at)
                ));
            }
        }
    }
    for (at, _) in source.code.match_indices("std::os::") {
        wrong.push(format!(
            "{}:{}: std::os belongs in io or os",
            source.path,
            source.line_of(at)
        ));
    }
}

/// The length of the text up to the parenthesis that closes it.
fn closing(text: &str) -> usize {
    let mut depth = 1;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

fn unsafe_code(source: &Source, wrong: &mut Vec<String>) {
    // Of what is fenced off as tests, this project's own commands stay safe.
    let name = source.crate_name();
    if UNSAFE_CRATES.contains(&name) || (source.is_test() && name != "xtask") {
        return;
    }
    let path = source.path.as_str();
    if UNSAFE_IN_STORE.contains(&path) || UNSAFE_IN_TESTS.contains(&path) {
        return;
    }
    if let Some(at) = words_at(&source.code, "unsafe").next() {
        wrong.push(format!(
            "{}:{}: unsafe outside its rooms (xtask/src/tidy/fences.rs names them)",
            source.path,
            source.line_of(at)
        ));
    }
}

fn data_files(source: &Source, wrong: &mut Vec<String>) {
    if source.is_test() || source.crate_name() == "os" || source.path.ends_with("build.rs") {
        return;
    }
    if OPENS_FILES
        .iter()
        .any(|(place, _)| source.path.starts_with(place))
    {
        return;
    }
    let code = source.code_without_tests();
    for word in [
        "File::create",
        "File::open",
        "OpenOptions::new",
        "fs::write",
        "fs::rename",
        "fs::read",
    ] {
        for (at, _) in code.match_indices(word) {
            wrong.push(format!(
                "{}:{}: {word}: files are opened in os (or the place is listed in fences.rs)",
                source.path,
                source.line_of(at)
            ));
        }
    }
}

/// Comments count here too.
fn leftovers(source: &Source, wrong: &mut Vec<String>) {
    // Spelled apart, so that this file passes its own check.
    for word in [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X:"),
        concat!("dbg", "!("),
    ] {
        for (index, line) in source.text.lines().enumerate() {
            if line.contains(word) {
                wrong.push(format!("{}:{}: {word}", source.path, index + 1));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_one(path: &str, text: &str, expected: &str) {
        let found = check(&[Source::new(path, text.to_string())]).join("\n");
        match expected {
            "" => assert_eq!(found, "", "{path}: {text}"),
            part => assert!(found.contains(part), "{path}: {text}: {found:?}"),
        }
    }

    #[test]
    fn systems_stay_in_io_and_os() {
        check_one(
            "server/src/a.rs",
            "#[cfg(windows)] fn f() {}",
            "a.rs:1: cfg(windows)",
        );
        check_one(
            "server/src/a.rs",
            "if cfg!(any(test, target_os = \"linux\")) {}",
            "cfg(target_os)",
        );
        check_one("server/src/a.rs", "#[cfg(test)] mod windows {}", "");
        check_one("server/src/a.rs", "// cfg(windows)\n\"cfg(unix)\"", "");
        check_one("os/src/a.rs", "#[cfg(windows)] fn f() {}", "");
        check_one("server/src/a.rs", "use std::os::fd::AsFd;", "std::os");
    }

    #[test]
    fn unsafe_stays_in_its_rooms() {
        check_one("commands/src/a.rs", "unsafe { f() }", "a.rs:1: unsafe");
        check_one("commands/src/a.rs", "#![forbid(unsafe_code)]", "");
        check_one("collections/src/a.rs", "unsafe { f() }", "");
        check_one("store/src/locks.rs", "unsafe { f() }", "locks.rs:1");
    }

    #[test]
    fn files_are_opened_in_os() {
        check_one("rdb/src/a.rs", "std::fs::File::create(p)", "File::create");
        check_one(
            "rdb/src/a.rs",
            "fn f() {}\n#[cfg(test)]\nmod tests { fn g() { File::open(p) } }",
            "",
        );
        check_one("os/src/files.rs", "File::create(p)", "");
        check_one("server/src/config/file.rs", "fs::read(p)", "");
    }

    #[test]
    fn leftovers_count_in_comments() {
        check_one(
            "os/src/a.rs",
            concat!("// TO", "DO later"),
            concat!("TO", "DO"),
        );
    }
}
