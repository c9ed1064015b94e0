//! Receive buffers that go round, and the one place that hands uninitialised memory to the kernel.
//!
//! A buffer is taken when there are bytes to put into it and comes back through `recycle` when the
//! server has served them, so there are as many as connections have something in one turn, not as
//! many as there are connections. The last one given is the next one taken: it is in the cache.
//!
//! Checked by: conformance (every test receives through here).

use std::io;

/// Size of a pool buffer. A pipeline of a few hundred small requests fits, and the kernel's cost of
/// a read is far below the cost of serving that much.
pub(crate) const BUFFER_BYTES: usize = 16 * 1024;
/// Buffers that are kept: 4 MiB. More are given back to the allocator.
const KEPT_MAX: usize = 256;

/// Spare buffers.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    spare: Vec<Vec<u8>>,
}

impl Pool {
    #[inline]
    pub(crate) fn take(&mut self) -> Vec<u8> {
        self.spare
            .pop()
            .unwrap_or_else(|| Vec::with_capacity(BUFFER_BYTES))
    }

    #[inline]
    pub(crate) fn give(&mut self, mut buf: Vec<u8>) {
        if buf.capacity() == BUFFER_BYTES && self.spare.len() < KEPT_MAX {
            buf.clear();
            self.spare.push(buf);
        }
    }
}

/// Receives once at the end of `buf`, into its spare capacity, without filling that with zeros
/// first (which for a bulk of 500 MB would touch every page twice).
#[inline]
pub(crate) fn receive_once(socket: &socket2::Socket, buf: &mut Vec<u8>) -> io::Result<usize> {
    let room = buf.capacity() - buf.len();
    let got = socket.recv(buf.spare_capacity_mut())?;
    assert!(got <= room, "the kernel was told how much room there is");
    // SAFETY: `recv` has initialised the first `got` bytes of the spare capacity, which begins at
    // `len`, and `got` is not more than the room behind it.
    unsafe { buf.set_len(buf.len() + got) };
    Ok(got)
}
