//! The allocator of every program of ours: mimalloc behind a counter.
//!
//! `used_memory` is the sum of what the blocks in use really occupy (mimalloc's size classes, not
//! what was asked for), because that is what `maxmemory` must bound. A counter that all threads add
//! to would cost a contended cache line an allocation, so each thread has a slot of its own:
//!
//! ```text
//!   thread ── its slot: net bytes since the last flush ──(at ± 32 KiB)──▶ TOTAL ──▶ PEAK
//! ```
//!
//! [`used_bytes`] reads `TOTAL` alone (one load, at most 32 KiB a thread behind); [`used_bytes_exact`]
//! adds the slots. How a thread finds its slot is the system's business (`slot` in `posix.rs` and
//! `windows.rs`): thread-local storage where the compiler has it natively, since an allocator cannot
//! use storage that itself allocates.
//!
//! **Refused allocations.** A null from mimalloc is handed on, so `try_reserve` and its like see an
//! error and a command answers -OOM. Code that cannot live with a refusal calls
//! `handle_alloc_error`, which aborts; on POSIX the abort's signal finds in [`refused`] that a
//! refusal led there and ends with [`exit_refused`]: one line with the memory figures and exit code
//! [`REFUSED_EXIT_CODE`]. Windows aborts by a fast-fail that nobody can catch; there refusals below
//! [`SMALL_BYTES`] (no client chooses those) end in [`exit_refused`] straight away, and a larger one
//! on a path that cannot fail leaves the system's fast-fail code after the library's line on stderr.
//!
//! Invariants: A1 a slot's net is changed by threads that own it; A2 `TOTAL` plus all nets equals
//! the bytes in use, except between the two stores of a flush.
//!
//! Checked by: tests below; `redstart-server/tests/refused.rs` under an address-space limit.

use libmimalloc_sys::{
    mi_calloc, mi_free, mi_malloc, mi_malloc_aligned, mi_realloc_aligned, mi_usable_size,
    mi_zalloc_aligned,
};
use std::alloc::{GlobalAlloc, Layout};
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicIsize, AtomicU64, AtomicUsize, Ordering::Relaxed};

#[cfg(unix)]
#[path = "posix.rs"]
mod system;
#[cfg(windows)]
#[path = "windows.rs"]
mod system;

/// Install with `#[global_allocator]`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counting;

/// The exit code of a process to which the system refused memory that it could not do without.
pub const REFUSED_EXIT_CODE: i32 = 12;

/// Refusals below this size mean that nothing is left, not that a client asked for much.
pub const SMALL_BYTES: usize = 4096;

/// Slots of threads; a power of two.
const SLOTS: usize = 256;
/// What a slot holds back at most.
const STEP: isize = 32 * 1024;

/// From this much memory in use on, Linux gives us huge pages. A store wants them: without, a pipelined
/// GET costs a seventh to a third more (address translation). But an empty server touches a little here
/// and there, which as huge pages is 14 MiB and as small ones 4.5. How they come: `ahead.rs`.
const HUGE_PAGES_FROM: isize = 8 << 20;

/// mimalloc's blocks are aligned to this without being asked. `.cargo/config.toml` builds it with
/// `MI_MAX_ALIGN_SIZE=8`, so that an entry of 56 bytes takes 56 and not 64; whoever builds without
/// that flag gets blocks that are aligned better than this promises, and larger ones.
const FREE_ALIGNMENT: usize = 8;

/// A thread's own counter, alone on its cache lines (two: processors fetch pairs).
#[repr(align(128))]
struct Slot {
    net: AtomicIsize,
}

static SLOT: [Slot; SLOTS] = [const {
    Slot {
        net: AtomicIsize::new(0),
    }
}; SLOTS];
static TOTAL: AtomicIsize = AtomicIsize::new(0);
static PEAK: AtomicIsize = AtomicIsize::new(0);
static REFUSALS: AtomicU64 = AtomicU64::new(0);
static HOOK: AtomicUsize = AtomicUsize::new(0);

/// Bytes in use, at most 32 KiB a thread behind; one load.
// Relaxed throughout: counters order nothing else.
#[inline]
#[must_use]
pub fn used_bytes() -> u64 {
    u64::try_from(TOTAL.load(Relaxed)).unwrap_or(0)
}

/// Bytes in use to the last one, as seen at some moment of the call; reads all slots.
#[must_use]
pub fn used_bytes_exact() -> u64 {
    let nets: isize = SLOT.iter().map(|s| s.net.load(Relaxed)).sum();
    u64::try_from(TOTAL.load(Relaxed) + nets).unwrap_or(0)
}

