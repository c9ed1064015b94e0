//! The server of the suite: it accepts, and echoes or just takes note, as the case wants.

use crate::world::{Client, World};
use io::{
    Address, Chunks, Close, Completion, Driver, ListenAt, ListenOptions, Sent, SocketOptions, Token,
};
use std::collections::HashMap;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

/// A case that has not got what it waits for after this long has failed.
const DEADLINE: Duration = Duration::from_secs(60);

/// What the server does with a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Sends back what it receives; at the peer's end says "bye" and closes politely.
    Echo,
    /// Attaches it and leaves the rest to the case.
    Quiet,
    /// Does not even attach it.
    Collect,
}

pub(crate) struct App<D: Driver> {
    pub(crate) net: D,
    pub(crate) listener: Token,
    pub(crate) address: Address,
    pub(crate) manner: Manner,
    /// Connections in the order of their coming.
    pub(crate) tokens: Vec<Token>,
    /// Accepted and not attached (`Manner::Collect`).
    pub(crate) sockets: Vec<io::Socket>,
    /// What came and was not for the echo.
    pub(crate) seen: Vec<Completion>,
    /// The peer has ended while a send was pending.
    ending: HashMap<Token, bool>,
    out: Vec<Completion>,
}

impl<D: Driver> App<D> {
    pub(crate) fn new<W: World<Loop = D>>(world: &W, manner: Manner, at: &ListenAt) -> App<D> {
        let mut net = world.driver();
        let (listener, address) = net
            .listen(at, &ListenOptions::default())
            .expect("listening");
        App {
            net,
            listener,
            address,
            manner,
            tokens: Vec::new(),
            sockets: Vec::new(),
            seen: Vec::new(),
            ending: HashMap::new(),
            out: Vec::new(),
        }
    }

    /// One turn.
    pub(crate) fn turn(&mut self, timeout: Duration) {
        let mut out = std::mem::take(&mut self.out);
        self.net.wait(Some(timeout), &mut out).expect("waiting");
        for completion in out.drain(..) {
            self.handle(completion);
        }
        self.out = out;
    }

    /// Turns until `step` gives something.
    pub(crate) fn until<T>(&mut self, mut step: impl FnMut(&mut Self) -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(got) = step(self) {
                return got;
            }
            assert!(begun.elapsed() < DEADLINE, "it did not happen");
            self.turn(Duration::from_millis(1));
        }
    }

    /// Connects a client and waits until the server has it.
    pub(crate) fn client<W: World<Loop = D>>(&mut self, world: &W) -> (W::Client, Token) {
        let count = self.tokens.len();
        let client = world.connect(&self.address.clone());
        let token = self.until(|app| app.tokens.get(count).copied());
        (client, token)
    }

    /// The first of what came that `pick` takes.
    pub(crate) fn await_seen<T>(&mut self, mut pick: impl FnMut(&Completion) -> Option<T>) -> T {
        self.until(|app| {
            let (at, got) = app
                .seen
                .iter()
                .enumerate()
                .find_map(|(at, seen)| Some((at, pick(seen)?)))?;
            app.seen.remove(at);
            Some(got)
        })
    }

    /// The bytes that one receiving operation brings.
    pub(crate) fn await_received(&mut self, token: Token) -> std::io::Result<Vec<u8>> {
        self.await_seen(|seen| match seen {
            Completion::Received {
                token: t,
                buf,
                result,
            } if *t == token => Some(match result {
                Ok(n) => Ok(buf[buf.len() - n..].to_vec()),
                Err(error) => Err(error.kind().into()),
            }),
            _ => None,
        })
    }

    /// What a client's whole `bytes` and the server's turns make of each other.
    pub(crate) fn send_all(&mut self, client: &mut impl Client, bytes: &[u8]) {
        let mut sent = 0;
        self.until(|_| {
            while sent < bytes.len() {
                match client.send(&bytes[sent..]) {
                    Ok(n) => sent += n,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                    Err(error) => panic!("sending: {error}"),
                }
            }
            Some(())
        });
    }

    /// The next `n` bytes that a client receives.
    pub(crate) fn receive_exact(&mut self, client: &mut impl Client, n: usize) -> Vec<u8> {
        let mut got = Vec::new();
        self.until(|_| {
            while got.len() < n {
                let room = (n - got.len()).min(1 << 20);
                match client.receive(&mut got, room) {
                    Ok(0) => panic!("the end after {} bytes of {n}", got.len()),
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                    Err(error) => panic!("receiving: {error}"),
                }
            }
            Some(())
        });
        got
    }

    /// All that a client receives until the end, and how it ends.
    pub(crate) fn receive_to_end(
        &mut self,
        client: &mut impl Client,
    ) -> (Vec<u8>, std::io::Result<()>) {
        let mut got = Vec::new();
        let ending = self.until(|_| {
            loop {
                match client.receive(&mut got, 1 << 20) {
                    Ok(0) => return Some(Ok(())),
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                    Err(error) => return Some(Err(error)),
                }
            }
        });
        (got, ending)
    }

    fn handle(&mut self, completion: Completion) {
        match (self.manner, completion) {
            (Manner::Collect, Completion::Accepted { socket, .. }) => self.sockets.push(socket),
            (manner, Completion::Accepted { listener, socket }) => {
                assert_eq!(listener, self.listener);
                let token = self
                    .net
                    .attach(socket, &SocketOptions::default())
                    .expect("attaching");
                self.tokens.push(token);
                if manner == Manner::Echo {
                    self.net.receive(token);
                }
            }
            (
                Manner::Echo,
                Completion::Received {
                    token,
                    buf,
                    result: Ok(1..),
                },
            ) => {
                let sent = self.net.send(token, buf.into());
                self.after_send(token, sent);
            }
            (
                Manner::Echo,
                Completion::Received {
                    token,
                    result: Ok(_),
                    ..
                },
            ) => {
                self.ending.insert(token, true);
                let sent = self.net.send(token, b"bye".to_vec().into());
                self.after_send(token, sent);
            }
            (
                Manner::Echo,
                Completion::Received {
                    token,
                    result: Err(_),
                    ..
                },
            ) => {
                self.net.close(token, Close::Now);
            }
            (
                Manner::Echo,
                Completion::Sent {
                    token,
                    chunks,
                    result,
                },
            ) => {
                self.after_send(token, Sent::Done { chunks, result });
            }
            (_, other) => self.seen.push(other),
        }
    }

    fn after_send(&mut self, token: Token, sent: Sent) {
        match sent {
            Sent::Pending => {}
            Sent::Done { result: Err(_), .. } => self.net.close(token, Close::Now),
            Sent::Done { .. } if self.ending.remove(&token).is_some() => {
                self.net.close(token, Close::Polite);
            }
            Sent::Done { chunks, .. } => {
                assert!(chunks.is_empty(), "done is all");
                self.net.recycle(Chunks::into_spare(chunks));
                self.net.receive(token);
            }
        }
    }
}

/// Bytes in which every position can be told from its neighbours.
pub(crate) fn pattern(n: usize) -> Vec<u8> {
    (0..n).map(|i| (i % 251) as u8 ^ (i >> 10) as u8).collect()
}
