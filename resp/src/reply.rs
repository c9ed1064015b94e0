//! The reply builder. A handler says what it answers; this knows how RESP2 and RESP3 spell it.
//!
//! | said | RESP2 | RESP3 |
//! |---|---|---|
//! | null, null_array | `$-1`, `*-1` | `_` |
//! | map(n) | `*2n` | `%n` |
//! | set(n), push(n) | `*n` | `~n`, `>n` |
//! | attribute(n) | nothing may be said: `false` | `\|n` |
//! | double | bulk | `,` |
//! | boolean | `:1`, `:0` | `#t`, `#f` |
//! | big_number, verbatim | bulk | `(`, `=` with three letters and a colon |
//!
//! A length that is known only afterwards: `defer` leaves a place, `finish_array` and its sisters
//! fill it. The place is `*0\r\n`, wide enough for nine elements in ten; a longer length moves what
//! follows, once (a 1 MB reply: some 20 µs).
//!
//! I1  a line's text holds no CR and no LF, whatever it came from: reply injection is impossible.
//! I2  marks are good until the output is taken, and are finished in reverse order of `defer`.
//! I3  a reply with a ceiling never holds more bytes than that: the word that would go over it cuts the
//!     reply, and nothing that is said from there on is kept. What stands there is no protocol any more;
//!     its connection is about to be closed.
//!
//! Checked by: tests below, fuzz/resp (reads back what was written).

use crate::args::Blob;
use crate::number::{format_i64, format_u64, write_f64};
use crate::output::Output;
use std::ops::Range;

/// From this length a shared value goes out as it is; below, a copy is cheaper than a chunk.
const ZERO_COPY_MIN: usize = 16 * 1024;

/// What stands around a bulk's bytes: `$`, at most twenty digits, two line ends, and one to spare.
const BULK_AROUND_MAX: usize = 26;

/// Replies that are so common that they are constants.
pub mod shared {
    /// `+OK`.
    pub const OK: &[u8] = b"+OK\r\n";
    /// `+PONG`.
    pub const PONG: &[u8] = b"+PONG\r\n";
    /// `+QUEUED`.
    pub const QUEUED: &[u8] = b"+QUEUED\r\n";
    /// The integer 0.
    pub const ZERO: &[u8] = b":0\r\n";
    /// The integer 1.
    pub const ONE: &[u8] = b":1\r\n";
    /// RESP2's null.
    pub const NULL_BULK: &[u8] = b"$-1\r\n";
    /// RESP2's null where an array would stand.
    pub const NULL_ARRAY: &[u8] = b"*-1\r\n";
    /// RESP3's null.
    pub const NULL: &[u8] = b"_\r\n";
    /// The array without elements.
    pub const EMPTY_ARRAY: &[u8] = b"*0\r\n";
    /// The string without bytes.
    pub const EMPTY_BULK: &[u8] = b"$0\r\n\r\n";
}

/// A connection's protocol version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Proto {
    /// What a connection begins with.
    #[default]
    Resp2,
    /// After HELLO 3.
    Resp3,
}

/// A place in a reply: for `truncate_to`, or for a length that comes later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    chunks: usize,
    len: usize,
}

/// Builds replies.
#[derive(Clone, Debug)]
pub struct Reply {
    proto: Proto,
    out: Output,
    /// The most bytes that it may hold.
    ceiling: usize,
    /// More was said than that (I3).
    is_cut: bool,
}

impl Default for Reply {
    fn default() -> Reply {
        Reply::new(Proto::default())
    }
}

impl Reply {
    /// Nothing said yet.
    pub fn new(proto: Proto) -> Reply {
        Reply {
            proto,
            out: Output::default(),
            ceiling: usize::MAX,
            is_cut: false,
        }
    }

    /// Gives it a ceiling, `usize::MAX` for none.
    #[inline]
    pub fn set_ceiling(&mut self, bytes: usize) {
        self.ceiling = bytes;
    }

    /// Whether it has a ceiling: what is too long for any memory may be tried then.
    #[inline]
    pub fn has_ceiling(&self) -> bool {
        self.ceiling != usize::MAX
    }

    /// Whether more was said than its ceiling allows (I3): a long loop may as well end.
    #[inline]
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Where so many bytes are appended, unless they go over the ceiling.
    #[inline]
    fn room(&mut self, bytes: usize) -> Option<&mut Vec<u8>> {
        self.fits(bytes).then(|| self.out.tail(bytes))
    }

