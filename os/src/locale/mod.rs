//! The collation order that SORT … ALPHA uses: `locale-collate`.

#[cfg(unix)]
#[path = "posix.rs"]
mod system;
#[cfg(windows)]
#[path = "windows.rs"]
mod system;

/// The system has no collation order of this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownLocale;

/// Changes the process's collation order; an empty name is the environment's.
///
/// # Errors
/// When the system does not know the name.
pub fn set_collation(name: &str) -> Result<(), UnknownLocale> {
    system::set_collation(name)
}

/// How the two texts are ordered in the present collation order.
#[must_use]
pub fn compare(a: &[u8], b: &[u8]) -> std::cmp::Ordering {
    system::compare(a, b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cmp::Ordering;

    #[test]
    fn knows_c_and_refuses_nonsense() {
        assert_eq!(set_collation("xx_no_such_locale"), Err(UnknownLocale));
        assert_eq!(set_collation("C"), Ok(()));
        assert_eq!(compare(b"B", b"a"), Ordering::Less);
        assert_eq!(compare(b"a\0b", b"a\0a"), Ordering::Greater);
        assert_eq!(compare(b"a", b"a"), Ordering::Equal);
    }
}
