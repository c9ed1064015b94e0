//! Clocks: the wall, a monotonic one, and ticks that cost next to nothing.
//!
//! | clock | unit | read by |
//! |---|---|---|
//! | [`wall_us`], [`wall_ms`] | since 1970 | deadlines of keys, TIME, log lines |
//! | [`monotonic_us`] | since the process began | timers, time-outs, uptime |
//! | [`ticks`] | unspecified, see [`ticks_to_ns`] | how long a command took |
//!
//! Ticks are the processor's time stamp counter where it is invariant (it counts at one rate
//! whatever the core's frequency, and all cores agree), measured once against the monotonic clock;
//! elsewhere they are monotonic nanoseconds. Reading the counter takes about 8 ns where the
//! system's clock takes 20 to 25.
//!
//! **Invariant:** [`calibrate`] runs before the first [`ticks`]; the scale never changes later, so
//! differences of ticks taken at any two moments convert alike.
//!
//! Checked by: tests below.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

#[cfg(unix)]
#[path = "posix.rs"]
mod system;
#[cfg(windows)]
#[path = "windows.rs"]
mod system;

/// Microseconds since 1970.
#[must_use]
pub fn wall_us() -> i64 {
    system::wall_us()
}

/// Milliseconds since 1970.
#[must_use]
pub fn wall_ms() -> i64 {
    wall_us() / 1000
}

/// Microseconds since the first call of this function in the process; never goes back.
#[must_use]
pub fn monotonic_us() -> u64 {
    u64::try_from(epoch().elapsed().as_micros()).expect("600,000 years of uptime do not occur")
}

fn monotonic_ns() -> u64 {
    u64::try_from(epoch().elapsed().as_nanos()).expect("500 years of uptime do not occur")
}

fn epoch() -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    *EPOCH.get_or_init(Instant::now)
}

/// A date and a time of day in the machine's time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime {
    /// The year, 2026 for 2026.
    pub year: i32,
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31.
    pub day: u32,
    /// 0 to 23.
    pub hour: u32,
    /// 0 to 59.
    pub minute: u32,
    /// 0 to 60.
    pub second: u32,
    /// East of Greenwich, daylight saving included.
    pub offset_minutes: i32,
}

/// What a wall clock on the wall shows at `wall_us`.
#[must_use]
pub fn local_time(wall_us: i64) -> LocalTime {
    system::local_time(wall_us.div_euclid(1_000_000))
}

/// How ticks become nanoseconds: `ticks * mul >> 32`; `mul` of 0 says that they are nanoseconds.
struct Scale {
    mul: u64,
}

static SCALE: OnceLock<Scale> = OnceLock::new();

/// Chooses the source of ticks and measures its rate (once; takes five milliseconds). Returns the
/// words that describe it, as INFO's `monotonic_clock` shows them.
pub fn calibrate() -> String {
    let scale = SCALE.get_or_init(|| Scale {
        mul: counter::measure().unwrap_or(0),
    });
    match scale.mul {
        0 => system::MONOTONIC.to_owned(),
        mul => format!("X86 TSC @ {} ticks/us", ((1000u64 << 32) + mul / 2) / mul),
    }
}

/// Processor time that the process has used, all threads together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuTimes {
    /// In the program's own code.
    pub user: Duration,
    /// In the system on its behalf.
    pub system: Duration,
}

/// What the process has used so far, to the millisecond.
#[must_use]
pub fn cpu_times() -> CpuTimes {
    let (mut user_ms, mut system_ms, mut unused) = (0usize, 0usize, [0usize; 6]);
    let [elapsed, rss, peak_rss, commit, peak_commit, faults] = &mut unused;
    // SAFETY: all eight pointers are to live numbers. The allocator asks the system in the way of
    // each system, so we need not.
    unsafe {
        libmimalloc_sys::mi_process_info(
            elapsed,
            &raw mut user_ms,
            &raw mut system_ms,
            rss,
            peak_rss,
            commit,
            peak_commit,
            faults,
        );
    }
    CpuTimes {
        user: Duration::from_millis(user_ms as u64),
        system: Duration::from_millis(system_ms as u64),
    }
}

/// A moment, in units that only [`ticks_to_ns`] knows.
#[inline]
#[must_use]
pub fn ticks() -> u64 {
    match SCALE.get() {
        Some(Scale { mul }) if *mul != 0 => counter::read(),
        _ => monotonic_ns(),
    }
}

/// A difference of two [`ticks`] in nanoseconds.
#[inline]
#[must_use]
pub fn ticks_to_ns(difference: u64) -> u64 {
    match SCALE.get() {
        Some(Scale { mul }) if *mul != 0 => {
            // 64 by 64 bits: the product needs the wide type, the result fits for 580 years.
            u64::try_from((u128::from(difference) * u128::from(*mul)) >> 32).unwrap_or(u64::MAX)
        }
        _ => difference,
    }
}

/// The time stamp counter.
#[cfg(target_arch = "x86_64")]
mod counter {
    use std::arch::x86_64::{__cpuid, _rdtsc};
    use std::time::{Duration, Instant};

    pub(super) fn read() -> u64 {
        // SAFETY: every x86-64 processor has the instruction; it reads a register and nothing else.
        unsafe { _rdtsc() }
    }

    /// The multiplier of [`super::Scale`], when the counter can be trusted.
    pub(super) fn measure() -> Option<u64> {
        // Leaf 0x80000007, bit 8 of EDX: the counter is invariant.
        let invariant =
            __cpuid(0x8000_0000).eax >= 0x8000_0007 && __cpuid(0x8000_0007).edx & (1 << 8) != 0;
        if !invariant {
            return None;
        }
        let (began, first) = (Instant::now(), read());
        while began.elapsed() < Duration::from_millis(5) {
            std::hint::spin_loop();
        }
        let (ns, last) = (began.elapsed().as_nanos(), read());
        let ticks = last.checked_sub(first).filter(|t| *t > 0)?;
        // Between 100 MHz and 100 GHz, or it is no clock.
        let mul = u64::try_from((ns << 32) / u128::from(ticks)).ok()?;
        ((1 << 32) / 100..=(1u64 << 32) * 10)
            .contains(&mul)
            .then_some(mul)
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod counter {
    pub(super) fn read() -> u64 {
        super::monotonic_ns()
    }

    pub(super) fn measure() -> Option<u64> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn ticks_measure_time() {
        let text = calibrate();
        assert!(text.contains("TSC") || text == system::MONOTONIC, "{text}");
        let (began, first) = (Instant::now(), ticks());
        std::thread::sleep(Duration::from_millis(50));
        let (real, ours) = (
            began.elapsed().as_nanos(),
            u128::from(ticks_to_ns(ticks() - first)),
        );
        assert!(
            ours * 100 > real * 98 && ours * 98 < real * 100,
            "{ours} ns against {real} ns"
        );
    }

    #[test]
    fn clocks_go_forward() {
        let (wall, mono) = (wall_us(), monotonic_us());
        std::thread::sleep(Duration::from_millis(2));
        assert!(wall_us() > wall && monotonic_us() >= mono + 2000);
        assert!(wall > 1_700_000_000_000_000, "{wall}");
    }

    #[test]
    fn local_time_agrees_with_its_offset() {
        // 24 Nov 2026 08:16:00 UTC.
        let t = local_time(1_795_508_160_000_000);
        let minutes = i64::from(t.hour * 60 + t.minute) - i64::from(t.offset_minutes);
        assert_eq!(minutes.rem_euclid(1440), 8 * 60 + 16, "{t:?}");
        assert_eq!((t.year, t.month), (2026, 11), "{t:?}");
    }
}
