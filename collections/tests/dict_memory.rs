//! What an element of the dict costs at every size, by the dict's own books, and the books against
//! what was asked of the allocator; and that refused memory changes nothing.
// Without the arenas pages come in the allocator's classes, and cost more.
#![cfg(not(feature = "plain"))]

use collections::Refused;
use collections::dict::{Deadline, Dict, Hashing, Inserted};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts what is asked for, rounded to mimalloc's size classes.
struct Classes;

static BYTES: AtomicUsize = AtomicUsize::new(0);
/// Requests from this size on are refused.
static REFUSED_FROM: AtomicUsize = AtomicUsize::new(usize::MAX);

/// The allocator's classes, written down once more: steps of 16 up to 128, then four a doubling.
fn class(bytes: usize) -> usize {
    if bytes <= 128 {
        return bytes.next_multiple_of(16);
    }
    let step = 1 << ((bytes - 1).ilog2() - 2);
    bytes.next_multiple_of(step)
}

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Classes {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // Relaxed: one test thread reads what it wrote itself.
        if layout.size() >= REFUSED_FROM.load(Ordering::Relaxed) {
            return std::ptr::null_mut();
        }
        BYTES.fetch_add(class(layout.size()), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        BYTES.fetch_sub(class(layout.size()), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Classes = Classes;

const REGION: usize = 64 << 10;

fn hash(bytes: &[u8], seed: u64) -> u64 {
    let mut h = seed;
    for b in bytes {
        h = (h ^ u64::from(*b)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        h ^= h >> 29;
    }
    h = h.wrapping_mul(0x94d0_49bb_1331_11eb);
    h ^ h >> 32
}

const HASHING: Hashing = Hashing { seed: 9, hash };

/// Fills a dict and returns its bytes an element at the worst size from 1,000 on, and the mean over
/// all those sizes.
fn fill(name: &str, value: &[u8], deadline: Deadline, len: usize) -> (f64, f64) {
    let before = BYTES.load(Ordering::Relaxed);
    let mut dict = Dict::new(HASHING);
    let (mut worst, mut sum) = (0.0_f64, 0.0);
    for i in 1..=len {
        let key = format!("member:{i:09}");
        let hash = HASHING.of(key.as_bytes());
        let done = dict.insert(hash, key.as_bytes(), value, deadline);
        assert!(done.is_ok());
        let each = dict.memory_bytes() as f64 / i as f64;
        if i >= 1000 {
            worst = worst.max(each);
            sum += each;
        }
        if i.is_power_of_two() && i >= 128 {
            println!("{name} {i}: {each:.2}");
        }
    }
    let mean = sum / (len - 999) as f64;
    println!("{name}: mean {mean:.2}, worst from 1,000 on {worst:.2}");
    let real = BYTES.load(Ordering::Relaxed) - before;
    let books = dict.memory_bytes();
    // Pages live in regions of 64 KiB, of which a few percent are between blocks.
    assert!(
        real <= books + books / 20 + 3 * REGION && books <= real,
        "{name}: the books say {books}, the allocator {real}"
    );
    drop(dict);
    let left = BYTES.load(Ordering::Relaxed) - before;
    assert!(left <= 2 * REGION, "{name}: {left} bytes are not freed");
    (worst, mean)
}

/// One test, because the counter is the process's.
#[test]
fn bytes_an_element() {
    // Payload and a twelfth for what blocks and pages leave free, and six bytes, at any size.
    let check = |name, value: &[u8], deadline, payload: f64| {
        let (worst, mean) = fill(name, value, deadline, 50_000);
        let most = 1.08 * payload + 6.0;
        assert!(
            worst <= most,
            "{name}: {worst:.2} > {most:.2}, mean {mean:.2}"
        );
    };
    let keep = Deadline::Keep;
    check("set of 16", b"", keep, 16.0);
    check("hash 16 to 32", &[7; 32], keep, 48.0);
    check("with deadline", &[7; 32], Deadline::At(5), 56.0);
    check("hash 16 to 200", &[7; 200], keep, 216.0);
    check("hash 16 to 2000", &[7; 2000], keep, 2016.0);
    a_refusal_changes_nothing();
}

fn a_refusal_changes_nothing() {
    let mut dict = Dict::new(HASHING);
    let key = b"field".as_slice();
    let hash = HASHING.of(key);
    let (long, longer) = (vec![1; 100_000], vec![2; 200_000]);
    let (before, refused) = (dict.memory_bytes(), Err(Refused::Memory));
    let insert = |dict: &mut Dict, key: &[u8], value: &[u8]| {
        dict.insert(HASHING.of(key), key, value, Deadline::At(7))
    };
    REFUSED_FROM.store(150_000, Ordering::Relaxed);
    assert_eq!(insert(&mut dict, key, &longer), refused);
    assert_eq!((dict.len(), dict.memory_bytes()), (0, before));
    assert_eq!(insert(&mut dict, key, &long), Ok(Inserted::New));
    let before = dict.memory_bytes();
    assert_eq!(insert(&mut dict, key, &longer), refused);
    assert_eq!(insert(&mut dict, &longer, b""), refused);
    REFUSED_FROM.store(usize::MAX, Ordering::Relaxed);
    assert_eq!(dict.memory_bytes(), before);
    assert_eq!(
        dict.get(hash, key).map(|item| item.value.len()),
        Some(100_000)
    );
    dict.check();
    assert_eq!(insert(&mut dict, key, &longer), Ok(Inserted::Replaced));
}
