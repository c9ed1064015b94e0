//! What the terminal behind the standard output can show.
//!
//! On Windows a console shows UTF-8 and colours only when it is asked to; consoles before Windows 10
//! cannot, and get plain text.
//!
//! Checked by: test below; the Wine ring, where the output is a pipe.

use std::io::IsTerminal as _;
use std::sync::OnceLock;

#[cfg(unix)]
#[path = "posix.rs"]
mod system;
#[cfg(windows)]
#[path = "windows.rs"]
mod system;

/// Makes the terminal show what we write, as far as it can. Once, before the first output.
pub fn prepare() {
    let _ = has_colours();
}

/// Whether standard output is a terminal that shows colours.
#[must_use]
pub fn has_colours() -> bool {
    static KNOWN: OnceLock<bool> = OnceLock::new();
    *KNOWN.get_or_init(|| system::prepare() && std::io::stdout().is_terminal())
}

#[cfg(test)]
mod tests {
    #[test]
    fn asking_twice_gives_the_same() {
        super::prepare();
        assert_eq!(super::has_colours(), super::has_colours());
    }
}
