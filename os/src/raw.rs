//! What may be done where nothing else may: in a signal handler, or with no memory left.
//!
//! A [`Line`] is a fixed buffer that formats numbers without allocating; [`write_to`] writes to a
//! descriptor with the bare system call; [`exit_now`] ends without running destructors.

#[cfg(unix)]
pub use posix::{Descriptor, exit_now, flush, write_stderr, write_to};
#[cfg(windows)]
pub use windows::{Descriptor, exit_now, flush, write_stderr, write_to};

/// A line under construction; what does not fit is cut off.
pub struct Line {
    bytes: [u8; 1024],
    len: usize,
}

impl Default for Line {
    fn default() -> Self {
        Self::new()
    }
}

impl Line {
    /// An empty line.
    #[must_use]
    pub const fn new() -> Self {
        Line {
            bytes: [0; 1024],
            len: 0,
        }
    }

    /// What has been written.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Appends bytes.
    pub fn text(&mut self, text: &[u8]) -> &mut Self {
        let n = text.len().min(self.bytes.len() - self.len);
        self.bytes[self.len..self.len + n].copy_from_slice(&text[..n]);
        self.len += n;
        self
    }

    /// Appends a number in decimal.
    pub fn number(&mut self, n: u64) -> &mut Self {
        self.digits(n, 10)
    }

    /// Appends a number as 0x….
    pub fn hex(&mut self, n: u64) -> &mut Self {
        self.text(b"0x").digits(n, 16)
    }

    fn digits(&mut self, mut n: u64, base: u64) -> &mut Self {
        let mut digits = [0u8; 20];
        let mut at = digits.len();
        loop {
            at -= 1;
            digits[at] = b"0123456789abcdef"[usize::try_from(n % base).expect("below sixteen")];
            n /= base;
            if n == 0 {
                break;
            }
        }
        self.text(&digits[at..])
    }
}

#[cfg(unix)]
mod posix {
    /// An open file, for the bare system call.
    pub type Descriptor = i32;

    /// Writes all of `bytes` to a descriptor, or gives up at the first error.
    pub fn write_to(fd: Descriptor, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            // SAFETY: the pointer and the length are those of a live slice.
            let n = unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) };
            match usize::try_from(n) {
                Ok(n) if n > 0 => bytes = &bytes[n..],
                _ => return,
            }
        }
    }

    /// Waits until what was written is on disk.
    pub fn flush(fd: Descriptor) {
        // SAFETY: plain numbers; async-signal-safe.
        unsafe { libc::fsync(fd) };
    }

    /// Writes to the standard error stream.
    pub fn write_stderr(bytes: &[u8]) {
        write_to(2, bytes);
    }

    /// Ends the process at once: no destructors, no exit handlers.
    pub fn exit_now(code: i32) -> ! {
        // SAFETY: async-signal-safe and always allowed.
        unsafe { libc::_exit(code) }
    }
}

#[cfg(windows)]
mod windows {
    use windows_sys::Win32::Storage::FileSystem::WriteFile;
    use windows_sys::Win32::System::Console::{GetStdHandle, STD_ERROR_HANDLE, STD_OUTPUT_HANDLE};
    use windows_sys::Win32::System::Threading::{GetCurrentProcess, TerminateProcess};

    /// An open file, for the bare system call.
    pub type Descriptor = isize;

    /// Writes all of `bytes` to a handle, or gives up at the first error; 0 is standard output.
    pub fn write_to(handle: Descriptor, mut bytes: &[u8]) {
        let handle = match handle {
            // SAFETY: asks for a handle that stays the process's.
            0 => (unsafe { GetStdHandle(STD_OUTPUT_HANDLE) }) as isize,
            handle => handle,
        };
        while !bytes.is_empty() {
            let part = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            let mut n = 0;
            // SAFETY: the pointer and the length are within a live slice; `n` is a live local.
            let ok = unsafe {
                WriteFile(
                    handle as _,
                    bytes.as_ptr(),
                    part,
                    &raw mut n,
                    std::ptr::null_mut(),
                )
            };
            if ok == 0 || n == 0 {
                return;
            }
            bytes = &bytes[n as usize..];
        }
    }

    /// Waits until what was written is on disk.
    pub fn flush(handle: Descriptor) {
        // SAFETY: a handle that cannot be flushed is refused.
        unsafe { windows_sys::Win32::Storage::FileSystem::FlushFileBuffers(handle as _) };
    }

    /// Writes to the standard error stream.
    pub fn write_stderr(bytes: &[u8]) {
        // SAFETY: asks for a handle that stays the process's.
        write_to(unsafe { GetStdHandle(STD_ERROR_HANDLE) } as isize, bytes);
    }

    /// Ends the process at once: no destructors, no exit handlers.
    pub fn exit_now(code: i32) -> ! {
        // SAFETY: the pseudo handle is always valid.
        unsafe { TerminateProcess(GetCurrentProcess(), code.cast_unsigned()) };
        std::process::exit(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_formats_and_cuts() {
        let mut line = Line::new();
        line.text(b"a=")
            .number(u64::MAX)
            .text(b" b=")
            .hex(0xbeef)
            .number(0);
        assert_eq!(line.bytes(), b"a=18446744073709551615 b=0xbeef0");
        for _ in 0..100 {
            line.text(b"0123456789abcdef");
        }
        assert_eq!(line.bytes().len(), 1024);
    }
}
