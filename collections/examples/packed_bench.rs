//! What listpacks and intsets cost: appending, seeking, searching, replacing, walking, halving.
//!
//! `cargo run --profile fast -p collections --example packed_bench`
//!
//! Entries are what hashes and lists hold: "field:000017" and values of 16 bytes, or numbers. Each
//! figure is the fastest of many rounds of a fifth of a millisecond, so that a busy machine does not
//! count, in nanoseconds a call; the allocator is the store's.

use collections::listpack::{Element, Listpack};
use collections::{Intset, Refused};
use std::hint::black_box;
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 300;
/// About what a round takes.
const ROUND_NS: f64 = 200_000.0;

/// Nanoseconds a call of `run`, which makes `calls` of what is measured.
fn measure(name: &str, calls: usize, mut run: impl FnMut() -> Result<(), Refused>) {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let guess = if best.is_finite() { best } else { 20.0 };
        let times = (ROUND_NS / (guess * calls as f64)).max(1.0) as usize;
        let start = Instant::now();
        for _ in 0..times {
            run().expect("there is memory");
        }
        let calls = (times * calls) as f64;
        best = best.min(start.elapsed().as_secs_f64() * 1e9 / calls);
    }
    println!("{name:<52} {best:>9.1}");
}

fn field(i: usize) -> Vec<u8> {
    format!("field:{i:06}").into_bytes()
}

fn hash(fields: usize) -> Result<Listpack, Refused> {
    let mut pack = Listpack::new();
    for i in 0..fields {
        pack.append(&field(i))?;
        pack.append(b"0123456789abcdef")?;
    }
    Ok(pack)
}

fn numbers(count: usize) -> Result<Listpack, Refused> {
    Listpack::from_elements((0..count as i64).map(|i| Element::Int(i * 37)))
}

fn listpacks(fields: usize) -> Result<(), Refused> {
    let pack = hash(fields)?;
    let entries = fields * 2;
    println!("-- a hash of {fields} fields, {} bytes", pack.byte_len());
    measure("append, growing from empty", entries, || {
        let mut pack = Listpack::new();
        for _ in 0..entries {
            pack.append(b"0123456789abcdef")?;
        }
        black_box(pack);
        Ok(())
    });
    let values: Vec<Vec<u8>> = (0..entries).map(field).collect();
    measure("append_all, an element", entries, || {
        black_box(Listpack::from_elements(values.iter().map(Element::from))?);
        Ok(())
    });
    measure("prepend and delete at the front", 1, {
        let mut pack = pack.clone();
        move || {
            let at = pack.prepend(b"0123456789abcdef")?;
            black_box(pack.delete(at));
            Ok(())
        }
    });
    measure("replace by an equal length, the middle", 1, {
        let mut pack = pack.clone();
        let at = pack.seek(fields | 1).expect("within");
        move || pack.replace(at, black_box(b"fedcba9876543210")).map(drop)
    });
    measure("seek the middle", 1, || {
        black_box(pack.seek(black_box(fields)));
        Ok(())
    });
    measure("find a field, all of them in turn", fields, || {
        for field in &values[..fields] {
            black_box(pack.find(field, 1));
        }
        Ok(())
    });
    measure("find what is not there, an entry passed", entries, || {
        black_box(pack.find(black_box(b"field:999999"), 1));
        Ok(())
    });
    measure("iterate, an element", entries, || {
        for element in pack.iter() {
            black_box(element);
        }
        Ok(())
    });
    measure("iterate from the end, an element", entries, || {
        for element in pack.iter().rev() {
            black_box(element);
        }
        Ok(())
    });
    let bytes = pack.as_bytes().to_vec();
    measure("from_bytes, an element", entries, || {
        black_box(Listpack::from_bytes(bytes.clone()).expect("valid"));
        Ok(())
    });
    let pack = numbers(entries)?;
    measure(
        "numbers: find what is not there, an entry passed",
        entries,
        || {
            black_box(pack.find(black_box(b"-5"), 0));
            Ok(())
        },
    );
    measure("numbers: iterate, an element", entries, || {
        for element in pack.iter() {
            black_box(element);
        }
        Ok(())
    });
    Ok(())
}

fn intsets(members: usize) -> Result<(), Refused> {
    println!("-- a set of {members} integers of 32 bits");
    let value = |i: usize| (i * 7919 % members * 1000) as i64;
    let mut set = Intset::new();
    for i in 0..members {
        set.insert(value(i))?;
    }
    measure("insert, scattered, from empty", members, || {
        let mut set = Intset::new();
        for i in 0..members {
            set.insert(value(i))?;
        }
        black_box(set);
        Ok(())
    });
    measure("insert, ascending, from empty", members, || {
        let mut set = Intset::new();
        for i in 0..members {
            set.insert(i as i64)?;
        }
        black_box(set);
        Ok(())
    });
    measure("contains", members, || {
        for i in 0..members {
            black_box(set.contains(black_box(value(i))));
        }
        Ok(())
    });
    Ok(())
}

fn main() -> Result<(), Refused> {
    for fields in [4, 16, 64, 256] {
        listpacks(fields)?;
    }
    for members in [16, 512] {
        intsets(members)?;
    }
    Ok(())
}
