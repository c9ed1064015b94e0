//! What the dict costs, beside the standard library's `HashMap` (hashbrown): look-ups, insertion,
//! overwriting, removal, walking, cloning, writes under a clone, memory that the system gave.
//!
//! `cargo run --profile fast -p collections --example dict_bench [set] [elements ...]`
//!
//! `set` leaves the maps with values out: what is resident is only right for a process's first map.
//!
//! Keys of 16 bytes, values of 32 or none, in mimalloc, as the store has them.

use collections::dict::{Deadline, Dict, Hashing};
use libmimalloc_sys::{mi_free, mi_malloc, mi_malloc_aligned};
use std::alloc::{GlobalAlloc, Layout};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Plain requests, as `os::alloc` makes them: with an alignment named, mimalloc's classes are missed.
struct Plain;

// SAFETY: mimalloc's blocks are aligned to eight without being asked; what wants more asks.
unsafe impl GlobalAlloc for Plain {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() <= 8 {
            // SAFETY: any size is legal.
            unsafe { mi_malloc(layout.size()).cast() }
        } else {
            // SAFETY: a layout's alignment is a power of two.
            unsafe { mi_malloc_aligned(layout.size(), layout.align()).cast() }
        }
    }
    unsafe fn dealloc(&self, at: *mut u8, _: Layout) {
        // SAFETY: it came from `alloc`.
        unsafe { mi_free(at.cast()) }
    }
}

#[global_allocator]
static ALLOCATOR: Plain = Plain;

const SEED: u64 = 7;
/// Operations between two looks at the clock: shorter than what a scheduler gives at a time.
const ROUND: usize = 2_000;

fn mix(x: u64) -> u64 {
    let product = u128::from(x ^ 0x9e37_79b9_7f4a_7c15) * 0xbf58_476d_1ce4_e5b9_u128;
    (product >> 64) as u64 ^ product as u64
}

fn hash(bytes: &[u8], seed: u64) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut h = seed ^ bytes.len() as u64;
    for word in words {
        h = mix(h ^ u64::from_le_bytes(*word));
    }
    for byte in rest {
        h = mix(h ^ u64::from(*byte));
    }
    h
}

const HASHING: Hashing = Hashing { seed: SEED, hash };

#[derive(Default)]
struct Same(u64);

impl Hasher for Same {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = hash(bytes, SEED);
    }
    fn write_usize(&mut self, _: usize) {
        // The length's prefix: `hash` mixes it in itself.
    }
    fn finish(&self) -> u64 {
        self.0
    }
}

type Std = HashMap<Box<[u8]>, Box<[u8]>, BuildHasherDefault<Same>>;

fn key(i: u64) -> [u8; 16] {
    let mut key = *b"key:000000000000";
    key[4..12].copy_from_slice(&i.to_be_bytes());
    key
}

/// What the system gave to this process, in bytes; 0 where there is no such file.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text
        .split(' ')
        .nth(1)
        .and_then(|word| word.parse::<usize>().ok());
    pages.unwrap_or(0) * 4096
}

/// Quickest and mean round, in ns an operation: other programs on the machine only slow one down.
fn rounds(what: &str, keys: &[[u8; 16]], mut one: impl FnMut(&[u8; 16]) -> usize) {
    let (mut best, mut sum) = (f64::MAX, Duration::ZERO);
    for keys in keys.chunks_exact(ROUND) {
        let start = Instant::now();
        let mut seen = 0;
        for key in keys {
            seen += one(key);
        }
        black_box(seen);
        let took = start.elapsed();
        sum += took;
        best = best.min(took.as_secs_f64() * 1e9 / ROUND as f64);
    }
    let mean = sum.as_secs_f64() * 1e9 / (keys.len() / ROUND * ROUND) as f64;
    println!("  {what:22} {best:6.0} ns, mean {mean:.0}");
}

/// The same for a walk: `step` takes a number of elements and says how many there were.
fn walk(what: &str, mut step: impl FnMut(usize) -> usize) {
    let mut best = f64::MAX;
    loop {
        let start = Instant::now();
        let seen = step(ROUND);
        let took = start.elapsed();
        if seen < ROUND {
            break;
        }
        best = best.min(took.as_secs_f64() * 1e9 / seen as f64);
    }
    println!("  {what:22} {best:6.1} ns");
}

fn once(what: &str, operations: usize, f: impl FnOnce()) {
    let start = Instant::now();
    f();
    let took = start.elapsed();
    let each = took.as_secs_f64() * 1e9 / operations as f64;
    println!("  {what:22} {each:6.1} ns each, {took:?}");
}

/// The keys of each measurement, drawn once.
struct Draws {
    all: Vec<[u8; 16]>,
    hits: Vec<[u8; 16]>,
    misses: Vec<[u8; 16]>,
}

