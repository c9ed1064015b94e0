//! Who has read which key, in the default mode. Keys of all databases stand together, as in Redis.
//!
//! ```text
//!   buckets, by the low bits of the key's shard     each a leaf lock: key -> ids, rising
//! ```
//!
//! **Invariant:** `keys` and `items` are the sums over the buckets, a moment after each change.
//!
//! Checked by: tests below.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::clients::ClientId;

/// Locks; a power of two, no more than shards.
const BUCKETS: usize = 256;
/// From this many keys on a table is freed by a thread of its own.
const LATER_KEYS_MIN: usize = 10_000;

type Readers = Vec<ClientId>;

#[derive(Debug, Default)]
struct Bucket {
    keys: HashMap<Box<[u8]>, Readers>,
    /// The readers of all of them.
    items: usize,
}

/// The table.
#[derive(Debug)]
pub(super) struct Table {
    buckets: Box<[Mutex<Bucket>]>,
    keys: AtomicUsize,
    items: AtomicUsize,
    /// Where the next key that is let go is looked for.
    next: AtomicUsize,
}

impl Default for Table {
    fn default() -> Table {
        Table {
            buckets: (0..BUCKETS).map(|_| Mutex::default()).collect(),
            keys: AtomicUsize::new(0),
            items: AtomicUsize::new(0),
            next: AtomicUsize::new(0),
        }
    }
}

impl Table {
    /// Notes that `client` has read `key`, which belongs to `shard`.
    pub(super) fn enter(&self, shard: usize, key: &[u8], client: ClientId) {
        let mut bucket = self.buckets[shard % BUCKETS].lock();
        let is_new = match bucket.keys.get_mut(key) {
            Some(readers) => match readers.binary_search(&client) {
                Ok(_) => return,
                Err(at) => {
                    readers.insert(at, client);
                    false
                }
            },
            None => {
                bucket.keys.insert(key.into(), vec![client]);
                true
            }
        };
        bucket.items += 1;
        // Relaxed, here and below: figures; who must see a key has its shard's lock.
        self.keys.fetch_add(usize::from(is_new), Ordering::Relaxed);
        self.items.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes a key out; gives its readers.
    pub(super) fn take(&self, shard: usize, key: &[u8]) -> Readers {
        let mut bucket = self.buckets[shard % BUCKETS].lock();
        let readers = bucket.keys.remove(key).unwrap_or_default();
        bucket.items -= readers.len();
        self.count_gone(usize::from(!readers.is_empty()), readers.len());
        readers
    }

    /// Takes any key out, if there is one.
    pub(super) fn take_any(&self) -> Option<(Box<[u8]>, Readers)> {
        for _ in 0..BUCKETS {
            let at = self.next.fetch_add(1, Ordering::Relaxed) % BUCKETS;
            let mut bucket = self.buckets[at].lock();
            if let Some(key) = bucket.keys.keys().next().cloned()
                && let Some(readers) = bucket.keys.remove(&key)
            {
                bucket.items -= readers.len();
                self.count_gone(1, readers.len());
                return Some((key, readers));
            }
        }
        None
    }

    /// Forgets everything; takes microseconds. A large table is freed by a thread of its own.
    pub(super) fn clear(&self) {
        if self.is_empty() {
            return;
        }
        let mut gone = Vec::new();
        let mut keys = 0;
        for bucket in &self.buckets {
            let bucket = std::mem::take(&mut *bucket.lock());
            self.count_gone(bucket.keys.len(), bucket.items);
            keys += bucket.keys.len();
            gone.push(bucket);
        }
        if keys >= LATER_KEYS_MIN {
            // If no thread can be had, the closure is dropped here, and the keys with it.
            let freeing = std::thread::Builder::new().name("free-tracking".to_owned());
            drop(freeing.spawn(move || drop(gone)));
        }
    }

    fn count_gone(&self, keys: usize, items: usize) {
        self.keys.fetch_sub(keys, Ordering::Relaxed);
        self.items.fetch_sub(items, Ordering::Relaxed);
    }

    /// Whether nothing is in it: a hint for everybody but those who hold the lock of the key that they
    /// ask for.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.keys() == 0
    }

    /// Its keys.
    pub(super) fn keys(&self) -> usize {
        self.keys.load(Ordering::Relaxed)
    }

    /// The readers of all of them.
    pub(super) fn items(&self) -> usize {
        self.items.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_those_of_the_buckets() {
        let table = Table::default();
        for n in 0..1_000_u64 {
            let key = (n % 100).to_string();
            let shard = usize::try_from(n % 100).expect("small") * 7;
            table.enter(shard, key.as_bytes(), ClientId(1 + n % 3));
        }
        assert_eq!((table.keys(), table.items()), (100, 300));
        assert_eq!(table.take(7, b"1"), [ClientId(1), ClientId(2), ClientId(3)]);
        assert_eq!(table.take(7, b"1"), []);
        assert_eq!((table.keys(), table.items()), (99, 297));
        let mut left = 0;
        while let Some((key, readers)) = table.take_any() {
            assert!(readers.len() == 3 && *key != *b"1");
            left += 1;
        }
        assert_eq!((left, table.keys(), table.items()), (99, 0, 0));
        table.enter(0, b"x", ClientId(1));
        table.clear();
        assert!(table.is_empty());
        assert_eq!(table.items(), 0);
    }

    #[test]
    fn a_large_table_is_cleared_whole() {
        let table = Table::default();
        for n in 0..2 * LATER_KEYS_MIN {
            table.enter(n, n.to_string().as_bytes(), ClientId(1));
        }
        assert_eq!(table.keys(), 2 * LATER_KEYS_MIN);
        table.clear();
        assert_eq!((table.keys(), table.items()), (0, 0));
        assert_eq!(table.take_any(), None);
    }
}
