//! Files of versions 1 to 9, made by hand: encodings that no server at hand writes any more.

/// A file's head.
fn head(version: u16) -> Vec<u8> {
    let mut head = format!("REDIS{version:04}").into_bytes();
    head.extend_from_slice(&[0xfe, 0]);
    head
}

/// A file's end: from version 5 on with a checksum.
fn sealed(mut file: Vec<u8>, version: u16) -> Vec<u8> {
    file.push(0xff);
    if version >= 5 {
        let checksum = rdb::crc::checksum(&file);
        file.extend_from_slice(&checksum.to_le_bytes());
    }
    file
}

fn string(bytes: &[u8]) -> Vec<u8> {
    assert!(bytes.len() < 1 << 14);
    let length = bytes.len() as u16;
    let mut out = if length < 64 {
        vec![length as u8]
    } else {
        (0x4000 | length).to_be_bytes().to_vec()
    };
    out.extend_from_slice(bytes);
    out
}

fn record(number: u8, key: &str, value: &[u8]) -> Vec<u8> {
    [&[number][..], &string(key.as_bytes()), value].concat()
}

/// An element of a ziplist as it stands there, without the length of the one before.
enum Word {
    Text(&'static [u8]),
    /// 0 to 12, in the head byte.
    Tiny(u8),
    I8(i8),
    I16(i16),
    I24(i32),
    I32(i32),
    I64(i64),
}

fn ziplist(words: &[Word]) -> Vec<u8> {
    let (mut body, mut before, mut tail) = (Vec::new(), 0, 10);
    for word in words {
        tail = 10 + body.len();
        if before < 254 {
            body.push(before as u8);
        } else {
            body.push(254);
            body.extend_from_slice(&(before as u32).to_le_bytes());
        }
        match word {
            Word::Text(text) if text.len() < 64 => {
                body.push(text.len() as u8);
                body.extend_from_slice(text);
            }
            Word::Text(text) => {
                body.extend_from_slice(&(0x4000 | text.len() as u16).to_be_bytes());
                body.extend_from_slice(text);
            }
            Word::Tiny(n) => body.push(0xf1 + n),
            Word::I8(n) => body.extend_from_slice(&[0xfe, *n as u8]),
            Word::I16(n) => {
                body.push(0xc0);
                body.extend_from_slice(&n.to_le_bytes());
            }
            Word::I24(n) => {
                body.push(0xf0);
                body.extend_from_slice(&n.to_le_bytes()[..3]);
            }
            Word::I32(n) => {
                body.push(0xd0);
                body.extend_from_slice(&n.to_le_bytes());
            }
            Word::I64(n) => {
                body.push(0xe0);
                body.extend_from_slice(&n.to_le_bytes());
            }
        }
        before = body.len() + 10 - tail;
    }
    let total = (10 + body.len() + 1) as u32;
    let mut list = total.to_le_bytes().to_vec();
    list.extend_from_slice(&(tail as u32).to_le_bytes());
    list.extend_from_slice(&(words.len() as u16).to_le_bytes());
    list.extend_from_slice(&body);
    list.push(0xff);
    string(&list)
}

/// What every version has: strings, and containers element by element; deadlines in seconds.
fn plain() -> Vec<u8> {
    let members = [&[3][..], &string(b"a"), &string(b"bb"), b"\xc0\x05"].concat();
    let scores = [
        &[4][..],
        &string(b"a"),
        b"\x031.5",
        &string(b"b"),
        b"\xfe",
        &string(b"c"),
        b"\xff",
        &string(b"d"),
        b"\x04-0.5",
    ]
    .concat();
    let fields = [
        &[2][..],
        &string(b"f"),
        &string(b"v"),
        b"\xc1\x39\x30",
        &string(b""),
    ]
    .concat();
    [
        record(0, "text", &string(b"some text")),
        record(0, "packed", b"\xc2\x15\xcd\x5b\x07"),
        record(0, "lzf", b"\xc3\x06\x1e\x01aa\xe0\x13\x00"),
        [
            b"\xfd\x00\x00\x00\x7f".to_vec(),
            record(0, "late", &string(b"x")),
        ]
        .concat(),
        record(1, "list", &members),
        record(2, "set", &members),
        record(3, "zset", &scores),
        record(4, "hash", &fields),
        // A length in four bytes where one would do.
        record(0, "wide", b"\x80\x00\x00\x00\x02ab"),
    ]
    .concat()
}

/// What version 4 had: maps, ziplists, intsets; deadlines in milliseconds.
fn packed() -> Vec<u8> {
    const LONG: &[u8] = &[b'l'; 300];
    let words = [
        Word::Text(b"word"),
        Word::Text(LONG),
        Word::Text(b"after a long one"),
        Word::Tiny(0),
        Word::Tiny(12),
        Word::I8(-100),
        Word::I16(-30_000),
        Word::I24(-8_000_000),
        Word::I32(2_000_000_000),
        Word::I64(i64::MIN),
    ];
    let pairs = [
        Word::Text(b"low"),
        Word::Text(b"-1.25"),
        Word::Text(b"high"),
        Word::Tiny(7),
        Word::Tiny(3),
        Word::Text(b"inf"),
    ];
    let zipmap = b"\x02\x01f\x01\x00v\x03two\x02\x03xyfre\xff";
    let ints = b"\x02\x00\x00\x00\x02\x00\x00\x00\xff\xff\x05\x00";
    [
        record(9, "zipmap", &string(zipmap)),
        record(10, "ziplist", &ziplist(&words)),
        record(11, "ints", &string(ints)),
        record(12, "zset:ziplist", &ziplist(&pairs)),
        record(13, "hash:ziplist", &ziplist(&words)),
        [
            b"\xfc\x00\x40\xf0\x2f\xbb\x03\x00\x00".to_vec(),
            record(0, "late:ms", &string(b"x")),
        ]
        .concat(),
    ]
    .concat()
}

/// What versions 7 to 9 brought: quicklists, the file's own words, scores as numbers, streams, uses.
fn newer() -> Vec<u8> {
    let quicklist = [
        vec![2],
        ziplist(&[Word::Text(b"a"), Word::Tiny(1)]),
        ziplist(&[Word::Text(b"b"), Word::I16(500)]),
    ]
    .concat();
    let scores = [
        &[2][..],
        &string(b"a"),
        &1.5_f64.to_le_bytes(),
        &string(b"b"),
        &f64::NEG_INFINITY.to_le_bytes(),
    ]
    .concat();
    [
        b"\xfa\x09redis-ver\x053.2.0\xfb\x05\x00".to_vec(),
        record(14, "quicklist", &quicklist),
        record(5, "zset:2", &scores),
        [b"\xf8\x40\xff".to_vec(), record(0, "idle", &string(b"x"))].concat(),
        [b"\xf9\x07".to_vec(), record(0, "used", &string(b"x"))].concat(),
    ]
    .concat()
}

/// A file of this version, 1 to 9, of everything that it knows.
pub(crate) fn file(version: u16) -> Vec<u8> {
    let mut file = head(version);
    file.extend(plain());
    if version >= 4 {
        file.extend(packed());
    }
    if version >= 9 {
        file.extend(newer());
    }
    sealed(file, version)
}
