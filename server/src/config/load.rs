//! Reads a configuration: a file, what it includes, standard input, the command line's options.
//!
//! They count as one text in that order, so that line numbers and "the last one wins" come out as
//! people know them. An `include` is read where it stands, as a text of its own with its own line
//! numbers; a pattern that matches nothing includes nothing, a plain name that is not there is an
//! error; sixteen files may include one another, then it is taken for a circle.
//!
//! `save` differs from all others: the first one forgets the default, later ones add to it.
//!
//! Nothing here touches the process: `dir` is looked up, so that later relative names are found
//! where they will be, but entered only when the server starts. So `--check-config` is the same code.
//!
//! Checked by: tests below, fuzz/config, `server/tests/config_file.rs`.

use super::language;
use super::table::{self, ROWS};
use super::value::{Kind, Special, Value, Word};
use super::{Directives, words_of_line};
use crate::version;
use std::fmt;
use std::path::{Path, PathBuf};

/// How deep files may include one another.
const DEPTH_MAX: usize = 16;

/// Why a configuration was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fatal {
    /// The included file in which it is; `None` for the main text.
    pub file: Option<PathBuf>,
    /// The line's number, from 1, and the line.
    pub line: Option<(usize, Vec<u8>)>,
    /// What is wrong.
    pub reason: String,
}

impl fmt::Display for Fatal {
    /// Redis's form, ending with a line feed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\n*** FATAL CONFIG FILE ERROR (Redis {}) ***",
            version::REDIS_VERSION
        )?;
        if let Some((number, line)) = &self.line {
            write!(f, "Reading the configuration file")?;
            if let Some(file) = &self.file {
                write!(f, " ({})", file.display())?;
            }
            writeln!(f, ", at line {number}")?;
            writeln!(f, ">>> '{}'", String::from_utf8_lossy(line))?;
        }
        writeln!(f, "{}", self.reason)
    }
}

/// A configuration while it is read.
pub(crate) struct Loader<'a> {
    pub(crate) values: Vec<Value>,
    pub(crate) directives: Directives,
    /// Where relative names count from: the working folder, later `dir`.
    base: PathBuf,
    /// Whether `save` has stood in the configuration.
    saved: bool,
    is_command: &'a dyn Fn(&[u8]) -> bool,
}

impl<'a> Loader<'a> {
    pub(crate) fn new(values: Vec<Value>, is_command: &'a dyn Fn(&[u8]) -> bool) -> Self {
        let base = std::env::current_dir().unwrap_or_default();
        Loader {
            values,
            directives: Directives::default(),
            base,
            saved: false,
            is_command,
        }
    }

    /// Reads a text; `file` names it when it is an included one.
    pub(crate) fn read(
        &mut self,
        text: &[u8],
        file: Option<&Path>,
        depth: usize,
    ) -> Result<(), Fatal> {
        for (at, line) in language::lines(text).enumerate() {
            self.line(line, depth).map_err(|why| match why {
                Stop::Here(reason) => Fatal {
                    file: file.map(Into::into),
                    line: Some((at + 1, line.to_vec())),
                    reason,
                },
                Stop::Included(fatal) => fatal,
            })?;
        }
        Ok(())
    }

    /// What holds only for the whole.
    pub(crate) fn finish(&mut self) -> Result<(), Fatal> {
        let fail = |reason: &str| {
            Err(Fatal {
                file: None,
                line: None,
                reason: reason.to_owned(),
            })
        };
        let value =
            |name: &str| &self.values[table::find(name.as_bytes()).expect("a row's own name")];
        if value("cluster-enabled") == &Value::Bool(true)
            && value("replicaof") != &Value::Words(Vec::new())
        {
            return fail("replicaof directive not allowed in cluster mode");
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8], depth: usize) -> Result<(), Stop> {
        let words = language::words(line)?;
        let Some((name, rest)) = words.split_first() else {
            return Ok(());
        };
        if let Some(at) = table::find(name) {
            return Ok(self.parameter(at, rest)?);
        }
        match (&**name, rest) {
            (b"include", [pattern]) => self.include(pattern, depth),
            (b"rename-command", [from, to]) => Ok(self.rename(from, to)?),
            (b"user", [_, ..]) => {
                self.directives.users.push(rest.to_vec());
                Ok(())
            }
            (b"loadmodule", [_, ..]) => {
                self.directives.modules.push(rest.to_vec());
                Ok(())
            }
            (b"sentinel", []) => Ok(()),
            (b"sentinel", _) => Err("sentinel directive while not in sentinel mode".into()),
            (retired, [_]) if table::RETIRED.iter().any(|(name, _)| name.as_bytes() == retired) => {
                let row = table::RETIRED.iter().find(|(name, _)| name.as_bytes() == retired);
                self.directives.retired.extend(row);
                Ok(())
            }
            (dotted, []) if dotted.contains(&b'.') => Err("Module config specified without value".into()),
            (dotted, _) if dotted.contains(&b'.') => {
                Err("Module Configuration detected without loadmodule directive or no ApplyConfig call: aborting".into())
            }
            _ => Err("Bad directive or wrong number of arguments".into()),
        }
    }

