//! The append-only file: which files it consists of, who writes them, how they are read again.
//!
//! ```text
//!  dir/appendonlydir/appendonly.aof.manifest        which files, in which order
//!                    appendonly.aof.3.base.rdb      everything as it was at a cut
//!                    appendonly.aof.7.incr.aof      every change since; the last one is written to
//! ```
//!
//! | file | what |
//! |---|---|
//! | `manifest.rs` | the list of files: parse, write, names, checks, upgrade from one old file |
//! | `log.rs` | the log thread and the flush thread |
//! | `rewrite.rs` | which files a rewrite makes, names and removes, in which order |
//! | `seal.rs` | what the log puts in front of each batch, so that a torn tail is known as one |
//! | `walk.rs` | a file's bytes to annotations and commands |
//! | `commands.rs` | a base of commands |
//! | `load.rs` | all files in their order, torn ends cut off |
//! | `replay.rs` | what of a file counts; its units |
//!
//! The page is `docs/design/persistence.md`; A1 to A5 are its numbers.

pub mod commands;
pub mod load;
pub mod log;
pub mod manifest;
pub mod replay;
pub mod rewrite;
pub mod seal;
pub mod walk;

pub use log::{Figures, Fsync, Host, Log, Settings, Then};
pub use manifest::{BadManifest, Layout, Manifest};
