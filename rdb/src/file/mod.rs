//! Whole RDB files, as streams of bytes.
//!
//! ```text
//!   REDIS0011 | VALKEY080   aux*  ( SELECTDB n  RESIZEDB keys expires  entry* )*  EOF  crc64
//!   entry    [EXPIRETIME_MS t(i64)]  [IDLE seconds | FREQ n(1)]  type(1)  key  value
//!
//!   writing    Encoder::begin ─▶ database ─▶ entry* ─▶ … ─▶ end(checksum)
//!   reading    blocks ─▶ Skimmer::feed, next ─▶ Item::Records(Batch) ─▶ Batch::records ─▶ Record
//! ```
//!
//! **Writing.** Any number of encoders make the bytes of one file, each the entries of other parts;
//! one of them makes the head and the lines that announce a database. Whoever puts the bytes in
//! order runs the checksum over them and asks for the end.
//!
//! **Reading.** One thread feeds blocks to a [`Skimmer`], which finds where records end without
//! decoding them (`shape.rs` is the grammar) and checks the checksum; the batches that come out are
//! plain bytes, which other threads decode. The skimmer takes what it is fed and no more: an
//! announced length makes it wait, not reserve.
//!
//! F1  Whatever a skimmer lets through is a sequence of records by the grammar; `Batch::records`
//!     judges what is in them, and both say the file's offset when they refuse.
//! F2  A file counts as good only when [`Item::End`] has come: before it no checksum was compared.
//!
//! Checked by: `tests/files.rs` (ours), `tests/others.rs` (files of Redis 7.0 and 8.0, Valkey 9.1; each
//! prefix and each flipped bit), `tests/old.rs` (versions 1 to 9, made by hand), `tests/peers.rs` (ours
//! loaded by those servers), fuzz/rdb_file.

mod decode;
mod encode;
mod fault;
mod shape;
mod skim;

pub use decode::{Batch, Record, Records, Value};
pub use encode::{Encoder, Header, end};
pub use fault::{Doing, Fault, FileError};
pub use skim::{Item, Skimmer};
