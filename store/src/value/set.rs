//! What a set is in memory. The page is `docs/design/types.md`.
//!
//! ```text
//!   intset ──a word, still few──▶ listpack ──too many, or one too long──▶ dict
//!      └──────────────── too many numbers, or a word among many ───────────┘
//! ```
//!
//! Forms only go to the right while a set is changed; one that is built anew begins on the left. The
//! bounds are where Redis has them, because OBJECT ENCODING shows them.
//!
//! S1  An intset holds only what spells a 64-bit integer; in the other forms numbers are members like
//!     any other.
//!
//! Checked by: `tests/objects.rs` (random edits against a `BTreeSet`).

use collections::dict::{Deadline, Dict};
use collections::listpack::Element;
use collections::{Intset, Listpack};

use super::limits::Limits;
use super::object::{Container, Object};
use super::{Encoding, Kind};
use crate::error::Refused;
use crate::key::element_hashing;

/// A set.
#[derive(Debug)]
pub struct Set {
    form: Form,
}

#[derive(Debug)]
enum Form {
    Ints(Intset),
    Packed(Listpack),
    /// Boxed: the small forms are many and pay for the room of the largest.
    Table(Box<Dict>),
}

/// An intset is never larger, whatever the configuration says: Redis's bound.
const INTS_MAX: u64 = 1 << 30;

impl Set {
    /// An empty set for `first` and about `count` members in all.
    #[must_use]
    pub fn for_members(first: &[u8], count: u64, limits: &Limits) -> Set {
        let is_int = Element::Bytes(first).int().is_some();
        let form = if is_int && count <= limits.set_max_intset_entries.min(INTS_MAX) {
            Form::Ints(Intset::new())
        } else if count <= limits.set_max_listpack_entries {
            Form::Packed(Listpack::new())
        } else {
            Form::Table(Box::new(Dict::new(element_hashing())))
        };
        Set { form }
    }

    /// A set whose bytes came from elsewhere and were validated: no member twice.
    #[must_use]
    pub fn of_ints(ints: Intset) -> Set {
        Set {
            form: Form::Ints(ints),
        }
    }

    /// As `of_ints`.
    #[must_use]
    pub fn of_pack(pack: Listpack) -> Set {
        Set {
            form: Form::Packed(pack),
        }
    }

    /// Its intset, if it is one.
    #[must_use]
    pub fn ints(&self) -> Option<&Intset> {
        match &self.form {
            Form::Ints(ints) => Some(ints),
            _ => None,
        }
    }

    /// Its listpack, if it is one.
    #[must_use]
    pub fn pack(&self) -> Option<&Listpack> {
        match &self.form {
            Form::Packed(pack) => Some(pack),
            _ => None,
        }
    }

    /// `count` members are about to be added: turns large at once if they will not fit.
    ///
    /// # Errors
    /// `Refused`, and nothing has changed.
    pub fn expect_more(&mut self, count: u64, limits: &Limits) -> Result<(), Refused> {
        let is_too_much = match &self.form {
            Form::Ints(_) => count > limits.set_max_intset_entries.min(INTS_MAX),
            Form::Packed(_) => count > limits.set_max_listpack_entries,
            Form::Table(_) => false,
        };
        if is_too_much {
            self.grow_large()?;
        }
        Ok(())
    }

    /// Adds a member; whether it is new.
    ///
    /// # Errors
    /// `Refused`, and the members are as they were.
    pub fn add(&mut self, member: &[u8], limits: &Limits) -> Result<bool, Refused> {
        match &mut self.form {
            Form::Ints(ints) => {
                let Some(int) = Element::Bytes(member).int() else {
                    return self.add_word_to_ints(member, limits);
                };
                if !ints.insert(int)? {
                    return Ok(false);
                }
                if ints.len() as u64 > limits.set_max_intset_entries.min(INTS_MAX) {
                    // It is in already; without memory for the large form it stays small.
                    let _ = self.grow_large();
                }
                Ok(true)
            }
            Form::Packed(pack) => {
                if pack.find(member, 0).is_some() {
                    return Ok(false);
                }
                let fits = (pack.len() as u64) < limits.set_max_listpack_entries
                    && member.len() as u64 <= limits.set_max_listpack_value
                    && pack.has_room_for(member.len());
                if fits {
                    pack.append(member)?;
                    return Ok(true);
                }
                self.grow_large()?;
                self.add(member, limits)
            }
            Form::Table(dict) => {
                let hash = dict.hashing().of(member);
                Ok(dict.insert_absent(hash, member, b"", None)?)
            }
        }
    }

    /// A word joins an intset: it becomes a listpack if all of it fits there.
    fn add_word_to_ints(&mut self, member: &[u8], limits: &Limits) -> Result<bool, Refused> {
        let Form::Ints(ints) = &self.form else {
            unreachable!("the caller has an intset")
        };
        let longest = [ints.min(), ints.max()]
            .into_iter()
            .flatten()
            .map(|int| Element::Int(int).len() as u64)
            .max()
            .unwrap_or(0);
        let fits = (ints.len() as u64) < limits.set_max_listpack_entries
            && member.len() as u64 <= limits.set_max_listpack_value
            && longest <= limits.set_max_listpack_value;
        if fits {
            let mut pack = Listpack::new();
            pack.append_all(ints.iter().map(Element::Int))?;
            pack.append(member)?;
            self.form = Form::Packed(pack);
            return Ok(true);
        }
        self.grow_large()?;
        self.add(member, limits)
    }

