//! Payloads that Redis really produced, read by us; and ours compared with them.
//!
//! `redis-7.0.15.dumps` holds a value and its payload a line. Where no compressor is involved our
//! payload is Redis's but for version and checksum; where one is, ours must not be longer by more
//! than a few bytes, or our search for matches has decayed.

use rdb::{Compressor, Loaded};
use store::value::string::INT_CHARS_MAX;
use store::{Limits, NewStr, Str, ValueRef};

fn unhex(text: &str) -> Vec<u8> {
    if text == "-" {
        return Vec::new();
    }
    (0..text.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&text[i..i + 2], 16).expect("the file holds hex"))
        .collect()
}

fn spelled(loaded: Loaded<'_>) -> Vec<u8> {
    let Loaded::String(value) = loaded else {
        panic!("it is a string")
    };
    match value {
        NewStr::Int(n) => Str::Int(n).bytes(&mut [0; INT_CHARS_MAX]).to_vec(),
        NewStr::Bytes(bytes) => bytes.to_vec(),
        NewStr::Blob(blob) => blob.to_vec(),
    }
}

const COMPRESSED: u8 = 0xC3;
const FOOTER_BYTES: usize = 10;

#[test]
fn payloads_of_redis_are_read_and_ours_are_alike() {
    let mut lines = 0;
    for line in include_str!("redis-7.0.15.dumps")
        .lines()
        .filter(|line| !line.starts_with('#'))
    {
        let (value, payload) = line.split_once(' ').expect("two words a line");
        let (value, payload) = (unhex(value), unhex(payload));
        assert_eq!(
            spelled(rdb::load(&payload, &Limits::default()).expect("Redis wrote it")),
            value
        );

        let mut ours = Vec::new();
        rdb::dump(
            ValueRef::String(Str::Bytes(&value)),
            Some(&mut Compressor::new()),
            &mut ours,
        );
        let (theirs, body) = (
            &payload[..payload.len() - FOOTER_BYTES],
            &ours[..ours.len() - FOOTER_BYTES],
        );
        if theirs[1] == COMPRESSED || body[1] == COMPRESSED {
            assert!(
                body.len() <= theirs.len() + theirs.len() / 16 + 4,
                "{} after {}",
                body.len(),
                theirs.len()
            );
        } else {
            assert_eq!(body, theirs);
        }
        lines += 1;
    }
    assert_eq!(lines, 33, "the file has lost lines");
}
