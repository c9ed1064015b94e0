//! The 80-bit floats in which INCRBYFLOAT counts, the same on every system.
//!
//! Redis adds in C's `long double`, which is 80 bits wide on x86 Linux and something else on
//! Windows and ARM. Here it is always the x87 format, done in software:
//!
//! ```text
//!   bit  79    78 … 64            63 … 0
//!        sign  exponent + 16383   significand, its leading 1 written out
//! ```
//!
//! and printed with seventeen decimals at most, trailing zeros cut: `10.50000…` is `10.5`, `3.0` is
//! `3`. The decimals are exact: the value is an integer times a power of two, the fraction times
//! 10^17 fits 121 bits, and the one rounding is to the nearest, ties to even.
//!
//! Accepted is what C's `strtold` takes as a whole: decimal or hexadecimal, `inf` and `infinity`
//! with any case and sign; no white space, no NaN, nothing that overflows or vanishes.
//!
//! Checked by: tests below (values that a 7.0.15 server on x86 gave).

use std::cmp::Ordering;
use std::str::FromStr;

use rustc_apfloat::Float;
use rustc_apfloat::ieee::X87DoubleExtended;
use store::Str;

/// The longest text that is looked at, as in Redis.
const TEXT_BYTES_MAX: usize = 5 * 1024 - 1;

/// What the exponent field is too high by, for a significand that is read as an integer.
const EXPONENT_BIAS: i32 = 16383 + 63;

/// How many decimals are printed at most.
const DECIMALS: u32 = 17;

/// An 80-bit float; never NaN unless an addition of opposite infinities made it one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extended(X87DoubleExtended);

impl Extended {
    /// Zero.
    pub(crate) const ZERO: Extended = Extended(X87DoubleExtended::ZERO);

    /// The largest finite number, and the lowest.
    pub(crate) fn limits() -> (Extended, Extended) {
        let largest = X87DoubleExtended::largest();
        (Extended(-largest), Extended(largest))
    }

    /// The number that a held string spells.
    pub(crate) fn of(value: Str<'_>) -> Option<Extended> {
        Extended::parse(value.bytes(&mut [0; 20]))
    }

    /// The number that `text` spells as a whole.
    pub(crate) fn parse(text: &[u8]) -> Option<Extended> {
        if text.len() > TEXT_BYTES_MAX {
            return None;
        }
        let (negative, body) = match text {
            [b'-', body @ ..] => (true, body),
            [b'+', body @ ..] => (false, body),
            body => (false, body),
        };
        let value = match body {
            [b'0', b'x' | b'X', digits @ ..] => parse_hex(digits)?,
            _ if body.eq_ignore_ascii_case(b"inf") || body.eq_ignore_ascii_case(b"infinity") => {
                X87DoubleExtended::INFINITY
            }
            _ => parse_decimal(body)?,
        };
        Some(Extended(if negative { -value } else { value }))
    }

    /// The sum, rounded to the nearest.
    pub(crate) fn plus(self, other: Extended) -> Extended {
        Extended((self.0 + other.0).value)
    }

    /// The difference, rounded to the nearest.
    pub(crate) fn minus(self, other: Extended) -> Extended {
        Extended((self.0 - other.0).value)
    }

    /// Neither infinite nor NaN.
    pub(crate) fn is_finite(self) -> bool {
        self.0.is_finite()
    }

    /// Below zero, or the zero that is.
    pub(crate) fn is_negative(self) -> bool {
        self.0.is_negative()
    }

    /// The order; none with NaN.
    pub(crate) fn compare(self, other: Extended) -> Option<Ordering> {
        self.0.partial_cmp(&other.0)
    }

