//! What a hash is in memory. The page is `docs/design/types.md`.
//!
//! ```text
//!   listpack      field value  field value ..                            no field has a deadline
//!      │ a deadline
//!   listpackex    field value deadline  field value deadline ..  field value 0 ..     `timed.rs`
//!      │ too many, or one too long
//!   hashtable     Dict, deadlines beside the fields
//! ```
//!
//! Forms only go down while a hash is changed; the bounds are where Redis has them, because OBJECT
//! ENCODING shows them.
//!
//! **Fields that expire.** A field lives through the millisecond of its deadline, as a key does. The
//! hash reads no clock: who asks says what time it is, and an expired field stays, unseen, until
//! somebody removes it (`unit/fields.rs`). HLEN counts what is held.
//!
//! H1  In a listpackex the deadlines do not fall from left to right; 0 means none and stands behind
//!     all others.
//! H2  `Large::earliest` is at or before each field's deadline and exactly `NEVER` if no field has one.
//!
//! Checked by: `tests/hashes.rs` (random edits against a `BTreeMap`).

mod timed;

use collections::Listpack;
use collections::dict::{self, Dict, Inserted, Item};
use collections::listpack::Element;

use super::limits::Limits;
use super::object::{Container, Object};
use super::{Encoding, Kind};
use crate::error::Refused;
use crate::key::element_hashing;
use timed::Timed;

/// A hash.
#[derive(Debug)]
pub struct Hash {
    form: Form,
}

#[derive(Debug)]
enum Form {
    /// Fields, each followed by its value.
    Packed(Listpack),
    Timed(Timed),
    /// Boxed: the small forms are many and pay for the room of the largest.
    Table(Box<Large>),
}

#[derive(Debug)]
struct Large {
    dict: Dict,
    /// The dict's own bound costs a look at each chunk; this one is asked for at every change.
    earliest: i64,
}

/// No field has a deadline.
const NEVER: i64 = i64::MAX;

/// A field, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Field<'h> {
    /// Its name.
    pub name: Element<'h>,
    /// Its value.
    pub value: Element<'h>,
    /// When it expires, in milliseconds since 1970.
    pub deadline: Option<i64>,
}

impl<'h> Field<'h> {
    /// Whether it is still there at this time.
    #[inline]
    #[must_use]
    pub fn lives_at(&self, now_ms: i64) -> bool {
        self.deadline.is_none_or(|at| now_ms <= at)
    }

    fn of_item(item: Item<'h>) -> Field<'h> {
        Field {
            name: Element::Bytes(item.key),
            value: Element::Bytes(item.value),
            deadline: item.deadline,
        }
    }

    fn of_pair([name, value]: [Element<'h>; 2]) -> Field<'h> {
        Field {
            name,
            value,
            deadline: None,
        }
    }
}

/// What becomes of a field's deadline when its value is set.
pub use dict::Deadline as FieldDeadline;

impl Default for Hash {
    fn default() -> Self {
        Hash::new()
    }
}

impl Hash {
    /// An empty hash.
    #[must_use]
    pub fn new() -> Hash {
        Hash {
            form: Form::Packed(Listpack::new()),
        }
    }

    /// A hash whose bytes came from elsewhere and were validated: pairs, no field twice.
    #[must_use]
    pub fn of_pack(pack: Listpack) -> Hash {
        Hash {
            form: Form::Packed(pack),
        }
    }

    /// Its listpack of pairs, if it is one.
    #[must_use]
    pub fn pack(&self) -> Option<&Listpack> {
        match &self.form {
            Form::Packed(pack) => Some(pack),
            _ => None,
        }
    }

    /// Its listpack of triples, if it is one.
    #[must_use]
    pub fn timed_pack(&self) -> Option<&Listpack> {
        match &self.form {
            Form::Timed(timed) => Some(timed.pack()),
            _ => None,
        }
    }

    /// These words, fields and values, are about to be set: turns large at once if a word is too long
    /// for a small form or they are too many by themselves. Redis decides so before it looks what is
    /// there already.
    ///
    /// # Errors
    /// `Refused`, and nothing has changed.
    pub fn expect<'w>(
        &mut self,
        words: impl ExactSizeIterator<Item = &'w [u8]>,
        limits: &Limits,
    ) -> Result<(), Refused> {
        let pack = match &self.form {
            Form::Packed(pack) => pack,
            Form::Timed(timed) => timed.pack(),
            Form::Table(_) => return Ok(()),
        };
        let mut bytes = 0;
        let is_too_much = (words.len() / 2) as u64 > limits.hash_max_listpack_entries
            || words.into_iter().any(|word| {
                bytes += word.len();
                word.len() as u64 > limits.hash_max_listpack_value
            });
        if is_too_much || !pack.has_room_for(bytes) {
            self.grow_large()?;
        }
        Ok(())
    }

    /// So many fields are about to be set that the small forms are not worth passing through.
    ///
    /// # Errors
    /// `Refused`, and nothing has changed.
    pub fn expect_many(&mut self) -> Result<(), Refused> {
        match self.form {
            Form::Packed(_) | Form::Timed(_) => self.grow_large(),
            Form::Table(_) => Ok(()),
        }
    }

    /// A field that is held, expired or not.
    #[inline]
    #[must_use]
    pub fn held(&self, name: &[u8]) -> Option<Field<'_>> {
        match &self.form {
            Form::Packed(pack) => {
                let (name, next) = pack.value_and_next(pack.find(name, 1)?);
                let value = pack.value(next.expect("a field has a value"));
                Some(Field::of_pair([name, value]))
            }
            Form::Timed(timed) => timed.get(name),
            Form::Table(large) => {
                let hash = large.dict.hashing().of(name);
                large.dict.get(hash, name).map(Field::of_item)
            }
        }
    }

    /// A field that has not expired.
    #[inline]
    #[must_use]
    pub fn get(&self, name: &[u8], now_ms: i64) -> Option<Field<'_>> {
        self.held(name).filter(|field| field.lives_at(now_ms))
    }

