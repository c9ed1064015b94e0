//! A node: neighbouring entries in one listpack, byte for byte as RDB stores them.
//!
//! ```text
//!   head    live  dead  n  name*n  0                         the names of the first entry's fields
//!   entry   flags  ms  seq  value*n  back                    SAME_FIELDS: names as in the head
//!           flags  ms  seq  m  (name value)*m  back
//! ```
//!
//! `ms` and `seq` are distances from the node's id, which is its first entry's; `back` is the number of
//! elements before it that belong to the entry, so a node is walked from its end too. An entry that is
//! deleted stays and is flagged; a node without live entries does not exist.
//!
//! N1  `live` and `dead` count the entries without and with the flag; `live` is not 0.
//! N2  Ids rise, deleted entries included, and none is below the node's.
//! N3  Flags are known ones, and `n`, `m`, `back` fit what stands there.
//!
//! `Node::from_foreign` checks N1 to N3 on bytes from elsewhere; all else relies on them.
//! Checked by: `tests/streams.rs`, golden payloads in `rdb/tests`, `fuzz/restore`.

use std::sync::Arc;

use collections::Listpack;
use collections::id_map;
use collections::listpack::{At, Element, Iter};

use super::id::StreamId;
use crate::error::Refused;

/// The entry is deleted.
const DELETED: i64 = 1;
/// The entry's fields have the names that the head lists.
const SAME_FIELDS: i64 = 2;

/// Elements of an entry besides its fields: flags and the two distances.
const ENTRY_HEAD: i64 = 3;

/// Where the number of names stands in the head.
const HEAD_NAMES_INDEX: usize = 2;

/// A node. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Node {
    pack: Arc<Listpack>,
}

impl id_map::Value for Node {
    fn heap_bytes(&self) -> usize {
        // The two counts of the `Arc` stand in front.
        2 * size_of::<usize>() + size_of::<Listpack>() + self.pack.heap_bytes()
    }
}

/// The counts of a node (N1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counts {
    /// Entries.
    pub live: i64,
    /// Deleted entries that are still there.
    pub dead: i64,
}

/// One entry of a node.
#[derive(Clone)]
pub struct Entry<'n> {
    /// Its id.
    pub id: StreamId,
    /// Its fields.
    pub fields: Fields<'n>,
    /// Where its flags stand.
    at: At,
    flags: i64,
}

impl Entry<'_> {
    /// Whether it is deleted.
    #[inline]
    pub(super) fn is_deleted(&self) -> bool {
        self.flags & DELETED != 0
    }
}

/// An entry's fields: names and values.
#[derive(Clone)]
pub struct Fields<'n> {
    /// Where the names are, if not among the values.
    names: Option<Iter<'n>>,
    values: Iter<'n>,
    left: usize,
}

impl<'n> Iterator for Fields<'n> {
    type Item = (Element<'n>, Element<'n>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let name = match &mut self.names {
            Some(names) => names.next()?,
            None => self.values.next()?,
        };
        Some((name, self.values.next()?))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Fields<'_> {}

/// A number that N1 to N3 say is there.
#[inline]
fn int(element: Option<Element<'_>>) -> i64 {
    match element {
        Some(Element::Int(int)) => int,
        other => other.and_then(Element::int).expect("N3"),
    }
}

/// A count that N3 says is none below zero.
#[inline]
fn count(element: Option<Element<'_>>) -> usize {
    usize::try_from(int(element)).expect("N3")
}

/// A distance from an id; wraps, as the second number may be smaller in a later millisecond.
#[inline]
fn beyond(first: StreamId, ms: i64, seq: i64) -> StreamId {
    StreamId {
        ms: first.ms.wrapping_add(ms.cast_unsigned()),
        seq: first.seq.wrapping_add(seq.cast_unsigned()),
    }
}

/// The walk over a node's entries, deleted ones included, from either end.
#[derive(Clone)]
pub(super) struct Items<'n> {
    first: StreamId,
    names: Iter<'n>,
    name_count: usize,
    /// The entries' elements.
    rest: Iter<'n>,
    pack: &'n Listpack,
}

impl<'n> Items<'n> {
    /// Reads an entry from its flags on; where it ends.
    #[inline]
    fn read(&self, at: At, mut rest: Iter<'n>) -> (Entry<'n>, Iter<'n>) {
        let flags = int(rest.next());
        let (ms, seq) = (int(rest.next()), int(rest.next()));
        let id = beyond(self.first, ms, seq);
        let (names, left) = if flags & SAME_FIELDS != 0 {
            (Some(self.names.clone()), self.name_count)
        } else {
            (None, count(rest.next()))
        };
        let elements = if names.is_some() { left } else { 2 * left };
        let values = rest.clone();
        // The last of these is `back`.
        rest.nth(elements);
        let fields = Fields {
            names,
            values,
            left,
        };
        let entry = Entry {
            id,
            fields,
            at,
            flags,
        };
        (entry, rest)
    }
}

impl<'n> Iterator for Items<'n> {
    type Item = Entry<'n>;

