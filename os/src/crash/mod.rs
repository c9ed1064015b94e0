//! The last words: what a crash leaves in the log.
//!
//! ```text
//!   === REDIS BUG REPORT START: Cut & paste starting from here ===
//!   1234:signal-handler (1795508160) Redis 7.2.4 crashed by signal: 11, si_code: 1
//!   ------ STACK TRACE ------
//!   ------ (the server's: INFO, the current client and its command) ------
//!   === REDIS BUG REPORT END. Make sure to include from START to END. ===
//! ```
//!
//! Tools and people look for these lines, so they are Redis's. Afterwards the process ends as it would
//! have without us: by the same signal (POSIX), by the same exception (Windows), so whoever started
//! it sees why.
//!
//! A crashed process can be trusted with little. The lines above the stack trace use nothing but the
//! bare write and numbers formatted on the stack. What follows may allocate or wait for a lock that
//! the crashed thread holds, so a time limit stands over it, a second crash in the same thread ends the
//! report, and other threads that crash meanwhile wait for the first one's end.
//!
//! A refused allocation that nobody could answer arrives here as an abort and goes on to
//! [`crate::alloc::exit_refused`].
//!
//! Invariants: K1 one report a process; K2 handlers run on a stack of their own where
//! [`protect_thread`] has given one (a stack that has run over is then reported too).
//!
//! Checked by: `redstart-server/tests/crash.rs`, which crashes real processes.

use crate::raw::{self, Descriptor, Line};
use std::sync::OnceLock;
#[cfg(unix)]
use std::sync::atomic::AtomicI32 as AtomicDescriptor;
#[cfg(windows)]
use std::sync::atomic::AtomicIsize as AtomicDescriptor;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

#[cfg(unix)]
#[path = "posix.rs"]
mod system;
#[cfg(windows)]
#[path = "windows.rs"]
mod system;

#[cfg(unix)]
pub(crate) use system::handle;
pub use system::{protect_thread, segfault};

/// Takes the bytes of a report.
pub type Put<'a> = &'a mut dyn FnMut(&[u8]);

/// What a program adds to the report.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// `Redis 7.2.4`.
    pub name: &'static str,
    /// Writes sections of its own through the function that it is given. It runs in a crashed
    /// process: it must not wait for locks.
    pub sections: fn(Put<'_>),
}

static PROGRAM: OnceLock<Program> = OnceLock::new();
/// Where reports go: the log file, or standard output.
static OUTPUT: AtomicDescriptor = AtomicDescriptor::new(system::STDOUT);
static ENABLED: AtomicBool = AtomicBool::new(true);
static MEMORY_CHECK: AtomicBool = AtomicBool::new(true);
static EXIT_ON_PANIC: AtomicBool = AtomicBool::new(false);

/// Installs the handlers and the panic hook; the first caller's program is the one that reports.
pub fn install(program: Program) {
    if PROGRAM.set(program).is_ok() {
        system::install();
        protect_thread();
        std::panic::set_hook(Box::new(on_panic));
    }
}

/// Sends reports to another file from now on.
pub fn set_output(descriptor: Descriptor) {
    // Relaxed: a report to the old file, which is still open, is as good.
    OUTPUT.store(descriptor, Relaxed);
}

/// Writes a stamped line into the log without taking its lock: the last word of a process that has
/// no memory for more.
pub fn write_line(text: &[u8]) {
    let mut line = Line::new();
    stamped(&mut line);
    put(line.text(b"# ").text(text).text(b"\n").bytes());
    raw::flush(OUTPUT.load(Relaxed));
}

/// `crash-log-enabled`: without it a crash only ends the process.
pub fn set_enabled(on: bool) {
    ENABLED.store(on, Relaxed);
}

/// `crash-memcheck-enabled`: whether a report contains a quick test of fresh memory.
pub fn set_memory_check(on: bool) {
    MEMORY_CHECK.store(on, Relaxed);
}

/// `use-exit-on-panic`: [`end_after_panic`] exits with 1 instead of aborting.
pub fn set_exit_on_panic(on: bool) {
    EXIT_ON_PANIC.store(on, Relaxed);
}

