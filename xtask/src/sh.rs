//! Processes, paths and options: what every verb needs.
//!
//! Commands run without a shell and without stdin, because CI has none. `run`
//! lets the child write to our own output; `capture` collects its stdout.

use crate::Res;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The checkout's top folder.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent()
        .expect("xtask/ lies in the root")
        .to_path_buf()
}

/// `.work/NAME`, made if it is not there.
pub(crate) fn work(name: &str) -> Res<PathBuf> {
    let folder = root().join(".work").join(name);
    make_dir(&folder)?;
    Ok(folder)
}

/// The folder outside the checkout for what is costly to prepare.
pub(crate) fn cache() -> Res<PathBuf> {
    let folder = match std::env::var_os("REDSTART_CACHE") {
        Some(path) => PathBuf::from(path),
        None => {
            let home = std::env::var_os("HOME").ok_or("neither REDSTART_CACHE nor HOME is set")?;
            Path::new(&home).join(".cache/redstart")
        }
    };
    make_dir(&folder)?;
    Ok(folder)
}

/// cargo's target folder.
pub(crate) fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(path) => root().join(path),
        None => root().join("target"),
    }
}

pub(crate) fn make_dir(path: &Path) -> Res<()> {
    std::fs::create_dir_all(path).map_err(|e| format!("cannot make {}: {e}", path.display()))
}

pub(crate) fn read(path: &Path) -> Res<String> {
    std::fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()))
}

pub(crate) fn write(path: &Path, text: impl AsRef<[u8]>) -> Res<()> {
    std::fs::write(path, text).map_err(|e| format!("cannot write {}: {e}", path.display()))
}

pub(crate) fn remove_dir(path: &Path) -> Res<()> {
    match std::fs::remove_dir_all(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("cannot remove {}: {e}", path.display()))
        }
        _ => Ok(()),
    }
}

/// A command without stdin, in the root folder.
pub(crate) fn cmd(program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(root())
        .stdin(Stdio::null());
    command
}

/// The command as a person would type it, for messages.
pub(crate) fn shown(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        let argument = argument.to_string_lossy();
        line.push(' ');
        if argument.is_empty() || argument.contains([' ', '"', '\'']) {
            line.push_str(&format!("{argument:?}"));
        } else {
            line.push_str(&argument);
        }
    }
    line
}

/// The cargo that runs us, so that a chosen toolchain stays chosen.
pub(crate) fn cargo() -> PathBuf {
    std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from)
}

/// Runs to the end; anything but exit status 0 is an error.
pub(crate) fn run(command: &mut Command) -> Res<()> {
    let status = command
        .status()
        .map_err(|e| format!("cannot start `{}`: {e}", shown(command)))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("`{}` ended with {status}", shown(command)))
    }
}

/// Runs to the end without showing anything unless it fails.
pub(crate) fn run_quietly(command: &mut Command) -> Res<()> {
    let output = command
        .output()
        .map_err(|e| format!("cannot start `{}`: {e}", shown(command)))?;
    if output.status.success() {
        return Ok(());
    }
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.push_str(&String::from_utf8_lossy(&output.stderr));
    let lines: Vec<&str> = said.lines().collect();
    let tail = lines[lines.len().saturating_sub(60)..].join("\n");
    Err(format!(
        "`{}` ended with {}\n{tail}",
        shown(command),
        output.status
    ))
}

/// Runs to the end and gives its stdout.
pub(crate) fn capture(command: &mut Command) -> Res<String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| format!("cannot start `{}`: {e}", shown(command)))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("`{}` ended with {}", shown(command), output.status))
    }
}

/// Where a program lies on PATH (and in the sbin folders, which may be absent from it).
pub(crate) fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// Takes `--name VALUE` (or `--name=VALUE`) pairs, `--flag`s and free words apart.
pub(crate) struct Options {
    words: Vec<String>,
}

impl Options {
    pub(crate) fn new(arguments: &[String]) -> Options {
        Options {
            words: arguments.to_vec(),
        }
    }

    /// Is the flag there? Takes it out.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        let before = self.words.len();
        self.words.retain(|word| word != name);
        before != self.words.len()
    }

    /// The last value of an option, which is taken out.
    pub(crate) fn value(&mut self, name: &str) -> Res<Option<String>> {
        Ok(self.values(name)?.pop())
    }

    /// All values of an option that may be repeated.
    pub(crate) fn values(&mut self, name: &str) -> Res<Vec<String>> {
        let mut found = Vec::new();
        let mut kept = Vec::new();
        let mut words = std::mem::take(&mut self.words).into_iter();
        while let Some(word) = words.next() {
            if word == name {
                found.push(
                    words
                        .next()
                        .ok_or_else(|| format!("{name} needs a value"))?,
                );
            } else if let Some(rest) = word.strip_prefix(name).and_then(|w| w.strip_prefix('=')) {
                found.push(rest.to_string());
            } else {
                kept.push(word);
            }
        }
        self.words = kept;
        Ok(found)
    }

    /// The value of an option as a number, or its default.
    pub(crate) fn number(&mut self, name: &str, default: u64) -> Res<u64> {
        match self.value(name)? {
            None => Ok(default),
            Some(text) => text
                .parse()
                .map_err(|_| format!("{name}: '{text}' is not a number")),
        }
    }

    /// The free words; an option that nobody took is a mistake.
    pub(crate) fn words(self) -> Res<Vec<String>> {
        match self.words.iter().find(|word| word.starts_with("--")) {
            Some(word) => Err(format!("no option {word} here")),
            None => Ok(self.words),
        }
    }

    /// For verbs without free words.
    pub(crate) fn finish(self) -> Res<()> {
        match self.words()?.first() {
            Some(word) => Err(format!("what is '{word}'?")),
            None => Ok(()),
        }
    }
}
