//! A RESP client of the test tools' own.
//!
//! Deliberately not the crate `resp`: what checks the server must not share
//! the server's mistakes. It reads RESP2 and RESP3 from a blocking socket with
//! a deadline, and writes requests as arrays of bulk strings.

use crate::Res;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A reply as it came, nothing converted: RESP2's two nulls stay apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    Simple(Vec<u8>),
    Error(Vec<u8>),
    Integer(Vec<u8>),
    Bulk(Vec<u8>),
    NullBulk,
    NullArray,
    Null,
    Bool(bool),
    Double(Vec<u8>),
    Big(Vec<u8>),
    Verbatim(Vec<u8>),
    /// `*`, `~` and `>` by their mark; for `%` and `|` keys and values in turn.
    Many(u8, Vec<Reply>),
}

impl Reply {
    /// The text of a one-line or bulk reply, for callers that want a word out of it.
    pub(crate) fn text(&self) -> String {
        match self {
            Reply::Simple(b)
            | Reply::Error(b)
            | Reply::Integer(b)
            | Reply::Bulk(b)
            | Reply::Double(b)
            | Reply::Big(b)
            | Reply::Verbatim(b) => String::from_utf8_lossy(b).into_owned(),
            other => format!("{other:?}"),
        }
    }
}

/// Why no reply came.
#[derive(Debug)]
pub(crate) enum Lost {
    /// The other side closed the connection at a reply's border.
    Closed,
    /// Nothing within the deadline.
    Late,
    /// Not RESP, or closed in the middle of a reply.
    Broken(String),
}

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Lost::Closed => write!(f, "(closed)"),
            Lost::Late => write!(f, "(no reply in time)"),
            Lost::Broken(text) => write!(f, "(broken reply: {text})"),
        }
    }
}

/// One connection.
pub(crate) struct Client {
    input: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn connect(port: u16, deadline: Duration) -> Res<Client> {
        let say = |e: std::io::Error| format!("cannot connect to port {port}: {e}");
        let stream = TcpStream::connect(("127.0.0.1", port)).map_err(say)?;
        stream.set_nodelay(true).map_err(say)?;
        stream.set_read_timeout(Some(deadline)).map_err(say)?;
        stream.set_write_timeout(Some(deadline)).map_err(say)?;
        Ok(Client {
            input: BufReader::with_capacity(64 << 10, stream),
        })
    }

    pub(crate) fn send_raw(&mut self, bytes: &[u8]) -> Res<()> {
        self.input
            .get_mut()
            .write_all(bytes)
            .map_err(|e| format!("cannot send: {e}"))
    }

    pub(crate) fn send<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Res<()> {
        let mut bytes = Vec::new();
        encode(&mut bytes, words);
        self.send_raw(&bytes)
    }

    /// Sends and reads one reply; a lost connection is an error.
    pub(crate) fn ask<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Res<Reply> {
        self.send(words)?;
        self.read().map_err(|lost| format!("no reply: {lost}"))
    }

    /// Sends PING on a new connection; the error text if the server refuses the connection.
    pub(crate) fn read_refusal(&mut self) -> Res<Option<String>> {
        // A refusing server may have closed already.
        let _ = self.send(&["PING"]);
        match self.read() {
            Ok(Reply::Error(text)) => Ok(Some(String::from_utf8_lossy(&text).into_owned())),
            Ok(_) => Ok(None),
            Err(lost) => Err(format!("neither let in nor refused: {lost}")),
        }
    }

    /// Reads one reply.
    pub(crate) fn read(&mut self) -> Result<Reply, Lost> {
        let line = self.line(true)?;
        let (mark, rest) = line
            .split_first()
            .ok_or_else(|| Lost::Broken("empty line".into()))?;
        let rest = rest.to_vec();
        Ok(match mark {
            b'+' => Reply::Simple(rest),
            b'-' => Reply::Error(rest),
            b':' => Reply::Integer(rest),
            b',' => Reply::Double(rest),
            b'(' => Reply::Big(rest),
            b'_' => Reply::Null,
            b'#' => Reply::Bool(rest == b"t"),
            b'$' | b'=' if rest == b"-1" => Reply::NullBulk,
            b'*' if rest == b"-1" => Reply::NullArray,
            b'$' => Reply::Bulk(self.bulk(&rest)?),
            b'=' => Reply::Verbatim(self.bulk(&rest)?),
            b'*' | b'~' | b'>' => Reply::Many(*mark, self.many(number(&rest)?)?),
            b'%' | b'|' => Reply::Many(*mark, self.many(number(&rest)? * 2)?),
            _ => return Err(Lost::Broken(String::from_utf8_lossy(&line).into_owned())),
        })
    }

    fn many(&mut self, count: usize) -> Result<Vec<Reply>, Lost> {
        (0..count).map(|_| self.read().map_err(inner)).collect()
    }

    fn bulk(&mut self, length: &[u8]) -> Result<Vec<u8>, Lost> {
        let length = number(length)?;
        let mut bytes = vec![0; length + 2];
        self.input
            .read_exact(&mut bytes)
            .map_err(|e| inner(lost(&e)))?;
        if !bytes.ends_with(b"\r\n") {
            return Err(Lost::Broken("a bulk string without its end".into()));
        }
        bytes.truncate(length);
        Ok(bytes)
    }

    fn line(&mut self, at_border: bool) -> Result<Vec<u8>, Lost> {
        let mut line = Vec::new();
        self.input
            .read_until(b'\n', &mut line)
            .map_err(|e| lost(&e))?;
        if line.is_empty() && at_border {
            return Err(Lost::Closed);
        }
        if !line.ends_with(b"\r\n") {
            return Err(Lost::Broken(format!(
                "a line cut off: {:?}",
                String::from_utf8_lossy(&line)
            )));
        }
        line.truncate(line.len() - 2);
        Ok(line)
    }
}

/// Appends a request to `out`.
pub(crate) fn encode<W: AsRef<[u8]>>(out: &mut Vec<u8>, words: &[W]) {
    out.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        let word = word.as_ref();
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

fn number(digits: &[u8]) -> Result<usize, Lost> {
    std::str::from_utf8(digits)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| Lost::Broken(format!("length {:?}", String::from_utf8_lossy(digits))))
}

fn lost(error: &std::io::Error) -> Lost {
    use std::io::ErrorKind as Kind;
    match error.kind() {
        Kind::WouldBlock | Kind::TimedOut => Lost::Late,
        Kind::ConnectionReset
        | Kind::UnexpectedEof
        | Kind::ConnectionAborted
        | Kind::BrokenPipe => Lost::Closed,
        _ => Lost::Broken(error.to_string()),
    }
}

/// Inside a reply a clean end is no longer clean.
fn inner(lost: Lost) -> Lost {
    match lost {
        Lost::Closed => Lost::Broken("closed in the middle of a reply".into()),
        other => other,
    }
}
