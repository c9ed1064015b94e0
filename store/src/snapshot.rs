//! The cut: everything as it was at one moment, as a value.
//!
//! Under the wide ticket with all shards locked each table's directory is cloned, which adds one
//! count for each chunk of segments, and the change log's number is noted. What comes out is
//! immutable and is read and dropped on any thread without a lock: a point in time by
//! construction. From then on a write copies the segment that it touches, once; whoever writes a
//! cut out takes it part by part, and what it has let go of is no longer copied.

use collections::table::{FrozenChunk, Snapshot};

use crate::counts::DbSize;
use crate::entry::{Entry, EntryRef};
use crate::frozen::Alive;
use crate::shard::Held;
use crate::store::Store;

/// A point in time of all databases.
#[derive(Debug)]
pub struct Cut {
    time_ms: i64,
    log_number: u64,
    /// Last database first; only what is not empty.
    tables: Vec<(u32, Snapshot<Entry>)>,
    /// What the databases held at the cut, by number; those behind the last one with keys held nothing.
    sizes: Vec<DbSize>,
    /// Parts to be taken before it is asked again which tables are being written to.
    until_look: usize,
    /// Last, because it says that all of the above is gone.
    alive: Alive,
}

/// How often a saver that falls behind asks which tables are being written to: looking takes as long as
/// writing out some parts.
const PARTS_A_LOOK: usize = 64;

impl Cut {
    /// Takes the cut. The caller holds all shards.
    pub(crate) fn take(store: &Store, held: &mut Held<'_>, time_ms: i64) -> Cut {
        let mut tables = Vec::new();
        held.for_each(|_, _, data| tables.extend(data.tables.cut()));
        let databases = tables.iter().map(|(db, _)| db + 1).max().unwrap_or(0);
        let sizes = (0..databases).map(|db| store.db_size(db, time_ms));
        Cut {
            time_ms,
            log_number: store.log.next_number() - 1,
            tables,
            sizes: sizes.collect(),
            until_look: 0,
            alive: Alive::new(&store.frozen),
        }
    }

    /// Puts the databases in order; not part of `take`, because it needs no locks.
    pub(crate) fn sorted(mut self) -> Cut {
        // Stable: within a database the shards stay in order. Reversed: parts are taken from the
        // end.
        self.tables.sort_by_key(|(db, _)| std::cmp::Reverse(*db));
        self
    }

    /// When it was taken, in milliseconds since 1970: what had expired then is not in it.
    #[must_use]
    pub fn time_ms(&self) -> i64 {
        self.time_ms
    }

    /// The number of the last change that is in it: a reader of the change log goes on behind it.
    #[must_use]
    pub fn log_number(&self) -> u64 {
        self.log_number
    }

    /// How many keys a database has that have not been taken out, those included that had expired.
    #[must_use]
    pub fn keys(&self, db: u32) -> u64 {
        self.of(db).map(|table| table.len() as u64).sum()
    }

    /// What a database held at the cut, from counters.
    #[must_use]
    pub fn size(&self, db: u32) -> DbSize {
        self.sizes.get(db as usize).copied().unwrap_or_default()
    }

    /// The same for all databases together; times to live are not averaged.
    #[must_use]
    pub fn total(&self) -> DbSize {
        self.sizes
            .iter()
            .fold(DbSize::default(), |sum, size| DbSize {
                keys: sum.keys + size.keys,
                deadlines: sum.deadlines + size.deadlines,
                average_ttl_ms: 0,
                part_deadlines: sum.part_deadlines + size.part_deadlines,
            })
    }

    /// Bytes that only snapshots hold at this moment, this one and others.
    #[must_use]
    pub fn held_bytes(&self) -> u64 {
        self.alive.bytes()
    }

    fn of(&self, db: u32) -> impl Iterator<Item = &Snapshot<Entry>> {
        self.tables
            .iter()
            .filter(move |(of, _)| *of == db)
            .map(|(_, table)| table)
    }

    /// The entries of a database that had not expired at the cut, in no order that means anything.
    pub fn iter(&self, db: u32) -> impl Iterator<Item = EntryRef<'_>> {
        let time_ms = self.time_ms;
        self.of(db)
            .flat_map(Snapshot::iter)
            .filter(move |entry| is_live(*entry, time_ms))
    }

    /// Takes the next part out of the cut, databases in ascending order: what a saver does, so
    /// that the price of the cut falls while it works. Dropping the part lets go of it. While snapshots
    /// hold more than they should ([`Store::set_snapshot_bound`]), first what is being written to.
    pub fn take_part(&mut self) -> Option<Part> {
        self.until_look = self.until_look.saturating_sub(1);
        if self.until_look == 0 && self.alive.is_over() {
            self.until_look = PARTS_A_LOOK;
            self.put_written_first();
        }
        loop {
            let (db, table) = self.tables.last_mut()?;
            if let Some(chunk) = table.take_next_chunk() {
                return Some(Part {
                    db: *db,
                    time_ms: self.time_ms,
                    chunk,
                    _alive: self.alive.clone(),
                });
            }
            self.tables.pop();
        }
    }
}

impl Cut {
    /// Puts those tables of the current database in front of which the keyspace has copied most: letting go
    /// of them gives most back, and it is there that copying goes on.
    fn put_written_first(&mut self) {
        let Some(&(current, _)) = self.tables.last() else {
            return;
        };
        let from = self.tables.partition_point(|(db, _)| *db > current);
        // The last is taken first.
        self.tables[from..].sort_by_cached_key(|(_, table)| table.copied_segments());
    }
}

/// Some thousand entries of one database of a cut.
pub struct Part {
    db: u32,
    time_ms: i64,
    chunk: FrozenChunk<Entry>,
    _alive: Alive,
}

impl Part {
    /// The database.
    #[must_use]
    pub fn db(&self) -> u32 {
        self.db
    }

    /// How many entries it has, those included that had expired.
    #[must_use]
    pub fn len(&self) -> usize {
        self.chunk.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chunk.is_empty()
    }

    /// All entries, those included that had expired and had not been removed yet: what is saved, as
    /// Redis does. Whoever loads them leaves out what has expired by then.
    pub fn iter_all(&self) -> impl Iterator<Item = EntryRef<'_>> {
        self.chunk.iter()
    }

    /// The entries that had not expired at the cut.
    pub fn iter(&self) -> impl Iterator<Item = EntryRef<'_>> {
        self.chunk
            .iter()
            .filter(|entry| is_live(*entry, self.time_ms))
    }
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Part")
            .field("db", &self.db)
            .field("keys", &self.chunk.len())
            .finish()
    }
}

fn is_live(entry: EntryRef<'_>, time_ms: i64) -> bool {
    entry.deadline().is_none_or(|at| time_ms <= at)
}
