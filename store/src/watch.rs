//! WATCH: who must be told that a key has changed before their EXEC.
//!
//! ```text
//!   connection ──Arc──> Watcher { dirty, ended, its keys }
//!                          ^
//!   shard ── Registry: key ─> [ Watch { db, watcher, expired }, .. ]     under the shard's lock
//! ```
//!
//! A write marks, under the shard's lock, all watchers of its key. EXEC locks its commands' keys
//! and its watched keys and tests its mark under those locks, so no write can come between the
//! test and the transaction.
//!
//! A watcher serves one session, from the first WATCH to EXEC, DISCARD or UNWATCH. Ending it takes
//! its watches out where the shards can be had at once; what is left over is recognised by `ended`
//! and swept by whoever next comes by, so ending never waits.
//!
//! W1  Each watch of a living session stands in exactly the registry of its key's shard.
//! W2  `expired` says that the key had expired, and was still there, when it was watched: then its
//!     removal is no change, and its expiry does not fail EXEC (as in Redis 7).
//! W3  A mark, once set, stays for the session.
//!
//! Checked by: the tests at the foot, `tests/protocols.rs` (shuttle).

use std::collections::BTreeMap;
use std::sync::Arc;

use collections::table::Hash;

use crate::Refused;
use crate::key::Key;
use crate::sync::{AtomicBool, Mutex, Relaxed};

/// One connection's WATCH session.
#[derive(Debug)]
pub struct Watcher {
    dirty: AtomicBool,
    ended: AtomicBool,
    /// Touched by the connection's own worker alone; the lock is a formality.
    keys: Mutex<Vec<WatchedKey>>,
}

/// A key as the watcher remembers it.
#[derive(Clone, Debug)]
pub(crate) struct WatchedKey {
    pub(crate) db: u32,
    hash: Hash,
    bytes: Box<[u8]>,
}

impl WatchedKey {
    pub(crate) fn key(&self) -> Key<'_> {
        Key::new(&self.bytes, self.hash)
    }
}

impl Watcher {
    /// A session that watches nothing yet.
    #[must_use]
    pub fn new() -> Arc<Watcher> {
        Arc::new(Watcher {
            dirty: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            keys: Mutex::new(Vec::new()),
        })
    }

    /// Adds the shards of the watched keys to EXEC's plan.
    pub fn shards(&self, into: &mut Vec<usize>) {
        into.extend(self.keys.lock().iter().map(|watched| watched.key().shard()));
    }

    /// Whether nothing is watched.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.lock().is_empty()
    }

    /// Whether a watched key is known to have changed. A look without locks: EXEC asks
    /// [`crate::Unit::watch_failed`].
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        // Relaxed: under the watched shards' locks these order it; without them it is a hint.
        self.dirty.load(Relaxed)
    }

    /// Says that a watched key has changed.
    fn mark(&self) {
        // Relaxed: the shard's release store publishes it to whoever locks the shard next.
        self.dirty.store(true, Relaxed);
    }

    /// Ends the session; its keys go back to the caller, who takes out their watches.
    pub(crate) fn end(&self) -> Vec<WatchedKey> {
        // Relaxed: only a hint for sweeping; the session's own thread has stopped asking.
        self.ended.store(true, Relaxed);
        std::mem::take(&mut *self.keys.lock())
    }

    fn has_ended(&self) -> bool {
        // Relaxed: see `end`.
        self.ended.load(Relaxed)
    }

    /// Remembers a key; false if it is watched already.
    fn remember(&self, db: u32, key: Key<'_>) -> Result<bool, Refused> {
        assert!(
            !self.has_ended(),
            "a watcher serves one session: make a new one"
        );
        let mut keys = self.keys.lock();
        let known = keys
            .iter()
            .any(|watched| watched.db == db && *watched.bytes == *key.bytes());
        if !known {
            let bytes = copy(key.bytes())?;
            keys.try_reserve(1).map_err(|_| Refused)?;
            keys.push(WatchedKey {
                db,
                hash: key.hash(),
                bytes,
            });
        }
        Ok(!known)
    }

    /// Forgets the key that was remembered last.
    fn forget_last(&self) {
        self.keys.lock().pop();
    }

    /// Whether any watched key fulfils `test`.
    pub(crate) fn any(&self, test: impl FnMut(&WatchedKey) -> bool) -> bool {
        self.keys.lock().iter().any(test)
    }
}

