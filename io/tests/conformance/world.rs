//! What a backend brings to the suite.

use io::sim::{Net, Peer, SimLoop, Weather};
use io::{Address, Driver, ListenAt, Loop};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpStream};

/// A network with loops and clients.
pub(crate) trait World {
    type Loop: Driver;
    type Client: Client;
    fn driver(&self) -> Self::Loop;
    /// Connects; the listener's loop has not been asked.
    fn connect(&self, to: &Address) -> Self::Client;
    /// How much to send in the cases that send much.
    fn bulk_bytes(&self) -> usize;
}

/// A test's end of a connection. "Would block" means: let the loops take a turn.
pub(crate) trait Client {
    fn send(&mut self, bytes: &[u8]) -> std::io::Result<usize>;
    /// Appends to `buf`; 0 is the end.
    fn receive(&mut self, buf: &mut Vec<u8>, max: usize) -> std::io::Result<usize>;
    fn shutdown_write(&mut self);
    fn reset(self);
}

/// A TCP port of loopback that is free.
pub(crate) fn loopback() -> ListenAt {
    ListenAt::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
}

/// The same for IPv6, at a given port.
pub(crate) fn loopback_v6(port: u16) -> ListenAt {
    ListenAt::Tcp(SocketAddr::from((Ipv6Addr::LOCALHOST, port)))
}

/// The kernel's network.
pub(crate) struct System;

impl System {
    pub(crate) fn new() -> System {
        System
    }
}

pub(crate) enum SystemClient {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixStream),
}

impl World for System {
    type Loop = Loop;
    type Client = SystemClient;

    fn driver(&self) -> Loop {
        Loop::new().expect("a loop")
    }

    fn connect(&self, to: &Address) -> SystemClient {
        match to {
            Address::Ip(ip) => {
                let stream = TcpStream::connect(ip).expect("a listener");
                stream.set_nonblocking(true).expect("non-blocking");
                stream.set_nodelay(true).expect("no delay");
                SystemClient::Tcp(stream)
            }
            #[cfg(unix)]
            Address::Unix(path) => {
                let stream = std::os::unix::net::UnixStream::connect(path).expect("a listener");
                stream.set_nonblocking(true).expect("non-blocking");
                SystemClient::Unix(stream)
            }
            #[cfg(not(unix))]
            Address::Unix(_) => panic!("the library has no client for it here"),
        }
    }

    fn bulk_bytes(&self) -> usize {
        100 << 20
    }
}

impl Client for SystemClient {
    fn send(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            SystemClient::Tcp(stream) => stream.write(bytes),
            #[cfg(unix)]
            SystemClient::Unix(stream) => stream.write(bytes),
        }
    }

    fn receive(&mut self, buf: &mut Vec<u8>, max: usize) -> std::io::Result<usize> {
        let before = buf.len();
        buf.resize(before + max, 0);
        let result = match self {
            SystemClient::Tcp(stream) => stream.read(&mut buf[before..]),
            #[cfg(unix)]
            SystemClient::Unix(stream) => stream.read(&mut buf[before..]),
        };
        buf.truncate(before + *result.as_ref().unwrap_or(&0));
        result
    }

    fn shutdown_write(&mut self) {
        match self {
            SystemClient::Tcp(stream) => stream.shutdown(Shutdown::Write),
            #[cfg(unix)]
            SystemClient::Unix(stream) => stream.shutdown(Shutdown::Write),
        }
        .expect("an open connection");
    }

    fn reset(self) {
        match self {
            SystemClient::Tcp(stream) => {
                let socket = socket2::Socket::from(stream);
                // Closing with no time to linger sends a reset.
                socket
                    .set_linger(Some(std::time::Duration::ZERO))
                    .expect("an open connection");
            }
            #[cfg(unix)]
            SystemClient::Unix(_) => {}
        }
    }
}

/// The simulation.
pub(crate) struct Simulated {
    net: Net,
    bulk_bytes: usize,
}

impl Simulated {
    pub(crate) fn calm() -> Simulated {
        Simulated {
            net: Net::new(1, Weather::calm()),
            bulk_bytes: 20 << 20,
        }
    }

    /// Late and in pieces. The seed may be given, to repeat a failure.
    pub(crate) fn stormy() -> Simulated {
        let seed = std::env::var("SIM_SEED")
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(7);
        Simulated {
            net: Net::new(seed, Weather::stormy()),
            bulk_bytes: 5 << 20,
        }
    }

    pub(crate) fn threaded() -> Simulated {
        Simulated {
            net: Net::threaded(),
            bulk_bytes: 20 << 20,
        }
    }
}

impl World for Simulated {
    type Loop = SimLoop;
    type Client = Peer;

    fn driver(&self) -> SimLoop {
        self.net.driver()
    }

    fn connect(&self, to: &Address) -> Peer {
        self.net.connect(to).expect("a listener")
    }

    fn bulk_bytes(&self) -> usize {
        self.bulk_bytes
    }
}

impl Client for Peer {
    fn send(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Peer::send(self, bytes)
    }

    fn receive(&mut self, buf: &mut Vec<u8>, max: usize) -> std::io::Result<usize> {
        Peer::receive(self, buf, max)
    }

    fn shutdown_write(&mut self) {
        Peer::shutdown_write(self);
    }

    fn reset(self) {
        Peer::reset(self);
    }
}
