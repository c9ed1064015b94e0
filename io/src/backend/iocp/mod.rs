//! Completion ports.
//!
//!   receive  (something known) ───────────────────────────▶ `ready` ─▶ read into a buffer, in `wait`
//!            (nothing known) ─▶ probe: a receive of 0 bytes ─┤
//!                            └▶ a receive into the pool ─────┘ already read
//!   send     written without waiting ─▶ all gone, the usual case
//!            └ the rest ─▶ overlapped sends of at most 1 MiB, one at a time ─▶ Sent
//!   listen   32 overlapped accepts ─▶ Accepted, unattached; each is replaced at once
//!
//! A probe pins no memory, so ten thousand idle connections cost none. It ends when there is
//! something; then the bytes are read into a pool buffer, or into the buffer that was given, in this
//! connection's place of the turn. That read is a second call, which a receive into a pool buffer
//! saves; so the connections that ask first get one, up to a megabyte of them for each loop.
//!
//! No receive of the kernel's is ever taken back while its stream lives: what was cancelled above
//! goes on below and serves the next operation, its bytes waiting in the stream (`Early`). So
//! cancelling asks nothing of the kernel, and loses nothing. A buffer that was given (`receive_into`)
//! is never the kernel's.
//!
//! S1  a stream whose receiving operation cannot end now has a receive under way, and at most one.
//! S2  output of a stream is in `sending` (it waits for its turn) or in a block of the kernel's
//!     (`send_in_flight`), never in both.
//! S3  `in_flight` counts the blocks that the kernel has (P2 in `op.rs`). A loop ends only when it is
//!     zero, or leaves the port and the blocks alive.
//! S4  a socket is associated with one port in its life, that of the loop it was attached to.
//! S5  a receive that ends at once (the port skips it, P3) puts its stream into `ready` as one that
//!     comes out of the port does: served once a turn, so a peer that always has more starves nobody.
//!
//! Checked by: tests/conformance.rs.

mod listener;
mod op;
mod output;
mod port;
mod stream;
#[cfg(test)]
mod tests;

use crate::backend::shared::{Flush, SERVED_PER_TURN, Waits, Want, sleep, until_first};
use crate::driver::{ACCEPT_PAUSE, LINGER, real_monotonic};
use crate::options::bind;
use crate::pool::Pool;
use crate::socket::{Kind, os_local};
use crate::token::Slots;
use crate::{
    Address, Chunks, Close, Completion, Driver, ListenAt, ListenOptions, Sent, Socket,
    SocketOptions, Token, Waker,
};
use listener::Listener;
pub(crate) use op::own_address;
use op::{Done, Op, Started};
use output::SEND_PAUSE;
use port::Port;
use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::windows::io::AsRawSocket;
use std::sync::Arc;
use std::time::Duration;
use stream::Stream;

/// Pool buffers that the kernel may have at once: 1 MiB.
const LENT_MAX: usize = 64;
/// How long a loop that ends waits for the kernel to let go of its blocks.
const DRAIN: Duration = Duration::from_secs(5);

enum Thing {
    Listener(Listener),
    Stream(Stream),
}

/// A worker's network on a completion port.
pub struct Loop {
    port: Arc<Port>,
    things: Slots<Thing>,
    /// What has something to do without waiting.
    ready: VecDeque<Token>,
    /// Streams that close politely, by their deadline.
    dying: Waits,
    /// How many things in the table are dying.
    dying_live: usize,
    /// Listeners that rest, by the end of their rest.
    resting: Waits,
    /// Streams whose output rests, by the end of its rest.
    short: Waits,
    /// Blocks that the kernel has (S3).
    in_flight: usize,
    /// Pool buffers that the kernel has.
    lent: usize,
    /// What the port gave last; empty between turns, kept for its memory.
    done: Vec<Done>,
    pool: Pool,
    waker: Waker,
}

impl Loop {
    /// A loop with nothing in it.
    pub fn new() -> io::Result<Loop> {
        let port = Arc::new(Port::new()?);
        Ok(Loop {
            waker: Waker::new(port.clone()),
            port,
            things: Slots::new(),
            ready: VecDeque::new(),
            dying: Waits::new(LINGER),
            dying_live: 0,
            resting: Waits::new(ACCEPT_PAUSE),
            short: Waits::new(SEND_PAUSE),
            in_flight: 0,
            lent: 0,
            done: Vec::new(),
            pool: Pool::default(),
        })
    }

    fn stream(&mut self, token: Token) -> &mut Stream {
        match self.things.get_mut(token) {
            Some(Thing::Stream(stream)) if !stream.dying => stream,
            _ => panic!("{token:?} is no live connection"),
        }
    }

