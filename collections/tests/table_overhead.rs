//! What the table's structure costs for each entry, at every size: pointers, tags, headers, the
//! directory, the slack of slots and of allocator classes.

#![cfg(not(feature = "plain"))]

mod support;

use collections::table::Table;
use std::sync::Arc;
use std::sync::atomic::AtomicIsize;
use support::{Item, Mix, hash};

#[test]
fn at_most_ten_bytes_an_entry_at_any_size() {
    // Sizes of one shard's table from a hundred thousand keys in the store up; a sum over a few
    // tables, as the store has 1,024 of them.
    const TABLES: usize = 32;
    let counter = Arc::new(AtomicIsize::new(0));
    let mut tables: Vec<Table<Item>> = (0..TABLES)
        .map(|i| Table::new(Mix::Good(i as u64)))
        .collect();
    let mut worst: (f64, usize) = (0.0, 0);
    for len in 1..=6000 {
        let key = len as u64;
        for (i, table) in tables.iter_mut().enumerate() {
            table.insert_new(
                hash(key, Mix::Good(i as u64)),
                Item::new(&counter, key, 0, None),
            );
        }
        let bytes: usize = tables
            .iter()
            .map(|t| t.heap_bytes() + size_of::<Table<Item>>())
            .sum();
        let each = bytes as f64 / (len * TABLES) as f64;
        match len {
            1 => assert!(each < 300.0, "one entry costs {each:.0} bytes"),
            10 => assert!(each < 50.0, "ten entries cost {each:.1} bytes each"),
            100 => assert!(each < 12.0, "a hundred entries cost {each:.1} bytes each"),
            1000.. if each > worst.0 => worst = (each, len),
            _ => {}
        }
        if len % 250 == 0 || len < 3 || len == 10 || len == 100 {
            println!("{len:5} entries: {each:.2} bytes each");
        }
    }
    println!("worst from 1,000 on: {worst:?}");
    assert!(
        worst.0 <= 10.0,
        "{} bytes an entry at {} entries",
        worst.0,
        worst.1
    );
}
