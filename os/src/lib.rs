//! What differs between systems, apart from the network: clocks, memory, files, signals, services.
//!
//! Here and in `io` alone may code ask which system it is built for. One folder a noun: `mod.rs`
//! says what the noun does for every system, `posix.rs` and `windows.rs` say how, with the same
//! functions, and one place in `mod.rs` chooses. What a system does not have, its file answers with
//! a plain value or an error that says so, never by a missing function.

pub mod affinity;
pub mod alloc;
pub mod clock;
pub mod crash;
pub mod disk;
pub mod files;
pub mod host;
pub mod limits;
pub mod locale;
pub mod memory;
pub mod process;
pub mod random;
pub mod raw;
pub mod stop;
pub mod syslog;
pub mod terminal;
pub mod watchdog;
