//! The chunk list against a plain vector of elements: random pushes, changes, splits, joins and
//! removals of ranges, with snapshots taken, read, taken apart and dropped in between.

#![cfg(not(feature = "model"))]

mod support;

use collections::chunk_list::{Chunk, ChunkList};
use std::collections::VecDeque;
use std::sync::Arc;
use support::split_mix;

/// A handle to some numbers.
#[derive(Clone, Debug)]
struct Numbers(Arc<Vec<u64>>);

impl Chunk for Numbers {
    fn count(&self) -> usize {
        self.0.len()
    }
    fn heap_bytes(&self) -> usize {
        self.0.len() * 8
    }
}

impl Numbers {
    fn of(numbers: &[u64]) -> Self {
        Self(Arc::new(numbers.to_vec()))
    }
    fn get_mut(&mut self) -> &mut Vec<u64> {
        Arc::make_mut(&mut self.0)
    }
}

fn equal(list: &ChunkList<Numbers>, model: &VecDeque<u64>) {
    list.check();
    assert_eq!(list.len(), model.len() as u64);
    assert_eq!(list.is_empty(), model.is_empty());
    let found: Vec<u64> = list.iter().flat_map(|c| c.0.iter().copied()).collect();
    assert!(model.iter().eq(&found), "forward");
    assert_eq!(list.iter().count(), list.chunk_count());
    let mut back = Vec::new();
    let mut walk = list.seek_last();
    while let Some(chunk) = walk.get() {
        back.extend(chunk.0.iter().rev());
        walk.back();
    }
    assert!(model.iter().rev().eq(&back), "backward");
}

/// Chunks hold at most this many, but for those that were joined.
const MOST: usize = 5;

fn split(chunk: &mut Numbers, at: usize) -> Numbers {
    Numbers(Arc::new(chunk.get_mut().split_off(at)))
}

fn cut_at(list: &mut ChunkList<Numbers>, index: u64) {
    list.part_at(index, split);
    if let Some((_, inside)) = list.get(index) {
        assert_eq!(inside, 0);
    }
}

fn step(random: &mut u64, list: &mut ChunkList<Numbers>, model: &mut VecDeque<u64>, grow: bool) {
    let mut below = |n: usize| (split_mix(random) % n as u64) as usize;
    let (value, len) = (below(1 << 40) as u64, model.len());
    let at = below(len + 1);
    match below(if grow { 8 } else { 12 }) {
        0 | 1 => {
            let full = list.back().is_none_or(|c| c.count() >= MOST);
            if full || below(4) == 0 {
                list.push_back(Numbers::of(&[value]));
            } else {
                list.change_back(|c, _| c.get_mut().push(value));
            }
            model.push_back(value);
        }
        2 | 3 => {
            let full = list.front().is_none_or(|c| c.count() >= MOST);
            if full || below(4) == 0 {
                list.push_front(Numbers::of(&[value]));
            } else {
                list.change_front(|c, _| c.get_mut().insert(0, value));
            }
            model.push_front(value);
        }
        4 if at < len => {
            // Into the middle; a full chunk parts.
            let done = list.change(at as u64, |chunk, inside, more| {
                chunk.get_mut().insert(inside, value);
                if chunk.count() > MOST {
                    more.push(split(chunk, MOST / 2));
                }
            });
            assert!(done.is_some());
            model.insert(at, value);
        }
        5 => {
            // A chunk of its own between two.
            cut_at(list, at as u64);
            list.insert(at as u64, Numbers::of(&[value, value + 1, value + 2]));
            for i in 0..3 {
                model.insert(at + i, value + i as u64);
            }
        }
        6 if at < len => {
            let (chunk, inside) = list.get(at as u64).expect("inside");
            assert_eq!(chunk.0[inside], model[at]);
            list.change(at as u64, |chunk, inside, _| {
                chunk.get_mut()[inside] = value
            });
            model[at] = value;
        }
        7 => {
            cut_at(list, at as u64);
            list.join_at(at as u64, |left, right| {
                let fits = left.count() + right.count() <= 2 * MOST;
                if fits {
                    left.get_mut().extend(right.0.iter());
                }
                fits
            });
        }
        8 | 9 if at < len => {
            list.change(at as u64, |chunk, inside, _| chunk.get_mut().remove(inside));
            model.remove(at);
        }
        10 => {
            let to = at + below((len - at + 1).min(40));
            cut_at(list, at as u64);
            cut_at(list, to as u64);
            let removed = list.remove_range(at as u64..to as u64);
            let model_removed: VecDeque<u64> = model.drain(at..to).collect();
            equal(&removed, &model_removed);
        }
        11 => {
            // The end goes to the beginning.
            cut_at(list, at as u64);
            let mut end = list.remove_range(at as u64..len as u64);
            end.append(std::mem::take(list));
            *list = end;
            model.rotate_left(at);
        }
        _ => {}
    }
}

fn run(seed: u64, steps: usize) {
    let mut random = seed;
    let (mut list, mut model) = (ChunkList::new(), VecDeque::new());
    let mut snapshots: Vec<(ChunkList<Numbers>, VecDeque<u64>)> = Vec::new();
    for i in 0..steps {
        let grow = i % 4000 < 2500;
        step(&mut random, &mut list, &mut model, grow);
        let draw = split_mix(&mut random);
        match draw % 64 {
            0 if snapshots.len() < 4 => snapshots.push((list.clone(), model.clone())),
            1 if !snapshots.is_empty() => {
                let at = (draw >> 8) as usize % snapshots.len();
                let (snapshot, cut) = snapshots.swap_remove(at);
                equal(&snapshot, &cut);
                let mut parts = snapshot.into_parts();
                let mut found = Vec::new();
                while let Some(part) = parts.next_leaf() {
                    for piece in part.leaf().records() {
                        found.extend(piece.chunk().0.iter().copied());
                    }
                }
                assert!(cut.iter().eq(&found), "taken apart");
            }
            2 if !snapshots.is_empty() => {
                let at = (draw >> 8) as usize % snapshots.len();
                let mut parts = snapshots.swap_remove(at).0.into_parts();
                while parts.free_some(3) {}
            }
            _ => {}
        }
        if i % 97 == 0 {
            equal(&list, &model);
        }
    }
    for (snapshot, cut) in &snapshots {
        equal(snapshot, cut);
    }
    equal(&list, &model);
    while let Some((chunk, _)) = list.get(0) {
        let count = chunk.count() as u64;
        drop(list.remove_range(0..count));
    }
    assert_eq!((list.heap_bytes(), list.len()), (0, 0));
}

#[test]
fn equals_a_vector() {
    for seed in 1..=6 {
        run(seed, 9_000);
    }
}

#[test]
fn a_snapshot_costs_a_path() {
    let mut list = ChunkList::new();
    for i in 0..40_000 {
        list.push_back(Numbers::of(&[i]));
    }
    assert_eq!(list.copies().nodes, 0);
    let snapshot = list.clone();
    list.change(20_000, |chunk, _, _| chunk.get_mut()[0] = 7);
    let once = list.copies().nodes;
    assert!((2..=4).contains(&once), "{once} nodes");
    list.change(20_000, |chunk, _, _| chunk.get_mut()[0] = 8);
    assert_eq!(list.copies().nodes, once, "the path is ours now");
    assert_eq!(snapshot.get(20_000).map(|(c, _)| c.0[0]), Some(20_000));
}
