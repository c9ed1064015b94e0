//! A shard: its share of every database behind one lock word, and the proof of holding it.
//!
//! ```text
//!  Shard (two cache lines)
//!  +------+-----------+---------------+ +--------------------------------------------+
//!  | lock | due (ms)  | counts, db 0  | | last ms | table of db 0 | tables of others |
//!  +------+-----------+---------------+ | watch registry                             |
//!   read by anybody, written by the     +--------------------------------------------+
//!   holder                               reached only through `Held`
//! ```
//!
//! A table comes into being with its database's first key. Database 0's stands in the shard
//! itself, one pointer nearer; the others are boxed, so that an empty server with many databases
//! costs nothing.
//!
//! L1  `lock` is HELD from the compare-and-swap that took it to the store that lets it go.
//! L2  A `Held` names only shards whose lock its maker took and nobody has let go; no shard is
//!     named by two of them at once. Only `locks.rs` makes them.
//! L3  What is behind the lock is reached only through `Held`: shared through `&Held`, exclusively
//!     through `&mut Held`; and shared through `Glance`, which holds the lock itself.
//!
//! Checked by: `tests/protocols.rs` (shuttle), ThreadSanitizer over `tests/threads.rs`.
#![allow(
    unsafe_code,
    reason = "the cell behind the lock; the invariants are above"
)]

use std::cell::UnsafeCell;

use crate::counts::Count;
use crate::sync::{Acquire, AtomicI64, AtomicU32, Relaxed, Release, spin};
use crate::tables::Tables;
use crate::wait::Waiting;
use crate::watch::Registry;

/// How many shards there are, whatever the number of workers.
#[cfg(not(feature = "model"))]
pub const SHARDS: usize = 1 << collections::table::Hash::SHARD_BITS;
/// How many shards there are: few, or a model would spend its schedules on counting to 1,024.
#[cfg(feature = "model")]
pub const SHARDS: usize = 4;

const FREE: u32 = 0;
const HELD: u32 = 1;

/// Turns of a busy wait before the caller is told no: a microsecond or two, about what a short
/// command holds a shard.
#[cfg(not(feature = "model"))]
const SPINS: u32 = 100;
#[cfg(feature = "model")]
const SPINS: u32 = 1;

/// No deadline at all.
pub(crate) const NEVER: i64 = i64::MAX;

/// One lock word. Nobody sleeps on it.
#[derive(Debug)]
pub(crate) struct Lock(AtomicU32);

impl Lock {
    pub(crate) const fn new() -> Self {
        Lock(AtomicU32::new(FREE))
    }

    /// Takes it if it is free.
    #[inline]
    pub(crate) fn try_take(&self) -> bool {
        // Acquire: what the last holder wrote before its release store is seen from here on.
        // Relaxed on failure: nothing is read then.
        self.0
            .compare_exchange(FREE, HELD, Acquire, Relaxed)
            .is_ok()
    }

    /// Takes it, waiting for some microseconds at most.
    #[inline]
    pub(crate) fn spin_take(&self) -> bool {
        self.try_take() || self.contend()
    }

    #[cold]
    fn contend(&self) -> bool {
        for _ in 0..SPINS {
            spin();
            // Relaxed: a hint that keeps the line shared while waiting; `try_take` decides.
            if self.0.load(Relaxed) == FREE && self.try_take() {
                return true;
            }
        }
        false
    }

    /// Lets it go; the caller holds it.
    #[inline]
    pub(crate) fn release(&self) {
        // Release: pairs with the acquire of the next holder, who sees all that we wrote.
        self.0.store(FREE, Release);
    }
}

/// What the lock protects.
#[derive(Debug)]
pub(crate) struct ShardData {
    /// The latest time at which a unit has looked at this shard: time does not run backwards for
    /// its keys, so one that was seen expired stays so.
    pub(crate) last_ms: i64,
    pub(crate) tables: Tables,
    /// Where the next hold of the active expire cycle goes on; a hint.
    pub(crate) expire_cursor: usize,
    /// Who watches keys here; `None` while nobody does, which is nearly always.
    pub(crate) watch: Option<Box<Registry>>,
    /// Who waits for keys here (BLPOP); `None` while nobody does.
    pub(crate) waiting: Option<Box<Waiting>>,
}

/// A shard. Aligned to two lines, because processors fetch lines in pairs.
#[repr(align(128))]
pub(crate) struct Shard {
    pub(crate) lock: Lock,
    /// Before this moment nothing here expires. Written by the holder.
    due_ms: AtomicI64,
    /// How many keys database 0 has here. Written by the holder.
    pub(crate) count: Count,
    data: UnsafeCell<ShardData>,
}

// SAFETY: L1 to L3: the cell is reached only by the lock's holder, and what is in it is Send.
unsafe impl Sync for Shard {}

impl Shard {
    pub(crate) fn new(tables: Tables) -> Self {
        Shard {
            lock: Lock::new(),
            due_ms: AtomicI64::new(NEVER),
            count: Count::new(),
            data: UnsafeCell::new(ShardData {
                last_ms: i64::MIN,
                tables,
                expire_cursor: 0,
                watch: None,
                waiting: None,
            }),
        }
    }

