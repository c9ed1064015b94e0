//! Random sequences of data commands on a whole server: see `sequences/mod.rs`. The fuzz target
//! `commands` is the same with coverage for its guide.
//!
//! A failure names its seed; `SIM_SEED=n` runs that one alone.

#[path = "sequences/mod.rs"]
mod harness;

use harness::requests::Dice;
use harness::{Rig, forms, server};

#[test]
fn no_sequence_panics_hangs_or_strays() {
    let only = std::env::var("SIM_SEED").ok();
    let seeds = match only.and_then(|text| text.parse().ok()) {
        Some(seed) => seed..seed + 1,
        None => 1..41,
    };
    let forms = forms();
    for seed in seeds {
        let shown = Shown(seed);
        let server = server(seed);
        let mut rig = Rig::new(&server, seed);
        rig.run(&forms, &mut Dice::of(seed), 500, |_| false);
        assert!(
            rig.errors * 3 < rig.replies * 2,
            "mostly errors test nothing"
        );
        std::mem::forget(shown);
    }
}

/// Says in which seed a panic was.
struct Shown(u64);

impl Drop for Shown {
    fn drop(&mut self) {
        eprintln!("seed {}", self.0);
    }
}
