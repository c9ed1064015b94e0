//! A process without descriptors left must not spin. A test program of its own, because the limit
//! holds for the whole process.
#![cfg(target_os = "linux")]

use io::{ACCEPT_PAUSE, Close, Completion, Driver, ListenAt, ListenOptions, Loop, SocketOptions};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

fn descriptor_limit() -> libc::rlimit {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the pointer is to a live structure of the right type.
    let done = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) };
    assert_eq!(done, 0);
    limit
}

fn set_descriptor_limit(limit: &libc::rlimit) {
    // SAFETY: the pointer is to a live structure of the right type.
    let done = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, limit) };
    assert_eq!(done, 0);
}

#[test]
fn accepting_rests_when_there_are_no_descriptors() {
    let mut net = Loop::new().expect("a loop");
    let at = ListenAt::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let (listener, address) = net
        .listen(&at, &ListenOptions::default())
        .expect("listening");
    let port = address.port().expect("TCP");
    let connect = || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("the backlog");
    let mut out = Vec::new();

    // One connection is accepted, then every descriptor is taken, and two more come.
    let first = connect();
    while out.is_empty() {
        net.wait(Some(Duration::from_secs(1)), &mut out)
            .expect("waiting");
    }
    let Some(Completion::Accepted { socket, .. }) = out.pop() else {
        panic!("accepted")
    };
    let token = net
        .attach(socket, &SocketOptions::default())
        .expect("attaching");
    let waiting = [connect(), connect()];
    let limit = descriptor_limit();
    set_descriptor_limit(&libc::rlimit {
        rlim_cur: 3,
        ..limit
    });

    let begun = Instant::now();
    let (mut pauses, mut waits) = (0, 0);
    while begun.elapsed() < ACCEPT_PAUSE * 4 {
        net.wait(Some(Duration::from_secs(1)), &mut out)
            .expect("waiting");
        waits += 1;
        for completion in out.drain(..) {
            match completion {
                Completion::AcceptPaused { listener: l, error } => {
                    assert_eq!((l, error.raw_os_error()), (listener, Some(libc::EMFILE)));
                    pauses += 1;
                }
                other => panic!("{other:?}"),
            }
        }
    }
    assert!(
        (3..=5).contains(&pauses),
        "{pauses} pauses in four times a pause"
    );
    assert!(waits < 20, "{waits} waits are spinning");

    set_descriptor_limit(&limit);
    let begun = Instant::now();
    while out.len() < 2 {
        net.wait(Some(Duration::from_secs(1)), &mut out)
            .expect("waiting");
        assert!(
            begun.elapsed() < ACCEPT_PAUSE * 5,
            "those who waited get in"
        );
    }
    net.close(token, Close::Now);
    drop((first, waiting));
}
