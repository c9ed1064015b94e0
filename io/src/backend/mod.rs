//! The one place that chooses which backend a system gets. The simulation is there on all of them.

#[cfg(windows)]
mod iocp;
#[cfg(unix)]
mod readiness;
#[cfg(windows)]
pub use iocp::Loop;
#[cfg(unix)]
pub use readiness::Loop;

pub mod sim;
