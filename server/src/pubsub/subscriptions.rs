//! What one client has subscribed to. Behind the client's lock (`Client::with_subscriptions`), because
//! whoever kills a client takes its subscriptions out of the registry before the reply.
//!
//! **Invariant:** a name is in here exactly while the registry has the client under it, with the same
//! number; both are changed within one hold of the client's lock.

use std::collections::HashMap;

use super::{Kind, Subscriber};

/// Names and the numbers of their subscriptions.
type Numbers = HashMap<Box<[u8]>, u64>;

/// One client's subscriptions.
#[derive(Debug, Default)]
pub struct Subscriptions {
    channels: Numbers,
    patterns: Numbers,
    shard_channels: Numbers,
    /// It has ended a subscription: letters under way may be for that one.
    has_left: bool,
}

impl Subscriptions {
    fn of(&self, kind: Kind) -> &Numbers {
        match kind {
            Kind::Channel => &self.channels,
            Kind::Pattern => &self.patterns,
            Kind::Shard => &self.shard_channels,
        }
    }

    fn of_mut(&mut self, kind: Kind) -> &mut Numbers {
        match kind {
            Kind::Channel => &mut self.channels,
            Kind::Pattern => &mut self.patterns,
            Kind::Shard => &mut self.shard_channels,
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty() && self.patterns.is_empty() && self.shard_channels.is_empty()
    }

    /// How many there are of a kind.
    #[must_use]
    pub fn count(&self, kind: Kind) -> usize {
        self.of(kind).len()
    }

    /// The number of the subscription to `name`.
    #[must_use]
    pub fn number_of(&self, kind: Kind, name: &[u8]) -> Option<u64> {
        self.of(kind).get(name).copied()
    }

    /// Whether a letter that was posted to `subscriber` is still for it.
    #[inline]
    #[must_use]
    pub fn still_has(&self, kind: Kind, name: &[u8], subscriber: Subscriber) -> bool {
        !self.has_left || self.number_of(kind, name) == Some(subscriber.number)
    }

    pub(super) fn enter(&mut self, kind: Kind, name: &[u8], number: u64) {
        self.of_mut(kind).insert(name.into(), number);
    }

    pub(super) fn leave(&mut self, kind: Kind, name: &[u8]) -> Option<u64> {
        let number = self.of_mut(kind).remove(name)?;
        self.has_left = true;
        Some(number)
    }

    /// All names of a kind, in the order in which they were subscribed to.
    #[must_use]
    pub fn names(&self, kind: Kind) -> Vec<Box<[u8]>> {
        let mut names: Vec<_> = self.of(kind).iter().collect();
        names.sort_unstable_by_key(|(_, number)| **number);
        names.into_iter().map(|(name, _)| name.clone()).collect()
    }

    /// Bytes that they take, about.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        Kind::ALL
            .iter()
            .map(|&kind| self.of(kind).capacity() * size_of::<(Box<[u8]>, u64)>())
            .sum()
    }
}
