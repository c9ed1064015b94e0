//! The log thread: numbers, policies, changes of files, errors, the end.

mod world;

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use os::disk::{Failure, Fault, Simulated};
use persist::aof::{Fsync, Log, Settings, Then};
use world::*;

fn start(fsync: Fsync) -> (Arc<Simulated>, World, Arc<Ears>, Log) {
    let simulated = Simulated::new();
    let (_, _, file) = begin(&simulated);
    let bytes = file.len().expect("open");
    let mut world = World::new();
    let (merge, last) = world.attach();
    let ears = Arc::new(Ears::default());
    let log = Log::start(merge, last, file, bytes, settings(fsync), ears.clone()).expect("threads");
    (simulated, world, ears, log)
}

fn disk(simulated: &Arc<Simulated>) -> os::disk::Disk {
    os::disk::Disk::Simulated(simulated.kill(simulated.operations()))
}

#[test]
fn always_flushes_once_for_all_that_came_together() {
    let (simulated, mut world, ears, log) = start(Fsync::Always);
    for _ in 0..100 {
        let number = world.write();
        log.kick(number);
        if log.tell_when_flushed(number) {
            until("told", || log.flushed() >= number);
        }
    }
    assert_eq!((log.written(), log.flushed()), (100, 100));
    let told = ears.flushed.load(SeqCst);
    assert!((1..=100).contains(&told), "{told}");
    assert!(!log.tell_when_flushed(100) && !log.tell_when_flushed(0));
    // Units without a word count too.
    let number = world.empty_unit();
    log.kick(number);
    until("flushed", || log.flushed() >= number);
    let counts = read_back(&disk(&simulated)).expect("sound");
    assert!(is_prefix(&counts, 100, 100), "{counts:?}");

    // Ten thousand at once take fewer flushes than units.
    let before = simulated.operations();
    let last = (0..10_000).map(|_| world.write()).last().expect("some");
    log.kick(last);
    until("flushed", || log.flushed() >= last);
    assert!(simulated.operations() - before < 100, "group commit");
    log.settle(Then::End).expect("nothing fails");
}

#[test]
fn everysec_flushes_behind_and_no_never() {
    let (_, mut world, _, log) = start(Fsync::Everysec);
    let began = Instant::now();
    let number = world.write();
    log.kick(number);
    until("written", || log.written() >= number);
    assert!(log.flushed() < number && !log.is_late());
    until("flushed", || log.flushed() >= number);
    assert!(
        began.elapsed() > Duration::from_millis(900),
        "{:?}",
        began.elapsed()
    );
    log.set(Settings {
        fsync: Fsync::No,
        ..settings(Fsync::No)
    });
    let number = world.write();
    log.kick(number);
    until("written", || log.written() >= number);
    std::thread::sleep(Duration::from_millis(1_200));
    assert!(log.flushed() < number);
    log.set(settings(Fsync::Always));
    until("flushed", || log.flushed() >= number);
    log.suspend_flushes(true);
    let number = world.write();
    log.kick(number);
    until("what the configuration allows", || log.flushed() >= number);
    log.settle(Then::EndIfWhole).expect("nothing fails");
}

/// The log thread may be anywhere in its round when it is asked: what was written before counts.
#[test]
fn what_was_written_before_settling_is_settled() {
    for fsync in [Fsync::Always, Fsync::Everysec, Fsync::No] {
        let (_, mut world, _, log) = start(fsync);
        for _ in 0..3_000 {
            let first = world.write();
            log.kick(first);
            let last = world.write();
            log.settle(Then::GoOn).expect("nothing fails");
            assert!(
                log.flushed() >= last,
                "{fsync:?}: {} of {last}",
                log.flushed()
            );
        }
        log.settle(Then::End).expect("nothing fails");
    }
}

