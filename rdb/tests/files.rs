//! Whole files: ours come back, whatever the blocks in which they are read.

mod common;

use common::{digest, empty, encoder, load, load_by, save, unit};
use rdb::Dialect;
use rdb::file::{Doing, Fault, Item, Skimmer};
use store::{
    Container, FieldDeadline, Hash, Limits, List, ListEnd, NewStr, Object, Scratch, Set, Slot,
    SortedSet, Store, Stream,
};

/// A store with something of every kind, small and large, in two databases.
fn everything(field_deadlines: bool) -> Store {
    let store = empty();
    let limits = Limits::default();
    let mut scratch = Scratch::default();
    let mut unit = unit(&store, &mut scratch);
    for (db, many) in [(0, 3_u32), (9, 600)] {
        unit.select(db);
        let long = "long and long and longer ".repeat(many as usize);
        let words: Vec<String> = (0..many).map(|n| format!("word {n}")).collect();
        let mut set = Set::for_members(b"word", u64::from(many), &limits);
        let mut sorted = SortedSet::for_members(u64::from(many), 0, &limits);
        let mut hash = Hash::new();
        let mut list = List::new();
        let mut stream = Stream::new();
        let mut ints = Set::for_members(b"1", u64::from(many), &limits);
        for (n, word) in words.iter().enumerate() {
            let word = word.as_bytes();
            set.add(word, &limits).expect("memory");
            ints.add((n * n).to_string().as_bytes(), &limits)
                .expect("memory");
            sorted
                .insert(word, n as f64 / 4.0, &limits)
                .expect("memory");
            let value = if n == 0 { long.as_bytes() } else { word };
            hash.set(word, value, FieldDeadline::Clear, &limits)
                .expect("memory");
            list.push(ListEnd::Right, word, limits.list())
                .expect("memory");
            let id = store::value::stream::StreamId {
                ms: n as u64 + 5,
                seq: 1,
            };
            stream
                .append(id, [(&b"field"[..], word)].into_iter(), &limits)
                .expect("memory");
        }
        if field_deadlines {
            hash.set_deadline(words[1].as_bytes(), Some(1_900_000_000_000))
                .expect("memory");
        }
        for (name, object) in [
            ("set", set.into_object()),
            ("ints", ints.into_object()),
            ("zset", sorted.into_object()),
            ("hash", hash.into_object()),
            ("list", list.into_object()),
            ("stream", stream.into_object()),
        ] {
            insert_object(&mut unit, name, object);
        }
        for (name, text, deadline) in [
            ("text", long.as_str(), None),
            ("77", "-12345", Some(1_800_000_000_000)),
            ("short", "x", Some(2)),
        ] {
            match unit.slot(store.key(name.as_bytes())) {
                Slot::Vacant(slot) => slot
                    .insert_string(NewStr::of(text.as_bytes()), deadline)
                    .expect("memory"),
                Slot::Occupied(_) => panic!("{name} is new"),
            }
        }
    }
    drop(unit);
    store
}

fn insert_object(unit: &mut store::Unit<'_>, name: &str, object: Object) {
    let key = unit.key(name.as_bytes());
    match unit.slot(key) {
        Slot::Vacant(slot) => slot.insert_object(object, None).expect("memory"),
        Slot::Occupied(_) => panic!("{name} is new"),
    }
}

fn comes_back(version: u16, dialect: Dialect, field_deadlines: bool, magic: &[u8]) {
    let store = everything(field_deadlines);
    let expected = digest(&store);
    let bytes = save(&store, encoder(version, dialect, field_deadlines));
    assert!(bytes.starts_with(magic), "{:?}", &bytes[..9]);
    for block in [1, 7, 4096, 1 << 20] {
        let back = empty();
        let told = load_by(&bytes, block, &back).expect("we wrote it");
        assert_eq!(digest(&back), expected, "blocks of {block}");
        assert_eq!(told.sizes, [(0, 9, 2), (9, 9, 2)]);
        assert_eq!((told.keys, told.skipped), (18, 0));
        let aux: Vec<_> = told.aux.iter().map(|(n, v)| format!("{n}={v}")).collect();
        assert_eq!(
            aux,
            [
                "redis-ver=7.2.4",
                "redis-bits=64",
                "ctime=1700000000",
                "used-mem=1048576",
                "aof-base=0"
            ]
        );
    }
}

#[test]
fn ours_come_back() {
    comes_back(11, Dialect::Redis, false, b"REDIS0011");
    comes_back(10, Dialect::Redis, false, b"REDIS0010");
    comes_back(11, Dialect::Redis, true, b"REDIS0012");
    comes_back(11, Dialect::Valkey, true, b"VALKEY080");
    comes_back(80, Dialect::Redis, false, b"VALKEY080");
}

