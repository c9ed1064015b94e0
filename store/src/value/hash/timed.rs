//! A small hash with deadlines: a listpack of triples in the order of the deadlines.
//!
//! ```text
//!   field value 1700000000000   field value 1700000060000   field value 0   field value 0
//!   └──────── what expires, the earliest first ─────────┘   └───── what does not ──────┘
//! ```
//!
//! The bytes are those that Redis writes as type 25, so the invariant H1 (`mod.rs`) is checked on
//! foreign bytes before they come here. What has expired is a run at the front, which leaves with one
//! move of memory.

use collections::Listpack;
use collections::listpack::{At, Element};

use super::{Field, FieldDeadline};
use crate::error::Refused;

/// Elements of a field.
const TRIPLE: usize = 3;

/// See the module.
#[derive(Debug)]
pub(super) struct Timed {
    pack: Listpack,
}

impl Timed {
    /// The fields of a listpack of pairs.
    pub(super) fn from_pairs(pairs: &Listpack) -> Result<Timed, Refused> {
        let triples = pairs
            .pairs()
            .flat_map(|[name, value]| [name, value, Element::Int(0)]);
        let mut pack = Listpack::new();
        pack.append_all(triples)?;
        Ok(Timed { pack })
    }

    pub(super) fn pack(&self) -> &Listpack {
        &self.pack
    }

    pub(super) fn try_clone(&self) -> Result<Timed, Refused> {
        let pack = self.pack.try_clone()?;
        Ok(Timed { pack })
    }

    pub(super) fn len(&self) -> usize {
        self.pack.len() / TRIPLE
    }

    pub(super) fn earliest(&self) -> Option<i64> {
        self.nth(0).and_then(|field| field.deadline)
    }

    pub(super) fn nth(&self, index: usize) -> Option<Field<'_>> {
        self.pack.seek(index * TRIPLE).map(|at| self.field(at))
    }

    pub(super) fn get(&self, name: &[u8]) -> Option<Field<'_>> {
        self.find(name).map(|at| self.field(at))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Field<'_>> {
        self.pack.chunks::<TRIPLE>().map(field_of)
    }

    fn find(&self, name: &[u8]) -> Option<At> {
        self.pack.find(name, TRIPLE - 1)
    }

    fn field(&self, at: At) -> Field<'_> {
        const WHOLE: &str = "a field is a triple";
        let (name, next) = self.pack.value_and_next(at);
        let (value, next) = self.pack.value_and_next(next.expect(WHOLE));
        let deadline = self.pack.value(next.expect(WHOLE));
        field_of([name, value, deadline])
    }

    /// Gives a field a value; whether the field is new.
    pub(super) fn set(
        &mut self,
        name: &[u8],
        value: &[u8],
        deadline: FieldDeadline,
    ) -> Result<bool, Refused> {
        let Some(at) = self.find(name) else {
            self.add(name, Element::Bytes(value), of_new(deadline))?;
            return Ok(true);
        };
        let old = self.field(at).deadline;
        let new = match deadline {
            FieldDeadline::Keep => old,
            FieldDeadline::Clear => None,
            FieldDeadline::At(at) => Some(at),
        };
        if new == old {
            let at = self.pack.next(at).expect("a field is a triple");
            self.pack.replace(at, value)?;
        } else {
            self.replace(name, Element::Bytes(value), new)?;
        }
        Ok(false)
    }

    /// Gives a field another deadline; whether it is held.
    pub(super) fn set_deadline(
        &mut self,
        name: &[u8],
        deadline: Option<i64>,
    ) -> Result<bool, Refused> {
        let Some(field) = self.get(name) else {
            return Ok(false);
        };
        if field.deadline != deadline {
            let value = field.value.to_vec();
            self.replace(name, Element::Bytes(&value), deadline)?;
        }
        Ok(true)
    }

    /// The field moves to where its deadline belongs: first in again, which may be refused, then out.
    fn replace(
        &mut self,
        name: &[u8],
        value: Element<'_>,
        deadline: Option<i64>,
    ) -> Result<(), Refused> {
        let added = self.add(name, value, deadline)?;
        let first = self.find(name).expect("it is there twice");
        // The old one is the other of the two.
        let old = if first == added {
            let behind = self.field_end(first).expect("the old one is behind");
            self.pack
                .find_from(behind, name, TRIPLE - 1)
                .expect("it is there twice")
        } else {
            first
        };
        self.pack.delete_from(old, TRIPLE);
        Ok(())
    }

    /// Where the field behind the one at `at` begins.
    fn field_end(&self, at: At) -> Option<At> {
        (0..TRIPLE).try_fold(at, |at, _| self.pack.next(at))
    }

    /// Puts a field where its deadline belongs (H1), behind those of the same deadline.
    fn add(
        &mut self,
        name: &[u8],
        value: Element<'_>,
        deadline: Option<i64>,
    ) -> Result<At, Refused> {
        let triple = [
            Element::Bytes(name),
            value,
            Element::Int(deadline.unwrap_or(0)),
        ];
        let behind = deadline.and_then(|deadline| {
            let mut fields = self.pack.chunks::<TRIPLE>();
            std::iter::from_fn(|| fields.next_at())
                .find(|(_, field)| field_of(*field).deadline.is_none_or(|at| at > deadline))
        });
        match behind {
            Some((at, _)) => {
                self.pack.insert_all_before(at, triple.into_iter())?;
                // What is inserted stands where that stood.
                Ok(at)
            }
            None => {
                let index = self.pack.len();
                self.pack.append_all(triple.into_iter())?;
                Ok(self.pack.seek(index).expect("it has just been appended"))
            }
        }
    }

    /// Removes a field; whether it was held.
    pub(super) fn remove(&mut self, name: &[u8]) -> bool {
        match self.find(name) {
            Some(at) => {
                self.pack.delete_from(at, TRIPLE);
                true
            }
            None => false,
        }
    }

    /// Removes what has expired and shows the names.
    pub(super) fn expire(&mut self, now_ms: i64, mut show: impl FnMut(Element<'_>)) {
        let over = self
            .iter()
            .take_while(|field| !field.lives_at(now_ms))
            .inspect(|field| show(field.name))
            .count();
        self.pack.delete_range(0, over * TRIPLE);
    }
}

fn of_new(deadline: FieldDeadline) -> Option<i64> {
    match deadline {
        FieldDeadline::At(at) => Some(at),
        FieldDeadline::Keep | FieldDeadline::Clear => None,
    }
}

fn field_of([name, value, deadline]: [Element<'_>; TRIPLE]) -> Field<'_> {
    Field {
        name,
        value,
        deadline: deadline.int().filter(|&at| at != 0),
    }
}
