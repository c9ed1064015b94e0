//! The sorted set against `BTreeMap`: random changes of every kind over few and many scores, short
//! and long members, good and bad hashes; snapshots taken, read, taken apart and dropped in between;
//! scans that run across splits and merges.

#![cfg(not(feature = "model"))]

mod support;

use collections::sorted::{MemberHash, SortedSet};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;
use support::{mix, split_mix};

#[derive(Clone, Copy)]
struct Hash {
    seed: u64,
    /// Bits of the hash that are left: few make members share labels' hash bits.
    bits: u64,
}

impl MemberHash for Hash {
    fn hash(self, member: &[u8]) -> u64 {
        let hash = member.iter().fold(self.seed, |h, b| mix(h ^ u64::from(*b)));
        hash & self.bits
    }
}

/// A score with the order of sorted sets.
#[derive(Clone, Copy, Debug)]
struct Score(f64);

impl Ord for Score {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.partial_cmp(&other.0).expect("no NaN")
    }
}
impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for Score {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Score {}

#[derive(Clone, Default)]
struct Model {
    by_name: BTreeMap<Vec<u8>, f64>,
    by_score: BTreeSet<(Score, Vec<u8>)>,
}

impl Model {
    fn insert(&mut self, member: &[u8], score: f64) -> Option<f64> {
        let old = self.by_name.insert(member.to_vec(), score);
        if let Some(old) = old {
            self.by_score.remove(&(Score(old), member.to_vec()));
        }
        self.by_score.insert((Score(score), member.to_vec()));
        old
    }

    fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let old = self.by_name.remove(member)?;
        assert!(self.by_score.remove(&(Score(old), member.to_vec())));
        Some(old)
    }

    fn rank(&self, member: &[u8]) -> Option<u64> {
        let key = (Score(*self.by_name.get(member)?), member.to_vec());
        Some(self.by_score.range(..key).count() as u64)
    }
}

struct Scan {
    cursor: u64,
    staying: BTreeSet<Vec<u8>>,
    met: HashMap<Vec<u8>, u32>,
}

struct World {
    random: u64,
    set: SortedSet<Hash>,
    model: Model,
    names: u64,
    scores: u64,
    scan: Option<Scan>,
    scans_done: usize,
}

fn equal(set: &SortedSet<Hash>, model: &Model) {
    set.check();
    assert_eq!(set.len(), model.by_name.len() as u64);
    assert_eq!(set.is_empty(), model.by_name.is_empty());
    let expected = model
        .by_score
        .iter()
        .map(|(s, m)| (s.0.to_bits(), m.as_slice()));
    assert!(
        set.iter()
            .map(|(s, m)| (s.to_bits(), m))
            .eq(expected.clone()),
        "forward"
    );
    let back = set.iter().rev().map(|(s, m)| (s.to_bits(), m));
    assert!(back.eq(expected.rev()), "backward");
}

impl World {
    fn below(&mut self, n: u64) -> u64 {
        split_mix(&mut self.random) % n
    }

    fn name(&mut self) -> Vec<u8> {
        let n = self.below(self.names);
        let mut name = format!("m{n}").into_bytes();
        // Some are long, by their name, so that they are always the same.
        match n % 37 {
            0 => name.resize(300, b'x'),
            1 => name.resize(97, b'y'),
            2 => name.resize(96, b'z'),
            3 if n == 3 => name.clear(),
            _ => {}
        }
        name
    }

    fn score(&mut self) -> f64 {
        match self.below(12) {
            0 => -0.0,
            1 => 0.0,
            2 => f64::INFINITY,
            3 => f64::NEG_INFINITY,
            _ => self.below(self.scores) as f64 / 4.0 - 3.0,
        }
    }

    fn drop_from_scan(&mut self, member: &[u8]) {
        if let Some(scan) = &mut self.scan {
            scan.staying.remove(member);
        }
    }

