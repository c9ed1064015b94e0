//! setlocale and strcoll.

use super::UnknownLocale;
use std::cmp::Ordering;
use std::ffi::CString;

pub(super) fn set_collation(name: &str) -> Result<(), UnknownLocale> {
    let name = CString::new(name).map_err(|_| UnknownLocale)?;
    // SAFETY: the name is terminated; readers of the locale are ours (`compare`), and a change while
    // one runs is what the C library allows for.
    if unsafe { libc::setlocale(libc::LC_COLLATE, name.as_ptr()) }.is_null() {
        Err(UnknownLocale)
    } else {
        Ok(())
    }
}

pub(super) fn compare(a: &[u8], b: &[u8]) -> Ordering {
    // Zeroes end a text for the C library: compare piece by piece.
    let (mut left, mut right) = (a.split(|c| *c == 0), b.split(|c| *c == 0));
    loop {
        let (Some(l), Some(r)) = (left.next(), right.next()) else {
            return a.len().cmp(&b.len());
        };
        let terminated = |piece: &[u8]| CString::new(piece).expect("split at zeroes");
        let (l, r) = (terminated(l), terminated(r));
        // SAFETY: both are terminated and live until the call returns.
        match unsafe { libc::strcoll(l.as_ptr(), r.as_ptr()) }.cmp(&0) {
            Ordering::Equal => {}
            unequal => return unequal,
        }
    }
}
