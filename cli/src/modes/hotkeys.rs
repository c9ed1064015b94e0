//! `--hotkeys`: the keys with the highest access counters, under an LFU policy.

use super::{fail, keys, pause};
use crate::session::{Session, Told};
use crate::{interrupt, out};
use resp::client::Value;

/// How many are kept.
const KEPT: usize = 16;

/// Looks through all keys.
pub(super) fn run(session: &mut Session) -> Result<i32, Told> {
    interrupt::flag();
    let all = keys::count(session)?;
    out::say(
        "\n# Scanning the entire keyspace to find hot keys as well as\n\
        # average sizes per key type.  You can use -i 0.1 to sleep 0.1 sec\n\
        # per 100 SCAN commands (not usually needed).\n\n",
    );
    // Ascending by counter.
    let mut hot: Vec<(u64, String)> = Vec::new();
    let (mut cursor, mut rounds, mut seen) = (session.options.cursor, 0u64, 0u64);
    loop {
        let share = keys::percent(seen, all);
        let page;
        (cursor, page) = keys::scan(session, cursor)?;
        for (key, counter) in page.iter().zip(counters(session, &page)?) {
            seen += 1;
            if seen.is_multiple_of(1_000_000) {
                out::say(&format!("{share} Sampled {seen} keys so far\n"));
            }
            if keep(&mut hot, counter, key) {
                let key = keys::shown(key);
                out::say(&format!(
                    "{share} Hot key '{key}' found so far with counter {counter}\n"
                ));
            }
        }
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
            out::say(&format!(
                "\n-------- summary -------\n\n{share}Sampled {seen} keys in the keyspace!\n"
            ));
            for (counter, key) in hot.iter().rev() {
                out::say(&format!(
                    "hot key found with counter: {counter}\tkeyname: {key}\n"
                ));
            }
            return Ok(0);
        }
    }
}

/// Keeps a key that is hotter than the coolest of those that are kept; whether it did.
fn keep(hot: &mut Vec<(u64, String)>, counter: u64, key: &[u8]) -> bool {
    let place = hot.partition_point(|(other, _)| *other < counter);
    let full = hot.len() == KEPT;
    if counter == 0 || (full && place == 0) {
        return false;
    }
    hot.insert(place, (counter, keys::shown(key)));
    if full {
        hot.remove(0);
    }
    true
}

fn counters(session: &mut Session, page: &[Vec<u8>]) -> Result<Vec<u64>, Told> {
    let requests: Vec<Vec<&[u8]>> = page
        .iter()
        .map(|key| vec![b"OBJECT".as_slice(), b"FREQ", key])
        .collect();
    let replies = keys::ask_all(session, &requests)?;
    let counter = |(reply, key): (Value, &Vec<u8>)| match reply {
        Value::Int(counter) => Ok(u64::try_from(counter).unwrap_or(0)),
        Value::Error(text) => {
            let text = String::from_utf8_lossy(&text);
            Err(fail(&format!("Error: {text}")))
        }
        _ => {
            let key = keys::shown(key);
            eprintln!("Warning: OBJECT freq on '{key}' failed (may have been deleted)");
            Ok(0)
        }
    };
    replies.into_iter().zip(page).map(counter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hottest_are_kept_in_order() {
        let mut hot = Vec::new();
        for counter in [5, 0, 3, 9, 3] {
            keep(&mut hot, counter, b"k");
        }
        let counters: Vec<u64> = hot.iter().map(|(counter, _)| *counter).collect();
        assert_eq!(counters, [3, 3, 5, 9]);
        for counter in 10..40 {
            assert!(keep(&mut hot, counter, b"k"));
        }
        assert_eq!((hot.len(), hot[0].0), (KEPT, 24));
        assert!(!keep(&mut hot, 24, b"cool"));
    }
}
