//! What parsing and answering cost: `cargo run --profile fast -p resp --example parse_speed`.
//!
//! Prints nanoseconds per request for pipelines of GET and SET of the benchmark's usual sizes, and
//! per bulk reply.
use resp::{Batch, Limits, Parsed, Parser, Proto, Reply};
use std::hint::black_box;
use std::time::Instant;

fn main() {
    let set = b"*3\r\n$3\r\nSET\r\n$16\r\nkey:000000123456\r\n$32\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n";
    let get = b"*2\r\n$3\r\nGET\r\n$16\r\nkey:000000123456\r\n";
    for (name, request) in [("SET", set.as_slice()), ("GET", get.as_slice())] {
        for pipeline in [1, 16, 128] {
            let input = request.repeat(pipeline);
            let (mut parser, mut batch) = (Parser::new(), Batch::default());
            let rounds = 8_000_000 / pipeline;
            let start = Instant::now();
            let mut bytes = 0;
            for _ in 0..rounds {
                let mut consumed = 0;
                while let Ok(Parsed::Request(request)) = parser.next(
                    black_box(&input),
                    &mut consumed,
                    &mut batch,
                    &Limits::default(),
                ) {
                    bytes += batch.args(&input, request).get(1).len();
                }
                batch.clear();
            }
            let each = start.elapsed().as_nanos() as f64 / (rounds * pipeline) as f64;
            println!("parse {name}, pipeline {pipeline}: {each:.1} ns ({bytes} key bytes)");
        }
    }
    let mut reply = Reply::new(Proto::Resp2);
    let mut spare = Vec::with_capacity(16 * 1024);
    let start = Instant::now();
    for _ in 0..500_000 {
        for _ in 0..16 {
            reply.bulk(black_box(&[b'x'; 32]));
        }
        spare = black_box(reply.take(spare)).into_parts().1;
    }
    println!(
        "bulk reply of 32 bytes: {:.1} ns",
        start.elapsed().as_nanos() as f64 / 8e6
    );
}
