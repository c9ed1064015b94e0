//! What can be asked of a socket, and asking it. One code for all systems, through `socket2`.

use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, TcpKeepalive, Type};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAt {
    /// TCP; an IPv6 address takes IPv6 alone, so that both families can have the same port.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix {
        /// The file, which is replaced if it is a socket.
        path: PathBuf,
        /// Its permission bits; none: as the process's mask says.
        mode: Option<u32>,
    },
}

/// How to listen.
#[derive(Clone, Debug)]
pub struct ListenOptions {
    /// `tcp-backlog`.
    pub backlog: u32,
    /// `socket-mark-id` (Linux): 0 is none. Accepted connections inherit it.
    pub mark: u32,
}

impl Default for ListenOptions {
    fn default() -> ListenOptions {
        ListenOptions {
            backlog: 511,
            mark: 0,
        }
    }
}

/// What a connection gets.
#[derive(Clone, Debug)]
pub struct SocketOptions {
    /// Send small pieces at once.
    pub nodelay: bool,
    /// `tcp-keepalive`: probe after so many seconds of silence, then three times at a third of it.
    pub keepalive_secs: Option<u32>,
    /// Size of the kernel's send buffer; none: the system's.
    pub send_buffer_bytes: Option<usize>,
    /// Size of the kernel's receive buffer; none: the system's.
    pub receive_buffer_bytes: Option<usize>,
    /// `socket-mark-id` (Linux), for connections begun here: 0 is none.
    pub mark: u32,
}

impl Default for SocketOptions {
    fn default() -> SocketOptions {
        SocketOptions {
            nodelay: true,
            keepalive_secs: None,
            send_buffer_bytes: None,
            receive_buffer_bytes: None,
            mark: 0,
        }
    }
}

impl SocketOptions {
    /// Applies them; `tcp` is false for a Unix socket, which has no such options.
    pub(crate) fn apply(&self, socket: SockRef<'_>, tcp: bool) -> io::Result<()> {
        if let Some(bytes) = self.send_buffer_bytes {
            socket.set_send_buffer_size(bytes)?;
        }
        if let Some(bytes) = self.receive_buffer_bytes {
            socket.set_recv_buffer_size(bytes)?;
        }
        if !tcp {
            return Ok(());
        }
        if self.nodelay {
            socket.set_tcp_nodelay(true)?;
        }
        if let Some(secs) = self.keepalive_secs {
            let idle = Duration::from_secs(u64::from(secs.max(1)));
            let between = Duration::from_secs(u64::from((secs / 3).max(1)));
            let keepalive = TcpKeepalive::new().with_time(idle).with_interval(between);
            socket.set_tcp_keepalive(&keepalive.with_retries(3))?;
        }
        Ok(())
    }
}

/// Marks a socket's packets for the system's routing and filter rules, where there is such a thing.
pub(crate) fn set_mark(socket: &Socket, mark: u32) -> io::Result<()> {
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    if mark != 0 {
        return socket.set_mark(mark);
    }
    let (_, _) = (socket, mark);
    Ok(())
}

/// A listening socket.
pub(crate) fn bind(at: &ListenAt, options: &ListenOptions) -> io::Result<Socket> {
    let (domain, address) = match at {
        ListenAt::Tcp(ip) => (Domain::for_address(*ip), SockAddr::from(*ip)),
        ListenAt::Unix { path, .. } => (Domain::UNIX, SockAddr::unix(path)?),
    };
    let protocol = matches!(at, ListenAt::Tcp(_)).then_some(Protocol::TCP);
    let socket = Socket::new(domain, Type::STREAM, protocol)?;
    if let ListenAt::Tcp(ip) = at {
        // Lets a new server have the port while old connections die out. On Windows that needs no
        // option, and the one of this name would share the port with whoever asks.
        #[cfg(not(windows))]
        socket.set_reuse_address(true)?;
        #[cfg(windows)]
        crate::backend::own_address(&socket)?;
        if ip.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        set_mark(&socket, options.mark)?;
    }
    if let ListenAt::Unix { path, .. } = at {
        // Only a socket is replaced: a path typed wrongly must not cost somebody a file.
        remove_socket_file(path);
    }
    socket.bind(&address)?;
    if let ListenAt::Unix {
        path,
        mode: Some(mode),
    } = at
    {
        set_file_mode(path, *mode)?;
    }
    socket.listen(backlog(options.backlog))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// What to ask the system for. Elsewhere the system caps what is too much; Windows takes any number
/// that is not its own "as many as you can" for at most 200, and then a thousand clients that come
/// at once are turned away.
fn backlog(wanted: u32) -> i32 {
    if cfg!(windows) {
        0x7fff_ffff
    } else {
        wanted.min(i32::MAX as u32) as i32
    }
}

/// Removes a Unix socket's file, if that is what it is.
pub(crate) fn remove_socket_file(path: &std::path::Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if std::fs::symlink_metadata(path).is_ok_and(|m| m.file_type().is_socket()) {
            // Whoever binds next says what is wrong, if anything is.
            let _ = std::fs::remove_file(path);
        }
    }
    #[cfg(windows)]
    {
        use std::os::windows::fs::MetadataExt;
        // A socket's file is a reparse point of no length.
        const REPARSE_POINT: u32 = 0x400;
        if std::fs::symlink_metadata(path).is_ok_and(|m| m.file_attributes() & REPARSE_POINT != 0) {
            let _ = std::fs::remove_file(path);
        }
    }
}

fn set_file_mode(path: &std::path::Path, mode: u32) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    }
    // Elsewhere the folder's access list decides.
    let (_, _) = (path, mode);
    Ok(())
}
