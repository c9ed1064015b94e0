//! The request parser: bytes in whatever pieces the network gives them, requests out.
//!
//!            '*' n           '$' len            len bytes + CRLF
//!   idle ───────────▶ header ───────▶ payload ────────────────▶ header … n times … ─▶ request
//!     │ other byte                      │ len >= 32 KiB and not all here
//!     └▶ inline line ─▶ request         └▶ NeedBlob: the caller receives it apart
//!
//! `next` parses one request and is called until it wants more input; the spans of all requests of
//! one read go into one `Batch`. A whole request is parsed straight into the batch. Of half a
//! request, the words that are there are kept in the parser, with offsets *relative to the
//! request's first byte*, together with the place to go on from. So the caller may move the
//! unconsumed bytes to the front of its buffer at any time between calls, and no byte is looked
//! at twice: a 500 MB word in 16 KiB pieces and a million words byte by byte are linear.
//!
//! Large words. The parser says `NeedBlob { at, len }`; the caller takes what has already come of
//! the word out of its buffer (`take_blob`), receives the rest directly behind it, and calls
//! `supply_blob`; or `refuse_blob`, when there is no memory, and the parser then eats the rest of
//! that request and answers `Parsed::Refused` at its end. A caller that just reads on into its
//! buffer is right too: when the whole word is there it becomes a plain span.
//!
//! I1  `*consumed` is always the first byte of a request (or, while refusing, the next byte to eat).
//! I2  `at` and `scanned` count from there; `at <= scanned` or `scanned` is 0.
//! I3  nothing is reserved because of an announced count or length.
//! I4  how the input is cut into pieces changes no result, the errors included.
//!
//! Behaviour and texts are those of Redis 7.2: counts up to `i32::MAX` (before 7.0 it was 1024 *
//! 1024), the byte after a line's CR and the two after a word are skipped unread, `*0` and `*-1`
//! and empty lines are nothing. One difference makes I4 true: a line is too long when its end is
//! not in its first 64 KiB, however many bytes came at once.
//!
//! Checked by: tests below, fuzz/resp (random cuts against one piece).

use crate::args::{Blob, Span};
use crate::batch::{Batch, Request};
use crate::inline::{is_plain, is_space, split_words};
use crate::limits::{Limits, ProtocolError};
use crate::number::parse_i64;
use std::sync::Arc;

/// The longest line: an inline request, a count, a length.
const LINE_MAX: usize = 64 * 1024;
/// From this size a word that is not all here is received into its own allocation.
const BLOB_MIN: usize = 32 * 1024;
/// What somebody who has not logged in may send.
const ARGS_MAX_BEFORE_LOGIN: i64 = 10;
const BULK_MAX_BEFORE_LOGIN: i64 = 16 * 1024;

/// There was no memory for a large word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

/// What `next` found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// A request, its words in the batch.
    Request(Request),
    /// All that is here has been looked at.
    NeedMore,
    /// A word of `len` bytes begins at offset `at` of the input and may be received apart.
    NeedBlob {
        /// Offset in the input of the word's first byte; all that follows it belongs to the word.
        at: usize,
        /// Length of the whole word.
        len: usize,
    },
    /// A request one of whose words was refused has ended: answer it with an out-of-memory error.
    Refused,
}

/// What is expected next inside a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Header,
    Payload(usize),
    /// The CRLF behind a blob that was received apart.
    BlobEnd,
}

/// The words so far of a request that has not come whole.
#[derive(Debug, Default)]
struct Half {
    spans: Vec<Span>,
    blobs: Vec<Blob>,
}

/// A connection's parser.
#[derive(Debug)]
pub struct Parser {
    /// Words still to come; 0 between requests.
    missing: u32,
    stage: Stage,
    /// Where to go on, from the request's first byte.
    at: usize,
    /// Up to where a line's end has been looked for, from the request's first byte.
    scanned: usize,
    half: Option<Box<Half>>,
    /// A word was refused: eat the rest of the request.
    refusing: bool,
}

impl Default for Parser {
    fn default() -> Parser {
        Parser::new()
    }
}

/// A line of digits, or why there is none.
enum Line {
    Number { value: i64, end: usize },
    Incomplete,
    TooLong,
    NoNumber,
}

impl Parser {
    /// A parser at the start of a connection.
    pub fn new() -> Parser {
        Parser {
            missing: 0,
            stage: Stage::Header,
            at: 0,
            scanned: 0,
            half: None,
            refusing: false,
        }
    }

    /// Whether a request has begun and not ended.
    pub fn is_mid_request(&self) -> bool {
        self.missing > 0 || self.scanned > 0
    }

