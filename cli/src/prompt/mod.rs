//! The prompt: a line, what it does, the next line.
//!
//! | a line | does |
//! |---|---|
//! | `5 incr k` | the command five times |
//! | `quit`, `exit` | leaves |
//! | `clear` | clears the screen |
//! | `connect host port` | to another server |
//! | `:set hints`, `:set nohints` | preferences |
//! | `help …`, `? …` | help |
//! | anything else | a command |
//!
//! Checked by: `cargo xtask client`; `integration/redis-cli` of Redis's suite.

mod assist;
mod history;
mod lines;
mod preferences;

use crate::help::{self, Help};
use crate::options::leading;
use crate::session::Session;
use crate::show::Form;
use crate::{connection::Place, interrupt, out};
use lines::Lines;
use preferences::Preferences;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

/// A command that took this long is told how long.
const SLOW: Duration = Duration::from_millis(500);

/// Reads lines until there are no more.
pub(crate) fn run(session: &mut Session) {
    session.interactive = true;
    interrupt::listen();
    // What failed has been told; each command tries again.
    let _ = session.connect(false);
    let help = fetch_help(session);
    let people = std::io::stdin().is_terminal();
    let mut preferences = Preferences::default();
    if people {
        preferences.load();
    }
    let mut lines = Lines::new(people, help, preferences.hints);
    while let Some(line) = lines.next(&session.prompt()) {
        if line.is_empty() {
            continue;
        }
        let Ok(words) = resp::split_words(line.as_bytes()) else {
            out::say("Invalid argument(s)\n");
            lines.keep(&line);
            continue;
        };
        if !words.is_empty() && !one(session, &mut lines, &mut preferences, &line, &words) {
            return;
        }
    }
}

/// Asks a password, showing nothing of it.
pub(crate) fn ask_password(text: &str) -> Option<Vec<u8>> {
    lines::ask_password(text).map(String::into_bytes)
}

/// The help that the server gives, on the session's connection.
pub(crate) fn fetch_help(session: &mut Session) -> Help {
    session
        .connection
        .as_mut()
        .map(Help::ask)
        .unwrap_or_default()
}

/// Does one line; whether there is to be another.
fn one(
    session: &mut Session,
    lines: &mut Lines,
    preferences: &mut Preferences,
    line: &str,
    words: &[Vec<u8>],
) -> bool {
    let (repeat, command) = match repetition(words) {
        Ok(both) => both,
        Err(()) => {
            out::say("Invalid redis-cli repeat command option value.\n");
            return true;
        }
    };
    if !history::is_secret(command) {
        lines.keep(line);
    }
    let is = |name: &str| words[0].eq_ignore_ascii_case(name.as_bytes());
    if is("quit") || is("exit") {
        return false;
    }
    if words[0].starts_with(b":") {
        if let Some(text) = preferences.set(words) {
            out::say(&text);
        }
        lines.set_hints(preferences.hints);
    } else if is("restart") {
        out::say("Use 'restart' only in Lua debugging mode.\n");
    } else if is("connect") && words.len() == 3 {
        let host = String::from_utf8_lossy(&words[1]).into_owned();
        match u16::try_from(leading(&words[2])) {
            Ok(port) => {
                session.place = Place::Tcp(host, port);
                // What failed has been told, and the prompt shows it.
                let _ = session.connect(false);
                lines.set_help(fetch_help(session));
            }
            Err(_) => out::say("Invalid port: it is a number up to 65535\n"),
        }
    } else if is("clear") && words.len() == 1 {
        lines.clear_screen();
    } else if is("help") || is("?") {
        help::show(lines.help(), &words[1..]);
    } else {
        let start = Instant::now();
        let had_help = !lines.help().entries().is_empty();
        // What failed has been told.
        let _ = session.issue(command, repeat);
        let took = start.elapsed();
        if took >= SLOW && session.style.form == Form::People {
            out::say(&format!("({:.2}s)\n", took.as_secs_f64()));
        }
        if !had_help && lines.wants_help() && !session.in_transaction() {
            lines.set_help(fetch_help(session));
        }
    }
    true
}

/// A number in front of a command is how often it is sent.
fn repetition(words: &[Vec<u8>]) -> Result<(i64, &[Vec<u8>]), ()> {
    let first = &words[0];
    let digits = first.strip_prefix(b"-").unwrap_or(first);
    if words.len() < 2 || digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Ok((1, words));
    }
    match resp::number::parse_i64(first) {
        Some(count) if count > 0 => Ok((count, &words[1..])),
        _ => Err(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_in_front_repeats() {
        let words = |line: &str| resp::split_words(line.as_bytes()).expect("plain");
        assert_eq!(
            repetition(&words("5 incr k")).map(|(n, w)| (n, w.len())),
            Ok((5, 2))
        );
        assert_eq!(
            repetition(&words("5")).map(|(n, w)| (n, w.len())),
            Ok((1, 1))
        );
        assert_eq!(
            repetition(&words("5x y")).map(|(n, w)| (n, w.len())),
            Ok((1, 2))
        );
        for bad in ["0 ping", "-1 ping", "99999999999999999999 ping"] {
            assert_eq!(repetition(&words(bad)), Err(()), "{bad}");
        }
    }
}
