//! A listening socket: several accepts await a connection each, and it rests when the system has
//! nothing left to give.

use super::op::{self, Done, Op, Started, update_accepted};
use super::{Loop, Thing};
use crate::socket::Kind;
use crate::{Address, Completion, Socket, Token};
use std::io;
use std::net::SocketAddr;

/// Accepts that wait at once. Connections that come faster stand in the backlog for a turn.
const OUTSTANDING: u32 = 32;

pub(super) struct Listener {
    pub(super) socket: socket2::Socket,
    pub(super) address: SocketAddr,
    /// Accepts that the kernel holds.
    outstanding: u32,
    /// Stands in the loop's `ready`, or rests.
    pub(super) queued: bool,
}

impl Listener {
    /// `socket` listens and belongs to the port.
    pub(super) fn new(socket: socket2::Socket) -> io::Result<Listener> {
        let address = socket
            .local_addr()?
            .as_socket()
            .ok_or(io::ErrorKind::Unsupported)?;
        Ok(Listener {
            socket,
            address,
            outstanding: 0,
            queued: false,
        })
    }

    /// Starts accepts until enough wait; gives how many it has started, and why no more if that has
    /// a reason that only time can mend.
    fn fill(&mut self, token: Token) -> (usize, io::Result<()>) {
        let mut started = 0;
        // Each attempt that ends at once is the end of somebody who has gone already.
        for _ in 0..OUTSTANDING * 2 {
            if self.outstanding == OUTSTANDING {
                break;
            }
            match self.start(token) {
                Ok(()) => {
                    self.outstanding += 1;
                    started += 1;
                }
                Err(error) if is_peers(&error) => {}
                Err(error) => return (started, Err(error)),
            }
        }
        (started, Ok(()))
    }

    fn start(&self, token: Token) -> io::Result<()> {
        let becomes = socket2::Socket::new(
            socket2::Domain::for_address(self.address),
            socket2::Type::STREAM,
            Some(socket2::Protocol::TCP),
        )?;
        match Op::accept(&self.socket, token, becomes) {
            Started::Pending => Ok(()),
            Started::Now(..) => unreachable!("a listener does not skip its port"),
            Started::Failed(_, error) => Err(error),
        }
    }

    /// An accept has ended: the connection, nothing if its peer has gone already, or why accepting
    /// fails.
    fn accepted(
        &mut self,
        result: io::Result<usize>,
        socket: socket2::Socket,
    ) -> io::Result<Option<Socket>> {
        self.outstanding -= 1;
        match result {
            Ok(_) => {}
            Err(error) if is_peers(&error) => return Ok(None),
            Err(error) => return Err(error),
        }
        let peer = update_accepted(&socket, &self.socket).and_then(|()| socket.peer_addr());
        // One that has gone already may have no address left.
        let peer = peer.ok().and_then(|peer| peer.as_socket());
        Ok(peer.map(|peer| Socket {
            kind: Kind::Os(socket),
            peer: Address::Ip(peer),
        }))
    }
}

impl Loop {
    /// An accept came out of the port.
    pub(super) fn accept_ended(&mut self, done: Done, out: &mut Vec<Completion>) {
        let token = done.op.owner;
        let Some(Thing::Listener(listener)) = self.things.get_mut(token) else {
            return;
        };
        let result = done.result(&listener.socket);
        let op::Kind::Accept(acceptance) = done.op.kind else {
            unreachable!("a listener only accepts")
        };
        match listener.accepted(result, acceptance.socket) {
            Ok(Some(socket)) => out.push(Completion::Accepted {
                listener: token,
                socket,
            }),
            Ok(None) => {}
            Err(error) => return self.rest(token, error, out),
        }
        self.queue_listener(token);
    }

    pub(super) fn queue_listener(&mut self, token: Token) {
        if let Some(Thing::Listener(listener)) = self.things.get_mut(token)
            && !std::mem::replace(&mut listener.queued, true)
        {
            self.ready.push_back(token);
        }
    }

    pub(super) fn serve_listener(&mut self, token: Token, out: &mut Vec<Completion>) {
        let Some(Thing::Listener(listener)) = self.things.get_mut(token) else {
            return;
        };
        let (started, result) = listener.fill(token);
        self.in_flight += started;
        if let Err(error) = result {
            self.rest(token, error, out);
        }
    }

    /// Accepting fails for a reason that only time can mend.
    fn rest(&mut self, token: Token, error: io::Error, out: &mut Vec<Completion>) {
        if self.resting.has(token) {
            return;
        }
        if let Some(Thing::Listener(listener)) = self.things.get_mut(token) {
            // Not to be filled before its rest is over.
            listener.queued = true;
        }
        self.resting.add(token);
        out.push(Completion::AcceptPaused {
            listener: token,
            error,
        });
    }
}

/// Whether accepting failed because of the one who wanted to connect.
fn is_peers(error: &io::Error) -> bool {
    use windows_sys::Win32::Foundation::ERROR_NETNAME_DELETED;
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted
    ) || error.raw_os_error() == Some(ERROR_NETNAME_DELETED as i32)
}
