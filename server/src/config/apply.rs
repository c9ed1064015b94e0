//! CONFIG SET: several parameters at once, all or nothing.
//!
//! ```text
//!   check all names ─▶ parse all values ─▶ put them in, publish ─▶ side effects, each kind once
//!        │                   │                                          │ failed
//!        └─ error            └─ error                                   ▼
//!                                            put the old ones back, publish, side effects again
//! ```
//!
//! Nothing is visible before everything has been parsed. A side effect that fails (a port that is
//! taken, a folder that is not there) brings the old values back and repeats the side effects for
//! them; that this can fail too is logged, not answered.
//!
//! Checked by: tests below, `server/tests/config_effects.rs`, the foreign suite's introspection unit.

use super::row::{self, Apply};
use super::table::{self, LOG_LEVELS, ROWS};
use super::value::Value;
use super::{Config, bytes_of_path, row_of, words_of_set};
use crate::live::Live;
use crate::log;
use std::path::Path;

/// What the server does for the configuration.
pub trait Host {
    /// Takes a new snapshot.
    fn publish(&self, live: Live);
    /// Listens on these addresses and this port instead of the present ones, or changes nothing.
    ///
    /// # Errors
    /// A text for the log.
    fn listen(&self, addresses: &[String], port: u16) -> Result<(), String>;
    /// Begins or ends the append-only file.
    ///
    /// # Errors
    /// A text for the reply.
    fn turn_log(&self, on: bool) -> Result<(), String>;
    /// Whether a data set is being loaded.
    fn is_loading(&self) -> bool;
}

/// Who wants to change something.
#[derive(Clone, Copy, Debug)]
pub struct Setter {
    /// Whether the connection comes from this machine.
    pub local: bool,
}

/// Why nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetError {
    /// There is no such parameter.
    Unknown(Vec<u8>),
    /// A data set is being loaded.
    Loading,
    /// This argument is the reason.
    Failed {
        /// The parameter.
        argument: Vec<u8>,
        /// What is wrong.
        reason: String,
    },
}

impl SetError {
    /// The error line, its code included.
    #[must_use]
    pub fn text(&self) -> String {
        let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match self {
            SetError::Unknown(name) => {
                format!(
                    "ERR Unknown option or number of arguments for CONFIG SET - '{}'",
                    lossy(name)
                )
            }
            SetError::Loading => "LOADING Redis is loading the dataset in memory".to_owned(),
            SetError::Failed { argument, reason } => {
                format!(
                    "ERR CONFIG SET failed (possibly related to argument '{}') - {reason}",
                    lossy(argument)
                )
            }
        }
    }
}

/// Reserve of open files beside clients: data files, listeners, the log.
pub(crate) const RESERVED_FILES: u64 = 32;

impl Config {
    /// Whether word `name`'s value must be kept out of the slow log and MONITOR.
    #[must_use]
    pub fn is_sensitive(name: &[u8]) -> bool {
        table::find(name).is_some_and(|at| ROWS[at].is(row::SENSITIVE))
    }

    /// Sets parameters, all or none.
    ///
    /// # Errors
    /// Why none was set.
    pub fn set(
        &self,
        pairs: &[(&[u8], &[u8])],
        setter: Setter,
        host: &dyn Host,
    ) -> Result<(), SetError> {
        let _one_at_a_time = self.changing.lock();
        let rows = self.settable(pairs, setter, host)?;
        let old = self.values.read().clone();
        let mut new = old.clone();
        let mut effects: Vec<(Apply, usize)> = Vec::new();
        for (&at, (_, text)) in rows.iter().zip(pairs) {
            let row = &ROWS[at];
            let failed = |reason| SetError::Failed {
                argument: row.name.into(),
                reason,
            };
            let value = row
                .kind
                .parse(&words_of_set(row, text), Some(&old[at]))
                .map_err(failed)?;
            let changed = value != old[at] || row.is(row::VOLATILE) || row.apply == Apply::Dir;
            new[at] = value;
            if changed && !effects.iter().any(|(known, _)| *known == row.apply) {
                effects.push((row.apply, at));
            }
        }
        if effects.is_empty() {
            return Ok(());
        }
        settle(&mut new);
        self.put(new, host);
        for (done, &(effect, at)) in effects.iter().enumerate() {
            if let Err(reason) = self.run(effect, at, &old, host) {
                log::warning(format_args!(
                    "Failed applying new configuration. Possibly related to new {} setting. Restoring previous settings.",
                    ROWS[at].name
                ));
                self.put(old.clone(), host);
                for &(effect, at) in &effects[..=done] {
                    if let Err(why) = self.run(effect, at, &old, host) {
                        log::warning(format_args!(
                            "Failed applying restored failed CONFIG SET command: {why}"
                        ));
                    }
                }
                return Err(SetError::Failed {
                    argument: ROWS[at].name.into(),
                    reason,
                });
            }
        }
        Ok(())
    }

