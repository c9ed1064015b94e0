//! The configuration: what every parameter holds, how it came there, and how it changes.
//!
//! ```text
//!   command line ─┐
//!   file, includes├─ load.rs ─▶ Config ─ live.rs ─▶ Live (plain fields for workers)
//!   stdin ────────┘               │  ▲
//!                    rewrite.rs ◀─┘  └─ apply.rs ◀─ CONFIG SET
//! ```
//!
//! | file | what |
//! |---|---|
//! | `language.rs` | lines and words |
//! | `value.rs`, `special.rs` | kinds of values, their texts; forms of single parameters |
//! | `row.rs`, `table.rs`, `check.rs` | the parameters |
//! | `load.rs`, `command_line.rs` | start |
//! | `apply.rs` | CONFIG SET: all or nothing, with side effects |
//! | `rewrite.rs` | CONFIG REWRITE |
//! | `host.rs` | the server as the configuration sees it; the addresses of `bind` |
//! | `live.rs` | the snapshot that hot paths read |
//! | `title.rs` | `proc-title-template` |
//!
//! C1  a value always satisfies its row: it only ever comes from `Kind::parse`.
//! C2  one change at a time: CONFIG SET and REWRITE hold `changing`; readers never wait for it.

mod apply;
mod check;
pub mod command_line;
mod host;
mod language;
mod live;
mod load;
mod rewrite;
mod row;
mod special;
pub mod table;
mod title;
mod value;

pub use apply::{Host, SetError, Setter};
pub use host::reserved_files;
pub use load::Fatal;
pub use rewrite::RewriteError;
pub use row::{Row, Waits};
pub(crate) use value::bytes_of;
pub use value::{Kind, Special, Unit, Value};

use parking_lot::{Mutex, RwLock};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use table::ROWS;
use value::Word;

/// What a file contains beside parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directives {
    /// `rename-command`: old and new name, in order; an empty new name removes.
    pub renames: Vec<(Word, Word)>,
    /// `user` lines, without the first word.
    pub users: Vec<Vec<Word>>,
    /// `loadmodule` lines, without the first word.
    pub modules: Vec<Vec<Word>>,
    /// Directives that mean nothing any more, with the reason.
    pub retired: Vec<(&'static str, &'static str)>,
}

/// Every parameter's value.
#[derive(Debug)]
pub struct Config {
    /// In the order of [`ROWS`].
    values: RwLock<Vec<Value>>,
    changing: Mutex<()>,
    directives: Directives,
    /// The main file, absolute.
    file: Option<PathBuf>,
    /// What came from standard input, for a process that starts anew in the background.
    stdin: Option<Vec<u8>>,
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

impl Config {
    /// Every parameter at its default.
    #[must_use]
    pub fn new() -> Self {
        Config {
            values: RwLock::new(defaults()),
            changing: Mutex::new(()),
            directives: Directives::default(),
            file: None,
            stdin: None,
        }
    }

    /// Reads what the command line names. `is_command` knows the command table, for `rename-command`.
    pub fn load(
        sources: &command_line::Sources,
        is_command: &dyn Fn(&[u8]) -> bool,
    ) -> Result<Self, Fatal> {
        let plain = |reason| Fatal {
            file: None,
            line: None,
            reason,
        };
        let mut text = Vec::new();
        let mut file = None;
        if let Some(name) = &sources.file {
            let path =
                std::path::absolute(path_of(name)).map_err(|e| plain(os::files::error_text(&e)))?;
            text = load::read_file(&path).map_err(plain)?;
            file = Some(path);
        }
        let mut stdin = None;
        if sources.stdin {
            let mut more = Vec::new();
            std::io::stdin()
                .read_to_end(&mut more)
                .map_err(|e| plain(format!("Can't read standard input: {e}")))?;
            text.extend_from_slice(
                &language::decode(more.clone()).map_err(|why| plain(why.to_owned()))?,
            );
            stdin = Some(more);
        }
        text.push(b'\n');
        text.extend_from_slice(&sources.options);
        let config = Self::from_text(&text, is_command)?;
        Ok(Config {
            file,
            stdin,
            ..config
        })
    }