    fn step(&mut self, grow: bool) {
        let (name, score) = (self.name(), self.score());
        let len = self.model.by_name.len() as u64;
        match self.below(if grow { 9 } else { 14 }) {
            0..=3 => {
                let old = self.set.insert(&name, score).expect("there is memory");
                let model = self.model.insert(&name, score);
                assert_eq!(old.map(f64::to_bits), model.map(f64::to_bits));
            }
            4 => {
                // What ZINCRBY does, and a decision against.
                let by = self.below(9) as f64 - 4.0;
                let found = self
                    .set
                    .update(&name, |old| old.map(|s| s + by).filter(|s| !s.is_nan()));
                let found = found.expect("nothing new");
                let old = self.model.by_name.get(&name).copied();
                assert_eq!(found.before, old);
                if let Some(new) = old.map(|s| s + by).filter(|s| !s.is_nan()) {
                    self.model.insert(&name, new);
                    assert_eq!(found.after, Some(new));
                }
            }
            5 => {
                let score = self.set.score(&name);
                assert_eq!(score, self.model.by_name.get(&name).copied());
                let rank = self.set.rank(&name);
                assert_eq!(rank.map(|r| r.0), self.model.rank(&name));
                if let Some((rank, score)) = rank {
                    assert_eq!(self.set.get(rank), Some((score, name.as_slice())));
                }
                assert_eq!(self.set.get(len), None);
            }
            6 => {
                let model = &self.model.by_score;
                let below = model.iter().filter(|(s, _)| s.0 < score).count() as u64;
                assert_eq!(self.set.rank_of_score(score, false), below);
                assert_eq!(self.set.rank_before(|(s, _)| s < score), below);
                let not_above = model.iter().filter(|(s, _)| s.0 <= score).count() as u64;
                assert_eq!(self.set.rank_of_score(score, true), not_above);
                let key = (Score(score), name.clone());
                let rank = self
                    .set
                    .rank_before(|(s, m)| (Score(s), m) < (key.0, &key.1));
                assert_eq!(rank, model.range(..key).count() as u64);
            }
            7 => {
                let from = self.below(len + 3);
                let to = from + self.below(200);
                let skip = usize::try_from(from).expect("small");
                let take = usize::try_from(to - from).expect("small");
                let model = self.model.by_score.iter().skip(skip).take(take);
                let expected: Vec<_> = model.map(|(s, m)| (s.0, m.as_slice())).collect();
                let found: Vec<_> = self.set.range(from..to).collect();
                assert_eq!(found, expected);
                // From both ends until they meet.
                let mut range = self.set.range(from..to);
                let (mut front, mut back) = (Vec::new(), Vec::new());
                while range.len() > 0 {
                    front.extend(range.next());
                    back.extend(range.next_back());
                }
                front.extend(back.into_iter().rev());
                assert_eq!(front, expected);
            }
            8 => self.scan_step(),
            9..=12 => {
                assert_eq!(self.set.remove(&name), self.model.remove(&name));
                self.drop_from_scan(&name);
            }
            _ => {
                let from = self.below(len + 1);
                let some = if self.below(2) == 0 { 10 } else { len / 8 };
                let to = from + self.below(1 + some);
                let gone: Vec<Vec<u8>> =
                    self.set.range(from..to).map(|(_, m)| m.to_vec()).collect();
                self.set.remove_ranks(from..to);
                for member in gone {
                    assert!(self.model.remove(&member).is_some());
                    self.drop_from_scan(&member);
                }
            }
        }
    }

