//! Texts are ordered by their bytes here: the C runtime's locales know no UTF-8 on older systems.

use super::UnknownLocale;
use std::cmp::Ordering;

pub(super) fn set_collation(name: &str) -> Result<(), UnknownLocale> {
    if matches!(name, "" | "C" | "POSIX" | "C.UTF-8") {
        Ok(())
    } else {
        Err(UnknownLocale)
    }
}

pub(super) fn compare(a: &[u8], b: &[u8]) -> Ordering {
    a.cmp(b)
}
