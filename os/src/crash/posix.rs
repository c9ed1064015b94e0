//! Fatal signals.

use super::{ENABLED, put, put_end, put_sections, put_stack, put_start, stamped};
use crate::raw::Line;
use libc::{c_int, c_void, siginfo_t};
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

pub(super) const STDOUT: i32 = 1;

/// What ends a program that has gone wrong.
const FATAL: [c_int; 5] = [
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGILL,
    libc::SIGABRT,
];

/// How long the report may take before the process ends without the rest of it, s.
const REPORT_SECONDS_MAX: u32 = 10;

/// The stack that a handler runs on; symbols of a stack trace need most of it.
const STACK_BYTES: usize = 512 * 1024;

/// The signal that is being reported, 0 before, and the thread that it came to.
static SIGNAL: AtomicI32 = AtomicI32::new(0);
static THREAD: AtomicU64 = AtomicU64::new(0);

pub(super) fn install() {
    for signal in FATAL {
        handle(
            signal,
            on_fatal as *const () as usize,
            libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER,
        );
    }
}

/// Gives a signal a handler (or `SIG_DFL`).
pub(crate) fn handle(signal: c_int, handler: usize, flags: c_int) {
    // SAFETY: the structure is plain numbers; `handler` is SIG_DFL, SIG_IGN or a function of the type
    // that `flags` announce.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = flags;
        libc::sigemptyset(&raw mut action.sa_mask);
        libc::sigaction(signal, &raw const action, std::ptr::null_mut());
    }
}

/// Gives the calling thread a stack for handlers; once a thread, before it serves.
pub fn protect_thread() {
    thread_local! {
        static DONE: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
    }
    if DONE.replace(true) {
        return;
    }
    // SAFETY: a fresh private mapping, which stays for the life of the process: a handler may need it
    // until the thread's very end. Its size is the one that sigaltstack is told.
    unsafe {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANON;
        let stack = libc::mmap(
            std::ptr::null_mut(),
            STACK_BYTES,
            libc::PROT_READ | libc::PROT_WRITE,
            flags,
            -1,
            0,
        );
        if stack == libc::MAP_FAILED {
            return;
        }
        let stack = libc::stack_t {
            ss_sp: stack,
            ss_flags: 0,
            ss_size: STACK_BYTES,
        };
        libc::sigaltstack(&raw const stack, std::ptr::null_mut());
    }
}

/// Whether there is room for a stack trace where the handler runs: the library gives its threads
/// stacks of a few kilobytes, enough to say that a stack ran over.
fn has_room() -> bool {
    // SAFETY: asks only; the structure is plain numbers.
    let stack = unsafe {
        let mut stack: libc::stack_t = std::mem::zeroed();
        libc::sigaltstack(std::ptr::null(), &raw mut stack);
        stack
    };
    stack.ss_flags & libc::SS_DISABLE != 0 || stack.ss_size >= STACK_BYTES
}

extern "C" fn on_fatal(signal: c_int, info: *mut siginfo_t, _: *mut c_void) {
    if signal == libc::SIGABRT
        && let Some(size) = crate::alloc::refused()
    {
        crate::alloc::exit_refused(size);
    }
    // SAFETY: a question without side effects, async-signal-safe.
    let thread = unsafe { libc::pthread_self() } as u64;
    // AcqRel: the loser of the race reads the winner's thread below.
    if SIGNAL
        .compare_exchange(0, signal, Ordering::AcqRel, Ordering::Acquire)
        .is_err()
    {
        if THREAD.load(Ordering::Acquire) != thread {
            // The first crash is being reported and ends us all.
            // SAFETY: async-signal-safe.
            unsafe { libc::sleep(2 * REPORT_SECONDS_MAX) };
        }
        die_of(signal);
    }
    THREAD.store(thread, Ordering::Release);
    if ENABLED.load(Ordering::Relaxed) {
        handle(libc::SIGALRM, on_overtime as *const () as usize, 0);
        // SAFETY: async-signal-safe; and the default mask may have the alarm blocked.
        unsafe {
            let mut set: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut set);
            libc::sigaddset(&raw mut set, libc::SIGALRM);
            libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, std::ptr::null_mut());
            libc::alarm(REPORT_SECONDS_MAX);
        }
        // SAFETY: the kernel hands a handler with SA_SIGINFO a valid structure.
        report(signal, unsafe { &*info });
    }
    die_of(signal)
}

fn report(signal: c_int, info: &siginfo_t) {
    put_start();
    let mut line = Line::new();
    stamped(&mut line);
    line.text(super::name().as_bytes())
        .text(b" crashed by signal: ")
        .number(number(signal));
    line.text(b", si_code: ");
    if info.si_code < 0 {
        line.text(b"-");
    }
    line.number(info.si_code.unsigned_abs().into()).text(b"\n");
    put(line.bytes());
    let mut line = Line::new();
    stamped(&mut line);
    // SAFETY: these fields are valid for the signals in question, as the code says.
    unsafe {
        if info.si_code <= 0 {
            line.text(b"Killed by PID: ")
                .number(number(info.si_pid()))
                .text(b", UID: ")
                .number(info.si_uid().into());
        } else {
            line.text(b"Accessing address: ").hex(info.si_addr() as u64);
        }
    }
    line.text(b"\n");
    put(line.bytes());
    if has_room() {
        put_stack();
    }
    put_sections();
    put_end();
}

fn number(n: c_int) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

/// The report hangs: end with the signal that it is about.
extern "C" fn on_overtime(_: c_int) {
    put(b"\n(the report took too long and ends here)\n");
    die_of(SIGNAL.load(Ordering::Relaxed))
}

/// Ends the process by `signal`'s default action.
fn die_of(signal: c_int) -> ! {
    handle(signal, libc::SIG_DFL, 0);
    // SAFETY: async-signal-safe; the signal is unblocked first, for it may be the one being handled.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, signal);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, std::ptr::null_mut());
        libc::raise(signal);
        libc::_exit(128 + signal)
    }
}

/// SIGABRT without a second report.
pub(super) fn abort_silently() -> ! {
    die_of(libc::SIGABRT)
}

/// DEBUG SEGFAULT: writes where nothing is.
pub fn segfault() -> ! {
    // SAFETY: none; this is what it is for. Address 8 is in no mapping, so the kernel stops us here.
    unsafe { std::ptr::without_provenance_mut::<u64>(8).write_volatile(1) };
    die_of(libc::SIGSEGV)
}
