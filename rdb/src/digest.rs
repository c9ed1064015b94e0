//! Redis's digest of a data set: two servers with the same data give the same forty digits.
//!
//!   add(d, x)   d xor SHA1(x)              the order does not matter
//!   mix(d, x)   SHA1(d xor SHA1(x))        it does
//!
//!   value       mix type number, mix the string; add "!!expire!!" if it has a deadline
//!   key         mix the name into zeros, then its value
//!   data set    each database that has keys: mix its number, then add the digests of its keys
//!
//! Numbers are 32 bits, highest byte first. The deadline itself is not part of it.
//!
//! Checked by: test below, with figures that Redis 7.0.15 gave.

use std::fmt;

use sha1::{Digest as _, Sha1};
use store::value::stream::StreamId;
use store::{Cut, EntryRef, Object, ValueRef};

/// Twenty bytes, shown as forty digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest([u8; 20]);

impl Digest {
    fn add(&mut self, bytes: &[u8]) {
        let hash: [u8; 20] = Sha1::digest(bytes).into();
        for (mine, other) in self.0.iter_mut().zip(hash) {
            *mine ^= other;
        }
    }

    /// Adds another digest: what is in no order is digested by itself first.
    fn join(&mut self, other: Digest) {
        for (mine, other) in self.0.iter_mut().zip(other.0) {
            *mine ^= other;
        }
    }

    fn mix(&mut self, bytes: &[u8]) {
        self.add(bytes);
        self.0 = Sha1::digest(self.0).into();
    }

    fn mix_number(&mut self, number: u32) {
        self.mix(&number.to_be_bytes());
    }

    /// Takes in a value, its type and whether it has a deadline.
    fn take_value(&mut self, entry: EntryRef<'_>) {
        match entry.value() {
            ValueRef::String(text) => {
                self.mix_number(STRING);
                self.mix(text.bytes(&mut [0; 20]));
            }
            ValueRef::Object(object) => self.take_object(object),
        }
        if entry.deadline().is_some() {
            self.add(b"!!expire!!");
        }
    }

    fn take_object(&mut self, object: &Object) {
        match object {
            Object::List(list) => {
                self.mix_number(LIST);
                for element in list.iter() {
                    self.mix(element.bytes(&mut [0; 20]));
                }
            }
            Object::Set(set) => {
                self.mix_number(SET);
                for member in set.iter() {
                    let mut inner = Digest::default();
                    inner.add(member.bytes(&mut [0; 20]));
                    self.join(inner);
                }
            }
            Object::Hash(hash) => {
                self.mix_number(HASH);
                for field in hash.iter() {
                    let mut inner = Digest::default();
                    inner.mix(field.name.bytes(&mut [0; 20]));
                    inner.mix(field.value.bytes(&mut [0; 20]));
                    if field.deadline.is_some() {
                        inner.add(b"!!hexpire!!");
                    }
                    self.add(&inner.0);
                }
            }
            Object::Stream(stream) => {
                self.mix_number(STREAM);
                for entry in stream.range(StreamId::MIN, StreamId::MAX) {
                    self.mix(format!("{}.{}", entry.id.ms, entry.id.seq).as_bytes());
                    for (name, value) in entry.fields {
                        self.mix(name.bytes(&mut [0; 20]));
                        self.mix(value.bytes(&mut [0; 20]));
                    }
                }
            }
            Object::SortedSet(set) => {
                self.mix_number(SORTED_SET);
                let mut digits = Vec::new();
                for (score, member) in set.iter() {
                    let mut inner = Digest::default();
                    inner.mix(member.bytes(&mut [0; 20]));
                    // The shortest digits, as 7.2 and later digest them; 7.0 took seventeen.
                    digits.clear();
                    resp::number::write_f64(&mut digits, score);
                    inner.mix(&digits);
                    self.add(&inner.0);
                }
            }
        }
    }

    /// Of one value.
    #[must_use]
    pub fn of_value(entry: EntryRef<'_>) -> Digest {
        let mut digest = Digest::default();
        digest.take_value(entry);
        digest
    }

    /// Of everything that has not expired.
    #[must_use]
    pub fn of_cut(cut: &Cut, databases: u32) -> Digest {
        let mut whole = Digest::default();
        for db in 0..databases {
            let live = |entry: &EntryRef<'_>| entry.deadline().is_none_or(|at| cut.time_ms() <= at);
            let mut entries = cut.iter(db).filter(live).peekable();
            if entries.peek().is_some() {
                whole.mix_number(db);
            }
            for entry in entries {
                let mut digest = Digest::default();
                digest.mix(entry.key());
                digest.take_value(entry);
                whole.add(&digest.0);
            }
        }
        whole
    }
}

