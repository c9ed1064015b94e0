//! What a stream is in memory. The page is `docs/design/stream.md`.
//!
//! ```text
//!   Stream ── Box Body ─┬─ nodes: id ─> Arc Listpack     some dozens of entries each, as RDB stores them
//!                       ├─ lengths, ids
//!                       ├─ groups: name ─> who got what
//!                       └─ producers: name ─> under which ids they added what
//! ```
//!
//! R1  `len` is the number of live entries; `first_id` is the first one's id, 0-0 if there is none.
//! R2  No entry's id is above `last_id`; ids rise from node to node as within one.
//!
//! | looking for | file |
//! |---|---|
//! | ids | `id.rs` |
//! | a node's bytes | `node.rs` |
//! | going through the entries | `walk.rs` |
//! | MAXLEN, MINID | `trim.rs` |
//! | consumer groups | `group.rs` |
//! | producers and their ids | `producers.rs` |
//!
//! Checked by: `tests/streams.rs` (random edits against a `BTreeMap`).

mod group;
mod id;
mod node;
mod producers;
mod trim;
mod walk;

use std::sync::Arc;

use collections::id_map::IdMap;

pub use group::{Consumer, Group, Mine, Owner, Pending};
pub use id::StreamId;
pub use node::{Entry, Fields, Node};
pub use producers::{Claim, Producers};
pub use trim::{Bound, References, Trim};
pub use walk::Walk;

use super::limits::Limits;
use super::object::{Container, Object};
use super::{Encoding, Kind};
use crate::error::Refused;
use group::Groups;
use node::{Counts, Place};

/// A stream.
#[derive(Debug)]
pub struct Stream {
    /// Boxed: the small kinds would pay for its room.
    body: Box<Body>,
}

#[derive(Clone, Debug, Default)]
struct Body {
    nodes: IdMap<Node>,
    len: u64,
    last_id: StreamId,
    first_id: StreamId,
    max_deleted_id: StreamId,
    entries_added: u64,
    groups: Arc<Groups>,
    /// Once an entry has been added under an id of its producer's, or they have been configured.
    producers: Option<Arc<Producers>>,
}

/// A node is never larger, whatever the configuration says: Redis's bound.
const NODE_BYTES_MAX: u64 = 1 << 30;

impl Default for Stream {
    fn default() -> Self {
        Stream::new()
    }
}

impl Stream {
    /// A stream to which nothing was ever added.
    #[must_use]
    pub fn new() -> Stream {
        Stream {
            body: Box::default(),
        }
    }

    /// The id of the entry that was added last, deleted or not, or what XSETID said.
    #[must_use]
    pub fn last_id(&self) -> StreamId {
        self.body.last_id
    }

    /// The first entry's id; 0-0 if there is none.
    #[must_use]
    pub fn first_id(&self) -> StreamId {
        self.body.first_id
    }

    /// The highest id that was ever deleted by name.
    #[must_use]
    pub fn max_deleted_id(&self) -> StreamId {
        self.body.max_deleted_id
    }

    /// How many entries were ever added.
    #[must_use]
    pub fn entries_added(&self) -> u64 {
        self.body.entries_added
    }

    /// The nodes, by id.
    #[must_use]
    pub fn nodes(&self) -> &IdMap<Node> {
        &self.body.nodes
    }

    /// Says what the counters are: XSETID, loading.
    pub fn set_counters(&mut self, last: StreamId, added: u64, max_deleted: StreamId) {
        self.body.last_id = last;
        self.body.entries_added = added;
        self.body.max_deleted_id = max_deleted;
    }

    /// The last live entry's id.
    #[must_use]
    pub fn last_live_id(&self) -> Option<StreamId> {
        let mut back = self.range_back(StreamId::MIN, StreamId::MAX);
        back.next().map(|entry| entry.id)
    }

