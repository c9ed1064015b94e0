//! Loading: at the start, and by DEBUG RELOAD and LOADAOF.
//!
//! ```text
//!   close_for_loading ─▶ workers start, listen, answer -LOADING ─▶ load (a thread of its own) ─▶ gate opens
//!                                                                     │ failed: said, exit 1
//!                                                                     └ stopped: nothing is saved
//! ```
//!
//! With `appendonly yes` the append-only file is what counts (`replay.rs`), else `dbfilename`.
//!
//! **Invariant:** while [`Persistence::loading`] gives something, the gate LOADING is closed, apart from
//! DEBUG's subcommands, whose caller holds every shard.
//!
//! Checked by: server/tests/persistence.rs, Redis's integration/rdb.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use os::disk::DataFile;
use persist::load::{How, Progress, Reason};
use store::{Gates, Unit};

use super::{LANES, Persistence};
use crate::log;
use crate::mailbox::Letter;
use crate::server::Server;

/// The data is not there as it should be, and why. It has been logged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotLoaded(pub String);

impl Server {
    /// Closes the gate before the first client can come, if there is something to load.
    pub fn close_for_loading(&self) {
        let disk = &self.persistence.disk;
        let there = if self.config.flag("appendonly") {
            let layout = self.log_layout();
            disk.has(&layout.manifest()) || disk.has(&layout.single())
        } else {
            disk.has(&self.data_file())
        };
        if !there {
            return;
        }
        let unix_s = os::clock::wall_ms().div_euclid(1_000);
        let delay_us = self.live().key_load_delay_us;
        let progress = Arc::new(Progress::new(unix_s, delay_us));
        *self.persistence.loading.lock() = Some(progress);
        self.persistence.with_all(&self.store, |unit| {
            unit.set_gates(Gates::LOADING, true);
        });
    }

    /// Loads what there is, begins the log where one is wanted, and opens the gate. `false` when the server is to stop instead.
    ///
    /// # Errors
    /// The data is not whole: the process is to end. It has been logged.
    pub fn load(self: &Arc<Self>) -> Result<bool, NotLoaded> {
        let Some(progress) = self.persistence.loading() else {
            return self.begin_log().map(|()| true).map_err(no_log);
        };
        let loaded = if self.config.flag("appendonly") {
            self.load_log(&progress)
        } else {
            self.load_file(&progress)
        };
        let cancelled = progress.cancelled.load(Relaxed);
        let loaded = match loaded {
            Ok(()) => {
                self.begin_log().map_err(no_log)?;
                true
            }
            Err(_) if cancelled => false,
            Err(why) => return Err(why),
        };
        self.persistence.with_all(&self.store, |unit| {
            unit.set_gates(Gates::LOADING, false);
        });
        *self.persistence.loading.lock() = None;
        self.post_all(|| Letter::Retry);
        Ok(loaded)
    }

    fn load_file(&self, progress: &Progress) -> Result<(), NotLoaded> {
        let path = self.data_file();
        let how = self.how_to_load(false);
        let loaded = persist::load::open(&self.persistence.disk, &path)
            .and_then(|file| self.load_rdb(file, &how, progress).map_err(|r| r.of(&path)));
        match loaded {
            Ok(_) => {
                let seconds = progress.began.elapsed().as_secs_f64();
                log::notice(format_args!("DB loaded from disk: {seconds:.3} seconds"));
                Ok(())
            }
            Err(failure) => {
                if !progress.cancelled.load(Relaxed) {
                    log::warning(&failure);
                    log::warning(format_args!(
                        "Fatal error loading the DB: {}. Exiting.",
                        failure.reason
                    ));
                }
                Err(NotLoaded(failure.to_string()))
            }
        }
    }

    /// Loads an RDB file, or what stands at the beginning of an append-only one, with all our threads; gives
    /// its bytes.
    pub(super) fn load_rdb(
        &self,
        file: DataFile,
        how: &How,
        progress: &Progress,
    ) -> Result<u64, Reason> {
        let lane = self.persistence.lane;
        let lanes = lane..lane + LANES;
        let aux = |name: &[u8], value: &[u8]| note_aux(progress, name, value);
        let bytes = persist::load::load(&self.store, lanes, file, how, progress, &aux)?;
        self.persistence.note_loaded(progress);
        Ok(bytes)
    }

