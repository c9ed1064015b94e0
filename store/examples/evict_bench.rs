//! What eviction and expiry cost where deadlines are rare: ten million keys of which ten thousand have one.
//!
//! - the longest of ten thousand `volatile-ttl` evictions, each by itself;
//! - how long the expire cycle takes from the deadline to the last key, and its longest hold of a shard.
//!
//! `cargo run --profile fast -p store --example evict_bench [keys]`

use std::time::{Duration, Instant};

use store::{
    CycleLimits, EvictionLimits, EvictionOrder, EvictionPolicy, EvictionPool, NewStr, Options,
    Plan, Scratch, Slot, Store, Turn,
};

/// One key in so many has a deadline.
const RARE: u64 = 1_000;
const NOW_MS: i64 = 1_700_000_000_000;

fn main() {
    let keys = std::env::args()
        .nth(1)
        .and_then(|word| word.parse().ok())
        .unwrap_or(10_000_000);
    let store = Store::new(Options {
        databases: 1,
        workers: 1,
        seed: 5,
    });
    let mut scratch = Scratch::new();
    fill(&store, &mut scratch, keys, |n| {
        NOW_MS + 60_000 + n.cast_signed()
    });
    evict(&store, &mut scratch);
    fill(&store, &mut scratch, keys, |_| NOW_MS + 100_000);
    expire(&store, &mut scratch);
}

fn fill(store: &Store, scratch: &mut Scratch, keys: u64, deadline: impl Fn(u64) -> i64) {
    for n in 0..keys {
        let name = format!("key:{n:012}");
        let key = store.key(name.as_bytes());
        let turn = Turn::new(0, 0, NOW_MS, scratch);
        let mut unit = store
            .begin(Plan::Narrow(key.shard()), turn)
            .expect("there is one thread");
        let at = (n % RARE == 0).then(|| deadline(n));
        if let Slot::Vacant(place) = unit.slot(key) {
            place
                .insert_string(NewStr::Bytes(&[b'v'; 32]), at)
                .expect("memory");
        }
    }
    let size = store.db_size(0, NOW_MS);
    println!("{} keys, {} with a deadline", size.keys, size.deadlines);
}

fn evict(store: &Store, scratch: &mut Scratch) {
    let mut pool = EvictionPool::default();
    let limits = EvictionLimits {
        policy: EvictionPolicy {
            volatile: true,
            order: EvictionOrder::Ttl,
        },
        samples: 5,
    };
    let mut times = Vec::new();
    loop {
        let began = Instant::now();
        let turn = Turn::new(0, 0, NOW_MS, scratch);
        let mut first = true;
        let done = store.evict(turn, limits, &mut pool, |_| std::mem::take(&mut first));
        if done.removed == 0 {
            break;
        }
        times.push(began.elapsed());
    }
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!(
        "volatile-ttl: {} evictions, median {:?}, 99 % {:?}, longest {:?}",
        times.len(),
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

fn expire(store: &Store, scratch: &mut Scratch) {
    let limits = CycleLimits {
        per_hold: 64,
        total: usize::MAX,
    };
    let (mut spent, mut longest, mut runs, mut gone) = (Duration::ZERO, Duration::ZERO, 0, 0);
    loop {
        let began = Instant::now();
        let mut last = began;
        let turn = Turn::new(0, 0, NOW_MS + 100_001, scratch);
        // A quarter of a tenth of a second, as the server allows itself at effort 1.
        let cycle = store.expire_cycle(turn, limits, || {
            let now = Instant::now();
            longest = longest.max(now - last);
            last = now;
            now - began < Duration::from_millis(25)
        });
        (spent, runs, gone) = (spent + began.elapsed(), runs + 1, gone + cycle.expired);
        if !cycle.unfinished {
            break;
        }
    }
    println!(
        "expiry: {gone} keys in {runs} runs of the cycle, {spent:?} of work, longest step {longest:?}"
    );
}
