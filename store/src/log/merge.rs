//! The reading side: lanes in, one stream of commands out.
//!
//! A record of one command stands alone; one of several is framed by MULTI and EXEC, so that a
//! reader never applies half a unit. SELECT is put in where the database changes, before the
//! frame where possible.

use std::sync::Arc;

use super::Log;
use super::record::{Record, push_command};
use crate::sync::Acquire;

/// Who reads the log.
pub trait LogReader {
    /// Asked before each unit: whether what it and those behind it say goes to a place of its own, whose
    /// readers do not know which database is selected.
    fn begins_anew(&mut self, _number: u64) -> bool {
        false
    }

    /// The next unit's effects: RESP commands that bring any copy of the data from the state
    /// before the unit to the state after it. Called with ascending numbers; empty for a unit that
    /// changed nothing worth saying.
    fn unit(&mut self, number: u64, commands: &[u8]);
}

impl<F: FnMut(u64, &[u8])> LogReader for F {
    fn unit(&mut self, number: u64, commands: &[u8]) {
        self(number, commands);
    }
}

/// What has been fetched from a lane and not been delivered.
#[derive(Debug, Default)]
struct Fetched {
    bytes: Vec<u8>,
    at: usize,
    /// The watermark up to which the lane has been emptied.
    watermark: u64,
}

/// Merges the lanes by number. There is one, made by [`crate::Unit::attach_log`].
#[derive(Debug)]
pub struct Merge {
    log: Arc<Log>,
    fetched: Vec<Fetched>,
    next: u64,
    selected: Option<u32>,
    out: Vec<u8>,
}

impl Merge {
    pub(crate) fn new(log: Arc<Log>, first: u64) -> Self {
        let fetched = log.lanes.iter().map(|_| Fetched::default()).collect();
        Merge {
            log,
            fetched,
            next: first,
            selected: None,
            out: Vec::new(),
        }
    }

    /// Delivers all units whose turn has come. Returns the number of the last one delivered so far;
    /// what comes after it is still being written (N2).
    pub fn drain(&mut self, reader: &mut impl LogReader) -> u64 {
        self.fetch();
        while let Some(lane) = self.lane_of_next() {
            self.deliver(lane, reader);
        }
        self.next - 1
    }

    /// Empties the lanes whose watermark has risen (N3).
    fn fetch(&mut self) {
        for (lane, fetched) in self.log.lanes.iter().zip(&mut self.fetched) {
            // Acquire: pairs with the release in `publish`: what the mark promises is in the buffer.
            let watermark = lane.watermark.load(Acquire);
            if watermark == fetched.watermark {
                continue;
            }
            if fetched.at == fetched.bytes.len() {
                fetched.bytes.clear();
                fetched.at = 0;
                std::mem::swap(&mut fetched.bytes, &mut *lane.records.lock());
            } else {
                fetched.bytes.drain(..fetched.at);
                fetched.at = 0;
                fetched.bytes.append(&mut lane.records.lock());
            }
            // There may be more in it by now; then the mark will have risen once more.
            fetched.watermark = watermark;
        }
    }

    fn lane_of_next(&self) -> Option<usize> {
        self.fetched.iter().position(|fetched| {
            Record::first(&fetched.bytes[fetched.at..])
                .is_some_and(|record| record.number == self.next)
        })
    }

    fn deliver(&mut self, lane: usize, reader: &mut impl LogReader) {
        let fetched = &mut self.fetched[lane];
        let record = Record::first(&fetched.bytes[fetched.at..]).expect("it was found there");
        if reader.begins_anew(record.number) {
            self.selected = None;
        }
        self.out.clear();
        let framed = record.commands > 1;
        for (index, (db, command)) in record.each().enumerate() {
            if self.selected != Some(db) {
                self.selected = Some(db);
                push_command(
                    &mut self.out,
                    [&b"SELECT"[..], db.to_string().as_bytes()].into_iter(),
                );
            }
            if framed && index == 0 {
                push_command(&mut self.out, [&b"MULTI"[..]].into_iter());
            }
            self.out.extend_from_slice(command);
        }
        if framed {
            push_command(&mut self.out, [&b"EXEC"[..]].into_iter());
        }
        reader.unit(record.number, &self.out);
        fetched.at += record.size();
        self.next += 1;
    }
}

#[cfg(all(test, not(feature = "model")))]
mod tests {
    use super::super::Effects;
    use super::*;

    fn effects(commands: &[(u32, &str)]) -> Effects {
        let mut effects = Effects::default();
        for (db, text) in commands {
            let words: Vec<&[u8]> = text.split(' ').map(str::as_bytes).collect();
            effects.push(*db, words.into_iter());
        }
        effects
    }

    /// RESP arrays of bulk strings as lines.
    fn readable(mut resp: &[u8]) -> String {
        let mut out = String::new();
        let line = |resp: &mut &[u8]| {
            let end = resp
                .windows(2)
                .position(|w| w == b"\r\n")
                .expect("a whole line");
            let line = String::from_utf8(resp[..end].to_vec()).expect("test text");
            *resp = &resp[end + 2..];
            line
        };
        while !resp.is_empty() {
            let words: usize = line(&mut resp)[1..].parse().expect("a count");
            for _ in 0..words {
                line(&mut resp);
                out += &line(&mut resp);
                out.push(' ');
            }
            out.push('|');
        }
        out
    }

    #[test]
    fn merges_by_number_and_waits_for_what_is_missing() {
        let log = Arc::new(Log::new(2));
        let first = log.attach();
        let mut merge = Merge::new(Arc::clone(&log), first);
        let mut seen = Vec::new();
        let mut reader = |number: u64, resp: &[u8]| seen.push((number, readable(resp)));

        let [a, b, c, d] = [(); 4].map(|()| log.take_number());
        log.publish(1, b, &effects(&[(0, "SET k 2")]));
        assert_eq!(merge.drain(&mut reader), 0, "1 has not come yet");
        log.publish(1, d, &effects(&[]));
        log.publish(0, a, &effects(&[(0, "DEL k"), (3, "SET k 1")]));
        assert_eq!(merge.drain(&mut reader), b);
        log.publish(0, c, &effects(&[(0, "INCR k")]));
        assert_eq!(merge.drain(&mut reader), d);
        assert_eq!(merge.drain(&mut reader), d);

        let expected = [
            (a, "SELECT 0 |MULTI |DEL k |SELECT 3 |SET k 1 |EXEC |"),
            (b, "SELECT 0 |SET k 2 |"),
            (c, "INCR k |"),
            (d, ""),
        ];
        assert_eq!(
            seen,
            expected.map(|(number, text)| (number, text.to_owned()))
        );
    }

    /// Numbers the database anew at unit 3.
    struct Anew(Vec<String>);

    impl LogReader for Anew {
        fn begins_anew(&mut self, number: u64) -> bool {
            number == 3
        }

        fn unit(&mut self, _: u64, commands: &[u8]) {
            self.0.push(readable(commands));
        }
    }

    #[test]
    fn selects_again_where_the_reader_begins_anew() {
        let log = Arc::new(Log::new(1));
        let first = log.attach();
        let mut merge = Merge::new(Arc::clone(&log), first);
        for _ in 0..4 {
            let number = log.take_number();
            log.publish(0, number, &effects(&[(5, "INCR k")]));
        }
        let mut reader = Anew(Vec::new());
        merge.drain(&mut reader);
        let (selects, plain) = ("SELECT 5 |INCR k |", "INCR k |");
        assert_eq!(reader.0, [selects, plain, selects, plain]);
    }
}
