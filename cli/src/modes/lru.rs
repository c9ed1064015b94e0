//! `--lru-test keys`: a cache's load, where 20 % of the keys get 80 % of the requests, and how often a key is
//! still there. The server should have a `maxmemory` that does not hold them all.

use super::{fail, keys};
use crate::out;
use crate::session::{Session, Told};
use resp::client::Value;
use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant};

const CYCLE: Duration = Duration::from_secs(1);
const PIPELINE: usize = 250;

/// With this exponent the first fifth of the keys gets four fifths of the requests.
const EXPONENT: f64 = 6.2;

/// Runs until interrupted, a line each second.
pub(super) fn run(session: &mut Session, sample: u64) -> Result<i32, Told> {
    let mut random = Random(RandomState::new().hash_one(sample));
    let sample = sample.max(1);
    loop {
        let begin = Instant::now();
        let (mut hits, mut misses) = (0u64, 0u64);
        while begin.elapsed() < CYCLE {
            let chosen: Vec<(Vec<u8>, Vec<u8>)> = (0..PIPELINE)
                .map(|_| (random.key(sample), random.value()))
                .collect();
            let sets: Vec<Vec<&[u8]>> = chosen
                .iter()
                .map(|(key, value)| vec![b"SET".as_slice(), key, value])
                .collect();
            keys::ask_all(session, &sets)?;
            let chosen: Vec<Vec<u8>> = (0..PIPELINE).map(|_| random.key(sample)).collect();
            let gets: Vec<Vec<&[u8]>> = chosen
                .iter()
                .map(|key| vec![b"GET".as_slice(), key])
                .collect();
            for reply in keys::ask_all(session, &gets)? {
                match reply {
                    Value::Error(text) => {
                        return Err(fail(&String::from_utf8_lossy(&text)));
                    }
                    Value::Null => misses += 1,
                    _ => hits += 1,
                }
            }
        }
        let all = hits + misses;
        let share = |part: u64| 100.0 * part as f64 / all.max(1) as f64;
        out::say(&format!(
            "{all} Gets/sec | Hits: {hits} ({:.2}%) | Misses: {misses} ({:.2}%)\n",
            share(hits),
            share(misses)
        ));
    }
}

/// A generator that only has to look random: xorshift.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        // Zero would stay zero.
        let mut state = self.0 | 1;
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        self.0 = state;
        state
    }

    /// From 0 to 1.
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number from 1 to `max`, the low ones by far more often.
    fn skewed(&mut self, max: u64) -> u64 {
        let top = (max + 1) as f64;
        let power = EXPONENT + 1.0;
        let drawn = ((top.powf(power) - 1.0) * self.share() + 1.0).powf(1.0 / power);
        max.saturating_sub(drawn as u64) + 1
    }

    fn key(&mut self, max: u64) -> Vec<u8> {
        format!("lru:{}", self.skewed(max)).into_bytes()
    }

    fn value(&mut self) -> Vec<u8> {
        (0..5).map(|_| b'A' + (self.next() % 26) as u8).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_gets_four_fifths() {
        let mut random = Random(7);
        let drawn: Vec<u64> = (0..20_000).map(|_| random.skewed(1000)).collect();
        assert!(drawn.iter().all(|number| (1..=1000).contains(number)));
        let low = drawn.iter().filter(|number| **number <= 200).count();
        assert!((15_000..17_000).contains(&low), "{low}");
    }
}
