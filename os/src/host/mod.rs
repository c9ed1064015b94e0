//! The machine and its settings: what INFO shows and what the start warns of.

#[cfg(unix)]
#[path = "posix.rs"]
mod system;
#[cfg(windows)]
#[path = "windows.rs"]
mod system;

/// `Linux 6.1.0-18-amd64 x86_64`.
#[must_use]
pub fn name() -> String {
    system::name()
}

/// The longest queue of connections that the system keeps for a listener, if it tells.
#[must_use]
pub fn backlog_max() -> Option<u64> {
    system::backlog_max()
}

/// A setting of the machine that will hurt, in words for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Concern {
    /// Which one, for `ignore-warnings`.
    pub name: &'static str,
    /// What is wrong and what to do.
    pub text: String,
}

/// Settings that will hurt a server that holds its data in memory.
#[must_use]
pub fn concerns() -> Vec<Concern> {
    system::concerns()
}

/// Whether the system hands out huge pages unasked.
#[must_use]
pub fn has_huge_pages_always() -> bool {
    system::has_huge_pages_always()
}

/// The words of the warning about huge pages.
#[must_use]
pub fn huge_pages_warning() -> &'static str {
    "You have Transparent Huge Pages (THP) support enabled in your kernel, and it could not be switched off for this \
     process. This creates latency and memory usage issues. To fix it run the command \
     'echo madvise > /sys/kernel/mm/transparent_hugepage/enabled' as root, make it permanent in your system's \
     start-up files, and start the server again."
}

#[cfg(test)]
mod tests {
    #[test]
    fn has_a_name_with_its_architecture() {
        let name = super::name();
        assert!(
            name.split(' ').count() >= 3 && name.contains(std::env::consts::ARCH),
            "{name}"
        );
    }
}