    /// The rows of the names, when all of them may be set.
    fn settable(
        &self,
        pairs: &[(&[u8], &[u8])],
        setter: Setter,
        host: &dyn Host,
    ) -> Result<Vec<usize>, SetError> {
        let mut rows = Vec::with_capacity(pairs.len());
        for (name, _) in pairs {
            let at = table::find(name).ok_or_else(|| SetError::Unknown(name.to_vec()))?;
            let failed = |reason: &str| {
                Err(SetError::Failed {
                    argument: name.to_vec(),
                    reason: reason.to_owned(),
                })
            };
            if ROWS[at].is(row::START) {
                return failed("can't set immutable config");
            }
            let allowed = match self.choice("enable-protected-configs") {
                0 => false,
                1 => true,
                _ => setter.local,
            };
            if ROWS[at].is(row::PROTECTED) && !allowed {
                return failed("can't set protected config");
            }
            if ROWS[at].is(row::DENY_LOADING) && host.is_loading() {
                return Err(SetError::Loading);
            }
            if rows.contains(&at) {
                return failed("duplicate parameter");
            }
            rows.push(at);
        }
        Ok(rows)
    }

    fn put(&self, values: Vec<Value>, host: &dyn Host) {
        *self.values.write() = values;
        host.publish(self.live());
    }

    /// Replaces one value that a side effect made canonical.
    fn put_one(&self, at: usize, value: Value) {
        self.values.write()[at] = value;
    }

    /// Does what `effect` asks for, with the values that are in place now.
    fn run(&self, effect: Apply, at: usize, old: &[Value], host: &dyn Host) -> Result<(), String> {
        match effect {
            Apply::Publish | Apply::Hz => Ok(()),
            Apply::Log => {
                log::set_style(self.log_style());
                Ok(())
            }
            Apply::Listen => {
                let port = u16::try_from(self.number("port")).expect("within its row's range");
                host.listen(&self.words("bind"), port).map_err(|why| {
                    log::warning(why);
                    match ROWS[at].name {
                        "port" => "Unable to listen on this port. Check server logs.",
                        _ => "Failed to bind to specified addresses.",
                    }
                    .to_owned()
                })?;
                self.show_title()
            }
            Apply::Maxclients => self.raise_open_files(old, host),
            Apply::Dir => {
                let folder = self.path("dir").unwrap_or_default();
                let here = enter(&folder)?;
                self.put_one(at, here);
                Ok(())
            }
            Apply::Title => self.show_title(),
            Apply::OomScore => self.apply_oom_score(),
            Apply::CrashLog => {
                self.apply_crash_log();
                Ok(())
            }
            Apply::Watchdog => {
                os::watchdog::set_period(
                    u64::try_from(self.number("watchdog-period")).unwrap_or(0),
                );
                Ok(())
            }
            Apply::Locale => os::locale::set_collation(&self.string("locale-collate"))
                .map_err(|_| "Failed to set current collation. Check locale-collate.".to_owned()),
            Apply::AppendOnly => host.turn_log(self.flag("appendonly")),
            Apply::Maxmemory => {
                self.warn_of_small_maxmemory();
                Ok(())
            }
        }
    }

    /// The log's share of the values.
    #[must_use]
    pub fn log_style(&self) -> log::Style {
        use log::{Form, Level, Stamp};
        let from = match LOG_LEVELS[self.choice("loglevel") as usize].0 {
            "debug" => Some(Level::Debug),
            "verbose" => Some(Level::Verbose),
            "notice" => Some(Level::Notice),
            "warning" => Some(Level::Warning),
            _ => None,
        };
        log::Style {
            from,
            form: [Form::Legacy, Form::Logfmt, Form::Json][self.choice("log-format") as usize],
            stamp: [Stamp::Legacy, Stamp::Iso8601, Stamp::Milliseconds]
                [self.choice("log-timestamp-format") as usize],
            role: log::Role::Primary,
        }
    }

