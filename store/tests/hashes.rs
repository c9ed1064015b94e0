//! A hash against a `BTreeMap`: random edits in all three forms, with forks in between that must
//! not change, and time that goes on.
#![cfg(not(feature = "model"))]

use std::collections::BTreeMap;

use proptest::prelude::*;
use store::{Container, Encoding, FieldDeadline, Hash, Limits, Options, Store};

type Model = BTreeMap<Vec<u8>, (Vec<u8>, Option<i64>)>;

#[derive(Clone, Debug)]
enum Step {
    Set(u8, Vec<u8>, Option<Option<i64>>),
    SetDeadline(u8, Option<i64>),
    Remove(u8),
    Expire(i64, usize),
    Fork,
}

fn name(n: u8) -> Vec<u8> {
    match n % 3 {
        0 => n.to_string().into_bytes(),
        1 => format!("field:{n}").into_bytes(),
        _ => vec![n; usize::from(n) % 30],
    }
}

fn step() -> impl Strategy<Value = Step> {
    let value = prop_oneof![
        (-200_i64..100_000).prop_map(|n| n.to_string().into_bytes()),
        prop::collection::vec(any::<u8>(), 0..12),
        (60_usize..700).prop_map(|len| vec![b'v'; len]),
    ];
    let moment = || prop::option::of(1_i64..200);
    prop_oneof![
        8 => (any::<u8>(), value, prop::option::of(moment()))
            .prop_map(|(n, value, deadline)| Step::Set(n, value, deadline)),
        4 => (any::<u8>(), moment()).prop_map(|(n, deadline)| Step::SetDeadline(n, deadline)),
        3 => any::<u8>().prop_map(Step::Remove),
        1 => (0_i64..200, 0_usize..20).prop_map(|(now, limit)| Step::Expire(now, limit)),
        1 => Just(Step::Fork),
    ]
}

fn check(hash: &Hash, model: &Model) {
    assert_eq!(hash.len(), model.len() as u64);
    let held: Model = hash
        .iter()
        .map(|field| {
            let (name, value) = (field.name.to_vec(), field.value.to_vec());
            (name, (value, field.deadline))
        })
        .collect();
    assert_eq!(&held, model);
    let deadlines = || model.values().filter_map(|(_, deadline)| *deadline);
    assert_eq!(hash.deadlines(), deadlines().count() as u64);
    match (hash.part_deadline(), deadlines().min()) {
        (None, None) => {}
        (Some(bound), Some(earliest)) => assert!(bound <= earliest, "H2"),
        other => panic!("H2: {other:?}"),
    }
    if hash.encoding() == Encoding::ListpackEx {
        let order: Vec<_> = hash
            .iter()
            .map(|f| f.deadline.unwrap_or(i64::MAX))
            .collect();
        assert!(order.is_sorted(), "H1");
    }
    let mut shown = Vec::new();
    let mut cursor = 0;
    loop {
        cursor = hash.scan(cursor, 3, |field| shown.push(field.name.to_vec()));
        if cursor == 0 {
            break;
        }
    }
    shown.sort();
    assert!(shown.iter().eq(model.keys()));
}

fn run(steps: Vec<Step>, limits: &Limits) {
    let mut hash = Hash::new();
    let mut model = Model::new();
    let mut forks = Vec::new();
    for step in steps {
        match step {
            Step::Set(n, value, deadline) => {
                let name = name(n);
                let old = model.get(&name).and_then(|(_, deadline)| *deadline);
                let (how, new) = match deadline {
                    None => (FieldDeadline::Keep, old),
                    Some(None) => (FieldDeadline::Clear, None),
                    Some(Some(at)) => (FieldDeadline::At(at), Some(at)),
                };
                let is_new = hash.set(&name, &value, how, limits).expect("memory");
                let before = model.insert(name, (value, new));
                assert_eq!(is_new, before.is_none());
            }
            Step::SetDeadline(n, deadline) => {
                let name = name(n);
                let is_held = hash.set_deadline(&name, deadline).expect("memory");
                assert_eq!(is_held, model.contains_key(&name));
                if let Some((_, held)) = model.get_mut(&name) {
                    *held = deadline;
                }
            }
            Step::Remove(n) => {
                let removed = hash.remove(&name(n));
                assert_eq!(removed, model.remove(&name(n)).is_some());
            }
            Step::Expire(now_ms, limit) => {
                let mut gone = Vec::new();
                let finished = hash.expire(now_ms, limit, |name| gone.push(name.to_vec()));
                for name in &gone {
                    let (_, deadline) = model.remove(name).expect("it was held");
                    assert!(deadline.is_some_and(|at| now_ms > at), "it was due");
                }
                if finished {
                    let due = |at: &Option<i64>| at.is_some_and(|at| now_ms > at);
                    assert!(!model.values().any(|(_, at)| due(at)), "none is left");
                }
            }
            Step::Fork => forks.push((hash.fork().expect("memory"), model.clone())),
        }
        let some = model.iter().next();
        if let Some((name, (value, deadline))) = some {
            let field = hash.held(name).expect("it is held");
            assert_eq!(field.value.to_vec(), *value);
            assert_eq!(field.deadline, *deadline);
        }
    }
    check(&hash, &model);
    for (fork, model) in &forks {
        check(fork, model);
    }
    if !model.is_empty() {
        let random = hash.random(u64::MAX / 3).expect("it has fields");
        assert!(model.contains_key(&random.name.to_vec()));
    }
}

/// Elements are hashed with the secrets of the process's first store.
fn secrets() {
    let _ = Store::new(Options {
        databases: 1,
        workers: 1,
        seed: 1,
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn small_and_large_are_a_map(steps in prop::collection::vec(step(), 1..160)) {
        secrets();
        run(steps.clone(), &Limits::default());
        let tiny = Limits { hash_max_listpack_entries: 8, ..Limits::default() };
        run(steps.clone(), &tiny);
        let wide = Limits { hash_max_listpack_value: 1 << 20, ..Limits::default() };
        run(steps, &wide);
    }
}
