//! What the ordered containers cost: sorted sets with random and with equal scores, lists, maps of
//! ids. Nanoseconds an operation, bytes an element as the allocator's books and as the system see
//! them, and the longest single change while a snapshot lives.
//!
//! `cargo run --profile fast -p collections --example tree_bench [members ...]`

use collections::chunk_list::{Chunk, ChunkList};
use collections::id_map::{IdMap, Value};
use collections::sorted::{MemberHash, SortedSet};
use libmimalloc_sys::{mi_free, mi_malloc, mi_malloc_aligned};
use std::alloc::{GlobalAlloc, Layout};
use std::hint::black_box;
use std::sync::Arc;
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

/// Operations between two looks at the clock.
const ROUND: u64 = 1000;

#[derive(Clone, Copy)]
struct Mix;

impl MemberHash for Mix {
    fn hash(self, member: &[u8]) -> u64 {
        let word = |chunk: &[u8]| {
            let mut bytes = [0; 8];
            bytes[..chunk.len()].copy_from_slice(chunk);
            u64::from_le_bytes(bytes)
        };
        member
            .chunks(8)
            .fold(7, |hash, chunk| mix(hash ^ word(chunk)))
    }
}

fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Sixteen bytes.
fn member(i: u64) -> [u8; 16] {
    let mut member = *b"member:000000000";
    let mut left = i;
    for place in member[7..].iter_mut().rev() {
        *place = b'0' + u8::try_from(left % 10).expect("a digit");
        left /= 10;
    }
    member
}

/// Pages of the process in memory, in bytes; 0 where there is no such file.
fn resident() -> usize {
    let pages = std::env::var_os("STATM").unwrap_or_else(|| "/proc/self/statm".into());
    let text = std::fs::read_to_string(pages).unwrap_or_default();
    let field = text.split(' ').nth(1).and_then(|f| f.parse::<usize>().ok());
    field.unwrap_or(0) * 4096
}

/// A tenth of the rounds of the second half is as quick as this or quicker, in ns an operation:
/// other programs can only slow a round down, and in the second half the container is large.
fn rounds(name: &str, n: u64, mut each: impl FnMut(u64)) {
    let mut times = Vec::new();
    let all = Instant::now();
    for from in (0..n).step_by(ROUND as usize) {
        let until = (from + ROUND).min(n);
        let start = Instant::now();
        (from..until).for_each(&mut each);
        times.push(ns(start.elapsed(), until - from));
    }
    let mean = ns(all.elapsed(), n);
    let late = times.len() / 2;
    let late = &mut times[late..];
    late.sort_unstable_by(f64::total_cmp);
    println!(
        "  {name:28} {:6.0} ns, mean {mean:6.0}",
        late[late.len() / 10]
    );
}

fn sorted(name: &str, n: u64, score: impl Fn(u64) -> f64) {
    println!("sorted set, {n} members, {name}");
    let before = resident();
    let mut set = SortedSet::new(Mix);
    let put = |set: &mut SortedSet<Mix>, i: u64, score: f64| {
        black_box(set.insert(&member(i), score).expect("memory"));
    };
    rounds("insertion of a new member", n, |i| {
        put(&mut set, i, score(i))
    });
    let each = |bytes: usize| bytes as f64 / n as f64;
    let rss = each(resident().saturating_sub(before));
    println!(
        "  bytes a member: {:.1} booked, {rss:.1} resident",
        each(set.heap_bytes())
    );
    let some = n.min(1_000_000);
    let draw = |i: u64| mix(i ^ 0xabcd) % n;
    rounds("score of a member", some, |i| {
        black_box(set.score(&member(draw(i))));
    });
    rounds("rank of a member", some, |i| {
        black_box(set.rank(&member(draw(i))));
    });
    rounds("member of a rank", some, |i| {
        black_box(set.get(draw(i)));
    });
    rounds("ten members from a rank", some, |i| {
        let from = draw(i);
        black_box(
            set.range(from..from + 10)
                .map(|(_, m)| m[15] as usize)
                .sum::<usize>(),
        );
    });
    rounds("another score", some, |i| {
        put(&mut set, draw(i), score(i + n))
    });
    rounds("removal, insertion", some / 2, |i| {
        let i = draw(i);
        set.remove(&member(i));
        put(&mut set, i, score(i));
    });
    let start = Instant::now();
    let sum = set.iter().map(|(_, m)| u64::from(m[15])).sum::<u64>();
    println!("  walk {:.1} ns a member ({sum})", ns(start.elapsed(), n));
    let start = Instant::now();
    let snapshot = set.clone();
    let cut = start.elapsed();
    let copied = set.copies();
    let (mut longest, mut before) = (Vec::new(), Instant::now());
    for i in 0..some {
        put(&mut set, draw(i), score(i + 2 * n));
        let now = Instant::now();
        longest.push(u32::try_from((now - before).as_nanos()).unwrap_or(u32::MAX));
        before = now;
    }
    let mean = longest.iter().map(|t| f64::from(*t)).sum::<f64>() / some as f64;
    longest.sort_unstable_by(|a, b| b.cmp(a));
    println!(
        "  cut {cut:?}; {some} changes after it {mean:.0} ns, longest {:?} µs, p99.9 {} µs; {} nodes copied",
        longest[..3].iter().map(|t| t / 1000).collect::<Vec<_>>(),
        longest[longest.len() / 1000] / 1000,
        set.copies().nodes - copied.nodes,
    );
    assert_eq!(snapshot.len(), n);
    free("  freeing the snapshot", snapshot);
    free("  freeing the set", set);
}

