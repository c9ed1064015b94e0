//! Payloads: one value by itself, as DUMP returns and RESTORE takes it.
//!
//! ```text
//!   type(1)  value  version(u16)  crc64(u64)       the checksum covers all before it
//! ```
//!
//! The version written is the lowest that can hold the value, so that an older server takes it
//! back: Redis itself refuses a payload of a newer version whatever is in it.
//!
//! A payload comes from a stranger and its checksum is no secret, so a good checksum says nothing
//! about what is inside. Everything is checked as if it were not there.
//!
//! Checked by: payloads of Redis (`tests/redis.rs`), round trips, fuzz/restore.

use store::{Limits, NewStr, Object, ValueRef};

use crate::crc;
use crate::form::{Dialect, Form};
use crate::format::{self, types};
use crate::input::{Input, Malformed};
use crate::lzf::Compressor;
use crate::out::Out;
use crate::{hash, list, set, sorted_set, stream, string};

/// Version and checksum.
const FOOTER_BYTES: usize = 2 + 8;

/// A decoded value. A closed enum: one variant a kind of value.
#[derive(Debug)]
pub enum Loaded<'a> {
    /// A string, borrowed from the payload where that is possible.
    String(NewStr<'a>),
    /// Anything else, ready to be put into a key.
    Object(Object),
}

/// Why a payload was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DumpError {
    /// It is too short, of an unknown version, or its checksum is wrong.
    Footer,
    /// The value inside is broken.
    Value(Malformed),
}

/// Appends the payload of `value`, in Redis's dialect. With a compressor long strings are compressed.
pub fn dump(value: ValueRef<'_>, compressor: Option<&mut Compressor>, out: &mut Vec<u8>) {
    dump_in(Dialect::Redis, value, compressor, out);
}

/// As [`dump`], in the dialect that is asked for (`rdb-dialect`): they differ where fields have deadlines.
pub fn dump_in(
    dialect: Dialect,
    value: ValueRef<'_>,
    compressor: Option<&mut Compressor>,
    out: &mut Vec<u8>,
) {
    let begin = out.len();
    let form = Form::payload(dialect);
    let version = write_value(value, &mut Out::payload(out, compressor).in_form(form));
    out.extend_from_slice(&version.to_le_bytes());
    let checksum = crc::checksum(&out[begin..]);
    out.extend_from_slice(&checksum.to_le_bytes());
}

/// Appends type and value, with `out`'s key between them; the lowest version that holds them.
pub(crate) fn write_value(value: ValueRef<'_>, out: &mut Out<'_>) -> u16 {
    match value {
        ValueRef::String(bytes) => {
            out.head(types::STRING);
            string::write(bytes, out);
            if bytes.len() > u32::MAX as usize {
                format::VERSION_LENGTH_64
            } else {
                format::VERSION_DUMP
            }
        }
        ValueRef::Object(object) => match &**object {
            Object::List(list) => list::write(list, out),
            Object::Set(set) => set::write(set, out),
            Object::Hash(hash) => hash::write(hash, out),
            Object::Stream(stream) => stream::write(stream, out),
            Object::SortedSet(set) => sorted_set::write(set, out),
        },
    }
}

/// Checks version and checksum; the type and value before them, and the version.
///
/// # Errors
/// [`DumpError::Footer`].
pub fn verify(payload: &[u8]) -> Result<(&[u8], u16), DumpError> {
    let (covered, checksum) = payload.split_last_chunk::<8>().ok_or(DumpError::Footer)?;
    let (body, version) = covered.split_last_chunk::<2>().ok_or(DumpError::Footer)?;
    let version = u16::from_le_bytes(*version);
    let good = format::version_accepted(version)
        && crc::checksum(covered) == u64::from_le_bytes(*checksum);
    debug_assert!(body.len() + FOOTER_BYTES == payload.len());
    if good {
        Ok((body, version))
    } else {
        Err(DumpError::Footer)
    }
}

/// Decodes a payload. What is small by `limits` is held small.
///
/// # Errors
/// [`DumpError`]: RESTORE answers the two kinds with different texts.
pub fn load<'a>(payload: &'a [u8], limits: &Limits) -> Result<Loaded<'a>, DumpError> {
    let (body, version) = verify(payload)?;
    let mut input = Input::new(body);
    let value = read_value(&mut input, version, limits).map_err(DumpError::Value)?;
    // Redis ignores what follows the value. Nobody writes such payloads, so we ask what it means.
    if input.left() > 0 {
        Err(DumpError::Value(Malformed::Trailing))
    } else {
        Ok(value)
    }
}

