//! One entry's bytes.
//!
//! ```text
//!   body                                                     holds
//!   0vvvvvvv                                                 0 to 127
//!   10llllll                     data                        up to 63 bytes
//!   110vvvvv vvvvvvvv                                        13 bits, signed, high byte first
//!   1110llll llllllll            data                        up to 4,095 bytes, high byte first
//!   F0  length u32               data                        more bytes
//!   F1  i16   F2  i24   F3  i32   F4  i64                    wider numbers
//!   FF                                                       no entry: the end mark
//! ```
//!
//! Behind the body stands the back length: the body's size in groups of seven bits, highest first,
//! all but the first with the high bit set, so that it is read from its last byte backwards. It
//! takes one byte up to 127; from there the writers that we follow change one too early
//! (16,383 takes three bytes where two would hold it, and so on), and so must we: whoever walks
//! computes the width from the size.
//!
//! Every other number is little-endian. A number is stored in the narrowest form that holds it, and
//! bytes that spell a number as the number; foreign bytes need not have kept to either.

use super::Element;
use crate::integer;
use crate::packed::{BYTES_MAX, Refused};

/// Marks the end of a listpack.
pub(super) const END: u8 = 0xff;

const BYTES_6: u8 = 0x80;
const INT_13: u8 = 0xc0;
const BYTES_12: u8 = 0xe0;
const BYTES_32: u8 = 0xf0;
const INT_16: u8 = 0xf1;
const INT_24: u8 = 0xf2;
const INT_32: u8 = 0xf3;
const INT_64: u8 = 0xf4;

/// Tag and number of the widest form.
const HEAD_MAX: usize = 9;

/// An element as it will be stored.
pub(super) struct Encoded<'e> {
    head: [u8; HEAD_MAX],
    head_len: u8,
    data: &'e [u8],
}

impl<'e> Encoded<'e> {
    /// Fails for bytes that no listpack may hold.
    #[inline]
    pub(super) fn of(element: Element<'e>) -> Result<Self, Refused> {
        match element {
            Element::Int(value) => Ok(Self::int(value)),
            Element::Bytes(bytes) => match integer::parse(bytes) {
                Some(value) => Ok(Self::int(value)),
                None if bytes.len() < BYTES_MAX => Ok(Self::bytes(bytes)),
                None => Err(Refused::Size),
            },
        }
    }

    #[inline]
    fn int(value: i64) -> Self {
        let mut head = [0; HEAD_MAX];
        let (tag, width) = match value {
            0..=127 => (value as u8, 0),
            -4096..=4095 => {
                // The tag keeps the five high bits; what it takes from the number's sign is cut.
                head[1] = value as u8;
                (INT_13 | ((value >> 8) & 0x1f) as u8, 1)
            }
            -0x8000..=0x7fff => (INT_16, 2),
            -0x80_0000..=0x7f_ffff => (INT_24, 3),
            -0x8000_0000..=0x7fff_ffff => (INT_32, 4),
            _ => (INT_64, 8),
        };
        head[0] = tag;
        if width > 1 {
            head[1..].copy_from_slice(&value.to_le_bytes());
        }
        Self {
            head,
            head_len: 1 + width,
            data: &[],
        }
    }

    #[inline]
    fn bytes(data: &'e [u8]) -> Self {
        let mut head = [0; HEAD_MAX];
        let len = data.len();
        let head_len = match len {
            0..64 => {
                head[0] = BYTES_6 | len as u8;
                1
            }
            64..4096 => {
                head[0] = BYTES_12 | (len >> 8) as u8;
                head[1] = len as u8;
                2
            }
            _ => {
                head[0] = BYTES_32;
                head[1..5].copy_from_slice(&(len as u32).to_le_bytes());
                5
            }
        };
        Self {
            head,
            head_len,
            data,
        }
    }

    #[inline]
    fn body(&self) -> usize {
        usize::from(self.head_len) + self.data.len()
    }

    /// Bytes of the whole entry, back length included.
    #[inline]
    pub(super) fn size(&self) -> usize {
        let body = self.body();
        body + back_size(body)
    }

    /// Writes the entry to the front of `into` and gives what is left of it. Heads and back lengths
    /// of one byte are nearly all there are, and a call for each would cost more than the byte.
    #[inline]
    pub(super) fn write<'b>(&self, into: &'b mut [u8]) -> &'b mut [u8] {
        let (head, rest) = into.split_at_mut(usize::from(self.head_len));
        match head {
            [tag] => *tag = self.head[0],
            head => head.copy_from_slice(&self.head[..usize::from(self.head_len)]),
        }
        let (data, rest) = rest.split_at_mut(self.data.len());
        data.copy_from_slice(self.data);
        let body = self.body();
        let (back, rest) = rest.split_at_mut(back_size(body));
        match back {
            [size] => *size = body as u8,
            back => write_back(body, back),
        }
        rest
    }
}

