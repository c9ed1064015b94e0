//! Network I/O for one worker's event loop: submit, complete, cancel.
//!
//!   worker ── receive, send, close … ──▶ Driver ──▶ epoll, kqueue | completion ports | simulation
//!   worker ◀─ Received, Sent, Accepted … ── wait ──┘
//!
//! The interface has the shape of completions, because readiness can imitate that without an extra
//! system call and the reverse cannot. `docs/design/io.md` gives the rules; `driver.rs` is the
//! trait; `Loop` is the driver of this system, chosen in `backend/mod.rs` and nowhere else.
//!
//! **Invariant:** memory that was handed to the kernel is not touched, moved or freed until the
//! kernel has said that it is done with it, whatever the server does with the token meanwhile.
//!
//! Checked by: `tests/conformance.rs`, one suite that runs against every driver.

mod address;
mod backend;
mod chunk;
mod driver;
mod options;
mod pool;
mod socket;
mod token;
mod waker;

/// What waits for the network on this system: INFO's `multiplexing_api`.
pub const NAME: &str = if cfg!(windows) {
    "iocp"
} else if cfg!(target_os = "linux") {
    "epoll"
} else {
    "kqueue"
};

pub use address::Address;
pub use backend::*;
pub use chunk::{Chunk, Chunks};
pub use driver::{ACCEPT_PAUSE, Close, Completion, Driver, LINGER, Sent, cancelled, is_cancelled};
pub use options::{ListenAt, ListenOptions, SocketOptions};
pub use socket::Socket;
pub use token::Token;
pub use waker::Waker;
