//! `--latency-dist`: PING's round trips as a line of colours each second.
//!
//! A column for each range of time, the brighter the more of the samples fell into it. Needs a terminal of 256
//! colours; `--mono` uses greys.

use super::ask_patiently;
use crate::out;
use crate::session::{Session, Told};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

const BETWEEN_SAMPLES: Duration = Duration::from_millis(10);
const INTERVAL: Duration = Duration::from_secs(1);

/// Lines between two legends.
const LEGEND_EVERY: u64 = 20;

/// Terminal colours from nothing to everything: black, blues, reds, yellows.
const COLOURS: &[u8] = &[
    0, 17, 18, 19, 20, 21, 57, 93, 129, 165, 201, 199, 197, 196, 202, 208, 214, 220, 226,
];
/// The terminal's ramp of greys.
const GREYS: &[u8] = &[
    0, 233, 234, 235, 237, 239, 241, 243, 245, 247, 249, 251, 253, 255,
];

/// Columns: the most microseconds that belong here, and their sign. The last takes the rest.
const COLUMNS: &[(u64, char)] = &[
    (10, '.'),
    (125, '-'),
    (250, '*'),
    (500, '#'),
    (1_000, '1'),
    (2_000, '2'),
    (3_000, '3'),
    (4_000, '4'),
    (5_000, '5'),
    (6_000, '6'),
    (7_000, '7'),
    (8_000, '8'),
    (9_000, '9'),
    (10_000, 'A'),
    (20_000, 'B'),
    (30_000, 'C'),
    (40_000, 'D'),
    (50_000, 'E'),
    (100_000, 'F'),
    (200_000, 'G'),
    (300_000, 'H'),
    (400_000, 'I'),
    (500_000, 'J'),
    (1_000_000, 'K'),
    (2_000_000, 'L'),
    (4_000_000, 'M'),
    (8_000_000, 'N'),
    (16_000_000, 'O'),
    (30_000_000, 'P'),
    (60_000_000, 'Q'),
    (u64::MAX, '?'),
];

/// Runs until interrupted.
pub(super) fn run(session: &mut Session) -> Result<i32, Told> {
    let palette = if session.options.monochrome {
        GREYS
    } else {
        COLOURS
    };
    let asked = Duration::from_micros(session.options.interval_us);
    let interval = if asked.is_zero() { INTERVAL } else { asked };
    let mut counts = vec![0u64; COLUMNS.len()];
    let mut begin = Instant::now();
    let mut lines = 0u64;
    loop {
        let start = Instant::now();
        ask_patiently(session, &[b"PING"])?;
        let took = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
        counts[column(took)] += 1;
        if begin.elapsed() > interval {
            if lines.is_multiple_of(LEGEND_EVERY) {
                out::say(&legend(palette));
            }
            lines += 1;
            out::say(&line(&counts, palette));
            counts.fill(0);
            begin = Instant::now();
        }
        std::thread::sleep(BETWEEN_SAMPLES);
    }
}

fn column(microseconds: u64) -> usize {
    COLUMNS.partition_point(|(max, _)| *max < microseconds)
}

/// One line: relative to the samples of this interval, so that more requests do not look like slower ones.
fn line(counts: &[u64], palette: &[u8]) -> String {
    let total = counts.iter().sum::<u64>().max(1);
    let steps = palette.len() as u64 - 1;
    let mut text = String::from("\x1b[38;5;0m");
    for (count, (_, sign)) in counts.iter().zip(COLUMNS) {
        let colour = palette[(count * steps).div_ceil(total) as usize];
        // Into memory: cannot fail.
        let _ = write!(text, "\x1b[48;5;{colour}m{sign}");
    }
    text + "\x1b[0m\n"
}

fn legend(palette: &[u8]) -> String {
    let rule = "---------------------------------------------\n";
    let mut text = format!(
        "{rule}. - * #          .01 .125 .25 .5 milliseconds\n\
        1,2,3,...,9      from 1 to 9     milliseconds\n\
        A,B,C,D,E        10,20,30,40,50  milliseconds\n\
        F,G,H,I,J        .1,.2,.3,.4,.5       seconds\n\
        K,L,M,N,O,P,Q,?  1,2,4,8,16,30,60,>60 seconds\n\
        From 0 to 100%: "
    );
    for colour in palette {
        // Into memory: cannot fail.
        let _ = write!(text, "\x1b[48;5;{colour}m ");
    }
    text + "\x1b[0m\n" + rule
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_its_column() {
        let sign = |microseconds| COLUMNS[column(microseconds)].1;
        assert_eq!((sign(0), sign(10), sign(11)), ('.', '.', '-'));
        assert_eq!((sign(60_000_000), sign(60_000_001)), ('Q', '?'));
    }

    #[test]
    fn all_samples_in_one_column_are_the_brightest() {
        let mut counts = vec![0; COLUMNS.len()];
        counts[3] = 9;
        let text = line(&counts, COLOURS);
        assert!(text.contains("\x1b[48;5;226m#") && text.contains("\x1b[48;5;0m*"));
    }
}
