//! The cases. Each is written once, for any world.

use crate::app::{App, Manner, pattern};
use crate::world::{Client, World, loopback, loopback_v6};
use io::{
    Chunk, Chunks, Close, Completion, Driver, LINGER, ListenOptions, Sent, SocketOptions, Token,
    is_cancelled,
};
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

/// More than any kernel buffers for one connection.
const TOO_MUCH_BYTES: usize = 20 << 20;

/// Whether a send was done at once.
fn is_done(sent: Sent) -> bool {
    match sent {
        Sent::Done { chunks, result } => {
            result.expect("a healthy connection");
            assert!(chunks.is_empty(), "done is all");
            true
        }
        Sent::Pending => false,
    }
}

/// Sends a little, and waits until it has gone: in a storm even that may take a while.
fn say<D: Driver>(app: &mut App<D>, token: Token, bytes: &[u8]) {
    if !is_done(app.net.send(token, bytes.to_vec().into())) {
        app.await_seen(|seen| match seen {
            Completion::Sent {
                token: t,
                chunks,
                result: Ok(()),
            } if *t == token => {
                assert!(chunks.is_empty());
                Some(())
            }
            _ => None,
        });
    }
}

pub(crate) fn echo<W: World>(world: &W) {
    let mut app = App::new(world, Manner::Echo, &loopback());
    let (mut client, _) = app.client(world);
    for n in [1, 14, 16 * 1024, 16 * 1024 + 1, 100_000] {
        app.send_all(&mut client, &pattern(n));
        assert!(
            app.receive_exact(&mut client, n) == pattern(n),
            "{n} bytes come back"
        );
    }
}