    #[inline]
    fn next(&mut self) -> Option<Entry<'n>> {
        let at = self.rest.at()?;
        let (entry, rest) = self.read(at, self.rest.clone());
        self.rest = rest;
        Some(entry)
    }
}

impl<'n> DoubleEndedIterator for Items<'n> {
    fn next_back(&mut self) -> Option<Entry<'n>> {
        self.rest.at()?;
        let elements = count(self.rest.next_back());
        let mut at = None;
        for _ in 0..elements {
            at = self.rest.next_back_at();
        }
        let (at, _) = at.expect("N3: an entry has elements");
        Some(self.read(at, self.pack.iter_from(at)).0)
    }
}

impl Node {
    /// A node of one entry.
    ///
    /// # Errors
    /// `Refused` if there is no memory for it.
    pub(super) fn of_first<'f>(
        fields: impl Iterator<Item = (&'f [u8], &'f [u8])> + Clone,
    ) -> Result<Node, Refused> {
        let n = fields.clone().count() as i64;
        let head = [1, 0, n].map(Element::Int);
        let names = fields.clone().map(|(name, _)| Element::Bytes(name));
        let entry = [0, SAME_FIELDS, 0, 0].map(Element::Int);
        let values = fields.map(|(_, value)| Element::Bytes(value));
        let back = [Element::Int(n + ENTRY_HEAD)];
        let elements = head.into_iter().chain(names).chain(entry);
        let pack = Listpack::from_elements(elements.chain(values).chain(back))?;
        Ok(Node {
            pack: Arc::new(pack),
        })
    }

    /// Takes over a listpack from elsewhere as the node with the id `first`.
    ///
    /// `None` if N1 to N3 do not hold.
    #[must_use]
    pub fn from_foreign(pack: Listpack, first: StreamId) -> Option<Node> {
        is_node(&pack, first)?.then(|| Node {
            pack: Arc::new(pack),
        })
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.pack.as_bytes()
    }

    /// How many entries it has.
    #[inline]
    pub(super) fn counts(&self) -> Counts {
        let mut head = self.pack.iter();
        Counts {
            live: int(head.next()),
            dead: int(head.next()),
        }
    }

    /// Whether another entry of `bytes` bytes of fields belongs into the next node.
    #[inline]
    pub(super) fn is_full(&self, bytes: usize, bytes_max: u64, entries_max: u64) -> bool {
        if (self.pack.byte_len() as u64).saturating_add(bytes as u64) >= bytes_max {
            return true;
        }
        let Counts { live, dead } = self.counts();
        entries_max > 0 && live.saturating_add(dead).cast_unsigned() >= entries_max
    }

    /// The entries, deleted ones included, of the node whose id is `first`.
    pub(super) fn items(&self, first: StreamId) -> Items<'_> {
        let mut names = self.pack.iter();
        let name_count = count(names.nth(HEAD_NAMES_INDEX));
        let mut rest = names.clone();
        // The last of these is the zero behind the head.
        rest.nth(name_count);
        Items {
            first,
            names,
            name_count,
            rest,
            pack: &self.pack,
        }
    }

    /// Its last entry's id, deleted or not.
    #[must_use]
    pub fn last_id(&self, first: StreamId) -> StreamId {
        let last = self.items(first).next_back();
        last.map_or(first, |entry| entry.id)
    }

    /// The listpack, to be changed: a copy if somebody else holds it, with room for what a deletion
    /// may need (a count that becomes longer).
    ///
    /// # Errors
    /// `Refused` if there is no memory for it.
    pub(super) fn own(&mut self) -> Result<(), Refused> {
        const COUNTS_GROW_MAX: usize = 16;
        let pack = self.make_mut()?;
        Ok(pack.reserve(COUNTS_GROW_MAX)?)
    }

    fn make_mut(&mut self) -> Result<&mut Listpack, Refused> {
        if Arc::get_mut(&mut self.pack).is_none() {
            self.pack = Arc::new(self.pack.try_clone()?);
        }
        Ok(Arc::get_mut(&mut self.pack).expect("it has just been made ours alone"))
    }

    /// Adds an entry behind the last.
    ///
    /// # Errors
    /// `Refused` if there is no memory for it; nothing has changed then.
    #[inline]
    pub(super) fn append<'f>(
        &mut self,
        first: StreamId,
        id: StreamId,
        fields: impl Iterator<Item = (&'f [u8], &'f [u8])> + Clone,
    ) -> Result<(), Refused> {
        let pack = self.make_mut()?;
        let mut head = pack.iter();
        let live = int(head.next());
        let n = fields.clone().count();
        let same = {
            let mut names = head;
            names.next();
            count(names.next()) == n && {
                let mut fields = fields.clone();
                fields.all(|(name, _)| names.next().is_some_and(|known| known.eq_bytes(name)))
            }
        };
        let n = n as i64;
        let distance = [
            if same { SAME_FIELDS } else { 0 },
            id.ms.wrapping_sub(first.ms).cast_signed(),
            id.seq.wrapping_sub(first.seq).cast_signed(),
        ];
        let entry = distance.map(Element::Int).into_iter();
        // The count first: taking it back asks for no memory.
        set_count(pack, 0, live + 1)?;
        let done = if same {
            let values = fields.map(|(_, value)| Element::Bytes(value));
            let back = [Element::Int(n + ENTRY_HEAD)];
            pack.append_all(entry.chain(values).chain(back))
        } else {
            let pairs = fields.flat_map(|(name, value)| [name, value].map(Element::Bytes));
            let back = [Element::Int(2 * n + 1 + ENTRY_HEAD)];
            pack.append_all(entry.chain([Element::Int(n)]).chain(pairs).chain(back))
        };
        if done.is_err() {
            set_count(pack, 0, live)?;
        }
        Ok(done?)
    }

    /// Gives the memory back that was meant for more entries, if that is much.
    pub(super) fn seal(&mut self) {
        let spare = self.pack.heap_bytes() - self.pack.byte_len();
        if spare > self.pack.byte_len() / 4
            && let Ok(tight) = self.pack.try_clone()
        {
            self.pack = Arc::new(tight);
        }
    }

    /// Flags entries as deleted, in their order, which `own` has prepared. The node must keep a live
    /// one.
    pub(super) fn delete(&mut self, entries: &[Place]) {
        const READY: &str = "`own` was called";
        let Counts { live, dead } = self.counts();
        let pack = Arc::get_mut(&mut self.pack).expect(READY);
        // From the end: foreign flags may be wider than ours, and what stands behind them moves.
        for Place { at, flags } in entries.iter().rev() {
            pack.replace(*at, flags | DELETED).expect(READY);
        }
        let gone = entries.len() as i64;
        debug_assert!(gone < live, "N1");
        // The second count first: its place is not moved by the first one's width.
        set_count(pack, 1, dead + gone).expect(READY);
        set_count(pack, 0, live - gone).expect(READY);
    }
}