impl Draws {
    fn new(elements: u64) -> Self {
        let mut state = 1_u64;
        let mut draw = |from: u64| {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(99);
            key(from + ((u128::from(mix(state)) * u128::from(elements)) >> 64) as u64)
        };
        Self {
            all: (0..elements).map(key).collect(),
            hits: (0..1_000_000).map(|_| draw(0)).collect(),
            misses: (0..1_000_000).map(|_| draw(1 << 40)).collect(),
        }
    }
}

fn dict(draws: &Draws, value: &[u8]) {
    let before = resident();
    let mut dict = Dict::new(HASHING);
    let put = |dict: &mut Dict, key: &[u8; 16], value: &[u8]| {
        let done = dict.insert(HASHING.of(key), key, value, Deadline::Keep);
        usize::from(done.is_ok())
    };
    rounds("insert", &draws.all, |key| put(&mut dict, key, value));
    let each = |bytes: usize| bytes as f64 / dict.len() as f64;
    let (books, system) = (
        each(dict.memory_bytes()),
        each(resident().saturating_sub(before)),
    );
    println!("  {books:.1} B an element by the books, {system:.1} resident");
    let get = |key: &[u8; 16]| {
        dict.get(HASHING.of(key), key)
            .map_or(0, |item| item.value.len())
    };
    rounds("find, hit", &draws.hits, get);
    rounds("find, miss", &draws.misses, get);
    let mut ahead = draws.hits.iter().skip(16).cycle();
    rounds("find, hit, 16 ahead", &draws.hits, |key| {
        if let Some(next) = ahead.next() {
            dict.prefetch(HASHING.of(next));
        }
        get(key)
    });
    rounds("random", &draws.hits, |key| {
        dict.random(HASHING.of(key))
            .map_or(0, |item| item.key.len())
    });
    let mut items = dict.iter();
    walk("walk", |n| {
        let some = items.by_ref().take(n);
        some.map(|item| black_box(usize::from(item.key[0]) + item.value.len()).min(1))
            .sum()
    });
    let mut cursor = 0;
    walk("scan by hundreds", |n| {
        let mut seen = 0;
        while seen < n {
            cursor = dict.scan(cursor, 100, |item| seen += black_box(item.key.len()).min(1));
            if cursor == 0 {
                return 0;
            }
        }
        seen
    });
    let other = vec![1; value.len()];
    rounds("overwrite", &draws.hits, |key| put(&mut dict, key, &other));
    let mut clone = None;
    once("clone", 1, || clone = Some(dict.clone()));
    rounds("overwrite, cloned", &draws.hits[..200_000], |key| {
        put(&mut dict, key, value)
    });
    println!("  {} bytes copied", dict.copied_bytes());
    once("dropping the clone", 1, || drop(clone));
    let remove = |key: &[u8; 16]| usize::from(dict.remove(HASHING.of(key), key));
    rounds("remove", &draws.all, remove);
}

fn std_map(draws: &Draws, value: &[u8]) {
    let before = resident();
    let mut map = Std::default();
    let put = |map: &mut Std, key: &[u8; 16], value: &[u8]| {
        map.insert(Box::from(key.as_slice()), Box::from(value))
            .is_some()
            .into()
    };
    rounds("insert", &draws.all, |key| put(&mut map, key, value));
    let system = resident().saturating_sub(before) as f64 / map.len() as f64;
    println!("  {system:.1} B an element resident");
    let get = |key: &[u8; 16]| map.get(key.as_slice()).map_or(0, |value| value.len());
    rounds("find, hit", &draws.hits, get);
    rounds("find, miss", &draws.misses, get);
    let mut items = map.iter();
    walk("walk", |n| {
        let some = items.by_ref().take(n);
        some.map(|(k, v)| black_box(usize::from(k[0]) + v.len()).min(1))
            .sum()
    });
    let other = vec![1; value.len()];
    rounds("overwrite", &draws.hits, |key| put(&mut map, key, &other));
    let mut clone = None;
    once("clone", 1, || clone = Some(map.clone()));
    once("dropping the clone", 1, || drop(clone));
    let remove = |key: &[u8; 16]| usize::from(map.remove(key.as_slice()).is_some());
    rounds("remove", &draws.all, remove);
}

fn main() {
    let given: Vec<u64> = std::env::args()
        .skip(1)
        .filter_map(|a| a.parse().ok())
        .collect();
    for elements in if given.is_empty() {
        vec![1_000_000]
    } else {
        given
    } {
        let draws = Draws::new(elements);
        let values = [&[7_u8; 32][..], b""];
        let first = usize::from(std::env::args().any(|word| word == "set"));
        for value in &values[first..] {
            println!("dict, {elements} keys of 16, values of {}", value.len());
            dict(&draws, value);
            println!("std, {elements} keys of 16, values of {}", value.len());
            std_map(&draws, value);
        }
    }
}
