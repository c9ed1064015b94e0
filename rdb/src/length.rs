//! Lengths: one to nine bytes, and the door to the packed string forms.
//!
//! ```text
//!   00llllll                          6 bits
//!   01llllll llllllll                14 bits
//!   10000000 + 4 bytes               32 bits, big-endian
//!   10000001 + 8 bytes               64 bits, big-endian      since version 8
//!   11eeeeee                         no length: a string in packed form e (`string.rs`)
//! ```
//!
//! We write the shortest form; any form is read. What the six low bits of the 32-bit form hold
//! was never defined, and old writers left them 0, so other values are refused.

use crate::input::{Input, Malformed};
use crate::out::Out;

const BITS_6: u8 = 0x00;
const BITS_14: u8 = 0x40;
const BITS_32: u8 = 0x80;
const BITS_64: u8 = 0x81;
const PACKED: u8 = 0xC0;
/// The two bits that tell the forms apart.
const FORM: u8 = 0xC0;

/// What stood where a length was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// A length.
    Plain(u64),
    /// A packed string form.
    Packed(u8),
}

/// Appends a length in its shortest form.
pub fn write(length: u64, out: &mut Out<'_>) {
    if length < 1 << 6 {
        out.push(BITS_6 | length as u8);
    } else if length < 1 << 14 {
        out.extend(&[BITS_14 | (length >> 8) as u8, length as u8]);
    } else if let Ok(short) = u32::try_from(length) {
        out.push(BITS_32);
        out.extend(&short.to_be_bytes());
    } else {
        out.push(BITS_64);
        out.extend(&length.to_be_bytes());
    }
}

/// Appends the mark of a packed string form.
pub fn write_packed(form: u8, out: &mut Out<'_>) {
    debug_assert!(form & FORM == 0, "a packed form has six bits");
    out.push(PACKED | form);
}

/// Reads a length, or the mark that stands in its place.
///
/// # Errors
/// [`Malformed`] when the bytes end or are no length.
pub fn read(input: &mut Input<'_>) -> Result<Length, Malformed> {
    let first = input.byte()?;
    let low = first & !FORM;
    Ok(match first & FORM {
        BITS_6 => Length::Plain(u64::from(low)),
        BITS_14 => Length::Plain(u64::from(low) << 8 | u64::from(input.byte()?)),
        PACKED => Length::Packed(low),
        _ => match first {
            BITS_32 => Length::Plain(u64::from(u32::from_be_bytes(input.array()?))),
            BITS_64 => Length::Plain(u64::from_be_bytes(input.array()?)),
            _ => return Err(Malformed::Encoding),
        },
    })
}

/// Reads a length where no packed form may stand.
///
/// # Errors
/// [`Malformed`] when the bytes end or are no length.
pub fn read_plain(input: &mut Input<'_>) -> Result<u64, Malformed> {
    match read(input)? {
        Length::Plain(length) => Ok(length),
        Length::Packed(_) => Err(Malformed::Encoding),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(length: u64, bytes: &[u8]) {
        let mut out = Vec::new();
        write(length, &mut Out::payload(&mut out, None));
        assert_eq!(out, bytes, "{length}");
        let mut input = Input::new(&out);
        assert_eq!(read_plain(&mut input), Ok(length));
        assert_eq!(input.left(), 0);
        for short in 0..out.len() {
            assert_eq!(
                read(&mut Input::new(&out[..short])),
                Err(Malformed::Truncated)
            );
        }
    }

    #[test]
    fn each_length_has_its_shortest_form() {
        check(0, &[0]);
        check(63, &[63]);
        check(64, &[0x40, 64]);
        check(16383, &[0x7f, 0xff]);
        check(16384, &[0x80, 0, 0, 0x40, 0]);
        check(u64::from(u32::MAX), &[0x80, 0xff, 0xff, 0xff, 0xff]);
        check(1 << 32, &[0x81, 0, 0, 0, 1, 0, 0, 0, 0]);
        check(
            u64::MAX,
            &[0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        );
    }

    #[test]
    fn longer_forms_are_read_and_undefined_ones_refused() {
        assert_eq!(
            read(&mut Input::new(&[0x80, 0, 0, 0, 5])),
            Ok(Length::Plain(5))
        );
        assert_eq!(read(&mut Input::new(&[0x40, 5])), Ok(Length::Plain(5)));
        assert_eq!(read(&mut Input::new(&[0xC3])), Ok(Length::Packed(3)));
        for first in 0x82..=0xBF_u8 {
            assert_eq!(
                read(&mut Input::new(&[first; 12])),
                Err(Malformed::Encoding)
            );
        }
        assert_eq!(
            read_plain(&mut Input::new(&[0xC0, 1])),
            Err(Malformed::Encoding)
        );
    }
}
