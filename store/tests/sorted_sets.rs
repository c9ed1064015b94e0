//! Sorted sets against a `BTreeMap`: random edits in both forms, forks in between that keep what they
//! were, and every way to read.

use std::collections::BTreeMap;

use proptest::prelude::*;
use store::{Container, Limits, Options, SortedSet, Store};

#[derive(Clone, Debug)]
enum Step {
    Put(u8, i8),
    Remove(u8),
    RemoveRanks(u8, u8),
    Fork,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0..40_u8, -6..6_i8).prop_map(|(member, score)| Step::Put(member, score)),
        3 => (0..40_u8).prop_map(Step::Remove),
        1 => (0..40_u8, 0..4_u8).prop_map(|(from, count)| Step::RemoveRanks(from, count)),
        1 => Just(Step::Fork),
    ];
    prop::collection::vec(step, 1..120)
}

/// Whole numbers, and floats that are exact in four bytes and that are not.
fn score_of(score: i8) -> f64 {
    match score {
        -6 => f64::NEG_INFINITY,
        5 => f64::INFINITY,
        odd if odd % 2 != 0 => f64::from(odd) * 0.5,
        even if even % 4 == 0 => f64::from(even),
        even => f64::from(even) * 0.1,
    }
}

/// Numbers and words, so that both kinds of elements occur.
fn member_of(member: u8) -> Vec<u8> {
    if member.is_multiple_of(2) {
        member.to_string().into_bytes()
    } else {
        format!("member:{member}").into_bytes()
    }
}

type Model = BTreeMap<Vec<u8>, f64>;

fn in_order(model: &Model) -> Vec<(f64, Vec<u8>)> {
    let mut rows: Vec<_> = model.iter().map(|(m, s)| (*s, m.clone())).collect();
    rows.sort_by(|one, other| {
        let scores = one.0.partial_cmp(&other.0).expect("numbers");
        scores.then_with(|| one.1.cmp(&other.1))
    });
    rows
}

fn check(set: &SortedSet, model: &Model) {
    let expected = in_order(model);
    let row = |(score, member): store::Scored<'_>| (score, member.to_vec());
    assert_eq!(set.len(), expected.len() as u64);
    assert_eq!(set.iter().map(row).collect::<Vec<_>>(), expected);
    let backwards: Vec<_> = set.iter().rev().map(row).collect();
    assert!(backwards.iter().eq(expected.iter().rev()));
    for (rank, (score, member)) in expected.iter().enumerate() {
        assert_eq!(set.score(member), Some(*score));
        assert_eq!(set.rank(member), Some((rank as u64, *score)));
    }
    for score in (-6..6).map(score_of) {
        for inclusive in [false, true] {
            let below = |other: f64| other < score || inclusive && other == score;
            let count = expected.iter().filter(|row| below(row.0)).count();
            assert_eq!(set.rank_of_score(score, inclusive), count as u64);
        }
    }
    let len = expected.len();
    let part = len / 3..len - len / 4;
    let ranks = part.start as u64..part.end as u64;
    let found: Vec<_> = set.range(ranks).map(row).collect();
    assert_eq!(found, expected[part]);
    let (mut met, mut cursor) = (Model::new(), 0);
    loop {
        cursor = set.scan(cursor, 3, |row| {
            met.insert(row.1.to_vec(), row.0);
        });
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(&met, model);
}

fn play(steps: Vec<Step>, limits: &Limits) {
    let _hashing = Store::new(Options {
        databases: 1,
        workers: 1,
        seed: 9,
    });
    let mut set = SortedSet::for_members(0, 0, limits);
    let (mut model, mut kept) = (Model::new(), None);
    for step in steps {
        match step {
            Step::Put(member, score) => {
                let (member, score) = (member_of(member), score_of(score));
                let is_new = set.insert(&member, score, limits).expect("there is memory");
                assert_eq!(is_new, model.insert(member, score).is_none());
            }
            Step::Remove(member) => {
                let member = member_of(member);
                assert_eq!(set.remove(&member), model.remove(&member));
            }
            Step::RemoveRanks(from, count) => {
                let (from, count) = (usize::from(from), usize::from(count));
                for (_, member) in in_order(&model).into_iter().skip(from).take(count) {
                    model.remove(&member);
                }
                set.remove_ranks(from as u64..(from + count) as u64);
            }
            Step::Fork => {
                kept = Some((set.fork().expect("there is memory"), model.clone()));
            }
        }
        check(&set, &model);
        if let Some((set, model)) = &kept {
            check(set, model);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn small_ones(steps in steps()) {
        play(steps, &Limits::default());
    }

    #[test]
    fn ones_that_turn_large(steps in steps()) {
        let limits = Limits {
            zset_max_listpack_entries: 6,
            ..Limits::default()
        };
        play(steps, &limits);
    }

    #[test]
    fn large_ones(steps in steps()) {
        let limits = Limits {
            zset_max_listpack_value: 1,
            ..Limits::default()
        };
        play(steps, &limits);
    }
}
