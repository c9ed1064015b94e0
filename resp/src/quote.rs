//! Any bytes as one quoted word that `split_words` reads back: logs, MONITOR, configuration files.
//!
//! Printable ASCII stands for itself, `\` and `"` are escaped, `\n \r \t \a \b` have their
//! letters, everything else is `\xHH` in lower case. The result is pure printable ASCII on one line.
//!
//! Checked by: the round trip below over every byte.

/// `bytes` in double quotes.
pub fn repr(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 2);
    repr_into(&mut out, bytes);
    out
}

/// Appends `bytes` in double quotes.
pub fn repr_into(out: &mut Vec<u8>, bytes: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for &byte in bytes {
        match byte {
            b'\\' | b'"' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            7 => out.extend_from_slice(b"\\a"),
            8 => out.extend_from_slice(b"\\b"),
            b' '..=b'~' => out.push(byte),
            _ => {
                let (high, low) = (HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]);
                out.extend_from_slice(&[b'\\', b'x', high, low]);
            }
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::split_words;

    #[test]
    fn forms() {
        assert_eq!(repr(b"a\"\\\n\x00\x7f\xffz"), br#""a\"\\\n\x00\x7f\xffz""#);
        assert_eq!(repr(b""), b"\"\"");
    }

    #[test]
    fn every_byte_is_read_back() {
        let all: Vec<u8> = (0..=255).collect();
        let quoted = repr(&all);
        assert!(quoted.iter().all(|b| (b' '..=b'~').contains(b)));
        assert_eq!(split_words(&quoted), Ok(vec![all]));
    }
}
