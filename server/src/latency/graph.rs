//! LATENCY GRAPH: an event's spikes as a picture of 80 columns.
//!
//!   command - high 200 ms, low 3 ms (all time high 200 ms)
//!   ------------------------------------------------------ (80 dashes)
//!       #      the worst of the picture ends in the topmost row, the least in the lowest;
//!       |      a column's end is one of `_`, `o`, `#`, three steps to a row, and what is
//!     # |      below it is `|`
//!   #o|_|
//!              an empty line
//!   65431      each column's age, read downwards
//!   sssss
//!
//! Byte for byte what Redis draws: people compare it with what they know. More than 80 spikes go on
//! below, after an empty line.
//!
//! Checked by: tests below, whose picture Redis 7.0.15 drew.

use super::Spikes;

const COLUMNS_MAX: usize = 80;
const ROWS: usize = 4;
/// A column's end, lowest first.
const ENDS: [u8; 3] = *b"_o#";
const STEPS: usize = ROWS * ENDS.len();

/// The picture of an event that has spikes.
#[must_use]
pub fn draw(event: &str, spikes: &Spikes, now_unix_s: i64) -> String {
    let high = spikes.samples.iter().map(|s| s.latency_ms).max();
    let low = spikes.samples.iter().map(|s| s.latency_ms).min();
    let (high, low) = (high.unwrap_or(0), low.unwrap_or(0));
    let mut text = format!(
        "{event} - high {high} ms, low {low} ms (all time high {} ms)\n{}\n",
        spikes.max_ms,
        "-".repeat(COLUMNS_MAX)
    );
    let columns: Vec<(usize, String)> = spikes
        .samples
        .iter()
        .map(|s| {
            (
                step(s.latency_ms, low, high),
                age((now_unix_s - s.unix_s).max(0)),
            )
        })
        .collect();
    for (index, part) in columns.chunks(COLUMNS_MAX).enumerate() {
        if index > 0 {
            text.push('\n');
        }
        draw_part(&mut text, part);
    }
    text
}

/// How high a column is, of `STEPS`.
fn step(latency_ms: u64, low: u64, high: u64) -> usize {
    let span = (high - low).max(1) as f64;
    // Rounded towards zero, as Redis's conversion does.
    let step = ((latency_ms - low) as f64 * STEPS as f64 / span) as usize;
    step.min(STEPS - 1)
}

fn age(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

fn draw_part(text: &mut String, part: &[(usize, String)]) {
    for row in (0..ROWS).rev() {
        let lowest = row * ENDS.len();
        text.extend(
            part.iter()
                .map(|&(step, _)| match step.checked_sub(lowest) {
                    None => ' ',
                    Some(end) => ENDS.get(end).map_or('|', |&c| char::from(c)),
                }),
        );
        text.push('\n');
    }
    text.extend(part.iter().map(|_| ' '));
    text.push('\n');
    let longest = part.iter().map(|(_, age)| age.len()).max().unwrap_or(0);
    for at in 0..longest {
        let letter = |age: &String| age.as_bytes().get(at).map_or(' ', |&c| char::from(c));
        text.extend(part.iter().map(|(_, age)| letter(age)));
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::super::LatencyMonitor;
    use super::*;

    fn check(samples: &[(i64, u64)], now: i64, expected: &str) {
        let monitor = LatencyMonitor::default();
        for &(second, ms) in samples {
            monitor.enter("command", second, ms);
        }
        let spikes = monitor.event("command").expect("entered");
        let picture = draw("command", &spikes, now);
        let (head, rest) = picture.split_once('\n').expect("a heading");
        assert!(head.starts_with("command - high "), "{head}");
        let (dashes, rest) = rest.split_once('\n').expect("dashes");
        assert_eq!(dashes, "-".repeat(80));
        assert_eq!(rest, expected);
    }

    #[test]
    fn the_picture_is_the_one_that_redis_draws() {
        check(
            &[(0, 50), (1, 20), (2, 100), (3, 3), (5, 200)],
            6,
            "    #\n    |\n  # |\n#o|_|\n     \n65431\nsssss\n",
        );
        // One spike has no span; ages of several letters.
        check(&[(0, 7)], 3_600 * 12, " \n \n \n_\n \n1\n2\nh\n");
        check(&[(0, 7)], 60, " \n \n \n_\n \n1\nm\n");
    }

    #[test]
    fn more_than_a_line_goes_on_below() {
        let samples: Vec<(i64, u64)> = (0..81).map(|s| (s, 5)).collect();
        let blank = format!("{}\n", " ".repeat(80));
        let monitor = LatencyMonitor::default();
        for &(second, ms) in &samples {
            monitor.enter("command", second, ms);
        }
        let picture = draw("command", &monitor.event("command").expect("entered"), 81);
        assert!(picture.contains(&format!("{}{}\n{blank}", blank.repeat(3), "_".repeat(80))));
        assert!(picture.ends_with("\n\n \n \n \n_\n \n1\ns\n"), "{picture}");
    }
}
