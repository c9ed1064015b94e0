//! Reading an incremental file, or a base of commands: first what of it counts, then its units.
//!
//! ```text
//!   judge    notes, seals, commands: Whole, or Short (cut off at an offset), or Damaged
//!   replay   up to there, unit by unit: a command alone, or all that stands between MULTI and EXEC
//! ```
//!
//! Nothing is executed before the whole file has been judged: a server never works on half of a file and
//! then ends. The second reading comes from the system's cache; a file that does not fit there is read
//! twice from the disk.
//!
//! R1  A unit is yielded whole or not at all; the last one of a file may be missing, none before it.
//! R2  A torn tail is told from damage by the seals (`seal.rs`). Where there are none: a file that ends in
//!     the middle of a command or of a transaction, or in zeros, is torn; anything else is damage.
//!
//! Checked by: tests below; `tests/power.rs`; fuzz/aof.

use std::io;

use resp::OwnedArgs;

use super::seal::{self, Seal};
use super::walk::{Flaw, Item, Walk};

/// How much of a file counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All of it.
    Whole,
    /// Everything from an offset on is the rest of something that was never finished.
    Short {
        /// The offset.
        valid: u64,
        /// What is cut off begins with MULTI.
        in_multi: bool,
    },
    /// It is not what was written.
    Damaged {
        /// Where.
        offset: u64,
        /// What is wrong there.
        reason: String,
    },
}

/// Reads the file from the walk's place to its end and says what of it counts.
///
/// # Errors
/// The disk's.
pub fn judge(walk: &mut Walk) -> io::Result<Verdict> {
    let mut judge = Judge {
        whole: walk.offset(),
        multi_at: None,
        sealed_to: None,
    };
    let flaw = loop {
        let at = walk.offset();
        match walk.next(false) {
            Ok(Item::End) => match judge.multi_at {
                None => return Ok(Verdict::Whole),
                Some(_) => break Flaw::Short,
            },
            Ok(Item::Note(note)) if note.starts_with(seal::MARK) => {
                if let Some(flaw) = check_batch(walk, at, &note)? {
                    judge.sealed_to = Some(at);
                    break flaw;
                }
                judge.sealed_to = Some(walk.offset());
                judge.whole = walk.offset();
            }
            Ok(Item::Note(_)) => {}
            Ok(Item::Command(command)) => judge.count(walk, at, command.as_args().get(0)),
            Err(flaw) => break flaw,
        }
    };
    judge.verdict(walk, flaw)
}

struct Judge {
    /// Up to where whole units stand.
    whole: u64,
    /// Where the transaction began that has not ended.
    multi_at: Option<u64>,
    /// Where the last sealed batch ends: the next one is to begin there.
    sealed_to: Option<u64>,
}

impl Judge {
    fn count(&mut self, walk: &Walk, at: u64, name: &[u8]) {
        if name.eq_ignore_ascii_case(b"multi") {
            self.multi_at.get_or_insert(at);
        } else if name.eq_ignore_ascii_case(b"exec") {
            self.multi_at = None;
        }
        if self.multi_at.is_none() {
            self.whole = walk.offset();
        }
    }

    fn verdict(&self, walk: &mut Walk, flaw: Flaw) -> io::Result<Verdict> {
        let (offset, reason, is_short) = match flaw {
            Flaw::Disk(error) => return Err(error),
            Flaw::Memory(at) => (at, "a word is larger than the memory".to_owned(), false),
            Flaw::Short => (walk.offset(), "Unexpected end of file".to_owned(), true),
            Flaw::Format(at, reason) => (at, reason, false),
        };
        let damaged = Verdict::Damaged { offset, reason };
        // The batch that is to begin where the last one ended is torn, or was durable and is damaged.
        let is_torn = if self.sealed_to == Some(self.whole) {
            !was_durable(walk, self.whole)?
        } else {
            is_short || {
                walk.go_to(offset)?;
                walk.only_zeros()?
            }
        };
        Ok(if is_torn {
            Verdict::Short {
                valid: self.whole,
                in_multi: self.multi_at.is_some(),
            }
        } else {
            damaged
        })
    }
}

