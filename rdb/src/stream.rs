//! Streams.
//!
//! ```text
//!   nodes   count  ( string(16 bytes: id)  string(listpack) )*
//!   ids     len  last                                              an id is two lengths here
//!           [ first  max deleted  added ]                          from STREAM_LISTPACKS_2 on
//!   groups  count  ( name  last [entries read]  pending  consumers )*
//!   pending    count  ( id(16 bytes)  when(i64)  deliveries )*
//!   consumers  count  ( name  seen(i64) [active(i64)]  count  id(16 bytes)* )*
//! ```
//!
//! The brackets are what STREAM_LISTPACKS_2 (Redis 7.0) and 3 (7.2: `active`) added; which of
//! the two is written, `form.rs` says. Ids of 16 bytes are highest byte first, times lowest byte
//! first. A pending delivery that no consumer lists is nobody's (XNACK).
//!
//! A foreign stream is checked whole: nodes (`store::value::stream::Node`), the order of ids across
//! them, the length, every pending id against its group.

use collections::Listpack;
use store::value::stream::{Group, Node, Owner, Pending, Stream, StreamId};
use store::{Container, Object};

use crate::format::{self, types};
use crate::input::{Input, Malformed};
use crate::length;
use crate::out::Out;
use crate::string;

/// Stands for "not known" where a group's read counter stands.
const NOT_KNOWN: u64 = u64::MAX;

/// Appends type and value; the lowest version that holds them.
pub fn write(stream: &Stream, out: &mut Out<'_>) -> u16 {
    let both_times = out.form().has_active_times(times_differ(stream));
    out.head(if both_times {
        types::STREAM_LISTPACKS_3
    } else {
        types::STREAM_LISTPACKS_2
    });
    length::write(stream.nodes().len(), out);
    for (id, node) in stream.nodes().iter() {
        string::write_opaque(&id.to_be_bytes(), out);
        string::write_opaque(node.as_bytes(), out);
    }
    length::write(stream.len(), out);
    write_id(stream.last_id(), out);
    write_id(stream.first_id(), out);
    write_id(stream.max_deleted_id(), out);
    length::write(stream.entries_added(), out);
    length::write(stream.group_count() as u64, out);
    for (name, group) in stream.groups() {
        string::write_opaque(name, out);
        write_group(group, both_times, out);
    }
    if both_times {
        format::VERSION_STREAM_LISTPACKS_3
    } else {
        format::VERSION_LISTPACK
    }
}

/// Whether a consumer was seen at another time than it was active: the older form knows one time.
fn times_differ(stream: &Stream) -> bool {
    stream
        .groups()
        .flat_map(|(_, group)| group.consumers())
        .any(|consumer| consumer.seen_ms != consumer.active_ms)
}

fn write_id(id: StreamId, out: &mut Out<'_>) {
    length::write(id.ms, out);
    length::write(id.seq, out);
}

fn write_group(group: &Group, both_times: bool, out: &mut Out<'_>) {
    write_id(group.last_id, out);
    length::write(group.entries_read.unwrap_or(NOT_KNOWN), out);
    length::write(group.pending().len(), out);
    for (id, pending) in group.pending().iter() {
        out.extend(&id.to_be_bytes());
        out.extend(&pending.delivered_ms.to_le_bytes());
        length::write(pending.deliveries, out);
        out.pause();
    }
    length::write(group.consumer_count() as u64, out);
    for consumer in group.consumers() {
        string::write_opaque(consumer.name(), out);
        out.extend(&consumer.seen_ms.to_le_bytes());
        if both_times {
            out.extend(&consumer.active_ms.to_le_bytes());
        }
        length::write(consumer.pending().len(), out);
        for (id, _) in consumer.pending().iter() {
            out.extend(&id.to_be_bytes());
            out.pause();
        }
    }
}

