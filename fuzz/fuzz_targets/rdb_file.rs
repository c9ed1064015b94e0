//! RDB files: any bytes are refused or give records, the same ones whatever the blocks in which they come.
//!
//! The bytes are tried as they are, and behind the head of a file of each dialect, with the right
//! checksum behind them: a stranger can compute it as well as we can.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rdb::file::{Fault, FileError, Item, Skimmer, Value};
use rdb::{Loaded, Malformed};
use store::{Limits, Options, Store};

/// Each dialect's head, and the oldest, which has no checksum.
const HEADS: [&[u8]; 5] = [b"", b"REDIS0011", b"REDIS0012", b"VALKEY080", b"REDIS0001"];

fuzz_target!(|input: &[u8]| {
    // Elements are hashed with the secrets of the process's first store.
    static STORE: std::sync::OnceLock<Store> = std::sync::OnceLock::new();
    STORE.get_or_init(|| {
        Store::new(Options {
            databases: 1,
            workers: 1,
            seed: 1,
        })
    });
    let (block, input) = input
        .split_first()
        .map_or((1, input), |(n, rest)| (*n, rest));
    for head in HEADS {
        let mut file = [head, input].concat();
        if !head.is_empty() {
            let mut checksum = rdb::crc::Running::new();
            checksum.add(&file);
            file.extend_from_slice(&rdb::file::end(Some(checksum)));
        }
        let whole = read(&file, file.len().max(1));
        let parts = read(&file, usize::from(block).max(1));
        assert_eq!(whole, parts, "blocks of {block}");
    }
});

/// What a file gave; how its records were cut into batches does not matter.
#[derive(Debug, Default, PartialEq)]
struct Read {
    items: Vec<Item>,
    keys: Vec<(Vec<u8>, Option<i64>)>,
    error: Option<FileError>,
}

fn read(file: &[u8], block: usize) -> Read {
    let mut skimmer = Skimmer::new(true);
    let mut read = Read::default();
    let result = file
        .chunks(block)
        .try_for_each(|block| {
            skimmer.feed(block)?;
            while let Some(item) = skimmer.next_item()? {
                take(item, &mut read)?;
            }
            Ok(())
        })
        .and_then(|()| skimmer.finish());
    read.error = result.err();
    if let Some(error) = &read.error {
        assert!(error.offset <= file.len() as u64, "{error}");
        assert_ne!(error.fault, Fault::Value(Malformed::Refused), "{error}");
    }
    read
}

fn take(item: Item, read: &mut Read) -> Result<(), FileError> {
    let Item::Records(batch) = item else {
        read.items.push(item);
        return Ok(());
    };
    let mut count = 0;
    for record in batch.records(&Limits::default()) {
        let record = record?;
        count += 1;
        if let Value::Loaded(Loaded::String(text)) = &record.value {
            let bound = rdb::lzf::unfolds_to_at_most(batch.bytes()) + 20;
            assert!(text.len() <= bound, "memory is bounded");
        }
        read.keys.push((record.key.to_vec(), record.deadline));
    }
    assert_eq!(count, batch.count(), "skimming and decoding agree");
    Ok(())
}
