//! Where segments live: blocks of any multiple of 64 bytes that join again when they are free.
//!
//! All segments of a store grow through the same sizes at about the same time. An allocator of size
//! classes keeps for each class the pages of the moment at which most segments had that size, because
//! a few stragglers hold every page: at a million keys that was 9 bytes a key beside 12 of structure.
//! Here what one size leaves behind, the next one takes.
//!
//! ```text
//!   region, 64 KiB:   [block][block] .. [block][end]
//!   block:  0        2        4       5       6        8                     64 * units
//!          +--------+--------+-------+-------+--------+-----------------------+
//!          | units  | before | state | arena |        | payload               |
//!          +--------+--------+-------+-------+--------+-----------------------+
//!           size     size of  free,           a free block's payload starts with its
//!                    the one  used,           neighbours in the list of its size
//!                    before   end
//! ```
//!
//! An arena is one lock, one list of free blocks for each size up to 62 units and one for all larger
//! ones, and a word with a bit for each list that is not empty: the smallest block that fits is found
//! by one instruction, and what is left of it stays free. A thread allocates in an arena of its own
//! (as long as there are enough of them), and a block goes home to the arena in its head, whoever
//! frees it. The lock is held for some tens of instructions and nothing is waited for under it; a
//! segment comes here once in eight insertions.
//!
//! A payload starts 8 bytes behind a multiple of 64, so header and tags of a segment of sixty
//! entries lie in three cache lines.
//!
//! R1  Blocks lie one behind the other from a region's start to its end mark; each knows its size
//!     and that of the block before (0 for the first).
//! R2  Two neighbours are never both free.
//! R3  A free block is in exactly one list of its arena, that of its size; a bit of `listed` is set
//!     if and only if that list is not empty.
//! R4  Everything in a region but the payloads of used blocks is touched under its arena's lock.
//!
//! With `feature = "plain"` segments come from the global allocator, so that a sanitizer sees each
//! by itself and a model checker meets no lock that outlives its run.
//!
//! Checked by: tests below (random sizes, R1 to R3 walked after each step; threads), and all tests
//! of the table.

use super::classes::class_size;
use std::alloc::{Layout, alloc, dealloc};
use std::cell::Cell;
use std::ptr::{NonNull, null_mut};
// Not from `crate::sync`: see above.
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Sizes are multiples of this.
const UNIT: usize = 64;
/// Bytes before a payload.
const HEAD: usize = size_of::<Head>();
const REGION_BYTES: usize = 64 << 10;
/// The units of a region but the last, where the end mark stands.
const REGION_UNITS: u16 = (REGION_BYTES / UNIT - 1) as u16;
/// The last list is of all blocks that are at least this large.
const LISTS: usize = 64;
/// The largest block that is asked of a region: any block of the last list has room for it.
const BLOCK_UNITS_MAX: usize = LISTS - 2;
/// More threads than this share.
const ARENAS: usize = 16;

/// What a segment of `bytes` really takes.
pub(crate) const fn block_bytes(bytes: usize) -> usize {
    if is_arena_size(bytes) {
        (bytes + HEAD).next_multiple_of(UNIT)
    } else {
        class_size(bytes)
    }
}

/// The bytes that a segment may have without taking more than one of `bytes` does.
pub(crate) const fn payload_bytes(bytes: usize) -> usize {
    block_bytes(bytes) - if is_arena_size(bytes) { HEAD } else { 0 }
}

const fn is_arena_size(bytes: usize) -> bool {
    !cfg!(feature = "plain") && bytes + HEAD <= BLOCK_UNITS_MAX * UNIT
}

/// Allocates a block aligned to 8, uninitialised; `None` if the system refuses.
pub(crate) fn allocate(layout: Layout) -> Option<NonNull<u8>> {
    debug_assert!(layout.align() <= HEAD && layout.size() > 0);
    if !is_arena_size(layout.size()) {
        // SAFETY: the layout is not empty.
        return NonNull::new(unsafe { alloc(layout) });
    }
    let index = mine();
    let units = block_bytes(layout.size()) / UNIT;
    let mut arena = lock(index);
    let block = arena.allocate(units as u16, index as u8);
    // Relaxed, here and below: a figure; only the lock's holder writes.
    IDLE[index].store(arena.idle_units, Ordering::Relaxed);
    block
}

