//! Completions out of readiness: epoll and kqueue, edge-triggered, through mio.
//!
//!   wait:  sleep in the poller ─▶ note what each event says in the stream's flags ─▶ put streams
//!          that have something to do into `ready` ─▶ serve each of `ready` once ─▶ deadlines
//!
//! The kernel tells about a change once, so what it said is kept in flags until the kernel itself
//! says "not now". A stream is in `ready` when a flag and an operation meet: an event came for a
//! waiting operation, or an operation was submitted for something already known.
//!
//! R1  a stream with a receiving operation and `readable` set is in `ready` (`queued`), so nobody
//!     sleeps over it.
//! R2  `readable` is cleared only by "would block" or by a read that left room in its buffer: the
//!     kernel was empty then, and the next byte makes a new edge. A peer's end is remembered apart
//!     (`ended`), because its edge may come together with the last bytes.
//! R3  interest in writing is registered only while something is pending: otherwise each reply that
//!     a Unix socket's peer takes would wake the loop.
//! R4  a dying stream (closed politely) is unknown to the server and leaves at its peer's end or
//!     its deadline.
//!
//! One turn of a connection that asks and is answered costs one poll, one read, one write.
//!
//! Checked by: tests/conformance.rs.

mod listener;
mod stream;

use crate::backend::shared::{Flush, SERVED_PER_TURN, Waits, Want, sleep, until_first};
use crate::driver::{ACCEPT_PAUSE, LINGER, real_monotonic};
use crate::options::{bind, remove_socket_file, set_mark};
use crate::pool::Pool;
use crate::socket::{Kind, os_local};
use crate::token::Slots;
use crate::waker::Kick;
use crate::{
    Address, Chunks, Close, Completion, Driver, ListenAt, ListenOptions, Sent, Socket,
    SocketOptions, Token, Waker,
};
use listener::{Listener, Next};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll};
use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::time::Duration;
use stream::Stream;

/// Events taken from the kernel at once.
const EVENTS: usize = 1024;
/// The name of the waker's event; no place in the table is that high.
const WAKER: mio::Token = mio::Token(usize::MAX);

impl Kick for mio::Waker {
    fn kick(&self) {
        // It fails only when the kernel is out of memory for an eventfd write, and then the loop's
        // own timeout has to do.
        let _ = self.wake();
    }
}

enum Thing {
    Listener(Listener),
    Stream(Stream),
}

/// A worker's network on epoll or kqueue.
pub struct Loop {
    poll: Poll,
    events: Events,
    things: Slots<Thing>,
    /// What has something to do without waiting.
    ready: VecDeque<Token>,
    /// Streams that close politely, by their deadline.
    dying: Waits,
    /// How many things in the table are dying.
    dying_live: usize,
    /// Listeners that rest, by the end of their rest.
    resting: Waits,
    pool: Pool,
    waker: Waker,
}

impl Loop {
    /// A loop with nothing in it.
    pub fn new() -> io::Result<Loop> {
        let poll = Poll::new()?;
        let waker = Waker::new(mio::Waker::new(poll.registry(), WAKER)?);
        Ok(Loop {
            poll,
            events: Events::with_capacity(EVENTS),
            things: Slots::new(),
            ready: VecDeque::new(),
            dying: Waits::new(LINGER),
            dying_live: 0,
            resting: Waits::new(ACCEPT_PAUSE),
            pool: Pool::default(),
            waker,
        })
    }

    fn stream(&mut self, token: Token) -> &mut Stream {
        match self.things.get_mut(token) {
            Some(Thing::Stream(stream)) if !stream.dying => stream,
            _ => panic!("{token:?} is no live connection"),
        }
    }

    fn insert(
        &mut self,
        socket: socket2::Socket,
        peer: Address,
        connecting: bool,
    ) -> io::Result<Token> {
        let name = mio::Token(self.things.next_token().index());
        let interest = match connecting {
            true => Interest::READABLE | Interest::WRITABLE,
            false => Interest::READABLE,
        };
        self.poll
            .registry()
            .register(&mut SourceFd(&socket.as_raw_fd()), name, interest)?;
        Ok(self
            .things
            .insert(Thing::Stream(Stream::new(socket, peer, connecting))))
    }

    /// Submits a receiving operation.
    #[inline]
    fn want(&mut self, token: Token, want: Want) {
        let stream = self.stream(token);
        assert!(
            matches!(stream.want, Want::Nothing),
            "one receiving operation at a time"
        );
        stream.want = want;
        if stream.readable && !stream.queued {
            stream.queued = true;
            self.ready.push_back(token);
        }
    }

