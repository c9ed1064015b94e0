//! RELIABILITY D3: the power is cut at every operation of a run, many times each.
//!
//! The run writes units, rewrites, changes files, and notes, under `always`, which unit was
//! acknowledged after which operation of the disk. Then for each operation and many seeds: what a power cut
//! there leaves is read as a starting server would. It has to be readable, a prefix of what was written, and
//! hold all that had been acknowledged; under `everysec` and `no` all but the last.
//!
//! `REDSTART_STATES` sets how many states (10,000 every run).

mod world;

use std::sync::Arc;
use std::time::Duration;

use os::disk::{Disk, Simulated};
use persist::aof::{Fsync, Log, Then};
use world::*;

/// After how many operations how many units were acknowledged.
fn run(fsync: Fsync) -> (Arc<Simulated>, u64, Vec<(u64, u64)>, u64) {
    let simulated = Simulated::new();
    let (disk, mut manifest, file) = begin(&simulated);
    let first = simulated.operations();
    let mut world = World::new();
    let (merge, last) = world.attach();
    let bytes = file.len().expect("open");
    let ears = Arc::new(Ears::default());
    let log = Log::start(merge, last, file, bytes, settings(fsync), ears).expect("threads");
    let mut acknowledged = Vec::new();
    for round in 0..16 {
        // Batches from one unit to some dozen: within a sector, and over several.
        for _ in 0..1 + round * 7 % 20 {
            let number = world.write();
            if round % 3 == 0 {
                log.kick(number);
            }
        }
        let newest = world.store.newest_write();
        log.kick(newest);
        let reached = || {
            if fsync == Fsync::Always {
                log.flushed()
            } else {
                log.written()
            }
        };
        until("it is written", || reached() >= newest);
        if fsync == Fsync::Always {
            acknowledged.push((simulated.operations(), world.count));
        }
        if round == 7 || round == 12 {
            rewrite_files(&mut world, &log, &disk, &mut manifest).expect("room");
        } else if round % 5 == 4 {
            let file = new_file(&disk, &mut manifest).expect("room");
            let bytes = file.len().expect("open");
            let done = world.switch(&log, file, bytes);
            done.recv_timeout(Duration::from_secs(20))
                .expect("it changes");
        }
    }
    log.settle(Then::End).expect("nothing fails");
    (simulated, first, acknowledged, world.count)
}

fn check(fsync: Fsync, share: u64) {
    let states = std::env::var("REDSTART_STATES")
        .ok()
        .and_then(|text| text.parse().ok());
    let states: u64 = states.unwrap_or(10_000) / share;
    let (simulated, first, acknowledged, written) = run(fsync);
    let last = simulated.operations();
    let seeds = states.div_ceil(last - first + 1);
    for cut in first..=last {
        let safe = acknowledged.iter().rev().find(|(at, _)| *at <= cut);
        let safe = safe.map_or(0, |(_, count)| *count);
        for seed in 0..seeds {
            let left = Disk::Simulated(simulated.crash(cut, cut << 32 | seed));
            let counts = read_back(&left);
            let is_sound = counts
                .as_ref()
                .is_ok_and(|counts| is_prefix(counts, safe, written));
            assert!(
                is_sound,
                "cut {cut} ({}), seed {seed}, {safe} of {written} acknowledged: {counts:?}",
                simulated.describe(cut)
            );
        }
        // A process that is killed loses nothing that it handed to the system.
        let counts = read_back(&Disk::Simulated(simulated.kill(cut))).expect("sound");
        assert!(
            is_prefix(&counts, safe, written),
            "killed at {cut}: {counts:?}"
        );
    }
}

#[test]
fn always_loses_nothing_that_was_acknowledged() {
    check(Fsync::Always, 2);
}

#[test]
fn everysec_loses_a_tail() {
    check(Fsync::Everysec, 4);
}
