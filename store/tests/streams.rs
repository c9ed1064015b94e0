//! Streams against a map: random additions, deletions and trims, with snapshots in between that must
//! stay as they were; and a group's two lists against one map.

use std::collections::BTreeMap;

use proptest::prelude::*;
use store::value::stream::{
    Bound, Group, Node, Owner, Pending, References, Stream, StreamId, Trim,
};
use store::{Container, Limits};

type Fields = Vec<(Vec<u8>, Vec<u8>)>;
type Model = BTreeMap<StreamId, Fields>;

#[derive(Clone, Debug)]
enum Step {
    /// How far the id is from the last, and the fields.
    Add(u64, u64, Fields),
    /// The entry of this rank, about.
    Delete(usize),
    Trim(Bound, bool, u64),
    Snapshot,
}

fn fields() -> impl Strategy<Value = Fields> {
    let name = prop_oneof![
        Just(b"a".to_vec()),
        Just(b"b".to_vec()),
        Just(b"7".to_vec())
    ];
    let value = prop_oneof![
        any::<i64>().prop_map(|n| n.to_string().into_bytes()),
        prop::collection::vec(any::<u8>(), 0..80),
    ];
    prop::collection::vec((name, value), 1..4)
}

fn step() -> impl Strategy<Value = Step> {
    let bound = prop_oneof![
        (0_u64..60).prop_map(Bound::MaxLen),
        (0_u64..200, 0_u64..3).prop_map(|(ms, seq)| Bound::MinId(StreamId { ms, seq })),
    ];
    prop_oneof![
        20 => (0_u64..3, 0_u64..3, fields()).prop_map(|(ms, seq, f)| Step::Add(ms, seq, f)),
        8 => any::<usize>().prop_map(Step::Delete),
        1 => (bound, any::<bool>(), 0_u64..20).prop_map(|(b, rough, l)| Step::Trim(b, rough, l)),
        1 => Just(Step::Snapshot),
    ]
}

fn limits() -> Limits {
    Limits {
        stream_node_max_entries: 7,
        stream_node_max_bytes: 300,
        ..Limits::default()
    }
}

fn shown<'s>(
    entries: impl Iterator<Item = store::value::stream::Entry<'s>>,
) -> Vec<(StreamId, Fields)> {
    entries
        .map(|entry| {
            let fields = entry
                .fields
                .map(|(name, value)| (name.to_vec(), value.to_vec()));
            (entry.id, fields.collect())
        })
        .collect()
}

/// The stream shows what the model has, whichever way, and its books are right.
fn compare(stream: &Stream, model: &Model) {
    let expected: Vec<_> = model.iter().map(|(id, f)| (*id, f.clone())).collect();
    assert_eq!(stream.len(), model.len() as u64);
    assert_eq!(shown(stream.range(StreamId::MIN, StreamId::MAX)), expected);
    let mut back = shown(stream.range_back(StreamId::MIN, StreamId::MAX));
    back.reverse();
    assert_eq!(back, expected);
    let first = model.keys().next().copied().unwrap_or_default();
    assert_eq!(stream.first_id(), first);
    assert_eq!(stream.last_live_id(), model.keys().last().copied());
    for (id, node) in stream.nodes().iter() {
        let bytes = node.as_bytes().to_vec();
        let pack = collections::Listpack::from_bytes(bytes).expect("it is a listpack");
        assert!(Node::from_foreign(pack, id.into()).is_some(), "N1 to N3");
    }
    stream.nodes().check();
}

fn apply(stream: &mut Stream, model: &mut Model, step: Step) {
    match step {
        Step::Add(ms, seq, fields) => {
            let last = stream.last_id();
            let id = StreamId {
                ms: last.ms + ms,
                seq: if ms > 0 { seq } else { last.seq + 1 + seq },
            };
            let words = fields.iter().map(|(n, v)| (n.as_slice(), v.as_slice()));
            stream
                .append(id, words, &limits())
                .expect("there is memory");
            model.insert(id, fields);
        }
        Step::Delete(at) => {
            let id = model.keys().nth(at % (model.len() + 1)).copied();
            let id = id.unwrap_or(StreamId {
                ms: 1 << 40,
                seq: 0,
            });
            let deleted = stream.delete(id).expect("there is memory");
            assert_eq!(deleted, model.remove(&id).is_some());
        }
        Step::Trim(bound, is_rough, limit) => {
            let trim = Trim {
                bound,
                is_rough,
                limit: if is_rough { limit } else { 0 },
                references: References::Keep,
            };
            let removed = stream.trim(&trim).expect("there is memory");
            let goes = match bound {
                Bound::MaxLen(max) => (model.len() as u64).saturating_sub(max),
                Bound::MinId(min) => model.range(..min).count() as u64,
            };
            if is_rough {
                assert!(removed <= goes && (limit == 0 || removed <= limit));
            } else {
                assert_eq!(removed, goes);
            }
            for _ in 0..removed {
                model.pop_first();
            }
        }
        Step::Snapshot => unreachable!("the caller takes it"),
    }
}

