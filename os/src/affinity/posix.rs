//! sched_setaffinity, where there is one.

use std::io;

#[cfg(target_os = "linux")]
pub(super) fn bind_thread(processors: &[usize]) -> io::Result<()> {
    // SAFETY: the set is plain bits; numbers are below its size (`PROCESSORS_MAX`), and its size is
    // what the call is told. 0 is the calling thread.
    let failed = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        for processor in processors {
            libc::CPU_SET(*processor, &mut set);
        }
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set) != 0
    };
    if failed {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn bind_thread(_: &[usize]) -> io::Result<()> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "this system does not bind threads to processors",
    ))
}
