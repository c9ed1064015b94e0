//! Terminals tell by name what they can.

/// Whether there are colours; UTF-8 goes without saying.
pub(super) fn prepare() -> bool {
    std::env::var_os("TERM").is_some_and(|name| !name.is_empty() && name != "dumb")
}
