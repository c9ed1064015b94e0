//! Fields of hashes whose time is over.
//!
//! They leave on two ways: a command that names an expired field removes it before it looks (as Redis
//! does), and the expire cycle removes what is due and nobody names. Both leave the same behind: the
//! event `hexpired`, one HDEL in the change log, a count, and with the last field `del` of the key.
//! Where expired keys are to be kept (a pause, READ_ONLY) so are fields, and they are only not seen.
//!
//! Checked by: `tests/field_expiry.rs`.

use super::Unit;
use super::read::KEEPS_EXPIRED;
use super::slot::Slot;
use crate::error::{Refused, WrongType};
use crate::event::EventClass;
use crate::key::Key;
use crate::scratch::Keys;
use crate::stats::Figure;
use crate::value::{Container, Hash};

/// What a pass over hashes with due fields came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lapsed {
    /// Fields removed.
    pub(crate) expired: usize,
    /// No due field is left in them.
    pub(crate) finished: bool,
}

/// Why a hash could not be changed: neither is the field's fault, and both leave it for later.
struct Later;

impl From<WrongType> for Later {
    fn from(_: WrongType) -> Self {
        Later
    }
}

impl From<Refused> for Later {
    fn from(_: Refused) -> Self {
        Later
    }
}

impl Unit<'_> {
    /// Removes those of a hash's fields `names` whose time is over. Costs one load where no field of
    /// the shard has a deadline. A key that is no hash is left alone.
    #[inline]
    pub fn expire_fields<'n>(&mut self, key: Key<'_>, names: impl Iterator<Item = &'n [u8]>) {
        if !self.open(key, false).1.has_no_parts() {
            self.expire_named(key, names);
        }
    }

    #[cold]
    fn expire_named<'n>(&mut self, key: Key<'_>, names: impl Iterator<Item = &'n [u8]>) {
        let now_ms = self.expiry_ms();
        if self.scratch.state.gates.closed(KEEPS_EXPIRED) {
            return;
        }
        let Some(hash) = self
            .peek(key)
            .and_then(|entry| entry.container::<Hash>().ok())
        else {
            return;
        };
        if hash.part_deadline().is_none_or(|at| now_ms <= at) {
            return;
        }
        let mut lapsed = Keys::default();
        for name in names {
            if hash.held(name).is_some_and(|field| !field.lives_at(now_ms)) {
                lapsed.push(name);
            }
        }
        if lapsed.is_empty() {
            return;
        }
        let removed = self.edit_hash(key, |hash| {
            for index in 0..lapsed.len() {
                hash.remove(lapsed.get(index));
            }
            true
        });
        if removed.is_some() {
            self.report_expired(key, &lapsed);
        }
    }

    /// Removes every field of a hash whose time is over, as a command that may pick any does.
    pub fn expire_all_fields(&mut self, key: Key<'_>) {
        let keeps = self.scratch.state.gates.closed(KEEPS_EXPIRED);
        if !keeps && !self.open(key, false).1.has_no_parts() && self.peek(key).is_some() {
            self.expire_due(key, usize::MAX);
        }
    }

    /// Removes due fields of the hashes that the cycle has gathered, about `limit` of them.
    pub(crate) fn expire_lapsing(&mut self, limit: usize) -> Lapsed {
        let mut sum = Lapsed {
            expired: 0,
            finished: true,
        };
        let lapsing = std::mem::take(&mut self.scratch.lapsing);
        // Nobody declares the keys that the cycle meets, and it does not count as their use.
        #[cfg(debug_assertions)]
        let is_declared = std::mem::take(&mut self.scratch.is_declared);
        for index in 0..lapsing.len() {
            let key = self.store.key(lapsing.get(index));
            let one = self.expire_due(key, limit.saturating_sub(sum.expired).max(1));
            sum.expired += one.expired;
            sum.finished &= one.finished;
        }
        #[cfg(debug_assertions)]
        {
            self.scratch.is_declared = is_declared;
        }
        self.scratch.lapsing = lapsing;
        sum
    }

    fn expire_due(&mut self, key: Key<'_>, limit: usize) -> Lapsed {
        let now_ms = self.expiry_ms();
        let mut lapsed = Keys::default();
        let mut finished = true;
        self.edit_hash(key, |hash| {
            finished = hash.expire(now_ms, limit, |name| lapsed.push(name));
            !lapsed.is_empty()
        });
        if !lapsed.is_empty() {
            self.report_expired(key, &lapsed);
        }
        Lapsed {
            expired: lapsed.len(),
            finished,
        }
    }

    /// Changes a hash without moving its access clock; `None` if that could not be.
    fn edit_hash(&mut self, key: Key<'_>, change: impl FnOnce(&mut Hash) -> bool) -> Option<()> {
        let no_touch = std::mem::replace(&mut self.scratch.state.no_touch, true);
        let done = match self.slot(key) {
            Slot::Occupied(mut at) => at
                .edit(|hash: &mut Hash| Ok::<_, Later>(((), change(hash))))
                .ok(),
            Slot::Vacant(_) => None,
        };
        self.scratch.state.no_touch = no_touch;
        done
    }

    /// Tells of fields that have expired and were removed, and removes a hash that has none left.
    fn report_expired(&mut self, key: Key<'_>, names: &Keys) {
        let scratch = &mut *self.scratch;
        scratch.notify(EventClass::HASH, "hexpired", key.bytes());
        if scratch.state.recording {
            let mut words: Vec<&[u8]> = Vec::with_capacity(2 + names.len());
            words.extend([&b"HDEL"[..], key.bytes()]);
            words.extend((0..names.len()).map(|index| names.get(index)));
            scratch.effects.push(scratch.state.db, words.into_iter());
        }
        self.store.stats.add(
            self.scratch.state.worker,
            Figure::ExpiredFields,
            names.len() as u64,
        );
        let is_empty = self
            .look(key)
            .and_then(|entry| entry.container::<Hash>().ok())
            .is_some_and(Container::is_empty);
        if is_empty && self.remove(key) {
            self.notify(EventClass::GENERIC, "del", key.bytes());
        }
    }
}
