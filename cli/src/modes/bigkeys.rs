//! `--bigkeys` and `--memkeys`: the largest key of each type, by elements or by memory.

use super::{keys, pause};
use crate::session::{Session, Told};
use crate::{interrupt, out};
use resp::client::Value;

/// What a key's size is.
pub(super) enum Measure {
    Elements,
    /// `samples`: how many elements MEMORY USAGE looks at.
    Memory {
        samples: Option<u64>,
    },
}

/// A type, how its elements are counted and what they are called.
struct Kind {
    name: String,
    /// What counts the elements; a type of a module has nothing.
    counts: &'static str,
    unit: &'static str,
    largest: u64,
    largest_key: String,
    count: u64,
    total: u64,
}

/// Types, the command that counts their elements, the elements' name.
pub(super) const KINDS: &[(&str, &str, &str)] = &[
    ("string", "STRLEN", "bytes"),
    ("list", "LLEN", "items"),
    ("set", "SCARD", "members"),
    ("hash", "HLEN", "fields"),
    ("zset", "ZCARD", "members"),
    ("stream", "XLEN", "entries"),
];

fn kind(name: &str, counts: &'static str, unit: &'static str) -> Kind {
    Kind {
        name: name.into(),
        counts,
        unit,
        largest: 0,
        largest_key: String::new(),
        count: 0,
        total: 0,
    }
}

struct Survey<'m> {
    measure: &'m Measure,
    kinds: Vec<Kind>,
    all: u64,
    seen: u64,
    key_bytes: u64,
}

/// Looks through all keys.
pub(super) fn run(session: &mut Session, measure: &Measure) -> Result<i32, Told> {
    interrupt::flag();
    let mut survey = Survey {
        measure,
        kinds: KINDS.iter().map(|(n, c, u)| kind(n, c, u)).collect(),
        all: keys::count(session)?,
        seen: 0,
        key_bytes: 0,
    };
    out::say(
        "\n# Scanning the entire keyspace to find biggest keys as well as\n\
        # average sizes per key type.  You can use -i 0.1 to sleep 0.1 sec\n\
        # per 100 SCAN commands (not usually needed).\n\n",
    );
    let (mut cursor, mut rounds) = (session.options.cursor, 0u64);
    loop {
        let share = keys::percent(survey.seen, survey.all);
        let page;
        (cursor, page) = keys::scan(session, cursor)?;
        survey.page(session, &page, &share)?;
        rounds += 1;
        if rounds.is_multiple_of(keys::ROUNDS_BETWEEN_PAUSES) {
            pause(session.options.interval_us);
        }
        if cursor == 0 || interrupt::came() {
            let share = if cursor == 0 {
                ""
            } else {
                &format!("{share} ")
            };
            out::say(&survey.summary(share));
            return Ok(0);
        }
    }
}

impl Survey<'_> {
    fn page(&mut self, session: &mut Session, page: &[Vec<u8>], share: &str) -> Result<(), Told> {
        let mut known = Vec::new();
        for (key, name) in page.iter().zip(keys::types(session, page)?) {
            // What has gone between SCAN and TYPE is no key any more.
            let Some(name) = name else { continue };
            known.push((key, self.kind_of(&name)));
        }
        let sizes = self.sizes(session, &known)?;
        let mut text = String::new();
        for ((key, at), size) in known.into_iter().zip(sizes) {
            self.seen += 1;
            self.key_bytes += key.len() as u64;
            let unit = self.unit(at);
            let kind = &mut self.kinds[at];
            kind.count += 1;
            kind.total += size;
            if kind.largest < size {
                kind.largest = size;
                kind.largest_key = keys::shown(key);
                text += &format!(
                    "{share} Biggest {:<6} found so far '{}' with {size} {unit}\n",
                    kind.name, kind.largest_key
                );
            }
            if self.seen.is_multiple_of(1_000_000) {
                text += &format!("{share} Sampled {} keys so far\n", self.seen);
            }
        }
        out::say(&text);
        Ok(())
    }

    fn kind_of(&mut self, name: &str) -> usize {
        match self.kinds.iter().position(|kind| kind.name == name) {
            Some(at) => at,
            None => {
                self.kinds.push(kind(name, "", "?"));
                self.kinds.len() - 1
            }
        }
    }

    fn unit(&self, at: usize) -> &'static str {
        match self.measure {
            Measure::Elements => self.kinds[at].unit,
            Measure::Memory { .. } => "bytes",
        }
    }

    fn sizes(&self, session: &mut Session, known: &[(&Vec<u8>, usize)]) -> Result<Vec<u64>, Told> {
        let mut samples = Vec::new();
        if let Measure::Memory {
            samples: Some(count),
        } = self.measure
        {
            samples = count.to_string().into_bytes();
        }
        let request = |&(key, at): &(&'_ Vec<u8>, usize)| -> Vec<Vec<u8>> {
            match self.measure {
                Measure::Elements if self.kinds[at].counts.is_empty() => Vec::new(),
                Measure::Elements => vec![self.kinds[at].counts.into(), key.clone()],
                Measure::Memory { .. } => {
                    let mut words = vec![b"MEMORY".to_vec(), b"USAGE".to_vec(), key.clone()];
                    if !samples.is_empty() {
                        words.extend([b"SAMPLES".to_vec(), samples.clone()]);
                    }
                    words
                }
            }
        };
        let requests: Vec<Vec<Vec<u8>>> = known.iter().map(request).collect();
        let sent: Vec<Vec<&[u8]>> = requests
            .iter()
            .filter(|words| !words.is_empty())
            .map(|words| words.iter().map(Vec::as_slice).collect())
            .collect();
        let mut replies = keys::ask_all(session, &sent)?.into_iter();
        let mut sizes = Vec::with_capacity(known.len());
        for (words, (key, _)) in requests.iter().zip(known) {
            let reply = if words.is_empty() {
                None
            } else {
                replies.next()
            };
            sizes.push(match reply {
                None => 0,
                Some(Value::Int(size)) => u64::try_from(size).unwrap_or(0),
                Some(_) => {
                    let command = match self.measure {
                        Measure::Elements => String::from_utf8_lossy(&words[0]).into_owned(),
                        Measure::Memory { .. } => "MEMORY USAGE".into(),
                    };
                    let key = String::from_utf8_lossy(key);
                    eprintln!("Warning:  {command} on '{key}' failed (may have changed type)");
                    0
                }
            });
        }
        Ok(sizes)
    }

    fn summary(&self, share: &str) -> String {
        let ratio = |part: u64, whole: u64| match whole {
            0 => 0.0,
            whole => part as f64 / whole as f64,
        };
        let mut text = format!(
            "\n-------- summary -------\n\n{share}Sampled {} keys in the keyspace!\n\
            Total key length in bytes is {} (avg len {:.2})\n\n",
            self.seen,
            self.key_bytes,
            ratio(self.key_bytes, self.seen)
        );
        for (at, kind) in self.kinds.iter().enumerate() {
            if !kind.largest_key.is_empty() {
                text += &format!(
                    "Biggest {:>6} found '{}' has {} {}\n",
                    kind.name,
                    kind.largest_key,
                    kind.largest,
                    self.unit(at)
                );
            }
        }
        text.push('\n');
        for (at, kind) in self.kinds.iter().enumerate() {
            text += &format!(
                "{} {}s with {} {} ({:05.2}% of keys, avg size {:.2})\n",
                kind.count,
                kind.name,
                kind.total,
                self.unit(at),
                100.0 * ratio(kind.count, self.seen),
                ratio(kind.total, kind.count)
            );
        }
        text
    }
}
