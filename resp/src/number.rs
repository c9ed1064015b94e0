//! Numbers as text, as strictly as the protocol's users expect.
//!
//! Integers: an optional `-`, digits without a leading zero, nothing else; so text and number map
//! one to one and a value stored as an integer prints as it came.
//!
//! Floats in: the whole word in C's form (decimal, hexadecimal with an optional `p` exponent, `inf`,
//! `infinity`, any case, either sign), no white space, no NaN, no value that overflows to infinity
//! or vanishes to zero ([`parse_f64_rounded`] takes these).
//!
//! Floats out, d = shortest digits that read back, k = power of ten of the last digit:
//!
//!   -0, inf, -inf, nan              named
//!   whole and |v| <= 2^62           as an integer
//!   k >= 0, exponent < digits + 7   plain integer:      1234567890123456800000
//!   k < 0, k > -7 or exponent < 4   plain decimal:      0.000015, 1234.5678901234567
//!   else                            scientific:         1e+20, 1.5e-7
//!
//! (the layout of `fpconv`, which Redis 7.2 and later and Valkey use; 7.0 printed `%.17g`).
//!
//! Checked by: tables below; values compared with a 7.0.15 server for what is accepted.

/// Strict text to `i64`.
#[inline]
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    match text {
        [b'-', digits @ ..] => {
            let magnitude = parse_u64(digits)?;
            // "-0" would not print as it came.
            (magnitude != 0 && magnitude <= 1 << 63).then(|| (magnitude as i64).wrapping_neg())
        }
        _ => i64::try_from(parse_u64(text)?).ok(),
    }
}

/// Strict text to `u64`.
#[inline]
pub fn parse_u64(text: &[u8]) -> Option<u64> {
    match text {
        [b'0'] => Some(0),
        [b'1'..=b'9', rest @ ..] if rest.len() < 20 => {
            let mut value = u64::from(text[0] - b'0');
            for &byte in rest {
                let digit = byte.wrapping_sub(b'0');
                if digit > 9 {
                    return None;
                }
                value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
            }
            Some(value)
        }
        _ => None,
    }
}

/// "00" "01" … "99", so that two digits cost one division.
const PAIRS: [u8; 200] = {
    let mut pairs = [0; 200];
    let mut i = 0;
    while i < 100 {
        pairs[i * 2] = b'0' + (i / 10) as u8;
        pairs[i * 2 + 1] = b'0' + (i % 10) as u8;
        i += 1;
    }
    pairs
};

/// Writes `value` to the end of `buf` and gives the text.
#[inline]
pub fn format_u64(mut value: u64, buf: &mut [u8; 20]) -> &[u8] {
    let mut at = buf.len();
    while value >= 100 {
        let pair = (value % 100) as usize * 2;
        value /= 100;
        at -= 2;
        buf[at..at + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
    }
    if value >= 10 {
        let pair = value as usize * 2;
        at -= 2;
        buf[at..at + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
    } else {
        at -= 1;
        buf[at] = b'0' + value as u8;
    }
    &buf[at..]
}

/// Writes `value` to the end of `buf` and gives the text.
#[inline]
pub fn format_i64(value: i64, buf: &mut [u8; 20]) -> &[u8] {
    let digits = format_u64(value.unsigned_abs(), buf).len();
    let mut at = buf.len() - digits;
    if value < 0 {
        // i64 has at most 19 digits, so there is room for the sign.
        at -= 1;
        buf[at] = b'-';
    }
    &buf[at..]
}

/// Appends `value` in decimal.
#[inline]
pub fn write_i64(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(format_i64(value, &mut [0; 20]));
}

/// Appends `value` in decimal.
#[inline]
pub fn write_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(format_u64(value, &mut [0; 20]));
}

/// Text to a float, in C's form; see the top of the file for what is refused.
pub fn parse_f64(text: &[u8]) -> Option<f64> {
    let (negative, body) = match text {
        [b'-', body @ ..] => (true, body),
        [b'+', body @ ..] => (false, body),
        _ => (false, text),
    };
    let magnitude = match body {
        [b'0'..=b'9' | b'.', ..] => match body {
            [b'0', b'x' | b'X', hex @ ..] => parse_hex(hex)?,
            _ => parse_decimal(body)?,
        },
        _ if body.eq_ignore_ascii_case(b"inf") || body.eq_ignore_ascii_case(b"infinity") => {
            f64::INFINITY
        }
        _ => return None,
    };
    Some(if negative { -magnitude } else { magnitude })
}

fn parse_decimal(text: &[u8]) -> Option<f64> {
    let value: f64 = fast_float2::parse(text).ok()?;
    let vanished = || {
        value == 0.0
            && mantissa(text, b'e')
                .iter()
                .any(|b| matches!(b, b'1'..=b'9'))
    };
    (value.is_finite() && !vanished()).then_some(value)
}

/// As [`parse_f64`], but a decimal that overflows is infinity, and one that vanishes is zero.
pub fn parse_f64_rounded(text: &[u8]) -> Option<f64> {
    parse_f64(text).or_else(|| match text {
        [b'-', body @ ..] | [b'+', body @ ..] | body if body.first().is_some_and(is_decimal) => {
            let value: f64 = fast_float2::parse(body).ok()?;
            Some(if text[0] == b'-' { -value } else { value })
        }
        _ => None,
    })
}

/// Whether a body without a sign may begin so.
fn is_decimal(byte: &u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'.')
}