    /// The stream, also of a token that dies; none if it is closed and gone.
    fn find(&mut self, token: Token) -> Option<&mut Stream> {
        match self.things.get_mut(token) {
            Some(Thing::Stream(stream)) => Some(stream),
            _ => None,
        }
    }

    /// Puts a stream into `ready`, where it is at most once.
    fn queue(&mut self, token: Token) {
        if let Some(stream) = self.find(token)
            && !std::mem::replace(&mut stream.queued, true)
        {
            self.ready.push_back(token);
        }
    }

    /// Submits a receiving operation.
    #[inline]
    fn want(&mut self, token: Token, want: Want) {
        let stream = self.stream(token);
        assert!(
            matches!(stream.want, Want::Nothing) && !stream.connecting,
            "one receiving operation at a time"
        );
        stream.want = want;
        if stream.readable {
            self.queue(token);
        } else {
            self.keep_watch(token);
        }
    }

    /// Starts a receive if one is needed (S1).
    #[inline]
    fn keep_watch(&mut self, token: Token) {
        let Some(Thing::Stream(stream)) = self.things.get_mut(token) else {
            return;
        };
        if !stream.needs_probe() {
            return;
        }
        if matches!(stream.want, Want::Pool) && self.lent < LENT_MAX {
            let buf = self.pool.take();
            match Op::receive(&stream.socket, token, buf, stream.skips) {
                Started::Pending => {
                    stream.probing = true;
                    self.in_flight += 1;
                    self.lent += 1;
                }
                Started::Now(op, n) => {
                    stream.arrived(op.into_buffer(n), Ok(n), &mut self.pool);
                    self.queue(token);
                }
                Started::Failed(op, error) => {
                    stream.arrived(op.into_buffer(0), Err(error), &mut self.pool);
                    self.queue(token);
                }
            }
            return;
        }
        match Op::probe(&stream.socket, token, stream.skips) {
            Started::Pending => {
                stream.probing = true;
                self.in_flight += 1;
            }
            // Whatever it is, the read that follows finds it (S5).
            Started::Now(..) | Started::Failed(..) => {
                stream.readable = true;
                self.queue(token);
            }
        }
    }

    /// What came out of the port.
    #[inline]
    fn complete(&mut self, done: Done, out: &mut Vec<Completion>) {
        let token = done.op.owner;
        if let op::Kind::Receive(_) = done.op.kind {
            return self.received(done);
        }
        match self.things.get_mut(token) {
            Some(Thing::Stream(stream)) => match done.op.kind {
                op::Kind::Probe => {
                    stream.probing = false;
                    stream.readable = true;
                    self.queue(token);
                }
                op::Kind::Send(_) => {
                    let result = done.result(&stream.socket);
                    stream.send_in_flight = false;
                    let op::Kind::Send(chunks) = done.op.kind else {
                        unreachable!("just matched")
                    };
                    self.sent(token, chunks, result, out);
                }
                op::Kind::Connect => {
                    let result = done.result(&stream.socket);
                    let result = result.and_then(|_| op::update_connected(&stream.socket));
                    stream.connecting = false;
                    stream.skips = op::skip_port_on_success(&stream.socket);
                    out.push(Completion::Connected { token, result });
                }
                op::Kind::Receive(_) | op::Kind::Accept(_) => {
                    unreachable!("served above; and a stream does not accept")
                }
            },
            Some(Thing::Listener(_)) => self.accept_ended(done, out),
            // Closed since it was started: this was the last that knew of its memory.
            None => {}
        }
    }

    /// A receive into a pool buffer has ended.
    #[inline]
    fn received(&mut self, done: Done) {
        self.lent -= 1;
        let token = done.op.owner;
        let Some(Thing::Stream(stream)) = self.things.get_mut(token) else {
            // Closed since it was started.
            return self.pool.give(done.op.into_buffer(0));
        };
        let result = done.result(&stream.socket);
        let buf = done.op.into_buffer(*result.as_ref().unwrap_or(&0));
        stream.arrived(buf, result, &mut self.pool);
        self.queue(token);
    }

    /// Serves what is ready, each once.
    fn serve_ready(&mut self, out: &mut Vec<Completion>) {
        for _ in 0..self.ready.len().min(SERVED_PER_TURN) {
            let token = self.ready.pop_front().expect("counted");
            match self.things.get_mut(token) {
                Some(Thing::Stream(stream)) => {
                    stream.queued = false;
                    self.serve_stream(token, out);
                }
                Some(Thing::Listener(listener)) => {
                    listener.queued = false;
                    self.serve_listener(token, out);
                }
                // Closed since it was put here.
                None => {}
            }
        }
    }

