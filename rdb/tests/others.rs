//! Files that Redis 7.0, Redis 8.0 and Valkey 9.1 wrote, loaded here to the digest that those
//! servers gave (`data/README.md` says how they came into being); broken ones never to another.

mod common;

use std::collections::BTreeSet;

use common::{empty, encoder, load, load_by, save};
use rdb::file::{Item, Skimmer};
use rdb::{Dialect, Malformed};
use store::Limits;

/// What `data/fill.txt` makes; every one of the servers said so.
const FILLED: &str = "6aed3da46e0031ffb1f5c6557e84e3e5e2684fb7";
/// With `data/fields-redis.txt`, as Redis 8.0.6 said. Valkey digests fields' deadlines in another way.
const FIELDS: &str = "60f17d911f66871b6a54540de665a3197b28497b";

struct File {
    name: &'static str,
    bytes: &'static [u8],
    digest: &'static str,
}

macro_rules! file {
    ($name:literal, $digest:expr) => {
        File {
            name: $name,
            bytes: include_bytes!(concat!("data/", $name)),
            digest: $digest,
        }
    };
}

const FILES: [File; 7] = [
    file!("redis-7.0.15.rdb", FILLED),
    file!("redis-7.0.15-lfu.rdb", FILLED),
    file!(
        "redis-7.0.15-lru.rdb",
        "479783d7290f02957dfbe3408a858ba13eea1709"
    ),
    file!("redis-8.0.6.rdb", FIELDS),
    file!("redis-8.0.6-plain.rdb", FILLED),
    file!("valkey-9.1.2.rdb", FIELDS),
    file!("valkey-9.1.2-plain.rdb", FILLED),
];

#[test]
fn files_of_others_load_to_their_digests() {
    for file in &FILES {
        let (told, digest) = load(file.bytes).unwrap_or_else(|e| panic!("{}: {e}", file.name));
        assert_eq!(digest, file.digest, "{}", file.name);
        assert_eq!(told.skipped, 0, "{}", file.name);
        let version = if file.name.starts_with("valkey") {
            "valkey-ver"
        } else {
            "redis-ver"
        };
        assert_eq!(told.aux[0].0, version);
        assert!(file.name.contains(&told.aux[0].1), "{:?}", told.aux);
    }
    let (told, _) = load(FILES[2].bytes).expect("it was loaded above");
    let library =
        b"#!lua name=lib\nredis.register_function('f', function(keys, args) return 1 end)";
    assert_eq!(told.functions, [library]);
}

/// The files hold every type that their writers know, or they would show little.
#[test]
fn the_files_hold_every_type() {
    // Elements are hashed with the secrets of the process's first store.
    let _ = empty();
    let types = |bytes: &[u8]| {
        let mut found = BTreeSet::new();
        let mut skimmer = Skimmer::new(true);
        skimmer.feed(bytes).expect("memory");
        while let Some(item) = skimmer.next_item().expect("they wrote it") {
            if let Item::Records(batch) = item {
                for record in batch.records(&Limits::default()) {
                    found.insert(record.expect("they wrote it").number);
                }
            }
        }
        found.into_iter().collect::<Vec<u8>>()
    };
    assert_eq!(types(FILES[0].bytes), [0, 2, 4, 5, 11, 16, 17, 18, 19]);
    assert_eq!(
        types(FILES[3].bytes),
        [0, 2, 4, 5, 11, 16, 17, 18, 20, 21, 24, 25]
    );
    assert_eq!(
        types(FILES[5].bytes),
        [0, 2, 4, 5, 11, 16, 17, 18, 20, 21, 22]
    );
}

/// What they wrote, written by us, is the same again: in their version and in every other that we write.
#[test]
fn what_others_wrote_survives_our_writing() {
    for file in &FILES {
        let store = empty();
        load_by(file.bytes, 1000, &store).expect("they wrote it");
        for (version, dialect) in [
            (10, Dialect::Redis),
            (11, Dialect::Valkey),
            (12, Dialect::Redis),
            (80, Dialect::Valkey),
        ] {
            let bytes = save(&store, encoder(version, dialect, file.digest == FIELDS));
            let (_, digest) = load(&bytes).expect("we wrote it");
            assert_eq!(digest, file.digest, "{} as {version}", file.name);
        }
    }
}

/// RELIABILITY D7: an error, or the same data.
fn is_refused_or_the_same(bytes: &[u8], digest: &str, what: &dyn std::fmt::Display) -> bool {
    match common::read(bytes) {
        Err(error) => {
            assert!(error.offset <= bytes.len() as u64, "{what}: {error}");
            assert_ne!(error.fault, Malformed::Refused.into(), "{what}: {error}");
            true
        }
        Ok(()) => {
            let (_, found) = load(bytes).expect("it was read");
            assert_eq!(found, digest, "{what}");
            false
        }
    }
}

#[test]
fn a_prefix_never_gives_other_data() {
    let _ = empty();
    for file in &FILES {
        for length in 0..file.bytes.len() {
            let what = format_args!("{} cut to {length}", file.name);
            let is_refused = is_refused_or_the_same(&file.bytes[..length], file.digest, &what);
            assert!(is_refused, "no prefix has a checksum: {what}");
        }
    }
}

/// Every bit of one file, one bit in each byte of the other: with the prefixes more than 20,000 cases.
#[test]
fn a_flipped_bit_never_gives_other_data() {
    let _ = empty();
    for (file, step) in [(&FILES[3], 1), (&FILES[5], 7)] {
        let mut bytes = file.bytes.to_vec();
        for bit in (0..bytes.len() * 8).step_by(step) {
            bytes[bit / 8] ^= 1 << (bit % 8);
            let what = format_args!("{} with bit {bit} flipped", file.name);
            let is_refused = is_refused_or_the_same(&bytes, file.digest, &what);
            assert!(is_refused, "the checksum sees every bit: {what}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

/// The same at random, `D7_CASES` times from `D7_SEED` on: up to three bytes changed, the file cut, or a
/// part of it written twice.
#[test]
fn random_damage_never_gives_other_data() {
    let number = |name: &str, default: u64| {
        let text = std::env::var(name).ok();
        text.map_or(default, |text| text.parse().expect("a number"))
    };
    let _ = empty();
    let mut state = number("D7_SEED", 1);
    let mut random = |below: usize| {
        // SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ mixed >> 31) % below as u64) as usize
    };
    // The one without a checksum can be damaged without being noticed.
    let files: Vec<&File> = FILES
        .iter()
        .filter(|file| !file.name.contains("lru"))
        .collect();
    for case in 0..number("D7_CASES", 2_000) {
        let file = files[random(files.len())];
        let mut bytes = file.bytes.to_vec();
        match random(8) {
            0 => bytes.truncate(random(bytes.len())),
            1 => {
                let (from, to) = (random(bytes.len()), random(bytes.len()));
                let part = bytes[from..].to_vec();
                bytes.splice(to.., part);
            }
            _ => {
                for _ in 0..=random(3) {
                    let at = random(bytes.len());
                    bytes[at] = random(256) as u8;
                }
            }
        }
        let what = format_args!("case {case}, {}", file.name);
        is_refused_or_the_same(&bytes, file.digest, &what);
    }
}
