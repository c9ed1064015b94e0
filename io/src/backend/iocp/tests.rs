//! What only a look inside can tell: the count of blocks, lent buffers, a system short of memory. All
//! that can be seen from outside is in `tests/conformance.rs`.

use super::output::SEND_PAUSE;
use super::*;
use std::net::TcpStream;

/// A loop, and a connection to it that both sides hold.
fn pair() -> (Loop, TcpStream, Token) {
    let mut net = Loop::new().expect("a loop");
    let at = ListenAt::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let (_, address) = net.listen(&at, &ListenOptions::default()).expect("a port");
    let Address::Ip(ip) = address else {
        panic!("asked for TCP")
    };
    let client = TcpStream::connect(ip).expect("a listener");
    let mut out = Vec::new();
    let end = real_monotonic() + Duration::from_secs(20);
    while real_monotonic() < end {
        net.wait(Some(Duration::from_millis(10)), &mut out)
            .expect("waiting");
        if let Some(Completion::Accepted { socket, .. }) = out.pop() {
            let token = net.attach(socket, &SocketOptions::default());
            return (net, client, token.expect("attaching"));
        }
    }
    panic!("nobody came")
}

#[test]
fn the_kernel_lets_go_of_everything() {
    let (mut net, _client, token) = pair();
    net.receive(token);
    let sent = net.send(token, vec![7; 32 << 20].into());
    assert!(matches!(sent, Sent::Pending), "nobody reads");
    // Accepts, a receive into the pool, and a part of the output.
    assert!(net.in_flight >= 3 && net.lent == 1, "{}", net.in_flight);
    assert_eq!(net.drain(), 0);
}

#[test]
fn what_was_received_before_a_cancel_serves_whoever_asks_next() {
    use std::io::Write;
    let (mut net, mut client, token) = pair();
    net.receive(token);
    net.cancel(token);
    client.write_all(b"abcdef").expect("an open connection");
    let mut out = Vec::new();
    let mut got = Vec::new();
    let end = real_monotonic() + Duration::from_secs(20);
    net.receive_into(token, Vec::with_capacity(4));
    while got.len() < 6 && real_monotonic() < end {
        net.wait(Some(Duration::from_millis(10)), &mut out)
            .expect("waiting");
        if let Some(Completion::Received { buf, result, .. }) = out.pop() {
            assert_eq!(result.expect("bytes"), buf.len());
            got.extend(buf);
            net.receive(token);
        }
    }
    assert_eq!(got, b"abcdef");
    assert_eq!(net.lent, 1, "one receive waits");
}

#[test]
fn few_pool_buffers_are_the_kernels() {
    let (mut net, mut client, token) = pair();
    net.lent = LENT_MAX;
    net.receive(token);
    assert_eq!(net.lent, LENT_MAX, "a receive of no bytes does it");
    std::io::Write::write_all(&mut client, b"x").expect("an open connection");
    let mut out = Vec::new();
    let end = real_monotonic() + Duration::from_secs(20);
    while out.is_empty() && real_monotonic() < end {
        net.wait(Some(Duration::from_millis(10)), &mut out)
            .expect("waiting");
    }
    let got = matches!(&out[..], [Completion::Received { buf, .. }] if buf == b"x");
    assert!(got, "{out:?}");
    net.lent = 0;
    net.receive(token);
    assert_eq!(net.lent, 1);
    net.close(token, Close::Now);
    while net.lent > 0 && real_monotonic() < end {
        net.wait(Some(Duration::from_millis(10)), &mut out)
            .expect("waiting");
    }
    assert_eq!(net.lent, 0, "a closed stream's comes back");
}

/// Waits until a send is over.
fn await_sent(net: &mut Loop) {
    let mut out = Vec::new();
    let end = real_monotonic() + Duration::from_secs(20);
    while real_monotonic() < end {
        net.wait(Some(Duration::from_millis(10)), &mut out)
            .expect("waiting");
        if let Some(Completion::Sent { chunks, result, .. }) = out.pop() {
            result.expect("a healthy connection");
            return assert!(chunks.is_empty(), "all went");
        }
    }
    panic!("it does not go on")
}

#[test]
fn output_that_finds_no_memory_goes_in_smaller_parts_or_later() {
    let (mut net, mut client, token) = pair();
    let bytes: Vec<u8> = (0..32 << 20).map(|i| (i % 251) as u8).collect();
    net.stream(token).part_bytes = 8 << 10;
    assert!(net.send_less(token, bytes.clone().into()).is_none());
    assert_eq!(net.stream(token).part_bytes, 4 << 10, "half, at once");
    assert!(net.stream(token).is_sending() && net.short.is_empty());
    let reader = std::thread::spawn(move || {
        let mut got = Vec::new();
        std::io::Read::read_to_end(&mut client, &mut got).map(|_| got)
    });
    await_sent(&mut net);
    // Not even the smallest part.
    net.stream(token).part_bytes = 4 << 10;
    let begun = real_monotonic();
    assert!(net.send_less(token, b"end".to_vec().into()).is_none());
    assert!(!net.short.is_empty(), "it rests");
    await_sent(&mut net);
    assert!(real_monotonic() - begun >= SEND_PAUSE);
    net.close(token, Close::Now);
    let got = reader.join().expect("no panic").expect("a clean end");
    assert!(got == [&bytes[..], b"end"].concat(), "{} bytes", got.len());
}

/// A port that is listened on is nobody else's, whatever the other asks for.
#[test]
fn strangers_do_not_get_the_port() {
    let mut net = Loop::new().expect("a loop");
    let at = ListenAt::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let (_, address) = net.listen(&at, &ListenOptions::default()).expect("a port");
    let Address::Ip(ip) = address else {
        panic!("asked for TCP")
    };
    let (domain, kind) = (socket2::Domain::IPV4, socket2::Type::STREAM);
    let stranger = socket2::Socket::new(domain, kind, None).expect("a socket");
    stranger.set_reuse_address(true).expect("it may ask");
    assert!(stranger.bind(&ip.into()).is_err());
}