/// Bytes that the back length of a body of this size takes.
#[inline]
pub(super) const fn back_size(body: usize) -> usize {
    match body {
        0..=127 => 1,
        128..16_383 => 2,
        16_383..2_097_151 => 3,
        2_097_151..268_435_455 => 4,
        _ => 5,
    }
}

fn write_back(body: usize, into: &mut [u8]) {
    let mut rest = body;
    for byte in into.iter_mut().rev() {
        *byte = (rest & 0x7f) as u8 | 0x80;
        rest >>= 7;
    }
    into[0] &= 0x7f;
}

/// Whether `back` is the back length of a body of this size, byte for byte.
pub(super) fn is_back(body: usize, back: &[u8]) -> bool {
    let mut expected = [0; 5];
    let expected = &mut expected[..back_size(body)];
    write_back(body, expected);
    back == expected
}

/// The size of the body whose back length ends before `end`.
#[inline]
pub(super) fn body_before(bytes: &[u8], end: usize) -> usize {
    let mut at = end - 1;
    let mut body = usize::from(bytes[at] & 0x7f);
    let mut shift = 7;
    while bytes[at] & 0x80 != 0 {
        at -= 1;
        body |= usize::from(bytes[at] & 0x7f) << shift;
        shift += 7;
    }
    body
}

/// The size of the body at the front of these bytes, as its head tells; `None` when the head is
/// none or is cut off. The data may be cut off all the same: the caller compares.
#[inline]
pub(super) fn body_size(entry: &[u8]) -> Option<usize> {
    Some(match *entry {
        [0..=0x7f, ..] => 1,
        [tag @ BYTES_6..=0xbf, ..] => 1 + usize::from(tag & 0x3f),
        [INT_13..=0xdf, ..] => 2,
        [tag @ BYTES_12..=0xef, low, ..] => 2 + usize::from(u16::from_be_bytes([tag & 0x0f, low])),
        [BYTES_32, a, b, c, d, ..] => usize::try_from(u32::from_le_bytes([a, b, c, d]))
            .ok()?
            .checked_add(5)?,
        [INT_16, ..] => 3,
        [INT_24, ..] => 4,
        [INT_32, ..] => 5,
        [INT_64, ..] => 9,
        _ => return None,
    })
}

/// The size of the whole entry at the front of these validated bytes.
#[inline]
pub(super) fn entry_size(entry: &[u8]) -> usize {
    let body = body_size(entry).expect("a listpack's bytes are validated when they come in");
    body + back_size(body)
}

