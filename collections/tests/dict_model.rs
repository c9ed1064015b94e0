//! The dict against std maps: random operations of every kind with clones that are taken, changed
//! and dropped in between, scans that run across splits and merges, deadlines, long keys and values,
//! colliding hashes. Every clone must stay equal to its own model, whatever the others do.

use collections::dict::{Deadline, Dict, Hashing, Inserted, Item};
use std::collections::{BTreeMap, HashMap, HashSet};

type Map = HashMap<Vec<u8>, (Vec<u8>, Option<i64>)>;

fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn good(bytes: &[u8], seed: u64) -> u64 {
    let step = |h: u64, b: &u8| mix(h ^ u64::from(*b)).wrapping_add(0x9e37_79b9);
    bytes.iter().fold(mix(seed ^ bytes.len() as u64), step)
}

/// Four tags, and positions that agree in all but a few bits: collisions of every kind.
fn poor(bytes: &[u8], seed: u64) -> u64 {
    good(bytes, seed) & 0xc000_0040_0001_0007
}

/// Everything in one place.
fn constant(_: &[u8], seed: u64) -> u64 {
    seed
}

/// A running SCAN.
struct Scan {
    cursor: u64,
    /// There since the beginning, and not removed: each must be met.
    staying: HashSet<Vec<u8>>,
    met: HashMap<Vec<u8>, u32>,
    /// Removed or put in meanwhile: may be met more than once.
    touched: HashSet<Vec<u8>>,
}

struct World {
    random: u64,
    now: i64,
    keys: u64,
    hashing: Hashing,
    /// The one that is scanned is the first.
    maps: Vec<(Dict, Map)>,
    scan: Option<Scan>,
    scans_done: usize,
    expired: usize,
    longest_value: usize,
}

fn equal(dict: &Dict, map: &Map) {
    assert_eq!(dict.len(), map.len());
    assert_eq!(dict.iter().len(), map.len());
    let mut seen = 0;
    for item in dict {
        let (value, deadline) = map.get(item.key).expect("the model has it");
        assert_eq!((item.value, item.deadline), (value.as_slice(), *deadline));
        seen += 1;
    }
    assert_eq!(seen, map.len());
    let deadlines = map.values().filter_map(|v| v.1);
    assert_eq!(dict.deadlines(), deadlines.clone().count());
    match (dict.earliest_deadline(), deadlines.min()) {
        (None, None) => {}
        (Some(bound), Some(exact)) => assert!(bound <= exact),
        other => panic!("{other:?}"),
    }
}

