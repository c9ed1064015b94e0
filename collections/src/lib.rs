//! Byte-level and copy-on-write containers: what the store keeps its keys and values in.
//!
//! Nothing here knows a command, a clock, a file or a source of randomness; time, seeds and bytes
//! are handed in. `table` is the heart: the segmented, copy-on-write hash table that holds every
//! key. `dict` holds the elements of large hashes and sets. `tree` is the counted copy-on-write
//! B+tree under what has an order: `sorted` (sorted sets), `chunk_list` (lists), `id_map` (streams,
//! pending entries), `due_set` (which of these has waited longest). `listpack` and `intset` are the small containers, byte for byte what RDB stores.

pub mod chunk_list;
pub mod dict;
pub mod due_set;
pub mod id_map;
pub mod integer;
pub mod intset;
pub mod listpack;
mod packed;
mod shared;
pub mod sorted;
mod sync;
pub mod table;
pub mod tree;

pub use intset::Intset;
pub use listpack::Listpack;
pub use packed::{BYTES_MAX, Invalid, Refused};
