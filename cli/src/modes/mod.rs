//! What the program does instead of sending one command: a file for each.
//!
//! A mode writes its results to standard output and its complaints to standard error, in the words of
//! `redis-cli`, because scripts read them, and gives the exit code.

mod bigkeys;
mod eval;
mod hotkeys;
mod intrinsic;
mod keys;
mod keystats;
mod latency;
mod lru;
mod pipe;
mod rdb;
pub(crate) mod replica;
mod scan;
mod spectrum;
mod stat;
mod sync;

use crate::options::Mode;
use crate::out;
use crate::session::{Session, Told};
use resp::client::Value;
use std::time::Duration;

/// Runs a mode; `None` when the command line has none.
pub(crate) fn run(session: &mut Session) -> Option<i32> {
    let done = match session.options.mode.clone() {
        Mode::Commands => return None,
        Mode::IntrinsicLatency(seconds) => Ok(intrinsic::run(seconds)),
        mode => session.connect(false).and_then(|()| match mode {
            Mode::Latency { history } => latency::run(session, history),
            Mode::LatencyDistribution => spectrum::run(session),
            Mode::Replica => replica::run(session),
            Mode::Rdb { file, functions } => rdb::run(session, &file, functions),
            Mode::Pipe => pipe::run(session),
            Mode::BigKeys => bigkeys::run(session, &bigkeys::Measure::Elements),
            Mode::MemoryKeys(samples) => {
                bigkeys::run(session, &bigkeys::Measure::Memory { samples })
            }
            Mode::KeyStats(samples) => keystats::run(session, samples),
            Mode::HotKeys => hotkeys::run(session),
            Mode::Stat => stat::run(session),
            Mode::Scan => scan::run(session),
            Mode::LruTest(keys) => lru::run(session, keys),
            Mode::Eval(file) => eval::run(session, &file),
            Mode::Commands | Mode::IntrinsicLatency(_) => Ok(0),
        }),
    };
    Some(done.unwrap_or(1))
}

/// A failure of the world that ends the mode.
fn fail(text: &str) -> Told {
    eprintln!("{text}");
    Told
}

/// Asks; when the connection is lost, tries to get another one, a second apart, for ever.
fn ask_patiently(session: &mut Session, words: &[&[u8]]) -> Result<Value, Told> {
    let mut tries = 0;
    loop {
        if let Some(connection) = session.connection.as_mut() {
            match connection.ask(words) {
                Ok(reply) => {
                    if tries > 0 {
                        out::say("\r\x1b[0K");
                    }
                    return Ok(reply);
                }
                Err(lost) if lost.is_hangup() => {}
                Err(lost) => return Err(fail(&format!("Error: {lost}"))),
            }
        }
        tries += 1;
        out::say(&format!("\r\x1b[0KReconnecting... {tries}\r"));
        // Not to get one is what the next round is for.
        if session.connect(true).is_err() {
            session.connection = None;
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// The pause that `-i` asks for.
fn pause(interval_us: u64) {
    if interval_us > 0 {
        std::thread::sleep(Duration::from_micros(interval_us));
    }
}