    /// An entry.
    #[must_use]
    pub fn get(&self, id: StreamId) -> Option<Entry<'_>> {
        self.range(id, id).next()
    }

    /// Adds an entry of at least one field, with an id above `last_id`.
    ///
    /// # Errors
    /// `Refused` if there is no memory for it; nothing has changed then.
    #[inline]
    pub fn append<'f>(
        &mut self,
        id: StreamId,
        fields: impl Iterator<Item = (&'f [u8], &'f [u8])> + Clone,
        limits: &Limits,
    ) -> Result<(), Refused> {
        debug_assert!(id > self.body.last_id, "R2");
        let body = &mut *self.body;
        let bytes = fields.clone().map(|(name, value)| name.len() + value.len());
        let bytes = bytes.sum();
        let bytes_max = match limits.stream_node_max_bytes {
            0 => NODE_BYTES_MAX,
            max => max.min(NODE_BYTES_MAX),
        };
        let entries_max = limits.stream_node_max_entries;
        let put = body.nodes.change_last(|first, node| {
            if node.is_full(bytes, bytes_max, entries_max) {
                node.seal();
                return Ok(false);
            }
            node.append(first.into(), id, fields.clone()).map(|()| true)
        });
        if !put.transpose()?.unwrap_or(false) {
            body.nodes.insert(id.into(), Node::of_first(fields)?);
        }
        body.len += 1;
        body.entries_added += 1;
        body.last_id = id;
        if body.len == 1 {
            body.first_id = id;
        }
        Ok(())
    }

    /// Takes over a node from elsewhere, behind those that are there.
    pub fn push_node(&mut self, first: StreamId, node: Node) {
        self.body.len += node.counts().live.cast_unsigned();
        self.body.nodes.insert(first.into(), node);
        self.note_first();
    }

    /// Deletes an entry; whether it was there.
    ///
    /// # Errors
    /// `Refused` if there is no memory for what a snapshot shares; the entry is there then.
    pub fn delete(&mut self, id: StreamId) -> Result<bool, Refused> {
        let Some(place) = self.get(id).map(|entry| entry.place()) else {
            return Ok(false);
        };
        let (first, _) = self
            .body
            .nodes
            .at_or_before(id.into())
            .get()
            .expect("it is in a node");
        self.delete_places(first, &[place])?;
        let body = &mut *self.body;
        body.max_deleted_id = body.max_deleted_id.max(id);
        if body.first_id == id || body.len == 0 {
            self.note_first();
        }
        Ok(true)
    }

    /// Deletes entries of one node; the node goes with its last one.
    fn delete_places(&mut self, first: u128, places: &[Place]) -> Result<(), Refused> {
        if places.is_empty() {
            return Ok(());
        }
        let gone = places.len() as u64;
        let nodes = &mut self.body.nodes;
        let keeps = nodes.change(first, |node| {
            let Counts { live, .. } = node.counts();
            if live.cast_unsigned() == gone {
                return Ok(false);
            }
            node.own()?;
            node.delete(places);
            Ok::<bool, Refused>(true)
        });
        if !keeps.expect("the caller has the node")? {
            nodes.remove(first);
        }
        self.body.len -= gone;
        Ok(())
    }

    /// R1 after something has gone.
    fn note_first(&mut self) {
        let first = self.range(StreamId::MIN, StreamId::MAX).next();
        self.body.first_id = first.map_or(StreamId::MIN, |entry| entry.id);
    }

    /// How many groups there are.
    #[must_use]
    pub fn group_count(&self) -> usize {
        self.body.groups.len()
    }

    /// The groups, by name.
    pub fn groups(&self) -> impl Iterator<Item = (&[u8], &Group)> {
        self.body.groups.iter()
    }

    /// A group.
    #[must_use]
    pub fn group(&self, name: &[u8]) -> Option<&Group> {
        self.body.groups.get(name)
    }

    /// A group, to be changed.
    pub fn group_mut(&mut self, name: &[u8]) -> Option<&mut Group> {
        self.group(name)?;
        Arc::make_mut(&mut self.body.groups).get_mut(name)
    }

    /// Puts a group in; one of the same name is replaced.
    ///
    /// # Errors
    /// `Refused` if there is no memory for its name.
    pub fn put_group(&mut self, name: &[u8], group: Group) -> Result<(), Refused> {
        Arc::make_mut(&mut self.body.groups).insert(name, group)
    }

    /// Removes a group; whether it was there.
    pub fn remove_group(&mut self, name: &[u8]) -> bool {
        self.group(name).is_some() && Arc::make_mut(&mut self.body.groups).remove(name)
    }

    /// Whether a delivery of an entry is pending in any group.
    #[must_use]
    pub fn is_pending(&self, id: StreamId) -> bool {
        let mut groups = self.body.groups.iter();
        groups.any(|(_, group)| group.pending().get(id.into()).is_some())
    }

    /// Whether a group has not yet read an entry, or not acknowledged it.
    #[must_use]
    pub fn is_referenced(&self, id: StreamId) -> bool {
        let mut groups = self.body.groups.iter();
        groups.any(|(_, group)| group.last_id < id || group.pending().get(id.into()).is_some())
    }

    /// Forgets the deliveries of an entry in all groups.
    pub fn forget_everywhere(&mut self, id: StreamId) {
        if !self.is_pending(id) {
            return;
        }
        for group in Arc::make_mut(&mut self.body.groups).iter_mut() {
            // Looking first: what is shared is copied only where it has the entry.
            if group.pending().get(id.into()).is_some() {
                Arc::make_mut(group).forget(id);
            }
        }
    }

    /// What it remembers of its producers, once there is something.
    #[must_use]
    pub fn producers(&self) -> Option<&Producers> {
        self.body.producers.as_deref()
    }

    /// The same, to be changed; `limits` say how long and how much unless the stream knows itself.
    fn producers_mut(&mut self, limits: &Limits) -> &mut Producers {
        let producers = self.body.producers.get_or_insert_with(|| {
            let (duration_s, size_max) =
                (limits.stream_idmp_duration_s, limits.stream_idmp_maxsize);
            Arc::new(Producers::new(duration_s, size_max))
        });
        Arc::make_mut(producers)
    }

    /// Remembers under which id of its producer's an entry was added.
    pub fn remember(&mut self, claim: Claim, id: StreamId, now_ms: i64, limits: &Limits) {
        self.producers_mut(limits).add(claim, id, now_ms);
    }

    /// Counts an entry that a producer has sent again.
    pub fn count_duplicate(&mut self, limits: &Limits) {
        self.producers_mut(limits).count_duplicate();
    }

    /// Says for how long producers' ids are remembered, and how many of each.
    pub fn configure_producers(
        &mut self,
        duration_s: Option<u64>,
        size_max: Option<u64>,
        limits: &Limits,
    ) {
        self.producers_mut(limits).configure(duration_s, size_max);
    }

    /// How many nodes the entries between two ids are in, about: what a walk costs.
    #[must_use]
    pub fn nodes_between(&self, start: StreamId, end: StreamId) -> u64 {
        let nodes = &self.body.nodes;
        let end = nodes.rank(end.into());
        end.saturating_sub(nodes.rank(start.into())) + 1
    }

    /// Whether an entry behind `id` has been deleted by name.
    fn has_gaps_behind(&self, id: StreamId) -> bool {
        let body = &*self.body;
        body.len > 0
            && !body.max_deleted_id.is_zero()
            && body.first_id <= body.max_deleted_id
            && id <= body.max_deleted_id
    }

    /// How many entries had been added when the one of this id was, if that can be told.
    #[must_use]
    pub fn entries_up_to(&self, id: StreamId) -> Option<u64> {
        let body = &*self.body;
        if body.entries_added == 0 {
            return Some(0);
        }
        if (body.len == 0 && id <= body.last_id) || id == body.last_id {
            return Some(body.entries_added);
        }
        if id > body.last_id {
            return None;
        }
        let is_whole = body.max_deleted_id.is_zero() || body.max_deleted_id < body.first_id;
        let before = body.entries_added.wrapping_sub(body.len);
        match id.cmp(&body.first_id) {
            std::cmp::Ordering::Less if is_whole => Some(before),
            std::cmp::Ordering::Equal if is_whole => Some(before.wrapping_add(1)),
            _ => None,
        }
    }

    /// The read counter of a group at `last_id` once it has been given the entry `id`.
    #[must_use]
    pub fn entries_read_with(
        &self,
        entries_read: Option<u64>,
        last_id: StreamId,
        id: StreamId,
    ) -> Option<u64> {
        let is_whole = last_id >= self.body.first_id && !self.has_gaps_behind(last_id);
        match entries_read {
            Some(read) if is_whole => Some(read.wrapping_add(1)),
            before if self.body.entries_added == 0 => before,
            _ => self.entries_up_to(id),
        }
    }

    /// How many entries a group has yet to be given, if that can be told.
    #[must_use]
    pub fn lag(&self, group: &Group) -> Option<i64> {
        let body = &*self.body;
        if body.entries_added == 0 || body.len == 0 {
            return Some(0);
        }
        if group.last_id < body.first_id && body.max_deleted_id < body.first_id {
            // Nothing is missing in what is left, and the group has read none of it.
            return Some(body.len.cast_signed());
        }
        let read = match group.entries_read {
            Some(read) if !self.has_gaps_behind(group.last_id) => Some(read),
            _ => self.entries_up_to(group.last_id),
        };
        read.map(|read| body.entries_added.wrapping_sub(read).cast_signed())
    }
}

