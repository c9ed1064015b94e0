//! The log: one for the process, to a file, to standard output, or to the system's log as well.
//!
//! ```text
//!   12345:M 24 Nov 2026 08:16:00.123 * Ready to accept connections tcp
//!   pid   role date and local time  level  text           levels: . debug  - verbose  * notice  # warning
//! ```
//!
//! A line is made in one buffer and leaves in one write, so lines of several threads never mix and
//! nobody waits longer than for that write. A file may be renamed or deleted at any time (logrotate
//! needs no signal): before each line we look whether the name still leads to the file that we hold,
//! and open it anew if not. If that fails, lines go on into the old file and its failure is one line
//! there.
//!
//! The log is global because everything writes to it: the crash report, which has no arguments, too.
//! Until it is opened, lines go nowhere: the tests of this crate say nothing.
//!
//! **Invariant:** a line holds no line break, whatever a client sent: it is one record for whoever
//! reads it.
//!
//! Checked by: tests below, `redstart-server/tests/process.rs`.

use parking_lot::Mutex;
use std::fmt::{Display, Write as _};
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// How important a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// For whoever mends Redstart.
    Debug = 0,
    /// Much, and rarely of use.
    Verbose = 1,
    /// What an operator wants to know.
    Notice = 2,
    /// What an operator must know.
    Warning = 3,
}

/// The form of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Redis's.
    #[default]
    Legacy,
    /// `key=value` pairs.
    Logfmt,
    /// A JSON object a line.
    Json,
}

/// The form of the time in a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stamp {
    /// `24 Nov 2026 08:16:00.123`, local time.
    #[default]
    Legacy,
    /// `2026-11-24T08:16:00.123+01:00`.
    Iso8601,
    /// Milliseconds since 1970.
    Milliseconds,
}

/// Whose lines these are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `M`.
    Primary,
    /// `S`.
    Replica,
    /// `X`.
    Sentinel,
}

/// What may change while the server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Lines below this are not written; `None` for none at all.
    pub from: Option<Level>,
    /// The form of a line.
    pub form: Form,
    /// The form of its time.
    pub stamp: Stamp,
    /// The role that it shows.
    pub role: Role,
}

impl Default for Style {
    fn default() -> Self {
        Style {
            from: Some(Level::Notice),
            form: Form::Legacy,
            stamp: Stamp::Legacy,
            role: Role::Primary,
        }
    }
}

/// Where lines go.
enum Target {
    Nowhere,
    Stdout,
    /// The file's name, and the file as it is open now.
    File(PathBuf, File),
}

struct Sink {
    style: Style,
    target: Target,
    /// Whether lines go to the system's log as well.
    syslog: bool,
    line: String,
}

static SINK: Mutex<Sink> = Mutex::new(Sink {
    style: Style {
        from: Some(Level::Notice),
        form: Form::Legacy,
        stamp: Stamp::Legacy,
        role: Role::Primary,
    },
    target: Target::Nowhere,
    syslog: false,
    line: String::new(),
});

/// The level as a number, so that a line that nobody wants costs one load.
static FROM: AtomicU8 = AtomicU8::new(Level::Notice as u8);

/// Changes level and forms.
pub fn set_style(style: Style) {
    let mut sink = SINK.lock();
    sink.style = style;
    FROM.store(style.from.map_or(u8::MAX, |level| level as u8), Relaxed);
}

/// Sends lines to a file from now on.
///
/// # Errors
/// The system's, when the file cannot be opened.
pub fn open_file(path: &Path) -> io::Result<()> {
    let path = std::path::absolute(path)?;
    let file = os::files::append(&path)?;
    os::crash::set_output(os::files::raw(&file));
    SINK.lock().target = Target::File(path, file);
    Ok(())
}

/// Sends lines to standard output from now on.
pub fn open_stdout() {
    SINK.lock().target = Target::Stdout;
}

/// Sends lines to the system's log as well; `ident` and `facility` are `syslog-*`'s.
pub fn open_syslog(ident: &str, facility: u32) {
    os::syslog::open(ident, facility);
    SINK.lock().syslog = true;
}

