//! The log, as the rest of the server sees it: a level and a line.
//!
//! **Invariant:** a line holds no line break, whatever a client sent: it is one record for whoever
//! reads it. Texts of clients are quoted by `resp::repr` before they come here.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

/// How important a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// For whoever hunts an error.
    Debug = 0,
    /// Comings and goings of clients.
    Verbose = 1,
    /// What an operator wants to know.
    Notice = 2,
    /// What an operator must know.
    Warning = 3,
    /// `loglevel nothing`.
    Nothing = 4,
}

/// Who writes the lines.
pub type Writer = Box<dyn Fn(Level, &str) + Send + Sync>;

static LEAST: AtomicU8 = AtomicU8::new(Level::Notice as u8);
static WRITER: OnceLock<Writer> = OnceLock::new();

/// Says who writes the lines, once; until then, and in tests that say nothing, they go nowhere.
pub fn set_writer(writer: Writer) -> bool {
    WRITER.set(writer).is_ok()
}

/// `loglevel`.
pub fn set_level(least: Level) {
    // Relaxed: a line more or less while it changes.
    LEAST.store(least as u8, Ordering::Relaxed);
}

/// Whether lines of this level are written: ask before making an expensive one.
#[must_use]
pub fn is_on(level: Level) -> bool {
    level as u8 >= LEAST.load(Ordering::Relaxed) && WRITER.get().is_some()
}

/// Writes a line.
pub fn write(level: Level, line: fmt::Arguments<'_>) {
    if let (true, Some(writer)) = (is_on(level), WRITER.get()) {
        writer(level, &line.to_string().replace(['\r', '\n'], " "));
    }
}

/// Writes a line at `Verbose`.
pub fn verbose(line: fmt::Arguments<'_>) {
    write(Level::Verbose, line);
}

/// Writes a line at `Notice`.
pub fn notice(line: fmt::Arguments<'_>) {
    write(Level::Notice, line);
}

/// Writes a line at `Warning`.
pub fn warning(line: fmt::Arguments<'_>) {
    write(Level::Warning, line);
}