/// Free units of each arena.
static IDLE: [AtomicUsize; ARENAS] = [const { AtomicUsize::new(0) }; ARENAS];

/// Bytes that the arenas have from the allocator and that no block uses.
pub fn idle_bytes() -> usize {
    let units = |idle: &AtomicUsize| idle.load(Ordering::Relaxed);
    IDLE.iter().map(units).sum::<usize>() * UNIT
}

/// Frees a block.
///
/// # Safety
/// It came from [`allocate`] with this layout, and nobody uses it any more.
pub(crate) unsafe fn free(block: NonNull<u8>, layout: Layout) {
    if !is_arena_size(layout.size()) {
        // SAFETY: the caller's promise; such a size came from the global allocator.
        return unsafe { dealloc(block.as_ptr(), layout) };
    }
    // SAFETY: a used block's head is in front of its payload, and its arena never changes.
    unsafe {
        let head = block.as_ptr().sub(HEAD).cast::<Head>();
        let index = usize::from((*head).arena);
        let mut arena = lock(index);
        arena.free(head);
        IDLE[index].store(arena.idle_units, Ordering::Relaxed);
    }
}

/// The calling thread's arena.
fn mine() -> usize {
    thread_local! {
        static MINE: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    // A thread that is ending may have lost its storage; any arena will do.
    MINE.try_with(|mine| {
        if mine.get() == usize::MAX {
            // Relaxed: a number, no order.
            mine.set(NEXT.fetch_add(1, Ordering::Relaxed) % ARENAS);
        }
        mine.get()
    })
    .unwrap_or(0)
}

fn lock(index: usize) -> std::sync::MutexGuard<'static, Arena> {
    static ALL: [Mutex<Arena>; ARENAS] = [const { Mutex::new(Arena::new()) }; ARENAS];
    // Whoever panicked under the lock met a broken invariant, and the process is on its way down.
    ALL[index].lock().unwrap_or_else(PoisonError::into_inner)
}

const FREE: u8 = 0;
const USED: u8 = 1;
const END: u8 = 2;

/// A block's head.
#[repr(C, align(8))]
struct Head {
    units: u16,
    before: u16,
    state: u8,
    arena: u8,
}

/// What a free block's payload starts with: its place in a list.
#[repr(C)]
struct Links {
    last: *mut Head,
    next: *mut Head,
}

const _: () = assert!(HEAD == 8 && HEAD + size_of::<Links>() <= UNIT);
const _: () = assert!(ARENAS <= u8::MAX as usize && REGION_BYTES / UNIT <= u16::MAX as usize);

struct Arena {
    lists: [*mut Head; LISTS],
    listed: u64,
    /// Units of all free blocks.
    idle_units: usize,
}

// SAFETY: the pointers lead to regions that belong to the arena alone (R4).
unsafe impl Send for Arena {}

// SAFETY of the blocks below: R1 says where heads are, and `&mut self` is the lock of R4.
impl Arena {
    const fn new() -> Self {
        Self {
            lists: [null_mut(); LISTS],
            listed: 0,
            idle_units: 0,
        }
    }

    fn allocate(&mut self, units: u16, arena: u8) -> Option<NonNull<u8>> {
        debug_assert!(usize::from(units) <= BLOCK_UNITS_MAX);
        let fitting = self.listed >> units << units;
        let block = if fitting == 0 {
            let block = Self::region(arena)?;
            self.idle_units += usize::from(REGION_UNITS);
            block
        } else {
            let block = self.lists[fitting.trailing_zeros() as usize];
            // SAFETY: R3.
            unsafe { self.unlist(block) };
            block
        };
        self.idle_units -= usize::from(units);
        // SAFETY: R1: the block has at least `units`, and another one or the end behind it.
        unsafe {
            let left = (*block).units - units;
            (*block).state = USED;
            if left > 0 {
                (*block).units = units;
                let rest = after(block);
                rest.write(Head {
                    units: left,
                    before: units,
                    state: FREE,
                    arena,
                });
                (*after(rest)).before = left;
                self.list(rest);
            }
            NonNull::new(block.cast::<u8>().add(HEAD))
        }
    }

