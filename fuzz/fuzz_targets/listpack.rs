//! Listpacks: any bytes are refused or are a listpack that can be read, searched and changed as a
//! vector of byte strings can; after every change its bytes validate again.
//!
//!   input   [bytes of the listpack u16]  listpack  operation*
//!   operation   [what u8][where u8][length u8]  value
//!
//! Half of the inputs get a right total, end mark and an unknown count, since a stranger can compute
//! those as well as we can.
#![no_main]

use collections::listpack::{Element, Listpack};
use libfuzzer_sys::fuzz_target;

/// Longer ones only repeat themselves.
const OPERATIONS_MAX: usize = 64;

fuzz_target!(|input: &[u8]| {
    let [low, high, rest @ ..] = input else {
        return;
    };
    let wanted = usize::from(u16::from_le_bytes([*low, *high & 0x7f]));
    let (bytes, mut operations) = rest.split_at(rest.len().min(wanted));
    let bytes = if high & 0x80 == 0 {
        bytes.to_vec()
    } else {
        sealed(bytes)
    };
    let mut pack = Listpack::from_bytes(bytes).unwrap_or_default();
    let mut model: Vec<Vec<u8>> = pack.iter().map(Element::to_vec).collect();
    check(&pack, &model);
    for _ in 0..OPERATIONS_MAX {
        let [what, place, len, rest @ ..] = operations else {
            break;
        };
        let (value, rest) = rest.split_at(rest.len().min(usize::from(*len)));
        operations = rest;
        change(&mut pack, &mut model, *what, usize::from(*place), value);
        check(&pack, &model);
    }
});

/// These bytes as the entries of a listpack.
fn sealed(entries: &[u8]) -> Vec<u8> {
    let total = entries.len() as u32 + 7;
    let mut bytes = total.to_le_bytes().to_vec();
    bytes.extend([0xff, 0xff]);
    bytes.extend_from_slice(entries);
    bytes.push(0xff);
    bytes
}

fn change(pack: &mut Listpack, model: &mut Vec<Vec<u8>>, what: u8, index: usize, value: &[u8]) {
    let at = pack.seek(index);
    assert_eq!(at.is_some(), index < model.len());
    match (what % 10, at) {
        (0, _) => drop(pack.append(value).map(|_| model.push(value.to_vec()))),
        (1, _) => drop(pack.prepend(value).map(|_| model.insert(0, value.to_vec()))),
        (2, Some(at)) => {
            pack.insert_before(at, value).expect("small");
            model.insert(index, value.to_vec());
        }
        (3, Some(at)) => {
            pack.insert_after(at, value).expect("small");
            model.insert(index + 1, value.to_vec());
        }
        (4, Some(at)) => {
            pack.replace(at, value).expect("small");
            model[index] = value.to_vec();
        }
        (5, Some(at)) => {
            assert_eq!(pack.delete(at), pack.seek(index));
            model.remove(index);
        }
        (6, _) => {
            let removed = pack.delete_range(index, value.len());
            model.drain(index.min(model.len())..(index + removed).min(model.len()));
        }
        (7, _) => {
            let tail = pack.split_off(index).expect("small");
            let model_tail = model.split_off(index.min(model.len()));
            check(&tail, &model_tail);
            // In the other order, and twice in that, as long as it stays small.
            pack.prepend_pack(&tail).expect("small");
            model.splice(0..0, model_tail);
        }
        (8, _) if model.len() < 1000 => {
            let copy = pack.clone();
            pack.append_all(copy.iter().rev()).expect("small");
            model.extend(model.clone().into_iter().rev());
        }
        (9, _) => {
            pack.truncate(index);
            model.truncate(index);
        }
        _ => {
            let expected = model.iter().step_by(2).position(|have| have == value);
            let expected = expected.and_then(|place| pack.seek(place * 2));
            assert_eq!(pack.find(value, 1), expected);
        }
    }
}

fn check(pack: &Listpack, model: &[Vec<u8>]) {
    let again = Listpack::from_bytes(pack.as_bytes().to_vec()).expect("it stays valid");
    assert_eq!(again.len(), model.len());
    assert_eq!(pack.len(), model.len());
    assert!(pack.iter().eq(model.iter().map(Element::from)));
    assert!(pack.iter().rev().eq(model.iter().rev().map(Element::from)));
}
