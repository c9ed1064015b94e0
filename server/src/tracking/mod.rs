//! Client-side caching: who is told that a key has changed.
//!
//! ```text
//!   GET k (read under k's lock) ── table: k -> [client, …]
//!   SET k (changed under k's lock) ─┬─ table: k taken out, a letter to each ─┐   >2 invalidate [k]
//!                                   └─ prefixes that k begins with ──────────┘   BCAST
//! ```
//!
//! The page is `docs/design/tracking.md`. Both ends happen under the key's shard lock, so no change falls
//! between a read and its entry in the table. While nobody tracks, a unit pays one test of a flag
//! (`store::Store::set_tracking`) and a read pays none: the session has no mode.
//!
//! T1  A key is in the table while a client in default mode may have it cached; a change takes it out and
//!     tells all of them once.
//! T2  The letter is posted before the unit's locks are let go, so before its reply can leave.
//! T3  Ids of clients that are gone, or no longer track in this mode, stay in the table until their key
//!     changes or is let go; they are recognised when it does. When the last client stops tracking the
//!     table is emptied.
//! T4  No lock in here is held while another is taken, but that of the count while the table is emptied.
//!
//! Checked by: server/tests/tracking.rs, tests/transcripts/connection/tracking.txt, the foreign suite.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};
use resp::Blob;
use store::{Changed, Store};

use crate::clients::{Claim, Client, ClientFlags, ClientId};
use crate::mailbox::Letter;
use crate::pubsub::Outbox;
use crate::server::Server;

mod message;
mod mode;
mod table;

pub use message::Invalidation;
pub use mode::{Mode, Tracked};
use table::Table;

/// So many keys are let go at a time, when there are more than `tracking-table-max-keys`.
const LET_GO_MAX: usize = 1_000;

/// The registry.
#[derive(Debug, Default)]
pub struct Tracking {
    table: Table,
    prefixes: RwLock<BTreeMap<Box<[u8]>, BTreeSet<ClientId>>>,
    /// Clients that track; the store's flag is raised while there are any, under this lock.
    clients: Mutex<usize>,
    keys_max: AtomicU64,
}

impl Tracking {
    /// Switches a client to a mode, or changes the one that it has. The caller has checked that the
    /// change is allowed.
    pub fn enable(&self, client: &Client, store: &Store, wanted: Tracked) {
        let prefixes: Vec<Box<[u8]>> = wanted.prefixes.iter().cloned().collect();
        let is_new = client.with_tracked(|tracked| match tracked {
            None => {
                *tracked = Some(wanted);
                true
            }
            Some(known) => {
                let before = std::mem::take(&mut known.prefixes);
                *known = wanted;
                before.into_iter().for_each(|prefix| known.hear(prefix));
                false
            }
        });
        if is_new {
            let mut clients = self.clients.lock();
            *clients += 1;
            store.set_tracking(true);
        }
        if !prefixes.is_empty() {
            let mut all = self.prefixes.write();
            for prefix in prefixes {
                all.entry(prefix).or_default().insert(client.id);
            }
        }
    }

    /// A client tracks no more: CLIENT TRACKING OFF, RESET, KILL, its end.
    pub fn disable(&self, client: &Client, store: &Store) {
        let Some(tracked) = client.with_tracked(Option::take) else {
            return;
        };
        if !tracked.prefixes.is_empty() {
            let mut all = self.prefixes.write();
            for prefix in &tracked.prefixes {
                if let Some(clients) = all.get_mut(prefix) {
                    clients.remove(&client.id);
                    if clients.is_empty() {
                        all.remove(prefix);
                    }
                }
            }
        }
        let mut clients = self.clients.lock();
        *clients -= 1;
        if *clients == 0 {
            store.set_tracking(false);
            // Under the lock: a client that begins now has nothing in the table yet.
            self.table.clear();
        }
    }

    /// Notes that a client has read a key. Under the key's shard lock.
    pub fn remember(&self, server: &Server, client: ClientId, key: &[u8], outbox: &Outbox<'_>) {
        self.table.enter(server.store.key(key).shard(), key, client);
        self.limit(server, outbox);
    }

    /// Tells what a unit has changed. Under the unit's locks; `actor` is whose unit it is.
    pub fn invalidate(
        &self,
        server: &Server,
        changed: &Changed,
        actor: Option<ClientId>,
        outbox: &Outbox<'_>,
    ) {
        self.broadcast(server, changed, actor, outbox);
        if !self.table.is_empty() {
            for (key, _) in changed.iter() {
                let readers = self.table.take(server.store.key(key).shard(), key);
                self.tell(server, key, &readers, actor, outbox);
            }
        }
        if changed.is_flushed() {
            self.table.clear();
            let everything = Arc::new(Invalidation::Everything);
            for client in server.clients.list() {
                if client.is_tracking() {
                    post(server, &client, &everything, outbox);
                }
            }
        }
    }

