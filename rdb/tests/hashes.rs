//! Hashes that Redis and Valkey dumped, read by us; ours compared with them; broken ones refused.

use rdb::{Dialect, DumpError, Loaded, Malformed};
use store::{Container, Encoding, FieldDeadline, Hash, Limits, Object, Options, Store, ValueRef};

const FOOTER_BYTES: usize = 10;

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&text[i..i + 2], 16).expect("the file holds hex"))
        .collect()
}

/// One small and one large hash, dumped in each dialect: each says its version, and both come back alike.
#[test]
fn a_dialect_has_its_own_form_of_deadlines() {
    let _ = Store::new(Options {
        databases: 1,
        workers: 1,
        seed: 1,
    });
    for many in [3_u32, 600] {
        let mut hash = Hash::new();
        for n in 0..many {
            let name = n.to_string();
            let deadline = match n {
                1 => FieldDeadline::At(1_900_000_000_000),
                _ => FieldDeadline::Clear,
            };
            hash.set(name.as_bytes(), b"v", deadline, &Limits::default())
                .expect("memory");
        }
        let object = std::sync::Arc::new(Object::Hash(hash.fork().expect("memory")));
        let redis = if many == 3 { 25 } else { 24 };
        for (dialect, number, version) in [(Dialect::Redis, redis, 12), (Dialect::Valkey, 22, 80)] {
            let mut payload = Vec::new();
            rdb::dump_in(dialect, ValueRef::Object(&object), None, &mut payload);
            let footer = payload.len() - FOOTER_BYTES;
            assert_eq!((payload[0], payload[footer]), (number, version));
            assert_eq!(held(&load(&payload).expect("we wrote it")), held(&hash));
        }
    }
}

type Fields = Vec<(Vec<u8>, Vec<u8>, Option<i64>)>;

fn fields(text: &str) -> Fields {
    let one = |field: &str| {
        let (field, deadline) = match field.split_once('@') {
            Some((field, at)) => (field, Some(at.parse().expect("a moment"))),
            None => (field, None),
        };
        let (name, value) = field.split_once('=').expect("a value");
        (unhex(name), unhex(value), deadline)
    };
    text.split(',').map(one).collect()
}

fn held(hash: &Hash) -> Fields {
    let mut all: Fields = hash
        .iter()
        .map(|field| (field.name.to_vec(), field.value.to_vec(), field.deadline))
        .collect();
    all.sort();
    all
}

fn load(payload: &[u8]) -> Result<Hash, DumpError> {
    // Elements are hashed with the secrets of the process's first store.
    let _ = Store::new(Options {
        databases: 1,
        workers: 1,
        seed: 1,
    });
    match rdb::load(payload, &Limits::default())? {
        Loaded::Object(object) => {
            let hash = Hash::of(&object).expect("the payload is a hash's");
            Ok(hash.fork().expect("memory"))
        }
        other => panic!("{other:?} is no hash"),
    }
}

fn dump(hash: &Hash) -> Vec<u8> {
    let object = Object::Hash(hash.fork().expect("memory"));
    let mut payload = Vec::new();
    rdb::dump(
        ValueRef::Object(&std::sync::Arc::new(object)),
        None,
        &mut payload,
    );
    payload
}

fn sealed(body: &[u8], version: u16) -> Vec<u8> {
    let mut out = body.to_vec();
    out.extend_from_slice(&version.to_le_bytes());
    let checksum = rdb::crc::checksum(&out);
    out.extend_from_slice(&checksum.to_le_bytes());
    out
}

struct Line<'a> {
    who: &'a str,
    encoding: &'a str,
    fields: Fields,
    payload: Vec<u8>,
}

fn lines() -> Vec<Line<'static>> {
    include_str!("hashes.dumps")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            Line {
                who: words[0],
                encoding: words[1],
                fields: fields(words[2]),
                payload: unhex(words[3]),
            }
        })
        .collect()
}

#[test]
fn payloads_of_others_are_read_and_ours_are_alike() {
    let lines = lines();
    assert_eq!(lines.len(), 14, "the file has lost lines");
    for line in lines {
        let hash = load(&line.payload).expect("a server wrote it");
        assert_eq!(held(&hash), line.fields, "{}", line.who);
        let is_redis = line.who.starts_with("redis");
        if is_redis {
            assert_eq!(hash.encoding().name(), line.encoding, "{}", line.who);
        }
        let ours = dump(&hash);
        assert_eq!(held(&load(&ours).expect("ours")), line.fields);
        if is_redis && hash.encoding() != Encoding::HashTable && !line.who.ends_with("-reads") {
            let body = |payload: &[u8]| payload[..payload.len() - FOOTER_BYTES].to_vec();
            assert_eq!(body(&ours), body(&line.payload));
        }
        let version = u16::from_le_bytes(
            ours[ours.len() - FOOTER_BYTES..][..2]
                .try_into()
                .expect("two bytes"),
        );
        let has_deadlines = line.fields.iter().any(|(_, _, at)| at.is_some());
        let lowest = match hash.encoding() {
            _ if has_deadlines => 12,
            Encoding::HashTable => 6,
            _ => 10,
        };
        assert_eq!(version, lowest, "the lowest version that holds it");
    }
}

/// One number, two meanings: the version says whose.
#[test]
fn the_forks_types_are_read_under_their_own_versions() {
    for line in lines() {
        let body = &line.payload[..line.payload.len() - FOOTER_BYTES];
        let wrong = match body[0] {
            22 => 12,
            24 | 25 => 80,
            _ => continue,
        };
        assert_eq!(
            load(&sealed(body, wrong)).err(),
            Some(DumpError::Value(Malformed::Type)),
            "{}",
            line.who
        );
    }
}

#[test]
fn broken_ones_are_refused_or_are_hashes() {
    for line in lines() {
        let body = &line.payload[..line.payload.len() - FOOTER_BYTES];
        let version = if body[0] == 22 { 80 } else { 12 };
        if body.len() > 1_000 {
            continue;
        }
        for at in 1..body.len().min(200) {
            assert!(load(&sealed(&body[..at], version)).is_err(), "cut at {at}");
            for value in [0, 1, 0x7f, 0x80, 0xc3, 0xfe, 0xff] {
                let mut bad = body.to_vec();
                bad[at] = value;
                if let Ok(hash) = load(&sealed(&bad, version)) {
                    assert!(!hash.is_empty());
                    let again = load(&dump(&hash)).expect("what is read can be written");
                    assert_eq!(held(&again), held(&hash));
                }
            }
        }
    }
    for (body, version) in [
        // No field; a field twice; a value missing.
        (&b"\x04\x00"[..], 11),
        (b"\x04\x02\x01a\x01b\x01a\x01c", 11),
        (b"\x04\x02\x01a\x01b\x01c", 11),
        (b"\x10\x07\x07\x00\x00\x00\x00\x00\xff", 11),
        // A deadline beyond 64 bits, and one before 1970.
        (
            b"\x18\xff\xff\xff\xff\xff\xff\xff\x7f\x01\x03\x01a\x01b",
            12,
        ),
        (
            b"\x18\xf0\xff\xff\xff\xff\xff\xff\xff\x01\x01\x01a\x01b",
            12,
        ),
        // Four billion fields in twelve bytes.
        (b"\x04\x80\xff\xff\xff\xff\x01a\x01b", 11),
    ] {
        assert!(
            matches!(load(&sealed(body, version)), Err(DumpError::Value(_))),
            "{body:?}"
        );
    }
}