/// Compares the batch behind a seal with it.
fn check_batch(walk: &mut Walk, at: u64, note: &[u8]) -> io::Result<Option<Flaw>> {
    let Some(seal) = Seal::parse(note) else {
        return Ok(Some(Flaw::Format(at, "a seal is malformed".to_owned())));
    };
    match walk.sum(seal.bytes) {
        Ok(crc) if crc == seal.crc => Ok(None),
        Ok(_) => Ok(Some(Flaw::Format(
            at,
            "a batch differs from its checksum".to_owned(),
        ))),
        Err(Flaw::Disk(error)) => Err(error),
        Err(flaw) => Ok(Some(flaw)),
    }
}

/// Whether a sound batch behind `at` says that `at` was durable.
fn was_durable(walk: &mut Walk, at: u64) -> io::Result<bool> {
    let mut from = at + 1;
    loop {
        walk.go_to(from)?;
        if !walk.find(seal::MARK)? {
            return Ok(false);
        }
        from = walk.offset() + 1;
        if let Ok(Item::Note(note)) = walk.next(false)
            && let Some(seal) = Seal::parse(&note)
            && seal.flushed > at
            && matches!(walk.sum(seal.bytes), Ok(crc) if crc == seal.crc)
        {
            return Ok(true);
        }
    }
}

/// Why replaying ended before the file did.
#[derive(Debug)]
pub enum Stopped<E> {
    /// The file is not what it was when it was judged.
    Flaw(Flaw),
    /// Whoever takes the units wants no more.
    By(E),
}