    fn raise_open_files(&self, old: &[Value], host: &dyn Host) -> Result<(), String> {
        let wanted = u64::try_from(self.number("maxclients")).unwrap_or(u64::MAX);
        let files = os::limits::raise_open_files(wanted.saturating_add(RESERVED_FILES));
        let possible = files.now.saturating_sub(RESERVED_FILES);
        // What was possible before may stay although the limit has been lowered from outside.
        let before = &old[row_of("maxclients")];
        if possible < wanted && *before != Value::Number(wanted.into()) {
            return Err(format!(
                "The operating system is not able to handle the specified number of clients, try with {possible}"
            ));
        }
        host.publish(self.live());
        Ok(())
    }

    /// Writes the process title.
    ///
    /// # Errors
    /// A text for the client.
    pub fn show_title(&self) -> Result<(), String> {
        if self.flag("set-proc-title") {
            os::process::set_title(&self.title(&os::process::program_name()));
        }
        Ok(())
    }

    /// Hands the kernel our place in its list of victims.
    ///
    /// # Errors
    /// A text for the client; the system's is logged.
    pub fn apply_oom_score(&self) -> Result<(), String> {
        let first = self
            .words("oom-score-adj-values")
            .first()
            .and_then(|w| w.parse().ok())
            .unwrap_or(0);
        let wanted = match self.choice("oom-score-adj") {
            0 => os::process::OomScore::Leave,
            1 => os::process::OomScore::Relative(first),
            _ => os::process::OomScore::Absolute(first),
        };
        os::process::set_oom_score(wanted).map_err(|e| {
            log::warning(format_args!(
                "Unable to write oom_score_adj: {}",
                os::files::error_text(&e)
            ));
            "Failed to set current oom_score_adj. Check server logs.".to_owned()
        })
    }

    /// Installs or removes the crash handlers.
    pub fn apply_crash_log(&self) {
        os::crash::set_enabled(self.flag("crash-log-enabled"));
        os::crash::set_memory_check(self.flag("crash-memcheck-enabled"));
        os::crash::set_exit_on_panic(self.flag("use-exit-on-panic"));
    }

    fn warn_of_small_maxmemory(&self) {
        let (limit, used) = (
            u64::try_from(self.number("maxmemory")).unwrap_or(0),
            os::alloc::used_bytes(),
        );
        if limit != 0 && limit < used {
            log::warning(format_args!(
                "WARNING: the new maxmemory value set via CONFIG SET ({limit}) is smaller than the current memory usage ({used}). \
                 This will result in key eviction and/or the inability to accept new write commands depending on the maxmemory-policy."
            ));
        }
    }
}

/// Enters a folder and says where that is.
fn enter(folder: &Path) -> Result<Value, String> {
    std::env::set_current_dir(folder).map_err(|e| os::files::error_text(&e))?;
    let here = std::env::current_dir().map_err(|e| os::files::error_text(&e))?;
    Ok(Value::Text(bytes_of_path(&here).into()))
}

impl Config {
    /// Enters `dir` at the start.
    ///
    /// # Errors
    /// The system's words.
    pub fn enter_dir(&self) -> Result<(), String> {
        let here = enter(&self.path("dir").unwrap_or_default())?;
        self.put_one(row_of("dir"), here);
        Ok(())
    }

    /// `maxclients` is lowered to what the system grants: at the start, where asking for less is
    /// better than not starting.
    pub fn lower_maxclients(&self, to: u64) {
        self.put_one(row_of("maxclients"), Value::Number(to.into()));
    }
}