/// What stands before the exponent's letter.
fn mantissa(text: &[u8], letter: u8) -> &[u8] {
    let end = text.iter().position(|b| b.to_ascii_lowercase() == letter);
    &text[..end.unwrap_or(text.len())]
}

/// What follows `0x`: hexadecimal digits with an optional point, an optional binary exponent.
fn parse_hex(text: &[u8]) -> Option<f64> {
    let digits = mantissa(text, b'p');
    let mut exponent = match &text[digits.len()..] {
        [] => 0i64,
        [_, sign @ (b'-' | b'+'), rest @ ..] => {
            let value = exponent_digits(rest)?;
            if *sign == b'-' { -value } else { value }
        }
        [_, rest @ ..] => exponent_digits(rest)?,
    };
    // Sixty bits are kept; what comes after them can only matter as "not exactly half".
    let (mut bits, mut seen, mut after_point, mut lost) = (0u64, false, false, false);
    for &byte in digits {
        if byte == b'.' {
            if after_point {
                return None;
            }
            after_point = true;
            continue;
        }
        let digit = char::from(byte).to_digit(16)?;
        seen = true;
        if bits >> 60 == 0 {
            bits = bits << 4 | u64::from(digit);
            exponent -= if after_point { 4 } else { 0 };
        } else {
            lost |= digit != 0;
            exponent += if after_point { 0 } else { 4 };
        }
    }
    if !seen {
        return None;
    }
    if bits == 0 {
        return Some(0.0);
    }
    let value = scale(bits | u64::from(lost), exponent);
    (value.is_finite() && value != 0.0).then_some(value)
}

fn exponent_digits(text: &[u8]) -> Option<i64> {
    let all_digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    // A longer exponent than any that matters is as good as a very large one.
    all_digits.then(|| {
        text.iter()
            .fold(0i64, |n, b| (n * 10 + i64::from(b - b'0')).min(1 << 40))
    })
}

/// `bits * 2^exponent`, rounded once, to even.
fn scale(bits: u64, exponent: i64) -> f64 {
    let width = i64::from(64 - bits.leading_zeros());
    let top = exponent.saturating_add(width - 1);
    if top > 1023 {
        return f64::INFINITY;
    }
    // The lowest bit that the result can hold: 53 bits below the top, or the subnormals' floor.
    let lowest = (top - 52).max(-1074);
    let drop = lowest - exponent;
    let kept = match drop {
        i64::MIN..=0 => return bits as f64 * pow2(exponent),
        1..=63 => {
            let half = 1u64 << (drop - 1);
            let tail = bits & (half | (half - 1));
            let floor = bits >> drop;
            floor + u64::from(tail > half || (tail == half && floor & 1 == 1))
        }
        64 => u64::from(bits > 1 << 63),
        _ => 0,
    };
    // `kept` has at most 53 bits and a carry, so both factors and the product are exact.
    kept as f64 * pow2(lowest)
}

/// 2 to the power of `n`, for -1074 <= n <= 1023.
fn pow2(n: i64) -> f64 {
    match n {
        -1022.. => f64::from_bits(((n + 1023) as u64) << 52),
        _ => f64::from_bits(1 << (n + 1074)),
    }
}

