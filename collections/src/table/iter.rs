//! Walking all entries of a table or a snapshot in the order of the directory.
//!
//! The walk asks for entries a few slots ahead, and for the next segment while it is in one:
//! encoding a snapshot is bound by memory otherwise.

use super::chunk::Chunk;
use super::probe;
use super::segment::Seg;
use super::{Element, Table};
use std::marker::PhantomData;

/// Slots between the entry that is asked for and the one that is returned.
const AHEAD: usize = 8;

/// All entries, in no order that means anything.
pub struct Iter<'a, E: Element> {
    chunks: std::slice::Iter<'a, Chunk<E>>,
    walk: Walk<'a, E>,
}

/// The entries of one chunk.
pub(super) struct Walk<'a, E: Element> {
    segments: std::slice::Iter<'a, Seg<E>>,
    segment: Option<Seg<E>>,
    slot: usize,
    elements: PhantomData<E::Ref<'a>>,
}

impl<'a, E: Element> Walk<'a, E> {
    pub(super) fn new(chunk: &'a Chunk<E>) -> Self {
        Self::over(chunk.segments())
    }

    fn over(segments: &'a [Seg<E>]) -> Self {
        Self {
            segments: segments.iter(),
            segment: None,
            slot: 0,
            elements: PhantomData,
        }
    }
}

impl<'a, E: Element> Iterator for Walk<'a, E> {
    type Item = E::Ref<'a>;

    #[inline]
    fn next(&mut self) -> Option<E::Ref<'a>> {
        loop {
            if let Some(segment) = self.segment {
                let slot = self.slot;
                if slot < segment.len() {
                    self.slot += 1;
                    if slot + AHEAD < segment.len() {
                        probe::prefetch(segment.word(slot + AHEAD).element().as_ptr());
                    }
                    // SAFETY: in use; the chunk, and with it a count, is borrowed for 'a.
                    return Some(unsafe { segment.element(slot) });
                }
            }
            let segment = *self.segments.next()?;
            if let Some(next) = self.segments.as_slice().first() {
                next.prefetch();
            }
            for slot in 0..segment.len().min(AHEAD) {
                probe::prefetch(segment.word(slot).element().as_ptr());
            }
            self.segment = Some(segment);
            self.slot = 0;
        }
    }
}

impl<'a, E: Element> Iter<'a, E> {
    pub(super) fn new(chunks: std::slice::Iter<'a, Chunk<E>>) -> Self {
        Self {
            chunks,
            walk: Walk::over(&[]),
        }
    }
}

impl<'a, E: Element> Iterator for Iter<'a, E> {
    type Item = E::Ref<'a>;

    #[inline]
    fn next(&mut self) -> Option<E::Ref<'a>> {
        loop {
            if let Some(element) = self.walk.next() {
                return Some(element);
            }
            self.walk = Walk::new(self.chunks.next()?);
        }
    }
}

impl<E: Element> Table<E> {
    /// All entries, in the order of the directory.
    pub fn iter(&self) -> Iter<'_, E> {
        Iter::new(self.chunks.iter())
    }
}

impl<'a, E: Element> IntoIterator for &'a Table<E> {
    type Item = E::Ref<'a>;
    type IntoIter = Iter<'a, E>;

    fn into_iter(self) -> Iter<'a, E> {
        self.iter()
    }
}
