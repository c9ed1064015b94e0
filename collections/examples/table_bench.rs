//! What the table costs: look-ups one by one and in staged batches, insertion, the longest single
//! insertion while growing, structure bytes an entry, a cut and the writes after it.
//!
//! `cargo run --profile fast -p collections --example table_bench [entries ...]`
//!
//! Entries are 64 bytes with a 16-byte key, in mimalloc, as the store's are; `shards` spreads them
//! over 1,024 tables, as the store does, `one` puts all in one.

use collections::table::{Ahead, Element, Hash, Slot, Table};
use std::hint::black_box;
use std::ptr::NonNull;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BATCH: usize = 16;
const SAMPLES: usize = 3_200_000;
/// Look-ups between two looks at the clock; enough to go through the caches.
const ROUND: usize = 80_000;

#[repr(align(8))]
struct Entry {
    key: [u8; 16],
    value: [u8; 40],
}

struct Handle(Box<Entry>);

// SAFETY: a box's pointer, aligned to eight; entries are plain bytes.
unsafe impl Element for Handle {
    type Key = [u8; 16];
    type Seed = u64;
    type Ref<'a> = &'a Entry;
    type Mut<'a> = &'a mut Entry;

    fn into_raw(self) -> NonNull<u8> {
        NonNull::from(Box::leak(self.0)).cast()
    }
    unsafe fn from_raw(element: NonNull<u8>) -> Self {
        // SAFETY: the caller's promise.
        Self(unsafe { Box::from_raw(element.cast().as_ptr()) })
    }
    unsafe fn borrow<'a>(element: NonNull<u8>) -> &'a Entry {
        // SAFETY: the caller's promise.
        unsafe { element.cast().as_ref() }
    }
    unsafe fn borrow_mut<'a>(element: NonNull<u8>) -> &'a mut Entry {
        // SAFETY: the caller's promise.
        unsafe { element.cast().as_mut() }
    }
    fn matches(element: &Entry, key: &[u8; 16]) -> bool {
        element.key == *key
    }
    fn hash(element: &Entry, seed: u64) -> Hash {
        hash(&element.key, seed)
    }
    fn deadline(_: &Entry) -> Option<i64> {
        None
    }
}

fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn key(i: u64) -> [u8; 16] {
    let mut key = *b"key:000000000000";
    key[4..12].copy_from_slice(&i.to_be_bytes());
    key
}

fn hash(key: &[u8; 16], seed: u64) -> Hash {
    let half = |at: usize| u64::from_le_bytes(key[at..at + 8].try_into().expect("eight bytes"));
    Hash::new(mix(mix(half(0) ^ seed) ^ half(8)))
}

struct Store {
    tables: Vec<Table<Handle>>,
}

impl Store {
    fn new(shards: usize) -> Self {
        Self {
            tables: (0..shards).map(|_| Table::new(7)).collect(),
        }
    }
    fn table(&self, hash: Hash) -> &Table<Handle> {
        &self.tables[hash.shard() & (self.tables.len() - 1)]
    }
    fn table_mut(&mut self, hash: Hash) -> &mut Table<Handle> {
        let shard = hash.shard() & (self.tables.len() - 1);
        &mut self.tables[shard]
    }
    fn put(&mut self, key: [u8; 16], value: u8) {
        let hash = hash(&key, 7);
        let entry = Handle(Box::new(Entry {
            key,
            value: [value; 40],
        }));
        match self.table_mut(hash).entry(hash, &key) {
            Slot::Vacant(slot) => {
                slot.insert(entry);
            }
            Slot::Occupied(mut slot) => drop(slot.replace(entry)),
        }
    }
    fn sum(&self, of: impl Fn(&Table<Handle>) -> usize) -> usize {
        self.tables.iter().map(of).sum()
    }
}

fn ns(total: Duration, n: usize) -> f64 {
    total.as_secs_f64() * 1e9 / n as f64
}

/// The quickest of many rounds, in ns a key: other programs on the machine can only slow one down.
fn quickest(keys: &[[u8; 16]], mut round: impl FnMut(&[[u8; 16]]) -> u64) -> f64 {
    let mut best = f64::MAX;
    for keys in keys.chunks_exact(ROUND) {
        let start = Instant::now();
        black_box(round(keys));
        best = best.min(ns(start.elapsed(), keys.len()));
    }
    best
}

fn one_by_one(store: &Store, keys: &[[u8; 16]]) -> f64 {
    quickest(keys, |keys| {
        let mut sum = 0_u64;
        for key in keys {
            let hash = hash(key, 7);
            sum += store
                .table(hash)
                .find(hash, key)
                .map_or(0, |e| u64::from(e.value[0]));
        }
        sum
    })
}

