//! Every client, as threads other than its worker see it.
//!
//! A client belongs to one worker, which keeps its connection. Here is what others may read (CLIENT
//! LIST, INFO) and the one word by which they may act on it.
//!
//!          claim(Killed)            claim(Closed)
//!   Open ─────────────────▶ Killed ──────────────▶ (entry removed by the owner)
//!    │                                   ▲
//!    └── owner: timeout, limits, end ────┘ Closed
//!
//! C1  the state word leaves `Open` once, by compare-and-swap: of KILL, a time-out, a limit and the
//!     peer's end exactly one wins, and a caller knows the outcome before it replies.
//! C2  a killed client runs no further command: its worker looks at the word before each.
//! C3  figures have one writer, the owner; readers may see them a turn old.
//! C4  ids rise and are never reused.
//!
//! Checked by: tests below, server/tests.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicI32, AtomicI64, AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering,
};

use parking_lot::{Mutex, RwLock};

use crate::mailbox::{Letter, Mailbox};
use crate::pubsub::{Kind, Push, Subscriber, Subscriptions};
use crate::tracking::Tracked;

/// A client's number, as CLIENT ID gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u64);

/// Who has taken a client's end upon itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Claim {
    /// Nobody: it is served.
    Open = 0,
    /// CLIENT KILL, or a server that stops: close as soon as the owner looks.
    Killed = 1,
    /// Its owner: time-out, limit, error, QUIT, or the peer's end.
    Closed = 2,
}

/// Marks of a client, for the `flags=` of CLIENT LIST and the classes of KILL and limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientFlags(pub u32);

impl ClientFlags {
    /// In MULTI.
    pub const MULTI: u32 = 1;
    /// A watched key was changed: EXEC will fail.
    pub const DIRTY_CAS: u32 = 1 << 1;
    /// Gets MONITOR's feed.
    pub const MONITOR: u32 = 1 << 2;
    /// Closed once its output has left.
    pub const CLOSE_AFTER_REPLY: u32 = 1 << 3;
    /// Came over a Unix socket.
    pub const UNIX_SOCKET: u32 = 1 << 4;
    /// CLIENT NO-EVICT ON.
    pub const NO_EVICT: u32 = 1 << 5;
    /// CLIENT NO-TOUCH ON.
    pub const NO_TOUCH: u32 = 1 << 6;
    /// READONLY (a cluster's replica).
    pub const READONLY: u32 = 1 << 7;
    /// Waits: parked by a gate or a lock, or in a blocking command.
    pub const BLOCKED: u32 = 1 << 8;
    /// CLIENT IMPORT-SOURCE ON.
    pub const IMPORT_SOURCE: u32 = 1 << 9;
    /// Close as soon as possible: its output went over a limit.
    pub const CLOSE_ASAP: u32 = 1 << 10;
    /// CLIENT CAPA REDIRECT; has no letter.
    pub const CAPA_REDIRECT: u32 = 1 << 11;
    /// Subscribed to something.
    pub const PUBSUB: u32 = 1 << 12;
    /// CLIENT TRACKING ON.
    pub const TRACKING: u32 = 1 << 13;
    /// The client that it redirects to is gone.
    pub const BROKEN_REDIRECT: u32 = 1 << 14;
    /// Tracks in the mode BCAST.
    pub const BCAST: u32 = 1 << 15;

    /// The letters of CLIENT LIST, `N` when there are none.
    #[must_use]
    pub fn letters(self) -> String {
        const LETTERS: [(u32, char); 15] = [
            (ClientFlags::MONITOR, 'O'),
            (ClientFlags::PUBSUB, 'P'),
            (ClientFlags::MULTI, 'x'),
            (ClientFlags::BLOCKED, 'b'),
            (ClientFlags::TRACKING, 't'),
            (ClientFlags::BROKEN_REDIRECT, 'R'),
            (ClientFlags::BCAST, 'B'),
            (ClientFlags::DIRTY_CAS, 'd'),
            (ClientFlags::CLOSE_AFTER_REPLY, 'c'),
            (ClientFlags::CLOSE_ASAP, 'A'),
            (ClientFlags::UNIX_SOCKET, 'U'),
            (ClientFlags::READONLY, 'r'),
            (ClientFlags::NO_EVICT, 'e'),
            (ClientFlags::NO_TOUCH, 'T'),
            (ClientFlags::IMPORT_SOURCE, 'I'),
        ];
        let letters: String = LETTERS
            .iter()
            .filter(|(flag, _)| self.0 & flag != 0)
            .map(|&(_, letter)| letter)
            .collect();
        if letters.is_empty() {
            "N".to_owned()
        } else {
            letters
        }
    }

