//! Consumer groups: what was delivered to whom and not acknowledged yet.
//!
//! ```text
//!   Groups ── name ─> Arc Group ─┬─ pending: id ─> when, how often, whose        everybody's
//!                                └─ consumers: name, times, ids                  each one's own
//! ```
//!
//! G1  An id stands in the list of the consumer that the group's list names, and in no other; one that
//!     nobody owns (XNACK) stands in the group's alone.
//! G2  `by_time`, once somebody has asked for it (XREADGROUP CLAIM), has each delivery that `pending` has,
//!     by the time since when it waits. Groups for which nobody asks pay nothing for it.
//!
//! All of this is counted, so that a snapshot or COPY shares it. A group's first change after a cut
//! copies the directory of groups and its own of consumers (a pointer each: fine to some ten thousand);
//! its pending entries are in trees, which copy a path.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::sync::Arc;

use collections::due_set::DueSet;
use collections::id_map::{self, IdMap};
use collections::tree::{Parts, Record};

use super::id::StreamId;
use crate::error::Refused;

/// A name that clients chose.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name(Arc<Vec<u8>>);

impl Name {
    pub(super) fn new(bytes: &[u8]) -> Result<Name, Refused> {
        let mut own = Vec::new();
        own.try_reserve_exact(bytes.len()).map_err(|_| Refused)?;
        own.extend_from_slice(bytes);
        Ok(Name(Arc::new(own)))
    }
}

impl Name {
    /// Bytes of its allocations.
    pub(super) fn heap_bytes(&self) -> usize {
        self.0.capacity() + size_of::<Vec<u8>>() + 2 * size_of::<usize>()
    }
}

impl Borrow<[u8]> for Name {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

/// The groups of a stream, by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Groups {
    by_name: BTreeMap<Name, Arc<Group>>,
}

/// About what a map's entry of two words takes.
pub(super) const DIRECTORY_BYTES: usize = 48;

impl Groups {
    pub(super) fn len(&self) -> usize {
        self.by_name.len()
    }

    pub(super) fn get(&self, name: &[u8]) -> Option<&Group> {
        self.by_name.get(name).map(|group| &**group)
    }

    pub(super) fn get_mut(&mut self, name: &[u8]) -> Option<&mut Group> {
        self.by_name.get_mut(name).map(Arc::make_mut)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], &Group)> {
        let groups = self.by_name.iter();
        groups.map(|(name, group)| (name.0.as_slice(), &**group))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Arc<Group>> {
        self.by_name.values_mut()
    }

    pub(super) fn insert(&mut self, name: &[u8], group: Group) -> Result<(), Refused> {
        self.by_name.insert(Name::new(name)?, Arc::new(group));
        Ok(())
    }

    pub(super) fn remove(&mut self, name: &[u8]) -> bool {
        self.by_name.remove(name).is_some()
    }

    /// Lets go of all groups, piece by piece.
    pub(super) fn free_in_steps(self, pause: &mut dyn FnMut()) {
        for group in self.by_name.into_values().filter_map(Arc::into_inner) {
            free(group.pending.into_parts(), pause);
            if let Some(by_time) = group.by_time {
                free(by_time.into_parts(), pause);
            }
            for consumer in group.consumers.into_iter().flatten() {
                if let Some(consumer) = Arc::into_inner(consumer) {
                    free(consumer.pending.into_parts(), pause);
                }
                pause();
            }
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let groups = self.by_name.iter();
        groups
            .map(|(name, group)| DIRECTORY_BYTES + name.0.capacity() + group.memory_bytes())
            .sum()
    }
}

fn free<R: Record>(mut parts: Parts<R>, pause: &mut dyn FnMut()) {
    /// Leaves between pauses.
    const LEAVES: usize = 256;
    while parts.free_some(LEAVES) {
        pause();
    }
}

/// A delivery that has not been acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// When the entry was delivered last, in milliseconds since 1970.
    pub delivered_ms: i64,
    /// How often it has been delivered.
    pub deliveries: u64,
    /// To whom.
    pub owner: Owner,
}

impl id_map::Value for Pending {}