/// Bytes in use, to the last one where that decides on which side of `limit` they are; elsewhere as
/// [`used_bytes`], which is cheaper.
#[must_use]
pub fn used_bytes_near(limit: u64) -> u64 {
    let about = used_bytes();
    let slots = system::claimed(SLOTS);
    if about.abs_diff(limit) > slots as u64 * STEP.unsigned_abs() as u64 {
        return about;
    }
    let nets: isize = SLOT[..slots].iter().map(|s| s.net.load(Relaxed)).sum();
    u64::try_from(TOTAL.load(Relaxed) + nets).unwrap_or(0)
}

/// The most that was ever in use.
#[must_use]
pub fn peak_bytes() -> u64 {
    u64::try_from(PEAK.load(Relaxed))
        .unwrap_or(0)
        .max(used_bytes_exact())
}

/// How many allocations the system has refused.
#[must_use]
pub fn refusals() -> u64 {
    REFUSALS.load(Relaxed)
}

/// The size that a block of `size` bytes really takes.
#[must_use]
pub fn good_size(size: usize) -> usize {
    // SAFETY: a pure function of its argument.
    unsafe { libmimalloc_sys::mi_good_size(size) }
}

/// `mimalloc-3.1.5`, for `--version` and INFO's `mem_allocator`.
#[must_use]
pub fn name() -> String {
    // SAFETY: returns a constant.
    let version = unsafe { libmimalloc_sys::mi_version() };
    // Versions before 3.3 are three digits, later ones two digits a part.
    let (major, minor, patch) = match version {
        v if v < 10_000 => (v / 100, v / 10 % 10, v % 10),
        v => (v / 10_000, v / 100 % 100, v % 100),
    };
    format!("mimalloc-{major}.{minor}.{patch}")
}

/// The allocator's own report, for MEMORY MALLOC-STATS.
#[must_use]
pub fn report() -> String {
    unsafe extern "C" fn append(line: *const core::ffi::c_char, to: *mut core::ffi::c_void) {
        // SAFETY: mimalloc hands over a zero-terminated line and the pointer that was given below.
        let (line, to) = unsafe { (core::ffi::CStr::from_ptr(line), &mut *to.cast::<String>()) };
        to.push_str(&line.to_string_lossy());
    }
    let mut text = String::new();
    // SAFETY: `append` fits the pointer, and is called only before this returns.
    unsafe { libmimalloc_sys::mi_stats_print_out(Some(append), (&raw mut text).cast()) };
    text
}

/// Gives unused memory back to the system: this thread's, and what threads have abandoned.
pub fn purge() {
    // SAFETY: may be called at any time by any thread.
    unsafe { libmimalloc_sys::mi_collect(true) };
}

/// Whether a thread gives unused memory back to the system while nobody asks for any.
static PURGING: AtomicBool = AtomicBool::new(false);

/// How often it does.
const PURGE_PERIOD: std::time::Duration = std::time::Duration::from_secs(1);

/// `jemalloc-bg-thread`: memory that has been freed goes back to the system although the threads that
/// freed it sleep; otherwise it goes back when they work again.
pub fn set_background_purge(on: bool) {
    static STARTED: AtomicBool = AtomicBool::new(false);
    PURGING.store(on, Relaxed);
    if on && !STARTED.swap(true, Relaxed) {
        let spawned = std::thread::Builder::new().name("purge".into()).spawn(|| {
            loop {
                std::thread::sleep(PURGE_PERIOD);
                if PURGING.load(Relaxed) {
                    // Not by force: what a busy thread freed a moment ago it will want again.
                    // SAFETY: may be called at any time by any thread.
                    unsafe { libmimalloc_sys::mi_collect(false) };
                }
            }
        });
        STARTED.store(spawned.is_ok(), Relaxed);
    }
}

/// The size that this thread was refused a moment ago (100 ms): an abort that comes now comes from
/// there. Async-signal-safe.
#[must_use]
pub fn refused() -> Option<usize> {
    let (size, when_us) = system::refused();
    (size != 0 && crate::clock::monotonic_us().saturating_sub(when_us) < 100_000).then_some(size)
}

/// The hook that [`exit_refused`] calls before the process ends: flushes the log and whatever else
/// must reach its file. Set once; must not allocate.
pub fn on_refused(hook: fn(line: &[u8])) {
    // Relaxed: set while the process still has one thread.
    HOOK.store(hook as usize, Relaxed);
}

