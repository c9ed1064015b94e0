//! Standard output. Whoever reads it may have gone (`redstart-cli --scan | head -1`): that ends the
//! program without a word, as a broken pipe ends other programs.

use std::io::Write as _;

/// The exit code of a program that a broken pipe ended, as shells show it.
const BROKEN_PIPE: i32 = 141;

/// Writes and flushes, so that what reads line by line sees it at once.
pub(crate) fn write(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    if out.write_all(bytes).and_then(|()| out.flush()).is_err() {
        std::process::exit(BROKEN_PIPE);
    }
}

/// The same for text.
pub(crate) fn say(text: &str) {
    write(text.as_bytes());
}
