//! Names of connections and listeners, and the table that they index.
//!
//! A token is a place and the generation of what lives there. Removing raises the generation, so an
//! old token never means a newcomer. Generations are 32 bits wide: a place would have to be reused
//! four billion times while somebody holds one token.
//!
//! Checked by: tests below, conformance (token reuse after close).

/// A connection or a listener of one driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token {
    index: u32,
    generation: u32,
}

impl Token {
    /// Its place: small, dense, reused. Good as an index of a table beside the driver's.
    #[inline]
    pub fn index(self) -> usize {
        self.index as usize
    }

    /// The token as one number, for logs and maps.
    #[inline]
    pub fn as_u64(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.index)
    }
}

/// Things by token.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    thing: Option<T>,
}

impl<T> Slots<T> {
    pub(crate) fn new() -> Slots<T> {
        Slots {
            slots: Vec::new(),
            free: Vec::new(),
        }
    }

    /// The token that the next `insert` will give.
    pub(crate) fn next_token(&self) -> Token {
        match self.free.last() {
            Some(&index) => Token {
                index,
                generation: self.slots[index as usize].generation,
            },
            None => {
                let index = u32::try_from(self.slots.len()).expect("fewer sockets than 2^32");
                Token {
                    index,
                    generation: 0,
                }
            }
        }
    }

    pub(crate) fn insert(&mut self, thing: T) -> Token {
        let token = self.next_token();
        if self.free.pop().is_none() {
            self.slots.push(Slot {
                generation: 0,
                thing: None,
            });
        }
        self.slots[token.index()].thing = Some(thing);
        token
    }

    #[inline]
    pub(crate) fn get(&self, token: Token) -> Option<&T> {
        let slot = self.slots.get(token.index())?;
        if slot.generation == token.generation {
            slot.thing.as_ref()
        } else {
            None
        }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, token: Token) -> Option<&mut T> {
        let slot = self.slots.get_mut(token.index())?;
        if slot.generation == token.generation {
            slot.thing.as_mut()
        } else {
            None
        }
    }

    /// The token of what lives at `index` now.
    #[inline]
    pub(crate) fn token_at(&self, index: usize) -> Option<Token> {
        let slot = self.slots.get(index)?;
        slot.thing.as_ref()?;
        Some(Token {
            index: index as u32,
            generation: slot.generation,
        })
    }

    pub(crate) fn remove(&mut self, token: Token) -> Option<T> {
        self.get(token)?;
        let slot = &mut self.slots[token.index()];
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(token.index);
        slot.thing.take()
    }

    /// All places, free ones included.
    pub(crate) fn places(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_token_never_means_a_newcomer() {
        let mut slots = Slots::new();
        let first = slots.insert("a");
        assert_eq!(slots.remove(first), Some("a"));
        assert_eq!(slots.next_token().index(), first.index());
        let second = slots.insert("b");
        assert_eq!((second.index(), slots.get(first)), (first.index(), None));
        assert_eq!(slots.remove(first), None);
        assert_eq!(slots.get(second), Some(&"b"));
        assert_eq!(slots.token_at(second.index()), Some(second));
        assert_eq!((slots.len(), slots.token_at(7)), (1, None));
    }
}