    /// Registers interest in writing, or takes it back (R3).
    fn watch_writing(&mut self, token: Token, watch: bool) {
        let Some(Thing::Stream(stream)) = self.things.get_mut(token) else {
            return;
        };
        if stream.watches_writing == watch {
            return;
        }
        stream.watches_writing = watch;
        let interest = match watch {
            true => Interest::READABLE | Interest::WRITABLE,
            false => Interest::READABLE,
        };
        let fd = stream.socket.as_raw_fd();
        self.poll
            .registry()
            .reregister(&mut SourceFd(&fd), mio::Token(token.index()), interest)
            .expect("a registered socket can be registered anew");
    }

    /// What an event says about the thing at `index`.
    #[inline]
    fn note(&mut self, index: usize, event: &mio::event::Event) {
        let Some(token) = self.things.token_at(index) else {
            return;
        };
        let queue = match self.things.get_mut(token).expect("just found") {
            Thing::Listener(listener) => !std::mem::replace(&mut listener.queued, true),
            Thing::Stream(stream) => {
                let broken = event.is_error();
                stream.ended |= event.is_read_closed() || broken;
                stream.readable |= event.is_readable() || stream.ended;
                stream.writable |= event.is_writable() || event.is_write_closed() || broken;
                stream.has_work() && !std::mem::replace(&mut stream.queued, true)
            }
        };
        if queue {
            self.ready.push_back(token);
        }
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
        let Some(Thing::Stream(stream)) = self.things.get_mut(token) else {
            return;
        };
        if stream.connecting {
            if let Some(result) = stream.connected() {
                out.push(Completion::Connected { token, result });
                self.watch_writing(token, false);
            }
            return;
        }
        if stream.writable && stream.sending.is_some() {
            self.go_on_sending(token, out);
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
    }

    #[cold]
    fn go_on_sending(&mut self, token: Token, out: &mut Vec<Completion>) {
        let Some(Thing::Stream(stream)) = self.things.get_mut(token) else {
            return;
        };
        let mut chunks = stream.sending.take().expect("the caller has looked");
        let result = match stream.flush(&mut chunks) {
            Ok(Flush::All) => Ok(()),
            Ok(unfinished) => {
                stream.sending = Some(chunks);
                return self.sleep_or_queue(token, unfinished);
            }
            Err(error) => Err(error),
        };
        if !stream.dying {
            out.push(Completion::Sent {
                token,
                chunks,
                result,
            });
        }
        self.watch_writing(token, false);
    }

    /// After a send that did not take everything.
    fn sleep_or_queue(&mut self, token: Token, why: Flush) {
        match why {
            Flush::All => {}
            Flush::Blocked => self.watch_writing(token, true),
            // The peer takes it as fast as we give it: others have their turn first.
            Flush::Enough => {
                let Some(Thing::Stream(stream)) = self.things.get_mut(token) else {
                    return;
                };
                if !std::mem::replace(&mut stream.queued, true) {
                    self.ready.push_back(token);
                }
            }
        }
    }

    /// One step of a polite close.
    fn go_on_dying(&mut self, token: Token) {
        let Some(Thing::Stream(stream)) = self.things.get_mut(token) else {
            return;
        };
        if stream.die_on(&mut self.pool) {
            self.things.remove(token);
            self.dying_live -= 1;
        } else if stream.readable && !std::mem::replace(&mut stream.queued, true) {
            self.ready.push_back(token);
        }
    }

    fn serve_listener(&mut self, token: Token, out: &mut Vec<Completion>) {
        let Some(Thing::Listener(listener)) = self.things.get_mut(token) else {
            return;
        };
        match listener.accept_some(token, out) {
            Next::Wait => {}
            Next::Again => {
                listener.queued = true;
                self.ready.push_back(token);
            }
            Next::Rest(error) => {
                // Not to be woken by what cannot be helped.
                listener.queued = true;
                self.resting.add(token);
                out.push(Completion::AcceptPaused {
                    listener: token,
                    error,
                });
            }
        }
    }

    fn pass_deadlines(&mut self) {
        if self.dying.is_empty() && self.resting.is_empty() {
            return;
        }
        let now = real_monotonic();
        while let Some(token) = self.dying.due(now) {
            if self.things.remove(token).is_some() {
                self.dying_live -= 1;
            }
        }
        while let Some(token) = self.resting.due(now) {
            // It is marked as queued since its rest began.
            self.ready.push_back(token);
        }
    }
}

impl Driver for Loop {
    fn listen(&mut self, at: &ListenAt, options: &ListenOptions) -> io::Result<(Token, Address)> {
        let mut listener = Listener::new(bind(at, options)?, at)?;
        let address = listener.address.clone();
        let name = mio::Token(self.things.next_token().index());
        listener.register(self.poll.registry(), name)?;
        Ok((self.things.insert(Thing::Listener(listener)), address))
    }

