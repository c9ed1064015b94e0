//! The requests of one read: their spans in one vector, their blobs in another.
//!
//! B1  a request's spans stand together, and no request is empty.
//! B2  a batch is read with the buffer that it was parsed from, unmoved.
//!
//! Checked by: `parse.rs`'s tests, fuzz/resp.

use crate::args::{Args, Blob, Span};

/// One request in a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    first: u32,
    argc: u32,
}

impl Request {
    /// How many words it has; never none.
    #[inline]
    pub fn argc(&self) -> usize {
        self.argc as usize
    }
}

/// The words of the requests of one read.
#[derive(Debug, Default)]
pub struct Batch {
    pub(crate) spans: Vec<Span>,
    pub(crate) blobs: Vec<Blob>,
}

impl Batch {
    /// Spans that a batch keeps room for when it is cleared.
    const KEPT: usize = 16 * 1024;

    /// The words of `request`, whose plain ones lie in `input`, the buffer that was parsed.
    #[inline]
    pub fn args<'a>(&'a self, input: &'a [u8], request: Request) -> Args<'a> {
        let spans = &self.spans[request.first as usize..][..request.argc as usize];
        Args::new(input, spans, &self.blobs)
    }

    /// Forgets all requests; a batch that one giant request has blown up gives its memory back.
    pub fn clear(&mut self) {
        self.spans.clear();
        self.spans.shrink_to(Self::KEPT);
        self.blobs.clear();
    }

    #[inline]
    pub(crate) fn request(&self, first: usize) -> Request {
        Request {
            first: first as u32,
            argc: (self.spans.len() - first) as u32,
        }
    }
}
