//! The allocation under a listpack and an intset: bytes that grow and shrink in the middle.
//!
//! Millions of keys hold a small container each, so the room behind the last byte counts. The
//! capacity is always the size class that the allocator would serve the bytes from (steps of eight
//! up to 64, then four classes a doubling), which has two effects: nothing is wasted that the
//! allocator did not waste anyway, and appending is amortised, because a class is an eighth to a
//! quarter above the one before. With another allocator the steps are as good as any.
//!
//! ```text
//!   room:  [ free in front | the bytes, len of them | free behind ]
//!                          ^ begin
//! ```
//!
//! A change moves the shorter of what stands before it and behind it, so adding and taking at either
//! end move next to nothing: in a list's chunk of 8 KiB a prepend that moved what is there cost 80 ns.
//! Where the side that is to move has no room but the other has, all bytes are moved once, and the
//! asking side gets all free room but a quarter: ends that are used in turn do not push each other
//! to and fro.
//!
//! P1  The capacity is at least the class of the length; at most half as much again when bytes have
//!     been taken out (`tighten`), so a container that shrinks gives its memory back.
//! P2  No change makes the length exceed `BYTES_MAX`, the bound that Redis has for the same
//!     containers; foreign bytes may come longer and then cannot grow.
//! P3  A change that fails has changed nothing.
//! P4  `begin` and `len` mark a part of `room`.
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

/// Bytes in one allocation of a fitting class. Two words and a half, as a vector: millions of keys
/// hold one.
pub(crate) struct Packed {
    room: Box<[u8]>,
    begin: u32,
    len: u32,
}

const _: () = assert!(size_of::<Packed>() == size_of::<Vec<u8>>());

impl Packed {
    /// A copy of `bytes`.
    pub(crate) fn copied(bytes: &[u8]) -> Result<Self, Refused> {
        let mut vec = Vec::new();
        vec.try_reserve_exact(class_size(bytes.len()))
            .map_err(|_| Refused::Memory)?;
        vec.extend_from_slice(bytes);
        Ok(Self::of(vec))
    }

    /// Takes bytes over, at most 4 GiB; copies them only if their allocation is much too large.
    pub(crate) fn adopted(vec: Vec<u8>) -> Self {
        let mut new = Self::of(vec);
        new.tighten();
        new
    }

    fn of(mut vec: Vec<u8>) -> Self {
        let len = u32::try_from(vec.len()).expect("no container has more than 4 GiB");
        // Into the capacity that is there: nothing is asked for, here or by the box.
        vec.resize(vec.capacity(), 0);
        Self {
            room: vec.into_boxed_slice(),
            begin: 0,
            len,
        }
    }

    pub(crate) fn into_vec(self) -> Vec<u8> {
        let bytes = self.begin()..self.begin() + self.len();
        let mut vec = self.room.into_vec();
        vec.truncate(bytes.end);
        vec.drain(..bytes.start);
        vec
    }

    /// Bytes that the allocator gave.
    pub(crate) fn heap_bytes(&self) -> usize {
        class_size(self.room.len())
    }

    #[inline]
    fn begin(&self) -> usize {
        self.begin as usize
    }

    #[inline]
    fn len(&self) -> usize {
        self.len as usize
    }

    /// Makes room for `total` bytes in all, so that growing up to there cannot fail.
    pub(crate) fn reserve(&mut self, total: usize) -> Result<(), Refused> {
        if total > self.room.len() {
            let len = self.len();
            self.rebuild(
                Gap {
                    from: len,
                    to: len,
                    len: 0,
                },
                total,
                Side::Back,
            )?;
        }
        Ok(())
    }

    /// Puts `len` bytes in the place of those from `from` up to `to`. What the new ones hold is
    /// unspecified; the caller writes them.
    #[inline]
    pub(crate) fn splice(&mut self, from: usize, to: usize, len: usize) -> Result<(), Refused> {
        let behind = self.len() - to;
        let side = if from < behind {
            Side::Front
        } else {
            Side::Back
        };
        if len >= to - from {
            let more = len - (to - from);
            if more == 0 {
                return Ok(());
            }
            let new = self.len().checked_add(more).ok_or(Refused::Size)?;
            if new > BYTES_MAX {
                return Err(Refused::Size);
            }
            let end = self.begin() + self.len();
            match side {
                Side::Front if more <= self.begin() => self.move_front(from, -(more as isize)),
                Side::Back if more <= self.room.len() - end => {
                    self.move_back(to, behind, more as isize);
                }
                _ => return self.make_room(Gap { from, to, len }, new, side),
            }
        } else {
            let less = (to - from - len) as isize;
            match side {
                Side::Front => self.move_front(from, less),
                Side::Back => self.move_back(to, behind, -less),
            }
            self.tighten();
        }
        Ok(())
    }

    /// Moves the first `count` bytes, and with them the beginning.
    #[inline]
    fn move_front(&mut self, count: usize, by: isize) {
        let old = self.begin();
        let new = old.wrapping_add_signed(by);
        self.room.copy_within(old..old + count, new);
        self.begin = new as u32;
        self.len = (self.len() as isize - by) as u32;
    }

