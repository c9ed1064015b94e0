//! uname and /proc.

use super::Concern;
use std::ffi::CStr;

pub(super) fn name() -> String {
    // SAFETY: the structure is plain characters that the call fills.
    let info = unsafe {
        let mut info: libc::utsname = std::mem::zeroed();
        libc::uname(&raw mut info);
        info
    };
    let text = |field: &[libc::c_char]| {
        // SAFETY: uname terminates its fields, and zeroes stood there before.
        unsafe { CStr::from_ptr(field.as_ptr()) }
            .to_string_lossy()
            .into_owned()
    };
    format!(
        "{} {} {}",
        text(&info.sysname),
        text(&info.release),
        text(&info.machine)
    )
}

fn setting(path: &str) -> Option<String> {
    std::fs::read_to_string(path)
        .ok()
        .map(|text| text.trim().to_owned())
}

pub(super) fn backlog_max() -> Option<u64> {
    setting("/proc/sys/net/core/somaxconn")?.parse().ok()
}

pub(super) fn concerns() -> Vec<Concern> {
    let mut concerns = Vec::new();
    if setting("/proc/sys/vm/overcommit_memory").as_deref() == Some("2") {
        concerns.push(Concern {
            name: "OVERCOMMIT",
            text: "Memory overcommit is forbidden (vm.overcommit_memory is 2): the system refuses memory before it is \
                   used up. Leave room above maxmemory, or set vm.overcommit_memory to 0 or 1."
                .to_owned(),
        });
    }
    if setting("/sys/devices/system/clocksource/clocksource0/current_clocksource").as_deref()
        == Some("xen")
    {
        concerns.push(Concern {
            name: "CLOCKSOURCE",
            text: "The system uses the slow clock source 'xen'. To fix it run the command \
                   'echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource' as root."
                .to_owned(),
        });
    }
    concerns
}

pub(super) fn has_huge_pages_always() -> bool {
    setting("/sys/kernel/mm/transparent_hugepage/enabled")
        .is_some_and(|text| text.contains("[always]"))
}