/// Ends the process because `size` bytes were refused where that cannot be answered. Writes one
/// line through the hook (or to stderr) with the memory figures; allocates nothing.
pub fn exit_refused(size: usize) -> ! {
    let mut line = crate::raw::Line::new();
    line.text(b"Out Of Memory: the system refused ")
        .number(size as u64);
    line.text(b" bytes; used_memory:").number(used_bytes());
    line.text(b" used_memory_peak:")
        .number(u64::try_from(PEAK.load(Relaxed)).unwrap_or(0));
    line.text(b" used_memory_rss:")
        .number(crate::memory::resident_bytes_raw());
    line.text(b" total_system_memory:")
        .number(crate::memory::system_bytes());
    let hook = HOOK.load(Relaxed);
    if hook == 0 {
        line.text(b"\n");
        crate::raw::write_stderr(line.bytes());
    } else {
        // SAFETY: only `on_refused` writes this word, and only from a function of this type.
        let hook: fn(&[u8]) = unsafe { std::mem::transmute::<usize, fn(&[u8])>(hook) };
        hook(line.bytes());
    }
    crate::raw::exit_now(REFUSED_EXIT_CODE)
}

/// Books `change` bytes for the calling thread.
#[inline]
fn book(change: isize) {
    let at = system::slot(SLOTS);
    let net = system::add(&SLOT[at].net, change, at == SLOTS - 1);
    if net.unsigned_abs() >= STEP.unsigned_abs() {
        flush(at, net);
    }
}

/// Huge pages are not to come back with the need (`disable-thp`).
pub(crate) fn keep_huge_pages_off() {
    system::keep_huge_pages_off();
}

#[cold]
fn flush(at: usize, net: isize) {
    let total = TOTAL.fetch_add(net, Relaxed) + net;
    system::add(&SLOT[at].net, -net, at == SLOTS - 1);
    if total > PEAK.load(Relaxed) {
        let peak = PEAK.fetch_max(total, Relaxed);
        if peak <= HUGE_PAGES_FROM && total > HUGE_PAGES_FROM {
            system::allow_huge_pages();
        }
    }
}

#[inline]
fn usable(block: *mut c_void) -> isize {
    // SAFETY: `block` came from mimalloc and is in use.
    unsafe { mi_usable_size(block) }.cast_signed()
}

#[inline]
fn booked(block: *mut c_void, size: usize) -> *mut u8 {
    if block.is_null() {
        note_refusal(size);
    } else {
        book(usable(block));
    }
    block.cast()
}

#[cold]
fn note_refusal(size: usize) {
    REFUSALS.fetch_add(1, Relaxed);
    system::set_refused(size.max(1), crate::clock::monotonic_us());
    if !system::ABORT_CAN_BE_CAUGHT && size < SMALL_BYTES {
        exit_refused(size);
    }
}

