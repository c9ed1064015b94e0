//! String values: raw, packed integers, LZF.
//!
//! ```text
//!   length  byte*                              raw
//!   C0 i8 | C1 i16 | C2 i32                    an integer's decimal spelling, little-endian
//!   C3 packed(length) plain(length) byte*      LZF
//! ```
//!
//! A string is written as an integer when it spells one of 32 bits in its one shortest way (so that
//! it comes back byte for byte), compressed when it is longer than 20 bytes and that saves at least
//! four, else raw. These are Redis's own bounds, so equal values give equal payloads wherever no
//! compressor is involved.

use std::borrow::Cow;
use std::sync::Arc;

use collections::listpack::Element;

use store::value::string::{EMBSTR_BYTES_MAX, INT_CHARS_MAX, parse_int};
use store::{NewStr, Str};

use crate::input::{Input, Malformed};
use crate::length::{self, Length};
use crate::lzf;
use crate::out::Out;

const INT_8: u8 = 0;
const INT_16: u8 = 1;
const INT_32: u8 = 2;
const LZF: u8 = 3;

/// The longest string that is not worth compressing.
const UNCOMPRESSED_BYTES_MAX: usize = 20;
/// What compression must save, its second length included in the price.
const SAVING_BYTES_MIN: usize = 4;
/// `-2147483648`: longer strings are no packed integers.
const PACKED_CHARS_MAX: usize = 11;

/// Appends a string value. With a compressor long strings are compressed.
pub fn write(value: Str<'_>, out: &mut Out<'_>) {
    if let Some(packed) = value.as_int().and_then(|n| i32::try_from(n).ok()) {
        debug_assert!(value.len() <= PACKED_CHARS_MAX, "a packed integer is short");
        write_int(packed, out);
    } else {
        write_bytes(value.bytes(&mut [0; INT_CHARS_MAX]), out);
    }
    out.pause();
}

/// Appends an element of a container: a string like any other.
pub fn write_element(element: Element<'_>, out: &mut Out<'_>) {
    match element {
        Element::Int(n) => write(Str::Int(n), out),
        Element::Bytes(bytes) => write(Str::Bytes(bytes), out),
    }
}

/// Appends bytes that are no client's string but a container's memory: never packed as a number.
pub fn write_opaque(bytes: &[u8], out: &mut Out<'_>) {
    write_bytes(bytes, out);
    out.pause();
}

/// Reads a string's bytes: an element of a container, or a container's memory.
///
/// # Errors
/// [`Malformed`]: the bytes end, or are no string.
pub fn read_bytes<'a>(input: &mut Input<'a>) -> Result<Cow<'a, [u8]>, Malformed> {
    Ok(match read(input)? {
        NewStr::Int(n) => {
            let mut buffer = [0; INT_CHARS_MAX];
            Cow::Owned(Str::Int(n).bytes(&mut buffer).to_vec())
        }
        NewStr::Bytes(bytes) => Cow::Borrowed(bytes),
        NewStr::Blob(blob) => Cow::Owned(Arc::unwrap_or_clone(blob)),
    })
}

fn write_int(n: i32, out: &mut Out<'_>) {
    if let Ok(n) = i8::try_from(n) {
        length::write_packed(INT_8, out);
        out.extend(&n.to_le_bytes());
    } else if let Ok(n) = i16::try_from(n) {
        length::write_packed(INT_16, out);
        out.extend(&n.to_le_bytes());
    } else {
        length::write_packed(INT_32, out);
        out.extend(&n.to_le_bytes());
    }
}

fn write_bytes(bytes: &[u8], out: &mut Out<'_>) {
    if bytes.len() <= UNCOMPRESSED_BYTES_MAX || !write_compressed(bytes, out) {
        length::write(bytes.len() as u64, out);
        out.extend_long(bytes);
    }
}

/// The packed length stands before the packed bytes and has a width of its own, so it is written
/// once the bytes are known: they are packed at the end and the head is turned in before them.
fn write_compressed(bytes: &[u8], out: &mut Out<'_>) -> bool {
    let begin = out.pending();
    if !out.compress(bytes, bytes.len() - SAVING_BYTES_MIN) {
        return false;
    }
    let packed_bytes = out.pending() - begin;
    length::write_packed(LZF, out);
    length::write(packed_bytes as u64, out);
    length::write(bytes.len() as u64, out);
    out.turn_in(begin, packed_bytes);
    true
}

