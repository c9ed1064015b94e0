//! Saving and loading on a disk that fails: whatever happens, the name leads to a whole file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use os::disk::{Disk, Failure, Fault, Simulated};
use persist::load::{How, Progress, Reason};
use persist::save::Order;
use persist::{Job, Kind};
use rdb::form::Dialect;
use store::{Cut, Limits, NewStr, Options, Plan, Scratch, Slot, Store, Turn, Unit};

const LANES: usize = 4;
const FILE: &str = "dump.rdb";

fn store() -> Store {
    Store::new(Options {
        databases: 4,
        workers: LANES,
        seed: 1,
    })
}

fn with_all<R>(store: &Store, f: impl FnOnce(&mut Unit<'_>) -> R) -> R {
    let mut scratch = Scratch::new();
    let turn = Turn::new(0, 0, 1_000, &mut scratch);
    let mut unit = store.begin(Plan::Wide, turn).expect("nobody else is here");
    f(&mut unit)
}

/// Gives `keys` keys in each of two databases this value.
fn fill(store: &Store, keys: usize, value: &str) {
    with_all(store, |unit| {
        for db in [0, 3] {
            unit.select(db);
            for n in 0..keys {
                let name = format!("key:{n}");
                let key = unit.key(name.as_bytes());
                let value = NewStr::Bytes(value.as_bytes());
                match unit.slot(key) {
                    Slot::Vacant(at) => at.insert_string(value, None),
                    Slot::Occupied(mut at) => at.set_string(value, store::Deadline::Clear),
                }
                .expect("there is memory");
            }
        }
    });
}

fn cut(store: &Store) -> Cut {
    with_all(store, |unit| unit.cut().expect("everything is held"))
}

fn order(disk: &Arc<Simulated>) -> Order {
    Order {
        disk: Disk::Simulated(Arc::clone(disk)),
        temporary: "temp-1.rdb".into(),
        target: FILE.into(),
        compress: true,
        checksum: true,
        version: 11,
        dialect: Dialect::Redis,
        cpus: String::new(),
        flush_each: Some(10_000),
        delay_us: 0,
        access: None,
        is_aof_base: false,
        redis_version: "7.2.4",
        used_bytes: 0,
    }
}

fn save(store: &Store, disk: &Arc<Simulated>) -> Result<(), persist::save::Failure> {
    persist::save::save(cut(store), &order(disk), &Job::new(Kind::Save, 1))
}

/// What a fresh store holds after loading: keys, and the value of one of them.
fn load(disk: &Arc<Simulated>) -> Result<(u64, u64, String), Reason> {
    let store = store();
    let how = How {
        compares: true,
        reads_newer: false,
        limits: Limits::default(),
        now_ms: Some(1_000),
        overwrites: false,
        goes_on: false,
        threads: LANES,
    };
    let disk = Disk::Simulated(Arc::clone(disk));
    let progress = Progress::new(1, 0);
    let file = persist::load::open(&disk, Path::new(FILE)).map_err(|failure| failure.reason)?;
    persist::load::load(&store, 0..LANES, file, &how, &progress, &|_, _| {})?;
    let value = with_all(&store, |unit| {
        unit.select(3);
        let key = unit.key(b"key:7");
        let entry = unit.peek(key).expect("it was saved");
        let mut room = [0; 20];
        let bytes = entry.string().expect("a string").bytes(&mut room).to_vec();
        String::from_utf8(bytes).expect("text")
    });
    Ok((store.keys(0), store.keys(3), value))
}

fn names(disk: &Arc<Simulated>) -> Vec<PathBuf> {
    let disk = Disk::Simulated(Arc::clone(disk));
    disk.list(Path::new("")).expect("the folder is there")
}

#[test]
fn a_file_of_many_batches_comes_back() {
    let (store, disk) = (store(), Simulated::new());
    fill(&store, 60_000, "value");
    save(&store, &disk).expect("a disk without faults");
    let loaded = load(&disk).expect("a whole file");
    assert_eq!(loaded, (60_000, 60_000, "value".to_owned()));
}

/// A byte that becomes the mark of the end, with zeros behind it, is the end of a file without a checksum:
/// what stands behind that gives it away.
#[test]
fn what_follows_the_end_is_no_part_of_a_file() {
    let (store, disk) = (store(), Simulated::new());
    fill(&store, 10, "value");
    save(&store, &disk).expect("a disk without faults");
    let real = Disk::Simulated(Arc::clone(&disk));
    let mut bytes = real.read(Path::new(FILE)).expect("it is there");
    let put = |bytes: &[u8]| {
        let mut file = real.create(Path::new(FILE)).expect("a disk without faults");
        file.write(bytes).expect("a disk without faults");
    };
    let end = bytes.len() as u64;
    bytes.push(0);
    put(&bytes);
    let error = load(&disk).expect_err("a byte too many");
    assert!(
        matches!(&error, Reason::File(error) if error.offset == end),
        "{error}"
    );
    // The same in the middle, where it hides the rest.
    let half =
        b"REDIS0011\xfe\x00\x00\x05key:7\x01a\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01b\x01c";
    put(half);
    let error = load(&disk).expect_err("half a file");
    assert!(
        error.to_string().contains("Bytes follow the end"),
        "{error}"
    );
}

/// The n-th operation fails, for every n and in every way: the old file stays, or the new one is there.
#[test]
fn every_failure_leaves_a_whole_file() {
    let (store, disk) = (store(), Simulated::new());
    fill(&store, 3_000, "old");
    save(&store, &disk).expect("a disk without faults");
    let whole = disk.operations();
    fill(&store, 3_000, "new");
    let mut failed = 0;
    for how in [
        Failure::Eio,
        Failure::NoSpace,
        Failure::Short,
        Failure::Flush,
    ] {
        for at in 0..whole {
            let disk = disk.kill(disk.operations());
            disk.plan(&[Fault {
                from: disk.operations() + at,
                to: u64::MAX,
                how,
            }]);
            let saved = save(&store, &disk);
            failed += usize::from(saved.is_err());
            let what = format!("{how:?} from {at}: {saved:?}");
            disk.plan(&[]);
            let value = load(&disk).expect("a whole file").2;
            match saved {
                Ok(()) => assert_eq!(value, "new", "{what}"),
                // Flushing the folder comes after the renaming.
                Err(persist::save::Failure::Rename(..)) => {}
                Err(_) => assert_eq!(value, "old", "{what}"),
            }
            save(&store, &disk).expect("the next attempt begins afresh");
            assert_eq!(names(&disk), [PathBuf::from(FILE)], "{what}");
        }
    }
    assert!(failed > 20, "{failed} of {whole} operations failed");
}

/// A power cut after each operation, in several ways: the name leads to the old file or to the new one.
#[test]
fn every_power_cut_leaves_a_whole_file() {
    let (store, disk) = (store(), Simulated::new());
    fill(&store, 2_000, "old");
    save(&store, &disk).expect("a disk without faults");
    let before = disk.operations();
    fill(&store, 2_000, "new");
    save(&store, &disk).expect("a disk without faults");
    let mut seen = std::collections::BTreeSet::new();
    for operations in before..=disk.operations() {
        for seed in 0..20 {
            let left = disk.crash(operations, seed);
            let (keys, _, value) = load(&left)
                .unwrap_or_else(|reason| panic!("{} {seed}: {reason}", disk.describe(operations)));
            assert_eq!(keys, 2_000);
            if operations == disk.operations() {
                assert_eq!(value, "new", "it was acknowledged");
            }
            seen.insert(value);
        }
    }
    assert_eq!(seen.len(), 2);
}

#[test]
fn a_cancelled_save_leaves_the_old_file() {
    let (store, disk) = (store(), Simulated::new());
    fill(&store, 100, "old");
    save(&store, &disk).expect("a disk without faults");
    fill(&store, 100, "new");
    let job = Arc::new(Job::new(Kind::Background, 1));
    let order = Order {
        delay_us: 1_000_000,
        ..order(&disk)
    };
    let canceller = {
        let job = Arc::clone(&job);
        std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(30));
            job.cancel();
        })
    };
    let failure = persist::save::save(cut(&store), &order, &job).expect_err("cancelled");
    assert!(matches!(failure, persist::save::Failure::Cancelled));
    canceller.join().expect("no panic");
    assert_eq!(names(&disk), [PathBuf::from(FILE)]);
    assert_eq!(load(&disk).expect("a whole file").2, "old");
}