    #[inline]
    fn serve_stream(&mut self, token: Token, out: &mut Vec<Completion>) {
        if let Some(stream) = self.find(token)
            && let Some(chunks) = stream.sending.take()
            && let Some((chunks, result)) = self.send_parts(token, chunks)
        {
            self.send_is_over(token, chunks, result, out);
        }
        let Some(Thing::Stream(stream)) = self.things.get_mut(token) else {
            return;
        };
        if stream.dying {
            return self.go_on_dying(token);
        }
        if stream.can_receive()
            && let Some(completion) = stream.receive(token, &mut self.pool)
        {
            out.push(completion);
        }
        self.keep_watch(token);
    }

    /// One step of a polite close.
    pub(super) fn go_on_dying(&mut self, token: Token) {
        let Some(Thing::Stream(stream)) = self.things.get_mut(token) else {
            return;
        };
        if stream.die_on(&mut self.pool) {
            self.remove(token);
            self.dying_live -= 1;
        } else if stream.is_sending() {
            // The end of the send calls again.
        } else if stream.readable {
            self.queue(token);
        } else {
            self.keep_watch(token);
        }
    }

    /// Takes a thing out of the table and closes its socket. Blocks that the kernel has come out of
    /// the port later, and end there.
    fn remove(&mut self, token: Token) {
        match self.things.remove(token) {
            Some(Thing::Stream(stream)) => {
                let busy = stream.probing || stream.send_in_flight || stream.connecting;
                busy.then(|| op::cancel_all(&stream.socket));
            }
            Some(Thing::Listener(listener)) => op::cancel_all(&listener.socket),
            None => {}
        }
    }

    fn pass_deadlines(&mut self) {
        if self.dying.is_empty() && self.resting.is_empty() && self.short.is_empty() {
            return;
        }
        let now = real_monotonic();
        while let Some(token) = self.dying.due(now) {
            if self.things.get(token).is_some() {
                self.remove(token);
                self.dying_live -= 1;
            }
        }
        while let Some(token) = self.resting.due(now) {
            // It is marked as queued since its rest began.
            self.ready.push_back(token);
        }
        while let Some(token) = self.short.due(now) {
            self.queue(token);
        }
    }

    /// A stream for a socket that this port does not know yet.
    fn insert(&mut self, socket: socket2::Socket, peer: Address) -> io::Result<Token> {
        socket.set_nonblocking(true)?;
        self.port.associate(&socket)?;
        Ok(self.things.insert(Thing::Stream(Stream::new(socket, peer))))
    }
}