    /// Bytes that the parser itself holds: words of half a request.
    pub fn memory_bytes(&self) -> usize {
        self.half.as_ref().map_or(0, |half| {
            half.spans.capacity() * size_of::<Span>()
                + half.blobs.iter().map(|b| b.capacity()).sum::<usize>()
        })
    }

    /// Parses the request that begins at `input[*consumed]` and moves `*consumed` behind it.
    ///
    /// After `Ok(Request)` call again for the next. After an error the connection is over.
    #[inline]
    pub fn next(
        &mut self,
        input: &[u8],
        consumed: &mut usize,
        batch: &mut Batch,
        limits: &Limits,
    ) -> Result<Parsed, ProtocolError> {
        if input.len() >= u32::MAX as usize {
            return Err(ProtocolError::TooBigRequest);
        }
        loop {
            if self.missing == 0 {
                match input.get(*consumed) {
                    None => return Ok(Parsed::NeedMore),
                    Some(b'*') => {
                        if self.scanned == 0
                            && let Some((request, end)) = plain(input, *consumed, batch, limits)
                        {
                            *consumed = end;
                            return Ok(Parsed::Request(request));
                        }
                        if !self.begin(input, consumed, limits)? {
                            return Ok(Parsed::NeedMore);
                        }
                        // `*0` and `*-1` are nothing at all.
                        if self.missing == 0 {
                            continue;
                        }
                    }
                    Some(_) => match self.inline(input, consumed, batch)? {
                        Some(parsed) => return Ok(parsed),
                        None => continue,
                    },
                }
            }
            return self.words(input, consumed, batch, limits);
        }
    }

    /// Reads `*count`; gives whether the line was all there.
    #[inline]
    fn begin(
        &mut self,
        input: &[u8],
        consumed: &mut usize,
        limits: &Limits,
    ) -> Result<bool, ProtocolError> {
        let start = *consumed;
        let (count, end) = match self.line(input, start, start) {
            Line::Number { value, end } => (value, end),
            Line::Incomplete => return Ok(false),
            Line::TooLong => return Err(ProtocolError::TooBigCount),
            Line::NoNumber => return Err(ProtocolError::InvalidCount),
        };
        if count > i64::from(limits.args_max) {
            return Err(ProtocolError::InvalidCount);
        }
        if limits.before_login && count > ARGS_MAX_BEFORE_LOGIN {
            return Err(ProtocolError::UnauthenticatedCount);
        }
        self.scanned = 0;
        if count <= 0 {
            *consumed = end;
        } else {
            self.missing = count as u32;
            self.at = end - start;
            self.stage = Stage::Header;
        }
        Ok(true)
    }

    /// Reads the words of a `*` request, as many as there are.
    #[inline]
    fn words(
        &mut self,
        input: &[u8],
        consumed: &mut usize,
        batch: &mut Batch,
        limits: &Limits,
    ) -> Result<Parsed, ProtocolError> {
        let first = batch.spans.len();
        let resumed = self.half.is_some();
        let mut at = *consumed + self.at;
        while self.missing > 0 {
            match self.stage {
                Stage::Header => match input.get(at) {
                    Some(_) => match self.length(input, *consumed, at, limits)? {
                        Some((len, end)) => {
                            at = end;
                            self.stage = Stage::Payload(len);
                        }
                        None => break,
                    },
                    None => break,
                },
                Stage::Payload(len) if self.refusing => {
                    let here = len.min(input.len().saturating_sub(at));
                    at += here;
                    self.stage = match len - here {
                        0 => Stage::BlobEnd,
                        rest => Stage::Payload(rest),
                    };
                    if here < len {
                        break;
                    }
                }
                Stage::Payload(len) => {
                    if input.len() < at || input.len() - at < len.saturating_add(2) {
                        break;
                    }
                    let span = Span::plain(at - if resumed { *consumed } else { 0 }, len);
                    match &mut self.half {
                        Some(half) => half.spans.push(span),
                        None => batch.spans.push(span),
                    }
                    at += len + 2;
                    self.missing -= 1;
                    self.stage = Stage::Header;
                }
                Stage::BlobEnd => {
                    if input.len() < at + 2 {
                        break;
                    }
                    at += 2;
                    self.missing -= 1;
                    self.stage = Stage::Header;
                }
            }
        }
        if self.refusing {
            return Ok(self.refuse_on(at, consumed));
        }
        if self.missing > 0 {
            return Ok(self.pause(at, first, *consumed, batch));
        }
        if let Some(half) = self.half.take() {
            let blobs = batch.blobs.len();
            batch
                .spans
                .extend(half.spans.iter().map(|span| span.moved(*consumed, blobs)));
            batch.blobs.extend(half.blobs);
        }
        *consumed = at;
        self.at = 0;
        Ok(Parsed::Request(batch.request(first)))
    }

