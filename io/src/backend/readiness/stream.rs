//! One connection: what is known about it, what is asked of it, and the three things that it does:
//! receive, flush, die.

use crate::backend::shared::{FLUSH_BYTES_MAX, Flush, Want};
use crate::pool::{Pool, receive_once};
use crate::{Address, Chunks, Completion, Token};
use std::io::{self, IoSlice};
use std::net::Shutdown;

/// Pieces in one write.
const SLICES: usize = 64;

#[derive(Debug)]
pub(super) struct Stream {
    pub(super) socket: socket2::Socket,
    pub(super) peer: Address,
    pub(super) want: Want,
    pub(super) sending: Option<Chunks>,
    /// The kernel may have bytes, the end or an error for us.
    pub(super) readable: bool,
    /// The peer's end or an error has been announced: `readable` for good.
    pub(super) ended: bool,
    /// The kernel may take bytes. Known only while `watches_writing`.
    pub(super) writable: bool,
    pub(super) watches_writing: bool,
    /// Stands in the loop's `ready`.
    pub(super) queued: bool,
    pub(super) connecting: bool,
    pub(super) dying: bool,
    /// A dying stream has ended its own direction.
    shut: bool,
}

/// Whether a connection attempt goes on in the background.
pub(super) fn is_in_progress(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EINPROGRESS)
}

impl Stream {
    pub(super) fn new(socket: socket2::Socket, peer: Address, connecting: bool) -> Stream {
        Stream {
            socket,
            peer,
            want: Want::Nothing,
            sending: None,
            readable: false,
            ended: false,
            writable: true,
            watches_writing: connecting,
            queued: false,
            connecting,
            dying: false,
            shut: false,
        }
    }

    /// Whether what is known and what is asked meet.
    #[inline]
    pub(super) fn has_work(&self) -> bool {
        self.connecting
            || self.dying
            || (self.readable && !matches!(self.want, Want::Nothing))
            || (self.writable && self.sending.is_some())
    }

    /// Whether a receiving operation can end now.
    #[inline]
    pub(super) fn can_receive(&self) -> bool {
        self.readable || self.want.is_given_back()
    }

    /// Whether the attempt to connect has come to an end.
    pub(super) fn connected(&mut self) -> Option<io::Result<()>> {
        if !self.writable {
            return None;
        }
        let result = match self.socket.take_error() {
            Ok(None) => match self.socket.peer_addr() {
                // The event was about something else; the one that counts will come.
                Err(error) if error.kind() == io::ErrorKind::NotConnected && !self.ended => {
                    self.writable = false;
                    return None;
                }
                other => other.map(drop),
            },
            Ok(Some(error)) | Err(error) => Err(error),
        };
        self.connecting = false;
        Some(result)
    }

    /// Does what is asked for, as far as that is possible now.
    #[inline]
    pub(super) fn receive(&mut self, token: Token, pool: &mut Pool) -> Option<Completion> {
        let want = std::mem::take(&mut self.want);
        match want.end(token, pool, |buf, _| self.receive_now(buf)) {
            Ok(completion) => Some(completion),
            Err(want) => {
                self.want = want;
                None
            }
        }
    }

    /// One read, with what it tells about the next (R2).
    #[inline]
    fn receive_now(&mut self, buf: &mut Vec<u8>) -> io::Result<usize> {
        loop {
            let result = receive_once(&self.socket, buf);
            match &result {
                // A signal came between; to the kernel nothing has happened.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.readable = false,
                // The end and errors stay readable, so that whoever asks again hears again.
                Ok(0) | Err(_) => self.ended = true,
                Ok(_) => self.readable = self.ended || buf.len() == buf.capacity(),
            }
            return result;
        }
    }

    /// Sends until all is gone, the kernel takes no more, or it is enough for one turn.
    #[inline]
    pub(super) fn flush(&mut self, chunks: &mut Chunks) -> io::Result<Flush> {
        let mut sent = 0;
        while !chunks.is_empty() {
            if sent >= FLUSH_BYTES_MAX {
                return Ok(Flush::Enough);
            }
            let result = match chunks.as_single() {
                Some(bytes) => self.socket.send(bytes),
                None => {
                    let mut slices = [IoSlice::new(&[]); SLICES];
                    let count = chunks.slices(&mut slices, FLUSH_BYTES_MAX);
                    self.socket.send_vectored(&slices[..count])
                }
            };
            match result {
                Ok(n) => {
                    chunks.advance(n);
                    sent += n;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.writable = false;
                    return Ok(Flush::Blocked);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Flush::All)
    }

    /// One step of dying; gives whether it is over.
    pub(super) fn die_on(&mut self, pool: &mut Pool) -> bool {
        if self.sending.is_some() {
            // What the peer says meanwhile can wait; that it has gone cannot.
            self.readable = false;
            return false;
        }
        if !self.shut {
            self.shut = true;
            if self.socket.shutdown(Shutdown::Write).is_err() {
                return true;
            }
        }
        let mut buf = pool.take();
        let result = self.receive_now(&mut buf);
        pool.give(buf);
        match result {
            Ok(n) => n == 0,
            Err(error) => error.kind() != io::ErrorKind::WouldBlock,
        }
    }
}