impl Driver for Loop {
    fn listen(&mut self, at: &ListenAt, options: &ListenOptions) -> io::Result<(Token, Address)> {
        if let ListenAt::Unix { .. } = at {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let socket = bind(at, options)?;
        self.port.associate(&socket)?;
        let listener = Listener::new(socket)?;
        let address = Address::Ip(listener.address);
        let token = self.things.insert(Thing::Listener(listener));
        // Its accepts are started by the next turn, which also has a place to say that it rests.
        self.queue_listener(token);
        Ok((token, address))
    }

    fn attach(&mut self, socket: Socket, options: &SocketOptions) -> io::Result<Token> {
        let Socket { kind, peer } = socket;
        let socket = match kind {
            Kind::Os(socket) => socket,
            Kind::Sim(_) => return Err(io::ErrorKind::Unsupported.into()),
        };
        options.apply((&socket).into(), true)?;
        let token = self.insert(socket, peer)?;
        let stream = self.stream(token);
        stream.skips = op::skip_port_on_success(&stream.socket);
        Ok(token)
    }

    fn connect(
        &mut self,
        to: &Address,
        from: Option<IpAddr>,
        options: &SocketOptions,
    ) -> io::Result<Token> {
        let Address::Ip(ip) = to else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        let socket = socket2::Socket::new(
            socket2::Domain::for_address(*ip),
            socket2::Type::STREAM,
            Some(socket2::Protocol::TCP),
        )?;
        options.apply((&socket).into(), true)?;
        // ConnectEx wants a socket that is bound.
        let from = from.unwrap_or(match ip {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        });
        socket.bind(&SocketAddr::new(from, 0).into())?;
        let token = self.insert(socket, to.clone())?;
        let stream = self.stream(token);
        match Op::connect(&stream.socket, token, &(*ip).into()) {
            Started::Pending => {
                stream.connecting = true;
                self.in_flight += 1;
                Ok(token)
            }
            Started::Now(..) => unreachable!("it does not skip its port yet"),
            Started::Failed(_, error) => {
                self.remove(token);
                Err(error)
            }
        }
    }

    #[inline]
    fn receive(&mut self, token: Token) {
        self.want(token, Want::Pool);
    }

    fn receive_into(&mut self, token: Token, buf: Vec<u8>) {
        assert!(buf.capacity() > buf.len(), "a buffer with room");
        self.want(token, Want::Into(buf));
    }

    #[inline]
    fn wait_readable(&mut self, token: Token) {
        self.want(token, Want::Readable);
    }

    fn cancel(&mut self, token: Token) {
        let stream = self.stream(token);
        // A probe may go on: it serves the next operation.
        if stream.want.cancel() {
            self.queue(token);
        }
    }

    #[inline]
    fn send(&mut self, token: Token, mut chunks: Chunks) -> Sent {
        let stream = self.stream(token);
        assert!(
            !stream.is_sending() && !stream.connecting,
            "one send at a time"
        );
        let over = match stream.flush(&mut chunks) {
            Ok(Flush::All) => Some((chunks, Ok(()))),
            Err(error) => Some((chunks, Err(error))),
            Ok(Flush::Enough) => {
                stream.sending = Some(chunks);
                self.queue(token);
                None
            }
            Ok(Flush::Blocked) => self.send_parts(token, chunks),
        };
        match over {
            Some((chunks, result)) => Sent::Done { chunks, result },
            None => Sent::Pending,
        }
    }

    fn shutdown_write(&mut self, token: Token) {
        let stream = self.stream(token);
        assert!(!stream.is_sending(), "not while a send is pending");
        // A connection that is already broken says so at the next operation.
        let _ = stream.socket.shutdown(std::net::Shutdown::Write);
    }

    fn close(&mut self, token: Token, how: Close) {
        if let Some(Thing::Listener(_)) = self.things.get(token) {
            return self.remove(token);
        }
        let stream = self.stream(token);
        if how == Close::Now || stream.connecting {
            return self.remove(token);
        }
        stream.dying = true;
        stream.want = Want::Nothing;
        stream.readable = true;
        self.dying_live += 1;
        self.dying.add(token);
        self.go_on_dying(token);
    }

    #[inline]
    fn recycle(&mut self, buf: Vec<u8>) {
        self.pool.give(buf);
    }

    fn local_address(&self, token: Token) -> io::Result<Address> {
        match self.things.get(token) {
            Some(Thing::Listener(listener)) => Ok(Address::Ip(listener.address)),
            Some(Thing::Stream(stream)) => os_local(&stream.socket, &stream.peer),
            None => panic!("{token:?} is not alive"),
        }
    }

    fn descriptor(&self, token: Token) -> i64 {
        match self.things.get(token) {
            Some(Thing::Stream(stream)) => stream.socket.as_raw_socket().cast_signed(),
            _ => panic!("{token:?} is no living connection"),
        }
    }

    fn live(&self) -> usize {
        self.things.len() - self.dying_live
    }

    fn waker(&self) -> Waker {
        self.waker.clone()
    }

    fn wait(&mut self, timeout: Option<Duration>, out: &mut Vec<Completion>) -> io::Result<()> {
        let ours = until_first(&[&self.dying, &self.resting, &self.short]);
        let timeout = sleep(!self.ready.is_empty(), timeout, ours);
        let sleeps = timeout != Some(Duration::ZERO) && self.waker.may_sleep();
        let timeout = if sleeps {
            timeout
        } else {
            Some(Duration::ZERO)
        };
        let slept = self.port.sleep(timeout, &mut self.done);
        self.waker.awake();
        slept?;
        // Apart from `self` while it is looked at; its memory comes back.
        let mut done = std::mem::take(&mut self.done);
        self.in_flight -= done.len();
        for done in done.drain(..) {
            self.complete(done, out);
        }
        self.done = done;
        self.pass_deadlines();
        self.serve_ready(out);
        Ok(())
    }
}

impl Loop {
    /// Closes everything and waits until the kernel has let go of it; gives what it still has (S3).
    fn drain(&mut self) -> usize {
        for index in 0..self.things.places() {
            if let Some(token) = self.things.token_at(index) {
                self.remove(token);
            }
        }
        let end = real_monotonic() + DRAIN;
        loop {
            let left = end.saturating_sub(real_monotonic());
            if self.in_flight == 0 || left.is_zero() {
                return self.in_flight;
            }
            if self.port.sleep(Some(left), &mut self.done).is_err() {
                return self.in_flight;
            }
            self.in_flight -= self.done.len();
            self.done.clear();
        }
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        // Blocks that do not come back stay where they are for ever, which is safe: P2.
        self.drain();
    }
}