    /// # Safety
    /// `block` is used, and a block of this arena.
    unsafe fn free(&mut self, mut block: *mut Head) {
        // SAFETY: R1.
        unsafe {
            debug_assert_eq!(
                (*block).state,
                USED,
                "freed twice, or written before its start"
            );
            (*block).state = FREE;
            self.idle_units += usize::from((*block).units);
            let next = after(block);
            if (*next).state == FREE {
                self.unlist(next);
                (*block).units += (*next).units;
            }
            if (*block).before > 0 {
                let last = block.byte_sub(usize::from((*block).before) * UNIT);
                if (*last).state == FREE {
                    self.unlist(last);
                    (*last).units += (*block).units;
                    block = last;
                }
            }
            // One large block stays at hand, so that a segment that comes and goes does not carry a
            // region to and fro.
            if (*block).units == REGION_UNITS && !self.lists[LISTS - 1].is_null() {
                dealloc(block.cast(), REGION);
                self.idle_units -= usize::from(REGION_UNITS);
                return;
            }
            (*after(block)).before = (*block).units;
            self.list(block);
        }
    }

    /// A fresh region: one free block, in no list yet.
    fn region(arena: u8) -> Option<*mut Head> {
        // SAFETY: the layout is not empty.
        let block = NonNull::new(unsafe { alloc(REGION) }.cast::<Head>())?.as_ptr();
        let head = |units, before, state| Head {
            units,
            before,
            state,
            arena,
        };
        // SAFETY: both lie inside the allocation, which is aligned to 8.
        unsafe {
            block.write(head(REGION_UNITS, 0, FREE));
            after(block).write(head(0, REGION_UNITS, END));
        }
        Some(block)
    }

    /// # Safety
    /// `block` is free and in no list.
    unsafe fn list(&mut self, block: *mut Head) {
        // SAFETY: R3: list members are free blocks, whose payloads hold links.
        unsafe {
            let list = list_of(block);
            let next = self.lists[list];
            links(block).write(Links {
                last: null_mut(),
                next,
            });
            if !next.is_null() {
                (*links(next)).last = block;
            }
            self.lists[list] = block;
            self.listed |= 1 << list;
        }
    }

    /// # Safety
    /// `block` is in the list of its size.
    unsafe fn unlist(&mut self, block: *mut Head) {
        // SAFETY: as in `list`.
        unsafe {
            let list = list_of(block);
            let Links { last, next } = links(block).read();
            if !next.is_null() {
                (*links(next)).last = last;
            }
            if last.is_null() {
                self.lists[list] = next;
                if next.is_null() {
                    self.listed &= !(1 << list);
                }
            } else {
                (*links(last)).next = next;
            }
        }
    }
}

/// With the alignment that every allocator gives for nothing; mimalloc's blocks of this size start at
/// multiples of it, which the cache lines of the essay want and no invariant needs.
const REGION: Layout = match Layout::from_size_align(REGION_BYTES, align_of::<Head>()) {
    Ok(layout) => layout,
    Err(_) => panic!("64 KiB are a valid layout"),
};

/// The head behind a block.
///
/// # Safety
/// R1 holds for the block.
unsafe fn after(block: *mut Head) -> *mut Head {
    // SAFETY: there is another block or the end mark.
    unsafe { block.byte_add(usize::from((*block).units) * UNIT) }
}

/// # Safety
/// The block is free.
unsafe fn links(block: *mut Head) -> *mut Links {
    // SAFETY: a unit has room for head and links.
    unsafe { block.byte_add(HEAD).cast() }
}

/// # Safety
/// R1 holds for the block.
unsafe fn list_of(block: *mut Head) -> usize {
    // SAFETY: the caller's promise.
    usize::from(unsafe { (*block).units }).min(LISTS - 1)
}

#[cfg(all(test, not(feature = "plain")))]
mod tests {
    use super::*;

    fn layout(bytes: usize) -> Layout {
        Layout::from_size_align(bytes, 8).expect("a valid layout")
    }

    /// Numbers without end, the same in each run.
    fn random(state: &mut u64) -> usize {
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (*state >> 33) as usize
    }

