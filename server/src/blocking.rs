//! Clients whose command waits for a key. The page is `docs/design/blocking.md`.
//!
//!   registry     client id ─▶ Blocked { its command and words, the store's waiter, the state word }
//!
//! The store knows who waits for which key (`store::Waiter`); here is what it takes to run the command
//! again on the client's behalf, and the word that decides who answers it (B1).
//!
//! Checked by: tests below, server/tests/blocking.rs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU32, Ordering};

use commands::Block;
use parking_lot::Mutex;
use resp::{Args, OwnedArgs, Proto, Reply};
use store::{Key, Plan, Ready, Store, Unit, Waiter};

use crate::clients::{Claim, Client, ClientId};
use crate::desk::Desk;
use crate::dispatch::Seat;
use crate::execute::{self, Ran};
use crate::mailbox::Letter;
use crate::plan::for_each_key;
use crate::server::Server;
use crate::session::Session;
use crate::table::{Command, CommandId};

const WAITING: u8 = 0;
const SERVING: u8 = 1;
const ENDED: u8 = 2;

/// One client's blocked command.
#[derive(Debug)]
pub struct Blocked {
    pub(crate) client: Arc<Client>,
    pub(crate) command: CommandId,
    pub(crate) args: OwnedArgs,
    pub(crate) proto: Proto,
    pub(crate) waiter: Arc<Waiter>,
    /// When it gives up, in milliseconds since 1970.
    pub(crate) until_ms: Option<i64>,
    /// When it may find something without anybody's doing, in milliseconds since 1970, or [`NEVER`].
    again_ms: AtomicI64,
    state: AtomicU8,
}

/// Not without somebody's doing.
const NEVER: i64 = i64::MAX;

/// What came of trying to end a wait from outside of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It is ended, and the caller answers.
    Ours,
    /// Somebody is running the command this moment: ask again (B3).
    Serving,
    /// Somebody else has ended it.
    Over,
}

impl Blocked {
    fn step(&self, from: u8, to: u8) -> bool {
        // AcqRel: the winner sees what the last holder did, and is seen by the next.
        self.state
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// Ends the wait, unless it is being served or over.
    pub(crate) fn try_end(&self) -> Ending {
        if self.step(WAITING, ENDED) {
            Ending::Ours
        } else if self.state.load(Ordering::Acquire) == SERVING {
            Ending::Serving
        } else {
            Ending::Over
        }
    }

    /// Ends the wait, if nobody else does. Who finds its command running stays for the few
    /// microseconds that it takes: whoever runs it holds its locks already and waits for nobody.
    pub(crate) fn end_when_idle(&self) -> bool {
        loop {
            match self.try_end() {
                Ending::Ours => return true,
                Ending::Over => return false,
                Ending::Serving => std::thread::yield_now(),
            }
        }
    }

    /// When its owner is to run it again by itself (B4).
    pub(crate) fn again_ms(&self) -> Option<i64> {
        // Relaxed: a time alone. Who makes it earlier sends the owner a letter, and that orders.
        Some(self.again_ms.load(Ordering::Relaxed)).filter(|&at| at != NEVER)
    }

    /// Notes when it may find something by itself; whether that is earlier than was known.
    fn note_again(&self, again_ms: Option<i64>) -> bool {
        let again_ms = again_ms.unwrap_or(NEVER);
        // Relaxed: as above.
        again_ms < self.again_ms.fetch_min(again_ms, Ordering::Relaxed)
    }

    /// What the client is told when its time is over: the null of an array, whatever the command's own
    /// null is, as Redis does.
    pub(crate) fn write_null(reply: &mut Reply) {
        reply.null_array();
    }
}

/// All blocked clients.
#[derive(Debug, Default)]
pub struct Blockings {
    all: Mutex<BTreeMap<ClientId, Arc<Blocked>>>,
    count: AtomicU32,
}

impl Blockings {
    /// Whether anybody is blocked. A look that orders nothing: who registers does so under the locks
    /// of its keys, and whoever makes one of them ready has had these locks since.
    #[inline]
    pub(crate) fn any(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }

    fn enter(&self, blocked: Arc<Blocked>) {
        let mut all = self.all.lock();
        all.insert(blocked.client.id, blocked);
        self.count.store(
            u32::try_from(all.len()).unwrap_or(u32::MAX),
            Ordering::Relaxed,
        );
    }

