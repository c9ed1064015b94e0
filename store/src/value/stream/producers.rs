//! Who has added what: a stream remembers the ids under which its producers added entries, so that one
//! that is sent twice is added once (XADD IDMP).
//!
//! ```text
//!   Producers ─┬─ for how long, how many a producer
//!              └─ name ─> Arc Producer ── ids: the producer's own ─> entry, when      order: oldest first
//! ```
//!
//! P1  `order` has the ids of `ids`, each once, in the order in which they came; so times do not fall.
//! P2  A producer has at most `size_max` ids, and at least one.
//!
//! An id is good for `duration_s`, deleted entry or not. What is over is passed over at once and removed
//! when its producer adds again; each addition looks at two other producers besides, in turn, so that
//! those that fell silent go too while the stream is in use.
//!
//! A snapshot or COPY shares all of it. The first change after that copies the directory (a pointer a
//! producer: fine to some ten thousand) and the producer that changes.
//!
//! DUMP and the files have no place for it: RDB 11 knows no such thing.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::group::{DIRECTORY_BYTES, Name};
use super::id::StreamId;
use crate::error::Refused;

/// What a stream remembers of its producers.
#[derive(Clone, Debug)]
pub struct Producers {
    duration_s: u64,
    size_max: u64,
    by_name: BTreeMap<Name, Arc<Producer>>,
    /// Where the next look for what is over begins.
    next: Option<Name>,
    added: u64,
    duplicates: u64,
}

#[derive(Clone, Debug, Default)]
struct Producer {
    ids: BTreeMap<Name, Known>,
    order: VecDeque<Name>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    id: StreamId,
    added_ms: i64,
}

/// A producer's name and its id for an entry, owned: what is needed to remember it is there.
#[derive(Debug)]
pub struct Claim {
    producer: Name,
    id: Name,
}

impl Claim {
    /// Copies both.
    ///
    /// # Errors
    /// `Refused` if there is no memory for them.
    pub fn new(producer: &[u8], id: &[u8]) -> Result<Claim, Refused> {
        Ok(Claim {
            producer: Name::new(producer)?,
            id: Name::new(id)?,
        })
    }
}

/// Other producers that an addition looks at.
const OTHERS: usize = 2;

impl Producers {
    /// Without producers.
    pub(super) fn new(duration_s: u64, size_max: u64) -> Producers {
        Producers {
            duration_s,
            size_max,
            by_name: BTreeMap::new(),
            next: None,
            added: 0,
            duplicates: 0,
        }
    }

    /// For how long an id is remembered, in seconds.
    #[must_use]
    pub fn duration_s(&self) -> u64 {
        self.duration_s
    }

    /// How many ids of a producer are remembered.
    #[must_use]
    pub fn size_max(&self) -> u64 {
        self.size_max
    }

    /// How many entries were ever added under an id of their producer's.
    #[must_use]
    pub fn added(&self) -> u64 {
        self.added
    }

    /// How many were not, because they had been.
    #[must_use]
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// How many producers are remembered, and how many ids of theirs.
    #[must_use]
    pub fn tracked(&self, now_ms: i64) -> (u64, u64) {
        let since = self.since_ms(now_ms);
        let lives = |producer: &Arc<Producer>| {
            // They came in order: what is over stands in front.
            let over = |id: &Name| producer.ids[id].added_ms <= since;
            (producer.order.len() - producer.order.partition_point(over)) as u64
        };
        let counts = self.by_name.values().map(lives).filter(|count| *count > 0);
        counts.fold((0, 0), |(pids, iids), count| (pids + 1, iids + count))
    }

    /// What was added up to here is over.
    fn since_ms(&self, now_ms: i64) -> i64 {
        let duration_ms = i64::try_from(self.duration_s.saturating_mul(1_000));
        now_ms.saturating_sub(duration_ms.unwrap_or(i64::MAX))
    }

    /// The entry that a producer added under this id of its own.
    #[must_use]
    pub fn find(&self, producer: &[u8], id: &[u8], now_ms: i64) -> Option<StreamId> {
        let known = self.by_name.get(producer)?.ids.get(id)?;
        (known.added_ms > self.since_ms(now_ms)).then_some(known.id)
    }

    /// Counts an entry that was sent again.
    pub(super) fn count_duplicate(&mut self) {
        self.duplicates += 1;
    }

    /// Says how long and how many; whoever changes that forgets all ids, as Redis does.
    pub(super) fn configure(&mut self, duration_s: Option<u64>, size_max: Option<u64>) {
        let wanted = (
            duration_s.unwrap_or(self.duration_s),
            size_max.unwrap_or(self.size_max),
        );
        if wanted != (self.duration_s, self.size_max) {
            (self.duration_s, self.size_max) = wanted;
            self.by_name.clear();
            self.next = None;
        }
    }

