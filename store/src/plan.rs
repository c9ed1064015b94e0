//! What a caller says before a unit begins, and what it is told afterwards.

use crate::scratch::Scratch;
use crate::witness::Witness;

/// Which locks a unit takes.
#[derive(Clone, Copy, Debug)]
pub enum Plan<'p> {
    /// None: no key is touched.
    Nothing,
    /// One shard.
    Narrow(usize),
    /// These shards, in any order, repetitions allowed.
    Several(&'p [usize]),
    /// The ticket and every shard.
    Wide,
    /// None now: SCAN, RANDOMKEY and KEYS take them one at a time.
    OneByOne,
}

/// The worker's share of a unit.
#[derive(Debug)]
pub struct Turn<'t> {
    /// The worker's index, below `Options::workers`; one thread at a time uses it.
    pub worker: usize,
    /// The connection's database.
    pub db: u32,
    /// The turn's clock, in milliseconds since 1970.
    pub clock_ms: i64,
    /// How often this command has been answered `Busy`: a starving one gets the ticket.
    pub tries: u32,
    /// CLIENT NO-TOUCH: leave access clocks alone.
    pub no_touch: bool,
    /// Who is told of events and changed keys, under the locks.
    pub witness: Option<&'t dyn Witness>,
    /// The worker's scratch.
    pub scratch: &'t mut Scratch,
}

impl<'t> Turn<'t> {
    /// A first try that touches access clocks, with nobody to be told.
    #[must_use]
    pub fn new(worker: usize, db: u32, clock_ms: i64, scratch: &'t mut Scratch) -> Self {
        Turn {
            worker,
            db,
            clock_ms,
            tries: 0,
            no_touch: false,
            witness: None,
            scratch,
        }
    }
}

/// Who frees what FLUSHALL and UNLINK detach. Either way it is after unlocking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freeing {
    /// The unit's own thread (SYNC).
    Now,
    /// The free thread (ASYNC).
    Later,
}

/// What a finished unit tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Changes, as the save points count them.
    pub dirty: u64,
    /// Whether the data was changed at all, expiry included.
    pub changed: bool,
    /// The number of the newest write that the unit made or saw: its reply may leave once that one
    /// is safe (DESIGN section 8). 0 while nobody reads the change log.
    pub depends_on: u64,
}
