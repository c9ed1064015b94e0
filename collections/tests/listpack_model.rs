//! The listpack against a vector of byte strings: random operations of every kind with values
//! around each encoding's edges; after every one the bytes must validate, and from time to time
//! everything that can be asked is asked. A size model tells the exact byte length.

#![cfg(not(feature = "model"))]

mod support;

use collections::listpack::{At, Element, Listpack};
use collections::{Refused, integer};
use support::split_mix;

/// Numbers on both sides of every edge, and what a number's spelling may be mistaken for.
const NUMBERS: &[i64] = &[
    0,
    127,
    4095,
    4096,
    32767,
    32768,
    8_388_607,
    8_388_608,
    2_147_483_647,
    2_147_483_648,
    i64::MAX,
];
const LENGTHS: &[usize] = &[
    0, 1, 2, 20, 21, 62, 63, 64, 65, 125, 126, 127, 4095, 4096, 5000,
];
const LOOKALIKES: &[&str] = &[
    "-0",
    "00",
    "+1",
    "1 ",
    "-",
    "9223372036854775808",
    "1e3",
    "0x10",
];

struct World {
    random: u64,
    pack: Listpack,
    model: Vec<Vec<u8>>,
}

impl World {
    fn below(&mut self, n: usize) -> usize {
        (split_mix(&mut self.random) % n as u64) as usize
    }

    fn value(&mut self) -> Vec<u8> {
        match self.below(10) {
            0..=3 => {
                let edge = NUMBERS[self.below(NUMBERS.len())];
                let near = edge.wrapping_add(self.below(5) as i64 - 2);
                let signed = if self.below(2) == 0 {
                    near
                } else {
                    near.wrapping_neg()
                };
                signed.to_string().into_bytes()
            }
            4 => LOOKALIKES[self.below(LOOKALIKES.len())].into(),
            5..=7 => {
                let len = self.below(24);
                vec![b'a' + len as u8; len]
            }
            _ => {
                let at = self.below(LENGTHS.len());
                // Mostly the short ones, or the long ones would be nearly all the bytes.
                let at = if self.below(4) == 0 { at } else { at.min(9) };
                vec![self.below(256) as u8; LENGTHS[at]]
            }
        }
    }

    fn values(&mut self) -> Vec<Vec<u8>> {
        let n = self.below(5);
        (0..n).map(|_| self.value()).collect()
    }

    fn place(&mut self) -> Option<(usize, At)> {
        let index = self.below(self.model.len().max(1));
        let at = self.pack.seek(index);
        assert_eq!(at.is_some(), index < self.model.len());
        Some((index, at?))
    }

    fn step(&mut self) -> Result<(), Refused> {
        // Long ones get shorter, so that the sizes go up and down all the time.
        let shrink = self.model.len() > 100;
        match self.below(if shrink { 19 } else { 13 }) {
            0 => {
                let value = self.value();
                let at = self.pack.append(&value)?;
                assert_eq!(Some(at), self.pack.last());
                self.model.push(value);
            }
            1 => {
                let value = self.value();
                let at = self.pack.prepend(&value)?;
                assert_eq!(Some(at), self.pack.first());
                self.model.insert(0, value);
            }
            2 => {
                let number = NUMBERS[self.below(NUMBERS.len())];
                self.pack.append(number)?;
                self.model.push(number.to_string().into());
            }
            3 => {
                let (value, place) = (self.value(), self.place());
                if let Some((index, at)) = place {
                    assert_eq!(self.pack.insert_before(at, &value)?, at);
                    self.model.insert(index, value);
                }
            }
            4 => {
                let (value, place) = (self.value(), self.place());
                if let Some((index, at)) = place {
                    let new = self.pack.insert_after(at, &value)?;
                    assert_eq!(self.pack.next(at), Some(new));
                    self.model.insert(index + 1, value);
                }
            }
            5..=6 => {
                let (value, place) = (self.value(), self.place());
                if let Some((index, at)) = place {
                    assert_eq!(self.pack.replace(at, &value)?, at);
                    self.model[index] = value;
                }
            }
            7 => {
                let values = self.values();
                self.pack.append_all(elements(&values))?;
                self.model.extend(values);
            }
            8 => {
                let values = self.values();
                self.pack.prepend_all(elements(&values))?;
                self.model.splice(0..0, values);
            }
            9 => {
                let (values, place) = (self.values(), self.place());
                if let Some((index, at)) = place {
                    self.pack.insert_all_before(at, elements(&values))?;
                    self.model.splice(index..index, values);
                }
            }
            10 => {
                let values = self.values();
                let other = Listpack::from_elements(elements(&values))?;
                if self.below(2) == 0 {
                    self.pack.append_pack(&other)?;
                    self.model.extend(values);
                } else {
                    self.pack.prepend_pack(&other)?;
                    self.model.splice(0..0, values);
                }
            }
            11 => {
                let index = self.below(self.model.len() + 2);
                let other = self.pack.split_off(index)?;
                let tail = self.model.split_off(index.min(self.model.len()));
                assert!(other.iter().eq(elements(&tail)));
                assert_eq!(other.len(), tail.len());
                // Together again, from either side.
                if self.below(2) == 0 {
                    self.pack.append_pack(&other)?;
                } else {
                    let mut other = other;
                    other.prepend_pack(&self.pack)?;
                    self.pack = other;
                }
                self.model.extend(tail);
            }
            12..=14 => {
                if let Some((index, at)) = self.place() {
                    let next = self.pack.delete(at);
                    self.model.remove(index);
                    assert_eq!(next, self.pack.seek(index));
                }
            }
            15 => {
                let count = self.below(10);
                if let Some((index, at)) = self.place() {
                    let next = self.pack.delete_from(at, count);
                    let end = (index + count).min(self.model.len());
                    self.model.drain(index..end);
                    assert_eq!(next, self.pack.seek(index));
                }
            }
            16 => {
                let (index, count) = (self.below(self.model.len() + 2), self.below(20));
                let start = index.min(self.model.len());
                let end = (index + count).min(self.model.len()).max(start);
                assert_eq!(self.pack.delete_range(index, count), end - start);
                self.model.drain(start..end);
            }
            17 => {
                let len = self.below(self.model.len() + 2);
                self.pack.truncate(len);
                self.model.truncate(len);
            }
            _ => {
                if self.below(10) == 0 {
                    self.pack.clear();
                    self.model.clear();
                }
            }
        }
        Ok(())
    }

