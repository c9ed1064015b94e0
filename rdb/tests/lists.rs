//! Lists that Redis dumped, read by us and written as they came; the forms of older releases; broken
//! ones refused.

use std::sync::Arc;

use rdb::{DumpError, Loaded, Malformed};
use store::{Container, Encoding, Limits, List, Object, ValueRef};

/// Version and checksum behind a body of one's own.
fn sealed(body: &[u8]) -> Vec<u8> {
    let mut out = body.to_vec();
    out.extend_from_slice(&10_u16.to_le_bytes());
    let checksum = rdb::crc::checksum(&out);
    out.extend_from_slice(&checksum.to_le_bytes());
    out
}

fn load(payload: &[u8], limits: &Limits) -> Result<List, DumpError> {
    match rdb::load(payload, limits)? {
        Loaded::Object(object) => {
            let list = List::of(&object).expect("the payload is a list's");
            Ok(list.fork().expect("memory"))
        }
        other => panic!("{other:?} is no list"),
    }
}

fn dump(list: &List) -> Vec<u8> {
    let object = Arc::new(Object::List(list.fork().expect("memory")));
    let mut payload = Vec::new();
    rdb::dump(ValueRef::Object(&object), None, &mut payload);
    payload
}

fn elements(list: &List) -> Vec<String> {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    list.iter().map(|element| text(element.to_vec())).collect()
}

/// What Redis 7.0.15 gave: a small list, one of three parts, one with an element by itself.
const DUMPED: [(&[u8], &[&str], Encoding); 3] = [
    (
        b"\x12\x01\x02\x15\x15\x00\x00\x00\x05\x00\x81a\x02\x0c\x01\x80\x01\x82bb\x03\xdf\xfb\x02\
          \xff\n\x00\x07c3\xc5\x8a\xda\xa3\x80",
        &["a", "12", "", "bb", "-5"],
        Encoding::Listpack,
    ),
    (
        b"\x12\x03\x02\x0b\x0b\x00\x00\x00\x02\x00\x01\x01\x02\x01\xff\x02\x0f\x0f\x00\x00\x00\
          \x02\x00\x03\x01\x84four\x05\xff\x02\r\r\x00\x00\x00\x01\x00\x84five\x05\xff\n\x00\x96w\
          \xeb\x86U\x1f\x96\x9e",
        &["1", "2", "3", "four", "five"],
        Encoding::Quicklist,
    ),
    (
        b"\x12\x03\x02\n\n\x00\x00\x00\x01\x00\x81x\x02\xff\x01\x19yyyyyyyyyyyyyyyyyyyyyyyyy\x02\n\
          \n\x00\x00\x00\x01\x00\x81z\x02\xff\n\x00\xf0\xdaB\xf1\xb1\xd4\xb4\xbc",
        &["x", "yyyyyyyyyyyyyyyyyyyyyyyyy", "z"],
        Encoding::Quicklist,
    ),
];

#[test]
fn payloads_of_redis_are_read_and_ours_are_alike() {
    for (payload, expected, encoding) in DUMPED {
        let list = load(payload, &Limits::default()).expect("Redis wrote it");
        assert_eq!(
            (elements(&list), list.encoding()),
            (texts(expected), encoding)
        );
        assert_eq!(dump(&list), payload);
    }
}

fn texts(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn what_older_releases_wrote_is_read() {
    let ziplist = b"\x10\x00\x00\x00\x0d\x00\x00\x00\x02\x00\x00\x01a\x03\xf6\xff";
    let with = |head: &[u8]| [head, &[ziplist.len() as u8], ziplist].concat();
    for (body, expected) in [
        (b"\x01\x03\x01a\xc0\x05\x00".to_vec(), &["a", "5", ""][..]),
        (with(b"\x0a"), &["a", "5"]),
        (with(b"\x0e\x01"), &["a", "5"]),
        (
            [with(b"\x0e\x02"), with(b"")].concat(),
            &["a", "5", "a", "5"],
        ),
    ] {
        let list = load(&sealed(&body), &Limits::default()).expect("it is right");
        assert_eq!(elements(&list), texts(expected), "{body:?}");
    }
}

#[test]
fn a_loaded_list_takes_the_form_that_its_size_asks_for() {
    let limits = Limits {
        list_max_listpack_size: 2,
        ..Limits::default()
    };
    let list = load(DUMPED[0].0, &limits).expect("Redis wrote it");
    assert_eq!(list.encoding(), Encoding::Quicklist);
    let body: Vec<u8> = [&b"\x01\x05"[..], &b"\x01x".repeat(5)].concat();
    let list = load(&sealed(&body), &limits).expect("it is right");
    assert_eq!(
        (list.encoding(), list.part_count()),
        (Encoding::Quicklist, 3)
    );
    let list = load(&sealed(&body), &Limits::default()).expect("it is right");
    assert_eq!(list.encoding(), Encoding::Listpack);
}

#[test]
fn broken_ones_are_refused() {
    let check = |body: &[u8], why: Malformed| {
        let error = load(&sealed(body), &Limits::default()).expect_err("it is broken");
        assert_eq!(error, DumpError::Value(why), "{body:?}");
    };
    let empty = b"\x07\x07\x00\x00\x00\x00\x00\xff";
    check(b"\x01\x00", Malformed::Empty);
    check(b"\x01\x02\x01a", Malformed::Truncated);
    check(b"\x01\xc1\x01a", Malformed::Encoding);
    check(b"\x12\x00", Malformed::Empty);
    check(b"\x12\x01\x03\x01a", Malformed::Encoding);
    check(b"\x12\x01\x02\x01a", Malformed::Encoding);
    check(&[b"\x12\x01\x02", &empty[..]].concat(), Malformed::Empty);
    check(b"\x0a\x01a", Malformed::Encoding);
    check(b"\x0e\x01\x01a", Malformed::Encoding);
    // A count that no memory could hold, and no bytes behind it.
    check(
        b"\x01\x81\xff\xff\xff\xff\xff\xff\xff\xff",
        Malformed::Truncated,
    );
    check(
        b"\x12\x81\xff\xff\xff\xff\xff\xff\xff\xff",
        Malformed::Truncated,
    );
}