impl Container for Stream {
    const KIND: Kind = Kind::Stream;

    fn of(object: &Object) -> Option<&Self> {
        match object {
            Object::Stream(container) => Some(container),
            _ => None,
        }
    }

    fn of_mut(object: &mut Object) -> Option<&mut Self> {
        match object {
            Object::Stream(container) => Some(container),
            _ => None,
        }
    }

    fn into_object(self) -> Object {
        Object::Stream(self)
    }

    fn fork(&self) -> Result<Self, Refused> {
        Ok(Stream {
            body: self.body.clone(),
        })
    }

    fn encoding(&self) -> Encoding {
        Encoding::Stream
    }

    fn len(&self) -> u64 {
        self.body.len
    }

    fn memory_bytes(&self) -> usize {
        let body = &*self.body;
        let producers = self.producers().map_or(0, Producers::memory_bytes);
        size_of::<Body>() + body.nodes.heap_bytes() + body.groups.memory_bytes() + producers
    }

    fn free_effort(&self) -> u64 {
        let groups = self.groups().map(|(_, group)| group.free_effort());
        let producers = self.producers().map_or(0, Producers::free_effort);
        self.body.nodes.len() + groups.sum::<u64>() + producers
    }

    fn free_in_steps(&mut self, pause: &mut dyn FnMut()) {
        /// Leaves between pauses: of some dozens of nodes each.
        const LEAVES: usize = 8;
        let body = std::mem::take(&mut *self.body);
        let mut nodes = body.nodes.into_parts();
        while nodes.free_some(LEAVES) {
            pause();
        }
        if let Some(groups) = Arc::into_inner(body.groups) {
            groups.free_in_steps(pause);
        }
        if let Some(producers) = body.producers.and_then(Arc::into_inner) {
            producers.free_in_steps(pause);
        }
    }
}
