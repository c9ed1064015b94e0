//! Memory figures of Windows.

use super::Figures;
use windows_sys::Win32::System::ProcessStatus::{
    GetPerformanceInfo, GetProcessMemoryInfo, PERFORMANCE_INFORMATION, PROCESS_MEMORY_COUNTERS_EX,
};
use windows_sys::Win32::System::SystemInformation::{
    GetSystemInfo, GlobalMemoryStatusEx, MEMORYSTATUSEX,
};
use windows_sys::Win32::System::Threading::GetCurrentProcess;

pub(super) fn page() -> u64 {
    // SAFETY: the structure is plain numbers that the call fills.
    let info = unsafe {
        let mut info = std::mem::zeroed();
        GetSystemInfo(&raw mut info);
        info
    };
    u64::from(info.dwPageSize)
}

pub(super) fn system() -> u64 {
    // SAFETY: the structure is plain numbers; its length field says its version.
    unsafe {
        let mut status: MEMORYSTATUSEX = std::mem::zeroed();
        status.dwLength = size_of::<MEMORYSTATUSEX>() as u32;
        GlobalMemoryStatusEx(&raw mut status);
        status.ullTotalPhys
    }
}

fn counters() -> PROCESS_MEMORY_COUNTERS_EX {
    // SAFETY: the structure is plain numbers; the length passed is its own.
    unsafe {
        let mut counters: PROCESS_MEMORY_COUNTERS_EX = std::mem::zeroed();
        let bytes = size_of::<PROCESS_MEMORY_COUNTERS_EX>() as u32;
        GetProcessMemoryInfo(GetCurrentProcess(), (&raw mut counters).cast(), bytes);
        counters
    }
}

pub(super) fn resident() -> u64 {
    counters().WorkingSetSize as u64
}

pub(super) fn figures() -> Figures {
    let own = counters();
    // SAFETY: as above.
    let all = unsafe {
        let mut all: PERFORMANCE_INFORMATION = std::mem::zeroed();
        GetPerformanceInfo(&raw mut all, size_of::<PERFORMANCE_INFORMATION>() as u32);
        all
    };
    let page = all.PageSize as u64;
    Figures {
        resident: own.WorkingSetSize as u64,
        resident_peak: own.PeakWorkingSetSize as u64,
        system: system(),
        private: own.PrivateUsage as u64,
        private_peak: own.PeakPagefileUsage as u64,
        commit_limit: all.CommitLimit as u64 * page,
        commit_used: all.CommitTotal as u64 * page,
        swapped: 0,
    }
}

/// The allocator decommits what it gives back; the working set shrinks with it.
pub(super) fn trim() {}
