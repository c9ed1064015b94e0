//! JSON: strings escaped, or quoted as everywhere else with the backslashes doubled.
//!
//! An error is `error:"…"`, which is no JSON, so that nobody takes it for a value. Keys of a map that
//! are no strings become strings.

use resp::client::Value;
use resp::repr_into;
use std::io::Write as _;

/// Appends a reply.
pub(super) fn show(out: &mut Vec<u8>, value: &Value, quoted: bool) {
    match value {
        Value::Error(text) => {
            out.extend_from_slice(b"error:");
            string(out, text, quoted);
        }
        Value::Simple(text) | Value::Bulk(text) | Value::Verbatim(text) => {
            string(out, text, quoted);
        }
        Value::Double(text) | Value::Big(text) => out.extend_from_slice(text),
        Value::Int(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Array(list) | Value::Set(list) | Value::Push(list) => {
            out.push(b'[');
            for (at, value) in list.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                show(out, value, quoted);
            }
            out.push(b']');
        }
        Value::Map(pairs) => {
            out.push(b'{');
            for (at, (key, value)) in pairs.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                show_key(out, key, quoted);
                out.push(b':');
                show(out, value, quoted);
            }
            out.push(b'}');
        }
    }
}

fn show_key(out: &mut Vec<u8>, key: &Value, quoted: bool) {
    let mut text = Vec::new();
    show(&mut text, key, quoted);
    if text.starts_with(b"\"") || matches!(key, Value::Error(_)) {
        out.extend_from_slice(&text);
    } else {
        out.push(b'"');
        out.extend_from_slice(&text);
        out.push(b'"');
    }
}

fn string(out: &mut Vec<u8>, text: &[u8], quoted: bool) {
    if quoted {
        let mut word = Vec::new();
        repr_into(&mut word, text);
        for byte in word {
            if byte == b'\\' {
                out.push(b'\\');
            }
            out.push(byte);
        }
        return;
    }
    out.push(b'"');
    for &byte in text {
        match byte {
            b'\\' | b'"' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            8 => out.extend_from_slice(b"\\b"),
            12 => out.extend_from_slice(b"\\f"),
            // Into memory: cannot fail.
            0..=0x1f => drop(write!(out, "\\u{byte:04x}")),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &Value, quoted: bool, expected: &[u8]) {
        let mut out = Vec::new();
        show(&mut out, value, quoted);
        assert_eq!(out, expected, "{}", out.escape_ascii());
    }

    #[test]
    fn strings() {
        let text = Value::Bulk(b"a\"\\\n\x01\xf0".to_vec());
        check(&text, false, b"\"a\\\"\\\\\\n\\u0001\xf0\"");
        check(&text, true, br#""a\\"\\\\\\n\\x01\\xf0""#);
    }

    #[test]
    fn keys_become_strings() {
        let map = Value::Map(vec![
            (Value::Int(1), Value::Null),
            (
                Value::Bulk(b"k".to_vec()),
                Value::Set(vec![Value::Bool(true)]),
            ),
        ]);
        check(&map, false, br#"{"1":null,"k":[true]}"#);
        check(&Value::Error(b"ERR".to_vec()), false, b"error:\"ERR\"");
    }
}
