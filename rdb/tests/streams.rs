//! Streams that Redis dumped, read by us; ours compared with them; broken ones refused.

use std::sync::Arc;

use rdb::{Dialect, DumpError, Form, Loaded, Out};
use store::value::stream::{Stream, StreamId};
use store::{Container, Limits, Object, ValueRef};

const FOOTER_BYTES: usize = 10;
const STREAM_LISTPACKS: u8 = 15;
const STREAM_LISTPACKS_3: u8 = 21;

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&text[i..i + 2], 16).expect("the file holds hex"))
        .collect()
}

struct Line {
    entries: u64,
    groups: usize,
    payload: Vec<u8>,
}

fn lines() -> Vec<Line> {
    let lines = include_str!("streams.dumps").lines();
    lines
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            Line {
                entries: words[1].parse().expect("a count"),
                groups: words[2].parse().expect("a count"),
                payload: unhex(words[3]),
            }
        })
        .collect()
}

fn load(payload: &[u8]) -> Result<Stream, DumpError> {
    match rdb::load(payload, &Limits::default())? {
        Loaded::Object(Object::Stream(ref stream)) => Ok(stream.fork().expect("there is memory")),
        other => panic!("{other:?} is no stream"),
    }
}

fn dump(stream: &Stream) -> Vec<u8> {
    let object = Object::Stream(stream.fork().expect("there is memory"));
    let mut payload = Vec::new();
    rdb::dump(ValueRef::Object(&Arc::new(object)), None, &mut payload);
    payload
}

/// Version and checksum behind a body.
fn sealed(body: &[u8]) -> Vec<u8> {
    let mut out = body.to_vec();
    out.extend_from_slice(&11_u16.to_le_bytes());
    let checksum = rdb::crc::checksum(&out);
    out.extend_from_slice(&checksum.to_le_bytes());
    out
}

fn body(payload: &[u8]) -> &[u8] {
    &payload[..payload.len() - FOOTER_BYTES]
}

#[test]
fn payloads_of_redis_are_read_and_ours_are_alike() {
    for line in lines() {
        let stream = load(&line.payload).expect("Redis wrote it");
        assert_eq!(stream.len(), line.entries);
        assert_eq!(stream.group_count(), line.groups);
        let entries = stream.range(StreamId::MIN, StreamId::MAX);
        assert_eq!(entries.count() as u64, line.entries);
        let ours = dump(&stream);
        if line.payload[0] == STREAM_LISTPACKS_3 {
            let mut in_a_file = Vec::new();
            let form = Form::file(11, Dialect::Redis, false);
            rdb::stream::write(
                &stream,
                &mut Out::payload(&mut in_a_file, None).in_form(form),
            );
            assert_eq!(in_a_file, body(&line.payload), "a copy of memory");
            // Where no time is lost, a payload is one that Redis 7.0 reads.
            let differ = stream.groups().flat_map(|(_, group)| group.consumers());
            let differ = differ.into_iter().any(|who| who.seen_ms != who.active_ms);
            assert_eq!(ours[0], if differ { 21 } else { 19 });
        }
        assert_eq!(dump(&load(&ours).expect("we wrote it")), ours);
    }
}

/// What the counters are where the form is too old to tell: Redis 5 and 6.
#[test]
fn the_oldest_form_counts_what_is_there() {
    let plain = lines().swap_remove(1);
    let mut old = body(&plain.payload).to_vec();
    old[0] = STREAM_LISTPACKS;
    // First id, highest deleted one, entries added: five lengths of a byte each, before the groups.
    old.drain(old.len() - 6..old.len() - 1);
    let stream = load(&sealed(&old)).expect("it is well formed");
    assert_eq!(stream.entries_added(), plain.entries);
    assert_eq!(stream.first_id(), StreamId { ms: 5, seq: 7 });
    assert_eq!(stream.max_deleted_id(), StreamId::MIN);
}

/// Whatever a byte becomes, and wherever the payload ends: refused, or a stream that can be used.
#[test]
fn broken_ones_are_refused_or_are_streams() {
    let mut refused = 0;
    for line in lines() {
        let good = body(&line.payload);
        for at in 1..good.len() {
            assert!(load(&sealed(&good[..at])).is_err(), "cut to {at}");
            for bit in 0..8 {
                let mut bad = good.to_vec();
                bad[at] ^= 1 << bit;
                match load(&sealed(&bad)) {
                    Ok(mut stream) => {
                        let ids: Vec<_> = stream
                            .range(StreamId::MIN, StreamId::MAX)
                            .map(|e| e.id)
                            .collect();
                        assert_eq!(ids.len() as u64, stream.len());
                        for id in ids {
                            assert!(stream.delete(id).expect("there is memory"));
                        }
                        assert!(stream.is_empty());
                    }
                    Err(_) => refused += 1,
                }
            }
        }
    }
    assert!(refused > 1_000, "{refused}");
}
