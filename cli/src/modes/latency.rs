//! `--latency` and `--latency-history`: how long PING takes, a hundred times a second.
//!
//! On a terminal one line is written over and over. Elsewhere `--latency` ends after its interval with one
//! line, and the history writes its figures as they come.

use super::ask_patiently;
use crate::out;
use crate::session::{Session, Told};
use crate::show::Form;
use std::time::{Duration, Instant};

const BETWEEN_SAMPLES: Duration = Duration::from_millis(10);
const INTERVAL: Duration = Duration::from_secs(1);
const HISTORY_INTERVAL: Duration = Duration::from_secs(15);

/// What the samples of one interval say, in milliseconds.
#[derive(Default)]
struct Figures {
    min: u128,
    max: u128,
    sum: u128,
    count: u128,
}

impl Figures {
    fn add(&mut self, sample: u128) {
        self.min = if self.count == 0 {
            sample
        } else {
            self.min.min(sample)
        };
        self.max = self.max.max(sample);
        self.sum += sample;
        self.count += 1;
    }

    fn line(&self, form: Form) -> String {
        let Figures {
            min, max, count, ..
        } = self;
        let mean = self.sum as f64 / (*count).max(1) as f64;
        match form {
            Form::People => format!("min: {min}, max: {max}, avg: {mean:.2} ({count} samples)"),
            Form::Csv => format!("{min},{max},{mean:.2},{count}\n"),
            Form::Raw => format!("{min} {max} {mean:.2} {count}\n"),
            Form::Json | Form::QuotedJson => format!(
                "{{\"min\": {min}, \"max\": {max}, \"avg\": {mean:.2}, \"count\": {count}}}\n"
            ),
        }
    }
}

/// Runs until interrupted, or until there is one line.
pub(super) fn run(session: &mut Session, history: bool) -> Result<i32, Told> {
    let asked = Duration::from_micros(session.options.interval_us);
    let or = |otherwise| if asked.is_zero() { otherwise } else { asked };
    let form = session.style.form;
    let mut figures = Figures::default();
    let mut begin = Instant::now();
    loop {
        let start = Instant::now();
        ask_patiently(session, &[b"PING"])?;
        figures.add(start.elapsed().as_millis());
        if form == Form::People {
            out::say(&format!("\x1b[0G\x1b[2K{}", figures.line(form)));
        } else if history {
            out::say(&figures.line(form));
        } else if begin.elapsed() > or(INTERVAL) {
            out::say(&figures.line(form));
            return Ok(0);
        }
        if history && begin.elapsed() > or(HISTORY_INTERVAL) {
            let seconds = begin.elapsed().as_secs_f64();
            out::say(&format!(" -- {seconds:.2} seconds range\n"));
            begin = Instant::now();
            figures = Figures::default();
        }
        std::thread::sleep(BETWEEN_SAMPLES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures() {
        let mut figures = Figures::default();
        [3, 1, 2].into_iter().for_each(|sample| figures.add(sample));
        assert_eq!(
            figures.line(Form::People),
            "min: 1, max: 3, avg: 2.00 (3 samples)"
        );
        assert_eq!(figures.line(Form::Csv), "1,3,2.00,3\n");
        assert!(figures.line(Form::Json).contains("\"count\": 3"));
    }
}