/// Where an entry's flags are, and what they are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    at: At,
    flags: i64,
}

impl Entry<'_> {
    /// Where it is, to be deleted.
    pub(super) fn place(&self) -> Place {
        Place {
            at: self.at,
            flags: self.flags,
        }
    }
}

/// Sets one of the two counts in the head.
fn set_count(pack: &mut Listpack, index: usize, value: i64) -> Result<(), Refused> {
    let at = pack.seek(index).expect("a node has a head");
    pack.replace(at, value)?;
    Ok(())
}

/// N1 to N3, on bytes that are a listpack.
fn is_node(pack: &Listpack, first: StreamId) -> Option<bool> {
    let mut rest = pack.iter();
    let (live, dead) = (rest.next()?.int()?, rest.next()?.int()?);
    let names = usize::try_from(rest.next()?.int()?).ok()?;
    if live < 1 || dead < 0 || names > pack.len() {
        return None;
    }
    if rest.nth(names)?.int()? != 0 {
        return None;
    }
    let (mut seen_live, mut seen_dead) = (0, 0);
    let mut before = None;
    while let Some(flags) = rest.next() {
        let flags = flags.int()?;
        let id = beyond(first, rest.next()?.int()?, rest.next()?.int()?);
        let elements = match flags {
            0 | DELETED => {
                let fields = usize::try_from(rest.next()?.int()?).ok()?;
                fields.checked_mul(2).filter(|&n| n <= pack.len())? + 1
            }
            _ if flags & !(DELETED | SAME_FIELDS) == 0 => names,
            _ => return None,
        };
        let skipped = if flags & SAME_FIELDS == 0 {
            elements - 1
        } else {
            elements
        };
        let back = rest.nth(skipped)?.int()?;
        let in_order = before.map_or(id >= first, |before| id > before);
        if back != elements as i64 + ENTRY_HEAD || !in_order {
            return None;
        }
        before = Some(id);
        if flags & DELETED == 0 {
            seen_live += 1;
        } else {
            seen_dead += 1;
        }
    }
    Some(live == seen_live && dead == seen_dead)
}