/// Whether lines go to a place where somebody at a terminal does not see them.
#[must_use]
pub fn is_elsewhere() -> bool {
    !matches!(SINK.lock().target, Target::Stdout)
}

/// Whether a line of this level would be written.
#[inline]
#[must_use]
pub fn is_on(level: Level) -> bool {
    level as u8 >= FROM.load(Relaxed)
}

/// Writes a line at debug level.
pub fn debug(text: impl Display) {
    write(Level::Debug, text);
}

/// Writes a line at verbose level.
pub fn verbose(text: impl Display) {
    write(Level::Verbose, text);
}

/// Writes a line at notice level.
pub fn notice(text: impl Display) {
    write(Level::Notice, text);
}

/// Writes a line at warning level.
pub fn warning(text: impl Display) {
    write(Level::Warning, text);
}

/// Writes a line.
pub fn write(level: Level, text: impl Display) {
    if !is_on(level) {
        return;
    }
    let mut sink = SINK.lock();
    let mut line = std::mem::take(&mut sink.line);
    line.clear();
    compose(&mut line, sink.style, level, &text, os::clock::wall_us());
    sink.put(line.as_bytes());
    if sink.syslog {
        os::syslog::send(severity(level), &text.to_string());
    }
    sink.line = line;
}

/// Writes bytes as they are: the banner, the parts of a crash report.
pub fn raw(level: Level, bytes: &[u8]) {
    if is_on(level) {
        SINK.lock().put(bytes);
    }
}

/// Waits until everything written is on disk: before an exit that must not lose lines.
pub fn flush() {
    if let Target::File(_, file) = &SINK.lock().target {
        // There is nobody left to tell.
        let _ = file.sync_data();
    }
}

impl Sink {
    fn put(&mut self, bytes: &[u8]) {
        // A full disk must not stop the server; the next line tries again.
        match &mut self.target {
            Target::Nowhere => {}
            Target::Stdout => {
                let mut out = io::stdout().lock();
                let _ = out.write_all(bytes).and_then(|()| out.flush());
            }
            Target::File(path, file) => {
                reopen_if_moved(path, file);
                let _ = file.write_all(bytes);
            }
        }
    }
}

fn reopen_if_moved(path: &Path, file: &mut File) {
    let same = match (os::files::identity_at(path), os::files::identity(file)) {
        (Ok(named), Ok(held)) => named == held,
        (Err(_), _) => false,
        (Ok(_), Err(_)) => true,
    };
    if same {
        return;
    }
    match os::files::append(path) {
        Ok(fresh) => {
            os::crash::set_output(os::files::raw(&fresh));
            *file = fresh;
        }
        Err(e) => {
            let why = os::files::error_text(&e);
            let _ = writeln!(
                file,
                "Can't open the log file '{}' again: {why}",
                path.display()
            );
        }
    }
}

/// Numbers of syslog's severities.
fn severity(level: Level) -> os::syslog::Severity {
    match level {
        Level::Debug => os::syslog::Severity::Debug,
        Level::Verbose => os::syslog::Severity::Info,
        Level::Notice => os::syslog::Severity::Notice,
        Level::Warning => os::syslog::Severity::Warning,
    }
}

/// Appends a whole line, its line feed included.
fn compose(line: &mut String, style: Style, level: Level, text: &dyn Display, wall_us: i64) {
    const MARKS: [char; 4] = ['.', '-', '*', '#'];
    const NAMES: [&str; 4] = ["debug", "verbose", "notice", "warning"];
    let pid = std::process::id();
    let (letter, role) = match style.role {
        Role::Primary => ('M', "primary"),
        Role::Replica => ('S', "replica"),
        Role::Sentinel => ('X', "sentinel"),
    };
    let text = text.to_string().replace(['\r', '\n'], " ");
    let (mark, name) = (MARKS[level as usize], NAMES[level as usize]);
    let time = time_text(style.stamp, wall_us);
    // Writing to a string cannot fail.
    let _ = match style.form {
        Form::Legacy => writeln!(line, "{pid}:{letter} {time} {mark} {text}"),
        Form::Logfmt => {
            let text = text.replace('"', "'");
            writeln!(
                line,
                "pid={pid} role={role} timestamp=\"{time}\" level={name} message=\"{text}\""
            )
        }
        Form::Json => {
            let text = json_text(&text);
            writeln!(
                line,
                "{{\"pid\":{pid},\"role\":\"{role}\",\"timestamp\":\"{time}\",\"level\":\"{name}\",\"message\":\"{text}\"}}"
            )
        }
    };
}