    /// Tells the readers of a key that it has changed, or is no longer watched over.
    fn tell(
        &self,
        server: &Server,
        key: &[u8],
        readers: &[ClientId],
        actor: Option<ClientId>,
        outbox: &Outbox<'_>,
    ) {
        if readers.is_empty() {
            return;
        }
        let push = Arc::new(Invalidation::of(std::iter::once(key)));
        for &reader in readers {
            let Some(client) = server.clients.get(reader) else {
                continue;
            };
            let is_in_mode =
                client.with_tracked(|tracked| tracked.as_ref().is_some_and(|mode| !mode.bcast));
            if is_in_mode && !(actor == Some(reader) && is_noloop(&client)) {
                post(server, &client, &push, outbox);
            }
        }
    }

    /// BCAST: one push a prefix and unit, its keys in order.
    fn broadcast(
        &self,
        server: &Server,
        changed: &Changed,
        actor: Option<ClientId>,
        outbox: &Outbox<'_>,
    ) {
        let mut heard: Vec<(Vec<ClientId>, Keys<'_>)> = Vec::new();
        for (prefix, clients) in &*self.prefixes.read() {
            let begins = changed.iter().filter(|(key, _)| key.starts_with(prefix));
            let keys: Keys<'_> = begins.collect();
            if !keys.is_empty() {
                heard.push((clients.iter().copied().collect(), keys));
            }
        }
        for (clients, keys) in heard {
            let for_all = Arc::new(Invalidation::of(keys.keys().copied()));
            for id in clients {
                let Some(client) = server.clients.get(id) else {
                    continue;
                };
                if !(actor == Some(id) && is_noloop(&client)) {
                    post(server, &client, &for_all, outbox);
                } else if keys.values().any(|by_client| !by_client) {
                    let others = keys.iter().filter(|(_, by_client)| !**by_client);
                    let push = Arc::new(Invalidation::of(others.map(|(key, _)| *key)));
                    post(server, &client, &push, outbox);
                }
            }
        }
    }

    /// `tracking-table-max-keys`: lets keys go, telling their readers, while there are too many.
    pub fn limit(&self, server: &Server, outbox: &Outbox<'_>) {
        // Relaxed: a limit that was just changed holds for the next call.
        let keys_max = self.keys_max.load(Ordering::Relaxed);
        if keys_max == 0 {
            return;
        }
        for _ in 0..LET_GO_MAX {
            if self.table.keys() as u64 <= keys_max {
                return;
            }
            let Some((key, readers)) = self.table.take_any() else {
                return;
            };
            self.tell(server, &key, &readers, None, outbox);
        }
    }

    /// Sets `tracking-table-max-keys`; 0 is no limit.
    pub fn set_keys_max(&self, keys_max: u64) {
        self.keys_max.store(keys_max, Ordering::Relaxed);
    }

    /// How many clients track.
    #[must_use]
    pub fn clients(&self) -> usize {
        *self.clients.lock()
    }

    /// Keys in the table, the readers of all of them, and prefixes.
    #[must_use]
    pub fn figures(&self) -> (usize, usize, usize) {
        (
            self.table.keys(),
            self.table.items(),
            self.prefixes.read().len(),
        )
    }
}

/// Changed keys in order, each with whether the unit's client made the last change.
type Keys<'k> = BTreeMap<&'k [u8], bool>;

fn is_noloop(client: &Client) -> bool {
    client.with_tracked(|tracked| tracked.as_ref().is_some_and(|tracked| tracked.noloop))
}

/// Posts to whoever hears for `client`: itself, or the client that it redirects to.
fn post(server: &Server, client: &Client, push: &Arc<Invalidation>, outbox: &Outbox<'_>) {
    let redirect = client.with_tracked(|tracked| tracked.as_ref().and_then(|t| t.redirect));
    let Some(redirect) = redirect else {
        let letter = Letter::Invalidate {
            to: client.id,
            push: push.clone(),
            is_redirected: false,
        };
        return outbox.post(client.worker, letter);
    };
    // A client that is about to close hears nothing more, though it may still be there.
    let target = server.clients.get(redirect).filter(|target| {
        target.claim() == Claim::Open && !target.flags().has(ClientFlags::CLOSE_AFTER_REPLY)
    });
    if let Some(target) = target {
        let letter = Letter::Invalidate {
            to: target.id,
            push: push.clone(),
            is_redirected: true,
        };
        return outbox.post(target.worker, letter);
    }
    client.with_tracked(|tracked| {
        if let Some(tracked) = tracked {
            tracked.is_broken = true;
        }
    });
    let letter = Letter::Invalidate {
        to: client.id,
        push: Arc::new(Invalidation::Broken(redirect)),
        is_redirected: false,
    };
    outbox.post(client.worker, letter);
}

/// Bytes for many.
fn shared(bytes: Vec<u8>) -> Blob {
    Arc::new(bytes)
}
