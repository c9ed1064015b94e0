//! RESTORE's payloads: any bytes are refused or give a value, and a value survives DUMP.
//!
//! The bytes are tried as they are, and as a body to which version and checksum are added, since a
//! stranger can compute those as well as we can; and as a string that is dumped and loaded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rdb::{Compressor, Loaded};
use store::{Limits, NewStr, Str, ValueRef};

fuzz_target!(|input: &[u8]| {
    let _ = rdb::load(input, &Limits::default());

    let mut sealed = input.to_vec();
    sealed.extend_from_slice(&rdb::format::VERSION_WRITTEN.to_le_bytes());
    let checksum = rdb::crc::checksum(&sealed);
    sealed.extend_from_slice(&checksum.to_le_bytes());
    if let Ok(Loaded::String(value)) = rdb::load(&sealed, &Limits::default()) {
        assert!(
            value.len() <= rdb::lzf::unfolds_to_at_most(input.len()) + 20,
            "memory is bounded"
        );
        survives(&spelled(&value));
    }
    survives(input);
});

fn survives(bytes: &[u8]) {
    for compressor in [None, Some(&mut Compressor::new())] {
        let mut payload = Vec::new();
        rdb::dump(
            ValueRef::String(Str::Bytes(bytes)),
            compressor,
            &mut payload,
        );
        let Loaded::String(back) = rdb::load(&payload, &Limits::default()).expect("we wrote it") else {
        panic!("it is a string")
    };
        assert_eq!(spelled(&back), bytes);
    }
}

fn spelled(value: &NewStr<'_>) -> Vec<u8> {
    match value {
        NewStr::Int(n) => n.to_string().into_bytes(),
        NewStr::Bytes(bytes) => bytes.to_vec(),
        NewStr::Blob(blob) => blob.to_vec(),
    }
}