    fn parameter(&mut self, at: usize, rest: &[Word]) -> Result<(), String> {
        let row = &ROWS[at];
        let words = words_of_line(row, rest)?;
        let mut value = row.kind.parse(&words, Some(&self.values[at]))?;
        match row.kind {
            Kind::Special(Special::Save) => {
                let first = !std::mem::replace(&mut self.saved, true);
                if let (Value::Words(old), Value::Words(new)) = (&self.values[at], &mut value)
                    && !first
                    && !new.is_empty()
                {
                    new.splice(0..0, old.iter().cloned());
                }
            }
            Kind::Special(Special::Dir) => {
                let Value::Text(text) = &value else {
                    unreachable!("a folder is a text")
                };
                self.base = self.folder(text)?;
            }
            _ => {}
        }
        self.values[at] = value;
        Ok(())
    }

    /// The folder that `dir` names, looked up.
    fn folder(&self, text: &[u8]) -> Result<PathBuf, String> {
        let folder = self.base.join(super::path_of(text));
        match std::fs::metadata(&folder) {
            Ok(found) if found.is_dir() => Ok(folder),
            Ok(_) => Err("Not a directory".into()),
            Err(e) => Err(os::files::error_text(&e)),
        }
    }

    fn rename(&mut self, from: &[u8], to: &[u8]) -> Result<(), String> {
        let renames = &mut self.directives.renames;
        let is = |name: &[u8], word: &[u8]| name.eq_ignore_ascii_case(word);
        // What earlier lines made of the name counts.
        let known = renames.iter().rev().find_map(|(old, new)| {
            if is(new, from) {
                Some(true)
            } else {
                is(old, from).then_some(false)
            }
        });
        if !known.unwrap_or_else(|| (self.is_command)(from)) {
            return Err("No such command in rename-command".into());
        }
        let taken = renames.iter().rev().find_map(|(old, new)| {
            if is(new, to) {
                Some(true)
            } else {
                is(old, to).then_some(false)
            }
        });
        if !to.is_empty() && !is(to, from) && taken.unwrap_or_else(|| (self.is_command)(to)) {
            return Err("Target command name already exists".into());
        }
        renames.push((from.into(), to.into()));
        Ok(())
    }

    fn include(&mut self, pattern: &[u8], depth: usize) -> Result<(), Stop> {
        if depth >= DEPTH_MAX {
            return Err(format!(
                "include goes deeper than {DEPTH_MAX} files; do they include one another?"
            )
            .into());
        }
        let path = self.base.join(super::path_of(pattern));
        let files = if pattern.iter().any(|b| b"*?[".contains(b)) {
            let pattern = path.to_str().ok_or("the pattern is not valid UTF-8")?;
            let found = glob::glob(pattern).map_err(|e| format!("bad pattern: {e}"))?;
            // What cannot be looked into cannot be matched.
            found
                .filter_map(Result::ok)
                .filter(|p| p.is_file())
                .collect()
        } else {
            vec![path]
        };
        for file in files {
            let text = read_file(&file)?;
            self.read(&text, Some(&file), depth + 1)
                .map_err(Stop::Included)?;
        }
        Ok(())
    }
}

/// A configuration file's text.
pub(crate) fn read_file(file: &Path) -> Result<Vec<u8>, String> {
    let bytes = os::files::read(file).map_err(|e| {
        format!(
            "Fatal error, can't open config file '{}': {}",
            file.display(),
            os::files::error_text(&e)
        )
    })?;
    language::decode(bytes).map_err(|why| {
        format!(
            "Fatal error, can't read config file '{}': {why}",
            file.display()
        )
    })
}