    /// Gives a field a value; whether the field is new. An expired one that is still held counts as
    /// there.
    ///
    /// # Errors
    /// `Refused`, and nothing has changed.
    pub fn set(
        &mut self,
        name: &[u8],
        value: &[u8],
        deadline: FieldDeadline,
        limits: &Limits,
    ) -> Result<bool, Refused> {
        let longest = name.len().max(value.len()) as u64;
        let is_too_long = longest > limits.hash_max_listpack_value;
        let bytes = name.len().saturating_add(value.len());
        match &mut self.form {
            Form::Packed(pack) => {
                if is_too_long || !pack.has_room_for(bytes) {
                    self.grow_large()?;
                } else if matches!(deadline, FieldDeadline::At(_)) {
                    self.grow_timed()?;
                } else {
                    let is_new = set_pair(pack, name, value)?;
                    if is_new {
                        self.grow_if_many(limits);
                    }
                    return Ok(is_new);
                }
            }
            Form::Timed(timed) => {
                if is_too_long || !timed.pack().has_room_for(bytes) {
                    self.grow_large()?;
                } else {
                    let is_new = timed.set(name, value, deadline)?;
                    if is_new {
                        self.grow_if_many(limits);
                    }
                    return Ok(is_new);
                }
            }
            Form::Table(large) => {
                let hash = large.dict.hashing().of(name);
                let inserted = large.dict.insert(hash, name, value, deadline)?;
                if large.earliest != NEVER || matches!(deadline, FieldDeadline::At(_)) {
                    large.note(deadline);
                }
                return Ok(inserted == Inserted::New);
            }
        }
        self.set(name, value, deadline, limits)
    }

    /// Gives a field that is held a deadline or takes it away; whether it is held. Nothing but the
    /// deadline changes.
    ///
    /// # Errors
    /// `Refused`, and nothing has changed.
    pub fn set_deadline(&mut self, name: &[u8], deadline: Option<i64>) -> Result<bool, Refused> {
        match &mut self.form {
            Form::Packed(pack) => {
                if deadline.is_none() || pack.find(name, 1).is_none() {
                    return Ok(pack.find(name, 1).is_some());
                }
                self.grow_timed()?;
                self.set_deadline(name, deadline)
            }
            Form::Timed(timed) => Ok(timed.set_deadline(name, deadline)?),
            Form::Table(large) => {
                let hash = large.dict.hashing().of(name);
                let is_held = large.dict.set_deadline(hash, name, deadline)?;
                large.note(deadline.map_or(FieldDeadline::Clear, FieldDeadline::At));
                Ok(is_held)
            }
        }
    }

