//! One connection: what is known about it, what is asked of it, and the three things that it does:
//! receive, flush, die.

use super::op::SLICES;
use crate::backend::shared::{FLUSH_BYTES_MAX, Flush, Want};
use crate::pool::{Pool, receive_once};
use crate::{Address, Chunks, Completion, Token};
use std::io::{self, IoSlice};
use std::net::Shutdown;
use windows_sys::Win32::Networking::WinSock::WSAENOBUFS;

/// Bytes of one send. The kernel copies or locks all of them, and a peer that does not read must not
/// make it hold a hundred megabytes.
pub(super) const PART_BYTES_MAX: usize = 1 << 20;
/// A part this small is tried again later rather than made smaller.
const PART_BYTES_MIN: usize = 4 << 10;

/// What a receive of the kernel's has brought before it was asked for, or between.
#[derive(Debug, Default)]
pub(super) enum Early {
    #[default]
    Nothing,
    /// Bytes, not none.
    Bytes(Vec<u8>),
    /// Why there are none. The system may have forgotten since.
    Failed(io::Error),
}

#[derive(Debug)]
pub(super) struct Stream {
    pub(super) socket: socket2::Socket,
    pub(super) peer: Address,
    pub(super) want: Want,
    /// Comes before what the kernel has.
    early: Early,
    /// Output that waits for its turn or for the system's memory (S2).
    pub(super) sending: Option<Chunks>,
    /// Output is the kernel's (S2).
    pub(super) send_in_flight: bool,
    /// Bytes of the next part: fewer when the kernel was short of memory.
    pub(super) part_bytes: usize,
    /// There may be bytes, the end or an error for us.
    pub(super) readable: bool,
    /// The peer's end or an error has been seen: `readable` for good.
    pub(super) ended: bool,
    /// A receive is under way, of no bytes or into a pool buffer (S1).
    pub(super) probing: bool,
    /// The port says nothing of what succeeds at once.
    pub(super) skips: bool,
    /// Stands in the loop's `ready`.
    pub(super) queued: bool,
    pub(super) connecting: bool,
    pub(super) dying: bool,
    /// A dying stream has ended its own direction.
    shut: bool,
}

impl Stream {
    pub(super) fn new(socket: socket2::Socket, peer: Address) -> Stream {
        Stream {
            socket,
            peer,
            want: Want::Nothing,
            early: Early::Nothing,
            sending: None,
            send_in_flight: false,
            part_bytes: PART_BYTES_MAX,
            readable: false,
            ended: false,
            probing: false,
            skips: false,
            queued: false,
            connecting: false,
            dying: false,
            shut: false,
        }
    }

    /// Whether a send has not completed.
    #[inline]
    pub(super) fn is_sending(&self) -> bool {
        self.send_in_flight || self.sending.is_some()
    }

    /// Whether somebody must be told when there is something to receive, and nobody is on the watch.
    #[inline]
    pub(super) fn needs_probe(&self) -> bool {
        let wanted = match self.want {
            Want::Pool | Want::Into(_) | Want::Readable => true,
            Want::Nothing | Want::GivenBack(_) => self.dying && self.shut,
        };
        wanted && !self.readable && !self.probing
    }

    /// Whether a receiving operation can end now.
    #[inline]
    pub(super) fn can_receive(&self) -> bool {
        self.readable || self.want.is_given_back()
    }

    /// A receive into `buf`, of the pool, has ended.
    #[inline]
    pub(super) fn arrived(&mut self, buf: Vec<u8>, result: io::Result<usize>, pool: &mut Pool) {
        self.probing = false;
        self.readable = true;
        match result {
            Ok(1..) => return self.early = Early::Bytes(buf),
            Ok(_) => {}
            Err(error) => self.early = Early::Failed(error),
        }
        self.ended = true;
        pool.give(buf);
    }

