//! The append-only file as the server sees it.
//!
//! | file | what |
//! |---|---|
//! | `mod.rs` | whether there is a log, its settings, what it reports; on and off |
//! | `rewrite.rs` | the rewrite as a job: BGREWRITEAOF, growth, the beginning of a log while we serve |
//!
//! ```text
//!            CONFIG SET appendonly yes              its first rewrite has ended
//!     Off ─────────────────────────────▶ Waiting ─────────────────────────────▶ On ◀─ start with appendonly yes
//!      ▲                                    │                                   │
//!      └────────────── CONFIG SET appendonly no ────────────────────────────────┘
//! ```
//!
//! Workers know the log by their desks (`Desk::log`), which look at one counter a turn; while there is
//! none, that is all that it costs. What they do with it is in `worker/held.rs`.
//!
//! O1  `files` is held by whoever changes files: never by a worker, and never while locks of the store are.
//! O2  A log that is taken off has been written and flushed as far as the disk let it.
//!
//! Checked by: server/tests/aof.rs, redstart-server/tests/durability.rs (RELIABILITY D1).

mod rewrite;

use std::io;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU32, AtomicU64};
use std::sync::{Arc, OnceLock, Weak};

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use persist::aof::manifest::{self, Manifest};
use persist::aof::{Fsync, Host, Log, Settings, Then, rewrite as files};
use store::Merge;

pub(crate) use rewrite::Begun;

use crate::live::Live;
use crate::log;
use crate::mailbox::Letter;
use crate::persistence::note_latency;
use crate::server::Server;

/// Failed writes are told again after so many seconds.
const SAY_AGAIN_S: i64 = 30;

/// Whether there is a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// There is none.
    Off,
    /// It has been asked for, and its files are not complete yet.
    Waiting,
    /// There is one.
    On,
}

/// What INFO shows of rewrites. Relaxed, all of it: each figure stands for itself.
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) rewrites: AtomicU64,
    pub(crate) failures_in_a_row: AtomicU64,
    pub(crate) last_ok: AtomicBool,
    pub(crate) last_took_s: AtomicI64,
    pub(crate) last_copied: AtomicU64,
    /// Bytes of all files but the one that is written to.
    pub(crate) other_bytes: AtomicU64,
    /// Bytes of all files after the last rewrite, or at the start.
    pub(crate) base_bytes: AtomicU64,
    /// No growth begins a rewrite before this, seconds since 1970: too many have failed.
    not_before_s: AtomicI64,
    /// By how many minutes the next failure puts it off.
    delay_minutes: AtomicI64,
}

/// See the page.
#[derive(Debug)]
pub struct Aof {
    state: AtomicU8,
    log: ArcSwapOption<Log>,
    /// Raised when `log` has changed.
    generation: AtomicU32,
    /// The manifest as it is on the disk (O1).
    files: Mutex<Manifest>,
    /// A rewrite is to begin as soon as it can.
    pub(crate) scheduled: AtomicBool,
    pub(crate) figures: Figures,
    /// What kept the last write from succeeding, while it has not been made good.
    write_error: Mutex<Option<String>>,
    said_s: AtomicI64,
    server: OnceLock<Weak<Server>>,
}

impl Default for Aof {
    fn default() -> Aof {
        Aof {
            state: AtomicU8::new(State::Off as u8),
            log: ArcSwapOption::empty(),
            generation: AtomicU32::new(0),
            files: Mutex::default(),
            scheduled: AtomicBool::new(false),
            figures: Figures {
                rewrites: AtomicU64::new(0),
                failures_in_a_row: AtomicU64::new(0),
                last_ok: AtomicBool::new(true),
                last_took_s: AtomicI64::new(-1),
                last_copied: AtomicU64::new(0),
                other_bytes: AtomicU64::new(0),
                base_bytes: AtomicU64::new(0),
                not_before_s: AtomicI64::new(0),
                delay_minutes: AtomicI64::new(0),
            },
            write_error: Mutex::new(None),
            said_s: AtomicI64::new(0),
            server: OnceLock::new(),
        }
    }
}

impl Aof {
    /// The server that it belongs to; once.
    pub(crate) fn belong_to(&self, server: &Arc<Server>) {
        let first = self.server.set(Arc::downgrade(server));
        assert!(first.is_ok(), "a server is made once");
    }

    fn server(&self) -> Option<Arc<Server>> {
        self.server.get().and_then(Weak::upgrade)
    }

    /// Whether there is a log.
    pub(crate) fn state(&self) -> State {
        // Relaxed: a hint; who acts upon it holds `files`.
        match self.state.load(Relaxed) {
            0 => State::Off,
            1 => State::Waiting,
            _ => State::On,
        }
    }

