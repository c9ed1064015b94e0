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
mod tests {
    use super::*;

    /// What a peer that sends `pieces` is understood to say, and how it ends.
    fn parse_pieces<'p>(
        pieces: impl IntoIterator<Item = &'p [u8]>,
        limits: &Limits,
        apart: bool,
    ) -> (Vec<Vec<Vec<u8>>>, Option<ProtocolError>) {
        let (mut parser, mut batch) = (Parser::new(), Batch::default());
        let (mut input, mut requests) = (Vec::new(), Vec::new());
        let mut filling: Option<(Vec<u8>, usize)> = None;
        for mut piece in pieces {
            if let Some((blob, len)) = &mut filling {
                let here = piece.len().min(*len - blob.len());
                blob.extend_from_slice(&piece[..here]);
                piece = &piece[here..];
                if blob.len() < *len {
                    continue;
                }
                let (blob, _) = filling.take().expect("just seen");
                parser.supply_blob(Arc::new(blob));
            }
            input.extend_from_slice(piece);
            let mut consumed = 0;
            loop {
                match parser.next(&input, &mut consumed, &mut batch, limits) {
                    Err(error) => return (requests, Some(error)),
                    Ok(Parsed::NeedMore) => break,
                    Ok(Parsed::NeedBlob { at, len }) if apart => {
                        let blob = take_blob(&mut input, at, len).expect("memory");
                        if blob.len() == len {
                            parser.supply_blob(Arc::new(blob));
                        } else {
                            filling = Some((blob, len));
                            break;
                        }
                    }
                    Ok(Parsed::NeedBlob { .. }) => break,
                    Ok(Parsed::Refused) => requests.push(vec![b"(refused)".to_vec()]),
                    Ok(Parsed::Request(request)) => {
                        let args = batch.args(&input, request);
                        requests.push(args.iter().map(<[u8]>::to_vec).collect());
                    }
                }
            }
            batch.clear();
            input.drain(..consumed);
        }
        (requests, None)
    }

    fn words(text: &[&str]) -> Vec<Vec<Vec<u8>>> {
        text.iter()
            .map(|r| r.split('|').map(|w| w.as_bytes().to_vec()).collect())
            .collect()
    }

    /// Whole and byte by byte, the input means the same.
    fn check_with(limits: Limits, input: &[u8], requests: &[&str], error: Option<ProtocolError>) {
        let expected = (words(requests), error);
        assert_eq!(parse_pieces([input], &limits, true), expected, "whole");
        assert_eq!(
            parse_pieces(input.chunks(1), &limits, true),
            expected,
            "byte by byte"
        );
        assert_eq!(
            parse_pieces(input.chunks(7), &limits, false),
            expected,
            "in sevens"
        );
    }

    fn check(input: &str, requests: &[&str], error: Option<ProtocolError>) {
        check_with(Limits::default(), input.as_bytes(), requests, error);
    }

    #[test]
    fn requests_of_both_kinds() {
        check("", &[], None);
        check("*1\r\n$4\r\nPING\r\n", &["PING"], None);
        check(
            "PING\r\nPING\n\r\n\n*0\r\n*-1\r\n*-5\r\nPING x\r\n",
            &["PING", "PING", "PING|x"],
            None,
        );
        check(
            "*3\r\n$3\r\nSET\r\n$0\r\n\r\n$5\r\na\r\nbc\r\n",
            &["SET||a\r\nbc"],
            None,
        );
        check("set \"a b\" 'c'  d\r\n", &["set|a b|c|d"], None);
        check("  PING  \r\n", &["PING"], None);
        check("*2\r\n$1\r\na", &[], None);
    }

    #[test]
    fn endings_are_skipped_unread_as_redis_does() {
        check("*1\rX$4\rYPINGZZ*1\r\n$1\r\na\r\n", &["PING", "a"], None);
    }

    #[test]
    fn long_counts_and_lengths() {
        let word = "x".repeat(12345);
        check(&format!("*1\r\n$12345\r\n{word}\r\n"), &[&word], None);
        let many: String = (0..12345).map(|_| "$1\r\na\r\n").collect();
        let expected = vec!["a"; 12345].join("|");
        check(&format!("*12345\r\n{many}"), &[&expected], None);
    }

    #[test]
    fn errors() {
        use ProtocolError::*;
        check("*a\r\n", &[], Some(InvalidCount));
        check("*\r\n", &[], Some(InvalidCount));
        check("*01\r\n", &[], Some(InvalidCount));
        check("*+1\r\n", &[], Some(InvalidCount));
        check("*3000000000\r\n", &[], Some(InvalidCount));
        check("*99999999999999999999\r\n", &[], Some(InvalidCount));
        check("PING\n*1\r\n:4\r\n", &["PING"], Some(ExpectedDollar(b':')));
        // Found by fuzz/resp: a word's line that begins with its end.
        check("*1\r\n\r\n", &[], Some(ExpectedDollar(b'\r')));
        check("*1\r\n$-1\r\n", &[], Some(InvalidLength));
        check("*1\r\n$x\r\n", &[], Some(InvalidLength));
        check("*1\r\n$2000000000\r\n", &[], Some(InvalidLength));
        check("GET \"a\r\n", &[], Some(UnbalancedQuotes));
        let text = |error: ProtocolError| String::from_utf8(error.text()).expect("ascii");
        assert_eq!(
            text(ExpectedDollar(b'x')),
            "Protocol error: expected '$', got 'x'"
        );
        assert_eq!(
            text(TooBigLength),
            "Protocol error: too big bulk count string"
        );
    }

    #[test]
    fn lines_end_within_64_kib() {
        use ProtocolError::*;
        let fits = format!("{}\n", "a".repeat(LINE_MAX));
        check(&fits, &[&"a".repeat(LINE_MAX)], None);
        check(&"a".repeat(LINE_MAX), &[], None);
        check(
            &format!("{}\n", "a".repeat(LINE_MAX + 1)),
            &[],
            Some(TooBigInline),
        );
        check(
            &format!("*{}", "1".repeat(LINE_MAX)),
            &[],
            Some(TooBigCount),
        );
        check(
            &format!("*1\r\n${}", "1".repeat(LINE_MAX)),
            &[],
            Some(TooBigLength),
        );
    }

    #[test]
    fn before_login_little_is_allowed() {
        use ProtocolError::*;
        let limits = Limits {
            before_login: true,
            ..Limits::default()
        };
        check_with(limits, b"*11\r\n", &[], Some(UnauthenticatedCount));
        check_with(
            limits,
            b"*1\r\n$16385\r\n",
            &[],
            Some(UnauthenticatedLength),
        );
        check_with(
            limits,
            b"*1\r\n$4\r\nPING\r\n*10\r\n$16384\r\n",
            &["PING"],
            None,
        );
    }

    #[test]
    fn large_words_come_apart() {
        let big = "v".repeat(BLOB_MIN);
        let input = format!(
            "*4\r\n$3\r\nSET\r\n$1\r\nk\r\n${0}\r\n{big}\r\n$2\r\nNX\r\n*2\r\n${0}\r\n{big}\r\n${0}\r\n{big}\r\nPING\r\n",
            BLOB_MIN
        );
        let expected = [&*format!("SET|k|{big}|NX"), &format!("{big}|{big}"), "PING"];
        for size in [1, 10, 1000, BLOB_MIN, BLOB_MIN + 1, BLOB_MIN + 30, 1 << 20] {
            for apart in [true, false] {
                let got = parse_pieces(input.as_bytes().chunks(size), &Limits::default(), apart);
                assert_eq!(got, (words(&expected), None), "pieces of {size}");
            }
        }
    }

    #[test]
    fn a_refused_word_is_eaten_with_its_request() {
        let big = "v".repeat(BLOB_MIN);
        let text = format!(
            "*3\r\n$1\r\na\r\n${0}\r\n{big}\r\n${0}\r\n{big}\r\nPING\r\n",
            BLOB_MIN
        );
        for size in [1, 100, BLOB_MIN] {
            let (mut parser, mut batch) = (Parser::new(), Batch::default());
            let (mut input, mut seen, mut most) = (Vec::new(), Vec::new(), 0);
            for piece in text.as_bytes().chunks(size) {
                input.extend_from_slice(piece);
                let mut consumed = 0;
                loop {
                    let got = parser.next(&input, &mut consumed, &mut batch, &Limits::default());
                    match got.expect("no protocol error") {
                        Parsed::NeedMore => break,
                        Parsed::NeedBlob { .. } => parser.refuse_blob(0),
                        Parsed::Refused => seen.push("refused".to_string()),
                        Parsed::Request(r) => {
                            let word = batch.args(&input, r).get(0).to_vec();
                            seen.push(String::from_utf8(word).expect("ascii"));
                        }
                    }
                }
                input.drain(..consumed);
                most = most.max(input.len());
            }
            assert_eq!(seen, ["refused", "PING"], "pieces of {size}");
            assert!(most < 32, "a refused word is not kept: {most}");
        }
    }

    #[test]
    fn half_a_request_costs_no_rescanning() {
        // A million words byte by byte: quadratic work would take hours.
        let mut text = b"*1000000\r\n".to_vec();
        (0..1_000_000).for_each(|_| text.extend_from_slice(b"$1\r\na\r\n"));
        let (mut parser, mut batch) = (Parser::new(), Batch::default());
        let mut consumed = 0;
        for end in 1..text.len() {
            let got = parser.next(&text[..end], &mut consumed, &mut batch, &Limits::default());
            assert_eq!(got, Ok(Parsed::NeedMore));
        }
        let got = parser.next(&text, &mut consumed, &mut batch, &Limits::default());
        let Ok(Parsed::Request(request)) = got else {
            panic!("{got:?}")
        };
        assert_eq!((request.argc(), consumed), (1_000_000, text.len()));
    }
}
