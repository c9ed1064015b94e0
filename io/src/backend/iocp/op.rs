//! Operation blocks: what the kernel holds while it works, and every call that gives it one.
//!
//!   Box<Op> ── start ──▶ the kernel's ── out of the port ──▶ Box<Op>
//!              ├ done at once (and the port stays silent) ─▶ Box<Op>
//!              └ failed at once ──────────────────────────▶ Box<Op>
//!   Op = [OVERLAPPED][owner][what it is, with the memory it works on]
//!
//! P1  a non-null OVERLAPPED that comes out of a port is the beginning of an `Op` that `start` made
//!     into a raw pointer, and comes out once. Only this file gives OVERLAPPEDs to the kernel.
//! P2  between `start` and its end nobody else has the block: not the stream, which may be closed
//!     and gone, nor the loop, which only counts. Memory that the kernel reads or writes belongs to
//!     the block, on the heap, and so does not move.
//! P3  an operation that succeeds at once also comes out of the port, unless its socket was told to
//!     skip that (`skip_port_on_success`); one that fails at once never does.
//!
//! Checked by: conformance (close_now_lets_go_of_output, cancel_then_close, token_reuse).

use crate::{Chunks, Token};
use std::io::{self, IoSlice};
use std::mem::size_of;
use std::os::windows::io::AsRawSocket;
use std::ptr::null_mut;
use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::Networking::WinSock::{
    AcceptEx, LPFN_CONNECTEX, SIO_GET_EXTENSION_FUNCTION_POINTER, SO_EXCLUSIVEADDRUSE,
    SO_PROTOCOL_INFOW, SO_UPDATE_ACCEPT_CONTEXT, SO_UPDATE_CONNECT_CONTEXT, SOCKADDR_STORAGE,
    SOCKET, SOL_SOCKET, WSA_IO_PENDING, WSABUF, WSAGetLastError, WSAGetOverlappedResult,
    WSAID_CONNECTEX, WSAIoctl, WSAPROTOCOL_INFOW, WSARecv, WSASend, XP1_IFS_HANDLES, getsockopt,
    setsockopt,
};
use windows_sys::Win32::Storage::FileSystem::SetFileCompletionNotificationModes;
use windows_sys::Win32::System::IO::{CancelIoEx, OVERLAPPED, OVERLAPPED_ENTRY};
use windows_sys::Win32::System::WindowsProgramming::{
    FILE_SKIP_COMPLETION_PORT_ON_SUCCESS, FILE_SKIP_SET_EVENT_ON_HANDLE,
};

/// Pieces in one send.
pub(super) const SLICES: usize = 64;
/// AcceptEx wants 16 bytes more than an address takes, for each side's.
const ADDRESS_BYTES: usize = size_of::<SOCKADDR_STORAGE>() + 16;

/// What an operation is.
pub(super) enum Kind {
    /// A receive of no bytes: it ends when there are some, or the end, or an error.
    Probe,
    /// A receive into this buffer of the pool, which is empty.
    Receive(Vec<u8>),
    /// A part of these is being sent.
    Send(Chunks),
    /// A connection is awaited.
    Accept(Box<Acceptance>),
    /// A connection is attempted.
    Connect,
}

/// The socket that a connection will become, and where the kernel writes both addresses.
pub(super) struct Acceptance {
    pub(super) socket: socket2::Socket,
    addresses: [u8; 2 * ADDRESS_BYTES],
}

/// An operation.
#[repr(C)]
pub(super) struct Op {
    overlapped: OVERLAPPED,
    /// Whose it is; may have been closed since.
    pub(super) owner: Token,
    pub(super) kind: Kind,
}

// P1: the one pointer is the other.
const _: () = assert!(std::mem::offset_of!(Op, overlapped) == 0);

/// What became of an operation that was started.
pub(super) enum Started {
    /// It will come out of the port.
    Pending,
    /// It is done, and the port says nothing of it.
    Now(Box<Op>, usize),
    Failed(Box<Op>, io::Error),
}

