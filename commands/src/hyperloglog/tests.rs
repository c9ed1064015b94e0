//! Sketches as strings that anybody may have written: the two bodies agree whatever is added, and
//! nothing that is in a string makes a command panic, do half of its work, or work for long.

use proptest::prelude::*;
use resp::OwnedArgs;

use super::estimate::place;
use super::sketch::{HEAD_BYTES, Sketch, forget_number};
use super::sparse::{self, Mark};
use super::{REGISTERS, dense};
use crate::testing::Bench;

fn registers(sketch: &Sketch<'_>) -> Vec<u8> {
    let mut all = [0; REGISTERS];
    sketch.merge_into(&mut all).expect("it is whole");
    all.to_vec()
}

proptest! {
    #[test]
    fn both_bodies_hold_the_same(
        raises in proptest::collection::vec((0..REGISTERS, 1..=34_u8), 1..400),
        near in proptest::collection::vec((0..64_usize, 1..=3_u8), 0..400),
        bytes_max in prop_oneof![Just(0), Just(100), Just(3000), Just(usize::MAX)],
    ) {
        let (mut sketch, mut model) = (Sketch::empty(), vec![0; REGISTERS]);
        // Neighbours of few values, so that runs split and join.
        for (register, value) in near.into_iter().chain(raises) {
            let is_below = model[register] < value;
            model[register] = value.max(model[register]);
            let raised = sketch.raise((register, value), bytes_max, &mut Mark::first());
            prop_assert_eq!(raised, Ok(is_below));
            prop_assert!(sketch.is_dense() || value <= 32);
        }
        prop_assert_eq!(registers(&sketch), model);
        let estimate = sketch.estimate();
        sketch.make_dense().expect("it is whole");
        prop_assert_eq!(estimate, sketch.estimate());
    }

    #[test]
    fn a_search_that_goes_on_splits_alike(
        raises in proptest::collection::btree_map(0..REGISTERS, 1..=4_u8, 0..300),
        near in proptest::collection::btree_map(0..100_usize, 1..=2_u8, 0..100),
        more in proptest::collection::btree_map(0..100_usize, 1..=3_u8, 0..100),
    ) {
        let (mut one, mut other) = (Sketch::empty(), Sketch::empty());
        for raises in [near, more, raises] {
            let mut from = Mark::first();
            for place in raises {
                let raised = one.raise(place, usize::MAX, &mut Mark::first());
                prop_assert_eq!(raised, other.raise(place, usize::MAX, &mut from));
                prop_assert_eq!(one.bytes(), other.bytes());
            }
        }
    }

    #[test]
    fn hostile_strings(
        seen in proptest::collection::vec(0..1_000_000_u32, 0..200),
        dense in any::<bool>(),
        damage in proptest::collection::vec((any::<u16>(), any::<u8>(), 0..3_u8), 1..12),
        words in proptest::collection::vec(0..8_usize, 1..6),
    ) {
        let mut sketch = Sketch::empty();
        for element in seen {
            let place = place(element.to_string().as_bytes());
            sketch.raise(place, 3000, &mut Mark::first()).expect("it is whole");
        }
        if dense {
            sketch.make_dense().expect("it is whole");
        }
        let mut bytes = sketch.bytes().to_vec();
        for (at, byte, how) in damage {
            let at = usize::from(at) % bytes.len();
            match how {
                0 => bytes[at] = byte,
                1 if bytes.len() > 1 => {
                    bytes.remove(at);
                }
                _ => bytes.insert(at, byte),
            }
        }
        let mut bench = Bench::new();
        bench.run_words(&OwnedArgs::from_slices(&[&b"SET"[..], b"k", &bytes]));
        bench.check("PFADD other a b c", ":1");
        for word in words {
            let line = [
                "PFADD k a b c 1 2 3", "PFCOUNT k", "PFCOUNT k other", "PFMERGE d k", "PFMERGE k other",
                "PFDEBUG DECODE k", "PFDEBUG GETREG k", "PFDEBUG TODENSE k",
            ][word];
            let before = bench.contents();
            let (said, effects) = bench.run(line);
            if said.starts_with('-') {
                prop_assert!(
                    said == "-INVALIDOBJ Corrupted HLL object detected"
                        || said == "-WRONGTYPE Key is not a valid HyperLogLog string value."
                        || said == "-ERR HLL encoding is not sparse",
                    "{} {}", line, said
                );
                prop_assert_eq!(before, bench.contents());
                prop_assert_eq!(effects.dirty, 0);
            }
        }
    }
}

#[test]
fn a_body_that_is_too_long_is_not_walked() {
    let mut bytes = Sketch::empty().bytes()[..HEAD_BYTES].to_vec();
    forget_number(&mut bytes);
    bytes.resize(HEAD_BYTES + sparse::BYTES_MAX + 1, 0);
    let mut bench = Bench::new();
    bench.run_words(&OwnedArgs::from_slices(&[&b"SET"[..], b"k", &bytes]));
    for line in [
        "PFADD k a",
        "PFCOUNT k",
        "PFMERGE d k",
        "PFDEBUG DECODE k",
        "PFDEBUG TODENSE k",
    ] {
        bench.check(line, "-INVALIDOBJ Corrupted HLL object detected");
    }
}

#[test]
fn effects() {
    let mut bench = Bench::new();
    bench.effects("PFADD h", ":1", 1, "pfadd h", "PFADD h");
    bench.effects("PFADD h", ":0", 0, "", "");
    bench.effects("PFADD h a b a", ":1", 2, "pfadd h", "PFADD h a b a");
    bench.effects("PFADD h a", ":0", 0, "", "");
    bench.effects("PFCOUNT h", ":2", 1, "", "PFCOUNT h");
    bench.effects("PFCOUNT h", ":2", 0, "", "");
    bench.effects("PFCOUNT h nothing", ":2", 0, "", "");
    bench.effects("PFMERGE d h", "+OK", 1, "pfadd d", "PFMERGE d h");
    bench.effects("PFMERGE d", "+OK", 1, "pfadd d", "PFMERGE d");
    bench.effects("PFDEBUG TODENSE d", ":1", 1, "", "PFDEBUG TODENSE d");
    bench.effects("PFDEBUG TODENSE d", ":0", 0, "", "");
    bench.effects("PFADD d a", ":0", 0, "", "");
    bench.effects("PFADD d c a d c", ":1", 2, "pfadd d", "PFADD d c a d c");
    bench.check("PFSELFTEST", "+OK");
}

#[test]
fn a_change_keeps_the_deadline() {
    let mut bench = Bench::new();
    bench.check("PFADD h a", ":1");
    bench.check("PEXPIREAT h 1800000000000", ":1");
    bench.check(
        "PFADD h b c d e f g h i j k l m n o p q r s t u v w x y z",
        ":1",
    );
    bench.check("PFCOUNT h", ":25");
    bench.check("PFDEBUG TODENSE h", ":1");
    bench.check("PFMERGE h h", "+OK");
    bench.check("PEXPIRETIME h", ":1800000000000");
    assert_eq!(dense::BYTES + HEAD_BYTES, bench.contents()[0].1.len());
}
