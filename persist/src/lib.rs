//! Save jobs, the append-only file, loading: what connects the store's values with files.
//!
//! | file | what |
//! |---|---|
//! | `aof/` | the append-only file: manifest, log thread, replay |
//! | `jobs.rs` | which job runs, what it says of itself, how it ends |
//! | `load.rs` | a file becomes data |
//! | `save.rs` | a cut becomes a file: encoders, writer, the old file's replacement |
//!
//! Plain types on threads that the server starts: no command is executed here, no client answered.
//! Every file operation goes through `os`. The page is `docs/design/persistence.md`.
//!
//! **Invariant:** nothing here holds a lock of the store while it waits for a file.
#![forbid(unsafe_code)]

pub mod aof;
pub mod jobs;
pub mod load;
pub mod save;

pub use jobs::{Job, Jobs, Kind, Progress};
