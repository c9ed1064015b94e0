//! A toy server for the tests of the log: one worker that counts, a disk that can fail, a reader that says
//! which counts it finds.
//!
//! Unit n sets key `k<n % KEYS>` of database n % 3 to n; every fifth one also sets `twin`, so that it is
//! framed by MULTI. Reading a disk back gives the numbers of the units in the order in which they stand:
//! they have to be 1, 2, 3 … without a gap.

#![allow(dead_code, reason = "each test file uses its part")]

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use os::disk::{Disk, Replacement, Simulated};
use parking_lot::Mutex;
use persist::aof::load::{Say, Taker, load};
use persist::aof::{Fsync, Host, Layout, Log, Manifest, Settings, manifest, rewrite, seal};
use store::{Deadline, Freeing, Merge, NewStr, Options, Plan, Scratch, Slot, Store, Turn};

/// What the log's threads have said.
#[derive(Debug, Default)]
pub(crate) struct Ears {
    pub(crate) flushed: AtomicU64,
    pub(crate) said: Mutex<Vec<String>>,
}

impl Host for Ears {
    fn flushed(&self) {
        self.flushed.fetch_add(1, SeqCst);
    }
    fn write_failed(&self, error: &io::Error) {
        self.said.lock().push(format!("write failed: {error}"));
    }
    fn write_recovered(&self) {
        self.said.lock().push("write recovered".to_owned());
    }
    fn flush_failed(&self, error: &io::Error) {
        self.said.lock().push(format!("flush failed: {error}"));
    }
    fn took(&self, _: &'static str, _: u64) {}
}

/// A store with its one worker.
pub(crate) struct World {
    pub(crate) store: Store,
    scratch: Scratch,
    /// The count of the last unit.
    pub(crate) count: u64,
}

pub(crate) const KEYS: u64 = 7;

impl World {
    pub(crate) fn new() -> World {
        let options = Options {
            databases: 3,
            workers: 1,
            seed: 7,
        };
        World {
            store: Store::new(options),
            scratch: Scratch::new(),
            count: 0,
        }
    }

    pub(crate) fn attach(&mut self) -> (Merge, u64) {
        let turn = Turn::new(0, 0, 1, &mut self.scratch);
        let mut unit = self.store.begin(Plan::Wide, turn).expect("we are alone");
        let merge = unit.attach_log();
        drop(unit);
        (merge, self.store.newest_write())
    }

    /// The next unit; gives its number in the change log.
    pub(crate) fn write(&mut self) -> u64 {
        self.count += 1;
        let (count, db) = (self.count.to_string(), (self.count % 3) as u32);
        let mut keys = vec![format!("k{}", self.count % KEYS)];
        if self.count.is_multiple_of(5) {
            keys.push("twin".to_owned());
        }
        let turn = Turn::new(0, db, 1, &mut self.scratch);
        let mut unit = self.store.begin(Plan::Wide, turn).expect("we are alone");
        for key in &keys {
            let value = NewStr::Bytes(count.as_bytes());
            match unit.slot(unit.key(key.as_bytes())) {
                Slot::Occupied(mut slot) => slot.set_string(value, Deadline::Keep).expect("room"),
                Slot::Vacant(slot) => slot.insert_string(value, None).expect("room"),
            }
            unit.log(&[b"SET", key.as_bytes(), count.as_bytes()]);
        }
        unit.finish().depends_on
    }

    /// A unit that has a number and nothing to say.
    pub(crate) fn empty_unit(&mut self) -> u64 {
        let turn = Turn::new(0, 0, 1, &mut self.scratch);
        let mut unit = self.store.begin(Plan::Wide, turn).expect("we are alone");
        unit.flush_db(0, Freeing::Now);
        unit.finish().depends_on
    }

