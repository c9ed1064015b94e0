//! Foreign bytes: whatever comes from a file, a payload or a primary is walked once before anything
//! else looks at it.
//!
//! We ask for a little more than Redis does: a back length must be byte for byte the one that every
//! writer writes. Redis only asks that decoding it gives the right size, which some bytes do whose
//! high bits reach into the data.

use super::encoding::{END, back_size, body_size, is_back};
use super::{COUNT_UNKNOWN, EMPTY, HEADER};
use crate::Invalid;

/// Checks I1 to I4 and gives the number of entries.
pub(super) fn count(bytes: &[u8]) -> Result<usize, Invalid> {
    let invalid = |what| Err(Invalid::new(what));
    let [a, b, c, d, count_low, count_high, .., last] = *bytes else {
        return invalid("a listpack shorter than its header");
    };
    if u64::from(u32::from_le_bytes([a, b, c, d])) != bytes.len() as u64 {
        return invalid("a listpack of another length than its header says");
    }
    if last != END {
        return invalid("a listpack without its end mark");
    }
    let end = bytes.len() - 1;
    let mut at = HEADER;
    let mut count = 0_usize;
    while at < end {
        let Some(body) = body_size(&bytes[at..end]) else {
            return invalid("a listpack entry with an unknown or cut head");
        };
        let after = body
            .checked_add(back_size(body))
            .and_then(|size| at.checked_add(size))
            .filter(|&after| after <= end);
        let Some(after) = after else {
            return invalid("a listpack entry that reaches beyond the end");
        };
        if !is_back(body, &bytes[at + body..after]) {
            return invalid("a listpack entry whose back length is wrong");
        }
        at = after;
        count += 1;
    }
    let told = u16::from_le_bytes([count_low, count_high]);
    if told != COUNT_UNKNOWN && usize::from(told) != count {
        return invalid("a listpack with another count than its header says");
    }
    Ok(count)
}

const _: () = assert!(EMPTY.len() == HEADER + 1);

#[cfg(test)]
mod tests {
    use super::super::{Element, Listpack};

    fn check(change: impl Fn(&mut Vec<u8>), expected: &str) {
        let texts = [&b"1"[..], b"hello", b"-5000", &[b'x'; 200]];
        let good = Listpack::from_elements(texts.iter().map(|&t| Element::Bytes(t)));
        let mut bytes = good.expect("small").into_bytes();
        change(&mut bytes);
        match Listpack::from_bytes(bytes) {
            Ok(_) => assert_eq!(expected, "", "accepted"),
            Err(invalid) => assert_eq!(invalid.what(), expected),
        }
    }

    #[test]
    fn each_part_is_looked_at() {
        check(|_| (), "");
        check(|b| b.truncate(6), "a listpack shorter than its header");
        check(
            |b| b[0] ^= 1,
            "a listpack of another length than its header says",
        );
        check(
            |b| b.push(0xff),
            "a listpack of another length than its header says",
        );
        check(
            |b| *b.last_mut().expect("seven bytes") = 0,
            "a listpack without its end mark",
        );
        check(
            |b| b[4] += 1,
            "a listpack with another count than its header says",
        );
        check(
            |b| b[6] = 0xf5,
            "a listpack entry with an unknown or cut head",
        );
        check(
            |b| b[6] = 0xff,
            "a listpack entry with an unknown or cut head",
        );
        check(
            |b| b[6] = 0xef,
            "a listpack entry that reaches beyond the end",
        );
        check(
            |b| b[6..11].copy_from_slice(&[0xf0, 0xff, 0xff, 0xff, 0xff]),
            "a listpack entry that reaches beyond the end",
        );
        check(|b| b[7] = 2, "a listpack entry whose back length is wrong");
        check(
            |b| {
                let at = b.len() - 2;
                b[at] ^= 0x80;
            },
            "a listpack entry whose back length is wrong",
        );
        check(|b| b[4..6].fill(0xff), "");
    }

    #[test]
    fn a_count_that_says_nothing_is_replaced() {
        let mut pack = Listpack::new();
        pack.append(7).expect("small");
        let exact = pack.as_bytes().to_vec();
        let mut vague = exact.clone();
        vague[4..6].fill(0xff);
        let pack = Listpack::from_bytes(vague).expect("valid");
        assert_eq!(pack.as_bytes(), exact);
    }
}