    #[inline]
    fn fits(&mut self, bytes: usize) -> bool {
        let fits = !self.is_cut && self.out.len().saturating_add(bytes) <= self.ceiling;
        self.is_cut |= !fits;
        fits
    }

    /// The version spoken.
    #[inline]
    pub fn proto(&self) -> Proto {
        self.proto
    }

    /// Changes the version, from the next word on.
    pub fn set_proto(&mut self, proto: Proto) {
        self.proto = proto;
    }

    /// Bytes so far.
    #[inline]
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether nothing has been said.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// What has been built.
    #[inline]
    pub fn output(&self) -> &Output {
        &self.out
    }

    /// Takes what has been built; `spare` is the vector to go on with.
    #[inline]
    pub fn take(&mut self, spare: Vec<u8>) -> Output {
        self.is_cut = false;
        self.out.take(spare)
    }

    /// This place, to come back to.
    #[inline]
    pub fn mark(&self) -> Mark {
        Mark {
            chunks: self.out.chunk_count(),
            len: self.out.len(),
        }
    }

    /// Unsays what was said after `mark`.
    pub fn truncate_to(&mut self, mark: Mark) {
        self.out.truncate(mark.chunks, mark.len);
    }

    /// Bytes said since `mark`.
    #[inline]
    pub fn len_since(&self, mark: Mark) -> usize {
        self.out.len() - mark.len
    }