/// An operation that came out of the port.
pub(super) struct Done {
    pub(super) op: Box<Op>,
    bytes: usize,
}

impl Done {
    /// # Safety
    /// `entry` came out of a port, with a pointer that is not null.
    pub(super) unsafe fn from_entry(entry: &OVERLAPPED_ENTRY) -> Done {
        // SAFETY: P1 says what it points to, and P2 that it is ours again.
        let op = unsafe { Box::from_raw(entry.lpOverlapped.cast::<Op>()) };
        Done {
            op,
            bytes: entry.dwNumberOfBytesTransferred as usize,
        }
    }

    /// How it ended. The socket is the one it was started on.
    pub(super) fn result(&self, socket: &socket2::Socket) -> io::Result<usize> {
        const STATUS_SUCCESS: usize = 0;
        if self.op.overlapped.Internal == STATUS_SUCCESS {
            return Ok(self.bytes);
        }
        let (mut bytes, mut flags) = (0, 0);
        // SAFETY: the OVERLAPPED is that of an operation that has ended, so this only translates.
        let ok = unsafe {
            WSAGetOverlappedResult(raw(socket), &self.op.overlapped, &mut bytes, 0, &mut flags)
        };
        if ok == 0 {
            Err(last_error())
        } else {
            Ok(bytes as usize)
        }
    }
}

impl Op {
    pub(super) fn new(owner: Token, kind: Kind) -> Box<Op> {
        Box::new(Op {
            overlapped: OVERLAPPED::default(),
            owner,
            kind,
        })
    }

    /// The buffer of a receive that brought `n` bytes.
    pub(super) fn into_buffer(self, n: usize) -> Vec<u8> {
        let Kind::Receive(mut buf) = self.kind else {
            unreachable!("asked of receives alone")
        };
        assert!(
            buf.is_empty() && n <= buf.capacity(),
            "it was told the room"
        );
        // SAFETY: the kernel has written the first `n` bytes, and is done with the buffer (P2).
        unsafe { buf.set_len(n) };
        buf
    }

    /// What a send has not been told is gone.
    pub(super) fn into_chunks(self) -> Chunks {
        match self.kind {
            Kind::Send(chunks) => chunks,
            _ => unreachable!("asked of sends alone"),
        }
    }

    /// Asks to be told when there is something to receive.
    pub(super) fn probe(socket: &socket2::Socket, owner: Token, skips: bool) -> Started {
        start(Op::new(owner, Kind::Probe), skips, |op| {
            let none = WSABUF {
                len: 0,
                buf: null_mut(),
            };
            let mut flags = 0;
            // SAFETY: the block is the kernel's from here (P2); the list of buffers and the flags
            // are read before the call returns.
            unsafe {
                WSARecv(
                    raw(socket),
                    &none,
                    1,
                    null_mut(),
                    &mut flags,
                    op.cast(),
                    None,
                ) == 0
            }
        })
    }

    /// Receives into an empty buffer.
    pub(super) fn receive(
        socket: &socket2::Socket,
        owner: Token,
        buf: Vec<u8>,
        skips: bool,
    ) -> Started {
        assert!(buf.is_empty(), "of the pool");
        start(Op::new(owner, Kind::Receive(buf)), skips, |op| {
            // SAFETY: the block is alive and nobody else's until the call below.
            let room = match unsafe { &mut (*op).kind } {
                Kind::Receive(buf) => WSABUF {
                    len: buf.capacity() as u32,
                    buf: buf.as_mut_ptr(),
                },
                _ => unreachable!("made above"),
            };
            let mut flags = 0;
            // SAFETY: the bytes belong to the block, which is the kernel's from here (P2); the list
            // of buffers and the flags are read before the call returns.
            unsafe {
                WSARecv(
                    raw(socket),
                    &room,
                    1,
                    null_mut(),
                    &mut flags,
                    op.cast(),
                    None,
                ) == 0
            }
        })
    }

