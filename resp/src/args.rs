//! A request's words, borrowed from where they were received.
//!
//!   bytes   *3\r\n$3\r\nSET\r\n$1\r\nk\r\n$40000\r\n\r\n…        the connection's input buffer
//!   spans   [8,3) [17,1) [blob 0]                              one per word
//!   blobs   [ Arc<Vec<u8>> of 40000 bytes ]                     large words, received apart
//!
//! A span is a range of `bytes`, or, with `len == BLOB`, the index of a blob. `Args` is three
//! borrowed slices and copies freely; `OwnedArgs` is the same request on its own feet, for
//! MULTI's queue and for commands that wait.
//!
//! I1  every plain span lies inside `bytes`, every blob span inside `blobs`: the parser and
//!     `OwnedArgs` make no others, and a wrong one panics like a slice index, never reads astray.
//!
//! Checked by: tests below, `parse.rs`'s tests, fuzz/resp.

use std::sync::Arc;

/// A large word in an allocation of its own, so that it can become a value, or leave in a reply,
/// without being copied.
pub type Blob = Arc<Vec<u8>>;

/// `len` of a span that names a blob. No plain word is that long: the input buffer's offsets are
/// 32 bits wide and the parser refuses a request that does not fit them.
const BLOB: u32 = u32::MAX;

/// Where a word lies: a range of the input buffer, or the index of a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    at: u32,
    len: u32,
}

impl Span {
    /// The word at `at .. at + len` of the input buffer.
    #[inline]
    pub(crate) fn plain(at: usize, len: usize) -> Span {
        debug_assert!(at + len < BLOB as usize, "the parser bounds its input");
        Span {
            at: at as u32,
            len: len as u32,
        }
    }

    /// The word that is blob number `index`.
    pub(crate) fn blob(index: usize) -> Span {
        Span {
            at: u32::try_from(index).expect("fewer blobs than words"),
            len: BLOB,
        }
    }

    /// The same plain word, counted from `start` instead of from the buffer's beginning.
    pub(crate) fn back(self, start: usize) -> Span {
        debug_assert!(self.len != BLOB, "blobs are not counted from the buffer");
        Span {
            at: self.at - start as u32,
            len: self.len,
        }
    }

    /// The same word when the buffer starts `bytes` earlier and the blobs `blobs` earlier.
    #[inline]
    pub(crate) fn moved(self, bytes: usize, blobs: usize) -> Span {
        let by = if self.len == BLOB { blobs } else { bytes };
        Span {
            at: self.at + by as u32,
            len: self.len,
        }
    }
}

/// The words of one request.
#[derive(Clone, Copy, Debug)]
pub struct Args<'a> {
    bytes: &'a [u8],
    spans: &'a [Span],
    blobs: &'a [Blob],
}

impl<'a> Args<'a> {
    /// The words that `spans` cut out of `bytes` and `blobs`.
    #[inline]
    pub fn new(bytes: &'a [u8], spans: &'a [Span], blobs: &'a [Blob]) -> Args<'a> {
        Args {
            bytes,
            spans,
            blobs,
        }
    }

    /// How many words there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there is no word at all.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Word `i`. Panics when there is none, as a slice does.
    #[inline]
    pub fn get(&self, i: usize) -> &'a [u8] {
        self.word(self.spans[i])
    }

