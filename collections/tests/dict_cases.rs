//! What the dict promises beside right answers: how little a write copies, who does not copy at all,
//! fair chance, refusals that change nothing, memory that comes back, clones on threads.

use collections::Refused;
use collections::dict::{Deadline, Dict, Hashing, Inserted};
use std::collections::HashMap;

fn hash(bytes: &[u8], seed: u64) -> u64 {
    let mut h = seed;
    for b in bytes {
        h = (h ^ u64::from(*b)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        h ^= h >> 29;
    }
    h = h.wrapping_mul(0x94d0_49bb_1331_11eb);
    h ^ h >> 32
}

const HASHING: Hashing = Hashing { seed: 5, hash };

fn key(n: u32) -> [u8; 12] {
    let mut key = *b"field:000000";
    key[6..10].copy_from_slice(&n.to_be_bytes());
    key
}

fn put(dict: &mut Dict, n: u32, value: &[u8]) -> Inserted {
    let key = key(n);
    let done = dict.insert(dict.hashing().of(&key), &key, value, Deadline::Keep);
    done.expect("small")
}

fn filled(n: u32) -> Dict {
    let mut dict = Dict::new(HASHING);
    for i in 0..n {
        put(&mut dict, i, b"a value of 26 bytes, quite");
    }
    dict
}

/// Bytes of a chunk's array and of the longest page that an honest hash makes here.
const CHUNK: u64 = 128 * 32;
const PAGE: u64 = 5 * 1024;

#[test]
fn a_write_under_a_clone_copies_one_bucket_and_one_chunk() {
    let mut dict = filled(61_000);
    let at = |i: u32| (HASHING.of(&key(i)), key(i));
    // Well below the next split.
    for i in 60_000..61_000 {
        assert!(dict.remove(HASHING.of(&key(i)), &key(i)));
    }
    assert_eq!(dict.copied_bytes(), 0);
    for i in 0..300 {
        let clone = dict.clone();
        let before = dict.copied_bytes();
        let (hash, key) = at(i * 7);
        match i % 3 {
            0 => assert_eq!(put(&mut dict, i * 7, b"short"), Inserted::Replaced),
            1 => assert_eq!(dict.set_deadline(hash, &key, Some(9)), Ok(true)),
            _ => assert!(dict.remove(hash, &key)),
        }
        let copied = dict.copied_bytes() - before;
        assert!(copied > 0 && copied <= CHUNK + PAGE, "{copied} bytes");
        assert_eq!(clone.get(hash, &key).map(|item| item.value.len()), Some(26));
        // The second write to the same place finds everything its own.
        let before = dict.copied_bytes();
        put(&mut dict, i * 7, b"another");
        let again = dict.copied_bytes() - before;
        assert_eq!(again, 0);
        put(&mut dict, i * 7, b"a value of 26 bytes, quite");
        assert_eq!(dict.set_deadline(hash, &key, None), Ok(true));
    }
    // A split takes half of a second bucket elsewhere, and the last chunk.
    let mut splits = 0;
    for i in 60_000..62_000 {
        let _clone = dict.clone();
        let before = dict.copied_bytes();
        put(&mut dict, i, b"a value of 26 bytes, quite");
        let copied = dict.copied_bytes() - before;
        assert!(copied <= 3 * CHUNK + 2 * PAGE, "{copied} bytes");
        splits += u32::from(copied > CHUNK + PAGE);
    }
    assert!(
        (10..200).contains(&splits),
        "{splits} splits in 2000 insertions"
    );
    dict.check();
}

#[test]
fn what_does_not_write_does_not_copy() {
    let mut dict = filled(5000);
    let (here, hash) = (key(7), HASHING.of(&key(7)));
    assert_eq!(dict.set_deadline(hash, &here, Some(1000)), Ok(true));
    let clone = dict.clone();
    let missing = b"missing".as_slice();
    let no = HASHING.of(missing);
    assert!(dict.get(hash, &here).is_some() && !dict.contains(no, missing));
    assert_eq!(dict.insert_absent(hash, &here, b"", None), Ok(false));
    assert_eq!(dict.set_deadline(hash, &here, Some(1000)), Ok(true));
    assert_eq!(dict.set_deadline(no, missing, Some(1)), Ok(false));
    assert!(!dict.remove(no, missing));
    let expired = dict.remove_expired(999, usize::MAX, |_| panic!("nothing has expired"));
    assert!(expired.removed == 0 && expired.finished);
    assert!(dict.random(3).is_some() && dict.scan(0, 100, |_| ()) > 0);
    assert_eq!(dict.copied_bytes(), 0);
    assert_eq!(clone.earliest_deadline(), Some(1000));
    // Both expire on their own.
    let gone = |dict: &mut Dict| dict.remove_expired(1000, 10, |_| ()).removed;
    assert_eq!(gone(&mut dict), 1);
    assert_eq!((dict.len(), clone.len()), (4999, 5000));
    assert_eq!((dict.deadlines(), dict.earliest_deadline()), (0, None));
    assert_eq!(gone(&mut clone.clone()), 1);
    clone.check();
}

#[test]
fn every_element_has_the_same_chance() {
    const ELEMENTS: u32 = 500;
    const DRAWS: u32 = 200 * ELEMENTS;
    let dict = filled(ELEMENTS);
    let mut seen: HashMap<Vec<u8>, u32> = HashMap::new();
    let mut state = 1_u64;
    for _ in 0..DRAWS {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        let item = dict.random(state).expect("not empty");
        *seen.entry(item.key.to_vec()).or_default() += 1;
    }
    assert_eq!(seen.len(), ELEMENTS as usize);
    // Chi squared over 499 degrees of freedom: mean 499, deviation 32; five of those.
    let expected = f64::from(DRAWS / ELEMENTS);
    let squared: f64 = seen
        .values()
        .map(|n| (f64::from(*n) - expected).powi(2) / expected)
        .sum();
    assert!((340.0..660.0).contains(&squared), "{squared}");
}

#[test]
fn popping_empties_a_dict_fairly_and_to_the_last() {
    let mut dict = filled(3000);
    let mut sum_of_first = 0_u64;
    let mut state = 7_u64;
    for i in 0..3000 {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        let popped = dict.pop_random(state, |item| {
            u32::from_be_bytes(item.key[6..10].try_into().expect("four bytes"))
        });
        let n = popped.expect("not empty yet");
        if i < 1000 {
            sum_of_first += u64::from(n);
        }
        if i % 500 == 0 {
            dict.check();
        }
    }
    assert!(dict.is_empty() && dict.pop_random(1, |_| ()).is_none());
    assert_eq!(dict.memory_bytes(), 0);
    // A third of 0..3000 has the mean 1,500; its mean's deviation is about 22.
    assert!(
        (1_390_000..1_610_000).contains(&sum_of_first),
        "{sum_of_first}"
    );
}

#[test]
fn memory_comes_back_without_a_stall() {
    let mut dict = filled(100_000);
    let full = dict.memory_bytes();
    for i in 0..99_000 {
        assert!(dict.remove(HASHING.of(&key(i)), &key(i)));
    }
    dict.check();
    let rest = dict.memory_bytes();
    // A hundredth of the elements; merging stops at a third of a bucket.
    assert!(rest * 25 < full, "{rest} of {full} bytes");
    for i in 99_000..100_000 {
        assert!(dict.remove(HASHING.of(&key(i)), &key(i)));
    }
    assert_eq!((dict.len(), dict.memory_bytes()), (0, 0));
}

#[test]
fn shorter_values_give_memory_back() {
    let mut dict = Dict::new(HASHING);
    for i in 0..5000 {
        put(&mut dict, i, &[1; 60]);
    }
    let long = dict.memory_bytes();
    // Too little shorter for buckets to merge: pages do it alone.
    for i in 0..5000 {
        assert_eq!(put(&mut dict, i, &[1; 20]), Inserted::Replaced);
    }
    let half = dict.memory_bytes();
    assert!(half * 10 < long * 7, "{half} of {long} bytes");
    for i in 0..5000 {
        put(&mut dict, i, b"");
    }
    dict.check();
    assert!(dict.memory_bytes() < 5000 * 26, "{}", dict.memory_bytes());
}

#[test]
fn a_bucket_past_any_honest_size_refuses_and_stays_whole() {
    let hashing = Hashing {
        seed: 0,
        hash: |_, _| 77,
    };
    let mut dict = Dict::new(hashing);
    let refused = (0..3000).find(|n| {
        let done = dict.insert(77, &key(*n), &[7; 490], Deadline::At(1));
        done == Err(Refused::Size)
    });
    let refused = refused.expect("a megabyte is less than 3000 records");
    assert_eq!(dict.len(), refused as usize);
    assert!(!dict.contains(77, &key(refused)));
    // Elements that are there may still be replaced in place, removed, and walked.
    let same = dict.insert(77, &key(3), &[8; 490], Deadline::Keep);
    assert_eq!(same, Ok(Inserted::Replaced));
    let mut met = 0;
    let position = 77_u64.reverse_bits() >> 16;
    assert_eq!(dict.scan(0, 10, |_| met += 1), position + 1);
    assert_eq!(met, dict.len(), "equal positions come together");
    assert!(dict.remove(77, &key(0)) && dict.remove(77, &key(1)));
    let again = dict.insert(77, &key(refused), &[7; 490], Deadline::Keep);
    assert_eq!(again, Ok(Inserted::New));
    dict.check();
}

#[test]
fn a_pinned_value_outlives_its_element() {
    let mut dict = filled(100);
    let long = vec![9; 100_000];
    put(&mut dict, 5, &long);
    let at = (HASHING.of(&key(5)), key(5));
    let item = dict.get(at.0, &at.1).expect("put in");
    let pin = item.pin().expect("long");
    assert!(std::ptr::eq(pin.as_slice(), item.value), "not copied");
    let clone = dict.clone();
    assert!(dict.memory_bytes() > 100_000);
    assert!(dict.remove(at.0, &at.1) && dict.memory_bytes() < 100_000);
    let kept = clone.get(at.0, &at.1).expect("the clone has it");
    assert!(
        std::ptr::eq(kept.value, pin.as_slice()),
        "shared, not copied"
    );
    drop(clone);
    assert_eq!(*pin, long);
}

#[test]
fn clones_are_read_and_changed_on_other_threads() {
    let mut dict = filled(20_000);
    std::thread::scope(|scope| {
        for round in 0..8_u32 {
            let mut clone = dict.clone();
            scope.spawn(move || {
                let expected = 20_000 + round as usize * 500;
                assert_eq!(clone.iter().count(), expected);
                for i in 0..500 {
                    assert!(clone.remove(HASHING.of(&key(i)), &key(i)));
                }
                assert_eq!(clone.len(), expected - 500);
                clone.check();
            });
            for i in 0..500 {
                put(&mut dict, 20_000 + round * 500 + i, b"new");
                put(&mut dict, i, b"changed");
            }
        }
    });
    dict.check();
    assert_eq!(dict.len(), 24_000);
}

#[test]
fn any_cursor_is_legal() {
    let dict = filled(1000);
    for cursor in [1, 1 << 47, (1 << 48) - 1, 1 << 48, u64::MAX] {
        let next = dict.scan(cursor, 5, |_| ());
        assert!(next == 0 || next > cursor);
    }
    let (mut cursor, mut met) = (0, 0);
    loop {
        cursor = dict.scan(cursor, 10, |_| met += 1);
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(met, 1000);
    assert_eq!(dict.scan(0, usize::MAX, |_| ()), 0);
    assert_eq!(Dict::new(HASHING).scan(0, 10, |_| panic!("empty")), 0);
}
