//! `--keystats`: the largest keys by memory and by elements, and how sizes and name lengths are spread.
//!
//! Sizes are counted in buckets of powers of two, so the percentiles are the buckets' upper ends.

use super::{bigkeys::KINDS, keys, pause, stat::human};
use crate::session::{Session, Told};
use crate::{interrupt, out};
use resp::client::Value;
use std::collections::BTreeMap;

/// Percentiles that are shown.
const PERCENTILES: &[f64] = &[50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 100.0];

/// One key.
struct Sized {
    size: u64,
    key: String,
    kind: String,
}

#[derive(Default)]
struct Kind {
    count: u64,
    bytes: u64,
    elements: u64,
}

#[derive(Default)]
struct Figures {
    top: usize,
    samples: Option<Vec<u8>>,
    seen: u64,
    key_bytes: u64,
    kinds: BTreeMap<String, Kind>,
    by_memory: Vec<Sized>,
    by_elements: Vec<Sized>,
    memory: Spread,
    names: Spread,
}

/// Counts by powers of two.
#[derive(Default)]
struct Spread {
    buckets: BTreeMap<u32, u64>,
    count: u64,
}

impl Spread {
    fn add(&mut self, value: u64) {
        *self
            .buckets
            .entry(value.max(1).next_power_of_two().ilog2())
            .or_default() += 1;
        self.count += 1;
    }

    /// The upper end of the bucket in which so much of all lies.
    fn percentile(&self, percent: f64) -> u64 {
        let wanted = (self.count as f64 * percent / 100.0).ceil() as u64;
        let mut sum = 0;
        for (bucket, count) in &self.buckets {
            sum += count;
            if sum >= wanted {
                return 1 << bucket;
            }
        }
        0
    }
}

/// Looks through all keys; `samples`: at how many elements of each.
pub(super) fn run(session: &mut Session, samples: Option<u64>) -> Result<i32, Told> {
    interrupt::flag();
    let all = keys::count(session)?;
    let mut figures = Figures {
        top: session.options.top,
        samples: samples.map(|count| count.to_string().into_bytes()),
        ..Figures::default()
    };
    out::say(
        "\n# Scanning the entire keyspace to find the biggest keys and distribution information.\n\
        # Use -i 0.1 to sleep 0.1 sec per 100 SCAN commands (not usually needed).\n\n",
    );
    let (mut cursor, mut rounds) = (session.options.cursor, 0u64);
    loop {
        let page;
        (cursor, page) = keys::scan(session, cursor)?;
        figures.page(session, &page)?;
        rounds += 1;
        if rounds.is_multiple_of(keys::ROUNDS_BETWEEN_PAUSES) {
            pause(session.options.interval_us);
        }
        if cursor == 0 || interrupt::came() {
            break;
        }
    }
    out::say(&figures.text(all));
    if cursor != 0 {
        out::say(&format!(
            "Stopped: go on with --keystats --cursor {cursor}\n"
        ));
    }
    Ok(0)
}

impl Figures {
    fn page(&mut self, session: &mut Session, page: &[Vec<u8>]) -> Result<(), Told> {
        let kinds = keys::types(session, page)?;
        let known: Vec<(&Vec<u8>, String)> = page
            .iter()
            .zip(kinds)
            .filter_map(|(key, kind)| Some((key, kind?)))
            .collect();
        let mut requests: Vec<Vec<&[u8]>> = Vec::new();
        for (key, kind) in &known {
            let mut usage: Vec<&[u8]> = vec![b"MEMORY", b"USAGE", key];
            if let Some(samples) = &self.samples {
                usage.extend([b"SAMPLES".as_slice(), samples]);
            }
            requests.push(usage);
            // A type of a module has no count: PING stands in, and its reply is no number.
            requests.push(match KINDS.iter().find(|(name, ..)| name == kind) {
                Some((_, counts, _)) => vec![counts.as_bytes(), key],
                None => vec![b"PING"],
            });
        }
        let replies = keys::ask_all(session, &requests)?;
        for ((key, kind), pair) in known.iter().zip(replies.chunks_exact(2)) {
            self.add(key, kind, number(&pair[0]), number(&pair[1]));
        }
        Ok(())
    }

