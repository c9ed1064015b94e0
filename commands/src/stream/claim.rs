//! XCLAIM, XAUTOCLAIM: deliveries change hands.

use store::value::stream::{Owner, Pending, Stream, StreamId};
use store::{Key, Slot};

use super::deliver::{Delivery, consumer_of, log_claim, log_group_id, report_consumer};
use super::id::{self, write_entry, write_id};
use crate::args::{integer_or, is, ranged_or};
use crate::spec::{Acl, Arity, CommandSpec, Flags, Group, KeyAt, KeyFlags, Keys, LogForm};
use crate::{Call, CommandError};

/// XCLAIM key group consumer min-idle-time id [id ...] [IDLE ms] [TIME unix-time-milliseconds]
/// [RETRYCOUNT count] [FORCE] [JUSTID] [LASTID lastid]
pub(super) const XCLAIM: CommandSpec = CommandSpec {
    name: "xclaim",
    arity: Arity::AtLeast(6),
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::RW.or(KeyFlags::UPDATE))]),
    flags: Flags::WRITE.or(Flags::FAST),
    acl: Acl::STREAM.or(Acl::WRITE).or(Acl::FAST),
    log: LogForm::Effects,
    group: Group::Stream,
    since: "5.0.0",
    summary: "Makes a consumer the owner of entries that were delivered to others.",
    complexity: "O(log N) for each entry, N of them pending.",
    syntax: "key group consumer min-idle-time id [id ...] [IDLE ms] [TIME unix-time-milliseconds] [RETRYCOUNT count] [FORCE] [JUSTID] [LASTID lastid]",
    tips: &["nondeterministic_output"],
    ..CommandSpec::row(xclaim)
};

/// XCLAIM's words behind the ids.
struct Options {
    delivered_ms: i64,
    retry_count: Option<u64>,
    forced: bool,
    just_id: bool,
    last_id: StreamId,
}

impl Options {
    fn parse(call: &Call<'_, '_>, mut at: usize) -> Result<Options, CommandError> {
        let now_ms = call.unit.now_ms();
        let mut options = Options {
            delivered_ms: -1,
            retry_count: None,
            forced: false,
            just_id: false,
            last_id: StreamId::MIN,
        };
        while let Some(word) = call.args.try_get(at) {
            let value = call.args.try_get(at + 1);
            at += 1;
            if is(word, "FORCE") {
                options.forced = true;
                continue;
            }
            if is(word, "JUSTID") {
                options.just_id = true;
                continue;
            }
            let Some(value) = value else {
                return Err(unrecognized(word));
            };
            if is(word, "IDLE") {
                let idle = integer_or(value, "ERR Invalid IDLE option argument for XCLAIM")?;
                options.delivered_ms = now_ms.wrapping_sub(idle);
            } else if is(word, "TIME") {
                let text = "ERR Invalid TIME option argument for XCLAIM";
                options.delivered_ms = integer_or(value, text)?;
            } else if is(word, "RETRYCOUNT") {
                let text = "ERR Invalid RETRYCOUNT option argument for XCLAIM";
                options.retry_count = u64::try_from(integer_or(value, text)?).ok();
            } else if is(word, "LASTID") {
                options.last_id = id::parse_strict(value, 0)?;
            } else {
                return Err(unrecognized(word));
            }
            at += 1;
        }
        // A time that cannot be is now: the client's clock may be ahead.
        if !(0..=now_ms).contains(&options.delivered_ms) {
            options.delivered_ms = now_ms;
        }
        Ok(options)
    }
}

fn unrecognized(word: &[u8]) -> CommandError {
    let word = String::from_utf8_lossy(word);
    CommandError::Text(format!("ERR Unrecognized XCLAIM option '{word}'").into())
}

/// What became of a pending entry: what the change log repeats.
pub(super) struct Change {
    /// The entry.
    pub(super) id: StreamId,
    /// The delivery.
    pub(super) pending: Pending,
    /// Whose it is; of one that is gone, whose it was.
    pub(super) owner: Owner,
}

