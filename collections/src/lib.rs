//! Byte-level and copy-on-write containers: what the store keeps its keys and values in.
//!
//! Nothing here knows a command, a clock, a file or a source of randomness; time, seeds and bytes
//! are handed in. `table` is the heart: the segmented, copy-on-write hash table that holds every
//! key, and later the elements of large sets and hashes.

mod sync;
pub mod table;
