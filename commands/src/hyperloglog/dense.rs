//! The dense body: 16,384 registers of six bits, packed from the low bit of each byte on.
//!
//! ```text
//!   byte      0          1          2
//!   bits   11000000   22221111   33333322        four registers in three bytes
//! ```

use super::estimate::Histogram;
use super::{REGISTERS, Registers};

/// Bytes of the body.
pub(super) const BYTES: usize = REGISTERS / 4 * 3;

const VALUE_MAX: u8 = 63;

/// Register `index`.
pub(super) fn get(body: &[u8], index: usize) -> u8 {
    let (byte, shift) = (index * 6 / 8, index * 6 % 8);
    // The last register ends with the last byte, so nothing of it is in the missing next one.
    let next = body.get(byte + 1).copied().unwrap_or(0);
    (u16::from_le_bytes([body[byte], next]) >> shift) as u8 & VALUE_MAX
}

/// Sets register `index`.
pub(super) fn set(body: &mut [u8], index: usize, value: u8) {
    let (byte, shift) = (index * 6 / 8, index * 6 % 8);
    let next = body.get(byte + 1).copied().unwrap_or(0);
    let rest = u16::from_le_bytes([body[byte], next]) & !(u16::from(VALUE_MAX) << shift);
    let [low, high] = (rest | u16::from(value) << shift).to_le_bytes();
    body[byte] = low;
    if shift > 2 {
        body[byte + 1] = high;
    }
}

/// Raises register `index` to `value`; whether it was below.
pub(super) fn raise(body: &mut [u8], index: usize, value: u8) -> bool {
    let is_below = get(body, index) < value;
    if is_below {
        set(body, index, value);
    }
    is_below
}

/// Four registers of three bytes.
fn unpacked([a, b, c]: [u8; 3]) -> [u8; 4] {
    [
        a & VALUE_MAX,
        (a >> 6 | b << 2) & VALUE_MAX,
        (b >> 4 | c << 4) & VALUE_MAX,
        c >> 2,
    ]
}

/// Raises each of `all` to what the body has there.
pub(super) fn merge(body: &[u8], all: &mut Registers) {
    for (four, bytes) in all
        .as_chunks_mut::<4>()
        .0
        .iter_mut()
        .zip(body.as_chunks().0)
    {
        for (register, value) in four.iter_mut().zip(unpacked(*bytes)) {
            *register = value.max(*register);
        }
    }
}

/// Writes all registers at once.
pub(super) fn pack(all: &Registers, body: &mut [u8]) {
    for ([a, b, c, d], bytes) in all.as_chunks().0.iter().zip(body.as_chunks_mut().0) {
        *bytes = [a | b << 6, b >> 2 | c << 4, c >> 4 | d << 2];
    }
}

/// Counts the body's values.
pub(super) fn histogram(body: &[u8]) -> Histogram {
    // Equal values come in rows; in four tables a count does not wait for the one before it.
    let mut four = [[0; 64]; 4];
    for bytes in body.as_chunks().0 {
        for (counts, value) in four.iter_mut().zip(unpacked(*bytes)) {
            counts[usize::from(value)] += 1;
        }
    }
    std::array::from_fn(|value| four.iter().map(|counts| counts[value]).sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(50))]

        #[test]
        fn registers_are_apart(sets in proptest::collection::vec((0..REGISTERS, 0..=VALUE_MAX), 1..200)) {
            let (mut body, mut model) = (vec![0; BYTES], [0; REGISTERS]);
            for (index, value) in sets {
                set(&mut body, index, value);
                model[index] = value;
                prop_assert_eq!(get(&body, index), value);
            }
            let (mut all, mut packed) = ([0; REGISTERS], vec![0xff; BYTES]);
            merge(&body, &mut all);
            prop_assert!(all == model);
            pack(&all, &mut packed);
            prop_assert!(packed == body);
            let counts = histogram(&body);
            for (value, count) in counts.iter().enumerate() {
                let expected = model.iter().filter(|held| usize::from(**held) == value).count();
                prop_assert_eq!(*count as usize, expected);
            }
        }
    }

    #[test]
    fn the_last_register_stays_within() {
        let mut body = vec![0xff; BYTES];
        assert!(!raise(&mut body, REGISTERS - 1, 63));
        set(&mut body, REGISTERS - 1, 5);
        assert_eq!(get(&body, REGISTERS - 1), 5);
        assert_eq!(get(&body, REGISTERS - 2), 63);
        assert!(raise(&mut body, REGISTERS - 1, 6));
    }
}