/// Decodes type and value, as written by servers of this RDB version.
///
/// # Errors
/// [`Malformed`].
pub fn read_value<'a>(
    input: &mut Input<'a>,
    version: u16,
    limits: &Limits,
) -> Result<Loaded<'a>, Malformed> {
    let number = input.byte()?;
    read_value_of(number, input, version, limits)
}

/// Decodes a value whose type stood elsewhere, as written by servers of this RDB version.
///
/// # Errors
/// [`Malformed`]; after `Empty` the input stands behind the value.
pub fn read_value_of<'a>(
    number: u8,
    input: &mut Input<'a>,
    version: u16,
    limits: &Limits,
) -> Result<Loaded<'a>, Malformed> {
    let object = match number {
        types::STRING => return string::read(input).map(Loaded::String),
        number @ (types::LIST
        | types::LIST_ZIPLIST
        | types::LIST_QUICKLIST
        | types::LIST_QUICKLIST_2) => list::read(number, input, limits)?,
        number @ (types::SET | types::SET_INTSET | types::SET_LISTPACK) => {
            set::read(number, input, limits)?
        }
        number if hash::is_hash(number, version) => hash::read(number, input, limits)?,
        number @ (types::STREAM_LISTPACKS
        | types::STREAM_LISTPACKS_2
        | types::STREAM_LISTPACKS_3) => stream::read(number, input)?,
        number @ (types::ZSET | types::ZSET_2 | types::ZSET_ZIPLIST | types::ZSET_LISTPACK) => {
            sorted_set::read(number, input, limits)?
        }
        _ => return Err(Malformed::Type),
    };
    Ok(Loaded::Object(object))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use store::Str;

    fn payload(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        dump(
            ValueRef::String(Str::Bytes(bytes)),
            Some(&mut Compressor::new()),
            &mut out,
        );
        out
    }

    /// Version and checksum behind a body of one's own.
    fn sealed(body: &[u8], version: u16) -> Vec<u8> {
        let mut out = body.to_vec();
        out.extend_from_slice(&version.to_le_bytes());
        let checksum = crc::checksum(&out);
        out.extend_from_slice(&checksum.to_le_bytes());
        out
    }

    #[test]
    fn a_payload_carries_the_lowest_version() {
        let bytes = payload(b"hello");
        assert_eq!(&bytes[..9], b"\x00\x05hello\x06\x00");
    }

    #[test]
    fn every_flipped_bit_is_seen() {
        let good = payload(b"a value that is long enough to be compressed, compressed, compressed");
        assert!(load(&good, &Limits::default()).is_ok());
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                load(&bad, &Limits::default()).err(),
                Some(DumpError::Footer),
                "bit {bit}"
            );
        }
        for length in 0..good.len() {
            assert_eq!(
                load(&good[..length], &Limits::default()).err(),
                Some(DumpError::Footer),
                "{length} bytes"
            );
        }
    }

    #[test]
    fn versions_of_both_forks_are_read_and_others_refused() {
        for version in [1, 6, 9, 10, 11, 12, 15, 80, 81] {
            assert!(
                load(&sealed(b"\x00\x01x", version), &Limits::default()).is_ok(),
                "version {version}"
            );
        }
        for version in [0, 16, 79, 82, 255, u16::MAX] {
            assert_eq!(
                load(&sealed(b"\x00\x01x", version), &Limits::default()).err(),
                Some(DumpError::Footer),
                "version {version}"
            );
        }
    }

    #[test]
    fn a_good_checksum_does_not_make_a_good_value() {
        for (body, why) in [
            (&b""[..], Malformed::Truncated),
            (b"\x00", Malformed::Truncated),
            (b"\x00\x05hell", Malformed::Truncated),
            (b"\x00\x05helloo", Malformed::Trailing),
            (b"\x00\xC5", Malformed::Encoding),
            (b"\x08\x00", Malformed::Type),
            (b"\xFF\x00", Malformed::Type),
            (b"\x00\xC3\x02\x05\x00a", Malformed::Compression),
        ] {
            assert_eq!(
                load(&sealed(body, 11), &Limits::default()).err(),
                Some(DumpError::Value(why)),
                "{body:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_sealed_bytes_are_legal_input(body in prop::collection::vec(any::<u8>(), 0..120)) {
            let mut body = body;
            if let Some(first) = body.first_mut() {
                *first %= 2;
            }
            let _ = load(&sealed(&body, 11), &Limits::default());
        }
    }
}