    /// Sends at most `bytes_max` of `chunks`, which are not empty.
    pub(super) fn send(
        socket: &socket2::Socket,
        owner: Token,
        chunks: Chunks,
        bytes_max: usize,
        skips: bool,
    ) -> Started {
        start(Op::new(owner, Kind::Send(chunks)), skips, |op| {
            let mut slices = [IoSlice::new(&[]); SLICES];
            // SAFETY: the block is alive and nobody else's until the call below.
            let count = match unsafe { &(*op).kind } {
                Kind::Send(chunks) => chunks.slices(&mut slices, bytes_max),
                _ => unreachable!("made above"),
            };
            // SAFETY: an IoSlice is a WSABUF by its documentation, and the list is read before the
            // call returns. The bytes belong to the block, which is the kernel's from here (P2).
            unsafe {
                WSASend(
                    raw(socket),
                    slices.as_ptr().cast(),
                    count as u32,
                    null_mut(),
                    0,
                    op.cast(),
                    None,
                ) == 0
            }
        })
    }

    /// Awaits a connection, which `becomes` a socket of the listener's family.
    pub(super) fn accept(
        listener: &socket2::Socket,
        owner: Token,
        becomes: socket2::Socket,
    ) -> Started {
        let accepted = raw(&becomes);
        let acceptance = Box::new(Acceptance {
            socket: becomes,
            addresses: [0; 2 * ADDRESS_BYTES],
        });
        start(Op::new(owner, Kind::Accept(acceptance)), false, |op| {
            // SAFETY: the block is alive and nobody else's until the call below.
            let addresses = match unsafe { &mut (*op).kind } {
                Kind::Accept(acceptance) => acceptance.addresses.as_mut_ptr(),
                _ => unreachable!("made above"),
            };
            let mut bytes = 0;
            // SAFETY: socket and addresses belong to the block, which is the kernel's from here
            // (P2); no room for first bytes is offered, so the connection alone is awaited.
            unsafe {
                AcceptEx(
                    raw(listener),
                    accepted,
                    addresses.cast(),
                    0,
                    ADDRESS_BYTES as u32,
                    ADDRESS_BYTES as u32,
                    &mut bytes,
                    op.cast(),
                ) != 0
            }
        })
    }

    /// Connects a socket that is bound.
    pub(super) fn connect(
        socket: &socket2::Socket,
        owner: Token,
        to: &socket2::SockAddr,
    ) -> Started {
        let op = Op::new(owner, Kind::Connect);
        let connect_ex = match find_connect_ex(socket) {
            Ok(Some(function)) => function,
            Ok(None) => return Started::Failed(op, io::ErrorKind::Unsupported.into()),
            Err(error) => return Started::Failed(op, error),
        };
        start(op, false, |op| {
            // SAFETY: the function is the one that this socket's provider named; the address is
            // read before the call returns; the block is the kernel's from here (P2).
            unsafe {
                connect_ex(
                    raw(socket),
                    to.as_ptr().cast(),
                    to.len(),
                    null_mut(),
                    0,
                    null_mut(),
                    op.cast(),
                ) != 0
            }
        })
    }
}

/// Gives a block to the kernel. `call` makes the call and tells whether it succeeded at once.
fn start(op: Box<Op>, skips: bool, call: impl FnOnce(*mut Op) -> bool) -> Started {
    let op = Box::into_raw(op);
    if call(op) {
        if !skips {
            return Started::Pending;
        }
        // SAFETY: P3, the port says nothing of it, so the kernel is done with the block.
        let op = unsafe { Box::from_raw(op) };
        let bytes = op.overlapped.InternalHigh;
        return Started::Now(op, bytes);
    }
    let error = last_error();
    if error.raw_os_error() == Some(WSA_IO_PENDING) {
        return Started::Pending;
    }
    // SAFETY: P3, what fails at once never comes out of the port.
    Started::Failed(unsafe { Box::from_raw(op) }, error)
}

fn raw(socket: &socket2::Socket) -> SOCKET {
    socket.as_raw_socket() as SOCKET
}

fn last_error() -> io::Error {
    // SAFETY: no arguments.
    io::Error::from_raw_os_error(unsafe { WSAGetLastError() })
}

