//! RLIMIT_NOFILE.

use super::OpenFiles;

pub(super) fn raise_open_files(wanted: u64) -> OpenFiles {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is a live local of the right type.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        let refused = Some(crate::files::error_text(&std::io::Error::last_os_error()));
        return OpenFiles {
            before: None,
            now: 1024,
            refused,
        };
    }
    let (soft, hard) = (limit.rlim_cur, limit.rlim_max);
    if soft >= wanted {
        return OpenFiles {
            before: Some(soft),
            now: soft,
            refused: None,
        };
    }
    // First as much as wanted, the hard limit with it (root may), then up to the hard limit.
    match set(wanted, wanted.max(hard)) {
        Ok(()) => OpenFiles {
            before: Some(soft),
            now: wanted,
            refused: None,
        },
        Err(why) => {
            let best = wanted.min(hard).max(soft);
            let now = if set(best, hard).is_ok() { best } else { soft };
            let refused = (now < wanted).then_some(why);
            OpenFiles {
                before: Some(soft),
                now,
                refused,
            }
        }
    }
}

fn set(soft: u64, hard: u64) -> Result<(), String> {
    let limit = libc::rlimit {
        rlim_cur: soft,
        rlim_max: hard,
    };
    // SAFETY: `limit` is a live local of the right type.
    match unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } {
        0 => Ok(()),
        _ => Err(crate::files::error_text(&std::io::Error::last_os_error())),
    }
}
