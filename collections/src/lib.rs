//! Byte-level and copy-on-write containers: what the store keeps its keys and values in.
//!
//! Nothing here knows a command, a clock, a file or a source of randomness; time, seeds and bytes
//! are handed in. `table` is the heart: the segmented, copy-on-write hash table that holds every
//! key. `dict` holds the elements of large hashes and sets. `listpack` and `intset` are the small
//! containers, byte for byte what RDB stores.

pub mod dict;
pub mod integer;
pub mod intset;
pub mod listpack;
mod packed;
mod sync;
pub mod table;

pub use intset::Intset;
pub use listpack::Listpack;
pub use packed::{BYTES_MAX, Invalid, Refused};