fn in_batches(store: &Store, keys: &[[u8; 16]]) -> f64 {
    quickest(keys, |keys| {
        let mut sum = 0_u64;
        for batch in keys.chunks_exact(BATCH) {
            let mut hashes = [Hash::new(0); BATCH];
            for (h, key) in hashes.iter_mut().zip(batch) {
                *h = hash(key, 7);
            }
            let mut aheads = hashes.map(|h| store.table(h).ahead(h));
            aheads.iter_mut().flatten().for_each(Ahead::ask_word);
            aheads.iter().flatten().for_each(Ahead::ask_entry);
            for (h, key) in hashes.iter().zip(batch) {
                sum += store
                    .table(*h)
                    .find(*h, key)
                    .map_or(0, |e| u64::from(e.value[0]));
            }
        }
        sum
    })
}

/// Grows a store three times by the same insertions; for each insertion the quickest of the three
/// counts, because a stall of ours comes back at the same place, one of the machine's does not.
fn grow(name: &str, shards: usize, entries: u64) -> Store {
    let mut times = vec![u32::MAX; entries as usize];
    let mut kept = None;
    for _ in 0..3 {
        drop(kept.take());
        let mut store = Store::new(shards);
        let mut before = Instant::now();
        for i in 0..entries {
            store.put(key(i), 1);
            let now = Instant::now();
            let took = u32::try_from((now - before).as_nanos()).unwrap_or(u32::MAX);
            times[i as usize] = times[i as usize].min(took);
            before = now;
        }
        kept = Some(store);
    }
    let store = kept.expect("grown three times");
    let mean = times.iter().map(|t| u64::from(*t)).sum::<u64>() as f64 / entries as f64;
    let overhead = store.sum(Table::heap_bytes) as f64 / store.sum(Table::len) as f64;
    times.sort_unstable_by(|a, b| b.cmp(a));
    let longest: Vec<_> = times[..3].iter().map(|t| t / 1000).collect();
    println!("{name} {entries}: insert {mean:.0} ns, overhead {overhead:.2} B/entry");
    println!(
        "  longest insertions {longest:?} µs, p99.9 {} ns",
        times[times.len() / 1000]
    );
    store
}

fn run(name: &str, shards: usize, entries: u64) {
    let mut store = grow(name, shards, entries);

    let mut random = 1_u64;
    let mut draw = |from: u64| {
        random = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        key(from + mix(random) % entries)
    };
    let hits: Vec<_> = (0..SAMPLES).map(|_| draw(0)).collect();
    let misses: Vec<_> = (0..SAMPLES).map(|_| draw(1 << 40)).collect();
    let (one, batch) = (one_by_one(&store, &hits), in_batches(&store, &hits));
    println!("  find hit  {one:.0} ns, batched {batch:.0}");
    let (one, batch) = (one_by_one(&store, &misses), in_batches(&store, &misses));
    println!("  find miss {one:.0} ns, batched {batch:.0}");

    let start = Instant::now();
    let snapshots: Vec<_> = store.tables.iter().map(Table::snapshot).collect();
    let cut = start.elapsed();
    let (mut worst, mut before) = (Duration::ZERO, Instant::now());
    let start = before;
    for key in &hits[..200_000] {
        store.put(*key, 2);
        let now = Instant::now();
        worst = worst.max(now - before);
        before = now;
    }
    let write = ns(start.elapsed(), 200_000);
    let copied = store.tables.iter().map(Table::copied_bytes).sum::<u64>();
    let start = Instant::now();
    let read: u64 = snapshots
        .iter()
        .flat_map(|s| s.iter())
        .map(|e| u64::from(e.value[0]))
        .sum();
    assert_eq!(read, entries, "the snapshot is as it was");
    let walk = ns(start.elapsed(), entries as usize);
    let start = Instant::now();
    drop(snapshots);
    println!("  cut {cut:?}; 200,000 overwrites after it {write:.0} ns each, longest {worst:?},");
    println!(
        "  {copied} bytes copied; snapshot read {walk:.1} ns/entry, dropped in {:?}",
        start.elapsed()
    );
    let again = Instant::now();
    for key in &hits[200_000..400_000] {
        store.put(*key, 1);
    }
    println!(
        "  overwrites without snapshot {:.0} ns",
        ns(again.elapsed(), 200_000)
    );
}

fn main() {
    // The machine's own hiccups, to be told from ours.
    let (mut worst, mut before) = (Duration::ZERO, Instant::now());
    let until = before + Duration::from_secs(1);
    while before < until {
        let now = Instant::now();
        worst = worst.max(now - before);
        before = now;
    }
    println!("bare loop: longest gap {worst:?}");
    let sizes: Vec<u64> = std::env::args()
        .skip(1)
        .filter_map(|a| a.parse().ok())
        .collect();
    for entries in if sizes.is_empty() {
        vec![1_000_000, 5_000_000]
    } else {
        sizes
    } {
        run("shards", 1024, entries);
        run("one", 1, entries);
    }
}
