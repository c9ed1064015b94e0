//! A shard's tables, one for each database that has keys here.

use collections::table::{Snapshot, Table};

use crate::entry::Entry;
use crate::key::HashSeed;
use crate::shard::NEVER;

/// The tables of one shard. Database 0's stands here, the others are boxed and come into being
/// with their first key.
#[derive(Debug)]
pub(crate) struct Tables {
    first: Table<Entry>,
    rest: Vec<Option<Box<Table<Entry>>>>,
}

impl Tables {
    pub(crate) fn new(seed: HashSeed) -> Self {
        Tables {
            first: Table::new(seed),
            rest: Vec::new(),
        }
    }

    /// The table of `db`, if it has come into being.
    #[inline]
    pub(crate) fn get(&self, db: u32) -> Option<&Table<Entry>> {
        match db.checked_sub(1) {
            None => Some(&self.first),
            Some(index) => self.rest.get(index as usize)?.as_deref(),
        }
    }

    /// The table of `db` if it has come into being, to be changed.
    pub(crate) fn get_mut(&mut self, db: u32) -> Option<&mut Table<Entry>> {
        match db.checked_sub(1) {
            None => Some(&mut self.first),
            Some(index) => self.rest.get_mut(index as usize)?.as_deref_mut(),
        }
    }

    /// The table of `db`, made if need be.
    #[inline]
    pub(crate) fn make(&mut self, db: u32) -> &mut Table<Entry> {
        match db.checked_sub(1) {
            None => &mut self.first,
            Some(index) => {
                let index = index as usize;
                if self.rest.len() <= index {
                    self.rest.resize_with(index + 1, || None);
                }
                let seed = self.first.seed();
                self.rest[index].get_or_insert_with(|| Box::new(Table::new(seed)))
            }
        }
    }

    /// Exchanges the tables of two databases.
    pub(crate) fn swap(&mut self, a: u32, b: u32) {
        if a == b || self.is_missing(a) && self.is_missing(b) {
            return;
        }
        let seed = self.first.seed();
        let of_a = std::mem::replace(self.make(a), Table::new(seed));
        let of_b = std::mem::replace(self.make(b), of_a);
        *self.make(a) = of_b;
    }

    fn is_missing(&self, db: u32) -> bool {
        self.get(db).is_none_or(Table::is_empty)
    }

    /// The databases whose tables have come into being.
    pub(crate) fn each(&self) -> impl Iterator<Item = (u32, &Table<Entry>)> {
        let rest = self
            .rest
            .iter()
            .zip(1..)
            .filter_map(|(table, db)| Some((db, table.as_deref()?)));
        std::iter::once((0, &self.first)).chain(rest)
    }

    /// The first database from `db` on in which something may have expired at `now_ms`.
    pub(crate) fn next_due(&self, db: u32, now_ms: i64) -> Option<u32> {
        let is_due = |table: &Table<Entry>| table.earliest_deadline().is_some_and(|at| at < now_ms);
        self.each()
            .find(|(of, table)| *of >= db && is_due(table))
            .map(|(of, _)| of)
    }

    /// A moment before which nothing here expires.
    pub(crate) fn earliest_deadline(&self) -> i64 {
        self.each()
            .filter_map(|(_, table)| table.earliest_deadline())
            .min()
            .unwrap_or(NEVER)
    }

    /// All that is here at this moment.
    pub(crate) fn cut(&self) -> impl Iterator<Item = (u32, Snapshot<Entry>)> {
        self.each()
            .filter(|(_, table)| !table.is_empty())
            .map(|(db, table)| (db, table.snapshot()))
    }
}