    /// Whether all of `flags` are set.
    #[must_use]
    pub fn has(self, flags: u32) -> bool {
        self.0 & flags == flags
    }
}

/// What a client calls itself.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// CLIENT SETNAME.
    pub name: Box<[u8]>,
    /// CLIENT SETINFO LIB-NAME.
    pub lib_name: Box<[u8]>,
    /// CLIENT SETINFO LIB-VER.
    pub lib_version: Box<[u8]>,
    /// The user it is logged in as.
    pub user: Box<[u8]>,
}

/// Figures that the owner publishes: at the end of each turn, and before a command about the server
/// itself, so that CLIENT LIST tells the truth about its own client.
#[derive(Debug, Default)]
pub struct Figures {
    /// When it last sent something, monotonic ms of the driver.
    pub active_ms: AtomicI64,
    /// The last command, as `CommandId` + 1; 0: none yet.
    pub last_command: AtomicU16,
    /// The selected database.
    pub db: AtomicU32,
    /// Commands queued by MULTI; -1 outside.
    pub multi: AtomicI32,
    /// Bytes of MULTI's queue.
    pub multi_bytes: AtomicU64,
    /// Watched keys.
    pub watched: AtomicU32,
    /// Subscriptions to channels, patterns and shard channels; written under the subscriptions' lock.
    pub subscribed: [AtomicU32; 3],
    /// `ClientFlags`.
    pub flags: AtomicU32,
    /// 2 or 3.
    pub proto: AtomicU8,
    /// Unparsed bytes in the input buffer.
    pub query_bytes: AtomicU64,
    /// Room in the input buffer.
    pub query_free: AtomicU64,
    /// Bytes of the words of half a request.
    pub argv_bytes: AtomicU64,
    /// Output not yet sent, as far as it fits into what Redis gives each client (`obl`).
    pub output_bytes: AtomicU64,
    /// The rest of it, in pieces of that size (`oll`).
    pub output_pieces: AtomicU32,
    /// The rest of it, in bytes (`omem`).
    pub output_list_bytes: AtomicU64,
    /// The system has not taken yet what was handed on.
    pub is_sending: AtomicBool,
    /// The size with which the next reply begins, and the largest reply of late.
    pub reply_capacity: AtomicU64,
    /// See `reply_capacity`.
    pub reply_peak: AtomicU64,
    /// Bytes received and sent, and commands run.
    pub net_in: AtomicU64,
    /// See `net_in`.
    pub net_out: AtomicU64,
    /// See `net_in`.
    pub commands: AtomicU64,
    /// Bytes that the connection holds in all.
    pub memory_bytes: AtomicU64,
}

/// One client.
#[derive(Debug)]
pub struct Client {
    /// Its number.
    pub id: ClientId,
    /// The worker that owns it.
    pub worker: usize,
    /// Wall clock at the connection's start, ms.
    pub created_unix_ms: i64,
    /// Monotonic ms at the connection's start.
    pub created_ms: i64,
    /// Where it comes from.
    pub peer: io::Address,
    /// Where it came to.
    pub local: io::Address,
    /// Its socket's number (`io::Driver::descriptor`).
    pub descriptor: i64,
    /// What the owner publishes.
    pub figures: Figures,
    names: Mutex<Names>,
    /// There are some once it has subscribed; changed by `PubSub` alone.
    subscriptions: Mutex<Option<Box<Subscriptions>>>,
    /// Changed by `Tracking` alone.
    tracked: Mutex<Option<Tracked>>,
    claim: AtomicU8,
    /// What all clients hold.
    total_bytes: Arc<AtomicU64>,
}

impl Client {
    /// The owner publishes how many bytes the connection holds in all.
    pub fn holds(&self, bytes: u64) {
        // Relaxed: figures; the sum is right once everybody has published.
        let before = self.figures.memory_bytes.swap(bytes, Ordering::Relaxed);
        if before != bytes {
            let more = bytes.wrapping_sub(before);
            self.total_bytes.fetch_add(more, Ordering::Relaxed);
        }
    }

    /// Who has claimed it.
    #[inline]
    #[must_use]
    pub fn claim(&self) -> Claim {
        // Acquire: whoever sees the claim sees what the claimer did before.
        match self.claim.load(Ordering::Acquire) {
            0 => Claim::Open,
            1 => Claim::Killed,
            _ => Claim::Closed,
        }
    }

    /// Takes the client's end upon itself; `false` when somebody else has (C1).
    pub fn try_claim(&self, claim: Claim) -> bool {
        // AcqRel: the winner's earlier writes are seen by the owner, the owner's by the winner.
        self.claim
            .compare_exchange(
                Claim::Open as u8,
                claim as u8,
                Ordering::AcqRel,
                Ordering::Acquire,
            )
            .is_ok()
    }