    /// Bytes, lengths and both directions.
    fn check(&self) {
        let mut bytes = self.pack.as_bytes().to_vec();
        let again = Listpack::from_bytes(bytes.clone()).expect("what we wrote is valid");
        assert_eq!(again.as_bytes(), bytes, "and canonical");
        let size: usize = self.model.iter().map(|value| entry_bytes(value)).sum();
        assert_eq!(self.pack.byte_len(), 7 + size);
        assert_eq!(self.pack.len(), self.model.len());
        assert!(self.pack.iter().eq(elements(&self.model)));
        assert!(self.pack.iter().rev().eq(elements(&self.model).rev()));
        assert!(
            self.pack.heap_bytes() <= (self.pack.byte_len() + 8) * 2,
            "memory is given back"
        );
        // A header that does not tell answers alike.
        bytes[4..6].fill(0xff);
        let vague = Listpack::from_bytes(bytes).expect("valid");
        assert_eq!(vague, self.pack);
    }

    /// Everything that can be asked.
    fn ask(&mut self) {
        let len = self.model.len();
        for (index, value) in self.model.iter().enumerate() {
            let at = self.pack.seek(index).expect("within");
            assert_eq!(self.pack.seek_back(len - 1 - index), Some(at));
            assert_eq!(self.pack.next(at), self.pack.seek(index + 1));
            let before = index.checked_sub(1).and_then(|i| self.pack.seek(i));
            assert_eq!(self.pack.prev(at), before);
            let element = self.pack.value(at);
            assert_eq!(element.bytes(&mut [0; 20]), value);
            assert_eq!(element.len(), value.len());
            assert_eq!(element.int(), integer::parse(value));
            assert!(matches!(element, Element::Int(_)) == element.int().is_some());
            let (same, next) = self.pack.value_and_next(at);
            assert_eq!((same, next), (element, self.pack.next(at)));
            assert!(self.pack.iter_from(at).eq(elements(&self.model[index..])));
            assert!(self.pack.iter_before(at).eq(elements(&self.model[..index])));
            let nth = self.pack.iter().nth(index);
            assert_eq!(nth, Some(element));
        }
        assert_eq!(self.pack.seek(len), None);
        assert_eq!(self.pack.seek_back(len), None);
        assert_eq!(self.pack.get(len), None);
        assert!(
            self.pack.pairs().map(|[a, b]| (a, b)).eq(self
                .model
                .chunks_exact(2)
                .map(|pair| (Element::from(&pair[0]), Element::from(&pair[1]))))
        );
        self.search();
    }

    fn search(&mut self) {
        for _ in 0..5 {
            let needle = match self.place() {
                Some((index, _)) if self.below(3) > 0 => self.model[index].clone(),
                _ => self.value(),
            };
            let skip = self.below(3);
            let from = self.below(self.model.len().max(1));
            let mut places = (from..self.model.len()).step_by(skip + 1);
            let expected = places.find(|&index| self.model[index] == needle);
            let expected = expected.and_then(|index| self.pack.seek(index));
            let found = self
                .pack
                .seek(from)
                .and_then(|at| self.pack.find_from(at, &needle, skip));
            assert_eq!(found, expected, "{needle:?} from {from}, skip {skip}");
            if from == 0 {
                assert_eq!(self.pack.find(&needle, skip), expected);
            }
        }
    }
}

fn elements(values: &[Vec<u8>]) -> impl DoubleEndedIterator<Item = Element<'_>> + Clone {
    values.iter().map(Element::from)
}