/// Brings values into range that are taken as hints.
pub(super) fn settle(values: &mut [Value]) {
    let at = row_of("hz");
    if let Value::Number(hz) = values[at] {
        values[at] = Value::Number(hz.clamp(1, 500));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::{Cell, RefCell};

    /// A server that listens on even ports alone.
    #[derive(Default)]
    struct Fake {
        published: Cell<u32>,
        port: RefCell<Option<u16>>,
    }

    impl Host for Fake {
        fn publish(&self, _: Live) {
            self.published.set(self.published.get() + 1);
        }
        fn listen(&self, _: &[String], port: u16) -> Result<(), String> {
            if !port.is_multiple_of(2) {
                return Err("odd".into());
            }
            self.port.replace(Some(port));
            Ok(())
        }
        fn turn_log(&self, _: bool) -> Result<(), String> {
            Ok(())
        }
        fn is_loading(&self) -> bool {
            false
        }
    }

    fn set(config: &Config, host: &Fake, pairs: &[(&str, &str)]) -> Result<(), String> {
        let pairs: Vec<(&[u8], &[u8])> = pairs
            .iter()
            .map(|(a, b)| (a.as_bytes(), b.as_bytes()))
            .collect();
        config
            .set(&pairs, Setter { local: true }, host)
            .map_err(|e| e.text())
    }

    fn check_refused(pairs: &[(&str, &str)], text: &str) {
        let (config, host) = (Config::new(), Fake::default());
        let before = config.values.read().clone();
        assert_eq!(set(&config, &host, pairs), Err(text.to_owned()));
        assert_eq!(*config.values.read(), before, "all or nothing");
    }

    #[test]
    fn refusals() {
        let failed = |name: &str, why: &str| {
            format!("ERR CONFIG SET failed (possibly related to argument '{name}') - {why}")
        };
        check_refused(
            &[("nothing", "1")],
            "ERR Unknown option or number of arguments for CONFIG SET - 'nothing'",
        );
        check_refused(
            &[("Databases", "1")],
            &failed("Databases", "can't set immutable config"),
        );
        check_refused(
            &[("dir", "/")],
            &failed("dir", "can't set protected config"),
        );
        check_refused(
            &[("hz", "1"), ("HZ", "2")],
            &failed("HZ", "duplicate parameter"),
        );
        check_refused(
            &[("hz", "50"), ("lfu-log-factor", "x")],
            &failed(
                "lfu-log-factor",
                "argument couldn't be parsed into an integer",
            ),
        );
        check_refused(
            &[("hz", "50"), ("port", "7777")],
            &failed("port", "Unable to listen on this port. Check server logs."),
        );
        check_refused(
            &[("bind", "x"), ("port", "7777")],
            &failed("bind", "Failed to bind to specified addresses."),
        );
        check_refused(
            &[("shutdown-on-sigterm", "save nosave")],
            &failed(
                "shutdown-on-sigterm",
                "shutdown options SAVE and NOSAVE can't be used simultaneously",
            ),
        );
    }

    #[test]
    fn a_failed_effect_brings_everything_back() {
        let (config, host) = (Config::new(), Fake::default());
        assert_eq!(set(&config, &host, &[("port", "8000")]), Ok(()));
        assert!(set(&config, &host, &[("hz", "77"), ("port", "8001")]).is_err());
        assert_eq!((config.number("hz"), config.number("port")), (10, 8000));
        // Listened on 8000, refused 8001, listened on 8000 again.
        assert_eq!(*host.port.borrow(), Some(8000));
        assert_eq!(host.published.get(), 3);
    }

    #[test]
    fn hints_are_brought_into_range() {
        let (config, host) = (Config::new(), Fake::default());
        assert_eq!(set(&config, &host, &[("hz", "100000")]), Ok(()));
        assert_eq!(config.number("hz"), 500);
        assert_eq!(set(&config, &host, &[("hz", "0")]), Ok(()));
        assert_eq!(config.live().hz, 1);
    }

    #[test]
    fn gets_by_pattern_name_and_alias() {
        let config = Config::new();
        let names = |patterns: &[&str]| -> Vec<String> {
            let patterns: Vec<&[u8]> = patterns.iter().map(|p| p.as_bytes()).collect();
            config
                .get(&patterns)
                .into_iter()
                .map(|(n, _)| String::from_utf8(n).expect("ASCII"))
                .collect()
        };
        assert_eq!(
            names(&["port", "p?rt", "SLAVE-priority"]),
            ["port", "SLAVE-priority"]
        );
        assert!(
            names(&["*"]).len() > 240 && !names(&["*"]).contains(&"watchdog-period".to_owned())
        );
        assert_eq!(names(&["watchdog-period"]), ["watchdog-period"]);
        assert_eq!(names(&["nothing", "nothing*"]), [""; 0]);
    }
}
