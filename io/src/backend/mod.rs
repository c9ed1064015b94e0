//! The one place that chooses which backend a system gets.
