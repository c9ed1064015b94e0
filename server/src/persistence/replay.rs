//! Replaying the append-only file: its units become units of the store.
//!
//! `persist::aof` says which files count and yields their units; here the commands run, without a client:
//! replies are thrown away, nobody waits, nothing is logged again. At the start each unit takes its own
//! locks (nobody else wants them); DEBUG LOADAOF's caller holds everything, and lends its unit.
//!
//! What the log says happened when it happened: while the gate LOADING is closed nothing expires
//! (`store::Unit::expiry_ms`), because the log itself says when a key has gone.
//!
//! Checked by: server/tests/{persistence,aof}.rs.

use std::sync::atomic::Ordering::Relaxed;

use commands::spec::Locks;
use commands::{Call, Kept, Settings};
use os::disk::DataFile;
use persist::aof::load::{Failure, Loaded, Say, Taker};
use persist::aof::manifest::{self, Layout, Manifest};
use persist::load::Progress;
use resp::{Args, OwnedArgs, Proto, Reply};
use store::{Gates, Plan, Scratch, Turn, Unit};

use super::load::NotLoaded;
use crate::log;
use crate::server::Server;
use crate::table::{Command, Run};

/// What a loading of the append-only file found: where the log goes on.
#[derive(Clone, Debug, Default)]
pub struct Replayed {
    /// The files.
    pub manifest: Manifest,
    /// Their sizes.
    pub loaded: Loaded,
}

impl Server {
    /// Where the append-only file lies.
    pub(crate) fn log_layout(&self) -> Layout {
        Layout {
            dir: std::path::PathBuf::new(),
            folder_name: os::files::path(&self.config.text_of("appenddirname")),
            name: self.config.text_of("appendfilename"),
        }
    }

    /// Loads the append-only file at the start. What was found is kept for whoever goes on writing it.
    pub(super) fn load_log(&self, progress: &Progress) -> Result<(), NotLoaded> {
        let live = self.live();
        let own = Via::Own {
            scratch: Box::default(),
            shards: Vec::new(),
        };
        let replayed = self.replay(progress, &live.settings, own)?;
        let seconds = progress.began.elapsed().as_secs_f64();
        log::notice(format_args!(
            "DB loaded from append only file: {seconds:.3} seconds"
        ));
        *self.persistence.replayed.lock() = Some(replayed);
        Ok(())
    }

    /// DEBUG LOADAOF: the same with the caller's unit, in the place of all data.
    pub(crate) fn load_log_again(&self, unit: &mut Unit<'_>) -> Result<(), NotLoaded> {
        let live = self.live();
        let unix_s = os::clock::wall_ms().div_euclid(1_000);
        let progress = Progress::new(unix_s, live.key_load_delay_us);
        let db = unit.db();
        let was_recording = unit.record(false);
        unit.set_gates(Gates::LOADING, true);
        let replayed = self.replay(&progress, &live.settings, Via::Callers(&mut *unit));
        unit.set_gates(Gates::LOADING, false);
        unit.record(was_recording);
        unit.select(db);
        replayed.map(|_| ())
    }

    fn replay(
        &self,
        progress: &Progress,
        settings: &Settings,
        via: Via<'_, '_>,
    ) -> Result<Replayed, NotLoaded> {
        let (disk, layout) = (&self.persistence.disk, self.log_layout());
        let mut manifest = match Manifest::load(disk, &layout) {
            Ok(manifest) => manifest,
            Err(Ok(bad)) => {
                log::warning("*** FATAL AOF MANIFEST FILE ERROR ***");
                if let Some((number, line)) = &bad.line {
                    log::warning(format_args!("Reading the manifest file, at line {number}"));
                    log::warning(format_args!(">>> '{}'", line.escape_ascii()));
                }
                return Err(fatal(bad.reason));
            }
            Err(Err(error)) => {
                let why = os::files::error_text(&error);
                let path = layout.manifest();
                return Err(fatal(format_args!(
                    "Fatal error: can't open the AOF manifest file {} for reading: {why}",
                    path.display()
                )));
            }
        };
        if let Err(error) = manifest::upgrade(disk, &layout, &mut manifest) {
            let why = os::files::error_text(&error);
            return Err(fatal(format_args!(
                "Error trying to move the old AOF file into its folder: {why}"
            )));
        }
        let bytes = manifest
            .files()
            .filter_map(|entry| disk.len(&layout.path(&entry.name)).ok());
        progress.bytes_total.store(bytes.sum(), Relaxed);
        let mut replayer = Replayer {
            server: self,
            progress,
            settings,
            via,
            db: 0,
            before: 0,
            coming: 0,
        };
        let truncated_ok = self.config.flag("aof-load-truncated");
        persist::aof::load::load(disk, &layout, &manifest, truncated_ok, &mut replayer)
            .map(|loaded| Replayed { manifest, loaded })
            .map_err(|failure| match failure {
                Failure::Told => NotLoaded("the append-only file, see the log".to_owned()),
                Failure::By(why) => why,
            })
    }
}

fn fatal(why: impl std::fmt::Display) -> NotLoaded {
    log::warning(&why);
    NotLoaded(why.to_string())
}

/// Whose locks the units run under.
enum Via<'u, 's> {
    /// Their own.
    Own {
        scratch: Box<Scratch>,
        shards: Vec<usize>,
    },
    /// Somebody's who holds everything.
    Callers(&'u mut Unit<'s>),
}