    fn add(&mut self, key: &[u8], kind: &str, bytes: u64, elements: u64) {
        self.seen += 1;
        self.key_bytes += key.len() as u64;
        self.memory.add(bytes);
        self.names.add(key.len() as u64);
        let of_kind = self.kinds.entry(kind.into()).or_default();
        of_kind.count += 1;
        of_kind.bytes += bytes;
        of_kind.elements += elements;
        for (list, size) in [
            (&mut self.by_memory, bytes),
            (&mut self.by_elements, elements),
        ] {
            let place = list.partition_point(|other| other.size >= size);
            if place < self.top {
                list.insert(
                    place,
                    Sized {
                        size,
                        key: keys::shown(key),
                        kind: kind.into(),
                    },
                );
                list.truncate(self.top);
            }
        }
    }

    fn text(&self, all: u64) -> String {
        let shown = |bytes: u64| human(i64::try_from(bytes).unwrap_or(i64::MAX));
        let mean = |sum: u64, count: u64| sum as f64 / count.max(1) as f64;
        let mut text = format!("--- Top {} key sizes ---\n", self.by_memory.len());
        for (at, key) in self.by_memory.iter().enumerate() {
            let place = at + 1;
            text += &format!(
                "{place:>3} {:>9} {:<8} {}\n",
                shown(key.size),
                key.kind,
                key.key
            );
        }
        text += &format!("\n--- Top {} by elements ---\n", self.by_elements.len());
        for (at, key) in self.by_elements.iter().enumerate() {
            let place = at + 1;
            text += &format!("{place:>3} {:>9} {:<8} {}\n", key.size, key.kind, key.key);
        }
        text += "\n--- Spread ---\npercent   key size  name length\n";
        for percent in PERCENTILES {
            let size = shown(self.memory.percentile(*percent));
            let name = shown(self.names.percentile(*percent));
            text += &format!("{percent:>6.1}%  {size:>9}  {name:>11}\n");
        }
        text += "\n--- Types ---\ntype          keys  share     memory  mean size  mean elements\n";
        for (name, kind) in &self.kinds {
            let mean_bytes = shown(mean(kind.bytes, kind.count) as u64);
            text += &format!(
                "{name:<8} {:>9} {:>5.1}% {:>10} {mean_bytes:>10} {:>14.2}\n",
                kind.count,
                100.0 * mean(kind.count, self.seen),
                shown(kind.bytes),
                mean(kind.elements, kind.count)
            );
        }
        let share = keys::percent(self.seen, all);
        text + &format!(
            "\n{share} Sampled {} keys in the keyspace!\nTotal key length in bytes is {} (avg len {:.2})\n",
            self.seen,
            self.key_bytes,
            mean(self.key_bytes, self.seen)
        )
    }
}

/// A key that has gone meanwhile has nothing.
fn number(reply: &Value) -> u64 {
    match reply {
        Value::Int(number) => u64::try_from(*number).unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_buckets_ends() {
        let mut spread = Spread::default();
        (1..=100).for_each(|value| spread.add(value));
        assert_eq!(spread.percentile(50.0), 64);
        assert_eq!(spread.percentile(100.0), 128);
        assert_eq!(Spread::default().percentile(50.0), 0);
    }

    #[test]
    fn the_largest_come_first() {
        let mut figures = Figures {
            top: 2,
            ..Figures::default()
        };
        for (key, bytes) in [("a", 10), ("b", 30), ("c", 20)] {
            figures.add(key.as_bytes(), "string", bytes, 1);
        }
        let keys: Vec<&str> = figures
            .by_memory
            .iter()
            .map(|key| key.key.as_str())
            .collect();
        assert_eq!(keys, ["\"b\"", "\"c\""]);
        assert!(figures.text(3).contains("Sampled 3 keys"));
    }
}