/// The numbers that Redis gives the types.
const STRING: u32 = 0;
const LIST: u32 = 1;
const SET: u32 = 2;
const HASH: u32 = 4;
const STREAM: u32 = 6;
const SORTED_SET: u32 = 3;

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use store::{Options, Plan, Scratch, Slot, Store, Turn};

    #[test]
    fn equals_what_redis_says() {
        let options = Options {
            databases: 2,
            workers: 1,
            seed: 1,
        };
        let store = Store::new(options);
        let mut scratch = Scratch::default();
        let mut unit = store
            .begin(Plan::Wide, Turn::new(0, 0, 1_000, &mut scratch))
            .expect("nobody holds it");
        let empty = Digest::of_cut(&unit.cut().expect("all is held"), 2);
        assert_eq!(empty.to_string(), "0".repeat(40));
        for (name, value, deadline) in [
            ("a", "hello", None),
            ("b", "5", None),
            ("c", "x", Some(i64::MAX)),
        ] {
            match unit.slot(store.key(name.as_bytes())) {
                Slot::Vacant(place) => place
                    .insert_string(store::NewStr::of(value.as_bytes()), deadline)
                    .expect("there is memory"),
                Slot::Occupied(_) => panic!("{name} is new"),
            }
        }
        let key = store.key(b"a");
        let value = Digest::of_value(unit.peek(key).expect("just set"));
        assert_eq!(
            value.to_string(),
            "36b23a1456b2dce2c3ed252c456761301dba8060"
        );
        let whole = Digest::of_cut(&unit.cut().expect("all is held"), 2);
        assert_eq!(
            whole.to_string(),
            "b07e9a79d0091bbcbecc8bae3bf49ad0726a8153"
        );
        let mut hash = store::Hash::new();
        let limits = store::Limits::default();
        for (name, value) in [("a", "1"), ("b", "hello")] {
            hash.set(
                name.as_bytes(),
                value.as_bytes(),
                store::FieldDeadline::Clear,
                &limits,
            )
            .expect("there is memory");
        }
        // The second figure is from Redis 8.0.6: 7.0 has no fields that expire.
        for (deadline, expected) in [
            (None, "c8c107ce0a38c9173267c96fa732f89c6a52d977"),
            (Some(9_000), "6433924c9df88c8a2983bc9d352197f016bfc345"),
        ] {
            hash.set_deadline(b"a", deadline).expect("there is memory");
            let object = Object::Hash(store::Container::fork(&hash).expect("there is memory"));
            let mut digest = Digest::default();
            digest.take_object(&object);
            assert_eq!(digest.to_string(), expected);
        }
    }

    #[test]
    fn lists_equal_what_redis_says() {
        let limits = store::Limits::default().list();
        let mut list = store::List::new();
        for element in ["a", "12", "", "bb", "-5"] {
            list.push(store::ListEnd::Right, element.as_bytes(), limits)
                .expect("there is memory");
        }
        let mut digest = Digest::default();
        digest.take_object(&Object::List(list));
        assert_eq!(
            digest.to_string(),
            "f72cc0ef92fa8a860f47d3de921626ffda71da33"
        );
    }

    /// The figure is from Redis 8.0.6 and Valkey 9.1.2.
    #[test]
    fn scores_are_digested_by_their_shortest_digits() {
        let limits = store::Limits::default();
        let scores = [1e21, 1e22, 123_456_789_012_345_680.0, 1e-5, 1.5e-10, 0.3];
        let mut set = store::SortedSet::for_members(7, 1, &limits);
        for (score, member) in scores.into_iter().zip(["a", "b", "c", "d", "e", "f"]) {
            set.insert(member.as_bytes(), score, &limits)
                .expect("there is memory");
        }
        set.insert(b"g", 3.000_000_000_000_000_4e-5, &limits)
            .expect("there is memory");
        let mut digest = Digest::default();
        digest.take_object(&Object::SortedSet(set));
        assert_eq!(
            digest.to_string(),
            "98a8ba7536f796a52743a291fca34522ba988eba"
        );
    }

    /// The figure is from Redis 8.0.6.
    #[test]
    fn streams_are_digested_as_by_redis() {
        let mut stream = store::Stream::new();
        let long = "x".repeat(70);
        for (ms, fields) in [
            (7, &[("b", "-5")][..]),
            (8, &[("a", &long), ("z", "2")]),
            (9, &[("b", "99999999999")]),
            (10, &[("c", ""), ("z", "2")]),
        ] {
            let id = StreamId { ms, seq: 12 - ms };
            let words = fields.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes()));
            stream
                .append(id, words, &store::Limits::default())
                .expect("there is memory");
        }
        let mut digest = Digest::default();
        digest.take_object(&Object::Stream(stream));
        assert_eq!(
            digest.to_string(),
            "2f5e33a84846ec0fbe13216e7f6833357053facd"
        );
    }
}