    /// Word `i`, if there is one.
    #[inline]
    pub fn try_get(&self, i: usize) -> Option<&'a [u8]> {
        self.spans.get(i).map(|&span| self.word(span))
    }

    /// Word `i` as a shared allocation, if it was received as one.
    pub fn blob(&self, i: usize) -> Option<&'a Blob> {
        let span = *self.spans.get(i)?;
        (span.len == BLOB).then(|| &self.blobs[span.at as usize])
    }

    /// How many bytes the words have together, or a little more: at the price of looking at two of them,
    /// unless some were received apart.
    #[inline]
    pub fn bytes_at_most(&self) -> usize {
        match (self.spans.first(), self.spans.last()) {
            // Words lie behind one another in the buffer.
            (Some(first), Some(last)) if self.blobs.is_empty() => {
                (last.at as usize + last.len as usize).saturating_sub(first.at as usize)
            }
            _ => self.iter().map(<[u8]>::len).sum(),
        }
    }

    /// The words in order.
    #[inline]
    pub fn iter(&self) -> ArgsIter<'a> {
        ArgsIter { args: *self }
    }

    /// All but the first `n` words (none, when there are no more than that).
    #[inline]
    pub fn skip(&self, n: usize) -> Args<'a> {
        Args {
            spans: self.spans.get(n..).unwrap_or_default(),
            ..*self
        }
    }

    /// The first `n` words (all, when there are no more than that).
    #[inline]
    pub fn take(&self, n: usize) -> Args<'a> {
        Args {
            spans: self.spans.get(..n).unwrap_or(self.spans),
            ..*self
        }
    }

    /// Bytes in all words together.
    pub fn byte_len(&self) -> usize {
        self.iter().map(<[u8]>::len).sum()
    }

    /// The same words on their own feet; blobs are shared, not copied. None when the system refuses
    /// the memory, whose size the client chose.
    pub fn try_to_owned(&self) -> Option<OwnedArgs> {
        let plain = self
            .spans
            .iter()
            .filter(|s| s.len != BLOB)
            .map(|s| s.len as usize)
            .sum();
        let mut owned = OwnedArgs::default();
        owned.bytes.try_reserve_exact(plain).ok()?;
        owned.spans.try_reserve_exact(self.spans.len()).ok()?;
        for (i, word) in self.iter().enumerate() {
            match self.blob(i) {
                Some(blob) => owned.push_blob(blob.clone()),
                None => owned.push(word),
            }
        }
        Some(owned)
    }

    #[inline]
    fn word(&self, span: Span) -> &'a [u8] {
        if span.len == BLOB {
            return self.blobs[span.at as usize].as_slice();
        }
        &self.bytes[span.at as usize..][..span.len as usize]
    }
}

impl<'a> IntoIterator for Args<'a> {
    type Item = &'a [u8];
    type IntoIter = ArgsIter<'a>;
    fn into_iter(self) -> ArgsIter<'a> {
        self.iter()
    }
}

/// Iterator over a request's words.
#[derive(Clone, Debug)]
pub struct ArgsIter<'a> {
    args: Args<'a>,
}

impl<'a> Iterator for ArgsIter<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let (&first, rest) = self.args.spans.split_first()?;
        self.args.spans = rest;
        Some(self.args.word(first))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.args.spans.len(), Some(self.args.spans.len()))
    }
}

impl ExactSizeIterator for ArgsIter<'_> {}

/// A request that owns its words: two allocations (bytes and spans), a third only when it has
/// blobs. One allocation would need a cast from bytes to spans, and no path that counts makes one.
#[derive(Clone, Debug, Default)]
pub struct OwnedArgs {
    bytes: Vec<u8>,
    spans: Vec<Span>,
    blobs: Vec<Blob>,
}

impl OwnedArgs {
    /// Room for `words` words of `bytes` bytes in all.
    pub fn with_capacity(words: usize, bytes: usize) -> OwnedArgs {
        OwnedArgs {
            bytes: Vec::with_capacity(bytes),
            spans: Vec::with_capacity(words),
            blobs: Vec::new(),
        }
    }

    /// The request whose words are `words`.
    pub fn from_slices<W: AsRef<[u8]>>(words: &[W]) -> OwnedArgs {
        let bytes = words.iter().map(|w| w.as_ref().len()).sum();
        let mut owned = OwnedArgs::with_capacity(words.len(), bytes);
        for word in words {
            owned.push(word.as_ref());
        }
        owned
    }

