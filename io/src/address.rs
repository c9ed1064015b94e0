//! Where a connection comes from or goes to, and how that is written.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// An address of either family of sockets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// TCP over IPv4 or IPv6.
    Ip(SocketAddr),
    /// A Unix socket: the path it is bound to (of a client: of the listener it came through).
    Unix(PathBuf),
}

impl Address {
    /// Whether it can only be this machine.
    pub fn is_local(&self) -> bool {
        match self {
            Address::Ip(ip) => ip.ip().to_canonical().is_loopback(),
            Address::Unix(_) => true,
        }
    }

    /// The port; none for a Unix socket.
    pub fn port(&self) -> Option<u16> {
        match self {
            Address::Ip(ip) => Some(ip.port()),
            Address::Unix(_) => None,
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(ip: SocketAddr) -> Address {
        Address::Ip(ip)
    }
}

/// As CLIENT LIST writes it: `1.2.3.4:5`, `[::1]:5`, `/path:0`.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // An IPv4 client on a socket of both families is shown as what it is.
            Address::Ip(ip) => SocketAddr::new(ip.ip().to_canonical(), ip.port()).fmt(f),
            Address::Unix(path) => write!(f, "{}:0", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(address: Address, text: &str, local: bool) {
        assert_eq!(
            (address.to_string().as_str(), address.is_local()),
            (text, local)
        );
    }

    #[test]
    fn texts() {
        let ip = |text: &str| Address::Ip(text.parse().expect("an address"));
        check(ip("127.0.0.1:6379"), "127.0.0.1:6379", true);
        check(ip("[::1]:6379"), "[::1]:6379", true);
        check(ip("[::ffff:127.0.0.9]:1"), "127.0.0.9:1", true);
        check(ip("10.0.0.1:80"), "10.0.0.1:80", false);
        check(Address::Unix("/tmp/x".into()), "/tmp/x:0", true);
    }
}
