//! Bytes that a Redis 7.0.15 server wrote (DUMP, `rdbcompression no`, payload without type, version
//! and checksum): what we build from the same values must equal them byte for byte, and reading them
//! must give the values back. The old formats are payloads of ours that the same server accepted
//! with RESTORE, beside what it made of them.

#![cfg(not(feature = "model"))]

use collections::listpack::{Element, Listpack, Ziplist, Zipmap};
use collections::{Intset, Refused};

/// RPUSH of `EDGES`.
const NUMBERS: &str = "\
    7b000000160000017f01c08002dfff02cfff02d00002f1001003f1ffef03f1ff7f03f1008003f2008000 \
    04f2ff7fff04f2ffff7f04f200008004f30000800005f3ffff7fff05f3ffffff7f05f30000008005f400 \
    0000800000000009f4ffffff7fffffffff09f4ffffffffffffff7f09f4000000000000008009ff";
/// RPUSH of `TEXTS`.
const TEXTS_BYTES: &str = "\
    3600000006008001816102822d3003823030039339323233333732303336383534373735383038148b68 \
    656c6c6f20776f726c640cff";
/// RPUSH of 63, 64, 125, 126, 127, 4095 and 4096 times x.
const LENGTHS: &str = "\
    1a2200000700bf x*63 40e040 x*64 42e07d x*125 7fe07e x*126 0180e07f x*127 0181efff \
    x*4095 2081f000100000 x*4096 2085ff";
/// RPUSH of 16,377 and 16,378 times x: back lengths of two and three bytes.
const LONG: &str = "\
    098000000200f0f93f0000 x*16377 7ffef0fa3f0000 x*16378 00ffffff";
/// HSET name Ada born 1815 died 1852 note first.
const HASH: &str = "\
    310000000800846e616d6505834164610484626f726e05c71702846469656405c73c02846e6f74650585 \
    666972737406ff";
/// ZADD 1 one 2.5 "two and a half" -inf low 1e20 20 3 3.
const ZSET: &str = "\
    3b0000000a00836c6f7704842d696e6605836f6e650401018e74776f20616e6420612068616c660f8332 \
    2e35040301030114018531652b323006ff";
/// RPUSH 0 to 9, LSET 3 three, LINSERT BEFORE 5 x, LREM 1 7, LTRIM 1 -2, LPUSH -100000.
const EDITED: &str = "\
    220000000900f26079fe0401010201857468726565060401817802050106010801ff";
/// SADD 1 2 -3 32767 -32768.
const INT16: &str = "\
    02000000050000000080fdff01000200ff7f";
/// SADD 1 32768 -5.
const INT32: &str = "\
    0400000003000000fbffffff0100000000800000";
/// SADD 1, both ends of 64 bits, 70000.
const INT64: &str = "\
    0800000004000000000000000000008001000000000000007011010000000000ffffffffffffff7f";
/// A ziplist with every head.
const ZIPLIST: &str = "\
    db810000d4810000130000f102fd02fe8003fe7f03c0008004f000008005f0ffff7f05d00000008006e0 \
    00000000000000800a00020568656c6c6f07023432043f x*63 414040 x*64 4340fc x*252 feff0000 \
    00f3067fff x*16383 fe024000008000004000 x*16384 fe0a400000f4ff";
/// The listpack that it became.
const FROM_ZIPLIST: &str = "\
    d0810000130000010c01df80027f01f1008003f200008004f2ffff7f04f30000008005f4000000000000 \
    00800980018568656c6c6f062a01bf x*63 40e040 x*64 42e0fc x*252 01fe0201f0ff3f0000 \
    x*16383 018084f000400000 x*16384 0180850301ff";
/// A zipmap with an unused byte and a long length.
const ZIPMAP: &str = "\
    0203666f6f020168693f0568656c6c6ffe2c01000000 x*300 ff";
/// The listpack that it became.
const FROM_ZIPMAP: &str = "\
    47010000040083666f6f04826869038568656c6c6f06e12c x*300 02aeff";

const EDGES: [i64; 22] = [
    0,
    127,
    128,
    -1,
    4095,
    -4096,
    4096,
    -4097,
    32767,
    -32768,
    32768,
    -32769,
    8_388_607,
    -8_388_608,
    8_388_608,
    -8_388_609,
    2_147_483_647,
    -2_147_483_648,
    2_147_483_648,
    -2_147_483_649,
    i64::MAX,
    i64::MIN,
];
const TEXTS: [&str; 6] = ["", "a", "-0", "00", "9223372036854775808", "hello world"];

