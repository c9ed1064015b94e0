//! Raw and CSV: what programs read.

use resp::client::Value;
use resp::repr_into;

/// Appends the bytes of a reply, `between` its elements; a null is nothing, an error has its line.
pub(super) fn raw(out: &mut Vec<u8>, value: &Value, between: &[u8]) {
    match value {
        Value::Null => {}
        Value::Error(text) => {
            out.extend_from_slice(text);
            out.push(b'\n');
        }
        Value::Int(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::Bool(true) => out.extend_from_slice(b"(true)"),
        Value::Bool(false) => out.extend_from_slice(b"(false)"),
        Value::Array(list) | Value::Set(list) | Value::Push(list) => {
            for (at, value) in list.iter().enumerate() {
                if at > 0 {
                    out.extend_from_slice(between);
                }
                raw(out, value, between);
            }
        }
        Value::Map(list) => {
            for (at, (key, value)) in list.iter().enumerate() {
                if at > 0 {
                    out.extend_from_slice(between);
                }
                raw(out, key, between);
                out.push(b' ');
                raw(out, value, between);
            }
        }
        Value::Simple(text)
        | Value::Bulk(text)
        | Value::Verbatim(text)
        | Value::Double(text)
        | Value::Big(text) => out.extend_from_slice(text),
    }
}

/// Appends a reply as values between commas; what is inside of what is lost.
pub(super) fn csv(out: &mut Vec<u8>, value: &Value) {
    let list = |out: &mut Vec<u8>, values: &mut dyn Iterator<Item = &Value>| {
        for (at, value) in values.enumerate() {
            if at > 0 {
                out.push(b',');
            }
            csv(out, value);
        }
    };
    match value {
        Value::Error(text) => {
            out.extend_from_slice(b"ERROR,");
            repr_into(out, text);
        }
        Value::Simple(text) | Value::Bulk(text) | Value::Verbatim(text) => repr_into(out, text),
        Value::Double(text) | Value::Big(text) => out.extend_from_slice(text),
        Value::Int(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::Null => out.extend_from_slice(b"NULL"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Array(values) | Value::Set(values) | Value::Push(values) => {
            list(out, &mut values.iter());
        }
        Value::Map(pairs) => list(out, &mut pairs.iter().flat_map(|(key, value)| [key, value])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested() -> Value {
        let text = |text: &str| Value::Bulk(text.into());
        Value::Array(vec![
            text("a"),
            Value::Map(vec![(text("k"), Value::Null)]),
            Value::Array(vec![Value::Int(1), Value::Bool(true)]),
            Value::Error(b"ERR \"x\"".to_vec()),
        ])
    }

    #[test]
    fn raw_is_bytes() {
        let mut out = Vec::new();
        raw(&mut out, &nested(), b"|");
        assert_eq!(out, b"a|k |1|(true)|ERR \"x\"\n");
    }

    #[test]
    fn csv_is_flat() {
        let mut out = Vec::new();
        csv(&mut out, &nested());
        assert_eq!(out, br#""a","k",NULL,1,true,ERROR,"ERR \"x\"""#);
    }
}
