//! The version that the kernel says, not the one that it plays for old programs.

use super::Concern;
use windows_sys::Wdk::System::SystemServices::RtlGetVersion;

pub(super) fn name() -> String {
    // SAFETY: the structure is plain numbers; its length field says its version.
    let info = unsafe {
        let mut info: windows_sys::Win32::System::SystemInformation::OSVERSIONINFOW =
            std::mem::zeroed();
        info.dwOSVersionInfoSize = size_of_val(&info) as u32;
        RtlGetVersion(&raw mut info);
        info
    };
    let arch = std::env::consts::ARCH;
    format!(
        "Windows {}.{}.{} {arch}",
        info.dwMajorVersion, info.dwMinorVersion, info.dwBuildNumber
    )
}

pub(super) fn backlog_max() -> Option<u64> {
    None
}

pub(super) fn concerns() -> Vec<Concern> {
    Vec::new()
}

pub(super) fn has_huge_pages_always() -> bool {
    false
}