// SAFETY: every method hands on mimalloc's blocks, which fit the layout asked for (its plain calls
// align to `FREE_ALIGNMENT`, its aligned calls to any power of two), and frees only through it.
unsafe impl GlobalAlloc for Counting {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let size = layout.size();
        // SAFETY: sizes and alignments of a `Layout` are what these calls accept.
        let block = unsafe {
            if layout.align() <= FREE_ALIGNMENT {
                mi_malloc(size)
            } else {
                mi_malloc_aligned(size, layout.align())
            }
        };
        booked(block, size)
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let size = layout.size();
        // SAFETY: as in `alloc`.
        let block = unsafe {
            if layout.align() <= FREE_ALIGNMENT {
                mi_calloc(1, size)
            } else {
                mi_zalloc_aligned(size, layout.align())
            }
        };
        booked(block, size)
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, _: Layout) {
        book(-usable(block.cast()));
        // SAFETY: the caller owns `block`, which came from one of the calls above.
        unsafe { mi_free(block.cast()) };
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let before = usable(block.cast());
        // SAFETY: the caller owns `block`; on refusal it stays as it was.
        let new = unsafe { mi_realloc_aligned(block.cast(), size, layout.align()) };
        if new.is_null() {
            note_refusal(size);
        } else {
            book(usable(new) - before);
        }
        new.cast()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Our counters are the process's, and where tests run as threads of one process (under Wine; a
    /// plain `cargo test`) each must have them to itself to compare them.
    fn alone() -> std::sync::MutexGuard<'static, ()> {
        static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
        // A test that failed with the counters in hand says nothing about the next one.
        ALONE
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    // The tests' own allocator stays the system's: these call ours by hand.
    fn with_block(size: usize, align: usize, f: impl FnOnce(*mut u8)) {
        let layout = Layout::from_size_align(size, align).expect("a valid layout");
        // SAFETY: a block is allocated, used and freed with one layout.
        unsafe {
            let block = Counting.alloc(layout);
            assert!(!block.is_null() && block.addr().is_multiple_of(align));
            f(block);
            Counting.dealloc(block, layout);
        }
    }

    #[test]
    fn counts_what_blocks_occupy_on_every_thread() {
        let _alone = alone();
        let before = used_bytes_exact();
        with_block(1 << 20, 4096, |_| {
            assert!(used_bytes_exact() >= before + (1 << 20));
            assert_eq!(used_bytes_near(before + 20_000), used_bytes_exact());
            assert_eq!(used_bytes_near(1 << 40), used_bytes());
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    std::thread::spawn(|| {
                        for _ in 0..1000 {
                            with_block(1000, 8, |_| ());
                            with_block(100_000, 64, |_| ());
                        }
                    })
                })
                .collect();
            for t in threads {
                t.join().expect("the thread only allocates");
            }
        });
        assert_eq!(used_bytes_exact(), before);
        assert!(peak_bytes() >= before + (1 << 20));
    }

    #[test]
    fn growing_keeps_the_sum() {
        let _alone = alone();
        let before = used_bytes_exact();
        let small = Layout::from_size_align(10, 1).expect("a valid layout");
        // SAFETY: the block is freed with the layout of its last size.
        unsafe {
            let block = Counting.realloc(Counting.alloc_zeroed(small), small, 200_000);
            assert!(used_bytes_exact() >= before + 200_000);
            Counting.dealloc(
                block,
                Layout::from_size_align(200_000, 1).expect("a valid layout"),
            );
        }
        assert_eq!(used_bytes_exact(), before);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn huge_pages_come_with_the_need() {
        let _alone = alone();
        // The other tests need less.
        assert!(!system::wants_huge_pages(), "an empty server has none");
        with_block(2 * HUGE_PAGES_FROM.unsigned_abs(), 8, |_| {
            assert!(system::wants_huge_pages());
        });
        assert!(system::wants_huge_pages(), "and stays so");
    }

    /// The flag in `.cargo/config.toml` has reached mimalloc.
    #[test]
    fn small_blocks_come_in_steps_of_eight() {
        let _alone = alone();
        for size in (8..=64).step_by(8) {
            with_block(size, 8, |block| {
                assert_eq!(usable(block.cast()), size.cast_signed());
            });
        }
    }

    #[test]
    fn every_alignment_is_kept() {
        let _alone = alone();
        for align in [1, 2, 4, 8, 16, 32, 64, 4096] {
            for size in [1, 8, 24, 40, 56, 72, 104, 120, 1000, 5000, 100_000] {
                // Several at a time: a first block of a page is aligned by chance.
                with_block(size, align, |_| {
                    with_block(size, align, |_| with_block(size, align, |_| ()));
                });
                let layout = Layout::from_size_align(size, align).expect("a valid layout");
                let grown = Layout::from_size_align(size * 3, align).expect("a valid layout");
                // SAFETY: each block is used and freed with its last layout.
                unsafe {
                    let zeroed = Counting.alloc_zeroed(layout);
                    assert!(!zeroed.is_null() && zeroed.addr().is_multiple_of(align));
                    zeroed.add(size - 1).write(7);
                    let moved = Counting.realloc(zeroed, layout, grown.size());
                    assert!(!moved.is_null() && moved.addr().is_multiple_of(align));
                    assert_eq!(moved.add(size - 1).read(), 7);
                    let shrunk = Counting.realloc(moved, grown, size);
                    assert!(!shrunk.is_null() && shrunk.addr().is_multiple_of(align));
                    assert_eq!(shrunk.add(size - 1).read(), 7);
                    Counting.dealloc(shrunk, layout);
                }
            }
        }
    }

    #[test]
    fn a_refusal_is_null_and_noted() {
        let _alone = alone();
        let huge = Layout::from_size_align(1 << 60, 1).expect("a valid layout");
        let before = refusals();
        // SAFETY: the block is never used.
        assert!(unsafe { Counting.alloc(huge) }.is_null());
        assert_eq!((refusals() - before, refused()), (1, Some(1 << 60)));
    }

    #[test]
    fn has_a_version() {
        let name = name();
        assert!(
            name.starts_with("mimalloc-3.") && name.matches('.').count() == 2,
            "{name}"
        );
    }
}