    /// A deadline will be wanted: a listpack becomes one of triples, as Redis does before it looks
    /// for the fields.
    ///
    /// # Errors
    /// `Refused`, and nothing has changed.
    pub fn expect_deadlines(&mut self) -> Result<(), Refused> {
        match self.form {
            Form::Packed(_) => self.grow_timed(),
            Form::Timed(_) | Form::Table(_) => Ok(()),
        }
    }

    /// Removes a field; whether it was held.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        match &mut self.form {
            Form::Packed(pack) => match pack.find(name, 1) {
                Some(at) => {
                    pack.delete_from(at, 2);
                    true
                }
                None => false,
            },
            Form::Timed(timed) => timed.remove(name),
            Form::Table(large) => {
                let hash = large.dict.hashing().of(name);
                let removed = large.dict.remove(hash, name);
                large.note(FieldDeadline::Clear);
                removed
            }
        }
    }

    /// Removes fields that have expired, about `limit` of them, and shows their names. Whether none
    /// is left.
    pub fn expire(&mut self, now_ms: i64, limit: usize, mut show: impl FnMut(&[u8])) -> bool {
        match &mut self.form {
            Form::Packed(_) => true,
            Form::Timed(timed) => {
                timed.expire(now_ms, |name| show(name.bytes(&mut [0; 20])));
                true
            }
            Form::Table(large) => {
                // The dict takes the deadline itself for over.
                let over = now_ms.saturating_sub(1);
                let done = large
                    .dict
                    .remove_expired(over, limit, |item| show(item.key));
                if done.finished {
                    large.earliest = large.dict.earliest_deadline().unwrap_or(NEVER);
                }
                large.note(FieldDeadline::Clear);
                done.finished
            }
        }
    }

    /// A field, each that is held with the same chance, chosen by a random number.
    #[must_use]
    pub fn random(&self, random: u64) -> Option<Field<'_>> {
        let index = |len: usize| ((u128::from(random) * len as u128) >> 64) as usize;
        match &self.form {
            Form::Packed(pack) => {
                let at = pack.seek(index(pack.len() / 2) * 2)?;
                let (name, next) = pack.value_and_next(at);
                let value = pack.value(next.expect("a field has a value"));
                Some(Field::of_pair([name, value]))
            }
            Form::Timed(timed) => timed.nth(index(timed.len())),
            Form::Table(large) => large.dict.random(random).map(Field::of_item),
        }
    }

    /// All fields that are held, in the order of the form.
    pub fn iter(&self) -> impl Iterator<Item = Field<'_>> {
        let (pack, timed, dict) = match &self.form {
            Form::Packed(pack) => (Some(pack.pairs()), None, None),
            Form::Timed(timed) => (None, Some(timed.iter()), None),
            Form::Table(large) => (None, None, Some(large.dict.iter())),
        };
        let pack = pack.into_iter().flatten().map(Field::of_pair);
        let timed = timed.into_iter().flatten();
        let dict = dict.into_iter().flatten().map(Field::of_item);
        pack.chain(timed).chain(dict)
    }

    /// Shows about `count` fields from `cursor` on; where to go on, 0 at the end. A small hash is
    /// shown whole.
    pub fn scan(&self, cursor: u64, count: usize, mut show: impl FnMut(Field<'_>)) -> u64 {
        match &self.form {
            Form::Packed(_) | Form::Timed(_) => {
                self.iter().for_each(show);
                0
            }
            Form::Table(large) => large
                .dict
                .scan(cursor, count, |item| show(Field::of_item(item))),
        }
    }

    /// How many fields have a deadline.
    #[must_use]
    pub fn deadlines(&self) -> u64 {
        match &self.form {
            Form::Packed(_) => 0,
            Form::Timed(timed) => timed.iter().take_while(|f| f.deadline.is_some()).count() as u64,
            Form::Table(large) => large.dict.deadlines() as u64,
        }
    }

    /// One field too many for a small form. It is in already: without memory for the large form the
    /// hash stays small.
    fn grow_if_many(&mut self, limits: &Limits) {
        if self.len() > limits.hash_max_listpack_entries {
            let _ = self.grow_large();
        }
    }

    fn grow_timed(&mut self) -> Result<(), Refused> {
        let Form::Packed(pack) = &self.form else {
            unreachable!("callers have looked")
        };
        self.form = Form::Timed(Timed::from_pairs(pack)?);
        Ok(())
    }

    fn grow_large(&mut self) -> Result<(), Refused> {
        let mut large = Large {
            dict: Dict::new(element_hashing()),
            earliest: NEVER,
        };
        for field in self.iter() {
            let (mut a, mut b) = ([0; 20], [0; 20]);
            let (name, value) = (field.name.bytes(&mut a), field.value.bytes(&mut b));
            let deadline = field
                .deadline
                .map_or(FieldDeadline::Clear, FieldDeadline::At);
            let hash = large.dict.hashing().of(name);
            large.dict.insert(hash, name, value, deadline)?;
            large.note(deadline);
        }
        self.form = Form::Table(Box::new(large));
        Ok(())
    }
}

