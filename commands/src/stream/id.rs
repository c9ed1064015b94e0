//! Ids and entries as clients write and read them.

use collections::listpack::Element;
use resp::{Reply, number};
use store::value::stream::{Entry, StreamId};

use crate::CommandError;
use crate::args::is;

/// What is no id.
pub(super) const INVALID_ID: CommandError =
    CommandError::Fixed("ERR Invalid stream ID specified as stream command argument");

/// An id, or `-` and `+` for the ends. A missing number is `missing_seq`.
pub(super) fn parse(word: &[u8], missing_seq: u64) -> Result<StreamId, CommandError> {
    match word {
        b"-" => Ok(StreamId::MIN),
        b"+" => Ok(StreamId::MAX),
        _ => parse_strict(word, missing_seq),
    }
}

/// An id. A missing number is `missing_seq`.
pub(super) fn parse_strict(word: &[u8], missing_seq: u64) -> Result<StreamId, CommandError> {
    let (ms, seq) = split(word)?;
    let ms = unsigned(ms).ok_or(INVALID_ID)?;
    let seq = match seq {
        Some(seq) => unsigned(seq).ok_or(INVALID_ID)?,
        None => missing_seq,
    };
    Ok(StreamId { ms, seq })
}

/// The ids of `words`.
pub(super) fn parse_all<'a>(
    words: impl Iterator<Item = &'a [u8]>,
) -> Result<Vec<StreamId>, CommandError> {
    words.map(|word| parse_strict(word, 0)).collect()
}

/// What XADD gives an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NewId {
    /// `*`: the time, and whatever number is free.
    Auto,
    /// `ms-*`: whatever number is free.
    Ms(u64),
    /// This one.
    Exactly(StreamId),
}

impl NewId {
    /// What XADD's word says.
    pub(super) fn parse(word: &[u8]) -> Result<NewId, CommandError> {
        if word == b"*" {
            return Ok(NewId::Auto);
        }
        match split(word)? {
            (ms, Some(b"*")) => unsigned(ms).ok_or(INVALID_ID).map(NewId::Ms),
            _ => parse_strict(word, 0).map(NewId::Exactly),
        }
    }

    /// The id, behind `last`; `None` if there is none.
    pub(super) fn behind(self, last: StreamId, now_ms: i64) -> Option<StreamId> {
        match self {
            NewId::Auto => match u64::try_from(now_ms) {
                Ok(ms) if ms > last.ms => Some(StreamId { ms, seq: 0 }),
                _ => last.next(),
            },
            NewId::Ms(ms) if ms == last.ms => {
                let seq = last.seq.checked_add(1)?;
                Some(StreamId { ms, seq })
            }
            NewId::Ms(ms) => Some(StreamId { ms, seq: 0 }).filter(|&id| id > last),
            NewId::Exactly(id) => Some(id).filter(|&id| id > last),
        }
    }
}

/// The start of a range: `(` leaves the id itself out.
pub(super) fn parse_start(word: &[u8]) -> Result<StreamId, CommandError> {
    match exclusive(word) {
        Some(word) => parse_strict(word, 0)?
            .next()
            .ok_or(CommandError::Fixed("ERR invalid start ID for the interval")),
        None => parse(word, 0),
    }
}

/// The end of a range; as the start.
pub(super) fn parse_end(word: &[u8]) -> Result<StreamId, CommandError> {
    match exclusive(word) {
        Some(word) => parse_strict(word, u64::MAX)?
            .prev()
            .ok_or(CommandError::Fixed("ERR invalid end ID for the interval")),
        None => parse(word, u64::MAX),
    }
}

fn exclusive(word: &[u8]) -> Option<&[u8]> {
    match word {
        [b'(', rest @ ..] if !rest.is_empty() => Some(rest),
        _ => None,
    }
}

/// The longest word that Redis looks at.
const WORD_BYTES_MAX: usize = 127;

/// The two numbers' words. A NUL ends the word: C's strings do.
fn split(word: &[u8]) -> Result<(&[u8], Option<&[u8]>), CommandError> {
    if word.len() > WORD_BYTES_MAX {
        return Err(INVALID_ID);
    }
    let word = word.split(|&byte| byte == 0).next().unwrap_or_default();
    Ok(match word.iter().position(|&byte| byte == b'-') {
        Some(at) => (&word[..at], Some(&word[at + 1..])),
        None => (word, None),
    })
}

