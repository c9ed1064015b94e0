//! Memory figures of POSIX systems: /proc on Linux, getrusage and sysconf elsewhere.

use super::Figures;

pub(super) fn page() -> u64 {
    // SAFETY: a question without side effects.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

pub(super) fn system() -> u64 {
    // SAFETY: a question without side effects.
    let pages = unsafe { libc::sysconf(libc::_SC_PHYS_PAGES) };
    u64::try_from(pages).unwrap_or(0) * page()
}

/// The second number of /proc/self/statm; without allocation, since it is read when memory is short.
pub(super) fn resident() -> u64 {
    let mut text = [0u8; 128];
    // SAFETY: a terminated constant path; the descriptor is used and closed here alone; the buffer
    // is a live local of the length that is passed.
    let n = unsafe {
        let fd = libc::open(
            c"/proc/self/statm".as_ptr(),
            libc::O_RDONLY | libc::O_CLOEXEC,
        );
        if fd < 0 {
            return peak();
        }
        let n = libc::read(fd, text.as_mut_ptr().cast(), text.len());
        libc::close(fd);
        n
    };
    let text = &text[..usize::try_from(n).unwrap_or(0)];
    let pages = text.split(|b| *b == b' ').nth(1).unwrap_or(b"");
    pages
        .iter()
        .filter(|b| b.is_ascii_digit())
        .fold(0, |n, b| n * 10 + u64::from(b - b'0'))
        * page()
}

fn peak() -> u64 {
    // SAFETY: `usage` is plain numbers that the call fills.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    let unit = if cfg!(target_vendor = "apple") {
        1
    } else {
        1024
    };
    u64::try_from(usage.ru_maxrss).unwrap_or(0) * unit
}

pub(super) fn figures() -> Figures {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let resident = resident();
    Figures {
        resident,
        resident_peak: peak().max(resident),
        system: system(),
        private: kib(&status, "RssAnon:") + kib(&status, "VmSwap:"),
        private_peak: kib(&status, "VmHWM:"),
        commit_limit: kib(&meminfo, "CommitLimit:"),
        commit_used: kib(&meminfo, "Committed_AS:"),
        swapped: kib(&status, "VmSwap:"),
    }
}

/// `NAME   123 kB` in bytes.
fn kib(text: &str, name: &str) -> u64 {
    text.lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok())
        .unwrap_or(0)
        * 1024
}

/// mimalloc has given its pages back already.
pub(super) fn trim() {}