    /// Does what is asked for, as far as that is possible now.
    #[inline]
    pub(super) fn receive(&mut self, token: Token, pool: &mut Pool) -> Option<Completion> {
        if matches!((&self.want, &self.early), (Want::Pool, Early::Bytes(_))) {
            let Early::Bytes(buf) = std::mem::take(&mut self.early) else {
                unreachable!("just matched")
            };
            self.want = Want::Nothing;
            self.readable = self.ended || buf.len() == buf.capacity();
            let result = Ok(buf.len());
            return Some(Completion::Received { token, buf, result });
        }
        let want = std::mem::take(&mut self.want);
        match want.end(token, pool, |buf, pool| self.receive_now(buf, pool)) {
            Ok(completion) => Some(completion),
            Err(want) => {
                self.want = want;
                None
            }
        }
    }

    /// One read, with what it tells about the next: one that left room has emptied the kernel, and
    /// the next byte ends the next probe.
    #[inline]
    fn receive_now(&mut self, buf: &mut Vec<u8>, pool: &mut Pool) -> io::Result<usize> {
        match std::mem::take(&mut self.early) {
            Early::Nothing => {}
            Early::Failed(error) => return Err(error),
            Early::Bytes(mut bytes) => {
                let n = bytes.len().min(buf.capacity() - buf.len());
                buf.extend_from_slice(&bytes[..n]);
                bytes.drain(..n);
                if bytes.is_empty() {
                    self.readable = self.ended;
                    pool.give(bytes);
                } else {
                    self.early = Early::Bytes(bytes);
                }
                return Ok(n);
            }
        }
        let result = receive_once(&self.socket, buf);
        match &result {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                (self.readable, self.ended) = (false, false);
            }
            // The end and errors stay readable, so that whoever asks again hears again.
            Ok(0) | Err(_) => self.ended = true,
            Ok(_) => self.readable = self.ended || buf.len() == buf.capacity(),
        }
        result
    }

    /// Sends without waiting until all is gone, the kernel takes no more, or it is enough for one
    /// turn. Not while a send is the kernel's.
    #[inline]
    pub(super) fn flush(&mut self, chunks: &mut Chunks) -> io::Result<Flush> {
        let mut sent = 0;
        while !chunks.is_empty() {
            if sent >= FLUSH_BYTES_MAX {
                return Ok(Flush::Enough);
            }
            let result = match chunks.as_single() {
                Some(bytes) => self.socket.send(&bytes[..bytes.len().min(PART_BYTES_MAX)]),
                None => {
                    let mut slices = [IoSlice::new(&[]); SLICES];
                    let count = chunks.slices(&mut slices, PART_BYTES_MAX);
                    self.socket.send_vectored(&slices[..count])
                }
            };
            match result {
                Ok(n) => {
                    chunks.advance(n);
                    sent += n;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock || is_short(&error) => {
                    return Ok(Flush::Blocked);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Flush::All)
    }

    /// A part was too much for the system's memory: the next is smaller. Gives whether it can be
    /// tried at once; otherwise it is to be tried later.
    pub(super) fn shrink_part(&mut self) -> bool {
        self.part_bytes /= 2;
        if self.part_bytes >= PART_BYTES_MIN {
            return true;
        }
        self.part_bytes = PART_BYTES_MIN;
        false
    }

    /// One step of dying; gives whether it is over.
    pub(super) fn die_on(&mut self, pool: &mut Pool) -> bool {
        if self.is_sending() {
            // What the peer says meanwhile can wait; that it has gone cannot, and the send tells.
            return false;
        }
        if !self.shut {
            self.shut = true;
            if self.socket.shutdown(Shutdown::Write).is_err() {
                return true;
            }
        }
        let mut buf = pool.take();
        let result = self.receive_now(&mut buf, pool);
        pool.give(buf);
        match result {
            Ok(n) => n == 0,
            Err(error) => error.kind() != io::ErrorKind::WouldBlock,
        }
    }
}

/// Whether the system was short of memory.
pub(super) fn is_short(error: &io::Error) -> bool {
    error.raw_os_error() == Some(WSAENOBUFS)
}
