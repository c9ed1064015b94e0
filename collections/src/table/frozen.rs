//! How many bytes only snapshots hold: what copy on write has cost and not given back yet.
//!
//! ```text
//!   live table writes to a shared segment   + the segment     - when the last snapshot lets go of it
//!   … replaces or removes a shared element  + the element     - when a snapshot's end frees it
//! ```
//!
//! Evicting what is counted here frees nothing, and a saver has to be kept from falling behind, so
//! somebody must know it at any moment. One figure for the process, as the allocator's is.
//!
//! F1  A segment counts while it has a handover of its own, which it gets once, when it is copied.
//! F2  An element counts while it stands in the list of an open handover, with the bytes with which it
//!     came there.
//!
//! Not counted: copied arrays of chunks (8 bytes for each segment); what containers share with their
//! older selves and copy later; a table that is dropped as a whole (`store` counts that).
//!
//! Checked by: `tests/table_frozen.rs`.

// Not the model's atomics: a figure is not what it explores.
use std::sync::atomic::{AtomicUsize, Ordering};

static BYTES: AtomicUsize = AtomicUsize::new(0);

/// Bytes that only snapshots hold.
#[inline]
pub fn frozen_bytes() -> usize {
    BYTES.load(Ordering::Relaxed)
}

/// The live side has let go of so many bytes. Relaxed, here and below: a figure.
pub(super) fn add(bytes: usize) {
    BYTES.fetch_add(bytes, Ordering::Relaxed);
}

/// They are free, or somebody else's.
pub(super) fn sub(bytes: usize) {
    BYTES.fetch_sub(bytes, Ordering::Relaxed);
}
