//! One connection of a simulated loop: what is asked of it, and what it does about it.

use super::wire::End;
use crate::pool::Pool;
use crate::{Chunks, Completion, Token};
use std::io::{self, IoSlice};
use std::time::Duration;

/// What is asked for.
#[derive(Debug, Default)]
pub(super) enum Want {
    #[default]
    Nothing,
    Pool,
    Into(Vec<u8>),
    Readable,
    /// Cancelled: the buffer is to be given back.
    GivenBack(Vec<u8>),
}

pub(super) struct Stream {
    pub(super) end: End,
    pub(super) want: Want,
    pub(super) sending: Option<Chunks>,
    /// Until when it connects.
    pub(super) connecting: Option<Duration>,
    pub(super) dying: bool,
    /// The loop's turn in which it was served last.
    pub(super) served: u64,
    shut: bool,
}

impl Stream {
    pub(super) fn new(end: End, connecting: Option<Duration>) -> Stream {
        let (want, sending) = (Want::Nothing, None);
        Stream {
            end,
            want,
            sending,
            connecting,
            dying: false,
            served: 0,
            shut: false,
        }
    }

    /// Does what is asked for, if it can be done now.
    pub(super) fn receive(&mut self, token: Token, pool: &mut Pool) -> Option<Completion> {
        let (mut buf, pooled) = match std::mem::take(&mut self.want) {
            Want::Nothing => return None,
            Want::Readable if self.end.is_readable() => {
                return Some(Completion::Readable { token });
            }
            Want::Readable => {
                self.want = Want::Readable;
                return None;
            }
            Want::GivenBack(buf) => {
                let result = Err(crate::cancelled());
                return Some(Completion::Received { token, buf, result });
            }
            Want::Pool => (pool.take(), true),
            Want::Into(buf) => (buf, false),
        };
        let room = buf.capacity() - buf.len();
        match self.end.read(&mut buf, room) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.want = if pooled {
                    pool.give(buf);
                    Want::Pool
                } else {
                    Want::Into(buf)
                };
                None
            }
            result => Some(Completion::Received { token, buf, result }),
        }
    }

    /// Sends what goes; gives whether that was all.
    pub(super) fn flush(&mut self, chunks: &mut Chunks) -> io::Result<bool> {
        while !chunks.is_empty() {
            let mut first = [IoSlice::new(&[])];
            chunks.slices(&mut first, usize::MAX);
            match self.end.write(&first[0]) {
                Ok(n) => chunks.advance(n),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// One step of a polite close; gives whether it is over.
    pub(super) fn die_on(&mut self, pool: &mut Pool) -> bool {
        if self.sending.is_some() {
            return false;
        }
        if !std::mem::replace(&mut self.shut, true) {
            self.end.finish();
        }
        loop {
            let mut buf = pool.take();
            let room = buf.capacity();
            let result = self.end.read(&mut buf, room);
            pool.give(buf);
            match result {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() != io::ErrorKind::WouldBlock,
            }
        }
    }
}
