//! The map of ids against `BTreeMap`: random insertions, removals, walks and cuts, with snapshots
//! taken, read and dropped in between.

#![cfg(not(feature = "model"))]

mod support;

use collections::id_map::{IdMap, Value};
use std::collections::BTreeMap;
use support::split_mix;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Number(u64);

impl Value for Number {}

type Model = BTreeMap<u128, Number>;

fn equal(map: &IdMap<Number>, model: &Model) {
    map.check();
    assert_eq!(map.len(), model.len() as u64);
    assert_eq!(map.is_empty(), model.is_empty());
    assert!(
        map.iter().eq(model.iter().map(|(id, v)| (*id, v))),
        "forward"
    );
    let mut back = Vec::new();
    let mut walk = map.at_or_before(u128::MAX);
    while let Some((id, value)) = walk.get() {
        back.push((id, *value));
        walk.back();
    }
    assert!(
        model.iter().rev().map(|(id, v)| (*id, *v)).eq(back),
        "backward"
    );
    let ends = (map.first(), map.last());
    let first = model.first_key_value().map(|(id, v)| (*id, v));
    let last = model.last_key_value().map(|(id, v)| (*id, v));
    assert_eq!(ends, (first, last));
}

struct World {
    random: u64,
    map: IdMap<Number>,
    model: Model,
    /// The high halves of ids are below this: how often ids meet.
    span: u64,
}

impl World {
    fn below(&mut self, n: u64) -> u64 {
        split_mix(&mut self.random) % n
    }

    fn id(&mut self) -> u128 {
        u128::from(self.below(self.span)) << 64 | u128::from(self.below(3))
    }

    fn step(&mut self, grow: bool) {
        let (id, value) = (self.id(), Number(self.below(1 << 50)));
        match self.below(if grow { 6 } else { 11 }) {
            0..=2 => assert_eq!(self.map.insert(id, value), self.model.insert(id, value)),
            3 => {
                // At the end, as XADD does.
                let id = self.model.last_key_value().map_or(id, |(last, _)| last + 1);
                assert_eq!(self.map.insert(id, value), None);
                self.model.insert(id, value);
            }
            4 => {
                assert_eq!(self.map.get(id), self.model.get(&id));
                let after = self.map.at_or_after(id).get();
                assert_eq!(after, self.model.range(id..).next().map(|(i, v)| (*i, v)));
                let before = self.map.at_or_before(id).get();
                let expected = self.model.range(..=id).next_back();
                assert_eq!(before, expected.map(|(i, v)| (*i, v)));
                let rank = self.map.rank(id);
                assert_eq!(rank, self.model.range(..id).count() as u64);
                assert_eq!(self.map.at_rank(rank).get(), after);
            }
            5 => {
                let there = self.model.get_mut(&id).map(|v| std::mem::replace(v, value));
                let changed = self.map.change(id, |v| std::mem::replace(v, value));
                assert_eq!(changed, there);
            }
            6 | 7 => assert_eq!(self.map.remove(id), self.model.remove(&id)),
            8 => assert_eq!(self.map.pop_first(), self.model.pop_first()),
            9 => {
                // A run of neighbours, one by one.
                for _ in 0..self.below(30) {
                    let Some((id, _)) = self.map.at_or_after(id).get() else {
                        break;
                    };
                    assert_eq!(self.map.remove(id), self.model.remove(&id));
                }
            }
            _ => {
                let to = (id + (u128::from(self.below(self.span / 8 + 1)) << 64)).max(id);
                let ranks = self.map.rank(id)..self.map.rank(to);
                let removed = self.map.remove_ranks(ranks);
                let mut cut = self.model.split_off(&id);
                self.model.append(&mut cut.split_off(&to));
                equal(&removed, &cut);
            }
        }
    }
}

fn run(seed: u64, span: u64, steps: usize) {
    let mut world = World {
        random: seed,
        map: IdMap::new(),
        model: Model::new(),
        span,
    };
    let mut snapshots: Vec<(IdMap<Number>, Model)> = Vec::new();
    for i in 0..steps {
        world.step(i % 5000 < 3500);
        let draw = split_mix(&mut world.random);
        match draw % 64 {
            0 if snapshots.len() < 4 => snapshots.push((world.map.clone(), world.model.clone())),
            1 if !snapshots.is_empty() => {
                let (snapshot, cut) = snapshots.swap_remove((draw >> 8) as usize % snapshots.len());
                equal(&snapshot, &cut);
            }
            _ => {}
        }
        if i % 101 == 0 {
            equal(&world.map, &world.model);
        }
    }
    for (snapshot, cut) in &snapshots {
        equal(snapshot, cut);
    }
    equal(&world.map, &world.model);
    while let Some((id, _)) = world.map.last() {
        assert!(world.map.remove(id).is_some());
    }
    assert_eq!(world.map.heap_bytes(), 0);
}

#[test]
fn equals_a_btree_map() {
    for seed in 1..=4 {
        run(seed, 20, 4_000);
        run(seed, 3_000, 14_000);
    }
}

#[test]
fn appending_fills_leaves() {
    let mut map = IdMap::new();
    for id in 0..100_000 {
        map.insert(id, Number(0));
    }
    let each = map.heap_bytes() as f64 / 1e5;
    println!("{each:.1} bytes an entry");
    assert!(each < 28.5, "{each} bytes an entry of 24");
}

#[test]
fn a_change_under_a_snapshot_copies_a_path() {
    let mut map = IdMap::new();
    for id in 0..200_000_u128 {
        map.insert(id * 0x9e37_79b9 % 200_003, Number(0));
    }
    let snapshot = map.clone();
    assert!(map.remove(1 << 100).is_none() && map.change(1 << 100, |_| ()).is_none());
    assert_eq!(map.copies().nodes, 0, "what is not there costs nothing");
    map.insert(77, Number(1));
    let once = map.copies();
    assert!(
        (2..=4).contains(&once.nodes) && once.bytes < 16_000,
        "{once:?}"
    );
    map.remove(77);
    assert_eq!(map.copies(), once, "the path is ours now");
    assert_eq!(snapshot.get(77), Some(&Number(0)));
    drop(snapshot);
    map.insert(100_000, Number(1));
    assert_eq!(map.copies(), once, "nobody else holds anything");
}

#[test]
fn inner_nodes_join_and_stay_in_order() {
    // Large enough for many inner nodes; holes of several leaves, filled a little, until little is
    // left: first children go, something is put before what is first now, and nodes join.
    let mut random = 99;
    let (mut map, mut model) = (IdMap::new(), Model::new());
    for id in 0..60_000_u128 {
        map.insert(id, Number(0));
        model.insert(id, Number(0));
    }
    for round in 0..1500 {
        let from = u128::from(split_mix(&mut random) % 60_000);
        let hole: Vec<u128> = model.range(from..).take(150).map(|(id, _)| *id).collect();
        for id in &hole {
            assert!(map.remove(*id).is_some());
            model.remove(id);
        }
        for id in hole.iter().skip(round % 7).step_by(40) {
            assert_eq!(map.insert(*id, Number(1)), None);
            model.insert(*id, Number(1));
        }
        if round % 50 == 0 {
            equal(&map, &model);
        }
    }
    equal(&map, &model);
}