#[test]
fn files_change_between_two_units() {
    for fsync in [Fsync::Always, Fsync::Everysec, Fsync::No] {
        let (simulated, mut world, _, log) = start(fsync);
        let disk = os::disk::Disk::Simulated(simulated.clone());
        let mut manifest = persist::aof::Manifest::load(&disk, &layout()).expect("sound");
        for round in 0..20 {
            // Sometimes the log thread has everything, sometimes nothing yet.
            let number = (0..round % 4).map(|_| world.write()).last().unwrap_or(0);
            if round % 2 == 0 {
                log.kick(number);
            }
            let file = new_file(&disk, &mut manifest).expect("room");
            let bytes = file.len().expect("open");
            let done = world.switch(&log, file, bytes);
            let number = (0..round % 3).map(|_| world.write()).last().unwrap_or(0);
            log.kick(number);
            done.recv_timeout(Duration::from_secs(20))
                .expect("it changes");
        }
        log.settle(Then::End).expect("nothing fails");
        assert_eq!(log.flushed(), world.count);
        let counts = read_back(&self::disk(&simulated)).expect("sound");
        assert!(is_prefix(&counts, world.count, world.count), "{counts:?}");
    }
}

#[test]
fn a_full_disk_is_tried_again_and_leaves_no_half_unit() {
    let (simulated, mut world, ears, log) = start(Fsync::Always);
    let number = world.write();
    log.kick(number);
    until("flushed", || log.flushed() >= number);
    let now = simulated.operations();
    simulated.plan(&[Fault {
        from: now,
        to: u64::MAX,
        how: Failure::Short,
    }]);
    let number = world.write();
    log.kick(number);
    until("told", || !ears.said.lock().is_empty());
    assert!(log.figures().is_failing && log.figures().buffer_bytes > 0);
    assert_eq!(log.flushed(), number - 1);
    let counts = read_back(&disk(&simulated)).expect("sound");
    assert!(is_prefix(&counts, 1, 1), "{counts:?}");
    assert!(log.settle(Then::EndIfWhole).is_err());
    simulated.plan(&[]);
    until("written", || log.flushed() >= number);
    let said = ears.said.lock().clone();
    assert!(
        said.first().is_some_and(|s| s.contains("No space")),
        "{said:?}"
    );
    assert_eq!(said.last().map(String::as_str), Some("write recovered"));
    log.settle(Then::EndIfWhole).expect("there is room again");
    let counts = read_back(&disk(&simulated)).expect("sound");
    assert!(is_prefix(&counts, 2, 2), "{counts:?}");
}

#[test]
fn after_a_failed_flush_nothing_is_acknowledged() {
    for fsync in [Fsync::Always, Fsync::Everysec] {
        let (simulated, mut world, ears, log) = start(fsync);
        let number = world.write();
        log.kick(number);
        until("flushed", || log.flushed() >= number);
        let now = simulated.operations();
        simulated.plan(&[Fault {
            from: now,
            to: now + 2,
            how: Failure::Flush,
        }]);
        let number = world.write();
        log.kick(number);
        until("told", || !ears.said.lock().is_empty());
        simulated.plan(&[]);
        for _ in 0..10 {
            let number = world.write();
            log.kick(number);
        }
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(log.flushed(), number - 1);
        assert!(log.settle(Then::End).is_err());
        assert_eq!(*ears.said.lock(), ["flush failed: Input/output error"]);
    }
}

#[test]
fn timestamps_stand_between_units() {
    let (simulated, mut world, _, log) = start(Fsync::No);
    log.set(Settings {
        timestamps: true,
        ..settings(Fsync::No)
    });
    for _ in 0..10 {
        world.write();
    }
    log.settle(Then::End).expect("nothing fails");
    let bytes = bytes_of(&disk(&simulated), "a.aof.1.incr.aof");
    let text = String::from_utf8_lossy(&bytes);
    let stamps = text.matches("#TS:1").count();
    assert!((1..=2).contains(&stamps), "{text}");
    let counts = read_back(&disk(&simulated)).expect("sound");
    assert!(is_prefix(&counts, 10, 10), "{counts:?}");
}
