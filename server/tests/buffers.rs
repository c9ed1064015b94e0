//! A connection's buffers as CLIENT LIST shows them: in the simulated world, whose time is ours.
//!
//! Redis's own tests of them (unit/querybuf, unit/replybufsize) run in `cargo xtask redis-suite`. One
//! of these asks what Redis has not said since 7.4: that small requests leave a buffer with the
//! client. What 8.0 says is asked here.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use io::Address;
use io::sim::{Net, Peer, SimLoop, Weather};
use os::disk::{Disk, Simulated};
use server::config::Config;
use server::listen::{Listening, Wanted};
use server::worker::Worker;
use server::{Server, Start};

const HERE: &str = "127.0.0.1:6379";
/// Turns in which an answer must have come.
const TURNS_MAX: usize = 5_000;

fn here() -> SocketAddr {
    HERE.parse().expect("an address")
}

fn make() -> Arc<Server> {
    let config = Config::from_text(b"enable-debug-command yes", &|_| false).expect("valid");
    let start = Start {
        workers: 1,
        renames: Vec::new(),
        seed: 1,
        run_id: "0".repeat(40),
        port: 0,
    };
    let server = Server::with_config_on(start, config, Disk::Simulated(Simulated::new()))
        .expect("nothing is renamed");
    *server.listening.lock() = Listening {
        wanted: vec![Wanted {
            at: io::ListenAt::Tcp(here()),
            optional: false,
        }],
        ..Listening::default()
    };
    server
}

struct World<'w> {
    net: Net,
    worker: Worker<'w, SimLoop>,
}

impl World<'_> {
    fn connect(&mut self) -> Peer {
        self.net.connect(&Address::Ip(here())).expect("it listens")
    }

    /// Sends bytes and gives what has come once it ends in `end`.
    fn ask(&mut self, peer: &mut Peer, bytes: &[u8], end: &str) -> String {
        let (mut sent, mut got) = (0, Vec::new());
        for _ in 0..TURNS_MAX {
            if sent < bytes.len() {
                // The wire may be full.
                sent += peer.send(&bytes[sent..]).unwrap_or(0);
            }
            self.worker.turn();
            let _: std::io::Result<usize> = peer.receive(&mut got, 1 << 20);
            if got.ends_with(end.as_bytes()) {
                return String::from_utf8_lossy(&got).into_owned();
            }
        }
        panic!("no answer that ends in '{end}', but {} bytes", got.len());
    }

    /// Lets time pass.
    fn pass(&mut self, time: Duration) {
        let until = self.net.now() + time;
        while self.net.now() < until {
            self.worker.turn();
        }
    }

    /// A number in the line of the client called `subject`, as `watcher` sees it.
    fn figures<const N: usize>(&mut self, watcher: &mut Peer, fields: [&str; N]) -> [u64; N] {
        let list = self.ask(watcher, b"CLIENT LIST\r\n", "\n\r\n");
        let line = list
            .lines()
            .find(|line| line.contains(" name=subject "))
            .expect("it is connected");
        fields.map(|field| {
            let word = line
                .split(' ')
                .find_map(|word| word.strip_prefix(field)?.strip_prefix('='));
            word.expect("the field").parse().expect("a number")
        })
    }
}

