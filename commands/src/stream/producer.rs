//! XCFGSET, XIDMPRECORD: what a stream remembers of its producers. XADD's IDMP uses it (`add.rs`).

use resp::Args;
use store::value::stream::{Claim, Stream};
use store::{Limits, Slot};
use xxhash_rust::xxh3::xxh3_128;

use super::id;
use crate::args::{Words, integer, is};
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, KeyFlags, Keys, LogForm};
use crate::{Call, CommandError};

/// XCFGSET key [IDMP-DURATION seconds] [IDMP-MAXSIZE count]
///
/// Whoever changes a value makes the stream forget the ids that it has.
pub(super) const XCFGSET: CommandSpec = CommandSpec {
    name: "xcfgset",
    arity: Arity::AtLeast(2),
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::RW.or(KeyFlags::UPDATE))]),
    flags: Flags::WRITE.or(Flags::FAST),
    acl: Acl::STREAM.or(Acl::WRITE).or(Acl::FAST),
    log: LogForm::Verbatim,
    group: Group::Stream,
    since: "8.6.0",
    summary: "Says for how long a stream remembers its producers' ids, and how many of each.",
    complexity: "O(1)",
    syntax: "key [IDMP-DURATION seconds] [IDMP-MAXSIZE count]",
    ..CommandSpec::row(xcfgset)
};

fn xcfgset(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let (mut duration_s, mut size_max) = (None, None);
    let mut words = Words::from(call.args, 2);
    while let Some(word) = words.next() {
        if is(word, "IDMP-DURATION") {
            let text = "ERR IDMP-DURATION must be between 1 and 86400 seconds";
            duration_s = Some(within(words.value()?, 86_400, text)?);
        } else if is(word, "IDMP-MAXSIZE") {
            let text = "ERR IDMP-MAXSIZE must be between 1 and 10000 entries";
            size_max = Some(within(words.value()?, 10_000, text)?);
        } else {
            return Err(CommandError::Syntax);
        }
    }
    if duration_s.is_none() && size_max.is_none() {
        return Err(CommandError::Syntax);
    }
    let (key, limits) = (call.key(1), &call.settings.limits);
    let Slot::Occupied(mut at) = call.unit.slot(key) else {
        return Err(CommandError::NoSuchKey);
    };
    at.edit_aside(|stream: &mut Stream| {
        stream.configure_producers(duration_s, size_max, limits);
        Ok::<_, CommandError>(((), true))
    })?;
    call.unit.dirty(1);
    call.reply.ok();
    Ok(())
}

fn within(word: &[u8], max: u64, text: &'static str) -> Result<u64, CommandError> {
    let value = u64::try_from(integer(word)?).unwrap_or(0);
    Some(value)
        .filter(|value| (1..=max).contains(value))
        .ok_or(CommandError::Fixed(text))
}

/// XIDMPRECORD key producer-id idempotent-id id
///
/// What the change log says behind the XADD of an entry that has an id of its producer's.
pub(super) const XIDMPRECORD: CommandSpec = CommandSpec {
    name: "xidmprecord",
    arity: Arity::Exactly(5),
    flags: Flags::WRITE.or(Flags::DENY_OOM).or(Flags::FAST),
    since: "8.8.0",
    summary: "Says under which id of its producer's an entry was added; for the change log.",
    syntax: "key producer-id idempotent-id id",
    run: xidmprecord,
    ..XCFGSET
};

fn xidmprecord(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let (producer, own_id) = (call.args.get(2), call.args.get(3));
    if producer.is_empty() {
        return Err(CommandError::Fixed(
            "ERR IDMP requires a non-empty producer ID",
        ));
    }
    if own_id.is_empty() {
        return Err(CommandError::Fixed(
            "ERR IDMP requires a non-empty idempotent ID",
        ));
    }
    let id = id::parse_strict(call.args.get(4), 0)?;
    let (key, now_ms) = (call.key(1), call.unit.now_ms());
    let limits: &Limits = &call.settings.limits;
    let Slot::Occupied(mut at) = call.unit.slot(key) else {
        return Err(CommandError::NoSuchKey);
    };
    let is_new = at.edit_aside(|stream: &mut Stream| {
        if stream.get(id).is_none() {
            return Err(CommandError::Fixed(
                "ERR The specified stream ID was deleted or doesn't exist",
            ));
        }
        let producers = stream.producers();
        let known = producers.and_then(|producers| producers.find(producer, own_id, now_ms));
        match known {
            Some(known) if known == id => return Ok((false, false)),
            Some(_) => {
                return Err(CommandError::Fixed(
                    "ERR The specified IDMP producer-id/idempotent-id pair maps to a different stream ID",
                ));
            }
            None => {}
        }
        let claim = Claim::new(producer, own_id)?;
        stream.remember(claim, id, now_ms, limits);
        Ok((true, true))
    })?;
    call.unit.dirty(u64::from(is_new));
    call.reply.ok();
    Ok(())
}

/// The id of an entry that its fields give it (IDMPAUTO): the same for the same fields, in whatever order
/// a client's map has them.
pub(super) fn id_of_fields(words: Args<'_>) -> [u8; 16] {
    let mut pair = Vec::new();
    let hashes = (0..words.len() / 2).map(|at| {
        let (name, value) = (words.get(2 * at), words.get(2 * at + 1));
        pair.clear();
        // With the length between them no two pairs are spelt alike.
        pair.extend_from_slice(&(name.len() as u64).to_le_bytes());
        pair.extend_from_slice(name);
        pair.extend_from_slice(value);
        xxh3_128(&pair)
    });
    hashes.fold(0, u128::wrapping_add).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use crate::testing::{Bench, NOW_MS};

    #[test]
    fn what_is_sent_twice_is_added_once() {
        let mut bench = Bench::new();
        let id = format!("{NOW_MS}-0");
        let said = format!("${} {id}", id.len());
        let log = format!("MULTI, XADD s {id} f v, XIDMPRECORD s p a {id}, EXEC");
        bench.effects("XADD s IDMP p a * f v", &said, 1, "xadd s", &log);
        bench.effects("XADD s IDMP p a * g w", &said, 0, "", "");
        bench.check("XLEN s", ":1");
        bench.clock_ms += 99_999;
        bench.check("XADD s IDMP p a * g w", &said);
        bench.clock_ms += 1;
        let id = format!("{}-0", NOW_MS + 100_000);
        bench.check("XADD s IDMP p a * g w", &format!("${} {id}", id.len()));
        // What is trimmed at once is remembered, but cannot be told of.
        let id = format!("{}-1", NOW_MS + 100_000);
        let log = format!("XADD s MAXLEN = 0 {id} f v");
        let said = format!("${} {id}", id.len());
        let events = "xadd s, xtrim s";
        bench.effects("XADD s IDMP p b MAXLEN 0 * f v", &said, 1, events, &log);
        bench.check("XADD s IDMP p b * f v", &said);
    }

    #[test]
    fn the_order_of_fields_does_not_matter() {
        let mut bench = Bench::new();
        let (first, _) = bench.run("XADD s IDMPAUTO p * a 1 b 2");
        bench.check("XADD s IDMPAUTO p * b 2 a 1", &first);
        for other in ["a 1 b 3", "a 12 b ''", "b 2", "a 1 b 2 b 2", "a1 '' b 2"] {
            let line = format!("XADD s IDMPAUTO p * {other}");
            assert_ne!(bench.run(&line).0, first, "{other}");
        }
    }
}
