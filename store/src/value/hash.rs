//! What a hash is in memory. The page is `docs/design/types.md`.

use collections::Listpack;

use super::object::{Container, Object};
use super::{Encoding, Kind};
use crate::error::Refused;

/// A hash.
#[derive(Debug)]
pub struct Hash {
    /// Fields, each followed by its value.
    packed: Listpack,
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
        let packed = self.packed.try_clone()?;
        Ok(Hash { packed })
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