    /// Its names.
    #[must_use]
    pub fn names(&self) -> Names {
        self.names.lock().clone()
    }

    /// Changes its names.
    pub fn with_names<R>(&self, change: impl FnOnce(&mut Names) -> R) -> R {
        change(&mut self.names.lock())
    }

    /// Whether a message that was posted to `subscriber` is still for it.
    #[inline]
    #[must_use]
    pub fn still_hears(&self, push: &Push, subscriber: Subscriber) -> bool {
        let subscriptions = self.subscriptions.lock();
        subscriptions
            .as_ref()
            .is_some_and(|known| known.still_has(push.kind(), push.name(), subscriber))
    }

    /// Bytes that its subscriptions take, about.
    #[must_use]
    pub fn subscription_bytes(&self) -> usize {
        let subscriptions = self.subscriptions.lock();
        subscriptions
            .as_ref()
            .map_or(0, |known| known.memory_bytes())
    }

    /// Looks at or changes its subscriptions.
    pub fn with_subscriptions<R>(&self, change: impl FnOnce(&mut Subscriptions) -> R) -> R {
        let mut subscriptions = self.subscriptions.lock();
        let subscriptions = subscriptions.get_or_insert_default();
        let result = change(subscriptions);
        for (figure, kind) in self.figures.subscribed.iter().zip(Kind::ALL) {
            let count = u32::try_from(subscriptions.count(kind)).unwrap_or(u32::MAX);
            figure.store(count, Ordering::Relaxed);
        }
        result
    }

    /// Whether it has ever subscribed to anything.
    #[must_use]
    pub fn has_subscribed(&self) -> bool {
        self.subscriptions.lock().is_some()
    }

    /// Looks at or changes how it tracks keys.
    pub fn with_tracked<R>(&self, change: impl FnOnce(&mut Option<Tracked>) -> R) -> R {
        let mut tracked = self.tracked.lock();
        change(&mut tracked)
    }

    /// Bytes that its tracking takes, about.
    #[must_use]
    pub fn tracking_bytes(&self) -> usize {
        self.with_tracked(|tracked| tracked.as_ref().map_or(0, Tracked::memory_bytes))
    }

    /// Whether it tracks keys.
    #[must_use]
    pub fn is_tracking(&self) -> bool {
        self.with_tracked(|tracked| tracked.is_some())
    }

    /// CLIENT GETREDIR: -1 when it does not track, 0 when it hears for itself.
    #[must_use]
    pub fn redirect(&self) -> i64 {
        self.with_tracked(|tracked| match tracked {
            None => -1,
            Some(tracked) => tracked.redirect.map_or(0, |id| id.0.cast_signed()),
        })
    }

    /// Its marks: those that its owner has published, and how it tracks.
    #[must_use]
    pub fn flags(&self) -> ClientFlags {
        let tracking = self.with_tracked(|tracked| match tracked {
            None => 0,
            Some(tracked) => {
                let mark = |is: bool, flag: u32| if is { flag } else { 0 };
                ClientFlags::TRACKING
                    | mark(tracked.bcast, ClientFlags::BCAST)
                    | mark(tracked.is_broken, ClientFlags::BROKEN_REDIRECT)
            }
        });
        ClientFlags(self.figures.flags.load(Ordering::Relaxed) | tracking)
    }
}

/// The two clocks at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// The wall clock.
    pub unix_ms: i64,
    /// The driver's clock that only goes forward.
    pub monotonic_ms: i64,
}

/// The registry.
#[derive(Debug, Default)]
pub struct Clients {
    last_id: AtomicU64,
    all: RwLock<BTreeMap<ClientId, Arc<Client>>>,
    count: AtomicU64,
    total_bytes: Arc<AtomicU64>,
    /// Connections admitted to each worker, those on their way to it included.
    by_worker: Box<[AtomicU64]>,
}

impl Clients {
    /// Nobody yet.
    #[must_use]
    pub fn new(workers: usize) -> Clients {
        Clients {
            by_worker: (0..workers).map(|_| AtomicU64::new(0)).collect(),
            ..Clients::default()
        }
    }

    /// Registers a new client.
    pub fn enter(
        &self,
        worker: usize,
        peer: io::Address,
        local: io::Address,
        descriptor: i64,
        now: Now,
    ) -> Arc<Client> {
        // Relaxed: only uniqueness and order of the numbers themselves matter.
        let id = ClientId(self.last_id.fetch_add(1, Ordering::Relaxed) + 1);
        let figures = Figures::default();
        figures.active_ms.store(now.monotonic_ms, Ordering::Relaxed);
        figures.multi.store(-1, Ordering::Relaxed);
        figures.proto.store(2, Ordering::Relaxed);
        let client = Arc::new(Client {
            id,
            worker,
            created_unix_ms: now.unix_ms,
            created_ms: now.monotonic_ms,
            peer,
            local,
            descriptor,
            figures,
            names: Mutex::new(Names {
                user: b"default".as_slice().into(),
                ..Names::default()
            }),
            subscriptions: Mutex::new(None),
            tracked: Mutex::new(None),
            claim: AtomicU8::new(Claim::Open as u8),
            total_bytes: Arc::clone(&self.total_bytes),
        });
        self.all.write().insert(id, client.clone());
        self.count.fetch_add(1, Ordering::Relaxed);
        client
    }

