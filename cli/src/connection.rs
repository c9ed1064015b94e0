//! One connection: a socket, TCP or local, with the bytes that have come and are not a reply yet.
//!
//! Blocking. The input grows by what arrives and never by what was announced (`resp::client`, I1).
//!
//! Checked by: `cargo xtask client`: refused and closed connections, replies that are none.

use resp::client::{Decoder, ReplyError, Value, request};
use socket2::{Domain, SockAddr, Socket, TcpKeepalive, Type};
use std::io::{self, Read, Write};
use std::net::ToSocketAddrs as _;
use std::time::Duration;

/// A silent peer is noticed after this, however long a command takes.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// Bytes asked of the system at once.
const READ_BYTES: usize = 64 << 10;

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Tcp(String, u16),
    Local(Vec<u8>),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Tcp(host, port) => write!(f, "{host}:{port}"),
            Place::Local(path) => f.write_str(&String::from_utf8_lossy(path)),
        }
    }
}

/// Why no reply came.
#[derive(Debug)]
pub(crate) enum Lost {
    Closed,
    System(io::Error),
    Protocol(ReplyError),
}

impl Lost {
    /// Whether another connection may fare better.
    pub(crate) fn is_hangup(&self) -> bool {
        match self {
            Lost::Closed => true,
            Lost::System(error) => matches!(
                error.kind(),
                io::ErrorKind::ConnectionReset
                    | io::ErrorKind::ConnectionAborted
                    | io::ErrorKind::BrokenPipe
            ),
            Lost::Protocol(_) => false,
        }
    }

    /// Whether there is only nothing within the time that was set.
    pub(crate) fn is_late(&self) -> bool {
        matches!(self, Lost::System(error) if matches!(
            error.kind(),
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
        ))
    }
}

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Lost::Closed => f.write_str("Server closed the connection"),
            Lost::System(error) => f.write_str(&os::files::error_text(error)),
            Lost::Protocol(error) => write!(f, "{error}"),
        }
    }
}

/// A connection.
pub(crate) struct Connection {
    socket: Socket,
    decoder: Decoder,
    input: Vec<u8>,
    /// Bytes of `input` that have been understood.
    consumed: usize,
}

impl Connection {
    /// Connects; `timeout` for each address that the name has.
    pub(crate) fn open(place: &Place, timeout: Option<Duration>) -> io::Result<Connection> {
        let socket = match place {
            Place::Local(path) => {
                let address = SockAddr::unix(os::files::path(path))?;
                connect(Domain::UNIX, &address, timeout)?
            }
            Place::Tcp(host, port) => {
                let socket = connect_by_name(host, *port, timeout)?;
                socket.set_tcp_nodelay(true)?;
                // A system that has no such clock keeps its own; the connection works without.
                let _ = socket.set_tcp_keepalive(
                    &TcpKeepalive::new()
                        .with_time(KEEPALIVE)
                        .with_interval(KEEPALIVE / 3),
                );
                socket
            }
        };
        Ok(Connection {
            socket,
            decoder: Decoder::new(),
            input: Vec::new(),
            consumed: 0,
        })
    }

    /// Another handle on the same socket.
    pub(crate) fn socket(&self) -> io::Result<Socket> {
        self.socket.try_clone()
    }

    /// `None`: wait for ever.
    pub(crate) fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.socket.set_read_timeout(timeout)
    }

    /// Sends one request.
    pub(crate) fn send<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Result<(), Lost> {
        let mut bytes = Vec::new();
        request(&mut bytes, words);
        self.send_raw(&bytes)
    }

    /// Sends bytes as they are.
    pub(crate) fn send_raw(&mut self, bytes: &[u8]) -> Result<(), Lost> {
        (&self.socket).write_all(bytes).map_err(Lost::System)
    }

    /// The next reply or push.
    pub(crate) fn receive(&mut self) -> Result<Value, Lost> {
        loop {
            let next = self.decoder.next(&self.input, &mut self.consumed);
            if let Some(value) = next.map_err(Lost::Protocol)? {
                return Ok(value);
            }
            self.compact();
            self.fill()?;
        }
    }

    /// Sends one request and gives its reply; pushes before it are dropped.
    pub(crate) fn ask<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Result<Value, Lost> {
        self.send(words)?;
        self.reply()
    }

    /// The next reply; pushes before it are dropped.
    pub(crate) fn reply(&mut self) -> Result<Value, Lost> {
        loop {
            match self.receive()? {
                Value::Push(_) => {}
                value => return Ok(value),
            }
        }
    }

    /// Bytes outside of replies, at most as many as `into` takes; 0 is the end.
    pub(crate) fn read_raw(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let waiting = &self.input[self.consumed..];
        if waiting.is_empty() {
            return read(&self.socket, into);
        }
        let count = waiting.len().min(into.len());
        into[..count].copy_from_slice(&waiting[..count]);
        self.consumed += count;
        Ok(count)
    }

    fn compact(&mut self) {
        self.input.drain(..self.consumed);
        self.consumed = 0;
    }

    fn fill(&mut self) -> Result<(), Lost> {
        let before = self.input.len();
        self.input.resize(before + READ_BYTES, 0);
        let came = read(&self.socket, &mut self.input[before..]);
        self.input
            .truncate(before + came.as_ref().map_or(0, |count| *count));
        match came {
            Ok(0) => Err(Lost::Closed),
            Ok(_) => Ok(()),
            Err(error) => Err(Lost::System(error)),
        }
    }
}

/// Reads once; a signal is no reason to stop.
fn read(mut socket: &Socket, into: &mut [u8]) -> io::Result<usize> {
    loop {
        match socket.read(into) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

fn connect(domain: Domain, address: &SockAddr, timeout: Option<Duration>) -> io::Result<Socket> {
    let socket = Socket::new(domain, Type::STREAM, None)?;
    match timeout {
        Some(timeout) => socket.connect_timeout(address, timeout)?,
        None => socket.connect(address)?,
    }
    Ok(socket)
}

/// Tries every address of a name; the last failure counts.
fn connect_by_name(host: &str, port: u16, timeout: Option<Duration>) -> io::Result<Socket> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in (host, port).to_socket_addrs()? {
        match connect(Domain::for_address(address), &address.into(), timeout) {
            Ok(socket) => return Ok(socket),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}