/// Appends `value` as Redis 7.2 and later print a double.
pub fn write_f64(out: &mut Vec<u8>, value: f64) {
    if value.is_nan() {
        return out.extend_from_slice(b"nan");
    }
    if value.is_infinite() {
        return out.extend_from_slice(if value < 0.0 { b"-inf" } else { b"inf" });
    }
    if value == 0.0 {
        return out.extend_from_slice(if value.is_sign_negative() {
            b"-0"
        } else {
            b"0"
        });
    }
    const WHOLE_MAX: f64 = (1u64 << 62) as f64;
    if (-WHOLE_MAX..=WHOLE_MAX).contains(&value) && (value as i64) as f64 == value {
        return write_i64(out, value as i64);
    }
    if value < 0.0 {
        out.push(b'-');
    }
    let mut text = zmij::Buffer::new();
    let shortest = text.format_finite(value.abs()).as_bytes();
    let mut digits = [0; 24];
    let (digits, last_power) = decompose(shortest, &mut digits);
    lay_out(out, digits, last_power, value < 0.0);
}

/// Takes a printed float apart: its significant digits and the power of ten of the last one.
fn decompose<'b>(text: &[u8], buf: &'b mut [u8; 24]) -> (&'b [u8], i32) {
    let mantissa = mantissa(text, b'e');
    let mut power = match &text[mantissa.len()..] {
        [] => 0,
        [_, b'-', rest @ ..] => -(parse_u64(rest).expect("a printed exponent") as i32),
        [_, b'+', rest @ ..] | [_, rest @ ..] => {
            parse_u64(rest).expect("a printed exponent") as i32
        }
    };
    let (mut len, mut after_point) = (0, false);
    for &byte in mantissa {
        if byte == b'.' {
            after_point = true;
            continue;
        }
        power -= i32::from(after_point);
        if len > 0 || byte != b'0' {
            buf[len] = byte;
            len += 1;
        }
    }
    while len > 1 && buf[len - 1] == b'0' {
        len -= 1;
        power += 1;
    }
    (&buf[..len], power)
}