    /// Bytes that are already in the protocol's form.
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) {
        if let Some(tail) = self.room(bytes.len()) {
            tail.extend_from_slice(bytes);
        }
    }

    /// The same, shared by many replies: from 16 KiB on they are not copied.
    #[inline]
    pub fn raw_blob(&mut self, blob: &Blob) {
        if blob.len() < ZERO_COPY_MIN {
            self.raw(blob);
        } else if self.fits(blob.len()) {
            self.out.push_blob(blob.clone(), 0..blob.len());
        }
    }

    /// Output that was built apart.
    pub fn append(&mut self, output: Output) {
        if self.fits(output.len()) {
            self.out.append(output);
        }
    }

    /// `+OK`.
    #[inline]
    pub fn ok(&mut self) {
        self.raw(shared::OK);
    }

    /// A status. CR and LF become spaces.
    pub fn simple(&mut self, text: &[u8]) {
        self.line(b'+', text);
    }

    /// An error: code and text, without the leading `-`. CR and LF become spaces.
    pub fn error(&mut self, text: &[u8]) {
        self.line(b'-', text);
    }

    /// An integer.
    #[inline]
    pub fn int(&mut self, value: i64) {
        match value {
            0 => self.raw(shared::ZERO),
            1 => self.raw(shared::ONE),
            _ => self.sized(b':', format_i64(value, &mut [0; 20])),
        }
    }

    /// A string.
    #[inline]
    pub fn bulk(&mut self, bytes: &[u8]) {
        let Some(tail) = self.room(bytes.len() + BULK_AROUND_MAX) else {
            return;
        };
        tail.reserve(bytes.len() + BULK_AROUND_MAX);
        tail.push(b'$');
        tail.extend_from_slice(format_u64(bytes.len() as u64, &mut [0; 20]));
        tail.extend_from_slice(b"\r\n");
        tail.extend_from_slice(bytes);
        tail.extend_from_slice(b"\r\n");
    }

    /// A part of a shared value as a string; from 16 KiB on it is not copied.
    pub fn blob(&mut self, blob: &Blob, range: Range<usize>) {
        if range.len() < ZERO_COPY_MIN {
            return self.bulk(&blob[range]);
        }
        if self.fits(range.len() + BULK_AROUND_MAX) {
            self.sized(b'$', format_u64(range.len() as u64, &mut [0; 20]));
            self.out.push_blob(blob.clone(), range);
            self.raw(b"\r\n");
        }
    }

    /// An integer as a string.
    #[inline]
    pub fn bulk_int(&mut self, value: i64) {
        self.bulk(format_i64(value, &mut [0; 20]));
    }

    /// No value.
    #[inline]
    pub fn null(&mut self) {
        self.raw(match self.proto {
            Proto::Resp2 => shared::NULL_BULK,
            Proto::Resp3 => shared::NULL,
        });
    }

    /// No array.
    #[inline]
    pub fn null_array(&mut self) {
        self.raw(match self.proto {
            Proto::Resp2 => shared::NULL_ARRAY,
            Proto::Resp3 => shared::NULL,
        });
    }

    /// `n` elements follow.
    #[inline]
    pub fn array(&mut self, n: usize) {
        self.header(b'*', n);
    }

    /// `n` keys with their values follow.
    pub fn map(&mut self, n: usize) {
        match self.proto {
            Proto::Resp2 => self.header(b'*', n * 2),
            Proto::Resp3 => self.header(b'%', n),
        }
    }

    /// `n` members follow.
    pub fn set(&mut self, n: usize) {
        self.header(self.either(b'*', b'~'), n);
    }

    /// `n` elements of a message that answers no request follow.
    pub fn push(&mut self, n: usize) {
        self.header(self.either(b'*', b'>'), n);
    }

    /// `n` keys with their values that annotate the next reply follow; gives whether they may be
    /// said at all, which RESP2 does not know.
    pub fn attribute(&mut self, n: usize) -> bool {
        if self.proto == Proto::Resp3 {
            self.header(b'|', n);
        }
        self.proto == Proto::Resp3
    }

    /// A float.
    pub fn double(&mut self, value: f64) {
        let mut text = Vec::with_capacity(32);
        write_f64(&mut text, value);
        match self.proto {
            Proto::Resp2 => self.bulk(&text),
            Proto::Resp3 => self.sized(b',', &text),
        }
    }

    /// True or false.
    pub fn boolean(&mut self, value: bool) {
        self.raw(match (self.proto, value) {
            (Proto::Resp2, false) => shared::ZERO,
            (Proto::Resp2, true) => shared::ONE,
            (Proto::Resp3, false) => b"#f\r\n",
            (Proto::Resp3, true) => b"#t\r\n",
        });
    }

    /// A decimal number of any length.
    pub fn big_number(&mut self, digits: &[u8]) {
        match self.proto {
            Proto::Resp2 => self.bulk(digits),
            Proto::Resp3 => self.line(b'(', digits),
        }
    }

    /// Text of a kind, named by three letters ("txt", "mkd").
    pub fn verbatim(&mut self, ext: &[u8; 3], text: &[u8]) {
        if self.proto == Proto::Resp2 {
            return self.bulk(text);
        }
        self.header(b'=', text.len() + 4);
        self.raw(ext);
        self.raw(b":");
        self.raw(text);
        self.raw(b"\r\n");
    }

    /// Leaves a place for a length. Finish it before any mark taken earlier.
    pub fn defer(&mut self) -> Mark {
        let mark = self.mark();
        self.raw(shared::EMPTY_ARRAY);
        mark
    }

    /// The place is an array of `n`.
    pub fn finish_array(&mut self, mark: Mark, n: usize) {
        self.finish(mark, b'*', n);
    }

    /// The place is a map of `n` keys with values.
    pub fn finish_map(&mut self, mark: Mark, n: usize) {
        match self.proto {
            Proto::Resp2 => self.finish(mark, b'*', n * 2),
            Proto::Resp3 => self.finish(mark, b'%', n),
        }
    }

    /// The place is a set of `n`.
    pub fn finish_set(&mut self, mark: Mark, n: usize) {
        self.finish(mark, self.either(b'*', b'~'), n);
    }

    fn finish(&mut self, mark: Mark, sigil: u8, n: usize) {
        if self.is_cut {
            // Perhaps the place itself was not kept.
            return;
        }
        let mut text = Vec::with_capacity(24);
        text.push(sigil);
        text.extend_from_slice(format_u64(n as u64, &mut [0; 20]));
        text.extend_from_slice(b"\r\n");
        self.out
            .splice(mark.chunks, mark.len, shared::EMPTY_ARRAY.len(), &text);
    }

    fn either(&self, resp2: u8, resp3: u8) -> u8 {
        if self.proto == Proto::Resp2 {
            resp2
        } else {
            resp3
        }
    }

    #[inline]
    fn header(&mut self, sigil: u8, n: usize) {
        self.sized(sigil, format_u64(n as u64, &mut [0; 20]));
    }

    /// A line whose text is known to be clean.
    #[inline]
    fn sized(&mut self, sigil: u8, text: &[u8]) {
        let Some(tail) = self.room(text.len() + 3) else {
            return;
        };
        tail.reserve(text.len() + 3);
        tail.push(sigil);
        tail.extend_from_slice(text);
        tail.extend_from_slice(b"\r\n");
    }

    /// A line whose text may come from anywhere.
    fn line(&mut self, sigil: u8, text: &[u8]) {
        self.sized(sigil, text);
        if memchr::memchr2(b'\r', b'\n', text).is_some() && !self.is_cut {
            // What was said last lies in one piece, and at its end.
            let tail = self.out.tail(0);
            let start = tail.len() - text.len() - 2;
            for byte in &mut tail[start..start + text.len()] {
                if matches!(byte, b'\r' | b'\n') {
                    *byte = b' ';
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn check(say: impl Fn(&mut Reply), resp2: &str, resp3: &str) {
        for (proto, expected) in [(Proto::Resp2, resp2), (Proto::Resp3, resp3)] {
            let mut reply = Reply::new(proto);
            say(&mut reply);
            let got = String::from_utf8(reply.output().to_vec()).expect("text");
            assert_eq!(
                got,
                expected.replace('~', "\r\n").replace('S', "~"),
                "{proto:?}"
            );
            assert_eq!(reply.len(), got.len());
        }
    }

    /// `~` stands for CR LF in what is expected, `S` for the set's `~`.
    fn same(say: impl Fn(&mut Reply), expected: &str) {
        check(say, expected, expected);
    }

    #[test]
    fn every_kind_in_both_versions() {
        same(|r| r.ok(), "+OK~");
        same(|r| r.simple(b"a"), "+a~");
        same(|r| r.error(b"ERR x"), "-ERR x~");
        same(|r| r.int(0), ":0~");
        same(|r| r.int(1), ":1~");
        same(|r| r.int(i64::MIN), ":-9223372036854775808~");
        same(|r| r.bulk(b""), "$0~~");
        same(|r| r.bulk(b"hello"), "$5~hello~");
        same(|r| r.bulk_int(-42), "$3~-42~");
        same(|r| r.array(3), "*3~");
        check(|r| r.null(), "$-1~", "_~");
        check(|r| r.null_array(), "*-1~", "_~");
        check(|r| r.map(2), "*4~", "%2~");
        check(|r| r.set(2), "*2~", "S2~");
        check(|r| r.push(3), "*3~", ">3~");
        check(
            |r| assert_eq!(r.attribute(1), r.proto() == Proto::Resp3),
            "",
            "|1~",
        );
        check(|r| r.double(1.5), "$3~1.5~", ",1.5~");
        check(|r| r.double(f64::NEG_INFINITY), "$4~-inf~", ",-inf~");
        check(|r| r.boolean(true), ":1~", "#t~");
        check(|r| r.boolean(false), ":0~", "#f~");
        check(|r| r.big_number(b"123"), "$3~123~", "(123~");
        check(|r| r.verbatim(b"txt", b"a"), "$1~a~", "=5~txt:a~");
    }

    #[test]
    fn no_text_ends_its_line() {
        same(|r| r.error(b"ERR a\r\n+OK\r\n"), "-ERR a  +OK  ~");
        same(|r| r.simple(b"\n"), "+ ~");
        check(|r| r.big_number(b"1\n2"), "$3~1\n2~", "(1 2~");
    }

    #[test]
    fn lengths_that_come_later() {
        let nested = |n: usize| {
            move |r: &mut Reply| {
                r.int(7);
                let outer = r.defer();
                for _ in 0..n {
                    let inner = r.defer();
                    r.int(1);
                    r.finish_set(inner, 1);
                }
                r.finish_map(outer, n);
            }
        };
        check(nested(0), ":7~*0~", ":7~%0~");
        check(nested(2), ":7~*4~*1~:1~*1~:1~", ":7~%2~S1~:1~S1~:1~");
        let twelve = |sigil: &str| format!("{sigil}1~:1~").repeat(12);
        check(
            nested(12),
            &format!(":7~*24~{}", twelve("*")),
            &format!(":7~%12~{}", twelve("S")),
        );
    }

    #[test]
    fn large_values_are_shared_and_lengths_before_them_still_fit() {
        let blob: Blob = Arc::new(vec![b'v'; ZERO_COPY_MIN + 5]);
        let mut reply = Reply::new(Proto::Resp2);
        reply.ok();
        let place = reply.defer();
        for _ in 0..10 {
            reply.blob(&blob, 5..blob.len());
            reply.blob(&blob, 0..3);
        }
        reply.finish_array(place, 20);
        assert_eq!(Arc::strong_count(&blob), 11);
        let big = format!("${}\r\n{}\r\n", ZERO_COPY_MIN, "v".repeat(ZERO_COPY_MIN));
        let expected = format!("+OK\r\n*20\r\n{}", format!("{big}$3\r\nvvv\r\n").repeat(10));
        assert_eq!(reply.output().to_vec(), expected.as_bytes());
        assert_eq!(reply.len(), expected.len());
    }

    #[test]
    fn cutting_back_reaches_over_chunks() {
        let blob: Blob = Arc::new(vec![b'v'; ZERO_COPY_MIN]);
        let mut reply = Reply::new(Proto::Resp2);
        let start = reply.mark();
        reply.int(5);
        let first = reply.mark();
        reply.blob(&blob, 0..ZERO_COPY_MIN);
        let second = reply.mark();
        reply.bulk(b"x");
        reply.blob(&blob, 0..ZERO_COPY_MIN);
        reply.truncate_to(second);
        assert_eq!(reply.len(), 4 + 8 + ZERO_COPY_MIN + 2);
        reply.int(6);
        assert!(reply.output().to_vec().ends_with(b"v\r\n:6\r\n"));
        reply.truncate_to(first);
        assert_eq!(reply.output().to_vec(), b":5\r\n");
        assert_eq!(Arc::strong_count(&blob), 1);
        reply.truncate_to(start);
        assert!(reply.is_empty());
    }

    #[test]
    fn a_ceiling_cuts_a_reply_for_good() {
        let blob: Blob = Arc::new(vec![b'v'; ZERO_COPY_MIN]);
        let mut reply = Reply::new(Proto::Resp2);
        assert!(!reply.has_ceiling());
        reply.set_ceiling(100);
        reply.ok();
        let start = reply.mark();
        let place = reply.defer();
        reply.bulk(b"fits");
        reply.finish_array(place, 1);
        let len = reply.len();
        assert!(!reply.is_cut() && len == 5 + 4 + 10);
        reply.blob(&blob, 0..ZERO_COPY_MIN);
        assert!(reply.is_cut() && reply.has_ceiling());
        // However little comes, and places that were not kept included.
        let place = reply.defer();
        reply.int(1);
        reply.error(b"ERR a\r\n");
        reply.finish_map(place, 12);
        assert_eq!((reply.len(), Arc::strong_count(&blob)), (len, 1));
        reply.truncate_to(start);
        reply.bulk(b"fits");
        assert!(reply.is_cut() && reply.len() == 5);
        drop(reply.take(Vec::new()));
        reply.int(1);
        assert!(!reply.is_cut() && reply.len() == 4);
        for _ in 0..100 {
            reply.bulk(b"0123456789");
        }
        assert!(reply.is_cut() && reply.len() <= 100);
    }

    #[test]
    fn long_output_comes_in_pieces_that_do_not_move() {
        let mut reply = Reply::new(Proto::Resp2);
        let place = reply.defer();
        let word = vec![b'w'; 1_000];
        for _ in 0..2_000 {
            reply.bulk(&word);
        }
        reply.error(b"a\r\nb");
        let mark = reply.mark();
        for _ in 0..1_000 {
            reply.bulk(&word);
        }
        reply.truncate_to(mark);
        reply.finish_array(place, 2_000);
        let one = format!("$1000\r\n{}\r\n", "w".repeat(1_000));
        let expected = format!("*2000\r\n{}-a  b\r\n", one.repeat(2_000));
        assert!(reply.output().to_vec() == expected.as_bytes());
        assert!(
            reply.output().chunk_count() > 4,
            "2 MB in pieces of 256 KiB"
        );
        let spare = reply.output().capacity() - expected.len();
        assert!(spare < 400 * 1024, "one piece that has just begun: {spare}");
    }

    #[test]
    fn taking_leaves_the_spare_vector() {
        let mut reply = Reply::new(Proto::Resp3);
        reply.ok();
        let taken = reply.take(vec![1, 2, 3]);
        assert_eq!((taken.as_single(), taken.len()), (Some(shared::OK), 5));
        let blob: Blob = Arc::new(vec![b'v'; ZERO_COPY_MIN]);
        reply.blob(&blob, 0..ZERO_COPY_MIN);
        let taken = reply.take(Vec::new());
        assert_eq!(taken.len(), taken.to_vec().len());
        assert_eq!(reply.len(), 0);
        assert!(reply.is_empty());
        reply.null();
        assert_eq!(reply.output().to_vec(), shared::NULL);
    }
}
