//! Loading: at the start, and by DEBUG RELOAD.
//!
//! ```text
//!   close_for_loading ─▶ workers start, listen, answer -LOADING ─▶ load (a thread of its own) ─▶ gate opens
//!                                                                     │ failed: said, exit 1
//!                                                                     └ stopped: nothing is saved
//! ```
//!
//! **Invariant:** while [`Persistence::loading`] gives something, the gate LOADING is closed, apart from
//! DEBUG RELOAD, whose caller holds every shard.
//!
//! Checked by: server/tests/persistence.rs, the foreign suite's integration/rdb.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use persist::load::{Failure, How, Progress};
use store::{Gates, Unit};

use super::LANES;
use crate::log;
use crate::mailbox::Letter;
use crate::server::Server;

impl Server {
    /// Closes the gate before the first client can come, if there is something to load.
    pub fn close_for_loading(&self) {
        let file = self.data_file();
        if !self.persistence.disk.has(&file) {
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

    /// Loads what there is, and opens the gate. `false` when the server is to stop instead.
    ///
    /// # Errors
    /// The file is not whole: the process is to end. It has been logged.
    pub fn load(&self) -> Result<bool, Failure> {
        let Some(progress) = self.persistence.loading() else {
            return Ok(true);
        };
        let how = How {
            threads: if progress.delay_us.load(Relaxed) == 0 {
                LANES
            } else {
                1
            },
            ..self.how_to_load()
        };
        let lane = self.persistence.lane;
        let loaded = persist::load::load(
            &self.store,
            lane..lane + LANES,
            &self.persistence.disk,
            &self.data_file(),
            &how,
            &progress,
            &|name, value| note_aux(&progress, name, value),
        );
        match loaded {
            Ok(_) => {
                self.note_loaded(&progress);
                log::notice(format_args!(
                    "DB loaded from disk: {:.3} seconds",
                    progress.began.elapsed().as_secs_f64()
                ));
                self.open_after_loading();
                Ok(true)
            }
            Err(_) if progress.cancelled.load(Relaxed) => {
                self.open_after_loading();
                Ok(false)
            }
            Err(failure) => {
                log::warning(format_args!(
                    "Fatal error loading the DB, check server logs. {failure}"
                ));
                log::warning(format_args!(
                    "Fatal error loading the DB: {}. Exiting.",
                    failure.reason
                ));
                Err(failure)
            }
        }
    }

    fn open_after_loading(&self) {
        self.persistence.with_all(&self.store, |unit| {
            unit.set_gates(Gates::LOADING, false);
        });
        *self.persistence.loading.lock() = None;
        self.post_all(|| Letter::Retry);
    }

    /// DEBUG RELOAD's second half: loads with the caller's unit.
    pub(crate) fn load_again(&self, unit: &mut Unit<'_>, overwrites: bool) -> Result<(), Failure> {
        let unix_s = os::clock::wall_ms().div_euclid(1_000);
        let progress = Progress::new(unix_s, self.live().key_load_delay_us);
        let how = How {
            overwrites,
            ..self.how_to_load()
        };
        let (disk, file) = (&self.persistence.disk, self.data_file());
        persist::load::load_into(unit, disk, &file, &how, &progress, &|name, value| {
            note_aux(&progress, name, value);
        })?;
        self.note_loaded(&progress);
        Ok(())
    }

    fn how_to_load(&self) -> How {
        How {
            compares: self.config.flag("rdbchecksum"),
            limits: self.live().settings.limits,
            now_ms: Some(os::clock::wall_ms()),
            overwrites: false,
            threads: 1,
        }
    }

    fn note_loaded(&self, progress: &Progress) {
        let figures = &self.persistence.figures;
        let (keys, expired) = (progress.keys.load(Relaxed), progress.expired.load(Relaxed));
        figures.keys_loaded.store(keys, Relaxed);
        figures.keys_expired.store(expired, Relaxed);
        log::notice(format_args!(
            "Done loading RDB, keys loaded: {keys}, keys expired: {expired}."
        ));
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
        b"function" => {
            log::warning("A library of functions in the file is left out: there are none here yet");
        }
        _ => {}
    }
}
