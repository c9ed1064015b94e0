//! What a set is in memory. The page is `docs/design/types.md`.

use collections::Listpack;

use super::object::{Container, Object};
use super::{Encoding, Kind};
use crate::error::Refused;

/// A set.
#[derive(Debug)]
pub struct Set {
    /// Different strings in no order.
    packed: Listpack,
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
        let packed = self.packed.try_clone()?;
        Ok(Set { packed })
    }

    fn encoding(&self) -> Encoding {
        Encoding::Listpack
    }

    fn len(&self) -> u64 {
        self.packed.len() as u64
    }

    fn memory_bytes(&self) -> usize {
        self.packed.heap_bytes()
    }

    fn free_effort(&self) -> u64 {
        1
    }
}
