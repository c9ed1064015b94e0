//! RESTORE's payloads: any bytes are refused or give a value, and a value survives DUMP.
//!
//! The bytes are tried as they are, and as a body to which version and checksum are added, since a
//! stranger can compute those as well as we can: once for each meaning that a type number has had.
//! What loads is dumped and loaded again, and the second dump is as long as the first: of another
//! order, perhaps, but of the same elements. The bytes themselves, as a string, survive too.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use rdb::{Compressor, Loaded};
use store::{Limits, NewStr, Object, Options, Store, Str, ValueRef};

/// Redis's own, the first that knows fields with a TTL, and Valkey's.
const VERSIONS: [u16; 3] = [rdb::format::VERSION_WRITTEN, 12, 80];

fuzz_target!(|input: &[u8]| {
    // Elements are hashed with the secrets of the process's first store.
    let _ = Store::new(Options {
        databases: 1,
        workers: 1,
        seed: 1,
    });
    let _ = rdb::load(input, &Limits::default());
    for version in VERSIONS {
        match rdb::load(&sealed(input, version), &Limits::default()) {
            Ok(Loaded::String(value)) => {
                assert!(
                    value.len() <= rdb::lzf::unfolds_to_at_most(input.len()) + 20,
                    "memory is bounded"
                );
                string_survives(&spelled(&value));
            }
            Ok(Loaded::Object(object)) => object_survives(object),
            Err(_) => {}
        }
    }
    string_survives(input);
});

fn sealed(body: &[u8], version: u16) -> Vec<u8> {
    let mut payload = body.to_vec();
    payload.extend_from_slice(&version.to_le_bytes());
    let checksum = rdb::crc::checksum(&payload);
    payload.extend_from_slice(&checksum.to_le_bytes());
    payload
}

fn object_survives(object: Object) {
    let first = dumped(object);
    let back = rdb::load(&first, &Limits::default()).expect("we wrote it");
    let Loaded::Object(back) = back else {
        panic!("it was no string")
    };
    assert_eq!(first.len(), dumped(back).len(), "the same elements");
}

fn dumped(object: Object) -> Vec<u8> {
    let mut payload = Vec::new();
    rdb::dump(ValueRef::Object(&Arc::new(object)), None, &mut payload);
    payload
}

fn string_survives(bytes: &[u8]) {
    for compressor in [None, Some(&mut Compressor::new())] {
        let mut payload = Vec::new();
        rdb::dump(
            ValueRef::String(Str::Bytes(bytes)),
            compressor,
            &mut payload,
        );
        let back = rdb::load(&payload, &Limits::default()).expect("we wrote it");
        let Loaded::String(back) = back else {
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
