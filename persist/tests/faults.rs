//! RELIABILITY D4: the n-th operation of a run fails, once or from there on, in each way.
//!
//! The run writes units under `always` and rewrites. Whatever fails: what was acknowledged is on the
//! disk, after a power cut too; what is on the disk is a prefix; after a failed flush nothing more is
//! acknowledged; when what failed works again and was no flush, writing goes on.

mod world;

use std::sync::Arc;
use std::time::{Duration, Instant};

use os::disk::{Disk, Failure, Fault, Simulated};
use persist::aof::{Fsync, Log, Then};
use world::*;

const ROUNDS: u64 = 8;

/// A run; the units that were acknowledged, and those that were written.
fn run(simulated: &Arc<Simulated>, faults: &[Fault]) -> (u64, u64, Vec<String>) {
    let (disk, mut manifest, file) = begin(simulated);
    let mut world = World::new();
    let (merge, last) = world.attach();
    let bytes = file.len().expect("open");
    let ears = Arc::new(Ears::default());
    let log = Log::start(
        merge,
        last,
        file,
        bytes,
        settings(Fsync::Always),
        ears.clone(),
    );
    let log = log.expect("threads");
    simulated.plan(faults);
    let mut acknowledged = 0;
    for round in 0..ROUNDS {
        let number = (0..=round % 4).map(|_| world.write()).last().expect("some");
        log.kick(number);
        // Long enough for a disk that works, and short for one that does not.
        let patience = Instant::now() + Duration::from_millis(40);
        while log.flushed() < number && ears.said.lock().is_empty() && Instant::now() < patience {
            std::thread::sleep(Duration::from_micros(50));
        }
        if log.flushed() >= number {
            acknowledged = world.count;
        }
        if round == ROUNDS / 2 {
            // Whatever comes of it.
            let _ = rewrite_files(&mut world, &log, &disk, &mut manifest);
        }
    }
    let settled = log.settle(Then::End);
    if settled.is_ok() {
        acknowledged = world.count;
    }
    let said = ears.said.lock().clone();
    (acknowledged, world.count, said)
}

#[test]
fn no_failure_makes_the_log_say_what_is_not_so() {
    let clean = Simulated::new();
    let (acknowledged, written, said) = run(&clean, &[]);
    assert_eq!((acknowledged, said.len()), (written, 0));
    let (first, last) = (6, clean.operations());
    let (mut died, mut waited) = (0, 0);
    for how in [
        Failure::Eio,
        Failure::NoSpace,
        Failure::Short,
        Failure::Flush,
    ] {
        for from in first..last {
            for to in [from + 1, u64::MAX] {
                let simulated = Simulated::new();
                let (acknowledged, written, said) = run(&simulated, &[Fault { from, to, how }]);
                let what = format!("{how:?} at {from} of {last} up to {to}, said {said:?}");
                died += u64::from(said.iter().any(|said| said.starts_with("flush failed")));
                waited += u64::from(said.iter().any(|said| said.starts_with("write failed")));
                let end = simulated.operations();
                let killed = read_back(&Disk::Simulated(simulated.kill(end)));
                let killed = killed.unwrap_or_else(|error| panic!("{what}: {error}"));
                assert!(
                    is_prefix(&killed, acknowledged, written),
                    "{what}: {killed:?}"
                );
                for seed in 0..20 {
                    let left = read_back(&Disk::Simulated(simulated.crash(end, seed)));
                    let left = left.unwrap_or_else(|error| panic!("{what}, seed {seed}: {error}"));
                    assert!(
                        is_prefix(&left, acknowledged, written),
                        "{what}, seed {seed}, {acknowledged} acknowledged: {left:?}"
                    );
                }
            }
        }
    }
    assert!(
        died > 10 && waited > 10,
        "{died} and {waited}: the faults hit nothing"
    );
}
