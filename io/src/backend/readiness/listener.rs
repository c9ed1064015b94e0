//! A listening socket: accepts in portions, and rests when the system has nothing left to give.

use crate::socket::Kind;
use crate::{Address, Completion, ListenAt, Socket, Token};
use mio::net::{TcpListener, UnixListener};
use mio::{Interest, Registry};
use std::io;
use std::os::fd::OwnedFd;

/// Connections accepted in one turn of one listener.
const ACCEPTS_PER_TURN: usize = 64;

/// What a listener does next.
pub(super) enum Next {
    /// Nobody waits; an event will come.
    Wait,
    /// More may be waiting.
    Again,
    /// Accepting fails for a reason that only time can mend.
    Rest(io::Error),
}

pub(super) struct Listener {
    kind: Family,
    pub(super) address: Address,
    /// Stands in the loop's `ready`, or rests.
    pub(super) queued: bool,
}

enum Family {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    /// `socket` listens and does not block.
    pub(super) fn new(socket: socket2::Socket, at: &ListenAt) -> io::Result<Listener> {
        let (kind, address) = match at {
            ListenAt::Tcp(_) => {
                let listener = TcpListener::from_std(socket.into());
                let address = Address::Ip(listener.local_addr()?);
                (Family::Tcp(listener), address)
            }
            ListenAt::Unix { path, .. } => {
                let listener = UnixListener::from_std(OwnedFd::from(socket).into());
                (Family::Unix(listener), Address::Unix(path.clone()))
            }
        };
        Ok(Listener {
            kind,
            address,
            queued: false,
        })
    }

    pub(super) fn register(&mut self, registry: &Registry, name: mio::Token) -> io::Result<()> {
        match &mut self.kind {
            Family::Tcp(listener) => registry.register(listener, name, Interest::READABLE),
            Family::Unix(listener) => registry.register(listener, name, Interest::READABLE),
        }
    }

    /// Accepts a portion.
    pub(super) fn accept_some(&mut self, token: Token, out: &mut Vec<Completion>) -> Next {
        for _ in 0..ACCEPTS_PER_TURN {
            match self.accept() {
                Ok(socket) => out.push(Completion::Accepted {
                    listener: token,
                    socket,
                }),
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => return Next::Wait,
                    // The peer has gone before it was accepted, or a signal came.
                    io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted => {}
                    _ => return Next::Rest(error),
                },
            }
        }
        Next::Again
    }

    fn accept(&self) -> io::Result<Socket> {
        let (fd, peer) = match &self.kind {
            Family::Tcp(listener) => {
                let (stream, peer) = listener.accept()?;
                (OwnedFd::from(stream), Address::Ip(peer))
            }
            Family::Unix(listener) => {
                let (stream, _) = listener.accept()?;
                let stream = std::os::unix::net::UnixStream::from(stream);
                (OwnedFd::from(stream), self.address.clone())
            }
        };
        Ok(Socket {
            kind: Kind::Os(fd.into()),
            peer,
        })
    }
}