/// Ends the process after a panic whose report has been written: the store may be half changed.
pub fn end_after_panic() -> ! {
    if EXIT_ON_PANIC.load(Relaxed) {
        raw::exit_now(1);
    }
    system::abort_silently()
}

fn put(bytes: &[u8]) {
    raw::write_to(OUTPUT.load(Relaxed), bytes);
}

fn name() -> &'static str {
    PROGRAM.get().map_or("Redstart", |p| p.name)
}

/// `1234:signal-handler (1795508160) `.
fn stamped(line: &mut Line) {
    line.number(std::process::id().into())
        .text(b":signal-handler (");
    line.number(u64::try_from(crate::clock::wall_us() / 1_000_000).unwrap_or(0))
        .text(b") ");
}

fn put_start() {
    put(b"\n\n=== REDIS BUG REPORT START: Cut & paste starting from here ===\n");
}

fn put_end() {
    put(b"\n=== REDIS BUG REPORT END. Make sure to include from START to END. ===\n\n");
    put(b"       Please send it to the people who look after Redstart, together with\n");
    put(b"       what the server was doing. A machine that crashes at random places may\n");
    put(b"       have bad memory: redstart-server --test-memory tests it.\n\n");
}

/// The stack of the calling thread; allocates.
fn put_stack() {
    put(b"\n------ STACK TRACE ------\n");
    let trace = std::backtrace::Backtrace::force_capture();
    put(format!("{trace}").as_bytes());
    put(b"\n------ STACK TRACE DONE ------\n");
}

/// The calling thread's stack between the watchdog's lines; called from its signal handler. It may
/// allocate: the thread is stuck in a command, most likely not inside the allocator.
#[cfg(unix)]
pub(crate) fn put_watchdog_stack() {
    put(b"\n--- WATCHDOG TIMER EXPIRED ---\n");
    put_stack();
    put(b"--------\n\n");
}

/// What only a server knows, and the memory test.
fn put_sections() {
    if let Some(program) = PROGRAM.get() {
        (program.sections)(&mut put);
    }
    if MEMORY_CHECK.load(Relaxed) {
        put(b"\n------ FAST MEMORY TEST ------\n");
        put(match memory_is_sound() {
            Some(true) => b"Fast memory test PASSED, however your memory can still be broken. Please run a memory test for several hours if possible.\n".as_slice(),
            Some(false) => b"!!! MEMORY ERROR DETECTED! Check your memory ASAP !!!\n",
            None => b"(the system gives no memory for it)\n",
        });
    }
}

/// Writes patterns into fresh memory and reads them back. Memory in use cannot be tested: other
/// threads are still at work in it.
fn memory_is_sound() -> Option<bool> {
    const WORDS: usize = 4 << 20;
    let mut block: Vec<u64> = Vec::new();
    block.try_reserve_exact(WORDS).ok()?;
    block.resize(WORDS, 0);
    let sound = [
        0x5555_5555_5555_5555_u64,
        0xaaaa_aaaa_aaaa_aaaa,
        0x0123_4567_89ab_cdef,
    ]
    .into_iter()
    .all(|pattern| {
        for (at, word) in block.iter_mut().enumerate() {
            *word = std::hint::black_box(pattern ^ at as u64);
        }
        block
            .iter()
            .enumerate()
            .all(|(at, word)| std::hint::black_box(*word) == pattern ^ at as u64)
    });
    Some(sound)
}

fn on_panic(info: &std::panic::PanicHookInfo<'_>) {
    let text = info
        .payload()
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| info.payload().downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(no words)");
    let place = info
        .location()
        .map(|at| format!("{}:{}", at.file(), at.line()))
        .unwrap_or_default();
    if !ENABLED.load(Relaxed) {
        put(format!("Guru Meditation: {text} #{place}\n").as_bytes());
        return;
    }
    put_start();
    let thread = std::thread::current();
    let mut line = Line::new();
    stamped(&mut line);
    line.text(name().as_bytes())
        .text(b" panicked in thread ")
        .text(thread.name().unwrap_or("?").as_bytes());
    line.text(b"\n");
    put(line.bytes());
    put(b"------------------------------------------------\n!!! Software Failure.\n");
    put(format!("Guru Meditation: {text} #{place}\n").as_bytes());
    put(b"------------------------------------------------\n");
    put_stack();
    put_sections();
    put_end();
}
