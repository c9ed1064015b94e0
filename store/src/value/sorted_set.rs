//! What a sorted set is in memory. The page is `docs/design/types.md`.

use collections::Listpack;

use super::object::{Container, Object};
use super::{Encoding, Kind};
use crate::error::Refused;

/// A sorted set.
#[derive(Debug)]
pub struct SortedSet {
    /// Members, each followed by its score.
    packed: Listpack,
}

impl Container for SortedSet {
    const KIND: Kind = Kind::SortedSet;

    fn of(object: &Object) -> Option<&Self> {
        match object {
            Object::SortedSet(container) => Some(container),
            _ => None,
        }
    }

    fn of_mut(object: &mut Object) -> Option<&mut Self> {
        match object {
            Object::SortedSet(container) => Some(container),
            _ => None,
        }
    }

    fn into_object(self) -> Object {
        Object::SortedSet(self)
    }

    fn fork(&self) -> Result<Self, Refused> {
        let packed = self.packed.try_clone()?;
        Ok(SortedSet { packed })
    }

    fn encoding(&self) -> Encoding {
        Encoding::Listpack
    }

    fn len(&self) -> u64 {
        (self.packed.len() / 2) as u64
    }

    fn memory_bytes(&self) -> usize {
        self.packed.heap_bytes()
    }

    fn free_effort(&self) -> u64 {
        1
    }
}