/// Reads a stream that is written as type `number`.
///
/// # Errors
/// [`Malformed`].
pub fn read(number: u8, input: &mut Input<'_>) -> Result<Object, Malformed> {
    let mut stream = Stream::new();
    let mut last = StreamId::MIN;
    for _ in 0..length::read_plain(input)? {
        let (first, node) = read_node(input)?;
        let end = node.last_id(first);
        if first <= last && !(first.is_zero() && stream.is_empty()) {
            return Err(Malformed::Encoding);
        }
        stream.push_node(first, node);
        last = end;
    }
    if length::read_plain(input)? != stream.len() {
        return Err(Malformed::Encoding);
    }
    let last_id = read_id(input)?;
    if last_id < last {
        return Err(Malformed::Encoding);
    }
    let (mut added, mut max_deleted) = (stream.len(), StreamId::MIN);
    if number >= types::STREAM_LISTPACKS_2 {
        // The first id is known already.
        read_id(input)?;
        max_deleted = read_id(input)?;
        added = length::read_plain(input)?;
    }
    stream.set_counters(last_id, added, max_deleted);
    for _ in 0..length::read_plain(input)? {
        let name = string::read_bytes(input)?;
        if stream.group(&name).is_some() {
            return Err(Malformed::Encoding);
        }
        let group = read_group(number, input, &stream)?;
        stream
            .put_group(&name, group)
            .map_err(|_| Malformed::Refused)?;
    }
    Ok(Object::Stream(stream))
}

fn read_node(input: &mut Input<'_>) -> Result<(StreamId, Node), Malformed> {
    let key = string::read_bytes(input)?;
    let key: [u8; 16] = key.as_ref().try_into().map_err(|_| Malformed::Encoding)?;
    let first = StreamId::from(u128::from_be_bytes(key));
    let bytes = string::read_bytes(input)?.into_owned();
    let pack = Listpack::from_bytes(bytes).map_err(|_| Malformed::Encoding)?;
    let node = Node::from_foreign(pack, first).ok_or(Malformed::Encoding)?;
    Ok((first, node))
}

fn read_id(input: &mut Input<'_>) -> Result<StreamId, Malformed> {
    Ok(StreamId {
        ms: length::read_plain(input)?,
        seq: length::read_plain(input)?,
    })
}

fn read_raw_id(input: &mut Input<'_>) -> Result<StreamId, Malformed> {
    Ok(StreamId::from(u128::from_be_bytes(input.array()?)))
}

fn read_ms(input: &mut Input<'_>) -> Result<i64, Malformed> {
    Ok(i64::from_le_bytes(input.array()?))
}

fn read_group(number: u8, input: &mut Input<'_>, stream: &Stream) -> Result<Group, Malformed> {
    let last_id = read_id(input)?;
    let entries_read = if number >= types::STREAM_LISTPACKS_2 {
        let read = length::read_plain(input)?;
        i64::try_from(read).ok().map(i64::cast_unsigned)
    } else {
        stream.entries_up_to(last_id)
    };
    let mut group = Group::new(last_id, entries_read);
    for _ in 0..length::read_plain(input)? {
        let id = read_raw_id(input)?;
        let pending = Pending {
            delivered_ms: read_ms(input)?,
            deliveries: length::read_plain(input)?,
            owner: Owner::NOBODY,
        };
        if group.pending().get(id.into()).is_some() {
            return Err(Malformed::Encoding);
        }
        group.deliver(id, pending);
    }
    for _ in 0..length::read_plain(input)? {
        read_consumer(number, input, &mut group)?;
    }
    Ok(group)
}

fn read_consumer(number: u8, input: &mut Input<'_>, group: &mut Group) -> Result<(), Malformed> {
    let name = string::read_bytes(input)?;
    if group.find(&name).is_some() {
        return Err(Malformed::Encoding);
    }
    let seen_ms = read_ms(input)?;
    let active_ms = if number >= types::STREAM_LISTPACKS_3 {
        read_ms(input)?
    } else {
        seen_ms
    };
    let owner = group
        .add_consumer(&name, seen_ms)
        .map_err(|_| Malformed::Refused)?;
    group.consumer_mut(owner).active_ms = active_ms;
    for _ in 0..length::read_plain(input)? {
        let id = read_raw_id(input)?;
        match group.pending().get(id.into()).copied() {
            Some(pending) if pending.owner == Owner::NOBODY => {
                group.deliver(id, Pending { owner, ..pending });
            }
            _ => return Err(Malformed::Encoding),
        }
    }
    Ok(())
}
