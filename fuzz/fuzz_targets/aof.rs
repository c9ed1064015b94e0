//! Files of the append-only log: any bytes are judged, and what counts of them is replayed as judged.
//!
//! The input is tried as it is, and as a batch behind a sound seal: a stranger can compute a checksum as
//! well as we can. What is sealed is believed to be commands when the file is judged, so there replaying
//! may stop at a flaw. A torn file, cut where the verdict says, is whole.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use os::disk::{Disk, Simulated};
use persist::aof::replay::{Verdict, judge, replay};
use persist::aof::seal::{Seal, first_line};
use persist::aof::walk::Walk;

fuzz_target!(|input: &[u8]| {
    examine(input, false);
    let sealed = [&first_line()[..], &Seal::of(input, 0).line(), input].concat();
    examine(&sealed, true);
});

fn examine(bytes: &[u8], is_sealed: bool) {
    let (mut walk, verdict) = judged(bytes);
    let valid = match verdict {
        Verdict::Whole => bytes.len() as u64,
        Verdict::Short { valid, .. } => {
            assert!(valid <= bytes.len() as u64);
            assert_eq!(judged(&bytes[..valid as usize]).1, Verdict::Whole);
            valid
        }
        Verdict::Damaged { offset, .. } => {
            assert!(offset <= bytes.len() as u64, "it names a place in the file");
            return;
        }
    };
    walk.go_to(0).expect("it is in memory");
    let mut last = 0;
    let replayed = replay(&mut walk, valid, |commands, behind| {
        assert!(!commands.is_empty() && behind > last && behind <= valid);
        last = behind;
        Ok::<(), ()>(())
    });
    assert!(is_sealed || replayed.is_ok(), "as it was judged");
}

fn judged(bytes: &[u8]) -> (Walk, Verdict) {
    let (disk, path) = (Disk::Simulated(Simulated::new()), Path::new("a.aof"));
    let mut file = disk.create(path).expect("it is in memory");
    file.write(bytes).expect("it is in memory");
    let file = disk.open(path).expect("it is there");
    let mut walk = Walk::new(file, 0).expect("it is in memory");
    let verdict = judge(&mut walk).expect("it is in memory");
    (walk, verdict)
}
