//! Ziplists and zipmaps: any bytes are refused or give elements, which a listpack takes and gives
//! back, with memory bounded by the bytes.
//!
//!   input   [what u8]  bytes
//!
//! In half of the ziplists total, tail, count and neighbours' sizes are put right as far as the heads
//! can be followed, since a stranger can compute those as well as we can.
#![no_main]

use collections::listpack::{Element, Listpack, Ziplist, Zipmap};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let [what, bytes @ ..] = input else {
        return;
    };
    if what & 1 == 0 {
        if let Ok(map) = Zipmap::read(bytes) {
            let pack = map.to_listpack().expect("small");
            survives(
                &pack,
                map.iter().flat_map(|(f, v)| [f, v]).map(Element::Bytes),
            );
            assert_eq!(pack.len(), map.len() * 2);
            bounded(&pack, bytes);
        }
        return;
    }
    let bytes = if what & 2 == 0 {
        bytes.to_vec()
    } else {
        built(bytes)
    };
    match Ziplist::read(&bytes) {
        Ok(list) => {
            let pack = list.to_listpack().expect("small");
            survives(&pack, list.iter());
            assert_eq!(pack.len(), list.len());
            bounded(&pack, &bytes);
        }
        Err(invalid) => assert!(what & 2 == 0, "built well, and {}", invalid.what()),
    }
});

fn survives<'e>(pack: &Listpack, elements: impl Iterator<Item = Element<'e>>) {
    let again = Listpack::from_bytes(pack.as_bytes().to_vec()).expect("valid");
    let elements: Vec<Element<'_>> = elements.collect();
    assert!(again.iter().eq(elements.iter().copied()));
}

fn bounded(pack: &Listpack, bytes: &[u8]) {
    assert!(pack.byte_len() <= 16 + bytes.len() * 2, "memory is bounded");
}

/// A valid ziplist of what these bytes describe: [kind u8] and what the kind takes.
fn built(mut input: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    let (mut before, mut tail, mut count) = (0_usize, 10, 0_usize);
    while let [kind, rest @ ..] = input {
        let (head, data) = match kind % 11 {
            0 => (vec![0xc0], 2),
            1 => (vec![0xd0], 4),
            2 => (vec![0xe0], 8),
            3 => (vec![0xf0], 3),
            4 => (vec![0xfe], 1),
            5 => (vec![0xf1 + kind % 13], 0),
            6 => (vec![0x40, kind & 0x3f], usize::from(kind & 0x3f)),
            7 => (vec![0x80, 0, 0, 1, *kind], 256 + usize::from(*kind)),
            _ => (vec![kind & 0x3f], usize::from(kind & 0x3f)),
        };
        let Some((data, rest)) = rest.split_at_checked(data) else {
            break;
        };
        input = rest;
        tail = 10 + body.len();
        let start = body.len();
        match u8::try_from(before) {
            // A wide size for a small neighbour is legal, too.
            Ok(size) if size < 254 && kind & 0x80 == 0 => body.push(size),
            _ => {
                body.push(0xfe);
                body.extend((before as u32).to_le_bytes());
            }
        }
        body.extend(head);
        body.extend_from_slice(data);
        before = body.len() - start;
        count += 1;
    }
    let mut bytes = (body.len() as u32 + 11).to_le_bytes().to_vec();
    bytes.extend((tail as u32).to_le_bytes());
    bytes.extend(u16::try_from(count).unwrap_or(u16::MAX).to_le_bytes());
    bytes.extend(body);
    bytes.push(0xff);
    bytes
}
