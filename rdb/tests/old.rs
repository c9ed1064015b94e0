//! Files of versions 1 to 9, made by hand, load to what Redis 7.0.15 loads from the same bytes:
//! `peers.rs` asks it where it is installed, and the digests here are its answers.

mod common;

use common::{load, old};

#[test]
fn old_files_load_to_the_digests_of_redis() {
    for version in 1..=9 {
        let (told, digest) = load(&old::file(version)).expect("it is well formed");
        let expected = match version {
            1..=3 => "67ff1b7278eacb5047c69b11911ac1b617a764d8",
            4..=8 => "240cd4e2daccf4b833876d0a75303cfc07614f70",
            _ => "bf755e74dc63089a0bea2ae37d132aa1fb1e8cd3",
        };
        assert_eq!(digest, expected, "version {version}");
        assert_eq!(told.skipped, 0);
    }
}

/// D7 for what has no checksum: any prefix is refused, any flipped byte is refused or read, and nothing
/// panics.
#[test]
fn broken_old_files_are_refused_or_read() {
    for version in [1, 4, 9] {
        let file = old::file(version);
        for length in 0..file.len() {
            assert!(
                load(&file[..length]).is_err(),
                "version {version}, {length} bytes"
            );
        }
    }
    let file = old::file(4);
    let (mut read, mut refused) = (0, 0);
    for at in 9..file.len() {
        for flip in [1, 0x80] {
            let mut bytes = file.clone();
            bytes[at] ^= flip;
            match common::read(&bytes) {
                Ok(()) => read += 1,
                Err(_) => refused += 1,
            }
        }
    }
    assert!(read > 0 && refused > 0, "{read} read, {refused} refused");
}