#[test]
fn what_follows_the_end_is_left() {
    let mut bytes = save(&everything(false), encoder(11, Dialect::Redis, false));
    let length = bytes.len();
    bytes.extend_from_slice(b"*1\r\n");
    let mut skimmer = Skimmer::new(true);
    skimmer.feed(&bytes).expect("memory");
    let mut last = None;
    while let Some(item) = skimmer.next_item().expect("we wrote it") {
        last = Some(item);
    }
    let end = Item::End {
        bytes: length as u64,
        checked: true,
    };
    assert_eq!(last, Some(end));
    assert_eq!(skimmer.rest(), b"*1\r\n");
    let error = skimmer.finish().expect_err("something follows");
    assert_eq!(
        (error.offset, error.fault),
        (length as u64, Fault::Trailing)
    );
}

#[test]
fn refusals_name_fault_and_place() {
    let check = |bytes: &[u8], offset: u64, fault: Fault| {
        let error = load(bytes).expect_err("it is broken");
        assert_eq!((error.offset, error.fault), (offset, fault), "{bytes:?}");
    };
    check(b"", 0, Fault::Short);
    check(b"REDI", 0, Fault::Short);
    check(b"RUBBISH", 0, Fault::Short);
    check(b"RUBBISH00", 9, Fault::Magic);
    check(b"REDIS00x1", 9, Fault::Magic);
    check(b"REDIS0000", 9, Fault::Version(0));
    check(b"REDIS0016", 9, Fault::Version(16));
    check(b"REDIS0080", 9, Fault::Version(80));
    check(b"VALKEY011", 9, Fault::Version(11));
    check(b"REDIS0011", 9, Fault::Short);
    check(b"REDIS0011\x42", 10, Fault::Type(0x42));
    check(b"REDIS0011\0\x01a\x01b\xf3", 15, Fault::Type(0xf3));
    check(b"VALKEY080\xf3", 10, Fault::SlotImport);
    // A deadline, and no key.
    let deadline = b"REDIS0011\xfc\0\0\0\0\0\0\0\0\xfe\0";
    check(deadline, 19, Fault::Type(0xfe));
    let wrong = Fault::Checksum {
        stored: 1,
        computed: rdb::crc::checksum(b"REDIS0011\xff"),
    };
    check(b"REDIS0011\xff\x01\0\0\0\0\0\0\0", 18, wrong);
    // A type of one dialect in a file of the other.
    check(b"REDIS0012\x16\x01k\x01\x01f\x01v", 10, Fault::Type(22));
    check(b"VALKEY080\x18", 10, Fault::Type(24));
    // A module's: nine characters of six bits, ten bits of version.
    let name = "AAAAAAAAB".to_owned();
    check(
        b"REDIS0011\x07\x01k\x44\x00\x00",
        9,
        Fault::Module(name.clone()),
    );
    let aux = b"REDIS0011\xf7\x44\x00\x02\x02\x05\x01x\x00";
    check(aux, 18, Fault::ModuleAux(name));
}

#[test]
fn refusals_name_what_was_being_read() {
    let check = |bytes: &[u8], offset: u64, doing: Doing, inside: Option<(u8, &[u8])>| {
        let error = load(bytes).expect_err("it is broken");
        assert_eq!((error.offset, error.doing), (offset, doing), "{bytes:?}");
        let found = error.number.zip(error.key.as_deref());
        assert_eq!(found, inside, "{bytes:?}");
    };
    check(b"REDIS", 0, Doing::Start, None);
    check(b"REDIS0011\xfe", 10, Doing::Length, None);
    check(b"REDIS0011\xfa\x03abc\x05xy", 15, Doing::Aux, None);
    check(b"REDIS0011\xf5\x05abc", 11, Doing::Functions, None);
    check(b"REDIS0011\xfc1234", 10, Doing::Expire, None);
    check(b"REDIS0011\x01\x05abc", 11, Doing::Key, None);
    check(b"REDIS0011\0\x01a\x01b", 14, Doing::Type, None);
    check(b"REDIS0011\0\x01a\x03b", 13, Doing::Value, Some((0, b"a")));
    check(
        b"REDIS0011\x01\x01a\x02\x01b",
        15,
        Doing::Value,
        Some((1, b"a")),
    );
    // Not skimmed but decoded.
    let packed = b"REDIS0011\0\x01a\xc3\x02\x05\0a";
    check(packed, 17, Doing::Value, Some((0, b"a")));
    check(b"REDIS0011\xff1234", 10, Doing::Checksum, None);
}

/// A stranger's lengths make the skimmer wait, and reserve nothing.
#[test]
fn announced_lengths_reserve_nothing() {
    for announced in [
        &b"\0\x01k\x81\x7f\xff\xff\xff\xff\xff\xff\xff"[..],
        b"\x04\x01k\x81\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\0\x01k\xc3\x81\x7f\xff\xff\xff\xff\xff\xff\xff\x81\x7f\xff\xff\xff\xff\xff\xff\xff",
    ] {
        let mut skimmer = Skimmer::new(true);
        skimmer.feed(b"REDIS0011").expect("memory");
        skimmer.feed(announced).expect("memory");
        while let Some(item) = skimmer.next_item().expect("nothing is wrong yet") {
            assert_eq!(item, Item::Begin { version: 11 });
        }
        assert_eq!(skimmer.offset(), 9 + announced.len() as u64);
    }
}
