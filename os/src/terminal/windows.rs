//! A console reads escape sequences when told to, and its code page decides what bytes mean.

use windows_sys::Win32::Globalization::CP_UTF8;
use windows_sys::Win32::System::Console::{
    ENABLE_VIRTUAL_TERMINAL_PROCESSING, GetConsoleMode, GetStdHandle, STD_OUTPUT_HANDLE,
    SetConsoleMode, SetConsoleOutputCP,
};

/// UTF-8, and colours where the console is new enough; whether it is.
pub(super) fn prepare() -> bool {
    let mut mode = 0;
    // SAFETY: calls without preconditions; the handle is the process's own, `mode` a live local. What
    // is no console refuses.
    unsafe {
        let output = GetStdHandle(STD_OUTPUT_HANDLE);
        if GetConsoleMode(output, &mut mode) == 0 {
            return false;
        }
        SetConsoleOutputCP(CP_UTF8);
        SetConsoleMode(output, mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING) != 0
    }
}
