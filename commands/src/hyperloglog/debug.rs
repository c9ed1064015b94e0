//! PFDEBUG, PFSELFTEST: a look inside.

use std::fmt::Write;

use store::Slot;

use super::add::{sparse_bytes_max, write_back};
use super::estimate::place;
use super::sketch::{Corrupt, Sketch};
use super::sparse::{self, Mark};
use super::{REGISTERS, dense};
use crate::args::is;
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, KeyFlags, Keys, LogForm};
use crate::{Call, CommandError};

/// PFDEBUG <GETREG | DECODE | ENCODING | TODENSE | SIMD> key
///
/// SIMD's key is the word ON or OFF: Redis switches between two paths with it. Here is one.
pub(super) const PFDEBUG: CommandSpec = CommandSpec {
    name: "pfdebug",
    arity: Arity::Exactly(3),
    keys: Keys::At(&[KeyAt::at(2, KeyFlags::RW.or(KeyFlags::ACCESS))]),
    flags: Flags::WRITE.or(Flags::DENY_OOM).or(Flags::ADMIN),
    acl: Acl::WRITE
        .or(Acl::HYPERLOGLOG)
        .or(Acl::ADMIN)
        .or(Acl::SLOW)
        .or(Acl::DANGEROUS),
    log: LogForm::Verbatim,
    group: Group::HyperLogLog,
    since: "2.8.9",
    summary: "Shows a HyperLogLog's registers, runs or encoding, or makes it dense.",
    complexity: "O(1): there are 16,384 registers",
    syntax: "<GETREG | DECODE | ENCODING | TODENSE | SIMD> key",
    ..CommandSpec::row(pfdebug)
};

fn pfdebug(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let (word, key) = (call.args.get(1), call.key(2));
    if is(word, "SIMD") {
        if !is(key.bytes(), "ON") && !is(key.bytes(), "OFF") {
            return Err(CommandError::Fixed("ERR Argument must be ON or OFF"));
        }
        call.reply.simple(b"disabled");
        return Ok(());
    }
    let Slot::Occupied(mut slot) = call.unit.slot(key) else {
        return Err(CommandError::Fixed("ERR The specified key does not exist"));
    };
    let mut sketch = Sketch::open(slot.entry().string()?)?;
    let was_sparse = !sketch.is_dense();
    if is(word, "GETREG") || is(word, "TODENSE") {
        sketch.make_dense()?;
        if is(word, "GETREG") {
            call.reply.array(REGISTERS);
            (0..REGISTERS).for_each(|at| call.reply.int(dense::get(sketch.body(), at).into()));
        } else {
            call.reply.int(i64::from(was_sparse));
        }
        let changed = sketch.changed();
        write_back(&mut slot, changed)?;
        call.unit.dirty(u64::from(was_sparse));
    } else if is(word, "DECODE") {
        if !was_sparse {
            return Err(CommandError::Fixed("ERR HLL encoding is not sparse"));
        }
        call.reply.bulk(decoded(sketch.body())?.as_bytes());
    } else if is(word, "ENCODING") {
        let name: &[u8] = if was_sparse { b"sparse" } else { b"dense" };
        call.reply.simple(name);
    } else {
        let shown = String::from_utf8_lossy(&word[..word.len().min(128)]);
        let text = format!("ERR Unknown PFDEBUG subcommand '{shown}'");
        return Err(CommandError::Text(text.into()));
    }
    Ok(())
}

/// A sparse body's runs: `z` and `Z` are the short and the long form of zeros.
fn decoded(body: &[u8]) -> Result<String, Corrupt> {
    if body.len() > sparse::BYTES_MAX {
        return Err(Corrupt);
    }
    let mut text = String::new();
    for run in sparse::runs(body) {
        let gap = if text.is_empty() { "" } else { " " };
        let written = match (run.value, run.bytes) {
            (0, 1) => write!(text, "{gap}z:{}", run.len),
            (0, _) => write!(text, "{gap}Z:{}", run.len),
            (value, _) => write!(text, "{gap}v:{value},{}", run.len),
        };
        written.expect("a String takes all");
    }
    Ok(text)
}

/// PFSELFTEST
///
/// Registers must be apart from each other, the two bodies agree, and the estimate be near.
pub(super) const PFSELFTEST: CommandSpec = CommandSpec {
    name: "pfselftest",
    arity: Arity::Exactly(1),
    keys: Keys::None,
    flags: Flags::ADMIN,
    acl: Acl::HYPERLOGLOG
        .or(Acl::ADMIN)
        .or(Acl::SLOW)
        .or(Acl::DANGEROUS),
    log: LogForm::None,
    summary: "Tries whether HyperLogLogs count as they should.",
    complexity: "O(1): some milliseconds",
    syntax: "",
    run: pfselftest,
    ..PFDEBUG
};

/// Redis goes on to ten million, which takes seconds; one million is near enough to where the error
/// no longer depends on the number, and holds a worker up for a hundredth of a second.
const ELEMENTS_MAX: u64 = 1_000_000;

fn pfselftest(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let (mut body, mut model) = (vec![0; dense::BYTES], vec![0; REGISTERS]);
    for _ in 0..10 {
        for (index, held) in model.iter_mut().enumerate() {
            *held = (call.unit.random() >> 58) as u8;
            dense::set(&mut body, index, *held);
        }
        for (index, held) in model.iter().enumerate() {
            let found = dense::get(&body, index);
            if found != *held {
                let text =
                    format!("ERR TESTFAILED Register {index} should be {held} but is {found}");
                return Err(CommandError::Text(text.into()));
            }
        }
    }
    let seed = call.unit.random();
    let bytes_max = sparse_bytes_max(call.settings);
    let (mut dense, mut other) = (Sketch::empty(), Sketch::empty());
    dense.make_dense()?;
    let mut checkpoint = 1;
    for n in 1..=ELEMENTS_MAX {
        let place = place(&(n ^ seed).to_le_bytes());
        for sketch in [&mut dense, &mut other] {
            sketch.raise(place, bytes_max, &mut Mark::first())?;
        }
        if n == checkpoint {
            if n < bytes_max as u64 / 2 && other.is_dense() {
                return Err(CommandError::Fixed(
                    "ERR TESTFAILED sparse encoding not used",
                ));
            }
            let estimate = dense.estimate()?;
            if estimate != other.estimate()? {
                return Err(CommandError::Fixed("ERR TESTFAILED dense/sparse disagree"));
            }
            judge(n, estimate)?;
            checkpoint *= 10;
        }
    }
    call.reply.simple(b"OK");
    Ok(())
}

/// An estimate may be off by six standard errors, or by one where there are few.
fn judge(elements: u64, estimate: u64) -> Result<(), CommandError> {
    let deviation = 1.04 / (REGISTERS as f64).sqrt();
    let most = (deviation * 6.0 * elements as f64).ceil() as u64;
    let most = if elements == 10 { 1 } else { most };
    let off = elements.abs_diff(estimate);
    if off > most {
        let text = format!("ERR TESTFAILED Too big error. card:{elements} abserr:{off}");
        return Err(CommandError::Text(text.into()));
    }
    Ok(())
}
