//! An element that counts itself, for the tests of the table.
//!
//! Each item holds an `Arc` of its test's counter: at the end the counter must be zero (no leak),
//! and it must never have been freed twice (the stamp says so, AddressSanitizer says it louder).

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses a part of this"
)]

use collections::table::{Element, Hash};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, AtomicU32, Ordering};

const ALIVE: u32 = 0xa11f_e123;
const DEAD: u32 = 0xdead_dead;

/// Counts the items that are alive.
pub type Counter = Arc<AtomicIsize>;

/// What an item consists of.
pub struct Body {
    stamp: AtomicU32,
    pub key: u64,
    pub value: u64,
    pub deadline: Option<i64>,
    counter: Counter,
}

/// An owning handle.
pub struct Item(NonNull<Body>);

// SAFETY: a Body is Send and Sync, and the handle owns it.
unsafe impl Send for Item {}
// SAFETY: as above.
unsafe impl Sync for Item {}

/// How keys are hashed.
#[derive(Clone, Copy, Debug)]
pub enum Mix {
    /// Well.
    Good(u64),
    /// Into a few positions, with few tags: collisions of every kind.
    Poor(u64),
}

pub fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mix(*state)
}

pub fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

pub fn hash(key: u64, how: Mix) -> Hash {
    match how {
        Mix::Good(seed) => Hash::new(mix(key ^ seed)),
        // Three bits of tag, and positions that agree in all but a dozen bits.
        Mix::Poor(seed) => Hash::new(mix(key ^ seed) & 0x0018_0c06_0f00_0007),
    }
}

impl Item {
    pub fn new(counter: &Counter, key: u64, value: u64, deadline: Option<i64>) -> Self {
        counter.fetch_add(1, Ordering::Relaxed);
        let stamp = AtomicU32::new(ALIVE);
        let body = Body {
            stamp,
            key,
            value,
            deadline,
            counter: Arc::clone(counter),
        };
        Self(NonNull::from(Box::leak(Box::new(body))))
    }

    pub fn body(&self) -> &Body {
        // SAFETY: the handle owns the body.
        unsafe { self.0.as_ref() }
    }

    pub fn body_mut(&mut self) -> &mut Body {
        // SAFETY: the handle owns the body.
        unsafe { self.0.as_mut() }
    }

    /// Moves the body to another address, as growing in place may.
    pub fn relocate(&mut self) {
        let b = self.body();
        *self = Self::new(&b.counter.clone(), b.key, b.value, b.deadline);
    }
}

impl Drop for Item {
    fn drop(&mut self) {
        let old = self.body().stamp.swap(DEAD, Ordering::Relaxed);
        assert_eq!(old, ALIVE, "freed twice");
        self.body().counter.fetch_sub(1, Ordering::Relaxed);
        // SAFETY: the handle owns the body, which came from a box.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

impl Body {
    /// What must be equal in a map and a table.
    pub fn get(&self) -> (u64, Option<i64>) {
        assert_eq!(
            self.stamp.load(Ordering::Relaxed),
            ALIVE,
            "read after it was freed"
        );
        (self.value, self.deadline)
    }
}

/// What an item is said to leave to snapshots when it is removed; half of it when it is replaced.
pub const LEFT_BYTES: usize = 1_000;

// SAFETY: the handle is a box's pointer, aligned to eight; views are plain references.
unsafe impl Element for Item {
    type Key = u64;
    type Seed = Mix;
    type Ref<'a> = &'a Body;
    type Mut<'a> = &'a mut Body;

    fn into_raw(self) -> NonNull<u8> {
        std::mem::ManuallyDrop::new(self).0.cast()
    }

    unsafe fn from_raw(element: NonNull<u8>) -> Self {
        Self(element.cast())
    }

    unsafe fn borrow<'a>(element: NonNull<u8>) -> &'a Body {
        // SAFETY: the caller's promise.
        unsafe { element.cast::<Body>().as_ref() }
    }

    unsafe fn borrow_mut<'a>(element: NonNull<u8>) -> &'a mut Body {
        // SAFETY: the caller's promise.
        unsafe { element.cast::<Body>().as_mut() }
    }

    fn matches(element: &Body, key: &u64) -> bool {
        element.key == *key
    }

    fn hash(element: &Body, seed: Mix) -> Hash {
        hash(element.key, seed)
    }

    fn deadline(element: &Body) -> Option<i64> {
        element.deadline
    }

    fn left_bytes(_: &Body, successor: Option<&Body>) -> usize {
        match successor {
            None => LEFT_BYTES,
            Some(_) => LEFT_BYTES / 2,
        }
    }
}
