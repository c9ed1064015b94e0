//! Memory as the system sees it: what the process holds, what there is.
//!
//! The allocator's own sum is in [`crate::alloc`]; this page is about pages. INFO's memory section,
//! MEMORY STATS and MEMORY DOCTOR read [`figures`]; FLUSHALL and MEMORY PURGE call [`purge`].
//!
//! Checked by: tests below.

#[cfg(unix)]
#[path = "posix.rs"]
mod system;
#[cfg(windows)]
#[path = "windows.rs"]
mod system;

/// The process's and the machine's figures in bytes; 0 for what a system does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// In physical memory: resident set, or working set.
    pub resident: u64,
    /// The most that was ever resident.
    pub resident_peak: u64,
    /// The machine's physical memory.
    pub system: u64,
    /// Private commit of the process (Windows); elsewhere its anonymous resident memory.
    pub private: u64,
    /// The most that was ever committed.
    pub private_peak: u64,
    /// What the system can commit in all, page files included.
    pub commit_limit: u64,
    /// What the system has committed.
    pub commit_used: u64,
    /// Of `private`, what is swapped out.
    pub swapped: u64,
}

/// All figures.
#[must_use]
pub fn figures() -> Figures {
    system::figures()
}

/// Resident bytes.
#[must_use]
pub fn resident_bytes() -> u64 {
    system::resident()
}

/// The same, without allocating: for the moment when memory is refused.
#[must_use]
pub fn resident_bytes_raw() -> u64 {
    system::resident()
}

/// The machine's physical memory.
#[must_use]
pub fn system_bytes() -> u64 {
    system::system()
}

/// The size of a page of memory.
#[must_use]
pub fn page_bytes() -> u64 {
    system::page()
}

/// Gives back to the system what the allocator holds and nobody uses.
pub fn purge() {
    crate::alloc::purge();
    system::trim();
}

/// How the allocator's view and the system's differ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fragmentation {
    /// Bytes in blocks that are in use.
    pub allocated: u64,
    /// Bytes that the allocator has committed for blocks.
    pub active: u64,
    /// Bytes of the process in physical memory.
    pub resident: u64,
}

impl Fragmentation {
    /// `active / allocated`: what the allocator's pages hold beside blocks in use.
    #[must_use]
    pub fn allocator_ratio(&self) -> f64 {
        ratio(self.active, self.allocated)
    }

    /// `resident / active`: what the process has beside the allocator's pages.
    #[must_use]
    pub fn process_ratio(&self) -> f64 {
        ratio(self.resident, self.active)
    }
}

#[allow(clippy::cast_precision_loss, reason = "two decimals are shown")]
fn ratio(above: u64, below: u64) -> f64 {
    if below == 0 {
        0.0
    } else {
        above as f64 / below as f64
    }
}

/// The figures behind INFO's `allocator_*` and `mem_fragmentation_*`.
#[must_use]
pub fn fragmentation() -> Fragmentation {
    let (mut committed, mut unused) = (0usize, [0usize; 7]);
    let [elapsed, user, system, rss, peak_rss, peak_commit, faults] = &mut unused;
    // SAFETY: all eight pointers are to live numbers.
    unsafe {
        libmimalloc_sys::mi_process_info(
            elapsed,
            user,
            system,
            rss,
            peak_rss,
            &raw mut committed,
            peak_commit,
            faults,
        );
    }
    let allocated = crate::alloc::used_bytes_exact();
    // mimalloc's count of committed pages leaves out huge blocks of their own.
    Fragmentation {
        allocated,
        active: (committed as u64).max(allocated),
        resident: resident_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_plausible() {
        let f = figures();
        assert!(f.resident > 500_000 && f.resident < f.system, "{f:?}");
        assert!(f.resident_peak >= f.resident, "{f:?}");
        assert!(f.system > 100 << 20, "{f:?}");
        assert!(page_bytes().is_power_of_two());
        assert!(fragmentation().process_ratio() > 0.0);
    }

    #[test]
    fn resident_memory_follows_use() {
        let before = resident_bytes();
        let block = vec![1u8; 64 << 20];
        let during = resident_bytes();
        assert!(
            during >= before + (48 << 20),
            "{before} {during} {}",
            block[block.len() - 1]
        );
    }
}
