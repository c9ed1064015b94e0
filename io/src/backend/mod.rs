//! The one place that chooses which backend a system gets. The simulation is there on all of them.

#[cfg(unix)]
mod readiness;
#[cfg(unix)]
pub use readiness::Loop;

pub mod sim;
