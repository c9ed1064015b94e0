//! Huge pages without their stall: Linux clears them on another thread, ahead of the allocator.
//!
//! A pipelined GET costs a seventh to a third more without huge pages (address translation), so a
//! store wants them. But the thread that first touches one waits while the kernel clears 2 MiB:
//! 0.3 ms at best, and 4 to 7 ms in a virtual machine whose host has to find the memory first. That
//! was most of what growing to five million keys showed beyond a bare loop. And a huge page that is
//! touched in one place is resident as a whole: an empty server had 14 MiB, and a store a tail for
//! each kind of the allocator's pages.
//!
//! So mimalloc gets its memory from a range of ours in which pages are small unless this file says
//! otherwise, and tells us each piece that it takes into use:
//!
//! ```text
//!   blocks of 2 MiB   |■■■■■■■■■■■■|■■■■■■■□□□□□|            |
//!                       in use       in use to   asked for: the thread makes it huge
//!                                    3/4         and has the kernel fill it
//! ```
//!
//! The allocator goes upwards through a block in steps of 64 KiB. When it takes the first step beyond
//! the middle, the thread is woken; it has a mebibyte's time, 15 ms at the pace of a million insertions
//! a second. If the allocator enters the block before the thread has begun, the request is withdrawn:
//! the block has small pages, 2 µs each, and no harm is done. So a worker waits for a huge page only if
//! it overtakes the thread in the middle of its work, and one mebibyte on average is resident before it
//! is needed.
//!
//! P1  Only blocks of which no page is resident are made huge; populating writes nothing.
//! P2  What is called from the allocator allocates nothing and takes no lock: it reads and writes
//!     atomics and wakes a futex.
//!
//! Where the range cannot be had (an address-space limit, strict overcommit) or the kernel cannot
//! populate (before 5.14), memory comes as mimalloc gets it, huge pages once [`super::HUGE_PAGES_FROM`]
//! bytes are in use.
//!
//! Checked by: tests of `alloc` (the range is there, blocks are asked for in order), and by
//! `cargo xtask bench --only growth` and `--only memory`.

use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::Relaxed};

const BLOCK: usize = 2 << 20;
/// Beyond this part of a block the next one is asked for.
const ASK_FROM: usize = BLOCK / 2;
/// mimalloc wants whole multiples of this; also the step within which it goes upwards.
const STRETCH: usize = 32 << 20;

/// mimalloc's arenas have room for the books of a little less than 16 GiB.
const ARENA: usize = 8 << 30;
/// It can have some 150 arenas, and wants a few for itself.
const SIZE_MAX: usize = 64 * ARENA;

/// The range; 0 if there is none.
static START: AtomicUsize = AtomicUsize::new(0);
static END: AtomicUsize = AtomicUsize::new(0);
/// The block to be made huge next, counted from 1; 0 if there is none. The thread sleeps on it.
static WANTED: AtomicU32 = AtomicU32::new(0);
/// Set when enough is in use.
static WANTING: AtomicBool = AtomicBool::new(false);

unsafe extern "C" {
    fn mi_process_init();
    fn mi_manage_memory(
        start: *mut c_void,
        size: usize,
        is_committed: bool,
        is_pinned: bool,
        is_zero: bool,
        numa_node: i32,
        exclusive: bool,
        commit: extern "C" fn(bool, *mut c_void, usize, *mut bool, *mut c_void) -> bool,
        commit_arg: *mut c_void,
        arena: *mut c_void,
    ) -> bool;
}

/// Reserves the range and gives it to mimalloc, before the first allocation. Takes address space, no
/// memory: as much as the machine has.
pub(super) fn reserve() -> bool {
    let size = usize::try_from(crate::memory::system_bytes()).unwrap_or(0);
    let size = size.min(SIZE_MAX) / STRETCH * STRETCH;
    if size == 0 {
        return false;
    }
    // SAFETY: a fresh mapping, of which nothing is used but what mimalloc takes; P2 holds for
    // `commit`.
    unsafe {
        let got = libc::mmap(
            null_mut(),
            size + STRETCH,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
            -1,
            0,
        );
        if got == libc::MAP_FAILED {
            return false;
        }
        let start = got.map_addr(|a| a.next_multiple_of(STRETCH));
        libc::madvise(start, size, libc::MADV_NOHUGEPAGE);
        mi_process_init();
        // Relaxed: the process has one thread yet.
        START.store(start.addr(), Relaxed);
        END.store(start.addr() + size, Relaxed);
        let mut taken = 0;
        while taken < size {
            let part = ARENA.min(size - taken);
            let at = start.byte_add(taken);
            let arena = null_mut();
            if !mi_manage_memory(
                at,
                part,
                false,
                false,
                true,
                -1,
                false,
                commit,
                null_mut(),
                arena,
            ) {
                break;
            }
            taken += part;
        }
        // What mimalloc did not take stays an empty reservation.
        END.store(if taken == 0 { 0 } else { start.addr() + taken }, Relaxed);
        taken > 0
    }
}

/// Begins to make blocks huge. Called once, when enough is in use.
pub(super) fn begin() {
    // Relaxed: END was written before there were threads; nothing hangs on when WANTING is seen.
    if END.load(Relaxed) == 0 || WANTING.swap(true, Relaxed) {
        return;
    }
    // Not a thread of the standard library's: that one allocates, and we are called by the allocator.
    // SAFETY: `populate` is a thread's function; a thread that nobody joins is detached.
    unsafe {
        let mut thread = std::mem::zeroed();
        if libc::pthread_create(&raw mut thread, std::ptr::null(), populate, null_mut()) == 0 {
            libc::pthread_detach(thread);
        }
    }
}