    fn scan_step(&mut self) {
        let mut scan = self.scan.take().unwrap_or_else(|| Scan {
            cursor: 0,
            staying: self.model.by_name.keys().cloned().collect(),
            met: HashMap::new(),
        });
        let count = 1 + self.below(300);
        let mut seen = 0;
        let next = self.set.scan(scan.cursor, |member, score| {
            assert_eq!(self.model.by_name.get(member), Some(&score));
            *scan.met.entry(member.to_vec()).or_default() += 1;
            seen += 1;
            if seen >= count {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        if let Some(next) = next {
            assert!(next > scan.cursor && seen > 0, "it goes on");
            scan.cursor = next;
            self.scan = Some(scan);
            return;
        }
        self.scans_done += 1;
        for member in &scan.staying {
            assert_eq!(
                scan.met.get(member),
                Some(&1),
                "there all the time, met once"
            );
        }
    }
}

fn run(seed: u64, names: u64, scores: u64, bits: u64, steps: usize) {
    let mut world = World {
        random: seed,
        set: SortedSet::new(Hash { seed, bits }),
        model: Model::default(),
        names,
        scores,
        scan: None,
        scans_done: 0,
    };
    let mut snapshots: Vec<(SortedSet<Hash>, Model)> = Vec::new();
    for i in 0..steps {
        world.step(i % 9000 < 6000);
        let draw = split_mix(&mut world.random);
        let at = (draw >> 8) as usize % snapshots.len().max(1);
        match draw % 400 {
            0 if snapshots.len() < 4 => snapshots.push((world.set.clone(), world.model.clone())),
            1 if !snapshots.is_empty() => {
                let (snapshot, cut) = snapshots.swap_remove(at);
                equal(&snapshot, &cut);
                let mut parts = snapshot.into_parts();
                let mut found = Vec::new();
                while parts.show_some(|s, m| found.push((Score(s), m.to_vec()))) {}
                assert!(cut.by_score.iter().eq(&found), "taken apart");
                let mut remains = parts.into_remains();
                while remains.free_some(2) {}
            }
            2 if !snapshots.is_empty() => {
                let mut remains = snapshots.swap_remove(at).0.into_remains();
                while remains.free_some(3) {}
            }
            // A copy that goes on, as after COPY.
            3 if !snapshots.is_empty() => {
                let (set, model) = snapshots.swap_remove(at);
                snapshots.push((
                    std::mem::replace(&mut world.set, set),
                    std::mem::replace(&mut world.model, model),
                ));
                world.scan = None;
            }
            _ => {}
        }
        if i % 499 == 0 {
            equal(&world.set, &world.model);
        }
    }
    for (snapshot, cut) in &snapshots {
        equal(snapshot, cut);
    }
    equal(&world.set, &world.model);
    assert!(world.scans_done > 2, "{} scans", world.scans_done);
    let names: Vec<_> = world.model.by_name.keys().cloned().collect();
    for name in names {
        assert_eq!(world.set.remove(&name), world.model.remove(&name));
    }
    drop(snapshots);
    assert!(world.set.heap_bytes() < 4000, "{}", world.set.heap_bytes());
}

#[test]
fn equals_maps_with_few_scores() {
    for seed in 1..=2 {
        run(seed, 4_000, 3, u64::MAX, 20_000);
    }
}

#[test]
fn equals_maps_with_many_scores() {
    for seed in 3..=4 {
        run(seed, 4_000, 100_000, u64::MAX, 20_000);
    }
}

#[test]
fn equals_maps_with_poor_hashes() {
    // Up to a dozen members to each of 64 places, in few bundles.
    run(5, 600, 1_000, 0x0024_0c03, 12_000);
    run(6, 150, 10, 0x3, 3_000);
}

#[test]
fn the_sixty_fifth_of_one_hash_is_refused() {
    let mut set = SortedSet::new(Hash { seed: 0, bits: 0 });
    for i in 0..64_u32 {
        assert_eq!(set.insert(&i.to_be_bytes(), f64::from(i)), Ok(None));
    }
    assert!(set.insert(b"one more", 1.0).is_err());
    set.check();
    assert_eq!(
        (set.remove(&7_u32.to_be_bytes()), set.len()),
        (Some(7.0), 63)
    );
    assert_eq!(set.insert(b"one more", 1.0), Ok(None));
    set.check();
}

#[test]
fn a_change_under_a_snapshot_copies_a_path() {
    let hash = Hash {
        seed: 9,
        bits: u64::MAX,
    };
    let mut set = SortedSet::new(hash);
    for i in 0..200_000_u64 {
        set.insert(
            format!("member:{i:08}").as_bytes(),
            (mix(i) % 1_000_000) as f64,
        )
        .expect("memory");
    }
    let snapshot = set.clone();
    assert_eq!(set.remove(b"nobody"), None);
    assert_eq!(set.copies().nodes, 0, "what is not there costs nothing");
    set.insert(b"member:00000007", 3.5).expect("memory");
    let once = set.copies();
    // A chunk and a bundle; two paths of three or four nodes, which share the root.
    assert!((6..=9).contains(&once.nodes), "{once:?}");
    assert!(once.bytes < 25_000, "{once:?}");
    set.insert(b"member:00000007", 3.5).expect("memory");
    set.insert(b"member:00000007", 3.625).expect("memory");
    assert!(
        set.copies().nodes <= once.nodes + 1,
        "the paths are ours now"
    );
    let ours = set.copies();
    drop(snapshot);
    for i in 0..1000_u64 {
        set.insert(format!("member:{i:08}").as_bytes(), i as f64)
            .expect("memory");
    }
    assert_eq!(set.copies(), ours, "nobody else holds anything");
    set.check();
}

#[test]
fn a_member_costs_at_most_56_bytes() {
    let mut set = SortedSet::new(Hash {
        seed: 1,
        bits: u64::MAX,
    });
    let mut worst: f64 = 0.0;
    for i in 0..300_000_u64 {
        set.insert(format!("member:{i:09}").as_bytes(), mix(i) as f64)
            .expect("memory");
        if i % 1000 == 999 {
            let each = set.heap_bytes() as f64 / (i + 1) as f64;
            if i % 50_000 == 49_999 {
                println!("{} members: {each:.1} bytes each", i + 1);
            }
            worst = worst.max(each);
        }
    }
    println!("worst {worst:.1}");
    assert!(worst <= 56.0, "{worst} bytes a member");
}
