//! Pub/Sub: who hears which channel, and how a message gets there.
//!
//! ```text
//!   PUBLISH c m ── bucket of c locked ──┬─ c's subscribers ─┐ one letter a worker that has some,
//!                                       └─ patterns ────────┘ all with the same bytes
//!   worker's turn ── letter ──▶ each subscriber's output
//! ```
//!
//! The page is `docs/design/pubsub.md`. Channels are spread over buckets, each behind a leaf lock;
//! shard channels have buckets of their own; patterns are one list behind a read-write lock. Of a
//! channel the registry keeps a list of subscribers a worker, which a letter shares and does not copy:
//! a publish costs as much as there are workers, however many subscribers there are.
//!
//! P1  Messages of one channel reach every subscriber in the same order: the letters are posted under
//!     the channel's bucket lock, for patterns too, and a worker's mailbox is a FIFO.
//! P2  The registry changes before the reply: who has read SUBSCRIBE's reply gets everything that is
//!     published afterwards.
//! P3  Nothing arrives behind the confirmation of UNSUBSCRIBE: a subscription has a number, and a
//!     letter that comes too late finds that its number is no longer the client's.
//! P4  A client's own lock is taken before a bucket's, a bucket's before the patterns', these before a
//!     mailbox's.
//!
//! Checked by: server/tests/pubsub.rs, tests/transcripts/pubsub, the foreign suite.

use std::collections::hash_map::{Entry, HashMap, RandomState};
use std::collections::{BTreeMap, btree_map};
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use commands::glob::{Case, Pattern};
use parking_lot::{Mutex, RwLock};

use crate::clients::{Client, ClientId};
use crate::mailbox::{Letter, Mailbox};

mod events;
mod message;
mod subscriptions;

pub use events::Teller;
pub use message::{Payload, Push};
pub use subscriptions::Subscriptions;

/// What is subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// SUBSCRIBE.
    Channel,
    /// PSUBSCRIBE.
    Pattern,
    /// SSUBSCRIBE.
    Shard,
}

impl Kind {
    /// All of them, in the order in which CLIENT LIST counts them.
    pub const ALL: [Kind; 3] = [Kind::Channel, Kind::Pattern, Kind::Shard];
}

/// A client that hears something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscriber {
    /// Who.
    pub id: ClientId,
    /// The number of its subscription (P3).
    pub number: u64,
}

/// Where a worker puts letters: mailboxes, and a note of whether its own got one.
#[derive(Debug)]
pub struct Outbox<'s> {
    mailboxes: &'s [Mailbox],
    worker: usize,
    /// Its own mailbox got a letter.
    pub has_own: std::cell::Cell<bool>,
}

