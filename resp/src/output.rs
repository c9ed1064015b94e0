//! What a reply is made of until it has left: bytes, and large values that are shared, not copied.
//!
//!   chunks  [Bytes "*2\r\n$40000\r\n"] [Blob 0..40000] [Bytes "\r\n$1\r\nx\r\n…"]   closed
//!   tail    "…"                                                                 still growing
//!
//! Small replies live in `tail` alone: the usual turn of a connection is one vector and one write.
//! Beyond [`PIECE_BYTES`] the tail is closed and another one begun, so that output which waits for a slow
//! reader takes what it says and no more: a vector that grows by doubling would take twice that, and
//! three times while it is being moved.
//!
//! I1  the bytes of the reply are the chunks in order, then the tail.
//! I2  no chunk is empty.
//! I3  `len` is their sum, kept as a count because the output limits ask for it at every reply.
//!
//! Checked by: `reply.rs`'s tests, fuzz/resp.

use crate::args::Blob;
use std::collections::VecDeque;
use std::ops::Range;

/// How long a tail becomes before it is closed, apart from a longer word.
const PIECE_BYTES: usize = 256 * 1024;

/// A piece of output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chunk {
    /// Bytes of its own.
    Bytes(Vec<u8>),
    /// A part of a shared value.
    Blob(Blob, Range<usize>),
}

impl Chunk {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Chunk::Bytes(bytes) => bytes,
            Chunk::Blob(blob, range) => &blob[range.clone()],
        }
    }
}

/// Output in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    chunks: VecDeque<Chunk>,
    tail: Vec<u8>,
    chunk_bytes: usize,
}

impl Output {
    /// Bytes in all.
    #[inline]
    pub fn len(&self) -> usize {
        self.chunk_bytes + self.tail.len()
    }

    /// Whether there is nothing to send.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many closed chunks stand before the tail.
    #[inline]
    pub fn chunk_count(&self) -> usize {
        self.chunks.len()
    }

    /// The bytes, copied together.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut all = Vec::with_capacity(self.len());
        for chunk in &self.chunks {
            all.extend_from_slice(chunk.as_bytes());
        }
        all.extend_from_slice(&self.tail);
        all
    }

    /// The bytes, when they lie in one piece.
    #[inline]
    pub fn as_single(&self) -> Option<&[u8]> {
        self.chunks.is_empty().then_some(&self.tail)
    }

    /// Takes it apart: closed chunks first, then the tail.
    pub fn into_parts(self) -> (VecDeque<Chunk>, Vec<u8>) {
        (self.chunks, self.tail)
    }

    /// Takes everything out; `spare` becomes the new tail, so that a vector goes round between
    /// builder and socket instead of being allocated anew.
    #[inline]
    pub fn take(&mut self, mut spare: Vec<u8>) -> Output {
        spare.clear();
        Output {
            chunk_bytes: std::mem::take(&mut self.chunk_bytes),
            chunks: std::mem::take(&mut self.chunks),
            tail: std::mem::replace(&mut self.tail, spare),
        }
    }

    /// Appends all of `other`.
    pub fn append(&mut self, other: Output) {
        for chunk in other.chunks {
            match chunk {
                Chunk::Bytes(bytes) => self.tail(bytes.len()).extend_from_slice(&bytes),
                Chunk::Blob(blob, range) => self.push_blob(blob, range),
            }
        }
        self.tail(other.tail.len()).extend_from_slice(&other.tail);
    }

    /// Appends a part of a shared value.
    pub fn push_blob(&mut self, blob: Blob, range: Range<usize>) {
        assert!(range.end <= blob.len(), "a range of the blob");
        if range.is_empty() {
            return;
        }
        if !self.tail.is_empty() {
            let bytes = std::mem::take(&mut self.tail);
            self.chunk_bytes += bytes.len();
            self.chunks.push_back(Chunk::Bytes(bytes));
        }
        self.chunk_bytes += range.len();
        self.chunks.push_back(Chunk::Blob(blob, range));
    }

    /// Where `more` bytes are appended.
    #[inline]
    pub(crate) fn tail(&mut self, more: usize) -> &mut Vec<u8> {
        if self.tail.len() + more > PIECE_BYTES {
            self.close_tail(more);
        }
        &mut self.tail
    }

    /// Begins another tail, unless this one has hardly begun.
    #[cold]
    fn close_tail(&mut self, more: usize) {
        if self.tail.len() > PIECE_BYTES / 2 {
            // What is left of a doubling goes back; the next one grows no more.
            self.tail.shrink_to_fit();
            let next = Vec::with_capacity(more.max(PIECE_BYTES));
            let bytes = std::mem::replace(&mut self.tail, next);
            self.chunk_bytes += bytes.len();
            self.chunks.push_back(Chunk::Bytes(bytes));
        }
    }

    /// Bytes that it takes, what is shared included.
    pub fn capacity(&self) -> usize {
        let chunks = self.chunks.iter().map(|chunk| match chunk {
            Chunk::Bytes(bytes) => bytes.capacity(),
            Chunk::Blob(_, range) => range.len(),
        });
        chunks.sum::<usize>() + self.tail.capacity()
    }

    /// Cuts back to `len` bytes; `chunks` is how many closed chunks there were at that length.
    pub(crate) fn truncate(&mut self, chunks: usize, len: usize) {
        if self.chunks.len() == chunks {
            let before = self.chunk_bytes;
            return self
                .tail
                .truncate(len.checked_sub(before).expect("a mark of this output"));
        }
        // What was the tail then has become the first chunk after the mark.
        let cut = self.chunks.split_off(chunks);
        self.chunk_bytes = self.chunks.iter().map(|chunk| chunk.as_bytes().len()).sum();
        let kept = len
            .checked_sub(self.chunk_bytes)
            .expect("a mark of this output");
        self.tail.clear();
        if let (1.., Some(Chunk::Bytes(mut bytes))) = (kept, cut.into_iter().next()) {
            bytes.truncate(kept);
            self.tail = bytes;
        }
        assert_eq!(self.len(), len, "cut back to a mark of this output");
    }

    /// Replaces `width` bytes at offset `len` (counted from the start, with `chunks` closed chunks
    /// before it) by `text`.
    pub(crate) fn splice(&mut self, chunks: usize, len: usize, width: usize, text: &[u8]) {
        let before: usize = self
            .chunks
            .iter()
            .take(chunks)
            .map(|c| c.as_bytes().len())
            .sum();
        let at = len.checked_sub(before).expect("a mark of this output");
        let vec = match self.chunks.get_mut(chunks) {
            Some(Chunk::Bytes(bytes)) => {
                self.chunk_bytes = self.chunk_bytes + text.len() - width;
                bytes
            }
            Some(Chunk::Blob(..)) => unreachable!("a mark is followed by its own bytes"),
            None => &mut self.tail,
        };
        if text.len() == width {
            vec[at..at + width].copy_from_slice(text);
        } else {
            vec.splice(at..at + width, text.iter().copied());
        }
    }
}
