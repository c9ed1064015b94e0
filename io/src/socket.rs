//! A connection that has been accepted and belongs to no loop yet: it may go to another thread.

use crate::Address;
use std::io;

/// An accepted connection, to be given to `Driver::attach` on the loop that shall own it. Dropping it
/// closes it.
#[derive(Debug)]
pub struct Socket {
    pub(crate) kind: Kind,
    pub(crate) peer: Address,
}

/// What it is underneath.
#[derive(Debug)]
pub(crate) enum Kind {
    /// The system's.
    Os(socket2::Socket),
    /// The simulation's.
    Sim(crate::backend::sim::End),
}

impl Socket {
    /// The other side's address; of a Unix socket, the path of the listener.
    pub fn peer(&self) -> &Address {
        &self.peer
    }

    /// This side's address.
    pub fn local(&self) -> io::Result<Address> {
        match &self.kind {
            Kind::Os(socket) => os_local(socket, &self.peer),
            Kind::Sim(end) => Ok(end.local()),
        }
    }
}

/// This side's address of a system's socket whose other side is `peer`.
pub(crate) fn os_local(socket: &socket2::Socket, peer: &Address) -> io::Result<Address> {
    match peer {
        Address::Unix(_) => Ok(peer.clone()),
        Address::Ip(_) => match socket.local_addr()?.as_socket() {
            Some(ip) => Ok(Address::Ip(ip)),
            None => Err(io::ErrorKind::Unsupported.into()),
        },
    }
}