    /// The same with the caller's unit, which holds everything.
    pub(super) fn load_rdb_into(
        &self,
        unit: &mut Unit<'_>,
        file: DataFile,
        how: &How,
        progress: &Progress,
    ) -> Result<u64, Reason> {
        let aux = |name: &[u8], value: &[u8]| note_aux(progress, name, value);
        let bytes = persist::load::load_into(unit, file, how, progress, &aux)?;
        self.persistence.note_loaded(progress);
        Ok(bytes)
    }

    /// DEBUG RELOAD's second half: loads with the caller's unit.
    pub(crate) fn load_again(
        &self,
        unit: &mut Unit<'_>,
        overwrites: bool,
    ) -> Result<(), NotLoaded> {
        let unix_s = os::clock::wall_ms().div_euclid(1_000);
        let progress = Progress::new(unix_s, self.live().key_load_delay_us);
        let how = How {
            overwrites,
            ..self.how_to_load(false)
        };
        let path = self.data_file();
        let loaded = persist::load::open(&self.persistence.disk, &path).and_then(|file| {
            self.load_rdb_into(unit, file, &how, &progress)
                .map_err(|reason| reason.of(&path))
        });
        loaded.map(|_| ()).map_err(|failure| {
            log::warning(&failure);
            NotLoaded(failure.to_string())
        })
    }

    /// How a dump is loaded, or with `in_log` what stands at the beginning of an append-only file: there
    /// nothing that has expired is left out, and something may follow.
    pub(super) fn how_to_load(&self, in_log: bool) -> How {
        let live = self.live();
        How {
            compares: self.config.flag("rdbchecksum"),
            reads_newer: self.config.choice("rdb-version-check") == 1,
            limits: live.settings.limits,
            now_ms: (!in_log).then(os::clock::wall_ms),
            overwrites: false,
            goes_on: in_log,
            // The delays of a test add up in one thread.
            threads: if live.key_load_delay_us == 0 {
                LANES
            } else {
                1
            },
        }
    }

    /// The timers' part, each five seconds: how far a loading is.
    pub(crate) fn tell_loading(&self) {
        if let Some(progress) = self.persistence.loading() {
            let (bytes, total) = (
                progress.bytes.load(Relaxed),
                progress.bytes_total.load(Relaxed).max(1),
            );
            log::notice(format_args!(
                "Loading: {:.1}% of {total} bytes, {} keys",
                bytes as f64 * 100.0 / total as f64,
                progress.keys.load(Relaxed)
            ));
        }
    }

    /// `dbfilename`, in the working folder.
    pub(crate) fn data_file(&self) -> PathBuf {
        os::files::path(&self.config.text_of("dbfilename"))
    }
}

/// The log could not begin.
fn no_log(error: std::io::Error) -> NotLoaded {
    NotLoaded(os::files::error_text(&error))
}

impl Persistence {
    fn note_loaded(&self, progress: &Progress) {
        let (keys, expired) = (progress.keys.load(Relaxed), progress.expired.load(Relaxed));
        self.figures.keys_loaded.store(keys, Relaxed);
        self.figures.keys_expired.store(expired, Relaxed);
        log::notice(format_args!(
            "Done loading RDB, keys loaded: {keys}, keys expired: {expired}."
        ));
    }
}

/// What a file says about itself: Redis's lines, and what INFO shows.
fn note_aux(progress: &Progress, name: &[u8], value: &[u8]) {
    let text = String::from_utf8_lossy(value);
    match name {
        b"redis-ver" | b"valkey-ver" => {
            log::notice(format_args!("Loading RDB produced by version {text}"));
        }
        b"ctime" => {
            let now_s = os::clock::wall_ms().div_euclid(1_000);
            let age_s = text.parse().map_or(0, |then: i64| (now_s - then).max(0));
            log::notice(format_args!("RDB age {age_s} seconds"));
        }
        b"used-mem" => {
            let bytes: u64 = text.parse().unwrap_or(0);
            progress.file_used_bytes.store(bytes, Relaxed);
            let mib = bytes as f64 / f64::from(1 << 20);
            log::notice(format_args!("RDB memory usage when created {mib:.2} Mb"));
        }
        b"aof-base" if text == "1" => log::notice("RDB is base AOF"),
        b"function" => {
            log::warning("A library of functions in the file is left out: there are none here yet");
        }
        _ => {}
    }
}