    /// Forgets a client's wait, if it is this one.
    pub(crate) fn leave(&self, blocked: &Arc<Blocked>) {
        let mut all = self.all.lock();
        let id = blocked.client.id;
        if all
            .get(&id)
            .is_some_and(|known| Arc::ptr_eq(known, blocked))
        {
            all.remove(&id);
        }
        self.count.store(
            u32::try_from(all.len()).unwrap_or(u32::MAX),
            Ordering::Relaxed,
        );
    }

    /// A client's wait.
    pub(crate) fn of(&self, id: ClientId) -> Option<Arc<Blocked>> {
        self.all.lock().get(&id).cloned()
    }

    /// Those who wait for a key and want to hear that it has gone.
    pub(crate) fn hearing_loss(&self, db: u32, key: &[u8]) -> Vec<Arc<Blocked>> {
        let hears = |blocked: &&Arc<Blocked>| {
            let waiter = &blocked.waiter;
            waiter.hears_loss
                && waiter.db == db
                && waiter.awaited().any(|awaited| awaited.bytes() == key)
        };
        self.all.lock().values().filter(hears).cloned().collect()
    }

    /// How many different keys are waited for, and how many of those by somebody who wants to hear that
    /// they have gone (INFO's `total_blocking_keys` and `total_blocking_keys_on_nokey`).
    #[must_use]
    pub fn keys(&self) -> (usize, usize) {
        let all = self.all.lock();
        let mut keys: BTreeMap<(u32, &[u8]), bool> = BTreeMap::new();
        for blocked in all.values() {
            let waiter = &blocked.waiter;
            for key in waiter.awaited() {
                *keys.entry((waiter.db, key.bytes())).or_default() |= waiter.hears_loss;
            }
        }
        (keys.len(), keys.values().filter(|hears| **hears).count())
    }
}

/// Registers a command that has found nothing, under the locks of its keys. Its session is not blocked
/// afterwards if there is no memory for its words.
pub(crate) fn block(
    server: &Server,
    unit: &mut Unit<'_>,
    seat: &mut Seat<'_>,
    command: &Command,
    args: Args<'_>,
    block: &Block,
) {
    let Some(mut args) = args.try_to_owned() else {
        return;
    };
    if !block.rewrite.is_empty() {
        let mut words: Vec<&[u8]> = args.as_args().iter().collect();
        for (at, word) in &block.rewrite {
            words[*at] = word;
        }
        args = OwnedArgs::from_slices(&words);
    }
    let (mut awaited, mut others) = (Vec::new(), Vec::new());
    for (at, _) in commands::keys::positions(command.spec.keys, args.as_args()) {
        let key = unit.key(args.as_args().get(at));
        if block.awaited.contains(&at) {
            awaited.push(key);
        } else {
            others.push(key);
        }
    }
    // A command that runs anew has its time from before.
    let until_ms = match &seat.session.again {
        Some(before) => before.until_ms,
        None => block.until_ms,
    };
    let id = seat.client.id.0;
    let db = unit.db();
    let waiter = Waiter::new(id, block.kind, block.hears_loss, db, &awaited, &others);
    let blocked = Arc::new(Blocked {
        client: Arc::clone(seat.client),
        command: command.id,
        args,
        proto: seat.reply.proto(),
        waiter,
        until_ms,
        again_ms: AtomicI64::new(block.again_ms.unwrap_or(NEVER)),
        state: AtomicU8::new(WAITING),
    });
    unit.wait(&blocked.waiter);
    server.blocked.enter(Arc::clone(&blocked));
    seat.session.blocked = Some(blocked);
}

/// How far a chain of waiters is followed: further ones are for the ticket.
const CHAIN_MAX: u32 = 3;

/// Adds the shards that serving the waiters of a key will need; `false` if only all will do.
///
/// This looks before locking, so that a command locks once. A waiter who comes between the look and
/// the lock and whose shards are then missing is told to run its command itself.
pub(crate) fn add_waiters(
    store: &Store,
    db: u32,
    key: Key<'_>,
    depth: u32,
    shards: &mut Vec<usize>,
) -> bool {
    let waiters = store.waiters(db, key);
    if !waiters.is_empty() && depth == CHAIN_MAX {
        return false;
    }
    waiters.iter().all(|waiter| {
        let named = waiter.awaited().chain(waiter.others());
        shards.extend(named.map(Key::shard));
        let mut others = waiter.others();
        others.all(|other| add_waiters(store, db, other, depth + 1, shards))
    })
}

/// The plan, and the shards that serving the waiters of the command's keys will need.
#[cold]
pub(crate) fn with_waiters<'p>(
    plan: Plan<'p>,
    server: &Server,
    session: &Session,
    command: &Command,
    args: Args<'_>,
    shards: &'p mut Vec<usize>,
) -> Plan<'p> {
    let held: &[usize] = match &plan {
        Plan::Narrow(one) => std::slice::from_ref(one),
        Plan::Several(several) => several,
        Plan::Nothing | Plan::Wide | Plan::OneByOne => return plan,
    };
    shards.clear();
    let store = &server.store;
    let mut enough = true;
    for_each_key(command, args, session, &server.commands, |word| {
        enough &= add_waiters(store, session.db, store.key(word), 0, shards);
    });
    if !enough {
        return Plan::Wide;
    }
    if shards.iter().all(|shard| held.contains(shard)) {
        return plan;
    }
    shards.extend_from_slice(held);
    Plan::Several(shards)
}

