//! The trait that every backend implements, and what completes. The rules are in
//! `docs/design/io.md`; the words here say what each operation does.

use crate::{Address, Chunks, ListenAt, ListenOptions, Socket, SocketOptions, Token, Waker};
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long a polite close may take, from the call to the end.
pub const LINGER: Duration = Duration::from_secs(2);
/// How long a listener rests when there are no descriptors left.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What came of an operation.
#[derive(Debug)]
pub enum Completion {
    /// Somebody connected. Attach the socket, to this loop or to another.
    Accepted {
        /// Who listened.
        listener: Token,
        /// The connection.
        socket: Socket,
    },
    /// Accepting failed for want of descriptors or memory and goes on after `ACCEPT_PAUSE`; said
    /// once for each pause.
    AcceptPaused {
        /// Who listened.
        listener: Token,
        /// Why it rests.
        error: io::Error,
    },
    /// A connection that was begun here stands, or came to nothing; then close it.
    Connected {
        /// The connection.
        token: Token,
        /// Whether it stands.
        result: io::Result<()>,
    },
    /// There are bytes, or the end, or an error. Seldom there turns out to be nothing after all.
    Readable {
        /// The connection.
        token: Token,
    },
    /// Bytes have been appended to `buf`, which is one of the pool or the one given.
    Received {
        /// The connection.
        token: Token,
        /// The buffer. After an error it may be an empty one.
        buf: Vec<u8>,
        /// How many bytes; none is the end of what the peer says.
        result: io::Result<usize>,
    },
    /// A send that was pending is done: everything has gone to the system, or nothing more will.
    Sent {
        /// The connection.
        token: Token,
        /// What was sent, emptied; after an error, what was left.
        chunks: Chunks,
        /// Whether all went.
        result: io::Result<()>,
    },
}

/// What `send` did at once.
#[derive(Debug)]
#[must_use = "a send that is done gives its memory back and may have failed"]
pub enum Sent {
    /// Everything went to the system, or the connection is broken.
    Done {
        /// What was sent, emptied; after an error, what was left.
        chunks: Chunks,
        /// Whether all went.
        result: io::Result<()>,
    },
    /// The driver goes on; a `Completion::Sent` follows.
    Pending,
}

/// How to close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// At once; output that is pending is lost.
    Now,
    /// So that the last reply arrives.
    Polite,
}

/// The network, as one worker sees it.
///
/// A token that is not alive (never given out, or closed) is a mistake of the caller and panics,
/// as does a second receiving operation or a second send while the first has not completed.
pub trait Driver {
    /// Listens; `Accepted` completions follow until the token is closed. Gives the address too,
    /// which tells the port where 0 was asked for. A Unix socket's file is replaced, and removed
    /// again when the token is closed.
    fn listen(&mut self, at: &ListenAt, options: &ListenOptions) -> io::Result<(Token, Address)>;

    /// Takes a socket that some loop of this kind has accepted.
    fn attach(&mut self, socket: Socket, options: &SocketOptions) -> io::Result<Token>;

    /// Begins a connection to `to`, from the local address `from` if one is given; `Connected`
    /// follows, and until then nothing may be done with the token but closing it.
    fn connect(
        &mut self,
        to: &Address,
        from: Option<std::net::IpAddr>,
        options: &SocketOptions,
    ) -> io::Result<Token>;

    /// Asks for the next bytes, in a buffer of the pool. Completes as `Received`.
    fn receive(&mut self, token: Token);

    /// Asks for the next bytes at the end of `buf`, into its spare capacity, of which there must be
    /// some. Completes as `Received` with the same buffer.
    fn receive_into(&mut self, token: Token, buf: Vec<u8>);

    /// Asks to be told when there is something to receive. Completes as `Readable`.
    fn wait_readable(&mut self, token: Token);

    /// Takes back the receiving operation, if one waits. Of `receive` and `wait_readable` nothing is
    /// heard again, unless their completion already stands in `out`. `receive_into` completes with
    /// its buffer and an error that `is_cancelled` knows, or with bytes that came first.
    fn cancel(&mut self, token: Token);

    /// Sends all of `chunks`, in order. Nothing to send is done at once.
    fn send(&mut self, token: Token, chunks: Chunks) -> Sent;

    /// Ends this side's direction; the peer reads what was sent, then the end. Not while a send is
    /// pending.
    fn shutdown_write(&mut self, token: Token);

    /// Closes a connection or a listener. The token is dead from here on.
    fn close(&mut self, token: Token, how: Close);

    /// Gives a pool buffer back. Any vector will do; one of a foreign size is let go.
    fn recycle(&mut self, buf: Vec<u8>);

    /// This side's address of a connection or listener.
    fn local_address(&self, token: Token) -> io::Result<Address>;

    /// The system's number of a connection: a descriptor, on Windows a SOCKET. For people who compare
    /// CLIENT LIST with what the system's tools show; nothing is done with it.
    fn descriptor(&self, token: Token) -> i64;

    /// Connections and listeners that are alive.
    fn live(&self) -> usize;

    /// Something for other threads to wake `wait` with.
    fn waker(&self) -> Waker;

    /// Waits until something completes, the waker calls, or `timeout` has passed (`None`: for ever),
    /// and appends what completed to `out`. One call is one turn: each connection appears at most
    /// once as received. May return early with nothing.
    fn wait(&mut self, timeout: Option<Duration>, out: &mut Vec<Completion>) -> io::Result<()>;

    /// A clock that only goes forward, from an arbitrary beginning that all drivers of a process
    /// share.
    fn monotonic(&self) -> Duration {
        real_monotonic()
    }

    /// The wall clock: time since 1970.
    fn unix_time(&self) -> Duration {
        // Before 1970 there is no answer that anybody could use; 0 is as good as any.
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
    }
}

/// Time since this process first asked.
pub(crate) fn real_monotonic() -> Duration {
    static BEGINNING: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    BEGINNING.get_or_init(std::time::Instant::now).elapsed()
}

/// The error of an operation that was cancelled.
pub fn cancelled() -> io::Error {
    io::ErrorKind::Interrupted.into()
}

/// Whether an operation ended because it was cancelled.
pub fn is_cancelled(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Interrupted
}
