//! The title that `ps` shows, on Linux: written over our own arguments.
//!
//! ```text
//!   |redstart-server\0--port\0 7777\0|HOME=/root\0PATH=/usr/bin\0 …|      as the kernel laid it out
//!   |redstart-server 127.0.0.1:7777\0\0\0\0\0\0\0\0\0\0\0\0 …      |      afterwards
//! ```
//!
//! The kernel shows the arguments' memory, and when the last byte of it is no longer zero, what
//! follows up to the next zero. The environment stands behind them, so a title may be long if the
//! environment is moved away; that is done before `main`, when there is one thread and nobody has
//! asked for a variable yet. Where the layout is not the expected one, nothing is touched.
//!
//! Invariants: T1 the area is written only after `program_name` has kept what is needed of it;
//! T2 its last byte stays zero.

use libc::{c_char, c_int};
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// Where the arguments began, and how many bytes are ours.
static AREA: AtomicPtr<c_char> = AtomicPtr::new(std::ptr::null_mut());
static BYTES: AtomicUsize = AtomicUsize::new(0);

/// The C library calls functions of this section before `main`, with `main`'s arguments.
#[cfg(target_env = "gnu")]
#[used]
#[unsafe(link_section = ".init_array.90000")]
static BEFORE_MAIN: extern "C" fn(c_int, *mut *mut c_char, *mut *mut c_char) = before_main;

#[cfg(target_env = "gnu")]
extern "C" fn before_main(
    count: c_int,
    arguments: *mut *mut c_char,
    environment: *mut *mut c_char,
) {
    unsafe extern "C" {
        static mut environ: *mut *mut c_char;
    }
    // SAFETY: the C library passes terminated arrays of terminated strings; there is one thread, which
    // has not read the environment through `environ` yet. The copies are never freed: whoever reads a
    // variable may keep its pointer.
    unsafe {
        if count < 1 || (*arguments).is_null() {
            return;
        }
        let start = *arguments;
        let mut end = start;
        let follows = |end: &mut *mut c_char, text: *mut c_char| {
            let next_to_it = text == *end;
            if next_to_it {
                *end = text.add(libc::strlen(text) + 1);
            }
            next_to_it
        };
        for at in 0..count as usize {
            if !follows(&mut end, *arguments.add(at)) {
                return;
            }
        }
        let mut variables = 0;
        while !(*environment.add(variables)).is_null() {
            variables += 1;
        }
        let copy = libc::calloc(variables + 1, size_of::<*mut c_char>()).cast::<*mut c_char>();
        if !copy.is_null() {
            for at in 0..variables {
                let text = libc::strdup(*environment.add(at));
                if text.is_null() {
                    return;
                }
                *copy.add(at) = text;
            }
            for at in 0..variables {
                if !follows(&mut end, *environment.add(at)) {
                    break;
                }
            }
            environ = copy;
        }
        AREA.store(start, Ordering::Relaxed);
        BYTES.store(end.offset_from_unsigned(start), Ordering::Relaxed);
    }
}

/// Writes the title.
pub(super) fn set(title: &str) {
    let (area, bytes) = (AREA.load(Ordering::Relaxed), BYTES.load(Ordering::Relaxed));
    if !area.is_null() && bytes > 1 {
        let shown = title.len().min(bytes - 1);
        // SAFETY: the area is `bytes` long and ours (T1); the text is shorter, and the rest, at least
        // one byte, becomes zero (T2).
        unsafe {
            std::ptr::copy_nonoverlapping(title.as_ptr().cast(), area, shown);
            std::ptr::write_bytes(area.add(shown), 0, bytes - shown);
        }
    }
}
