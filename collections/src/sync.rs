//! The synchronisation types that the containers use, chosen in this one place.
//!
//! The ordinary build takes the standard library's. With `feature = "model"` they are shuttle's,
//! which run every thread under a scheduler that tries interleavings; such a build works only
//! inside a shuttle run and is never shipped. Reference counts of plain `Arc`s are not part of
//! what the models explore, so `Arc` is the standard one in both.

#[cfg(not(feature = "model"))]
pub(crate) use std::sync::{
    Mutex,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

#[cfg(feature = "model")]
pub(crate) use shuttle::sync::{
    Mutex,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

pub(crate) use std::sync::{Arc, PoisonError};
