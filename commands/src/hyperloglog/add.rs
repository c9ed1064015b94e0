//! PFADD, PFMERGE: sketches grow.

use resp::Args;
use store::{EventClass, Occupied, Refused, Slot};

use super::estimate::place;
use super::sketch::{Corrupt, HEAD_BYTES, Sketch, forget_number};
use super::sparse::Mark;
use super::{REGISTERS, dense};
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, KeyFlags, Keys, LogForm};
use crate::{Call, CommandError, Settings};

/// PFADD key [element [element ...]]
///
/// Without elements it makes a sketch where there is none.
pub(super) const PFADD: CommandSpec = CommandSpec {
    name: "pfadd",
    arity: Arity::AtLeast(2),
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::RW.or(KeyFlags::INSERT))]),
    flags: Flags::WRITE.or(Flags::DENY_OOM).or(Flags::FAST),
    acl: Acl::WRITE.or(Acl::HYPERLOGLOG).or(Acl::FAST),
    log: LogForm::Verbatim,
    group: Group::HyperLogLog,
    since: "2.8.9",
    summary: "Adds elements to a HyperLogLog; tells whether its estimate may have changed.",
    complexity: "O(1) for each element",
    syntax: "key [element [element ...]]",
    ..CommandSpec::row(pfadd)
};

fn pfadd(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let (key, elements) = (call.key(1), call.args.skip(2));
    let bytes_max = sparse_bytes_max(call.settings);
    let raised = match call.unit.slot(key) {
        Slot::Vacant(slot) => {
            let mut sketch = Sketch::empty();
            let raised = add_all(&mut sketch, elements, bytes_max)?;
            sketch.forget_number();
            let bytes = sketch.bytes();
            slot.insert_zeroed(bytes.len())?.copy_from_slice(bytes);
            // That it came into being counts as a change of its own.
            raised + 1
        }
        Slot::Occupied(mut slot) => {
            let mut sketch = Sketch::open(slot.entry().string()?)?;
            if sketch.is_dense() {
                add_in_place(&mut slot, elements)?
            } else {
                let raised = add_all(&mut sketch, elements, bytes_max)?;
                if raised > 0 {
                    sketch.forget_number();
                }
                let changed = sketch.changed();
                write_back(&mut slot, changed)?;
                raised
            }
        }
    };
    if raised > 0 {
        call.unit.notify(EventClass::STRING, "pfadd", key.bytes());
        call.unit.dirty(raised);
    }
    call.reply.int(i64::from(raised > 0));
    Ok(())
}

/// `hll-sparse-max-bytes`, the head included.
pub(super) fn sparse_bytes_max(settings: &Settings) -> usize {
    usize::try_from(settings.limits.hll_sparse_max_bytes).unwrap_or(usize::MAX)
}

/// Adds elements; how many of them raised a register.
fn add_all(sketch: &mut Sketch<'_>, elements: Args<'_>, bytes_max: usize) -> Result<u64, Corrupt> {
    let mut raised = 0;
    for element in elements.iter() {
        raised += u64::from(sketch.raise(place(element), bytes_max, &mut Mark::first())?);
    }
    Ok(raised)
}

/// Adds elements to a dense sketch where it lies, and touches it only if there is something to raise.
fn add_in_place(slot: &mut Occupied<'_>, elements: Args<'_>) -> Result<u64, CommandError> {
    let sketch = Sketch::open(slot.entry().string()?)?;
    let is_below = |(index, value)| dense::get(sketch.body(), index) < value;
    if !elements.iter().any(|element| is_below(place(element))) {
        return Ok(0);
    }
    let bytes = slot.resize_string(HEAD_BYTES + dense::BYTES)?;
    forget_number(bytes);
    let body = &mut bytes[HEAD_BYTES..];
    let raised = elements.iter().filter(|element| {
        let (index, value) = place(element);
        dense::raise(body, index, value)
    });
    Ok(raised.count() as u64)
}

/// Makes the changed sketch the key's value, if there is one. Its deadline stays.
pub(super) fn write_back(slot: &mut Occupied<'_>, changed: Option<Vec<u8>>) -> Result<(), Refused> {
    if let Some(bytes) = changed {
        slot.resize_string(bytes.len())?.copy_from_slice(&bytes);
    }
    Ok(())
}

/// PFMERGE destkey [sourcekey [sourcekey ...]]
///
/// What the destination has seen stays in it.
pub(super) const PFMERGE: CommandSpec = CommandSpec {
    name: "pfmerge",
    keys: Keys::At(&[
        KeyAt::at(1, KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::INSERT)),
        KeyAt::read(2).to(-1, 1),
    ]),
    flags: Flags::WRITE.or(Flags::DENY_OOM),
    acl: Acl::WRITE.or(Acl::HYPERLOGLOG).or(Acl::SLOW),
    summary: "Merges HyperLogLogs into one.",
    complexity: "O(N) for N keys, some microseconds for each",
    syntax: "destkey [sourcekey [sourcekey ...]]",
    run: pfmerge,
    ..PFADD
};

fn pfmerge(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let bytes_max = sparse_bytes_max(call.settings);
    let (mut all, mut is_dense) = ([0; REGISTERS], false);
    for word in 1..call.args.len() {
        let key = call.key(word);
        if let Some(value) = call.unit.read_string(key)? {
            let sketch = Sketch::open(value)?;
            is_dense |= sketch.is_dense();
            sketch.merge_into(&mut all)?;
        }
    }
    let key = call.key(1);
    let merge = |sketch: &mut Sketch<'_>| {
        if is_dense {
            sketch.make_dense()?;
            sketch.write_all(&all);
        } else {
            // In rising order, so that each search goes on from the one before.
            let mut from = Mark::first();
            for (index, value) in all.iter().enumerate().filter(|(_, value)| **value > 0) {
                sketch.raise((index, *value), bytes_max, &mut from)?;
            }
        }
        sketch.forget_number();
        Ok::<_, CommandError>(())
    };
    match call.unit.slot(key) {
        Slot::Vacant(slot) => {
            let mut sketch = Sketch::empty();
            merge(&mut sketch)?;
            let bytes = sketch.bytes();
            slot.insert_zeroed(bytes.len())?.copy_from_slice(bytes);
        }
        Slot::Occupied(mut slot) => {
            let mut sketch = Sketch::open(slot.entry().string()?)?;
            merge(&mut sketch)?;
            let changed = sketch.changed();
            write_back(&mut slot, changed)?;
        }
    }
    call.unit.notify(EventClass::STRING, "pfadd", key.bytes());
    call.unit.dirty(1);
    call.reply.simple(b"OK");
    Ok(())
}