    /// Appends a word; one that 32-bit offsets cannot hold becomes a blob.
    pub fn push(&mut self, word: &[u8]) {
        if self.bytes.len().saturating_add(word.len()) >= BLOB as usize {
            return self.push_blob(Arc::new(word.to_vec()));
        }
        self.spans.push(Span::plain(self.bytes.len(), word.len()));
        self.bytes.extend_from_slice(word);
    }

    /// Appends a word that has an allocation of its own.
    pub fn push_blob(&mut self, blob: Blob) {
        self.spans.push(Span::blob(self.blobs.len()));
        self.blobs.push(blob);
    }

    /// The words, borrowed.
    #[inline]
    pub fn as_args(&self) -> Args<'_> {
        Args {
            bytes: &self.bytes,
            spans: &self.spans,
            blobs: &self.blobs,
        }
    }

    /// Bytes held, blobs counted in full: what MULTI's queue reports as memory.
    pub fn memory_bytes(&self) -> usize {
        self.bytes.capacity()
            + self.spans.capacity() * size_of::<Span>()
            + self.blobs.iter().map(|b| b.capacity()).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(owned: &OwnedArgs, expected: &[&[u8]]) {
        let args = owned.as_args();
        assert_eq!(args.iter().collect::<Vec<_>>(), expected);
        assert_eq!(args.len(), expected.len());
        for (i, &word) in expected.iter().enumerate() {
            assert_eq!(args.get(i), word);
        }
        assert_eq!(args.try_get(expected.len()), None);
    }

    #[test]
    fn words_come_back_as_they_went_in() {
        check(&OwnedArgs::default(), &[]);
        check(
            &OwnedArgs::from_slices(&["SET", "", "a\r\nb"]),
            &[b"SET", b"", b"a\r\nb"],
        );
    }

    #[test]
    fn blobs_are_shared_by_the_owned_form() {
        let blob: Blob = Arc::new(vec![7; 100]);
        let mut first = OwnedArgs::from_slices(&["SET", "k"]);
        first.push_blob(blob.clone());
        first.push(b"NX");
        let second = first.as_args().try_to_owned().expect("memory");
        check(&second, &[b"SET", b"k", &[7; 100], b"NX"]);
        assert!(Arc::ptr_eq(
            second.as_args().blob(2).expect("a blob"),
            &blob
        ));
        assert!(second.as_args().blob(1).is_none() && second.as_args().blob(9).is_none());
    }

    #[test]
    fn their_length_is_bounded_without_looking_at_each() {
        let plain = OwnedArgs::from_slices(&["SET", "k", "value"]);
        assert_eq!(plain.as_args().bytes_at_most(), 9);
        assert_eq!(plain.as_args().skip(3).bytes_at_most(), 0);
        let received = b"*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n";
        let spans = [Span::plain(8, 4), Span::plain(18, 2)];
        assert_eq!(Args::new(received, &spans, &[]).bytes_at_most(), 12);
        let mut with_blob = plain;
        with_blob.push_blob(Arc::new(vec![7; 100]));
        assert_eq!(with_blob.as_args().bytes_at_most(), 109);
    }

    #[test]
    fn skip_and_take_stop_at_the_end() {
        let owned = OwnedArgs::from_slices(&["a", "b", "c"]);
        let words = |args: Args<'_>| args.iter().map(<[u8]>::to_vec).collect::<Vec<_>>().concat();
        assert_eq!(words(owned.as_args().skip(1)), b"bc");
        assert_eq!(words(owned.as_args().skip(9)), b"");
        assert_eq!(words(owned.as_args().take(2)), b"ab");
        assert_eq!(words(owned.as_args().take(9)), b"abc");
    }

    #[test]
    #[should_panic(expected = "index out of bounds")]
    fn a_missing_word_panics_like_a_slice() {
        OwnedArgs::from_slices(&["a"]).as_args().get(1);
    }
}
