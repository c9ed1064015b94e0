//! Seals: how a reader tells what a power cut has torn from what somebody has damaged.
//!
//! ```text
//!   #SEAL:0000000000000207:000000000000001f:8a1c33df02e1f0b5\r\n   *1\r\n$4\r\nPING\r\n …
//!         flushed          bytes            crc-64                 the batch: so many bytes of whole units
//! ```
//!
//! The log thread puts one in front of everything that it writes at once. To other readers it is an
//! annotation (a line that begins with `#`), which Redis from 7.0 on skips.
//!
//! `flushed` is an offset of the same file up to which everything was durable when the seal was made. So:
//!
//! - a batch that is not what its seal says, or a seal that is none, stands at `x`;
//! - if a sound batch behind it says `flushed` > x, then x was durable once: the file is damaged;
//! - otherwise x was never promised to anybody: it is a tail that a power cut has torn, and is cut off.
//!
//! Without seals a hole in a long value would be read as the value, and rubbish at the end could not be told
//! from damage in the middle. `aof-checksum no` writes none.
//!
//! Checked by: tests here and in `replay.rs`; `tests/power.rs`, which tears at every operation.

/// What a seal says of the batch behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seal {
    /// What was durable when it was made, as an offset in the same file.
    pub flushed: u64,
    /// The batch's length.
    pub bytes: u64,
    /// Its checksum.
    pub crc: u64,
}

/// How a seal's line begins.
pub const MARK: &[u8] = b"#SEAL:";
/// A seal's length, its line end included.
pub const LEN: usize = 6 + 3 * 16 + 2 + 2;

impl Seal {
    /// The seal of a batch.
    #[must_use]
    pub fn of(batch: &[u8], flushed: u64) -> Seal {
        Seal {
            flushed,
            bytes: batch.len() as u64,
            crc: rdb::crc::checksum(batch),
        }
    }

    /// The line.
    #[must_use]
    pub fn line(self) -> [u8; LEN] {
        let Seal {
            flushed,
            bytes,
            crc,
        } = self;
        let line = format!("#SEAL:{flushed:016x}:{bytes:016x}:{crc:016x}\r\n");
        line.into_bytes()
            .try_into()
            .expect("its fields have a width")
    }

    /// Reads a line, with or without its end.
    #[must_use]
    pub fn parse(line: &[u8]) -> Option<Seal> {
        let line = line.strip_suffix(b"\r\n").unwrap_or(line);
        let text = std::str::from_utf8(line.strip_prefix(MARK)?).ok()?;
        let mut fields = text.split(':').map(|field| {
            let is_hex = field.len() == 16 && field.bytes().all(|b| b.is_ascii_hexdigit());
            is_hex
                .then(|| u64::from_str_radix(field, 16).ok())
                .flatten()
        });
        let seal = Seal {
            flushed: fields.next()??,
            bytes: fields.next()??,
            crc: fields.next()??,
        };
        fields.next().is_none().then_some(seal)
    }
}

/// What a new file begins with, so that what follows is known to be sealed: the seal of nothing.
#[must_use]
pub fn first_line() -> [u8; LEN] {
    Seal::of(b"", 0).line()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_back_and_nothing_else_is() {
        let seal = Seal::of(b"abc", 0x207);
        assert_eq!(Seal::parse(&seal.line()), Some(seal));
        assert_eq!(Seal::parse(&seal.line()[..LEN - 2]), Some(seal));
        assert_eq!(Seal::of(b"", 0).crc, 0);
        for at in 0..LEN - 2 {
            let mut line = seal.line();
            line[at] = b'x';
            assert_eq!(Seal::parse(&line), None, "byte {at}");
        }
        assert_eq!(Seal::parse(&seal.line()[..LEN - 3]), None);
    }
}
