//! Bytes with a count, in the blocks of `table::arena`: an `Arc<[u8]>` of one word.
//!
//! ```text
//!   0       4      8                8 + len
//!  +-------+------+----------------+
//!  | count | len  | bytes          |      a block of the arena, 8 behind a multiple of 64
//!  +-------+------+----------------+
//! ```
//!
//! The pages of a dict grow through all sizes in step, which leaves a size-class allocator with the
//! pages of each class's peak: a million fields of 59 bytes by the books took 92 of the system's.
//! The arena's blocks join again, and they come in steps of 64 bytes.
//!
//! H1  `count` is the number of handles; the block is freed by the last.
//! H2  The bytes are written only by a handle that found the count to be one, through `&mut`: there is
//!     no other handle then that could read, or be cloned.
//! H3  All `len` bytes are initialised, and `len` never changes.
//!
//! Checked by: tests below, those of the dict with `--features plain` under AddressSanitizer.

use crate::table::arena;
use crate::table::probe::{LINE, prefetch};
use std::alloc::{Layout, handle_alloc_error};
use std::ops::Deref;
use std::ptr::NonNull;
// Not from `crate::sync`: nothing here is tried by the model checker, and the arena is not either.
use std::sync::atomic::{AtomicU32, Ordering, fence};

#[repr(C)]
struct Header {
    count: AtomicU32,
    len: u32,
}

const HEADER: usize = size_of::<Header>();
const _: () = assert!(HEADER == 8);

/// One handle of counted bytes.
pub(crate) struct Shared {
    header: NonNull<Header>,
}

// SAFETY: H1 and H2: the count is atomic, and bytes that two threads can see are only read.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

fn layout(len: usize) -> Layout {
    Layout::from_size_align(HEADER + len, align_of::<Header>()).expect("lengths are 32 bits")
}

impl Shared {
    /// The most that a block holds which takes no more memory than one of `len` bytes.
    pub(crate) const fn fitting(len: usize) -> usize {
        arena::payload_bytes(HEADER + len) - HEADER
    }

    /// Bytes of our own, all zero.
    pub(crate) fn zeroed(len: usize) -> Self {
        let layout = layout(len);
        let short = u32::try_from(len).expect("the caller keeps lengths far below");
        let Some(block) = arena::allocate(layout) else {
            handle_alloc_error(layout)
        };
        let header = block.cast::<Header>();
        let fresh = Header {
            count: AtomicU32::new(1),
            len: short,
        };
        // SAFETY: a fresh block of this layout, aligned to 8.
        unsafe {
            header.write(fresh);
            block.add(HEADER).write_bytes(0, len);
        }
        Self { header }
    }

    #[inline]
    fn header(&self) -> &Header {
        // SAFETY: H1: we are a handle, so the block is there.
        unsafe { self.header.as_ref() }
    }

    #[inline]
    fn bytes(&self) -> *mut u8 {
        // SAFETY: inside the block.
        unsafe { self.header.as_ptr().cast::<u8>().add(HEADER) }
    }

    /// Whether there are other handles. Where not, none can appear but from this one.
    #[inline]
    pub(crate) fn is_shared(&self) -> bool {
        // Acquire: pairs with the release in `drop`: others' reads come before our writes.
        self.header().count.load(Ordering::Acquire) != 1
    }

    /// The bytes to be changed, copied first if there are other handles.
    #[inline]
    pub(crate) fn make_mut(&mut self) -> &mut [u8] {
        if self.is_shared() {
            let mut copy = Self::zeroed(self.len());
            copy.make_mut().copy_from_slice(self);
            *self = copy;
        }
        let len = self.len();
        // SAFETY: H2, H3.
        unsafe { std::slice::from_raw_parts_mut(self.bytes(), len) }
    }

    /// Asks for the first two cache lines of the block.
    #[inline]
    pub(crate) fn prefetch(&self) {
        prefetch(self.header.as_ptr());
        prefetch(self.header.as_ptr().wrapping_byte_add(LINE));
    }

    /// What the block takes.
    #[inline]
    pub(crate) fn heap_bytes(&self) -> usize {
        arena::block_bytes(HEADER + self.len())
    }
}

impl Deref for Shared {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: H3, and H2: nobody writes while there is a shared borrow of a handle.
        unsafe { std::slice::from_raw_parts(self.bytes(), self.header().len as usize) }
    }
}

impl Clone for Shared {
    #[inline]
    fn clone(&self) -> Self {
        // Relaxed: a handle is at hand already, so nothing has to be seen first.
        let before = self.header().count.fetch_add(1, Ordering::Relaxed);
        assert!(before < u32::MAX / 2, "two thousand million clones");
        Self {
            header: self.header,
        }
    }
}

impl Drop for Shared {
    #[inline]
    fn drop(&mut self) {
        // Release: our reads come before whoever writes or frees next.
        if self.header().count.fetch_sub(1, Ordering::Release) == 1 {
            // Acquire: all other handles' reads come before the block is freed.
            fence(Ordering::Acquire);
            let layout = layout(self.len());
            // SAFETY: H1: the last handle; the block came from `allocate` with this layout.
            unsafe { arena::free(self.header.cast(), layout) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_is_seen_by_its_own_handle_alone() {
        let mut a = Shared::zeroed(1000);
        a.make_mut()[999] = 7;
        let at = a.as_ptr();
        a.make_mut()[0] = 1;
        assert_eq!(a.as_ptr(), at, "not copied");
        let b = a.clone();
        assert!(a.is_shared() && b.is_shared());
        a.make_mut()[0] = 2;
        assert_eq!((a[0], a[999], b[0], b[999]), (2, 7, 1, 7));
        assert!(!a.is_shared() && !b.is_shared() && b.as_ptr() == at);
    }

    #[test]
    fn lengths_fill_blocks() {
        for len in [0, 1, 47, 48, 49, 1000, 3900, 5000, 100_000] {
            let full = Shared::fitting(len);
            assert!(full >= len);
            let (a, b) = (Shared::zeroed(len), Shared::zeroed(full));
            assert_eq!((a.len(), b.len()), (len, full));
            assert_eq!(a.heap_bytes(), b.heap_bytes());
            assert!(b.iter().all(|byte| *byte == 0));
        }
    }

    #[test]
    fn handles_on_threads_read_what_was_cloned() {
        let mut own = Shared::zeroed(300);
        std::thread::scope(|scope| {
            for round in 0..200_u8 {
                own.make_mut().fill(round);
                let handle = own.clone();
                scope.spawn(move || assert!(handle.iter().all(|byte| *byte == round)));
            }
        });
        assert!(!own.is_shared());
    }
}