fn in_a_world(test: impl FnOnce(&mut World<'_>, &mut Peer, &mut Peer)) {
    let net = Net::new(1, Weather::calm());
    let server = make();
    let mut worker = Worker::new(0, &server, net.driver());
    worker.listen().expect("nobody else listens");
    let mut world = World { net, worker };
    let (mut subject, mut watcher) = (world.connect(), world.connect());
    world.ask(&mut subject, b"CLIENT SETNAME subject\r\n", "+OK\r\n");
    test(&mut world, &mut subject, &mut watcher);
}

/// SET with a value so long that it is received apart.
fn large() -> Vec<u8> {
    let mut bytes = b"*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$400000\r\n".to_vec();
    bytes.extend(std::iter::repeat_n(b'A', 400_000));
    bytes.extend(b"\r\n");
    bytes
}

#[test]
fn small_requests_leave_no_query_buffer() {
    in_a_world(|world, subject, watcher| {
        let fields = ["qbuf", "qbuf-free", "argv-mem"];
        assert_eq!(world.figures(watcher, fields), [0, 0, 0]);
        // Half a request is kept, at its size.
        let half = b"*2\r\n$4\r\nECHO\r\n$5\r\nhe";
        subject.send(half).expect("it reads");
        world.pass(Duration::from_millis(10));
        let [held, free, words] = world.figures(watcher, fields);
        assert!(held + words > 0 && held + free <= 64, "{held} {free}");
        world.ask(subject, b"llo\r\n", "hello\r\n");
        assert_eq!(world.figures(watcher, fields), [0, 0, 0]);
    });
}

#[test]
fn a_large_word_brings_a_buffer_that_shrinks_and_goes() {
    in_a_world(|world, subject, watcher| {
        let fields = ["qbuf", "qbuf-free", "tot-mem"];
        world.pass(Duration::from_secs(1));
        let [_, _, before] = world.figures(watcher, fields);
        world.ask(subject, &large(), "+OK\r\n");
        let [held, free, total] = world.figures(watcher, fields);
        assert_eq!((held, free, total - before), (0, 64 * 1024, 64 * 1024));
        // Who goes on with small requests keeps the smallest.
        for _ in 0..20 {
            world.ask(subject, b"PING\r\n", "+PONG\r\n");
            world.pass(Duration::from_millis(150));
        }
        assert_eq!(world.figures(watcher, fields)[1], 16 * 1024);
        // Who goes on with large ones gets the largest again and keeps it.
        for _ in 0..20 {
            world.ask(subject, &large(), "+OK\r\n");
            world.pass(Duration::from_millis(150));
            assert!(world.figures(watcher, fields)[1] >= 32 * 1024);
        }
        // Who is silent has none after two seconds.
        world.pass(Duration::from_millis(1_700));
        assert!(world.figures(watcher, fields)[1] > 0);
        world.pass(Duration::from_millis(800));
        assert_eq!(world.figures(watcher, fields), [0, 0, before]);
        // And is heard all the same.
        world.ask(subject, b"PING\r\n", "+PONG\r\n");
        world.ask(subject, &large(), "+OK\r\n");
        assert_eq!(world.figures(watcher, fields)[1], 64 * 1024);
    });
}

#[test]
fn only_so_many_have_a_buffer_of_their_own() {
    in_a_world(|world, subject, watcher| {
        let others: Vec<Peer> = (0..64)
            .map(|_| {
                let mut other = world.connect();
                world.ask(&mut other, &large(), "+OK\r\n");
                other
            })
            .collect();
        world.ask(subject, &large(), "+OK\r\n");
        assert_eq!(world.figures(watcher, ["qbuf-free"]), [0]);
        drop(others);
        world.pass(Duration::from_millis(50));
        world.ask(subject, &large(), "+OK\r\n");
        assert_eq!(world.figures(watcher, ["qbuf-free"]), [64 * 1024]);
    });
}

#[test]
fn the_room_for_replies_follows_their_length() {
    in_a_world(|world, subject, watcher| {
        let fields = ["rbs", "rbp"];
        let second = Duration::from_secs(1);
        let value = "v".repeat(20_000);
        world.ask(watcher, format!("SET k {value}\r\n").as_bytes(), "+OK\r\n");
        assert_eq!(world.figures(watcher, fields), [16_384, 16_384]);
        // The first guess stands for five seconds.
        world.pass(4 * second);
        assert_eq!(world.figures(watcher, fields), [16_384, 16_384]);
        world.pass(2 * second);
        assert_eq!(world.figures(watcher, fields), [1_024, 0]);
        world.ask(
            watcher,
            b"DEBUG REPLYBUFFER PEAK-RESET-TIME NEVER\r\n",
            "+OK\r\n",
        );
        for _ in 0..6 {
            world.ask(subject, b"GET k\r\n", "v\r\n");
            world.pass(second / 4);
        }
        let [room, peak] = world.figures(watcher, fields);
        assert!(room == 16_384 && peak > 20_000, "{room} {peak}");
        world.pass(20 * second);
        assert_eq!(world.figures(watcher, fields), [room, peak]);
        world.ask(watcher, b"DEBUG REPLYBUFFER RESIZING 0\r\n", "+OK\r\n");
        world.ask(
            watcher,
            b"DEBUG REPLYBUFFER PEAK-RESET-TIME 100\r\n",
            "+OK\r\n",
        );
        world.pass(second);
        assert_eq!(world.figures(watcher, fields), [room, 0]);
        world.ask(watcher, b"DEBUG REPLYBUFFER RESIZING 1\r\n", "+OK\r\n");
        world.pass(second);
        assert_eq!(world.figures(watcher, fields), [1_024, 0]);
        // Room is no memory: the idle client holds none of it.
        let [total] = world.figures(watcher, ["tot-mem"]);
        assert!(total < 1_024 + 1_024, "{total}");
    });
}
