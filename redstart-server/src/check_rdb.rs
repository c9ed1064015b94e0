//! `redstart-check-rdb FILE`: is an RDB file sound? `rdb::check` says what of it.
//!
//! | exit code | why |
//! |---|---|
//! | 0 | the file is sound |
//! | 1 | it is not, or cannot be read, or the command line makes no sense |
//!
//! It is a program of its own, and what the server does when it is called by a name with `check-rdb` in
//! it (Redis's packages link it so), or with `--check-rdb FILE`.
//!
//! Checked by: `tests/check_rdb.rs`, beside the distribution's tool where that is installed.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::Path;

use os::disk::Disk;
use rdb::check::Check;

/// How much is read at once.
const BLOCK_BYTES: usize = 1 << 18;

/// Does what the words behind the program's name ask for; the exit code.
pub(crate) fn main(words: &[OsString]) -> i32 {
    match words {
        [one] if one == "-v" || one == "--version" => {
            println!("redstart-check-rdb {}", env!("CARGO_PKG_VERSION"));
            0
        }
        [one] => i32::from(!check(Path::new(one))),
        _ => {
            eprintln!("Usage: redstart-check-rdb <rdb-file-name>");
            1
        }
    }
}

/// Reads the file and says what there is to say; whether it is sound.
fn check(path: &Path) -> bool {
    let mut seed = [0; 8];
    let mut out = Vec::new();
    let result = os::random::fill(&mut seed).and_then(|()| {
        let (name, now_ms) = (path.as_os_str().as_encoded_bytes(), os::clock::wall_ms());
        let check = Check::begin(name, now_ms, u64::from_le_bytes(seed), &mut out);
        say(&mut out)?;
        read(path, check, &mut out)
    });
    result.unwrap_or_else(|error| {
        eprintln!(
            "Cannot read the file '{}': {}",
            path.display(),
            os::files::error_text(&error)
        );
        false
    })
}

fn read(path: &Path, mut check: Check, out: &mut Vec<u8>) -> io::Result<bool> {
    let mut file = Disk::Real.open(path)?;
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        let count = file.read(&mut block)?;
        let goes_on = count > 0 && check.feed(&block[..count], out);
        if count == 0 {
            let is_sound = check.finish(out);
            say(out)?;
            return Ok(is_sound);
        }
        say(out)?;
        if !goes_on {
            return Ok(false);
        }
    }
}

/// Writes the lines to standard output.
fn say(out: &mut Vec<u8>) -> io::Result<()> {
    let result = io::stdout().write_all(out);
    out.clear();
    match result {
        // A reader that has gone does not make the file worse.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}
