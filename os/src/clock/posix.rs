//! Clocks on POSIX systems.

use super::LocalTime;
use std::time::{SystemTime, UNIX_EPOCH};

pub(super) const MONOTONIC: &str = "POSIX clock_gettime";

pub(super) fn wall_us() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(d) => i64::try_from(d.as_micros()).unwrap_or(i64::MAX),
        // A clock set before 1970: time stands still rather than going negative.
        Err(_) => 0,
    }
}

pub(super) fn local_time(wall_s: i64) -> LocalTime {
    let t: libc::time_t = wall_s;
    // SAFETY: `tm` is plain numbers (and a pointer that may be null), for which zeroes are valid.
    let mut tm: libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to live locals of the right types; localtime_r keeps neither.
    unsafe { libc::localtime_r(&raw const t, &raw mut tm) };
    LocalTime {
        year: tm.tm_year + 1900,
        month: part(tm.tm_mon + 1),
        day: part(tm.tm_mday),
        hour: part(tm.tm_hour),
        minute: part(tm.tm_min),
        second: part(tm.tm_sec),
        offset_minutes: i32::try_from(tm.tm_gmtoff / 60).unwrap_or(0),
    }
}

fn part(n: libc::c_int) -> u32 {
    u32::try_from(n).unwrap_or(0)
}