    /// Walks the lists and from each listed block its region; returns listed units.
    fn check(arena: &Arena) -> usize {
        let mut units = 0;
        for (list, first) in arena.lists.iter().enumerate() {
            assert_eq!(arena.listed >> list & 1 == 1, !first.is_null(), "R3");
            let (mut block, mut last) = (*first, null_mut());
            while !block.is_null() {
                // SAFETY: the invariants that this checks.
                unsafe {
                    assert_eq!((*block).state, FREE, "R3");
                    assert_eq!(list_of(block), list, "R3");
                    assert_eq!((*links(block)).last, last, "R3");
                    units += usize::from((*block).units);
                    let next = after(block);
                    assert_eq!((*next).before, (*block).units, "R1");
                    assert_ne!((*next).state, FREE, "R2");
                    if (*block).before > 0 {
                        let before = block.byte_sub(usize::from((*block).before) * UNIT);
                        assert_eq!((*before).units, (*block).before, "R1");
                        assert_ne!((*before).state, FREE, "R2");
                    }
                    (last, block) = (block, (*links(block)).next);
                }
            }
        }
        assert_eq!(units, arena.idle_units, "what is listed is what is idle");
        units
    }

    #[test]
    fn sizes_end_where_units_end() {
        assert_eq!((block_bytes(74), payload_bytes(74)), (128, 120));
        assert_eq!((block_bytes(120), block_bytes(121)), (128, 192));
        let largest = BLOCK_UNITS_MAX * UNIT - HEAD;
        assert_eq!(payload_bytes(largest), largest);
        // Beyond, the allocator's own classes.
        assert_eq!(payload_bytes(largest + 1), block_bytes(largest + 1));
        assert_eq!(block_bytes(largest + 1), class_size(largest + 1));
    }

    #[test]
    fn what_is_freed_joins_again() {
        let mut arena = Arena::new();
        let mut seed = 1;
        let mut held: Vec<(NonNull<u8>, usize)> = Vec::new();
        for step in 0..20_000 {
            // Grows, shrinks, grows.
            let grow = random(&mut seed) % 8 < if step / 4_000 % 2 == 0 { 5 } else { 3 };
            if grow || held.is_empty() {
                let units = 2 + random(&mut seed) % 17;
                let block = arena.allocate(units as u16, 0).expect("there is memory");
                assert!(block.addr().get().is_multiple_of(8));
                // SAFETY: ours.
                unsafe { block.write_bytes(0xa5, units * UNIT - HEAD) };
                held.push((block, units));
            } else {
                let (block, _) = held.swap_remove(random(&mut seed) % held.len());
                // SAFETY: came from this arena, and is no longer used.
                unsafe { arena.free(block.as_ptr().sub(HEAD).cast()) };
            }
            if step % 16 == 0 {
                check(&arena);
            }
        }
        for (block, units) in held {
            // SAFETY: as above; nobody wrote over it in the meantime.
            unsafe {
                assert_eq!(
                    (*block.as_ptr().sub(HEAD).cast::<Head>()).units,
                    units as u16
                );
                arena.free(block.as_ptr().sub(HEAD).cast());
            }
        }
        assert_eq!(check(&arena), usize::from(REGION_UNITS), "one region stays");
        // SAFETY: the only region, whole and in the last list.
        unsafe { dealloc(arena.lists[LISTS - 1].cast(), REGION) };
    }

    #[test]
    fn a_block_goes_home_from_any_thread() {
        let blocks: Vec<_> = (0..2_000)
            .map(|i| {
                let layout = layout(74 + i % 700);
                let block = allocate(layout).expect("there is memory");
                // SAFETY: ours; the whole of what was asked for.
                unsafe { block.write_bytes(i as u8, layout.size()) };
                (block.expose_provenance().get(), layout)
            })
            .collect();
        let home = mine();
        std::thread::scope(|scope| {
            for part in blocks.chunks(500) {
                scope.spawn(move || {
                    for (i, &(address, layout)) in part.iter().enumerate() {
                        let block = std::ptr::with_exposed_provenance_mut::<u8>(address);
                        let block = NonNull::new(block).expect("it was not null");
                        // SAFETY: this thread has it to itself.
                        unsafe {
                            let byte = block.read();
                            assert_eq!(block.add(layout.size() - 1).read(), byte, "{i}");
                            free(block, layout);
                        }
                    }
                    assert_ne!(mine(), home);
                });
            }
        });
        check(&lock(home));
    }
}