fn find_connect_ex(socket: &socket2::Socket) -> io::Result<LPFN_CONNECTEX> {
    let mut function: LPFN_CONNECTEX = None;
    let id = WSAID_CONNECTEX;
    let mut bytes = 0;
    // SAFETY: both buffers are alive and as long as is said; what is written into the second is a
    // function of the type that the identifier stands for, or null.
    let failed = unsafe {
        WSAIoctl(
            raw(socket),
            SIO_GET_EXTENSION_FUNCTION_POINTER,
            (&raw const id).cast(),
            size_of_val(&id) as u32,
            (&raw mut function).cast(),
            size_of_val(&function) as u32,
            &mut bytes,
            null_mut(),
            None,
        )
    };
    if failed == 0 {
        Ok(function)
    } else {
        Err(last_error())
    }
}

/// An accepted socket takes over from its listener, and so knows its addresses.
pub(super) fn update_accepted(
    socket: &socket2::Socket,
    listener: &socket2::Socket,
) -> io::Result<()> {
    let listener = raw(listener);
    // SAFETY: the value is alive and as long as is said.
    let failed = unsafe {
        setsockopt(
            raw(socket),
            SOL_SOCKET,
            SO_UPDATE_ACCEPT_CONTEXT,
            (&raw const listener).cast(),
            size_of_val(&listener) as i32,
        )
    };
    if failed == 0 {
        Ok(())
    } else {
        Err(last_error())
    }
}

/// No other socket gets an address that overlaps with this one's, whatever the other asks for. Without
/// it a stranger's SO_REUSEADDR could take a port in use, and the wildcard beside an address. To be
/// called before the socket is bound.
pub(crate) fn own_address(socket: &socket2::Socket) -> io::Result<()> {
    let yes: i32 = 1;
    // SAFETY: the value is alive and as long as is said.
    let failed = unsafe {
        setsockopt(
            raw(socket),
            SOL_SOCKET,
            SO_EXCLUSIVEADDRUSE,
            (&raw const yes).cast(),
            size_of_val(&yes) as i32,
        )
    };
    if failed == 0 {
        Ok(())
    } else {
        Err(last_error())
    }
}

/// A connected socket is one in every respect.
pub(super) fn update_connected(socket: &socket2::Socket) -> io::Result<()> {
    // SAFETY: this option has no value.
    let failed = unsafe {
        setsockopt(
            raw(socket),
            SOL_SOCKET,
            SO_UPDATE_CONNECT_CONTEXT,
            std::ptr::null(),
            0,
        )
    };
    if failed == 0 {
        Ok(())
    } else {
        Err(last_error())
    }
}

/// Asks that an operation that succeeds at once does not come out of the port as well; gives whether
/// that holds (P3). A provider that is layered over the system's may not keep to it: the handle is
/// then not the system's own, and is not asked.
pub(super) fn skip_port_on_success(socket: &socket2::Socket) -> bool {
    let mut info = WSAPROTOCOL_INFOW::default();
    let mut bytes = size_of_val(&info) as i32;
    // SAFETY: the structure is alive and as long as is said.
    let failed = unsafe {
        getsockopt(
            raw(socket),
            SOL_SOCKET,
            SO_PROTOCOL_INFOW,
            (&raw mut info).cast(),
            &mut bytes,
        )
    };
    if failed != 0 || info.dwServiceFlags1 & XP1_IFS_HANDLES == 0 {
        return false;
    }
    let modes = FILE_SKIP_COMPLETION_PORT_ON_SUCCESS | FILE_SKIP_SET_EVENT_ON_HANDLE;
    // SAFETY: the handle is open.
    unsafe { SetFileCompletionNotificationModes(raw(socket) as HANDLE, modes as u8) != 0 }
}

/// Ends all that is under way on a socket; each block comes out of the port all the same.
pub(super) fn cancel_all(socket: &socket2::Socket) {
    // SAFETY: the handle is open, and null means every operation. It fails only when there is none.
    unsafe { CancelIoEx(raw(socket) as HANDLE, std::ptr::null()) };
}
