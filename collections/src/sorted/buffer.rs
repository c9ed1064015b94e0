//! The bytes of a bundle: so many in use of a counted page, which grows by the arena's steps.
//!
//! A clone is one more handle of the page; the page is copied by the first change after that, and
//! when it has to grow.

use crate::shared::Shared;
use std::ops::Deref;

/// Bytes in a counted page.
#[derive(Clone)]
pub(super) struct Buffer {
    page: Shared,
    used: u32,
}

impl Buffer {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        let page = Shared::zeroed(Shared::fitting(bytes));
        Self { page, used: 0 }
    }

    /// Makes it `len` bytes long; what is new holds anything.
    pub(super) fn resize(&mut self, len: usize) {
        if len > self.page.len() {
            self.move_to(Shared::fitting(len));
        }
        self.used = u32::try_from(len).expect("a bundle is small");
    }

    /// Gives back room that is worth it: a third is slack, so that a removal and an insertion do
    /// not move the bytes to and fro.
    pub(super) fn tighten(&mut self) {
        let fitting = Shared::fitting(self.len());
        if fitting * 3 < self.page.len() * 2 {
            self.move_to(fitting);
        }
    }

    fn move_to(&mut self, capacity: usize) {
        let mut page = Shared::zeroed(capacity);
        let used = &self.page[..self.used as usize];
        page.make_mut()[..used.len()].copy_from_slice(used);
        self.page = page;
    }

    /// The bytes to be changed, copied first if somebody else has them.
    pub(super) fn make_mut(&mut self) -> &mut [u8] {
        let used = self.used as usize;
        &mut self.page.make_mut()[..used]
    }

    /// Whether a change would copy.
    pub(super) fn is_shared(&self) -> bool {
        self.page.is_shared()
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.page.heap_bytes()
    }
}

impl Deref for Buffer {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.page[..self.used as usize]
    }
}