fn free(name: &str, set: SortedSet<Mix>) {
    let (start, mut longest) = (Instant::now(), Duration::ZERO);
    let mut remains = set.into_remains();
    loop {
        let step = Instant::now();
        let more = remains.free_some(64);
        longest = longest.max(step.elapsed());
        if !more {
            break;
        }
    }
    println!(
        "{name} in steps: {:?}, longest step {longest:?}",
        start.elapsed()
    );
}

fn ns(total: Duration, n: u64) -> f64 {
    total.as_secs_f64() * 1e9 / n as f64
}

/// Stands for a listpack: so many elements of 32 bytes.
#[derive(Clone)]
struct Pack(Arc<Vec<[u8; 34]>>);

impl Chunk for Pack {
    fn count(&self) -> usize {
        self.0.len()
    }
    fn heap_bytes(&self) -> usize {
        self.0.capacity() * 34
    }
}

const PACK: usize = 240;

fn list(n: u64) {
    println!("list, {n} elements of 34 bytes in chunks of {PACK}");
    let before = resident();
    let mut list = ChunkList::new();
    rounds("push at the back", n, |_| {
        let fits = list.change_back(|pack: &mut Pack, _| {
            let pack = Arc::make_mut(&mut pack.0);
            if pack.len() < PACK {
                pack.push([b'x'; 34]);
            }
            pack.len()
        });
        if fits.is_none_or(|len| len == PACK) {
            let mut pack = Vec::with_capacity(PACK);
            pack.push([b'x'; 34]);
            list.push_back(Pack(Arc::new(pack)));
        }
    });
    let rss = resident().saturating_sub(before) as f64 / list.len() as f64;
    println!(
        "  bytes an element: {rss:.1} resident; {} chunks",
        list.chunk_count()
    );
    rounds("element of an index", n, |i| {
        black_box(list.get(mix(i) % n));
    });
    rounds("pop at the front", n / 2, |_| {
        list.change_front(|pack, _| Arc::make_mut(&mut pack.0).pop());
    });
}

#[derive(Clone)]
struct Node(Arc<u64>);

impl Value for Node {}

fn ids(n: u64) {
    println!("map of ids, {n} entries");
    let id = |i: u64| u128::from(i) << 64;
    let mut map = IdMap::new();
    rounds("append", n, |i| {
        map.insert(id(i), Node(Arc::new(i)));
    });
    println!(
        "  bytes an entry: {:.1}",
        map.heap_bytes() as f64 / n as f64
    );
    rounds("at or before", n, |i| {
        black_box(
            map.at_or_before(id(mix(i) % n) + 5)
                .get()
                .map(|(_, node)| *node.0),
        );
    });
    rounds("pop at the front", n, |_| {
        black_box(map.pop_first());
    });
}

fn main() {
    let sizes = std::env::args().skip(1).filter_map(|a| a.parse().ok());
    let mut sizes: Vec<u64> = sizes.collect();
    if sizes.is_empty() {
        sizes.push(1_000_000);
    }
    for n in sizes {
        sorted("random scores", n, |i| (mix(i) % (1 << 40)) as f64);
        sorted("rising scores", n, |i| i as f64);
        sorted("one score", n, |_| 1.0);
        list(n);
        ids(n / 10);
    }
}