    /// Changes files behind everything so far.
    pub(crate) fn switch(
        &mut self,
        log: &Log,
        file: os::disk::DataFile,
        bytes: u64,
    ) -> std::sync::mpsc::Receiver<()> {
        let turn = Turn::new(0, 0, 1, &mut self.scratch);
        let unit = self.store.begin(Plan::Wide, turn).expect("we are alone");
        let done = log.switch(self.store.newest_write(), file, bytes);
        drop(unit);
        done
    }
}

pub(crate) fn layout() -> Layout {
    Layout {
        dir: "".into(),
        folder_name: "aofdir".into(),
        name: b"a.aof".to_vec(),
    }
}

/// A disk with a folder and a durable manifest of one sealed file, which is open.
pub(crate) fn begin(simulated: &Arc<Simulated>) -> (Disk, Manifest, os::disk::DataFile) {
    let (disk, layout) = (Disk::Simulated(simulated.clone()), layout());
    manifest::make_folder(&disk, &layout).expect("an empty disk");
    let mut manifest = Manifest::default();
    let file = new_file(&disk, &mut manifest).expect("an empty disk");
    (disk, manifest, file)
}

/// The next incremental file, named by a durable manifest.
pub(crate) fn new_file(disk: &Disk, manifest: &mut Manifest) -> io::Result<os::disk::DataFile> {
    let name = manifest.add_incremental(&layout()).name.clone();
    let mut file = disk.create(&layout().path(&name))?;
    file.write(&seal::first_line())?;
    file.flush()?;
    manifest.store(disk, &layout())?;
    Ok(file)
}

pub(crate) fn settings(fsync: Fsync) -> Settings {
    Settings {
        fsync,
        timestamps: false,
        seals: true,
    }
}

/// A rewrite as the server does it. The toy's base is a file with every unit so far.
pub(crate) fn rewrite_files(
    world: &mut World,
    log: &Log,
    disk: &Disk,
    manifest: &mut Manifest,
) -> io::Result<()> {
    let fresh = rewrite::begin(disk, &layout(), manifest, true)?;
    let held = world.count;
    let done = world.switch(log, fresh.file, fresh.bytes);
    for _ in 0..3 {
        log.kick(world.write());
    }
    let base = manifest.next_base(&layout(), false);
    let temporary = layout().path(b"temp-base");
    let target = layout().path(&base.name);
    let mut file = Replacement::begin(disk, temporary, &target)?;
    let mut again = World::new();
    let (mut merge, mut bytes) = (again.attach().0, Vec::new());
    for _ in 0..held {
        again.write();
    }
    merge.drain(&mut |_: u64, unit: &[u8]| bytes.extend_from_slice(unit));
    for block in bytes.chunks(1000) {
        file.file().write(block)?;
    }
    file.finish()?;
    if done.recv_timeout(Duration::from_millis(300)).is_err() {
        return Err(io::Error::other("the log did not change files"));
    }
    rewrite::finish(disk, &layout(), manifest, base, fresh.seq, false)
}

/// Waits for something that comes.
#[track_caller]
pub(crate) fn until(what: &str, mut come: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !come() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_micros(50));
    }
}

/// The counts that a disk holds, as a server that starts there reads them. Databases have to be right, too.
pub(crate) fn read_back(disk: &Disk) -> Result<Vec<u64>, String> {
    let manifest = Manifest::load(disk, &layout()).map_err(|e| format!("{e:?}"))?;
    let mut reader = Reader::default();
    match load(disk, &layout(), &manifest, true, &mut reader) {
        Ok(_) => Ok(reader.counts),
        Err(failure) => Err(format!("{failure:?}: {:?}", reader.said)),
    }
}

#[derive(Debug, Default)]
struct Reader {
    counts: Vec<u64>,
    db: Option<u64>,
    said: Vec<String>,
}

impl Taker for Reader {
    type Error = &'static str;

    fn say(&mut self, _: Say, line: &str) {
        self.said.push(line.to_owned());
    }

    fn begin(&mut self, _: &[u8], _: u64) {
        self.db = None;
    }

    fn rdb(&mut self, _: os::disk::DataFile, _: &[u8]) -> Result<u64, Self::Error> {
        Err("there is no base")
    }

    fn unit(&mut self, commands: &[resp::OwnedArgs], _: u64) -> Result<(), Self::Error> {
        let mut units = Vec::new();
        for command in commands {
            let words: Vec<&[u8]> = command.as_args().iter().collect();
            let number = |word: &[u8]| resp::number::parse_u64(word).ok_or("no number");
            match words[..] {
                [b"SELECT", index] => self.db = Some(number(index)?),
                [b"SET", _, value] => units.push(number(value)?),
                _ => return Err("a command that nobody wrote"),
            }
        }
        if let [count, ..] = units[..] {
            let expected = if count.is_multiple_of(5) {
                vec![count; 2]
            } else {
                vec![count]
            };
            if units != expected || self.db != Some(count % 3) {
                return Err("half of a unit, or in the wrong database");
            }
            self.counts.push(count);
        }
        Ok(())
    }
}

/// Whether the counts are 1, 2, 3 … up to at least `acknowledged` and at most `written`.
pub(crate) fn is_prefix(counts: &[u64], acknowledged: u64, written: u64) -> bool {
    let len = counts.len() as u64;
    counts.iter().copied().eq(1..=len) && (acknowledged..=written).contains(&len)
}

/// The bytes of a file of the log.
pub(crate) fn bytes_of(disk: &Disk, name: &str) -> Vec<u8> {
    disk.read(&layout().folder().join(Path::new(name)))
        .expect("it is there")
}
