//! How many files the process may have open.
//!
//! A client is a file. [`raise_open_files`] asks for as many as `maxclients` needs and says how many
//! there are; Windows has no such limit.

#[cfg(unix)]
#[path = "posix.rs"]
mod system;
#[cfg(windows)]
#[path = "windows.rs"]
mod system;

/// The result of asking for more open files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenFiles {
    /// How many were allowed before; `None` when the system does not tell.
    pub before: Option<u64>,
    /// How many are allowed now.
    pub now: u64,
    /// The system's words when it refused what was wanted.
    pub refused: Option<String>,
}

/// Sees to it that `wanted` files can be open, or as many as the system grants.
#[must_use]
pub fn raise_open_files(wanted: u64) -> OpenFiles {
    system::raise_open_files(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_what_is_there_already_and_never_lowers() {
        let first = raise_open_files(16);
        assert!(first.now >= 16 && first.refused.is_none(), "{first:?}");
        let huge = raise_open_files(u64::MAX / 2);
        assert!(huge.now >= first.now, "{huge:?}");
    }
}
