//! What a group's consumer gets, and what is written down of it.
//!
//! ```text
//!   id      >                  entries that nobody of the group has got            (read_new)
//!           > with CLAIM       before them, what others have kept for too long     (claim_idle)
//!           any other          what the consumer has got and not acknowledged      (read_history)
//! ```
//!
//! Who has got what is logged as the claims that it amounts to, because what was there to be got is not in
//! the request.

use resp::Reply;
use store::value::stream::{Group as ConsumerGroup, Owner, Pending, Stream, StreamId};
use store::{EventClass, Key, Slot};

use super::budget::Budget;
use super::claim::{Change, forget, hand_over, log_changes};
use super::id::{IdText, write_entry, write_fields, write_id};
use super::read::{Request, write_name};
use crate::{Call, CommandError};

/// What is read of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// What is behind this id, or of what is pending.
    Behind(StreamId),
    /// What nobody of the group has got.
    New,
}

/// What a group's consumer has got.
#[derive(Default)]
struct Got {
    /// New entries.
    ids: Vec<StreamId>,
    /// What was claimed, or found to be gone.
    changes: Vec<Change>,
    /// Whether the consumer was not there before.
    is_new_consumer: bool,
    /// The group's last entry and counter, if they have moved.
    moved: Option<(StreamId, Option<u64>)>,
    /// Whether the stream is part of the reply.
    is_shown: bool,
    /// When a delivery will have been kept for too long.
    due_ms: Option<i64>,
    /// The group's last entry.
    last_id: StreamId,
}

/// Whether the stream is part of the reply, and with CLAIM when there may be something to claim.
pub(super) type Shown = (bool, Option<i64>);

/// Reads one stream for the group.
pub(super) fn read_for_group(
    call: &mut Call<'_, '_>,
    request: &Request<'_>,
    key: Key<'_>,
    from: From,
    budget: &mut Budget,
) -> Result<Shown, CommandError> {
    let now_ms = call.unit.now_ms();
    let (group_name, consumer) = request.reader.expect("it was asked for");
    let Slot::Occupied(mut at) = call.unit.slot(key) else {
        unreachable!("it has been read")
    };
    let reply = &mut *call.reply;
    let got = at.edit_aside(|stream: &mut Stream| {
        let group = stream.group_mut(group_name).expect("it has been seen");
        let (owner, is_new_consumer) = consumer_of(group, consumer, now_ms)?;
        let mut got = Got {
            is_new_consumer,
            ..Got::default()
        };
        let mut reader = Reader {
            stream,
            group_name,
            owner,
            request,
            now_ms,
            budget,
            reply,
        };
        match from {
            From::Behind(id) => reader.read_history(key, id, &mut got),
            From::New => reader.read_open(key, &mut got),
        }
        let group = stream.group(group_name).expect("it has been seen");
        got.last_id = group.last_id;
        let changed = got.is_shown || got.is_new_consumer || !got.changes.is_empty();
        Ok::<_, CommandError>((got, changed))
    })?;
    report(call, request, key, &got);
    Ok((got.is_shown, got.due_ms))
}

/// Counts and logs what was got.
fn report(call: &mut Call<'_, '_>, request: &Request<'_>, key: Key<'_>, got: &Got) {
    let now_ms = call.unit.now_ms();
    let (group_name, consumer) = request.reader.expect("it was asked for");
    if got.is_new_consumer {
        report_consumer(call, key, group_name, consumer);
    }
    if got.is_shown {
        call.unit.dirty(1);
    }
    log_changes(call, key, group_name, &got.changes, got.last_id);
    if !call.unit.logging() {
        return;
    }
    if !request.no_ack {
        let delivery = Delivery {
            delivered_ms: now_ms,
            deliveries: 1,
            consumer,
        };
        for &id in &got.ids {
            log_claim(call, key, group_name, id, delivery, id);
        }
    }
    if let Some((last_id, entries_read)) = got.moved {
        log_group_id(call, key, group_name, last_id, entries_read);
    }
}

