//! The allocation under a listpack and an intset: bytes that grow and shrink in the middle.
//!
//! Millions of keys hold a small container each, so the room behind the last byte counts. The
//! capacity is always the size class that the allocator would serve the bytes from (steps of eight
//! up to 64, then four classes a doubling), which has two effects: nothing is wasted that the
//! allocator did not waste anyway, and appending is amortised, because a class is an eighth to a
//! quarter above the one before. With another allocator the steps are as good as any.
//!
//! P1  The capacity is at least the class of the length; at most half as much again when bytes have
//!     been taken out (`tighten`), so a container that shrinks gives its memory back.
//! P2  No change makes the length exceed `BYTES_MAX`, the bound that Redis has for the same
//!     containers; foreign bytes may come longer and then cannot grow.
//! P3  A change that fails has changed nothing.
//!
//! Sizes come from clients: all growth is `try_reserve`. Checked by: tests below, the model tests.

use std::ops::{Deref, DerefMut};

/// Why a container did not grow. Nothing has been changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It would exceed [`BYTES_MAX`]: take another kind of container.
    Size,
    /// The system gave no memory.
    Memory,
}

/// Foreign bytes are no container of this kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid {
    what: &'static str,
}

impl Invalid {
    pub(crate) const fn new(what: &'static str) -> Self {
        Self { what }
    }

    /// What is wrong with them, for a log.
    #[must_use]
    pub const fn what(self) -> &'static str {
        self.what
    }
}

/// What a packed container may grow to: 1 GiB.
pub const BYTES_MAX: usize = 1 << 30;

/// Bytes in one allocation of a fitting class.
pub(crate) struct Packed {
    vec: Vec<u8>,
}

impl Packed {
    /// A copy of `bytes`.
    pub(crate) fn copied(bytes: &[u8]) -> Result<Self, Refused> {
        let mut new = Self { vec: Vec::new() };
        new.reserve(bytes.len())?;
        new.vec.extend_from_slice(bytes);
        Ok(new)
    }

    /// Takes bytes over; copies them only if their allocation is much too large.
    pub(crate) fn adopted(vec: Vec<u8>) -> Self {
        let mut new = Self { vec };
        new.tighten();
        new
    }

    pub(crate) fn into_vec(self) -> Vec<u8> {
        self.vec
    }

    /// Bytes that the allocator gave.
    pub(crate) fn heap_bytes(&self) -> usize {
        class_size(self.vec.capacity())
    }

    /// Makes room for `total` bytes in all, so that growing up to there cannot fail.
    pub(crate) fn reserve(&mut self, total: usize) -> Result<(), Refused> {
        if total > self.vec.capacity() {
            let more = class_size(total) - self.vec.len();
            self.vec
                .try_reserve_exact(more)
                .map_err(|_| Refused::Memory)?;
        }
        Ok(())
    }

    /// Puts `len` bytes in the place of those from `from` up to `to`. What the new ones hold is
    /// unspecified; the caller writes them.
    #[inline]
    pub(crate) fn splice(&mut self, from: usize, to: usize, len: usize) -> Result<(), Refused> {
        let old = self.vec.len();
        let kept = from + (old - to);
        let new = kept.checked_add(len).ok_or(Refused::Size)?;
        if new > old {
            if new > BYTES_MAX {
                return Err(Refused::Size);
            }
            self.reserve(new)?;
            self.vec.resize(new, 0);
            if old - to == 1 {
                // An end mark and nothing else: every append.
                self.vec[new - 1] = self.vec[to];
            } else {
                self.vec.copy_within(to..old, from + len);
            }
        } else if new < old {
            self.vec.copy_within(to..old, from + len);
            self.vec.truncate(new);
            self.tighten();
        }
        Ok(())
    }

    /// Gives memory back when a third of it is unused (P1). It moves to a new allocation, and stays
    /// where it is if there is none, so giving back cannot fail.
    fn tighten(&mut self) {
        let class = class_size(self.vec.len());
        if self.vec.capacity() > class + class / 2
            && let Ok(smaller) = Self::copied(&self.vec)
        {
            *self = smaller;
        }
    }
}

impl Deref for Packed {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.vec
    }
}

impl DerefMut for Packed {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.vec
    }
}

/// As a vector's: ends the process when there is no memory. `copied` is the fallible way.
impl Clone for Packed {
    fn clone(&self) -> Self {
        let mut vec = Vec::with_capacity(class_size(self.vec.len()));
        vec.extend_from_slice(&self.vec);
        Self { vec }
    }
}

/// The size class that a request of `bytes` is served from.
const fn class_size(bytes: usize) -> usize {
    if bytes <= 64 {
        return (bytes + 7) & !7;
    }
    // Four steps between one power of two and the next.
    let step = 1 << ((bytes - 1).ilog2() - 2);
    (bytes + step - 1) & !(step - 1)
}

const _: () = assert!(class_size(0) == 0 && class_size(7) == 8 && class_size(64) == 64);
const _: () = assert!(class_size(65) == 80 && class_size(129) == 160);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splices_like_a_vector() {
        for (from, to, len) in [
            (0, 0, 3),
            (2, 5, 0),
            (2, 5, 3),
            (2, 5, 9),
            (10, 10, 4),
            (0, 10, 0),
        ] {
            let mut packed = Packed::copied(b"0123456789").expect("ten bytes");
            packed.splice(from, to, len).expect("small");
            packed[from..from + len].fill(b'x');
            let mut expected = b"0123456789".to_vec();
            expected.splice(from..to, vec![b'x'; len]);
            assert_eq!(&*packed, &expected[..]);
        }
    }

    #[test]
    fn capacity_follows_the_length_both_ways() {
        let mut packed = Packed::copied(b"").expect("nothing");
        for len in 1..5000 {
            let end = packed.len();
            packed.splice(end, end, 1).expect("small");
            assert_eq!(packed.heap_bytes(), class_size(len));
        }
        for len in (0..4999).rev() {
            packed.splice(0, 1, 0).expect("shrinks");
            let class = class_size(len);
            assert!(packed.heap_bytes() <= class + class / 2, "{len}");
        }
        let loose = Packed::adopted(Vec::with_capacity(1000));
        assert_eq!(loose.heap_bytes(), 0);
    }

    #[test]
    fn too_much_is_refused_and_changes_nothing() {
        let mut packed = Packed::copied(b"abc").expect("three bytes");
        assert_eq!(packed.splice(1, 1, BYTES_MAX), Err(Refused::Size));
        assert_eq!(packed.splice(1, 1, usize::MAX), Err(Refused::Size));
        assert_eq!(
            packed.reserve(isize::MAX as usize / 2),
            Err(Refused::Memory)
        );
        assert_eq!(&*packed, b"abc");
    }
}
