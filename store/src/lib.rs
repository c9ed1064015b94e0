//! Shards, entries, values, expiry, watch bookkeeping, gates, the change log, snapshots.
//!
//! Everything that happens to the data happens inside a [`Unit`]: one command, one EXEC, one
//! script. The pages are `docs/design/store.md` (what is where, which files hold `unsafe` code)
//! and `docs/design/locks.md` (the protocol).
//!
//! **Invariant:** this crate reads no clock, randomness, file or socket; it is handed them.
#![deny(unsafe_code)]

mod access;
mod counts;
mod entry;
mod error;
mod event;
mod evict;
mod expire;
mod frozen;
mod gate;
mod key;
mod lazy;
mod locks;
mod log;
mod plan;
mod prefetch;
mod scratch;
mod shard;
mod snapshot;
mod stats;
mod store;
mod sync;
mod tables;
mod unit;
pub mod value;
mod wait;
mod watch;
mod witness;

pub use access::{Access, AccessPolicy, Seen};
pub use counts::DbSize;
pub use entry::{EntryRef, IN_PLACE_BYTES_MAX};
pub use error::{Busy, Refused, WrongType};
pub use event::{Event, EventClass, Events};
pub use evict::{
    Eviction, EvictionEnd, EvictionLimits, EvictionOrder, EvictionPolicy, EvictionPool,
};
pub use expire::{Cycle, CycleLimits};
pub use gate::Gates;
pub use key::{Key, Spot, element_hashing};
pub use lazy::Lazy;
pub use log::{LogReader, Merge};
pub use plan::{Done, Freeing, Plan, Turn};
pub use scratch::Scratch;
pub use shard::SHARDS;
pub use snapshot::{Cut, Part};
pub use stats::Stats;
pub use store::{Options, Store};
pub use unit::{Deadline, Detached, Look, Occupied, Ready, Slot, Unit, Vacant};
pub use value::sorted_set::{Scored, ScoredRows};
pub use value::{
    Container, Encoding, Field, FieldDeadline, Hash, Kind, Limits, List, ListEnd, ListLimits,
    ListPart, NewStr, Object, Pinned, PinnedAs, PinnedStr, Set, SortedSet, Str, Stream, ValueRef,
};
pub use wait::Waiter;
pub use watch::Watcher;
pub use witness::{Changed, Witness};