/// Writes digits whose last has the power `last` in the shape that the top of the file describes.
fn lay_out(out: &mut Vec<u8>, digits: &[u8], last: i32, negative: bool) {
    let count = digits.len() as i32;
    let exponent = last + count - 1;
    if last >= 0 && exponent < count + 7 {
        out.extend_from_slice(digits);
        return out.extend(std::iter::repeat_n(b'0', last as usize));
    }
    if last < 0 && (last > -7 || exponent.abs() < 4) {
        let before_point = count + last;
        if before_point <= 0 {
            out.extend_from_slice(b"0.");
            out.extend(std::iter::repeat_n(
                b'0',
                before_point.unsigned_abs() as usize,
            ));
            return out.extend_from_slice(digits);
        }
        let (whole, fraction) = digits.split_at(before_point as usize);
        out.extend_from_slice(whole);
        out.push(b'.');
        return out.extend_from_slice(fraction);
    }
    // fpconv keeps room for the sign by dropping an eighteenth digit; shortest has 17 at most.
    let kept = &digits[..digits.len().min(18 - usize::from(negative))];
    out.push(kept[0]);
    if kept.len() > 1 {
        out.push(b'.');
        out.extend_from_slice(&kept[1..]);
    }
    out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
    write_u64(out, u64::from(exponent.unsigned_abs()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_float(value: f64, expected: &str) {
        let mut out = Vec::new();
        write_f64(&mut out, value);
        assert_eq!(String::from_utf8(out).expect("ascii"), expected);
        if !value.is_nan() && value.is_finite() {
            assert_eq!(parse_f64(expected.as_bytes()), Some(value), "{expected}");
        }
    }

    #[test]
    fn integers_map_one_to_one() {
        let edges = [
            0,
            1,
            9,
            10,
            99,
            100,
            101,
            1000,
            i64::MAX,
            i64::MIN,
            -1,
            -10,
            12345678901,
        ];
        for value in edges {
            let mut buf = [0; 20];
            let text = format_i64(value, &mut buf);
            assert_eq!(text, value.to_string().as_bytes());
            assert_eq!(parse_i64(text), Some(value));
        }
        assert_eq!(
            format_u64(u64::MAX, &mut [0; 20]),
            u64::MAX.to_string().as_bytes()
        );
        assert_eq!(parse_u64(b"18446744073709551615"), Some(u64::MAX));
        for bad in [
            "",
            "-",
            "+1",
            " 1",
            "1 ",
            "01",
            "-01",
            "-0",
            "--1",
            "1a",
            "0x1",
            "9223372036854775808",
            "-9223372036854775809",
            "18446744073709551616",
            "111111111111111111111111",
        ] {
            assert_eq!(parse_i64(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(parse_u64(b"18446744073709551616"), None);
    }

    #[test]
    fn floats_print_as_fpconv_lays_them_out() {
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-1.5, "-1.5"),
            (0.1, "0.1"),
            (3.0e10, "30000000000"),
            (1e17, "100000000000000000"),
            (4611686018427387904.0, "4611686018427387904"),
            (1e19, "1e+19"),
            (1e20, "1e+20"),
            (-1e20, "-1e+20"),
            (1.5e300, "1.5e+300"),
            (1e100, "1e+100"),
            (1.7976931348623157e308, "1.7976931348623157e+308"),
            (5e-324, "5e-324"),
            (1e-5, "0.00001"),
            (1e-6, "0.000001"),
            (1e-7, "1e-7"),
            (1.5e-7, "1.5e-7"),
            (1.5e-6, "1.5e-6"),
            (1.5e-5, "0.000015"),
            (1.2345e-3, "0.0012345"),
            (1234.5678901234567, "1234.5678901234567"),
            (12345.678901234567, "1.2345678901234567e+4"),
            (0.00012345678901, "1.2345678901e-4"),
            (2.25, "2.25"),
            (1e21 + 1e6, "1000000000000001000000"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
            (100.00000000000001, "100.00000000000001"),
            (1e7 + 0.5, "10000000.5"),
            (123456789.12345678, "1.2345678912345678e+8"),
        ] {
            check_float(value, expected);
        }
    }

    #[test]
    fn floats_are_read_as_a_7_0_15_server_reads_them() {
        for (text, expected) in [
            ("0x10", 16.0),
            ("0x1p3", 8.0),
            ("-0x1.8", -1.5),
            ("0X.8P+1", 1.0),
            ("inf", f64::INFINITY),
            ("+inf", f64::INFINITY),
            ("-INF", f64::NEG_INFINITY),
            ("Infinity", f64::INFINITY),
            ("+1", 1.0),
            ("1.", 1.0),
            (".5", 0.5),
            ("1e5", 1e5),
            ("1E+5", 1e5),
            ("4.9e-324", 5e-324),
            ("1e-320", 1e-320),
            ("-0", -0.0),
            ("0e-400", 0.0),
            ("007", 7.0),
            ("0x1p-1074", 5e-324),
            ("0x1.fffffffffffffp1023", f64::MAX),
            ("0x123456789abcdef01", 20988295479420645121.0),
            ("0x0p999999999999999", 0.0),
        ] {
            assert_eq!(parse_f64(text.as_bytes()), Some(expected), "{text}");
        }
        for bad in [
            "",
            "nan",
            "-nan",
            " 1",
            "1 ",
            ".",
            "1e",
            "1e+",
            "0x",
            "0x.",
            "0x1p",
            "0x1pq",
            "1e400",
            "-1e400",
            "1e-400",
            "+-1",
            "1_0",
            "infi",
            "0x1p-2000",
            "0x1p1024",
            "--1",
            "1e5x",
            "0x1.2.3",
            "e5",
            "-",
            "1,5",
        ] {
            assert_eq!(parse_f64(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn hexadecimal_rounds_once_to_even() {
        for (text, expected) in [
            ("0x1.00000000000008", 1.0),                      // exactly half: to even
            ("0x1.00000000000018", 1.0 + 2.0 * f64::EPSILON), // exactly half: to even, upwards
            ("0x1.0000000000000800000000001", 1.0 + f64::EPSILON), // a touch over half
            ("0x0.8p-1074", 0.0),
            ("0x0.cp-1074", 5e-324),
            ("0x1.8p-1074", 1e-323),
        ] {
            let wanted = (expected != 0.0).then_some(expected);
            assert_eq!(parse_f64(text.as_bytes()), wanted, "{text}");
        }
    }
}