impl<'s> Outbox<'s> {
    /// `worker`'s.
    #[must_use]
    pub fn new(mailboxes: &'s [Mailbox], worker: usize) -> Outbox<'s> {
        Outbox {
            mailboxes,
            worker,
            has_own: std::cell::Cell::new(false),
        }
    }

    /// For somebody who is no worker, or does not care whether his own mailbox gets something.
    #[must_use]
    pub fn of_nobody(mailboxes: &'s [Mailbox]) -> Outbox<'s> {
        Outbox::new(mailboxes, usize::MAX)
    }

    /// Posts a letter.
    pub fn post(&self, to: usize, letter: Letter) {
        self.mailboxes[to].post(letter);
        if to == self.worker {
            self.has_own.set(true);
        }
    }
}

/// The subscribers of a channel or pattern, by worker, each list in the order of its numbers.
#[derive(Debug, Default)]
struct Receivers {
    by_worker: Vec<(usize, Arc<Vec<Subscriber>>)>,
}

impl Receivers {
    fn enter(&mut self, worker: usize, subscriber: Subscriber) {
        match self
            .by_worker
            .iter_mut()
            .find(|(known, _)| *known == worker)
        {
            // Copied only while a letter is under way.
            Some((_, list)) => Arc::make_mut(list).push(subscriber),
            None => self.by_worker.push((worker, Arc::new(vec![subscriber]))),
        }
    }

    /// Takes a subscription out; gives whether nobody is left.
    fn leave(&mut self, worker: usize, number: u64) -> bool {
        let place = self
            .by_worker
            .iter()
            .position(|(known, _)| *known == worker);
        if let Some(place) = place {
            let list = &mut self.by_worker[place].1;
            if let Ok(at) = list.binary_search_by_key(&number, |one| one.number) {
                Arc::make_mut(list).remove(at);
            }
            if list.is_empty() {
                self.by_worker.swap_remove(place);
            }
        }
        self.by_worker.is_empty()
    }

    fn len(&self) -> usize {
        self.by_worker.iter().map(|(_, list)| list.len()).sum()
    }

    /// Posts `push` to everybody; gives to how many.
    fn post(&self, push: &Arc<Push>, outbox: &Outbox<'_>) -> usize {
        for (worker, list) in &self.by_worker {
            let letter = Letter::Message {
                push: push.clone(),
                to: list.clone(),
            };
            outbox.post(*worker, letter);
        }
        self.len()
    }
}

/// Locks of each kind of channel; a power of two.
const BUCKETS: usize = 64;

type Bucket = Mutex<HashMap<Box<[u8]>, Receivers>>;

/// Channels of one kind.
#[derive(Debug)]
struct Channels {
    buckets: Box<[Bucket]>,
    hasher: RandomState,
    /// How many there are; a hint for those who do not lock.
    count: AtomicUsize,
}

impl Channels {
    fn new() -> Channels {
        Channels {
            buckets: (0..BUCKETS).map(|_| Bucket::default()).collect(),
            hasher: RandomState::new(),
            count: AtomicUsize::new(0),
        }
    }

    fn bucket(&self, channel: &[u8]) -> &Bucket {
        &self.buckets[self.hasher.hash_one(channel) as usize % BUCKETS]
    }

    fn enter(&self, channel: &[u8], worker: usize, subscriber: Subscriber) {
        let mut bucket = self.bucket(channel).lock();
        match bucket.entry(channel.into()) {
            Entry::Occupied(mut known) => known.get_mut().enter(worker, subscriber),
            Entry::Vacant(place) => {
                place.insert(Receivers::default()).enter(worker, subscriber);
                // Release, here and below: whoever sees the count finds the channel.
                self.count.fetch_add(1, Ordering::Release);
            }
        }
    }

    fn leave(&self, channel: &[u8], worker: usize, number: u64) {
        let mut bucket = self.bucket(channel).lock();
        if let Some(receivers) = bucket.get_mut(channel)
            && receivers.leave(worker, number)
        {
            bucket.remove(channel);
            self.count.fetch_sub(1, Ordering::Release);
        }
    }
}

#[derive(Debug)]
struct Patterned {
    glob: Pattern,
    receivers: Receivers,
}

/// The registry.
#[derive(Debug)]
pub struct PubSub {
    channels: Channels,
    shard_channels: Channels,
    patterns: RwLock<BTreeMap<Box<[u8]>, Patterned>>,
    pattern_count: AtomicUsize,
    last_number: AtomicU64,
    clients: AtomicUsize,
}

impl Default for PubSub {
    fn default() -> PubSub {
        PubSub {
            channels: Channels::new(),
            shard_channels: Channels::new(),
            patterns: RwLock::default(),
            pattern_count: AtomicUsize::new(0),
            last_number: AtomicU64::new(0),
            clients: AtomicUsize::new(0),
        }
    }
}

impl PubSub {
    fn channels_of(&self, kind: Kind) -> &Channels {
        match kind {
            Kind::Shard => &self.shard_channels,
            Kind::Channel | Kind::Pattern => &self.channels,
        }
    }

    /// Subscribes a client, if it is not yet.
    pub fn subscribe(&self, kind: Kind, client: &Client, name: &[u8]) {
        client.with_subscriptions(|subscriptions| {
            if subscriptions.number_of(kind, name).is_some() {
                return;
            }
            // Relaxed: only that numbers differ and rise in each list, which is changed under its lock;
            // a list's order is that of its client's own calls.
            let number = self.last_number.fetch_add(1, Ordering::Relaxed) + 1;
            if subscriptions.is_empty() {
                self.clients.fetch_add(1, Ordering::Relaxed);
            }
            subscriptions.enter(kind, name, number);
            self.enter(kind, name, client, number);
        });
    }

    fn enter(&self, kind: Kind, name: &[u8], client: &Client, number: u64) {
        let subscriber = Subscriber {
            id: client.id,
            number,
        };
        if kind != Kind::Pattern {
            return self
                .channels_of(kind)
                .enter(name, client.worker, subscriber);
        }
        let mut patterns = self.patterns.write();
        match patterns.entry(name.into()) {
            btree_map::Entry::Occupied(mut known) => {
                known.get_mut().receivers.enter(client.worker, subscriber);
            }
            btree_map::Entry::Vacant(place) => {
                let patterned = place.insert(Patterned {
                    glob: Pattern::new(name, Case::Sensitive),
                    receivers: Receivers::default(),
                });
                patterned.receivers.enter(client.worker, subscriber);
                self.pattern_count.fetch_add(1, Ordering::Release);
            }
        }
    }

    /// Ends one of a client's subscriptions, if it has it.
    pub fn unsubscribe(&self, kind: Kind, client: &Client, name: &[u8]) {
        client.with_subscriptions(|subscriptions| {
            if let Some(number) = subscriptions.leave(kind, name) {
                self.leave(kind, name, client.worker, number);
                if subscriptions.is_empty() {
                    self.clients.fetch_sub(1, Ordering::Relaxed);
                }
            }
        });
    }

    fn leave(&self, kind: Kind, name: &[u8], worker: usize, number: u64) {
        if kind != Kind::Pattern {
            return self.channels_of(kind).leave(name, worker, number);
        }
        let mut patterns = self.patterns.write();
        if let Some(patterned) = patterns.get_mut(name)
            && patterned.receivers.leave(worker, number)
        {
            patterns.remove(name);
            self.pattern_count.fetch_sub(1, Ordering::Release);
        }
    }

    /// Ends all of a client's subscriptions: RESET, KILL, its end.
    pub fn leave_all(&self, client: &Client) {
        if !client.has_subscribed() {
            return;
        }
        client.with_subscriptions(|subscriptions| {
            if subscriptions.is_empty() {
                return;
            }
            for kind in Kind::ALL {
                for name in subscriptions.names(kind) {
                    if let Some(number) = subscriptions.leave(kind, &name) {
                        self.leave(kind, &name, client.worker, number);
                    }
                }
            }
            self.clients.fetch_sub(1, Ordering::Relaxed);
        });
    }

    /// Whether nobody hears anything on channels of `kind`.
    #[inline]
    #[must_use]
    pub fn is_silent(&self, kind: Kind) -> bool {
        // Acquire: see `Channels::enter`.
        self.channels_of(kind).count.load(Ordering::Acquire) == 0
            && (kind == Kind::Shard || self.pattern_count.load(Ordering::Acquire) == 0)
    }

    /// Posts a message to everybody who hears `channel`; gives to how many.
    pub fn publish(
        &self,
        kind: Kind,
        channel: &[u8],
        payload: Payload<'_>,
        outbox: &Outbox<'_>,
    ) -> usize {
        if self.is_silent(kind) {
            return 0;
        }
        let bucket = self.channels_of(kind).bucket(channel).lock();
        let mut heard = match bucket.get(channel) {
            Some(receivers) => {
                let push = Arc::new(Push::message(kind, channel, payload));
                receivers.post(&push, outbox)
            }
            None => 0,
        };
        // Acquire: see `Channels::enter`.
        if kind == Kind::Channel && self.pattern_count.load(Ordering::Acquire) > 0 {
            for (pattern, patterned) in &*self.patterns.read() {
                // Not even a star matches the channel without a name, as in Redis.
                if patterned.glob.matches(channel) {
                    let push = Arc::new(Push::pattern_message(pattern, channel, payload));
                    heard += patterned.receivers.post(&push, outbox);
                }
            }
        }
        heard
    }

    /// Channels that somebody hears, of those that match.
    #[must_use]
    pub fn channels(&self, kind: Kind, pattern: Option<&[u8]>) -> Vec<Box<[u8]>> {
        let glob = pattern.map(|pattern| Pattern::new(pattern, Case::Sensitive));
        let wanted = |name: &[u8]| glob.as_ref().is_none_or(|glob| glob.matches(name));
        let mut found = Vec::new();
        for bucket in &self.channels_of(kind).buckets {
            found.extend(bucket.lock().keys().filter(|name| wanted(name)).cloned());
        }
        found
    }

    /// How many hear this very channel.
    #[must_use]
    pub fn subscribers(&self, kind: Kind, channel: &[u8]) -> usize {
        let bucket = self.channels_of(kind).bucket(channel).lock();
        bucket.get(channel).map_or(0, Receivers::len)
    }

    /// How many channels or patterns somebody hears.
    #[must_use]
    pub fn count(&self, kind: Kind) -> usize {
        match kind {
            Kind::Pattern => self.pattern_count.load(Ordering::Relaxed),
            Kind::Channel | Kind::Shard => self.channels_of(kind).count.load(Ordering::Relaxed),
        }
    }

    /// How many clients hear anything.
    #[must_use]
    pub fn clients(&self) -> usize {
        self.clients.load(Ordering::Relaxed)
    }
}