    /// Holds the lock for a glance, if nobody holds it this very moment: for hints, which are a few
    /// instructions long and cannot panic. It is no `Held`, because making and dropping one costs more
    /// than the glance.
    #[inline]
    pub(crate) fn glance(&self) -> Option<Glance<'_>> {
        self.lock.try_take().then(|| Glance(self))
    }

    /// Before this moment nothing here expires, as far as one can tell without the lock.
    pub(crate) fn due_ms(&self) -> i64 {
        // Relaxed: a hint; whoever acts on it locks and looks.
        self.due_ms.load(Relaxed)
    }

    /// Something here has this deadline. The caller holds the lock.
    #[inline]
    pub(crate) fn note_deadline(&self, at_ms: i64) {
        // Relaxed, and no read-modify-write: only the holder writes.
        if at_ms < self.due_ms.load(Relaxed) {
            self.due_ms.store(at_ms, Relaxed);
        }
    }

    /// Replaces the bound by a better one. The caller holds the lock.
    pub(crate) fn set_due(&self, at_ms: i64) {
        // Relaxed: as above.
        self.due_ms.store(at_ms, Relaxed);
    }
}

impl std::fmt::Debug for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shard")
            .field("lock", &self.lock)
            .finish_non_exhaustive()
    }
}

/// A shard that is held for a moment, to be looked at and not changed. Dropping it lets the shard go.
#[derive(Debug)]
pub(crate) struct Glance<'s>(&'s Shard);

impl Glance<'_> {
    /// The shard's tables.
    #[inline]
    pub(crate) fn tables(&self) -> &Tables {
        // SAFETY: L1: the lock is ours until this is dropped, and `self` is borrowed.
        unsafe { &(*self.0.data.get()).tables }
    }
}

impl Drop for Glance<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.lock.release();
    }
}

/// Which shards are held.
#[derive(Debug)]
pub(crate) enum Which {
    None,
    One(usize),
    /// In ascending order, each once, at least two.
    Several(Vec<u16>),
    /// All, and the wide ticket.
    All,
}

/// The proof of holding some shards (L2). Dropping it lets them go.
#[derive(Debug)]
pub(crate) struct Held<'s> {
    shards: &'s [Shard],
    ticket: &'s Lock,
    which: Which,
}

impl<'s> Held<'s> {
    /// Vouches for shards that `locks.rs` has just locked (L2).
    #[inline]
    pub(crate) fn new(shards: &'s [Shard], ticket: &'s Lock, which: Which) -> Self {
        Held {
            shards,
            ticket,
            which,
        }
    }

    pub(crate) fn which(&self) -> &Which {
        &self.which
    }

    /// Whether this shard is among them.
    #[inline]
    pub(crate) fn has(&self, shard: usize) -> bool {
        match &self.which {
            Which::One(one) => *one == shard,
            Which::All => shard < SHARDS,
            Which::Several(list) => {
                u16::try_from(shard).is_ok_and(|shard| list.binary_search(&shard).is_ok())
            }
            Which::None => false,
        }
    }

    /// Looks into a held shard.
    #[inline]
    pub(crate) fn get(&self, shard: usize) -> (&'s Shard, &ShardData) {
        assert!(self.has(shard), "a unit touches only what it has locked");
        let shard = &self.shards[shard];
        // SAFETY: L2: the lock is ours; L3: `self` is borrowed, so no exclusive borrow is out.
        (shard, unsafe { &*shard.data.get() })
    }

    /// Opens a held shard.
    #[inline]
    pub(crate) fn get_mut(&mut self, shard: usize) -> (&'s Shard, &mut ShardData) {
        assert!(self.has(shard), "a unit touches only what it has locked");
        let shard = &self.shards[shard];
        // SAFETY: L2: the lock is ours; L3: `self` is borrowed exclusively, so no other is out.
        (shard, unsafe { &mut *shard.data.get() })
    }

    /// Calls `f` with each held shard.
    pub(crate) fn for_each(&mut self, mut f: impl FnMut(usize, &'s Shard, &mut ShardData)) {
        let mut one = |index: usize| {
            let shard = &self.shards[index];
            // SAFETY: as in `get_mut`; each shard is named once.
            f(index, shard, unsafe { &mut *shard.data.get() });
        };
        match &self.which {
            Which::None => {}
            Which::One(index) => one(*index),
            Which::Several(list) => list.iter().for_each(|index| one(usize::from(*index))),
            Which::All => (0..SHARDS).for_each(one),
        }
    }

    /// Takes one more shard when none is held: SCAN and RANDOMKEY go from shard to shard.
    pub(crate) fn take_one(&mut self, shard: usize) -> bool {
        assert!(
            matches!(self.which, Which::None),
            "one at a time: narrow access waits, and holds nothing"
        );
        let taken = self.shards[shard].lock.spin_take();
        if taken {
            self.which = Which::One(shard);
        }
        taken
    }

    /// Lets all go; gives back the list's memory.
    #[inline]
    pub(crate) fn release(&mut self) -> Option<Vec<u16>> {
        match self.which {
            Which::None => None,
            Which::One(index) => {
                self.which = Which::None;
                self.shards[index].lock.release();
                None
            }
            Which::Several(_) | Which::All => self.release_many(),
        }
    }

    fn release_many(&mut self) -> Option<Vec<u16>> {
        match std::mem::replace(&mut self.which, Which::None) {
            Which::Several(list) => {
                for index in &list {
                    self.shards[usize::from(*index)].lock.release();
                }
                Some(list)
            }
            Which::All => {
                self.shards.iter().for_each(|shard| shard.lock.release());
                self.ticket.release();
                None
            }
            Which::None | Which::One(_) => unreachable!("seen to by `release`"),
        }
    }

    /// Gives the shards up without unlocking them: what a panic left half changed must not be
    /// seen by anybody.
    pub(crate) fn abandon(&mut self) {
        self.which = Which::None;
    }
}

impl Drop for Held<'_> {
    #[inline]
    fn drop(&mut self) {
        self.release();
    }
}
