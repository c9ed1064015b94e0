//! Parameters whose effect takes time: in the simulated world, where minutes pass at once. Part of
//! `config_effects.rs`' list.

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

/// Turns in which an answer must have come.
const TURNS_MAX: usize = 10_000;

fn here() -> SocketAddr {
    ([127, 0, 0, 1], 6379).into()
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
    server: &'w Server,
    worker: Worker<'w, SimLoop>,
    peer: Peer,
}

impl World<'_> {
    /// Sends lines and gives the last line of so many that are answered.
    fn ask(&mut self, lines: &str, answers: usize) -> String {
        let (mut to_send, mut got) = (lines.as_bytes(), Vec::new());
        for _ in 0..TURNS_MAX {
            if !to_send.is_empty() {
                // The wire may be full.
                to_send = &to_send[self.peer.send(to_send).unwrap_or(0)..];
            }
            self.worker.turn();
            let _: std::io::Result<usize> = self.peer.receive(&mut got, 1 << 20);
            let text = String::from_utf8_lossy(&got);
            if text.matches("\r\n").count() == answers {
                return text.lines().last().unwrap_or_default().to_owned();
            }
        }
        panic!("no answer to '{lines}'");
    }

    /// Lets time pass; gives in how many turns.
    fn pass(&mut self, time: Duration) -> u32 {
        let (until, mut turns) = (self.net.now() + time, 0);
        while self.net.now() < until {
            self.worker.turn();
            turns += 1;
        }
        turns
    }

    fn expired(&self) -> u64 {
        self.server.statistics().totals().active_expired
    }
}

fn in_a_world<R>(config: &str, test: impl FnOnce(&mut World<'_>) -> R) -> R {
    let net = Net::new(1, Weather::calm());
    let server = make(config);
    let mut worker = Worker::new(0, &server, net.driver());
    worker.listen().expect("nobody else listens");
    let peer = net.connect(&Address::Ip(here())).expect("it listens");
    test(&mut World {
        net,
        server: &server,
        worker,
        peer,
    })
}

/// Nothing else wakes an idle worker than its timers.
#[test]
fn hz_says_how_often_timers_run() {
    let runs_in_ten_seconds = |config: &str, change: &str| {
        in_a_world(config, |world| {
            if !change.is_empty() {
                assert_eq!(world.ask(change, 1), "+OK");
            }
            world.pass(Duration::from_secs(1));
            world.pass(Duration::from_secs(10))
        })
    };
    for (config, change, expected) in [
        ("hz 10", "", 100),
        ("hz 1", "", 10),
        ("hz 100", "", 1_000),
        ("hz 10", "CONFIG SET hz 50\r\n", 500),
    ] {
        let runs = runs_in_ten_seconds(config, change);
        assert!(
            runs.abs_diff(expected) <= expected / 10 + 1,
            "{runs} with '{config}' {change}"
        );
    }
}

/// Work takes time here whenever the clock is read, which the cycle does for each shard.
#[test]
fn active_expire_effort_says_how_long_a_cycle_may_take() {
    const KEYS: usize = 20_000;
    let first_cycle = |effort: u32| {
        let config = format!("hz 10\nenable-debug-command yes\nactive-expire-effort {effort}");
        in_a_world(&config, |world| {
            assert_eq!(world.ask("DEBUG SET-ACTIVE-EXPIRE 0\r\n", 1), "+OK");
            let sets: String = (0..KEYS).map(|n| format!("SET k{n} v PX 10\r\n")).collect();
            assert_eq!(world.ask(&sets, KEYS), "+OK");
            world.pass(Duration::from_secs(1));
            assert_eq!(world.expired(), 0);
            assert_eq!(world.ask("DEBUG SET-ACTIVE-EXPIRE 1\r\n", 1), "+OK");
            let before = world.expired();
            world.net.set_clock_step(Duration::from_millis(1));
            while world.expired() == before {
                world.worker.turn();
            }
            world.expired() - before
        })
    };
    let (least, most) = (first_cycle(1), first_cycle(10));
    // 25 and 43 of a hundred milliseconds.
    let ratio = most as f64 / least as f64;
    assert!(
        (1.5..2.0).contains(&ratio) && most < KEYS as u64,
        "{least} keys at effort 1, {most} at 10"
    );
}

#[test]
fn lfu_decay_time_is_the_minutes_in_which_a_use_is_forgotten() {
    let after_ten_minutes = |decay: u32| {
        let config =
            format!("maxmemory-policy allkeys-lfu\nlfu-log-factor 0\nlfu-decay-time {decay}");
        in_a_world(&config, |world| {
            assert_eq!(world.ask("SET k v\r\n", 1), "+OK");
            assert_eq!(world.ask(&"GET k\r\n".repeat(40), 80), "v");
            let frequency = |world: &mut World<'_>| {
                let answer = world.ask("OBJECT FREQ k\r\n", 1);
                answer[1..].parse::<i64>().expect("a number")
            };
            let before = frequency(world);
            assert!(before >= 40, "{before}");
            world.net.advance(Duration::from_secs(10 * 60));
            before - frequency(world)
        })
    };
    for (decay, forgotten) in [(1, 10), (5, 2), (0, 0), (20, 0)] {
        assert_eq!(after_ten_minutes(decay), forgotten, "{decay}");
    }
}