/// The key's bytes in an allocation of their own.
fn copy(bytes: &[u8]) -> Result<Box<[u8]>, Refused> {
    let mut own = Vec::new();
    own.try_reserve_exact(bytes.len()).map_err(|_| Refused)?;
    own.extend_from_slice(bytes);
    Ok(own.into_boxed_slice())
}

#[derive(Debug)]
struct Watch {
    db: u32,
    expired: bool,
    watcher: Arc<Watcher>,
}

/// The watches of one shard, under its lock.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    /// Ordered rather than hashed: the standard hash map would draw its own randomness.
    keys: BTreeMap<Box<[u8]>, Vec<Watch>>,
    /// Watches added since the last sweep.
    added: usize,
    /// Keys that the last sweep left.
    kept: usize,
}

/// What became of a database as a whole, seen from one of its watched keys.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fate {
    /// The key is there now.
    pub(crate) is_there: bool,
    /// It will be there afterwards.
    pub(crate) will_be_there: bool,
    /// And what will be there has expired.
    pub(crate) will_be_expired: bool,
}

impl Registry {
    /// Adds a watch, unless the session has it already. All or nothing (W1): a key may be as long as
    /// half a gigabyte, and the system may refuse the memory for its copies. Gives whether it is new.
    pub(crate) fn add(
        &mut self,
        watcher: &Arc<Watcher>,
        db: u32,
        key: Key<'_>,
        expired: bool,
    ) -> Result<bool, Refused> {
        if !watcher.remember(db, key)? {
            return Ok(false);
        }
        self.added += 1;
        // Each sweep costs about as much as the additions before it, and leftovers stay below what
        // lives plus a few.
        if self.added > self.kept + 16 {
            self.sweep();
        }
        let watch = Watch {
            db,
            expired,
            watcher: Arc::clone(watcher),
        };
        match self.keys.get_mut(key.bytes()) {
            Some(watches) => watches.push(watch),
            None => {
                let own = copy(key.bytes()).inspect_err(|_| watcher.forget_last())?;
                self.keys.insert(own, vec![watch]);
            }
        }
        Ok(true)
    }

    /// Takes a session's watch of a key out.
    pub(crate) fn remove(&mut self, watcher: &Arc<Watcher>, db: u32, key: &[u8]) {
        let Some(watches) = self.keys.get_mut(key) else {
            return;
        };
        watches.retain(|watch| watch.db != db || !Arc::ptr_eq(&watch.watcher, watcher));
        if watches.is_empty() {
            self.keys.remove(key);
        }
    }