    /// Moves the last `count` bytes, those from `from` on, and with them the end.
    #[inline]
    fn move_back(&mut self, from: usize, count: usize, by: isize) {
        let old = self.begin() + from;
        let new = old.wrapping_add_signed(by);
        if count == 1 {
            // An end mark and nothing else: every append.
            self.room[new] = self.room[old];
        } else {
            self.room.copy_within(old..old + count, new);
        }
        self.len = (self.len() as isize + by) as u32;
    }

    /// A splice to `new` bytes for which the side that is to move has no room.
    #[inline(never)]
    fn make_room(&mut self, gap: Gap, new: usize, side: Side) -> Result<(), Refused> {
        if new > self.room.len() {
            return self.rebuild(gap, new, side);
        }
        let free = self.room.len() - new;
        let begin = match side {
            Side::Front => free - free / 4,
            Side::Back => free / 4,
        };
        let old = self.begin();
        let behind = old + gap.to..old + self.len();
        let before = old..old + gap.from;
        // What moves away from the other goes first, else one would be written over.
        let to_behind = begin + gap.from + gap.len;
        if begin > old {
            self.room.copy_within(behind, to_behind);
            self.room.copy_within(before, begin);
        } else {
            self.room.copy_within(before, begin);
            self.room.copy_within(behind, to_behind);
        }
        (self.begin, self.len) = (begin as u32, new as u32);
        Ok(())
    }

    /// Moves the bytes to an allocation of `capacity` bytes or more, with the gap in them and all free
    /// room at one side.
    fn rebuild(&mut self, gap: Gap, capacity: usize, side: Side) -> Result<(), Refused> {
        let capacity = class_size(capacity);
        let new = gap.from + gap.len + (self.len() - gap.to);
        let begin = match side {
            Side::Front => capacity - new,
            Side::Back => 0,
        };
        let mut vec = Vec::new();
        vec.try_reserve_exact(capacity)
            .map_err(|_| Refused::Memory)?;
        vec.resize(begin, 0);
        vec.extend_from_slice(&self[..gap.from]);
        vec.resize(begin + gap.from + gap.len, 0);
        vec.extend_from_slice(&self[gap.to..]);
        *self = Self::of(vec);
        (self.begin, self.len) = (begin as u32, new as u32);
        Ok(())
    }

    /// Gives memory back when a third of it is unused (P1). It moves to a new allocation, and stays
    /// where it is if there is none, so giving back cannot fail.
    fn tighten(&mut self) {
        let class = class_size(self.len());
        if self.room.len() > class + class / 2
            && let Ok(smaller) = Self::copied(self)
        {
            *self = smaller;
        }
    }
}

impl Deref for Packed {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        let bytes = self.begin()..self.begin() + self.len();
        debug_assert!(bytes.end <= self.room.len(), "P4");
        // SAFETY: P4. Every look at an entry comes through here: checked, this took a search 3 %.
        unsafe { self.room.get_unchecked(bytes) }
    }
}

impl DerefMut for Packed {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        let bytes = self.begin()..self.begin() + self.len();
        debug_assert!(bytes.end <= self.room.len(), "P4");
        // SAFETY: P4.
        unsafe { self.room.get_unchecked_mut(bytes) }
    }
}

/// As a vector's: ends the process when there is no memory. `copied` is the fallible way.
impl Clone for Packed {
    fn clone(&self) -> Self {
        let mut vec = Vec::with_capacity(class_size(self.len()));
        vec.extend_from_slice(self);
        Self::of(vec)
    }
}

/// Bytes `from` up to `to` make room for `len` others.
#[derive(Clone, Copy)]
struct Gap {
    from: usize,
    to: usize,
    len: usize,
}

/// Which part of the bytes moves: what is before a gap, or what is behind it.
#[derive(Clone, Copy)]
enum Side {
    Front,
    Back,
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
    fn random_splices_leave_what_a_vector_leaves() {
        let mut state = 0x9e37_79b9_u64;
        let mut below = |n: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % n as u64) as usize
        };
        for _ in 0..200 {
            let mut packed = Packed::copied(b"").expect("nothing");
            let mut expected: Vec<u8> = Vec::new();
            if below(2) == 0 {
                packed.reserve(below(600)).expect("small");
            }
            // Most changes are at the ends, in turn or one of them for a while.
            let favourite = below(3);
            for step in 0..300 {
                let len = expected.len();
                let at = match below(4) {
                    0 => below(len + 1),
                    _ if favourite == 0 => 0,
                    _ if favourite == 1 => len,
                    _ => len * (step % 2),
                };
                let to = (at + below(3) * below(6)).min(len);
                let more = below(if step < 150 { 12 } else { 4 });
                packed.splice(at, to, more).expect("small");
                packed[at..at + more].fill(step as u8);
                expected.splice(at..to, vec![step as u8; more]);
                assert_eq!(&*packed, &expected[..]);
                assert!(packed.begin() + packed.len() <= packed.room.len(), "P4");
                assert!(packed.room.len() >= expected.len(), "P1");
            }
            assert_eq!(packed.into_vec(), expected);
        }
    }

    #[test]
    fn room_in_front_is_used() {
        let mut packed = Packed::copied(b"header").expect("six bytes");
        packed.reserve(1 << 13).expect("small");
        let mut moves = 0;
        while packed.len() + 32 < packed.room.len() {
            let before = packed.begin();
            packed.splice(3, 3, 32).expect("there is room");
            moves += usize::from(packed.begin() + 32 != before);
        }
        assert!(moves < 10, "{moves} prepends have moved everything");
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