impl Large {
    /// Keeps H2 after a change of one field.
    #[inline]
    fn note(&mut self, deadline: FieldDeadline) {
        if let FieldDeadline::At(at) = deadline {
            self.earliest = self.earliest.min(at);
        }
        if self.dict.deadlines() == 0 {
            self.earliest = NEVER;
        }
    }
}

/// Gives a field of a listpack of pairs a value; whether the field is new.
fn set_pair(pack: &mut Listpack, name: &[u8], value: &[u8]) -> Result<bool, Refused> {
    match pack.find(name, 1) {
        Some(at) => {
            let at = pack.next(at).expect("a field has a value");
            pack.replace(at, value)?;
            Ok(false)
        }
        None => {
            pack.append_all([name, value].into_iter().map(Element::Bytes))?;
            Ok(true)
        }
    }
}

impl Container for Hash {
    const KIND: Kind = Kind::Hash;

    fn of(object: &Object) -> Option<&Self> {
        match object {
            Object::Hash(container) => Some(container),
            _ => None,
        }
    }

    fn of_mut(object: &mut Object) -> Option<&mut Self> {
        match object {
            Object::Hash(container) => Some(container),
            _ => None,
        }
    }

    fn into_object(self) -> Object {
        Object::Hash(self)
    }

    fn fork(&self) -> Result<Self, Refused> {
        let form = match &self.form {
            Form::Packed(pack) => Form::Packed(pack.try_clone()?),
            Form::Timed(timed) => Form::Timed(timed.try_clone()?),
            Form::Table(large) => Form::Table(Box::new(Large {
                dict: large.dict.clone(),
                earliest: large.earliest,
            })),
        };
        Ok(Hash { form })
    }

    fn encoding(&self) -> Encoding {
        match &self.form {
            Form::Packed(_) => Encoding::Listpack,
            Form::Timed(_) => Encoding::ListpackEx,
            Form::Table(_) => Encoding::HashTable,
        }
    }

    fn len(&self) -> u64 {
        match &self.form {
            Form::Packed(pack) => (pack.len() / 2) as u64,
            Form::Timed(timed) => timed.len() as u64,
            Form::Table(large) => large.dict.len() as u64,
        }
    }

    fn memory_bytes(&self) -> usize {
        match &self.form {
            Form::Packed(pack) => pack.heap_bytes(),
            Form::Timed(timed) => timed.pack().heap_bytes(),
            Form::Table(large) => size_of::<Large>() + large.dict.memory_bytes(),
        }
    }

    fn free_effort(&self) -> u64 {
        match &self.form {
            Form::Packed(_) | Form::Timed(_) => 1,
            Form::Table(large) => large.dict.len() as u64,
        }
    }

    fn free_in_steps(&mut self, pause: &mut dyn FnMut()) {
        let form = std::mem::replace(&mut self.form, Form::Packed(Listpack::new()));
        if let Form::Table(large) = form {
            for piece in large.dict.into_pieces() {
                drop(piece);
                pause();
            }
        }
    }

    fn part_deadline(&self) -> Option<i64> {
        match &self.form {
            Form::Packed(_) => None,
            Form::Timed(timed) => timed.earliest(),
            Form::Table(large) => (large.earliest != NEVER).then_some(large.earliest),
        }
    }
}