impl World {
    fn new(seed: u64, hash: fn(&[u8], u64) -> u64, keys: u64) -> Self {
        let hashing = Hashing { seed, hash };
        Self {
            random: seed,
            now: 0,
            keys,
            hashing,
            maps: vec![(Dict::new(hashing), Map::new())],
            scan: None,
            scans_done: 0,
            expired: 0,
            longest_value: 0,
        }
    }

    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.random)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.draw() % n
    }

    fn key(&mut self) -> Vec<u8> {
        let n = self.below(self.keys);
        // The length follows from the number, so keys come again.
        let len = match n % 40 {
            0 => 254 + (n / 40 % 5) as usize,
            1 => 60 + (n / 40 % 5) as usize,
            2 => 600,
            _ => 8,
        };
        let mut key = n.to_le_bytes().to_vec();
        key.resize(len, 7);
        key
    }

    fn value(&mut self) -> Vec<u8> {
        let len = match self.below(40) {
            0 => self.below(5000),
            1 => 500 + self.below(16),
            2..6 => 0,
            6..20 => 12,
            _ => self.below(60),
        } as usize;
        self.longest_value = self.longest_value.max(len);
        vec![self.draw() as u8; len]
    }

    fn deadline(&mut self) -> Deadline {
        match self.below(6) {
            0 => Deadline::Clear,
            1 | 2 => Deadline::At(self.now + self.below(100) as i64),
            _ => Deadline::Keep,
        }
    }

    fn step(&mut self) {
        let which = self.below(self.maps.len() as u64) as usize;
        let key = self.key();
        let value = self.value();
        let deadline = self.deadline();
        let (action, random) = (self.below(100), self.draw());
        let now = self.now;
        let (dict, map) = &mut self.maps[which];
        let hash = self.hashing.of(&key);
        let before = map.get(&key).cloned();
        let mut gone: Vec<Vec<u8>> = Vec::new();
        match action {
            0..40 => {
                let did = dict.insert(hash, &key, &value, deadline);
                let new = match (deadline, &before) {
                    (Deadline::Keep, Some(old)) => old.1,
                    (Deadline::At(ms), _) => Some(ms),
                    _ => None,
                };
                let expected = match before {
                    Some(_) => Inserted::Replaced,
                    None => Inserted::New,
                };
                assert_eq!(did, Ok(expected));
                map.insert(key.clone(), (value, new));
            }
            40..50 => {
                let did = dict.insert_absent(hash, &key, &value, None);
                assert_eq!(did, Ok(before.is_none()));
                map.entry(key.clone()).or_insert((value, None));
            }
            50..60 => {
                let new = match deadline {
                    Deadline::At(ms) => Some(ms),
                    _ => None,
                };
                assert_eq!(dict.set_deadline(hash, &key, new), Ok(before.is_some()));
                if let Some(old) = map.get_mut(&key) {
                    old.1 = new;
                }
            }
            60..80 => {
                let taken = dict.take(hash, &key, |i| (i.value.to_vec(), i.deadline));
                assert_eq!(taken, map.remove(&key));
                gone.push(key.clone());
            }
            80..85 => {
                let popped = dict.pop_random(random, |i| (i.key.to_vec(), i.value.to_vec()));
                assert_eq!(popped.is_some(), !map.is_empty());
                if let Some((key, value)) = popped {
                    assert_eq!(map.remove(&key).expect("it was there").0, value);
                    gone.push(key);
                }
            }
            85..88 => {
                let shown = |item: Item<'_>| (item.key.to_vec(), item.value.to_vec());
                let mut visited = BTreeMap::new();
                dict.visit_expired(now, |item| visited.extend([shown(item)]));
                let limit = if random & 1 == 0 { usize::MAX } else { 3 };
                let mut removed = BTreeMap::new();
                let done = dict.remove_expired(now, limit, |item| removed.extend([shown(item)]));
                assert_eq!(done.removed, removed.len());
                assert!(done.finished || done.removed >= limit);
                self.expired += done.removed;
                for (key, value) in &removed {
                    assert_eq!(visited.get(key), Some(value));
                    let old = map.remove(key).expect("it was there");
                    assert!(old.0 == *value && old.1.is_some_and(|ms| ms <= now));
                    gone.push(key.clone());
                }
                let left = map.values().filter(|v| v.1.is_some_and(|ms| ms <= now));
                assert_eq!(left.count(), visited.len() - removed.len());
                assert!(!done.finished || visited.len() == removed.len());
            }
            _ => {
                let item = dict.get(hash, &key);
                assert_eq!(item.map(|i| (i.value.to_vec(), i.deadline)), before);
                if let Some(item) = item {
                    let in_page = if key.len() > 255 { 4 } else { key.len() };
                    let outside = in_page + item.value.len() > 512;
                    assert_eq!(item.pin().is_some(), outside, "{}", item.value.len());
                    assert!(item.pin().is_none_or(|pin| *pin == item.value));
                }
                let random = dict.random(random);
                assert_eq!(random.is_some(), !map.is_empty());
                assert!(random.is_none_or(|i| map[i.key].0 == i.value));
            }
        }
        if which == 0
            && let Some(scan) = &mut self.scan
        {
            for key in gone {
                scan.staying.remove(&key);
                scan.touched.insert(key);
            }
            if before.is_none() {
                scan.touched.insert(key);
            }
        }
    }

    fn scan_on(&mut self) {
        let count = 1 + self.below(20) as usize;
        let (dict, map) = &self.maps[0];
        let scan = self.scan.get_or_insert_with(|| Scan {
            cursor: 0,
            staying: map.keys().cloned().collect(),
            met: HashMap::new(),
            touched: HashSet::new(),
        });
        let mut seen = 0;
        scan.cursor = dict.scan(scan.cursor, count, |item| {
            seen += 1;
            assert_eq!(map[item.key].0, item.value);
            *scan.met.entry(item.key.to_vec()).or_default() += 1;
        });
        assert!(scan.cursor < 1 << 48);
        assert!(scan.cursor == 0 || seen >= count);
        if scan.cursor == 0 {
            let scan = self.scan.take().expect("running");
            for key in &scan.staying {
                assert!(scan.met.contains_key(key), "missed");
            }
            for (key, times) in &scan.met {
                assert!(
                    *times == 1 || scan.touched.contains(key),
                    "met {times} times"
                );
            }
            self.scans_done += 1;
        }
    }

    fn clones(&mut self) {
        if self.maps.len() < 5 && self.below(2) == 0 {
            let from = self.below(self.maps.len() as u64) as usize;
            let copy = self.maps[from].clone();
            self.maps.push(copy);
        } else if self.maps.len() > 1 {
            // Never the first: it is being scanned.
            let which = 1 + self.below(self.maps.len() as u64 - 1) as usize;
            let (dict, map) = self.maps.swap_remove(which);
            equal(&dict, &map);
            let mut left = dict.len();
            for piece in dict.into_pieces() {
                left -= piece.len();
                assert!(piece.iter().all(|i| map[i.key].0 == i.value));
                assert_eq!(piece.iter().count(), piece.len());
            }
            assert_eq!(left, 0);
        }
    }

    /// Phases of growing and of shrinking, so that splits and merges happen.
    fn run(&mut self, steps: usize) {
        for step in 0..steps {
            self.step();
            if step % 10 == 0 {
                self.scan_on();
                self.now += 1;
            }
            if step % 100 == 0 {
                self.clones();
            }
            if step % 500 == 0 {
                for (dict, map) in &self.maps {
                    dict.check();
                    equal(dict, map);
                }
            }
            if step % 4000 == 3999 {
                let (dict, map) = &mut self.maps[0];
                let all: Vec<Vec<u8>> = map.keys().cloned().collect();
                for key in &all[all.len() / 20..] {
                    assert!(dict.remove(self.hashing.of(key), key));
                    map.remove(key);
                    if let Some(scan) = &mut self.scan {
                        scan.staying.remove(key);
                        scan.touched.insert(key.clone());
                    }
                }
                dict.check();
            }
        }
        for (dict, map) in &self.maps {
            dict.check();
            equal(dict, map);
        }
        assert!(self.scans_done > 3, "{} scans", self.scans_done);
        assert!(self.expired > 50, "{} expired", self.expired);
        assert!(self.longest_value > 4000);
    }
}

#[test]
fn random_operations_with_a_good_hash() {
    for seed in 0..3 {
        World::new(seed, good, 2000).run(16_000);
    }
}

#[test]
fn random_operations_with_many_keys() {
    World::new(11, good, 100_000).run(30_000);
}

#[test]
fn random_operations_with_colliding_hashes() {
    World::new(21, poor, 1500).run(12_000);
}

#[test]
fn random_operations_where_all_hashes_are_equal() {
    World::new(31, constant, 300).run(8_000);
}
