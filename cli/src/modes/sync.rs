//! A full synchronisation from the replica's side, for `--replica` and `--rdb`.
//!
//! ```text
//!   SYNC ──▶  \n \n …  $<length>\r\n  <so many bytes>            the primary has a file
//!             \n \n …  $EOF:<40 bytes>\r\n  <bytes>  <those 40>    it sends while it makes one
//! ```
//!
//! The mark is held back until it is known to be one: what is handed on is the file and nothing else.
//!
//! Checked by: tests below; `cargo xtask client`, against a real `redis-server`.

use super::fail;
use crate::connection::Connection;
use crate::session::Told;
use resp::client::Value;

const MARK_BYTES: usize = 40;
const LINE_BYTES_MAX: usize = 4096;

/// Where the file ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    Length(u64),
    Mark([u8; MARK_BYTES]),
}

/// Tells the primary something of us; whether it knows what that is.
pub(super) fn replconf(connection: &mut Connection, name: &str, value: &str) -> Result<bool, Told> {
    eprintln!("sending REPLCONF {name} {value}");
    match connection.ask(&["REPLCONF", name, value]) {
        Err(_) => Err(fail("\nI/O error")),
        // Older servers may not know it, and do without.
        Ok(Value::Error(text)) => {
            let text = String::from_utf8_lossy(&text);
            eprintln!("REPLCONF {name} error: {text}");
            Ok(false)
        }
        Ok(_) => Ok(true),
    }
}

/// Asks for the file; how it will end.
pub(super) fn begin(connection: &mut Connection) -> Result<End, Told> {
    connection
        .send_raw(b"SYNC\r\n")
        .map_err(|_| fail("Error writing to master"))?;
    let mut line = Vec::new();
    loop {
        let mut byte = [0];
        match connection.read_raw(&mut byte) {
            Ok(1) if line.len() < LINE_BYTES_MAX => {}
            _ => return Err(fail("Error reading bulk length while SYNCing")),
        }
        match byte[0] {
            // While the primary prepares, it sends empty lines to show that it lives.
            b'\n' if line.is_empty() => {}
            b'\n' => break,
            byte => line.push(byte),
        }
    }
    let line = line.trim_ascii_end();
    if line.starts_with(b"-") {
        let text = String::from_utf8_lossy(line);
        return Err(fail(&format!("SYNC with master failed: {text}")));
    }
    read_end(line).ok_or_else(|| fail("Error reading bulk length while SYNCing"))
}

fn read_end(line: &[u8]) -> Option<End> {
    let rest = line.strip_prefix(b"$")?;
    match rest.strip_prefix(b"EOF:") {
        Some(mark) => mark.try_into().ok().map(End::Mark),
        None => resp::number::parse_u64(rest).map(End::Length),
    }
}

/// Hands the file on, piece by piece; how many bytes it had.
pub(super) fn receive(
    connection: &mut Connection,
    end: &End,
    mut take: impl FnMut(&[u8]) -> Result<(), Told>,
) -> Result<u64, Told> {
    let mut piece = vec![0; 64 << 10];
    let mut taken = 0;
    // What may be the beginning of the mark.
    let mut held: Vec<u8> = Vec::new();
    loop {
        let want = match end {
            End::Length(length) if taken == *length => return Ok(taken),
            End::Length(length) => usize::try_from(length - taken)
                .unwrap_or(usize::MAX)
                .min(piece.len()),
            End::Mark(_) => piece.len(),
        };
        let count = match connection.read_raw(&mut piece[..want]) {
            Ok(count) if count > 0 => count,
            _ => return Err(fail("Error reading RDB payload while SYNCing")),
        };
        match end {
            End::Length(_) => {
                take(&piece[..count])?;
                taken += count as u64;
            }
            End::Mark(mark) => {
                held.extend_from_slice(&piece[..count]);
                let done = held.ends_with(mark);
                let surplus = held.len().saturating_sub(MARK_BYTES);
                take(&held[..surplus])?;
                taken += surplus as u64;
                held.drain(..surplus);
                if done {
                    return Ok(taken);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends() {
        assert_eq!(read_end(b"$123"), Some(End::Length(123)));
        let line = [b"$EOF:".as_slice(), &[b'a'; 40]].concat();
        assert_eq!(read_end(&line), Some(End::Mark([b'a'; 40])));
        for bad in [b"$EOF:abc".as_slice(), b"$-1", b"+OK", b"$", b""] {
            assert_eq!(read_end(bad), None);
        }
    }
}