    fn attach(&mut self, socket: Socket, options: &SocketOptions) -> io::Result<Token> {
        let Socket { kind, peer } = socket;
        let socket = match kind {
            Kind::Os(socket) => socket,
            Kind::Sim(_) => return Err(io::ErrorKind::Unsupported.into()),
        };
        options.apply((&socket).into(), matches!(peer, Address::Ip(_)))?;
        self.insert(socket, peer, false)
    }

    fn connect(
        &mut self,
        to: &Address,
        from: Option<IpAddr>,
        options: &SocketOptions,
    ) -> io::Result<Token> {
        let (domain, protocol, address) = match to {
            Address::Ip(ip) => (
                socket2::Domain::for_address(*ip),
                Some(socket2::Protocol::TCP),
                (*ip).into(),
            ),
            Address::Unix(path) => (socket2::Domain::UNIX, None, socket2::SockAddr::unix(path)?),
        };
        let socket = socket2::Socket::new(domain, socket2::Type::STREAM, protocol)?;
        socket.set_nonblocking(true)?;
        options.apply((&socket).into(), protocol.is_some())?;
        set_mark(&socket, options.mark)?;
        if let Some(from) = from {
            socket.bind(&std::net::SocketAddr::new(from, 0).into())?;
        }
        match socket.connect(&address) {
            Err(error) if !stream::is_in_progress(&error) => Err(error),
            _ => self.insert(socket, to.clone(), true),
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
        if stream.want.cancel() && !std::mem::replace(&mut stream.queued, true) {
            self.ready.push_back(token);
        }
    }

    #[inline]
    fn send(&mut self, token: Token, mut chunks: Chunks) -> Sent {
        let stream = self.stream(token);
        assert!(
            stream.sending.is_none() && !stream.connecting,
            "one send at a time"
        );
        match stream.flush(&mut chunks) {
            Ok(Flush::All) => Sent::Done {
                chunks,
                result: Ok(()),
            },
            Err(error) => Sent::Done {
                chunks,
                result: Err(error),
            },
            Ok(unfinished) => {
                stream.sending = Some(chunks);
                self.sleep_or_queue(token, unfinished);
                Sent::Pending
            }
        }
    }

    fn shutdown_write(&mut self, token: Token) {
        let stream = self.stream(token);
        assert!(stream.sending.is_none(), "not while a send is pending");
        // A connection that is already broken says so at the next operation.
        let _ = stream.socket.shutdown(std::net::Shutdown::Write);
    }

    fn close(&mut self, token: Token, how: Close) {
        if let Some(Thing::Listener(listener)) = self.things.get(token) {
            if let Address::Unix(path) = &listener.address {
                remove_socket_file(path);
            }
            self.things.remove(token);
            return;
        }
        let stream = self.stream(token);
        if how == Close::Now || stream.connecting {
            self.things.remove(token);
            return;
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
            Some(Thing::Listener(listener)) => Ok(listener.address.clone()),
            Some(Thing::Stream(stream)) => os_local(&stream.socket, &stream.peer),
            None => panic!("{token:?} is not alive"),
        }
    }

    fn descriptor(&self, token: Token) -> i64 {
        match self.things.get(token) {
            Some(Thing::Stream(stream)) => i64::from(stream.socket.as_raw_fd()),
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
        let ours = until_first(&[&self.dying, &self.resting]);
        let timeout = sleep(!self.ready.is_empty(), timeout, ours);
        let sleeps = timeout != Some(Duration::ZERO) && self.waker.may_sleep();
        let timeout = if sleeps {
            timeout
        } else {
            Some(Duration::ZERO)
        };
        // An empty set costs no allocation; the events must be apart from `self` to be looked at.
        let mut events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        let polled = self.poll.poll(&mut events, timeout);
        self.waker.awake();
        if polled.is_ok() {
            for event in &events {
                if event.token() != WAKER {
                    self.note(event.token().0, event);
                }
            }
        }
        self.events = events;
        match polled {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        self.pass_deadlines();
        self.serve_ready(out);
        Ok(())
    }
}
