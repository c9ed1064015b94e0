//! `--intrinsic-latency`: how long the system keeps a busy program from running. Needs no server.

use crate::{interrupt, out};
use std::time::{Duration, Instant};

/// Computes for so long and says each new longest pause.
pub(super) fn run(seconds: u64) -> i32 {
    interrupt::flag();
    let length = Duration::from_secs(seconds);
    let begin = Instant::now();
    let (mut longest, mut runs) = (0u128, 0u64);
    loop {
        let start = Instant::now();
        std::hint::black_box(busy());
        let took = start.elapsed().as_micros();
        runs += 1;
        if took > longest {
            longest = took;
            out::say(&format!("Max latency so far: {longest} microseconds.\n"));
        }
        if interrupt::came() || begin.elapsed() > length {
            break;
        }
    }
    let mean = begin.elapsed().as_secs_f64() * 1e6 / runs as f64;
    out::say(&format!(
        "\n{runs} total runs (avg latency: {mean:.4} microseconds / {:.2} nanoseconds per run).\n\
        Worst run took {:.0}x longer than the average latency.\n",
        mean * 1e3,
        longest as f64 / mean
    ));
    0
}

/// A few microseconds of work that no compiler can leave out: a multiplicative generator's steps.
fn busy() -> u64 {
    (0..2000u64).fold(1, |state, step| {
        std::hint::black_box(state)
            .wrapping_mul(0x5851_f42d_4c95_7f2d)
            .wrapping_add(step)
            .rotate_left(13)
    })
}
