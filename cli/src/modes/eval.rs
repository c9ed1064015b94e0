//! `--eval file key … , argument …`: EVAL with a script from a file.

use super::fail;
use crate::session::{Session, Told};

/// Sends the script with what the rest of the command line says.
pub(super) fn run(session: &mut Session, file: &[u8]) -> Result<i32, Told> {
    let script = os::files::read(&os::files::path(file)).map_err(|error| {
        let file = String::from_utf8_lossy(file);
        let text = os::files::error_text(&error);
        fail(&format!("Can't open file '{file}': {text}"))
    })?;
    let words = words(script, &session.options.words);
    session.issue(&words, session.options.repeat)?;
    Ok(0)
}

/// What stands before the first lone comma are keys.
fn words(script: Vec<u8>, rest: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let comma = rest.iter().position(|word| word == b",");
    let keys = comma.unwrap_or(rest.len());
    let mut words = vec![b"EVAL".to_vec(), script, keys.to_string().into_bytes()];
    words.extend_from_slice(&rest[..keys]);
    words.extend_from_slice(rest.get(keys + 1..).unwrap_or_default());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_comma_stands_between_keys_and_arguments() {
        let check = |line: &str, expected: &str| {
            let rest = resp::split_words(line.as_bytes()).expect("plain");
            let words = words(b"s".to_vec(), &rest).join(&b' ');
            assert_eq!(String::from_utf8_lossy(&words), expected);
        };
        check("", "EVAL s 0");
        check("a b", "EVAL s 2 a b");
        check("a , b , c", "EVAL s 1 a b , c");
        check(", x", "EVAL s 0 x");
    }
}
