//! `--stat`: a line of INFO's figures each second, with the columns' names every twenty lines.

use super::{ask_patiently, fail};
use crate::out;
use crate::session::{Session, Told};
use resp::client::Value;
use std::time::Duration;

const HEADER: &str = "\
------- data ------ --------------------- load -------------------- - child -
keys       mem      clients blocked requests            connections          
";

/// Runs until interrupted.
pub(super) fn run(session: &mut Session) -> Result<i32, Told> {
    let interval = match session.options.interval_us {
        0 => Duration::from_secs(1),
        asked => Duration::from_micros(asked),
    };
    let mut requests = 0;
    for lines in 0u64.. {
        let reply = ask_patiently(session, &[b"INFO"])?;
        if let Value::Error(text) = &reply {
            let text = String::from_utf8_lossy(text);
            return Err(fail(&format!("ERROR: {text}")));
        }
        let info = String::from_utf8_lossy(reply.text().unwrap_or_default()).into_owned();
        if lines.is_multiple_of(20) {
            out::say(HEADER);
        }
        out::say(&line(&info, &mut requests));
        std::thread::sleep(interval);
    }
    Ok(0)
}

/// One line; `requests` is what the last one had.
fn line(info: &str, requests: &mut i64) -> String {
    let keys: i64 = info.lines().filter_map(keys_of_database).sum();
    let number = |name| field(info, name).unwrap_or(0);
    let processed = number("total_commands_processed");
    let more = if *requests == 0 {
        0
    } else {
        processed - *requests
    };
    *requests = processed;
    let work = number("rdb_bgsave_in_progress") != 0;
    let rewrite = number("aof_rewrite_in_progress") != 0;
    let child = match (number("loading") != 0, work, rewrite) {
        (false, false, false) => "",
        (false, true, false) => "SAVE",
        (false, false, true) => "AOF",
        (false, true, true) => "SAVE+AOF",
        (true, ..) => "LOAD",
    };
    format!(
        "{keys:<11}{:<8} {:<8}{:<8}{:<19} {:<12}{child}\n",
        human(number("used_memory")),
        number("connected_clients"),
        number("blocked_clients"),
        format!("{processed} (+{more})"),
        number("total_connections_received"),
    )
}

fn field(info: &str, name: &str) -> Option<i64> {
    info.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?
        .trim()
        .parse()
        .ok()
}

/// `db0:keys=5,expires=0,…`
fn keys_of_database(line: &str) -> Option<i64> {
    let (number, rest) = line.strip_prefix("db")?.split_once(":keys=")?;
    number.parse::<u32>().ok()?;
    rest.split(',').next()?.parse().ok()
}

/// Bytes in the largest unit that leaves something before the point.
pub(super) fn human(bytes: i64) -> String {
    const UNITS: &[&str] = &["K", "M", "G", "T", "P", "E"];
    if bytes.abs() < 1024 {
        return format!("{bytes}B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value.abs() >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.2}{}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units() {
        assert_eq!(human(0), "0B");
        assert_eq!(human(1023), "1023B");
        assert_eq!(human(1024), "1.00K");
        assert_eq!(human(1536 << 20), "1.50G");
        assert_eq!(human(-2048), "-2.00K");
    }

    #[test]
    fn a_line_of_figures() {
        let info = "used_memory:1048576\r\nused_memory_rss:5\r\nconnected_clients:2\r\nblocked_clients:1\r\n\
            total_commands_processed:10\r\ntotal_connections_received:3\r\nrdb_bgsave_in_progress:1\r\n\
            db0:keys=5,expires=0\r\ndb12:keys=2,expires=1\r\n";
        let mut requests = 0;
        let first = line(info, &mut requests);
        assert!(
            first.starts_with("7          1.00M    2       1       10 (+0) "),
            "{first:?}"
        );
        assert!(first.ends_with("3           SAVE\n"), "{first:?}");
        assert_eq!(requests, 10);
        assert!(line(info, &mut requests).contains("10 (+0)"));
    }
}