/// Serves those who wait for what the unit has made ready, in order.
#[cold]
pub(crate) fn serve(server: &Server, desk: &mut Desk, unit: &mut Unit<'_>) {
    let db = unit.db();
    while let Some(ready) = unit.take_ready() {
        for waiter in unit.waiters(&ready) {
            let blocked = server.blocked.of(ClientId(waiter.id));
            let Some(blocked) = blocked.filter(|b| Arc::ptr_eq(&b.waiter, &waiter)) else {
                continue;
            };
            if !unit.may_serve(&waiter, &ready) {
                continue;
            }
            if unit.holds_shards_of(&waiter) {
                serve_one(server, desk, unit, &blocked);
            } else {
                send_again(server, &blocked);
            }
        }
    }
    unit.select(db);
}

/// Runs a waiter's command again on its behalf.
fn serve_one(server: &Server, desk: &mut Desk, unit: &mut Unit<'_>, blocked: &Arc<Blocked>) {
    if blocked.client.claim() != Claim::Open || !blocked.step(WAITING, SERVING) {
        return;
    }
    unit.select(blocked.waiter.db);
    let mut reply = Reply::new(blocked.proto);
    let command = server.commands.command(blocked.command);
    let ran = execute::run_again(desk, unit, command, blocked.args.as_args(), &mut reply);
    if ran == Ran::Answered {
        assert!(blocked.step(SERVING, ENDED), "only we have the word");
        unit.unwait(&blocked.waiter);
        server.blocked.leave(blocked);
        let letter = Letter::Answered {
            to: blocked.client.id,
            output: reply.take(Vec::new()),
        };
        server.mailboxes[blocked.client.worker].post(letter);
    } else {
        let again_ms = match &ran {
            Ran::Blocks(block) => block.again_ms,
            Ran::Answered | Ran::Busy | Ran::Awaits => None,
        };
        let is_earlier = blocked.note_again(again_ms);
        assert!(blocked.step(SERVING, WAITING), "only we have the word");
        if is_earlier {
            let letter = Letter::Sooner(blocked.client.id);
            server.mailboxes[blocked.client.worker].post(letter);
        }
    }
}

fn send_again(server: &Server, blocked: &Blocked) {
    server.mailboxes[blocked.client.worker].post(Letter::Again(blocked.client.id));
}

/// What a unit without a dispatcher (the expire cycle) has made ready: the owners run their commands
/// themselves.
pub(crate) fn send_again_for(server: &Server, ready: &[Ready]) {
    for ready in ready {
        for blocked in server.blocked.hearing_loss(ready.db, &ready.key) {
            send_again(server, &blocked);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::{Clients, Now};

    #[test]
    fn exactly_one_ends_a_wait() {
        let clients = Clients::new(1);
        let address = || io::Address::Ip("127.0.0.1:1".parse().expect("an address"));
        let now = Now {
            unix_ms: 0,
            monotonic_ms: 0,
        };
        let blocked = Blocked {
            client: clients.enter(0, address(), address(), -1, now),
            command: CommandId(0),
            args: OwnedArgs::from_slices(&["blpop", "k", "0"]),
            proto: Proto::Resp2,
            waiter: Waiter::new(1, store::Kind::List, false, 0, &[], &[]),
            until_ms: None,
            again_ms: AtomicI64::new(NEVER),
            state: AtomicU8::new(WAITING),
        };
        assert!(blocked.step(WAITING, SERVING));
        assert_eq!(blocked.try_end(), Ending::Serving);
        assert!(blocked.step(SERVING, WAITING));
        let wins: usize = std::thread::scope(|scope| {
            let enders = [0; 4].map(|_| scope.spawn(|| blocked.try_end() == Ending::Ours));
            let ended = enders.into_iter().map(|t| t.join().expect("no panic"));
            ended.map(usize::from).sum()
        });
        assert_eq!((wins, blocked.try_end()), (1, Ending::Over));
    }
}