    /// Keeps what half a request has given so far, and says what is missing.
    #[cold]
    fn pause(&mut self, at: usize, first: usize, start: usize, batch: &mut Batch) -> Parsed {
        self.at = at - start;
        if self.half.is_none() && batch.spans.len() > first {
            let spans = batch.spans[first..].iter().map(|s| s.back(start)).collect();
            batch.spans.truncate(first);
            self.half = Some(Box::new(Half {
                spans,
                blobs: Vec::new(),
            }));
        }
        match self.stage {
            Stage::Payload(len) if len >= BLOB_MIN => Parsed::NeedBlob { at, len },
            _ => Parsed::NeedMore,
        }
    }

    /// Eats what a refused request has sent.
    #[cold]
    fn refuse_on(&mut self, at: usize, consumed: &mut usize) -> Parsed {
        // Bytes of the line that is being looked for stay.
        *consumed = at;
        self.scanned = 0;
        self.at = 0;
        if self.missing > 0 {
            return Parsed::NeedMore;
        }
        self.refusing = false;
        Parsed::Refused
    }

    /// Hands over the word that `NeedBlob` asked for. Its bytes must have been taken out of the
    /// input, so that what follows the word (CR, LF) comes at the offset where the word began.
    pub fn supply_blob(&mut self, blob: Blob) {
        assert_eq!(
            self.stage,
            Stage::Payload(blob.len()),
            "a blob of the length asked for"
        );
        let half = self.half.get_or_insert_default();
        half.spans.push(Span::blob(half.blobs.len()));
        half.blobs.push(blob);
        self.stage = Stage::BlobEnd;
    }

    /// Says that the word that `NeedBlob` asked for will not be kept. `taken` is how much of it the
    /// caller has already taken out of the input (0 when `take_blob` refused).
    pub fn refuse_blob(&mut self, taken: usize) {
        let Stage::Payload(len) = self.stage else {
            unreachable!("only a word that was asked for can be refused");
        };
        self.stage = Stage::Payload(len.checked_sub(taken).expect("no more than the word"));
        self.refusing = true;
        self.half = None;
    }

    /// Reads `$len`; `None` when the line has not come whole.
    #[inline]
    fn length(
        &mut self,
        input: &[u8],
        start: usize,
        at: usize,
        limits: &Limits,
    ) -> Result<Option<(usize, usize)>, ProtocolError> {
        let line = self.line(input, start, at);
        if input[at] != b'$' {
            // As in Redis, what the line begins with is judged when its end has come.
            return match line {
                Line::Incomplete => Ok(None),
                Line::TooLong => Err(ProtocolError::TooBigLength),
                _ => Err(ProtocolError::ExpectedDollar(input[at])),
            };
        }
        let (value, end) = match line {
            Line::Number { value, end } => (value, end),
            Line::Incomplete => return Ok(None),
            Line::TooLong => return Err(ProtocolError::TooBigLength),
            Line::NoNumber => return Err(ProtocolError::InvalidLength),
        };
        if value < 0 || value as u64 > limits.bulk_bytes_max || usize::try_from(value).is_err() {
            return Err(ProtocolError::InvalidLength);
        }
        if limits.before_login && value > BULK_MAX_BEFORE_LOGIN {
            return Err(ProtocolError::UnauthenticatedLength);
        }
        self.scanned = 0;
        Ok(Some((value as usize, end)))
    }