fn time_text(stamp: Stamp, wall_us: i64) -> String {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let t = os::clock::local_time(wall_us);
    let ms = wall_us.div_euclid(1000).rem_euclid(1000);
    match stamp {
        Stamp::Milliseconds => wall_us.div_euclid(1000).to_string(),
        Stamp::Legacy => {
            let month = MONTHS[(t.month.max(1) as usize - 1) % 12];
            format!(
                "{:02} {month} {} {:02}:{:02}:{:02}.{ms:03}",
                t.day, t.year, t.hour, t.minute, t.second
            )
        }
        Stamp::Iso8601 => {
            let (sign, offset) = if t.offset_minutes < 0 {
                ('-', -t.offset_minutes)
            } else {
                ('+', t.offset_minutes)
            };
            format!(
                "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{ms:03}{sign}{:02}:{:02}",
                t.year,
                t.month,
                t.day,
                t.hour,
                t.minute,
                t.second,
                offset / 60,
                offset % 60
            )
        }
    }
}

/// A text for the inside of a JSON string.
fn json_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if u32::from(c) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(form: Form, stamp: Stamp, text: &str, expected_end: &str) {
        let mut line = String::new();
        let style = Style {
            form,
            stamp,
            ..Style::default()
        };
        compose(
            &mut line,
            style,
            Level::Warning,
            &text,
            1_795_508_160_123_000,
        );
        assert!(line.ends_with(expected_end), "{line}");
        assert_eq!(line.matches('\n').count(), 1, "{line}");
    }

    #[test]
    fn forms() {
        check(Form::Legacy, Stamp::Legacy, "Ready", ".123 # Ready\n");
        check(
            Form::Legacy,
            Stamp::Milliseconds,
            "x",
            ":M 1795508160123 # x\n",
        );
        check(
            Form::Logfmt,
            Stamp::Milliseconds,
            "a \"b\"\nc",
            "role=primary timestamp=\"1795508160123\" level=warning message=\"a 'b' c\"\n",
        );
        check(
            Form::Json,
            Stamp::Milliseconds,
            "a \"b\"\nc",
            "\"timestamp\":\"1795508160123\",\"level\":\"warning\",\"message\":\"a \\\"b\\\" c\"}\n",
        );
        let iso = time_text(Stamp::Iso8601, 1_795_508_160_123_000);
        assert!(
            iso.starts_with("2026-11-2") && iso.contains(".123") && iso.len() == 29,
            "{iso}"
        );
        let legacy = time_text(Stamp::Legacy, 1_795_508_160_123_000);
        assert!(
            legacy.contains(" Nov 2026 ") && legacy.len() == 24,
            "{legacy}"
        );
    }

    #[test]
    fn follows_a_file_that_is_renamed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (a, b) = (folder.path().join("log"), folder.path().join("log.1"));
        open_file(&a).expect("a new file");
        warning("first");
        std::fs::rename(&a, &b).expect("free to be renamed");
        warning("second");
        let (old, new) = (
            std::fs::read_to_string(&b).expect("moved"),
            std::fs::read_to_string(&a).expect("made anew"),
        );
        assert!(
            old.contains("# first\n") && !old.contains("second"),
            "{old}"
        );
        assert!(new.contains("# second\n"), "{new}");
        SINK.lock().target = Target::Nowhere;
    }
}