    fn sweep(&mut self) {
        self.added = 0;
        self.keys.retain(|_, watches| {
            watches.retain(|watch| !watch.watcher.has_ended());
            !watches.is_empty()
        });
        self.kept = self.keys.len();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// A key of `db` is being written, or removed if it is `gone`.
    #[cold]
    pub(crate) fn touch(&mut self, db: u32, key: &[u8], gone: bool) {
        let watches = self.keys.get_mut(key).into_iter().flatten();
        for watch in watches.filter(|watch| watch.db == db) {
            if watch.expired && gone {
                // W2: what had expired has been removed. From now on its coming back is a change.
                watch.expired = false;
            } else {
                watch.watcher.mark();
            }
        }
    }

    /// A database is being emptied or exchanged; `fate` tells what that means for a key.
    pub(crate) fn touch_all(&mut self, db: u32, fate: impl Fn(&[u8]) -> Fate) {
        for (key, watches) in &mut self.keys {
            for watch in watches.iter_mut().filter(|watch| watch.db == db) {
                let Fate {
                    is_there,
                    will_be_there,
                    will_be_expired,
                } = fate(key);
                if !is_there && !will_be_there {
                    continue;
                }
                if watch.expired && !will_be_there {
                    watch.expired = false;
                } else if will_be_expired && (watch.expired || !is_there) {
                    // Expired before and after, or missing before and expired after: no change.
                    watch.expired = true;
                } else {
                    watch.watcher.mark();
                }
            }
        }
    }

    /// Whether the key had expired already when this session watched it (W2).
    pub(crate) fn was_expired(&self, watcher: &Watcher, db: u32, key: &[u8]) -> bool {
        let watches = self.keys.get(key).into_iter().flatten();
        watches
            .filter(|watch| watch.db == db && std::ptr::eq(&raw const *watch.watcher, watcher))
            .any(|watch| watch.expired)
    }
}

/// Takes a session's watch out of a shard's registry, and the registry away when it is empty, so
/// that a write asks nothing more than whether there is one.
pub(crate) fn let_go(
    slot: &mut Option<Box<Registry>>,
    watcher: &Arc<Watcher>,
    watched: &WatchedKey,
) {
    if let Some(registry) = slot {
        registry.remove(watcher, watched.db, &watched.bytes);
        if registry.is_empty() {
            *slot = None;
        }
    }
}

#[cfg(all(test, not(feature = "model")))]
mod tests {
    use super::*;

    fn key(bytes: &[u8]) -> Key<'_> {
        Key::new(bytes, Hash::new(0))
    }

    #[test]
    fn a_write_marks_the_watchers_of_that_key_and_database() {
        let mut registry = Registry::default();
        let (a, b) = (Watcher::new(), Watcher::new());
        registry.add(&a, 0, key(b"k"), false).expect("memory");
        registry.add(&a, 0, key(b"k"), false).expect("memory");
        registry.add(&b, 1, key(b"k"), false).expect("memory");
        registry.touch(0, b"other", false);
        assert!(!a.is_dirty());
        registry.touch(0, b"k", false);
        assert!(a.is_dirty() && !b.is_dirty());
        registry.remove(&a, 0, b"k");
        registry.remove(&b, 1, b"k");
        assert!(registry.is_empty(), "a key watched twice has one watch");
    }

    #[test]
    fn the_removal_of_what_had_expired_is_no_change() {
        let mut registry = Registry::default();
        let watcher = Watcher::new();
        registry.add(&watcher, 0, key(b"k"), true).expect("memory");
        assert!(registry.was_expired(&watcher, 0, b"k"));
        registry.touch(0, b"k", true);
        assert!(!watcher.is_dirty() && !registry.was_expired(&watcher, 0, b"k"));
        registry.touch(0, b"k", false);
        assert!(watcher.is_dirty(), "but its coming back is one");
    }

    #[test]
    fn flushing_and_swapping_mark_what_changes() {
        // (expired at WATCH, there, there afterwards, expired afterwards) -> marked
        let check = |expired, is_there, will_be_there, will_be_expired, expected: bool| {
            let mut registry = Registry::default();
            let watcher = Watcher::new();
            registry
                .add(&watcher, 0, key(b"k"), expired)
                .expect("memory");
            registry.touch_all(0, |_| Fate {
                is_there,
                will_be_there,
                will_be_expired,
            });
            assert_eq!(watcher.is_dirty(), expected);
        };
        check(false, true, false, false, true);
        check(false, false, false, false, false);
        check(true, true, false, false, false);
        check(false, false, true, false, true);
        check(false, false, true, true, false);
        check(true, true, true, true, false);
        check(true, true, true, false, true);
        check(false, true, true, true, true);
    }

    #[test]
    fn ended_sessions_are_swept() {
        let mut registry = Registry::default();
        for n in 0..1000_u32 {
            let watcher = Watcher::new();
            registry
                .add(&watcher, 0, key(&n.to_le_bytes()), false)
                .expect("memory");
            watcher.end();
        }
        assert!(
            registry.keys.len() < 50,
            "{} leftovers",
            registry.keys.len()
        );
    }
}
