//! Integers as text: which bytes spell one, and how one is spelled.
//!
//! A packed container stores "42" as a number and gives "42" back, so only a spelling that comes
//! back byte for byte may become a number: no sign but a leading '-', no leading zero, no "-0", no
//! blanks, nothing beyond 64 bits. `resp::number` has the same rule for the protocol; it stands in
//! this storey a second time because neither crate may use the other.
//!
//! Checked by: the table below; the model tests, where every value passes through both directions.

/// Room for any spelling: 19 digits and a sign.
pub type Spelled = [u8; 20];

/// The number that these bytes spell, if they are its only spelling.
#[inline]
#[must_use]
pub fn parse(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [b'0'] if !negative => Some(0),
        [b'1'..=b'9', ..] if digits.len() <= 19 => {
            // Nineteen digits stay below 2^64, so nothing can wrap here.
            let mut value = 0_u64;
            for &byte in digits {
                let digit = byte.wrapping_sub(b'0');
                if digit > 9 {
                    return None;
                }
                value = value * 10 + u64::from(digit);
            }
            if negative {
                0_i64.checked_sub_unsigned(value)
            } else {
                i64::try_from(value).ok()
            }
        }
        _ => None,
    }
}

/// Spells `value` at the end of `buf` and gives the text.
#[inline]
#[must_use]
pub fn spell(value: i64, buf: &mut Spelled) -> &[u8] {
    let mut rest = value.unsigned_abs();
    let mut at = buf.len();
    loop {
        at -= 1;
        buf[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        at -= 1;
        buf[at] = b'-';
    }
    &buf[at..]
}

/// How many bytes `spell` gives.
#[inline]
#[must_use]
pub fn spelled_len(value: i64) -> usize {
    let digits = value.unsigned_abs().checked_ilog10().unwrap_or(0) as usize + 1;
    digits + usize::from(value < 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<i64>) {
        assert_eq!(parse(text.as_bytes()), expected, "{text:?}");
        if let Some(value) = expected {
            assert_eq!(spell(value, &mut [0; 20]), text.as_bytes());
            assert_eq!(spelled_len(value), text.len(), "{text}");
        }
    }

    #[test]
    fn only_the_one_spelling_counts() {
        check("0", Some(0));
        check("7", Some(7));
        check("-1", Some(-1));
        check("10", Some(10));
        check("-4097", Some(-4097));
        check("9223372036854775807", Some(i64::MAX));
        check("-9223372036854775808", Some(i64::MIN));
        for text in [
            "",
            "-",
            "+1",
            "-0",
            "00",
            "01",
            "-01",
            " 1",
            "1 ",
            "1a",
            "a",
            "0x1",
            "1.0",
            "9223372036854775808",
            "-9223372036854775809",
            "9999999999999999999",
            "18446744073709551616",
            "10000000000000000000000",
        ] {
            check(text, None);
        }
    }
}
