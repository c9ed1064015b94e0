//! The one place that chooses which backend a system gets. The simulation is there on all of them.

#[cfg(windows)]
mod iocp;
#[cfg(unix)]
mod readiness;
mod shared;
#[cfg(windows)]
pub use iocp::Loop;
#[cfg(windows)]
pub(crate) use iocp::own_address;
#[cfg(unix)]
pub use readiness::Loop;

pub mod sim;
