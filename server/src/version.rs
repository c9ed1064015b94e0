//! Who we are, in one place.

/// The version of Redis that clients are told, because they choose features by it. Raised when a
/// newer release's commands are all here.
pub const REDIS_VERSION: &str = "7.2.4";

/// Our own.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit that this was built from, eight hexadecimal digits; zeroes outside of a checkout.
pub const COMMIT: &str = env!("REDSTART_COMMIT");

/// The system that this was built for and a sum over all of this: INFO's `redis_build_id`.
#[must_use]
pub fn build_id() -> String {
    // FNV-1a: any sum that changes with its input does.
    let text = [
        VERSION,
        COMMIT,
        std::env::consts::OS,
        std::env::consts::ARCH,
    ]
    .concat();
    let sum = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{sum:x}")
}

/// The line of `--version`, in the form that packagers' scripts cut apart.
#[must_use]
pub fn line() -> String {
    format!(
        "Redis server v={REDIS_VERSION} sha={COMMIT}:0 malloc={} bits={} build={} (Redstart {VERSION})",
        os::alloc::name(),
        usize::BITS,
        build_id(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_has_the_known_fields() {
        let line = line();
        assert!(line.starts_with("Redis server v=7.2.4 sha="), "{line}");
        assert!(
            line.contains(" malloc=mimalloc-") && line.contains(" bits=64 build="),
            "{line}"
        );
        assert!(
            COMMIT.len() == 8 && COMMIT.bytes().all(|b| b.is_ascii_hexdigit()),
            "{COMMIT}"
        );
    }
}