    /// Removes a client whose connection is gone. By its owner.
    pub fn leave(&self, id: ClientId) {
        let left = self.all.write().remove(&id);
        if let Some(client) = left {
            client.holds(0);
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Bytes that all clients together hold, as they have published it.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.total_bytes.load(Ordering::Relaxed)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Admits a connection and says which worker is to have it, the one with the fewest; `None` when
    /// there are `clients_max` already. Called by the one worker that accepts.
    pub(crate) fn admit(&self, clients_max: u64) -> Option<usize> {
        // Relaxed: numbers for a fair choice; one thread adds, and each worker takes away its own.
        let loads = self
            .by_worker
            .iter()
            .map(|count| count.load(Ordering::Relaxed));
        let total: u64 = loads.clone().sum();
        if total >= clients_max {
            return None;
        }
        let (worker, _) = loads.enumerate().min_by_key(|&(_, load)| load)?;
        self.by_worker[worker].fetch_add(1, Ordering::Relaxed);
        Some(worker)
    }

    /// A connection that was admitted to `worker` is gone.
    pub(crate) fn dismiss(&self, worker: usize) {
        self.by_worker[worker].fetch_sub(1, Ordering::Relaxed);
    }

    /// The client with this number.
    #[must_use]
    pub fn get(&self, id: ClientId) -> Option<Arc<Client>> {
        self.all.read().get(&id).cloned()
    }

    /// The same without waiting: for a crash report.
    #[must_use]
    pub fn try_get(&self, id: ClientId) -> Option<Arc<Client>> {
        self.all.try_read()?.get(&id).cloned()
    }

    /// All clients, in the order of their numbers.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<Client>> {
        self.all.read().values().cloned().collect()
    }

    /// Kills `client`; `false` when its end was already somebody else's. Its owner is told. What it
    /// has in the registries is the caller's to take out (`Server::kill`).
    pub fn kill(&self, client: &Client, mailboxes: &[Mailbox]) -> bool {
        let won = client.try_claim(Claim::Killed);
        if won {
            mailboxes[client.worker].post(Letter::Claimed(client.id));
        }
        won
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(clients: &Clients) -> Arc<Client> {
        let address = || io::Address::Ip("127.0.0.1:1".parse().expect("an address"));
        let now = Now {
            unix_ms: 5,
            monotonic_ms: 7,
        };
        clients.enter(0, address(), address(), 9, now)
    }

    #[test]
    fn exactly_one_claims() {
        let clients = Clients::default();
        for _ in 0..200 {
            let client = enter(&clients);
            let wins: usize = std::thread::scope(|scope| {
                let claimers = [Claim::Killed, Claim::Closed, Claim::Killed].map(|claim| {
                    scope.spawn({
                        let client = &client;
                        move || client.try_claim(claim)
                    })
                });
                claimers
                    .into_iter()
                    .map(|t| usize::from(t.join().expect("no panic")))
                    .sum()
            });
            assert_eq!(wins, 1);
            assert_ne!(client.claim(), Claim::Open);
        }
    }

    #[test]
    fn numbers_rise_and_the_registry_forgets() {
        let clients = Clients::default();
        let (first, second) = (enter(&clients), enter(&clients));
        assert!(first.id < second.id);
        clients.leave(first.id);
        clients.leave(first.id);
        assert_eq!(clients.len(), 1);
        assert!(clients.get(first.id).is_none());
        assert!(enter(&clients).id > second.id);
    }

    #[test]
    fn connections_are_handed_out_evenly_up_to_the_limit() {
        let clients = Clients::new(3);
        let given: Vec<_> = (0..6).map(|_| clients.admit(6)).collect();
        assert_eq!(given, [0, 1, 2, 0, 1, 2].map(Some));
        assert_eq!(clients.admit(6), None);
        clients.dismiss(1);
        assert_eq!(clients.admit(6), Some(1));
    }

    #[test]
    fn letters() {
        assert_eq!(ClientFlags(0).letters(), "N");
        assert_eq!(
            ClientFlags(ClientFlags::MULTI | ClientFlags::UNIX_SOCKET).letters(),
            "xU"
        );
    }
}
