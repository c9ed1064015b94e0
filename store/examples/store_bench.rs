//! What a unit costs: nanoseconds of GET, SET, INCR in process, one by one and with the keys of a
//! batch prefetched, and bytes for each key.
//!
//! `cargo run --profile fast -p store --example store_bench [keys]`

use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use libmimalloc_sys::{mi_free, mi_malloc, mi_malloc_aligned};
use store::{Deadline, Key, NewStr, Options, Plan, Scratch, Slot, Store, Turn};

/// mimalloc, counting what it was asked for. As in `os::alloc`, what is aligned to a word takes
/// the plain way: the aligned one rounds 56 bytes up to 64.
struct Counting;

static ASKED: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is passed on.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ASKED.fetch_add(layout.size(), Relaxed);
        // SAFETY: the caller's promise.
        unsafe {
            if layout.align() <= 8 {
                mi_malloc(layout.size()).cast()
            } else {
                mi_malloc_aligned(layout.size(), layout.align()).cast()
            }
        }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        ASKED.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promise.
        unsafe { mi_free(at.cast()) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const BATCH: usize = 16;

struct Bench {
    store: Store,
    scratch: Scratch,
    keys: u64,
    random: u64,
}

/// 16 bytes.
fn name(n: u64) -> [u8; 16] {
    let mut name = *b"key:000000000000";
    let (mut n, mut at) = (n, 15);
    while n > 0 {
        name[at] = b'0' + (n % 10) as u8;
        n /= 10;
        at -= 1;
    }
    name
}

impl Bench {
    fn draw(&mut self) -> [u8; 16] {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        name(self.random % self.keys)
    }

    fn turn(&mut self) -> (&Store, Turn<'_>) {
        (&self.store, Turn::new(0, 0, 1_000, &mut self.scratch))
    }

    fn get(&mut self, key: Key<'_>) {
        let (store, turn) = self.turn();
        let mut unit = store.begin(Plan::Narrow(key.shard()), turn).expect("alone");
        let value = unit.read_string(key).expect("a string");
        std::hint::black_box(value);
        unit.finish();
    }

    fn set(&mut self, key: Key<'_>, deadline: Option<i64>) {
        let (store, turn) = self.turn();
        let mut unit = store.begin(Plan::Narrow(key.shard()), turn).expect("alone");
        let value = NewStr::of(b"value:abcdefghijklmnopqrstuvwxyz");
        match unit.slot(key) {
            Slot::Occupied(mut at) => at.set_string(value, Deadline::Keep),
            Slot::Vacant(at) => at.insert_string(value, deadline),
        }
        .expect("memory");
        unit.dirty(1);
        unit.finish();
    }

    fn incr(&mut self, key: Key<'_>) {
        let (store, turn) = self.turn();
        let mut unit = store.begin(Plan::Narrow(key.shard()), turn).expect("alone");
        if let Slot::Occupied(mut at) = unit.slot(key) {
            let n = at.entry().string().expect("a string").as_int().unwrap_or(0);
            at.set_string(NewStr::Int(n + 1), Deadline::Keep)
                .expect("memory");
        }
        unit.finish();
    }

    /// One by one, then in batches of prefetched keys.
    fn measure(&mut self, what: &str, f: impl Fn(&mut Self, Key<'_>)) {
        let rounds = 2_000_000;
        let begin = Instant::now();
        for _ in 0..rounds {
            let key = self.draw();
            let key = self.store.key(&key);
            f(self, key);
        }
        let single = begin.elapsed().as_nanos() as f64 / f64::from(rounds);
        let begin = Instant::now();
        for _ in 0..rounds / BATCH as u32 {
            let names: [_; BATCH] = std::array::from_fn(|_| self.draw());
            let keys: [Key<'_>; BATCH] = std::array::from_fn(|i| self.store.key(&names[i]));
            self.store.touch_ahead(&keys.map(|key| (0, key.spot())));
            keys.iter().for_each(|key| f(self, *key));
        }
        let batched = begin.elapsed().as_nanos() as f64 / f64::from(rounds);
        println!("{what:32} {single:7.1} ns one by one {batched:7.1} ns in batches of {BATCH}");
    }
}

fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|text| text.split(' ').nth(1)?.parse::<usize>().ok());
    pages.unwrap_or(0) * 4096
}

fn main() {
    let keys = std::env::args()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .unwrap_or(1_000_000);
    for deadline in [None, Some(1 << 40)] {
        let (asked, rss) = (ASKED.load(Relaxed), resident());
        let store = Store::new(Options {
            databases: 16,
            workers: 2,
            seed: 42,
        });
        println!(
            "an empty store: {} KiB asked for",
            (ASKED.load(Relaxed) - asked) >> 10
        );
        let mut bench = Bench {
            store,
            scratch: Scratch::new(),
            keys,
            random: 88_172_645_463_325_252,
        };
        let begin = Instant::now();
        for n in 0..keys {
            let key = name(n);
            let key = bench.store.key(&key);
            bench.set(key, deadline);
        }
        let fill = begin.elapsed().as_nanos() as f64 / keys as f64;
        println!(
            "{keys} keys of 16 bytes, values of 32, deadline: {}; filled in {fill:.1} ns each\n\
             bytes a key: {:.1} asked for, {:.1} resident",
            deadline.is_some(),
            (ASKED.load(Relaxed) - asked) as f64 / keys as f64,
            (resident() - rss) as f64 / keys as f64,
        );
        let one = name(1);
        let same = bench.store.key(&one);
        bench.measure("the bench's own part", |_, key| {
            std::hint::black_box(key.shard());
        });
        bench.measure("begin and finish, nothing else", |b, _| {
            let (store, turn) = b.turn();
            std::hint::black_box(
                store
                    .begin(Plan::Narrow(same.shard()), turn)
                    .expect("alone")
                    .finish(),
            );
        });
        bench.measure("GET of one and the same key", |b, _| b.get(same));
        bench.measure("GET", Bench::get);
        bench.measure("SET over an equal size", |b, key| b.set(key, None));
        bench.measure("INCR (first turns it into an int)", Bench::incr);
    }
}