/// Yields the units from the walk's place to `end`, as [`judge`] has found it: the commands of each, and the
/// offset behind it.
///
/// # Errors
/// What `take` says, or a flaw.
pub fn replay<E>(
    walk: &mut Walk,
    end: u64,
    mut take: impl FnMut(&[OwnedArgs], u64) -> Result<(), E>,
) -> Result<(), Stopped<E>> {
    walk.end_at(end);
    let mut unit: Vec<OwnedArgs> = Vec::new();
    let mut in_multi = false;
    loop {
        match walk.next(true).map_err(Stopped::Flaw)? {
            // R1: what stands behind a MULTI without EXEC is not yielded.
            Item::End => return Ok(()),
            Item::Note(_) => {}
            Item::Command(command) => {
                let name = command.as_args().get(0);
                if name.eq_ignore_ascii_case(b"multi") {
                    in_multi = true;
                    continue;
                }
                if name.eq_ignore_ascii_case(b"exec") {
                    in_multi = false;
                } else {
                    unit.push(command);
                }
                if !in_multi && !unit.is_empty() {
                    take(&unit, walk.offset()).map_err(Stopped::By)?;
                    unit.clear();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::walk::tests::file;
    use super::*;

    fn command(text: &str) -> Vec<u8> {
        let words: Vec<&str> = text.split(' ').collect();
        let head = format!("*{}\r\n", words.len());
        let words = words.iter().map(|w| format!("${}\r\n{w}\r\n", w.len()));
        (head + &words.collect::<String>()).into_bytes()
    }

    fn batch(commands: &[&str], flushed: u64) -> Vec<u8> {
        let bytes = commands
            .iter()
            .flat_map(|text| command(text))
            .collect::<Vec<u8>>();
        [&Seal::of(&bytes, flushed).line()[..], &bytes].concat()
    }

    /// The units that count, and the verdict.
    fn read(bytes: &[u8]) -> (Vec<String>, Verdict) {
        let mut walk = Walk::new(file(bytes), 0).expect("it is open");
        let verdict = judge(&mut walk).expect("it is readable");
        let end = match &verdict {
            Verdict::Whole => bytes.len() as u64,
            Verdict::Short { valid, .. } => *valid,
            Verdict::Damaged { .. } => return (Vec::new(), verdict),
        };
        walk.go_to(0).expect("it is readable");
        let mut units = Vec::new();
        replay(&mut walk, end, |commands, _| {
            let words = commands.iter().map(|command| {
                let words: Vec<_> = command
                    .as_args()
                    .iter()
                    .map(String::from_utf8_lossy)
                    .collect();
                words.join(" ")
            });
            units.push(words.collect::<Vec<_>>().join("; "));
            Ok::<(), ()>(())
        })
        .expect("as it was judged");
        (units, verdict)
    }

    #[test]
    fn transactions_are_whole_or_missing() {
        let bytes = [
            "SET a 1", "MULTI", "SET b 1", "SET c 1", "EXEC", "multi", "DEL a",
        ];
        let bytes: Vec<u8> = bytes.iter().flat_map(|text| command(text)).collect();
        let short = command("multi").len() + command("DEL a").len();
        let verdict = Verdict::Short {
            valid: (bytes.len() - short) as u64,
            in_multi: true,
        };
        let units = ["SET a 1", "SET b 1; SET c 1"].map(str::to_owned).to_vec();
        assert_eq!(read(&bytes), (units, verdict));
    }

    #[test]
    fn without_seals_a_tail_is_short_or_zeros_and_all_else_is_damage() {
        let whole = command("SET a 1");
        let units = vec!["SET a 1".to_owned()];
        let valid = whole.len() as u64;
        let short = Verdict::Short {
            valid,
            in_multi: false,
        };
        for cut in 1..whole.len() {
            assert_eq!(
                read(&[&whole, &whole[..cut]].concat()),
                (units.clone(), short.clone())
            );
        }
        assert_eq!(read(&[&whole[..], &[0; 700]].concat()), (units, short));
        for middle in [&b"!!!"[..], b"*1\r\n$9\r\nPING\r\n", b"\0\0\0"] {
            let (_, verdict) = read(&[&whole, middle, &whole[..], &whole].concat());
            assert!(
                matches!(verdict, Verdict::Damaged { offset, .. } if offset >= valid),
                "{verdict:?}"
            );
        }
    }

    #[test]
    fn seals_tell_torn_tails_from_damage() {
        let first = [&seal::first_line()[..], &batch(&["SET a 1", "SET b 2"], 0)].concat();
        let tail = batch(&["SET c 3", "SET d 4"], first.len() as u64);
        let file = [&first[..], &tail].concat();
        let units = ["SET a 1", "SET b 2", "SET c 3", "SET d 4"].map(str::to_owned);
        assert_eq!(read(&file), (units.to_vec(), Verdict::Whole));

        // The last batch has been promised to nobody, whatever happens to it.
        let valid = first.len() as u64;
        let short = (
            units[..2].to_vec(),
            Verdict::Short {
                valid,
                in_multi: false,
            },
        );
        for at in 0..tail.len() {
            assert_eq!(
                read(&file[..first.len() + at]),
                if at == 0 {
                    (short.0.clone(), Verdict::Whole)
                } else {
                    short.clone()
                }
            );
            for byte in [0, 0xA5] {
                let mut torn = file.clone();
                torn[first.len() + at] ^= byte;
                if byte == 0 {
                    torn[first.len() + at..].fill(0);
                }
                assert_eq!(read(&torn), short, "byte {at}");
            }
        }
        // The one before it has.
        for at in seal::LEN..first.len() {
            let mut damaged = file.clone();
            damaged[at] ^= 0xA5;
            let (_, verdict) = read(&damaged);
            assert!(
                matches!(verdict, Verdict::Damaged { .. }),
                "byte {at}: {verdict:?}"
            );
        }
        // Somebody else has gone on with the file.
        let foreign = [&file[..], &command("SET e 5")].concat();
        assert_eq!(read(&foreign).0.len(), 5);
        assert_eq!(read(&[&foreign[..], b"*1\r\n$4\r\nPI"].concat()).0.len(), 5);
        assert!(matches!(
            read(&[&foreign[..], b"!!!"].concat()).1,
            Verdict::Damaged { .. }
        ));
    }
}
