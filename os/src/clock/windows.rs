//! Clocks on Windows: the precise system time and the performance counter.

use super::LocalTime;
use windows_sys::Win32::Foundation::{FILETIME, SYSTEMTIME};
use windows_sys::Win32::System::SystemInformation::GetSystemTimePreciseAsFileTime;
use windows_sys::Win32::System::Time::{
    FileTimeToSystemTime, SystemTimeToFileTime, SystemTimeToTzSpecificLocalTime,
};

pub(super) const MONOTONIC: &str = "QueryPerformanceCounter";

/// 100 ns units from 1601, the beginning of Windows's time, to 1970.
const TO_1970: i64 = 116_444_736_000_000_000;

pub(super) fn wall_us() -> i64 {
    let mut t = FILETIME {
        dwLowDateTime: 0,
        dwHighDateTime: 0,
    };
    // SAFETY: `t` is a live local that the call fills.
    unsafe { GetSystemTimePreciseAsFileTime(&raw mut t) };
    ((units(t) - TO_1970) / 10).max(0)
}

pub(super) fn local_time(wall_s: i64) -> LocalTime {
    let file = filetime(wall_s * 10_000_000 + TO_1970);
    let (mut utc, mut local, mut back) = (system_time(), system_time(), filetime(0));
    // SAFETY: all pointers are to live locals of the right types; a null zone means the machine's.
    let ok = unsafe {
        FileTimeToSystemTime(&raw const file, &raw mut utc) != 0
            && SystemTimeToTzSpecificLocalTime(std::ptr::null(), &raw const utc, &raw mut local)
                != 0
            && SystemTimeToFileTime(&raw const local, &raw mut back) != 0
    };
    let (shown, offset) = if ok {
        (local, units(back) - units(file))
    } else {
        (utc, 0)
    };
    LocalTime {
        year: i32::from(shown.wYear),
        month: u32::from(shown.wMonth),
        day: u32::from(shown.wDay),
        hour: u32::from(shown.wHour),
        minute: u32::from(shown.wMinute),
        second: u32::from(shown.wSecond),
        offset_minutes: i32::try_from(offset / 600_000_000).unwrap_or(0),
    }
}

fn units(t: FILETIME) -> i64 {
    (i64::from(t.dwHighDateTime) << 32) | i64::from(t.dwLowDateTime)
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "splits 64 bits into halves"
)]
fn filetime(units: i64) -> FILETIME {
    FILETIME {
        dwLowDateTime: units as u32,
        dwHighDateTime: (units >> 32) as u32,
    }
}

fn system_time() -> SYSTEMTIME {
    SYSTEMTIME {
        wYear: 0,
        wMonth: 0,
        wDayOfWeek: 0,
        wDay: 0,
        wHour: 0,
        wMinute: 0,
        wSecond: 0,
        wMilliseconds: 0,
    }
}