/// Reads a string value as the store takes it: short ones and raw ones as a slice of the input.
///
/// # Errors
/// [`Malformed`]: the bytes end, or are no string.
pub fn read<'a>(input: &mut Input<'a>) -> Result<NewStr<'a>, Malformed> {
    Ok(match length::read(input)? {
        Length::Plain(count) => NewStr::of(input.take(count)?),
        Length::Packed(INT_8) => NewStr::Int(i64::from(i8::from_le_bytes(input.array()?))),
        Length::Packed(INT_16) => NewStr::Int(i64::from(i16::from_le_bytes(input.array()?))),
        Length::Packed(INT_32) => NewStr::Int(i64::from(i32::from_le_bytes(input.array()?))),
        Length::Packed(LZF) => {
            let packed_bytes = length::read_plain(input)?;
            let count = length::read_plain(input)?;
            let bytes = lzf::decompress(input.take(packed_bytes)?, count)?;
            match parse_int(&bytes) {
                Some(n) => NewStr::Int(n),
                None => NewStr::Blob(Arc::new(bytes)),
            }
        }
        Length::Packed(_) => return Err(Malformed::Encoding),
    })
}

/// Reads what follows the mark of a packed form: how many bytes come then.
///
/// # Errors
/// [`Malformed`]: the bytes end, or there is no such form.
pub(crate) fn packed_run(form: u8, input: &mut Input<'_>) -> Result<u64, Malformed> {
    Ok(match form {
        INT_8 => 1,
        INT_16 => 2,
        INT_32 => 4,
        LZF => {
            let packed_bytes = length::read_plain(input)?;
            length::read_plain(input)?;
            packed_bytes
        }
        _ => return Err(Malformed::Encoding),
    })
}

/// A value that was read, as SET would hold it: what was unfolded into an allocation of its own
/// but is short belongs into the entry (`embstr`).
#[must_use]
pub fn as_set<'v>(value: &'v NewStr<'_>) -> NewStr<'v> {
    match value {
        NewStr::Int(n) => NewStr::Int(*n),
        NewStr::Bytes(bytes) => NewStr::Bytes(bytes),
        NewStr::Blob(blob) if blob.len() <= EMBSTR_BYTES_MAX => NewStr::Bytes(blob),
        NewStr::Blob(blob) => NewStr::Blob(Arc::clone(blob)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lzf::Compressor;
    use proptest::prelude::*;

    fn spelled(value: &NewStr<'_>) -> Vec<u8> {
        match value {
            NewStr::Int(n) => n.to_string().into_bytes(),
            NewStr::Bytes(bytes) => bytes.to_vec(),
            NewStr::Blob(blob) => blob.to_vec(),
        }
    }

    fn check(bytes: &[u8], compress: bool) -> Vec<u8> {
        let mut compressor = Compressor::new();
        let mut out = Vec::new();
        write(
            Str::Bytes(bytes),
            &mut Out::payload(&mut out, compress.then_some(&mut compressor)),
        );
        let mut input = Input::new(&out);
        let back = read(&mut input).expect("we wrote it");
        assert_eq!(input.left(), 0);
        assert_eq!(spelled(&back), bytes);
        for short in 0..out.len() {
            assert!(
                read(&mut Input::new(&out[..short])).is_err(),
                "{bytes:?} cut to {short}"
            );
        }
        out
    }

    #[test]
    fn each_string_has_its_form() {
        assert_eq!(check(b"-128", true), [0xC0, 0x80]);
        assert_eq!(check(b"128", true), [0xC1, 0x80, 0]);
        assert_eq!(check(b"-2147483648", true), [0xC2, 0, 0, 0, 0x80]);
        assert_eq!(check(b"2147483648", true)[0], 10);
        assert_eq!(check(b"-0", true), *b"\x02-0");
        assert_eq!(check(&[b'a'; 20], true)[0], 20);
        assert_eq!(check(&[b'a'; 21], true)[0], 0xC3);
        assert_eq!(check(&[b'a'; 21], false)[0], 21);
    }

    #[test]
    fn a_compressed_integer_is_an_integer() {
        let packed = [0xC3, 3, 2, 1, b'1', b'2'];
        assert!(matches!(
            read(&mut Input::new(&packed)),
            Ok(NewStr::Int(12))
        ));
    }

    #[test]
    fn claims_beyond_the_input_reserve_nothing() {
        for bytes in [
            &[0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1][..],
            &[0x80, 0x7f, 0xff, 0xff, 0xff, 1],
            &[
                0xC3, 2, 0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, b'a',
            ],
            &[0xC3, 0xC0, 1, 1],
            &[0xC4, 1, 2, 3],
            &[0xFF, 1, 2, 3],
        ] {
            assert!(read(&mut Input::new(bytes)).is_err(), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn any_string_comes_back(bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'0'), Just(b'1')], 0..400), compress: bool) {
            check(&bytes, compress);
        }

        #[test]
        fn any_integer_comes_back(n: i64, shift in 0_u32..64) {
            check((n >> shift).to_string().as_bytes(), true);
        }

        #[test]
        fn any_bytes_are_legal_input(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = read(&mut Input::new(&bytes)).map(|value| value.len());
        }
    }
}