    /// Reads a text.
    pub fn from_text(text: &[u8], is_command: &dyn Fn(&[u8]) -> bool) -> Result<Self, Fatal> {
        let mut loader = load::Loader::new(defaults(), is_command);
        loader.read(text, None, 0)?;
        loader.finish()?;
        let mut values = loader.values;
        apply::settle(&mut values);
        Ok(Config {
            values: RwLock::new(values),
            changing: Mutex::new(()),
            directives: loader.directives,
            file: None,
            stdin: None,
        })
    }

    /// The main configuration file, absolute.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// What was read from standard input.
    #[must_use]
    pub fn stdin(&self) -> Option<&[u8]> {
        self.stdin.as_deref()
    }

    /// What the file contains beside parameters.
    #[must_use]
    pub fn directives(&self) -> &Directives {
        &self.directives
    }

    /// A parameter's value. `name` is a row's own name; a test starts the server, so a wrong one shows.
    #[must_use]
    pub fn value(&self, name: &str) -> Value {
        self.values.read()[row_of(name)].clone()
    }

    /// A parameter's canonical text.
    #[must_use]
    pub fn text_of(&self, name: &str) -> Vec<u8> {
        let at = row_of(name);
        ROWS[at].kind.text(&self.values.read()[at])
    }

    /// The same, for what is text by nature.
    #[must_use]
    pub fn string(&self, name: &str) -> String {
        String::from_utf8_lossy(&self.text_of(name)).into_owned()
    }

    /// The same as a path; `None` when empty.
    #[must_use]
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        let text = self.text_of(name);
        (!text.is_empty()).then(|| path_of(&text))
    }

    /// A switch.
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        self.value(name) == Value::Bool(true)
    }

    /// A number.
    #[must_use]
    pub fn number(&self, name: &str) -> i64 {
        match self.value(name) {
            Value::Number(n) => i64::try_from(n).unwrap_or(i64::MAX),
            other => panic!("{name} is not a number but {other:?}"),
        }
    }

    /// A choice's number, as its row gives it.
    #[must_use]
    pub fn choice(&self, name: &str) -> u32 {
        match self.value(name) {
            Value::Choice(n) => n,
            other => panic!("{name} is not a choice but {other:?}"),
        }
    }

    /// A list of words, lossily as text.
    #[must_use]
    pub fn words(&self, name: &str) -> Vec<String> {
        match self.value(name) {
            Value::Words(words) => words
                .iter()
                .map(|w| String::from_utf8_lossy(w).into_owned())
                .collect(),
            other => panic!("{name} is not a list but {other:?}"),
        }
    }

    /// The snapshot that workers read.
    #[must_use]
    pub fn live(&self) -> crate::live::Live {
        live::of(&self.values.read())
    }

    /// CONFIG GET: names (aliases too) that one of the patterns matches, with their texts.
    #[must_use]
    pub fn get(&self, patterns: &[&[u8]]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let values = self.values.read();
        let mut found: Vec<(Vec<u8>, usize)> = Vec::new();
        let mut add = |name: Vec<u8>, at: usize| {
            if !found
                .iter()
                .any(|(known, _)| known.eq_ignore_ascii_case(&name))
            {
                found.push((name, at));
            }
        };
        for pattern in patterns {
            if !pattern.iter().any(|b| b"[*?".contains(b)) {
                // The name comes back as it was asked for.
                if let Some(at) = table::find(pattern) {
                    add(pattern.to_vec(), at);
                }
                continue;
            }
            for (at, row) in ROWS
                .iter()
                .enumerate()
                .filter(|(_, row)| !row.is(row::HIDDEN))
            {
                for name in [Some(row.name), row.alias].into_iter().flatten() {
                    if commands::glob::matches(
                        pattern,
                        name.as_bytes(),
                        commands::glob::Case::Folded,
                    ) {
                        add(name.into(), at);
                    }
                }
            }
        }
        found
            .into_iter()
            .map(|(name, at)| (name, ROWS[at].kind.text(&values[at])))
            .collect()
    }

    /// The parameters that matter for finding a fault, as lines; `None` while somebody changes them.
    #[must_use]
    pub fn debug_lines(&self) -> Option<String> {
        let values = self.values.try_read()?;
        let mut text = String::new();
        for (row, value) in ROWS
            .iter()
            .zip(&*values)
            .filter(|(row, _)| row.is(row::DEBUG))
        {
            for line in row.kind.lines(row.name, value) {
                text.push_str(&String::from_utf8_lossy(&line));
                text.push('\n');
            }
        }
        Some(text)
    }

    /// `proc-title-template` filled in.
    #[must_use]
    pub fn title(&self, program: &str) -> String {
        let values = |name: &str| -> Option<String> {
            Some(match name {
                "title" => program.to_owned(),
                "listen-addr" => self.listen_address(),
                "server-mode" => if self.flag("cluster-enabled") {
                    "[cluster]"
                } else {
                    ""
                }
                .to_owned(),
                "port" | "tls-port" | "unixsocket" => self.string(name),
                "config-file" => self
                    .file
                    .as_ref()
                    .map(|f| f.display().to_string())
                    .unwrap_or_default(),
                _ => return None,
            })
        };
        title::expand(&self.text_of("proc-title-template"), values)
            .unwrap_or_else(|| program.to_owned())
    }

    /// The first address that is listened on: `127.0.0.1:6379`, `*:6379`, `unixsocket:/path`.
    fn listen_address(&self) -> String {
        let port = self.number("port");
        match self.words("bind").first() {
            Some(address) if port != 0 => format!("{}:{port}", address.trim_start_matches('-')),
            _ if port != 0 => format!("*:{port}"),
            _ => format!("unixsocket:{}", self.string("unixsocket")),
        }
    }
}