    fn grow_large(&mut self) -> Result<(), Refused> {
        let mut dict = Dict::new(element_hashing());
        for member in self.iter() {
            let mut spelled = [0; 20];
            let member = member.bytes(&mut spelled);
            let hash = dict.hashing().of(member);
            dict.insert(hash, member, b"", Deadline::Clear)?;
        }
        self.form = Form::Table(Box::new(dict));
        Ok(())
    }

    /// Removes a member; whether it was there.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match &mut self.form {
            Form::Ints(ints) => Element::Bytes(member)
                .int()
                .is_some_and(|int| ints.remove(int)),
            Form::Packed(pack) => match pack.find(member, 0) {
                Some(at) => {
                    pack.delete(at);
                    true
                }
                None => false,
            },
            Form::Table(dict) => {
                let hash = dict.hashing().of(member);
                dict.remove(hash, member)
            }
        }
    }

    /// Whether it has a member.
    #[must_use]
    pub fn contains(&self, member: &[u8]) -> bool {
        match &self.form {
            Form::Ints(ints) => Element::Bytes(member)
                .int()
                .is_some_and(|int| ints.contains(int)),
            Form::Packed(pack) => pack.find(member, 0).is_some(),
            Form::Table(dict) => dict.contains(dict.hashing().of(member), member),
        }
    }

    /// A member, each with the same chance, chosen by a random number.
    #[must_use]
    pub fn random(&self, random: u64) -> Option<Element<'_>> {
        let index = |len: usize| ((u128::from(random) * len as u128) >> 64) as usize;
        match &self.form {
            Form::Ints(ints) => ints.get(index(ints.len())).map(Element::Int),
            Form::Packed(pack) => pack.get(index(pack.len())),
            Form::Table(dict) => dict.random(random).map(|item| Element::Bytes(item.key)),
        }
    }

    /// Removes a member, each with the same chance, chosen by a random number.
    pub fn pop(&mut self, random: u64) -> Option<Vec<u8>> {
        if let Form::Table(dict) = &mut self.form {
            return dict.pop_random(random, |item| item.key.to_vec());
        }
        let member = self.random(random)?.to_vec();
        self.remove(&member);
        Some(member)
    }

    /// All members, in the order of the form.
    pub fn iter(&self) -> impl Iterator<Item = Element<'_>> {
        let (ints, pack, dict) = match &self.form {
            Form::Ints(ints) => (Some(ints.iter()), None, None),
            Form::Packed(pack) => (None, Some(pack.iter()), None),
            Form::Table(dict) => (None, None, Some(dict.iter())),
        };
        let ints = ints.into_iter().flatten().map(Element::Int);
        let pack = pack.into_iter().flatten();
        let dict = dict.into_iter().flatten();
        ints.chain(pack)
            .chain(dict.map(|item| Element::Bytes(item.key)))
    }

    /// Shows about `count` members from `cursor` on; where to go on, 0 at the end. A small set is
    /// shown whole.
    pub fn scan(&self, cursor: u64, count: usize, mut show: impl FnMut(Element<'_>)) -> u64 {
        match &self.form {
            Form::Ints(_) | Form::Packed(_) => {
                self.iter().for_each(show);
                0
            }
            Form::Table(dict) => dict.scan(cursor, count, |item| show(Element::Bytes(item.key))),
        }
    }
}

impl Container for Set {
    const KIND: Kind = Kind::Set;

    fn of(object: &Object) -> Option<&Self> {
        match object {
            Object::Set(container) => Some(container),
            _ => None,
        }
    }

    fn of_mut(object: &mut Object) -> Option<&mut Self> {
        match object {
            Object::Set(container) => Some(container),
            _ => None,
        }
    }

    fn into_object(self) -> Object {
        Object::Set(self)
    }

    fn fork(&self) -> Result<Self, Refused> {
        let form = match &self.form {
            Form::Ints(ints) => Form::Ints(ints.try_clone()?),
            Form::Packed(pack) => Form::Packed(pack.try_clone()?),
            Form::Table(dict) => Form::Table(dict.clone()),
        };
        Ok(Set { form })
    }

    fn encoding(&self) -> Encoding {
        match &self.form {
            Form::Ints(_) => Encoding::Intset,
            Form::Packed(_) => Encoding::Listpack,
            Form::Table(_) => Encoding::HashTable,
        }
    }

    fn len(&self) -> u64 {
        match &self.form {
            Form::Ints(ints) => ints.len() as u64,
            Form::Packed(pack) => pack.len() as u64,
            Form::Table(dict) => dict.len() as u64,
        }
    }

    fn memory_bytes(&self) -> usize {
        match &self.form {
            Form::Ints(ints) => ints.heap_bytes(),
            Form::Packed(pack) => pack.heap_bytes(),
            Form::Table(dict) => dict.memory_bytes(),
        }
    }

    fn free_effort(&self) -> u64 {
        match &self.form {
            Form::Ints(_) | Form::Packed(_) => 1,
            Form::Table(dict) => dict.len() as u64,
        }
    }

    fn free_in_steps(&mut self, pause: &mut dyn FnMut()) {
        let form = std::mem::replace(&mut self.form, Form::Ints(Intset::new()));
        if let Form::Table(dict) = form {
            for piece in dict.into_pieces() {
                drop(piece);
                pause();
            }
        }
    }
}
