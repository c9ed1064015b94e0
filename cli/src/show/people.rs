//! Replies for people: strings quoted, elements numbered, what is inside of them indented.
//!
//! ```text
//!   1) "a"                        1# "field" => (integer) 1
//!   2) 1) (integer) 1             2# "list" =>
//!      2) (nil)                      1) "x"
//!                                    2) "y"
//! ```
//!
//! The number's column is as wide as the largest number; what stands deeper is indented by it and two.
//! The first element stands on the line of its own number, so it gets no indentation.

use resp::client::Value;
use resp::repr_into;
use std::io::Write as _;

/// Appends `value` with its line's end; `indent` stands before lines that are not the first.
pub(super) fn show(out: &mut Vec<u8>, value: &Value, indent: &mut Vec<u8>) {
    match value {
        Value::Simple(text) | Value::Verbatim(text) => line(out, text),
        Value::Error(text) => marked(out, b"(error) ", text),
        Value::Int(number) => marked(out, b"(integer) ", number.to_string().as_bytes()),
        Value::Double(text) => marked(out, b"(double) ", text),
        Value::Big(text) => line(out, text),
        Value::Bulk(text) => {
            repr_into(out, text);
            out.push(b'\n');
        }
        Value::Null => line(out, b"(nil)"),
        Value::Bool(true) => line(out, b"(true)"),
        Value::Bool(false) => line(out, b"(false)"),
        Value::Array(list) => elements(out, list, ("(empty array)", b')'), indent),
        Value::Set(list) => elements(out, list, ("(empty set)", b'~'), indent),
        Value::Push(list) => elements(out, list, ("(empty push)", b')'), indent),
        Value::Map(list) => pairs(out, list, indent),
    }
}

/// The keys that a tracked connection no longer has right.
pub(super) fn invalidated(keys: &[Value]) -> Vec<u8> {
    let mut out = b"-> invalidate: ".to_vec();
    for (at, key) in keys.iter().enumerate() {
        if at > 0 {
            out.extend_from_slice(b", ");
        }
        out.push(b'\'');
        out.extend_from_slice(key.text().unwrap_or_default());
        out.push(b'\'');
    }
    out.push(b'\n');
    out
}

fn line(out: &mut Vec<u8>, text: &[u8]) {
    marked(out, b"", text);
}

fn marked(out: &mut Vec<u8>, mark: &[u8], text: &[u8]) {
    out.extend_from_slice(mark);
    out.extend_from_slice(text);
    out.push(b'\n');
}

/// The number's column, and the indentation below it.
fn deepen(indent: &mut Vec<u8>, count: usize) -> (usize, usize) {
    let before = indent.len();
    let width = count.to_string().len();
    indent.resize(before + width + 2, b' ');
    (width, before)
}

fn number(out: &mut Vec<u8>, at: usize, width: usize, mark: u8, indent: &[u8]) {
    if at > 0 {
        out.extend_from_slice(indent);
    }
    // Into memory: cannot fail.
    let _ = write!(out, "{:>width$}{} ", at + 1, char::from(mark));
}

fn elements(out: &mut Vec<u8>, list: &[Value], (empty, mark): (&str, u8), indent: &mut Vec<u8>) {
    if list.is_empty() {
        return line(out, empty.as_bytes());
    }
    let (width, before) = deepen(indent, list.len());
    for (at, value) in list.iter().enumerate() {
        number(out, at, width, mark, &indent[..before]);
        show(out, value, indent);
    }
    indent.truncate(before);
}

fn pairs(out: &mut Vec<u8>, list: &[(Value, Value)], indent: &mut Vec<u8>) {
    if list.is_empty() {
        return line(out, b"(empty hash)");
    }
    let (width, before) = deepen(indent, list.len());
    for (at, (key, value)) in list.iter().enumerate() {
        number(out, at, width, b'#', &indent[..before]);
        show(out, key, indent);
        out.pop();
        out.extend_from_slice(b" => ");
        if has_lines(value) {
            out.push(b'\n');
            out.extend_from_slice(indent);
        }
        show(out, value, indent);
    }
    indent.truncate(before);
}

/// Whether a value takes several lines.
fn has_lines(value: &Value) -> bool {
    match value {
        Value::Array(list) | Value::Set(list) | Value::Push(list) => match list.as_slice() {
            [] => false,
            [only] => has_lines(only),
            _ => true,
        },
        Value::Map(list) => match list.as_slice() {
            [] => false,
            [(_, only)] => has_lines(only),
            _ => true,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &Value, expected: &str) {
        let mut out = Vec::new();
        show(&mut out, value, &mut Vec::new());
        assert_eq!(String::from_utf8(out).expect("UTF-8"), expected);
    }

    fn bulk(text: &str) -> Value {
        Value::Bulk(text.into())
    }

    #[test]
    fn one_line() {
        check(&bulk("a\n\""), "\"a\\n\\\"\"\n");
        check(&Value::Simple(b"OK".to_vec()), "OK\n");
        check(&Value::Error(b"ERR x".to_vec()), "(error) ERR x\n");
        check(&Value::Int(-1), "(integer) -1\n");
        check(&Value::Null, "(nil)\n");
        check(&Value::Bool(true), "(true)\n");
        check(&Value::Double(b"1.5".to_vec()), "(double) 1.5\n");
        check(&Value::Array(vec![]), "(empty array)\n");
        check(&Value::Map(vec![]), "(empty hash)\n");
    }

    #[test]
    fn nested_elements_are_indented_below_their_number() {
        let inner = Value::Array(vec![Value::Int(1), Value::Null]);
        check(
            &Value::Array(vec![inner.clone(), bulk("x")]),
            "1) 1) (integer) 1\n   2) (nil)\n2) \"x\"\n",
        );
        let ten = Value::Array((0..10).map(Value::Int).collect());
        let mut out = Vec::new();
        show(&mut out, &ten, &mut Vec::new());
        assert!(out.starts_with(b" 1) (integer) 0\n 2)") && out.ends_with(b"10) (integer) 9\n"));
        check(
            &Value::Map(vec![(bulk("a"), Value::Int(1)), (bulk("b"), inner)]),
            "1# \"a\" => (integer) 1\n2# \"b\" => \n   1) (integer) 1\n   2) (nil)\n",
        );
        check(&Value::Set(vec![Value::Int(1)]), "1~ (integer) 1\n");
    }

    #[test]
    fn invalidations() {
        assert_eq!(
            invalidated(&[bulk("a"), bulk("b")]),
            b"-> invalidate: 'a', 'b'\n"
        );
    }
}