    /// The text of a finite number.
    pub(crate) fn text(self) -> Vec<u8> {
        debug_assert!(self.is_finite(), "callers refuse what is not finite");
        let bits = self.0.to_bits();
        let significand = bits as u64;
        let exponent = ((bits >> 64) & 0x7fff) as i32;
        // Denormals have the exponent of the smallest normals.
        let (whole, decimals) = split(significand, exponent.max(1) - EXPONENT_BIAS);
        let mut text = Vec::with_capacity(24);
        if self.is_negative() && (decimals != 0 || whole != "0") {
            text.push(b'-');
        }
        text.extend_from_slice(whole.as_bytes());
        if decimals != 0 {
            let digits = format!("{decimals:017}");
            text.push(b'.');
            text.extend_from_slice(digits.trim_end_matches('0').as_bytes());
        }
        text
    }
}

/// `significand * 2^exponent` as its whole part in decimal and its first seventeen decimals.
fn split(significand: u64, exponent: i32) -> (String, u64) {
    if exponent >= 0 {
        return (shifted(significand, exponent.unsigned_abs()), 0);
    }
    let scale = 10u128.pow(DECIMALS);
    let shift = exponent.unsigned_abs();
    let whole = significand.checked_shr(shift).unwrap_or(0);
    let fraction = significand - whole.checked_shl(shift).unwrap_or(0);
    // Below 2^(64 + 57); what is shifted out entirely is less than half a unit of the last place.
    let scaled = u128::from(fraction) * scale;
    let mut decimals = scaled.checked_shr(shift).unwrap_or(0);
    if let Some(half) = 1u128.checked_shl(shift - 1) {
        let rest = scaled & (half | (half - 1));
        decimals += u128::from(rest > half || (rest == half && decimals & 1 == 1));
    }
    let carry = u64::from(decimals == scale);
    (
        u128::from(whole)
            .wrapping_add(u128::from(carry))
            .to_string(),
        (decimals % scale) as u64,
    )
}

/// `significand * 2^by` in decimal: schoolbook doubling, 29 bits a step, in limbs of nine digits.
/// At most 4,933 digits, some 300,000 steps.
fn shifted(significand: u64, by: u32) -> String {
    const LIMB: u64 = 1_000_000_000;
    let mut limbs = vec![
        significand % LIMB,
        significand / LIMB % LIMB,
        significand / LIMB / LIMB,
    ];
    let mut left = by;
    while left > 0 {
        let step = left.min(29);
        left -= step;
        let mut carry = 0;
        for limb in &mut limbs {
            let value = (*limb << step) + carry;
            *limb = value % LIMB;
            carry = value / LIMB;
        }
        if carry > 0 {
            limbs.push(carry);
        }
    }
    while limbs.len() > 1 && limbs.last() == Some(&0) {
        limbs.pop();
    }
    let mut text = limbs.pop().unwrap_or(0).to_string();
    for limb in limbs.iter().rev() {
        text.push_str(&format!("{limb:09}"));
    }
    text
}

/// Digits with an optional point and an optional exponent.
fn parse_decimal(text: &[u8]) -> Option<X87DoubleExtended> {
    let (mantissa, exponent) = cut(text, b'e');
    let digits = check_digits(mantissa, u8::is_ascii_digit)?;
    let exponent = exponent.map_or(Some(0), exponent_value)?;
    number(&format!("{digits}e{exponent}"), mantissa)
}

/// The same in hexadecimal, behind `0x`, with a power of two as the exponent.
fn parse_hex(text: &[u8]) -> Option<X87DoubleExtended> {
    let (mantissa, exponent) = cut(text, b'p');
    let digits = check_digits(mantissa, u8::is_ascii_hexdigit)?;
    let exponent = exponent.map_or(Some(0), exponent_value)?;
    number(&format!("0x{digits}p{exponent}"), mantissa)
}

/// The number, unless it overflows, or vanishes although a digit is not zero.
fn number(text: &str, mantissa: &[u8]) -> Option<X87DoubleExtended> {
    let value = X87DoubleExtended::from_str(text).ok()?;
    let is_zero = !mantissa.iter().any(|b| !matches!(b, b'0' | b'.'));
    (value.is_finite() && value.is_zero() == is_zero).then_some(value)
}

/// What stands before and behind the exponent's letter.
fn cut(text: &[u8], letter: u8) -> (&[u8], Option<&[u8]>) {
    match text.iter().position(|b| b.to_ascii_lowercase() == letter) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    }
}