/// Runs what the files say.
struct Replayer<'r, 'u, 's> {
    server: &'r Server,
    progress: &'r Progress,
    settings: &'r Settings,
    via: Via<'u, 's>,
    /// What SELECT has chosen.
    db: u32,
    /// Bytes of the files before this one.
    before: u64,
    /// Bytes of this one.
    coming: u64,
}

impl Taker for Replayer<'_, '_, '_> {
    type Error = NotLoaded;

    fn say(&mut self, how: Say, line: &str) {
        match how {
            Say::Notice => log::notice(line),
            Say::Warning => log::warning(line),
        }
    }

    fn begin(&mut self, _name: &[u8], bytes: u64) {
        self.before += self.coming;
        self.coming = bytes;
        // A file begins in the first database, whatever the last one ended in.
        self.db = 0;
    }

    fn rdb(&mut self, file: DataFile, name: &[u8]) -> Result<u64, NotLoaded> {
        // The log behind it may name what has expired by now.
        let how = self.server.how_to_load(true);
        let loaded = match &mut self.via {
            Via::Own { .. } => self.server.load_rdb(file, &how, self.progress),
            Via::Callers(unit) => self.server.load_rdb_into(unit, file, &how, self.progress),
        };
        loaded.map_err(|reason| {
            fatal(format_args!(
                "Error reading the RDB preamble of the AOF file {}, AOF loading aborted: {reason}",
                String::from_utf8_lossy(name)
            ))
        })
    }

    fn unit(&mut self, commands: &[OwnedArgs], offset: u64) -> Result<(), NotLoaded> {
        // Relaxed: a figure.
        self.progress.bytes.store(self.before + offset, Relaxed);
        let paused = self.progress.pause();
        paused.map_err(|reason| NotLoaded(reason.to_string()))?;
        let mut known = Vec::with_capacity(commands.len());
        for command in commands {
            let args = command.as_args();
            let name = args.get(0);
            // A container's subcommand has the code, not the container.
            let Some(command) = self.server.commands.resolve(args) else {
                return Err(fatal(format_args!(
                    "Unknown command '{}' reading the append only file, before offset {offset}",
                    name.escape_ascii()
                )));
            };
            known.push(command);
        }
        let (server, settings, db) = (self.server, self.settings, &mut self.db);
        match &mut self.via {
            Via::Callers(unit) => run(server, settings, unit, db, &known, commands),
            Via::Own { scratch, shards } => {
                let plan = plan(server, &known, commands, shards);
                let mut tries = 0;
                loop {
                    let turn = Turn {
                        tries,
                        no_touch: true,
                        ..Turn::new(
                            server.persistence.lane,
                            *db,
                            os::clock::wall_ms(),
                            &mut *scratch,
                        )
                    };
                    if let Ok(mut unit) = server.store.begin(plan, turn) {
                        run(server, settings, &mut unit, db, &known, commands);
                        break;
                    }
                    tries += 1;
                    std::thread::yield_now();
                }
                // Nobody waits for keys of a server that loads.
                scratch.drain_ready();
            }
        }
        Ok(())
    }
}

/// The locks of a unit's commands.
fn plan<'p>(
    server: &Server,
    known: &[&Command],
    commands: &[OwnedArgs],
    shards: &'p mut Vec<usize>,
) -> Plan<'p> {
    shards.clear();
    for (command, args) in known.iter().zip(commands) {
        let args = args.as_args();
        if matches!(command.spec.run, Run::Data(_)) && command.spec.locks.of(args) != Locks::Keys {
            return Plan::Wide;
        }
        let keys = commands::keys::positions(command.spec.keys, args);
        shards.extend(keys.map(|(at, _)| server.store.key(args.get(at)).shard()));
    }
    match shards.as_slice() {
        [] => Plan::Nothing,
        [one] => Plan::Narrow(*one),
        several => Plan::Several(several),
    }
}

fn run(
    server: &Server,
    settings: &Settings,
    unit: &mut Unit<'_>,
    db: &mut u32,
    known: &[&Command],
    commands: &[OwnedArgs],
) {
    let mut reply = Reply::new(Proto::Resp2);
    for (command, args) in known.iter().zip(commands) {
        let args = args.as_args();
        unit.select(*db);
        let failed = match command.spec.run {
            Run::Data(handler) => {
                let mut call = Call {
                    args,
                    lone_key: None,
                    unit: &mut *unit,
                    reply: &mut reply,
                    settings,
                    // What is logged needs nothing from before.
                    kept: &mut Kept::default(),
                    may_block: false,
                    later: None,
                };
                let result = handler(&mut call);
                result.err().map(|error| error.text().into_owned())
            }
            Run::Admin(_) => admin(server, command, args, db),
        };
        if let Some(text) = failed {
            log::warning(format_args!(
                "== CRITICAL == This server is sending an error to its AOF-loading-client: '{text}' \
                 after processing the command '{}'",
                command.full_name
            ));
        }
        reply = Reply::new(Proto::Resp2);
    }
}

/// SELECT; other commands about the server change no data.
fn admin(server: &Server, command: &Command, args: Args<'_>, db: &mut u32) -> Option<String> {
    if command.spec.name != "select" {
        return None;
    }
    let wanted = args.try_get(1).and_then(resp::number::parse_i64);
    let wanted = wanted.and_then(|number| u32::try_from(number).ok());
    match wanted.filter(|number| *number < server.store.databases()) {
        Some(number) => {
            *db = number;
            None
        }
        None => Some("ERR DB index is out of range".to_owned()),
    }
}
