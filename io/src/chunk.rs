//! What is sent: bytes of its own and parts of shared values, in order.
//!
//!   chunks  [Bytes …] [Shared …] [Bytes …]      tail  …
//!            └ `gone` bytes of the first piece have left already
//!
//! A small reply is `tail` alone, and making it allocates nothing.
//!
//! I1  no piece before the tail is empty, and `gone` is less than the first piece's length (0 when
//!     there is nothing).
//!
//! Checked by: tests below, conformance (large payloads, slow reader).

use std::collections::VecDeque;
use std::io::IoSlice;
use std::ops::Range;
use std::sync::Arc;

/// A piece of output.
#[derive(Clone, Debug)]
pub enum Chunk {
    /// Bytes of its own.
    Bytes(Vec<u8>),
    /// A part of a shared value.
    Shared(Arc<Vec<u8>>, Range<usize>),
}

impl Chunk {
    fn as_bytes(&self) -> &[u8] {
        match self {
            Chunk::Bytes(bytes) => bytes,
            Chunk::Shared(value, range) => &value[range.clone()],
        }
    }
}

/// Output that is to be sent.
#[derive(Debug, Default)]
pub struct Chunks {
    chunks: VecDeque<Chunk>,
    tail: Vec<u8>,
    gone: usize,
    len: usize,
}

impl From<Vec<u8>> for Chunks {
    #[inline]
    fn from(tail: Vec<u8>) -> Chunks {
        Chunks {
            chunks: VecDeque::new(),
            gone: 0,
            len: tail.len(),
            tail,
        }
    }
}

impl Chunks {
    /// `chunks`, then `tail`.
    pub fn new(chunks: impl IntoIterator<Item = Chunk>, tail: Vec<u8>) -> Chunks {
        let mut all = Chunks::default();
        all.chunks.extend(
            chunks
                .into_iter()
                .filter(|chunk| !chunk.as_bytes().is_empty()),
        );
        all.len = all
            .chunks
            .iter()
            .map(|chunk| chunk.as_bytes().len())
            .sum::<usize>()
            + tail.len();
        all.tail = tail;
        all
    }

    /// Bytes still to be sent.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether all has been sent.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The tail's memory, for the next reply.
    #[inline]
    pub fn into_spare(mut self) -> Vec<u8> {
        self.tail.clear();
        self.tail
    }

    /// The next bytes, when they lie in one piece.
    #[inline]
    pub fn as_single(&self) -> Option<&[u8]> {
        self.chunks.is_empty().then(|| &self.tail[self.gone..])
    }

    /// Fills `slices` from the front with at most `bytes_max` bytes (0 fills nothing); gives how
    /// many slices there are.
    pub fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>], bytes_max: usize) -> usize {
        let pieces = self
            .chunks
            .iter()
            .map(Chunk::as_bytes)
            .chain([self.tail.as_slice()]);
        let (mut count, mut skip, mut room) = (0, self.gone, bytes_max);
        for piece in pieces {
            let piece = &piece[skip..];
            skip = 0;
            if count == slices.len() || room == 0 {
                break;
            }
            let piece = &piece[..piece.len().min(room)];
            if !piece.is_empty() {
                slices[count] = IoSlice::new(piece);
                count += 1;
                room -= piece.len();
            }
        }
        count
    }

    /// The first `n` bytes have left.
    pub fn advance(&mut self, n: usize) {
        self.len = self
            .len
            .checked_sub(n)
            .expect("no more left than there was");
        self.gone += n;
        while let Some(first) = self.chunks.front() {
            let len = first.as_bytes().len();
            if self.gone < len {
                return;
            }
            self.gone -= len;
            self.chunks.pop_front();
        }
        if self.gone == self.tail.len() {
            self.tail.clear();
            self.gone = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_in_order_whatever_the_steps() {
        for step in 1..12 {
            let shared = Arc::new(b"0123456789".to_vec());
            let chunks = [
                Chunk::Bytes(b"ab".to_vec()),
                Chunk::Bytes(Vec::new()),
                Chunk::Shared(shared.clone(), 2..5),
                Chunk::Shared(shared.clone(), 9..10),
            ];
            let mut all = Chunks::new(chunks, b"yz".to_vec());
            let mut got = Vec::new();
            while !all.is_empty() {
                let mut slices = [IoSlice::new(&[]); 2];
                let count = all.slices(&mut slices, step);
                let bytes: Vec<u8> = slices[..count].iter().flat_map(|s| s.to_vec()).collect();
                assert!(!bytes.is_empty() && bytes.len() <= step);
                got.extend_from_slice(&bytes);
                all.advance(bytes.len());
            }
            assert_eq!(got, b"ab2349yz");
            assert_eq!(Arc::strong_count(&shared), 1, "what has left is let go");
        }
    }

    #[test]
    fn memory_goes_round() {
        let mut chunks = Chunks::from(Vec::with_capacity(100));
        assert!(chunks.is_empty());
        chunks.tail.extend_from_slice(b"abc");
        chunks.len = 3;
        assert_eq!(chunks.as_single(), Some(b"abc".as_slice()));
        chunks.advance(3);
        assert!(chunks.is_empty());
        assert_eq!(chunks.into_spare().capacity(), 100);
    }
}
