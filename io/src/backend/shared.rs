//! What the real backends have in common: what a stream can be asked for, how far a flush comes, and
//! the book of things that wait for a deadline.
//!
//! ```text
//!   Want:   Nothing ── receive, receive_into, wait_readable ──▶ Pool | Into | Readable
//!              ▲                                                  │       │ cancel
//!              └────────── end: bytes, the end, an error ─────────┘       ▼
//!              └────────────────── end: cancelled ──────────────────── GivenBack
//! ```
//!
//! W1  A buffer that was lent with `Into` comes back through a completion, whatever happens.
//! W2  In a book all wait equally long, so the first that came is the first that is due.
//!
//! Checked by: tests/conformance.rs, on both backends.

use crate::driver::real_monotonic;
use crate::pool::Pool;
use crate::{Completion, Token};
use std::collections::VecDeque;
use std::io;
use std::time::Duration;

/// Bytes of one connection's output in one turn, while the peer takes them.
pub(super) const FLUSH_BYTES_MAX: usize = 4 << 20;
/// Streams and listeners served in one turn; the rest has its turn next. Bounds the pool buffers
/// that are out at once.
pub(super) const SERVED_PER_TURN: usize = 512;

/// How far a flush came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flush {
    All,
    /// The kernel takes no more now.
    Blocked,
    /// The kernel would take more, but others wait.
    Enough,
}

/// What is asked for.
#[derive(Debug, Default)]
pub(super) enum Want {
    #[default]
    Nothing,
    /// Bytes in a pool buffer.
    Pool,
    /// Bytes at the end of this one.
    Into(Vec<u8>),
    /// Only to be told.
    Readable,
    /// Cancelled: the buffer is to be given back.
    GivenBack(Vec<u8>),
}

impl Want {
    /// Whether it can end without anything to receive.
    #[inline]
    pub(super) fn is_given_back(&self) -> bool {
        matches!(self, Want::GivenBack(_))
    }

    /// Takes it back. Gives whether a buffer has to come back, in order, from `wait`.
    pub(super) fn cancel(&mut self) -> bool {
        *self = match std::mem::take(self) {
            Want::Into(buf) | Want::GivenBack(buf) => Want::GivenBack(buf),
            Want::Nothing | Want::Pool | Want::Readable => Want::Nothing,
        };
        self.is_given_back()
    }

    /// Ends it where something can be received, with one `read` if it takes one.
    ///
    /// # Errors
    /// What goes on being asked for: `read` would have had to wait, or nothing was asked.
    #[inline]
    pub(super) fn end(
        self,
        token: Token,
        pool: &mut Pool,
        read: impl FnOnce(&mut Vec<u8>, &mut Pool) -> io::Result<usize>,
    ) -> Result<Completion, Want> {
        let (mut buf, pooled) = match self {
            Want::Nothing => return Err(Want::Nothing),
            Want::Readable => return Ok(Completion::Readable { token }),
            Want::GivenBack(buf) => {
                let result = Err(crate::cancelled());
                return Ok(Completion::Received { token, buf, result });
            }
            Want::Pool => (pool.take(), true),
            Want::Into(buf) => (buf, false),
        };
        match read(&mut buf, pool) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(if pooled {
                pool.give(buf);
                Want::Pool
            } else {
                Want::Into(buf)
            }),
            result => Ok(Completion::Received { token, buf, result }),
        }
    }
}

/// Streams or listeners that each wait for a deadline: the end of a polite close, of a pause in
/// accepting, of a rest.
#[derive(Debug)]
pub(super) struct Waits {
    wait: Duration,
    queue: VecDeque<(Duration, Token)>,
}

impl Waits {
    /// An empty book for waits of that length.
    pub(super) fn new(wait: Duration) -> Waits {
        Waits {
            wait,
            queue: VecDeque::new(),
        }
    }

    pub(super) fn add(&mut self, token: Token) {
        self.queue.push_back((real_monotonic() + self.wait, token));
    }

    /// The one whose deadline has passed at `now`.
    pub(super) fn due(&mut self, now: Duration) -> Option<Token> {
        let &(at, token) = self.queue.front()?;
        (at <= now).then(|| {
            self.queue.pop_front();
            token
        })
    }

    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether the token waits: a walk, for listeners, of which there are few.
    #[cfg(windows)]
    pub(super) fn has(&self, token: Token) -> bool {
        self.queue.iter().any(|&(_, waiting)| waiting == token)
    }
}

/// The time until the first deadline of several books, if there is one.
pub(super) fn until_first(books: &[&Waits]) -> Option<Duration> {
    let firsts = books.iter().filter_map(|book| book.queue.front());
    let first = firsts.map(|&(at, _)| at).min()?;
    Some(first.saturating_sub(real_monotonic()))
}

/// How long a loop sleeps at most: until the server's next timer or its own next deadline, and not
/// at all while something is ready.
pub(super) fn sleep(
    is_ready: bool,
    theirs: Option<Duration>,
    ours: Option<Duration>,
) -> Option<Duration> {
    match (theirs, ours) {
        _ if is_ready => Some(Duration::ZERO),
        (Some(theirs), Some(ours)) => Some(theirs.min(ours)),
        (theirs, ours) => theirs.or(ours),
    }
}
