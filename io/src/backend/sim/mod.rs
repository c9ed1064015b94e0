//! The network of the tests: in memory, one seed, its own clock.
//!
//!   Net ─ driver() ─▶ SimLoop  (a worker's driver; the server runs on it unchanged)
//!    └── connect() ─▶ Peer     (a test's client: never blocks)
//!
//! What can go wrong on a real network goes wrong here on purpose, as `Weather` says: delays (so
//! connections overtake each other), reads and writes that end early, connections that are reset.
//! Every connection draws from its own generator, seeded by the net's seed and the connection's
//! number, so a run with one thread repeats exactly.
//!
//! Time. A virtual net's clock moves only when every loop sleeps, to the next thing that is due: a
//! delivery or the end of some loop's timeout. So a test of ten minutes of silence takes
//! microseconds, and no loop misses its timer because another slept longer. A threaded net
//! (`Net::threaded`) has the real clock and no weather; its loops block and are meant for several
//! threads: it measures what workers cost without a kernel.
//!
//! S1  a loop with something in its mailbox, or that has been woken, does not count as asleep.
//! S2  bytes of one direction arrive in order, whatever their delays.
//! S3  locks are taken in the order: a wire, the schedule, a mailbox; the last two are leaves.
//!
//! Checked by: tests/conformance.rs (calm, stormy, threaded), and tests/sim.rs for what only the
//! simulation promises: repeating, time, resets.

mod net;
mod stream;
mod wire;

pub use net::{Net, Peer, Weather};
pub(crate) use wire::End;

use crate::driver::LINGER;
use crate::pool::Pool;
use crate::socket::Kind;
use crate::token::Slots;
use crate::waker::Kick;
use crate::{
    Address, Chunks, Close, Completion, Driver, ListenAt, ListenOptions, Sent, Socket,
    SocketOptions, Token, Waker,
};
use net::{Listening, Mailbox};
use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use stream::{Stream, Want};

impl Kick for Arc<Mailbox> {
    fn kick(&self) {
        self.rouse();
    }
}

enum Thing {
    Listener(Arc<Listening>),
    Stream(Stream),
}

/// A worker's network in the simulation.
pub struct SimLoop {
    net: Net,
    id: u64,
    mailbox: Arc<Mailbox>,
    things: Slots<Thing>,
    ready: VecDeque<Token>,
    /// Counts the waits, so that a stream is served once in each.
    turn: u64,
    /// Streams that close politely, by their deadline.
    dying: VecDeque<(Duration, Token)>,
    dying_live: usize,
    pool: Pool,
    waker: Waker,
}

impl Drop for SimLoop {
    fn drop(&mut self) {
        for index in 0.. {
            match self.things.token_at(index) {
                Some(token) => {
                    if let Some(Thing::Listener(listening)) = self.things.get(token) {
                        self.net.forget_listener(&listening.address);
                    }
                }
                None if index >= self.things.places() => break,
                None => {}
            }
        }
        self.net.forget_loop(self.id);
    }
}

impl SimLoop {
    pub(crate) fn new(net: Net) -> SimLoop {
        let mailbox = Arc::new(Mailbox::default());
        let waker = Waker::new(mailbox.clone());
        let id = net.register_loop(mailbox.clone(), waker.clone());
        SimLoop {
            net,
            id,
            mailbox,
            things: Slots::new(),
            ready: VecDeque::new(),
            turn: 0,
            dying: VecDeque::new(),
            dying_live: 0,
            pool: Pool::default(),
            waker,
        }
    }

    fn stream(&mut self, token: Token) -> &mut Stream {
        match self.things.get_mut(token) {
            Some(Thing::Stream(stream)) if !stream.dying => stream,
            _ => panic!("{token:?} is no live connection"),
        }
    }

    fn want(&mut self, token: Token, want: Want) {
        let stream = self.stream(token);
        assert!(
            matches!(stream.want, Want::Nothing),
            "one receiving operation at a time"
        );
        stream.want = want;
        self.ready.push_back(token);
    }

    fn insert(&mut self, end: End, connecting: Option<Duration>) -> Token {
        let token = self.things.next_token();
        end.notify(Some((self.mailbox.clone(), token)));
        self.things
            .insert(Thing::Stream(Stream::new(end, connecting)));
        self.ready.push_back(token);
        token
    }

    /// Serves each thing once that has something; a token may stand here twice.
    fn serve_ready(&mut self, out: &mut Vec<Completion>) {
        self.ready.extend(self.mailbox.take());
        self.turn += 1;
        for _ in 0..self.ready.len() {
            let token = self.ready.pop_front().expect("counted");
            match self.things.get_mut(token) {
                Some(Thing::Listener(listening)) => {
                    let sockets = listening.accept(self.net.now());
                    out.extend(sockets.map(|socket| Completion::Accepted {
                        listener: token,
                        socket,
                    }));
                }
                Some(Thing::Stream(stream)) if stream.served != self.turn => {
                    stream.served = self.turn;
                    self.serve_stream(token, out);
                }
                Some(Thing::Stream(_)) | None => {}
            }
        }
    }