/// Why a line was refused: for itself, or for something in what it includes.
enum Stop {
    Here(String),
    Included(Fatal),
}

impl From<String> for Stop {
    fn from(reason: String) -> Self {
        Stop::Here(reason)
    }
}

impl From<&str> for Stop {
    fn from(reason: &str) -> Self {
        Stop::Here(reason.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    fn load(text: &str) -> Result<Config, Fatal> {
        Config::from_text(text.as_bytes(), &|name| {
            [b"get".as_slice(), b"set"].contains(&&*name.to_ascii_lowercase())
        })
    }

    fn check_error(text: &str, line: usize, reason: &str) {
        let fatal = load(text).map(|_| ()).expect_err("this must be refused");
        assert_eq!(
            (fatal.line.as_ref().map(|l| l.0), &*fatal.reason),
            (Some(line), reason),
            "{text:?}"
        );
    }

    #[test]
    fn last_one_wins_and_save_adds_up() {
        let config =
            load("port 1\nPort 2\nsave 1 2\nsave 3 4\nbind '127.0.0.1 ::1'\nlua-time-limit 9")
                .expect("valid");
        assert_eq!(config.number("port"), 2);
        assert_eq!(config.text_of("save"), b"1 2 3 4");
        assert_eq!(config.text_of("bind"), b"127.0.0.1 ::1");
        assert_eq!(config.number("busy-reply-threshold"), 9);
        assert_eq!(
            load("save 1 2\nsave ''").expect("valid").text_of("save"),
            b""
        );
        assert_eq!(
            load("").expect("valid").text_of("save"),
            b"3600 1 300 100 60 10000"
        );
    }

    #[test]
    fn refusals_name_line_and_reason() {
        check_error("\nport", 2, "wrong number of arguments");
        check_error(
            "port 70000",
            1,
            "argument must be between 0 and 65535 inclusive",
        );
        check_error("port \"1", 1, "Unbalanced quotes in configuration line");
        check_error(
            "# x\nnonsense 1",
            2,
            "Bad directive or wrong number of arguments",
        );
        check_error(
            "rename-command nothing x",
            1,
            "No such command in rename-command",
        );
        check_error(
            "rename-command get set",
            1,
            "Target command name already exists",
        );
        check_error(
            "rename-command get a\nrename-command get b",
            2,
            "No such command in rename-command",
        );
        check_error("dir /does/not/exist", 1, "No such file or directory");
        check_error(
            "sentinel monitor x",
            1,
            "sentinel directive while not in sentinel mode",
        );
    }

    #[test]
    fn renames_follow_one_another() {
        let config = load("rename-command get ''\nrename-command SET get").expect("valid");
        assert_eq!(config.directives().renames.len(), 2);
    }

    #[test]
    fn shows_itself_as_redis_does() {
        let text = load("a b").map(|_| ()).expect_err("refused").to_string();
        assert_eq!(
            text,
            "\n*** FATAL CONFIG FILE ERROR (Redis 7.2.4) ***\nReading the configuration file, at line 1\n>>> 'a b'\n\
             Bad directive or wrong number of arguments\n"
        );
    }

    #[test]
    fn includes() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).expect("a small file")
        };
        let include = |name: &str| {
            format!("include \"{}\"", folder.path().join(name).display()).replace('\\', "\\\\")
        };
        write("a.conf", "port 5\n");
        write("b.conf", &format!("{}\nhz 50\n", include("a.conf")));
        write("circle", &include("circle"));
        write("bad", "\n\nport x");
        let config = load(&format!("{}\n{}", include("*.conf"), include("none*"))).expect("valid");
        assert_eq!((config.number("port"), config.number("hz")), (5, 50));
        assert!(load(&include("circle")).is_err_and(|f| f.reason.contains("deeper")));
        assert!(
            load(&include("missing")).is_err_and(|f| f.reason.contains("can't open config file"))
        );
        let bad = load(&include("bad")).map(|_| ()).expect_err("refused");
        assert_eq!(
            (bad.line.as_ref().map(|l| l.0), bad.file),
            (Some(3), Some(folder.path().join("bad")))
        );
    }
}
