//! Manifests of the append-only file: any bytes are refused or name plain files, and what is read is
//! written so that it reads the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use persist::aof::Manifest;

/// A longer line is refused; quoting may make one of a shorter one.
const LINE_MAX: usize = 1024;

fuzz_target!(|input: &[u8]| {
    let Ok(manifest) = Manifest::parse(input) else {
        return;
    };
    for entry in manifest.files().chain(&manifest.history) {
        let is_path = entry.name.iter().any(|b| matches!(b, b'/' | b'\\'));
        assert!(!is_path, "a manifest names nothing outside its folder");
    }
    let text = manifest.text();
    let is_readable = text.split_inclusive(|b| *b == b'\n').all(|line| line.len() < LINE_MAX);
    if !text.is_empty() && is_readable {
        assert_eq!(Manifest::parse(&text), Ok(manifest));
    }
});