/// The element at the front of these validated bytes, and the size of its body.
#[inline]
pub(super) fn decode(entry: &[u8]) -> (Element<'_>, usize) {
    match *entry {
        [tag @ 0..=0x7f, ..] => (Element::Int(i64::from(tag)), 1),
        [tag @ BYTES_6..=0xbf, ref rest @ ..] => {
            let len = usize::from(tag & 0x3f);
            (Element::Bytes(&rest[..len]), 1 + len)
        }
        [tag @ INT_13..=0xdf, low, ..] => {
            let bits = i16::from_be_bytes([tag & 0x1f, low]);
            // Up three places and down again repeats the sign, bit 12.
            (Element::Int(i64::from(bits << 3 >> 3)), 2)
        }
        [tag @ BYTES_12..=0xef, low, ref rest @ ..] => {
            let len = usize::from(u16::from_be_bytes([tag & 0x0f, low]));
            (Element::Bytes(&rest[..len]), 2 + len)
        }
        [BYTES_32, a, b, c, d, ref rest @ ..] => {
            let len = u32::from_le_bytes([a, b, c, d]) as usize;
            (Element::Bytes(&rest[..len]), 5 + len)
        }
        [INT_16, a, b, ..] => (Element::Int(i64::from(i16::from_le_bytes([a, b]))), 3),
        [INT_24, a, b, c, ..] => {
            let value = i32::from_le_bytes([0, a, b, c]) >> 8;
            (Element::Int(i64::from(value)), 4)
        }
        [INT_32, a, b, c, d, ..] => {
            let value = i32::from_le_bytes([a, b, c, d]);
            (Element::Int(i64::from(value)), 5)
        }
        [INT_64, a, b, c, d, e, f, g, h, ..] => {
            let value = i64::from_le_bytes([a, b, c, d, e, f, g, h]);
            (Element::Int(value), 9)
        }
        _ => unreachable!("a listpack's bytes are validated when they come in"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(element: Element<'_>, expected: &[u8]) {
        let encoded = Encoded::of(element).expect("small");
        let mut bytes = vec![0; encoded.size()];
        assert!(encoded.write(&mut bytes).is_empty());
        assert_eq!(bytes, expected, "{element:?}");
        let (back, body) = decode(&bytes);
        assert_eq!(back, element);
        assert_eq!(Some(body), body_size(&bytes));
        assert_eq!(body_before(&bytes, bytes.len()), body);
        assert!(is_back(body, &bytes[body..]));
    }

    #[test]
    fn numbers_take_the_narrowest_form() {
        check(Element::Int(0), &[0, 1]);
        check(Element::Int(127), &[0x7f, 1]);
        check(Element::Int(128), &[0xc0, 0x80, 2]);
        check(Element::Int(-1), &[0xdf, 0xff, 2]);
        check(Element::Int(4095), &[0xcf, 0xff, 2]);
        check(Element::Int(-4096), &[0xd0, 0x00, 2]);
        check(Element::Int(4096), &[0xf1, 0x00, 0x10, 3]);
        check(Element::Int(-4097), &[0xf1, 0xff, 0xef, 3]);
        check(Element::Int(32767), &[0xf1, 0xff, 0x7f, 3]);
        check(Element::Int(32768), &[0xf2, 0x00, 0x80, 0x00, 4]);
        check(Element::Int(-32769), &[0xf2, 0xff, 0x7f, 0xff, 4]);
        check(Element::Int(-8_388_608), &[0xf2, 0x00, 0x00, 0x80, 4]);
        check(Element::Int(8_388_608), &[0xf3, 0, 0, 0x80, 0, 5]);
        check(Element::Int(-8_388_609), &[0xf3, 0xff, 0xff, 0x7f, 0xff, 5]);
        check(
            Element::Int(2_147_483_648),
            &[0xf4, 0, 0, 0, 0x80, 0, 0, 0, 0, 9],
        );
        check(
            Element::Int(i64::MIN),
            &[0xf4, 0, 0, 0, 0, 0, 0, 0, 0x80, 9],
        );
        check(Element::Bytes(b"-300"), &[0xde, 0xd4, 2]);
        check(Element::Bytes(b"0"), &[0, 1]);
    }

    #[test]
    fn bytes_take_the_shortest_head() {
        check(Element::Bytes(b""), &[0x80, 1]);
        check(Element::Bytes(b"-0"), &[0x82, b'-', b'0', 3]);
        let long = vec![b'x'; 5000];
        let mut expected = vec![0xbf];
        expected.extend_from_slice(&long[..63]);
        expected.push(64);
        check(Element::Bytes(&long[..63]), &expected);
        let mut expected = vec![0xe0, 64];
        expected.extend_from_slice(&long[..64]);
        expected.push(66);
        check(Element::Bytes(&long[..64]), &expected);
        let mut expected = vec![0xef, 0xff];
        expected.extend_from_slice(&long[..4095]);
        expected.extend([0x20, 0x81]);
        check(Element::Bytes(&long[..4095]), &expected);
        let mut expected = vec![0xf0, 0x00, 0x10, 0, 0];
        expected.extend_from_slice(&long[..4096]);
        expected.extend([0x20, 0x85]);
        check(Element::Bytes(&long[..4096]), &expected);
    }

    #[test]
    fn back_lengths_change_width_where_redis_changes_it() {
        for (body, back) in [
            (127, &[0x7f][..]),
            (128, &[0x01, 0x80]),
            (16_382, &[0x7f, 0xfe]),
            (16_383, &[0x00, 0xff, 0xff]),
            (2_097_150, &[0x7f, 0xff, 0xfe]),
            (2_097_151, &[0x00, 0xff, 0xff, 0xff]),
            (268_435_454, &[0x7f, 0xff, 0xff, 0xfe]),
            (268_435_455, &[0x00, 0xff, 0xff, 0xff, 0xff]),
            (1 << 30, &[0x04, 0x80, 0x80, 0x80, 0x80]),
        ] {
            assert!(is_back(body, back), "{body}");
            assert_eq!(body_before(back, back.len()), body);
        }
    }
}