/// The size of a value's entry, from the specification and not from the code.
fn entry_bytes(value: &[u8]) -> usize {
    let text = std::str::from_utf8(value).ok();
    let number = text
        .and_then(|text| text.parse::<i64>().ok())
        .filter(|n| n.to_string().as_bytes() == value);
    let body = match (number, value.len()) {
        (Some(0..=127), _) => 1,
        (Some(n), _) if (-4096..4096).contains(&n) => 2,
        (Some(n), _) if i16::try_from(n).is_ok() => 3,
        (Some(n), _) if (-(1 << 23)..1 << 23).contains(&n) => 4,
        (Some(n), _) if i32::try_from(n).is_ok() => 5,
        (Some(_), _) => 9,
        (None, len @ 0..=63) => 1 + len,
        (None, len @ 64..=4095) => 2 + len,
        (None, len) => 5 + len,
    };
    body + if body < 128 { 1 } else { 2 }
}

#[test]
fn random_operations() {
    for seed in 0..24 {
        let pack = Listpack::new();
        let mut world = World {
            random: seed,
            pack,
            model: Vec::new(),
        };
        for step in 0..600 {
            world.step().expect("there is memory");
            world.check();
            if step % 50 == 0 {
                world.ask();
            }
        }
    }
}

/// The count leaves the header at 65,535 entries, and comes back when so few bytes are left that
/// it must fit.
#[test]
fn more_entries_than_the_header_counts() {
    let mut pack = Listpack::new();
    let header = |pack: &Listpack| u16::from_le_bytes([pack.as_bytes()[4], pack.as_bytes()[5]]);
    for i in 0..65_534 {
        pack.append(i % 100).expect("small");
    }
    assert_eq!((header(&pack), pack.len()), (65_534, 65_534));
    pack.append(7).expect("small");
    assert_eq!((header(&pack), pack.len()), (u16::MAX, 65_535));
    for i in 0..5_000 {
        pack.append(i % 100).expect("small");
    }
    assert_eq!((header(&pack), pack.len()), (u16::MAX, 70_535));
    assert_eq!(pack.get(70_534), Some(Element::Int(99)));
    assert_eq!(pack.get(70_535), None);
    assert_eq!(pack.seek_back(70_534), pack.first());
    let again = Listpack::from_bytes(pack.as_bytes().to_vec()).expect("valid");
    assert_eq!(again, pack);

    let tail = pack.clone().split_off(70_000).expect("there is memory");
    assert_eq!((header(&tail), tail.len()), (535, 535));
    assert_eq!(pack.delete_range(60_000, 4_000), 4_000);
    assert_eq!(pack.len(), 66_535);
    assert_eq!(pack.delete_range(0, 2_000), 2_000);
    assert_eq!((header(&pack), pack.len()), (64_535, 64_535));
    pack.append_pack(&again).expect("there is memory");
    assert_eq!((header(&pack), pack.len()), (u16::MAX, 135_070));
    pack.truncate(3);
    assert_eq!((header(&pack), pack.len()), (3, 3));
    assert_eq!(pack.byte_len(), 7 + 2 * 3);
}

/// Numbers that foreign bytes keep as text, or wider than need be, are found and compared alike.
#[test]
fn foreign_forms_of_a_number() {
    let bytes = [
        // "5" as bytes; 5 in 13, 16 and 64 bits.
        &[0x81, b'5', 2][..],
        &[0xc0, 5, 2],
        &[0xf1, 5, 0, 3],
        &[0xf4, 5, 0, 0, 0, 0, 0, 0, 0, 9],
    ];
    for entry in bytes {
        let mut all = vec![entry.len() as u8 + 7, 0, 0, 0, 1, 0];
        all.extend_from_slice(entry);
        all.push(0xff);
        let pack = Listpack::from_bytes(all).expect("valid, if odd");
        assert_eq!(pack.find(b"5", 0), pack.first());
        assert_eq!(pack.get(0), Some(Element::Int(5)));
        let ours = Listpack::from_elements([Element::Int(5)].into_iter()).expect("small");
        assert_eq!(pack, ours);
        let mut copy = Listpack::new();
        copy.append_all(pack.iter()).expect("small");
        assert_eq!(
            copy.as_bytes(),
            ours.as_bytes(),
            "copied by value, it is canonical"
        );
    }
}

/// Back lengths of three and four bytes, walked from both ends.
#[test]
fn long_elements() {
    let lengths = [16_377, 16_378, 2_097_145, 2_097_146, 3_000_000];
    let values: Vec<Vec<u8>> = lengths.iter().map(|&len| vec![b'z'; len]).collect();
    let pack = Listpack::from_elements(elements(&values)).expect("there is memory");
    assert!(pack.iter().eq(elements(&values)));
    assert!(pack.iter().rev().eq(elements(&values).rev()));
    let again = Listpack::from_bytes(pack.as_bytes().to_vec()).expect("valid");
    assert_eq!(again.len(), lengths.len());
    let backs: usize = [2, 3, 3, 4, 4].iter().sum();
    assert_eq!(
        pack.byte_len(),
        7 + lengths.iter().sum::<usize>() + 5 * 5 + backs
    );
}
