//! PFCOUNT: from sketches to a number.

use store::Slot;

use super::REGISTERS;
use super::estimate::cardinality;
use super::sketch::{Sketch, keep_number};
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, KeyFlags, Keys, LogForm};
use crate::{Call, CommandError};

/// PFCOUNT key [key ...]
///
/// The number of one sketch is kept in its head, so this reading command changes a value and enters
/// the change log when it does.
pub(super) const PFCOUNT: CommandSpec = CommandSpec {
    name: "pfcount",
    arity: Arity::AtLeast(2),
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::RW.or(KeyFlags::ACCESS)).to(-1, 1)]),
    flags: Flags::READONLY.or(Flags::MAY_REPLICATE),
    acl: Acl::READ.or(Acl::HYPERLOGLOG).or(Acl::SLOW),
    log: LogForm::Verbatim,
    group: Group::HyperLogLog,
    since: "2.8.9",
    summary: "Estimates how many different elements one or several HyperLogLogs have seen.",
    complexity: "O(1) for one key, most often; O(N) for N keys, some microseconds for each",
    syntax: "key [key ...]",
    ..CommandSpec::row(pfcount)
};

fn pfcount(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let number = if call.args.len() == 2 {
        number_of_one(call)?
    } else {
        number_of_union(call)?
    };
    call.reply.int(number.cast_signed());
    Ok(())
}

fn number_of_one(call: &mut Call<'_, '_>) -> Result<u64, CommandError> {
    let key = call.key(1);
    let Some(value) = call.unit.read_string(key)? else {
        return Ok(0);
    };
    let (sketch, bytes) = (Sketch::open(value)?, value.len());
    if let Some(number) = sketch.number() {
        return Ok(number);
    }
    let number = sketch.estimate()?;
    let Slot::Occupied(mut slot) = call.unit.slot(key) else {
        unreachable!("it has been read")
    };
    keep_number(slot.resize_string(bytes)?, number);
    call.unit.dirty(1);
    Ok(number)
}

fn number_of_union(call: &mut Call<'_, '_>) -> Result<u64, CommandError> {
    let mut all = [0; REGISTERS];
    for word in 1..call.args.len() {
        let key = call.key(word);
        if let Some(value) = call.unit.read_string(key)? {
            Sketch::open(value)?.merge_into(&mut all)?;
        }
    }
    let mut histogram = [0; 64];
    all.iter()
        .for_each(|value| histogram[usize::from(*value)] += 1);
    Ok(cardinality(&histogram))
}