fn xclaim(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let (key, name, consumer) = (call.key(1), call.args.get(2), call.args.get(3));
    let stream = call.unit.read_as::<Stream>(key)?;
    if stream.is_none_or(|stream| stream.group(name).is_none()) {
        return Err(id::no_group(key.bytes(), name, ""));
    }
    let min_idle_ms = integer_or(
        call.args.get(4),
        "ERR Invalid min-idle-time argument for XCLAIM",
    )?;
    let words = call.args.skip(5).iter();
    let ids: Vec<_> = words
        .map_while(|word| id::parse_strict(word, 0).ok())
        .collect();
    let options = Options::parse(call, 5 + ids.len())?;

    let now_ms = call.unit.now_ms();
    let Slot::Occupied(mut at) = call.unit.slot(key) else {
        unreachable!("it has been read")
    };
    let reply = &mut *call.reply;
    let (changes, is_new_consumer, last_id) = at.edit_aside(|stream: &mut Stream| {
        let group = stream.group_mut(name).expect("it has been seen");
        let (owner, is_new_consumer) = consumer_of(group, consumer, now_ms)?;
        let moved = options.last_id > group.last_id;
        group.last_id = group.last_id.max(options.last_id);
        let place = reply.defer();
        let (mut written, mut changes) = (0, Vec::new());
        for &id in &ids {
            let group = stream.group(name).expect("it has been seen");
            let before = group.pending().get(id.into()).copied();
            if stream.get(id).is_none() {
                changes.extend(forget(stream, name, id, owner));
                continue;
            }
            let before = match before {
                Some(before) if is_idle(&before, min_idle_ms, now_ms) => before,
                Some(_) => continue,
                None if options.forced => Pending {
                    delivered_ms: now_ms,
                    deliveries: 1,
                    owner: Owner::NOBODY,
                },
                None => continue,
            };
            let pending = Pending {
                delivered_ms: options.delivered_ms,
                deliveries: match options.retry_count {
                    Some(count) => count,
                    None if options.just_id => before.deliveries,
                    None => before.deliveries.wrapping_add(1),
                },
                owner,
            };
            hand_over(stream, name, id, pending, now_ms);
            changes.push(Change { id, pending, owner });
            write_claimed(stream, id, options.just_id, reply);
            written += 1;
        }
        reply.finish_array(place, written);
        let group = stream.group(name).expect("it has been seen");
        let last_id = (group.last_id, group.entries_read, moved);
        let changed = is_new_consumer || moved || !changes.is_empty();
        Ok::<_, CommandError>(((changes, is_new_consumer, last_id), changed))
    })?;
    if is_new_consumer {
        report_consumer(call, key, name, consumer);
    }
    let (last_id, entries_read, moved) = last_id;
    log_changes(call, key, name, &changes, last_id);
    if moved && changes.is_empty() {
        call.unit.dirty(1);
        log_group_id(call, key, name, last_id, entries_read);
    }
    Ok(())
}

/// Whether a delivery is old enough to change hands.
fn is_idle(pending: &Pending, min_idle_ms: i64, now_ms: i64) -> bool {
    let idle_ms = now_ms.saturating_sub(pending.delivered_ms);
    min_idle_ms <= 0 || pending.owner == Owner::NOBODY || idle_ms >= min_idle_ms
}

/// Forgets a delivery of an entry that is gone.
pub(super) fn forget(
    stream: &mut Stream,
    group: &[u8],
    id: StreamId,
    claimer: Owner,
) -> Option<Change> {
    let group = stream.group_mut(group).expect("the caller has seen it");
    let pending = group.forget(id)?;
    let owner = match pending.owner {
        Owner::NOBODY => claimer,
        owner => owner,
    };
    Some(Change { id, pending, owner })
}

/// Writes down that a delivery has changed hands.
pub(super) fn hand_over(
    stream: &mut Stream,
    group: &[u8],
    id: StreamId,
    pending: Pending,
    now_ms: i64,
) {
    let group = stream.group_mut(group).expect("the caller has seen it");
    group.deliver(id, pending);
    group.consumer_mut(pending.owner).active_ms = now_ms;
}

fn write_claimed(stream: &Stream, id: StreamId, just_id: bool, reply: &mut resp::Reply) {
    match stream.get(id) {
        Some(entry) if !just_id => write_entry(entry, reply),
        _ => write_id(id, reply),
    }
}

/// Counts and logs what became of deliveries.
pub(super) fn log_changes(
    call: &mut Call<'_, '_>,
    key: Key<'_>,
    group: &[u8],
    changes: &[Change],
    last_id: StreamId,
) {
    call.unit.dirty(changes.len() as u64);
    if !call.unit.logging() {
        return;
    }
    for change in changes {
        let stream = call.unit.look_as::<Stream>(key).ok().flatten();
        let owner = stream.and_then(|stream| stream.group(group));
        let owner = owner.map(|group| group.owner_name(change.owner).to_vec());
        let delivery = Delivery {
            delivered_ms: change.pending.delivered_ms,
            deliveries: change.pending.deliveries,
            consumer: &owner.expect("the group has just been changed"),
        };
        log_claim(call, key, group, change.id, delivery, last_id);
    }
}

/// XAUTOCLAIM key group consumer min-idle-time start [COUNT count] [JUSTID]
pub(super) const XAUTOCLAIM: CommandSpec = CommandSpec {
    name: "xautoclaim",
    keys: Keys::At(&[KeyAt::at(1, KeyFlags::RW.or(KeyFlags::DELETE))]),
    since: "6.2.0",
    summary: "Makes a consumer the owner of whatever was not acknowledged for long.",
    complexity: "O(1) if COUNT is small.",
    syntax: "key group consumer min-idle-time start [COUNT count] [JUSTID]",
    run: xautoclaim,
    ..XCLAIM
};

/// So many entries are looked at for each one that may be claimed.
const ATTEMPTS: u64 = 10;

/// Redis makes room for so many ids of 16 bytes at once.
const COUNT_MAX: i64 = i64::MAX / 16;
/// More room than this no system gives it.
const COUNT_IN_MEMORY_MAX: u64 = 1 << 43;

