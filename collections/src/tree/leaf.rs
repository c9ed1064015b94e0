//! A leaf: some dozens of records of one size, in order.
//!
//! A record is small and cheap to clone: a key, a score, a count, a handle. What is large lies
//! behind the handle's own count, and is made the tree's own by whoever changes it, inside
//! `Leaf::change`.
//!
//! L1  `weight` and `bytes` are the sums over the records; no record's weight is zero.

use super::{Node, Totals};
use crate::table::classes::class_size;

/// A record of a leaf.
pub trait Record: Clone + Send + Sync + 'static {
    /// What tells two neighbouring subtrees apart: taken from the right one's first record when
    /// they part, and kept. `()` where the records' order is that of insertion.
    type Sep: Clone + Default + Send + Sync;

    /// Records above which a leaf splits.
    const FULL: usize;

    /// The separator between this record and everything before it.
    fn sep(&self) -> Self::Sep;
    /// What the record counts for, at least one.
    fn weight(&self) -> u64;
    /// Bytes on the heap that the record leads to.
    fn heap_bytes(&self) -> usize;
}

/// A leaf of records.
#[derive(Debug)]
pub struct Leaf<R: Record> {
    records: Vec<R>,
    weight: u64,
    bytes: usize,
    /// Where the last insertion was: a split leaves full leaves behind a run.
    grew: Grew,
}

#[derive(Clone, Copy, Debug)]
enum Grew {
    Front,
    Middle,
    Back,
}

/// The capacity that fills the size class in which `len` records find room.
fn capacity_for<R>(len: usize) -> usize {
    let one = size_of::<R>().max(1);
    class_size(len * one) / one
}

impl<R: Record> Leaf<R> {
    /// The records.
    #[inline]
    pub fn records(&self) -> &[R] {
        &self.records
    }

    /// The number of records.
    #[inline]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none, which only a leaf that is being changed may have.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Puts a record before the one at `at`.
    pub fn insert(&mut self, at: usize, record: R) {
        let len = self.records.len();
        self.grew = match at {
            at if at == len => Grew::Back,
            0 => Grew::Front,
            _ => Grew::Middle,
        };
        self.weight += record.weight();
        self.bytes += record.heap_bytes();
        if len == self.records.capacity() {
            // By an eighth, to the end of a size class.
            let room = capacity_for::<R>(len + (len / 8).max(1));
            self.records.reserve_exact(room - len);
        }
        self.records.insert(at, record);
    }

    /// Takes a record out.
    pub fn remove(&mut self, at: usize) -> R {
        let record = self.records.remove(at);
        self.weight -= record.weight();
        self.bytes -= record.heap_bytes();
        self.grew = Grew::Middle;
        // A third is slack, so that a removal and an insertion do not move the records to and fro.
        if self.records.len() * 3 < self.records.capacity() * 2 {
            self.records
                .shrink_to(capacity_for::<R>(self.records.len()));
        }
        record
    }

    /// Lets `change` have a record, which must stay where it is in the order.
    #[inline]
    pub fn change<T>(&mut self, at: usize, change: impl FnOnce(&mut R) -> T) -> T {
        let record = &mut self.records[at];
        let before = (record.weight(), record.heap_bytes());
        let result = change(record);
        self.weight = self.weight - before.0 + record.weight();
        self.bytes = self.bytes - before.1 + record.heap_bytes();
        result
    }

    /// The record that `weight` falls into, and how far in; `len` at the end.
    pub fn position(&self, weight: u64) -> (usize, u64) {
        let mut within = weight;
        for (at, record) in self.records.iter().enumerate() {
            if within < record.weight() {
                return (at, within);
            }
            within -= record.weight();
        }
        (self.records.len(), within)
    }

    /// The sums over the records alone.
    #[inline]
    pub(super) fn sums(&self) -> Totals {
        Totals {
            weight: self.weight,
            bytes: self.bytes,
        }
    }

    pub(super) fn totals(&self) -> Totals {
        let own = Node::<R>::own_bytes() + class_size(self.records.capacity() * size_of::<R>());
        Totals {
            weight: self.weight,
            bytes: own + self.bytes,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.records.len() > R::FULL
    }

    pub(super) fn is_under(&self) -> bool {
        self.records.len() < R::FULL / 4
    }

    pub(super) fn can_join(&self, right: &Self) -> bool {
        self.records.len() + right.records.len() <= R::FULL / 4 * 3
    }

    /// Where to split a leaf that is over.
    pub(super) fn split_point(&self) -> usize {
        match self.grew {
            Grew::Front => 1,
            Grew::Middle => self.records.len() / 2,
            Grew::Back => self.records.len() - 1,
        }
    }

    /// Keeps the records before `at` and returns the others.
    pub(super) fn split_off(&mut self, at: usize) -> Self {
        let mut right = Self::default();
        right
            .records
            .reserve_exact(capacity_for::<R>(self.records.len() - at + 1));
        for record in self.records.drain(at..) {
            right.weight += record.weight();
            right.bytes += record.heap_bytes();
            right.records.push(record);
        }
        self.weight -= right.weight;
        self.bytes -= right.bytes;
        self.records
            .shrink_to(capacity_for::<R>(self.records.len()));
        right
    }

    /// Appends copies of the right neighbour's records.
    pub(super) fn join(&mut self, right: &Self) {
        let room = capacity_for::<R>(self.records.len() + right.records.len());
        self.records
            .reserve_exact(room.saturating_sub(self.records.len()));
        self.records.extend_from_slice(&right.records);
        self.weight += right.weight;
        self.bytes += right.bytes;
    }

    /// A separator between this leaf and everything before it.
    pub(super) fn sep(&self) -> R::Sep {
        self.records[0].sep()
    }

    /// Panics if the sums are wrong.
    pub(super) fn check(&self) {
        let sums = self.records.iter().fold((0, 0), |sum, record| {
            assert!(record.weight() > 0, "L1");
            (sum.0 + record.weight(), sum.1 + record.heap_bytes())
        });
        assert_eq!(sums, (self.weight, self.bytes), "L1");
    }
}

impl<R: Record> Default for Leaf<R> {
    fn default() -> Self {
        Self {
            records: Vec::new(),
            weight: 0,
            bytes: 0,
            grew: Grew::Middle,
        }
    }
}

impl<R: Record> Clone for Leaf<R> {
    fn clone(&self) -> Self {
        // A copy is made for a writer: it has the same room.
        let mut records = Vec::with_capacity(self.records.capacity());
        records.extend_from_slice(&self.records);
        Self { records, ..*self }
    }
}