impl Pending {
    /// Since when it waits: nobody's has waited for ever.
    fn since_ms(&self) -> i64 {
        match self.owner {
            Owner::NOBODY => i64::MIN,
            _ => self.delivered_ms,
        }
    }
}

/// A consumer's number within its group; nobody's is [`Owner::NOBODY`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner(u32);

impl Owner {
    /// The entry waits for whoever asks next.
    pub const NOBODY: Owner = Owner(u32::MAX);
}

/// An id in a consumer's list: all else stands in the group's.
#[derive(Clone, Copy, Debug)]
pub struct Mine;

impl id_map::Value for Mine {}

/// Who reads for a group.
#[derive(Clone, Debug)]
pub struct Consumer {
    name: Name,
    /// When it last asked for something, in milliseconds since 1970.
    pub seen_ms: i64,
    /// When it last got something; -1: never.
    pub active_ms: i64,
    pending: IdMap<Mine>,
}

impl Consumer {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        &self.name.0
    }

    /// The ids that it owns.
    #[must_use]
    pub fn pending(&self) -> &IdMap<Mine> {
        &self.pending
    }
}

/// A consumer group.
#[derive(Clone, Debug)]
pub struct Group {
    /// The last entry that was delivered to anybody.
    pub last_id: StreamId,
    /// How many entries had ever been added when it was; `None`: not known.
    pub entries_read: Option<u64>,
    pending: IdMap<Pending>,
    /// G2.
    by_time: Option<DueSet>,
    /// By number.
    consumers: Vec<Option<Arc<Consumer>>>,
    numbers: BTreeMap<Name, u32>,
}

impl Group {
    /// A group without consumers.
    #[must_use]
    pub fn new(last_id: StreamId, entries_read: Option<u64>) -> Group {
        Group {
            last_id,
            entries_read,
            pending: IdMap::new(),
            by_time: None,
            consumers: Vec::new(),
            numbers: BTreeMap::new(),
        }
    }

    /// All deliveries that have not been acknowledged.
    #[must_use]
    pub fn pending(&self) -> &IdMap<Pending> {
        &self.pending
    }

    /// Puts the deliveries in the order of their times (G2), unless they are: takes its time with many.
    pub fn sort_by_time(&mut self) {
        if self.by_time.is_some() {
            return;
        }
        let mut by_time = DueSet::new();
        for (id, pending) in self.pending.iter() {
            by_time.insert(pending.since_ms(), id);
        }
        self.by_time = Some(by_time);
    }

    /// The deliveries that wait since `until_ms` at the latest, the longest first; nobody's come before
    /// all others. `sort_by_time` has been called.
    pub fn waiting_since(&self, until_ms: i64) -> impl Iterator<Item = StreamId> {
        let waiting = self.by_time.iter().flat_map(DueSet::iter);
        waiting
            .take_while(move |(since_ms, _)| *since_ms <= until_ms)
            .map(|(_, id)| StreamId::from(id))
    }

    /// Since when the delivery that waits longest does so. As `waiting_since`.
    #[must_use]
    pub fn waits_since_ms(&self) -> Option<i64> {
        let first = self.by_time.as_ref()?.first();
        first.map(|(since_ms, _)| since_ms)
    }

    /// Keeps G2: an id's delivery was `before` and is `after`.
    fn note(&mut self, id: u128, before: Option<Pending>, after: Option<Pending>) {
        let Some(by_time) = &mut self.by_time else {
            return;
        };
        if let Some(before) = before {
            by_time.remove(before.since_ms(), id);
        }
        if let Some(after) = after {
            by_time.insert(after.since_ms(), id);
        }
    }

    /// How many consumers there are.
    #[must_use]
    pub fn consumer_count(&self) -> usize {
        self.numbers.len()
    }

    /// The consumers, by name.
    pub fn consumers(&self) -> impl Iterator<Item = &Consumer> {
        self.numbers.values().map(|&at| self.consumer(Owner(at)))
    }

    /// The consumer of a name.
    #[must_use]
    pub fn find(&self, name: &[u8]) -> Option<Owner> {
        self.numbers.get(name).map(|&at| Owner(at))
    }

    /// A consumer.
    ///
    /// # Panics
    /// If `owner` is nobody, or of another group.
    #[must_use]
    pub fn consumer(&self, owner: Owner) -> &Consumer {
        let place = &self.consumers[owner.0 as usize];
        place.as_ref().expect("numbers are those of consumers")
    }