/// A consumer at one stream.
struct Reader<'r> {
    stream: &'r mut Stream,
    group_name: &'r [u8],
    owner: Owner,
    request: &'r Request<'r>,
    now_ms: i64,
    budget: &'r mut Budget,
    reply: &'r mut Reply,
}

/// What a group cannot be missing for.
const SEEN: &str = "the caller has seen the group";

impl Reader<'_> {
    fn group(&self) -> &ConsumerGroup {
        self.stream.group(self.group_name).expect(SEEN)
    }

    fn group_mut(&mut self) -> &mut ConsumerGroup {
        self.stream.group_mut(self.group_name).expect(SEEN)
    }

    /// What was kept for too long, then what is new.
    fn read_open(&mut self, key: Key<'_>, got: &mut Got) {
        if self.budget.is_spent() {
            return;
        }
        let before = self.reply.mark();
        write_name(key.bytes(), self.reply);
        let place = self.reply.defer();
        let count = match self.request.count {
            0 => u64::MAX,
            count => count,
        };
        let mut written = 0;
        if let Some(min_idle_ms) = self.request.claim {
            written += self.claim_idle(min_idle_ms, count, got);
        }
        if written < count {
            written += self.read_new(count - written, got);
        }
        got.is_shown = written > 0;
        if got.is_shown {
            self.reply.finish_array(place, in_memory(written));
            return;
        }
        self.reply.truncate_to(before);
        let since_ms = self.group().waits_since_ms();
        let due_ms = |min_idle_ms| Some(since_ms?.saturating_add(min_idle_ms));
        got.due_ms = self.request.claim.and_then(due_ms);
    }

    /// Makes the consumer the owner of deliveries that others have kept for `min_idle_ms`, the longest
    /// first; how many it shows. What is no longer in the stream is forgotten.
    fn claim_idle(&mut self, min_idle_ms: i64, count: u64, got: &mut Got) -> u64 {
        self.group_mut().sort_by_time();
        // All that will be claimed is known before anything is: a delivery that has just changed hands
        // may be idle enough again.
        let count = in_memory(count.min(self.budget.entries_max()));
        let (mut idle, mut gone) = (Vec::new(), Vec::new());
        let until_ms = self.now_ms.saturating_sub(min_idle_ms);
        for id in self.group().waiting_since(until_ms) {
            if idle.len() == count {
                break;
            }
            match self.stream.get(id) {
                Some(_) => idle.push(id),
                None => gone.push(id),
            }
        }
        for id in gone {
            let change = forget(self.stream, self.group_name, id, self.owner);
            got.changes.extend(change);
        }
        let mut written = 0;
        for id in idle {
            let before = *self
                .group()
                .pending()
                .get(id.into())
                .expect("it is waiting");
            let entry = self.stream.get(id).expect("it has been seen");
            let idle_ms = self.now_ms.saturating_sub(before.delivered_ms).max(0);
            let is_written = self.budget.write(self.reply, |reply| {
                reply.array(4);
                write_id(id, reply);
                write_fields(entry, reply);
                reply.int(idle_ms);
                reply.int(before.deliveries.cast_signed());
            });
            if !is_written {
                break;
            }
            let (owner, now_ms) = (self.owner, self.now_ms);
            let pending = Pending {
                delivered_ms: now_ms,
                deliveries: before.deliveries.wrapping_add(1),
                owner,
            };
            hand_over(self.stream, self.group_name, id, pending, now_ms);
            got.changes.push(Change { id, pending, owner });
            written += 1;
        }
        written
    }

    /// What nobody of the group has got goes to the consumer; how many it shows.
    fn read_new(&mut self, count: u64, got: &mut Got) -> u64 {
        let group = self.group();
        let (mut last_id, mut entries_read) = (group.last_id, group.entries_read);
        if self.stream.last_live_id() <= Some(last_id) {
            return 0;
        }
        let start = last_id.next().expect("there is an entry behind it");
        let entries = self.stream.range(start, StreamId::MAX);
        for entry in entries.take(in_memory(count)) {
            let id = entry.id;
            let is_written = self.budget.write(self.reply, |reply| {
                if self.request.claim.is_none() {
                    return write_entry(entry, reply);
                }
                // As what was claimed: not idle, never delivered.
                reply.array(4);
                write_id(id, reply);
                write_fields(entry, reply);
                reply.int(0);
                reply.int(0);
            });
            if !is_written {
                break;
            }
            entries_read = self.stream.entries_read_with(entries_read, last_id, id);
            last_id = id;
            got.ids.push(id);
        }
        if got.ids.is_empty() {
            return 0;
        }
        got.moved = Some((last_id, entries_read));
        let (owner, now_ms, no_ack) = (self.owner, self.now_ms, self.request.no_ack);
        let group = self.group_mut();
        (group.last_id, group.entries_read) = (last_id, entries_read);
        if !no_ack {
            group.consumer_mut(owner).active_ms = now_ms;
            let delivery = Pending {
                delivered_ms: now_ms,
                deliveries: 1,
                owner,
            };
            for &id in &got.ids {
                group.deliver(id, delivery);
            }
        }
        got.ids.len() as u64
    }

    /// What the consumer has got and not acknowledged, once more.
    fn read_history(&mut self, key: Key<'_>, behind: StreamId, got: &mut Got) {
        if self.budget.is_spent() {
            return;
        }
        got.is_shown = true;
        write_name(key.bytes(), self.reply);
        let group = self.stream.group(self.group_name).expect(SEEN);
        let mut pending = group
            .consumer(self.owner)
            .pending()
            .at_or_after(u128::from(behind).saturating_add(1));
        let place = self.reply.defer();
        let (mut written, mut delivered) = (0, Vec::new());
        while let Some((id, _)) = pending.get()
            && (self.request.count == 0 || written < self.request.count)
        {
            let id = StreamId::from(id);
            let entry = self.stream.get(id);
            let is_there = entry.is_some();
            let is_written = self.budget.write(self.reply, |reply| match entry {
                Some(entry) => write_entry(entry, reply),
                None => {
                    // It is gone; that it is still pending is worth telling.
                    reply.array(2);
                    write_id(id, reply);
                    reply.null_array();
                }
            });
            if !is_written {
                break;
            }
            delivered.extend(is_there.then_some(id));
            written += 1;
            pending.forward();
        }
        self.reply.finish_array(place, in_memory(written));
        let (owner, delivered_ms) = (self.owner, self.now_ms);
        let group = self.group_mut();
        for id in delivered {
            let before = *group.pending().get(id.into()).expect("G1");
            let delivery = Pending {
                delivered_ms,
                deliveries: before.deliveries.wrapping_add(1),
                owner,
            };
            group.deliver(id, delivery);
        }
    }
}

