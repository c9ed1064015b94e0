//! What a list is in memory. The page is `docs/design/types.md`.

use collections::Listpack;

use super::object::{Container, Object};
use super::{Encoding, Kind};
use crate::error::Refused;

/// A list.
#[derive(Debug)]
pub struct List {
    /// Strings in the order in which they were pushed.
    packed: Listpack,
}

impl Container for List {
    const KIND: Kind = Kind::List;

    fn of(object: &Object) -> Option<&Self> {
        match object {
            Object::List(container) => Some(container),
            _ => None,
        }
    }

    fn of_mut(object: &mut Object) -> Option<&mut Self> {
        match object {
            Object::List(container) => Some(container),
            _ => None,
        }
    }

    fn into_object(self) -> Object {
        Object::List(self)
    }

    fn fork(&self) -> Result<Self, Refused> {
        let packed = self.packed.try_clone()?;
        Ok(List { packed })
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
