//! What a peer from another machine may do: protected mode, and parameters and commands that `local`
//! keeps for this machine. In the simulated world, so that no test listens to the outside or speaks to
//! an address that is not loopback.

use std::net::SocketAddr;
use std::sync::Arc;

use io::Address;
use io::sim::{Net, SimLoop, Weather};
use os::disk::{Disk, Simulated};
use server::config::Config;
use server::listen::{Listening, Wanted};
use server::worker::Worker;
use server::{Server, Start};

const HERE: &str = "127.0.0.1:6379";
/// A client that comes in at this address has one of the same machine, which is not ours.
const ELSEWHERE: &str = "10.0.0.1:6379";
/// Turns in which an answer must have come.
const TURNS_MAX: usize = 1_000;

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn make(config: &str) -> Arc<Server> {
    let config = Config::from_text(config.as_bytes(), &|_| false).expect("a valid configuration");
    let start = Start {
        workers: 1,
        renames: Vec::new(),
        seed: 1,
        run_id: "0".repeat(40),
        port: 0,
    };
    let server = Server::with_config_on(start, config, Disk::Simulated(Simulated::new()))
        .expect("nothing is renamed");
    let wanted = [HERE, ELSEWHERE].map(|at| Wanted {
        at: io::ListenAt::Tcp(address(at)),
        optional: false,
    });
    *server.listening.lock() = Listening {
        wanted: wanted.into(),
        ..Listening::default()
    };
    server
}

/// Connects, sends one line, and gives the first line of the answer.
fn ask(net: &Net, worker: &mut Worker<'_, SimLoop>, at: &str, line: &str) -> String {
    let mut peer = net
        .connect(&Address::Ip(address(at)))
        .expect("it listens there");
    // A peer that is turned away has perhaps been closed before it spoke.
    let _: std::io::Result<usize> = peer.send(format!("{line}\r\n").as_bytes());
    let mut got = Vec::new();
    for _ in 0..TURNS_MAX {
        worker.turn();
        let _: std::io::Result<usize> = peer.receive(&mut got, 4_096);
        if let Some(end) = got.windows(2).position(|two| two == b"\r\n") {
            return String::from_utf8_lossy(&got[..end]).into_owned();
        }
    }
    panic!("no answer to '{line}' at {at}");
}

/// Each step: where from, what is said, how the answer begins.
fn check(config: &str, steps: &[(&str, &str, &str)]) {
    let net = Net::new(1, Weather::calm());
    let server = make(config);
    let mut worker = Worker::new(0, &server, net.driver());
    worker.listen().expect("nobody else listens");
    for (at, line, expected) in steps {
        let answer = ask(&net, &mut worker, at, line);
        assert!(
            answer.starts_with(expected),
            "'{line}' at {at} with '{config}': {answer}"
        );
    }
}

#[test]
fn protected_mode_keeps_strangers_out() {
    check(
        "protected-mode yes",
        &[
            (ELSEWHERE, "PING", "-DENIED "),
            (HERE, "PING", "+PONG"),
            (HERE, "CONFIG SET protected-mode no", "+OK"),
            (ELSEWHERE, "PING", "+PONG"),
            (HERE, "CONFIG SET protected-mode yes", "+OK"),
            (ELSEWHERE, "PING", "-DENIED "),
        ],
    );
}

#[test]
fn a_password_is_protection_enough() {
    check(
        "protected-mode yes\nrequirepass secret",
        &[
            (ELSEWHERE, "PING", "-NOAUTH "),
            (ELSEWHERE, "AUTH secret", "+OK"),
        ],
    );
}

#[test]
fn local_means_this_machine() {
    let commands = ["CONFIG SET dbfilename x.rdb", "DEBUG SLEEP 0"];
    for (word, here, elsewhere) in [
        ("local", "+OK", "-ERR "),
        ("yes", "+OK", "+OK"),
        ("no", "-ERR ", "-ERR "),
    ] {
        let config = format!(
            "protected-mode no\nenable-protected-configs {word}\nenable-debug-command {word}"
        );
        for command in commands {
            check(
                &config,
                &[(HERE, command, here), (ELSEWHERE, command, elsewhere)],
            );
        }
    }
}