    fn serve_stream(&mut self, token: Token, out: &mut Vec<Completion>) {
        let now = self.net.now();
        let Some(Thing::Stream(stream)) = self.things.get_mut(token) else {
            return;
        };
        if let Some(at) = stream.connecting {
            if at <= now {
                stream.connecting = None;
                out.push(Completion::Connected {
                    token,
                    result: Ok(()),
                });
            }
            return;
        }
        if let Some(mut chunks) = stream.sending.take() {
            match stream.flush(&mut chunks) {
                Ok(false) => stream.sending = Some(chunks),
                result if !stream.dying => {
                    out.push(Completion::Sent {
                        token,
                        chunks,
                        result: result.map(drop),
                    });
                }
                _ => {}
            }
        }
        if stream.dying {
            if stream.die_on(&mut self.pool) {
                self.things.remove(token);
                self.dying_live -= 1;
            }
            return;
        }
        out.extend(stream.receive(token, &mut self.pool));
    }

    fn pass_deadlines(&mut self) {
        let now = self.net.now();
        while self.dying.front().is_some_and(|&(at, _)| at <= now) {
            let (_, token) = self.dying.pop_front().expect("just seen");
            if self.things.remove(token).is_some() {
                self.dying_live -= 1;
            }
        }
    }
}

impl Driver for SimLoop {
    fn listen(&mut self, at: &ListenAt, _options: &ListenOptions) -> io::Result<(Token, Address)> {
        let token = self.things.next_token();
        let listening = self.net.listen(at, self.mailbox.clone(), token)?;
        let address = listening.address.clone();
        self.things.insert(Thing::Listener(listening));
        Ok((token, address))
    }

    fn attach(&mut self, socket: Socket, _options: &SocketOptions) -> io::Result<Token> {
        match socket.kind {
            Kind::Sim(end) => Ok(self.insert(end, None)),
            Kind::Os(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn connect(
        &mut self,
        to: &Address,
        _from: Option<IpAddr>,
        _options: &SocketOptions,
    ) -> io::Result<Token> {
        let (end, at) = self.net.reach(to)?;
        let token = self.insert(end, Some(at));
        self.net.post_at(at, self.mailbox.clone(), token);
        Ok(token)
    }

    fn receive(&mut self, token: Token) {
        self.want(token, Want::Pool);
    }

    fn receive_into(&mut self, token: Token, buf: Vec<u8>) {
        assert!(buf.capacity() > buf.len(), "a buffer with room");
        self.want(token, Want::Into(buf));
    }

    fn wait_readable(&mut self, token: Token) {
        self.want(token, Want::Readable);
    }

    fn cancel(&mut self, token: Token) {
        let stream = self.stream(token);
        if let Want::Into(buf) | Want::GivenBack(buf) = std::mem::take(&mut stream.want) {
            stream.want = Want::GivenBack(buf);
            self.ready.push_back(token);
        }
    }

    fn send(&mut self, token: Token, mut chunks: Chunks) -> Sent {
        let stream = self.stream(token);
        assert!(
            stream.sending.is_none() && stream.connecting.is_none(),
            "one send at a time"
        );
        match stream.flush(&mut chunks) {
            Ok(false) => {
                stream.sending = Some(chunks);
                Sent::Pending
            }
            result => Sent::Done {
                chunks,
                result: result.map(drop),
            },
        }
    }

    fn shutdown_write(&mut self, token: Token) {
        let stream = self.stream(token);
        assert!(stream.sending.is_none(), "not while a send is pending");
        stream.end.finish();
    }

    fn close(&mut self, token: Token, how: Close) {
        if let Some(Thing::Listener(listening)) = self.things.get(token) {
            self.net.forget_listener(&listening.address);
            self.things.remove(token);
            return;
        }
        let stream = self.stream(token);
        if how == Close::Now || stream.connecting.is_some() {
            self.things.remove(token);
            return;
        }
        stream.dying = true;
        stream.want = Want::Nothing;
        self.dying_live += 1;
        let at = self.net.now() + LINGER;
        self.dying.push_back((at, token));
        self.ready.push_back(token);
    }

    fn recycle(&mut self, buf: Vec<u8>) {
        self.pool.give(buf);
    }

    fn local_address(&self, token: Token) -> io::Result<Address> {
        match self.things.get(token) {
            Some(Thing::Listener(listening)) => Ok(listening.address.clone()),
            Some(Thing::Stream(stream)) => Ok(stream.end.local()),
            None => panic!("{token:?} is not alive"),
        }
    }

    fn descriptor(&self, token: Token) -> i64 {
        // There is no system; a place is as much a number as a descriptor is.
        token.index() as i64
    }

    fn live(&self) -> usize {
        self.things.len() - self.dying_live
    }

    fn waker(&self) -> Waker {
        self.waker.clone()
    }

    fn wait(&mut self, timeout: Option<Duration>, out: &mut Vec<Completion>) -> io::Result<()> {
        let before = out.len();
        self.pass_deadlines();
        self.serve_ready(out);
        if out.len() == before && timeout != Some(Duration::ZERO) && self.waker.may_sleep() {
            let ends = [
                timeout.map(|t| self.net.now() + t),
                self.dying.front().map(|d| d.0),
            ];
            self.net
                .sleep(self.id, &self.mailbox, ends.into_iter().flatten().min());
            self.pass_deadlines();
            self.serve_ready(out);
        }
        if self.waker.awake() || out.len() > before {
            self.net.run(self.id);
        }
        Ok(())
    }

    fn monotonic(&self) -> Duration {
        self.net.read_clock()
    }

    fn unix_time(&self) -> Duration {
        self.net.unix_time()
    }
}
