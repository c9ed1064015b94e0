//! Console events.

use super::Cause;
use std::io;
use std::sync::OnceLock;
use windows_sys::Win32::System::Console::{
    CTRL_BREAK_EVENT, CTRL_C_EVENT, CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT, CTRL_SHUTDOWN_EVENT,
    SetConsoleCtrlHandler,
};

static CALLBACK: OnceLock<Box<dyn Fn(Cause) + Send + Sync>> = OnceLock::new();

pub(super) fn listen(on_request: Box<dyn Fn(Cause) + Send + Sync>) -> io::Result<()> {
    if CALLBACK.set(on_request).is_err() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    // SAFETY: the handler is a function of the type asked for and lives for ever.
    match unsafe { SetConsoleCtrlHandler(Some(on_event), 1) } {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Runs on a thread that the system makes for it.
unsafe extern "system" fn on_event(event: u32) -> i32 {
    let cause = match event {
        CTRL_C_EVENT => Cause::Interrupt,
        CTRL_BREAK_EVENT => Cause::Break,
        CTRL_CLOSE_EVENT => Cause::Close,
        CTRL_LOGOFF_EVENT => Cause::Logoff,
        CTRL_SHUTDOWN_EVENT => Cause::Shutdown,
        _ => return 0,
    };
    if let Some(callback) = CALLBACK.get() {
        callback(cause);
    }
    if matches!(cause, Cause::Close | Cause::Logoff | Cause::Shutdown) {
        // Returning would end the process before it has stopped.
        std::thread::sleep(std::time::Duration::from_secs(3600));
    }
    1
}