/// Whether enough is in use.
#[cfg(test)]
pub(in super::super) fn has_begun() -> bool {
    WANTING.load(Relaxed)
}

/// mimalloc takes memory of the range into use, or gives it up. Such memory is readable all the time.
extern "C" fn commit(
    takes: bool,
    start: *mut c_void,
    size: usize,
    _: *mut bool,
    _: *mut c_void,
) -> bool {
    if !takes {
        // SAFETY: mimalloc has no block in use there.
        return unsafe { libc::madvise(start, size, libc::MADV_DONTNEED) == 0 };
    }
    let begin = start.addr() - START.load(Relaxed);
    let end = begin + size;
    if begin.is_multiple_of(BLOCK) && WANTED.load(Relaxed) == (begin / BLOCK + 1) as u32 {
        // Too late for this one. Relaxed, and a failure means that the thread has just taken it.
        let _ = WANTED.compare_exchange((begin / BLOCK + 1) as u32, 0, Relaxed, Relaxed);
    }
    if let Some(block) = asked_for(begin, end)
        && WANTING.load(Relaxed)
    {
        // Relaxed: the number is all there is to see. Where one was still waiting, it is too late
        // for it now.
        WANTED.store(block, Relaxed);
        wake();
    }
    true
}

/// The block to ask for, counted from 1, when bytes `begin..end` of the range come into use.
fn asked_for(begin: usize, end: usize) -> Option<u32> {
    let block = (end - 1) / BLOCK;
    let from = block * BLOCK + ASK_FROM;
    // Not across the allocator's stretches: it uses each for one kind of page.
    let same_stretch = !(block + 1).is_multiple_of(STRETCH / BLOCK);
    (same_stretch && begin <= from && from < end)
        .then(|| u32::try_from(block + 2).ok())
        .flatten()
}

fn wake() {
    // SAFETY: wakes whoever sleeps on a word of ours.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            WANTED.as_ptr(),
            libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
            1,
        )
    };
}

/// The thread.
extern "C" fn populate(_: *mut c_void) -> *mut c_void {
    // SAFETY: signals are the other threads' business, and the name is terminated.
    unsafe {
        let mut all = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, null_mut());
        libc::prctl(libc::PR_SET_NAME, c"huge-pages".as_ptr());
    }
    loop {
        let wanted = WANTED.swap(0, Relaxed);
        if wanted == 0 {
            // SAFETY: sleeps on a word of ours as long as it is 0.
            unsafe {
                libc::syscall(
                    libc::SYS_futex,
                    WANTED.as_ptr(),
                    libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
                    0,
                    null_mut::<libc::timespec>(),
                )
            };
            continue;
        }
        let start = START.load(Relaxed) + (wanted as usize - 1) * BLOCK;
        if start + BLOCK <= END.load(Relaxed) && !make_huge(start) {
            // As it is without us: huge pages when they are touched.
            let (start, end) = (START.load(Relaxed), END.load(Relaxed));
            // SAFETY: advice about a mapping of ours.
            unsafe { libc::madvise(address(start), end - start, libc::MADV_HUGEPAGE) };
            return null_mut();
        }
    }
}

/// Has the kernel fill the block that begins at `start` with a huge page, unless some of it is
/// resident already or huge pages are switched off. `false` if this kernel cannot.
fn make_huge(start: usize) -> bool {
    let mut resident = [0u8; BLOCK / 4096];
    // SAFETY: the block lies in the range; populating writes nothing (P1); `resident` has room for
    // its pages, which are no smaller than 4 KiB.
    unsafe {
        if libc::prctl(libc::PR_GET_THP_DISABLE, 0, 0, 0, 0) != 0
            || libc::mincore(address(start), BLOCK, resident.as_mut_ptr()) != 0
            || resident.iter().any(|page| page & 1 != 0)
        {
            return true;
        }
        libc::madvise(address(start), BLOCK, libc::MADV_HUGEPAGE);
        libc::madvise(address(start), BLOCK, libc::MADV_POPULATE_WRITE) == 0
            || std::io::Error::last_os_error().raw_os_error() != Some(libc::EINVAL)
    }
}

fn address(at: usize) -> *mut c_void {
    // Only the kernel looks at it.
    std::ptr::without_provenance_mut(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_block_is_asked_for_once_and_in_time() {
        const STEP: usize = 64 << 10;
        let asked: Vec<u32> = (0..2 * STRETCH / STEP)
            .filter_map(|step| asked_for(step * STEP, (step + 1) * STEP))
            .collect();
        // Counted from 1; the first block of a stretch is never asked for.
        let expected: Vec<u32> = (2..=16).chain(18..=32).collect();
        assert_eq!(asked, expected);
        assert_eq!(asked_for(ASK_FROM - STEP, ASK_FROM), None);
        assert_eq!(asked_for(ASK_FROM, ASK_FROM + STEP), Some(2));
        // One piece over several blocks asks for the one behind it, if it ends late enough.
        assert_eq!(asked_for(0, 2 * BLOCK), Some(3));
        assert_eq!(asked_for(0, 2 * BLOCK + STEP), None);
    }

    #[test]
    fn the_allocator_s_memory_is_ours() {
        let block = Box::new([0u8; 100]);
        // The tests' own allocator is the system's; mimalloc's is asked by hand.
        // SAFETY: freed once.
        unsafe {
            let ours = libmimalloc_sys::mi_malloc(100);
            let range = START.load(Relaxed)..END.load(Relaxed);
            assert!(range.contains(&ours.addr()) && !range.contains(&block.as_ptr().addr()));
            libmimalloc_sys::mi_free(ours);
        }
    }
}
