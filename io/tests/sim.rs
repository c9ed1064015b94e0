//! What only the simulation promises: it repeats, its time is its own, and what breaks is told.

use io::sim::{Net, SimLoop, Weather};
use io::{Close, Completion, Driver, ListenAt, ListenOptions, Sent, SocketOptions, Token};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

fn listen(net: &mut SimLoop) -> io::Address {
    let at = ListenAt::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    net.listen(&at, &ListenOptions::default())
        .expect("listening")
        .1
}

/// A short life of an echo server with ten clients, told line by line.
fn story(seed: u64, weather: Weather) -> Vec<String> {
    let net = Net::new(seed, weather);
    let mut server = net.driver();
    let address = listen(&mut server);
    let mut peers: Vec<_> = (0..10)
        .map(|_| net.connect(&address).expect("a listener"))
        .collect();
    let (mut told, mut out) = (Vec::new(), Vec::new());
    for round in 0..400 {
        if let Some(peer) = peers.get_mut(round % 20) {
            let sent = peer.send(format!("round {round}, and something to cut").as_bytes());
            told.push(format!("{round}: sent {sent:?}"));
        }
        server
            .wait(Some(Duration::from_millis(1)), &mut out)
            .expect("waiting");
        for completion in out.drain(..) {
            told.push(format!("{:?} {}", net.now(), tell(&mut server, completion)));
        }
        for (i, peer) in peers.iter_mut().enumerate() {
            let mut got = Vec::new();
            if let Ok(n) = peer.receive(&mut got, 1000) {
                told.push(format!("{i} got {n}"));
            }
        }
    }
    told
}

/// Handles a completion as an echo server does, and says what it was.
fn tell(server: &mut SimLoop, completion: Completion) -> String {
    match completion {
        Completion::Accepted { socket, .. } => {
            let peer = socket.peer().to_string();
            let token = server
                .attach(socket, &SocketOptions::default())
                .expect("attaching");
            server.receive(token);
            format!("{peer} is {token:?}")
        }
        Completion::Received {
            token,
            buf,
            result: Ok(n @ 1..),
        } => {
            match server.send(token, buf.into()) {
                Sent::Done { result: Ok(()), .. } => server.receive(token),
                Sent::Done { .. } => server.close(token, Close::Now),
                Sent::Pending => {}
            }
            format!("{token:?} received {n}")
        }
        Completion::Sent {
            token,
            result: Ok(()),
            ..
        } => {
            server.receive(token);
            format!("{token:?} sent")
        }
        Completion::Received { token, result, .. } => {
            server.close(token, Close::Now);
            format!("{token:?} {result:?}")
        }
        Completion::Sent { token, result, .. } => {
            server.close(token, Close::Now);
            format!("{token:?} {result:?}")
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let weather = Weather {
        resets_per_million: 20_000,
        ..Weather::stormy()
    };
    let first = story(1, weather.clone());
    assert!(first.len() > 100);
    assert_eq!(first, story(1, weather.clone()));
    assert_ne!(first, story(2, weather));
}

#[test]
fn resets_are_told_to_the_server() {
    let weather = Weather {
        resets_per_million: 200_000,
        ..Weather::stormy()
    };
    let told = story(3, weather);
    let broken = told
        .iter()
        .filter(|line| line.contains("ConnectionReset"))
        .count();
    assert!(broken >= 3, "{broken} of ten");
}

/// Ten minutes of silence with two timers, of which neither is late because of the other.
#[test]
fn time_moves_when_everybody_sleeps() {
    let net = Net::new(1, Weather::calm());
    let mut loops = [net.driver(), net.driver()];
    let periods = [Duration::from_millis(100), Duration::from_millis(7)];
    let mut due = periods;
    let mut out = Vec::new();
    let (begun, wall) = (Instant::now(), net.unix_time());
    while net.now() < Duration::from_secs(600) {
        for (i, driver) in loops.iter_mut().enumerate() {
            if driver.monotonic() >= due[i] {
                assert_eq!(driver.monotonic(), due[i], "not a nanosecond late");
                due[i] += periods[i];
            }
            driver
                .wait(Some(due[i] - driver.monotonic()), &mut out)
                .expect("waiting");
        }
    }
    assert!(begun.elapsed() < Duration::from_secs(60));
    assert_eq!(net.unix_time() - wall, net.now());
    net.set_unix_time(Duration::from_secs(5));
    assert_eq!(loops[0].unix_time(), Duration::from_secs(5));
}

/// A message to another loop stops time until that loop has read it.
#[test]
fn a_woken_loop_is_not_asleep() {
    let net = Net::new(1, Weather::calm());
    let (mut one, mut two) = (net.driver(), net.driver());
    let mut out = Vec::new();
    two.wait(Some(Duration::from_secs(9)), &mut out)
        .expect("waiting");
    two.waker().wake();
    one.wait(Some(Duration::from_secs(5)), &mut out)
        .expect("waiting");
    assert_eq!(net.now(), Duration::ZERO, "somebody has something to do");
    two.wait(Some(Duration::from_secs(9)), &mut out)
        .expect("waiting");
    // It has looked; now it sleeps too, and the first to be due is the other.
    assert_eq!(net.now(), Duration::ZERO);
    two.wait(Some(Duration::from_secs(9)), &mut out)
        .expect("waiting");
    assert_eq!(net.now(), Duration::from_secs(5));
}

/// Two threads and real time: what one sends the other gets.
#[test]
fn threads_talk() {
    const ROUNDS: usize = 2000;
    let net = Net::threaded();
    let mut server = net.driver();
    let address = listen(&mut server);
    let stop = server.waker();
    let done = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let seen = done.clone();
    let thread = std::thread::spawn(move || {
        let mut out = Vec::new();
        while !seen.load(std::sync::atomic::Ordering::Acquire) {
            server.wait(None, &mut out).expect("waiting");
            for completion in out.drain(..) {
                tell(&mut server, completion);
            }
        }
    });
    let mut client = net.driver();
    let token = client
        .connect(&address, None, &SocketOptions::default())
        .expect("a listener");
    let mut out = Vec::new();
    let mut next = |client: &mut SimLoop| -> Completion {
        while out.is_empty() {
            client
                .wait(Some(Duration::from_secs(10)), &mut out)
                .expect("waiting");
        }
        out.remove(0)
    };
    assert!(matches!(
        next(&mut client),
        Completion::Connected { result: Ok(()), .. }
    ));
    for round in 0..ROUNDS {
        ask(&mut client, token, round);
        match next(&mut client) {
            Completion::Received { buf, .. } => assert_eq!(buf, round.to_string().as_bytes()),
            other => panic!("{other:?}"),
        }
    }
    done.store(true, std::sync::atomic::Ordering::Release);
    stop.wake();
    thread.join().expect("no panic");
}

fn ask(client: &mut SimLoop, token: Token, round: usize) {
    let sent = client.send(token, round.to_string().into_bytes().into());
    assert!(matches!(sent, Sent::Done { result: Ok(()), .. }));
    client.receive(token);
}