    fn set_state(&self, state: State) {
        // Relaxed: see above.
        self.state.store(state as u8, Relaxed);
    }

    /// The log.
    pub(crate) fn log(&self) -> Option<Arc<Log>> {
        self.log.load_full()
    }

    /// Says whether `log` has changed since it said `generation`.
    #[inline]
    pub(crate) fn generation(&self) -> u32 {
        // Acquire: who sees the number finds the log.
        self.generation.load(Acquire)
    }

    fn set_log(&self, log: Option<Log>) {
        self.log.store(log.map(Arc::new));
        // Release: see `generation`.
        self.generation.fetch_add(1, Release);
    }

    /// Why nothing can be written at the moment.
    pub(crate) fn write_error(&self) -> Option<String> {
        self.write_error.lock().clone()
    }

    /// Takes over what the configuration says now.
    pub(crate) fn configure(&self, live: &Live) {
        if let Some(log) = self.log() {
            log.set(live.log);
        }
    }

    /// Bytes of all files.
    pub(crate) fn bytes(&self) -> u64 {
        let others = self.figures.other_bytes.load(Relaxed);
        let current = self.log().map_or(0, |log| log.figures().file_bytes);
        others + current
    }
}

impl Server {
    /// CONFIG SET appendonly.
    pub(crate) fn turn_log(&self, on: bool) -> Result<(), String> {
        let Some(server) = self.aof.server() else {
            return Ok(());
        };
        match (on, self.aof.state()) {
            (true, State::Off) => {
                self.aof.set_state(State::Waiting);
                self.aof.scheduled.store(true, Relaxed);
                server.begin_due_rewrite();
                Ok(())
            }
            (false, State::Waiting | State::On) => {
                self.aof.set_state(State::Off);
                if self.aof.scheduled.swap(false, Relaxed) {
                    log::notice(
                        "AOF was disabled but there is a scheduled AOF background, cancel it.",
                    );
                }
                server.cancel_rewrite();
                let thread = std::thread::Builder::new().name("aof-stop".into());
                let spawned = thread.spawn(move || server.take_log_off());
                spawned.map(|_| ()).map_err(|e| os::files::error_text(&e))
            }
            _ => Ok(()),
        }
    }

    /// O2. On a thread of its own; the state says already that there is no log.
    fn take_log_off(&self) {
        let _files = self.aof.files.lock();
        // It may have been turned on again; then the next rewrite goes on with the log that there is.
        if self.aof.state() != State::Off {
            return;
        }
        if let Some(log) = self.aof.log() {
            self.persistence
                .with_all(&self.store, |unit| unit.detach_log());
            if let Err(error) = log.settle(Then::End) {
                let text = os::files::error_text(&error);
                log::warning(format_args!("Fail to fsync the AOF file: {text}"));
            }
            self.aof.set_log(None);
            *self.aof.write_error.lock() = None;
            self.refresh_misconf();
            self.post_all(|| Letter::Retry);
        }
    }

    /// Starts to log, at the start of the server: the data has been loaded, and nobody changes it yet.
    ///
    /// # Errors
    /// The disk's. It has been logged.
    pub(crate) fn begin_log(self: &Arc<Self>) -> io::Result<()> {
        if !self.config.flag("appendonly") {
            return Ok(());
        }
        let begun = self.open_log();
        if let Err(error) = &begun {
            let text = os::files::error_text(error);
            let folder = self.config.string("appenddirname");
            log::warning(format_args!(
                "Can't open or create append-only dir {folder}: {text}"
            ));
        }
        begun
    }

    fn open_log(self: &Arc<Self>) -> io::Result<()> {
        let (disk, layout) = (&self.persistence.disk, self.log_layout());
        let settings = self.live().log;
        let mut files = self.aof.files.lock();
        if let Some(replayed) = self.persistence.replayed.lock().take() {
            *files = replayed.manifest;
            let base = match replayed.loaded.base_bytes {
                0 => replayed.loaded.bytes,
                bytes => bytes,
            };
            self.aof.figures.base_bytes.store(base, Relaxed);
        }
        manifest::make_folder(disk, &layout)?;
        let is_new = files.is_empty();
        let has_last = !files.incremental.is_empty();
        if is_new {
            self.save_first_base(&mut files)?;
        }
        let (file, bytes) = files::open_last(disk, &layout, &mut files, settings.seals)?;
        let last = files.incremental.last().expect("it has just been opened");
        let name = String::from_utf8_lossy(&last.name);
        let verb = if has_last { "Opening" } else { "Creating" };
        log::notice(format_args!("{verb} AOF incr file {name} on server start"));
        let others = files.files().filter(|entry| **entry != *last);
        let others = others.map(|entry| disk.len(&layout.path(&entry.name)).unwrap_or(0));
        self.aof.figures.other_bytes.store(others.sum(), Relaxed);
        let (merge, last) = self.persistence.with_all(&self.store, |unit| {
            let merge = unit.attach_log();
            (merge, self.store.newest_write())
        });
        self.start_log(merge, last, file, bytes)?;
        self.aof.set_state(State::On);
        Ok(())
    }

