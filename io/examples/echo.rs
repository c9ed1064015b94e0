//! An echo server: the smallest worker there can be, to measure what the loop itself costs.
//!
//!   cargo run --profile fast -p io --example echo -- 22010 &
//!   redis-benchmark -p 22010 -t ping_mbulk -n 1000000 -c 50 -P 1
//!
//! A request sent back is a reply that the benchmark understands. With a second argument `bare` (on
//! Linux) the same is done by hand with epoll, read and write, to compare.

use io::{Close, Completion, Driver, ListenAt, ListenOptions, Loop, Sent, SocketOptions};

fn main() -> std::io::Result<()> {
    let mut words = std::env::args().skip(1);
    let port = words
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(22010);
    let at = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    #[cfg(target_os = "linux")]
    if words.next().as_deref() == Some("bare") {
        return bare::run(at);
    }
    let mut net = Loop::new()?;
    net.listen(&ListenAt::Tcp(at), &ListenOptions::default())?;
    let mut out = Vec::new();
    // The connection that has sent and waits for the rest of its output is not read, as in a server
    // with a slow reader.
    loop {
        net.wait(None, &mut out)?;
        for completion in out.drain(..) {
            match completion {
                Completion::Accepted { socket, .. } => {
                    let token = net.attach(socket, &SocketOptions::default())?;
                    net.receive(token);
                }
                Completion::Received {
                    token,
                    buf,
                    result: Ok(1..),
                } => match net.send(token, buf.into()) {
                    Sent::Done {
                        chunks,
                        result: Ok(()),
                    } => {
                        net.recycle(chunks.into_spare());
                        net.receive(token);
                    }
                    Sent::Done { .. } => net.close(token, Close::Now),
                    Sent::Pending => {}
                },
                Completion::Sent {
                    token,
                    chunks,
                    result: Ok(()),
                } => {
                    net.recycle(chunks.into_spare());
                    net.receive(token);
                }
                Completion::Received { token, .. } | Completion::Sent { token, .. } => {
                    net.close(token, Close::Now);
                }
                Completion::AcceptPaused { error, .. } => eprintln!("accepting rests: {error}"),
                Completion::Connected { .. } | Completion::Readable { .. } => {}
            }
        }
    }
}

/// The same without any library, as the floor.
#[cfg(target_os = "linux")]
mod bare {
    use std::io::{Read, Write};
    use std::os::fd::AsRawFd;

    fn watch(epoll: i32, fd: i32, flags: i32) {
        let mut event = libc::epoll_event {
            events: flags as u32,
            u64: fd as u64,
        };
        // SAFETY: both descriptors are open and the event outlives the call.
        let done = unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, fd, &mut event) };
        assert_eq!(done, 0, "epoll_ctl");
    }

    pub(crate) fn run(at: std::net::SocketAddr) -> std::io::Result<()> {
        let listener = std::net::TcpListener::bind(at)?;
        // SAFETY: no pointers are involved.
        let epoll = unsafe { libc::epoll_create1(0) };
        watch(epoll, listener.as_raw_fd(), libc::EPOLLIN);
        let mut streams = std::collections::HashMap::new();
        let mut events = vec![libc::epoll_event { events: 0, u64: 0 }; 1024];
        let mut buf = vec![0; 16 * 1024];
        loop {
            // SAFETY: the pointer and the count describe `events`.
            let n = unsafe { libc::epoll_wait(epoll, events.as_mut_ptr(), 1024, -1) };
            for event in &events[..n.max(0) as usize] {
                let fd = event.u64 as i32;
                if fd == listener.as_raw_fd() {
                    let (stream, _) = listener.accept()?;
                    stream.set_nodelay(true)?;
                    watch(epoll, stream.as_raw_fd(), libc::EPOLLIN | libc::EPOLLET);
                    streams.insert(stream.as_raw_fd(), stream);
                    continue;
                }
                let Some(stream) = streams.get_mut(&fd) else {
                    continue;
                };
                match stream.read(&mut buf) {
                    Ok(n @ 1..) if stream.write_all(&buf[..n]).is_ok() => {}
                    _ => drop(streams.remove(&fd)),
                }
            }
        }
    }
}
