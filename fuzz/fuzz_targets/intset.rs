//! Intsets: any bytes are refused or are a set that answers as a `BTreeSet` does, before and after
//! changes; and its bytes stay valid.
//!
//!   input   [bytes of the intset u8]  intset  operation*
//!   operation   [what u8]  value i64
//!
//! If `what` has its high bits set, the value is cut to 16 or 32 bits, so that sets stay narrow.
#![no_main]

use collections::Intset;
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeSet;

fuzz_target!(|input: &[u8]| {
    let [wanted, rest @ ..] = input else {
        return;
    };
    let (bytes, operations) = rest.split_at(rest.len().min(usize::from(*wanted)));
    let mut set = Intset::from_bytes(bytes.to_vec()).unwrap_or_default();
    let mut model: BTreeSet<i64> = set.iter().collect();
    check(&set, &model);
    for operation in operations.chunks_exact(9).take(64) {
        let value = i64::from_le_bytes(operation[1..].try_into().expect("eight bytes"));
        let value = match operation[0] >> 6 {
            0 => value,
            1 => i64::from(value as i32),
            _ => i64::from(value as i16),
        };
        assert_eq!(set.contains(value), model.contains(&value));
        if operation[0] & 1 == 0 {
            assert_eq!(set.insert(value), Ok(model.insert(value)));
        } else {
            assert_eq!(set.remove(value), model.remove(&value));
        }
        check(&set, &model);
    }
});

fn check(set: &Intset, model: &BTreeSet<i64>) {
    assert_eq!(set.len(), model.len());
    assert!(set.iter().eq(model.iter().copied()));
    let again = Intset::from_bytes(set.as_bytes().to_vec()).expect("it stays valid");
    assert_eq!(again.as_bytes(), set.as_bytes());
    for (index, &value) in model.iter().enumerate() {
        assert_eq!(set.get(index), Some(value));
        assert_eq!(set.position(value), Ok(index));
    }
}
