//! On the way of GET, SET of a small value and INCR nothing is allocated (DESIGN section 6).
//!
//! Counted on the worker's own thread: a pipeline of these runs once to warm everything up, then again
//! and again while the count must stand still.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use common::{TestServer, request};

struct Watching;

/// Allocations on threads that are workers.
static COUNT: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static IS_WORKER: Cell<Option<bool>> = const { Cell::new(None) };
}

fn note() {
    let is_worker = IS_WORKER.try_with(|is| {
        if is.get().is_none() {
            // Asking for the name may allocate: not while it is being asked.
            is.set(Some(false));
            let name = std::thread::current()
                .name()
                .map(|name| name.starts_with("worker-"));
            is.set(name);
        }
        is.get() == Some(true)
    });
    if is_worker == Ok(true) {
        COUNT.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(ptr, layout) }
    }
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note();
        // SAFETY: as above.
        unsafe { System.realloc(ptr, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Watching = Watching;

#[test]
fn common_commands_allocate_nothing() {
    let server = TestServer::start();
    let mut client = server.connect();
    let mut bytes = Vec::new();
    for n in 0..30 {
        let key = format!("key:{n}");
        bytes.extend(request(&["GET", &key]));
        bytes.extend(request(&["incr", &format!("counter:{n}")]));
        // A value of the same length goes where the old one was.
        bytes.extend(request(&["SET", &key, "a small value"]));
        bytes.extend(request(&["get", &key]));
    }
    let mut counts = Vec::new();
    for _ in 0..40 {
        client.send(&bytes);
        for _ in 0..120 {
            client.reply();
        }
        counts.push(COUNT.load(Ordering::Relaxed));
    }
    assert!(counts[0] > 0, "allocations are seen at all");
    assert_eq!(counts[20], counts[39], "a round allocates: {counts:?}");
}
