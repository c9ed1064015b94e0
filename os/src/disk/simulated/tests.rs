//! What the simulation keeps, loses and refuses.

use super::*;
use crate::disk::{Disk, Replacement};

fn disk() -> (Arc<Simulated>, Disk) {
    let simulated = Simulated::new();
    let disk = Disk::Simulated(Arc::clone(&simulated));
    disk.make_folder(Path::new("d")).expect("an empty disk");
    disk.flush_folder(Path::new("")).expect("it is there");
    (simulated, disk)
}

/// What `look` says of the disks that 300 power cuts at the end leave, without repetition.
fn outcomes<T: Ord>(simulated: &Simulated, look: impl Fn(&Disk) -> T) -> Vec<T> {
    let end = simulated.operations();
    let all: std::collections::BTreeSet<T> = (0..300)
        .map(|seed| look(&Disk::Simulated(simulated.crash(end, seed))))
        .collect();
    all.into_iter().collect()
}

#[test]
fn flushed_bytes_stay_and_others_come_torn() {
    let (simulated, disk) = disk();
    let path = Path::new("d/f");
    let mut file = disk.create(path).expect("free");
    file.write(b"kept").expect("room");
    file.flush().expect("no plan");
    disk.flush_folder(Path::new("d")).expect("no plan");
    assert_eq!(
        outcomes(&simulated, |d| d.read(path).ok()),
        [Some(b"kept".to_vec())]
    );

    file.write(&[7; 2000]).expect("room");
    let torn = outcomes(&simulated, |d| d.read(path).expect("its name is durable"));
    assert!(torn.iter().all(|bytes| bytes.starts_with(b"kept")));
    assert!(torn.iter().any(|bytes| bytes.len() == 4), "all of it lost");
    assert!(
        torn.iter().any(|bytes| bytes[4..] == [7; 2000]),
        "nothing lost"
    );
    assert!(
        torn.iter()
            .any(|b| b.len() > 1600 && b[600..1000] == [0; 400] && b[1100..1500] == [7; 400]),
        "a hole"
    );
    let rubbish = |b: &Vec<u8>| b[4..].iter().any(|byte| *byte != 0 && *byte != 7);
    assert!(torn.iter().any(rubbish), "rubbish");
}

#[test]
fn names_are_durable_with_their_folder() {
    let (simulated, disk) = disk();
    let (a, b) = (Path::new("d/a"), Path::new("d/b"));
    disk.create(a).and_then(|f| f.flush()).expect("free");
    assert_eq!(outcomes(&simulated, |d| d.has(a)), [false, true]);
    disk.flush_folder(Path::new("d")).expect("no plan");
    assert_eq!(outcomes(&simulated, |d| d.has(a)), [true]);
    disk.rename(a, b).expect("it is there");
    assert_eq!(
        outcomes(&simulated, |d| (d.has(a), d.has(b))),
        [(false, true), (true, false)]
    );
    disk.flush_folder(Path::new("d")).expect("no plan");
    disk.remove(b).expect("it is there");
    assert_eq!(outcomes(&simulated, |d| d.has(b)), [false, true]);
    let killed = Disk::Simulated(simulated.kill(simulated.operations()));
    assert!(!killed.has(b), "a killed process loses nothing");
}

#[test]
fn a_failed_flush_is_not_mended_by_a_second_one() {
    let (simulated, disk) = disk();
    let path = Path::new("d/f");
    let mut file = disk.create(path).expect("free");
    disk.flush_folder(Path::new("d")).expect("no plan");
    file.write(b"lost").expect("room");
    let now = simulated.operations();
    simulated.plan(&[Fault {
        from: now,
        to: now + 1,
        how: Failure::Flush,
    }]);
    assert!(file.flush().is_err());
    file.flush().expect("only once");
    assert_eq!(
        outcomes(&simulated, |d| d.read(path).expect("durable")),
        [vec![0; 4]]
    );
}

#[test]
fn faults_hit_what_they_are_for() {
    let (simulated, disk) = disk();
    let path = Path::new("d/f");
    let mut file = disk.create(path).expect("free");
    simulated.plan(&[Fault {
        from: 0,
        to: u64::MAX,
        how: Failure::Short,
    }]);
    let error = file.write(b"abcdef").expect_err("full");
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert_eq!(disk.read(path).expect("there"), b"abc");
    file.truncate(0).expect("takes no room");
    assert!(disk.create(Path::new("d/g")).is_err());
    file.flush().expect("takes no room");
    simulated.plan(&[Fault {
        from: 0,
        to: u64::MAX,
        how: Failure::Eio,
    }]);
    assert!(file.flush().is_err() && file.truncate(9).is_err() && file.write(b"x").is_err());
    assert!(disk.remove(path).is_err() && disk.rename(path, Path::new("d/h")).is_err());
    simulated.plan(&[]);
    file.write(b"x").expect("all is well again");
    assert_eq!(disk.read(path).expect("there"), b"x");
}

#[test]
fn a_replacement_survives_a_cut_at_each_step() {
    let (simulated, disk) = disk();
    let target = Path::new("d/f");
    let put = |bytes: &[u8]| {
        let mut new = Replacement::begin(&disk, "d/temp".into(), target).expect("free");
        new.file().write(bytes).expect("room");
        new.finish().expect("no plan");
    };
    put(&[1; 3000]);
    let first = simulated.operations();
    put(&[2; 5000]);
    let last = simulated.operations();
    for (cut, seed) in (first..=last).flat_map(|cut| (0..200).map(move |seed| (cut, seed))) {
        let left = Disk::Simulated(simulated.crash(cut, seed)).read(target);
        let left = left.expect("its name is durable");
        let old = left == [1; 3000] && cut < last;
        assert!(
            old || left == [2; 5000],
            "cut {cut} ({}), seed {seed}",
            simulated.describe(cut)
        );
    }
}
