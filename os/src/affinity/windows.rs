//! Thread affinity; processors of the first group.

use std::io;
use windows_sys::Win32::System::Threading::{GetCurrentThread, SetThreadAffinityMask};

/// Threads started later do not inherit this here; each worker binds itself.
pub(super) fn bind_thread(processors: &[usize]) -> io::Result<()> {
    let mask = processors
        .iter()
        .filter(|p| **p < usize::BITS as usize)
        .fold(0, |mask, p| mask | 1 << p);
    // SAFETY: the pseudo handle is always valid; a mask without any processor is refused.
    match unsafe { SetThreadAffinityMask(GetCurrentThread(), mask) } {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
