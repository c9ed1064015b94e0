//! Counting and finding bits: BITCOUNT and BITPOS.
//!
//! A range in bits cuts its first and last byte:
//!
//! ```text
//!   bits 3..=17     byte 0     byte 1     byte 2
//!                   00011111   11111111   11000000     masks of the edges; whole bytes between
//! ```

use store::Str;

use crate::args::{clip, integer, is};
use crate::call::{Call, LONG_BYTES_MIN};
use crate::error::CommandError;
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, Keys};

/// BITCOUNT key [start end [BYTE | BIT]]
pub const BITCOUNT: CommandSpec = CommandSpec {
    name: "bitcount",
    arity: Arity::AtLeast(2),
    keys: Keys::At(&[KeyAt::read(1)]),
    flags: Flags::READONLY,
    acl: Acl::READ.or(Acl::BITMAP).or(Acl::SLOW),
    group: Group::Bitmap,
    since: "2.6.0",
    summary: "Counts the bits that are set in a string or a part of it.",
    complexity: "O(N) for N bytes",
    syntax: "key [start end [BYTE | BIT]]",
    ..CommandSpec::row(bitcount)
};

fn bitcount(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let range = match call.args.len() {
        2 => None,
        4 | 5 => Some((
            integer(call.args.get(2))?,
            integer(call.args.get(3))?,
            unit(call.args.try_get(4))?,
        )),
        _ => return Err(CommandError::Syntax),
    };
    look(call, move |bytes| {
        let bytes = bytes.unwrap_or(b"");
        let total = match range {
            None => count(bytes),
            Some((start, end, unit)) => match Bits::of(start, end, unit, bytes.len()) {
                Some(bits) => bits.count(bytes),
                None => 0,
            },
        };
        total as i64
    })
}

/// Answers with the number that `find` finds in the key's string; in a long one after unlocking.
fn look(
    call: &mut Call<'_, '_>,
    find: impl FnOnce(Option<&[u8]>) -> i64 + 'static,
) -> Result<(), CommandError> {
    let key = call.key(1);
    let value = call.unit.read_string(key)?;
    match value {
        Some(Str::Blob(blob)) if blob.len() >= LONG_BYTES_MIN => {
            let blob = blob.clone();
            call.later(move |reply| {
                reply.int(find(Some(&blob)));
                Ok(())
            })
        }
        value => {
            let mut room = [0; 20];
            let found = find(value.map(|value| value.bytes(&mut room)));
            call.reply.int(found);
            Ok(())
        }
    }
}

/// BITPOS key bit [start [end [BYTE | BIT]]]
pub const BITPOS: CommandSpec = CommandSpec {
    name: "bitpos",
    arity: Arity::AtLeast(3),
    since: "2.8.7",
    summary: "Finds the first bit that is set, or clear, in a string or a part of it.",
    syntax: "key bit [start [end [BYTE | BIT]]]",
    run: bitpos,
    ..BITCOUNT
};

fn bitpos(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let wanted = match integer(call.args.get(2))? {
        0 => false,
        1 => true,
        _ => return Err(CommandError::Fixed("ERR The bit argument must be 1 or 0.")),
    };
    let words = call.args.len();
    if words > 6 {
        return Err(CommandError::Syntax);
    }
    let start = call.args.try_get(3).map_or(Ok(0), integer)?;
    let end = call.args.try_get(4).map(integer).transpose()?;
    let unit = unit(call.args.try_get(5))?;
    look(call, move |bytes| {
        let Some(bytes) = bytes else {
            // No string is a string of zeros without end.
            return if wanted { -1 } else { 0 };
        };
        // Ends before the string's begin meet there, in whatever order they are: BITCOUNT and
        // GETRANGE find nothing then, BITPOS the first byte or bit.
        let length = bytes.len() as i64 * if unit == Unit::Bit { 8 } else { 1 };
        let last = end.unwrap_or(-1).max(-length);
        let bits = Bits::of(start.max(-length), last, unit, bytes.len());
        match bits.map(|bits| bits.find(bytes, wanted)) {
            Some(Some(at)) => at as i64,
            // Without an end the zeros behind the string count too.
            Some(None) if !wanted && end.is_none() => bytes.len() as i64 * 8,
            Some(None) | None => -1,
        }
    })
}

/// What start and end count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Byte,
    Bit,
}

fn unit(word: Option<&[u8]>) -> Result<Unit, CommandError> {
    match word {
        None => Ok(Unit::Byte),
        Some(word) if is(word, "BYTE") => Ok(Unit::Byte),
        Some(word) if is(word, "BIT") => Ok(Unit::Bit),
        Some(_) => Err(CommandError::Syntax),
    }
}

/// A range of bits inside of a string, ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bits {
    first: u64,
    last: u64,
}

impl Bits {
    /// The range, clipped to a string of `length` bytes; `None` when nothing is left.
    fn of(start: i64, end: i64, unit: Unit, length: usize) -> Option<Bits> {
        let length = length as u64;
        match unit {
            Unit::Bit => {
                let (first, last) = clip(start, end, length * 8)?;
                Some(Bits { first, last })
            }
            Unit::Byte => {
                let (first, last) = clip(start, end, length)?;
                Some(Bits {
                    first: first * 8,
                    last: last * 8 + 7,
                })
            }
        }
    }

