//! A completion port and the clock it sleeps by.
//!
//!   sleep ─▶ [timer set, if the time is short] ─▶ GetQueuedCompletionStatusEx, alertable
//!              └ its routine runs inside the sleep and thereby ends it
//!
//! A port's own time-outs come with the system's tick, every 15.6 ms. A timer of high resolution ends
//! the sleep within half a millisecond, and costs one call: so it is set only for short sleeps. A
//! timer that is still set when something else ends the sleep fires into a later one, which then
//! returns early; that is allowed, and cheaper than taking the timer back each time.
//!
//! Checked by: conformance (timers, silence_is_cheap, wake_from_another_thread).

use super::op::Done;
use std::io;
use std::os::windows::io::{AsRawHandle, AsRawSocket, FromRawHandle, OwnedHandle};
use std::ptr::{null, null_mut};
use std::time::Duration;
use windows_sys::Win32::Foundation::{
    GetLastError, INVALID_HANDLE_VALUE, WAIT_IO_COMPLETION, WAIT_TIMEOUT,
};
use windows_sys::Win32::System::IO::{
    CreateIoCompletionPort, GetQueuedCompletionStatusEx, OVERLAPPED_ENTRY,
    PostQueuedCompletionStatus,
};
use windows_sys::Win32::System::Threading::{
    CREATE_WAITABLE_TIMER_HIGH_RESOLUTION, CreateWaitableTimerExW, SetWaitableTimer,
    TIMER_ALL_ACCESS,
};

/// Completions taken from the port at once.
const ENTRIES: usize = 256;
/// Sleeps shorter than this are measured by the timer; of longer ones a tick is a small part.
const SHORT: Duration = Duration::from_millis(200);

/// A completion port. It has one thread that sleeps on it, and any number that rouse it.
pub(super) struct Port {
    handle: OwnedHandle,
    /// None where the system has no such timer (before Windows 10 1803); then the tick has to do.
    timer: Option<OwnedHandle>,
}

impl crate::waker::Kick for std::sync::Arc<Port> {
    fn kick(&self) {
        // SAFETY: the handle is open as long as `self` is. A null OVERLAPPED is what `sleep` knows
        // to be no operation (P1).
        // It fails only when the system is out of memory, and then the loop's own timeout has to do.
        unsafe { PostQueuedCompletionStatus(self.handle.as_raw_handle(), 0, 0, null()) };
    }
}

impl Port {
    pub(super) fn new() -> io::Result<Port> {
        // SAFETY: no pointers; the result is looked at before it is owned.
        let handle = unsafe { CreateIoCompletionPort(INVALID_HANDLE_VALUE, null_mut(), 0, 1) };
        if handle.is_null() {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a handle that is open and nobody else's.
        let handle = unsafe { OwnedHandle::from_raw_handle(handle) };
        // SAFETY: null means no attributes and no name.
        let timer = unsafe {
            CreateWaitableTimerExW(
                null(),
                null(),
                CREATE_WAITABLE_TIMER_HIGH_RESOLUTION,
                TIMER_ALL_ACCESS,
            )
        };
        // SAFETY: a handle that is open and nobody else's.
        let timer = (!timer.is_null()).then(|| unsafe { OwnedHandle::from_raw_handle(timer) });
        Ok(Port { handle, timer })
    }

    /// From here on the socket's operations complete here. Once in a socket's life.
    pub(super) fn associate(&self, socket: &socket2::Socket) -> io::Result<()> {
        let socket = socket.as_raw_socket() as usize as *mut core::ffi::c_void;
        // SAFETY: both handles are open.
        let port = unsafe { CreateIoCompletionPort(socket, self.handle.as_raw_handle(), 0, 0) };
        if port.is_null() {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    /// Sleeps until something completes, somebody kicks, or the time is over (`None`: never), and
    /// appends what has completed.
    pub(super) fn sleep(&self, timeout: Option<Duration>, done: &mut Vec<Done>) -> io::Result<()> {
        let alertable = timeout.is_some_and(|t| !t.is_zero() && t < SHORT && self.set_timer(t));
        let mut entries = [OVERLAPPED_ENTRY::default(); ENTRIES];
        let mut count = 0;
        // SAFETY: the port is open, and `entries` has room for ENTRIES.
        let ok = unsafe {
            GetQueuedCompletionStatusEx(
                self.handle.as_raw_handle(),
                entries.as_mut_ptr(),
                ENTRIES as u32,
                &mut count,
                millis(timeout),
                i32::from(alertable),
            )
        };
        if ok == 0 {
            // SAFETY: no arguments.
            return match unsafe { GetLastError() } {
                WAIT_TIMEOUT | WAIT_IO_COMPLETION => Ok(()),
                code => Err(io::Error::from_raw_os_error(code as i32)),
            };
        }
        for entry in &entries[..count as usize] {
            if !entry.lpOverlapped.is_null() {
                // SAFETY: P1, the pointer came out of this port and is not null.
                done.push(unsafe { Done::from_entry(entry) });
            }
        }
        Ok(())
    }

    /// Sets the timer; gives whether it is set.
    fn set_timer(&self, timeout: Duration) -> bool {
        unsafe extern "system" fn fired(_: *const core::ffi::c_void, _: u32, _: u32) {}
        let Some(timer) = &self.timer else {
            return false;
        };
        // From now, in steps of 100 ns; negative is how the system writes "from now".
        let due = -i64::try_from(timeout.as_nanos().div_ceil(100)).expect("a short time");
        // SAFETY: the timer is open; the routine takes no notice of its arguments and lives for
        // ever; it runs on this thread alone, inside of an alertable sleep.
        unsafe { SetWaitableTimer(timer.as_raw_handle(), &due, 0, Some(fired), null(), 0) != 0 }
    }
}

/// Rounded up, so that nobody wakes just before a deadline to find nothing to do.
fn millis(timeout: Option<Duration>) -> u32 {
    const FOREVER: u32 = u32::MAX;
    match timeout {
        None => FOREVER,
        Some(t) => u32::try_from(t.as_nanos().div_ceil(1_000_000))
            .unwrap_or(FOREVER)
            .min(FOREVER - 1),
    }
}
