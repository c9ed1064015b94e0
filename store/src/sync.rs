//! The one place that chooses between real locks and atomics and the model checker's.
//!
//! The ordinary build takes std's atomics and parking_lot's mutex. With `feature = "model"` they
//! are shuttle's, which run the threads of a model under a scheduler that tries interleavings;
//! such a build works only inside a shuttle run and never ships. Reference counts of plain `Arc`s
//! are not part of what the models explore, nor are the access clocks inside entries.
//!
//! The atomic orderings are not what shuttle explores (it runs every atomic as sequentially
//! consistent); each has its sentence where it is used, and ThreadSanitizer looks at them.

#[cfg(not(feature = "model"))]
pub(crate) use std::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering::Acquire, Ordering::Relaxed,
    Ordering::Release,
};

#[cfg(feature = "model")]
pub(crate) use shuttle::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering::Acquire, Ordering::Relaxed,
    Ordering::Release,
};

/// A leaf lock: held for a few instructions, never while waiting for anything else.
#[cfg(not(feature = "model"))]
pub(crate) type Mutex<T> = parking_lot::Mutex<T>;

/// The model checker's mutex with the same face.
#[cfg(feature = "model")]
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(shuttle::sync::Mutex<T>);

#[cfg(feature = "model")]
impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Mutex(shuttle::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> shuttle::sync::MutexGuard<'_, T> {
        self.0
            .lock()
            .expect("a model that panicked under a lock has already failed")
    }
}

/// Says to the processor that this is a busy wait.
#[inline]
pub(crate) fn spin() {
    #[cfg(not(feature = "model"))]
    std::hint::spin_loop();
    #[cfg(feature = "model")]
    shuttle::thread::yield_now();
}

/// Lets another thread run: the ticket's holder may be waiting for one that is not scheduled.
#[inline]
pub(crate) fn yield_now() {
    #[cfg(not(feature = "model"))]
    std::thread::yield_now();
    #[cfg(feature = "model")]
    shuttle::thread::yield_now();
}
