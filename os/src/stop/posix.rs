//! A handler may do next to nothing, so it writes a byte into a pipe, and a thread reads it.

use super::Cause;
use crate::crash::handle;
use libc::c_int;
use std::io::{self, Read as _};
use std::os::fd::IntoRawFd as _;
use std::sync::atomic::{AtomicI32, Ordering};

/// The pipe's end for writing.
static PIPE: AtomicI32 = AtomicI32::new(-1);

pub(super) fn listen(on_request: Box<dyn Fn(Cause) + Send + Sync>) -> io::Result<()> {
    let (mut reader, writer) = io::pipe()?;
    std::thread::Builder::new()
        .name("stop".into())
        .spawn(move || {
            let mut signal = [0];
            while reader.read_exact(&mut signal).is_ok() {
                let interrupt = c_int::from(signal[0]) == libc::SIGINT;
                on_request(if interrupt {
                    Cause::Interrupt
                } else {
                    Cause::Terminate
                });
            }
        })?;
    // Release: the handler's load sees a pipe that is open.
    PIPE.store(writer.into_raw_fd(), Ordering::Release);
    for signal in [libc::SIGTERM, libc::SIGINT] {
        handle(signal, on_signal as *const () as usize, libc::SA_RESTART);
    }
    for signal in [libc::SIGHUP, libc::SIGPIPE] {
        handle(signal, libc::SIG_IGN, 0);
    }
    Ok(())
}

extern "C" fn on_signal(signal: c_int) {
    let byte = u8::try_from(signal).unwrap_or(0);
    crate::raw::write_to(PIPE.load(Ordering::Acquire), &[byte]);
}