    /// Starts the log's threads.
    fn start_log(
        self: &Arc<Self>,
        merge: Merge,
        last: u64,
        file: os::disk::DataFile,
        bytes: u64,
    ) -> io::Result<()> {
        let host = Arc::new(Reports(Arc::downgrade(self)));
        let log = Log::start(merge, last, file, bytes, self.live().log, host)?;
        self.aof.set_log(Some(log));
        Ok(())
    }

    /// The timers' part: no flush while a job writes, where the configuration wants that.
    pub(crate) fn suspend_flushes(&self) {
        if let Some(log) = self.aof.log() {
            let runs = self.persistence.jobs.running().is_some();
            log.suspend_flushes(runs && self.config.flag("no-appendfsync-on-rewrite"));
        }
    }

    /// Everything that has been acknowledged is written and flushed: a phase of the stop.
    pub(crate) fn settle_log(&self) -> bool {
        let Some(log) = self.aof.log() else {
            return true;
        };
        log::notice("Calling fsync() on the AOF file.");
        match log.settle(Then::GoOn) {
            Ok(()) => true,
            Err(error) => {
                let text = os::files::error_text(&error);
                log::warning(format_args!("Fail to fsync the AOF file: {text}."));
                false
            }
        }
    }
}

/// What the log's threads report, to whom it concerns.
struct Reports(Weak<Server>);

impl Host for Reports {
    fn flushed(&self) {
        if let Some(server) = self.0.upgrade() {
            server.post_all(|| Letter::Retry);
        }
    }

    fn write_failed(&self, error: &io::Error) {
        let Some(server) = self.0.upgrade() else {
            return;
        };
        let text = os::files::error_text(error);
        let now_s = os::clock::wall_ms().div_euclid(1_000);
        // Relaxed: the log thread alone writes it.
        if now_s - server.aof.said_s.load(Relaxed) > SAY_AGAIN_S {
            server.aof.said_s.store(now_s, Relaxed);
            log::warning(format_args!("Error writing to the AOF file: {text}"));
        }
        *server.aof.write_error.lock() = Some(text);
        refresh_misconf_apart(server);
    }

    fn write_recovered(&self) {
        let Some(server) = self.0.upgrade() else {
            return;
        };
        log::warning("AOF write error looks solved. The server can write again.");
        *server.aof.write_error.lock() = None;
        server.aof.said_s.store(0, Relaxed);
        refresh_misconf_apart(server);
    }

    fn flush_failed(&self, error: &io::Error) {
        let text = os::files::error_text(error);
        let policy = self.0.upgrade().map(|server| server.live().log.fsync);
        let policy = match policy {
            Some(Fsync::Everysec) => "everysec",
            _ => "always",
        };
        log::warning(format_args!(
            "Can't persist AOF for fsync error when the AOF fsync policy is '{policy}': {text}. Exiting..."
        ));
        log::flush();
        os::raw::exit_now(1);
    }

    fn took(&self, event: &'static str, us: u64) {
        // Nothing of interest is shorter than the monitor's unit.
        if us >= 1_000
            && let Some(server) = self.0.upgrade()
        {
            let threshold_ms = server.live().latency_monitor_threshold_ms;
            note_latency(&server.latency, event, us / 1_000, threshold_ms);
        }
    }
}

/// The gate needs every lock, and who has them may wait for the log (DEBUG LOADAOF): so not on its thread.
fn refresh_misconf_apart(server: Arc<Server>) {
    let thread = std::thread::Builder::new().name("misconf".into());
    // Without a thread the next change of outcome sets it.
    let _ = thread.spawn(move || server.refresh_misconf());
}

/// What of the configuration concerns the log.
pub(crate) fn settings(fsync: u32, timestamps: bool, seals: bool) -> Settings {
    Settings {
        // The numbers of the parameter's words in its row.
        fsync: match fsync {
            2 => Fsync::Always,
            1 => Fsync::Everysec,
            _ => Fsync::No,
        },
        timestamps,
        seals,
    }
}