/// A number as C's `strtoull` reads it, which is what Redis falls back to: blanks and a sign before it
/// are fine, and a minus sign wraps.
fn unsigned(word: &[u8]) -> Option<u64> {
    if let Some(plain) = number::parse_u64(word) {
        return Some(plain);
    }
    if number::parse_i64(word).is_some() {
        return None;
    }
    let blank = |byte: &&u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let word = &word[word.iter().take_while(blank).count()..];
    let (is_negative, digits) = match word {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let value = digits.iter().try_fold(0_u64, |value, byte| {
        let digit = byte.checked_sub(b'0').filter(|&digit| digit <= 9)?;
        value.checked_mul(10)?.checked_add(u64::from(digit))
    })?;
    Some(if is_negative {
        value.wrapping_neg()
    } else {
        value
    })
}

/// An id's text.
#[derive(Clone, Copy, Debug)]
pub(super) struct IdText {
    bytes: [u8; ID_BYTES_MAX],
    len: usize,
}

/// Two numbers of 20 digits and the stroke between them.
const ID_BYTES_MAX: usize = 41;

impl IdText {
    #[inline]
    pub(super) fn of(id: StreamId) -> IdText {
        let mut bytes = [0; ID_BYTES_MAX];
        let mut digits = [0; 20];
        let ms = number::format_u64(id.ms, &mut digits);
        let mut len = ms.len();
        bytes[..len].copy_from_slice(ms);
        bytes[len] = b'-';
        let seq = number::format_u64(id.seq, &mut digits);
        bytes[len + 1..][..seq.len()].copy_from_slice(seq);
        len += 1 + seq.len();
        IdText { bytes, len }
    }

    /// A number alone.
    pub(super) fn of_number(number: u64) -> IdText {
        let mut bytes = [0; ID_BYTES_MAX];
        let mut digits = [0; 20];
        let text = number::format_u64(number, &mut digits);
        bytes[..text.len()].copy_from_slice(text);
        let len = text.len();
        IdText { bytes, len }
    }

    #[inline]
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// An id as a string.
#[inline]
pub(super) fn write_id(id: StreamId, reply: &mut Reply) {
    reply.bulk(IdText::of(id).as_bytes());
}

fn write_element(element: Element<'_>, reply: &mut Reply) {
    match element {
        Element::Int(int) => reply.bulk_int(int),
        Element::Bytes(bytes) => reply.bulk(bytes),
    }
}

/// An entry's fields: names and values in turn.
pub(super) fn write_fields(entry: Entry<'_>, reply: &mut Reply) {
    reply.array(2 * entry.fields.len());
    for (name, value) in entry.fields {
        write_element(name, reply);
        write_element(value, reply);
    }
}

/// An entry: id and fields.
pub(super) fn write_entry(entry: Entry<'_>, reply: &mut Reply) {
    reply.array(2);
    write_id(entry.id, reply);
    write_fields(entry, reply);
}

/// Up to `count` entries (0: all); how many there were.
pub(super) fn write_entries<'s>(
    entries: impl Iterator<Item = Entry<'s>>,
    count: u64,
    reply: &mut Reply,
) -> usize {
    let count = match usize::try_from(count) {
        Ok(0) | Err(_) => usize::MAX,
        Ok(count) => count,
    };
    let place = reply.defer();
    let mut written = 0;
    for entry in entries.take(count) {
        write_entry(entry, reply);
        written += 1;
    }
    reply.finish_array(place, written);
    written
}

/// A count that is 0 where it is negative.
pub(super) fn count(word: &[u8]) -> Result<u64, CommandError> {
    Ok(u64::try_from(crate::args::integer(word)?).unwrap_or(0))
}

/// What is said where a group is missing.
pub(super) fn no_group(key: &[u8], group: &[u8], suffix: &str) -> CommandError {
    let (key, group) = (String::from_utf8_lossy(key), String::from_utf8_lossy(group));
    let text = format!("NOGROUP No such key '{key}' or consumer group '{group}'{suffix}");
    CommandError::Text(text.into())
}

/// What becomes of references, if `word` says it.
pub(super) fn references(word: &[u8]) -> Option<store::value::stream::References> {
    use store::value::stream::References::{Acked, Delete, Keep};
    [("KEEPREF", Keep), ("DELREF", Delete), ("ACKED", Acked)]
        .into_iter()
        .find_map(|(name, references)| is(word, name).then_some(references))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(word: &str, expected: Option<(u64, u64)>) {
        let expected = expected.map(|(ms, seq)| StreamId { ms, seq });
        assert_eq!(parse_strict(word.as_bytes(), 7).ok(), expected, "{word}");
    }

    #[test]
    fn ids_are_read_as_redis_reads_them() {
        check("5", Some((5, 7)));
        check("5-6", Some((5, 6)));
        check(
            "18446744073709551615-18446744073709551615",
            Some((u64::MAX, u64::MAX)),
        );
        check("18446744073709551616-0", None);
        check("007- 8", Some((7, 8)));
        check("5--01", Some((5, u64::MAX)));
        check("5--1", None);
        check("-5", None);
        check("", None);
        check("5-", None);
        check("5-x", None);
        check("5-6-7", None);
        check("+", None);
        check("5-*", None);
        check(&"0".repeat(127), Some((0, 7)));
        check(&"0".repeat(128), None);
        assert_eq!(parse(b"+", 0), Ok(StreamId::MAX));
        assert_eq!(parse(b"-", 9), Ok(StreamId::MIN));
        assert_eq!(parse_start(b"(5"), Ok(StreamId { ms: 5, seq: 1 }));
        assert_eq!(
            parse_end(b"(5-0"),
            Ok(StreamId {
                ms: 4,
                seq: u64::MAX
            })
        );
        assert!(parse_start(b"(").is_err() && parse_start(b"(-").is_err());
        assert_eq!(NewId::parse(b"5-*"), Ok(NewId::Ms(5)));
        assert_eq!(IdText::of(StreamId::MAX).as_bytes().len(), ID_BYTES_MAX);
    }

    #[test]
    fn new_ids_are_behind_the_last() {
        let last = StreamId { ms: 5, seq: 3 };
        let behind = |id: NewId, now_ms| id.behind(last, now_ms).map(|id| (id.ms, id.seq));
        assert_eq!(behind(NewId::Auto, 9), Some((9, 0)));
        assert_eq!(behind(NewId::Auto, 4), Some((5, 4)));
        assert_eq!(behind(NewId::Ms(5), 0), Some((5, 4)));
        assert_eq!(behind(NewId::Ms(6), 0), Some((6, 0)));
        assert_eq!(behind(NewId::Ms(4), 0), None);
        assert_eq!(behind(NewId::Exactly(last), 0), None);
        let full = StreamId {
            ms: 5,
            seq: u64::MAX,
        };
        assert_eq!(NewId::Ms(5).behind(full, 0), None);
        assert_eq!(
            NewId::Auto.behind(full, 0),
            Some(StreamId { ms: 6, seq: 0 })
        );
    }
}
