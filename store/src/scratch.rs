//! A worker's scratch: what units borrow so that they allocate nothing, and what the one that is
//! running knows about itself.
//!
//! The state of a unit lives here rather than in [`crate::Unit`], because slots hand it on: a type
//! without lifetimes is borrowed for as long as a slot lives, no longer.

use crate::access::AccessPolicy;
use crate::event::{EventClass, Events};
use crate::gate::Gates;
use crate::lazy::Trash;
use crate::log::Effects;
use crate::plan::Freeing;
use crate::unit::Ready;
use crate::witness::Changed;

/// What the unit that is running knows about itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct State {
    pub(crate) worker: usize,
    pub(crate) db: u32,
    pub(crate) now_ms: i64,
    pub(crate) gates: Gates,
    pub(crate) policy: AccessPolicy,
    pub(crate) event_classes: EventClass,
    pub(crate) no_touch: bool,
    /// Whether changed keys are gathered for the witness.
    pub(crate) tracking: bool,
    /// Whether somebody reads the change log.
    pub(crate) recording: bool,
    /// The unit's number in the change log; 0 until its first change.
    pub(crate) number: u64,
    /// The largest number of a write that the unit has seen.
    pub(crate) seen: u64,
    pub(crate) dirty: u64,
    pub(crate) changed: bool,
}

impl State {
    /// See [`crate::Unit::expiry_ms`].
    #[inline]
    pub(crate) fn expiry_ms(&self) -> i64 {
        if self.gates.closed(Gates::LOADING) {
            i64::MIN
        } else {
            self.now_ms
        }
    }
}

/// Vectors that units borrow from their worker.
#[derive(Debug)]
pub struct Scratch {
    pub(crate) state: State,
    pub(crate) events: Events,
    pub(crate) changed: Changed,
    pub(crate) effects: Effects,
    /// Keys that the unit has made ready for those who wait for them.
    pub(crate) ready: Vec<Ready>,
    /// What is dropped after unlocking.
    pub(crate) trash: Vec<(Trash, Freeing)>,
    /// The memory of a several-shard unit's list.
    pub(crate) shards: Vec<u16>,
    /// Keys that are to be removed once a walk over their table is over: bytes, then ends.
    pub(crate) doomed: Keys,
    /// Hashes with fields whose time is over.
    pub(crate) lapsing: Keys,
    /// The worker's generator; 0 until the first unit seeds it.
    pub(crate) random: u64,
    /// Whether a debug build checks the running command's keys against `declared`.
    #[cfg(debug_assertions)]
    pub(crate) is_declared: bool,
    /// The keys that the running command has declared.
    #[cfg(debug_assertions)]
    pub(crate) declared: Keys,
    /// Which of them it has touched.
    #[cfg(debug_assertions)]
    pub(crate) touched: Vec<std::cell::Cell<bool>>,
}

/// Keys, one after another in one buffer.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Keys {
    pub(crate) fn push(&mut self, key: &[u8]) {
        self.bytes.extend_from_slice(key);
        self.ends.push(self.bytes.len());
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub(crate) fn get(&self, index: usize) -> &[u8] {
        let begin = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[begin..self.ends[index]]
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

impl Scratch {
    /// An empty scratch; its vectors grow with use.
    #[must_use]
    pub fn new() -> Self {
        Scratch {
            state: State {
                worker: 0,
                db: 0,
                now_ms: 0,
                gates: Gates::OPEN,
                policy: AccessPolicy::Lru,
                event_classes: EventClass::NONE,
                no_touch: false,
                tracking: false,
                recording: false,
                number: 0,
                seen: 0,
                dirty: 0,
                changed: false,
            },
            events: Events::default(),
            changed: Changed::default(),
            effects: Effects::default(),
            ready: Vec::new(),
            trash: Vec::new(),
            shards: Vec::new(),
            doomed: Keys::default(),
            lapsing: Keys::default(),
            random: 0,
            #[cfg(debug_assertions)]
            is_declared: false,
            #[cfg(debug_assertions)]
            declared: Keys::default(),
            #[cfg(debug_assertions)]
            touched: Vec::new(),
        }
    }

    /// Takes out what units without a dispatcher (the expire cycle) have made ready.
    pub fn drain_ready(&mut self) -> Vec<Ready> {
        std::mem::take(&mut self.ready)
    }

    /// The keyspace events of units that had no witness, since they were last cleared, in order.
    pub fn events_mut(&mut self) -> &mut Events {
        &mut self.events
    }

    /// The next number of the worker's generator (xorshift64*, Vigna 2016).
    pub(crate) fn next_random(&mut self) -> u64 {
        let mut x = self.random;
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        self.random = x;
        x.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Gathers an event, if anybody wants its class.
    #[inline]
    pub(crate) fn notify(&mut self, class: EventClass, name: &'static str, key: &[u8]) {
        if self.state.event_classes.meets(class) {
            self.events.push(class, name, self.state.db, key);
        }
    }

    /// In debug builds, asserts that the command has declared this key (RELIABILITY S3), and notes that
    /// it has touched it.
    #[inline]
    pub(crate) fn check_declared(&self, key: &[u8]) {
        #[cfg(debug_assertions)]
        if self.is_declared {
            let mut is_there = false;
            for at in 0..self.declared.len() {
                if self.declared.get(at) == key {
                    self.touched[at].set(true);
                    is_there = true;
                }
            }
            assert!(
                is_there,
                "the command touches a key that its row does not declare: {}",
                String::from_utf8_lossy(key)
            );
        }
        #[cfg(not(debug_assertions))]
        let _ = key;
    }
}