/// At least one digit, at most one point; a digit is put on each side of the point.
fn check_digits(text: &[u8], is_digit: fn(&u8) -> bool) -> Option<String> {
    let points = text.iter().filter(|&&b| b == b'.').count();
    let digits = text.iter().filter(|b| is_digit(b)).count();
    if points > 1 || digits == 0 || points + digits != text.len() {
        return None;
    }
    let text = std::str::from_utf8(text).expect("digits and a point are ASCII");
    Some(if points == 1 {
        format!("0{text}0")
    } else {
        text.to_owned()
    })
}

/// An exponent; one that is larger than any that matters is as good as a very large one.
fn exponent_value(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits
        .iter()
        .fold(0i64, |n, b| (n * 10 + i64::from(b - b'0')).min(100_000));
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(a: &str, b: &str) -> String {
        let parse = |text: &str| Extended::parse(text.as_bytes()).expect(text);
        String::from_utf8(parse(a).plus(parse(b)).text()).expect("ASCII")
    }

    #[test]
    fn sums_print_as_a_7_0_15_server_prints_them() {
        for (a, b, expected) in [
            ("0", "1", "1"),
            ("10.5", "0.1", "10.6"),
            ("0.1", "0.2", "0.3"),
            ("3.0", "0", "3"),
            ("5.0e3", "2.0e2", "5200"),
            ("1", "-1.5", "-0.5"),
            ("-1", "1", "0"),
            ("-0", "0", "0"),
            ("1e-18", "0", "0"),
            ("-1e-18", "0", "0"),
            ("0.00000000000000001", "0", "0.00000000000000001"),
            ("0.99999999999999999999", "0", "1"),
            ("1e22", "0", "10000000000000000000000"),
            ("1e25", "0", "10000000000000000000000000"),
            ("17179869184", "1.5", "17179869185.5"),
            ("0x10", "0", "16"),
            ("0x1.8p1", "0", "3"),
            ("9223372036854775807", "1", "9223372036854775808"),
            (".5", "5.", "5.5"),
        ] {
            assert_eq!(sum(a, b), expected, "{a} + {b}");
        }
    }

    #[test]
    fn ties_go_to_even_and_only_ties() {
        // 2^-18 has eighteen decimals, the last a 5: 0.000003814697265625 fits; 2^-20 in 17 does not.
        assert_eq!(split(1, -18), ("0".into(), 381_469_726_562));
        assert_eq!(split(3, -18), ("0".into(), 1_144_409_179_688));
        assert_eq!(split(u64::MAX, -64), ("1".into(), 0));
        assert_eq!(split(1, -127), ("0".into(), 0));
        assert_eq!(split(1, -16445), ("0".into(), 0));
    }

    #[test]
    fn large_ones_are_exact() {
        assert_eq!(shifted(1, 64), "18446744073709551616");
        assert_eq!(
            shifted(1 << 63, 65),
            "340282366920938463463374607431768211456"
        );
        let largest = Extended::limits().1.text();
        assert_eq!(largest.len(), 4933);
        assert!(largest.starts_with(b"118973149535723176502126"));
    }

    #[test]
    fn what_is_refused() {
        for text in [
            "",
            " 1",
            "1 ",
            "nan",
            "-nan",
            "1e",
            "1e+",
            "0x",
            "0x.",
            "0x1p",
            ".",
            "-",
            "+-1",
            "1_0",
            "1e5000",
            "-1e5000",
            "1e-5000",
            "1,5",
            "0x1p20000",
            "1.2.3",
            "infi",
            "e5",
            "1e99999999999999",
        ] {
            assert!(Extended::parse(text.as_bytes()).is_none(), "{text}");
        }
        assert!(Extended::parse(&[b'1'; 6000]).is_none());
        assert!(Extended::parse(b"-INF").is_some_and(|v| !v.is_finite()));
        assert!(Extended::parse(b"0e99999999999").is_some_and(|v| v.text() == b"0"));
    }
}
