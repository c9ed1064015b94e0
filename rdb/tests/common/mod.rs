//! Files into stores and stores into files, in one thread and in memory.
#![allow(dead_code, reason = "each test uses a part of it")]

pub(crate) mod old;

use rdb::file::{self, Encoder, Fault, FileError, Header, Item, Skimmer, Value};
use rdb::{Digest, Form, Loaded, crc};
use store::{Cut, Limits, Options, Plan, Scratch, Slot, Store, Turn, Unit};

pub(crate) const DATABASES: u32 = 16;

/// A store with all databases and nothing in it.
pub(crate) fn empty() -> Store {
    Store::new(Options {
        databases: DATABASES,
        workers: 1,
        seed: 1,
    })
}

/// Holds all of the store, in 1970, so that nothing has expired.
pub(crate) fn unit<'s>(store: &'s Store, scratch: &'s mut Scratch) -> Unit<'s> {
    store
        .begin(Plan::Wide, Turn::new(0, 0, 1, scratch))
        .expect("nobody else is here")
}

pub(crate) fn cut(store: &Store) -> Cut {
    let mut scratch = Scratch::default();
    let mut unit = unit(store, &mut scratch);
    unit.cut().expect("all is held")
}

/// What DEBUG DIGEST would say.
pub(crate) fn digest(store: &Store) -> String {
    Digest::of_cut(&cut(store), DATABASES).to_string()
}

/// What a file brought, apart from what is in the store.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) aux: Vec<(String, String)>,
    pub(crate) functions: Vec<Vec<u8>>,
    pub(crate) sizes: Vec<(u32, u64, u64)>,
    pub(crate) skipped: usize,
    pub(crate) keys: usize,
}

/// Loads a file that comes in blocks of `block` bytes.
pub(crate) fn load_by(bytes: &[u8], block: usize, store: &Store) -> Result<Told, FileError> {
    let limits = Limits::default();
    let mut scratch = Scratch::default();
    let mut unit = unit(store, &mut scratch);
    let (mut told, mut db) = (Told::default(), 0);
    let mut skimmer = Skimmer::new(true);
    for block in bytes.chunks(block) {
        skimmer.feed(block)?;
        while let Some(item) = skimmer.next_item()? {
            match item {
                Item::Begin { .. } | Item::End { .. } => {}
                Item::Aux { name, value } => told.aux.push((
                    String::from_utf8_lossy(&name).into_owned(),
                    String::from_utf8_lossy(&value).into_owned(),
                )),
                Item::Database(number) => db = number,
                Item::Sizes { keys, expires } => told.sizes.push((db, keys, expires)),
                Item::ModuleAux(name) => return Err(skimmer.refuse(Fault::ModuleAux(name))),
                Item::Function(source) => told.functions.push(source),
                Item::Records(batch) => {
                    assert_eq!(batch.db(), db);
                    assert_eq!(batch.records(&limits).count(), batch.count());
                    unit.select(db);
                    for record in batch.records(&limits) {
                        let record = record?;
                        let value = match record.value {
                            Value::Loaded(value) => value,
                            Value::Empty => {
                                told.skipped += 1;
                                continue;
                            }
                            Value::Module(ref name) => {
                                return Err(batch.refuse(&record, Fault::Module(name.clone())));
                            }
                        };
                        put(&mut unit, &record.key, value, record.deadline);
                        told.keys += 1;
                        if let Some(seen) = record.seen {
                            let key = unit.key(&record.key);
                            unit.set_seen(key, seen);
                        }
                    }
                }
            }
        }
    }
    skimmer.finish()?;
    drop(unit);
    Ok(told)
}

fn put(unit: &mut Unit<'_>, key: &[u8], value: Loaded<'_>, deadline: Option<i64>) {
    let key = unit.key(key);
    match (unit.slot(key), value) {
        (Slot::Vacant(slot), Loaded::String(value)) => {
            slot.insert_string(rdb::string::as_set(&value), deadline)
        }
        (Slot::Vacant(slot), Loaded::Object(object)) => slot.insert_object(object, deadline),
        (Slot::Occupied(_), _) => panic!("a key comes twice"),
    }
    .expect("there is memory");
}

/// Reads everything and keeps nothing. Before it a store must have been made, with whose secrets elements are hashed.
pub(crate) fn read(bytes: &[u8]) -> Result<(), FileError> {
    let limits = Limits::default();
    let mut skimmer = Skimmer::new(true);
    for block in bytes.chunks(777) {
        skimmer.feed(block)?;
        while let Some(item) = skimmer.next_item()? {
            if let Item::Records(batch) = item {
                for record in batch.records(&limits) {
                    record?;
                }
            }
        }
    }
    skimmer.finish()
}

/// Loads a file; what it told, and the digest.
pub(crate) fn load(bytes: &[u8]) -> Result<(Told, String), FileError> {
    let store = empty();
    let told = load_by(bytes, 1 << 16, &store)?;
    Ok((told, digest(&store)))
}

/// Writes all of the store.
pub(crate) fn save(store: &Store, encoder: Encoder) -> Vec<u8> {
    let mut encoder = encoder;
    let mut cut = cut(store);
    let (mut whole, mut out) = (Vec::new(), Vec::new());
    encoder.begin(
        &Header {
            redis_version: "7.2.4",
            created_s: 1_700_000_000,
            used_memory_bytes: 1 << 20,
            is_aof_base: false,
        },
        &mut out,
    );
    let mut db = None;
    while let Some(part) = cut.take_part() {
        if db != Some(part.db()) {
            db = Some(part.db());
            let size = store.db_size(part.db(), 1);
            encoder.database(part.db(), size.keys, size.deadlines, &mut out);
        }
        for entry in part.iter() {
            encoder.entry(entry, &mut out, &mut |bytes| whole.append(bytes));
        }
    }
    whole.append(&mut out);
    let mut checksum = crc::Running::new();
    checksum.add(&whole);
    whole.extend_from_slice(&file::end(Some(checksum)));
    whole
}

/// An encoder of files of a form.
pub(crate) fn encoder(version: u16, dialect: rdb::Dialect, field_deadlines: bool) -> Encoder {
    Encoder::new(Form::file(version, dialect, field_deadlines), true)
}
