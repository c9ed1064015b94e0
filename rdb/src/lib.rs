//! RDB: the bytes in which Redis and Valkey keep values in files and hand them around.
//!
//! Streams of bytes, no files: `persist` owns those. `dump.rs` holds the two
//! `match`es over the kinds of values.
//!
//! | file | what |
//! |---|---|
//! | `format.rs` | opcodes, type numbers, versions, the picture of a file |
//! | `dump.rs` | one value by itself: DUMP and RESTORE |
//! | `hash.rs`, `list.rs`, `set.rs`, `sorted_set.rs` | all kinds, in all forms that were ever written |
//! | `stream.rs` | streams |
//! | `out.rs`, `form.rs` | where the bytes of values go; which version, whose dialect |
//! | `file/` | whole files: the encoder, the skimmer that cuts blocks into records, their decoding |
//! | `check.rs` | what `redstart-check-rdb` says of a file |
//! | `digest.rs` | Redis's digest of a data set (DEBUG DIGEST) |
//! | `string.rs` | strings: raw, packed integers, compressed |
//! | `length.rs`, `lzf.rs`, `crc.rs` | what those are made of |
//! | `input.rs` | the checked walk over foreign bytes, and why bytes are refused |
//!
//! **Invariant:** no bytes panic, and none make a decoder reserve more than [`lzf`]'s bound on
//! their own length.
#![forbid(unsafe_code)]

pub mod check;
pub mod crc;
pub mod digest;
pub mod dump;
pub mod file;
pub mod form;
pub mod format;
pub mod hash;
pub mod input;
pub mod length;
pub mod list;
pub mod lzf;
pub mod out;
pub mod set;
pub mod sorted_set;
pub mod stream;
pub mod string;

pub use digest::Digest;
pub use dump::{DumpError, Loaded, dump, dump_in, load};
pub use form::{Dialect, Form};
pub use input::{Input, Malformed};
pub use lzf::Compressor;
pub use out::{HandOn, Out};