    /// Remembers under which id of its producer's an entry was added.
    pub(super) fn add(&mut self, claim: Claim, id: StreamId, now_ms: i64) {
        let since = self.since_ms(now_ms);
        // Never in the future, where a stream's ids may be.
        let added_ms = i64::try_from(id.ms).map_or(now_ms, |ms| ms.min(now_ms));
        let size_max = usize::try_from(self.size_max).unwrap_or(usize::MAX);
        let producer = self.by_name.entry(claim.producer).or_default();
        let producer = Arc::make_mut(producer);
        producer.forget_until(since);
        let known = Known { id, added_ms };
        if producer.ids.insert(claim.id.clone(), known).is_some() {
            // Over, but not in order: the clock has gone back.
            producer.order.retain(|other| *other != claim.id);
        }
        producer.order.push_back(claim.id);
        while producer.order.len() > size_max {
            producer.forget_first();
        }
        self.added += 1;
        for _ in 0..OTHERS {
            self.look_at_next(since);
        }
    }

    /// Removes what is over of the producer whose turn it is.
    fn look_at_next(&mut self, since: i64) {
        let next = match &self.next {
            Some(name) => self.by_name.range_mut(name.clone()..).next(),
            None => self.by_name.iter_mut().next(),
        };
        let Some((name, producer)) = next else {
            self.next = None;
            return;
        };
        let name = name.clone();
        if producer.is_over_until(since) {
            Arc::make_mut(producer).forget_until(since);
        }
        let is_empty = producer.ids.is_empty();
        let behind = (
            std::ops::Bound::Excluded(name.clone()),
            std::ops::Bound::Unbounded,
        );
        self.next = self
            .by_name
            .range(behind)
            .next()
            .map(|(name, _)| name.clone());
        if is_empty {
            self.by_name.remove(&name);
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let known = size_of::<Known>() + 2 * size_of::<Name>();
        let producers = self.by_name.iter().map(|(name, producer)| {
            let ids = producer.ids.keys();
            let ids: usize = ids.map(|id| id.heap_bytes() + known).sum();
            DIRECTORY_BYTES + name.heap_bytes() + size_of::<Producer>() + ids
        });
        size_of::<Producers>() + producers.sum::<usize>()
    }

    /// How many allocations freeing it touches, about.
    pub(super) fn free_effort(&self) -> u64 {
        let ids = self.by_name.values().map(|p| 1 + p.order.len() as u64);
        ids.sum()
    }

    pub(super) fn free_in_steps(self, pause: &mut dyn FnMut()) {
        for producer in self.by_name.into_values() {
            drop(producer);
            pause();
        }
    }
}

impl Producer {
    /// Whether the oldest id is over.
    fn is_over_until(&self, since: i64) -> bool {
        let first = self.order.front();
        first.is_some_and(|id| self.ids[id].added_ms <= since)
    }

    fn forget_until(&mut self, since: i64) {
        while self.is_over_until(since) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some(first) = self.order.pop_front() {
            self.ids.remove(&first);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(ms: u64) -> StreamId {
        StreamId { ms, seq: 0 }
    }

    fn add(producers: &mut Producers, producer: &str, own: &str, now_ms: i64) {
        let claim = Claim::new(producer.as_bytes(), own.as_bytes()).expect("memory");
        producers.add(claim, id(now_ms.unsigned_abs()), now_ms);
    }

    #[test]
    fn ids_are_good_for_their_time_and_the_oldest_make_room() {
        let mut producers = Producers::new(1, 2);
        add(&mut producers, "p", "a", 10_000);
        add(&mut producers, "p", "b", 10_500);
        assert_eq!(producers.find(b"p", b"a", 10_999), Some(id(10_000)));
        assert_eq!(producers.find(b"p", b"a", 11_000), None);
        assert_eq!(producers.find(b"q", b"a", 10_999), None);
        assert_eq!(producers.tracked(10_999), (1, 2));
        assert_eq!(producers.tracked(11_000), (1, 1));
        add(&mut producers, "p", "c", 10_600);
        assert_eq!(producers.find(b"p", b"a", 10_600), None, "P2");
        assert_eq!(producers.find(b"p", b"b", 10_600), Some(id(10_500)));
        // One that is over is added anew.
        add(&mut producers, "p", "b", 12_000);
        assert_eq!(producers.find(b"p", b"b", 12_000), Some(id(12_000)));
        assert_eq!(producers.tracked(12_000), (1, 1));
        assert_eq!(producers.added(), 4);
        producers.configure(None, Some(2));
        assert_eq!(producers.tracked(12_000), (1, 1), "nothing has changed");
        producers.configure(Some(5), None);
        assert_eq!(producers.tracked(12_000), (0, 0));
    }

    #[test]
    fn the_silent_are_forgotten_while_others_add() {
        let mut producers = Producers::new(1, 10);
        for i in 0..100 {
            add(&mut producers, &format!("silent:{i}"), "a", 10_000 + i);
        }
        for i in 0..60 {
            add(&mut producers, "busy", &format!("{i}"), 12_000);
        }
        assert_eq!(producers.by_name.len(), 1);
        assert_eq!(producers.tracked(12_000), (1, 10));
    }
}