/// Both directions at once, each slowed down by the other.
pub(crate) fn large_payload<W: World>(world: &W) {
    let mut app = App::new(world, Manner::Echo, &loopback());
    let (mut client, _) = app.client(world);
    let bytes = pattern(world.bulk_bytes());
    let (mut sent, mut got) = (0, Vec::with_capacity(bytes.len()));
    app.until(|_| {
        if sent < bytes.len() {
            match client.send(&bytes[sent..]) {
                Ok(n) => sent += n,
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
        match client.receive(&mut got, 64 << 10) {
            Ok(n) => assert!(n > 0, "no end was said"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        (got.len() == bytes.len()).then_some(())
    });
    assert!(got == bytes, "what comes back is what went out");
}

pub(crate) fn many_connections<W: World>(world: &W) {
    let mut app = App::new(world, Manner::Echo, &loopback());
    let mut clients = Vec::new();
    for i in 0..1000 {
        clients.push(world.connect(&app.address.clone()));
        if i % 100 == 99 {
            app.until(|app| (app.tokens.len() == i + 1).then_some(()));
        }
    }
    assert_eq!(app.net.live(), 1001);
    for round in 0..3 {
        for (i, client) in clients.iter_mut().enumerate() {
            app.send_all(client, format!("{i:04}{round:04}").as_bytes());
        }
        for (i, client) in clients.iter_mut().enumerate() {
            let got = app.receive_exact(client, 8);
            assert_eq!(got, format!("{i:04}{round:04}").as_bytes());
        }
    }
    drop(clients);
    app.until(|app| (app.net.live() == 1).then_some(()));
}

pub(crate) fn pipelined<W: World>(world: &W) {
    let mut app = App::new(world, Manner::Echo, &loopback());
    let (mut client, _) = app.client(world);
    let all: Vec<u8> = (0..20_000)
        .flat_map(|i| format!("{i:06};").into_bytes())
        .collect();
    for piece in all.chunks(100 * 7) {
        app.send_all(&mut client, piece);
    }
    assert!(app.receive_exact(&mut client, all.len()) == all, "in order");
}

/// A peer that has said all it had still hears the answer.
pub(crate) fn half_close<W: World>(world: &W) {
    let mut app = App::new(world, Manner::Echo, &loopback());
    let (mut client, _) = app.client(world);
    app.send_all(&mut client, b"hello");
    client.shutdown_write();
    let (got, ending) = app.receive_to_end(&mut client);
    ending.expect("a clean end");
    assert_eq!(got, b"hellobye");
    app.until(|app| (app.net.live() == 1).then_some(()));
}

pub(crate) fn reset_mid_send<W: World>(world: &W) {
    let mut app = App::new(world, Manner::Quiet, &loopback());
    let (client, token) = app.client(world);
    assert!(
        !is_done(app.net.send(token, pattern(TOO_MUCH_BYTES).into())),
        "nobody reads"
    );
    app.turn(Duration::from_millis(1));
    client.reset();
    let left = app.await_seen(|seen| match seen {
        Completion::Sent {
            token: t,
            chunks,
            result: Err(_),
        } if *t == token => Some(chunks.len()),
        _ => None,
    });
    assert!(left > 0, "what was not sent comes back");
    // A broken connection is a live token, and says what happened to whoever asks.
    app.net.receive(token);
    match app.await_received(token) {
        Ok(bytes) => assert!(bytes.is_empty(), "nothing was said"),
        Err(error) => assert!(!is_cancelled(&error)),
    }
    app.net.close(token, Close::Now);
    assert_eq!(app.net.live(), 1);
}

pub(crate) fn cancel_then_close<W: World>(world: &W) {
    let mut app = App::new(world, Manner::Quiet, &loopback());
    let (mut client, token) = app.client(world);
    let buf = Vec::with_capacity(100);
    let memory = buf.as_ptr();
    app.net.receive_into(token, buf);
    app.turn(Duration::from_millis(1));
    app.net.cancel(token);
    app.await_seen(|seen| match seen {
        Completion::Received {
            buf,
            result: Err(error),
            ..
        } => {
            assert!(is_cancelled(error));
            assert_eq!((buf.as_ptr(), buf.len(), buf.capacity()), (memory, 0, 100));
            Some(())
        }
        _ => None,
    });
    // Of these nothing is heard, although bytes come.
    app.net.receive(token);
    app.net.cancel(token);
    app.net.wait_readable(token);
    app.net.cancel(token);
    app.net.cancel(token);
    app.send_all(&mut client, b"late");
    (0..20).for_each(|_| app.turn(Duration::from_millis(1)));
    assert!(app.seen.is_empty(), "{:?}", app.seen);
    // And the bytes are not lost.
    app.net.receive(token);
    let mut got = app.await_received(token).expect("bytes");
    while got.len() < 4 {
        app.net.receive(token);
        got.extend(app.await_received(token).expect("bytes"));
    }
    assert_eq!(got, b"late");
    app.net.receive_into(token, Vec::with_capacity(100));
    app.net.close(token, Close::Now);
    let (rest, ending) = app.receive_to_end(&mut client);
    ending.expect("a clean end");
    assert!(rest.is_empty() && app.seen.is_empty());
}

pub(crate) fn wake_before_wait<W: World>(world: &W) {
    let mut net = world.driver();
    let waker = net.waker();
    let mut out = Vec::new();
    for _ in 0..3 {
        waker.wake();
        waker.clone().wake();
        let begun = std::time::Instant::now();
        net.wait(Some(Duration::from_secs(20)), &mut out)
            .expect("waiting");
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "it does not sleep"
        );
    }
    assert!(out.is_empty());
}

pub(crate) fn wake_from_another_thread<W: World>(world: &W) {
    let mut net = world.driver();
    let waker = net.waker();
    let (counted, mailbox) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        for i in 0..10_000 {
            counted.send(i).expect("the loop reads");
            waker.wake();
            if i % 1000 == 0 {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    });
    let (mut read, mut out) = (0, Vec::new());
    while read < 10_000 {
        // A lost wake-up would cost half a minute, and there are ten thousand chances.
        let begun = std::time::Instant::now();
        net.wait(Some(Duration::from_secs(30)), &mut out)
            .expect("waiting");
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "a wake-up was lost after {read}"
        );
        read += mailbox.try_iter().count();
    }
    thread.join().expect("no panic");
}

pub(crate) fn timers<W: World>(world: &W) {
    let mut net = world.driver();
    let mut out = Vec::new();
    for timeout in [Duration::from_millis(1), Duration::from_millis(30)] {
        let begun = net.monotonic();
        let mut waits = 0;
        while net.monotonic() < begun + timeout {
            let left = begun + timeout - net.monotonic();
            net.wait(Some(left), &mut out).expect("waiting");
            waits += 1;
        }
        let took = net.monotonic() - begun;
        assert!(took < timeout + Duration::from_secs(1), "{took:?}");
        assert!(waits < 20, "{waits} waits are busy waiting");
    }
    assert!(net.unix_time() > Duration::from_secs(1_600_000_000));
}

/// One loop accepts, another serves.
pub(crate) fn handover<W: World>(world: &W) {
    fn is_send<T: Send>(_: &T) {}
    let mut front = App::new(world, Manner::Collect, &loopback());
    let mut back = App::new(world, Manner::Echo, &loopback());
    let mut client = world.connect(&front.address.clone());
    front.until(|app| {
        // Not zero: in the simulation a loop that does not sleep holds up time.
        back.turn(Duration::from_micros(100));
        (!app.sockets.is_empty()).then_some(())
    });
    let socket = front.sockets.pop().expect("just seen");
    is_send(&socket);
    assert!(socket.peer().is_local());
    assert_eq!(socket.local().expect("bound"), front.address);
    let token = back
        .net
        .attach(socket, &SocketOptions::default())
        .expect("attaching");
    back.net.receive(token);
    assert_eq!(back.net.local_address(token).expect("bound"), front.address);
    drop(front);
    back.send_all(&mut client, b"over here");
    assert_eq!(back.receive_exact(&mut client, 9), b"over here");
}

/// Large shared values leave piece by piece as the reader takes them, and are let go.
pub(crate) fn slow_reader<W: World>(world: &W) {
    let mut app = App::new(world, Manner::Quiet, &loopback());
    let (mut client, token) = app.client(world);
    let value = Arc::new(pattern(TOO_MUCH_BYTES));
    let mut pieces: Vec<Chunk> = vec![Chunk::Bytes(b"begin".to_vec())];
    pieces.push(Chunk::Shared(value.clone(), 0..TOO_MUCH_BYTES / 2));
    pieces.extend((0..200).map(|i| Chunk::Bytes(vec![i as u8; i])));
    pieces.push(Chunk::Shared(
        value.clone(),
        TOO_MUCH_BYTES / 2..TOO_MUCH_BYTES,
    ));
    let middle: Vec<u8> = (0..200).flat_map(|i| vec![i as u8; i]).collect();
    let (front, back) = value.split_at(TOO_MUCH_BYTES / 2);
    let expected = [b"begin", front, &middle, back, b"end"].concat();
    let chunks = Chunks::new(pieces, b"end".to_vec());
    assert_eq!(chunks.len(), expected.len());
    assert!(!is_done(app.net.send(token, chunks)));
    // A turn between any two reads of 64 KiB.
    let mut got = Vec::new();
    app.until(|_| {
        match client.receive(&mut got, 64 * 1024) {
            Ok(n) => assert!(n > 0, "no end was said"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        (got.len() == expected.len()).then_some(())
    });
    assert!(got == expected, "in order and whole");
    app.await_seen(|seen| match seen {
        Completion::Sent {
            chunks,
            result: Ok(()),
            ..
        } => {
            assert!(chunks.is_empty());
            Some(())
        }
        _ => None,
    });
    assert_eq!(Arc::strong_count(&value), 1);
    // And the connection goes on.
    say(&mut app, token, b"more");
    assert_eq!(app.receive_exact(&mut client, 4), b"more");
}

pub(crate) fn token_reuse<W: World>(world: &W) {
    let mut app = App::new(world, Manner::Quiet, &loopback());
    let (client, old) = app.client(world);
    app.net.receive(old);
    app.net.close(old, Close::Now);
    drop(client);
    let (mut client, new) = app.client(world);
    assert_ne!(old, new);
    app.net.receive(new);
    app.send_all(&mut client, b"x");
    assert_eq!(app.await_received(new).expect("a byte"), b"x");
    assert!(
        app.seen.is_empty(),
        "of the old one nothing is heard: {:?}",
        app.seen
    );
    let misused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| app.net.receive(old)));
    assert!(misused.is_err(), "a dead token is a mistake");
}

pub(crate) fn wait_readable_then_receive<W: World>(world: &W) {
    let mut app = App::new(world, Manner::Quiet, &loopback());
    let (mut client, token) = app.client(world);
    let readable = |seen: &Completion| match seen {
        Completion::Readable { token: t } => {
            assert_eq!(*t, token);
            Some(())
        }
        _ => None,
    };
    app.net.wait_readable(token);
    (0..20).for_each(|_| app.turn(Duration::from_millis(1)));
    assert!(app.seen.is_empty(), "nothing was said: {:?}", app.seen);
    app.send_all(&mut client, b"abc");
    app.await_seen(readable);
    // It takes nothing: asked again, it says so again.
    app.net.wait_readable(token);
    app.await_seen(readable);
    let mut got = Vec::new();
    while got.len() < 3 {
        app.net.receive(token);
        got.extend(app.await_received(token).expect("bytes"));
    }
    assert_eq!(got, b"abc");
    // The end is something, too.
    app.net.wait_readable(token);
    client.shutdown_write();
    app.await_seen(readable);
    app.net.receive(token);
    assert_eq!(app.await_received(token).expect("the end"), b"");
    app.net.receive(token);
    assert_eq!(app.await_received(token).expect("still the end"), b"");
}

/// A large word is received behind what is already there, and never beyond the room.
pub(crate) fn receive_into_fills_the_given_buffer<W: World>(world: &W) {
    let mut app = App::new(world, Manner::Quiet, &loopback());
    let (mut client, token) = app.client(world);
    let bytes = pattern(1 << 20);
    let mut buf = Vec::with_capacity(bytes.len());
    buf.extend_from_slice(&bytes[..1000]);
    let memory = buf.as_ptr();
    let mut sent = 1000;
    let rest = [&bytes[..], b"tail"].concat();
    app.net.receive_into(token, buf);
    let whole = app.until(|app| {
        if sent < rest.len() {
            match client.send(&rest[sent..]) {
                Ok(n) => sent += n,
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
        match app.seen.pop() {
            Some(Completion::Received { buf, result, .. }) => {
                assert!(result.expect("bytes") > 0);
                if buf.len() == bytes.len() {
                    return Some(buf);
                }
                app.net.receive_into(token, buf);
            }
            Some(other) => panic!("{other:?}"),
            None => {}
        }
        None
    });
    assert!(whole == bytes && whole.as_ptr() == memory);
    app.send_all(&mut client, &rest[sent..]);
    let mut tail = Vec::new();
    while tail.len() < 4 {
        app.net.receive(token);
        tail.extend(app.await_received(token).expect("bytes"));
    }
    assert_eq!(tail, b"tail");
}

/// IPv4 and IPv6 at one port, each its own listener.
pub(crate) fn both_families<W: World>(world: &W) {
    let mut app = App::new(world, Manner::Echo, &loopback());
    let port = app.address.port().expect("TCP");
    let four = app.listener;
    let at = loopback_v6(port);
    let (six, address) = match app.net.listen(&at, &ListenOptions::default()) {
        Ok(listening) => listening,
        // A machine without IPv6 has nothing to show.
        Err(error) if error.kind() == ErrorKind::AddrNotAvailable => return,
        Err(error) => panic!("{error}"),
    };
    assert_eq!(address.to_string(), format!("[::1]:{port}"));
    let (mut client, _) = app.client(world);
    app.send_all(&mut client, b"four");
    assert_eq!(app.receive_exact(&mut client, 4), b"four");
    (app.listener, app.address) = (six, address);
    let (mut client, _) = app.client(world);
    app.send_all(&mut client, b"six");
    assert_eq!(app.receive_exact(&mut client, 3), b"six");
    app.net.close(six, Close::Now);
    app.net.close(four, Close::Now);
    assert_eq!(app.net.live(), 2);
}

/// Input that nobody read must not cost the peer the reply.
pub(crate) fn polite_close_delivers_the_last_reply<W: World>(world: &W) {
    let mut app = App::new(world, Manner::Quiet, &loopback());
    let (mut client, token) = app.client(world);
    app.send_all(&mut client, &pattern(100_000));
    (0..20).for_each(|_| app.turn(Duration::from_millis(1)));
    say(&mut app, token, b"-ERR go away\r\n");
    app.net.close(token, Close::Polite);
    assert_eq!(app.net.live(), 1, "dead for the server at once");
    // More comes after the close.
    app.send_all(&mut client, &pattern(100_000));
    let (got, ending) = app.receive_to_end(&mut client);
    ending.expect("a clean end");
    assert_eq!(got, b"-ERR go away\r\n");
    assert!(app.seen.is_empty());
}

pub(crate) fn polite_close_finishes_a_pending_send<W: World>(world: &W) {
    let mut app = App::new(world, Manner::Quiet, &loopback());
    let (mut client, token) = app.client(world);
    let bytes = pattern(2 << 20);
    let _ = app.net.send(token, bytes.clone().into());
    app.net.close(token, Close::Polite);
    let (got, ending) = app.receive_to_end(&mut client);
    ending.expect("a clean end");
    assert!(got == bytes, "{} of {} bytes", got.len(), bytes.len());
    assert!(app.seen.is_empty());
}

pub(crate) fn polite_close_gives_up_on_a_silent_peer<W: World>(world: &W) {
    let mut app = App::new(world, Manner::Quiet, &loopback());
    let (mut client, token) = app.client(world);
    let value = Arc::new(pattern(TOO_MUCH_BYTES));
    let all = [Chunk::Shared(value.clone(), 0..value.len())];
    assert!(!is_done(app.net.send(token, Chunks::new(all, Vec::new()))));
    let begun = app.net.monotonic();
    app.net.close(token, Close::Polite);
    app.until(|_| (Arc::strong_count(&value) == 1).then_some(()));
    let took = app.net.monotonic() - begun;
    assert!(took >= LINGER && took < LINGER * 3, "{took:?}");
    let (got, _) = app.receive_to_end(&mut client);
    assert!(got.len() < value.len());
}

pub(crate) fn close_now_lets_go_of_output<W: World>(world: &W) {
    let mut app = App::new(world, Manner::Quiet, &loopback());
    let (mut client, token) = app.client(world);
    let value = Arc::new(pattern(TOO_MUCH_BYTES));
    let all = [Chunk::Shared(value.clone(), 0..value.len())];
    assert!(!is_done(app.net.send(token, Chunks::new(all, Vec::new()))));
    app.net.close(token, Close::Now);
    app.until(|_| (Arc::strong_count(&value) == 1).then_some(()));
    let (got, _) = app.receive_to_end(&mut client);
    assert!(got.len() < value.len());
    assert!(
        app.seen.is_empty(),
        "a closed token is silent: {:?}",
        app.seen
    );
}

pub(crate) fn connect_out<W: World>(world: &W) {
    let mut app = App::new(world, Manner::Quiet, &loopback());
    let address = app.address.clone();
    let options = SocketOptions::default();
    let out = app
        .net
        .connect(&address, None, &options)
        .expect("beginning");
    let connected = |seen: &Completion| match seen {
        Completion::Connected { token, result } => Some((*token, result.is_ok())),
        _ => None,
    };
    assert_eq!(app.await_seen(connected), (out, true));
    let back = app.until(|app| app.tokens.first().copied());
    say(&mut app, out, b"ping");
    let mut got = Vec::new();
    while got.len() < 4 {
        app.net.receive(back);
        got.extend(app.await_received(back).expect("bytes"));
    }
    assert_eq!(got, b"ping");
    app.net.close(back, Close::Now);
    app.net.receive(out);
    assert_eq!(app.await_received(out).expect("the end"), b"");
    app.net.close(out, Close::Now);
    // Nobody there: refused at once or a moment later.
    app.net.close(app.listener, Close::Now);
    match app.net.connect(&address, None, &options) {
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionRefused),
        Ok(token) => {
            assert_eq!(app.await_seen(connected), (token, false));
            app.net.close(token, Close::Now);
        }
    }
    assert_eq!(app.net.live(), 0);
}

/// The server may end its direction and go on listening.
pub(crate) fn shutdown_write<W: World>(world: &W) {
    let mut app = App::new(world, Manner::Quiet, &loopback());
    let (mut client, token) = app.client(world);
    say(&mut app, token, b"last words");
    app.net.shutdown_write(token);
    let (got, ending) = app.receive_to_end(&mut client);
    ending.expect("a clean end");
    assert_eq!(got, b"last words");
    app.send_all(&mut client, b"!");
    app.net.receive(token);
    assert_eq!(app.await_received(token).expect("a byte"), b"!");
}

pub(crate) fn options<W: World>(world: &W) {
    let mut app = App::new(world, Manner::Collect, &loopback());
    let mut client = world.connect(&app.address.clone());
    app.until(|app| (!app.sockets.is_empty()).then_some(()));
    let options = SocketOptions {
        keepalive_secs: Some(300),
        send_buffer_bytes: Some(64 * 1024),
        receive_buffer_bytes: Some(64 * 1024),
        ..SocketOptions::default()
    };
    let socket = app.sockets.pop().expect("just seen");
    let token = app.net.attach(socket, &options).expect("attaching");
    say(&mut app, token, b"hi");
    assert!(
        is_done(app.net.send(token, Vec::new().into())),
        "nothing is sent at once"
    );
    assert_eq!(app.receive_exact(&mut client, 2), b"hi");
}

/// However much one connection has, the others have their turn.
pub(crate) fn one_receive_for_each_turn<W: World>(world: &W) {
    let mut app = App::new(world, Manner::Quiet, &loopback());
    let (mut busy, token) = app.client(world);
    app.send_all(&mut busy, &pattern(200_000));
    (0..20).for_each(|_| app.turn(Duration::from_millis(1)));
    let mut got = Vec::new();
    while got.len() < 200_000 {
        app.net.receive(token);
        app.until(|app| (!app.seen.is_empty()).then_some(()));
        assert_eq!(app.seen.len(), 1, "one operation, one completion");
        match app.seen.pop() {
            Some(Completion::Received {
                buf, result: Ok(n), ..
            }) => {
                assert_eq!(n, buf.len());
                got.extend_from_slice(&buf);
                app.net.recycle(buf);
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(got == pattern(200_000));
}

/// Connections that say nothing cost no turns.
pub(crate) fn silence_is_cheap<W: World>(world: &W) {
    let mut app = App::new(world, Manner::Quiet, &loopback());
    let (mut client, token) = app.client(world);
    app.net.receive(token);
    // A full exchange first, so that every flag has been set once.
    app.send_all(&mut client, b"x");
    assert_eq!(app.await_received(token).expect("a byte"), b"x");
    say(&mut app, token, b"y");
    assert_eq!(app.receive_exact(&mut client, 1), b"y");
    app.net.receive(token);
    app.turn(Duration::ZERO);
    let (begun, mut turns) = (std::time::Instant::now(), 0);
    while begun.elapsed() < Duration::from_millis(200) {
        app.turn(Duration::from_millis(200));
        turns += 1;
    }
    assert!(
        turns <= 4,
        "{turns} turns in a fifth of a second of silence"
    );
}

#[cfg(unix)]
pub(crate) fn unix_socket<W: World>(world: &W) {
    use std::os::unix::fs::PermissionsExt;
    let folder = std::env::temp_dir().join(format!("io-conformance-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join("redstart.sock");
    let at = io::ListenAt::Unix {
        path: path.clone(),
        mode: Some(0o600),
    };
    // What a killed server has left behind is replaced.
    drop(std::os::unix::net::UnixListener::bind(&path).expect("a socket file"));
    let mut app = App::new(world, Manner::Echo, &at);
    let mode = std::fs::metadata(&path)
        .expect("a file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(app.address, io::Address::Unix(path.clone()));
    let (mut client, token) = app.client(world);
    assert_eq!(
        app.net.local_address(token).expect("bound").to_string(),
        format!("{}:0", path.display())
    );
    app.send_all(&mut client, &pattern(1_000_000)[..100_000]);
    assert!(app.receive_exact(&mut client, 100_000) == pattern(100_000));
    client.shutdown_write();
    let (got, ending) = app.receive_to_end(&mut client);
    ending.expect("a clean end");
    assert_eq!(got, b"bye");
    app.net.close(app.listener, Close::Now);
    assert!(!path.exists(), "the file goes with the listener");
    // A file that is no socket is left alone.
    std::fs::write(&path, b"precious").expect("a file");
    let refused = app.net.listen(&at, &ListenOptions::default());
    assert_eq!(refused.expect_err("taken").kind(), ErrorKind::AddrInUse);
    assert_eq!(std::fs::read(&path).expect("still there"), b"precious");
    std::fs::remove_dir_all(&folder).expect("cleaning up");
}