/// Hexadecimal pieces, and `x*N` for N times the letter x.
fn bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for piece in text.split_whitespace() {
        if let Some(count) = piece.strip_prefix("x*") {
            let count: usize = count.parse().expect("a count");
            bytes.resize(bytes.len() + count, b'x');
        } else {
            for at in (0..piece.len()).step_by(2) {
                bytes.push(u8::from_str_radix(&piece[at..at + 2], 16).expect("two digits"));
            }
        }
    }
    bytes
}

fn xs(lengths: &[usize]) -> Vec<Vec<u8>> {
    lengths.iter().map(|&len| vec![b'x'; len]).collect()
}

/// Built one by one from text, at once, and backwards from the front; read and rebuilt.
fn check(values: &[Vec<u8>], expected: &str) {
    let expected = bytes(expected);
    let elements = || values.iter().map(Element::from);
    let mut one_by_one = Listpack::new();
    let mut backwards = Listpack::new();
    for (value, mirrored) in values.iter().zip(values.iter().rev()) {
        one_by_one.append(value).expect("small");
        backwards.prepend(mirrored).expect("small");
    }
    let at_once = Listpack::from_elements(elements()).expect("small");
    let read = Listpack::from_bytes(expected.clone()).expect("a server wrote it");
    assert!(read.iter().eq(elements()));
    assert_eq!(read.len(), values.len());
    for pack in [one_by_one, backwards, at_once, read] {
        assert_eq!(pack.as_bytes(), expected);
    }
}

#[test]
fn lists_hashes_and_sorted_sets() {
    let texts = |texts: &[&str]| -> Vec<Vec<u8>> {
        texts.iter().map(|text| text.as_bytes().to_vec()).collect()
    };
    let numbers: Vec<String> = EDGES.iter().map(i64::to_string).collect();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    check(&texts(&numbers), NUMBERS);
    check(&texts(&TEXTS), TEXTS_BYTES);
    check(&xs(&[63, 64, 125, 126, 127, 4095, 4096]), LENGTHS);
    check(&xs(&[16_377, 16_378]), LONG);
    check(
        &texts(&[
            "name", "Ada", "born", "1815", "died", "1852", "note", "first",
        ]),
        HASH,
    );
    check(
        &texts(&[
            "low",
            "-inf",
            "one",
            "1",
            "two and a half",
            "2.5",
            "3",
            "3",
            "20",
            "1e+20",
        ]),
        ZSET,
    );
}

#[test]
fn changed_in_place() -> Result<(), Refused> {
    let mut pack = Listpack::from_elements((0..10).map(Element::Int))?;
    let at = |pack: &Listpack, index| pack.seek(index).expect("it is there");
    pack.replace(at(&pack, 3), b"three")?;
    pack.insert_before(pack.find(b"5", 0).expect("it is there"), b"x")?;
    pack.delete(pack.find(b"7", 0).expect("it is there"));
    pack.delete_range(0, 1);
    pack.truncate(pack.len() - 1);
    pack.prepend(b"-100000")?;
    assert_eq!(pack.as_bytes(), bytes(EDITED));
    Ok(())
}

#[test]
fn sets_of_integers() {
    let check = |values: &[i64], expected: &str| {
        let expected = bytes(expected);
        let mut set = Intset::new();
        for &value in values {
            assert_eq!(set.insert(value), Ok(true));
        }
        assert_eq!(set.as_bytes(), expected);
        let read = Intset::from_bytes(expected).expect("a server wrote it");
        let mut sorted = values.to_vec();
        sorted.sort_unstable();
        assert!(read.iter().eq(sorted));
    };
    check(&[1, 2, -3, 32767, -32768], INT16);
    check(&[1, 32768, -5], INT32);
    check(&[1, i64::MIN, i64::MAX, 70000], INT64);
}

#[test]
fn old_formats_become_listpacks() {
    let old = bytes(ZIPLIST);
    let list = Ziplist::read(&old).expect("a server accepted it");
    let pack = list.to_listpack().expect("small");
    assert_eq!(pack.as_bytes(), bytes(FROM_ZIPLIST));
    let old = bytes(ZIPMAP);
    let map = Zipmap::read(&old).expect("a server accepted it");
    let pack = map.to_listpack().expect("small");
    assert_eq!(pack.as_bytes(), bytes(FROM_ZIPMAP));
}
