//! The lock protocol: narrow, several, wide, and no other way to a shard.
//!
//! ```text
//!   narrow     spin on one shard, holding nothing ----------------------------> held | Busy
//!   several    try each, in index order
//!                 | one is taken by somebody else
//!                 v
//!              let all go, spin on that one holding nothing, then try the rest --> held
//!                 | ROUNDS times in vain, or the caller has been sent away often
//!                 v
//!              spin on the ticket holding nothing, then wait for each shard ----> held | Busy
//!   wide       spin on the ticket holding nothing, then wait for each shard ----> held | Busy
//! ```
//!
//! P1  Who waits for a shard while holding another holds the ticket. So at most one does, what it
//!     waits for is held by somebody who waits for nothing, and there is no deadlock.
//! P2  The ticket is waited for only with empty hands.
//! P3  Every wait has a bound. Past it everything is let go and the caller is told `Busy`: a worker
//!     never sleeps, it parks the connection and serves others.
//! P4  Locks are held until the unit is finished; so every history is serializable.
//!
//! The whole page is `docs/design/locks.md`. Checked by: `tests/protocols.rs` (shuttle).

use crate::error::Busy;
use crate::shard::{Held, Lock, SHARDS, Shard, Which};
use crate::sync::yield_now;
use crate::tables::Tables;

/// Fresh beginnings of a several-shard access before it asks for the ticket.
const ROUNDS: u32 = 4;

/// Answers `Busy` after which a caller's next attempt goes to the ticket at once.
const TRIES_UNTIL_TICKET: u32 = 4;

/// How often the ticket's holder lets others run while it waits for one shard. Everybody else
/// holds a shard for microseconds; what holds it longer is a script, and then waiting here would
/// stop this worker's other connections.
#[cfg(not(feature = "model"))]
const PATIENCE: u32 = 500;
#[cfg(feature = "model")]
const PATIENCE: u32 = 8;

/// All shards and the ticket.
#[derive(Debug)]
pub(crate) struct Shards {
    shards: Box<[Shard]>,
    ticket: Lock,
}

impl Shards {
    pub(crate) fn new(tables: impl Fn() -> Tables) -> Self {
        Shards {
            shards: (0..SHARDS).map(|_| Shard::new(tables())).collect(),
            ticket: Lock::new(),
        }
    }

    /// A shard's outside: what may be read without its lock.
    #[inline]
    pub(crate) fn outside(&self, shard: usize) -> &Shard {
        &self.shards[shard]
    }

    /// Holds nothing yet.
    #[inline]
    pub(crate) fn nothing(&self) -> Held<'_> {
        Held::new(&self.shards, &self.ticket, Which::None)
    }

    #[inline]
    pub(crate) fn narrow(&self, shard: usize) -> Result<Held<'_>, Busy> {
        if self.shards[shard].lock.spin_take() {
            Ok(Held::new(&self.shards, &self.ticket, Which::One(shard)))
        } else {
            Err(Busy)
        }
    }

    /// One shard, only if it is free this very moment: for hints.
    #[inline]
    pub(crate) fn narrow_now(&self, shard: usize) -> Option<Held<'_>> {
        let taken = self.shards[shard].lock.try_take();
        taken.then(|| Held::new(&self.shards, &self.ticket, Which::One(shard)))
    }

    /// The shards of `list`, which is sorted here. On failure the list comes back, for its memory.
    pub(crate) fn several(&self, mut list: Vec<u16>, tries: u32) -> Result<Held<'_>, Vec<u16>> {
        list.sort_unstable();
        list.dedup();
        if let [one] = list[..] {
            return self.narrow(usize::from(one)).map_err(|Busy| list);
        }
        let got = (tries < TRIES_UNTIL_TICKET && self.try_rounds(&list)) || self.with_ticket(&list);
        if got {
            Ok(Held::new(&self.shards, &self.ticket, Which::Several(list)))
        } else {
            Err(list)
        }
    }

    /// Every shard and the ticket.
    pub(crate) fn wide(&self) -> Result<Held<'_>, Busy> {
        if !self.ticket.spin_take() {
            return Err(Busy);
        }
        if self.wait_for((0..SHARDS).map(|index| index as u16)) {
            return Ok(Held::new(&self.shards, &self.ticket, Which::All));
        }
        self.ticket.release();
        Err(Busy)
    }

    fn lock(&self, index: u16) -> &Lock {
        &self.shards[usize::from(index)].lock
    }

    /// Tries until all are held or `ROUNDS` are over. Never waits while holding (P1).
    fn try_rounds(&self, list: &[u16]) -> bool {
        let mut first: Option<u16> = None;
        for _ in 0..ROUNDS {
            // The one that was contended, waited for with empty hands.
            if first.is_some_and(|first| !self.lock(first).spin_take()) {
                continue;
            }
            let rest = || list.iter().copied().filter(|index| Some(*index) != first);
            let Some(contended) = rest().find(|index| !self.lock(*index).try_take()) else {
                return true;
            };
            rest()
                .take_while(|index| *index != contended)
                .for_each(|index| self.lock(index).release());
            if let Some(first) = first {
                self.lock(first).release();
            }
            first = Some(contended);
        }
        false
    }

    /// Takes the list as the ticket's holder. The ticket goes back as soon as all are held: from
    /// then on we wait for nothing.
    fn with_ticket(&self, list: &[u16]) -> bool {
        if !self.ticket.spin_take() {
            return false;
        }
        let got = self.wait_for(list.iter().copied());
        self.ticket.release();
        got
    }

    /// Takes shards in order, waiting for each with patience; the ticket is ours. All or nothing.
    fn wait_for(&self, list: impl Iterator<Item = u16> + Clone) -> bool {
        for index in list.clone() {
            if !self.wait(self.lock(index)) {
                list.take_while(|held| *held != index)
                    .for_each(|held| self.lock(held).release());
                return false;
            }
        }
        true
    }

    fn wait(&self, lock: &Lock) -> bool {
        for _ in 0..PATIENCE {
            if lock.spin_take() {
                return true;
            }
            yield_now();
        }
        false
    }
}
