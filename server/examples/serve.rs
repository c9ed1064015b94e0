//! A server without configuration file or log, to measure with: `serve PORT WORKERS`.
use std::net::SocketAddr;

use server::listen::{Listening, Wanted};
use server::{Live, Server, Start};

#[global_allocator]
static ALLOCATOR: os::alloc::Counting = os::alloc::Counting;

fn main() {
    let number = |i| {
        std::env::args()
            .nth(i)
            .and_then(|text| text.parse::<u16>().ok())
    };
    let (port, workers) = (number(1).unwrap_or(23000), number(2).unwrap_or(1));
    os::clock::calibrate();
    let start = Start {
        workers: workers.into(),
        renames: Vec::new(),
        seed: 1,
        run_id: "0".repeat(40),
        port,
    };
    let server = Server::new(start, Live::default()).expect("no renames");
    let at = io::ListenAt::Tcp(SocketAddr::from(([127, 0, 0, 1], port)));
    *server.listening.lock() = Listening {
        wanted: vec![Wanted {
            at,
            optional: false,
        }],
        ..Listening::default()
    };
    let running = server::run::start(&server).expect("the port is free");
    std::process::exit(running.wait());
}