/// XAUTOCLAIM's words.
struct Sweep {
    min_idle_ms: i64,
    start: StreamId,
    count: u64,
    just_id: bool,
}

impl Sweep {
    fn parse(call: &Call<'_, '_>) -> Result<Sweep, CommandError> {
        let min_idle_ms = integer_or(
            call.args.get(4),
            "ERR Invalid min-idle-time argument for XAUTOCLAIM",
        )?;
        let start = id::parse_start(call.args.get(5))?;
        let (mut count, mut just_id) = (100, false);
        let mut at = 6;
        while let Some(word) = call.args.try_get(at) {
            match call.args.try_get(at + 1) {
                Some(value) if is(word, "COUNT") => {
                    count = ranged_or(value, 1..=COUNT_MAX, "ERR COUNT must be > 0")?;
                    at += 1;
                }
                _ if is(word, "JUSTID") => just_id = true,
                _ => return Err(CommandError::Syntax),
            }
            at += 1;
        }
        Ok(Sweep {
            min_idle_ms,
            start,
            count: count.cast_unsigned(),
            just_id,
        })
    }

    /// Hands over what is idle for long, and forgets what is gone; shows what was handed over.
    fn run(
        &self,
        stream: &mut Stream,
        name: &[u8],
        owner: Owner,
        now_ms: i64,
        reply: &mut resp::Reply,
    ) -> Outcome {
        let (mut left, mut attempts) = (self.count, self.count.saturating_mul(ATTEMPTS));
        let mut outcome = Outcome::default();
        let place = reply.defer();
        let (mut written, mut from) = (0, Some(self.start));
        while let Some((id, pending)) = next_pending(stream, name, from) {
            if attempts == 0 || left == 0 {
                outcome.cursor = id;
                break;
            }
            attempts -= 1;
            from = id.next();
            if stream.get(id).is_none() {
                outcome.changes.extend(forget(stream, name, id, owner));
                outcome.gone.push(id);
                left -= 1;
            } else if is_idle(&pending, self.min_idle_ms, now_ms) {
                let pending = Pending {
                    delivered_ms: now_ms,
                    deliveries: pending.deliveries.wrapping_add(u64::from(!self.just_id)),
                    owner,
                };
                hand_over(stream, name, id, pending, now_ms);
                outcome.changes.push(Change { id, pending, owner });
                write_claimed(stream, id, self.just_id, reply);
                written += 1;
                left -= 1;
            }
        }
        reply.finish_array(place, written);
        outcome.last_id = stream.group(name).expect("the caller has seen it").last_id;
        outcome
    }
}

fn xautoclaim(call: &mut Call<'_, '_>) -> Result<(), CommandError> {
    let sweep = Sweep::parse(call)?;
    let (key, name, consumer) = (call.key(1), call.args.get(2), call.args.get(3));
    let stream = call.unit.read_as::<Stream>(key)?;
    if stream.is_none_or(|stream| stream.group(name).is_none()) {
        return Err(id::no_group(key.bytes(), name, ""));
    }
    if sweep.count > COUNT_IN_MEMORY_MAX {
        return Err(CommandError::Fixed(
            "ERR Insufficient memory, failed allocating transient memory, COUNT too high.",
        ));
    }
    let now_ms = call.unit.now_ms();
    let Slot::Occupied(mut at) = call.unit.slot(key) else {
        unreachable!("it has been read")
    };
    // The cursor stands before the entries that lead to it.
    let mut claimed = resp::Reply::new(call.reply.proto());
    let (outcome, is_new_consumer) = at.edit_aside(|stream: &mut Stream| {
        let group = stream.group_mut(name).expect("it has been seen");
        let (owner, is_new_consumer) = consumer_of(group, consumer, now_ms)?;
        let outcome = sweep.run(stream, name, owner, now_ms, &mut claimed);
        let changed = is_new_consumer || !outcome.changes.is_empty();
        Ok::<_, CommandError>(((outcome, is_new_consumer), changed))
    })?;
    if is_new_consumer {
        report_consumer(call, key, name, consumer);
    }
    log_changes(call, key, name, &outcome.changes, outcome.last_id);
    call.reply.array(3);
    write_id(outcome.cursor, call.reply);
    call.reply.append(claimed.take(Vec::new()));
    call.reply.array(outcome.gone.len());
    for &id in &outcome.gone {
        write_id(id, call.reply);
    }
    Ok(())
}

/// What XAUTOCLAIM has done.
#[derive(Default)]
struct Outcome {
    changes: Vec<Change>,
    /// Entries that are no longer there.
    gone: Vec<StreamId>,
    /// Where to go on.
    cursor: StreamId,
    last_id: StreamId,
}

/// The first pending entry from `from` on.
fn next_pending(
    stream: &Stream,
    group: &[u8],
    from: Option<StreamId>,
) -> Option<(StreamId, Pending)> {
    let group = stream.group(group).expect("the caller has seen it");
    let (id, pending) = group.pending().at_or_after(from?.into()).get()?;
    Some((id.into(), *pending))
}
