//! LATENCY DOCTOR: what the spikes say, in words, and what can be done about them.
//!
//! Each event gets a line with its figures, then follows advice, each piece once however many events
//! ask for it. The words are our own: nobody parses them.
//!
//! Checked by: tests below.

use super::Spikes;

/// What the advice depends on.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// `latency-monitor-threshold`; 0 is off.
    pub threshold_ms: u64,
    /// `slowlog-log-slower-than`; negative is off.
    pub slowlog_us: i64,
}

/// The report on all events.
#[must_use]
pub fn report(events: &[(&'static str, Spikes)], settings: Settings, now_unix_s: i64) -> String {
    if events.is_empty() {
        return if settings.threshold_ms == 0 {
            "Latency is not being watched. CONFIG SET latency-monitor-threshold <milliseconds> begins \
             it: what takes that long is kept as a spike.\n"
                .to_owned()
        } else {
            format!(
                "Nothing has taken {} ms or longer since the spikes were last forgotten.\n",
                settings.threshold_ms
            )
        };
    }
    let mut text = "Some things took longer than latency-monitor-threshold allows:\n\n".to_owned();
    for (index, (event, spikes)) in events.iter().enumerate() {
        let figures = Figures::of(spikes, now_unix_s);
        text += &format!(
            "{}. {event}: {} spikes (average {} ms, mean deviation {} ms, one in {:.2} s), the worst \
             ever {} ms.\n",
            index + 1,
            spikes.samples.len(),
            figures.average_ms,
            figures.deviation_ms,
            figures.period_s,
            spikes.max_ms
        );
    }
    text += "\nWhat can be done:\n\n";
    let commands = |event: &str| event == "command" || event == "fast-command";
    if events.iter().any(|(event, _)| commands(event)) {
        for advice in command_advice(settings) {
            text += &format!("- {advice}\n");
        }
    }
    if events.iter().any(|(event, _)| *event == "fast-command") {
        text += "- Commands of constant cost were slow too: look for other load on this machine, for \
                 swapping (used_memory_rss of INFO against its memory), for a slow virtual machine.\n";
    }
    if events.iter().any(|(event, _)| *event == "expire-cycle") {
        text += "- Removing what had expired took long: give keys that expire together different times, \
                 or lower active-expire-effort.\n";
    }
    text
}

fn command_advice(settings: Settings) -> Vec<String> {
    let mut advice = Vec::new();
    let threshold_us = i64::try_from(settings.threshold_ms.saturating_mul(1_000));
    let threshold_us = threshold_us.unwrap_or(i64::MAX);
    if settings.slowlog_us < 0 {
        advice.push(
            "The slow log is off, so nothing names the commands. CONFIG SET slowlog-log-slower-than \
             <microseconds> turns it on."
                .to_owned(),
        );
    } else if threshold_us > 0 && settings.slowlog_us > threshold_us {
        advice.push(format!(
            "The slow log takes only what is slower than this threshold. CONFIG SET \
             slowlog-log-slower-than {threshold_us} makes it name every spike."
        ));
    }
    advice.push(
        "SLOWLOG GET names the commands that took long: ask them for less at once.".to_owned(),
    );
    advice
}

/// What is worth telling about the samples that are kept.
struct Figures {
    average_ms: u64,
    /// The average distance from the average.
    deviation_ms: u64,
    /// Seconds from one spike to the next, from the first until now.
    period_s: f64,
}

impl Figures {
    fn of(spikes: &Spikes, now_unix_s: i64) -> Figures {
        let count = spikes.samples.len().max(1) as u64;
        let sum: u64 = spikes.samples.iter().map(|s| s.latency_ms).sum();
        let average_ms = sum / count;
        let distances: u64 = spikes
            .samples
            .iter()
            .map(|s| s.latency_ms.abs_diff(average_ms))
            .sum();
        let first = spikes.samples.front().map_or(now_unix_s, |s| s.unix_s);
        Figures {
            average_ms,
            deviation_ms: distances / count,
            period_s: (now_unix_s - first).max(0) as f64 / count as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::LatencyMonitor;
    use super::*;

    fn check(
        entered: &[(&'static str, i64, u64)],
        settings: (u64, i64),
        has: &[&str],
        not: &[&str],
    ) {
        let monitor = LatencyMonitor::default();
        for &(event, second, ms) in entered {
            monitor.enter(event, second, ms);
        }
        let (threshold_ms, slowlog_us) = settings;
        let settings = Settings {
            threshold_ms,
            slowlog_us,
        };
        let text = report(&monitor.all(), settings, 6);
        for part in has {
            assert!(text.contains(part), "no '{part}' in: {text}");
        }
        for part in not {
            assert!(!text.contains(part), "'{part}' in: {text}");
        }
    }

    #[test]
    fn nothing_to_tell() {
        check(&[], (0, 10_000), &["not being watched"], &["What can"]);
        check(
            &[],
            (100, 10_000),
            &["Nothing has taken 100 ms"],
            &["What can"],
        );
    }

    #[test]
    fn figures_and_advice_of_the_events_that_there_are() {
        // Redis 7.0.15 says of these samples: average 74ms, mean deviation 60ms, period 1.20 sec.
        let spikes = [50, 20, 100, 3, 200];
        let spikes: Vec<_> = spikes
            .iter()
            .zip(0..)
            .map(|(&ms, s)| ("command", s, ms))
            .collect();
        let line = "1. command: 5 spikes (average 74 ms, mean deviation 60 ms, one in 1.20 s), the worst \
                    ever 200 ms.";
        check(
            &spikes,
            (1, 10_000),
            &[line, "slowlog-log-slower-than 1000 ", "SLOWLOG GET"],
            &["expire", "constant cost"],
        );
        check(&spikes, (20, 10_000), &["SLOWLOG GET"], &["slowlog-log"]);
        check(
            &spikes,
            (20, -1),
            &["The slow log is off"],
            &["every spike"],
        );
        check(
            &[("expire-cycle", 1, 30), ("fast-command", 2, 40)],
            (1, 100),
            &[
                "1. expire-cycle",
                "2. fast-command",
                "active-expire-effort",
                "constant cost",
            ],
            &["slowlog-log"],
        );
    }
}