    /// Reads the number between a sigil at `at` and CR LF.
    #[inline]
    fn line(&mut self, input: &[u8], start: usize, at: usize) -> Line {
        // One to four digits, which is nearly every line there is.
        let text = &input[at + 1..];
        let mut value = 0;
        for (i, &byte) in text.iter().take(5).enumerate() {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                let plain = i > 0 && byte == b'\r' && (i == 1 || text[0] != b'0');
                if plain && text.len() > i + 1 {
                    return Line::Number {
                        value,
                        end: at + 1 + i + 2,
                    };
                }
                break;
            }
            value = value * 10 + i64::from(digit);
        }
        self.long_line(input, start, at)
    }

    #[cold]
    fn long_line(&mut self, input: &[u8], start: usize, at: usize) -> Line {
        let rest = &input[at..];
        let from = (start + self.scanned).saturating_sub(at).min(rest.len());
        let window = &rest[from..rest.len().min(LINE_MAX + 1)];
        match memchr::memchr(b'\r', window) {
            Some(found) => {
                let end = from + found;
                if rest.len() < end + 2 {
                    self.scanned = at + end - start;
                    return Line::Incomplete;
                }
                // A line may begin with its own end: then there is not even a sigil.
                match rest.get(1..end).and_then(parse_i64) {
                    Some(value) => Line::Number {
                        value,
                        end: at + end + 2,
                    },
                    None => Line::NoNumber,
                }
            }
            None if rest.len() > LINE_MAX => Line::TooLong,
            None => {
                self.scanned = input.len() - start;
                Line::Incomplete
            }
        }
    }

    /// Reads an inline request; `None` when the line was empty.
    #[cold]
    fn inline(
        &mut self,
        input: &[u8],
        consumed: &mut usize,
        batch: &mut Batch,
    ) -> Result<Option<Parsed>, ProtocolError> {
        let rest = &input[*consumed..];
        let window = &rest[self.scanned..rest.len().min(LINE_MAX + 1)];
        let Some(found) = memchr::memchr(b'\n', window) else {
            if rest.len() > LINE_MAX {
                return Err(ProtocolError::TooBigInline);
            }
            self.scanned = rest.len();
            return Ok(Some(Parsed::NeedMore));
        };
        let end = self.scanned + found;
        self.scanned = 0;
        let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
        let (start, first) = (*consumed, batch.spans.len());
        *consumed += end + 1;
        if is_plain(line) {
            for word in line
                .split(|&byte| is_space(byte))
                .filter(|word| !word.is_empty())
            {
                let offset = word.as_ptr().addr() - line.as_ptr().addr();
                batch.spans.push(Span::plain(start + offset, word.len()));
            }
        } else {
            // Unquoted words lie nowhere in the input, so they become small blobs.
            for word in split_words(line).map_err(|_| ProtocolError::UnbalancedQuotes)? {
                batch.spans.push(Span::blob(batch.blobs.len()));
                batch.blobs.push(Arc::new(word));
            }
        }
        let some = batch.spans.len() > first;
        Ok(some.then(|| Parsed::Request(batch.request(first))))
    }
}

/// The request that begins at `start`, and where it ends, if all of it is here and nothing about it is
/// unusual, which is how nearly every request comes: counts and lengths below a thousand and a client
/// that has logged in. Otherwise nothing has happened, and the parser goes through its stages.
///
/// Without the stages' state a GET costs a third of the instructions. The words of a request that turns
/// out not to be whole are looked at a second time, once: the stages remember them.
#[inline]
fn plain(
    input: &[u8],
    start: usize,
    batch: &mut Batch,
    limits: &Limits,
) -> Option<(Request, usize)> {
    if limits.before_login || limits.bulk_bytes_max < SHORT || u64::from(limits.args_max) < SHORT {
        return None;
    }
    let (count, mut at) = short_line(input, start, b'*')?;
    if count == 0 {
        return None;
    }
    let first = batch.spans.len();
    for _ in 0..count {
        let word = short_line(input, at, b'$').filter(|(len, at)| at + len + 2 <= input.len());
        let Some((len, begin)) = word else {
            batch.spans.truncate(first);
            return None;
        };
        batch.spans.push(Span::plain(begin, len));
        at = begin + len + 2;
    }
    Some((batch.request(first), at))
}

/// What `short_line` reads is below this.
const SHORT: u64 = 1_000;

/// The number between `sigil` at `at` and CR LF, of one to three digits, and where the next line begins.
#[inline(always)]
fn short_line(input: &[u8], at: usize, sigil: u8) -> Option<(usize, usize)> {
    // The shortest word, an empty one, is a line of four bytes and two behind it.
    let line: &[u8; 6] = input.get(at..)?.first_chunk()?;
    let digit = |i: usize| usize::from(line[i].wrapping_sub(b'0'));
    let one = digit(1);
    if line[0] != sigil || one > 9 {
        return None;
    }
    if line[2] == b'\r' {
        return Some((one, at + 4));
    }
    let two = digit(2);
    if one == 0 || two > 9 {
        return None;
    }
    if line[3] == b'\r' {
        return Some((one * 10 + two, at + 5));
    }
    let three = digit(3);
    if three > 9 || line[4] != b'\r' {
        return None;
    }
    Some((one * 100 + two * 10 + three, at + 6))
}

/// Takes what has come of a large word out of `input`, into an allocation that has room for all of
/// it. `at` and `len` are `NeedBlob`'s. Bytes behind the word stay in `input`.
pub fn take_blob(input: &mut Vec<u8>, at: usize, len: usize) -> Result<Vec<u8>, Refused> {
    let mut blob = Vec::new();
    blob.try_reserve_exact(len).map_err(|_| Refused)?;
    let here = len.min(input.len() - at);
    blob.extend(input.drain(at..at + here));
    Ok(blob)
}

#[cfg(test)]
mod tests;