/// A count of what is in memory, or more.
fn in_memory(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// The consumer of a name, made if there is none; whether it was.
pub(super) fn consumer_of(
    group: &mut ConsumerGroup,
    name: &[u8],
    now_ms: i64,
) -> Result<(Owner, bool), CommandError> {
    if let Some(owner) = group.find(name) {
        group.consumer_mut(owner).seen_ms = now_ms;
        return Ok((owner, false));
    }
    Ok((group.add_consumer(name, now_ms)?, true))
}

/// Reports a consumer that came into being by the way.
pub(super) fn report_consumer(call: &mut Call<'_, '_>, key: Key<'_>, group: &[u8], name: &[u8]) {
    call.unit.dirty(1);
    let event = "xgroup-createconsumer";
    call.unit.notify(EventClass::STREAM, event, key.bytes());
    let words: [&[u8]; 5] = [b"XGROUP", b"CREATECONSUMER", key.bytes(), group, name];
    call.unit.log(&words);
}

/// A delivery as the change log says it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Delivery<'a> {
    pub(super) delivered_ms: i64,
    pub(super) deliveries: u64,
    pub(super) consumer: &'a [u8],
}

/// Logs who has an entry now: a claim that says everything.
pub(super) fn log_claim(
    call: &mut Call<'_, '_>,
    key: Key<'_>,
    group: &[u8],
    id: StreamId,
    delivery: Delivery<'_>,
    last_id: StreamId,
) {
    if !call.unit.logging() {
        return;
    }
    let mut digits = [0; 20];
    let time = resp::number::format_i64(delivery.delivered_ms, &mut digits);
    let (id, last_id) = (IdText::of(id), IdText::of(last_id));
    let count = IdText::of_number(delivery.deliveries);
    call.unit.log(&[
        b"XCLAIM",
        key.bytes(),
        group,
        delivery.consumer,
        b"0",
        id.as_bytes(),
        b"TIME",
        time,
        b"RETRYCOUNT",
        count.as_bytes(),
        b"FORCE",
        b"JUSTID",
        b"LASTID",
        last_id.as_bytes(),
    ]);
}