proptest! {
    #[test]
    fn streams_are_as_the_model(steps in prop::collection::vec(step(), 1..250)) {
        let (mut stream, mut model) = (Stream::new(), Model::new());
        let mut snapshots = Vec::new();
        for step in steps {
            if matches!(step, Step::Snapshot) {
                let fork = stream.fork().expect("there is memory");
                snapshots.push((fork, model.clone()));
                continue;
            }
            apply(&mut stream, &mut model, step);
        }
        compare(&stream, &model);
        for (snapshot, model) in &snapshots {
            compare(snapshot, model);
        }
    }

    /// Every part of a range, from either end.
    #[test]
    fn ranges_are_as_the_models(
        steps in prop::collection::vec(step(), 1..80),
        start in (0_u64..40, 0_u64..4),
        end in (0_u64..60, 0_u64..4),
    ) {
        let (mut stream, mut model) = (Stream::new(), Model::new());
        for step in steps.into_iter().filter(|step| !matches!(step, Step::Snapshot)) {
            apply(&mut stream, &mut model, step);
        }
        let id = |(ms, seq)| StreamId { ms, seq };
        let (start, end) = (id(start), id(end));
        let within = model.iter().filter(|(id, _)| (start..=end).contains(*id));
        let expected: Vec<_> = within.map(|(id, f)| (*id, f.clone())).collect();
        assert_eq!(shown(stream.range(start, end)), expected);
        let mut back = shown(stream.range_back(start, end));
        back.reverse();
        assert_eq!(back, expected);
        for id in model.keys() {
            assert!(stream.get(*id).is_some());
        }
    }

    /// G1, with consumers that come and go, under a snapshot.
    #[test]
    fn a_groups_lists_agree(steps in prop::collection::vec((0_u8..8, 0_u64..30, 0_usize..4), 1..200)) {
        let mut group = Group::new(StreamId::MIN, None);
        let mut model: BTreeMap<u64, Option<usize>> = BTreeMap::new();
        let mut snapshot = None;
        let names: [&[u8]; 4] = [b"one", b"two", b"", b"four"];
        let owner_of = |group: &mut Group, at: usize| match group.find(names[at]) {
            Some(owner) => owner,
            None => group.add_consumer(names[at], 5).expect("there is memory"),
        };
        for (what, id, at) in steps {
            let owner = match what {
                0..=3 => Some(owner_of(&mut group, at)),
                4 => Some(Owner::NOBODY),
                _ => None,
            };
            match (what, owner) {
                (_, Some(owner)) => {
                    let delivery = Pending { delivered_ms: 1, deliveries: id, owner };
                    group.deliver(StreamId { ms: id, seq: 0 }, delivery);
                    model.insert(id, (owner != Owner::NOBODY).then_some(at));
                }
                (5, _) => {
                    let gone = group.forget(StreamId { ms: id, seq: 0 });
                    assert_eq!(gone.is_some(), model.remove(&id).is_some());
                }
                (6, _) => {
                    let there = model.values().filter(|owner| **owner == Some(at)).count();
                    let exists = group.find(names[at]).is_some();
                    assert_eq!(group.remove_consumer(names[at]), exists.then_some(there as u64));
                    model.retain(|_, owner| *owner != Some(at));
                }
                _ => snapshot = Some((group.clone(), model.clone())),
            }
        }
        for (group, model) in [(group, model)].into_iter().chain(snapshot) {
            let ids: Vec<_> = group.pending().iter().map(|(id, _)| StreamId::from(id).ms).collect();
            assert_eq!(ids, model.keys().copied().collect::<Vec<_>>());
            for (at, name) in names.iter().enumerate() {
                let own = group.find(name).map(|owner| group.consumer(owner));
                let own = own.into_iter().flat_map(|consumer| consumer.pending().iter());
                let own: Vec<_> = own.map(|(id, _)| StreamId::from(id).ms).collect();
                let expected = model.iter().filter(|(_, owner)| **owner == Some(at));
                assert_eq!(own, expected.map(|(id, _)| *id).collect::<Vec<_>>());
            }
        }
    }
}

/// The books say what the allocator gave, within a tenth.
#[test]
fn a_stream_of_small_entries_is_small() {
    let mut stream = Stream::new();
    for ms in 1..=100_000_u64 {
        let text = ms.to_string();
        let fields = [(b"field".as_slice(), text.as_bytes())];
        let id = StreamId { ms, seq: 0 };
        stream
            .append(id, fields.into_iter(), &Limits::default())
            .expect("there is memory");
    }
    let each = stream.memory_bytes() as f64 / 100_000.0;
    assert!((8.0..24.0).contains(&each), "{each} bytes an entry");
}
