//! Any sequence of data commands on a whole server without sockets, and RESTORE with any bytes followed
//! by what reads and changes a value of that kind: `server/tests/sequences/mod.rs` says what is judged.
//!
//! The input chooses: each decision takes a byte or two of it, a payload as many as it says. One server
//! serves all inputs and is emptied between them, so that an input alone shows what it has found.
#![no_main]

#[path = "../../server/tests/sequences/mod.rs"]
mod harness;

use harness::requests::{Choose, Form};
use harness::{Rig, forms, server};
use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;
use std::sync::LazyLock;

/// Requests of one input: a sequence that takes long is not a hang.
const REQUESTS_MAX: usize = 40;

struct Input<'i>(&'i [u8]);

impl Input<'_> {
    fn take(&mut self, count: usize) -> &[u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

impl Choose for Input<'_> {
    fn below(&mut self, n: usize) -> usize {
        let bytes = self.take(if n > 256 { 2 } else { 1 });
        bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)) % n
    }

    /// A body with the version and checksum that a stranger can compute as well as we can.
    fn payload(&mut self) -> Vec<u8> {
        let count = 1 + self.below(512);
        let mut body = self.take(count).to_vec();
        body.extend_from_slice(&rdb::format::VERSION_WRITTEN.to_le_bytes());
        let checksum = rdb::crc::checksum(&body);
        body.extend_from_slice(&checksum.to_le_bytes());
        body
    }
}

static FORMS: LazyLock<Vec<Form>> = LazyLock::new(forms);

thread_local! {
    static RIG: RefCell<Rig<'static>> = RefCell::new(Rig::new(Box::leak(Box::new(server(1))), 1));
}

fuzz_target!(|input: &[u8]| {
    RIG.with_borrow_mut(|rig| {
        rig.begin_anew();
        rig.run(&FORMS, &mut Input(input), REQUESTS_MAX, |rest| rest.0.is_empty());
    });
});