/// Logs how far a group has read.
pub(super) fn log_group_id(
    call: &mut Call<'_, '_>,
    key: Key<'_>,
    group: &[u8],
    last_id: StreamId,
    entries_read: Option<u64>,
) {
    if !call.unit.logging() {
        return;
    }
    let last_id = IdText::of(last_id);
    let read = entries_read.map(IdText::of_number);
    let read = read.as_ref().map_or(b"-1".as_slice(), IdText::as_bytes);
    call.unit.log(&[
        b"XGROUP",
        b"SETID",
        key.bytes(),
        group,
        last_id.as_bytes(),
        b"ENTRIESREAD",
        read,
    ]);
}

#[cfg(test)]
mod tests {
    use crate::testing::{Bench, NOW_MS};

    #[test]
    fn claims_are_logged_as_claims_and_what_is_gone_as_forgotten() {
        let mut bench = Bench::new();
        for line in [
            "XADD s 1-1 f v",
            "XADD s 2-1 f v",
            "XADD s 3-1 f v",
            "XGROUP CREATE s g 0",
            "XREADGROUP GROUP g a COUNT 2 STREAMS s >",
            "XREADGROUP GROUP g b COUNT 0 STREAMS s 0",
            "XDEL s 1-1",
        ] {
            assert!(!bench.run(line).0.starts_with('-'), "{line}");
        }
        bench.clock_ms += 1_000;
        let line = "XREADGROUP GROUP g b CLAIM 1000 STREAMS s >";
        let entry = |id, rest| format!("*4 $3 {id} *2 $1 f $1 v {rest}");
        let said = format!(
            "*1 *2 $1 s *2 {} {}",
            entry("2-1", ":1000 :1"),
            entry("3-1", ":0 :0")
        );
        let claim = |consumer, id, ms, times, last| {
            format!(
                "XCLAIM s g {consumer} 0 {id} TIME {ms} RETRYCOUNT {times} FORCE JUSTID LASTID {last}"
            )
        };
        let log = [
            "MULTI".to_owned(),
            claim("a", "1-1", NOW_MS, 1, "3-1"),
            claim("b", "2-1", NOW_MS + 1_000, 2, "3-1"),
            claim("b", "3-1", NOW_MS + 1_000, 1, "3-1"),
            "XGROUP SETID s g 3-1 ENTRIESREAD 3".to_owned(),
            "EXEC".to_owned(),
        ];
        bench.effects(line, &said, 3, "", &log.join(", "));
        bench.check(
            "XPENDING s g - + 9",
            "*2 *4 $3 2-1 $1 b :0 :2 *4 $3 3-1 $1 b :0 :1",
        );
        bench.effects(line, "*-1", 0, "", "");
    }
}