/// The defaults' values.
fn defaults() -> Vec<Value> {
    let mut values: Vec<Value> = ROWS
        .iter()
        .map(|row| {
            let words = words_of_set(row, row.default.as_bytes());
            row.kind
                .parse(&words, None)
                .expect("a test parses every default")
        })
        .collect();
    // Every core, at most eight (DESIGN section 3).
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    values[row_of("io-threads")] =
        Value::Number(i128::try_from(cores.min(8)).expect("at most eight"));
    if let Ok(folder) = std::env::current_dir() {
        values[row_of("dir")] = Value::Text(bytes_of_path(&folder).into());
    }
    values
}

fn row_of(name: &str) -> usize {
    table::find(name.as_bytes()).unwrap_or_else(|| panic!("{name} is no parameter"))
}

/// The words that CONFIG SET's one value means for a row: split at single blanks where the row takes
/// several.
fn words_of_set(row: &Row, value: &[u8]) -> Vec<Word> {
    if !row.is(row::MULTI) {
        vec![value.into()]
    } else if value.is_empty() {
        Vec::new()
    } else {
        value.split(|b| *b == b' ').map(Word::from).collect()
    }
}

/// The words that a line's words mean for a row: `bind "a b"` is `bind a b`.
fn words_of_line(row: &Row, rest: &[Word]) -> Result<Vec<Word>, String> {
    match rest {
        [one] if row.is(row::MULTI) && !one.is_empty() => Ok(resp::split_words(one)
            .map_err(|_| language::UNBALANCED)?
            .into_iter()
            .map(Word::from)
            .collect()),
        [_] => Ok(rest.to_vec()),
        _ if row.is(row::MULTI) => Ok(rest.to_vec()),
        _ => Err("wrong number of arguments".into()),
    }
}

/// A path from a configuration's bytes.
fn path_of(text: &[u8]) -> PathBuf {
    os::files::path(text)
}

/// A path as configuration text.
fn bytes_of_path(path: &Path) -> Vec<u8> {
    path.as_os_str().as_encoded_bytes().to_vec()
}