    /// The bytes that the range touches, and the masks of the first and the last.
    fn edges(self) -> (usize, usize, u8, u8) {
        let (first, last) = ((self.first / 8) as usize, (self.last / 8) as usize);
        (
            first,
            last,
            0xff >> (self.first % 8),
            0xff << (7 - self.last % 8),
        )
    }

    fn count(self, bytes: &[u8]) -> u64 {
        let (first, last, head, tail) = self.edges();
        let outside = (bytes[first] & !head).count_ones() + (bytes[last] & !tail).count_ones();
        count(&bytes[first..=last]) - u64::from(outside)
    }

    fn find(self, bytes: &[u8], wanted: bool) -> Option<u64> {
        let (first, last, head, tail) = self.edges();
        // A byte in which the bits that are looked for are set.
        let seen = |at: usize| {
            let byte = if wanted { bytes[at] } else { !bytes[at] };
            let byte = if at == first { byte & head } else { byte };
            if at == last { byte & tail } else { byte }
        };
        let position = |at: usize| at as u64 * 8 + u64::from(seen(at).leading_zeros());
        if seen(first) != 0 {
            return Some(position(first));
        }
        let (begin, end) = (first + 1, last.max(first + 1));
        let nothing = if wanted { 0x00 } else { 0xff };
        let at = begin + skip(&bytes[begin.min(end)..end], nothing);
        (at <= last && seen(at) != 0).then(|| position(at))
    }
}

/// Bits that are set: eight bytes at a time, which the compiler turns into wider steps.
fn count(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let in_words: u64 = words
        .iter()
        .map(|word| u64::from(u64::from_ne_bytes(*word).count_ones()))
        .sum();
    in_words
        + rest
            .iter()
            .map(|byte| u64::from(byte.count_ones()))
            .sum::<u64>()
}

/// How many bytes at the beginning are all `byte`: eight at a time, then one by one.
fn skip(bytes: &[u8], byte: u8) -> usize {
    let (words, _) = bytes.as_chunks::<8>();
    let same = words.iter().take_while(|word| **word == [byte; 8]).count() * 8;
    same + bytes[same..].iter().take_while(|&&b| b == byte).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Bench;

    /// Both commands against bits spelled one by one.
    #[test]
    fn ranges_agree_with_single_bits() {
        let bytes: Vec<u8> = (0u32..40)
            .map(|i| [0, 0xff, 0x18, 0x80, 1][i as usize % 5])
            .collect();
        let bytes = [vec![0; 20], bytes, vec![0xff; 20]].concat();
        let bit = |at: u64| bytes[at as usize / 8] >> (7 - at % 8) & 1 == 1;
        let total = bytes.len() as u64 * 8;
        for first in (0..total).step_by(7) {
            for last in (first..total).step_by(5) {
                let bits = Bits { first, last };
                let expected = (first..=last).filter(|&at| bit(at)).count();
                assert_eq!(bits.count(&bytes), expected as u64, "{bits:?}");
                for wanted in [false, true] {
                    let expected = (first..=last).find(|&at| bit(at) == wanted);
                    assert_eq!(bits.find(&bytes, wanted), expected, "{bits:?} {wanted}");
                }
            }
        }
    }

    #[test]
    fn replies() {
        let mut bench = Bench::new();
        bench.check("SET k foobar", "+OK");
        bench.check("BITCOUNT k", ":26");
        bench.check("BITCOUNT k 1 1", ":6");
        bench.check("BITCOUNT k 5 30 BIT", ":17");
        bench.check("BITCOUNT none 0 -1", ":0");
        bench.check("BITCOUNT k 1", "-ERR syntax error");
        bench.check("BITCOUNT k 1 2 NIBBLE", "-ERR syntax error");
        bench.check("SET k \"\\xff\\xf0\\x00\"", "+OK");
        bench.check("BITPOS k 0", ":12");
        bench.check("BITPOS k 1 2", ":-1");
        bench.check("BITPOS k 0 0 0", ":-1");
        bench.check("BITPOS k 1 7 15 BIT", ":7");
        bench.check("SET k \"\\xff\"", "+OK");
        bench.check("BITPOS k 0", ":8");
        bench.check("BITPOS k 0 0 -1", ":-1");
        bench.check("BITPOS none 1", ":-1");
        bench.check("BITPOS none 0", ":0");
        bench.check("BITPOS k 2", "-ERR The bit argument must be 1 or 0.");
        bench.check("BITPOS k 1 0 0 BIT BIT", "-ERR syntax error");
        bench.check("SET k \"\"", "+OK");
        bench.check("BITPOS k 0", ":-1");
        // Long enough to be answered after unlocking.
        bench.check("SETBIT long 1000000 1", ":0");
        bench.check("BITCOUNT long", ":1");
        bench.check("BITCOUNT long 0 999999 BIT", ":0");
        bench.check("BITPOS long 1", ":1000000");
        bench.check("BITPOS long 1 -5 -2", ":-1");
    }
}