    /// A delivery's owner's name; nobody's is empty.
    #[must_use]
    pub fn owner_name(&self, owner: Owner) -> &[u8] {
        match owner {
            Owner::NOBODY => b"",
            owner => self.consumer(owner).name(),
        }
    }

    /// A consumer, to be changed.
    ///
    /// # Panics
    /// As `consumer`.
    pub fn consumer_mut(&mut self, owner: Owner) -> &mut Consumer {
        let place = &mut self.consumers[owner.0 as usize];
        Arc::make_mut(place.as_mut().expect("numbers are those of consumers"))
    }

    /// Makes a consumer, which is not there yet.
    ///
    /// # Errors
    /// `Refused` if there is no memory for its name.
    pub fn add_consumer(&mut self, name: &[u8], now_ms: i64) -> Result<Owner, Refused> {
        let name = Name::new(name)?;
        let consumer = Arc::new(Consumer {
            name: name.clone(),
            seen_ms: now_ms,
            active_ms: -1,
            pending: IdMap::new(),
        });
        let free = (self.numbers.len() < self.consumers.len())
            .then(|| self.consumers.iter().position(Option::is_none))
            .flatten();
        let at = match free {
            Some(at) => {
                self.consumers[at] = Some(consumer);
                at
            }
            None => {
                self.consumers.push(Some(consumer));
                self.consumers.len() - 1
            }
        };
        let at = u32::try_from(at)
            .ok()
            .filter(|&at| Owner(at) != Owner::NOBODY);
        let at = at.expect("four thousand million consumers need more memory than there is");
        self.numbers.insert(name, at);
        Ok(Owner(at))
    }

    /// Removes a consumer and what is pending with it; how many entries that were.
    pub fn remove_consumer(&mut self, name: &[u8]) -> Option<u64> {
        let at = self.numbers.remove(name)?;
        let consumer = self.consumers[at as usize].take();
        let consumer = consumer.expect("numbers are those of consumers");
        for (id, _) in consumer.pending.iter() {
            let gone = self.pending.remove(id);
            self.note(id, gone, None);
        }
        Some(consumer.pending.len())
    }

    /// Writes down a delivery; an earlier one of the same entry is over, whoever got it.
    pub fn deliver(&mut self, id: StreamId, delivery: Pending) {
        let before = self.pending.insert(id.into(), delivery);
        self.note(id.into(), before, Some(delivery));
        let before = before.map_or(Owner::NOBODY, |before| before.owner);
        if before != delivery.owner {
            self.disown(id, before);
            if delivery.owner != Owner::NOBODY {
                let consumer = self.consumer_mut(delivery.owner);
                consumer.pending.insert(id.into(), Mine);
            }
        }
    }

    /// Forgets a delivery: it is acknowledged, or its entry is gone. `None` if there was none.
    pub fn forget(&mut self, id: StreamId) -> Option<Pending> {
        let gone = self.pending.remove(id.into())?;
        self.note(id.into(), Some(gone), None);
        self.disown(id, gone.owner);
        Some(gone)
    }

    fn disown(&mut self, id: StreamId, owner: Owner) {
        if owner != Owner::NOBODY {
            self.consumer_mut(owner).pending.remove(id.into());
        }
    }

    /// How many allocations freeing it touches, about.
    pub(super) fn free_effort(&self) -> u64 {
        1 + self.pending.len() / 16 + self.consumers.len() as u64
    }

    fn memory_bytes(&self) -> usize {
        let directory = self.consumers.capacity() * size_of::<usize>();
        let consumers = self.consumers().map(|consumer| {
            let name = consumer.name.heap_bytes();
            let own = size_of::<Consumer>() + 2 * size_of::<usize>();
            DIRECTORY_BYTES + name + own + consumer.pending.heap_bytes()
        });
        let own = size_of::<Group>() + 2 * size_of::<usize>();
        let by_time = self.by_time.as_ref().map_or(0, DueSet::heap_bytes);
        own + self.pending.heap_bytes() + by_time + directory + consumers.sum::<usize>()
    }
}
